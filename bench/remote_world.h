/* Graft in one simulated process, with a link before its remote. */
#ifndef GRAFT_BENCH_REMOTE_WORLD_H
#define GRAFT_BENCH_REMOTE_WORLD_H

#include "graft/graft.h"
#include "remote.h"
#include "vfs/vfs.h"

struct remote_reader {
    struct remote_link link;
    struct graft_env env;
    struct graft_process *process;
    struct graft_vfs *vfs;
    sqlite3 *db;
};

void remote_reader_begin(struct remote_reader *reader, struct sim_process *process, const char *uri,
                         uint64_t rtt_us, uint64_t bytes_per_s);
void remote_reader_end(struct remote_reader *reader);
struct graft_volume *remote_reader_volume(struct remote_reader *reader);

/* remote_overlap.c; `arg` is the struct remote_data. */
void remote_overlap_run(struct sim_process *process, void *arg);
void remote_overlap_push(struct sim_process *process, void *arg);

#endif
