/* Graft itself in the simulated world: the real VFS, engine and store, under crashes of an honest
 * disk. Every commit that was acknowledged is there afterwards, and the database is whole. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graft/graft.h"
#include "sim/scene.h"
#include "sim/sqlite.h"
#include "vfs/vfs.h"

#define ACCOUNTS 50

static struct scene scene;

static void set_up(void)
{
    sim_sqlite_setup();
}

static void tear_down(void)
{
    scene_end(&scene);
}

TestSuite(sim_graft, .init = set_up, .fini = tear_down, .timeout = 300);

/* Graft as a process has it. */
struct install {
    struct graft_process *process;
    struct graft_vfs *vfs;
    sqlite3 *db;
};

static void open_graft(struct sim_process *process, struct install *install, const char *path)
{
    struct graft_env *env = sim_process_env(process);
    struct graft_err err = {0};
    expect_ok(graft_process_new(env, &install->process, &err), &err);
    expect_ok(graft_vfs_register(install->process, env, sim_process_vfs_name(process),
                                 sim_process_base_vfs(process), &install->vfs, &err),
              &err);
    int rc = sqlite3_open_v2(path, &install->db,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI,
                             sim_process_vfs_name(process));
    cr_assert_eq(rc, SQLITE_OK, "%s", sqlite3_errmsg(install->db));
    sqlite3_busy_timeout(install->db, 10000);
}

static void close_graft(struct install *install)
{
    cr_assert_eq(sqlite3_close(install->db), SQLITE_OK);
    graft_vfs_unregister(install->vfs);
    graft_process_free(install->process);
}

