/* The object store's verbs over an S3 bucket. */
#ifndef GRAFT_REMOTE_OBJECTS_S3_H
#define GRAFT_REMOTE_OBJECTS_S3_H

#include "remote/objects.h"

/* The repository at the prefix `url->repository` of the bucket `url->host`; `url` is an s3 URL.
 * Reads keys and the like at the first verb, and anew when the store refuses them. Beyond what
 * objects.h says: a bucket that does not exist is EUNREACHABLE, since no verb would make it; EINVAL
 * is a wrong region, or a setting that makes no sense; EUNSUPPORTED a store that does not know
 * conditional PUT. A verb gives up after GRAFT_REMOTE_RETRIES_MAX retries, or when another one
 * would begin GRAFT_REMOTE_TIMEOUT_MS after the first. ENOMEM. */
GRAFT_MUST_USE enum graft_rc graft_objects_s3_open(struct graft_env *env,
                                                   const struct graft_url *url,
                                                   struct graft_objects **out,
                                                   struct graft_err *err);

#endif
