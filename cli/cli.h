/* What the files of the command line know of each other. The command line is thin: it parses, calls
 * the engine (and for import and export the SQLite VFS), and prints. */
#ifndef GRAFT_CLI_CLI_H
#define GRAFT_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "graft/graft.h"
#include "host/host.h"

/* Exit codes, which scripts rely on. */
enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,
    CLI_USAGE = 2,
    CLI_DIVERGED = 3,
    CLI_UNREACHABLE = 4,
    CLI_CORRUPT = 5,
};

enum cli_option {
    CLI_OPTION_REMOTE = 1,
    CLI_OPTION_PAGE_SIZE = 2,
    CLI_OPTION_LIMIT = 4,
    CLI_OPTION_JSON = 8,
    CLI_OPTION_YES = 16,
    CLI_OPTION_FORCE = 32,
    CLI_OPTION_CACHE_LIMIT = 64,
};

struct cli;

struct cli_command {
    const char *name;
    const char *arguments; /* as the synopsis shows them */
    const char *summary;   /* one line */
    const char *help;      /* paragraphs, each line ending in a newline */
    unsigned options;      /* of enum cli_option */
    int args_min, args_max;
    enum cli_exit (*run)(struct cli *cli);
};

/* One invocation: what was asked, and what it is done with. */
struct cli {
    const struct cli_command *command;
    const char *args[2];
    int arg_count;
    const char *remote;      /* NULL: not given */
    const char *cache_limit; /* NULL: not given */
    uint32_t page_bytes;     /* 0: not given */
    uint32_t limit;
    bool json, yes, force;

    struct graft_host *host;
    struct graft_env *env;
    struct graft_process *process;
};

/* Ends with an entry whose name is NULL. */
extern const struct cli_command cli_commands[];

/* ---- help.c: what the commands are called and what their help says. ---- */

/* NULL when there is no such command. */
const struct cli_command *cli_command_find(const char *name);
void cli_help_print(void);
void cli_command_help_print(const struct cli_command *command);

/* ---- report.c: errors and exit codes ---- */

/* Prints "graft: <command>: <text>" on standard error and returns `code`. */
enum cli_exit cli_fail(const struct cli *cli, enum cli_exit code, const char *format, ...)
    GRAFT_PRINTF(3, 4);
/* The same for a failure of the engine: the text is the error's, the exit code follows from `rc`.
 */
enum cli_exit cli_fail_err(const struct cli *cli, enum graft_rc rc, const struct graft_err *err);

/* ---- paths.c ---- */

/* `path` as an absolute one without slashes at its end, to be freed with free(); NULL after a
 * message. */
char *cli_path_absolute(const struct cli *cli, const char *path);
/* Undoes the making of a database: removes the files in the directory and, when this command made
 * it, the directory. What cannot be removed is named on standard error. */
void cli_path_remove_new(const struct cli *cli, const char *directory, bool made);

/* ---- commands_*.c ---- */

enum cli_exit cli_init(struct cli *cli);
enum cli_exit cli_clone(struct cli *cli);
enum cli_exit cli_status(struct cli *cli);
enum cli_exit cli_log(struct cli *cli);
enum cli_exit cli_pull(struct cli *cli);
enum cli_exit cli_push(struct cli *cli);
enum cli_exit cli_fetch(struct cli *cli);
enum cli_exit cli_hydrate(struct cli *cli);
enum cli_exit cli_reset(struct cli *cli);
enum cli_exit cli_verify(struct cli *cli);
enum cli_exit cli_import(struct cli *cli);
enum cli_exit cli_export(struct cli *cli);
enum cli_exit cli_version(struct cli *cli);
enum cli_exit cli_help(struct cli *cli);

/* Opens the database directory of the first argument, which must exist; close the volume with
 * graft_volume_close. */
GRAFT_MUST_USE enum graft_rc cli_volume_open(struct cli *cli, struct graft_volume **out,
                                             struct graft_err *err);
/* For a command that makes a database: opens a new one at `directory` (absolute), which is missing
 * or empty. `*made` says whether the directory is new too (see cli_path_remove_new). EEXIST when a
 * database is there, EINVAL when something else is; nothing is left behind on failure. */
GRAFT_MUST_USE enum graft_rc cli_volume_create(struct cli *cli, const char *directory,
                                               const struct graft_volume_options *options,
                                               struct graft_volume **out, bool *made,
                                               struct graft_err *err);

#endif
