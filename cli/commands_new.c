/* init and clone: commands that make a database directory. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"

enum cli_exit cli_init(struct cli *cli)
{
    char *directory = cli_path_absolute(cli, cli->args[0]);
    if (directory == NULL)
        return CLI_FAILED;
    struct graft_err err = {.rc = GRAFT_OK};
    struct graft_volume_options options = {
        .remote_url = cli->remote,
        .page_bytes = cli->page_bytes,
        .cache_limit = cli->cache_limit,
    };
    struct graft_volume *volume = NULL;
    bool made = false;
    enum graft_rc rc = cli_volume_create(cli, directory, &options, &volume, &made, &err);
    free(directory);
    if (rc != GRAFT_OK)
        return cli_fail_err(cli, rc, &err);
    graft_volume_close(volume);
    (void)printf("%s: new Graft database\n", cli->args[0]);
    return CLI_OK;
}

/* Meets the remote, so that a wrong URL is known now and not at the first query. */
static enum graft_rc meet(struct cli *cli, struct graft_volume *volume,
                          struct graft_snapshot *snapshot, struct graft_err *err)
{
    struct graft_session *session = NULL;
    GRAFT_TRY(graft_session_open(volume, &session, err));
    enum graft_rc rc = graft_session_begin(session, snapshot, err);
    if (rc == GRAFT_OK && snapshot->remote_lsn == 0)
        rc = graft_err_set(
            err, GRAFT_ENOTFOUND,
            "%s: nothing is there; begin a new database with graft init DIR --remote URL",
            cli->args[0]);
    graft_session_close(session);
    return rc;
}

enum cli_exit cli_clone(struct cli *cli)
{
    char *directory = cli_path_absolute(cli, cli->args[1]);
    if (directory == NULL)
        return CLI_FAILED;
    struct graft_err err = {.rc = GRAFT_OK};
    struct graft_volume_options options = {
        .remote_url = cli->args[0],
        .cache_limit = cli->cache_limit,
    };
    struct graft_volume *volume = NULL;
    struct graft_snapshot snapshot = {.lsn = 0};
    bool made = false;
    enum cli_exit code = CLI_OK;
    enum graft_rc rc = cli_volume_create(cli, directory, &options, &volume, &made, &err);
    if (rc != GRAFT_OK) {
        code = cli_fail_err(cli, rc, &err);
        goto out;
    }
    rc = meet(cli, volume, &snapshot, &err);
    graft_volume_close(volume);
    if (rc != GRAFT_OK) {
        code = cli_fail_err(cli, rc, &err);
        cli_path_remove_new(cli, directory, made);
        goto out;
    }
    (void)printf("%s: replica at remote LSN %" PRIu64 ", %" PRIu32
                 " pages, fetched as they are read\n",
                 cli->args[1], snapshot.remote_lsn, snapshot.page_count);
out:
    free(directory);
    return code;
}
