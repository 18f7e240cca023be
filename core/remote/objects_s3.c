/* A repository as a prefix of an S3 bucket: an object's key is the prefix, a slash and the key.
 *
 * Every verb is one request, repeated while its failures may pass: after a time that doubles and is
 * drawn at random below that, so that clients which failed together do not come back together, or
 * after the time that the store names. Refused keys are read anew once, since they may have been
 * renewed; a region that the store names is used from then on.
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
#include "remote/s3_failure.h"
#include "remote/s3_xml.h"

#define S3_KEY_BYTES_MAX 1025U /* S3's own limit, and a NUL */
#define CONNECT_TIMEOUT_MS 5000U
#define STALL_TIMEOUT_MS 15000U
#define BACKOFF_MS 100U
#define BACKOFF_MS_MAX 5000U
#define LIST_BYTES_MAX (8U << 20)
#define LIST_PAGES_MAX 1000U /* in search of one key that is ours */

struct objects_s3 {
    struct graft_objects objects;
    struct graft_env *env;
    struct graft_mutex *mutex;           /* guards the next three */
    struct graft_s3_access *access;      /* NULL until somebody wants it */
    char region[GRAFT_REGION_BYTES_MAX]; /* that the store named; "" for none */
    struct graft_url url;
};

static struct objects_s3 *self_of(struct graft_objects *objects)
{
    return (struct objects_s3 *)objects;
}

/* ---- Access. */

static void release(struct objects_s3 *self, struct graft_s3_access *access)
{
    if (access == NULL)
        return;
    graft_mutex_lock(self->mutex);
    bool last = --access->references == 0;
    graft_mutex_unlock(self->mutex);
    if (last)
        graft_s3_access_free(self->env, access);
}

/* The access of now; release it. */
static enum graft_rc acquire(struct objects_s3 *self, struct graft_s3_access **out,
                             struct graft_err *err)
{
    enum graft_rc rc = GRAFT_OK;
    graft_mutex_lock(self->mutex);
    if (self->access == NULL)
        rc = graft_s3_access_new(self->env, &self->url, self->region, &self->access, err);
    if (rc == GRAFT_OK) {
        self->access->references++;
        *out = self->access;
    }
    graft_mutex_unlock(self->mutex);
    return rc;
}

/* Reads keys and region anew; `*changed` when `access`, which was refused, is not what they say. */
static enum graft_rc renew(struct objects_s3 *self, const struct graft_s3_access *access,
                           const char *region, bool *changed, struct graft_err *err)
{
    struct graft_s3_access *fresh = NULL;
    struct graft_s3_access *old = NULL;
    graft_mutex_lock(self->mutex);
    if (region[0] != '\0')
        memcpy(self->region, region, strlen(region) + 1);
    enum graft_rc rc = graft_s3_access_new(self->env, &self->url, self->region, &fresh, err);
    if (rc == GRAFT_OK) {
        *changed = !graft_s3_access_equal(access, fresh);
        old = self->access;
        self->access = fresh;
    }
    graft_mutex_unlock(self->mutex);
    release(self, old);
    return rc;
}

/* ---- Attempts. */

/* The attempts at one request. */
struct attempts {
    struct objects_s3 *self;
    const struct graft_s3_request *request;
    struct graft_s3_access *access; /* of the last attempt */
    struct graft_s3_answer answer;  /* to it */
    uint64_t began_ms;
    uint32_t retries;
    bool keys_renewed, region_learned, time_forgiven;
    bool in_doubt; /* an attempt may have been acted on, and nobody said so */
};

static uint64_t now_ms(const struct objects_s3 *self)
{
    return graft_clock_monotonic_us(self->env->clock) / 1000;
}

/* How long to wait before the next attempt; false when there is to be none. */
static bool next_delay_ms(struct attempts *attempts, uint32_t *out)
{
    struct objects_s3 *self = attempts->self;
    if (attempts->retries == GRAFT_REMOTE_RETRIES_MAX)
        return false;
    uint32_t most_ms = BACKOFF_MS << attempts->retries;
    if (most_ms > BACKOFF_MS_MAX)
        most_ms = BACKOFF_MS_MAX;
    uint32_t delay_ms =
        most_ms / 2 + (uint32_t)(graft_rand_u64(self->env->rand) % (most_ms / 2 + 1));
    if (attempts->answer.retry_after_ms > delay_ms)
        delay_ms = attempts->answer.retry_after_ms;
    if (now_ms(self) - attempts->began_ms + delay_ms >= GRAFT_REMOTE_TIMEOUT_MS)
        return false;
    attempts->retries++;
    *out = delay_ms;
    return true;
}

/* What can be done about a refusal besides waiting; `*again` when something was. */
static enum graft_rc mend(struct attempts *attempts, bool *again, struct graft_err *err)
{
    const struct graft_s3_answer *answer = &attempts->answer;
    *again = false;
    if (graft_s3_is_about_region(answer) && answer->region[0] != '\0' &&
        !attempts->region_learned) {
        attempts->region_learned = true;
        return renew(attempts->self, attempts->access, answer->region, again, err);
    }
    if (graft_s3_is_about_keys(answer) && !attempts->keys_renewed) {
        attempts->keys_renewed = true;
        return renew(attempts->self, attempts->access, "", again, err);
    }
    /* One server of many with a wrong clock is not worth an error. */
    if (graft_s3_is_about_time(answer) && !attempts->time_forgiven)
        attempts->time_forgiven = *again = true;
    return GRAFT_OK;
}

