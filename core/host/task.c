/* Tasks as threads. They take no signals: those belong to the program that we live in. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "base/assert.h"
#include "host/parts.h"

struct host_task {
    struct graft_task task;
    graft_task_fn *run;
    void *arg;
    pthread_t thread;
    char name[16]; /* the kernel keeps fifteen bytes */
};

struct host_mutex {
    struct graft_mutex mutex;
    pthread_mutex_t posix;
};

struct host_cond {
    struct graft_cond cond;
    pthread_cond_t posix;
};

static struct graft_alloc *alloc_of(struct graft_tasks *tasks)
{
    return ((struct graft_host_tasks *)tasks)->alloc;
}

static void *run_task(void *arg)
{
    struct host_task *self = arg;
    (void)pthread_setname_np(pthread_self(), self->name);
    self->run(self->arg);
    return NULL;
}

/* All signals that are not the thread's own fault. */
static void block_signals(sigset_t *before)
{
    sigset_t blocked;
    GRAFT_ASSERT(sigfillset(&blocked) == 0);
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT};
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        GRAFT_ASSERT(sigdelset(&blocked, faults[i]) == 0);
    GRAFT_ASSERT(pthread_sigmask(SIG_SETMASK, &blocked, before) == 0);
}

static enum graft_rc spawn(struct graft_tasks *tasks, const char *name, graft_task_fn *run,
                           void *arg, struct graft_task **out, struct graft_err *err)
{
    struct host_task *self = graft_malloc(alloc_of(tasks), sizeof *self);
    if (self == NULL)
        return graft_host_no_memory(err, "spawn", name);
    *self = (struct host_task){.task.tasks = tasks, .run = run, .arg = arg};
    (void)snprintf(self->name, sizeof self->name, "%s", name);

    sigset_t before;
    block_signals(&before);
    int number = pthread_create(&self->thread, NULL, run_task, self);
    GRAFT_ASSERT(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    if (number != 0) {
        graft_free(alloc_of(tasks), self);
        /* EAGAIN here is a limit on threads, or no memory for a stack. */
        return graft_host_errno(err, number == EAGAIN ? ENOMEM : number, "spawn", name);
    }
    *out = &self->task;
    return GRAFT_OK;
}

static void join(struct graft_task *task)
{
    struct host_task *self = (struct host_task *)task;
    GRAFT_ASSERT(pthread_join(self->thread, NULL) == 0);
    graft_free(alloc_of(task->tasks), self);
}

static struct timespec deadline_in(uint32_t ms)
{
    struct timespec time = {0};
    GRAFT_ASSERT(clock_gettime(CLOCK_MONOTONIC, &time) == 0);
    time.tv_sec += ms / 1000;
    time.tv_nsec += (long)(ms % 1000) * 1000000;
    if (time.tv_nsec >= 1000000000) {
        time.tv_sec += 1;
        time.tv_nsec -= 1000000000;
    }
    return time;
}

static void sleep_ms(struct graft_tasks *tasks, uint32_t ms)
{
    (void)tasks;
    struct timespec deadline = deadline_in(ms);
    int number = 0;
    do {
        number = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, NULL);
    } while (number == EINTR);
}

static enum graft_rc mutex_new(struct graft_tasks *tasks, struct graft_mutex **out)
{
    struct host_mutex *self = graft_malloc(alloc_of(tasks), sizeof *self);
    if (self == NULL)
        return GRAFT_ENOMEM;
    self->mutex.tasks = tasks;
    GRAFT_ASSERT(pthread_mutex_init(&self->posix, NULL) == 0);
    *out = &self->mutex;
    return GRAFT_OK;
}

static void mutex_free(struct graft_mutex *mutex)
{
    struct host_mutex *self = (struct host_mutex *)mutex;
    GRAFT_ASSERT(pthread_mutex_destroy(&self->posix) == 0);
    graft_free(alloc_of(mutex->tasks), self);
}

static void mutex_lock(struct graft_mutex *mutex)
{
    GRAFT_ASSERT(pthread_mutex_lock(&((struct host_mutex *)mutex)->posix) == 0);
}

static void mutex_unlock(struct graft_mutex *mutex)
{
    GRAFT_ASSERT(pthread_mutex_unlock(&((struct host_mutex *)mutex)->posix) == 0);
}

static enum graft_rc cond_new(struct graft_tasks *tasks, struct graft_cond **out)
{
    struct host_cond *self = graft_malloc(alloc_of(tasks), sizeof *self);
    if (self == NULL)
        return GRAFT_ENOMEM;
    self->cond.tasks = tasks;
    /* Time-outs are durations: a change of the wall clock must not stretch them. */
    pthread_condattr_t attributes;
    GRAFT_ASSERT(pthread_condattr_init(&attributes) == 0);
    GRAFT_ASSERT(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    GRAFT_ASSERT(pthread_cond_init(&self->posix, &attributes) == 0);
    GRAFT_ASSERT(pthread_condattr_destroy(&attributes) == 0);
    *out = &self->cond;
    return GRAFT_OK;
}

static void cond_free(struct graft_cond *cond)
{
    struct host_cond *self = (struct host_cond *)cond;
    GRAFT_ASSERT(pthread_cond_destroy(&self->posix) == 0);
    graft_free(alloc_of(cond->tasks), self);
}

static bool cond_wait(struct graft_cond *cond, struct graft_mutex *mutex, uint32_t timeout_ms)
{
    pthread_cond_t *posix = &((struct host_cond *)cond)->posix;
    pthread_mutex_t *held = &((struct host_mutex *)mutex)->posix;
    int number = 0;
    if (timeout_ms == GRAFT_WAIT_FOREVER) {
        number = pthread_cond_wait(posix, held);
    } else {
        struct timespec deadline = deadline_in(timeout_ms);
        number = pthread_cond_timedwait(posix, held, &deadline);
    }
    GRAFT_ASSERT(number == 0 || number == ETIMEDOUT);
    return number == 0;
}

static void cond_broadcast(struct graft_cond *cond)
{
    GRAFT_ASSERT(pthread_cond_broadcast(&((struct host_cond *)cond)->posix) == 0);
}

static const struct graft_tasks_ops ops = {
    .spawn = spawn,
    .join = join,
    .sleep_ms = sleep_ms,
    .mutex_new = mutex_new,
    .mutex_free = mutex_free,
    .mutex_lock = mutex_lock,
    .mutex_unlock = mutex_unlock,
    .cond_new = cond_new,
    .cond_free = cond_free,
    .cond_wait = cond_wait,
    .cond_broadcast = cond_broadcast,
};

void graft_host_tasks_init(struct graft_host_tasks *tasks, struct graft_alloc *alloc)
{
    *tasks = (struct graft_host_tasks){.tasks.ops = &ops, .alloc = alloc};
}
