/* The catalogue of core and the VFS as the simulator has it: what is in it, and that a planted bug
 * is one. Which of the bugs the checkers find is what `graft-sim mutants` tells. */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "graft/graft.h"
#include "sim/catalogue.h"
#include "sim/scene.h"
#include "sim/sqlite.h"
#include "vfs/vfs.h"

static struct scene scene;

static void set_up(void)
{
    sim_sqlite_setup();
}

static void tear_down(void)
{
    sim_point_plant(sim_point_count());
    scene_end(&scene);
}

TestSuite(sim_catalogue, .init = set_up, .fini = tear_down, .timeout = 300);

static size_t count_of_kind(enum graft_point_kind kind, const char *prefix)
{
    size_t count = 0;
    for (size_t i = 0; i < sim_point_count(); i++) {
        const struct graft_point *point = sim_point_at(i);
        count += point->kind == kind && strncmp(point->text, prefix, strlen(prefix)) == 0;
    }
    return count;
}

Test(sim_catalogue, no_two_points_have_the_same_text)
{
    scene_begin(&scene, 1);
    for (size_t i = 0; i < sim_point_count(); i++) {
        for (size_t k = 0; k < i; k++)
            cr_assert_str_neq(sim_point_at(i)->text, sim_point_at(k)->text, "%s:%u and %s:%u",
                              sim_point_at(i)->file, sim_point_at(i)->line, sim_point_at(k)->file,
                              sim_point_at(k)->line);
    }
}

Test(sim_catalogue, has_enough_of_each_kind)
{
    scene_begin(&scene, 1);
    size_t assertions =
        count_of_kind(GRAFT_POINT_ALWAYS, "") + count_of_kind(GRAFT_POINT_SOMETIMES, "") +
        count_of_kind(GRAFT_POINT_REACHABLE, "") + count_of_kind(GRAFT_POINT_UNREACHABLE, "");
    cr_assert_geq(assertions, 80);
    cr_assert_geq(count_of_kind(GRAFT_POINT_ALWAYS, ""), 40);
    cr_assert_geq(count_of_kind(GRAFT_POINT_BUGGIFY, ""), 20);
    cr_assert_geq(count_of_kind(GRAFT_POINT_MUTANT, ""), 40);
}

Test(sim_catalogue, has_bugs_to_plant_in_every_module)
{
    static const char *const modules[] = {"base",   "env",    "format", "store",
                                          "remote", "engine", "vfs"};
    scene_begin(&scene, 1);
    size_t all = 0;
    for (size_t i = 0; i < sizeof modules / sizeof modules[0]; i++) {
        char prefix[32];
        (void)snprintf(prefix, sizeof prefix, "%s: ", modules[i]);
        size_t count = count_of_kind(GRAFT_POINT_MUTANT, prefix);
        cr_assert_geq(count, 3, "%s has %zu", modules[i], count);
        all += count;
    }
    cr_assert_eq(all, count_of_kind(GRAFT_POINT_MUTANT, ""),
                 "the text of each begins with its module");
    for (size_t i = 0; i < sim_point_count(); i++) {
        const struct graft_point *point = sim_point_at(i);
        char folder[64];
        (void)snprintf(folder, sizeof folder, "/%.*s/", (int)strcspn(point->text, ":"),
                       point->text);
        if (point->kind == GRAFT_POINT_MUTANT)
            cr_assert_not_null(strstr(point->file, folder), "%s is in %s", point->text,
                               point->file);
    }
}

Test(sim_catalogue, finds_points_by_kind_and_text)
{
    scene_begin(&scene, 1);
    const char *text = "store: a commit is acknowledged without its sync";
    size_t number = sim_point_find(GRAFT_POINT_MUTANT, text);
    cr_assert_lt(number, sim_point_count());
    cr_assert_str_eq(sim_point_at(number)->text, text);
    cr_assert_eq(sim_point_find(GRAFT_POINT_ALWAYS, text), sim_point_count());
    cr_assert_eq(sim_point_find(GRAFT_POINT_MUTANT, "no such bug"), sim_point_count());
}

/* ---- A planted bug, and a checker that finds it: rows that were acknowledged before a machine
 * crashed must be there afterwards. */

