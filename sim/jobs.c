/* Forked jobs: job j of n does the numbers first + j, first + j + n, ... and writes what came of
 * each to a pipe. One that dies is replaced by one that goes on behind the number that killed it.
 */
#include "sim/jobs.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"

#define JOBS_MAX 64U
#define TEXT_BYTES_MAX 65536U

/* What a job says after each run; the report's text follows. */
struct message {
    uint64_t number;
    bool is_last; /* no run: the job's tally follows */
    uint32_t text_bytes;
    struct sim_result result;
};

struct job {
    pid_t pid;
    int pipe; /* -1: done */
    uint64_t next;
};

struct pool {
    const struct sim_jobs *jobs;
    struct sim_tally *tally;
    struct job job[JOBS_MAX];
    uint32_t count;
    uint64_t limit; /* no number above it matters any more */
    double until;   /* 0: no limit */
};

static double seconds_of(clockid_t clock)
{
    struct timespec now;
    GRAFT_ASSERT(clock_gettime(clock, &now) == 0);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool read_all(int pipe, void *bytes, size_t size)
{
    uint8_t *at = bytes;
    while (size > 0) {
        ssize_t got = read(pipe, at, size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += got;
        size -= (size_t)got;
    }
    return true;
}

static void write_all(int pipe, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    while (size > 0) {
        ssize_t wrote = write(pipe, at, size);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            _exit(3);
        at += wrote;
        size -= (size_t)wrote;
    }
}

/* ---- The child. */

static void send_result(int pipe, uint64_t number, struct sim_result *result)
{
    struct message message;
    memset(&message, 0, sizeof message);
    message.number = number;
    message.result = *result;
    message.result.report = NULL;
    size_t bytes = result->report == NULL ? 0 : strlen(result->report);
    message.text_bytes = (uint32_t)(bytes < TEXT_BYTES_MAX ? bytes : TEXT_BYTES_MAX);
    write_all(pipe, &message, sizeof message);
    write_all(pipe, result->report, message.text_bytes);
}

static void send_tally(int pipe, const struct sim_tally *tally)
{
    struct message message;
    memset(&message, 0, sizeof message);
    message.is_last = true;
    write_all(pipe, &message, sizeof message);
    write_all(pipe, tally, sizeof *tally);
    write_all(pipe, tally->points, sim_point_count() * sizeof *tally->points);
}

static _Noreturn void work(const struct pool *pool, uint64_t number, int pipe)
{
    const struct sim_jobs *jobs = pool->jobs;
    struct sim_pool *stacks = sim_pool_new();
    struct sim_tally tally;
    sim_tally_init(&tally);
    sim_point_clear();
    double began = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    for (; number <= jobs->last; number += pool->count) {
        struct sim_result result = {0};
        if (pool->until > 0 && seconds_of(CLOCK_MONOTONIC) >= pool->until)
            break;
        jobs->run(jobs->arg, stacks, number, &result);
        sim_tally_add(&tally, &result);
        send_result(pipe, number, &result);
        sim_result_deinit(&result);
        if (number > UINT64_MAX - pool->count)
            break;
    }
    tally.busy_ns = (uint64_t)((seconds_of(CLOCK_PROCESS_CPUTIME_ID) - began) * 1e9);
    sim_tally_take_points(&tally);
    send_tally(pipe, &tally);
    _exit(0);
}

/* ---- The parent. */

static void start(struct pool *pool, uint32_t index, uint64_t number)
{
    struct job *job = &pool->job[index];
    int ends[2];
    *job = (struct job){.pipe = -1, .next = number};
    if (number > pool->jobs->last || number > pool->limit)
        return;
    GRAFT_ASSERT(pipe(ends) == 0);
    (void)fflush(NULL);
    pid_t pid = fork();
    GRAFT_ASSERT(pid >= 0);
    if (pid == 0) {
        (void)close(ends[0]);
        work(pool, number, ends[1]);
    }
    (void)close(ends[1]);
    job->pid = pid;
    job->pipe = ends[0];
}

static int stop(struct job *job, bool kill_it)
{
    int status = 0;
    if (kill_it)
        (void)kill(job->pid, SIGKILL);
    while (waitpid(job->pid, &status, 0) < 0 && errno == EINTR)
        ;
    (void)close(job->pipe);
    job->pipe = -1;
    return status;
}

static void tell(struct pool *pool, uint64_t number, const struct sim_result *result)
{
    if (number <= pool->limit && !pool->jobs->done(pool->jobs->arg, number, result))
        pool->limit = number;
}

static bool take_tally(struct pool *pool, struct job *job)
{
    struct sim_tally tally;
    struct sim_tally sent;
    sim_tally_init(&tally);
    bool whole = read_all(job->pipe, &sent, sizeof sent) &&
                 read_all(job->pipe, tally.points, sim_point_count() * sizeof *tally.points);
    sent.points = tally.points;
    if (whole && pool->tally != NULL)
        sim_tally_merge(pool->tally, &sent);
    sim_tally_deinit(&tally);
    return whole;
}

/* False when the job is done or dead. */
static bool take_message(struct pool *pool, struct job *job)
{
    struct message message;
    if (!read_all(job->pipe, &message, sizeof message))
        return false;
    if (message.is_last)
        return take_tally(pool, job) && (job->next = UINT64_MAX, false);
    char *text = calloc(1, (size_t)message.text_bytes + 1);
    GRAFT_ASSERT(text != NULL);
    bool whole = read_all(job->pipe, text, message.text_bytes);
    if (whole) {
        message.result.report = text;
        tell(pool, message.number, &message.result);
        job->next = message.number + pool->count;
    }
    free(text);
    return whole;
}

static void bury(struct pool *pool, uint32_t index)
{
    struct job *job = &pool->job[index];
    int status = stop(job, false);
    if (job->next == UINT64_MAX)
        return;
    uint64_t number = job->next;
    char text[80] = "the process of the run ended by itself";
    if (WIFSIGNALED(status))
        (void)snprintf(text, sizeof text, "signal %d: %s", WTERMSIG(status),
                       strsignal(WTERMSIG(status)));
    struct sim_result result = {.report = text};
    (void)snprintf(result.signature, sizeof result.signature, "crash: %s", text);
    if (pool->tally != NULL)
        sim_tally_add(pool->tally, &result);
    tell(pool, number, &result);
    start(pool, index, number + pool->count);
}

static bool wait_for_one(struct pool *pool)
{
    struct pollfd polled[JOBS_MAX];
    bool any = false;
    for (uint32_t i = 0; i < pool->count; i++) {
        struct job *job = &pool->job[i];
        if (job->pipe >= 0 && job->next > pool->limit && job->next != UINT64_MAX)
            (void)stop(job, true);
        polled[i] = (struct pollfd){.fd = job->pipe, .events = POLLIN};
        any = any || job->pipe >= 0;
    }
    if (!any)
        return false;
    (void)poll(polled, pool->count, -1);
    for (uint32_t i = 0; i < pool->count; i++) {
        if (polled[i].fd >= 0 && (polled[i].revents & (POLLIN | POLLHUP)) != 0 &&
            !take_message(pool, &pool->job[i]))
            bury(pool, i);
    }
    return true;
}

void sim_jobs_run(const struct sim_jobs *jobs, struct sim_tally *tally)
{
    struct pool pool = {.jobs = jobs, .tally = tally, .limit = UINT64_MAX};
    pool.count = jobs->jobs == 0 ? 1 : jobs->jobs > JOBS_MAX ? JOBS_MAX : jobs->jobs;
    if (jobs->seconds > 0)
        pool.until = seconds_of(CLOCK_MONOTONIC) + jobs->seconds;
    for (uint32_t i = 0; i < pool.count; i++)
        start(&pool, i, jobs->first + i);
    while (wait_for_one(&pool))
        ;
}

/* ---- One. */

struct one {
    const struct sim_case *what;
    struct sim_result *out;
};

static void run_one(void *arg, struct sim_pool *pool, uint64_t number, struct sim_result *out)
{
    const struct one *one = arg;
    (void)number;
    sim_run(pool, one->what, NULL, out);
}

static bool keep_one(void *arg, uint64_t number, const struct sim_result *result)
{
    struct one *one = arg;
    (void)number;
    *one->out = *result;
    one->out->report = result->report == NULL ? NULL : strdup(result->report);
    return true;
}

void sim_jobs_run_one(const struct sim_case *what, struct sim_result *out)
{
    struct one one = {.what = what, .out = out};
    struct sim_jobs jobs = {.jobs = 1, .run = run_one, .done = keep_one, .arg = &one};
    sim_jobs_run(&jobs, NULL);
}
