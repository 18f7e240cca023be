/* The commands: their names, options and help. This table is the one place that knows them; the
 * parser and the help are driven by it. */
#include <stdio.h>
#include <string.h>

#include "cli.h"

const struct cli_command cli_commands[] = {
    {
        .name = "init",
        .arguments = "DIR [--remote URL] [--page-size N] [--cache-limit N]",
        .summary = "make a new database directory",
        .help =
            "Makes DIR, an empty Graft database that SQLite opens by path. With a remote it is\n"
            "a replica of what is there, or will be there after the first push.\n",
        .options = CLI_OPTION_REMOTE | CLI_OPTION_PAGE_SIZE | CLI_OPTION_CACHE_LIMIT,
        .args_min = 1,
        .args_max = 1,
        .run = cli_init,
    },
    {
        .name = "clone",
        .arguments = "URL DIR [--cache-limit N]",
        .summary = "make a replica of a remote database",
        .help = "Makes DIR, a replica of the database at URL. No page is copied: each is fetched\n"
                "when it is first read (graft hydrate fetches all).\n"
                "\n"
                "URLs: file:///directory/repository/name, s3://bucket/prefix/name\n",
        .options = CLI_OPTION_CACHE_LIMIT,
        .args_min = 2,
        .args_max = 2,
        .run = cli_clone,
    },
    {
        .name = "import",
        .arguments = "FILE DIR [--remote URL]",
        .summary = "make a database from a SQLite file",
        .help = "Copies the SQLite database FILE, which may be in use, into DIR, a new Graft\n"
                "database with the same page size, in one transaction. What FILE holds is not\n"
                "changed.\n",
        .options = CLI_OPTION_REMOTE,
        .args_min = 2,
        .args_max = 2,
        .run = cli_import,
    },
    {
        .name = "export",
        .arguments = "DIR FILE [--force]",
        .summary = "write a database as a plain SQLite file",
        .help = "Writes the newest snapshot of DIR to FILE, a SQLite database. FILE is there only\n"
                "once it is complete.\n",
        .options = CLI_OPTION_FORCE,
        .args_min = 2,
        .args_max = 2,
        .run = cli_export,
    },
    {
        .name = "status",
        .arguments = "DIR [--json]",
        .summary = "show what a database is, and where it stands to its remote",
        .help = "Asks nobody: graft fetch says what the remote has.\n",
        .options = CLI_OPTION_JSON,
        .args_min = 1,
        .args_max = 1,
        .run = cli_status,
    },
    {
        .name = "log",
        .arguments = "DIR [--limit N] [--json]",
        .summary = "list commits, newest first",
        .help = "Lists the local commits that were not pushed, then those of the remote if it is\n"
                "within reach.\n",
        .options = CLI_OPTION_LIMIT | CLI_OPTION_JSON,
        .args_min = 1,
        .args_max = 1,
        .run = cli_log,
    },
    {
        .name = "pull",
        .arguments = "DIR [--json]",
        .summary = "accept the remote's commits",
        .help = "Open connections see them at their next transaction. Exits with 3, and changes\n"
                "nothing, when both sides have commits that the other lacks.\n",
        .options = CLI_OPTION_JSON,
        .args_min = 1,
        .args_max = 1,
        .run = cli_pull,
    },
    {
        .name = "push",
        .arguments = "DIR [--json]",
        .summary = "send the local commits to the remote",
        .help =
            "They become one remote commit. Exits with 3, and changes nothing, when the remote\n"
            "has commits that this database lacks.\n",
        .options = CLI_OPTION_JSON,
        .args_min = 1,
        .args_max = 1,
        .run = cli_push,
    },
    {
        .name = "fetch",
        .arguments = "DIR [--json]",
        .summary = "ask the remote what its newest commit is",
        .help = "Says how many commits there are to pull, and changes nothing.\n",
        .options = CLI_OPTION_JSON,
        .args_min = 1,
        .args_max = 1,
        .run = cli_fetch,
    },
    {
        .name = "hydrate",
        .arguments = "DIR [--json]",
        .summary = "fetch every page that is not held yet",
        .help = "From then on the newest snapshot can be read without the remote.\n",
        .options = CLI_OPTION_JSON,
        .args_min = 1,
        .args_max = 1,
        .run = cli_hydrate,
    },
    {
        .name = "verify",
        .arguments = "DIR|URL [--json]",
        .summary = "check every page against its checksum",
        .help = "For a directory: checks each page that is held, and fetches again what is rotten\n"
                "and the remote has. For a URL: reads the remote's log and every page of its\n"
                "newest commit. Exits with 5 when something is bad and stays so.\n",
        .options = CLI_OPTION_JSON,
        .args_min = 1,
        .args_max = 1,
        .run = cli_verify,
    },
    {
        .name = "reset",
        .arguments = "DIR [--yes] [--json]",
        .summary = "drop the local commits that were never pushed",
        .help = "Makes DIR follow the remote again. What is dropped is lost, so that --yes must\n"
                "be said when there is something; graft export keeps a copy of it.\n",
        .options = CLI_OPTION_YES | CLI_OPTION_JSON,
        .args_min = 1,
        .args_max = 1,
        .run = cli_reset,
    },
    {
        .name = "version",
        .arguments = "",
        .summary = "print the versions of graft and SQLite",
        .help = "",
        .run = cli_version,
    },
    {
        .name = "help",
        .arguments = "[COMMAND]",
        .summary = "explain a command, or list all",
        .help = "",
        .args_max = 1,
        .run = cli_help,
    },
    {.name = NULL},
};

