/* What the files of graft-sim, the command, know of each other. */
#ifndef GRAFT_SIM_CLI_H
#define GRAFT_SIM_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "sim/case.h"
#include "sim/run.h"
#include "sim/tally.h"

enum sim_exit { SIM_EXIT_OK, SIM_EXIT_FAILED, SIM_EXIT_USAGE };

struct sim_cli {
    const char *program;
    uint64_t first, last; /* --seeds */
    bool has_seeds;
    uint32_t jobs;
    uint32_t seconds; /* --time; 0: no limit */
    const char *workload;
    bool check;
    const char *trace;
    const char *output;
    const char *counts; /* --counts */
    const char *only;   /* --only */
    bool hashes;
    bool all;
    char **arguments;
    int argument_count;
};

enum sim_exit cli_run(struct sim_cli *cli);
enum sim_exit cli_replay(struct sim_cli *cli);
enum sim_exit cli_shrink(struct sim_cli *cli);
enum sim_exit cli_case(struct sim_cli *cli);
enum sim_exit cli_mutants(struct sim_cli *cli);
enum sim_exit cli_coverage(struct sim_cli *cli);

const char *cli_version(void);
bool cli_parse_number(const char *text, uint64_t max, uint64_t *out);
/* Seconds since some time in the past. */
double cli_now(void);
/* Runs the seeds of --seeds and prints what fails. */
void cli_run_seeds(struct sim_cli *cli, struct sim_tally *tally);
/* Adds it to the file, when there is a name. False after a message. */
bool cli_write_counts(const struct sim_tally *tally, const char *path);

#endif
