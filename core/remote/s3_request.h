/* One request to an S3 store, and its answer: signed, sent, read and checked, once. */
#ifndef GRAFT_REMOTE_S3_REQUEST_H
#define GRAFT_REMOTE_S3_REQUEST_H

#include "base/buf.h"
#include "remote/s3_access.h"

struct graft_s3_request {
    const char *method;
    const char *key;   /* the object's whole key; "" for the bucket itself */
    const char *query; /* sorted and encoded; "" for none */
    bool ranged; /* ask for [offset, offset + size), or with size 0 for all from `offset` on */
    uint64_t offset, size;
    bool if_absent;
    const void *body; /* NULL for none */
    size_t body_bytes;
    size_t answer_max; /* an answer's body is no longer */
    uint32_t connect_timeout_ms, stall_timeout_ms;
};

struct graft_s3_answer {
    uint32_t status; /* 0: none came */
    /* The whole body went out, so that the store may act on it whatever comes back. */
    bool sent;
    uint32_t retry_after_ms; /* 0: it does not say */
    /* Of a status that is no success, "" for what is not said; without control characters. */
    char code[64]; /* "NoSuchKey" */
    char message[160];
    char region[GRAFT_REGION_BYTES_MAX]; /* where the bucket is, says the store */
    char location[160];                  /* of a redirect */
    char date[40];                       /* the store's clock */
};

/* Sends it and reads the answer to its end; the body of a success is appended to `body`. OK with
 * any status. Else EUNREACHABLE, EIO when the answer is not one to what was asked (another range,
 * too few bytes, too many), ENOMEM, ELIMIT; `body` is then as it was. A 200 for a part of an object
 * is such an EIO. */
GRAFT_MUST_USE enum graft_rc graft_s3_ask(struct graft_env *env,
                                          const struct graft_s3_access *access,
                                          const struct graft_s3_request *request,
                                          struct graft_s3_answer *answer, struct graft_buf *body,
                                          struct graft_err *err);

/* Appends `text` as a value of a query. */
GRAFT_MUST_USE enum graft_rc graft_s3_append_encoded(struct graft_buf *query, const char *text);

#endif