static int run_sql(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static int take_text(void *arg, int columns, char **values, char **names)
{
    (void)columns;
    (void)names;
    (void)snprintf(arg, 64, "%s", values[0] == NULL ? "" : values[0]);
    return 0;
}

static int ask(sqlite3 *db, const char *sql, char answer[64])
{
    answer[0] = '\0';
    return sqlite3_exec(db, sql, take_text, answer, NULL);
}

struct bank {
    uint64_t seed;
    long committed;
    long attempted;
    int checks;
    struct sim_rng rng;
};

static void found_bank(struct sim_process *process, void *arg)
{
    struct install install;
    char sql[200];
    (void)arg;
    open_graft(process, &install, "/bank.graft");
    cr_assert_eq(run_sql(install.db,
                         "CREATE TABLE account(id INTEGER PRIMARY KEY, sum INT, note TEXT);"
                         "CREATE TABLE transfer(id INTEGER PRIMARY KEY); BEGIN"),
                 SQLITE_OK, "%s", sqlite3_errmsg(install.db));
    for (int i = 0; i < ACCOUNTS; i++) {
        (void)snprintf(sql, sizeof sql, "INSERT INTO account VALUES(%d, 100, hex(zeroblob(300)))",
                       i);
        cr_assert_eq(run_sql(install.db, sql), SQLITE_OK);
    }
    cr_assert_eq(run_sql(install.db, "COMMIT"), SQLITE_OK);
    close_graft(&install);
}

static void check_bank(sqlite3 *db, struct bank *bank)
{
    char answer[64];
    long newest = 0;
    cr_assert_eq(ask(db, "PRAGMA integrity_check", answer), SQLITE_OK, "seed %lu: %s",
                 (unsigned long)bank->seed, sqlite3_errmsg(db));
    cr_assert_str_eq(answer, "ok", "seed %lu: %s", (unsigned long)bank->seed, answer);
    cr_assert_eq(ask(db, "SELECT sum(sum) FROM account", answer), SQLITE_OK);
    cr_assert_str_eq(answer, "5000", "seed %lu: %s in all", (unsigned long)bank->seed, answer);
    cr_assert_eq(ask(db, "SELECT coalesce(max(id), 0) FROM transfer", answer), SQLITE_OK);
    (void)sscanf(answer, "%ld", &newest);
    cr_assert(newest >= bank->committed && newest <= bank->attempted,
              "seed %lu: transfer %ld is the newest, %ld was acknowledged",
              (unsigned long)bank->seed, newest, bank->committed);
    bank->attempted = newest;
    bank->checks++;
}

static void transfer_until_the_end(struct sim_process *process, void *arg)
{
    struct bank *bank = arg;
    struct install install;
    char sql[400];
    open_graft(process, &install, "/bank.graft");
    check_bank(install.db, bank);
    for (;;) {
        long id = ++bank->attempted;
        (void)snprintf(sql, sizeof sql,
                       "BEGIN IMMEDIATE; INSERT INTO transfer VALUES(%ld);"
                       "UPDATE account SET sum = sum - 1, note = hex(randomblob(%d)) WHERE id = %d;"
                       "UPDATE account SET sum = sum + 1 WHERE id = %d; COMMIT",
                       id, (int)sim_rng_below(&bank->rng, 600),
                       (int)sim_rng_below(&bank->rng, ACCOUNTS),
                       (int)sim_rng_below(&bank->rng, ACCOUNTS));
        cr_assert_eq(run_sql(install.db, sql), SQLITE_OK, "seed %lu: %s", (unsigned long)bank->seed,
                     sqlite3_errmsg(install.db));
        bank->committed = id;
    }
}

static void end_check(struct sim_process *process, void *arg)
{
    struct install install;
    open_graft(process, &install, "/bank.graft");
    check_bank(install.db, arg);
    close_graft(&install);
}

static void plan_crashes(uint64_t seed)
{
    static const enum sim_fault kinds[] = {SIM_FAULT_crash_drop,     SIM_FAULT_crash_tear,
                                           SIM_FAULT_crash_reorder,  SIM_FAULT_crash_size,
                                           SIM_FAULT_crash_entry,    SIM_FAULT_crash_garbage,
                                           SIM_FAULT_disk_writeback, SIM_FAULT_task_spurious_wake};
    sim_plan_calm(&scene.plan, seed);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        scene.plan.rate_ppm[kinds[i]] = seed % 9 == i ? 0 : 500000;
    scene.plan.rate_ppm[SIM_FAULT_disk_slow] = 1000;
}

/* Founds the bank and lets it work through some crashes; what it did is in the world's hash. */
static void run_through_crashes(struct bank *bank)
{
    sim_rng_init(&bank->rng, bank->seed, 77);
    plan_crashes(bank->seed);
    scene_begin_planned(&scene);
    scene_run(&scene, found_bank, bank);
    for (int round = 0; round < 6; round++) {
        struct sim_process *process =
            sim_process_start(scene.machine, "teller", transfer_until_the_end, bank);
        sim_process_kill_at(process, 200 + sim_rng_skewed(&bank->rng, 1, 3000));
        scene_expect(&scene, SIM_FINISHED);
        cr_assert(sim_process_was_killed(process));
        sim_machine_crash(scene.machine);
        sim_machine_restart(scene.machine);
    }
    sim_world_set_faults(scene.world, false);
    scene_run(&scene, end_check, bank);
}

Test(sim_graft, survives_crashes_of_an_honest_disk)
{
    int checks = 0;
    long committed = 0;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct bank bank = {.seed = seed};
        run_through_crashes(&bank);
        checks += bank.checks;
        committed += bank.committed;
        scene_end(&scene);
    }
    cr_assert_gt(checks, 300);
    cr_assert_gt(committed, 1000);
    scene_begin(&scene, 1);
}

Test(sim_graft, a_seed_is_a_run_with_graft_in_it_too)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        uint64_t hashes[2];
        for (int i = 0; i < 2; i++) {
            struct bank bank = {.seed = seed};
            run_through_crashes(&bank);
            hashes[i] = sim_world_hash(scene.world);
            scene_end(&scene);
        }
        cr_assert_eq(hashes[0], hashes[1], "seed %lu", (unsigned long)seed);
    }
    scene_begin(&scene, 1);
}

/* ---- Two machines, and a directory that a third one shares. */

static void write_and_push(struct sim_process *process, void *arg)
{
    struct install install;
    (void)arg;
    struct graft_disk *disk = sim_process_env(process)->disk;
    cr_assert_eq(graft_disk_make_directories(disk, "/share/repo", NULL), GRAFT_OK);
    open_graft(process, &install, "file:/one.graft?remote=file:///share/repo/app");
    cr_assert_eq(run_sql(install.db, "CREATE TABLE t(x); INSERT INTO t VALUES(42)"), SQLITE_OK);
    cr_assert_eq(run_sql(install.db, "PRAGMA graft_push"), SQLITE_OK, "%s",
                 sqlite3_errmsg(install.db));
    close_graft(&install);
}

