/* graft-bench remote: every query class on every database, on replicas that begin with nothing,
 * over a link, under each policy. Beside each time stands the floor: one round trip and the stored
 * bytes of the pages that the query reads. */
#include "remote.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "sim/sqlite.h"

#define POLICIES 8U
#define FIXED_POLICIES 5U /* of them, those that do not look at what is read */
#define AUTO 5U
#define COMMITS 200U

static const char *const policies[POLICIES] = {"off",   "8",    "64",      "256",
                                               "whole", "auto", "metered", "history"};

enum variant { AS_LOADED, VACUUMED, COMMITTED, VARIANTS };
static const char *const variant_names[VARIANTS] = {"as loaded", "after VACUUM",
                                                    "after 200 commits"};

struct options {
    struct remote_scale scale;
    uint64_t mbits;
    const char *only; /* database */
    const char *class;
    bool one_variant, csv, overlap;
    uint64_t rtts_ms[8];
    size_t rtt_count;
};

/* How often, and by how much, a policy is slower than the best of the fixed ones. */
struct summary {
    double slowdowns, worst;
    double pages;
    unsigned runs;
};

static struct remote_bytes read_file(const char *path)
{
    struct remote_bytes out = {.bytes = NULL};
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0)
        bench_fail(path, "cannot be read");
    out.size = (size_t)ftell(file);
    out.bytes = malloc(out.size);
    rewind(file);
    if (out.bytes == NULL || fread(out.bytes, 1, out.size, file) != out.size)
        bench_fail(path, "cannot be read");
    (void)fclose(file);
    return out;
}

bool remote_build(const struct remote_data *data, const struct remote_scale *scale,
                  struct remote_bytes *out, unsigned forms)
{
    char path[] = "/tmp/graft-bench-XXXXXX";
    int descriptor = mkstemp(path);
    sqlite3 *db = NULL;
    if (descriptor < 0 || close(descriptor) != 0 || sqlite3_open(path, &db) != SQLITE_OK)
        bench_fail(path, "cannot be made");
    bench_exec(db, "PRAGMA page_size=4096; PRAGMA synchronous=OFF; PRAGMA journal_mode=MEMORY;"
                   "PRAGMA cache_size=-200000");
    bool built = data->build(db, scale);
    for (unsigned i = 0; i < forms && built; i++) {
        if (i == 1)
            bench_exec(db, "VACUUM");
        out[i] = read_file(path);
    }
    if (sqlite3_close(db) != SQLITE_OK)
        bench_fail(path, "cannot be closed");
    (void)unlink(path);
    return built;
}

static double floor_seconds(struct remote_world *world, const struct remote_run *run)
{
    uint64_t stored_bytes = 0, pages = 0;
    remote_world_sizes(world, &stored_bytes, &pages);
    double bytes = (double)run->needed * (double)stored_bytes / (double)pages;
    return (double)run->rtt_us / 1e6 + bytes / (double)run->bytes_per_s;
}

static void print_heading(const struct options *options)
{
    if (options->csv)
        (void)printf("database,variant,class,rtt_ms,policy,seconds,floor,round_trips,requests,"
                     "fetched,needed,hits,waste\n");
}

static void print_csv(const struct remote_data *data, enum variant variant, size_t class,
                      const struct remote_run runs[POLICIES], double floor)
{
    for (size_t i = 0; i < POLICIES; i++)
        (void)printf("%s,%s,%s,%llu,%s,%.4f,%.4f,%llu,%llu,%llu,%llu,%llu,%llu\n", data->name,
                     variant_names[variant], remote_class_names[class],
                     (unsigned long long)runs[i].rtt_us / 1000, runs[i].policy, runs[i].seconds,
                     floor, (unsigned long long)runs[i].round_trips,
                     (unsigned long long)runs[i].requests, (unsigned long long)runs[i].fetched,
                     (unsigned long long)runs[i].needed, (unsigned long long)runs[i].hits,
                     (unsigned long long)runs[i].waste);
}

