/* verify: every held page of a directory, or every object that a remote's newest commit needs. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "json.h"
#include "progress.h"

static void print_result(const struct cli *cli, const struct graft_verify_result *result)
{
    if (!cli->json) {
        (void)printf("%" PRIu64 " pages, %" PRIu64 " checked, %" PRIu64 " repaired, %" PRIu64
                     " bad\n",
                     result->pages, result->held, result->repaired, result->bad);
        return;
    }
    struct cli_json json = {.out = stdout};
    cli_json_object_begin(&json, NULL);
    cli_json_number(&json, "pages", result->pages);
    cli_json_number(&json, "checked", result->held);
    cli_json_number(&json, "repaired", result->repaired);
    cli_json_number(&json, "bad", result->bad);
    cli_json_number(&json, "first_bad", result->first_bad);
    cli_json_object_end(&json);
}

enum cli_exit cli_verify(struct cli *cli)
{
    struct graft_err err = {.rc = GRAFT_OK};
    struct graft_verify_result result = {.pages = 0};
    struct graft_volume *volume = NULL;
    bool is_url = strstr(cli->args[0], "://") != NULL;
    enum graft_rc rc = is_url ? GRAFT_OK : cli_volume_open(cli, &volume, &err);
    if (rc != GRAFT_OK)
        return cli_fail_err(cli, rc, &err);
    struct cli_progress progress;
    cli_progress_begin(&progress, cli);
    rc = is_url ? graft_verify_remote(cli->env, cli->args[0], cli_progress_step, &progress, &result,
                                      &err)
                : graft_verify(volume, cli_progress_step, &progress, &result, &err);
    cli_progress_end(&progress);
    graft_volume_close(volume);
    /* What was found bad is a result as well; nothing else is, when there was a failure. */
    if (rc == GRAFT_OK || result.bad > 0)
        print_result(cli, &result);
    return rc == GRAFT_OK ? CLI_OK : cli_fail_err(cli, rc, &err);
}
