/* Paths as users type them: relative ones, trailing slashes, any bytes. The engine is given
 * absolute ones, since it knows no working directory. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "cli.h"

char *cli_path_absolute(const struct cli *cli, const char *path)
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    if (length == 0) {
        (void)cli_fail(cli, CLI_USAGE, "the path is empty");
        return NULL;
    }
    char here[GRAFT_PATH_BYTES_MAX] = "";
    if (path[0] != '/' && getcwd(here, sizeof here) == NULL) {
        (void)cli_fail(cli, CLI_FAILED, "%s: the working directory: %s", path, strerror(errno));
        return NULL;
    }
    size_t room = strlen(here) + 1 + length + 1;
    char *out = malloc(room);
    if (out == NULL) {
        (void)cli_fail(cli, CLI_FAILED, "out of memory");
        return NULL;
    }
    const char *slash = here[0] == '\0' || strcmp(here, "/") == 0 ? "" : "/";
    (void)snprintf(out, room, "%s%s%.*s", here, slash, (int)length, path);
    return out;
}

struct removal {
    const struct cli *cli;
    const char *directory;
};

static enum graft_rc remove_entry(void *arg, const char *name, enum graft_entry_kind kind)
{
    const struct removal *removal = arg;
    char path[GRAFT_PATH_BYTES_MAX];
    int length = snprintf(path, sizeof path, "%s/%s", removal->directory, name);
    if (kind == GRAFT_ENTRY_DIRECTORY || length < 0 || (size_t)length >= sizeof path)
        return GRAFT_OK;
    enum graft_rc rc = graft_disk_remove(removal->cli->env->disk, path, NULL);
    return rc == GRAFT_ENOTFOUND ? GRAFT_OK : rc;
}

void cli_path_remove_new(const struct cli *cli, const char *directory, bool made)
{
    struct removal removal = {.cli = cli, .directory = directory};
    struct graft_err err = {.rc = GRAFT_OK};
    struct graft_disk *disk = cli->env->disk;
    enum graft_rc rc = graft_disk_list(disk, directory, remove_entry, &removal, &err);
    if (rc == GRAFT_OK && made)
        rc = graft_disk_remove(disk, directory, &err);
    if (rc != GRAFT_OK && rc != GRAFT_ENOTFOUND)
        (void)cli_fail(cli, CLI_FAILED, "what was begun could not be removed again: %s", err.text);
}
