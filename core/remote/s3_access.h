/* Where a bucket is, and as whom it is asked: the URL's word first, then the environment's. */
#ifndef GRAFT_REMOTE_S3_ACCESS_H
#define GRAFT_REMOTE_S3_ACCESS_H

#include "env/env.h"
#include "remote/url.h"

/* Counted, and never changed: whoever has a request under way keeps the one it began with. */
struct graft_s3_access {
    struct graft_aws aws;
    char region[GRAFT_REGION_BYTES_MAX];
    char endpoint[GRAFT_ENDPOINT_BYTES_MAX]; /* without the bucket */
    bool is_amazon; /* no endpoint was named: the region says where the bucket is */
    /* What an object's key is put behind: "https://bucket.host/" or "http://host/bucket/". */
    char base[GRAFT_ENDPOINT_BYTES_MAX + 80];
    unsigned references; /* guarded by whoever shares it */
};

/* Reads the environment's word and decides. `region` goes before everybody's ("": none). EINVAL for
 * what makes no sense, ENOMEM, and what graft_net_aws answers. Starts with one reference. */
GRAFT_MUST_USE enum graft_rc graft_s3_access_new(struct graft_env *env, const struct graft_url *url,
                                                 const char *region, struct graft_s3_access **out,
                                                 struct graft_err *err);
/* Wipes the keys and frees it, whatever it counts. Accepts NULL. */
void graft_s3_access_free(struct graft_env *env, struct graft_s3_access *access);
/* Whether both would ask the same of the same. */
bool graft_s3_access_equal(const struct graft_s3_access *a, const struct graft_s3_access *b);

#endif
