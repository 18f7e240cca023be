/* Runs the cases in alternating pairs and prints medians beside the aims. The ratio of a case is
 * the median of its pairs' ratios: what disturbs the machine for a while disturbs both of a pair.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"
#include "cli/json.h"
#include "remote.h"

#define PAIRS_DEFAULT 11U
#define QUICK_PAIRS 3U
#define QUICK_SCALE 10U

const struct bench_case bench_cases[] = {
    {.name = "points",
     .text = "200,000 random point reads, 500,000 rows",
     .unit = "s",
     .aim = 1.0,
     .needs_rows = true,
     .run = bench_run_points},
    {.name = "scan",
     .text = "full scan of that table",
     .unit = "s",
     .aim = 1.0,
     .needs_rows = true,
     .run = bench_run_scan},
    {.name = "mix", .text = "mix of statements", .unit = "s", .aim = 1.0, .run = bench_run_mix},
    {.name = "durable",
     .text = "3000 one-row commits, synchronous=FULL",
     .unit = "s",
     .aim = 0.9,
     .aim_bare = 1.1,
     .bare = "(left: bare fdatasync of the same bytes)",
     .begin = bench_begin_durable,
     .run = bench_run_commits},
    {.name = "unsynced",
     .text = "3000 one-row commits, synchronous=NORMAL",
     .unit = "s",
     .aim = 0.8,
     .begin = bench_begin_unsynced,
     .run = bench_run_commits},
    {.name = "eight",
     .text = "1600 durable commits by 8 connections",
     .unit = "s",
     .aim_bare = 0.5,
     .bare = "(left: Graft, as many by one connection)",
     .begin = bench_begin_eight,
     .run = bench_run_eight},
    {.name = "disk",
     .text = "disk used by that table",
     .unit = "MB",
     .aim = 1.1,
     .once = true,
     .needs_rows = true,
     .run = bench_run_disk},
    {.name = "open",
     .text = "open, read one row, close",
     .unit = "s",
     .needs_rows = true,
     .run = bench_run_open},
    {.name = "large",
     .text = "open 10 GB closed in order, read a page",
     .unit = "s",
     .aim_itself = 0.005,
     .alone = true,
     .run = bench_run_large},
    {.name = "resident",
     .text = "resident memory a page of it that is read",
     .unit = "B",
     .aim_itself = 10,
     .once = true,
     .alone = true,
     .run = bench_run_resident},
    {.name = NULL},
};

struct result {
    double median[SIDES];
    double ratio, ratio_bare; /* of Graft to SQLite, and to bare; 0: none */
};

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

double bench_median(const double *values, unsigned count)
{
    double sorted[BENCH_PAIRS_MAX];
    memcpy(sorted, values, count * sizeof *values);
    qsort(sorted, count, sizeof *sorted, compare);
    return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
}

static void run_case(struct bench *bench, const struct bench_case *the_case, struct result *out)
{
    double spent[SIDES][BENCH_PAIRS_MAX];
    double ratios[BENCH_PAIRS_MAX];
    double ratios_bare[BENCH_PAIRS_MAX];
    unsigned pairs = the_case->once ? 1 : bench->pairs;
    if (the_case->begin != NULL)
        the_case->begin(bench);
    for (unsigned i = 0; i < pairs; i++) {
        enum side first = i % 2 == 0 ? SIDE_SQLITE : SIDE_GRAFT;
        enum side second = i % 2 == 0 ? SIDE_GRAFT : SIDE_SQLITE;
        if (the_case->alone) {
            spent[SIDE_GRAFT][i] = the_case->run(bench, SIDE_GRAFT, i);
            spent[SIDE_SQLITE][i] = ratios[i] = 0;
            continue;
        }
        spent[first][i] = the_case->run(bench, first, i);
        spent[second][i] = the_case->run(bench, second, i);
        ratios[i] = spent[SIDE_GRAFT][i] / spent[SIDE_SQLITE][i];
        if (the_case->aim_bare > 0) {
            spent[SIDE_BARE][i] = the_case->run(bench, SIDE_BARE, i);
            ratios_bare[i] = spent[SIDE_GRAFT][i] / spent[SIDE_BARE][i];
        }
    }
    for (int side = SIDE_SQLITE; side <= SIDE_GRAFT; side++) {
        out->median[side] = bench_median(spent[side], pairs);
        if (bench->kept[side] != NULL)
            bench_close(bench->kept[side]);
        bench->kept[side] = NULL;
    }
    out->ratio = bench_median(ratios, pairs);
    out->ratio_bare = 0;
    if (the_case->aim_bare > 0) {
        out->median[SIDE_BARE] = bench_median(spent[SIDE_BARE], pairs);
        out->ratio_bare = bench_median(ratios_bare, pairs);
    }
}

