/* Running single statements so that two databases can be compared, and the comparison. */
#ifndef GRAFT_WORKLOADS_SQL_REPLAY_H
#define GRAFT_WORKLOADS_SQL_REPLAY_H

#include "workloads/session.h"

/* Runs one statement to its end. `*code`: what it ended with, SQLITE_OK after the last row;
 * `*hash`: of its rows, their columns and their order. */
void workload_sql_run(sqlite3 *db, const char *text, size_t size, int *code, uint64_t *hash);
/* Whether an outcome follows from the statement and the database alone, so that it is the same
 * wherever they are. */
bool workload_sql_is_logical(sqlite3 *db, int code);
/* Runs the final state's transactions over `schema` in a database in memory, and compares results
 * and tables with the session's database. */
int workload_sql_replay(struct workload_session *session, const char *schema, const size_t *order,
                        size_t count);

#endif
