/* Errors in words on standard error, and the one mapping from the engine's codes to exit codes. */
#include <stdio.h>

#include "cli.h"

static enum cli_exit exit_of(enum graft_rc rc)
{
    switch (rc) {
    case GRAFT_OK:
        return CLI_OK;
    case GRAFT_EDIVERGED:
        return CLI_DIVERGED;
    case GRAFT_EUNREACHABLE:
    case GRAFT_EINDOUBT:
        return CLI_UNREACHABLE;
    case GRAFT_ECORRUPT:
        return CLI_CORRUPT;
    default:
        return CLI_FAILED;
    }
}

enum cli_exit cli_fail(const struct cli *cli, enum cli_exit code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fprintf(stderr, "graft: ");
    if (cli->command != NULL)
        (void)fprintf(stderr, "%s: ", cli->command->name);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    return code;
}

enum cli_exit cli_fail_err(const struct cli *cli, enum graft_rc rc, const struct graft_err *err)
{
    bool has_text = err->rc != GRAFT_OK && err->text[0] != '\0';
    return cli_fail(cli, exit_of(rc), "%s", has_text ? err->text : graft_rc_text(rc));
}
