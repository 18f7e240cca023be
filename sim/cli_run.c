/* The commands that run seeds and cases: run, replay, case and shrink. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "graft/graft.h"
#include "sim/cli.h"
#include "sim/jobs.h"
#include "sim/shrink.h"
#include "sim_version.h"

#define REPORT_LINES 16U
#define PROGRESS_EVERY 0.25
#define TIME_DEFAULT 60U

const char *cli_version(void)
{
    return GRAFT_VERSION " (" SIM_VERSION ")";
}

double cli_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- Failures. */

static void print_report(const char *report, unsigned lines, FILE *file)
{
    for (unsigned i = 0; report != NULL && *report != '\0' && i < lines; i++) {
        size_t length = strcspn(report, "\n");
        (void)fprintf(file, "    %.*s\n", (int)length, report);
        report += length;
        report += *report == '\n';
    }
}

static void print_failure(const struct sim_cli *cli, uint64_t seed, const struct sim_result *result)
{
    (void)printf("FAILED seed %" PRIu64 ", version %s\n", seed, cli_version());
    (void)printf("    signature: %s\n", result->signature);
    print_report(result->report, REPORT_LINES, stdout);
    (void)printf("    replay: graft-sim replay %" PRIu64 "%s%s\n", seed,
                 cli->workload == NULL ? "" : " --workload ",
                 cli->workload == NULL ? "" : cli->workload);
    (void)fflush(stdout);
}

/* ---- run */

struct progress {
    struct sim_cli *cli;
    uint64_t runs, failed;
    double began, shown;
    bool on_terminal;
};

static void run_twice(struct sim_pool *pool, const struct sim_case *what, struct sim_result *out)
{
    struct sim_result again = {0};
    sim_run(pool, what, NULL, &again);
    if (again.hash == out->hash && strcmp(again.signature, out->signature) == 0) {
        sim_result_deinit(&again);
        return;
    }
    /* Twice more, one held against the other, to see where they part. */
    sim_result_deinit(&again);
    struct sim_run_options first = {.record = true};
    sim_run(pool, what, &first, &again);
    sim_result_deinit(&again);
    struct sim_run_options second = {.expected = first.recorded,
                                     .expected_count = first.recorded_count};
    sim_run(pool, what, &second, &again);
    sim_result_deinit(out);
    out->report = again.report;
    (void)snprintf(out->signature, sizeof out->signature, "outcome: DIVERGED");
    free(first.recorded);
}

static void run_seed(void *arg, struct sim_pool *pool, uint64_t seed, struct sim_result *out)
{
    const struct progress *progress = arg;
    struct sim_case what;
    sim_case_draw(&what, seed, progress->cli->workload);
    sim_run(pool, &what, NULL, out);
    if (progress->cli->check)
        run_twice(pool, &what, out);
}

static bool seed_done(void *arg, uint64_t seed, const struct sim_result *result)
{
    struct progress *progress = arg;
    progress->runs++;
    if (progress->cli->hashes)
        (void)printf("%" PRIu64 " %016" PRIx64 " %s\n", seed, result->hash, result->signature);
    else if (result->signature[0] != '\0') {
        progress->failed++;
        if (progress->on_terminal)
            (void)printf("\r\033[K");
        print_failure(progress->cli, seed, result);
    }
    double now = cli_now();
    if (progress->on_terminal && now - progress->shown >= PROGRESS_EVERY) {
        progress->shown = now;
        (void)printf("\r\033[K%" PRIu64 " seeds, %" PRIu64 " failed, %.0f a second", progress->runs,
                     progress->failed, (double)progress->runs / (now - progress->began));
        (void)fflush(stdout);
    }
    return true;
}

void cli_run_seeds(struct sim_cli *cli, struct sim_tally *tally)
{
    struct progress progress = {
        .cli = cli, .began = cli_now(), .on_terminal = isatty(1) != 0 && !cli->hashes};
    if (!cli->has_seeds && cli->seconds == 0)
        cli->seconds = TIME_DEFAULT;
    struct sim_jobs jobs = {
        .first = cli->first,
        .last = cli->last,
        .jobs = cli->jobs,
        .seconds = cli->seconds,
        .run = run_seed,
        .done = seed_done,
        .arg = &progress,
    };
    sim_jobs_run(&jobs, tally);
    if (progress.on_terminal)
        (void)printf("\r\033[K");
}

