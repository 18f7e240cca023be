/* The process that is killed, and what it shares with the one that watches it. */
#ifndef GRAFT_TESTS_CRASH_WORKER_H
#define GRAFT_TESTS_CRASH_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "kill.h"

enum phase {
    PHASE_START,       /* the database is not open yet */
    PHASE_OPEN,        /* opening what was closed in order */
    PHASE_RECOVERY,    /* opening what a kill left */
    PHASE_CHECK,       /* integrity check and digest */
    PHASE_IDLE,        /* between transactions */
    PHASE_TRANSACTION, /* before COMMIT */
    PHASE_AUTOCOMMIT,  /* one statement that is its own transaction */
    PHASE_COMMIT,      /* within COMMIT */
    PHASE_ROLLBACK,    /* a transaction that is rolled back */
    PHASE_VACUUM,
    PHASE_PUSH,
    PHASE_CLOSE,
    PHASES,
};

/* Lives in memory that outlasts the worker. Written by the worker alone while it runs. */
struct shared {
    _Atomic int phase;
    _Atomic uint64_t acknowledged; /* newest transaction whose commit returned */
    _Atomic uint64_t attempted;    /* newest transaction that was begun */
    _Atomic uint64_t disk_calls;   /* of this worker, that change something */
    _Atomic int checked;           /* the next three fields are set */
    uint64_t newest;               /* transaction found after opening */
    uint64_t digest;
    uint64_t recoveries;   /* that the open counted; UINT64_MAX when nothing counts them */
    uint64_t open_calls;   /* that change something, in the last complete recovery */
    uint64_t open_stores;  /* the same with stores to shared words */
    uint64_t commit_calls; /* in the last COMMIT */
    _Atomic int finished;  /* the worker came to its end, and all was well */
    char error[512];       /* "" or what went wrong */
};

enum kill_place {
    KILL_AT_TIME,   /* the watcher does it, some time after the load began */
    KILL_IN_LOAD,   /* at a call of the load, whatever it does */
    KILL_IN_COMMIT, /* at a call of a COMMIT */
    KILL_IN_OPEN,   /* at a call of the open: of the making, or of the recovery */
    KILL_NOT,       /* run a little, close, open again, and end */
};

struct plan {
    enum kill_place place;
    enum kill_manner manner;
    uint64_t nth;          /* call */
    uint64_t transactions; /* KILL_IN_COMMIT: before that commit; KILL_NOT: in all, 0 for the last
                              look */
    unsigned torn_share;   /* of 1000 */
    uint64_t delay_us;     /* KILL_AT_TIME */
    bool words;            /* stores to shared words count as calls */
    bool in_open_by_time;  /* KILL_AT_TIME: counted from the start of the open */
};

struct database {
    char directory[512];
    char remote[512]; /* URL, or "" */
    char replica[512];
    uint64_t seed;
    unsigned page_bytes;
    bool full;  /* synchronous=FULL, else NORMAL */
    bool dirty; /* the last worker was killed after it had opened it */
};

/* Runs in the forked process; writes one byte to `pipe_fd` before it opens and one before it loads.
 */
_Noreturn void worker_run(const struct database *database, const struct plan *plan,
                          struct shared *shared, int pipe_fd);

#endif
