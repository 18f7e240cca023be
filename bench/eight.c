/* Eight connections that commit durably at once, each in a thread of its own, beside one that makes
 * as many commits alone. A connection that finds the database busy waits, as long as it takes. */
#include <pthread.h>

#include "bench.h"

#define CONNECTIONS 8U
#define COMMITS 1600U /* of all together */
#define BODY_BYTES 100
#define BUSY_MS 120000

struct worker {
    struct bench *bench;
    enum side side;
    unsigned commits;
    uint64_t seed;
    sqlite3 *db;
};

static void *insert_rows(void *arg)
{
    struct worker *worker = arg;
    unsigned char body[BODY_BYTES];
    uint64_t state = worker->seed;
    sqlite3_stmt *insert = bench_prepare(worker->db, "INSERT INTO event(body) VALUES(?)");
    for (unsigned i = 0; i < worker->commits; i++) {
        for (size_t at = 0; at < sizeof body; at++)
            body[at] = (unsigned char)bench_random(&state);
        (void)sqlite3_bind_blob(insert, 1, body, sizeof body, SQLITE_STATIC);
        bench_finish(worker->db, insert);
    }
    (void)sqlite3_finalize(insert);
    return NULL;
}

void bench_begin_eight(struct bench *bench)
{
    for (enum side side = SIDE_SQLITE; side <= SIDE_GRAFT; side++) {
        bench_remove(bench, side, "commits");
        bench->kept[side] = bench_open(bench, side, "commits", BENCH_FULL);
        bench_exec(bench->kept[side], "CREATE TABLE event(id INTEGER PRIMARY KEY, body BLOB)");
        struct worker worker = {bench, side, COMMITS / bench->scale, 1, bench->kept[side]};
        (void)insert_rows(&worker);
    }
}

/* The bare side is Graft with one connection. */
double bench_run_eight(struct bench *bench, enum side side, unsigned round)
{
    unsigned count = side == SIDE_BARE ? 1 : CONNECTIONS;
    enum side of = side == SIDE_BARE ? SIDE_GRAFT : side;
    struct worker workers[CONNECTIONS];
    pthread_t threads[CONNECTIONS];
    for (unsigned i = 0; i < count; i++) {
        sqlite3 *db = bench_open(bench, of, "commits", BENCH_FULL);
        (void)sqlite3_busy_timeout(db, BUSY_MS);
        workers[i] =
            (struct worker){bench, of, COMMITS / bench->scale / count, round * 64U + i, db};
    }
    double start_s = bench_now_s(bench);
    for (unsigned i = 0; i < count; i++) {
        if (pthread_create(&threads[i], NULL, insert_rows, &workers[i]) != 0)
            bench_fail("eight", "cannot start a thread");
    }
    for (unsigned i = 0; i < count; i++)
        (void)pthread_join(threads[i], NULL);
    double spent_s = bench_now_s(bench) - start_s;
    for (unsigned i = 0; i < count; i++)
        bench_close(workers[i].db);
    return spent_s;
}
