/* Opens the database, says what is in it, and writes until it is killed. Whatever goes wrong is put
 * into the shared memory for the watcher; a worker that is killed puts nothing there. */
#include "worker.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "graft/graft.h"
#include "host/host.h"
#include "load.h"
#include "vfs/vfs.h"

#define TRANSACTIONS_MAX 400U /* a worker that no call has killed by then kills itself */

struct worker {
    const struct database *database;
    const struct plan *plan;
    struct shared *shared;
    struct graft_env *env;
    sqlite3 *db;
    sqlite3 *reader;   /* holds a snapshot now and then, so that folding has one to spare */
    uint64_t snapshot; /* newest transaction that the reader sees */
    bool reading;
    struct load_random random;
    uint64_t commits; /* COMMITs of this worker */
    uint64_t commit_start_calls;
};

static _Noreturn void fail(struct worker *worker, const char *what, const char *text)
{
    (void)snprintf(worker->shared->error, sizeof worker->shared->error, "%s: %s", what, text);
    _exit(1);
}

static void must(struct worker *worker, int rc, const char *what)
{
    if (rc != SQLITE_OK)
        fail(worker, what, worker->db != NULL ? sqlite3_errmsg(worker->db) : sqlite3_errstr(rc));
}

static void set_phase(struct worker *worker, enum phase phase)
{
    worker->shared->phase = (int)phase;
}

static int open_connection(const struct worker *worker, const char *directory, sqlite3 **out)
{
    char uri[1280];
    const struct database *database = worker->database;
    (void)snprintf(uri, sizeof uri, "file:%s?vfs=graft&page_size=%u%s%s", directory,
                   database->page_bytes, database->remote[0] != '\0' ? "&remote=" : "",
                   database->remote);
    return sqlite3_open_v2(uri, out, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI,
                           NULL);
}

static void open_at(struct worker *worker, const char *directory)
{
    must(worker, open_connection(worker, directory, &worker->db), "open");
    must(worker, sqlite3_exec(worker->db, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL),
         "first read");
    must(worker,
         sqlite3_exec(worker->db,
                      worker->database->full ? "PRAGMA synchronous=FULL; PRAGMA cache_size=100"
                                             : "PRAGMA synchronous=NORMAL; PRAGMA cache_size=100",
                      NULL, NULL, NULL),
         "settings");
}

static int copy_text(void *arg, int count, char **values, char **names)
{
    (void)names;
    if (count > 0 && values[0] != NULL)
        (void)snprintf(arg, 256, "%s", values[0]);
    return 0;
}

static void check_integrity(struct worker *worker)
{
    char text[256] = "";
    set_phase(worker, PHASE_CHECK);
    must(worker, sqlite3_exec(worker->db, "PRAGMA integrity_check", copy_text, text, NULL),
         "integrity_check");
    if (strcmp(text, "ok") != 0)
        fail(worker, "integrity_check", text);
}

static uint64_t count_recoveries(struct worker *worker)
{
    char text[256] = "";
    must(worker,
         sqlite3_exec(worker->db, "SELECT value FROM graft_stats WHERE name = 'recoveries'",
                      copy_text, text, NULL),
         "graft_stats");
    return text[0] == '\0' ? UINT64_MAX : strtoull(text, NULL, 10);
}

/* What the database holds, for the watcher to judge. */
static void check(struct worker *worker)
{
    struct shared *shared = worker->shared;
    check_integrity(worker);
    bool exists = false;
    uint64_t newest = 0;
    must(worker, load_newest(worker->db, &exists, &newest), "newest transaction");
    if (!exists) {
        if (shared->acknowledged > 0)
            fail(worker, "check", "the database is empty, and had transactions");
        set_phase(worker, PHASE_TRANSACTION);
        must(worker, load_create(worker->db), "schema");
        set_phase(worker, PHASE_CHECK);
    }
    must(worker, load_digest(worker->db, &shared->digest), "digest");
    shared->newest = newest;
    shared->recoveries = count_recoveries(worker);
    shared->checked = 1;
}

