/* Lists a repository's directory as an object store would: keys in bytewise order, from a place on,
 * no more than asked for.
 *
 * The walk goes depth first through the directories that can hold a key of the prefix. A directory
 * counts as its name with a '/' behind it, which puts it among its neighbours where its keys sort.
 * Of each directory only the first `keys_max` files matter, so that a log of a million commits
 * costs the memory of one page of the listing: the names are selected by a heap with the greatest
 * on top, which is then sorted in place. */
#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "remote/objects_file.h"

#define PATH_BYTES (GRAFT_PATH_BYTES_MAX + 1U)

struct walk {
    struct graft_env *env;
    const char *prefix;
    const char *after;
    graft_objects_list_fn *each;
    void *arg;
    struct graft_err *err;
    uint32_t left;  /* keys that may still be yielded */
    size_t root;    /* bytes of the repository's path and its '/': the key begins behind */
    size_t length;  /* of `path` */
    uint32_t depth; /* parts of the key before the names being listed */
    char path[PATH_BYTES];
};

/* The names of one directory that may be yielded. `names` is a heap while it is filled. */
struct names {
    const struct walk *walk;
    char **names;
    size_t count, capacity;
    uint32_t files; /* of the names, those without a '/' at their end */
    uint32_t files_max;
};

static bool is_directory(const char *name)
{
    return name[strlen(name) - 1] == '/';
}

static void swap(char **names, size_t a, size_t b)
{
    char *name = names[a];
    names[a] = names[b];
    names[b] = name;
}

static void sift_up(char **names, size_t at)
{
    while (at > 0 && strcmp(names[at], names[(at - 1) / 2]) > 0) {
        swap(names, at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
}

static void sift_down(char **names, size_t count)
{
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= count)
            return;
        if (child + 1 < count && strcmp(names[child + 1], names[child]) > 0)
            child++;
        if (strcmp(names[at], names[child]) >= 0)
            return;
        swap(names, at, child);
        at = child;
    }
}

static void drop_greatest(struct names *names)
{
    char *greatest = names->names[0];
    if (!is_directory(greatest))
        names->files--;
    names->names[0] = names->names[--names->count];
    sift_down(names->names, names->count);
    graft_free(names->walk->env->alloc, greatest);
}

static void sort(struct names *names)
{
    for (size_t left = names->count; left > 1; left--) {
        swap(names->names, 0, left - 1);
        sift_down(names->names, left - 1);
    }
}

static void free_names(struct names *names)
{
    struct graft_alloc *alloc = names->walk->env->alloc;
    for (size_t i = 0; i < names->count; i++)
        graft_free(alloc, names->names[i]);
    graft_free(alloc, names->names);
}

static enum graft_rc add_name(struct names *names, const char *name)
{
    struct graft_alloc *alloc = names->walk->env->alloc;
    if (names->count == names->capacity) {
        size_t capacity = names->capacity == 0 ? 16 : names->capacity * 2;
        char **grown = graft_realloc(alloc, names->names, capacity, sizeof *grown);
        if (grown == NULL)
            return GRAFT_ENOMEM;
        names->names = grown;
        names->capacity = capacity;
    }
    char *copy = graft_strdup(alloc, name);
    if (copy == NULL)
        return GRAFT_ENOMEM;
    names->names[names->count] = copy;
    sift_up(names->names, names->count++);
    if (!is_directory(name))
        names->files++;
    while (names->files > names->files_max)
        drop_greatest(names);
    return GRAFT_OK;
}