bool cli_write_counts(const struct sim_tally *tally, const char *path)
{
    if (path == NULL)
        return true;
    FILE *file = fopen(path, "a");
    if (file == NULL) {
        (void)fprintf(stderr, "graft-sim: %s cannot be written\n", path);
        return false;
    }
    sim_tally_write(tally, file);
    return fclose(file) == 0;
}

static double share(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0 : (double)part / (double)whole;
}

static void print_speed(const struct sim_cli *cli, const struct sim_tally *tally)
{
    double busy = (double)tally->busy_ns / 1e9;
    double times = cli->check ? 2 : 1;
    double simulated = (double)tally->simulated_ns / 1e9;
    uint64_t faults = 0;
    for (unsigned i = 0; i < SIM_FAULT_COUNT; i++)
        faults += tally->fired[i];
    uint64_t deaths = tally->fired[SIM_FAULT_process_kill] + tally->fired[SIM_FAULT_machine_crash];
    (void)printf("version %s; a run has on average %.0f simulated seconds, %.0f transactions, "
                 "%.1f faults, %.1f kills and crashes, %.0f events\n",
                 cli_version(), simulated / (double)tally->runs,
                 share(tally->transactions, tally->runs), share(faults, tally->runs),
                 share(deaths, tally->runs), share(tally->events, tally->runs));
    (void)printf("%.1f seeds a second of one core; simulated time %.0f times the processor's; "
                 "%" PRIu64 " runs below 100 transactions or 5 faults; %" PRIu64
                 " ended with damage that was reported as such\n",
                 times * (double)tally->runs / busy, times * simulated / busy, tally->short_runs,
                 tally->damaged);
}

enum sim_exit cli_run(struct sim_cli *cli)
{
    struct sim_tally tally;
    sim_tally_init(&tally);
    cli_run_seeds(cli, &tally);
    if (cli->hashes) {
        sim_tally_deinit(&tally);
        return SIM_EXIT_OK;
    }
    if (tally.runs > 0 && tally.busy_ns > 0)
        print_speed(cli, &tally);
    bool written = cli_write_counts(&tally, cli->counts);
    (void)printf("%" PRIu64 " passed, %" PRIu64 " failed\n", tally.runs - tally.failed,
                 tally.failed);
    enum sim_exit status = tally.failed == 0 && written ? SIM_EXIT_OK : SIM_EXIT_FAILED;
    sim_tally_deinit(&tally);
    return status;
}

/* ---- replay and case: one run in this process, so that a debugger can be there. */

static bool run_here(const struct sim_cli *cli, const struct sim_case *what,
                     struct sim_result *result)
{
    struct sim_run_options with = {0};
    if (cli->trace != NULL && (with.trace = fopen(cli->trace, "w")) == NULL) {
        (void)fprintf(stderr, "graft-sim: %s cannot be written\n", cli->trace);
        return false;
    }
    struct sim_pool *pool = sim_pool_new();
    sim_run(pool, what, &with, result);
    sim_pool_free(pool);
    if (with.trace != NULL)
        (void)fclose(with.trace);
    return true;
}

static void print_verdict(const struct sim_result *result)
{
    (void)printf("hash %016" PRIx64 ", %" PRIu64 " events, %.1f simulated seconds, %" PRIu64
                 " transactions, %" PRIu64 " processes, faults:",
                 result->hash, result->events, (double)result->simulated_ns / 1e9,
                 result->transactions, result->restarts);
    for (unsigned i = 0; i < SIM_FAULT_COUNT; i++) {
        if (result->fired[i] > 0)
            (void)printf(" %s %" PRIu64, sim_fault_name((enum sim_fault)i), result->fired[i]);
    }
    (void)printf("\n");
    if (result->signature[0] == '\0') {
        (void)printf("passed%s\n", result->damaged ? ", with damage that was reported" : "");
        return;
    }
    (void)printf("FAILED: %s\n", result->signature);
    print_report(result->report, UINT32_MAX, stdout);
}

