/* Random streams and plans. */
#include <string.h>

#include "sim/plan.h"
#include "sim/rand.h"
#include "support/expect.h"

Test(sim_rand, a_stream_is_the_same_every_time_and_no_other)
{
    struct sim_rng a;
    struct sim_rng b;
    struct sim_rng other_stream;
    struct sim_rng other_seed;
    sim_rng_init(&a, 5, 1);
    sim_rng_init(&b, 5, 1);
    sim_rng_init(&other_stream, 5, 2);
    sim_rng_init(&other_seed, 6, 1);
    int equal = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t drawn = sim_rng_u64(&a);
        cr_assert_eq(drawn, sim_rng_u64(&b));
        equal += drawn == sim_rng_u64(&other_stream);
        equal += drawn == sim_rng_u64(&other_seed);
    }
    cr_assert_eq(equal, 0);
}

Test(sim_rand, draws_stay_in_their_bounds_and_reach_them)
{
    struct sim_rng rng;
    sim_rng_init(&rng, 1, 1);
    uint64_t low = UINT64_MAX;
    uint64_t high = 0;
    for (int i = 0; i < 10000; i++) {
        cr_assert_lt(sim_rng_below(&rng, 7), 7);
        uint64_t drawn = sim_rng_between(&rng, 10, 20);
        low = drawn < low ? drawn : low;
        high = drawn > high ? drawn : high;
        drawn = sim_rng_skewed(&rng, 3, 1000000);
        cr_assert(drawn >= 3 && drawn <= 1000000);
    }
    cr_assert(low == 10 && high == 20);
}

Test(sim_rand, skewed_draws_know_every_order_of_magnitude)
{
    struct sim_rng rng;
    int small = 0;
    int large = 0;
    sim_rng_init(&rng, 2, 1);
    for (int i = 0; i < 1000; i++) {
        uint64_t drawn = sim_rng_skewed(&rng, 1, 1000000);
        small += drawn < 1000;
        large += drawn >= 1000;
    }
    cr_assert(small > 300 && large > 300);
}

Test(sim_rand, a_chance_comes_as_often_as_it_says)
{
    struct sim_rng rng;
    int happened = 0;
    sim_rng_init(&rng, 3, 1);
    for (int i = 0; i < 100000; i++)
        happened += sim_rng_chance(&rng, 10000);
    cr_assert(happened > 800 && happened < 1200, "%d", happened);
    cr_assert(!sim_rng_chance(&rng, 0));
    cr_assert(sim_rng_chance(&rng, 1000000));
}

Test(sim_rand, plans_differ_and_each_fault_is_off_mild_or_wild_somewhere)
{
    int rates[SIM_FAULT_COUNT][3] = {{0}};
    int policies[2] = {0};
    for (uint64_t seed = 0; seed < 400; seed++) {
        struct sim_plan plan;
        sim_plan_draw(&plan, seed);
        policies[plan.policy]++;
        uint32_t highest[SIM_FAULT_COUNT];
        memcpy(highest, plan.rate_ppm, sizeof highest);
        for (unsigned i = 0; i < SIM_FAULT_COUNT; i++) {
            static uint32_t first[SIM_FAULT_COUNT];
            if (plan.rate_ppm[i] != 0 && first[i] == 0)
                first[i] = plan.rate_ppm[i];
            rates[i][plan.rate_ppm[i] == 0 ? 0 : plan.rate_ppm[i] == first[i] ? 1 : 2]++;
        }
    }
    cr_assert(policies[0] > 100 && policies[1] > 100);
    for (unsigned i = 0; i < SIM_FAULT_COUNT; i++)
        cr_assert(rates[i][0] > 0 && rates[i][1] > 0 && rates[i][2] > 0, "%s: %d %d %d",
                  sim_fault_name(i), rates[i][0], rates[i][1], rates[i][2]);
}

Test(sim_rand, a_plan_survives_being_printed_and_parsed)
{
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct sim_plan plan;
        struct sim_plan back;
        char text[SIM_PLAN_TEXT_BYTES];
        struct graft_err err = {0};
        sim_plan_draw(&plan, seed);
        sim_plan_print(&plan, text);
        expect_ok(sim_plan_parse(text, &back, &err), &err);
        cr_assert_eq(memcmp(plan.rate_ppm, back.rate_ppm, sizeof plan.rate_ppm), 0);
        cr_assert(plan.seed == back.seed && plan.policy == back.policy);
        cr_assert(plan.depth == back.depth && plan.steps == back.steps);
    }
}

Test(sim_rand, a_plan_with_every_fault_fits_its_text)
{
    struct sim_plan plan;
    char text[SIM_PLAN_TEXT_BYTES];
    sim_plan_calm(&plan, UINT64_MAX);
    for (unsigned i = 0; i < SIM_FAULT_COUNT; i++)
        plan.rate_ppm[i] = 1000000;
    sim_plan_print(&plan, text);
    cr_assert_not_null(strstr(text, "machine_crash=1000000"));
}

Test(sim_rand, words_that_are_no_plan_are_named)
{
    static const char *const bad[] = {"seed=x", "disk_rot=1000001", "bogus=1", "policy=best",
                                      "seed",   "depth=4294967296"};
    struct sim_plan plan;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct graft_err err = {0};
        expect_rc(sim_plan_parse(bad[i], &plan, &err), GRAFT_EINVAL, &err);
        cr_assert_not_null(strstr(err.text, bad[i]));
    }
}
