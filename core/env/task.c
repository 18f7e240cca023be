/* The choke point of the task seam. */
#include "env/task.h"

#include "base/assert.h"
#include "base/catalogue.h"

enum graft_rc graft_task_spawn(struct graft_tasks *tasks, const char *name, graft_task_fn *run,
                               void *arg, struct graft_task **out, struct graft_err *err)
{
    GRAFT_ASSERT(tasks != NULL && name != NULL && run != NULL && out != NULL);
    struct graft_task *task = NULL;
    GRAFT_TRY(tasks->ops->spawn(tasks, name, run, arg, &task, err));
    GRAFT_ASSERT(task != NULL && task->tasks == tasks);
    *out = task;
    return GRAFT_OK;
}

void graft_task_join(struct graft_task *task)
{
    GRAFT_ASSERT(task != NULL);
    task->tasks->ops->join(task);
}

void graft_task_sleep_ms(struct graft_tasks *tasks, uint32_t ms)
{
    GRAFT_ASSERT(tasks != NULL);
    GRAFT_ASSERT(ms != GRAFT_WAIT_FOREVER);
    if (ms < 1000 && GRAFT_BUGGIFY("sleep: three times as long"))
        ms *= 3;
    tasks->ops->sleep_ms(tasks, ms);
}

enum graft_rc graft_mutex_new(struct graft_tasks *tasks, struct graft_mutex **out)
{
    GRAFT_ASSERT(tasks != NULL && out != NULL);
    struct graft_mutex *mutex = NULL;
    GRAFT_TRY(tasks->ops->mutex_new(tasks, &mutex));
    GRAFT_ASSERT(mutex != NULL && mutex->tasks == tasks);
    *out = mutex;
    return GRAFT_OK;
}

void graft_mutex_free(struct graft_mutex *mutex)
{
    if (mutex != NULL)
        mutex->tasks->ops->mutex_free(mutex);
}

void graft_mutex_lock(struct graft_mutex *mutex)
{
    GRAFT_ASSERT(mutex != NULL);
    mutex->tasks->ops->mutex_lock(mutex);
}

void graft_mutex_unlock(struct graft_mutex *mutex)
{
    GRAFT_ASSERT(mutex != NULL);
    mutex->tasks->ops->mutex_unlock(mutex);
}

enum graft_rc graft_cond_new(struct graft_tasks *tasks, struct graft_cond **out)
{
    GRAFT_ASSERT(tasks != NULL && out != NULL);
    struct graft_cond *cond = NULL;
    GRAFT_TRY(tasks->ops->cond_new(tasks, &cond));
    GRAFT_ASSERT(cond != NULL && cond->tasks == tasks);
    *out = cond;
    return GRAFT_OK;
}

void graft_cond_free(struct graft_cond *cond)
{
    if (cond != NULL)
        cond->tasks->ops->cond_free(cond);
}

bool graft_cond_wait(struct graft_cond *cond, struct graft_mutex *mutex, uint32_t timeout_ms)
{
    GRAFT_ASSERT(cond != NULL && mutex != NULL);
    GRAFT_ASSERT(cond->tasks == mutex->tasks);
    return cond->tasks->ops->cond_wait(cond, mutex, timeout_ms);
}

void graft_cond_broadcast(struct graft_cond *cond)
{
    GRAFT_ASSERT(cond != NULL);
    cond->tasks->ops->cond_broadcast(cond);
}