static bool read_case(const char *path, struct sim_case *out)
{
    char text[4 * SIM_CASE_TEXT_BYTES];
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        (void)fprintf(stderr, "graft-sim: %s cannot be read\n", path);
        return false;
    }
    size_t got = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    text[got] = '\0';
    struct graft_err err = {0};
    if (sim_case_parse(text, out, &err) == GRAFT_OK)
        return true;
    (void)fprintf(stderr, "graft-sim: %s: %s\n", path, err.text);
    return false;
}

static enum sim_exit replay(const struct sim_cli *cli, const struct sim_case *what)
{
    char text[SIM_CASE_TEXT_BYTES];
    struct sim_result result = {0};
    sim_case_print(what, text);
    (void)printf("%s", text);
    (void)fflush(stdout);
    if (!run_here(cli, what, &result))
        return SIM_EXIT_USAGE;
    print_verdict(&result);
    bool passed = result.signature[0] == '\0';
    sim_result_deinit(&result);
    return passed ? SIM_EXIT_OK : SIM_EXIT_FAILED;
}

/* A seed's number, or the name of a case file. */
static bool take_case(const struct sim_cli *cli, struct sim_case *out)
{
    uint64_t seed = 0;
    if (!cli_parse_number(cli->arguments[0], UINT64_MAX, &seed))
        return read_case(cli->arguments[0], out);
    sim_case_draw(out, seed, cli->workload);
    return true;
}

enum sim_exit cli_replay(struct sim_cli *cli)
{
    struct sim_case what;
    return take_case(cli, &what) ? replay(cli, &what) : SIM_EXIT_USAGE;
}

enum sim_exit cli_case(struct sim_cli *cli)
{
    unsigned passed = 0;
    for (int i = 0; i < cli->argument_count; i++) {
        struct sim_case what;
        if (!read_case(cli->arguments[i], &what))
            return SIM_EXIT_USAGE;
        (void)printf("%s\n", cli->arguments[i]);
        enum sim_exit status = replay(cli, &what);
        if (status == SIM_EXIT_USAGE)
            return status;
        passed += status == SIM_EXIT_OK;
    }
    (void)printf("%u passed, %u failed\n", passed, (unsigned)cli->argument_count - passed);
    return passed == (unsigned)cli->argument_count ? SIM_EXIT_OK : SIM_EXIT_FAILED;
}

/* ---- shrink */

static void show_step(void *arg, const struct sim_case *smaller, const char *why)
{
    (void)arg;
    (void)fprintf(stderr, "%s: %u s, %u transactions, %u replicas\n", why, smaller->seconds,
                  smaller->transactions, smaller->replicas);
}

enum sim_exit cli_shrink(struct sim_cli *cli)
{
    struct sim_case what;
    struct sim_result result = {0};
    if (!take_case(cli, &what))
        return SIM_EXIT_USAGE;
    sim_jobs_run_one(&what, &result);
    char signature[SIM_SIGNATURE_BYTES];
    memcpy(signature, result.signature, sizeof signature);
    sim_result_deinit(&result);
    if (signature[0] == '\0') {
        (void)fprintf(stderr, "graft-sim: it does not fail\n");
        return SIM_EXIT_USAGE;
    }
    uint64_t runs = sim_shrink(&what, signature, show_step, NULL);
    char text[SIM_CASE_TEXT_BYTES];
    sim_case_print(&what, text);
    FILE *file = cli->output == NULL ? stdout : fopen(cli->output, "w");
    if (file == NULL) {
        (void)fprintf(stderr, "graft-sim: %s cannot be written\n", cli->output);
        return SIM_EXIT_USAGE;
    }
    (void)fprintf(file, "# %s\n# version %s, from %s\n%s", signature, cli_version(),
                  cli->arguments[0], text);
    if (file != stdout && fclose(file) != 0)
        return SIM_EXIT_FAILED;
    (void)fprintf(stderr, "%" PRIu64 " runs\n", runs);
    return SIM_EXIT_OK;
}
