/* Failing here means that the machine cannot run tests at all, so that everything aborts. */
#include "support/testing.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "host/host.h"

struct graft_env *graft_test_env(void)
{
    static struct graft_host *host;
    if (host == NULL) {
        enum graft_rc rc = graft_host_new(NULL, &host, NULL);
        GRAFT_ASSERT(rc == GRAFT_OK);
    }
    return graft_host_env(host);
}

void graft_test_dir_make(struct graft_test_dir *dir)
{
    const char *parent = getenv("TMPDIR");
    if (parent == NULL || parent[0] == '\0')
        parent = "/tmp";
    int length = snprintf(dir->path, sizeof dir->path, "%s/graft-test-XXXXXX", parent);
    GRAFT_ASSERT(length > 0 && (size_t)length < sizeof dir->path);
    GRAFT_ASSERT(mkdtemp(dir->path) != NULL);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *at)
{
    (void)status;
    (void)kind;
    (void)at;
    return remove(path);
}

void graft_test_remove(const char *path)
{
    (void)nftw(path, remove_one, 32, FTW_DEPTH | FTW_PHYS);
}

void graft_test_dir_remove(struct graft_test_dir *dir)
{
    graft_test_remove(dir->path);
}

const char *graft_test_path(const struct graft_test_dir *dir, const char *name)
{
    static char paths[16][GRAFT_PATH_BYTES_MAX];
    static size_t next;
    char *path = paths[next++ % 16];
    int length = snprintf(path, GRAFT_PATH_BYTES_MAX, "%s/%s", dir->path, name);
    GRAFT_ASSERT(length > 0 && (size_t)length < GRAFT_PATH_BYTES_MAX);
    return path;
}
