/* The kill test: a process that writes is killed with SIGKILL, again and again, at moments of its
 * time and at chosen calls of its disk, in the load, in COMMIT, and in the recovery from the kill
 * before. After each kill the next process opens the database and says what it holds; that must be
 * what a plain SQLite database in memory holds after the same transactions: every acknowledged one,
 * and of the one in flight all or nothing.
 *
 *   test_crash [--kills N] [--seed S] [--full] [--dir DIR] [--keep]
 *
 * --full (or GRAFT_TESTS_LONG in the environment) is 500 kills, and fails when fewer than 50 of
 * them fell inside a COMMIT or fewer than 20 inside a recovery (a tenth and a twenty-fifth of
 * another number). A kill at a call repeats with its seed; one at a moment of time only about. */
#include <ftw.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "load.h"
#include "worker.h"

#define KILLS_SHORT 60U
#define KILLS_FULL 500U
#define KILLS_PER_DATABASE 20U
#define WORKERS_PER_KILL_MAX 4U /* workers that come to their end unkilled are not counted */

static const char *const phase_names[PHASES] = {
    "before the open", "open",   "recovery", "check",  "idle", "transaction",
    "autocommit",      "commit", "rollback", "vacuum", "push", "close",
};

struct options {
    uint64_t seed;
    uint64_t kills;
    const char *directory;
    bool keep;
};

struct test {
    struct options options;
    struct load_random random;
    struct shared *shared;
    struct database database;
    sqlite3 *oracle;
    uint64_t oracle_number; /* transactions that the oracle applied */
    bool has_report;        /* a worker has said what the database holds, once */
    uint64_t by_phase[PHASES];
    uint64_t kills, recovery_checks;
    uint64_t passed, failed;
};

static _Noreturn void give_up(const char *what)
{
    perror(what);
    exit(1);
}

static void report_failure(struct test *test, const char *format, ...) GRAFT_PRINTF(2, 3);

static void report_failure(struct test *test, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)printf("FAILED at kill %" PRIu64 " (last phase: %s): ", test->kills,
                 phase_names[test->shared->phase]);
    (void)vprintf(format, args);
    (void)printf(
        "\n  database %s, page size %u, synchronous %s\n  repeat: test_crash --seed %" PRIu64
        " --kills %" PRIu64 "\n",
        test->database.directory, test->database.page_bytes,
        test->database.full ? "FULL" : "NORMAL", test->options.seed, test->options.kills);
    va_end(args);
    test->failed++;
    test->options.keep = true;
}

/* ---- The oracle ---- */

static void oracle_begin(struct test *test)
{
    char sql[64];
    (void)snprintf(sql, sizeof sql, "PRAGMA page_size=%u", test->database.page_bytes);
    if (sqlite3_open(":memory:", &test->oracle) != SQLITE_OK ||
        sqlite3_exec(test->oracle, sql, NULL, NULL, NULL) != SQLITE_OK ||
        load_create(test->oracle) != SQLITE_OK)
        give_up("oracle");
    test->oracle_number = 0;
}

static uint64_t oracle_digest_at(struct test *test, uint64_t number)
{
    uint64_t digest = 0;
    while (test->oracle_number < number) {
        test->oracle_number++;
        if (load_apply(test->oracle, test->database.seed, test->oracle_number, NULL) != SQLITE_OK)
            give_up(sqlite3_errmsg(test->oracle));
    }
    if (load_digest(test->oracle, &digest) != SQLITE_OK)
        give_up(sqlite3_errmsg(test->oracle));
    return digest;
}

/* Judges what a worker found after opening. `acknowledged` and `attempted` are as the worker before
 * it left them. */
static void judge(struct test *test, uint64_t acknowledged, uint64_t attempted, bool was_dirty)
{
    const struct shared *shared = test->shared;
    if (was_dirty && shared->recoveries != UINT64_MAX) {
        test->recovery_checks++;
        if (shared->recoveries == 0) {
            report_failure(test, "the open after a kill counted no recovery");
            return;
        }
    }
    if (shared->newest < acknowledged) {
        report_failure(test, "transaction %" PRIu64 " was acknowledged, the newest is %" PRIu64,
                       acknowledged, shared->newest);
        return;
    }
    if (shared->newest > attempted) {
        report_failure(test, "transaction %" PRIu64 " is there, %" PRIu64 " was the last attempted",
                       shared->newest, attempted);
        return;
    }
    if (oracle_digest_at(test, shared->newest) != shared->digest) {
        report_failure(test, "the content is not that of the first %" PRIu64 " transactions",
                       shared->newest);
        return;
    }
    test->passed++;
}

