/* SHA-256 (FIPS 180-4) of two messages side by side. */
#ifndef PANDO_SHA256_H
#define PANDO_SHA256_H

#include <stddef.h>
#include <stdint.h>

/* Whether this processor has the instructions that the functions below are made of. Without, they must not be called. */
int pando_sha256_is_available(void);

/* Takes so many blocks of 64 bytes into the eight words of a hash. */
void pando_sha256(uint32_t *state, const uint8_t *bytes, size_t blocks);

/* The same for two messages at once, in little more time than for one. */
void pando_sha256_pair(uint32_t *first, const uint8_t *firstBytes, uint32_t *second, const uint8_t *secondBytes, size_t blocks);

#endif