static void print_row(size_t class, const struct remote_run runs[POLICIES], double floor,
                      double best)
{
    (void)printf("%-12s %3llu %6llu %7.3f ", remote_class_names[class],
                 (unsigned long long)runs[0].rtt_us / 1000, (unsigned long long)runs[0].needed,
                 floor);
    for (size_t i = 0; i < POLICIES; i++)
        (void)printf("%8.3f", runs[i].seconds);
    const struct remote_run *shown = &runs[AUTO];
    (void)printf("  %5.2f %5llu %5llu %6.2f %6llu %6llu %5llu %6.2f\n", shown->seconds / best,
                 (unsigned long long)shown->round_trips, (unsigned long long)shown->requests,
                 (double)shown->fetched / (double)shown->needed, (unsigned long long)shown->hits,
                 (unsigned long long)shown->waste, (unsigned long long)shown->bulks,
                 (double)runs[AUTO + 1].fetched / (double)shown->needed);
    (void)fflush(stdout);
}

static void add_up(struct summary summaries[POLICIES], const struct remote_run runs[POLICIES],
                   double best)
{
    for (size_t i = 0; i < POLICIES; i++) {
        struct summary *summary = &summaries[i];
        double slowdown = runs[i].seconds / best;
        summary->slowdowns += slowdown;
        summary->worst = slowdown > summary->worst ? slowdown : summary->worst;
        summary->pages += (double)runs[i].fetched / (double)runs[i].needed;
        summary->runs++;
    }
}

static void run_class(struct remote_world *world, const struct remote_data *data,
                      enum variant variant, size_t class, uint64_t rtt_ms,
                      const struct options *options, struct summary summaries[POLICIES])
{
    struct remote_run runs[POLICIES];
    double best = 0;
    for (size_t i = 0; i < POLICIES; i++) {
        runs[i] = (struct remote_run){
            .policy = policies[i],
            .sql = data->queries[class],
            .rtt_us = rtt_ms * 1000,
            .bytes_per_s = options->mbits * 125000,
        };
        remote_world_run(world, &runs[i]);
        if (strcmp(runs[i].answer, runs[0].answer) != 0)
            bench_fail(data->queries[class], "the answer is another under another policy");
        if (i < FIXED_POLICIES && (i == 0 || runs[i].seconds < best))
            best = runs[i].seconds;
    }
    double floor = floor_seconds(world, &runs[0]);
    add_up(summaries, runs, best);
    if (options->csv)
        print_csv(data, variant, class, runs, floor);
    else
        print_row(class, runs, floor, best);
}

static void run_variant(const struct remote_data *data, enum variant variant,
                        const struct remote_bytes *bytes, const struct options *options,
                        struct summary summaries[][POLICIES])
{
    struct remote_world *world =
        remote_world_new(bytes->bytes, bytes->size, data, variant == COMMITTED ? COMMITS : 0);
    if (!options->csv)
        (void)printf("\n%s, %s: %zu pages, %s\n%-12s %3s %6s %7s %8s%8s%8s%8s%8s%8s%8s%8s  %5s %5s "
                     "%5s %6s %6s %6s %5s %6s\n",
                     data->name, variant_names[variant], bytes->size / 4096, data->text, "class",
                     "RTT", "needed", "floor", "demand", "8", "64", "256", "whole", "auto",
                     "metered", "history", "/best", "trips", "reqs", "f/n", "hits", "waste", "bulk",
                     "m f/n");
    for (size_t class = 0; class < REMOTE_CLASSES; class ++) {
        bool wanted =
            data->queries[class] != NULL &&
            (options->class == NULL || strcmp(options->class, remote_class_names[class]) == 0);
        for (size_t i = 0; wanted && i < options->rtt_count; i++)
            run_class(world, data, variant, class, options->rtts_ms[i], options, summaries[i]);
    }
    remote_world_free(world);
}

static void run_overlap(const struct remote_data *data, const struct remote_bytes *bytes)
{
    struct remote_world *world = remote_world_new(bytes->bytes, bytes->size, data, 0);
    remote_world_overlap(world, data);
    remote_world_free(world);
}

