#include <criterion/criterion.h>
#include <string.h>

#include "base/limits.h"
#include "format/pageset.h"
#include "format/samples.h"
#include "support/expect.h"
#include "support/faultalloc.h"
#include "support/testing.h"

#define MODEL_PAGES 300U

/* A set and the plain array of flags that it must agree with; index 0 is unused. */
struct modelled {
    struct graft_pageset set;
    bool pages[MODEL_PAGES + 1];
};

static void check_against_model(const struct modelled *m)
{
    uint64_t count = 0;
    for (uint32_t page = 1; page <= MODEL_PAGES; page++) {
        cr_assert_eq(graft_pageset_contains(&m->set, page), m->pages[page], "page %u", page);
        count += m->pages[page];
    }
    cr_assert_not(graft_pageset_contains(&m->set, 0));
    cr_assert_not(graft_pageset_contains(&m->set, MODEL_PAGES + 1));
    cr_assert_eq(m->set.page_count, count);
    for (uint32_t i = 1; i < m->set.run_count; i++) {
        const struct graft_run *before = &m->set.runs[i - 1];
        cr_assert_gt(m->set.runs[i].first, before->first + before->count, "runs touch");
    }
}

static void check_round_trip(const struct graft_pageset *set)
{
    struct graft_err err = {.text = ""};
    struct graft_buf once;
    struct graft_buf twice;
    graft_buf_init(&once, set->alloc);
    graft_buf_init(&twice, set->alloc);
    struct graft_pageset read;
    graft_pageset_init(&read, set->alloc);
    expect_ok(graft_pageset_encode(set, &once), &err);
    expect_ok(graft_pageset_decode(&read, once.bytes, once.size, &err), &err);
    cr_assert_eq(read.page_count, set->page_count);
    cr_assert_eq(read.run_count, set->run_count);
    expect_ok(graft_pageset_encode(&read, &twice), &err);
    cr_assert_eq(once.size, twice.size);
    cr_assert_arr_eq(once.bytes, twice.bytes, once.size);
    graft_pageset_deinit(&read);
    graft_buf_deinit(&once);
    graft_buf_deinit(&twice);
}

static void mark(struct modelled *m, uint32_t first, uint32_t count)
{
    for (uint32_t page = first; page < first + count; page++)
        m->pages[page] = true;
}

static void random_step(struct modelled *m, struct modelled *other, uint64_t *seed)
{
    uint32_t first = 1 + sample_random_below(seed, MODEL_PAGES);
    uint32_t count = sample_random_below(seed, 12);
    if (count > MODEL_PAGES - first + 1)
        count = MODEL_PAGES - first + 1;
    switch (sample_random_below(seed, 12)) {
    case 0:
        graft_pageset_cut(&m->set, first);
        memset(m->pages + first + 1, 0, MODEL_PAGES - first);
        break;
    case 1:
        cr_assert_eq(graft_pageset_add_all(&m->set, &other->set), GRAFT_OK);
        for (uint32_t page = 1; page <= MODEL_PAGES; page++)
            m->pages[page] |= other->pages[page];
        break;
    case 2:
        graft_pageset_clear(&m->set);
        memset(m->pages, 0, sizeof m->pages);
        break;
    case 3:
    case 4:
        cr_assert_eq(graft_pageset_add_run(&m->set, first, count), GRAFT_OK);
        mark(m, first, count);
        break;
    default:
        cr_assert_eq(graft_pageset_add(&m->set, first), GRAFT_OK);
        mark(m, first, 1);
    }
}

Test(pageset, agrees_with_an_array_of_flags)
{
    for (uint64_t run = 1; run <= 20; run++) {
        uint64_t seed = run * 0x9e3779b97f4a7c15;
        struct modelled m[2] = {{.pages = {0}}, {.pages = {0}}};
        graft_pageset_init(&m[0].set, graft_test_env()->alloc);
        graft_pageset_init(&m[1].set, graft_test_env()->alloc);
        for (unsigned step = 0; step < 300; step++) {
            uint32_t which = sample_random_below(&seed, 2);
            random_step(&m[which], &m[1 - which], &seed);
            check_against_model(&m[which]);
            check_round_trip(&m[which].set);
            bool meet = false;
            for (uint32_t page = 1; page <= MODEL_PAGES; page++)
                meet |= m[0].pages[page] && m[1].pages[page];
            cr_assert_eq(graft_pageset_intersects(&m[0].set, &m[1].set), meet);
        }
        graft_pageset_deinit(&m[0].set);
        graft_pageset_deinit(&m[1].set);
    }
}

Test(pageset, adding_a_set_to_itself_changes_nothing)
{
    struct graft_pageset set;
    graft_pageset_init(&set, graft_test_env()->alloc);
    cr_assert_eq(graft_pageset_add_run(&set, 3, 2), GRAFT_OK);
    cr_assert_eq(graft_pageset_add_run(&set, 9, 1), GRAFT_OK);
    cr_assert_eq(graft_pageset_add_all(&set, &set), GRAFT_OK);
    cr_assert_eq(set.page_count, 3);
    graft_pageset_deinit(&set);
}

