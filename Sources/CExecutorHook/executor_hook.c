#include "executor_hook.h"

/* The runtime's own variables (libswift_Concurrency), which exist for such uses. */
#define SWIFTCC __attribute__((swiftcall))
typedef SWIFTCC void (*enqueue_hook)(void *job, void *original);
typedef SWIFTCC void (*enqueue_later_hook)(unsigned long long nanoseconds, void *job, void *original);
extern enqueue_hook swift_task_enqueueGlobal_hook;
extern enqueue_later_hook swift_task_enqueueGlobalWithDelay_hook;

static void (*taker)(void *job);
static void (*later_taker)(unsigned long long nanoseconds, void *job);

static SWIFTCC void take(void *job, void *original) {
    (void)original;
    taker(job);
}

static SWIFTCC void take_later(unsigned long long nanoseconds, void *job, void *original) {
    (void)original;
    later_taker(nanoseconds, job);
}

void pando_take_global_jobs(void (*take_job)(void *job), void (*take_job_later)(unsigned long long nanoseconds, void *job)) {
    taker = take_job;
    later_taker = take_job_later;
    swift_task_enqueueGlobal_hook = take;
    swift_task_enqueueGlobalWithDelay_hook = take_later;
}

/* An executor without an identity is the global one. */
extern SWIFTCC void swift_job_run(void *job, void *identity, void *implementation);

void pando_run_job(void *job) { swift_job_run(job, 0, 0); }
