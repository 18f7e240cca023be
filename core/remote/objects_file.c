/* A repository as a directory: an object is a file whose path below the directory is its key.
 *
 * A PUT writes a file of a random name in "_tmp", syncs it, and renames it to its place, without
 * replacing what is there when it is conditional: the rename decides the race, and a reader sees
 * the whole object or none. Before the rename the chain of directories above the key is made
 * durable, after it the key's own directory: also by the loser of a race, whose caller builds on
 * the winner's object, which the winner may not have synced yet. What a crashed writer leaves in
 * "_tmp" does no harm.
 *
 * A rename or a sync of the directory that fails leaves open whether the object is (or stays)
 * there: that is EINDOUBT. Every failure before it leaves nothing behind. */
#include "remote/objects_file.h"

#include <string.h>

#include "base/assert.h"
#include "base/catalogue.h"
#include "base/limits.h"
#include "format/ids.h"

#define DURABLE_SLOTS 8U
#define PATH_BYTES (GRAFT_PATH_BYTES_MAX + 1U)

struct objects_file {
    struct graft_objects objects;
    struct graft_env *env;
    /* Checksums of directories' paths whose chain was made durable through this opener. */
    _Atomic uint64_t durable[DURABLE_SLOTS];
    char directory[GRAFT_PATH_BYTES_MAX]; /* "" for the root of the file system */
};

static struct objects_file *self_of(struct graft_objects *objects)
{
    return (struct objects_file *)objects;
}

static const char *repository_path(const struct objects_file *self)
{
    return self->directory[0] == '\0' ? "/" : self->directory;
}

static enum graft_rc make_path(const struct objects_file *self, const char *key, char *out,
                               struct graft_err *err)
{
    size_t root = strlen(self->directory);
    size_t length = strlen(key);
    if (root + 1 + length >= GRAFT_PATH_BYTES_MAX)
        return graft_err_set(err, GRAFT_ELIMIT, "%s/%s: the path is longer than %u bytes",
                             self->directory, key, GRAFT_PATH_BYTES_MAX - 1);
    memcpy(out, self->directory, root);
    out[root] = '/';
    memcpy(out + root + 1, key, length + 1);
    return GRAFT_OK;
}

/* Cuts a path without a trailing slash back to its directory; false for the root itself. */
static bool to_parent(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash == NULL || path[1] == '\0')
        return false;
    slash[slash == path ? 1 : 0] = '\0';
    return true;
}

/* Why a path cannot be reached: the nearest ancestor that exists may not be a directory. Below the
 * repository that is damage; at it or above it, no repository can be there. */
static enum graft_rc explain(const struct objects_file *self, const char *path, enum graft_rc rc,
                             struct graft_err *err)
{
    if (rc != GRAFT_EIO && rc != GRAFT_EEXIST)
        return rc;
    char ancestor[PATH_BYTES];
    memcpy(ancestor, path, strlen(path) + 1);
    while (to_parent(ancestor)) {
        struct graft_entry entry;
        if (graft_disk_stat(self->env->disk, ancestor, &entry, NULL) != GRAFT_OK)
            continue;
        if (entry.kind == GRAFT_ENTRY_DIRECTORY)
            return rc;
        bool inside = strlen(ancestor) > strlen(self->directory);
        return graft_err_set(err, inside ? GRAFT_ECORRUPT : GRAFT_EUNREACHABLE,
                             "%s is not a directory", ancestor);
    }
    return rc;
}

/* Puts the verb and the object's URL in front. What the seam calls read-only is, for a remote, a
 * lack of permission: the database itself can well be written. */
static enum graft_rc fail(const struct objects_file *self, enum graft_rc rc, const char *verb,
                          const char *key, struct graft_err *err)
{
    if (rc == GRAFT_EREADONLY)
        rc = GRAFT_EDENIED;
    if (rc == GRAFT_EEXIST || rc == GRAFT_EUNSUPPORTED)
        rc = GRAFT_EIO;
    return graft_err_wrap(err, rc, "%s file://%s/%s", verb, self->directory, key);
}

