/* graft-sim: runs the whole system under seeds, replays and shrinks what fails. */
#include <getopt.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cli.h"
#include "sim/number.h"
#include "workloads/workload.h"

struct command {
    const char *name;
    const char *arguments;
    const char *summary;
    enum sim_exit (*run)(struct sim_cli *cli);
    int arguments_min, arguments_max;
    const char *options; /* letters of the table below */
    const char *help;
};

static const struct command commands[] = {
    {"run",
     "[--seeds A..B] [--jobs N] [--workload W] [--time SECONDS] [--check] [--hashes]\n"
     "                     [--counts FILE]",
     "run seeds, and print those that fail", cli_run, 0, 0, "sjwtcfH",
     "Each seed is one run of its own world: machines, processes, faults, schedule. Without "
     "--seeds\n"
     "it begins at seed 1 and goes on for --time seconds (60). What fails is printed with the "
     "command\n"
     "that replays it. The last line is `N passed, N failed`.\n"
     "--check runs each seed twice and compares; --hashes prints what runs are known by, and no "
     "more.\n"},
    {"replay", "SEED [--workload W] [--trace FILE]", "run one seed again, and tell more",
     cli_replay, 1, 1, "wT",
     "Prints the case, the verdict and the report. --trace writes every event as a line.\n"},
    {"shrink", "SEED [--workload W] [-o CASE]", "find a small case that fails as the seed does",
     cli_shrink, 1, 1, "wo",
     "Takes away workload, machines, faults and schedule changes, one after the other; what is "
     "left\n"
     "fails with the same signature. It is written to CASE, or else printed.\n"
     "SEED may also be the name of a case file, which is shrunk on.\n"},
    {"case", "FILE... [--trace FILE]", "run cases from files", cli_case, 1, 1000, "T",
     "A case that was kept for a failure that was fixed passes. The last line is `N passed, N "
     "failed`.\n"},
    {"mutants", "[--seeds A..B] [--jobs N] [--only TEXT]",
     "plant each bug, and count seeds until it is found", cli_mutants, 0, 0, "sjy",
     "For each GRAFT_MUTANT of the catalogue (whose text contains TEXT) runs seeds until a check "
     "fails\n"
     "that does not without it; assertions and `always` points do not count. Names what "
     "survives.\n"},
    {"coverage", "[--seeds A..B] [--jobs N] [--counts FILE] [--all]",
     "say which points of the catalogue and which faults were never hit", cli_coverage, 0, 0,
     "sjfa",
     "Reads what `run --counts FILE` gathered, or runs seeds (1..1000). --all prints what was hit "
     "too.\n"
     "Exit status 1 when something is missing.\n"},
};

#define COMMAND_COUNT (sizeof commands / sizeof *commands)