struct ledger {
    long acknowledged;
    long found; /* -1: the database cannot be read any more */
};

struct install {
    struct graft_process *process;
    struct graft_vfs *vfs;
    sqlite3 *db;
};

static int open_ledger(struct sim_process *process, struct install *install)
{
    struct graft_env *env = sim_process_env(process);
    struct graft_err err = {0};
    expect_ok(graft_process_new(env, &install->process, &err), &err);
    expect_ok(graft_vfs_register(install->process, env, sim_process_vfs_name(process),
                                 sim_process_base_vfs(process), &install->vfs, &err),
              &err);
    return sqlite3_open_v2("/ledger.graft", &install->db,
                           SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                           sim_process_vfs_name(process));
}

static void close_ledger(struct install *install)
{
    cr_assert_eq(sqlite3_close(install->db), SQLITE_OK);
    graft_vfs_unregister(install->vfs);
    graft_process_free(install->process);
}

static void write_rows(struct sim_process *process, void *arg)
{
    struct ledger *ledger = arg;
    struct install install;
    char sql[100];
    cr_assert_eq(open_ledger(process, &install), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(install.db, "CREATE TABLE t(x)", NULL, NULL, NULL), SQLITE_OK);
    for (long row = 1; row <= 50; row++) {
        (void)snprintf(sql, sizeof sql, "INSERT INTO t VALUES(%ld)", row);
        cr_assert_eq(sqlite3_exec(install.db, sql, NULL, NULL, NULL), SQLITE_OK);
        ledger->acknowledged = row;
    }
    sim_machine_crash(sim_process_machine(process));
}

static void read_rows(struct sim_process *process, void *arg)
{
    struct ledger *ledger = arg;
    struct install install;
    sqlite3_stmt *statement = NULL;
    ledger->found = -1;
    if (open_ledger(process, &install) == SQLITE_OK &&
        sqlite3_prepare_v2(install.db, "SELECT count(*) FROM t", -1, &statement, NULL) ==
            SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        ledger->found = (long)sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    close_ledger(&install);
}

/* What a crash that drops all unsynced pages leaves of the ledger. */
static struct ledger crash_with(const char *mutant)
{
    struct ledger ledger = {0};
    size_t number = sim_point_find(GRAFT_POINT_MUTANT, mutant);
    cr_assert(mutant[0] == '\0' || number < sim_point_count());
    sim_point_plant(number);
    sim_plan_calm(&scene.plan, 7);
    scene.plan.rate_ppm[SIM_FAULT_crash_drop] = 1000000;
    scene_begin_planned(&scene);
    struct sim_process *process = sim_process_start(scene.machine, "writer", write_rows, &ledger);
    scene_expect(&scene, SIM_FINISHED);
    cr_assert(sim_process_was_killed(process));
    sim_machine_restart(scene.machine);
    (void)sim_process_start(scene.machine, "reader", read_rows, &ledger);
    scene_expect(&scene, SIM_FINISHED);
    return ledger;
}

Test(sim_catalogue, nothing_is_lost_when_no_bug_is_planted)
{
    struct ledger ledger = crash_with("");
    cr_assert_eq(ledger.acknowledged, 50);
    cr_assert_eq(ledger.found, 50);
}

Test(sim_catalogue, a_planted_bug_in_the_store_loses_acknowledged_rows)
{
    struct ledger ledger = crash_with("store: a commit is acknowledged without its sync");
    cr_assert_eq(ledger.acknowledged, 50);
    cr_assert_lt(ledger.found, 50);
}

Test(sim_catalogue, a_planted_bug_in_the_vfs_loses_acknowledged_rows)
{
    struct ledger ledger = crash_with("vfs: FULL is taken for NORMAL");
    cr_assert_eq(ledger.acknowledged, 50);
    cr_assert_lt(ledger.found, 50);
}

Test(sim_catalogue, counts_how_often_a_bug_was_asked_for)
{
    size_t number =
        sim_point_find(GRAFT_POINT_MUTANT, "store: a commit is acknowledged without its sync");
    sim_point_clear();
    (void)crash_with("");
    cr_assert_gt(sim_point_counted(number).reached, 50);
    cr_assert_eq(sim_point_counted(number).held, 0);
}