/* ENOTFOUND for a missing object, with the repository named when it is that that is missing. */
static enum graft_rc missing(const struct objects_file *self, const char *verb, const char *key,
                             struct graft_err *err)
{
    struct graft_entry entry;
    const char *path = repository_path(self);
    if (graft_disk_stat(self->env->disk, path, &entry, NULL) == GRAFT_ENOTFOUND)
        return graft_err_set(err, GRAFT_ENOTFOUND,
                             "%s file://%s/%s: the repository %s does not exist", verb,
                             self->directory, key, path);
    return graft_err_set(err, GRAFT_ENOTFOUND, "%s file://%s/%s: there is no such object", verb,
                         self->directory, key);
}

/* Opens the regular file of an object; anything else at its place is damage (and is never opened:
 * a pipe would block). */
static enum graft_rc open_object(const struct objects_file *self, const char *path,
                                 struct graft_file **out, uint64_t *bytes, struct graft_err *err)
{
    struct graft_entry entry;
    struct graft_file *file = NULL;
    enum graft_rc rc = graft_disk_stat(self->env->disk, path, &entry, err);
    if (rc != GRAFT_OK)
        return explain(self, path, rc, err);
    if (entry.kind != GRAFT_ENTRY_FILE)
        return graft_err_set(err, GRAFT_ECORRUPT, "%s is not a regular file", path);
    GRAFT_TRY(graft_disk_open(self->env->disk, path, GRAFT_OPEN_READ, &file, err));
    uint64_t size = 0;
    rc = graft_file_size(file, &size, err);
    if (rc != GRAFT_OK) {
        graft_file_close(file);
        return rc;
    }
    *out = file;
    *bytes = size;
    return GRAFT_OK;
}

static enum graft_rc read_range(struct graft_file *file, uint64_t file_bytes, uint64_t offset,
                                uint64_t size, struct graft_buf *out, struct graft_err *err)
{
    if (offset >= file_bytes)
        return graft_err_set(err, GRAFT_ECORRUPT, "the object ends at %llu bytes, before %llu",
                             (unsigned long long)file_bytes, (unsigned long long)offset);
    uint64_t left = file_bytes - offset;
    uint64_t wanted = size == 0 || size > left ? left : size;
    if (wanted > GRAFT_OBJECT_BYTES_MAX)
        return graft_err_set(err, GRAFT_ELIMIT, "%llu bytes, more than %u",
                             (unsigned long long)wanted, GRAFT_OBJECT_BYTES_MAX);
    if (graft_buf_reserve(out, (size_t)wanted) != GRAFT_OK)
        return graft_err_set(err, GRAFT_ENOMEM, "out of memory");
    size_t got = 0;
    GRAFT_TRY(graft_file_read(file, offset, out->bytes + out->size, (size_t)wanted, &got, err));
    if (got < wanted)
        return graft_err_set(err, GRAFT_ECORRUPT, "the object was cut while it was read");
    out->size += got;
    return GRAFT_OK;
}

static enum graft_rc get(struct graft_objects *objects, const char *key, uint64_t offset,
                         uint64_t size, struct graft_buf *out, struct graft_err *err)
{
    struct objects_file *self = self_of(objects);
    char path[PATH_BYTES];
    GRAFT_TRY(make_path(self, key, path, err));
    struct graft_file *file = NULL;
    uint64_t file_bytes = 0;
    enum graft_rc rc = open_object(self, path, &file, &file_bytes, err);
    if (rc == GRAFT_OK)
        rc = read_range(file, file_bytes, offset, size, out, err);
    graft_file_close(file);
    if (rc == GRAFT_ENOTFOUND)
        return missing(self, "get", key, err);
    return rc == GRAFT_OK ? rc : fail(self, rc, "get", key, err);
}

/* Makes the directory of `path` durable up to the entry of the repository itself. Others may have
 * made a level that they did not sync yet, so that finding it is not enough. */
static enum graft_rc sync_chain(const struct objects_file *self, const char *directory,
                                struct graft_err *err)
{
    char level[PATH_BYTES];
    memcpy(level, directory, strlen(directory) + 1);
    const size_t repository_bytes = strlen(repository_path(self));
    for (;;) {
        size_t length = strlen(level);
        enum graft_rc rc = graft_disk_sync_directory(self->env->disk, level, err);
        /* Whoever made the repository could sync its parent; we may have no right to. */
        if (rc != GRAFT_OK && !(rc == GRAFT_EDENIED && length < repository_bytes))
            return rc;
        if (length < repository_bytes || !to_parent(level))
            return GRAFT_OK;
    }
}

