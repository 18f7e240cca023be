/* Object-store verbs: what a repository is reached through. Keys are relative to the repository:
 * parts of [A-Za-z0-9._-] with '/' between them, none empty, "." or "..", the first not "_tmp";
 * anything else is EINVAL, and ELIMIT what is past the limits below.
 *
 * Every verb blocks. Errors: EUNREACHABLE (try again later), EDENIED, EFULL, EIO, ECORRUPT, ENOMEM;
 * ENOTFOUND for a key that is not there and also for a repository that does not exist. Messages
 * name the object's URL. */
#ifndef GRAFT_REMOTE_OBJECTS_H
#define GRAFT_REMOTE_OBJECTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "env/env.h"
#include "remote/url.h"

#define GRAFT_KEY_BYTES_MAX 1024U /* its NUL included */
#define GRAFT_KEY_PARTS_MAX 8U

struct graft_objects;

/* A listed key; `name` is borrowed for the call. A failure ends the listing and is returned. */
typedef enum graft_rc graft_objects_list_fn(void *arg, const char *key, uint64_t size);

struct graft_objects_ops {
    void (*close)(struct graft_objects *objects);
    enum graft_rc (*get)(struct graft_objects *objects, const char *key, uint64_t offset,
                         uint64_t size, struct graft_buf *out, struct graft_err *err);
    enum graft_rc (*put)(struct graft_objects *objects, const char *key, const void *bytes,
                         size_t size, bool if_absent, bool *created, struct graft_err *err);
    enum graft_rc (*list)(struct graft_objects *objects, const char *prefix, const char *after,
                          uint32_t keys_max, graft_objects_list_fn *each, void *arg,
                          struct graft_err *err);
    enum graft_rc (*remove)(struct graft_objects *objects, const char *key, struct graft_err *err);
};

struct graft_objects_counts {
    _Atomic uint64_t requests, gets, puts, lists, bytes_in, bytes_out;
};

struct graft_objects {
    const struct graft_objects_ops *ops;
    struct graft_objects_counts counts;
};

/* The repository of `url`; the scheme decides the implementation (EUNSUPPORTED names the scheme
 * when it has none). Does no I/O. Close with graft_objects_close. */
GRAFT_MUST_USE enum graft_rc graft_objects_open(struct graft_env *env, const struct graft_url *url,
                                                struct graft_objects **out, struct graft_err *err);
void graft_objects_close(struct graft_objects *objects); /* accepts NULL */

/* Appends to `out` the bytes [offset, offset + size) of the object, or fewer when it ends before;
 * `size` 0 means to its end. An offset at or past the end is ECORRUPT. At most
 * GRAFT_OBJECT_BYTES_MAX. */
GRAFT_MUST_USE enum graft_rc graft_objects_get(struct graft_objects *objects, const char *key,
                                               uint64_t offset, uint64_t size,
                                               struct graft_buf *out, struct graft_err *err);
/* Writes the whole object, durable on success. With `if_absent` an object that is there stays, is
 * durable on success, and `*created` is false. EINDOUBT when the outcome cannot be known (the
 * answer was lost); doing it again with the same bytes is safe. */
GRAFT_MUST_USE enum graft_rc graft_objects_put(struct graft_objects *objects, const char *key,
                                               const void *bytes, size_t size, bool if_absent,
                                               bool *created, struct graft_err *err);
/* Calls `each` for up to `keys_max` (1 to GRAFT_LIST_KEYS_MAX) keys that begin with `prefix` and
 * sort (bytewise) after `after` ("" = all), ascending. Fewer than `keys_max` do not mean that there
 * are no more (some may have been removed meanwhile): only a call that yields none does. */
GRAFT_MUST_USE enum graft_rc graft_objects_list(struct graft_objects *objects, const char *prefix,
                                                const char *after, uint32_t keys_max,
                                                graft_objects_list_fn *each, void *arg,
                                                struct graft_err *err);
/* Removing what is not there is success. */
GRAFT_MUST_USE enum graft_rc graft_objects_remove(struct graft_objects *objects, const char *key,
                                                  struct graft_err *err);

#endif
