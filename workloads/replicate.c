/* The verbs of replication as clients use them, and looking at what a replica holds. */
#include <stdio.h>
#include <string.h>

#include "base/catalogue.h"
#include "graft/graft.h"
#include "workloads/session.h"

/* A verb's failure says what the way out is; a divergence is known by it. */
static int verb(struct workload_session *session, const char *sql, char *answer, size_t size)
{
    sqlite3_stmt *statement = NULL;
    answer[0] = '\0';
    int rc = sqlite3_prepare_v2(session->db, sql, -1, &statement, NULL);
    if (rc == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(statement, 0);
        (void)snprintf(answer, size, "%s", text != NULL ? text : "");
    }
    int finalized = sqlite3_finalize(statement);
    rc = rc == SQLITE_OK ? finalized : rc;
    session->diverged =
        (rc & 0xff) == SQLITE_ERROR && strstr(sqlite3_errmsg(session->db), "graft_reset") != NULL;
    return session->diverged ? rc : workload_judge(session, rc, sql);
}

static int recorded_verb(struct workload_session *session, enum workload_kind kind, const char *sql,
                         char *answer, size_t size)
{
    struct workload_client *client = session->client;
    if (workload_history_failed(client->history))
        return SQLITE_NOMEM;
    workload_history_invoke(client->history, client->number, client->replica, kind, 0);
    int rc = verb(session, sql, answer, size);
    workload_history_end(client->history, client->number,
                         rc == SQLITE_OK ? WORKLOAD_OK : WORKLOAD_UNKNOWN);
    return rc;
}

int workload_push(struct workload_session *session)
{
    char answer[128];
    bool in_doubt = session->push_in_doubt;
    int rc = recorded_verb(session, WORKLOAD_PUSH, "PRAGMA graft_push", answer, sizeof answer);
    session->push_in_doubt = rc != SQLITE_OK && !session->diverged;
    GRAFT_SOMETIMES(in_doubt && rc == SQLITE_OK && strcmp(answer, "nothing to push") == 0,
                    "a push in doubt turns out to have landed");
    GRAFT_SOMETIMES(in_doubt && session->diverged, "a push in doubt turns out to have lost");
    GRAFT_SOMETIMES(session->diverged, "a client finds at a push that the remote moved");
    return rc;
}

int workload_pull(struct workload_session *session)
{
    char answer[128];
    int rc = recorded_verb(session, WORKLOAD_PULL, "PRAGMA graft_pull", answer, sizeof answer);
    GRAFT_SOMETIMES(session->diverged, "a client finds at a pull that both sides moved");
    GRAFT_SOMETIMES(rc == SQLITE_OK && strncmp(answer, "pulled", 6) == 0,
                    "a client pulls what others pushed");
    return rc;
}

int workload_reset(struct workload_session *session)
{
    char answer[128];
    int rc = recorded_verb(session, WORKLOAD_RESET, "PRAGMA graft_reset", answer, sizeof answer);
    GRAFT_SOMETIMES(rc == SQLITE_OK && strncmp(answer, "dropped", 7) == 0,
                    "a client drops commits that it could not push");
    return rc == SQLITE_OK ? workload_survey(session) : rc;
}

int workload_hydrate(struct workload_session *session)
{
    static const char sql[] = "PRAGMA graft_hydrate";
    int rc = sqlite3_exec(session->db, sql, NULL, NULL, NULL);
    bool too_large = (rc & 0xff) == SQLITE_ERROR &&
                     strstr(sqlite3_errmsg(session->db), "graft_cache_limit") != NULL;
    GRAFT_SOMETIMES(too_large, "a client finds that a volume does not fit its cache limit");
    return too_large ? SQLITE_OK : workload_judge(session, rc, sql);
}