static const struct option options[] = {
    {"seeds", required_argument, NULL, 's'},
    {"jobs", required_argument, NULL, 'j'},
    {"workload", required_argument, NULL, 'w'},
    {"time", required_argument, NULL, 't'},
    {"check", no_argument, NULL, 'c'},
    {"trace", required_argument, NULL, 'T'},
    {"output", required_argument, NULL, 'o'},
    {"counts", required_argument, NULL, 'f'},
    {"only", required_argument, NULL, 'y'},
    {"all", no_argument, NULL, 'a'},
    {"hashes", no_argument, NULL, 'H'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static void print_usage(FILE *file)
{
    (void)fprintf(file, "usage: graft-sim COMMAND ...\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        (void)fprintf(file, "  %-9s %s\n", commands[i].name, commands[i].summary);
    (void)fprintf(file, "\ngraft-sim COMMAND --help says more. Workloads:");
    for (size_t i = 0; workloads[i] != NULL; i++)
        (void)fprintf(file, " %s", workloads[i]->name);
    (void)fprintf(file, ". Version %s.\n", cli_version());
}

static enum sim_exit usage(const struct command *command, const char *complaint, const char *what)
{
    if (complaint != NULL)
        (void)fprintf(stderr, "graft-sim %s: %s%s\n", command->name, complaint, what);
    (void)fprintf(stderr, "usage: graft-sim %s %s\n", command->name, command->arguments);
    return SIM_EXIT_USAGE;
}

bool cli_parse_number(const char *text, uint64_t max, uint64_t *out)
{
    return sim_number_parse(text, strlen(text), max, out);
}

static bool parse_seeds(const char *text, struct sim_cli *cli)
{
    char copy[64];
    const char *dots = strstr(text, "..");
    if (dots == NULL) {
        cli->has_seeds = cli_parse_number(text, UINT64_MAX, &cli->first);
        cli->last = cli->first;
        return cli->has_seeds;
    }
    if ((size_t)(dots - text) >= sizeof copy)
        return false;
    memcpy(copy, text, (size_t)(dots - text));
    copy[dots - text] = '\0';
    cli->has_seeds = cli_parse_number(copy, UINT64_MAX, &cli->first) &&
                     cli_parse_number(dots + 2, UINT64_MAX, &cli->last) && cli->first <= cli->last;
    return cli->has_seeds;
}

static bool parse_count(const char *text, uint32_t max, uint32_t *out)
{
    uint64_t value = 0;
    if (!cli_parse_number(text, max, &value) || value == 0)
        return false;
    *out = (uint32_t)value;
    return true;
}

static bool set_option(struct sim_cli *cli, int letter, const char *value)
{
    switch (letter) {
    case 's':
        return parse_seeds(value, cli);
    case 'j':
        return parse_count(value, 64, &cli->jobs);
    case 't':
        return parse_count(value, 1000000, &cli->seconds);
    case 'w':
        cli->workload = value;
        return workload_find(value) != NULL;
    case 'c':
        return cli->check = true;
    case 'T':
        cli->trace = value;
        return true;
    case 'o':
        cli->output = value;
        return true;
    case 'f':
        cli->counts = value;
        return true;
    case 'y':
        cli->only = value;
        return true;
    case 'H':
        return cli->hashes = true;
    default:
        return cli->all = true;
    }
}

static enum sim_exit run_command(const struct command *command, int argc, char **argv)
{
    struct sim_cli cli = {.program = "graft-sim", .first = 1, .last = UINT64_MAX, .jobs = 1};
    opterr = 0;
    for (;;) {
        int letter = getopt_long(argc, argv, "o:h", options, NULL);
        if (letter < 0)
            break;
        if (letter == 'h') {
            (void)printf("usage: graft-sim %s %s\n\n%s", command->name, command->arguments,
                         command->help);
            return SIM_EXIT_OK;
        }
        if (letter == '?' || strchr(command->options, letter) == NULL)
            return usage(command, "not understood: ", argv[optind - 1]);
        if (!set_option(&cli, letter, optarg))
            return usage(command, "not a value that is allowed: ", optarg);
    }
    cli.arguments = argv + optind;
    cli.argument_count = argc - optind;
    if (cli.argument_count < command->arguments_min || cli.argument_count > command->arguments_max)
        return usage(command, NULL, NULL);
    return command->run(&cli);
}

int main(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_usage(argc < 2 ? stderr : stdout);
        return argc < 2 ? SIM_EXIT_USAGE : SIM_EXIT_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)printf("graft-sim %s\n", cli_version());
        return SIM_EXIT_OK;
    }
    /* Every run needs about as much memory as the one before: what the system once gave is kept. */
    (void)mallopt(M_MMAP_THRESHOLD, 32 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, 512 << 20);
    (void)mallopt(M_TOP_PAD, 16 << 20);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, argv[1]) == 0)
            return (int)run_command(&commands[i], argc - 1, argv + 1);
    }
    (void)fprintf(stderr, "graft-sim: there is no command '%s'\n", argv[1]);
    print_usage(stderr);
    return SIM_EXIT_USAGE;
}
