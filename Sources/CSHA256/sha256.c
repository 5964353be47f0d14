#include "sha256.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

#define WITH_SHA __attribute__((target("sha,sse4.1,ssse3")))

int pando_sha256_is_available(void) {
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSSE3) || !(c & bit_SSE4_1)) return 0;
    /* Leaf 7, bit 29 of EBX: SHA (Intel's manual, volume 2, CPUID). */
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 29 & 1);
}

static const uint32_t constants[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

/* The eight words as the instructions want them: A, B, E, F and C, D, G, H, the first of each in the highest place. */
struct words {
    __m128i abef, cdgh;
};

WITH_SHA static inline struct words load(const uint32_t *state) {
    __m128i badc = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xb1);
    __m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1b);
    return (struct words){_mm_alignr_epi8(badc, hgfe, 8), _mm_blend_epi16(hgfe, badc, 0xf0)};
}

WITH_SHA static inline void store(struct words words, uint32_t *state) {
    __m128i abef = _mm_shuffle_epi32(words.abef, 0x1b);
    __m128i cdgh = _mm_shuffle_epi32(words.cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(abef, cdgh, 0xf0));
    _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(cdgh, abef, 8));
}

/* One message waits for itself most of the time: each round needs the one before. A second fills the gaps. */
WITH_SHA static inline __attribute__((always_inline)) void take(uint32_t *const *states, const uint8_t **bytes, size_t blocks, int count) {
    const __m128i bigEndian = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
    struct words now[2];
    for (int m = 0; m < count; m++) now[m] = load(states[m]);
    for (; blocks > 0; blocks--) {
        struct words before[2];
        __m128i schedule[2][4];
        for (int m = 0; m < count; m++) before[m] = now[m];
        /* Four rounds at a time. */
#pragma clang loop unroll(full)
        for (int i = 0; i < 16; i++) {
#pragma clang loop unroll(full)
            for (int m = 0; m < count; m++) {
                __m128i *w = schedule[m];
                if (i < 4) {
                    w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(bytes[m] + 16 * i)), bigEndian);
                } else {
                    __m128i sum = _mm_add_epi32(
                        _mm_sha256msg1_epu32(w[i & 3], w[(i + 1) & 3]), _mm_alignr_epi8(w[(i + 3) & 3], w[(i + 2) & 3], 4));
                    w[i & 3] = _mm_sha256msg2_epu32(sum, w[(i + 3) & 3]);
                }
                __m128i sum = _mm_add_epi32(w[i & 3], _mm_load_si128((const __m128i *)(constants + 4 * i)));
                now[m].cdgh = _mm_sha256rnds2_epu32(now[m].cdgh, now[m].abef, sum);
                now[m].abef = _mm_sha256rnds2_epu32(now[m].abef, now[m].cdgh, _mm_shuffle_epi32(sum, 0x0e));
            }
        }
        for (int m = 0; m < count; m++) {
            now[m].abef = _mm_add_epi32(now[m].abef, before[m].abef);
            now[m].cdgh = _mm_add_epi32(now[m].cdgh, before[m].cdgh);
            bytes[m] += 64;
        }
    }
    for (int m = 0; m < count; m++) store(now[m], states[m]);
}

WITH_SHA void pando_sha256(uint32_t *state, const uint8_t *bytes, size_t blocks) { take(&state, &bytes, blocks, 1); }

WITH_SHA void pando_sha256_pair(uint32_t *first, const uint8_t *firstBytes, uint32_t *second, const uint8_t *secondBytes, size_t blocks) {
    uint32_t *const states[] = {first, second};
    const uint8_t *bytes[] = {firstBytes, secondBytes};
    take(states, bytes, blocks, 2);
}

#else

int pando_sha256_is_available(void) { return 0; }
void pando_sha256(uint32_t *state, const uint8_t *bytes, size_t blocks) { __builtin_trap(); }
void pando_sha256_pair(uint32_t *first, const uint8_t *firstBytes, uint32_t *second, const uint8_t *secondBytes, size_t blocks) { __builtin_trap(); }

#endif