/* Directories for the key at `path` and for temporary files. */
static enum graft_rc prepare(struct objects_file *self, const char *path, struct graft_err *err)
{
    char directory[PATH_BYTES];
    memcpy(directory, path, strlen(path) + 1);
    (void)to_parent(directory);
    uint64_t sum = graft_checksum64(directory, strlen(directory), 0);
    if (self->durable[sum % DURABLE_SLOTS] == sum &&
        !GRAFT_BUGGIFY("directory remote: make its directories durable again"))
        return GRAFT_OK;
    char temp[PATH_BYTES];
    GRAFT_TRY(make_path(self, GRAFT_OBJECTS_FILE_TEMP, temp, err));
    struct graft_disk *disk = self->env->disk;
    enum graft_rc rc = graft_disk_make_directories(disk, directory, err);
    if (rc == GRAFT_OK)
        rc = graft_disk_make_directories(disk, temp, err);
    if (rc != GRAFT_OK)
        return explain(self, path, rc, err);
    GRAFT_TRY(sync_chain(self, directory, err));
    self->durable[sum % DURABLE_SLOTS] = sum;
    return GRAFT_OK;
}

static void forget_durable(struct objects_file *self)
{
    for (size_t i = 0; i < DURABLE_SLOTS; i++)
        self->durable[i] = 0;
}

/* Removes a temporary file after a failure. That failure is what the caller is told. */
static void discard(const struct objects_file *self, const char *path)
{
    enum graft_rc rc = graft_disk_remove(self->env->disk, path, NULL);
    (void)rc;
}

static enum graft_rc write_temp(const struct objects_file *self, const char *path,
                                const void *bytes, size_t size, struct graft_err *err)
{
    const unsigned flags = GRAFT_OPEN_WRITE | GRAFT_OPEN_CREATE | GRAFT_OPEN_EXCLUSIVE;
    struct graft_file *file = NULL;
    GRAFT_TRY(graft_disk_open(self->env->disk, path, flags, &file, err));
    enum graft_rc rc = graft_file_write(file, 0, bytes, size, err);
    if (rc == GRAFT_OK && !GRAFT_MUTANT("remote: an object's file is not synced"))
        rc = graft_file_sync(file, err);
    graft_file_close(file);
    if (rc != GRAFT_OK)
        discard(self, path);
    return rc;
}

/* Renames the temporary file into its place; `*created` is false when something is there already.
 */
static enum graft_rc place(const struct objects_file *self, const char *temp, const char *path,
                           bool if_absent, bool *created, struct graft_err *err)
{
    struct graft_disk *disk = self->env->disk;
    bool replace = !if_absent || GRAFT_MUTANT("remote: an object's file replaces what is there");
    enum graft_rc rc = graft_disk_rename(disk, temp, path, replace, err);
    if (rc == GRAFT_EIO && GRAFT_MUTANT("remote: a rename that failed is taken for done")) {
        *created = true;
        return GRAFT_OK;
    }
    if (rc != GRAFT_OK)
        discard(self, temp);
    struct graft_entry entry;
    if (rc != GRAFT_OK && graft_disk_stat(disk, path, &entry, NULL) == GRAFT_OK &&
        entry.kind != GRAFT_ENTRY_FILE)
        return graft_err_set(err, GRAFT_ECORRUPT, "%s is not a regular file", path);
    bool taken = rc == GRAFT_EEXIST && if_absent;
    if (rc != GRAFT_OK && !taken)
        return rc == GRAFT_EIO ? GRAFT_EINDOUBT : rc;
    char directory[PATH_BYTES];
    memcpy(directory, path, strlen(path) + 1);
    (void)to_parent(directory);
    GRAFT_SOMETIMES(taken, "the file of an object was there already");
    if (!GRAFT_MUTANT("remote: the directory of an object is not synced") &&
        graft_disk_sync_directory(disk, directory, err) != GRAFT_OK)
        return GRAFT_EINDOUBT;
    *created = !taken;
    return GRAFT_OK;
}

