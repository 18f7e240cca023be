/* The parts of graft-sim: cases as text, sums over runs, and runs that end their process. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/case.h"
#include "sim/jobs.h"
#include "sim/run.h"
#include "sim/shrink.h"
#include "sim/tally.h"

TestSuite(sim_case, .timeout = 120);

Test(sim_case, is_read_back_as_it_was_printed)
{
    for (uint64_t seed = 0; seed < 300; seed++) {
        char text[SIM_CASE_TEXT_BYTES];
        struct sim_case drawn;
        struct sim_case parsed;
        struct graft_err err = {0};
        sim_case_draw(&drawn, seed, NULL);
        sim_case_print(&drawn, text);
        cr_assert_eq(sim_case_parse(text, &parsed, &err), GRAFT_OK, "%s", err.text);
        cr_assert_eq(memcmp(&drawn, &parsed, sizeof drawn), 0, "seed %lu", (unsigned long)seed);
    }
}

Test(sim_case, is_as_its_seed_draws_it_where_it_says_nothing)
{
    struct sim_case drawn;
    struct sim_case parsed;
    sim_case_draw(&drawn, 17, NULL);
    cr_assert_eq(sim_case_parse("# why\nsetup replicas=1 seed=17\n", &parsed, NULL), GRAFT_OK);
    cr_assert_eq(parsed.replicas, 1);
    drawn.replicas = 1;
    cr_assert_eq(memcmp(&drawn, &parsed, sizeof drawn), 0);
}

Test(sim_case, names_the_word_that_it_does_not_understand)
{
    static const char *const words[] = {"machines=0",      "machines=9",  "replicas=-1",
                                        "workload=nobody", "remote=tape", "seconds",
                                        "colour=red",      "seed=1x",     "processes=99999999999"};
    struct sim_case parsed = {.seed = 99};
    struct graft_err err;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        char text[100];
        (void)snprintf(text, sizeof text, "setup seed=1 %s seconds=5\n", words[i]);
        graft_err_clear(&err);
        cr_assert_eq(sim_case_parse(text, &parsed, &err), GRAFT_EINVAL, "%s", words[i]);
        cr_assert_not_null(strstr(err.text, words[i]), "%s", err.text);
        cr_assert_eq(parsed.seed, 99);
    }
    cr_assert_eq(sim_case_parse("setup seed=1\nelse\n", &parsed, &err), GRAFT_EINVAL);
    cr_assert_eq(sim_case_parse("setup seed=1\nplan disk_rot=x\n", &parsed, &err), GRAFT_EINVAL);
}

Test(sim_case, survives_every_truncation_and_flip)
{
    char text[SIM_CASE_TEXT_BYTES];
    struct sim_case drawn;
    sim_case_draw(&drawn, 5, NULL);
    sim_case_print(&drawn, text);
    size_t length = strlen(text);
    for (size_t i = 0; i < length; i++) {
        char changed[SIM_CASE_TEXT_BYTES];
        struct sim_case parsed;
        memcpy(changed, text, i);
        changed[i] = '\0';
        (void)!sim_case_parse(changed, &parsed, NULL);
        memcpy(changed, text, length + 1);
        changed[i] ^= (char)(1 << i % 7);
        (void)!sim_case_parse(changed, &parsed, NULL);
    }
}

/* ---- Runs. */

static void small_case(struct sim_case *what, uint64_t seed)
{
    sim_case_draw(what, seed, "bank");
    what->seconds = 5;
    what->transactions = 5;
}

Test(sim_run, is_the_same_twice_and_another_for_another_seed)
{
    uint64_t hashes[3];
    static const uint64_t seeds[3] = {3, 3, 4};
    struct sim_pool *pool = sim_pool_new();
    for (int i = 0; i < 3; i++) {
        struct sim_case what;
        struct sim_result result;
        small_case(&what, seeds[i]);
        sim_run(pool, &what, NULL, &result);
        cr_assert_str_eq(result.signature, "", "%s", result.report);
        cr_assert_gt(result.transactions, 0);
        hashes[i] = result.hash;
        sim_result_deinit(&result);
    }
    cr_assert_eq(hashes[0], hashes[1]);
    cr_assert_neq(hashes[0], hashes[2]);
    sim_pool_free(pool);
}

