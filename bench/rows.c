/* Reads: one table of half a million rows, far larger than the page cache, so that nearly every
 * point read goes through the VFS. */
#include "bench.h"

#define ROWS 500000U
#define POINTS 200000U
#define OPENS 50U

static unsigned rows_of(const struct bench *bench)
{
    return ROWS / bench->scale;
}

static void build(struct bench *bench, enum side side)
{
    uint64_t state = 1;
    uint64_t body[23]; /* 184 bytes, so that 500,000 rows are about 104 MB of pages */
    sqlite3 *db = bench_open(bench, side, "rows", BENCH_FULL);
    bench_exec(db, "CREATE TABLE item(id INTEGER PRIMARY KEY, body BLOB); BEGIN");
    sqlite3_stmt *insert = bench_prepare(db, "INSERT INTO item VALUES(?, ?)");
    for (unsigned i = 1; i <= rows_of(bench); i++) {
        for (size_t j = 0; j < sizeof body / sizeof body[0]; j++)
            body[j] = bench_random(&state);
        (void)sqlite3_bind_int64(insert, 1, (sqlite3_int64)i);
        (void)sqlite3_bind_blob(insert, 2, body, (int)sizeof body, SQLITE_STATIC);
        bench_finish(db, insert);
        if (i % 20000 == 0)
            bench_exec(db, "COMMIT; BEGIN");
    }
    (void)sqlite3_finalize(insert);
    bench_exec(db, "COMMIT");
    bench_close(db);
}

void bench_rows_build(struct bench *bench)
{
    build(bench, SIDE_SQLITE);
    build(bench, SIDE_GRAFT);
}

double bench_run_points(struct bench *bench, enum side side, unsigned round)
{
    uint64_t state = round;
    unsigned count = POINTS / bench->scale;
    sqlite3 *db = bench_open(bench, side, "rows", BENCH_FULL);
    sqlite3_stmt *select = bench_prepare(db, "SELECT body FROM item WHERE id = ?");
    double start_s = bench_now_s(bench);
    for (unsigned i = 0; i < count; i++) {
        (void)sqlite3_bind_int64(select, 1,
                                 1 + (sqlite3_int64)(bench_random(&state) % rows_of(bench)));
        bench_finish(db, select);
    }
    double spent_s = bench_now_s(bench) - start_s;
    (void)sqlite3_finalize(select);
    bench_close(db);
    return spent_s;
}

double bench_run_scan(struct bench *bench, enum side side, unsigned round)
{
    (void)round;
    sqlite3 *db = bench_open(bench, side, "rows", BENCH_FULL);
    sqlite3_stmt *select = bench_prepare(db, "SELECT count(*), sum(length(body)) FROM item");
    double start_s = bench_now_s(bench);
    bench_finish(db, select);
    double spent_s = bench_now_s(bench) - start_s;
    (void)sqlite3_finalize(select);
    bench_close(db);
    return spent_s;
}

double bench_run_disk(struct bench *bench, enum side side, unsigned round)
{
    (void)round;
    return (double)bench_disk_bytes(bench, side, "rows") / 1e6;
}

double bench_run_open(struct bench *bench, enum side side, unsigned round)
{
    (void)round;
    double start_s = bench_now_s(bench);
    for (unsigned i = 0; i < OPENS; i++) {
        sqlite3 *db = bench_open(bench, side, "rows", BENCH_FULL);
        bench_exec(db, "SELECT body FROM item WHERE id = 4711");
        bench_close(db);
    }
    return (bench_now_s(bench) - start_s) / OPENS;
}
