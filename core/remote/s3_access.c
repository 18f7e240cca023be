/* Decides where a bucket is reached.
 *
 * Endpoint: the URL's, the environment's, else Amazon's for the region. Region: the one that a
 * store named in an answer, the URL's, the environment's, else us-east-1, which stores that have no
 * regions take. Style: the URL's; else the bucket's name stands in the host's name at Amazon and in
 * the path everywhere else, and there too when it has dots, which certificates for *.host do not
 * cover. */
#include "remote/s3_access.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"

static const char default_region[] = "us-east-1";

static enum graft_rc choose_region(const struct graft_url *url, const char *learned,
                                   struct graft_s3_access *access, struct graft_err *err)
{
    const char *region = access->aws.region[0] != '\0' ? access->aws.region : default_region;
    if (url->region[0] != '\0')
        region = url->region;
    if (learned[0] != '\0')
        region = learned;
    if (!graft_region_valid(region))
        return graft_err_set(err, GRAFT_EINVAL,
                             "the environment's AWS region is no region's name: it has letters, "
                             "digits and '-'");
    memcpy(access->region, region, strlen(region) + 1);
    return GRAFT_OK;
}

static enum graft_rc choose_endpoint(const struct graft_url *url, struct graft_s3_access *access,
                                     struct graft_err *err)
{
    if (url->endpoint[0] != '\0') {
        memcpy(access->endpoint, url->endpoint, sizeof access->endpoint);
        return GRAFT_OK;
    }
    if (access->aws.endpoint[0] != '\0')
        return graft_endpoint_parse(access->aws.endpoint, "the environment's AWS endpoint URL",
                                    access->endpoint, err);
    access->is_amazon = true;
    bool china = strncmp(access->region, "cn-", 3) == 0;
    (void)snprintf(access->endpoint, sizeof access->endpoint, "https://s3.%s.amazonaws.com%s",
                   access->region, china ? ".cn" : "");
    return GRAFT_OK;
}

static void put_together(const struct graft_url *url, struct graft_s3_access *access)
{
    bool virtual_host = url->style == GRAFT_S3_STYLE_VIRTUAL;
    if (url->style == GRAFT_S3_STYLE_AUTO)
        virtual_host = access->is_amazon && strchr(url->host, '.') == NULL;
    const char *host = strstr(access->endpoint, "://");
    GRAFT_ASSERT(host != NULL);
    host += 3;
    int length =
        virtual_host
            ? snprintf(access->base, sizeof access->base, "%.*s%s.%s/",
                       (int)(host - access->endpoint), access->endpoint, url->host, host)
            : snprintf(access->base, sizeof access->base, "%s/%s/", access->endpoint, url->host);
    GRAFT_ASSERT(length > 0 && (size_t)length < sizeof access->base);
}

enum graft_rc graft_s3_access_new(struct graft_env *env, const struct graft_url *url,
                                  const char *region, struct graft_s3_access **out,
                                  struct graft_err *err)
{
    GRAFT_ASSERT(url->scheme == GRAFT_SCHEME_S3);
    struct graft_s3_access *access = graft_calloc(env->alloc, 1, sizeof *access);
    if (access == NULL)
        return graft_err_set(err, GRAFT_ENOMEM, "out of memory");
    access->references = 1;
    enum graft_rc rc = graft_net_aws(env->net, &access->aws, err);
    if (rc == GRAFT_OK)
        rc = choose_region(url, region, access, err);
    if (rc == GRAFT_OK)
        rc = choose_endpoint(url, access, err);
    if (rc != GRAFT_OK) {
        graft_s3_access_free(env, access);
        return rc;
    }
    put_together(url, access);
    *out = access;
    return GRAFT_OK;
}

void graft_s3_access_free(struct graft_env *env, struct graft_s3_access *access)
{
    if (access == NULL)
        return;
    sodium_memzero(access, sizeof *access);
    graft_free(env->alloc, access);
}

bool graft_s3_access_equal(const struct graft_s3_access *a, const struct graft_s3_access *b)
{
    return strcmp(a->aws.access_key, b->aws.access_key) == 0 &&
           strcmp(a->aws.secret_key, b->aws.secret_key) == 0 &&
           strcmp(a->aws.session_token, b->aws.session_token) == 0 &&
           strcmp(a->region, b->region) == 0 && strcmp(a->base, b->base) == 0;
}
