/* A transaction far larger than memory: in a process that may have 256 MB, every row of 4 GB is
 * updated, a statement fails midway, a savepoint is rolled back, and the rest commits. Briefly, 160
 * MB in a process of 96 MB.
 *
 *   test_large [--full]      --full, or GRAFT_TESTS_LONG in the environment */
#include <ftw.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "graft/graft.h"
#include "host/host.h"
#include "vfs/vfs.h"

#define ROW_BYTES 3800 /* one row a page */
#define MIB ((uint64_t)1 << 20)

struct size {
    uint64_t rows, memory_bytes;
};

static char directory[512];
static unsigned passed, failures;

static void expect(bool condition, const char *what)
{
    condition ? passed++ : failures++;
    if (!condition)
        (void)printf("FAILED: %s\n", what);
}

static _Noreturn void give_up(const char *what, const char *why)
{
    (void)printf("FAILED: %s: %s\n1 passed, 1 failed\n", what, why);
    exit(1);
}

static void run_sql(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        give_up(sql, sqlite3_errmsg(db));
}

static int64_t number_of(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW)
        give_up(sql, sqlite3_errmsg(db));
    int64_t value = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    return value;
}

/* The sanitizer's own mappings would be what is limited. */
static bool limit_memory(uint64_t bytes)
{
#ifdef __SANITIZE_ADDRESS__
    (void)bytes;
    return true;
#else
    struct rlimit limit = {.rlim_cur = bytes, .rlim_max = bytes};
    return setrlimit(RLIMIT_AS, &limit) == 0;
#endif
}

static sqlite3 *open_database(void)
{
    char path[600];
    sqlite3 *db = NULL;
    (void)snprintf(path, sizeof path, "%s/large.graft", directory);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "graft") !=
        SQLITE_OK)
        give_up("open", sqlite3_errmsg(db));
    run_sql(db, "PRAGMA cache_size=-4000; PRAGMA synchronous=NORMAL; PRAGMA temp_store=FILE");
    return db;
}

static void fill(sqlite3 *db, uint64_t rows)
{
    char sql[300];
    run_sql(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, v INTEGER CHECK(v >= 0), body BLOB)");
    (void)snprintf(sql, sizeof sql,
                   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < %" PRIu64
                   ") INSERT INTO t SELECT i, 0, zeroblob(%d) FROM n",
                   rows, ROW_BYTES);
    run_sql(db, sql);
}

static void change(sqlite3 *db, uint64_t rows)
{
    char sql[300];
    run_sql(db, "BEGIN");
    (void)snprintf(sql, sizeof sql, "UPDATE t SET v=1, body=randomblob(%d)", ROW_BYTES);
    run_sql(db, sql);
    run_sql(db, "SAVEPOINT s; UPDATE t SET v=v+100 WHERE id % 3 = 0");
    (void)snprintf(sql, sizeof sql,
                   "UPDATE t SET v = CASE WHEN id=%" PRIu64 " THEN -1 ELSE v+1000 END",
                   rows - rows / 4);
    expect(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_CONSTRAINT,
           "a statement fails in its midst");
    expect(number_of(db, "SELECT max(v) FROM t") == 101, "nothing of that statement is there");
    run_sql(db, "ROLLBACK TO s");
    expect(number_of(db, "SELECT sum(v) FROM t") == (int64_t)rows, "the savepoint is as it was");
    run_sql(db, "UPDATE t SET v=v+7 WHERE id % 10 = 0; COMMIT");
}

static void work(const struct size *size)
{
    struct graft_err err = {0};
    struct graft_host *host = NULL;
    struct graft_process *process = NULL;
    struct graft_vfs *vfs = NULL;
    expect(limit_memory(size->memory_bytes), "the memory can be limited");
    if (graft_host_new(NULL, &host, &err) != GRAFT_OK ||
        graft_process_new(graft_host_env(host), &process, &err) != GRAFT_OK ||
        graft_vfs_register(process, graft_host_env(host), "graft", NULL, &vfs, &err) != GRAFT_OK)
        give_up("start", err.text);
    int64_t wanted = (int64_t)(size->rows + size->rows / 10 * 7);
    sqlite3 *db = open_database();
    fill(db, size->rows);
    change(db, size->rows);
    expect(number_of(db, "SELECT sum(v) FROM t") == wanted, "what was committed is there");
    expect(sqlite3_close(db) == SQLITE_OK, "it closes");
    db = open_database();
    expect(number_of(db, "SELECT sum(v) FROM t") == wanted, "it is there after opening again");
    expect(number_of(db, "SELECT count(*) FROM pragma_integrity_check "
                         "WHERE integrity_check='ok'") == 1,
           "integrity_check is ok");
    expect(sqlite3_close(db) == SQLITE_OK, "it closes again");
    graft_vfs_unregister(vfs);
    graft_process_free(process);
    graft_host_free(host);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

int main(int argc, char **argv)
{
    bool full = getenv("GRAFT_TESTS_LONG") != NULL || (argc > 1 && strcmp(argv[1], "--full") == 0);
    struct size size = full ? (struct size){1048576, 256 * MIB} : (struct size){40960, 96 * MIB};
    const char *temporary = getenv("TMPDIR");
    (void)snprintf(directory, sizeof directory, "%s/graft-large-XXXXXX",
                   temporary != NULL ? temporary : "/tmp");
    if (mkdtemp(directory) == NULL)
        return 2;
    work(&size);
    (void)nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    (void)printf("%u passed, %u failed\n", passed, failures);
    return failures == 0 ? 0 : 1;
}
