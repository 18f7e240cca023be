/* Repeats requests. After a failure that may pass it waits for a time that doubles, drawn at random
 * from the upper half of it, so that clients which failed together do not come back together; or
 * for the time that the store names. Refused keys are read anew once, since they may have been
 * renewed; a region that the store names is used from then on. */
#include "remote/s3_client.h"

#include <string.h>

#include "base/catalogue.h"
#include "base/limits.h"
#include "remote/s3_failure.h"

#define CONNECT_TIMEOUT_MS 5000U
#define STALL_TIMEOUT_MS 15000U
#define BACKOFF_MS 100U
#define BACKOFF_MS_MAX 5000U

enum graft_rc graft_s3_client_init(struct graft_s3_client *client, struct graft_env *env,
                                   const struct graft_url *url, _Atomic uint64_t *requests)
{
    struct graft_mutex *mutex = NULL;
    if (graft_mutex_new(env->tasks, &mutex) != GRAFT_OK)
        return GRAFT_ENOMEM;
    memset(client, 0, sizeof *client);
    client->env = env;
    client->url = *url;
    client->requests = requests;
    client->mutex = mutex;
    return GRAFT_OK;
}

void graft_s3_client_deinit(struct graft_s3_client *client)
{
    graft_s3_access_free(client->env, client->access);
    graft_mutex_free(client->mutex);
}

/* ---- Access. */

static void release(struct graft_s3_client *client, struct graft_s3_access *access)
{
    if (access == NULL)
        return;
    graft_mutex_lock(client->mutex);
    bool last = --access->references == 0;
    graft_mutex_unlock(client->mutex);
    if (last)
        graft_s3_access_free(client->env, access);
}

/* The access of now; release it. */
static enum graft_rc acquire(struct graft_s3_client *client, struct graft_s3_access **out,
                             struct graft_err *err)
{
    enum graft_rc rc = GRAFT_OK;
    graft_mutex_lock(client->mutex);
    if (client->access == NULL)
        rc = graft_s3_access_new(client->env, &client->url, client->region, &client->access, err);
    if (rc == GRAFT_OK) {
        client->access->references++;
        *out = client->access;
    }
    graft_mutex_unlock(client->mutex);
    return rc;
}

/* Reads keys and region anew; `*changed` when `access`, which was refused, is not what they say. */
static enum graft_rc renew(struct graft_s3_client *client, const struct graft_s3_access *access,
                           const char *region, bool *changed, struct graft_err *err)
{
    struct graft_s3_access *fresh = NULL;
    struct graft_s3_access *old = NULL;
    graft_mutex_lock(client->mutex);
    if (region[0] != '\0')
        memcpy(client->region, region, strlen(region) + 1);
    enum graft_rc rc = graft_s3_access_new(client->env, &client->url, client->region, &fresh, err);
    if (rc == GRAFT_OK) {
        *changed = !graft_s3_access_equal(access, fresh);
        old = client->access;
        client->access = fresh;
    }
    graft_mutex_unlock(client->mutex);
    release(client, old);
    return rc;
}

/* ---- Attempts. */

static uint64_t now_ms(const struct graft_s3_client *client)
{
    return graft_clock_monotonic_us(client->env->clock) / 1000;
}

/* How long to wait before the next attempt; false when there is to be none. */
static bool next_delay_ms(struct graft_s3_call *call, uint32_t *out)
{
    struct graft_s3_client *client = call->client;
    if (call->retries == GRAFT_REMOTE_RETRIES_MAX)
        return false;
    uint32_t most_ms = BACKOFF_MS << call->retries;
    if (most_ms > BACKOFF_MS_MAX)
        most_ms = BACKOFF_MS_MAX;
    uint32_t delay_ms =
        most_ms / 2 + (uint32_t)(graft_rand_u64(client->env->rand) % (most_ms / 2 + 1));
    if (call->answer.retry_after_ms > delay_ms)
        delay_ms = call->answer.retry_after_ms;
    if (now_ms(client) - call->began_ms + delay_ms >= GRAFT_REMOTE_TIMEOUT_MS)
        return false;
    call->retries++;
    *out = delay_ms;
    return true;
}

/* What can be done about a refusal besides waiting; `*again` when something was. */
static enum graft_rc mend(struct graft_s3_call *call, bool *again, struct graft_err *err)
{
    const struct graft_s3_answer *answer = &call->answer;
    *again = false;
    if (graft_s3_is_about_region(answer) && answer->region[0] != '\0' && !call->region_learned) {
        call->region_learned = true;
        return renew(call->client, call->access, answer->region, again, err);
    }
    if (graft_s3_is_about_keys(answer) && !call->keys_renewed) {
        call->keys_renewed = true;
        return renew(call->client, call->access, "", again, err);
    }
    /* One server of many with a wrong clock is not worth an error. */
    if (graft_s3_is_about_time(answer) && !call->time_forgiven)
        call->time_forgiven = *again = true;
    return GRAFT_OK;
}

static enum graft_rc attempt(struct graft_s3_call *call, struct graft_buf *body,
                             struct graft_err *err)
{
    struct graft_s3_client *client = call->client;
    release(client, call->access);
    call->access = NULL;
    memset(&call->answer, 0, sizeof call->answer);
    GRAFT_TRY(acquire(client, &call->access, err));
    enum graft_rc rc =
        graft_s3_ask(client->env, call->access, &call->request, &call->answer, body, err);
    bool answered = rc == GRAFT_OK && call->answer.status < 500;
    if (call->answer.sent && !answered)
        call->in_doubt = true;
    return rc;
}

enum graft_rc graft_s3_call(struct graft_s3_call *call, struct graft_s3_client *client,
                            const struct graft_s3_request *request, struct graft_buf *body,
                            struct graft_err *err)
{
    *call = (struct graft_s3_call){.client = client, .request = *request};
    call->request.connect_timeout_ms = CONNECT_TIMEOUT_MS;
    call->request.stall_timeout_ms = STALL_TIMEOUT_MS;
    call->began_ms = now_ms(client);
    for (;;) {
        struct graft_err failure = {.rc = GRAFT_OK};
        uint32_t delay_ms = 0;
        bool again = false;
        enum graft_rc rc = attempt(call, body, &failure);
        bool passing = rc == GRAFT_EUNREACHABLE || rc == GRAFT_EIO;
        if (rc == GRAFT_OK) {
            passing = graft_s3_is_passing(&call->answer);
            if (!passing)
                rc = mend(call, &again, &failure);
            if (rc == GRAFT_OK && !passing && !again)
                return GRAFT_OK;
        }
        if (!again && (!passing || !next_delay_ms(call, &delay_ms))) {
            if (rc == GRAFT_OK)
                return GRAFT_OK; /* still busy: that is its answer */
            if (call->retries > 0)
                return graft_err_set(err, rc, "%s (after %u retries)", failure.text, call->retries);
            return graft_err_set(err, rc, "%s", failure.text);
        }
        GRAFT_REACHABLE("s3: a request is made again");
        *client->requests += 1;
        if (delay_ms > 0)
            graft_task_sleep_ms(client->env->tasks, delay_ms);
    }
}

bool graft_s3_call_succeeded(const struct graft_s3_call *call)
{
    return call->answer.status >= 200 && call->answer.status < 300;
}

enum graft_rc graft_s3_call_failure(const struct graft_s3_call *call, struct graft_err *err)
{
    return graft_s3_failure(call->access, call->client->url.host, &call->answer, err);
}

void graft_s3_call_end(struct graft_s3_call *call)
{
    release(call->client, call->access);
    call->access = NULL;
}