int workload_survey(struct workload_session *session)
{
    struct workload_client *client = session->client;
    struct graft_buf ids;
    sqlite3_stmt *statement = NULL;
    graft_buf_init(&ids, client->env->alloc);
    workload_history_invoke(client->history, client->number, client->replica, WORKLOAD_SURVEY, 0);
    int rc = workload_survey_statement(session, &statement);
    while (rc == SQLITE_OK) {
        rc = sqlite3_step(statement);
        if (rc != SQLITE_ROW)
            break;
        int64_t id = sqlite3_column_int64(statement, 0);
        rc = graft_buf_append(&ids, &id, sizeof id) == GRAFT_OK ? SQLITE_OK : SQLITE_NOMEM;
    }
    rc = rc == SQLITE_DONE ? SQLITE_OK : workload_judge(session, rc, "surveying");
    (void)sqlite3_reset(statement);
    struct workload_step step = {.kind = WORKLOAD_SEEN, .bytes = ids.bytes, .size = ids.size};
    if (rc == SQLITE_OK)
        workload_history_did(client->history, client->number, &step, 1);
    workload_history_end(client->history, client->number,
                         rc == SQLITE_OK ? WORKLOAD_OK : WORKLOAD_UNKNOWN);
    graft_buf_deinit(&ids);
    return rc;
}

int workload_synchronise(struct workload_session *session)
{
    int rc = workload_push(session);
    if (session->diverged)
        rc = workload_reset(session);
    if (rc == SQLITE_OK)
        rc = workload_pull(session);
    return rc;
}

int workload_settle(struct workload_client *client)
{
    struct workload_session session;
    int rc = workload_session_open(&session, client, NULL, 0);
    if (rc == SQLITE_OK)
        rc = workload_synchronise(&session);
    if (rc == SQLITE_OK)
        rc = workload_survey(&session);
    workload_session_close(&session);
    return rc;
}

/* The check goes on past a page that could not be read, and says so in its rows, with the code;
 * what it says after that means nothing. */
static bool tells_of_an_error(const char *row)
{
    return strstr(row, "error code=") != NULL || strstr(row, "failed to get page") != NULL ||
           strstr(row, "returns error code") != NULL;
}

int workload_integrity(struct workload_session *session)
{
    sqlite3_stmt *statement = NULL;
    char first[256] = "";
    bool unread = false;
    int rc = sqlite3_prepare_v2(session->db, "PRAGMA integrity_check", -1, &statement, NULL);
    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(statement);
        if (rc != SQLITE_ROW)
            break;
        const char *row = (const char *)sqlite3_column_text(statement, 0);
        if (row == NULL)
            row = "";
        unread = unread || tells_of_an_error(row);
        if (strcmp(row, "ok") != 0 && first[0] == '\0')
            (void)snprintf(first, sizeof first, "%s", row);
    }
    rc = rc == SQLITE_DONE ? SQLITE_OK : workload_judge(session, rc, "checking integrity");
    (void)sqlite3_finalize(statement);
    if (rc == SQLITE_OK && unread)
        return SQLITE_IOERR_READ;
    if (rc == SQLITE_OK && first[0] != '\0')
        workload_violated(session->client, "the integrity check finds damage", "%s", first);
    return rc;
}

/* ---- Verifying ---- */

static enum graft_rc verify_as(struct graft_process *process, const char *directory,
                               struct graft_verify_result *result, struct graft_err *err)
{
    static const struct graft_volume_options as_it_is = {.create = false};
    struct graft_volume *volume = NULL;
    GRAFT_TRY(graft_volume_open(process, directory, &as_it_is, &volume, err));
    enum graft_rc rc = graft_verify(volume, NULL, NULL, result, err);
    graft_volume_close(volume);
    return rc;
}

int workload_verify(struct workload_session *session)
{
    struct workload_client *client = session->client;
    const char *directory = sqlite3_db_filename(session->db, "main");
    struct graft_process *process = NULL;
    struct graft_verify_result result = {.pages = 0};
    struct graft_err err = {.rc = GRAFT_OK};
    enum graft_rc rc = graft_process_new(client->env, &process, &err);
    if (rc == GRAFT_OK)
        rc = verify_as(process, directory, &result, &err);
    graft_process_free(process);
    if (rc == GRAFT_ECORRUPT && !client->may_report_damage)
        workload_violated(client, "the database is reported as damaged", "verifying: %s", err.text);
    GRAFT_SOMETIMES(rc == GRAFT_OK && result.repaired > 0, "a client's check repairs a page");
    return rc == GRAFT_OK ? SQLITE_OK : SQLITE_IOERR;
}
