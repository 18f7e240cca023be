/* S3's error codes, as far as they mean something to us. Stores agree on the statuses and on most
 * of the codes; where a code is not known, the status decides. */
#include "remote/s3_failure.h"

#include <string.h>

static bool is(const struct graft_s3_answer *answer, const char *code)
{
    return strcmp(answer->code, code) == 0;
}

static bool is_any(const struct graft_s3_answer *answer, const char *const *codes)
{
    for (; *codes != NULL; codes++)
        if (is(answer, *codes))
            return true;
    return false;
}

bool graft_s3_is_passing(const struct graft_s3_answer *answer)
{
    static const char *const codes[] = {"RequestTimeout",
                                        "SlowDown",
                                        "Throttling",
                                        "ThrottlingException",
                                        "RequestLimitExceeded",
                                        "BandwidthLimitExceeded",
                                        "ConditionalRequestConflict",
                                        "OperationAborted",
                                        "BadDigest",
                                        "IncompleteBody",
                                        "XAmzContentSHA256Mismatch",
                                        NULL};
    /* What is missing, the store always says: this came from something on the way, or not whole. */
    if (answer->status == 404 && answer->code[0] == '\0')
        return true;
    if (answer->status == 501 || answer->status == 505 || answer->status == 507)
        return false;
    return answer->status >= 500 || answer->status == 408 || answer->status == 409 ||
           answer->status == 425 || answer->status == 429 || is_any(answer, codes);
}

bool graft_s3_is_about_keys(const struct graft_s3_answer *answer)
{
    static const char *const codes[] = {"InvalidAccessKeyId",
                                        "SignatureDoesNotMatch",
                                        "ExpiredToken",
                                        "InvalidToken",
                                        "TokenRefreshRequired",
                                        "AccessDenied",
                                        NULL};
    return is_any(answer, codes);
}

bool graft_s3_is_about_time(const struct graft_s3_answer *answer)
{
    return is(answer, "RequestTimeTooSkewed") || is(answer, "RequestExpired");
}

bool graft_s3_is_about_region(const struct graft_s3_answer *answer)
{
    static const char *const codes[] = {"AuthorizationHeaderMalformed",
                                        "PermanentRedirect",
                                        "TemporaryRedirect",
                                        "Redirect",
                                        "IllegalLocationConstraintException",
                                        "IncorrectEndpoint",
                                        NULL};
    return (answer->status >= 300 && answer->status < 400) || is_any(answer, codes);
}

static const char *source(const struct graft_s3_access *access)
{
    return access->aws.key_source[0] == '\0' ? "the environment" : access->aws.key_source;
}

static enum graft_rc denied(const struct graft_s3_access *access,
                            const struct graft_s3_answer *answer, struct graft_err *err)
{
    if (graft_s3_is_about_time(answer))
        return graft_err_set(err, GRAFT_EDENIED,
                             "the clock of this machine is off: the store says that it is %s; set "
                             "the clock",
                             answer->date[0] == '\0' ? "another time" : answer->date);
    if (access->aws.access_key[0] == '\0')
        return graft_err_set(err, GRAFT_EDENIED,
                             "the store wants keys, and there are none: set AWS_ACCESS_KEY_ID and "
                             "AWS_SECRET_ACCESS_KEY, or a profile in ~/.aws/credentials");
    if (is(answer, "InvalidAccessKeyId"))
        return graft_err_set(err, GRAFT_EDENIED,
                             "the store does not know the access key (from %s): check the key and "
                             "the endpoint %s",
                             source(access), access->endpoint);
    if (is(answer, "SignatureDoesNotMatch"))
        return graft_err_set(err, GRAFT_EDENIED,
                             "the secret key is not the access key's (both from %s): check them",
                             source(access));
    if (is(answer, "ExpiredToken") || is(answer, "InvalidToken") ||
        is(answer, "TokenRefreshRequired"))
        return graft_err_set(err, GRAFT_EDENIED,
                             "the session token (with the keys from %s) is not valid any more: "
                             "renew it",
                             source(access));
    return graft_err_set(err, GRAFT_EDENIED,
                         "the keys (from %s) may not do this (%s): check the keys and the bucket's "
                         "policy",
                         source(access), answer->code[0] == '\0' ? "403" : answer->code);
}

static enum graft_rc wrong_region(const struct graft_s3_access *access, const char *bucket,
                                  const struct graft_s3_answer *answer, struct graft_err *err)
{
    if (answer->region[0] != '\0')
        return graft_err_set(err, GRAFT_EINVAL,
                             "bucket %s is in region %s, and was looked for in %s at %s: add "
                             "region=%s to the URL, or set AWS_REGION",
                             bucket, answer->region, access->region, access->endpoint,
                             answer->region);
    if (answer->location[0] != '\0')
        return graft_err_set(
            err, GRAFT_EINVAL,
            "%s sends us on to %s: name the endpoint that has bucket %s in the URL",
            access->endpoint, answer->location, bucket);
    return graft_err_set(err, GRAFT_EINVAL,
                         "bucket %s is not in region %s at %s (%u %s): name its region and its "
                         "endpoint in the URL",
                         bucket, access->region, access->endpoint, answer->status, answer->code);
}

enum graft_rc graft_s3_failure(const struct graft_s3_access *access, const char *bucket,
                               const struct graft_s3_answer *answer, struct graft_err *err)
{
    uint32_t status = answer->status;
    if (is(answer, "NoSuchBucket"))
        return graft_err_set(err, GRAFT_EUNREACHABLE,
                             "there is no bucket %s at %s: create it, or check the URL", bucket,
                             access->endpoint);
    if (is(answer, "NoSuchKey"))
        return graft_err_set(err, GRAFT_ENOTFOUND, "there is no such object");
    if (is(answer, "QuotaExceeded") || is(answer, "InsufficientCapacity") || status == 507)
        return graft_err_set(err, GRAFT_EFULL, "the store has no space left (%u %s)", status,
                             answer->code);
    if (graft_s3_is_about_region(answer))
        return wrong_region(access, bucket, answer, err);
    if (status == 403 || status == 401 || graft_s3_is_about_time(answer))
        return denied(access, answer, err);
    if (status == 407)
        return graft_err_set(err, GRAFT_EDENIED,
                             "the proxy wants a password: put it into the proxy's URL");
    if (status == 416)
        return graft_err_set(err, GRAFT_ECORRUPT, "the object ends before the range");
    if (is(answer, "EntityTooLarge") || is(answer, "KeyTooLongError") || status == 413)
        return graft_err_set(err, GRAFT_ELIMIT, "the store does not take it (%u %s)", status,
                             answer->code);
    if (answer->code[0] == '\0' && status < 500)
        return graft_err_set(err, GRAFT_EUNREACHABLE,
                             "%s answers %u, and not as S3 does: is it an S3 endpoint?",
                             access->endpoint, status);
    if (graft_s3_is_passing(answer))
        return graft_err_set(err, GRAFT_EUNREACHABLE, "the store answers %u%s%s%s%s", status,
                             answer->code[0] == '\0' ? "" : " ", answer->code,
                             answer->message[0] == '\0' ? "" : ": ", answer->message);
    if (status == 501 || status == 405)
        return graft_err_set(err, GRAFT_EUNSUPPORTED, "the store does not know this: %u %s: %s",
                             status, answer->code, answer->message);
    return graft_err_set(err, GRAFT_EIO, "the store refuses: %u %s: %s", status, answer->code,
                         answer->message);
}
