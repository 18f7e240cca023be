/* A bank whose tellers are killed: 4 processes that move money between accounts and 4 that read, on
 * one database, each killed at any moment and started again. Every reader sees no money made or
 * lost, and every transfer that was acknowledged, in every snapshot; who comes back finds what it
 * had been told is there; at the end the database is whole.
 *
 *   test_bank [--full] [--seconds N] [--seed S]      8 seconds; --full (or GRAFT_TESTS_LONG) 60 */
#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "graft/graft.h"
#include "host/host.h"
#include "load.h"
#include "vfs/vfs.h"

#define WRITERS 4U
#define READERS 4U
#define WORKERS (WRITERS + READERS)
#define ACCOUNTS 50U
#define BALANCE 1000
#define SECONDS 8U
#define SECONDS_FULL 60U
#define STUCK_S 60 /* whoever has not stopped by then hangs */

struct teller {
    _Atomic uint64_t acknowledged; /* transfers whose COMMIT returned */
    _Atomic uint64_t attempted;
    _Atomic uint64_t looks;
    char error[512];
};

struct bank {
    _Atomic int stop;
    struct teller tellers[WORKERS];
};

static struct bank *bank;
static char directory[512];

__attribute__((format(printf, 2, 3))) static _Noreturn void fail(unsigned worker,
                                                                 const char *format, ...)
{
    va_list list;
    va_start(list, format);
    (void)vsnprintf(bank->tellers[worker].error, sizeof bank->tellers[worker].error, format, list);
    va_end(list);
    _exit(1);
}

static sqlite3 *open_database(unsigned worker)
{
    char path[600];
    sqlite3 *db = NULL;
    (void)snprintf(path, sizeof path, "%s/bank.graft", directory);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "graft") !=
            SQLITE_OK ||
        sqlite3_busy_timeout(db, 30000) != SQLITE_OK)
        fail(worker, "open: %s", sqlite3_errmsg(db));
    return db;
}

static void run_sql(unsigned worker, sqlite3 *db, const char *sql)
{
    char *text = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &text) != SQLITE_OK)
        fail(worker, "%s: %s", sql, text);
}

static int64_t number_of(unsigned worker, sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW)
        fail(worker, "%s: %s", sql, sqlite3_errmsg(db));
    int64_t value = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    return value;
}

static uint64_t done_by(unsigned worker, sqlite3 *db, unsigned writer)
{
    char sql[80];
    (void)snprintf(sql, sizeof sql, "SELECT seq FROM done WHERE worker=%u", writer);
    return (uint64_t)number_of(worker, db, sql);
}

static void start_vfs(unsigned worker)
{
    struct graft_err err = {0};
    struct graft_host *host = NULL;
    struct graft_process *process = NULL;
    struct graft_vfs *vfs = NULL;
    if (graft_host_new(NULL, &host, &err) != GRAFT_OK ||
        graft_process_new(graft_host_env(host), &process, &err) != GRAFT_OK ||
        graft_vfs_register(process, graft_host_env(host), "graft", NULL, &vfs, &err) != GRAFT_OK)
        fail(worker, "start: %s", err.text);
}

static void transfer(unsigned worker, sqlite3 *db, struct load_random *random, uint64_t number)
{
    char sql[400];
    unsigned from = (unsigned)load_random_below(random, ACCOUNTS);
    unsigned to = (unsigned)load_random_below(random, ACCOUNTS);
    unsigned amount = (unsigned)load_random_below(random, 100);
    (void)snprintf(sql, sizeof sql,
                   "BEGIN IMMEDIATE; UPDATE account SET balance=balance-%u WHERE id=%u;"
                   "UPDATE account SET balance=balance+%u WHERE id=%u;"
                   "UPDATE done SET seq=%" PRIu64 " WHERE worker=%u;"
                   "INSERT INTO slip(worker, seq, body) VALUES(%u, %" PRIu64 ", randomblob(%u))",
                   amount, from, amount, to, number, worker, worker, number, amount * 20);
    run_sql(worker, db, sql);
    if (number % 40 == 0)
        run_sql(worker, db, "DELETE FROM slip WHERE id < (SELECT max(id) FROM slip) - 400");
    bank->tellers[worker].attempted = number;
    run_sql(worker, db, number % 7 == 0 ? "ROLLBACK" : "COMMIT");
}

