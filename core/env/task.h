/* The task seam: threads in a process, fibers in the simulator. Core is written in blocking style
 * above it. */
#ifndef GRAFT_ENV_TASK_H
#define GRAFT_ENV_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/codes.h"

struct graft_tasks;
struct graft_task;
struct graft_mutex; /* not recursive */
struct graft_cond;

typedef void graft_task_fn(void *arg);

struct graft_tasks_ops {
    enum graft_rc (*spawn)(struct graft_tasks *tasks, const char *name, graft_task_fn *run,
                           void *arg, struct graft_task **out, struct graft_err *err);
    void (*join)(struct graft_task *task);
    void (*sleep_ms)(struct graft_tasks *tasks, uint32_t ms);
    enum graft_rc (*mutex_new)(struct graft_tasks *tasks, struct graft_mutex **out);
    void (*mutex_free)(struct graft_mutex *mutex);
    void (*mutex_lock)(struct graft_mutex *mutex);
    void (*mutex_unlock)(struct graft_mutex *mutex);
    enum graft_rc (*cond_new)(struct graft_tasks *tasks, struct graft_cond **out);
    void (*cond_free)(struct graft_cond *cond);
    bool (*cond_wait)(struct graft_cond *cond, struct graft_mutex *mutex, uint32_t timeout_ms);
    void (*cond_broadcast)(struct graft_cond *cond);
};

struct graft_tasks {
    const struct graft_tasks_ops *ops;
};

struct graft_task {
    struct graft_tasks *tasks;
};

struct graft_mutex {
    struct graft_tasks *tasks;
};

struct graft_cond {
    struct graft_tasks *tasks;
};

#define GRAFT_WAIT_FOREVER UINT32_MAX

/* Starts `run(arg)`; `name` is for traces. Each task must be joined once; the join frees it. */
GRAFT_MUST_USE enum graft_rc graft_task_spawn(struct graft_tasks *tasks, const char *name,
                                              graft_task_fn *run, void *arg,
                                              struct graft_task **out, struct graft_err *err);
void graft_task_join(struct graft_task *task);
void graft_task_sleep_ms(struct graft_tasks *tasks, uint32_t ms);

GRAFT_MUST_USE enum graft_rc graft_mutex_new(struct graft_tasks *tasks, struct graft_mutex **out);
void graft_mutex_free(struct graft_mutex *mutex); /* accepts NULL */
void graft_mutex_lock(struct graft_mutex *mutex);
void graft_mutex_unlock(struct graft_mutex *mutex);
GRAFT_MUST_USE enum graft_rc graft_cond_new(struct graft_tasks *tasks, struct graft_cond **out);
void graft_cond_free(struct graft_cond *cond); /* accepts NULL */
/* Releases the mutex while it waits; false on time-out. Wakes early at times: test the condition
 * again. */
bool graft_cond_wait(struct graft_cond *cond, struct graft_mutex *mutex, uint32_t timeout_ms);
void graft_cond_broadcast(struct graft_cond *cond);

#endif
