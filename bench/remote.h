/* graft-bench remote: cold replicas over a link, in virtual time. */
#ifndef GRAFT_BENCH_REMOTE_H
#define GRAFT_BENCH_REMOTE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "env/env.h"
#include "sim/world.h"

/* ---- remote_data.c: databases, and what is asked of them ---- */

enum remote_class {
    REMOTE_POINT,
    REMOTE_RANGE_KEY,
    REMOTE_RANGE_INDEX,
    REMOTE_JOIN,
    REMOTE_SEARCH,
    REMOTE_SCAN,
    REMOTE_HOT,
    REMOTE_CLASSES,
};

/* Generated databases are `times` as large, and all of them a `divide`th. */
struct remote_scale {
    unsigned times, divide;
};

struct remote_data {
    const char *name;
    const char *text;
    /* Fills an empty database, through stock SQLite; false when what it is made from is missing. */
    bool (*build)(sqlite3 *db, const struct remote_scale *scale);
    const char *queries[REMOTE_CLASSES]; /* NULL: it has none of the class */
    const char *change;                  /* one small commit; '?1' numbers them */
    const char *overlap;                 /* a short read near '?1', 0 to 399 */
};

/* Ends with an entry whose name is NULL. */
extern const struct remote_data remote_data[];
extern const char *const remote_class_names[REMOTE_CLASSES];

/* ---- remote_link.c: the link ---- */

/* A disk seam below which what stands in "/repo/" is as far away as the link says. Bytes of all
 * requests share the bandwidth, in portions of 16 KiB. */
struct remote_link {
    struct graft_disk disk;
    struct graft_disk *real;
    struct sim_world *world;
    uint64_t rtt_us;
    uint64_t bytes_per_s;
    uint64_t free_ns; /* when the last portion has passed */
};

void remote_link_init(struct remote_link *link, struct sim_world *world, struct graft_disk *real,
                      uint64_t rtt_us, uint64_t bytes_per_s);

/* ---- remote_world.c: one database in a world of its own ---- */

struct remote_run {
    const char *policy; /* of PRAGMA graft_prefetch, or "whole" */
    const char *sql;
    uint64_t rtt_us;
    uint64_t bytes_per_s;
    /* What came of it. */
    double seconds;
    uint64_t round_trips, requests, fetched, needed, hits, waste, bulks;
    char answer[64]; /* the first column of the last row: the same whatever the policy */
};

struct remote_world;

/* Takes the bytes of a database file, pushes them as one commit, and then `commits` small ones. */
struct remote_world *remote_world_new(const uint8_t *bytes, size_t size,
                                      const struct remote_data *data, unsigned commits);
void remote_world_free(struct remote_world *world);
/* A new replica runs the query. */
void remote_world_run(struct remote_world *world, struct remote_run *run);
/* Eight connections read one new replica while others push; prints how often fetches met. */
void remote_world_overlap(struct remote_world *world, const struct remote_data *data);
/* Stored bytes and pages in the repository's frames. */
void remote_world_sizes(struct remote_world *world, uint64_t *stored_bytes, uint64_t *pages);

/* ---- remote.c ---- */

/* A database file. */
struct remote_bytes {
    uint8_t *bytes; /* free them */
    size_t size;
};

/* Builds the database with stock SQLite, while that is not the simulator's: as loaded, and of two
 * `forms` also after VACUUM. False when what it is made from is missing. */
bool remote_build(const struct remote_data *data, const struct remote_scale *scale,
                  struct remote_bytes *out, unsigned forms);
int remote_main(int argc, char **argv);

#endif
