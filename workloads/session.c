/* Connections, and the transactions on them. A transaction is certainly without effect when it
 * failed before COMMIT began, or when COMMIT was refused as busy; after any other failure of COMMIT
 * its outcome is unknown until somebody reads table `op`. */
#include "workloads/session.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/catalogue.h"

#define BUSY_TIMEOUT_MS 5000
#define OPS_PER_CLIENT_BITS 20

#define ROLLBACKS_MAX 10

enum common { BEGIN_READ, BEGIN_WRITE, COMMIT, ADD_OP, NEWEST_OP, ALL_OPS };

static const char *const common_sql[] = {
    [BEGIN_READ] = "BEGIN",
    [BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ADD_OP] = "INSERT INTO op(id) VALUES(?)",
    [NEWEST_OP] = "SELECT place, id FROM op ORDER BY place DESC LIMIT 1",
    [ALL_OPS] = "SELECT id FROM op ORDER BY place",
};

uint64_t workload_below(struct workload_client *client, uint64_t limit)
{
    return graft_rand_u64(client->env->rand) % limit;
}

bool workload_once_in(struct workload_client *client, uint64_t count)
{
    return workload_below(client, count) == 0;
}

void workload_violated(struct workload_client *client, const char *signature, const char *format,
                       ...)
{
    char details[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(details, sizeof details, format, arguments);
    va_end(arguments);
    client->violated(client->arg, signature, details);
}

/* ---- Connections ---- */

int workload_session_open(struct workload_session *session, struct workload_client *client,
                          const char *const *sql, uint32_t ops_before)
{
    *session = (struct workload_session){.client = client, .sql = sql, .op_count = ops_before};
    graft_buf_init(&session->steps, client->env->alloc);
    graft_buf_init(&session->bytes, client->env->alloc);
    int rc =
        sqlite3_open_v2(client->database, &session->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI, client->vfs);
    if (rc != SQLITE_OK)
        return workload_judge(session, rc, "opening");
    sqlite3_extended_result_codes(session->db, 1);
    sqlite3_busy_timeout(session->db, BUSY_TIMEOUT_MS);
    return SQLITE_OK;
}

static void finalize_all(sqlite3_stmt **statements, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        sqlite3_finalize(statements[i]);
        statements[i] = NULL;
    }
}

void workload_session_close(struct workload_session *session)
{
    finalize_all(session->own, sizeof session->own / sizeof session->own[0]);
    finalize_all(session->common, sizeof session->common / sizeof session->common[0]);
    (void)sqlite3_close(session->db);
    session->db = NULL;
    graft_buf_deinit(&session->steps);
    graft_buf_deinit(&session->bytes);
}

/* Messages of a replica that has not met its remote yet, and has no table therefore. */
static bool is_young(sqlite3 *db)
{
    return strncmp(sqlite3_errmsg(db), "no such table", 13) == 0;
}

/* A disk that lies about syncs can take commits back from a remote in a directory: replicas that
 * have them must say so, and follow nothing else. */
static bool tells_of_lost_commits(const struct workload_session *session)
{
    const char *message = sqlite3_errmsg(session->db);
    return session->client->may_lose_commits &&
           (strstr(message, "was rewritten") != NULL ||
            strstr(message, "was emptied or put back") != NULL);
}

int workload_judge(struct workload_session *session, int rc, const char *doing)
{
    const char *signature = NULL;
    switch (rc & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        if (!session->client->may_report_damage)
            signature = "the database is reported as damaged";
        break;
    case SQLITE_ERROR:
        if (!is_young(session->db) && !tells_of_lost_commits(session))
            signature = "a statement fails that has no reason to";
        break;
    case SQLITE_IOERR:
        /* Disks and links fail, but what was written to a journal does not end early. */
        if (rc == SQLITE_IOERR_SHORT_READ)
            signature = "a statement fails that has no reason to";
        break;
    case SQLITE_CONSTRAINT:
    case SQLITE_INTERNAL:
    case SQLITE_MISUSE:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE:
        signature = "a statement fails that has no reason to";
        break;
    default:
        break;
    }
    if (signature != NULL)
        workload_violated(session->client, signature, "%s: %d: %s", doing, rc,
                          session->db != NULL ? sqlite3_errmsg(session->db) : "");
    return rc;
}

int workload_exec(struct workload_session *session, const char *sql)
{
    int rc = sqlite3_exec(session->db, sql, NULL, NULL, NULL);
    return workload_judge(session, rc, sql);
}

static int prepared(struct workload_session *session, const char *sql, sqlite3_stmt **slot)
{
    if (*slot != NULL) {
        (void)sqlite3_reset(*slot);
        return SQLITE_OK;
    }
    int rc = sqlite3_prepare_v3(session->db, sql, -1, SQLITE_PREPARE_PERSISTENT, slot, NULL);
    return workload_judge(session, rc, sql);
}

int workload_statement(struct workload_session *session, size_t index, sqlite3_stmt **out)
{
    int rc = prepared(session, session->sql[index], &session->own[index]);
    *out = session->own[index];
    return rc;
}

int workload_survey_statement(struct workload_session *session, sqlite3_stmt **out)
{
    int rc = prepared(session, common_sql[ALL_OPS], &session->common[ALL_OPS]);
    *out = session->common[ALL_OPS];
    return rc;
}

