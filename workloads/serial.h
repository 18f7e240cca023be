/* What the workloads share whose history is checked for cycles. */
#ifndef GRAFT_WORKLOADS_SERIAL_H
#define GRAFT_WORKLOADS_SERIAL_H

#include "workloads/check.h"
#include "workloads/session.h"

/* Runs a statement of the workload's that counts what should not be there. */
int workload_expect_none(struct workload_session *session, size_t statement, const char *signature,
                         const char *what);
/* Reads the final state with `read_all`, as one more transaction of the history, and looks for
 * cycles in it. */
int workload_finish_serial(struct workload_session *session,
                           int (*read_all)(struct workload_session *session), const size_t *order,
                           size_t count);

#endif
