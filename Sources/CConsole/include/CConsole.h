#ifndef PANDO_CONSOLE_H
#define PANDO_CONSOLE_H

#include <stddef.h>

/// A file of the web console, held in the program itself, so that the console is there wherever the program is.
struct PandoConsoleFile {
    const char *_Nonnull name;
    const unsigned char *_Nonnull bytes;
    size_t count;
};

/// The files, one after another; NULL behind the last.
const struct PandoConsoleFile *_Nullable pando_console_file(size_t index);

#endif
