/* A repository as a prefix of an S3 bucket: an object's key is the prefix, a slash and the key.
 *
 * A PUT that got no answer may have been done, or be done later. Repeating it does no harm: bytes
 * of a key are the same each time, and a conditional PUT finds its own first one in the way. When
 * the last attempt leaves it open too, the object itself is read and compared: with the same bytes
 * it is ours; with others, a conditional PUT has lost; otherwise nobody knows, which is EINDOUBT.
 */
#include "remote/objects_s3.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/catalogue.h"
#include "base/limits.h"
#include "remote/s3_client.h"
#include "remote/s3_xml.h"

#define S3_KEY_BYTES_MAX 1025U /* S3's own limit, and a NUL */
#define LIST_BYTES_MAX (8U << 20)
#define LIST_PAGES_MAX 1000U /* in search of one key that is ours */

struct objects_s3 {
    struct graft_objects objects;
    struct graft_env *env;
    struct graft_s3_client client;
};

static struct objects_s3 *self_of(struct graft_objects *objects)
{
    return (struct objects_s3 *)objects;
}

static const char *repository_of(const struct objects_s3 *self)
{
    return self->client.url.repository;
}

static enum graft_rc fail(const struct objects_s3 *self, enum graft_rc rc, const char *verb,
                          const char *key, struct graft_err *err)
{
    const struct graft_url *url = &self->client.url;
    return graft_err_wrap(err, rc, "%s s3://%s/%s%s%s", verb, url->host, url->repository,
                          url->repository[0] == '\0' ? "" : "/", key);
}

static enum graft_rc full_key(const struct objects_s3 *self, const char *key,
                              char out[S3_KEY_BYTES_MAX], struct graft_err *err)
{
    const char *prefix = repository_of(self);
    if (strlen(prefix) + 1 + strlen(key) >= S3_KEY_BYTES_MAX)
        return graft_err_set(err, GRAFT_ELIMIT, "the key is longer than S3's %u bytes",
                             S3_KEY_BYTES_MAX - 1);
    (void)snprintf(out, S3_KEY_BYTES_MAX, "%s%s%s", prefix, prefix[0] == '\0' ? "" : "/", key);
    return GRAFT_OK;
}

static enum graft_rc get_once(struct objects_s3 *self, const char *key, uint64_t offset,
                              uint64_t size, struct graft_buf *out, struct graft_err *err)
{
    char whole[S3_KEY_BYTES_MAX];
    GRAFT_TRY(full_key(self, key, whole, err));
    struct graft_s3_request request = {
        .method = "GET",
        .key = whole,
        .query = "",
        .ranged = true,
        .offset = offset,
        .size = size,
        .answer_max = GRAFT_OBJECT_BYTES_MAX,
    };
    struct graft_s3_call call;
    enum graft_rc rc = graft_s3_call(&call, &self->client, &request, out, err);
    if (rc == GRAFT_OK && !graft_s3_call_succeeded(&call))
        rc = graft_s3_call_failure(&call, err);
    graft_s3_call_end(&call);
    return rc;
}

static enum graft_rc get(struct graft_objects *objects, const char *key, uint64_t offset,
                         uint64_t size, struct graft_buf *out, struct graft_err *err)
{
    struct objects_s3 *self = self_of(objects);
    enum graft_rc rc = get_once(self, key, offset, size, out, err);
    return rc == GRAFT_OK ? rc : fail(self, rc, "get", key, err);
}

/* Reads the object back. `*same` when it has these bytes; ENOTFOUND when it is not there. */
static enum graft_rc compare(struct objects_s3 *self, const char *key, const void *bytes,
                             size_t size, bool *same, struct graft_err *err)
{
    struct graft_buf found;
    graft_buf_init(&found, self->env->alloc);
    self->objects.counts.requests += 1;
    enum graft_rc rc = get_once(self, key, 0, 0, &found, err);
    if (rc == GRAFT_OK)
        *same = found.size == size && memcmp(found.bytes, bytes, size) == 0;
    graft_buf_deinit(&found);
    return rc;
}

/* A PUT whose outcome nobody told us; `failure` is what the last attempt came to. */
static enum graft_rc settle(struct objects_s3 *self, const char *key, const void *bytes,
                            size_t size, bool if_absent, bool *created,
                            const struct graft_err *failure, struct graft_err *err)
{
    bool same = false;
    struct graft_err ignored = {.rc = GRAFT_OK};
    enum graft_rc rc = compare(self, key, bytes, size, &same, &ignored);
    if (rc == GRAFT_OK && (same || if_absent)) {
        GRAFT_REACHABLE("s3: a PUT without an answer was looked up");
        *created = same;
        return GRAFT_OK;
    }
    GRAFT_REACHABLE("s3: a PUT is in doubt");
    if (GRAFT_MUTANT("remote: a PUT in doubt is taken for done")) {
        *created = true;
        return GRAFT_OK;
    }
    return graft_err_set(err, GRAFT_EINDOUBT, "it may have been written or not: %s",
                         failure->rc == GRAFT_OK ? ignored.text : failure->text);
}

