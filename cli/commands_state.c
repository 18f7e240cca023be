/* status and log: what a database directory is, and how it came to be. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "cli.h"
#include "json.h"

static void print_status_json(const char *directory, uint32_t page_bytes,
                              const struct graft_status *status)
{
    struct cli_json json = {.out = stdout};
    cli_json_object_begin(&json, NULL);
    cli_json_text(&json, "directory", directory);
    cli_json_text(&json, "volume", status->volume);
    cli_json_text(&json, "remote", status->remote);
    cli_json_number(&json, "local_lsn", status->local_lsn);
    cli_json_number(&json, "remote_lsn", status->remote_lsn);
    cli_json_number(&json, "ahead", status->ahead);
    cli_json_number(&json, "behind", status->behind);
    cli_json_text(&json, "state", graft_state_text(status->state));
    cli_json_number(&json, "page_size", page_bytes);
    cli_json_number(&json, "pages", status->pages);
    cli_json_number(&json, "pages_held", status->pages_held);
    cli_json_text(&json, "last_error", status->last_error);
    cli_json_object_end(&json);
}

static void print_status(const char *directory, uint32_t page_bytes,
                         const struct graft_status *status)
{
    (void)printf("directory   %s\n", directory);
    (void)printf("volume      %s\n", status->volume[0] != '\0' ? status->volume : "not known yet");
    (void)printf("remote      %s\n", status->remote[0] != '\0' ? status->remote : "none");
    (void)printf("state       %s", graft_state_text(status->state));
    if (status->ahead > 0)
        (void)printf(", %" PRIu64 " to push", status->ahead);
    if (status->behind > 0)
        (void)printf(", %" PRIu64 " to pull", status->behind);
    (void)printf("\nlocal LSN   %" PRIu64 "\n", status->local_lsn);
    (void)printf("remote LSN  %" PRIu64 "\n", status->remote_lsn);
    (void)printf("pages       %" PRIu64 " of %" PRIu32 " bytes, %" PRIu64 " held\n", status->pages,
                 page_bytes, status->pages_held);
    if (status->last_error[0] != '\0')
        (void)printf("last error  %s\n", status->last_error);
}

enum cli_exit cli_status(struct cli *cli)
{
    struct graft_err err = {.rc = GRAFT_OK};
    struct graft_volume *volume = NULL;
    enum graft_rc rc = cli_volume_open(cli, &volume, &err);
    if (rc != GRAFT_OK)
        return cli_fail_err(cli, rc, &err);
    struct graft_status status;
    rc = graft_status(volume, &status, &err);
    if (rc == GRAFT_OK) {
        const char *directory = graft_volume_directory(volume);
        uint32_t page_bytes = graft_volume_page_bytes(volume, NULL);
        if (cli->json)
            print_status_json(directory, page_bytes, &status);
        else
            print_status(directory, page_bytes, &status);
    }
    graft_volume_close(volume);
    return rc == GRAFT_OK ? CLI_OK : cli_fail_err(cli, rc, &err);
}

struct log_listing {
    struct cli_json json;
    bool as_json;
    uint32_t left; /* entries that may still be printed */
};

static const char *side_text(enum graft_side side)
{
    return side == GRAFT_SIDE_LOCAL ? "local" : "remote";
}

/* ISO 8601 in UTC, to the second. */
static void time_text(uint64_t time_ms, char out[32])
{
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm parts;
    out[0] = '\0';
    if (gmtime_r(&seconds, &parts) != NULL)
        (void)strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

static enum graft_rc print_entry(void *arg, const struct graft_log_entry *entry)
{
    struct log_listing *listing = arg;
    if (listing->left == 0)
        return GRAFT_ECANCELED;
    listing->left--;
    char when[32];
    time_text(entry->time_ms, when);
    if (!listing->as_json) {
        (void)printf("%-6s %8" PRIu64 "  %s  client %.8s  %8" PRIu64 " pages  %s\n",
                     side_text(entry->side), entry->lsn, when, entry->client, entry->pages,
                     entry->hash);
        return GRAFT_OK;
    }
    struct cli_json *json = &listing->json;
    cli_json_object_begin(json, NULL);
    cli_json_number(json, "lsn", entry->lsn);
    cli_json_text(json, "side", side_text(entry->side));
    cli_json_text(json, "time", when);
    cli_json_number(json, "time_ms", entry->time_ms);
    cli_json_text(json, "client", entry->client);
    cli_json_number(json, "pages", entry->pages);
    cli_json_text(json, "hash", entry->hash);
    cli_json_object_end(json);
    return GRAFT_OK;
}

enum cli_exit cli_log(struct cli *cli)
{
    struct graft_err err = {.rc = GRAFT_OK};
    struct graft_volume *volume = NULL;
    enum graft_rc rc = cli_volume_open(cli, &volume, &err);
    if (rc != GRAFT_OK)
        return cli_fail_err(cli, rc, &err);
    struct log_listing listing = {
        .json = {.out = stdout},
        .as_json = cli->json,
        .left = cli->limit,
    };
    if (cli->json)
        cli_json_array_begin(&listing.json, NULL);
    rc = graft_log(volume, cli->limit, print_entry, &listing, &err);
    if (rc == GRAFT_ECANCELED && listing.left == 0)
        rc = GRAFT_OK;
    if (cli->json)
        cli_json_array_end(&listing.json);
    struct graft_status status;
    if (rc == GRAFT_OK && graft_status(volume, &status, NULL) == GRAFT_OK &&
        status.last_error[0] != '\0')
        (void)fprintf(stderr, "graft: log: the remote's part is left out: %s\n", status.last_error);
    graft_volume_close(volume);
    return rc == GRAFT_OK ? CLI_OK : cli_fail_err(cli, rc, &err);
}
