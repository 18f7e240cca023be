/* Runs the busy world of each seed and prints its hash: `probe FIRST LAST [ROUNDS]`. What it prints
 * must not depend on the compiler, the level of optimisation, addresses or the environment; see
 * determinism beside it. With `-t SEED` it prints every event; with `-s FIRST LAST` what it cost.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim/busy.h"
#include "sim/sqlite.h"
#include "sim/trace.h"

static uint64_t events;
static uint64_t steps;
static uint64_t sim_ns;
static uint64_t transactions;

static void run(struct sim_pool *pool, uint64_t seed, uint32_t rounds, FILE *text, bool print)
{
    struct sim_plan plan;
    struct busy busy;
    sim_plan_draw(&plan, seed);
    struct sim_world *world = sim_world_new(pool, &plan);
    if (text != NULL)
        sim_trace_to(world, text);
    busy_begin(&busy, world, rounds);
    enum sim_outcome outcome = sim_world_run(world, SIM_FOREVER);
    if (print)
        printf("%" PRIu64 " %s %016" PRIx64 " %" PRIu64 "\n", seed, sim_outcome_name(outcome),
               sim_world_hash(world), sim_world_trace(world)->serial);
    if (outcome != SIM_STOPPED)
        printf("%s\n", sim_world_report(world));
    events += sim_world_trace(world)->serial;
    steps += sim_world_steps(world);
    sim_ns += sim_world_now_ns(world);
    transactions += busy.transactions;
    sim_world_free(world);
    busy_end(&busy);
}

static double now(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    bool speed = argc > 1 && strcmp(argv[1], "-s") == 0;
    bool text = argc > 1 && strcmp(argv[1], "-t") == 0;
    int at = speed || text ? 2 : 1;
    if (argc <= at) {
        (void)fprintf(stderr, "usage: probe [-s|-t] FIRST [LAST [ROUNDS]]\n");
        return 2;
    }
    uint64_t first = strtoull(argv[at], NULL, 10);
    uint64_t last = argc > at + 1 ? strtoull(argv[at + 1], NULL, 10) : first;
    uint32_t rounds = argc > at + 2 ? (uint32_t)strtoul(argv[at + 2], NULL, 10) : 5;
    sim_sqlite_setup();
    struct sim_pool *pool = sim_pool_new();
    double before = now();
    for (uint64_t seed = first; seed <= last; seed++)
        run(pool, seed, rounds, text ? stdout : NULL, !speed);
    double passed = now() - before;
    double seeds = (double)(last - first + 1);
    if (speed)
        printf(
            "%.0f seeds/s, %.0f events/s, %.0f steps/s, %.1f transactions/seed, %.1f simulated s "
            "a seed, simulated:wall %.0f\n",
            seeds / passed, (double)events / passed, (double)steps / passed,
            (double)transactions / seeds, (double)sim_ns / 1e9 / seeds,
            (double)sim_ns / 1e9 / passed);
    sim_pool_free(pool);
    return 0;
}