static enum graft_rc put_once(struct objects_s3 *self, const char *key, const void *bytes,
                              size_t size, bool if_absent, bool *created, struct graft_err *err)
{
    char whole[S3_KEY_BYTES_MAX];
    GRAFT_TRY(full_key(self, key, whole, err));
    struct graft_s3_request request = {
        .method = "PUT",
        .key = whole,
        .query = "",
        .if_absent = if_absent && !GRAFT_MUTANT("remote: a PUT forgets its condition"),
        .body = size == 0 ? "" : bytes,
        .body_bytes = size,
        .answer_max = LIST_BYTES_MAX,
    };
    struct graft_s3_call call;
    struct graft_buf body;
    struct graft_err failure = {.rc = GRAFT_OK};
    graft_buf_init(&body, self->env->alloc);
    enum graft_rc rc = graft_s3_call(&call, &self->client, &request, &body, &failure);
    bool there = rc == GRAFT_OK && if_absent && call.answer.status == 412;
    bool done = rc == GRAFT_OK && graft_s3_call_succeeded(&call);
    if (rc == GRAFT_OK && !there && !done)
        rc = graft_s3_call_failure(&call, &failure);
    if (done)
        *created = true;
    else if (call.in_doubt)
        rc = settle(self, key, bytes, size, if_absent, created, &failure, err);
    else if (there)
        *created = false;
    else
        rc = graft_err_set(err, rc, "%s", failure.text);
    graft_s3_call_end(&call);
    graft_buf_deinit(&body);
    return rc;
}

static enum graft_rc put(struct graft_objects *objects, const char *key, const void *bytes,
                         size_t size, bool if_absent, bool *created, struct graft_err *err)
{
    struct objects_s3 *self = self_of(objects);
    enum graft_rc rc = put_once(self, key, bytes, size, if_absent, created, err);
    return rc == GRAFT_OK ? rc : fail(self, rc, "put", key, err);
}

static enum graft_rc remove_once(struct objects_s3 *self, const char *key, struct graft_err *err)
{
    char whole[S3_KEY_BYTES_MAX];
    GRAFT_TRY(full_key(self, key, whole, err));
    struct graft_s3_request request = {
        .method = "DELETE", .key = whole, .query = "", .answer_max = LIST_BYTES_MAX};
    struct graft_s3_call call;
    struct graft_buf body;
    graft_buf_init(&body, self->env->alloc);
    enum graft_rc rc = graft_s3_call(&call, &self->client, &request, &body, err);
    if (rc == GRAFT_OK && !graft_s3_call_succeeded(&call))
        rc = graft_s3_call_failure(&call, err);
    graft_s3_call_end(&call);
    graft_buf_deinit(&body);
    return rc == GRAFT_ENOTFOUND ? GRAFT_OK : rc;
}

static enum graft_rc remove_object(struct graft_objects *objects, const char *key,
                                   struct graft_err *err)
{
    struct objects_s3 *self = self_of(objects);
    enum graft_rc rc = remove_once(self, key, err);
    return rc == GRAFT_OK ? rc : fail(self, rc, "remove", key, err);
}

static void close_objects(struct graft_objects *objects)
{
    struct objects_s3 *self = self_of(objects);
    graft_s3_client_deinit(&self->client);
    graft_free(self->env->alloc, self);
}

/* ---- Listing. */

/* What one page of a listing says. It is read twice: first to see that all of it makes sense, then
 * to hand its keys out, so that no key of an answer that ends in nonsense was handed out before. */
struct page {
    const struct objects_s3 *self;
    /* The first reading. */
    bool is_listing, truncated, encoded;
    char token[GRAFT_S3_XML_TEXT_BYTES];
    /* Of the Contents that are being read. */
    char key[GRAFT_S3_XML_TEXT_BYTES];
    uint64_t size;
    /* The second reading; NULL in the first. */
    graft_objects_list_fn *each;
    void *arg;
    uint32_t yielded;
    bool lies; /* about keys that were not asked for */
};

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* In place, as encoding-type=url has it. */
static bool decode_key(char *text)
{
    char *out = text;
    for (; *text != '\0'; text++) {
        int high = 0;
        int low = 0;
        if (*text == '%') {
            high = hex_value(text[1]);
            low = high < 0 ? -1 : hex_value(text[2]);
            if (low < 0 || high + low == 0)
                return false;
            *out++ = (char)(unsigned char)(high * 16 + low);
            text += 2;
        } else {
            *out++ = *text == '+' ? ' ' : *text;
        }
    }
    *out = '\0';
    return true;
}