static void on_transaction(void *arg)
{
    set_phase(arg, PHASE_TRANSACTION);
}

static void on_autocommit(void *arg)
{
    set_phase(arg, PHASE_AUTOCOMMIT);
}

static void on_commit(void *arg)
{
    struct worker *worker = arg;
    const struct plan *plan = worker->plan;
    worker->commits++;
    if (plan->place == KILL_IN_COMMIT && worker->commits >= plan->transactions)
        kill_arm(plan->nth, plan->manner, plan->words, plan->torn_share);
    worker->commit_start_calls = kill_calls(plan->words);
    set_phase(worker, PHASE_COMMIT);
}

static void on_committed(void *arg)
{
    struct worker *worker = arg;
    worker->shared->acknowledged = worker->shared->attempted;
    if (worker->shared->phase == PHASE_COMMIT) {
        worker->shared->commit_calls = kill_calls(worker->plan->words) - worker->commit_start_calls;
        /* Past the last call of this one: the next COMMIT is tried. */
        if (worker->plan->place == KILL_IN_COMMIT)
            kill_disarm();
    }
    set_phase(worker, PHASE_IDLE);
}

/* Begins a snapshot, or ends it after a look at whether it still is what it was. */
static void read_besides(struct worker *worker)
{
    uint64_t newest = 0;
    bool exists = false;
    if (worker->reader == NULL)
        must(worker, open_connection(worker, worker->database->directory, &worker->reader),
             "reader");
    if (!worker->reading)
        must(worker, sqlite3_exec(worker->reader, "BEGIN", NULL, NULL, NULL), "reader");
    if (load_newest(worker->reader, &exists, &newest) != SQLITE_OK || !exists)
        fail(worker, "reader", sqlite3_errmsg(worker->reader));
    if (worker->reading && newest != worker->snapshot)
        fail(worker, "reader", "a snapshot changed while it was held");
    if (worker->reading)
        must(worker, sqlite3_exec(worker->reader, "COMMIT", NULL, NULL, NULL), "reader");
    worker->snapshot = newest;
    worker->reading = !worker->reading;
}

/* What the load does besides its transactions; none of it changes what is in the database. */
static void do_besides(struct worker *worker)
{
    uint64_t number = worker->shared->attempted;
    uint64_t what = load_random_below(&worker->random, 200);
    if (what < 6) {
        set_phase(worker, PHASE_ROLLBACK);
        must(worker, load_roll_back(worker->db, worker->database->seed, number), "rollback");
    } else if (what == 6) {
        set_phase(worker, PHASE_VACUUM);
        must(worker, sqlite3_exec(worker->db, "VACUUM", NULL, NULL, NULL), "vacuum");
    } else if (what < 24 && worker->database->remote[0] != '\0') {
        set_phase(worker, PHASE_PUSH);
        must(worker, sqlite3_exec(worker->db, "PRAGMA graft_push", NULL, NULL, NULL), "push");
    } else if (what < 34) {
        read_besides(worker);
    }
    set_phase(worker, PHASE_IDLE);
}

static void load(struct worker *worker, uint64_t transactions)
{
    struct load_hooks hooks = {
        .in_transaction = on_transaction,
        .in_autocommit = on_autocommit,
        .before_commit = on_commit,
        .after_commit = on_committed,
        .arg = worker,
    };
    uint64_t number = worker->shared->newest;
    worker->shared->acknowledged = number;
    worker->shared->attempted = number;
    set_phase(worker, PHASE_IDLE);
    for (uint64_t i = 0; i < transactions; i++) {
        do_besides(worker);
        number++;
        worker->shared->attempted = number;
        must(worker, load_apply(worker->db, worker->database->seed, number, &hooks), "transaction");
    }
}

