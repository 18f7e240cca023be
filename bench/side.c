/* Opens, settles and removes databases the same way on both sides, so that no case can be unfair by
 * accident. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"

_Noreturn void bench_fail(const char *what, const char *text)
{
    (void)fprintf(stderr, "graft-bench: %s: %s\n", what, text);
    exit(1);
}

double bench_now_s(struct bench *bench)
{
    return (double)graft_clock_monotonic_us(bench->env->clock) / 1e6;
}

uint64_t bench_random(uint64_t *state)
{
    /* SplitMix64. */
    uint64_t value = *state += 0x9e3779b97f4a7c15U;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
    return value ^ (value >> 31);
}

void bench_exec(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        bench_fail(sql, sqlite3_errmsg(db));
}

sqlite3_stmt *bench_prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) != SQLITE_OK)
        bench_fail(sql, sqlite3_errmsg(db));
    return statement;
}

void bench_finish(sqlite3 *db, sqlite3_stmt *statement)
{
    int rc = SQLITE_ROW;
    int columns = sqlite3_column_count(statement);
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
        for (int i = 0; i < columns; i++)
            (void)sqlite3_column_text(statement, i);
    }
    if (rc != SQLITE_DONE)
        bench_fail(sqlite3_sql(statement), sqlite3_errmsg(db));
    (void)sqlite3_reset(statement);
}

static void path_of(const struct bench *bench, enum side side, const char *name, char out[1024])
{
    (void)snprintf(out, 1024, "%s/%s.%s", bench->directory, name,
                   side == SIDE_GRAFT ? "graft" : "db");
}

sqlite3 *bench_open(struct bench *bench, enum side side, const char *name, enum bench_sync sync)
{
    char path[1024];
    path_of(bench, side, name, path);
    sqlite3 *db = NULL;
    int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                             side == SIDE_GRAFT ? "graft-bench" : NULL);
    if (rc != SQLITE_OK)
        bench_fail(path, db != NULL ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
    bench_exec(db, "PRAGMA page_size=4096; PRAGMA cache_size=-2000; PRAGMA mmap_size=0;"
                   "PRAGMA temp_store=MEMORY");
    if (side == SIDE_SQLITE)
        bench_exec(db, "PRAGMA journal_mode=WAL");
    bench_exec(db, sync == BENCH_FULL ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
    return db;
}

void bench_close(sqlite3 *db)
{
    if (sqlite3_close(db) != SQLITE_OK)
        bench_fail("close", sqlite3_errmsg(db));
}

typedef void file_fn(const char *path, void *arg);

/* Every file of the database, whichever side it is of. */
static void each_file(struct bench *bench, enum side side, const char *name, file_fn *each,
                      void *arg)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    char top[1024];
    char path[2048];
    path_of(bench, side, name, top);
    if (side != SIDE_GRAFT) {
        for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
            (void)snprintf(path, sizeof path, "%s%s", top, suffixes[i]);
            each(path, arg);
        }
        return;
    }
    DIR *directory = opendir(top);
    const struct dirent *entry = NULL;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        (void)snprintf(path, sizeof path, "%s/%s", top, entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            each(path, arg);
    }
    if (directory != NULL)
        (void)closedir(directory);
}

static void remove_file(const char *path, void *arg)
{
    (void)arg;
    (void)unlink(path);
}

void bench_remove(struct bench *bench, enum side side, const char *name)
{
    char path[1024];
    each_file(bench, side, name, remove_file, NULL);
    path_of(bench, side, name, path);
    (void)remove(path);
}

static void add_size(const char *path, void *arg)
{
    uint64_t *sum = arg;
    struct stat status;
    if (stat(path, &status) == 0)
        *sum += (uint64_t)status.st_blocks * 512U;
}

uint64_t bench_disk_bytes(struct bench *bench, enum side side, const char *name)
{
    /* Space is decided when the data goes to the disk. */
    sync();
    uint64_t sum = 0;
    each_file(bench, side, name, add_size, &sum);
    return sum;
}
