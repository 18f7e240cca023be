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
    /* No byte in either direction for so long ends the exchange, and so do, over such a time, fewer
     * bytes than it has milliseconds: whoever sends slowly forever. 0: never. */
    uint32_t stall_timeout_ms;
};

#define GRAFT_AWS_TOKEN_BYTES_MAX 4096U

/* How this process is set up to speak to S3: what the environment says of it, wherever that keeps
 * such things. An empty text is something that nobody has said. It holds secrets: keep it in memory
 * alone, put it into no message, and wipe it. */
struct graft_aws {
    char access_key[256]; /* "" for requests that are not signed; then the next two are too */
    char secret_key[256];
    char session_token[GRAFT_AWS_TOKEN_BYTES_MAX];
    char region[64];
    char endpoint[256];   /* "http[s]://host[:port][/path]" */
    char key_source[256]; /* where the keys come from, in words */
};

struct graft_net_ops {
    enum graft_rc (*start)(struct graft_net *net, const struct graft_request *request,
                           struct graft_exchange **out, struct graft_err *err);
    uint32_t (*status)(struct graft_exchange *exchange);
    const char *(*header)(struct graft_exchange *exchange, const char *name);
    enum graft_rc (*read)(struct graft_exchange *exchange, void *bytes, size_t size, size_t *got,
                          struct graft_err *err);
    void (*finish)(struct graft_exchange *exchange);
    enum graft_rc (*aws)(struct graft_net *net, struct graft_aws *out, struct graft_err *err);
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

/* Reads what is said now: it may differ from the last time, since keys get renewed. EINVAL for what
 * makes no sense, EIO and EDENIED for files that cannot be read; messages name variable or file,
 * never a value that may be secret. */
GRAFT_MUST_USE enum graft_rc graft_net_aws(struct graft_net *net, struct graft_aws *out,
                                           struct graft_err *err);

#endif
