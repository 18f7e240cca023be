/* Remote URLs: file:///dir/repo/app, s3://bucket/prefix/app, https://host:port/app (http:// too).
 * The last part of the path is the volume's name; what precedes it is the repository, in which
 * volumes share segments. */
#ifndef GRAFT_REMOTE_URL_H
#define GRAFT_REMOTE_URL_H

#include <stdbool.h>

#include "base/codes.h"
#include "base/limits.h"

enum graft_scheme { GRAFT_SCHEME_FILE, GRAFT_SCHEME_S3, GRAFT_SCHEME_HTTP, GRAFT_SCHEME_HTTPS };

struct graft_url {
    enum graft_scheme scheme;
    char host[256]; /* bucket for s3, host[:port] for http(s), empty for file */
    char repository[GRAFT_PATH_BYTES_MAX]; /* file: absolute path; s3: key prefix without slashes at
                                              its ends; else as s3 */
    char volume[GRAFT_NAME_BYTES_MAX];
};

/* Parses and checks; EINVAL with a message that quotes the URL and says what is wrong and what a
 * right one looks like. Percent-escapes in file paths are decoded; "..", empty parts and control
 * characters are refused; user:password@ is refused. */
GRAFT_MUST_USE enum graft_rc graft_url_parse(const char *text, struct graft_url *out,
                                             struct graft_err *err);

#endif
