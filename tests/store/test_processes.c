/* Several processes on one directory, some of which are killed at any moment: a bank whose accounts
 * are pages. In every snapshot the balances sum up to the same, and what was acknowledged stays. */
#include "kit.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/parts.h"

#define ACCOUNTS 24U
#define WORKERS 5U /* of which the last two only read */
#define READERS 2U
#define BALANCE 1000U

struct shared {
    _Atomic uint64_t acknowledged[WORKERS];
    _Atomic uint64_t commits, snapshots;
    _Atomic int stop;
    _Atomic int wrong; /* a line of this file */
};

static struct shared *shared;

static void fail_at(int line)
{
    atomic_store(&shared->wrong, line);
    _exit(1);
}

#define MUST(condition)        \
    do {                       \
        if (!(condition))      \
            fail_at(__LINE__); \
    } while (0)

static uint64_t balance_of(struct graft_store_session *session, uint32_t page)
{
    uint8_t bytes[KIT_PAGE_BYTES];
    size_t got = 0;
    struct graft_err err = {0};
    enum graft_rc rc = graft_store_read(session, page, bytes, &got, &err);
    if (rc != GRAFT_OK)
        fprintf(stderr, "page %u: %s\n", page, err.text);
    MUST(rc == GRAFT_OK);
    uint64_t value = 0;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static void set_balance(struct graft_store_session *session, uint32_t page, uint64_t value)
{
    uint8_t bytes[KIT_PAGE_BYTES];
    struct graft_err err = {0};
    memset(bytes, (int)(value & 0xff), sizeof bytes);
    memcpy(bytes, &value, sizeof value);
    MUST(graft_store_write(session, page, bytes, sizeof bytes, &err) == GRAFT_OK);
}

static void check_sum(struct graft_store_session *session)
{
    uint64_t sum = 0;
    for (uint32_t page = 1; page <= ACCOUNTS; page++)
        sum += balance_of(session, page);
    MUST(sum == (uint64_t)ACCOUNTS * BALANCE);
}

static void read_once(struct graft_store_session *session, struct kit_random *random)
{
    struct graft_store_snapshot snapshot;
    struct graft_err err = {0};
    MUST(graft_store_begin(session, &snapshot, &err) == GRAFT_OK);
    for (uint64_t i = kit_below(random, 20) + 1; i > 0; i--)
        check_sum(session);
    graft_store_end(session);
    atomic_fetch_add(&shared->snapshots, 1);
}

/* One transfer; the worker's own page counts its transfers. */
static void write_once(struct graft_store *store, struct graft_store_session *session,
                       unsigned worker, struct kit_random *random)
{
    struct graft_err err = {0};
    enum graft_rc rc = graft_store_write_begin(session, &err);
    if (rc == GRAFT_EBUSY || rc == GRAFT_ESTALE) {
        graft_store_end(session);
        return;
    }
    if (rc != GRAFT_OK)
        fprintf(stderr, "write: %s\n", err.text);
    MUST(rc == GRAFT_OK);
    uint32_t own = ACCOUNTS + 1 + worker;
    uint64_t number = balance_of(session, own) + 1;
    MUST(number > atomic_load(&shared->acknowledged[worker]));
    uint32_t from = 1 + (uint32_t)kit_below(random, ACCOUNTS);
    uint32_t to = 1 + (uint32_t)kit_below(random, ACCOUNTS);
    uint64_t have = balance_of(session, from);
    if (from != to && have > 0) {
        set_balance(session, from, have - 1);
        set_balance(session, to, balance_of(session, to) + 1);
    }
    set_balance(session, own, number);
    struct graft_store_commit commit = {.kind = GRAFT_COMMIT_LOCAL,
                                        .durable = kit_below(random, 8) == 0};
    bool gives_up = kit_below(random, 10) == 0;
    rc = graft_store_prepare(session, &commit, &err);
    if (rc != GRAFT_OK)
        fprintf(stderr, "prepare: %s\n", err.text);
    MUST(rc == GRAFT_OK);
    if (gives_up) {
        MUST(graft_store_rollback(session, &err) == GRAFT_OK);
    } else {
        graft_store_publish(session);
        atomic_store(&shared->acknowledged[worker], number);
        atomic_fetch_add(&shared->commits, 1);
    }
    graft_store_end(session);
    if (kit_below(random, 50) == 0) {
        rc = graft_store_fold(store, &err);
        MUST(rc == GRAFT_OK || rc == GRAFT_EBUSY);
    }
}

static void work(const char *path, unsigned worker, uint64_t seed)
{
    struct graft_err err = {0};
    struct graft_store *store = NULL;
    struct kit_random random = {seed};
    enum graft_rc rc = graft_store_open(graft_test_env(), path, &store, &err);
    if (rc != GRAFT_OK)
        fprintf(stderr, "open: %s\n", err.text);
    MUST(rc == GRAFT_OK);
    store->half_bytes = 65536;
    struct graft_store_session *session = NULL;
    MUST(graft_store_session_open(store, &session, &err) == GRAFT_OK);
    while (atomic_load(&shared->stop) == 0) {
        if (worker >= WORKERS - READERS)
            read_once(session, &random);
        else
            write_once(store, session, worker, &random);
        if (kit_below(&random, 400) == 0) {
            /* Out and in again, at times as the last one. */
            graft_store_session_close(session);
            graft_store_close(store);
            rc = graft_store_open(graft_test_env(), path, &store, &err);
            if (rc != GRAFT_OK)
                fprintf(stderr, "open: %s\n", err.text);
            MUST(rc == GRAFT_OK);
            store->half_bytes = 65536;
            MUST(graft_store_session_open(store, &session, &err) == GRAFT_OK);
        }
    }
    graft_store_session_close(session);
    graft_store_close(store);
    _exit(0);
}

static pid_t start(const char *path, unsigned worker, uint64_t seed)
{
    pid_t pid = fork();
    cr_assert(pid >= 0);
    if (pid == 0)
        work(path, worker, seed * 31 + worker + 1);
    return pid;
}

static void run_bank(unsigned kills, uint64_t commits_wanted)
{
    struct kit kit;
    kit_init(&kit, NULL);
    struct graft_store_session *session = kit_session(&kit);
    expect_ok(graft_store_write_begin(session, &kit.err), &kit.err);
    for (uint32_t page = 1; page <= ACCOUNTS + WORKERS; page++)
        set_balance(session, page, page <= ACCOUNTS ? BALANCE : 0);
    kit_finish(&kit, session, true);
    graft_store_session_close(session);
    kit_close(&kit);

    pid_t pids[WORKERS];
    struct kit_random random = {kills + 77};
    for (unsigned i = 0; i < WORKERS; i++)
        pids[i] = start(kit.path, i, i);
    uint64_t goal = 0;
    for (unsigned k = 0; k <= kills; k++) {
        goal += commits_wanted / (kills + 1);
        while (atomic_load(&shared->commits) < goal && atomic_load(&shared->wrong) == 0)
            (void)usleep(500);
        if (k == kills)
            break;
        unsigned victim = (unsigned)kit_below(&random, WORKERS);
        /* Now and then all at once, so that the next one recovers. */
        bool all = kit_below(&random, 4) == 0;
        for (unsigned i = 0; i < WORKERS; i++) {
            if (i != victim && !all)
                continue;
            (void)kill(pids[i], SIGKILL);
            (void)waitpid(pids[i], NULL, 0);
        }
        for (unsigned i = 0; i < WORKERS; i++) {
            if (i == victim || all)
                pids[i] = start(kit.path, i, k * 100 + i + 1000);
        }
    }
    atomic_store(&shared->stop, 1);
    for (unsigned i = 0; i < WORKERS; i++) {
        int status = 0;
        (void)waitpid(pids[i], &status, 0);
        cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "worker %u, line %d", i,
                  atomic_load(&shared->wrong));
    }
    cr_assert_eq(atomic_load(&shared->wrong), 0);
    kit_open(&kit);
    session = kit_session(&kit);
    struct graft_store_snapshot snapshot;
    expect_ok(graft_store_begin(session, &snapshot, &kit.err), &kit.err);
    check_sum(session);
    for (unsigned i = 0; i < WORKERS - READERS; i++)
        cr_assert_geq(balance_of(session, ACCOUNTS + 1 + i), atomic_load(&shared->acknowledged[i]));
    graft_store_session_close(session);
    cr_assert_gt(atomic_load(&shared->snapshots), 0);
    kit_deinit(&kit);
}