static void clone_and_read(struct sim_process *process, void *arg)
{
    struct install install;
    open_graft(process, &install, "file:/two.graft?remote=file:///share/repo/app");
    cr_assert_eq(run_sql(install.db, "PRAGMA graft_pull"), SQLITE_OK, "%s",
                 sqlite3_errmsg(install.db));
    cr_assert_eq(ask(install.db, "SELECT x FROM t", arg), SQLITE_OK, "%s",
                 sqlite3_errmsg(install.db));
    close_graft(&install);
}

Test(sim_graft, replicates_over_a_directory_that_machines_share)
{
    char answer[64];
    scene_begin(&scene, 1);
    struct sim_machine *nas = sim_machine_new(scene.world, "nas");
    struct sim_machine *other = sim_machine_new(scene.world, "b");
    sim_machine_mount(scene.machine, "/share", nas, "/");
    sim_machine_mount(other, "/share", nas, "/");
    scene_run(&scene, write_and_push, NULL);
    struct sim_process *process = sim_process_start(other, "clone", clone_and_read, answer);
    scene_expect(&scene, SIM_FINISHED);
    struct sim_holdings left;
    sim_process_holdings(process, &left);
    cr_assert(sim_holdings_are_none(&left));
    cr_assert_str_eq(answer, "42");
}

/* ---- What a metered link carries, where no scheduler of the host decides on it. */

static void push_rows(struct sim_process *process, void *arg)
{
    struct install install;
    (void)arg;
    struct graft_disk *disk = sim_process_env(process)->disk;
    cr_assert_eq(graft_disk_make_directories(disk, "/share/repo", NULL), GRAFT_OK);
    open_graft(process, &install, "file:/one.graft?remote=file:///share/repo/app");
    cr_assert_eq(
        run_sql(install.db,
                "CREATE TABLE t(id INTEGER PRIMARY KEY, k INT, pad BLOB); CREATE INDEX tk ON t(k);"
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
                "INSERT INTO t SELECT i, i * 7919 % 20000 / 20, randomblob(100) FROM n;"
                "PRAGMA graft_push"),
        SQLITE_OK, "%s", sqlite3_errmsg(install.db));
    close_graft(&install);
}

static void read_short_range(struct sim_process *process, void *arg)
{
    struct install install;
    open_graft(process, &install, "file:/two.graft?remote=file:///share/repo/app");
    cr_assert_eq(run_sql(install.db, "PRAGMA graft_prefetch=metered"), SQLITE_OK);
    cr_assert_eq(ask(install.db, "SELECT count(pad) FROM t WHERE id BETWEEN 5000 AND 6000", arg),
                 SQLITE_OK, "%s", sqlite3_errmsg(install.db));
    cr_assert_str_eq(arg, "1001");
    cr_assert_eq(ask(install.db, "SELECT value FROM graft_stats WHERE name = 'pages_fetched'", arg),
                 SQLITE_OK);
    close_graft(&install);
}

Test(sim_graft, a_short_range_over_a_metered_link_wastes_little)
{
    /* On the average: one seed in fifty brings half as much again, whichever it is. */
    const uint64_t seeds = 20;
    long pages = 0;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        char answer[64];
        scene_begin(&scene, seed);
        struct sim_machine *nas = sim_machine_new(scene.world, "nas");
        struct sim_machine *other = sim_machine_new(scene.world, "b");
        sim_machine_mount(scene.machine, "/share", nas, "/");
        sim_machine_mount(other, "/share", nas, "/");
        scene_run(&scene, push_rows, NULL);
        (void)sim_process_start(other, "reader", read_short_range, answer);
        scene_expect(&scene, SIM_FINISHED);
        pages += atol(answer);
        scene_end(&scene);
    }
    cr_assert_leq(pages, (long)seeds * (16 + 1000 * 110 / 4096 * 2), "%ld pages", pages);
    scene_begin(&scene, 1);
}