/* ---- Plans ---- */

static struct plan plan_next(struct test *test)
{
    struct load_random *random = &test->random;
    struct plan plan = {
        .manner = (enum kill_manner)load_random_below(random, 3),
        .torn_share = (unsigned)load_random_below(random, 1000),
        .words = load_random_below(random, 2) == 0,
    };
    uint64_t kind = load_random_below(random, 100);
    uint64_t calls = plan.words ? test->shared->open_stores : test->shared->open_calls;
    if (kind < 20) {
        plan.place = KILL_IN_OPEN;
        plan.nth = 1 + load_random_below(random, calls > 0 ? calls : 40);
    } else if (kind < 25) {
        plan.place = KILL_AT_TIME;
        plan.in_open_by_time = true;
        plan.delay_us = load_random_skewed(random, 10000);
    } else if (kind < 50) {
        uint64_t seen = test->shared->commit_calls;
        plan.place = KILL_IN_COMMIT;
        plan.transactions = 1 + load_random_below(random, 40);
        plan.nth = 1 + load_random_below(random, seen > 3 ? seen : 3);
    } else if (kind < 70) {
        plan.place = KILL_IN_LOAD;
        plan.nth = load_random_skewed(random, 1500);
    } else {
        plan.place = KILL_AT_TIME;
        plan.delay_us = load_random_skewed(random, 60000);
    }
    return plan;
}

/* ---- Running a worker ---- */

static void wait_us(uint64_t us)
{
    struct timespec time = {.tv_sec = (time_t)(us / 1000000),
                            .tv_nsec = (long)(us % 1000000) * 1000};
    while (nanosleep(&time, &time) != 0)
        continue;
}

/* Runs one worker to its death and returns how it died. */
static int run_worker(struct test *test, const struct plan *plan)
{
    int ends[2];
    if (pipe(ends) != 0)
        give_up("pipe");
    (void)fflush(stdout);
    pid_t child = fork();
    if (child < 0)
        give_up("fork");
    if (child == 0) {
        (void)close(ends[0]);
        worker_run(&test->database, plan, test->shared, ends[1]);
    }
    (void)close(ends[1]);
    /* The first mark comes before the open, the second before the load. */
    char mark = '\0';
    bool alive = read(ends[0], &mark, 1) == 1;
    if (alive && !plan->in_open_by_time)
        alive = read(ends[0], &mark, 1) == 1;
    if (alive && plan->place == KILL_AT_TIME) {
        wait_us(plan->delay_us);
        (void)kill(child, SIGKILL);
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child)
        give_up("waitpid");
    (void)close(ends[0]);
    return status;
}

/* One worker, and what it says. Returns false when the database is of no use any more. */
static bool step(struct test *test, const struct plan *plan)
{
    struct shared *shared = test->shared;
    uint64_t acknowledged = shared->acknowledged;
    uint64_t attempted = shared->attempted;
    bool was_dirty = test->database.dirty;
    uint64_t failed = test->failed;
    shared->checked = 0;
    shared->disk_calls = 0;
    shared->finished = 0;
    shared->phase = PHASE_START;
    shared->error[0] = '\0';
    int status = run_worker(test, plan);
    bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    if (shared->checked != 0)
        judge(test, acknowledged, attempted, was_dirty);
    if (killed) {
        /* Before its first change an open is no recovery yet. */
        if (shared->phase == PHASE_RECOVERY && shared->disk_calls == 0)
            shared->phase = PHASE_OPEN;
        /* One that came before the open is no moment of the load. */
        test->kills += shared->phase != PHASE_START;
        test->by_phase[shared->phase]++;
        if (shared->phase > PHASE_RECOVERY)
            test->database.dirty = true;
    } else if (shared->finished != 0) {
        test->database.dirty = false;
    } else if (shared->error[0] != '\0') {
        report_failure(test, "%s", shared->error);
    } else {
        report_failure(test, "the worker ended with status %d", status);
    }
    return test->failed == failed;
}

static void begin_database(struct test *test, const char *top, unsigned index)
{
    static const unsigned page_sizes[] = {4096, 512, 1024, 65536, 8192, 2048, 16384, 32768};
    struct database *database = &test->database;
    *database = (struct database){
        .seed = load_random_next(&test->random),
        .page_bytes = page_sizes[index % (sizeof page_sizes / sizeof page_sizes[0])],
        .full = index % 2 == 0,
    };
    (void)snprintf(database->directory, sizeof database->directory, "%s/%u.graft", top, index);
    (void)snprintf(database->replica, sizeof database->replica, "%s/%u-replica.graft", top, index);
    if (index % 3 == 1)
        (void)snprintf(database->remote, sizeof database->remote, "file://%s/remote/%u", top,
                       index);
    memset(test->shared, 0, sizeof *test->shared);
    oracle_begin(test);
}