static const char *verdict(double ratio, double aim)
{
    if (aim <= 0)
        return "";
    return ratio <= aim ? "met" : "MISSED";
}

static void print_alone(const struct bench_case *the_case, double figure)
{
    (void)printf("%-9s %-42s %10s %10.4f %-2s %7s %6g %s\n", the_case->name, the_case->text, "-",
                 figure, the_case->unit, "-", the_case->aim_itself,
                 verdict(figure, the_case->aim_itself));
    (void)fflush(stdout);
}

static void print_row(const struct bench_case *the_case, const struct result *result)
{
    if (the_case->alone) {
        print_alone(the_case, result->median[SIDE_GRAFT]);
        return;
    }
    char aim[16] = "-";
    if (the_case->aim > 0)
        (void)snprintf(aim, sizeof aim, "%.1f", the_case->aim);
    (void)printf("%-9s %-42s %10.4f %10.4f %-2s %7.2f %6s %s\n", the_case->name, the_case->text,
                 result->median[SIDE_SQLITE], result->median[SIDE_GRAFT], the_case->unit,
                 result->ratio, aim, verdict(result->ratio, the_case->aim));
    if (the_case->aim_bare > 0)
        (void)printf("%-9s %-42s %10.4f %10.4f %-2s %7.2f %6.1f %s\n", "", the_case->bare,
                     result->median[SIDE_BARE], result->median[SIDE_GRAFT], the_case->unit,
                     result->ratio_bare, the_case->aim_bare,
                     verdict(result->ratio_bare, the_case->aim_bare));
    (void)fflush(stdout);
}

static void print_json(struct cli_json *json, const struct bench_case *the_case,
                       const struct result *result)
{
    /* Times in microseconds, sizes in bytes, ratios in thousandths: whole numbers throughout. */
    cli_json_object_begin(json, NULL);
    cli_json_text(json, "name", the_case->name);
    cli_json_text(json, "text", the_case->text);
    cli_json_text(json, "unit", strcmp(the_case->unit, "s") == 0 ? "us" : "bytes");
    double small = strcmp(the_case->unit, "B") == 0 ? 1 : 1e6;
    cli_json_number(json, "sqlite", (uint64_t)(result->median[SIDE_SQLITE] * small));
    cli_json_number(json, "graft", (uint64_t)(result->median[SIDE_GRAFT] * small));
    cli_json_number(json, "aim_graft", (uint64_t)(the_case->aim_itself * small));
    cli_json_number(json, "ratio_milli", (uint64_t)(result->ratio * 1e3));
    cli_json_number(json, "aim_milli", (uint64_t)(the_case->aim * 1e3));
    if (the_case->aim_bare > 0) {
        cli_json_number(json, "bare", (uint64_t)(result->median[SIDE_BARE] * 1e6));
        cli_json_number(json, "ratio_bare_milli", (uint64_t)(result->ratio_bare * 1e3));
        cli_json_number(json, "aim_bare_milli", (uint64_t)(the_case->aim_bare * 1e3));
    }
    cli_json_object_end(json);
}

static void run_all(struct bench *bench)
{
    struct cli_json json = {.out = stdout};
    bool built = false;
    if (bench->json)
        cli_json_array_begin(&json, NULL);
    else
        (void)printf("%-9s %-42s %10s %10s %-2s %7s %6s\n", "case", "", "SQLite", "Graft", "",
                     "ratio", "aim");
    for (const struct bench_case *at = bench_cases; at->name != NULL; at++) {
        if (bench->only != NULL && strcmp(bench->only, at->name) != 0)
            continue;
        if (at->needs_rows && !built)
            bench_rows_build(bench);
        built = built || at->needs_rows;
        struct result result = {.ratio = 0};
        run_case(bench, at, &result);
        if (bench->json)
            print_json(&json, at, &result);
        else
            print_row(at, &result);
    }
    if (bench->json)
        cli_json_array_end(&json);
}

