/* Opening the database that a command is about, and making a new one without leaving half of one
 * behind. */
#include <stdlib.h>

#include "cli.h"

enum graft_rc cli_volume_open(struct cli *cli, struct graft_volume **out, struct graft_err *err)
{
    char *directory = cli_path_absolute(cli, cli->args[0]);
    if (directory == NULL)
        return graft_err_set(err, GRAFT_EINVAL, "%s: not a usable path", cli->args[0]);
    enum graft_rc rc = GRAFT_OK;
    struct graft_entry entry;
    if (graft_disk_stat(cli->env->disk, directory, &entry, NULL) == GRAFT_OK &&
        !graft_volume_exists(cli->env, directory))
        rc = graft_err_set(err, GRAFT_ENOTFOUND,
                           "%s: not a Graft database; make one with graft init, clone or import",
                           cli->args[0]);
    struct graft_volume_options options = {.remote_url = NULL};
    if (rc == GRAFT_OK)
        rc = graft_volume_open(cli->process, directory, &options, out, err);
    free(directory);
    return rc;
}

static enum graft_rc stop_at_entry(void *arg, const char *name, enum graft_entry_kind kind)
{
    (void)arg, (void)name, (void)kind;
    return GRAFT_EEXIST;
}

/* Checks that a database may be made there. `*missing` says whether the directory is to be made
 * too.
 */
static enum graft_rc check_new(struct cli *cli, const char *directory, bool *missing,
                               struct graft_err *err)
{
    struct graft_disk *disk = cli->env->disk;
    if (graft_volume_exists(cli->env, directory))
        return graft_err_set(err, GRAFT_EEXIST, "%s: holds a Graft database already", directory);
    struct graft_entry entry;
    enum graft_rc rc = graft_disk_stat(disk, directory, &entry, err);
    if (rc == GRAFT_ENOTFOUND) {
        *missing = true;
        return GRAFT_OK;
    }
    if (rc != GRAFT_OK)
        return rc;
    if (entry.kind != GRAFT_ENTRY_DIRECTORY)
        return graft_err_set(err, GRAFT_EINVAL, "%s: is a file; name a directory", directory);
    rc = graft_disk_list(disk, directory, stop_at_entry, NULL, err);
    if (rc == GRAFT_EEXIST)
        return graft_err_set(err, GRAFT_EINVAL, "%s: is not empty; name a new directory",
                             directory);
    if (rc == GRAFT_OK)
        *missing = false;
    return rc;
}

enum graft_rc cli_volume_create(struct cli *cli, const char *directory,
                                const struct graft_volume_options *options,
                                struct graft_volume **out, bool *made, struct graft_err *err)
{
    bool missing = false;
    GRAFT_TRY(check_new(cli, directory, &missing, err));
    struct graft_volume_options new_options = *options;
    new_options.create = true;
    enum graft_rc rc = graft_volume_open(cli->process, directory, &new_options, out, err);
    if (rc != GRAFT_OK) {
        cli_path_remove_new(cli, directory, missing);
        return rc;
    }
    *made = missing;
    return GRAFT_OK;
}