static void print_summaries(const struct options *options, struct summary summaries[][POLICIES])
{
    (void)printf("\nmean (and worst) of the time over that of the best fixed policy of each query, "
                 "and pages fetched / needed\n%-10s",
                 "RTT");
    for (size_t i = 0; i < POLICIES; i++)
        (void)printf("%22s", policies[i]);
    for (size_t r = 0; r < options->rtt_count; r++) {
        (void)printf("\n%3llu ms    ", (unsigned long long)options->rtts_ms[r]);
        for (size_t i = 0; i < POLICIES; i++) {
            const struct summary *summary = &summaries[r][i];
            (void)printf("  %5.2f (%6.2f) %6.2f", summary->slowdowns / summary->runs,
                         summary->worst, summary->pages / summary->runs);
        }
    }
    (void)printf("\n");
}

static bool parse(struct options *options, int argc, char **argv)
{
    static const struct option known[] = {
        {"divide", required_argument, NULL, 's'}, {"times", required_argument, NULL, 't'},
        {"mbits", required_argument, NULL, 'm'},  {"only", required_argument, NULL, 'o'},
        {"class", required_argument, NULL, 'c'},  {"rtt", required_argument, NULL, 'r'},
        {"as-loaded", no_argument, NULL, 'a'},    {"csv", no_argument, NULL, 'v'},
        {"overlap", no_argument, NULL, 'l'},      {NULL, 0, NULL, 0},
    };
    int letter = 0;
    while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (letter == 's')
            options->scale.divide = (unsigned)strtoul(optarg, NULL, 10);
        else if (letter == 't')
            options->scale.times = (unsigned)strtoul(optarg, NULL, 10);
        else if (letter == 'm')
            options->mbits = strtoull(optarg, NULL, 10);
        else if (letter == 'o')
            options->only = optarg;
        else if (letter == 'c')
            options->class = optarg;
        else if (letter == 'a')
            options->one_variant = true;
        else if (letter == 'v')
            options->csv = true;
        else if (letter == 'l')
            options->overlap = true;
        else if (letter == 'r' && options->rtt_count < 8)
            options->rtts_ms[options->rtt_count++] = strtoull(optarg, NULL, 10);
        else
            return false;
    }
    if (options->rtt_count == 0) {
        static const uint64_t all[] = {1, 20, 80};
        memcpy(options->rtts_ms, all, sizeof all);
        options->rtt_count = 3;
    }
    return options->scale.divide > 0 && options->scale.times > 0 && options->mbits > 0;
}

int remote_main(int argc, char **argv)
{
    struct options options = {.scale = {.times = 1, .divide = 1}, .mbits = 200};
    if (!parse(&options, argc, argv)) {
        (void)fprintf(stderr,
                      "usage: graft-bench remote [--only DATABASE] [--class CLASS] [--rtt MS]... "
                      "[--mbits N] [--times N] [--divide N] [--as-loaded] [--csv | --overlap]\n");
        return 2;
    }
    static struct remote_bytes built[8][2];
    bool there[8] = {false};
    for (size_t i = 0; remote_data[i].name != NULL; i++) {
        bool wanted = options.only == NULL || strcmp(options.only, remote_data[i].name) == 0;
        there[i] = wanted && remote_build(&remote_data[i], &options.scale, built[i], 2);
        if (wanted && !there[i])
            (void)fprintf(stderr, "%s is left out: what it is made from is not installed\n",
                          remote_data[i].name);
    }
    if (sqlite3_shutdown() != SQLITE_OK)
        bench_fail("SQLite", "cannot be given to the simulator");
    sim_sqlite_setup();
    static struct summary summaries[8][POLICIES];
    print_heading(&options);
    for (size_t i = 0; options.overlap && remote_data[i].name != NULL; i++) {
        if (there[i])
            run_overlap(&remote_data[i], &built[i][0]);
    }
    for (size_t i = 0; !options.overlap && remote_data[i].name != NULL; i++) {
        for (int variant = 0; there[i] && variant < (options.one_variant ? 1 : VARIANTS); variant++)
            run_variant(&remote_data[i], (enum variant)variant, &built[i][variant == VACUUMED],
                        &options, summaries);
    }
    if (!options.csv && !options.overlap)
        print_summaries(&options, summaries);
    for (size_t i = 0; i < 8; i++) {
        free(built[i][0].bytes);
        free(built[i][1].bytes);
    }
    return 0;
}