static enum graft_rc attempt(struct attempts *attempts, struct graft_buf *body,
                             struct graft_err *err)
{
    struct objects_s3 *self = attempts->self;
    release(self, attempts->access);
    attempts->access = NULL;
    memset(&attempts->answer, 0, sizeof attempts->answer);
    GRAFT_TRY(acquire(self, &attempts->access, err));
    enum graft_rc rc =
        graft_s3_ask(self->env, attempts->access, attempts->request, &attempts->answer, body, err);
    bool answered = rc == GRAFT_OK && attempts->answer.status < 500;
    if (attempts->answer.sent && !answered)
        attempts->in_doubt = true;
    return rc;
}

/* Asks until there is an answer that is final: OK with it, in `attempts->answer`, whatever it says.
 * Other codes are of the last attempt. */
static enum graft_rc ask(struct attempts *attempts, struct graft_buf *body, struct graft_err *err)
{
    struct objects_s3 *self = attempts->self;
    attempts->began_ms = now_ms(self);
    for (;;) {
        struct graft_err failure = {.rc = GRAFT_OK};
        uint32_t delay_ms = 0;
        bool again = false;
        enum graft_rc rc = attempt(attempts, body, &failure);
        bool passing = rc == GRAFT_EUNREACHABLE || rc == GRAFT_EIO;
        if (rc == GRAFT_OK) {
            passing = graft_s3_is_passing(&attempts->answer);
            if (!passing)
                rc = mend(attempts, &again, &failure);
            if (rc == GRAFT_OK && !passing && !again)
                return GRAFT_OK;
        }
        if (!again && (!passing || !next_delay_ms(attempts, &delay_ms))) {
            if (rc == GRAFT_OK)
                return GRAFT_OK; /* still busy: that is its answer */
            if (attempts->retries > 0)
                return graft_err_set(err, rc, "%s (after %u retries)", failure.text,
                                     attempts->retries);
            return graft_err_set(err, rc, "%s", failure.text);
        }
        GRAFT_REACHABLE("s3: a request is made again");
        self->objects.counts.requests += 1;
        if (delay_ms > 0)
            graft_task_sleep_ms(self->env->tasks, delay_ms);
    }
}

static void attempts_init(struct attempts *attempts, struct objects_s3 *self,
                          struct graft_s3_request *request)
{
    request->connect_timeout_ms = CONNECT_TIMEOUT_MS;
    request->stall_timeout_ms = STALL_TIMEOUT_MS;
    *attempts = (struct attempts){.self = self, .request = request};
}

static bool succeeded(const struct attempts *attempts)
{
    return attempts->answer.status >= 200 && attempts->answer.status < 300;
}

/* The failure that a final answer means. */
static enum graft_rc refusal(const struct attempts *attempts, struct graft_err *err)
{
    return graft_s3_failure(attempts->access, attempts->self->url.host, &attempts->answer, err);
}

/* ---- The verbs. */

static enum graft_rc fail(const struct objects_s3 *self, enum graft_rc rc, const char *verb,
                          const char *key, struct graft_err *err)
{
    const struct graft_url *url = &self->url;
    return graft_err_wrap(err, rc, "%s s3://%s/%s%s%s", verb, url->host, url->repository,
                          url->repository[0] == '\0' ? "" : "/", key);
}

static enum graft_rc full_key(const struct objects_s3 *self, const char *key,
                              char out[S3_KEY_BYTES_MAX], struct graft_err *err)
{
    const char *prefix = self->url.repository;
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
    struct attempts attempts;
    attempts_init(&attempts, self, &request);
    enum graft_rc rc = ask(&attempts, out, err);
    if (rc == GRAFT_OK && !succeeded(&attempts))
        rc = refusal(&attempts, err);
    release(self, attempts.access);
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

/* A PUT whose outcome nobody told us: `rc` with `failure` is what the last attempt came to. */
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
    struct attempts attempts;
    struct graft_buf body;
    struct graft_err failure = {.rc = GRAFT_OK};
    graft_buf_init(&body, self->env->alloc);
    attempts_init(&attempts, self, &request);
    enum graft_rc rc = ask(&attempts, &body, &failure);
    bool there = rc == GRAFT_OK && if_absent && attempts.answer.status == 412;
    bool done = rc == GRAFT_OK && succeeded(&attempts);
    if (rc == GRAFT_OK && !there && !done)
        rc = refusal(&attempts, &failure);
    if (done)
        *created = true;
    else if (attempts.in_doubt)
        rc = settle(self, key, bytes, size, if_absent, created, &failure, err);
    else if (there)
        *created = false;
    else
        rc = graft_err_set(err, rc, "%s", failure.text);
    release(self, attempts.access);
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
    struct attempts attempts;
    struct graft_buf body;
    graft_buf_init(&body, self->env->alloc);
    attempts_init(&attempts, self, &request);
    enum graft_rc rc = ask(&attempts, &body, err);
    if (rc == GRAFT_OK && !succeeded(&attempts))
        rc = refusal(&attempts, err);
    release(self, attempts.access);
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
    graft_s3_access_free(self->env, self->access);
    graft_mutex_free(self->mutex);
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
    const char *prefix = page->self->url.repository;
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
    const char *repository = self->url.repository;
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
        struct attempts attempts;
        struct graft_err failure = {.rc = GRAFT_OK};
        graft_buf_clear(body);
        attempts_init(&attempts, self, &request);
        enum graft_rc rc = ask(&attempts, body, err);
        if (rc == GRAFT_OK && !succeeded(&attempts))
            rc = refusal(&attempts, err);
        release(self, attempts.access);
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
    if (self == NULL || graft_mutex_new(env->tasks, &self->mutex) != GRAFT_OK) {
        graft_free(env->alloc, self);
        return graft_err_set(err, GRAFT_ENOMEM, "open s3://%s/%s: out of memory", url->host,
                             url->repository);
    }
    self->objects.ops = &ops;
    self->env = env;
    self->url = *url;
    *out = &self->objects;
    return GRAFT_OK;
}
