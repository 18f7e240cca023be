/* What a store's refusal means, and what somebody is to do about it. */
#ifndef GRAFT_REMOTE_S3_FAILURE_H
#define GRAFT_REMOTE_S3_FAILURE_H

#include "remote/s3_request.h"

/* Whether the same request may well be answered otherwise in a while. */
bool graft_s3_is_passing(const struct graft_s3_answer *answer);
/* Whether it was refused for the keys, which may have been renewed meanwhile. */
bool graft_s3_is_about_keys(const struct graft_s3_answer *answer);
/* Whether it was refused for its time. */
bool graft_s3_is_about_time(const struct graft_s3_answer *answer);
/* Whether it was refused for the region, and the answer may name the right one. */
bool graft_s3_is_about_region(const struct graft_s3_answer *answer);
/* The code and the message of a refusal that is final. */
enum graft_rc graft_s3_failure(const struct graft_s3_access *access, const char *bucket,
                               const struct graft_s3_answer *answer, struct graft_err *err);

#endif
