/* graft-bench: SQLite on its own VFS and on Graft's, side by side in one process, the same SQL
 * through the same prepared statements. */
#ifndef GRAFT_BENCH_BENCH_H
#define GRAFT_BENCH_BENCH_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "graft/graft.h"
#include "host/host.h"
#include "vfs/vfs.h"

#define BENCH_PAIRS_MAX 101U

enum side {
    SIDE_SQLITE, /* the default VFS, journal_mode=WAL */
    SIDE_GRAFT,
    SIDE_BARE, /* no database: what the disk alone takes, where a case has that */
    SIDES,
};

struct bench {
    unsigned pairs;
    unsigned scale; /* work is divided by it: 1, or 10 with --quick */
    bool json;
    const char *only; /* NULL: every case */
    char directory[512];

    struct graft_host *host;
    struct graft_env *env;
    struct graft_process *process;
    struct graft_vfs *vfs;

    /* Of the case that runs. */
    sqlite3 *kept[2];      /* connections that stay open over its pairs; NULL where it keeps none */
    uint64_t commit_bytes; /* that Graft wrote per commit in its last run */
};

struct bench_case {
    const char *name;
    const char *text;
    const char *unit;                   /* "s", "MB" or "B" */
    double aim;                         /* of Graft / SQLite, at most; 0: none is set */
    double aim_bare;                    /* of Graft / bare; 0: the case has no bare side */
    double aim_itself;                  /* of Graft's own figure; 0: none is set */
    const char *bare;                   /* what the bare side is */
    bool alone;                         /* there is no other side than Graft */
    bool once;                          /* pairs say nothing new */
    bool needs_rows;                    /* the big table must be there */
    void (*begin)(struct bench *bench); /* may be NULL */
    double (*run)(struct bench *bench, enum side side, unsigned round);
};

/* Ends with an entry whose name is NULL. */
extern const struct bench_case bench_cases[];

/* ---- side.c: the same doors to both sides. What fails here ends the program with a message. ----
 */

enum bench_sync { BENCH_NORMAL, BENCH_FULL };

/* Opens (makes) the database `name`: page size 4096, a page cache of 2000 KiB, no mmap, temporary
 * tables in memory. */
sqlite3 *bench_open(struct bench *bench, enum side side, const char *name, enum bench_sync sync);
void bench_close(sqlite3 *db);
/* Removes the database and all that is beside it. */
void bench_remove(struct bench *bench, enum side side, const char *name);
/* Bytes that its files take on the disk. */
uint64_t bench_disk_bytes(struct bench *bench, enum side side, const char *name);
void bench_exec(sqlite3 *db, const char *sql);
sqlite3_stmt *bench_prepare(sqlite3 *db, const char *sql);
/* Steps to the end and resets; the rows are read and thrown away. */
void bench_finish(sqlite3 *db, sqlite3_stmt *statement);
_Noreturn void bench_fail(const char *what, const char *text);
double bench_now_s(struct bench *bench);

/* Numbers that look random and are the same on both sides. */
uint64_t bench_random(uint64_t *state);

/* ---- rows.c, commits.c, mix.c: the cases ---- */

void bench_rows_build(struct bench *bench);
double bench_run_points(struct bench *bench, enum side side, unsigned round);
double bench_run_scan(struct bench *bench, enum side side, unsigned round);
double bench_run_disk(struct bench *bench, enum side side, unsigned round);
double bench_run_open(struct bench *bench, enum side side, unsigned round);

void bench_begin_durable(struct bench *bench);
void bench_begin_unsynced(struct bench *bench);
double bench_run_commits(struct bench *bench, enum side side, unsigned round);

/* eight.c */
void bench_begin_eight(struct bench *bench);
double bench_run_eight(struct bench *bench, enum side side, unsigned round);

/* large.c: a database of 10 GB, sparse */
double bench_run_large(struct bench *bench, enum side side, unsigned round);
double bench_run_resident(struct bench *bench, enum side side, unsigned round);

double bench_run_mix(struct bench *bench, enum side side, unsigned round);

/* ---- main.c ---- */

/* A directory of its own below `parent`, and Graft with its VFS. */
void bench_start(struct bench *bench, const char *parent);
void bench_stop(struct bench *bench);
double bench_median(const double *values, unsigned count); /* of up to BENCH_PAIRS_MAX */

/* ---- decode.c ---- */

int decode_main(int argc, char **argv);

#endif