/* Keys that nobody can have written through this interface are somebody else's. */
static bool could_be_ours(const char *key)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                  "._-/";
    size_t length = strspn(key, allowed);
    return length > 0 && key[length] == '\0' && length < GRAFT_KEY_BYTES_MAX &&
           key[length - 1] != '/';
}

/* The key relative to the repository; NULL when it is not below it, which is a lie. */
static const char *relative_key(struct page *page)
{
    const char *prefix = repository_of(page->self);
    size_t prefix_bytes = strlen(prefix);
    if (page->encoded && !decode_key(page->key))
        return NULL;
    if (prefix_bytes == 0)
        return page->key;
    if (strncmp(page->key, prefix, prefix_bytes) != 0 || page->key[prefix_bytes] != '/')
        return NULL;
    return page->key + prefix_bytes + 1;
}

static enum graft_rc end_of_contents(struct page *page)
{
    if (page->each == NULL)
        return page->key[0] == '\0' ? GRAFT_ECORRUPT : GRAFT_OK;
    const char *key = relative_key(page);
    if (key == NULL) {
        page->lies = true;
        return GRAFT_ECORRUPT;
    }
    if (!could_be_ours(key))
        return GRAFT_OK;
    page->yielded++;
    return page->each(page->arg, key, page->size);
}

static enum graft_rc take_element(void *arg, unsigned depth, const char *parent, const char *name,
                                  const char *text)
{
    struct page *page = arg;
    if (depth == 1)
        page->is_listing = strcmp(name, "ListBucketResult") == 0;
    if (depth == 2 && strcmp(name, "IsTruncated") == 0)
        page->truncated = strcmp(text, "true") == 0;
    if (depth == 2 && strcmp(name, "EncodingType") == 0)
        page->encoded = strcmp(text, "url") == 0;
    if (depth == 2 && strcmp(name, "NextContinuationToken") == 0)
        memcpy(page->token, text, strlen(text) + 1);
    if (depth == 3 && strcmp(parent, "Contents") == 0 && strcmp(name, "Key") == 0)
        memcpy(page->key, text, strlen(text) + 1);
    if (depth == 3 && strcmp(parent, "Contents") == 0 && strcmp(name, "Size") == 0)
        page->size = strtoull(text, NULL, 10);
    if (depth != 2 || strcmp(name, "Contents") != 0)
        return GRAFT_OK;
    enum graft_rc rc = end_of_contents(page);
    page->key[0] = '\0';
    return rc;
}

static enum graft_rc append_text(struct graft_buf *query, const char *text)
{
    return graft_buf_append(query, text, strlen(text));
}

/* Sorted by name, as it is signed. */
static enum graft_rc make_query(const struct objects_s3 *self, const char *prefix,
                                const char *after, uint32_t keys_max, const char *token,
                                struct graft_buf *query)
{
    const char *repository = repository_of(self);
    const char *slash = repository[0] == '\0' ? "" : "/";
    char number[32];
    if (token[0] != '\0') {
        GRAFT_TRY(append_text(query, "continuation-token="));
        GRAFT_TRY(graft_s3_append_encoded(query, token));
        GRAFT_TRY(append_text(query, "&"));
    }
    (void)snprintf(number, sizeof number, "&max-keys=%u", keys_max);
    GRAFT_TRY(append_text(query, "encoding-type=url&list-type=2"));
    GRAFT_TRY(append_text(query, number));
    GRAFT_TRY(append_text(query, "&prefix="));
    GRAFT_TRY(graft_s3_append_encoded(query, repository));
    GRAFT_TRY(graft_s3_append_encoded(query, slash));
    GRAFT_TRY(graft_s3_append_encoded(query, prefix));
    if (token[0] == '\0' && strcmp(after, prefix) > 0) {
        GRAFT_TRY(append_text(query, "&start-after="));
        GRAFT_TRY(graft_s3_append_encoded(query, repository));
        GRAFT_TRY(graft_s3_append_encoded(query, slash));
        GRAFT_TRY(graft_s3_append_encoded(query, after));
    }
    return graft_buf_append(query, "", 1);
}

/* Asks for a page and reads it the first time. What is no listing is asked for again: something on
 * the way may have put its own word in. */
