/* The plan of a run: what a seed decides before anything runs. Each fault kind is off, mild or wild
 * in a seed (swarm testing: faults that never meet hide bugs, and so do faults that always do).
 *
 * As text a plan is one line of words, so that a failing run can be passed on and cut down:
 *
 *     seed=42 policy=pct depth=3 steps=20000 disk_sync_error=2000 net_reset=500
 *
 * Fault words give rates per million; a kind that is not named is off. */
#ifndef GRAFT_SIM_PLAN_H
#define GRAFT_SIM_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/codes.h"

/* name; mild and wild rates per million; how likely a seed has it at all, per 64; what the rate
 * counts. Kinds that no storage engine can fully survive (a lying sync) stand in few seeds. */
#define SIM_FAULT_TABLE(X)                                                                    \
    /* disk, per call */                                                                      \
    X(disk_read_error, 200, 5000, 24, "read fails with EIO")                                  \
    X(disk_write_error, 200, 5000, 24, "write writes a part, then fails with EIO")            \
    X(disk_full, 200, 5000, 24, "write or allocation writes a part, then fails with EFULL")   \
    X(disk_sync_error, 500, 10000, 24, "sync fails, and drops a part of what it covered")     \
    X(disk_sync_lie, 2000, 100000, 4, "sync claims success and did nothing")                  \
    X(disk_entry_error, 200, 5000, 24, "call on a name fails with EIO")                       \
    X(disk_slow, 2000, 50000, 32, "call takes up to ten seconds")                             \
    X(disk_split_write, 50000, 500000, 48, "other tasks run in mid-write")                    \
    X(disk_writeback, 50000, 500000, 48, "page reaches the disk before its sync, in part")    \
    X(disk_rot, 1000, 20000, 6, "at a sync, one bit of a page at rest flips")                 \
    X(disk_misdirect, 1000, 20000, 6, "at a sync, a page is written to another page's place") \
    /* per crash of a machine */                                                              \
    X(crash_drop, 300000, 800000, 56, "unsynced pages are lost")                              \
    X(crash_tear, 300000, 800000, 48, "unsynced pages are torn at sectors")                   \
    X(crash_reorder, 300000, 800000, 48, "each unsynced page fares on its own")               \
    X(crash_garbage, 200000, 600000, 24, "lost pages that never were on disk hold garbage")   \
    X(crash_size, 300000, 800000, 48, "unsynced lengths are lost or in between")              \
    X(crash_entry, 300000, 800000, 56, "unsynced creations, renames and removals are lost")   \
    /* network, per request or read */                                                        \
    X(net_slow, 5000, 100000, 32, "message takes up to a minute")                             \
    X(net_loss, 2000, 30000, 32, "message is lost for good")                                  \
    X(net_reset, 2000, 30000, 32, "connection is reset, before or after the request acts")    \
    X(net_stall, 1000, 20000, 32, "body stops in the middle")                                 \
    X(net_truncate, 1000, 20000, 32, "connection ends in mid-body")                           \
    X(net_partition, 500, 5000, 24, "one direction between two machines is cut for a while")  \
    X(net_half_close, 1000, 10000, 24, "peer takes the request and never answers")            \
    X(net_duplicate, 2000, 30000, 32, "request arrives a second time, a little later")        \
    X(net_bandwidth, 2000, 50000, 32, "body arrives at modem speed")                          \
    /* object store, per request */                                                           \
    X(store_busy, 5000, 100000, 32, "429 with Retry-After")                                   \
    X(store_error, 5000, 100000, 32, "500, before or after the request acts")                 \
    X(store_storm, 500, 5000, 24, "503 to everybody for up to two minutes")                   \
    X(store_answer_lost, 2000, 50000, 32, "request acts, its answer never comes")             \
    X(store_late_put, 2000, 50000, 32, "copy of a PUT acts minutes later again")              \
    X(store_truncate, 500, 10000, 24, "200 or 206 with a shorter body, length to match")      \
    X(store_wrong_range, 500, 10000, 24, "another range than asked, or all of the object")    \
    X(store_stale_list, 5000, 100000, 24, "listing as it was up to a minute ago")             \
    X(store_slow, 5000, 100000, 32, "first byte after up to twenty seconds")                  \
    X(store_skew, 500, 10000, 16, "403: the request's time is too far off")                   \
    /* tasks and memory */                                                                    \
    X(task_spurious_wake, 5000, 100000, 32, "wait returns early")                             \
    X(alloc_fail, 20, 300, 16, "allocation fails")                                            \
    X(odd_choice, 10000, 200000, 40, "code under test takes an odd but legal choice")         \
    /* clocks, per machine */                                                                 \
    X(clock_skew, 500000, 900000, 48, "clock is off, up to an hour")                          \
    X(clock_drift, 500000, 900000, 48, "clock runs up to 2% fast or slow")                    \
    X(clock_jump, 2000, 50000, 24, "reading the wall clock makes it jump, up to a minute")    \
    /* drawn by whoever drives the run, per opportunity */                                    \
    X(process_kill, 50000, 200000, 40, "process is killed")                                   \
    X(process_pause, 50000, 200000, 32, "process stops for up to minutes")                    \
    X(machine_crash, 50000, 200000, 40, "machine crashes")

enum sim_fault {
#define SIM_FAULT_ENUM(name, mild, wild, in64, text) SIM_FAULT_##name,
    SIM_FAULT_TABLE(SIM_FAULT_ENUM)
#undef SIM_FAULT_ENUM
        SIM_FAULT_COUNT,
};

enum sim_policy {
    SIM_POLICY_RANDOM, /* any runnable fiber, each as likely */
    SIM_POLICY_PCT,    /* the runnable fiber of highest priority; priorities change `depth` times
                          (Burckhardt et al., "A randomized scheduler with probabilistic guarantees
                          of finding bugs", 2010) */
    SIM_POLICY_GIVEN,  /* as a list of choices says; see sim/explore.h */
};

struct sim_plan {
    uint64_t seed;
    enum sim_policy policy;
    uint32_t depth; /* PCT: priority changes */
    uint32_t steps; /* PCT: scheduling steps over which the changes are spread */
    uint32_t rate_ppm[SIM_FAULT_COUNT];
};

#define SIM_PLAN_TEXT_BYTES 2048U

/* No fault at all, random schedule. */
void sim_plan_calm(struct sim_plan *plan, uint64_t seed);
/* What the seed says: policy and rates. */
void sim_plan_draw(struct sim_plan *plan, uint64_t seed);
/* The plan as text; always fits. */
void sim_plan_print(const struct sim_plan *plan, char out[SIM_PLAN_TEXT_BYTES]);
/* EINVAL names the word that cannot be understood. */
GRAFT_MUST_USE enum graft_rc sim_plan_parse(const char *text, struct sim_plan *out,
                                            struct graft_err *err);

const char *sim_fault_name(enum sim_fault kind);
/* What it does, in words. */
const char *sim_fault_text(enum sim_fault kind);
/* SIM_FAULT_COUNT when there is none of that name. */
enum sim_fault sim_fault_find(const char *name, size_t length);

#endif
