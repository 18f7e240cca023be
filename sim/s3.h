/* A simulated object store that answers as S3 (and Ceph's RGW) does, path-style: one bucket at
 * "http://<host>/<bucket>/<key>". GET, HEAD (with Range), PUT (with If-None-Match: *), DELETE,
 * ListObjectsV2, multi-object delete, multipart uploads; XML errors. Requests take effect at once
 * when they arrive, one after the other. ETags are opaque and no MD5. As in RGW, If-None-Match is
 * not honoured when an upload is completed, and a PUT with If-Match is always refused.
 *
 * The faults of the plan whose names begin with `store_` are drawn for each request. */
#ifndef GRAFT_SIM_S3_H
#define GRAFT_SIM_S3_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_machine;
struct sim_s3;

/* Listens on `host` of the machine. With an access key, requests must be signed with it and with
 * the secret, within 15 minutes of the true time; with NULL anybody may do anything. Free it after
 * the world. */
struct sim_s3 *sim_s3_new(struct sim_machine *machine, const char *host, const char *bucket,
                          const char *access_key, const char *secret_key);
void sim_s3_free(struct sim_s3 *s3); /* accepts NULL */

/* ---- For oracles: no request, no fault, no time. */

/* Borrowed until the next change; NULL when there is no such object. */
const void *sim_s3_find(const struct sim_s3 *s3, const char *key, size_t *size);
void sim_s3_put(struct sim_s3 *s3, const char *key, const void *bytes, size_t size);
bool sim_s3_remove(struct sim_s3 *s3, const char *key);
typedef void sim_s3_each_fn(void *arg, const char *key, const void *bytes, size_t size);
/* Ascending. */
void sim_s3_each(const struct sim_s3 *s3, const char *prefix, sim_s3_each_fn *each, void *arg);

struct sim_s3_counts {
    uint64_t requests, gets, heads, puts, lists, deletes, refused;
    uint64_t bytes_in, bytes_out;
};

const struct sim_s3_counts *sim_s3_count(const struct sim_s3 *s3);

#endif
