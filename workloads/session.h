/* What the clients of all workloads have in common: a connection, its prepared statements,
 * transactions that leave a row behind, and the verbs of replication, all entered in the history.
 *
 * Every transaction that writes adds a row to table `op`, in which `place` counts them: so any
 * snapshot of any replica says which transactions are in it, and in which order they were made. It
 * is also how clients of one replica agree, who share nothing but the database.
 *
 * Two promises are told apart. A commit that was acknowledged is on its replica until that replica
 * is reset, whatever crashes. A push that was acknowledged is everywhere, for good.
 *
 * Functions that return int give an SQLite code. */
#ifndef GRAFT_WORKLOADS_SESSION_H
#define GRAFT_WORKLOADS_SESSION_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "env/env.h"
#include "workloads/history.h"
#include "workloads/workload.h"

#define WORKLOAD_STATEMENTS_MAX 16

struct workload_session {
    struct workload_client *client;
    sqlite3 *db;
    const char *const *sql; /* the workload's statements, ended by NULL */
    sqlite3_stmt *own[WORKLOAD_STATEMENTS_MAX];
    sqlite3_stmt *common[8];
    uint32_t op_count; /* transactions begun by this client */
    int64_t id;        /* of the one that is open; 0: it only reads */
    struct graft_buf
        steps; /* of the one that is open; for one with bytes, `other` is their offset */
    struct graft_buf bytes;
    bool steps_lost; /* memory was short for a step: the transaction must not commit */
    bool push_in_doubt;
    bool diverged; /* the verb that failed last named the reset as the way out */
    /* It used FTS5, which keeps totals of a table that it could not read (SQLite 3.40): after an
     * error of the system only a new connection is to be relied on. */
    bool uses_fts5;
};

/* ---- Draws ---- */

uint64_t workload_below(struct workload_client *client, uint64_t limit);
/* True once in `count`. */
bool workload_once_in(struct workload_client *client, uint64_t count);

/* ---- Connections ---- */

/* Close with workload_session_close, also after a failure. `ops_before`: how many transactions this
 * client made on connections before. */
int workload_session_open(struct workload_session *session, struct workload_client *client,
                          const char *const *sql, uint32_t ops_before);
void workload_session_close(struct workload_session *session);
int workload_exec(struct workload_session *session, const char *sql);
/* Statement `index` of the workload's, reset and without bindings; borrowed. */
int workload_statement(struct workload_session *session, size_t index, sqlite3_stmt **out);
/* The one that lists the ids of all transactions, reset; borrowed. */
int workload_survey_statement(struct workload_session *session, sqlite3_stmt **out);
/* Steps a statement that returns no row, and resets it. */
int workload_run(struct workload_session *session, sqlite3_stmt *statement);
/* Reports what the system should never answer as a violation; returns `rc`. */
int workload_judge(struct workload_session *session, int rc, const char *doing);
/* Reports a broken promise, in words. */
void workload_violated(struct workload_client *client, const char *signature, const char *format,
                       ...) __attribute__((format(printf, 3, 4)));

/* ---- Transactions ---- */

/* Begins one, and enters it in the history. With `writes`, `session->id` is its row's id. */
int workload_begin(struct workload_session *session, bool writes);
/* Notes a step of the open transaction; everything is copied. */
void workload_did(struct workload_session *session, const struct workload_step *step);
/* Ends it: commits when `rc` is SQLITE_OK, else rolls back. Returns what became of it. */
int workload_end(struct workload_session *session, int rc);
/* Leaves no transaction open. A ROLLBACK that memory is short for is tried again: whatever came
 * next would find the transaction; one after SQLite rolled back by itself is refused, and that is
 * fine.
 */
void workload_roll_back(struct workload_session *session);

/* ---- Replication ---- */

int workload_push(struct workload_session *session);
int workload_pull(struct workload_session *session);
/* Drops what was not pushed, then surveys. */
int workload_reset(struct workload_session *session);
/* Fetches all; that there is a cache limit which all does not fit is no failure. */
int workload_hydrate(struct workload_session *session);
/* Enters in the history which transactions the database holds. */
int workload_survey(struct workload_session *session);
/* Pushes, or gives up what cannot be pushed; then pulls. */
int workload_synchronise(struct workload_session *session);
/* Page by page, b-tree by b-tree; says so when the database is not whole. */
int workload_integrity(struct workload_session *session);
/* Every held page against its checksum, as another opener of the same directory. */
int workload_verify(struct workload_session *session);

#endif