static _Noreturn void write_on(unsigned worker, struct load_random *random)
{
    struct teller *self = &bank->tellers[worker];
    sqlite3 *db = open_database(worker);
    run_sql(worker, db, worker % 2 == 0 ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
    uint64_t found = done_by(worker, db, worker);
    if (found < self->acknowledged || found > self->attempted)
        fail(worker, "transfer %" PRIu64 " was acknowledged, and %" PRIu64 " is there",
             self->acknowledged, found);
    uint64_t number = self->attempted;
    while (!bank->stop) {
        number++;
        transfer(worker, db, random, number);
        if (number % 7 != 0)
            self->acknowledged = number;
    }
    if (sqlite3_close(db) != SQLITE_OK)
        fail(worker, "close: %s", sqlite3_errmsg(db));
    _exit(0);
}

static void look(unsigned worker, sqlite3 *db)
{
    uint64_t least[WRITERS];
    for (unsigned i = 0; i < WRITERS; i++)
        least[i] = bank->tellers[i].acknowledged;
    run_sql(worker, db, "BEGIN");
    int64_t sum = number_of(worker, db, "SELECT sum(balance) FROM account");
    if (sum != (int64_t)ACCOUNTS * BALANCE)
        fail(worker, "all accounts together have %" PRId64, sum);
    for (unsigned i = 0; i < WRITERS; i++) {
        uint64_t seen = done_by(worker, db, i);
        if (seen < least[i])
            fail(worker, "transfer %" PRIu64 " of %u was acknowledged, %" PRIu64 " is seen",
                 least[i], i, seen);
    }
    if (number_of(worker, db, "SELECT sum(balance) FROM account") != sum)
        fail(worker, "a snapshot moved");
    if (number_of(worker, db,
                  "SELECT count(*) FROM slip s WHERE seq > "
                  "(SELECT seq FROM done d WHERE d.worker = s.worker)") != 0)
        fail(worker, "a slip of a transfer that is not there");
    run_sql(worker, db, "COMMIT");
    bank->tellers[worker].looks++;
}

static _Noreturn void read_on(unsigned worker)
{
    sqlite3 *db = open_database(worker);
    run_sql(worker, db, "PRAGMA cache_size=20");
    while (!bank->stop)
        look(worker, db);
    if (sqlite3_close(db) != SQLITE_OK)
        fail(worker, "close: %s", sqlite3_errmsg(db));
    _exit(0);
}

static pid_t start(unsigned worker, uint64_t seed)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    struct load_random random = {seed};
    start_vfs(worker);
    if (worker < WRITERS)
        write_on(worker, &random);
    read_on(worker);
}

/* In a process of its own, as SQLite does not like to be forked while it is in use. */
static bool alone(void (*work)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        start_vfs(0);
        work();
        _exit(0);
    }
    int status = 0;
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void found_bank(void)
{
    sqlite3 *db = open_database(0);
    run_sql(0, db,
            "BEGIN; CREATE TABLE account(id INTEGER PRIMARY KEY, balance INTEGER);"
            "CREATE TABLE done(worker INTEGER PRIMARY KEY, seq INTEGER);"
            "CREATE TABLE slip(id INTEGER PRIMARY KEY, worker INTEGER, seq INTEGER, body BLOB);"
            "CREATE INDEX slip_seq ON slip(worker, seq)");
    for (unsigned i = 0; i < ACCOUNTS; i++) {
        char sql[80];
        (void)snprintf(sql, sizeof sql, "INSERT INTO account VALUES(%u, %d)", i, BALANCE);
        run_sql(0, db, sql);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        char sql[80];
        (void)snprintf(sql, sizeof sql, "INSERT INTO done VALUES(%u, 0)", i);
        run_sql(0, db, sql);
    }
    run_sql(0, db, "COMMIT");
    if (sqlite3_close(db) != SQLITE_OK)
        fail(0, "close: %s", sqlite3_errmsg(db));
}

