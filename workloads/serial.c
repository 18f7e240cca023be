/* The last steps of the workloads whose history is checked for cycles. */
#include "workloads/serial.h"

#include "base/catalogue.h"

int workload_expect_none(struct workload_session *session, size_t statement, const char *signature,
                         const char *what)
{
    sqlite3_stmt *count = NULL;
    int rc = workload_statement(session, statement, &count);
    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_step(count);
    if (rc == SQLITE_ROW && sqlite3_column_int64(count, 0) != 0)
        workload_violated(session->client, signature, "%s: %d of them", what,
                          sqlite3_column_int(count, 0));
    rc = rc == SQLITE_ROW ? SQLITE_OK : workload_judge(session, rc, what);
    (void)sqlite3_reset(count);
    return rc;
}

int workload_finish_serial(struct workload_session *session,
                           int (*read_all)(struct workload_session *session), const size_t *order,
                           size_t count)
{
    int code = read_all(session);
    if (code != SQLITE_OK)
        return code;
    struct workload_client *client = session->client;
    struct workload_verdict verdict = {.signature = NULL};
    enum graft_rc rc = workload_check_serial(client->history, client->env->alloc, order, count,
                                             !client->may_lose_commits, &verdict);
    if (rc == GRAFT_OK)
        rc = workload_check_replay(client->history, client->env->alloc, order, count, &verdict);
    if (rc != GRAFT_OK)
        return SQLITE_NOMEM;
    if (verdict.signature != NULL)
        workload_violated(client, verdict.signature, "%s", verdict.text);
    GRAFT_ALWAYS(verdict.signature == NULL, "a history is that of one transaction after another");
    return SQLITE_OK;
}
