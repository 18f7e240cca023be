/* A system that is right passes the oracle: clients that do all that the public API can, on
 * replicas that share a remote, under kills and crashes. GRAFT_ORACLE_SEEDS says how many seeds. */
#include <stdlib.h>

#include "sim/oracle_life.h"
#include "sim/sqlite.h"
#include "support/expect.h"

TestSuite(sim_oracle_lives, .init = sim_sqlite_setup, .timeout = 600);

static void plan_crashes(struct sim_plan *plan, uint64_t seed)
{
    static const enum sim_fault kinds[] = {SIM_FAULT_crash_drop,     SIM_FAULT_crash_tear,
                                           SIM_FAULT_crash_reorder,  SIM_FAULT_crash_size,
                                           SIM_FAULT_crash_entry,    SIM_FAULT_crash_garbage,
                                           SIM_FAULT_disk_writeback, SIM_FAULT_task_spurious_wake};
    sim_plan_calm(plan, seed);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        plan->rate_ppm[kinds[i]] = seed % 9 == i ? 0 : 500000;
}

static struct life live(struct sim_pool *pool, uint64_t seed, bool watched)
{
    struct sim_plan plan;
    struct life life = {.seed = seed, .rounds = 6, .oracle = watched};
    plan_crashes(&plan, seed);
    life_run(pool, &plan, &life);
    return life;
}

Test(sim_oracle_lives, pass_under_kills_and_crashes)
{
    const char *scale = getenv("GRAFT_ORACLE_SEEDS");
    uint64_t seeds = scale == NULL ? 200 : strtoull(scale, NULL, 10);
    struct sim_pool *pool = sim_pool_new();
    uint64_t reads = 0, lost = 0, adopted = 0, pulls = 0, installs = 0;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        struct life life = live(pool, seed, true);
        cr_assert_eq(life.outcome, SIM_FINISHED, "seed %lu: %s", (unsigned long)seed, life.report);
        reads += life.counts.reads;
        lost += life.counts.lost;
        adopted += life.counts.adopted;
        pulls += life.counts.pulls;
        installs += life.counts.installs;
    }
    sim_pool_free(pool);
    cr_assert_gt(reads, 100 * seeds);
    cr_assert_gt(lost, 0, "no commit was lost as it may be");
    cr_assert_gt(adopted, 0, "no commit of a dead writer counted");
    cr_assert_gt(pulls, seeds);
    cr_assert_gt(installs, seeds);
}

Test(sim_oracle_lives, are_the_same_without_an_oracle)
{
    struct sim_pool *pool = sim_pool_new();
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct life with = live(pool, seed, true);
        struct life without = live(pool, seed, false);
        cr_assert_eq(with.hash, without.hash, "seed %lu", (unsigned long)seed);
    }
    sim_pool_free(pool);
}