Test(pageset, the_greatest_page_number_fits_and_the_next_does_not)
{
    struct graft_pageset set;
    graft_pageset_init(&set, graft_test_env()->alloc);
    cr_assert_eq(graft_pageset_add(&set, 0), GRAFT_EINVAL);
    cr_assert_eq(graft_pageset_add(&set, 0xffffffff), GRAFT_EINVAL);
    cr_assert_eq(graft_pageset_add_run(&set, 2, 0xfffffffe), GRAFT_EINVAL);
    cr_assert_eq(set.page_count, 0);
    cr_assert_eq(graft_pageset_add(&set, GRAFT_PAGES_MAX), GRAFT_OK);
    cr_assert(graft_pageset_contains(&set, GRAFT_PAGES_MAX));
    cr_assert_not(graft_pageset_contains(&set, 0xffffffff));
    check_round_trip(&set);
    cr_assert_eq(graft_pageset_add_run(&set, 1, GRAFT_PAGES_MAX), GRAFT_OK);
    cr_assert_eq(set.page_count, GRAFT_PAGES_MAX);
    cr_assert_eq(set.run_count, 1);
    check_round_trip(&set);
    graft_pageset_cut(&set, GRAFT_PAGES_MAX);
    cr_assert_eq(set.page_count, GRAFT_PAGES_MAX);
    graft_pageset_cut(&set, 7);
    cr_assert_eq(set.page_count, 7);
    graft_pageset_cut(&set, 0);
    cr_assert_eq(set.run_count, 0);
    graft_pageset_deinit(&set);
}

Test(pageset, the_wire_form_is_the_documented_one)
{
    struct graft_pageset set;
    struct graft_buf out;
    graft_pageset_init(&set, graft_test_env()->alloc);
    graft_buf_init(&out, graft_test_env()->alloc);
    cr_assert_eq(graft_pageset_add_run(&set, 5, 3), GRAFT_OK);
    cr_assert_eq(graft_pageset_add_run(&set, 300, 200), GRAFT_OK);
    cr_assert_eq(graft_pageset_encode(&set, &out), GRAFT_OK);
    const uint8_t wanted[] = {2, 4, 2, 0xa4, 0x02, 0xc7, 0x01};
    cr_assert_eq(out.size, sizeof wanted);
    cr_assert_arr_eq(out.bytes, wanted, sizeof wanted);
    graft_buf_deinit(&out);
    graft_pageset_deinit(&set);
}

Test(pageset, malformed_bytes_are_corrupt_and_leave_the_set)
{
    static const struct {
        const char *what;
        size_t size;
        uint8_t bytes[12];
    } bad[] = {
        {"nothing", 0, {0}},
        {"adjacent runs", 5, {2, 4, 2, 0, 0}},
        {"a missing run", 3, {2, 4, 2}},
        {"bytes left", 4, {1, 4, 2, 0}},
        {"bytes after an empty set", 2, {0, 0}},
        {"an overlong count", 4, {0x81, 0x00, 4, 2}},
        {"an overlong gap", 4, {1, 0x84, 0x00, 2}},
        {"more runs than bytes", 5, {0xff, 0xff, 0xff, 0xff, 0x0f}},
        {"a first page past the limit", 7, {1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0}},
        {"a run past the limit", 7, {1, 1, 0xff, 0xff, 0xff, 0xff, 0x0f}},
        {"a gap of 64 bits", 12, {1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0}},
    };
    struct graft_pageset set;
    graft_pageset_init(&set, graft_test_env()->alloc);
    cr_assert_eq(graft_pageset_add(&set, 42), GRAFT_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct graft_err err = {.text = ""};
        enum graft_rc rc = graft_pageset_decode(&set, bad[i].bytes, bad[i].size, &err);
        cr_assert_eq(rc, GRAFT_ECORRUPT, "%s", bad[i].what);
        cr_assert(strstr(err.text, "page set") != NULL);
        cr_assert_eq(set.page_count, 1);
        cr_assert(graft_pageset_contains(&set, 42));
    }
    graft_pageset_deinit(&set);
}

Test(pageset, running_out_of_memory_leaves_the_set)
{
    struct graft_faultalloc faults;
    graft_faultalloc_init(&faults, graft_test_env()->alloc);
    struct graft_pageset set;
    struct graft_pageset other;
    graft_pageset_init(&set, &faults.alloc);
    graft_pageset_init(&other, graft_test_env()->alloc);
    for (uint32_t page = 1; page <= 15; page += 2) {
        cr_assert_eq(graft_pageset_add(&set, page), GRAFT_OK);
        cr_assert_eq(graft_pageset_add(&other, page + 100), GRAFT_OK);
    }
    graft_faultalloc_arm(&faults, 1, true);
    cr_assert_eq(graft_pageset_add(&set, 30), GRAFT_ENOMEM);
    cr_assert_eq(graft_pageset_add_all(&set, &other), GRAFT_ENOMEM);
    cr_assert_eq(graft_pageset_decode(&set, (const uint8_t[]){1, 0, 0}, 3, NULL), GRAFT_ENOMEM);
    cr_assert_eq(graft_faultalloc_disarm(&faults), 3);
    cr_assert_eq(set.page_count, 8);
    cr_assert_eq(set.run_count, 8);
    graft_pageset_deinit(&set);
    graft_pageset_deinit(&other);
    cr_assert_eq(faults.live, 0);
}