int workload_run(struct workload_session *session, sqlite3_stmt *statement)
{
    int rc = sqlite3_step(statement);
    rc = rc == SQLITE_DONE ? SQLITE_OK : rc;
    if (rc != SQLITE_OK)
        rc = workload_judge(session, rc, sqlite3_sql(statement));
    (void)sqlite3_reset(statement);
    return rc;
}

/* Runs a statement that everybody has; it takes no argument. */
static int run_common(struct workload_session *session, enum common which)
{
    int rc = prepared(session, common_sql[which], &session->common[which]);
    return rc == SQLITE_OK ? workload_run(session, session->common[which]) : rc;
}

/* ---- Transactions ---- */

static int add_op(struct workload_session *session)
{
    int rc = prepared(session, common_sql[ADD_OP], &session->common[ADD_OP]);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(session->common[ADD_OP], 1, session->id);
    return rc == SQLITE_OK ? workload_run(session, session->common[ADD_OP]) : rc;
}

/* Notes which transaction is the snapshot's newest. */
static int note_newest(struct workload_session *session)
{
    struct workload_step step = {.kind = WORKLOAD_AT};
    int rc = prepared(session, common_sql[NEWEST_OP], &session->common[NEWEST_OP]);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_stmt *statement = session->common[NEWEST_OP];
    rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        step.value = sqlite3_column_int64(statement, 0);
        step.key = sqlite3_column_int64(statement, 1);
    }
    bool answered = rc == SQLITE_ROW || rc == SQLITE_DONE;
    if (!answered)
        rc = workload_judge(session, rc, "reading the newest operation");
    (void)sqlite3_reset(statement);
    if (answered)
        workload_did(session, &step);
    return answered ? SQLITE_OK : rc;
}

void workload_roll_back(struct workload_session *session)
{
    for (int i = 0; i < ROLLBACKS_MAX && !sqlite3_get_autocommit(session->db); i++)
        (void)sqlite3_exec(session->db, "ROLLBACK", NULL, NULL, NULL);
}

int workload_begin(struct workload_session *session, bool writes)
{
    struct workload_client *client = session->client;
    if (workload_history_failed(client->history))
        return SQLITE_NOMEM;
    graft_buf_clear(&session->steps);
    graft_buf_clear(&session->bytes);
    session->id = 0;
    session->steps_lost = false;
    if (writes)
        session->id =
            ((int64_t)client->number << OPS_PER_CLIENT_BITS) + (int64_t)++session->op_count;
    workload_history_invoke(client->history, client->number, client->replica, WORKLOAD_TRANSACTION,
                            session->id);
    int rc = run_common(session, writes ? BEGIN_WRITE : BEGIN_READ);
    if (rc == SQLITE_OK)
        rc = writes ? add_op(session) : note_newest(session);
    if (rc == SQLITE_OK)
        return rc;
    workload_roll_back(session);
    workload_history_end(client->history, client->number, WORKLOAD_FAILED);
    return rc;
}

void workload_did(struct workload_session *session, const struct workload_step *step)
{
    static const uint8_t padding[8];
    struct graft_buf *bytes = &session->bytes;
    struct workload_step copy = *step;
    bool kept = true;
    copy.bytes = NULL;
    copy.other = step->size > 0 ? (int64_t)bytes->size : step->other;
    if (step->size > 0)
        kept = graft_buf_append(bytes, step->bytes, step->size) == GRAFT_OK &&
               graft_buf_append(bytes, padding, -bytes->size & 7) == GRAFT_OK;
    /* A history with a hole in it is worth nothing; a transaction that is not in it does no harm.
     */
    if (!kept || graft_buf_append(&session->steps, &copy, sizeof copy) != GRAFT_OK)
        session->steps_lost = true;
}

static void hand_over_steps(struct workload_session *session)
{
    struct workload_client *client = session->client;
    struct workload_step *steps = (struct workload_step *)(void *)session->steps.bytes;
    size_t count = session->steps.size / sizeof *steps;
    for (size_t i = 0; i < count; i++) {
        if (steps[i].size > 0) {
            steps[i].bytes = session->bytes.bytes + steps[i].other;
            steps[i].other = 0;
        }
    }
    workload_history_did(client->history, client->number, steps, count);
}

/* Whether a COMMIT that failed with `rc` has certainly not happened. */
static bool is_refusal(int rc)
{
    return (rc & 0xff) == SQLITE_BUSY;
}

int workload_end(struct workload_session *session, int rc)
{
    struct workload_client *client = session->client;
    enum workload_outcome outcome = WORKLOAD_FAILED;
    if (rc == SQLITE_OK && session->steps_lost)
        rc = SQLITE_NOMEM;
    if (rc == SQLITE_OK) {
        hand_over_steps(session);
        rc = run_common(session, COMMIT);
        if (rc == SQLITE_OK)
            outcome = WORKLOAD_OK;
        else if (session->id != 0 && !is_refusal(rc))
            outcome = WORKLOAD_UNKNOWN;
    }
    workload_roll_back(session);
    workload_history_end(client->history, client->number, outcome);
    GRAFT_SOMETIMES(outcome == WORKLOAD_UNKNOWN, "a client does not know whether it committed");
    return rc;
}
