/* The choke point of the object store's verbs: checks keys and sizes, counts, and calls the
 * implementation that the URL's scheme asks for. An implementation therefore sees only keys that
 * are safe as a path below its root and as an S3 key. */
#include "remote/objects.h"

#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "remote/objects_file.h"
#include "remote/objects_s3.h"

/* Where implementations keep what is not an object yet. */
static const char reserved[] = "_tmp";

static const char *scheme_name(enum graft_scheme scheme)
{
    switch (scheme) {
    case GRAFT_SCHEME_FILE:
        return "file";
    case GRAFT_SCHEME_S3:
        return "s3";
    case GRAFT_SCHEME_HTTP:
        return "http";
    case GRAFT_SCHEME_HTTPS:
        return "https";
    }
    return "?";
}

enum graft_rc graft_objects_open(struct graft_env *env, const struct graft_url *url,
                                 struct graft_objects **out, struct graft_err *err)
{
    GRAFT_ASSERT(env != NULL && url != NULL && out != NULL);
    switch (url->scheme) {
    case GRAFT_SCHEME_FILE:
        return graft_objects_file_open(env, url, out, err);
    case GRAFT_SCHEME_S3:
        return graft_objects_s3_open(env, url, out, err);
    case GRAFT_SCHEME_HTTP:
    case GRAFT_SCHEME_HTTPS:
        break;
    }
    const char *name = scheme_name(url->scheme);
    return graft_err_set(err, GRAFT_EUNSUPPORTED,
                         "a remote on %s:// is not supported yet: use a file:// or an s3:// remote",
                         name);
}

void graft_objects_close(struct graft_objects *objects)
{
    if (objects != NULL)
        objects->ops->close(objects);
}

static bool allowed(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' ||
           c == '_' || c == '-' || c == '/';
}

/* Checks a key, or with `partial` the beginning of one, which may end within a part or after it. */
static enum graft_rc check_key(const char *key, bool partial, struct graft_err *err)
{
    size_t length = strlen(key);
    if (length >= GRAFT_KEY_BYTES_MAX)
        return graft_err_set(err, GRAFT_ELIMIT, "object key of %zu bytes: at most %u", length,
                             GRAFT_KEY_BYTES_MAX - 1);
    for (size_t i = 0; i < length; i++)
        if (!allowed(key[i]))
            return graft_err_set(err, GRAFT_EINVAL,
                                 "object key: byte %zu is none of A-Z a-z 0-9 . _ - /", i);
    if (strncmp(key, reserved, sizeof reserved - 1) == 0 &&
        (key[sizeof reserved - 1] == '/' || (!partial && key[sizeof reserved - 1] == '\0')))
        return graft_err_set(err, GRAFT_EINVAL, "object key \"%s\": %s is reserved", key, reserved);
    size_t parts = 0;
    const char *part = key;
    for (;;) {
        size_t bytes = strcspn(part, "/");
        bool last = part[bytes] == '\0';
        bool dots = part[0] == '.' && (bytes == 1 || (bytes == 2 && part[1] == '.'));
        if ((bytes == 0 || dots) && !(last && partial))
            return graft_err_set(err, GRAFT_EINVAL, "object key \"%s\" has an empty part, . or ..",
                                 key);
        if (++parts > GRAFT_KEY_PARTS_MAX)
            return graft_err_set(err, GRAFT_ELIMIT, "object key \"%s\" has more than %u parts", key,
                                 GRAFT_KEY_PARTS_MAX);
        if (last)
            return GRAFT_OK;
        part += bytes + 1;
    }
}

/* Ends a verb. Implementations recover from failures whose text stands in `failure` then; the
 * caller's record is written only when the verb fails. */
static enum graft_rc finish(enum graft_rc rc, const struct graft_err *failure,
                            struct graft_err *err)
{
    if (rc != GRAFT_OK && err != NULL) {
        *err = *failure;
        err->rc = rc;
    }
    return rc;
}

