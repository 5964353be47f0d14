/* What Linux has and Swift's Glibc module leaves out. */
#ifdef __linux__
/* SYNC_FILE_RANGE_WRITE of sync_file_range(2): start writing out, do not wait. */
#define PANDO_SYNC_FILE_RANGE_WRITE 2u
extern int sync_file_range(int descriptor, long offset, long count, unsigned int flags);
#endif
