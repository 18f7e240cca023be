/* The commands that study the tests themselves: mutants (are bugs found?) and coverage (was
 * everything tried?). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cli.h"
#include "sim/jobs.h"

#define MUTANT_SEEDS_MAX 10000U
#define COVERAGE_SEEDS 1000U

/* ---- Mutants. */

struct hunt {
    size_t mutant;
    uint64_t found;    /* the least seed that shows it; 0: none yet */
    uint64_t asserted; /* runs that an assertion beside the bug ended */
    char signature[SIM_SIGNATURE_BYTES];
};

/* What code says about itself does not find a bug: others must, from outside. */
static bool is_a_finding(const char *signature)
{
    return signature[0] != '\0' && strncmp(signature, "assert:", 7) != 0 &&
           strncmp(signature, "crash:", 6) != 0;
}

static void run_mutant(void *arg, struct sim_pool *pool, uint64_t seed, struct sim_result *out)
{
    const struct hunt *hunt = arg;
    struct sim_case what;
    sim_point_set_strict(false);
    sim_case_draw(&what, seed, NULL);
    sim_point_plant(hunt->mutant);
    sim_run(pool, &what, NULL, out);
    if (!is_a_finding(out->signature))
        return;
    struct sim_result without;
    sim_point_plant(sim_point_count());
    sim_run(pool, &what, NULL, &without);
    if (without.signature[0] != '\0')
        (void)snprintf(out->signature, sizeof out->signature, "assert: it fails without, too");
    sim_result_deinit(&without);
}

static bool mutant_done(void *arg, uint64_t seed, const struct sim_result *result)
{
    struct hunt *hunt = arg;
    if (!is_a_finding(result->signature)) {
        hunt->asserted += result->signature[0] != '\0';
        return true;
    }
    if (hunt->found == 0 || seed < hunt->found) {
        hunt->found = seed;
        memcpy(hunt->signature, result->signature, sizeof hunt->signature);
    }
    return false;
}

static bool hunt_one(const struct sim_cli *cli, size_t mutant)
{
    const struct graft_point *point = sim_point_at(mutant);
    struct hunt hunt = {.mutant = mutant};
    struct sim_jobs jobs = {
        .first = cli->first,
        .last = cli->last,
        .jobs = cli->jobs,
        .run = run_mutant,
        .done = mutant_done,
        .arg = &hunt,
    };
    sim_jobs_run(&jobs, NULL);
    if (hunt.found != 0)
        (void)printf("%8" PRIu64 "  %s (%s)\n          by: %s\n", hunt.found - cli->first + 1,
                     point->text, point->file, hunt.signature);
    else
        (void)printf("SURVIVES  %s (%s:%u)%s\n", point->text, point->file, point->line,
                     hunt.asserted > 0 ? ", though assertions beside it fail" : "");
    (void)fflush(stdout);
    return hunt.found != 0;
}

enum sim_exit cli_mutants(struct sim_cli *cli)
{
    unsigned found = 0;
    unsigned survived = 0;
    if (!cli->has_seeds)
        cli->last = MUTANT_SEEDS_MAX;
    (void)printf("   seeds  mutant (file), version %s\n", cli_version());
    for (size_t i = 0; i < sim_point_count(); i++) {
        const struct graft_point *point = sim_point_at(i);
        if (point->kind != GRAFT_POINT_MUTANT ||
            (cli->only != NULL && strstr(point->text, cli->only) == NULL))
            continue;
        if (hunt_one(cli, i))
            found++;
        else
            survived++;
    }
    (void)printf("%u mutants, %u found, %u survive\n", found + survived, found, survived);
    return survived == 0 ? SIM_EXIT_OK : SIM_EXIT_FAILED;
}

/* ---- Coverage. */

static bool gather(struct sim_cli *cli, struct sim_tally *tally)
{
    if (cli->counts == NULL) {
        if (!cli->has_seeds)
            cli->last = COVERAGE_SEEDS;
        cli->has_seeds = true;
        cli_run_seeds(cli, tally);
        return true;
    }
    struct graft_err err = {0};
    FILE *file = fopen(cli->counts, "r");
    enum graft_rc rc = file == NULL ? graft_err_set(&err, GRAFT_ENOTFOUND, "it cannot be read")
                                    : sim_tally_read(tally, file, &err);
    if (file != NULL)
        (void)fclose(file);
    if (rc != GRAFT_OK)
        (void)fprintf(stderr, "graft-sim: %s: %s\n", cli->counts, err.text);
    return rc == GRAFT_OK;
}

enum sim_exit cli_coverage(struct sim_cli *cli)
{
    struct sim_tally tally;
    sim_tally_init(&tally);
    enum sim_exit status = SIM_EXIT_USAGE;
    if (gather(cli, &tally)) {
        uint64_t missing = sim_tally_print(&tally, cli->all, stdout);
        (void)printf("%zu points, %u kinds of faults, %" PRIu64 " runs: %" PRIu64 " not covered\n",
                     sim_point_count(), (unsigned)SIM_FAULT_COUNT, tally.runs, missing);
        status = missing == 0 ? SIM_EXIT_OK : SIM_EXIT_FAILED;
    }
    sim_tally_deinit(&tally);
    return status;
}
