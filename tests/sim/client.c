/* The exchange itself. */
#include "sim/client.h"

#include <stdio.h>
#include <string.h>

static enum graft_rc give_body(void *arg, void *bytes, size_t size, size_t *got,
                               struct graft_err *err)
{
    struct client *client = arg;
    (void)err;
    size_t count = client->body_bytes < size ? client->body_bytes : size;
    memcpy(bytes, client->body, count);
    client->body = (const char *)client->body + count;
    client->body_bytes -= count;
    *got = count;
    return GRAFT_OK;
}

static void keep_header(struct graft_exchange *exchange, const char *name, char *out, size_t size)
{
    const char *value = graft_exchange_header(exchange, name);
    (void)snprintf(out, size, "%s", value == NULL ? "" : value);
}

static enum graft_rc read_all(struct client *client, struct graft_exchange *exchange)
{
    for (;;) {
        size_t got = 0;
        size_t room = CLIENT_BODY_MAX - client->size;
        GRAFT_TRY(graft_exchange_read(exchange, client->answer + client->size, room == 0 ? 1 : room,
                                      &got, &client->err));
        if (got == 0)
            return GRAFT_OK;
        client->size += got;
    }
}

enum graft_rc client_ask(struct client *client, const char *method, const char *url)
{
    struct graft_sigv4 keys = {.access_key = client->access_key,
                               .secret_key = client->secret_key,
                               .region = "sim",
                               .service = "s3"};
    struct graft_request request = {
        .method = method,
        .url = url,
        .headers = client->headers,
        .header_count = client->header_count,
        .body = client->body == NULL ? NULL : give_body,
        .body_arg = client,
        .body_bytes = client->body_bytes,
        .sigv4 = client->access_key == NULL ? NULL : &keys,
        .connect_timeout_ms = 5000,
        .stall_timeout_ms = client->stall_timeout_ms == 0 ? 20000 : client->stall_timeout_ms,
    };
    struct graft_exchange *exchange = NULL;
    client->status = 0;
    client->size = 0;
    client->has_head = false;
    enum graft_rc rc = graft_net_start(client->env->net, &request, &exchange, &client->err);
    client->body = NULL;
    client->body_bytes = 0;
    if (rc != GRAFT_OK)
        return rc;
    client->has_head = true;
    client->status = graft_exchange_status(exchange);
    keep_header(exchange, "etag", client->etag, sizeof client->etag);
    keep_header(exchange, "content-range", client->range, sizeof client->range);
    keep_header(exchange, "retry-after", client->retry_after, sizeof client->retry_after);
    keep_header(exchange, "content-length", client->length, sizeof client->length);
    rc = read_all(client, exchange);
    client->answer[client->size] = '\0';
    graft_exchange_finish(exchange);
    return rc;
}
