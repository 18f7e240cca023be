/* Commits of one row, durable and not, into connections that stay open over all pairs: what a
 * program sees that has been running for a while, whose log was written before. Beside the durable
 * ones, what the disk alone takes for as many bytes. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define COMMITS 3000U
#define WARM_UP 1500U /* past SQLite's first checkpoint, so that its WAL is reused too */
#define BODY_BYTES 100

static void insert_rows(struct bench *bench, enum side side, unsigned count, uint64_t seed)
{
    unsigned char body[BODY_BYTES];
    uint64_t state = seed;
    sqlite3 *db = bench->kept[side];
    sqlite3_stmt *insert = bench_prepare(db, "INSERT INTO event(body) VALUES(?)");
    for (unsigned i = 0; i < count; i++) {
        for (size_t at = 0; at < sizeof body; at++)
            body[at] = (unsigned char)bench_random(&state);
        (void)sqlite3_bind_blob(insert, 1, body, sizeof body, SQLITE_STATIC);
        bench_finish(db, insert);
    }
    (void)sqlite3_finalize(insert);
}

static void begin(struct bench *bench, enum bench_sync sync)
{
    for (enum side side = SIDE_SQLITE; side <= SIDE_GRAFT; side++) {
        bench_remove(bench, side, "commits");
        bench->kept[side] = bench_open(bench, side, "commits", sync);
        bench_exec(bench->kept[side], "CREATE TABLE event(id INTEGER PRIMARY KEY, body BLOB)");
        insert_rows(bench, side, WARM_UP, 1);
    }
    bench->commit_bytes = 0;
}

void bench_begin_durable(struct bench *bench)
{
    begin(bench, BENCH_FULL);
}

void bench_begin_unsynced(struct bench *bench)
{
    begin(bench, BENCH_NORMAL);
}

static uint64_t bytes_written(const struct bench *bench)
{
    return bench->env->disk->counts.bytes_written;
}

/* Writes what Graft wrote per commit, and syncs, into space that was written before. */
static double run_bare(struct bench *bench, unsigned count)
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/bare", bench->directory);
    size_t size = (size_t)bench->commit_bytes;
    unsigned char *bytes = malloc(size > 0 ? size : 1);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (bytes == NULL || fd < 0)
        bench_fail(path, strerror(errno));
    memset(bytes, 0, size);
    for (unsigned i = 0; i < count; i++) {
        if (write(fd, bytes, size) != (ssize_t)size)
            bench_fail(path, strerror(errno));
    }
    if (fsync(fd) != 0)
        bench_fail(path, strerror(errno));
    memset(bytes, 0x5a, size);
    double start_s = bench_now_s(bench);
    for (unsigned i = 0; i < count; i++) {
        if (pwrite(fd, bytes, size, (off_t)(i * size)) != (ssize_t)size || fdatasync(fd) != 0)
            bench_fail(path, strerror(errno));
    }
    double spent_s = bench_now_s(bench) - start_s;
    (void)close(fd);
    (void)unlink(path);
    free(bytes);
    return spent_s;
}

double bench_run_commits(struct bench *bench, enum side side, unsigned round)
{
    unsigned count = COMMITS / bench->scale;
    if (side == SIDE_BARE)
        return run_bare(bench, count);
    uint64_t written = bytes_written(bench);
    double start_s = bench_now_s(bench);
    insert_rows(bench, side, count, round);
    double spent_s = bench_now_s(bench) - start_s;
    if (side == SIDE_GRAFT)
        bench->commit_bytes = (bytes_written(bench) - written) / count;
    return spent_s;
}