static void share(void)
{
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert(shared != MAP_FAILED);
}

Test(processes, several_read_and_write_at_once, .init = share)
{
    run_bank(0, 3000);
}

Test(processes, some_are_killed_at_any_moment, .init = share)
{
    run_bank(40, 6000);
}

struct thread {
    pthread_t id;
    struct graft_store *store;
    unsigned worker;
};

static void *run_thread(void *arg)
{
    struct thread *thread = arg;
    struct kit_random random = {thread->worker + 1};
    struct graft_err err = {0};
    struct graft_store_session *session = NULL;
    MUST(graft_store_session_open(thread->store, &session, &err) == GRAFT_OK);
    while (atomic_load(&shared->stop) == 0) {
        if (thread->worker >= WORKERS - READERS)
            read_once(session, &random);
        else
            write_once(thread->store, session, thread->worker, &random);
    }
    graft_store_session_close(session);
    return NULL;
}

Test(processes, threads_share_a_store, .init = share)
{
    struct kit kit;
    struct thread threads[WORKERS];
    kit_init(&kit, NULL);
    kit.store->half_bytes = 65536;
    struct graft_store_session *session = kit_session(&kit);
    expect_ok(graft_store_write_begin(session, &kit.err), &kit.err);
    for (uint32_t page = 1; page <= ACCOUNTS + WORKERS; page++)
        set_balance(session, page, page <= ACCOUNTS ? BALANCE : 0);
    kit_finish(&kit, session, true);
    graft_store_session_close(session);
    for (unsigned i = 0; i < WORKERS; i++) {
        threads[i] = (struct thread){.store = kit.store, .worker = i};
        cr_assert_eq(pthread_create(&threads[i].id, NULL, run_thread, &threads[i]), 0);
    }
    while (atomic_load(&shared->commits) < 2000)
        (void)usleep(500);
    atomic_store(&shared->stop, 1);
    for (unsigned i = 0; i < WORKERS; i++)
        (void)pthread_join(threads[i].id, NULL);
    cr_assert_gt(graft_store_counts(kit.store)->folds, 1);
    kit_deinit(&kit);
}