Test(sim_run, is_held_against_an_earlier_one_event_by_event)
{
    struct sim_pool *pool = sim_pool_new();
    struct sim_case what;
    struct sim_result result;
    small_case(&what, 3);
    struct sim_run_options first = {.record = true};
    sim_run(pool, &what, &first, &result);
    sim_result_deinit(&result);
    struct sim_run_options second = {.expected = first.recorded,
                                     .expected_count = first.recorded_count};
    sim_run(pool, &what, &second, &result);
    cr_assert_str_eq(result.signature, "", "%s", result.report);
    sim_result_deinit(&result);
    first.recorded[first.recorded_count / 2].hash ^= 1;
    sim_run(pool, &what, &second, &result);
    cr_assert_str_eq(result.signature, "outcome: DIVERGED");
    cr_assert_not_null(strstr(result.report, "in fiber"), "%s", result.report);
    sim_result_deinit(&result);
    free(first.recorded);
    sim_pool_free(pool);
}

/* ---- Jobs. */

static void die_at_3_and_fail_at_5(void *arg, struct sim_pool *pool, uint64_t number,
                                   struct sim_result *out)
{
    (void)arg;
    (void)pool;
    *out = (struct sim_result){.transactions = number};
    if (number == 3)
        (void)raise(SIGKILL);
    if (number == 5) {
        (void)snprintf(out->signature, sizeof out->signature, "five");
        out->report = strdup("a report");
    }
}

struct seen {
    uint64_t numbers; /* a bit each */
    uint64_t failed;
    uint64_t stop_at;
};

static bool see(void *arg, uint64_t number, const struct sim_result *result)
{
    struct seen *seen = arg;
    if (number >= 64)
        return true;
    seen->numbers |= UINT64_C(1) << number;
    if (result->signature[0] != '\0')
        seen->failed |= UINT64_C(1) << number;
    if (number == 5)
        cr_assert_str_eq(result->report, "a report");
    if (number == 3)
        cr_assert_not_null(strstr(result->signature, "signal 9"), "%s", result->signature);
    return number != seen->stop_at;
}

Test(sim_jobs, go_on_behind_a_run_that_ends_its_process)
{
    for (uint32_t count = 1; count <= 4; count++) {
        struct seen seen = {.stop_at = UINT64_MAX};
        struct sim_tally tally;
        sim_tally_init(&tally);
        struct sim_jobs jobs = {.first = 1,
                                .last = 20,
                                .jobs = count,
                                .run = die_at_3_and_fail_at_5,
                                .done = see,
                                .arg = &seen};
        sim_jobs_run(&jobs, &tally);
        cr_assert_eq(seen.numbers, (UINT64_C(1) << 21) - 2);
        cr_assert_eq(seen.failed, 1U << 3 | 1U << 5);
        sim_tally_deinit(&tally);
    }
}

Test(sim_jobs, end_when_no_number_matters_any_more)
{
    struct seen seen = {.stop_at = 5};
    struct sim_jobs jobs = {.first = 4,
                            .last = UINT64_MAX,
                            .jobs = 2,
                            .run = die_at_3_and_fail_at_5,
                            .done = see,
                            .arg = &seen};
    sim_jobs_run(&jobs, NULL);
    cr_assert_eq(seen.numbers & 0x30, 0x30);
}

/* ---- Sums. */

Test(sim_tally, is_read_back_as_it_was_written)
{
    struct sim_tally tally;
    struct sim_tally back;
    struct graft_err err = {0};
    sim_tally_init(&tally);
    sim_tally_init(&back);
    struct sim_result result = {.fired = {[SIM_FAULT_disk_full] = 7}};
    sim_tally_add(&tally, &result);
    cr_assert_gt(sim_point_count(), 0);
    for (size_t i = 0; i < sim_point_count(); i++)
        tally.points[i] = (struct sim_point_count){.reached = i + 2, .held = i};
    FILE *file = tmpfile();
    sim_tally_write(&tally, file);
    rewind(file);
    cr_assert_eq(sim_tally_read(&back, file, &err), GRAFT_OK, "%s", err.text);
    cr_assert_eq(back.runs, 1);
    cr_assert_eq(back.fired[SIM_FAULT_disk_full], 7);
    cr_assert_eq(memcmp(back.points, tally.points, sim_point_count() * sizeof *back.points), 0);
    (void)fclose(file);
    sim_tally_deinit(&tally);
    sim_tally_deinit(&back);
}

Test(sim_tally, names_what_was_never_hit)
{
    struct sim_tally tally;
    sim_tally_init(&tally);
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    uint64_t missing = sim_tally_print(&tally, false, file);
    (void)fclose(file);
    cr_assert_gt(missing, SIM_FAULT_COUNT);
    cr_assert_not_null(strstr(text, "disk_full   NEVER"));
    cr_assert_not_null(strstr(text, "NOT COVERED"));
    free(text);
    sim_tally_deinit(&tally);
}
