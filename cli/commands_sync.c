/* pull, push, fetch, hydrate, reset: the verbs between a database directory and its remote. */
#include <inttypes.h>
#include <stdio.h>

#include "cli.h"
#include "json.h"
#include "progress.h"

typedef enum graft_rc sync_fn(struct cli *cli, struct graft_volume *volume,
                              struct cli_progress *progress, struct graft_sync_result *out,
                              struct graft_err *err);

static enum graft_rc do_pull(struct cli *cli, struct graft_volume *volume,
                             struct cli_progress *progress, struct graft_sync_result *out,
                             struct graft_err *err)
{
    (void)cli, (void)progress;
    return graft_pull(volume, out, err);
}

static enum graft_rc do_push(struct cli *cli, struct graft_volume *volume,
                             struct cli_progress *progress, struct graft_sync_result *out,
                             struct graft_err *err)
{
    (void)cli;
    cli_progress_watch(progress);
    return graft_push(volume, out, err);
}

static enum graft_rc do_fetch(struct cli *cli, struct graft_volume *volume,
                              struct cli_progress *progress, struct graft_sync_result *out,
                              struct graft_err *err)
{
    (void)cli, (void)progress;
    struct graft_status status;
    GRAFT_TRY(graft_fetch(volume, out, err));
    GRAFT_TRY(graft_status(volume, &status, err));
    /* What a fetch counts is what a pull would accept. */
    out->commits = status.behind;
    return GRAFT_OK;
}

static enum graft_rc do_hydrate(struct cli *cli, struct graft_volume *volume,
                                struct cli_progress *progress, struct graft_sync_result *out,
                                struct graft_err *err)
{
    (void)cli;
    return graft_hydrate(volume, cli_progress_step, progress, out, err);
}

static enum graft_rc do_reset(struct cli *cli, struct graft_volume *volume,
                              struct cli_progress *progress, struct graft_sync_result *out,
                              struct graft_err *err)
{
    (void)progress;
    struct graft_status status;
    GRAFT_TRY(graft_status(volume, &status, err));
    if (status.ahead > 0 && !cli->yes)
        return graft_err_set(err, GRAFT_ECANCELED,
                             "this drops %" PRIu64 " local commits that were never pushed; "
                             "say --yes to do it",
                             status.ahead);
    return graft_reset(volume, out, err);
}

static void print_json(const struct graft_sync_result *result)
{
    struct cli_json json = {.out = stdout};
    cli_json_object_begin(&json, NULL);
    cli_json_number(&json, "lsn", result->lsn);
    cli_json_number(&json, "commits", result->commits);
    cli_json_number(&json, "pages", result->pages);
    cli_json_bool(&json, "changed", result->changed);
    cli_json_object_end(&json);
}

/* Runs one verb on the database of the first argument; on success the result is in `*out` and, if
 * JSON was asked for, printed. */
static enum cli_exit run(struct cli *cli, sync_fn *verb, struct graft_sync_result *out)
{
    struct graft_err err = {.rc = GRAFT_OK};
    struct graft_volume *volume = NULL;
    enum graft_rc rc = cli_volume_open(cli, &volume, &err);
    if (rc != GRAFT_OK)
        return cli_fail_err(cli, rc, &err);
    struct cli_progress progress;
    cli_progress_begin(&progress, cli);
    rc = verb(cli, volume, &progress, out, &err);
    cli_progress_end(&progress);
    graft_volume_close(volume);
    if (rc != GRAFT_OK)
        return cli_fail_err(cli, rc, &err);
    if (cli->json)
        print_json(out);
    return CLI_OK;
}

enum cli_exit cli_pull(struct cli *cli)
{
    struct graft_sync_result result = {.lsn = 0};
    enum cli_exit code = run(cli, do_pull, &result);
    if (code == CLI_OK && !cli->json && result.changed)
        (void)printf("pulled %" PRIu64 " commits, now at remote LSN %" PRIu64 "\n", result.commits,
                     result.lsn);
    else if (code == CLI_OK && !cli->json)
        (void)printf("nothing to pull, at remote LSN %" PRIu64 "\n", result.lsn);
    return code;
}

enum cli_exit cli_push(struct cli *cli)
{
    struct graft_sync_result result = {.lsn = 0};
    enum cli_exit code = run(cli, do_push, &result);
    if (code == CLI_OK && !cli->json && result.changed)
        (void)printf("pushed %" PRIu64 " commits, %" PRIu64 " pages, as remote LSN %" PRIu64 "\n",
                     result.commits, result.pages, result.lsn);
    else if (code == CLI_OK && !cli->json)
        (void)printf("nothing to push, at remote LSN %" PRIu64 "\n", result.lsn);
    return code;
}

enum cli_exit cli_fetch(struct cli *cli)
{
    struct graft_sync_result result = {.lsn = 0};
    enum cli_exit code = run(cli, do_fetch, &result);
    if (code == CLI_OK && !cli->json)
        (void)printf("the remote is at LSN %" PRIu64 ", %" PRIu64 " commits to pull\n", result.lsn,
                     result.commits);
    return code;
}

enum cli_exit cli_hydrate(struct cli *cli)
{
    struct graft_sync_result result = {.lsn = 0};
    enum cli_exit code = run(cli, do_hydrate, &result);
    if (code == CLI_OK && !cli->json)
        (void)printf("fetched %" PRIu64 " pages, all are held now\n", result.pages);
    return code;
}

enum cli_exit cli_reset(struct cli *cli)
{
    struct graft_sync_result result = {.lsn = 0};
    enum cli_exit code = run(cli, do_reset, &result);
    if (code == CLI_OK && !cli->json)
        (void)printf("dropped %" PRIu64 " local commits: remote LSN %" PRIu64 "\n", result.commits,
                     result.lsn);
    return code;
}
