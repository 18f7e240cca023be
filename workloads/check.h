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

#endif