static void audit(void)
{
    sqlite3 *db = open_database(0);
    look(0, db);
    if (number_of(0, db,
                  "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check='ok'") != 1)
        fail(0, "integrity_check is not ok");
    if (sqlite3_close(db) != SQLITE_OK)
        fail(0, "close: %s", sqlite3_errmsg(db));
}

static uint64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* A worker that ended by itself before it was told to has failed. */
static bool reap(pid_t *pids, struct load_random *random, bool *failed)
{
    int status = 0;
    pid_t pid = waitpid(-1, &status, WNOHANG);
    for (unsigned i = 0; i < WORKERS && pid > 0; i++) {
        if (pids[i] != pid)
            continue;
        *failed |= WIFEXITED(status) && (WEXITSTATUS(status) != 0 || !bank->stop);
        pids[i] = bank->stop ? 0 : start(i, load_random_next(random));
    }
    return pid > 0;
}

static unsigned kill_for(pid_t *pids, unsigned seconds, struct load_random *random, bool *failed)
{
    unsigned kills = 0;
    uint64_t end_ms = now_ms() + seconds * 1000U;
    for (uint64_t next_ms = 0; now_ms() < end_ms && !*failed;) {
        while (reap(pids, random, failed)) {
        }
        if (now_ms() >= next_ms) {
            (void)kill(pids[load_random_below(random, WORKERS)], SIGKILL);
            kills++;
            next_ms = now_ms() + load_random_below(random, 60);
        }
        (void)usleep(500);
    }
    return kills;
}

static bool stop_all(pid_t *pids, struct load_random *random, bool *failed)
{
    bank->stop = 1;
    uint64_t end_ms = now_ms() + STUCK_S * 1000U;
    for (;;) {
        while (reap(pids, random, failed)) {
        }
        unsigned left = 0;
        for (unsigned i = 0; i < WORKERS; i++)
            left += pids[i] != 0;
        if (left == 0)
            return true;
        if (now_ms() > end_ms)
            break;
        (void)usleep(1000);
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        if (pids[i] != 0)
            (void)kill(pids[i], SIGKILL);
    }
    return false;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

static unsigned passed, failures;

static void expect(bool condition, const char *what)
{
    condition ? passed++ : failures++;
    if (!condition)
        (void)printf("FAILED: %s\n", what);
}

int main(int argc, char **argv)
{
    unsigned seconds = getenv("GRAFT_TESTS_LONG") != NULL ? SECONDS_FULL : SECONDS;
    uint64_t seed = (uint64_t)time(NULL) * 1000003U + (uint64_t)getpid();
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--full") == 0)
            seconds = SECONDS_FULL;
        else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc)
            seconds = (unsigned)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 10);
    }
    (void)printf("test_bank --seconds %u --seed %" PRIu64 "\n", seconds, seed);
    const char *temporary = getenv("TMPDIR");
    (void)snprintf(directory, sizeof directory, "%s/graft-bank-XXXXXX",
                   temporary != NULL ? temporary : "/tmp");
    bank = mmap(NULL, sizeof *bank, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (mkdtemp(directory) == NULL || bank == MAP_FAILED)
        return 2;
    struct load_random random = {seed};
    pid_t pids[WORKERS];
    bool failed = !alone(found_bank);
    for (unsigned i = 0; i < WORKERS; i++)
        pids[i] = start(i, load_random_next(&random));
    unsigned kills = kill_for(pids, seconds, &random, &failed);
    expect(stop_all(pids, &random, &failed), "somebody hangs");
    expect(!failed, "somebody saw what must not be");
    expect(alone(audit), "the database is not whole at the end");
    uint64_t transfers = 0, looks = 0;
    for (unsigned i = 0; i < WORKERS; i++) {
        transfers += bank->tellers[i].acknowledged;
        looks += bank->tellers[i].looks;
        if (bank->tellers[i].error[0] != '\0')
            (void)printf("worker %u: %s\n", i, bank->tellers[i].error);
    }
    expect(kills >= seconds * 5 && transfers > 100 && looks > 100, "too little happened");
    (void)printf("%u kills, about %" PRIu64 " transfers, %" PRIu64 " looks\n", kills, transfers,
                 looks);
    (void)nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    (void)printf("%u passed, %u failed\n", passed, failures);
    return failures == 0 ? 0 : 1;
}
