/* A repository in a directory of its own: what the tests of this folder start from. */
#ifndef GRAFT_TESTS_REMOTE_REPO_H
#define GRAFT_TESTS_REMOTE_REPO_H

#include <stdio.h>
#include <string.h>

#include "remote/objects.h"
#include "support/expect.h"
#include "support/testing.h"

/* "file://<dir><tail>", in a buffer of the caller. */
static inline const char *repo_url(const struct graft_test_dir *dir, const char *tail, char *out,
                                   size_t out_bytes)
{
    (void)snprintf(out, out_bytes, "file://%s%s", dir->path, tail);
    return out;
}

/* Opens "file://<dir>/repo/app" over `env`. */
static inline struct graft_objects *repo_open(struct graft_env *env,
                                              const struct graft_test_dir *dir)
{
    char text[GRAFT_PATH_BYTES_MAX];
    struct graft_url url;
    struct graft_objects *objects = NULL;
    struct graft_err err = {.rc = GRAFT_OK};
    expect_ok(graft_url_parse(repo_url(dir, "/repo/app", text, sizeof text), &url, &err), &err);
    expect_ok(graft_objects_open(env, &url, &objects, &err), &err);
    return objects;
}

static inline bool repo_put(struct graft_objects *objects, const char *key, const char *text,
                            bool if_absent)
{
    bool created = false;
    struct graft_err err = {.rc = GRAFT_OK};
    expect_ok(graft_objects_put(objects, key, text, strlen(text), if_absent, &created, &err), &err);
    return created;
}

/* Asserts the object's whole content. */
static inline void repo_expect(struct graft_objects *objects, const char *key, const char *text)
{
    struct graft_buf buf;
    struct graft_err err = {.rc = GRAFT_OK};
    graft_buf_init(&buf, graft_test_env()->alloc);
    expect_ok(graft_objects_get(objects, key, 0, 0, &buf, &err), &err);
    cr_assert_eq(buf.size, strlen(text), "%s holds %zu bytes", key, buf.size);
    cr_assert_arr_eq(buf.bytes, text, buf.size);
    graft_buf_deinit(&buf);
}

static inline enum graft_rc repo_count_entry(void *arg, const char *name,
                                             enum graft_entry_kind kind)
{
    (void)name;
    (void)kind;
    *(size_t *)arg += 1;
    return GRAFT_OK;
}

/* Entries of a directory below the test's; 0 when it does not exist. */
static inline size_t repo_entries(const struct graft_test_dir *dir, const char *name)
{
    size_t count = 0;
    struct graft_err err = {.rc = GRAFT_OK};
    enum graft_rc rc = graft_disk_list(graft_test_env()->disk, graft_test_path(dir, name),
                                       repo_count_entry, &count, &err);
    cr_assert(rc == GRAFT_OK || rc == GRAFT_ENOTFOUND, "%s", err.text);
    return count;
}

static inline void expect_text(const struct graft_err *err, const char *part)
{
    cr_assert(strstr(err->text, part) != NULL, "\"%s\" lacks \"%s\"", err->text, part);
}

#endif
