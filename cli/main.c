/* The `graft` binary: finds the command, parses its options as the table in help.c allows them,
 * makes an environment and a process, and runs it. */
#include <errno.h>
#include <getopt.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "cli.h"
#include "vfs/layout.h"

#define LOG_LIMIT_DEFAULT 50U
#define OPTIONS_MAX 8

enum cli_exit cli_version(struct cli *cli)
{
    (void)cli;
    (void)printf("graft %s (SQLite %s)\n", GRAFT_VERSION, sqlite3_libversion());
    return CLI_OK;
}

static enum cli_exit usage_fail(const struct cli *cli)
{
    const struct cli_command *command = cli->command;
    (void)fprintf(stderr, "usage: graft %s%s%s\n", command->name,
                  command->arguments[0] != '\0' ? " " : "", command->arguments);
    return CLI_USAGE;
}

/* A decimal number within bounds. */
static bool parse_number(const char *text, unsigned long max, uint32_t *out)
{
    char *end = NULL;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value > max)
        return false;
    *out = (uint32_t)value;
    return true;
}

static bool set_cache_limit(struct cli *cli, const char *value)
{
    struct graft_err err = {.rc = GRAFT_OK};
    uint64_t bytes = 0;
    cli->cache_limit = value;
    if (graft_cache_limit_parse(value, &bytes, &err) == GRAFT_OK)
        return true;
    (void)cli_fail(cli, CLI_USAGE, "--cache-limit: %s", err.text);
    return false;
}

static bool set_option(struct cli *cli, int letter, const char *value)
{
    switch (letter) {
    case CLI_OPTION_CACHE_LIMIT:
        return set_cache_limit(cli, value);
    case CLI_OPTION_REMOTE:
        cli->remote = value;
        return true;
    case CLI_OPTION_PAGE_SIZE:
        if (parse_number(value, GRAFT_PAGE_BYTES_MAX, &cli->page_bytes) &&
            cli->page_bytes >= GRAFT_PAGE_BYTES_MIN &&
            (cli->page_bytes & (cli->page_bytes - 1)) == 0)
            return true;
        (void)cli_fail(cli, CLI_USAGE, "--page-size %s: not a power of two from %u to %u", value,
                       GRAFT_PAGE_BYTES_MIN, GRAFT_PAGE_BYTES_MAX);
        return false;
    case CLI_OPTION_LIMIT:
        if (parse_number(value, UINT32_MAX, &cli->limit))
            return true;
        (void)cli_fail(cli, CLI_USAGE, "--limit %s: not a number", value);
        return false;
    case CLI_OPTION_JSON:
        return cli->json = true;
    case CLI_OPTION_YES:
        return cli->yes = true;
    default:
        return cli->force = true;
    }
}

struct option_name {
    const char *name;
    enum cli_option option;
    int has_value;
};

static const struct option_name option_names[] = {
    {"remote", CLI_OPTION_REMOTE, required_argument},
    {"page-size", CLI_OPTION_PAGE_SIZE, required_argument},
    {"cache-limit", CLI_OPTION_CACHE_LIMIT, required_argument},
    {"limit", CLI_OPTION_LIMIT, required_argument},
    {"json", CLI_OPTION_JSON, no_argument},
    {"yes", CLI_OPTION_YES, no_argument},
    {"force", CLI_OPTION_FORCE, no_argument},
};

/* The options of the command, for getopt_long. */
static void fill_options(const struct cli_command *command, struct option out[OPTIONS_MAX])
{
    size_t used = 0;
    for (size_t i = 0; i < sizeof option_names / sizeof option_names[0]; i++) {
        if ((command->options & option_names[i].option) != 0)
            out[used++] = (struct option){option_names[i].name, option_names[i].has_value, NULL,
                                          (int)option_names[i].option};
    }
    out[used++] = (struct option){"help", no_argument, NULL, 'h'};
    out[used] = (struct option){NULL, 0, NULL, 0};
}

/* Parses what follows the command's name. `*help` is set when help was asked for. */
static enum cli_exit parse(struct cli *cli, int argc, char **argv, bool *help)
{
    struct option options[OPTIONS_MAX];
    fill_options(cli->command, options);
    opterr = 0;
    int letter = 0;
    while ((letter = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        if (letter == 'h') {
            *help = true;
            return CLI_OK;
        }
        if (letter == '?' || letter == ':') {
            (void)cli_fail(cli, CLI_USAGE,
                           letter == ':' ? "%s: needs a value" : "%s: no such option",
                           argv[optind - 1]);
            return usage_fail(cli);
        }
        if (!set_option(cli, letter, optarg))
            return CLI_USAGE;
    }
    cli->arg_count = argc - optind;
    if (cli->arg_count < cli->command->args_min || cli->arg_count > cli->command->args_max) {
        (void)cli_fail(cli, CLI_USAGE, "%s",
                       cli->arg_count < cli->command->args_min ? "an argument is missing"
                                                               : "one argument too many");
        return usage_fail(cli);
    }
    for (int i = 0; i < cli->arg_count; i++) {
        cli->args[i] = argv[optind + i];
        if (cli->args[i][0] == '\0') {
            (void)cli_fail(cli, CLI_USAGE, "an argument is empty");
            return usage_fail(cli);
        }
    }
    return CLI_OK;
}

static void print_log_line(void *arg, enum graft_log_level level, const char *text)
{
    (void)arg;
    if (level == GRAFT_LOG_ERROR || level == GRAFT_LOG_WARN)
        (void)fprintf(stderr, "graft: note: %s\n", text);
}

static enum cli_exit run(struct cli *cli)
{
    struct graft_err err = {.rc = GRAFT_OK};
    struct graft_host_options options = {.log_line = print_log_line};
    enum graft_rc rc = graft_host_new(&options, &cli->host, &err);
    if (rc != GRAFT_OK)
        return cli_fail_err(cli, rc, &err);
    cli->env = graft_host_env(cli->host);
    rc = graft_process_new(cli->env, &cli->process, &err);
    if (rc == GRAFT_OK)
        graft_process_set_arrange(cli->process, graft_layout_arrange, cli->env);
    enum cli_exit code = rc == GRAFT_OK ? cli->command->run(cli) : cli_fail_err(cli, rc, &err);
    graft_process_free(cli->process);
    graft_host_free(cli->host);
    return code;
}

/* A result that could not be printed (a full disk, a closed pipe) was not given. */
static enum cli_exit flush(const struct cli *cli, enum cli_exit code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    enum cli_exit failed = cli_fail(cli, CLI_FAILED, "standard output: %s", strerror(errno));
    return code == CLI_OK ? failed : code;
}

int main(int argc, char **argv)
{
    struct cli cli = {.limit = LOG_LIMIT_DEFAULT};
    if (argc < 2) {
        (void)fprintf(stderr, "usage: graft COMMAND ...; graft help lists the commands\n");
        return CLI_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    else if (strcmp(name, "--version") == 0)
        name = "version";
    cli.command = cli_command_find(name);
    if (cli.command == NULL)
        return (int)cli_fail(&cli, CLI_USAGE, "unknown command '%s'; graft help lists them", name);

    bool help = false;
    enum cli_exit code = parse(&cli, argc - 1, argv + 1, &help);
    if (code != CLI_OK)
        return (int)code;
    if (help)
        cli_command_help_print(cli.command);
    else
        code = run(&cli);
    return (int)flush(&cli, code);
}
