/* Requests to an S3 store that get their answer: repeated while a failure may pass, with keys and a
 * region that are brought up to date on the way. */
#ifndef GRAFT_REMOTE_S3_CLIENT_H
#define GRAFT_REMOTE_S3_CLIENT_H

#include "remote/s3_request.h"

/* One bucket, as one user of it sees it. Tasks may share it. */
struct graft_s3_client {
    struct graft_env *env;
    struct graft_url url;
    _Atomic uint64_t *requests;          /* counts those that are repeated; the caller's */
    struct graft_mutex *mutex;           /* guards the next two */
    struct graft_s3_access *access;      /* NULL until somebody wants it */
    char region[GRAFT_REGION_BYTES_MAX]; /* that the store named; "" for none */
};

/* A request under way. */
struct graft_s3_call {
    struct graft_s3_client *client;
    struct graft_s3_request request;
    struct graft_s3_access *access; /* of the last attempt */
    struct graft_s3_answer answer;  /* to it */
    uint64_t began_ms;
    uint32_t retries;
    bool keys_renewed, region_learned, time_forgiven;
    bool in_doubt; /* an attempt may have been acted on, and nobody said so */
};

/* Copies the URL; no I/O. ENOMEM. */
GRAFT_MUST_USE enum graft_rc graft_s3_client_init(struct graft_s3_client *client,
                                                  struct graft_env *env,
                                                  const struct graft_url *url,
                                                  _Atomic uint64_t *requests);
/* Wipes the keys. */
void graft_s3_client_deinit(struct graft_s3_client *client);

/* Makes the request until it has an answer that is final, and appends the body of a success to
 * `body`: OK with the answer in `call->answer`, whatever it says. Gives up after
 * GRAFT_REMOTE_RETRIES_MAX retries, or when another one would begin GRAFT_REMOTE_TIMEOUT_MS after
 * the first; codes are those of graft_s3_ask and graft_s3_access_new. Sets the request's time-outs.
 * End the call in any case. */
GRAFT_MUST_USE enum graft_rc graft_s3_call(struct graft_s3_call *call,
                                           struct graft_s3_client *client,
                                           const struct graft_s3_request *request,
                                           struct graft_buf *body, struct graft_err *err);
bool graft_s3_call_succeeded(const struct graft_s3_call *call);
/* What a final answer that is no success means; see s3_failure.h. */
enum graft_rc graft_s3_call_failure(const struct graft_s3_call *call, struct graft_err *err);
void graft_s3_call_end(struct graft_s3_call *call);

#endif