void bench_start(struct bench *bench, const char *parent)
{
    struct graft_err err = {.rc = GRAFT_OK};
    (void)snprintf(bench->directory, sizeof bench->directory, "%s/graft-bench-XXXXXX", parent);
    if (mkdtemp(bench->directory) == NULL)
        bench_fail(bench->directory, "cannot make a directory there");
    if (graft_host_new(NULL, &bench->host, &err) != GRAFT_OK)
        bench_fail("start", err.text);
    bench->env = graft_host_env(bench->host);
    if (graft_process_new(bench->env, &bench->process, &err) != GRAFT_OK)
        bench_fail("start", err.text);
    if (graft_vfs_register(bench->process, bench->env, "graft-bench", NULL, &bench->vfs, &err) !=
        GRAFT_OK)
        bench_fail("start", err.text);
}

void bench_stop(struct bench *bench)
{
    static const char *const names[] = {"rows", "commits", "mix", "large"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        bench_remove(bench, SIDE_SQLITE, names[i]);
        bench_remove(bench, SIDE_GRAFT, names[i]);
    }
    (void)rmdir(bench->directory);
    graft_vfs_unregister(bench->vfs);
    graft_process_free(bench->process);
    graft_host_free(bench->host);
}

static void print_usage(FILE *out)
{
    (void)fprintf(out, "usage: graft-bench local [--pairs N] [--quick] [--only NAME] [--dir DIR] "
                       "[--json]\n"
                       "       graft-bench remote [--only DATABASE] [--class CLASS] [--rtt MS]... "
                       "[--mbits N]\n                          [--times N] [--divide N] "
                       "[--as-loaded] [--csv | --overlap]\n"
                       "       graft-bench decode [--only DATABASE] [--pairs N] [--quick]\n\n"
                       "remote runs queries on cold replicas over a simulated link, decode decodes "
                       "frames\nbeside zstd alone. local runs SQLite on its own VFS (WAL) and on "
                       "Graft's, in\nalternating pairs, and prints medians and their ratios "
                       "beside the aims. Cases:\n");
    for (const struct bench_case *at = bench_cases; at->name != NULL; at++)
        (void)fprintf(out, "  %-9s %s\n", at->name, at->text);
}

static bool is_case(const char *name)
{
    for (const struct bench_case *at = bench_cases; at->name != NULL; at++) {
        if (strcmp(at->name, name) == 0)
            return true;
    }
    return false;
}

static bool parse(struct bench *bench, const char **parent, int argc, char **argv)
{
    static const struct option options[] = {
        {"pairs", required_argument, NULL, 'p'}, {"quick", no_argument, NULL, 'q'},
        {"only", required_argument, NULL, 'o'},  {"dir", required_argument, NULL, 'd'},
        {"json", no_argument, NULL, 'j'},        {NULL, 0, NULL, 0},
    };
    int letter = 0;
    while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (letter == 'p') {
            bench->pairs = (unsigned)strtoul(optarg, NULL, 10);
        } else if (letter == 'q') {
            bench->pairs = QUICK_PAIRS;
            bench->scale = QUICK_SCALE;
        } else if (letter == 'o') {
            bench->only = optarg;
        } else if (letter == 'd') {
            *parent = optarg;
        } else if (letter == 'j') {
            bench->json = true;
        } else {
            return false;
        }
    }
    return argc - optind == 1 && strcmp(argv[optind], "local") == 0 && bench->pairs > 0 &&
           bench->pairs <= BENCH_PAIRS_MAX && (bench->only == NULL || is_case(bench->only));
}

int main(int argc, char **argv)
{
    struct bench bench = {.pairs = PAIRS_DEFAULT, .scale = 1};
    const char *parent = getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp";
    if (argc >= 2 && strcmp(argv[1], "remote") == 0)
        return remote_main(argc - 1, argv + 1);
    if (argc >= 2 && strcmp(argv[1], "decode") == 0)
        return decode_main(argc - 1, argv + 1);
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        print_usage(stdout);
        return 0;
    }
    if (!parse(&bench, &parent, argc, argv)) {
        print_usage(stderr);
        return 2;
    }
    bench_start(&bench, parent);
    run_all(&bench);
    bench_stop(&bench);
    return 0;
}