static enum graft_rc fetch_page(struct objects_s3 *self, const struct graft_buf *query,
                                struct page *page, struct graft_buf *body, struct graft_err *err)
{
    struct graft_s3_request request = {.method = "GET",
                                       .key = "",
                                       .query = (const char *)query->bytes,
                                       .answer_max = LIST_BYTES_MAX};
    for (uint32_t retries = 0;; retries++) {
        struct graft_s3_call call;
        struct graft_err failure = {.rc = GRAFT_OK};
        graft_buf_clear(body);
        enum graft_rc rc = graft_s3_call(&call, &self->client, &request, body, err);
        if (rc == GRAFT_OK && !graft_s3_call_succeeded(&call))
            rc = graft_s3_call_failure(&call, err);
        graft_s3_call_end(&call);
        if (rc != GRAFT_OK)
            return rc;
        page->is_listing = page->truncated = page->encoded = false;
        page->token[0] = page->key[0] = '\0';
        rc = graft_s3_xml_read((const char *)body->bytes, body->size, take_element, page, &failure);
        if (rc == GRAFT_OK && page->is_listing && (!page->truncated || page->token[0] != '\0'))
            return GRAFT_OK;
        if (retries == GRAFT_REMOTE_RETRIES_MAX)
            return graft_err_set(err, GRAFT_ECORRUPT, "the store's listing makes no sense%s%s",
                                 failure.rc == GRAFT_OK ? "" : ": ", failure.text);
        self->objects.counts.requests += 1;
    }
}

/* Pages that hold nothing but other people's keys are passed over. `*ours` when it is the caller's
 * function that ended it, and not the store. */
static enum graft_rc list_pages(struct objects_s3 *self, const char *prefix, const char *after,
                                uint32_t keys_max, struct page *page, graft_objects_list_fn *each,
                                void *arg, bool *ours, struct graft_err *err)
{
    struct graft_buf query;
    struct graft_buf body;
    char token[GRAFT_S3_XML_TEXT_BYTES] = "";
    enum graft_rc rc = GRAFT_OK;
    graft_buf_init(&query, self->env->alloc);
    graft_buf_init(&body, self->env->alloc);
    for (uint32_t pages = 0; rc == GRAFT_OK; pages++) {
        graft_buf_clear(&query);
        page->each = NULL;
        if (make_query(self, prefix, after, keys_max, token, &query) != GRAFT_OK)
            rc = graft_err_set(err, GRAFT_ENOMEM, "out of memory");
        else
            rc = fetch_page(self, &query, page, &body, err);
        if (rc != GRAFT_OK)
            break;
        memcpy(token, page->token, sizeof token);
        page->each = each;
        page->arg = arg;
        rc = graft_s3_xml_read((const char *)body.bytes, body.size, take_element, page, NULL);
        *ours = rc != GRAFT_OK && !page->lies;
        if (page->lies)
            rc = graft_err_set(err, rc, "the store lists a key that was not asked for");
        if (page->yielded > 0 || !page->truncated)
            break;
        if (rc == GRAFT_OK && pages == LIST_PAGES_MAX)
            rc = graft_err_set(err, GRAFT_ELIMIT, "more than %u pages of keys that are not Graft's",
                               LIST_PAGES_MAX);
    }
    graft_buf_deinit(&query);
    graft_buf_deinit(&body);
    return rc;
}

static enum graft_rc list(struct graft_objects *objects, const char *prefix, const char *after,
                          uint32_t keys_max, graft_objects_list_fn *each, void *arg,
                          struct graft_err *err)
{
    struct objects_s3 *self = self_of(objects);
    struct page *page = graft_calloc(self->env->alloc, 1, sizeof *page);
    bool ours = false;
    if (page == NULL)
        return graft_err_set(err, GRAFT_ENOMEM, "out of memory");
    page->self = self;
    enum graft_rc rc = list_pages(self, prefix, after, keys_max, page, each, arg, &ours, err);
    graft_free(self->env->alloc, page);
    return rc == GRAFT_OK || ours ? rc : fail(self, rc, "list", prefix, err);
}

static const struct graft_objects_ops ops = {
    .close = close_objects,
    .get = get,
    .put = put,
    .list = list,
    .remove = remove_object,
};

enum graft_rc graft_objects_s3_open(struct graft_env *env, const struct graft_url *url,
                                    struct graft_objects **out, struct graft_err *err)
{
    GRAFT_ASSERT(url->scheme == GRAFT_SCHEME_S3);
    struct objects_s3 *self = graft_calloc(env->alloc, 1, sizeof *self);
    enum graft_rc rc = GRAFT_ENOMEM;
    if (self != NULL)
        rc = graft_s3_client_init(&self->client, env, url, &self->objects.counts.requests);
    if (rc != GRAFT_OK) {
        graft_free(env->alloc, self);
        return graft_err_set(err, rc, "open s3://%s/%s: out of memory", url->host, url->repository);
    }
    self->objects.ops = &ops;
    self->env = env;
    *out = &self->objects;
    return GRAFT_OK;
}
