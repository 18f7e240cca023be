/* The workloads over a sound system find nothing, do real work, and find what is planted. */
#include "kit.h"

#include <string.h>

/* Stand-ins: the tests count nothing. */
#include "base/catalogue.h"

void graft_point_reached(const struct graft_point *const *slot, bool condition)
{
    if ((*slot)->kind == GRAFT_POINT_ALWAYS)
        cr_expect(condition || kit.signature[0] != '\0', "%s", (*slot)->text);
}

bool graft_point_asked(const struct graft_point *const *slot)
{
    (void)slot;
    return false;
}

TestSuite(workloads, .init = kit_init, .fini = kit_fini, .timeout = 120);

static void expect_no_violation(const char *name)
{
    cr_assert_eq(kit.signature[0], '\0', "%s: %s: %s", name, kit.signature, kit.details);
}

static size_t count_outcomes(enum workload_kind kind, enum workload_outcome outcome)
{
    size_t found = 0;
    for (size_t i = 0; i < workload_history_count(kit.history); i++) {
        const struct workload_record *record = workload_history_at(kit.history, i);
        found += record->kind == kind && record->outcome == outcome;
    }
    return found;
}

static void set_up_and_drive(const struct workload *workload, int rounds)
{
    struct workload_client client = kit_client(0, 0);
    cr_assert_eq(workload->setup(&client), SQLITE_OK);
    cr_assert_eq(workload->setup(&client), SQLITE_OK, "setup can be repeated");
    for (int round = 0; round < rounds; round++) {
        client = kit_client((uint32_t)(round % 3), 20);
        cr_assert_eq(workload->drive(&client), SQLITE_OK);
        expect_no_violation(workload->name);
    }
}

static void settle(void)
{
    for (uint32_t i = 0; i < 6; i++) {
        struct workload_client client = kit_client(i % 3, 0);
        cr_assert_eq(workload_settle(&client), SQLITE_OK);
    }
}

static void finish(const struct workload *workload)
{
    for (uint32_t i = 0; i < 3; i++) {
        struct workload_client client = kit_client(i, 0);
        cr_assert_eq(workload->check(&client), SQLITE_OK);
        cr_assert_eq(workload->finish(&client), SQLITE_OK);
    }
}

Test(workloads, find_nothing_wrong_with_a_sound_system)
{
    for (size_t i = 0; workloads[i] != NULL; i++) {
        set_up_and_drive(workloads[i], 12);
        settle();
        finish(workloads[i]);
        expect_no_violation(workloads[i]->name);
        cr_assert_gt(count_outcomes(WORKLOAD_TRANSACTION, WORKLOAD_OK), 100, "%s",
                     workloads[i]->name);
        cr_assert_gt(count_outcomes(WORKLOAD_PUSH, WORKLOAD_OK), 10, "%s", workloads[i]->name);
        cr_assert_gt(count_outcomes(WORKLOAD_RESET, WORKLOAD_OK), 2, "%s", workloads[i]->name);
        kit_fini();
        kit_init();
    }
}