struct option_help {
    unsigned option;
    const char *text;
};

static const struct option_help option_helps[] = {
    {CLI_OPTION_REMOTE, "  --remote URL     the remote that push, pull and reads of what is not "
                        "held go to\n"},
    {CLI_OPTION_PAGE_SIZE, "  --page-size N    bytes a page, a power of two from 512 to 65536 "
                           "(default 4096)\n"},
    {CLI_OPTION_CACHE_LIMIT,
     "  --cache-limit N  bytes that pages which the remote has may take here, as in 500M or\n"
     "                   10G: past it those read least recently are given up (default: none)\n"},
    {CLI_OPTION_LIMIT, "  --limit N        list at most N commits (default 50)\n"},
    {CLI_OPTION_JSON, "  --json           print the result as JSON\n"},
    {CLI_OPTION_YES, "  --yes            do it although commits are lost\n"},
    {CLI_OPTION_FORCE, "  --force          replace FILE if it exists\n"},
};

const struct cli_command *cli_command_find(const char *name)
{
    for (const struct cli_command *command = cli_commands; command->name != NULL; command++) {
        if (strcmp(command->name, name) == 0)
            return command;
    }
    return NULL;
}

void cli_help_print(void)
{
    (void)printf("usage: graft COMMAND ...\n\n"
                 "A Graft database is a directory that SQLite opens by path, and that replicates "
                 "lazily.\n\n");
    for (const struct cli_command *command = cli_commands; command->name != NULL; command++)
        (void)printf("  %-9s %s\n", command->name, command->summary);
    (void)printf("\ngraft help COMMAND says more. Exit codes: 0 ok, 1 failed, 2 wrong usage,\n"
                 "3 diverged, 4 remote out of reach, 5 corrupt.\n");
}

void cli_command_help_print(const struct cli_command *command)
{
    (void)printf("usage: graft %s%s%s\n\n%s%s", command->name,
                 command->arguments[0] != '\0' ? " " : "", command->arguments, command->summary,
                 ".\n");
    if (command->help[0] != '\0')
        (void)printf("\n%s", command->help);
    if (command->options != 0)
        (void)printf("\n");
    for (size_t i = 0; i < sizeof option_helps / sizeof option_helps[0]; i++) {
        if ((command->options & option_helps[i].option) != 0)
            (void)fputs(option_helps[i].text, stdout);
    }
}

enum cli_exit cli_help(struct cli *cli)
{
    if (cli->arg_count == 0) {
        cli_help_print();
        return CLI_OK;
    }
    const struct cli_command *command = cli_command_find(cli->args[0]);
    if (command == NULL)
        return cli_fail(cli, CLI_USAGE, "there is no command '%s'", cli->args[0]);
    cli_command_help_print(command);
    return CLI_OK;
}
