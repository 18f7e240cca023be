/* What every test program starts from: the real environment and a directory of its own. */
#ifndef GRAFT_TESTS_SUPPORT_TESTING_H
#define GRAFT_TESTS_SUPPORT_TESTING_H

#include "base/limits.h"
#include "env/env.h"

struct graft_test_dir {
    char path[GRAFT_PATH_BYTES_MAX];
};

/* The host environment, made at the first call and kept until the process ends. */
struct graft_env *graft_test_env(void);

/* Makes a fresh directory under $TMPDIR (or /tmp); aborts when that fails. */
void graft_test_dir_make(struct graft_test_dir *dir);
/* Removes the directory and all that is in it. */
void graft_test_dir_remove(struct graft_test_dir *dir);
/* "<dir>/<name>", in one of sixteen buffers that are used in turn; not from two threads. */
const char *graft_test_path(const struct graft_test_dir *dir, const char *name);
/* Removes a path, with everything below it when it is a directory; a missing one is success. */
void graft_test_remove(const char *path);

#endif