/* The life of one database: kills, and an end in order. */
static void run_database(struct test *test, const char *top, unsigned index)
{
    begin_database(test, top, index);
    uint64_t until = test->kills + KILLS_PER_DATABASE;
    if (until > test->options.kills)
        until = test->options.kills;
    uint64_t workers_left = (until - test->kills) * WORKERS_PER_KILL_MAX;
    bool usable = true;
    while (usable && test->kills < until && workers_left-- > 0) {
        struct plan plan = plan_next(test);
        usable = step(test, &plan);
    }
    /* A worker that writes and closes in order, and one that looks at what it left. */
    struct plan last[] = {{.place = KILL_NOT, .transactions = 50}, {.place = KILL_NOT}};
    for (size_t i = 0; usable && i < sizeof last / sizeof last[0]; i++)
        usable = step(test, &last[i]);
    (void)printf("database %u: page size %u, synchronous %s%s, %" PRIu64 " transactions, %" PRIu64
                 " kills in all\n",
                 index, test->database.page_bytes, test->database.full ? "FULL" : "NORMAL",
                 test->database.remote[0] != '\0' ? ", pushes" : "", test->shared->acknowledged,
                 test->kills);
    (void)sqlite3_close(test->oracle);
}

/* ---- The whole ---- */

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *ftw)
{
    (void)status, (void)kind, (void)ftw;
    return remove(path);
}

static void require_kills(struct test *test, enum phase phase, uint64_t least)
{
    if (test->by_phase[phase] >= least) {
        test->passed++;
        return;
    }
    (void)printf("FAILED: %" PRIu64 " kills inside %s, %" PRIu64 " are wanted\n",
                 test->by_phase[phase], phase_names[phase], least);
    test->failed++;
}

static void print_summary(struct test *test)
{
    (void)printf("%" PRIu64 " kills:", test->kills);
    for (int i = PHASE_OPEN; i < PHASES; i++) {
        if (test->by_phase[i] > 0)
            (void)printf(" %" PRIu64 " in %s,", test->by_phase[i], phase_names[i]);
    }
    (void)printf(" %" PRIu64 " recoveries counted\n", test->recovery_checks);
}

static struct options parse(int argc, char **argv)
{
    const char *temporary = getenv("TMPDIR");
    struct options options = {
        .seed = (uint64_t)time(NULL) * 1000003U + (uint64_t)getpid(),
        .kills = getenv("GRAFT_TESTS_LONG") != NULL ? KILLS_FULL : KILLS_SHORT,
        .directory = temporary != NULL ? temporary : "/tmp",
    };
    for (int i = 1; i < argc; i++) {
        bool has_value = i + 1 < argc;
        if (strcmp(argv[i], "--full") == 0)
            options.kills = KILLS_FULL;
        else if (strcmp(argv[i], "--keep") == 0)
            options.keep = true;
        else if (strcmp(argv[i], "--kills") == 0 && has_value)
            options.kills = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0 && has_value)
            options.seed = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--dir") == 0 && has_value)
            options.directory = argv[++i];
        else {
            (void)fprintf(stderr, "usage: test_crash [--kills N] [--seed S] [--full] [--dir DIR] "
                                  "[--keep]\n");
            exit(2);
        }
    }
    return options;
}

int main(int argc, char **argv)
{
    struct test test = {.options = parse(argc, argv)};
    test.random.state = test.options.seed;
    (void)printf("test_crash --seed %" PRIu64 " --kills %" PRIu64 "\n", test.options.seed,
                 test.options.kills);
    char top[256];
    (void)snprintf(top, sizeof top, "%s/graft-crash-XXXXXX", test.options.directory);
    if (mkdtemp(top) == NULL)
        give_up(top);
    test.shared =
        mmap(NULL, sizeof *test.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (test.shared == MAP_FAILED)
        give_up("mmap");
    for (unsigned i = 0; test.kills < test.options.kills && test.failed < 5; i++)
        run_database(&test, top, i);
    print_summary(&test);
    require_kills(&test, PHASE_COMMIT, test.options.kills / 10);
    require_kills(&test, PHASE_RECOVERY, test.options.kills / 25);
    if (test.options.keep)
        (void)printf("files are kept in %s\n", top);
    else
        (void)nftw(top, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    (void)printf("%" PRIu64 " passed, %" PRIu64 " failed\n", test.passed, test.failed);
    return test.failed == 0 ? 0 : 1;
}