static void close_database(struct worker *worker)
{
    set_phase(worker, PHASE_CLOSE);
    must(worker, sqlite3_close(worker->reader), "close");
    must(worker, sqlite3_close(worker->db), "close");
    worker->reader = NULL;
    worker->reading = false;
    worker->db = NULL;
}

/* A replica that has nothing must come to hold what was pushed. */
static void compare_replica(struct worker *worker)
{
    set_phase(worker, PHASE_PUSH);
    must(worker, sqlite3_exec(worker->db, "PRAGMA graft_push", NULL, NULL, NULL), "last push");
    close_database(worker);
    uint64_t digest = 0;
    open_at(worker, worker->database->replica);
    must(worker, load_digest(worker->db, &digest), "digest of the replica");
    if (digest != worker->shared->digest)
        fail(worker, "replica", "does not hold what was pushed");
}

/* A worker that nothing kills: closing and opening in order must do too. */
static void end_in_order(struct worker *worker)
{
    if (worker->plan->transactions == 0 && worker->database->remote[0] != '\0') {
        compare_replica(worker);
    } else {
        uint64_t before = 0;
        uint64_t after = 0;
        load(worker, worker->plan->transactions);
        must(worker, load_digest(worker->db, &before), "digest");
        close_database(worker);
        open_at(worker, worker->database->directory);
        check_integrity(worker);
        must(worker, load_digest(worker->db, &after), "digest");
        if (before != after)
            fail(worker, "close", "what was written is not there after closing and opening");
    }
    close_database(worker);
}

static void mark(struct worker *worker, int pipe_fd)
{
    if (write(pipe_fd, "m", 1) != 1)
        fail(worker, "pipe", "not writable");
}

static void start(struct worker *worker)
{
    struct graft_err err = {.rc = GRAFT_OK};
    struct graft_host *host = NULL;
    struct graft_process *process = NULL;
    if (graft_host_new(NULL, &host, &err) != GRAFT_OK)
        fail(worker, "host", err.text);
    worker->env = graft_host_env(host);
    if (graft_process_new(worker->env, &process, &err) != GRAFT_OK)
        fail(worker, "process", err.text);
    struct graft_vfs *vfs = NULL;
    if (graft_vfs_register(process, worker->env, "graft", NULL, &vfs, &err) != GRAFT_OK)
        fail(worker, "vfs", err.text);
    kill_install(worker->env, &worker->shared->disk_calls);
}

/* Opening, which recovers what the last kill left, and may be killed in it. */
static void open_database(struct worker *worker)
{
    const struct plan *plan = worker->plan;
    if (plan->place == KILL_IN_OPEN)
        kill_arm(plan->nth, plan->manner, plan->words, plan->torn_share);
    set_phase(worker, worker->database->dirty ? PHASE_RECOVERY : PHASE_OPEN);
    open_at(worker, worker->database->directory);
    kill_disarm();
    if (worker->database->dirty) {
        worker->shared->open_calls = kill_calls(false);
        worker->shared->open_stores = kill_calls(true);
    }
}

_Noreturn void worker_run(const struct database *database, const struct plan *plan,
                          struct shared *shared, int pipe_fd)
{
    struct worker worker = {
        .database = database,
        .plan = plan,
        .shared = shared,
        .random = {.state = database->seed ^ plan->nth ^ plan->delay_us << 20},
    };
    start(&worker);
    mark(&worker, pipe_fd);
    open_database(&worker);
    check(&worker);
    mark(&worker, pipe_fd);
    if (plan->place == KILL_NOT) {
        end_in_order(&worker);
        shared->finished = 1;
        _exit(0);
    }
    if (plan->place == KILL_IN_LOAD)
        kill_arm(plan->nth, plan->manner, plan->words, plan->torn_share);
    load(&worker, plan->place == KILL_AT_TIME ? UINT64_MAX : TRANSACTIONS_MAX);
    (void)kill(getpid(), SIGKILL);
    _exit(1);
}
