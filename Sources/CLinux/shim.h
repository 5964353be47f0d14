/* What Linux has and Swift's Glibc module leaves out. */
#ifdef __linux__
/* SYNC_FILE_RANGE_WRITE of sync_file_range(2): start writing out, do not wait. */
#define PANDO_SYNC_FILE_RANGE_WRITE 2u
extern int sync_file_range(int descriptor, long offset, long count, unsigned int flags);

/* RENAME_NOREPLACE and RENAME_EXCHANGE of rename(2). */
#define PANDO_RENAME_NOREPLACE 1u
#define PANDO_RENAME_EXCHANGE 2u
extern int renameat2(int from, const char *name, int to, const char *newName, unsigned int flags);
extern int syncfs(int descriptor);

extern long flistxattr(int descriptor, char *names, unsigned long size);
extern long fgetxattr(int descriptor, const char *name, void *value, unsigned long size);
extern int fsetxattr(int descriptor, const char *name, const void *value, unsigned long size, int flags);
extern int fremovexattr(int descriptor, const char *name);

/* When a file was made, in nanoseconds since 1970, by statx(2); -1 where the file system does not say. */
#include <linux/stat.h>
extern int statx(int directory, const char *name, int flags, unsigned int mask, struct statx *status);
static inline long long pando_birth_time(int directory, const char *name) {
    struct statx status;
    if (statx(directory, name, 0x100 /* AT_SYMLINK_NOFOLLOW */, STATX_BTIME, &status) != 0 || !(status.stx_mask & STATX_BTIME)) return -1;
    return status.stx_btime.tv_sec * 1000000000LL + status.stx_btime.tv_nsec;
}

/* F_SETLEASE and F_SETSIG of fcntl(2). */
#define PANDO_F_SETLEASE 1024
#define PANDO_F_SETSIG 10

/* f_type of fstatfs(2), which tells file systems apart. */
#include <sys/vfs.h>
static inline long pando_file_system_type(int descriptor) {
    struct statfs status;
    return fstatfs(descriptor, &status) == 0 ? (long)status.f_type : 0;
}

/* M_ARENA_MAX, M_MMAP_THRESHOLD and M_TRIM_THRESHOLD of mallopt(3), which a C library without arenas does not have. */
#ifdef __GLIBC__
#define PANDO_M_ARENA_MAX (-8)
#define PANDO_M_MMAP_THRESHOLD (-3)
#define PANDO_M_TRIM_THRESHOLD (-1)
extern int mallopt(int parameter, int value);
#endif
#endif
