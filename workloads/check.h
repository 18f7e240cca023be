/* Checkers: pure functions over a history. */
#ifndef GRAFT_WORKLOADS_CHECK_H
#define GRAFT_WORKLOADS_CHECK_H

#include "base/alloc.h"
#include "base/codes.h"
#include "workloads/history.h"

/* The first broken promise that was found. */
struct workload_verdict {
    const char *signature; /* a literal; NULL: none is broken */
    char text[1024];
};

/* The verdict, unless there is one already. */
void workload_verdict_set(struct workload_verdict *verdict, const char *signature,
                          const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Which transactions must be in which state, judged from the surveys; the newest survey is the
 * final state.
 *
 *  - a transaction is there at most once, only if somebody made it, and not if it failed;
 *  - an acknowledged one is on its replica until that is reset (not with `may_lose_commits`);
 *  - one that was pushed, or seen on another replica, is in the final state;
 *  - one that was there once and is not any more does not come back (nor this);
 *  - what a survey saw begins as the final state does, and only the replica's own transactions
 *    follow that are in no final state: the order in which transactions were made is one;
 *  - the newest surveys of all replicas are the same.
 *
 * With a clean verdict `*order` holds the index of each record of the final state, in order; free
 * it with `alloc`. ENOMEM. */
GRAFT_MUST_USE enum graft_rc workload_check_survival(const struct workload_history *history,
                                                     struct graft_alloc *alloc,
                                                     bool may_lose_commits, size_t **order,
                                                     size_t *count,
                                                     struct workload_verdict *verdict);

/* Whether the transactions of the final state, and those that only read, can have run one after the
 * other. Versions are ordered by what lists hold, and by reads of a register that a write of it
 * follows; then edges say who must come before whom:
 *
 *     ww  replaced (or appended after) its version     rw  did not see its version yet
 *     wr  read its version                             order  ended before it began, on one replica
 *
 * A cycle is an anomaly: G0 (ww alone), G1c (with wr), G-single (with one rw), lost update (one rw
 * and one ww of one key), G2 (several rw). Found on the way: G1a (read from one that failed, or was
 * dropped, by one that was not), G1b (read what its writer wrote over), reads that contradict their
 * own transaction, reads of one list that do not continue each other, values that nobody wrote.
 *
 * What a transaction that only reads saw of commits that its replica dropped later says nothing
 * about those that last: it is left out. `ordered`: a replica never goes back (it does on disks
 * that lose commits). ENOMEM. */
GRAFT_MUST_USE enum graft_rc workload_check_serial(const struct workload_history *history,
                                                   struct graft_alloc *alloc, const size_t *order,
                                                   size_t count, bool ordered,
                                                   struct workload_verdict *verdict);

/* Whether each read returned what running the transactions in their order of `order` gives: that of
 * a transaction of the final state at its place, that of one that only reads at the place that its
 * AT step names (when it is one of the final state). ENOMEM. */
GRAFT_MUST_USE enum graft_rc workload_check_replay(const struct workload_history *history,
                                                   struct graft_alloc *alloc, const size_t *order,
                                                   size_t count, struct workload_verdict *verdict);

#endif
