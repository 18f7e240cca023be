/* The network seam: one HTTP exchange at a time, bodies as pull readers in both directions, so that
 * back-pressure is everywhere. */
#ifndef GRAFT_ENV_NET_H
#define GRAFT_ENV_NET_H

#include <stddef.h>
#include <stdint.h>

#include "base/codes.h"

struct graft_net;
struct graft_exchange; /* one response under way */

/* Fills `bytes` with up to `size`, sets `*got`; 0 means the end. Blocks. */
typedef enum graft_rc graft_body_fn(void *arg, void *bytes, size_t size, size_t *got,
                                    struct graft_err *err);

struct graft_header {
    const char *name;
    const char *value;
};

/* Secrets for an AWS Signature Version 4; borrowed for the call. */
struct graft_sigv4 {
    const char *access_key;
    const char *secret_key;
    const char *session_token; /* NULL when there is none */
    const char *region;
    const char *service; /* "s3" */
};

struct graft_request {
    const char *method; /* "GET", "HEAD", "PUT", "POST", "DELETE" */
    const char *url;
    const struct graft_header *headers;
    size_t header_count;
    graft_body_fn *body; /* NULL for none */
    void *body_arg;
    uint64_t body_bytes;             /* exact length of the body */
    const struct graft_sigv4 *sigv4; /* NULL for unsigned */
    uint32_t connect_timeout_ms;
    uint32_t
        stall_timeout_ms; /* no byte in either direction for so long ends the exchange; 0 = never */
};

struct graft_net_ops {
    enum graft_rc (*start)(struct graft_net *net, const struct graft_request *request,
                           struct graft_exchange **out, struct graft_err *err);
    uint32_t (*status)(struct graft_exchange *exchange);
    const char *(*header)(struct graft_exchange *exchange, const char *name);
    enum graft_rc (*read)(struct graft_exchange *exchange, void *bytes, size_t size, size_t *got,
                          struct graft_err *err);
    void (*finish)(struct graft_exchange *exchange);
};

struct graft_net {
    const struct graft_net_ops *ops;
    _Atomic uint64_t requests;
};

struct graft_exchange {
    struct graft_net *net;
};

/* Sends the request and returns once the response's head is in. Errors: EUNREACHABLE (name,
 * connect, reset, time-out before a status), EINVAL (URL), ENOMEM, or what the body reader
 * returned. Finish it with graft_exchange_finish. */
GRAFT_MUST_USE enum graft_rc graft_net_start(struct graft_net *net,
                                             const struct graft_request *request,
                                             struct graft_exchange **out, struct graft_err *err);
uint32_t graft_exchange_status(struct graft_exchange *exchange);
/* The value of a response header (name in any case), borrowed until finish; NULL when absent. */
const char *graft_exchange_header(struct graft_exchange *exchange, const char *name);
/* Pulls body bytes; `*got` 0 at the end. A body shorter than its Content-Length is EUNREACHABLE. */
GRAFT_MUST_USE enum graft_rc graft_exchange_read(struct graft_exchange *exchange, void *bytes,
                                                 size_t size, size_t *got, struct graft_err *err);
/* Ends it; an unread body aborts the connection. Accepts NULL. */
void graft_exchange_finish(struct graft_exchange *exchange);

#endif