enum graft_rc graft_objects_get(struct graft_objects *objects, const char *key, uint64_t offset,
                                uint64_t size, struct graft_buf *out, struct graft_err *err)
{
    GRAFT_ASSERT(objects != NULL && key != NULL && out != NULL);
    GRAFT_TRY(check_key(key, false, err));
    if (size > GRAFT_OBJECT_BYTES_MAX)
        return graft_err_set(err, GRAFT_ELIMIT, "get %s: %llu bytes asked for, at most %u", key,
                             (unsigned long long)size, GRAFT_OBJECT_BYTES_MAX);
    objects->counts.requests += 1;
    objects->counts.gets += 1;
    size_t before = out->size;
    struct graft_err failure = {.rc = GRAFT_OK};
    enum graft_rc rc = objects->ops->get(objects, key, offset, size, out, &failure);
    if (rc != GRAFT_OK) {
        out->size = before;
        return finish(rc, &failure, err);
    }
    size_t got = out->size - before;
    GRAFT_ASSERT(got > 0 && (size == 0 || got <= size));
    objects->counts.bytes_in += got;
    return GRAFT_OK;
}

enum graft_rc graft_objects_put(struct graft_objects *objects, const char *key, const void *bytes,
                                size_t size, bool if_absent, bool *created, struct graft_err *err)
{
    GRAFT_ASSERT(objects != NULL && key != NULL && created != NULL);
    GRAFT_ASSERT(bytes != NULL || size == 0);
    GRAFT_TRY(check_key(key, false, err));
    if (size > GRAFT_OBJECT_BYTES_MAX)
        return graft_err_set(err, GRAFT_ELIMIT, "put %s: %zu bytes, at most %u", key, size,
                             GRAFT_OBJECT_BYTES_MAX);
    objects->counts.requests += 1;
    objects->counts.puts += 1;
    objects->counts.bytes_out += size;
    bool made = false;
    struct graft_err failure = {.rc = GRAFT_OK};
    enum graft_rc rc = objects->ops->put(objects, key, bytes, size, if_absent, &made, &failure);
    if (rc != GRAFT_OK)
        return finish(rc, &failure, err);
    GRAFT_ASSERT(made || if_absent);
    *created = made;
    return GRAFT_OK;
}

/* Stands between the implementation and the caller. The order in which keys come is checked here,
 * since callers stop at the first that they look for, and a server may say anything. */
struct listing {
    graft_objects_list_fn *each;
    void *arg;
    const char *prefix;
    uint32_t left;
    bool misordered;
    char last[GRAFT_KEY_BYTES_MAX];
};

static enum graft_rc take_key(void *arg, const char *key, uint64_t size)
{
    struct listing *listing = arg;
    size_t length = strlen(key);
    if (listing->left == 0 || length >= sizeof listing->last ||
        strncmp(key, listing->prefix, strlen(listing->prefix)) != 0 ||
        strcmp(key, listing->last) <= 0) {
        listing->misordered = true;
        return GRAFT_ECORRUPT;
    }
    listing->left--;
    memcpy(listing->last, key, length + 1);
    return listing->each(listing->arg, key, size);
}

enum graft_rc graft_objects_list(struct graft_objects *objects, const char *prefix,
                                 const char *after, uint32_t keys_max, graft_objects_list_fn *each,
                                 void *arg, struct graft_err *err)
{
    GRAFT_ASSERT(objects != NULL && prefix != NULL && after != NULL && each != NULL);
    GRAFT_ASSERT(keys_max > 0 && keys_max <= GRAFT_LIST_KEYS_MAX);
    GRAFT_TRY(check_key(prefix, true, err));
    GRAFT_TRY(check_key(after, true, err));
    objects->counts.requests += 1;
    objects->counts.lists += 1;
    struct listing listing = {.each = each, .arg = arg, .prefix = prefix, .left = keys_max};
    memcpy(listing.last, after, strlen(after) + 1);
    struct graft_err failure = {.rc = GRAFT_OK};
    enum graft_rc rc =
        objects->ops->list(objects, prefix, after, keys_max, take_key, &listing, &failure);
    if (rc == GRAFT_ECORRUPT && listing.misordered)
        return graft_err_set(
            err, rc, "list \"%s\" after \"%s\": more keys than asked for, or in a wrong order",
            prefix, listing.last);
    return finish(rc, &failure, err);
}

enum graft_rc graft_objects_remove(struct graft_objects *objects, const char *key,
                                   struct graft_err *err)
{
    GRAFT_ASSERT(objects != NULL && key != NULL);
    GRAFT_TRY(check_key(key, false, err));
    objects->counts.requests += 1;
    struct graft_err failure = {.rc = GRAFT_OK};
    return finish(objects->ops->remove(objects, key, &failure), &failure, err);
}
