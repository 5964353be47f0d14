/* Takes the jobs of Swift's global executor, so that a simulation can run them in an order of its own. */
#ifndef PANDO_EXECUTOR_HOOK_H
#define PANDO_EXECUTOR_HOOK_H

/* From now on every job that would go to the global executor goes to `take`. For the whole process, once. */
void pando_take_global_jobs(void (*take)(void *job), void (*take_later)(unsigned long long nanoseconds, void *job));

/* Runs a job as the global executor would: until it waits for something. */
void pando_run_job(void *job);

#endif
