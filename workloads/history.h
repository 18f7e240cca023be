/* The history of a run: what its clients tried, and what became of it, in the order in which they
 * knew it. Checkers read it; nothing is ever taken back.
 *
 * It outlives the clients: whoever runs them makes it, with an allocator of its own. A client has
 * at most one operation open; one that dies leaves it open, and its outcome unknown. Where several
 * processes take part, each has a history that keeps nothing and hands each event as a line of text
 * to a sink (a file opened for appending), and the one who checks reads the lines back: the order
 * of the lines is the order of the events.
 *
 * Functions do not yield. Running out of memory, or a sink that failed, is remembered:
 * workload_history_failed says so, and no check of such a history can be trusted. */
#ifndef GRAFT_WORKLOADS_HISTORY_H
#define GRAFT_WORKLOADS_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"

enum workload_kind {
    WORKLOAD_TRANSACTION, /* SQL between BEGIN and COMMIT */
    WORKLOAD_PUSH,
    WORKLOAD_PULL,
    WORKLOAD_RESET,  /* drops the replica's commits that were not pushed */
    WORKLOAD_SURVEY, /* which transactions the replica's database holds; its SEEN step says */
};

enum workload_outcome {
    WORKLOAD_UNKNOWN, /* may have had its effect, or not; open operations have this too */
    WORKLOAD_OK,      /* acknowledged */
    WORKLOAD_FAILED,  /* certainly without effect */
};

/* What a transaction did, one by one; a list is of int64_t, in `bytes`. */
enum workload_step_kind {
    WORKLOAD_APPEND,    /* `value` to the end of list `key` */
    WORKLOAD_READ_LIST, /* list `key` held the list */
    WORKLOAD_WRITE,     /* `value` to register `key` */
    WORKLOAD_READ,      /* register `key` held `value` */
    WORKLOAD_TRANSFER,  /* `value` from account `key` to account `other` */
    WORKLOAD_STATEMENT, /* text in `bytes`; ended with SQLite code `key`; `value` is a hash of its
                           rows */
    WORKLOAD_SEEN,      /* survey: ids of all transactions in the database, in their order */
    WORKLOAD_AT,        /* the snapshot's newest transaction was number `value`, id `key` */
};

struct workload_step {
    enum workload_step_kind kind;
    int64_t key;
    int64_t value;
    int64_t other;
    const void *bytes; /* NULL when `size` is 0 */
    size_t size;
};

#define WORKLOAD_NEVER UINT64_MAX

struct workload_record {
    enum workload_kind kind;
    enum workload_outcome outcome;
    uint32_t client;
    uint32_t replica;
    int64_t id;        /* the transaction's row in table op; 0: it writes nothing */
    uint64_t invoked;  /* number of the event, counted from 0 over the history */
    uint64_t ended;    /* WORKLOAD_NEVER while open */
    size_t first_step; /* among the steps of the history */
    size_t step_count;
};

struct workload_history;

/* Takes one event's line, its newline included; false when it could not be kept. */
typedef bool workload_sink_fn(void *arg, const char *line, size_t size);

/* A history that is kept in memory; NULL without memory. `alloc` is borrowed. */
struct workload_history *workload_history_new(struct graft_alloc *alloc);
/* One that keeps nothing, and hands each event to `sink`. */
struct workload_history *workload_history_to(struct graft_alloc *alloc, workload_sink_fn *sink,
                                             void *arg);
/* Accepts NULL. */
void workload_history_free(struct workload_history *history);
bool workload_history_failed(const struct workload_history *history);

/* ---- Writing ---- */

/* The client begins an operation. */
void workload_history_invoke(struct workload_history *history, uint32_t client, uint32_t replica,
                             enum workload_kind kind, int64_t id);
/* What the client's open operation did, in full; before anything that can make it last (COMMIT). */
void workload_history_did(struct workload_history *history, uint32_t client,
                          const struct workload_step *steps, size_t count);
/* The client's open operation ended. */
void workload_history_end(struct workload_history *history, uint32_t client,
                          enum workload_outcome outcome);

/* The client is dead: what it left open has no further effect on its replica, whose outcome stays
 * unknown. Whoever kills clients calls it, so that checkers need not assume the worst. */
void workload_history_died(struct workload_history *history, uint32_t client);

/* ---- Reading ---- */

size_t workload_history_count(const struct workload_history *history);
/* How many transactions were acknowledged, those that only read included. */
uint64_t workload_history_committed(const struct workload_history *history);
const struct workload_record *workload_history_at(const struct workload_history *history,
                                                  size_t index);
/* Borrowed until the next event. */
struct workload_step workload_history_step(const struct workload_history *history, size_t number);
/* Adds the events of a file. A line that was cut off by its writer's death counts as never
 * written. Returns how many lines were left out for that. */
size_t workload_history_parse(struct workload_history *history, const char *text, size_t size);

#endif
