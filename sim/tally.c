/* Sums over runs, and what they say about the catalogue. */
#include "sim/tally.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

#define TRANSACTIONS_MIN 100U
#define FAULTS_MIN 5U

static const char *const kinds[] = {
    [GRAFT_POINT_ALWAYS] = "always",       [GRAFT_POINT_SOMETIMES] = "sometimes",
    [GRAFT_POINT_REACHABLE] = "reachable", [GRAFT_POINT_UNREACHABLE] = "unreachable",
    [GRAFT_POINT_BUGGIFY] = "buggify",     [GRAFT_POINT_MUTANT] = "mutant",
};

void sim_tally_init(struct sim_tally *tally)
{
    *tally = (struct sim_tally){0};
    tally->points = calloc(sim_point_count() + 1, sizeof *tally->points);
    GRAFT_ASSERT(tally->points != NULL);
}

void sim_tally_deinit(struct sim_tally *tally)
{
    free(tally->points);
    tally->points = NULL;
}

void sim_tally_add(struct sim_tally *tally, const struct sim_result *result)
{
    tally->runs++;
    tally->failed += result->signature[0] != '\0';
    tally->damaged += result->damaged;
    tally->short_runs +=
        result->transactions < TRANSACTIONS_MIN || sim_result_fired(result) < FAULTS_MIN;
    tally->transactions += result->transactions;
    tally->restarts += result->restarts;
    tally->events += result->events;
    tally->simulated_ns += result->simulated_ns;
    for (unsigned i = 0; i < SIM_FAULT_COUNT; i++) {
        tally->fired[i] += result->fired[i];
        tally->fired_runs[i] += result->fired[i] > 0;
    }
}

void sim_tally_take_points(struct sim_tally *tally)
{
    for (size_t i = 0; i < sim_point_count(); i++) {
        struct sim_point_count counted = sim_point_counted(i);
        tally->points[i].reached += counted.reached;
        tally->points[i].held += counted.held;
    }
    sim_point_clear();
}

void sim_tally_merge(struct sim_tally *tally, const struct sim_tally *other)
{
    tally->runs += other->runs;
    tally->failed += other->failed;
    tally->damaged += other->damaged;
    tally->short_runs += other->short_runs;
    tally->transactions += other->transactions;
    tally->restarts += other->restarts;
    tally->events += other->events;
    tally->simulated_ns += other->simulated_ns;
    tally->busy_ns += other->busy_ns;
    for (unsigned i = 0; i < SIM_FAULT_COUNT; i++) {
        tally->fired[i] += other->fired[i];
        tally->fired_runs[i] += other->fired_runs[i];
    }
    for (size_t i = 0; i < sim_point_count(); i++) {
        tally->points[i].reached += other->points[i].reached;
        tally->points[i].held += other->points[i].held;
    }
}

/* ---- Text. */

void sim_tally_write(const struct sim_tally *tally, FILE *file)
{
    (void)fprintf(file, "runs %" PRIu64 " %" PRIu64 "\n", tally->runs, tally->failed);
    for (unsigned i = 0; i < SIM_FAULT_COUNT; i++)
        (void)fprintf(file, "fault %" PRIu64 " %" PRIu64 " %s\n", tally->fired[i],
                      tally->fired_runs[i], sim_fault_name((enum sim_fault)i));
    for (size_t i = 0; i < sim_point_count(); i++) {
        const struct graft_point *point = sim_point_at(i);
        (void)fprintf(file, "%s %" PRIu64 " %" PRIu64 " %s\n", kinds[point->kind],
                      tally->points[i].reached, tally->points[i].held, point->text);
    }
}

static void add_line(struct sim_tally *tally, const char *kind, uint64_t first, uint64_t second,
                     const char *text)
{
    if (strcmp(kind, "fault") == 0) {
        enum sim_fault fault = sim_fault_find(text, strlen(text));
        if (fault != SIM_FAULT_COUNT) {
            tally->fired[fault] += first;
            tally->fired_runs[fault] += second;
        }
        return;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t number = sim_point_count();
        if (strcmp(kinds[i], kind) == 0)
            number = sim_point_find((enum graft_point_kind)i, text);
        if (number < sim_point_count()) {
            tally->points[number].reached += first;
            tally->points[number].held += second;
        }
    }
}

/* A number and the space before it. */
static bool take_number(char **at, uint64_t *out)
{
    char *from = *at;
    errno = 0;
    *out = strtoull(from, at, 10);
    return *at != from && errno == 0;
}

enum graft_rc sim_tally_read(struct sim_tally *tally, FILE *file, struct graft_err *err)
{
    char line[512];
    for (unsigned number = 1; fgets(line, sizeof line, file) != NULL; number++) {
        line[strcspn(line, "\n")] = '\0';
        uint64_t first = 0;
        uint64_t second = 0;
        char *kind = line;
        char *after = line + strcspn(line, " ");
        if (!take_number(&after, &first) || !take_number(&after, &second))
            return graft_err_set(err, GRAFT_EINVAL, "line %u is not understood", number);
        line[strcspn(line, " ")] = '\0';
        if (strcmp(kind, "runs") == 0) {
            tally->runs += first;
            tally->failed += second;
            continue;
        }
        add_line(tally, kind, first, second, after + (*after == ' '));
    }
    return GRAFT_OK;
}

/* Whether the point had its chance and took it, as its kind asks. */
static bool is_covered(const struct graft_point *point, const struct sim_point_count *count)
{
    switch (point->kind) {
    case GRAFT_POINT_ALWAYS:
        return count->reached > 0 && count->held == count->reached;
    case GRAFT_POINT_UNREACHABLE:
        return count->reached == 0;
    case GRAFT_POINT_SOMETIMES:
    case GRAFT_POINT_BUGGIFY:
        return count->held > 0;
    case GRAFT_POINT_REACHABLE:
    case GRAFT_POINT_MUTANT: /* its place: it cannot be planted where nothing comes by */
        return count->reached > 0;
    }
    return false;
}

uint64_t sim_tally_print(const struct sim_tally *tally, bool all, FILE *file)
{
    uint64_t missing = 0;
    if (all)
        (void)fprintf(file, "%12s %10s  fault\n", "fired", "in runs");
    for (unsigned i = 0; i < SIM_FAULT_COUNT; i++) {
        bool covered = tally->fired[i] > 0;
        missing += !covered;
        if (all || !covered)
            (void)fprintf(file, "%12" PRIu64 " %10" PRIu64 "  %s%s\n", tally->fired[i],
                          tally->fired_runs[i], sim_fault_name((enum sim_fault)i),
                          covered ? "" : "   NEVER");
    }
    if (all)
        (void)fprintf(file, "%12s %10s  point\n", "reached", "held");
    for (size_t i = 0; i < sim_point_count(); i++) {
        const struct graft_point *point = sim_point_at(i);
        const struct sim_point_count *count = &tally->points[i];
        bool covered = is_covered(point, count);
        missing += !covered;
        if (all || !covered)
            (void)fprintf(file, "%12" PRIu64 " %10" PRIu64 "  %s: %s (%s:%u)%s\n", count->reached,
                          count->held, kinds[point->kind], point->text, point->file, point->line,
                          covered ? "" : "   NOT COVERED");
    }
    return missing;
}