static enum graft_rc put_once(struct objects_file *self, const char *path, const void *bytes,
                              size_t size, bool if_absent, bool *created, struct graft_err *err)
{
    static const char folder[] = GRAFT_OBJECTS_FILE_TEMP "/";
    uint8_t random[16];
    char name[sizeof folder + 2 * sizeof random];
    char temp[PATH_BYTES];
    graft_rand_fill(self->env->rand, random, sizeof random);
    memcpy(name, folder, sizeof folder);
    graft_hex_encode(random, sizeof random, name + sizeof folder - 1);
    GRAFT_TRY(make_path(self, name, temp, err));
    GRAFT_TRY(prepare(self, path, err));
    GRAFT_TRY(write_temp(self, temp, bytes, size, err));
    return place(self, temp, path, if_absent, created, err);
}

static enum graft_rc put(struct graft_objects *objects, const char *key, const void *bytes,
                         size_t size, bool if_absent, bool *created, struct graft_err *err)
{
    struct objects_file *self = self_of(objects);
    char path[PATH_BYTES];
    GRAFT_TRY(make_path(self, key, path, err));
    enum graft_rc rc = put_once(self, path, bytes, size, if_absent, created, err);
    if (rc == GRAFT_ENOTFOUND) {
        /* Directories that were there before are gone: somebody replaced the repository. */
        forget_durable(self);
        rc = put_once(self, path, bytes, size, if_absent, created, err);
    }
    return rc == GRAFT_OK ? rc : fail(self, rc, "put", key, err);
}

static enum graft_rc list(struct graft_objects *objects, const char *prefix, const char *after,
                          uint32_t keys_max, graft_objects_list_fn *each, void *arg,
                          struct graft_err *err)
{
    struct objects_file *self = self_of(objects);
    const char *path = repository_path(self);
    struct graft_entry entry;
    enum graft_rc rc = graft_disk_stat(self->env->disk, path, &entry, err);
    if (rc == GRAFT_ENOTFOUND)
        return missing(self, "list", prefix, err);
    if (rc == GRAFT_OK && entry.kind != GRAFT_ENTRY_DIRECTORY)
        rc = graft_err_set(err, GRAFT_EUNREACHABLE, "%s is not a directory", path);
    if (rc != GRAFT_OK)
        return fail(self, explain(self, path, rc, err), "list", prefix, err);
    rc = graft_objects_file_list(self->env, self->directory, prefix, after, keys_max, each, arg,
                                 err);
    return rc == GRAFT_OK ? rc : fail(self, rc, "list", prefix, err);
}

static enum graft_rc remove_object(struct graft_objects *objects, const char *key,
                                   struct graft_err *err)
{
    struct objects_file *self = self_of(objects);
    struct graft_disk *disk = self->env->disk;
    char path[PATH_BYTES];
    GRAFT_TRY(make_path(self, key, path, err));
    struct graft_entry entry;
    enum graft_rc rc = graft_disk_stat(disk, path, &entry, err);
    if (rc == GRAFT_ENOTFOUND)
        return GRAFT_OK;
    if (rc == GRAFT_OK && entry.kind == GRAFT_ENTRY_DIRECTORY)
        rc = graft_err_set(err, GRAFT_ECORRUPT, "%s is not a regular file", path);
    if (rc == GRAFT_OK)
        rc = graft_disk_remove(disk, path, err);
    if (rc == GRAFT_ENOTFOUND)
        return GRAFT_OK;
    if (rc == GRAFT_OK) {
        (void)to_parent(path);
        rc = graft_disk_sync_directory(disk, path, err);
    }
    return rc == GRAFT_OK ? rc : fail(self, explain(self, path, rc, err), "remove", key, err);
}

static void close_objects(struct graft_objects *objects)
{
    struct objects_file *self = self_of(objects);
    graft_free(self->env->alloc, self);
}

static const struct graft_objects_ops ops = {
    .close = close_objects,
    .get = get,
    .put = put,
    .list = list,
    .remove = remove_object,
};

enum graft_rc graft_objects_file_open(struct graft_env *env, const struct graft_url *url,
                                      struct graft_objects **out, struct graft_err *err)
{
    GRAFT_ASSERT(url->scheme == GRAFT_SCHEME_FILE && url->repository[0] == '/');
    struct objects_file *self = graft_calloc(env->alloc, 1, sizeof *self);
    if (self == NULL)
        return graft_err_set(err, GRAFT_ENOMEM, "open file://%s: out of memory", url->repository);
    self->objects.ops = &ops;
    self->env = env;
    if (url->repository[1] != '\0')
        memcpy(self->directory, url->repository, strlen(url->repository) + 1);
    *out = &self->objects;
    return GRAFT_OK;
}
