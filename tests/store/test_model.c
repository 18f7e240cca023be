/* Thousands of random operations against the model. GRAFT_MODEL_SEED replays one seed,
 * GRAFT_MODEL_SEEDS and GRAFT_MODEL_STEPS set how many and how long, GRAFT_TESTS_LONG takes more
 * of them. */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>

static uint64_t number(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

static uint64_t seeds(uint64_t brief, uint64_t full)
{
    return number("GRAFT_MODEL_SEEDS",
                  getenv("GRAFT_MODEL_SEED") != NULL ? 1 : kit_scale(brief, full));
}

static void run(uint64_t seed, uint64_t steps, struct power *power, unsigned rarely)
{
    struct model model;
    model_init(&model, seed, NULL, power);
    if (rarely > 0)
        model_crash_inside(&model, rarely);
    for (uint64_t i = 0; i < steps; i++) {
        model_step(&model);
        if (getenv("MODEL_CHECK") != NULL)
            model_check(&model);
    }
    model_check(&model);
    model_reopen(&model, false);
    model_check(&model);
    if (rarely > 0)
        fprintf(stderr, "  %llu crashes inside\n", (unsigned long long)model.images);
    model_deinit(&model);
}

Test(model, random_operations_do_what_the_model_does)
{
    uint64_t first = number("GRAFT_MODEL_SEED", 1);
    uint64_t count = seeds(8, 48);
    for (uint64_t seed = first; seed < first + count; seed++) {
        fprintf(stderr, "GRAFT_MODEL_SEED=%llu\n", (unsigned long long)seed);
        run(seed, number("GRAFT_MODEL_STEPS", 1500), NULL, 0);
    }
}

Test(model, after_a_power_failure_a_state_from_the_newest_durable_one_on_is_there)
{
    uint64_t first = number("GRAFT_MODEL_SEED", 1);
    uint64_t count = seeds(60, 400);
    for (uint64_t seed = first; seed < first + count; seed++) {
        fprintf(stderr, "GRAFT_MODEL_SEED=%llu (power)\n", (unsigned long long)seed);
        struct power *power = power_new(seed);
        run(seed, number("GRAFT_MODEL_STEPS", 600), power, 0);
        power_free(power);
    }
}

Test(model, a_crash_anywhere_within_an_operation_loses_nothing_durable)
{
    uint64_t first = number("GRAFT_MODEL_SEED", 1);
    uint64_t count = seeds(12, 80);
    for (uint64_t seed = first; seed < first + count; seed++) {
        fprintf(stderr, "GRAFT_MODEL_SEED=%llu (inside)\n", (unsigned long long)seed);
        struct power *power = power_new(seed);
        run(seed, number("GRAFT_MODEL_STEPS", 300), power, 80);
        power_free(power);
    }
}
