/* How often do two fetches at a time want one page, and at two LSNs? Connections of one process
 * read a replica, each transaction at the snapshot that is newest then, while somebody else pushes
 * small commits and the replica pulls them. */
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "remote.h"
#include "remote_world.h"

#define READERS 8U
#define QUERIES 40U
#define PAUSE_MS 50U

struct overlap {
    struct remote_reader first;
    struct sim_process *process;
    const struct remote_data *data;
    const char *uri;
    const char *vfs_name;
    unsigned pulls;
    unsigned running;
};

struct connection {
    struct overlap *overlap;
    unsigned number;
};

/* Rows from a part of the table that all readers like. */
static void read_rows(void *arg)
{
    struct connection *self = arg;
    struct overlap *overlap = self->overlap;
    uint64_t random = self->number + 1;
    sqlite3 *db = NULL;
    if (sqlite3_open_v2(overlap->uri, &db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI,
                        overlap->vfs_name) != SQLITE_OK)
        bench_fail(overlap->uri, sqlite3_errmsg(db));
    sqlite3_stmt *statement = bench_prepare(db, overlap->data->overlap);
    for (unsigned i = 0; i < QUERIES; i++) {
        (void)sqlite3_bind_int64(statement, 1, (int64_t)(bench_random(&random) % 400));
        bench_finish(db, statement);
    }
    (void)sqlite3_finalize(statement);
    bench_close(db);
    overlap->running--;
}

static void pull_all_the_while(void *arg)
{
    struct overlap *overlap = arg;
    while (overlap->running > 0) {
        graft_task_sleep_ms(overlap->first.env.tasks, PAUSE_MS);
        bench_exec(overlap->first.db, "PRAGMA graft_pull");
        overlap->pulls++;
    }
}

static enum graft_rc print_stat(void *arg, const char *name, uint64_t value)
{
    static const char *const wanted[] = {"stalls", "fetches", "shared_fetches", "shared_versions",
                                         "pages_fetched"};
    (void)arg;
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        if (strcmp(name, wanted[i]) == 0)
            (void)printf("  %s %llu", name, (unsigned long long)value);
    }
    return GRAFT_OK;
}

void remote_overlap_run(struct sim_process *process, void *arg)
{
    struct overlap overlap = {.process = process, .data = arg, .running = READERS};
    struct connection connections[READERS];
    struct graft_task *tasks[READERS + 1];
    struct graft_err err = {.rc = GRAFT_OK};
    overlap.uri = "file:/overlap.graft?remote=file:///repo/app";
    overlap.vfs_name = sim_process_vfs_name(process);
    remote_reader_begin(&overlap.first, process, overlap.uri, 20000, 25000000);
    bench_exec(overlap.first.db, "PRAGMA graft_pull");
    for (unsigned i = 0; i <= READERS; i++) {
        bool reads = i < READERS;
        if (reads)
            connections[i] = (struct connection){.overlap = &overlap, .number = i};
        if (graft_task_spawn(
                overlap.first.env.tasks, "reader", reads ? read_rows : pull_all_the_while,
                reads ? (void *)&connections[i] : (void *)&overlap, &tasks[i], &err) != GRAFT_OK)
            bench_fail("reader", err.text);
    }
    for (unsigned i = 0; i <= READERS; i++)
        graft_task_join(tasks[i]);
    (void)printf("%-10s %u readers, %u queries each, %u pulls:", overlap.data->name, READERS,
                 QUERIES, overlap.pulls);
    if (graft_stats(remote_reader_volume(&overlap.first), print_stat, NULL) != GRAFT_OK)
        bench_fail("graft_stats", "cannot be read");
    (void)printf("\n");
    remote_reader_end(&overlap.first);
}

/* The one who pushes, for as long as the readers may take. */
void remote_overlap_push(struct sim_process *process, void *arg)
{
    const struct remote_data *data = arg;
    struct remote_reader reader = {.db = NULL};
    remote_reader_begin(&reader, process, "file:/source.graft?remote=file:///repo/app", 0, 0);
    for (int i = 1; i <= 100; i++) {
        sqlite3_stmt *change = bench_prepare(reader.db, data->change);
        (void)sqlite3_bind_int64(change, 1, i);
        bench_finish(reader.db, change);
        (void)sqlite3_finalize(change);
        bench_exec(reader.db, "PRAGMA graft_push");
        graft_task_sleep_ms(reader.env.tasks, PAUSE_MS);
    }
    remote_reader_end(&reader);
}