/* True for a name that can be a part of a key; a repository may hold other things as well. */
static bool is_part(const char *name)
{
    if (name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0')))
        return false;
    for (size_t i = 0; name[i] != '\0'; i++) {
        char c = name[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!alnum && c != '.' && c != '_' && c != '-')
            return false;
    }
    return name[0] != '\0';
}

/* True if `key`, or where it ends with '/' any key that begins with it, is asked for. */
static bool is_wanted(const struct walk *walk, const char *key, size_t length, bool directory)
{
    size_t prefix_bytes = strlen(walk->prefix);
    size_t common = directory && length < prefix_bytes ? length : prefix_bytes;
    if (strncmp(key, walk->prefix, common) != 0)
        return false;
    if (directory && strncmp(key, walk->after, length) == 0)
        return true;
    return strcmp(key, walk->after) > 0;
}

static enum graft_rc consider(void *arg, const char *name, enum graft_entry_kind kind)
{
    struct names *names = arg;
    const struct walk *walk = names->walk;
    bool directory = kind == GRAFT_ENTRY_DIRECTORY;
    if (kind == GRAFT_ENTRY_OTHER || !is_part(name))
        return GRAFT_OK;
    if (walk->depth == 0 && strcmp(name, GRAFT_OBJECTS_FILE_TEMP) == 0)
        return GRAFT_OK;
    if (directory && walk->depth + 1 >= GRAFT_KEY_PARTS_MAX)
        return GRAFT_OK;
    char key[GRAFT_KEY_BYTES_MAX + 1];
    size_t parent_bytes = walk->length - walk->root;
    size_t name_bytes = strlen(name);
    if (parent_bytes + name_bytes + 1 >= GRAFT_KEY_BYTES_MAX)
        return GRAFT_OK;
    /* The last '/' of the path is off while the system reads it. */
    memcpy(key, walk->path + walk->root, parent_bytes);
    if (parent_bytes > 0)
        key[parent_bytes - 1] = '/';
    char *last = key + parent_bytes;
    memcpy(last, name, name_bytes + 1);
    if (directory)
        memcpy(last + name_bytes, "/", 2);
    if (!is_wanted(walk, key, strlen(key), directory))
        return GRAFT_OK;
    /* Enough files sort before it already. */
    if (names->files == names->files_max && strcmp(last, names->names[0]) > 0)
        return GRAFT_OK;
    return add_name(names, last);
}

static enum graft_rc visit_directory(struct walk *walk);

/* Yields the file at `path`, or walks the directory there. */
static enum graft_rc visit(struct walk *walk, const char *name)
{
    size_t before = walk->length;
    size_t name_bytes = strlen(name);
    if (before + name_bytes >= GRAFT_PATH_BYTES_MAX)
        return graft_err_set(walk->err, GRAFT_ELIMIT, "%s%s: the path is longer than %u bytes",
                             walk->path, name, GRAFT_PATH_BYTES_MAX - 1);
    memcpy(walk->path + before, name, name_bytes + 1);
    enum graft_rc rc = GRAFT_OK;
    if (is_directory(name)) {
        walk->length += name_bytes;
        walk->depth++;
        rc = visit_directory(walk);
        walk->depth--;
        walk->length = before;
    } else {
        struct graft_entry entry;
        rc = graft_disk_stat(walk->env->disk, walk->path, &entry, walk->err);
        if (rc == GRAFT_OK) {
            walk->left--;
            rc = walk->each(walk->arg, walk->path + walk->root, entry.size);
        } else if (rc == GRAFT_ENOTFOUND) {
            /* Removed since its directory was read. */
            rc = GRAFT_OK;
        }
    }
    walk->path[before] = '\0';
    return rc;
}

/* Walks the directory `path`, which ends with '/'. Recursion is as deep as a key has parts. */
static enum graft_rc visit_directory(struct walk *walk)
{
    struct names names = {.walk = walk, .files_max = walk->left};
    walk->path[walk->length - 1] = walk->length == 1 ? '/' : '\0';
    enum graft_rc rc = graft_disk_list(walk->env->disk, walk->path, consider, &names, walk->err);
    walk->path[walk->length - 1] = '/';
    if (rc == GRAFT_ENOTFOUND)
        rc = GRAFT_OK;
    sort(&names);
    for (size_t i = 0; rc == GRAFT_OK && i < names.count && walk->left > 0; i++)
        rc = visit(walk, names.names[i]);
    free_names(&names);
    return rc;
}

enum graft_rc graft_objects_file_list(struct graft_env *env, const char *directory,
                                      const char *prefix, const char *after, uint32_t keys_max,
                                      graft_objects_list_fn *each, void *arg, struct graft_err *err)
{
    GRAFT_ASSERT(keys_max > 0);
    struct walk walk = {.env = env,
                        .prefix = prefix,
                        .after = after,
                        .each = each,
                        .arg = arg,
                        .err = err,
                        .left = keys_max};
    /* The walk starts in the deepest directory that all keys of the prefix are in. */
    const char *slash = strrchr(prefix, '/');
    size_t start = slash == NULL ? 0 : (size_t)(slash - prefix) + 1;
    walk.root = strlen(directory) + 1;
    walk.length = walk.root + start;
    if (walk.length >= GRAFT_PATH_BYTES_MAX)
        return graft_err_set(err, GRAFT_ELIMIT, "%s/%s: the path is longer than %u bytes",
                             directory, prefix, GRAFT_PATH_BYTES_MAX - 1);
    memcpy(walk.path, directory, walk.root - 1);
    walk.path[walk.root - 1] = '/';
    memcpy(walk.path + walk.root, prefix, start);
    for (size_t i = 0; i < start; i++)
        walk.depth += prefix[i] == '/';

    /* What is not there, or is no directory, holds no key. */
    struct graft_entry entry;
    walk.path[walk.length - 1] = walk.length == 1 ? '/' : '\0';
    enum graft_rc rc = graft_disk_stat(env->disk, walk.path, &entry, err);
    walk.path[walk.length - 1] = '/';
    if (rc == GRAFT_ENOTFOUND || (rc == GRAFT_OK && entry.kind != GRAFT_ENTRY_DIRECTORY))
        return GRAFT_OK;
    GRAFT_TRY(rc);
    return visit_directory(&walk);
}
