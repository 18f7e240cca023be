/* Remote URLs: file:///dir/repo/app, s3://bucket/prefix/app, https://host:port/app (http:// too).
 * The last part of the path is the volume's name; what precedes it is the repository, in which
 * volumes share segments.
 *
 * An s3 URL may say where the bucket is, with '&' between the parameters and escapes in values:
 *
 *   s3://bucket/prefix/app?endpoint=http://host:port&region=NAME&style=path|virtual
 *
 * What it leaves out comes from the environment (graft_net_aws). */
#ifndef GRAFT_REMOTE_URL_H
#define GRAFT_REMOTE_URL_H

#include <stdbool.h>

#include "base/codes.h"
#include "base/limits.h"

enum graft_scheme { GRAFT_SCHEME_FILE, GRAFT_SCHEME_S3, GRAFT_SCHEME_HTTP, GRAFT_SCHEME_HTTPS };

/* Whether the bucket stands in the path or in the host's name; AUTO decides by the endpoint. */
enum graft_s3_style { GRAFT_S3_STYLE_AUTO, GRAFT_S3_STYLE_PATH, GRAFT_S3_STYLE_VIRTUAL };

#define GRAFT_ENDPOINT_BYTES_MAX 256U
#define GRAFT_REGION_BYTES_MAX 64U

struct graft_url {
    enum graft_scheme scheme;
    char host[256]; /* bucket for s3, host[:port] for http(s), empty for file */
    char repository[GRAFT_PATH_BYTES_MAX]; /* file: absolute path; s3: key prefix without slashes at
                                              its ends; else as s3 */
    char volume[GRAFT_NAME_BYTES_MAX];
    /* Of s3 alone; "" for what the URL does not say. */
    char endpoint[GRAFT_ENDPOINT_BYTES_MAX]; /* as graft_endpoint_parse leaves it */
    char region[GRAFT_REGION_BYTES_MAX];
    enum graft_s3_style style;
};

/* Parses and checks; EINVAL with a message that quotes the URL and says what is wrong and what a
 * right one looks like. Percent-escapes in file paths are decoded; "..", empty parts and control
 * characters are refused; user:password@ is refused. */
GRAFT_MUST_USE enum graft_rc graft_url_parse(const char *text, struct graft_url *out,
                                             struct graft_err *err);

/* Checks "http[s]://host[:port]", with or without a slash behind it, and writes it without. EINVAL
 * quotes it, and names `source`, which said it. */
GRAFT_MUST_USE enum graft_rc graft_endpoint_parse(const char *text, const char *source,
                                                  char out[GRAFT_ENDPOINT_BYTES_MAX],
                                                  struct graft_err *err);
/* Whether a region's name can stand in a host's name and a signature: a-z A-Z 0-9 and '-', fewer
 * than GRAFT_REGION_BYTES_MAX. */
bool graft_region_valid(const char *text);

#endif
