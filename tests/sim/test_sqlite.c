/* Stock SQLite on the simulated disk. It is made to survive every legal crash of an honest disk:
 * that it does, over many seeds, shows that what the simulator does at a crash is legal. */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "sim/scene.h"
#include "sim/sqlite.h"

#define ACCOUNTS 50
#define START_SUM 5000
#define CRASH_SEEDS 300

static struct scene scene;

static void set_up(void)
{
    sim_sqlite_setup();
}

static void tear_down(void)
{
    scene_end(&scene);
}

TestSuite(sim_sqlite, .init = set_up, .fini = tear_down, .timeout = 300);

static sqlite3 *open_database(struct sim_process *process)
{
    sqlite3 *db = NULL;
    int rc = sqlite3_open_v2("/bank.db", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                             sim_process_base_vfs(process));
    cr_assert_eq(rc, SQLITE_OK);
    sqlite3_busy_timeout(db, 10000);
    return db;
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

/* ---- Crashes. */

struct bank {
    uint64_t seed;
    long committed; /* the newest transfer whose COMMIT was acknowledged */
    long attempted;
    int checks;
    int hot_journals;
    struct sim_rng rng;
};

static const char *journal_mode(uint64_t seed)
{
    static const char *const modes[] = {"PRAGMA journal_mode=delete",
                                        "PRAGMA journal_mode=truncate",
                                        "PRAGMA journal_mode=persist"};
    return modes[seed % 3];
}

static void found_bank(struct sim_process *process, void *arg)
{
    struct bank *bank = arg;
    sqlite3 *db = open_database(process);
    char sql[200];
    cr_assert_eq(run_sql(db, journal_mode(bank->seed)), SQLITE_OK);
    cr_assert_eq(run_sql(db, "CREATE TABLE account(id INTEGER PRIMARY KEY, sum INT, note TEXT);"
                             "CREATE TABLE transfer(id INTEGER PRIMARY KEY);"
                             "CREATE INDEX by_note ON account(note);"),
                 SQLITE_OK);
    for (int i = 0; i < ACCOUNTS; i++) {
        (void)snprintf(sql, sizeof sql, "INSERT INTO account VALUES(%d, %d, hex(zeroblob(300)))", i,
                       START_SUM / ACCOUNTS);
        cr_assert_eq(run_sql(db, sql), SQLITE_OK);
    }
    sqlite3_close(db);
    /* SQLite does not sync the directory for a new database, only for journals. */
    cr_assert_eq(graft_disk_sync_directory(sim_process_env(process)->disk, "/", NULL), GRAFT_OK);
}

static void check_bank(sqlite3 *db, struct bank *bank)
{
    char answer[64];
    long newest = 0;
    cr_assert_eq(ask(db, "PRAGMA integrity_check", answer), SQLITE_OK);
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
    char sql[400];
    bank->hot_journals +=
        sim_disk_peek_size(sim_machine_disk(scene.machine), "/bank.db-journal", false) - 1 <
        UINT64_MAX - 2;
    sqlite3 *db = open_database(process);
    cr_assert_eq(run_sql(db, "PRAGMA synchronous=extra"), SQLITE_OK);
    check_bank(db, bank);
    cr_assert_eq(run_sql(db, journal_mode(bank->seed)), SQLITE_OK);
    cr_assert_eq(run_sql(db, "PRAGMA cache_size=10"), SQLITE_OK);
    for (;;) {
        long id = ++bank->attempted;
        (void)snprintf(sql, sizeof sql,
                       "BEGIN IMMEDIATE; INSERT INTO transfer VALUES(%ld);"
                       "UPDATE account SET sum = sum - 1, note = hex(randomblob(%d)) WHERE id = %d;"
                       "UPDATE account SET sum = sum + 1 WHERE id = %d;",
                       id, (int)sim_rng_below(&bank->rng, 600),
                       (int)sim_rng_below(&bank->rng, ACCOUNTS),
                       (int)sim_rng_below(&bank->rng, ACCOUNTS));
        cr_assert_eq(run_sql(db, sql), SQLITE_OK);
        if (sim_rng_below(&bank->rng, 8) == 0) {
            cr_assert_eq(run_sql(db, "ROLLBACK"), SQLITE_OK);
            bank->attempted--;
            continue;
        }
        cr_assert_eq(run_sql(db, "COMMIT"), SQLITE_OK);
        bank->committed = id;
    }
}

static void end_check(struct sim_process *process, void *arg)
{
    sqlite3 *db = open_database(process);
    check_bank(db, arg);
    sqlite3_close(db);
}

static void plan_crashes(uint64_t seed)
{
    static const enum sim_fault kinds[] = {SIM_FAULT_crash_drop,     SIM_FAULT_crash_tear,
                                           SIM_FAULT_crash_reorder,  SIM_FAULT_crash_size,
                                           SIM_FAULT_crash_entry,    SIM_FAULT_crash_garbage,
                                           SIM_FAULT_disk_writeback, SIM_FAULT_disk_slow};
    sim_plan_calm(&scene.plan, seed);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        scene.plan.rate_ppm[kinds[i]] = seed % 7 == i ? 0 : 500000;
    scene.plan.rate_ppm[SIM_FAULT_disk_slow] = 1000;
}

/* Founds the bank, and lets it work through some crashes. */
static void run_through_crashes(struct bank *bank, bool whole_machine)
{
    scene_run(&scene, found_bank, bank);
    for (int round = 0; round < 6; round++) {
        struct sim_process *process =
            sim_process_start(scene.machine, "teller", transfer_until_the_end, bank);
        uint64_t points = 150 + sim_rng_skewed(&bank->rng, 1, 1500);
        sim_process_kill_at(process, points);
        scene_expect(&scene, SIM_FINISHED);
        cr_assert(sim_process_was_killed(process));
        if (whole_machine) {
            sim_machine_crash(scene.machine);
            sim_machine_restart(scene.machine);
        }
    }
    sim_world_set_faults(scene.world, false);
    scene_run(&scene, end_check, bank);
}

Test(sim_sqlite, survives_crashes_of_an_honest_disk)
{
    int checks = 0;
    int hot_journals = 0;
    long committed = 0;
    for (uint64_t seed = 1; seed <= CRASH_SEEDS; seed++) {
        struct bank bank = {.seed = seed};
        sim_rng_init(&bank.rng, seed, 77);
        plan_crashes(seed);
        scene_begin_planned(&scene);
        run_through_crashes(&bank, true);
        checks += bank.checks;
        hot_journals += bank.hot_journals;
        committed += bank.committed;
        scene_end(&scene);
    }
    cr_assert_geq(checks, CRASH_SEEDS * 7);
    cr_assert_gt(hot_journals, CRASH_SEEDS);
    cr_assert_gt(committed, CRASH_SEEDS * 10);
    scene_begin(&scene, 1);
}

Test(sim_sqlite, survives_the_death_of_its_process)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct bank bank = {.seed = seed};
        sim_rng_init(&bank.rng, seed, 77);
        plan_crashes(seed);
        scene_begin_planned(&scene);
        run_through_crashes(&bank, false);
        scene_end(&scene);
    }
    scene_begin(&scene, 1);
}

struct verdict {
    struct bank *bank;
    bool hurt;
};

static void judge(struct sim_process *process, void *arg)
{
    struct verdict *verdict = arg;
    char answer[64];
    long newest = 0;
    sqlite3 *db = open_database(process);
    verdict->hurt = ask(db, "PRAGMA integrity_check", answer) != SQLITE_OK ||
                    strcmp(answer, "ok") != 0 ||
                    ask(db, "SELECT sum(sum) FROM account", answer) != SQLITE_OK ||
                    strcmp(answer, "5000") != 0 ||
                    ask(db, "SELECT coalesce(max(id), 0) FROM transfer", answer) != SQLITE_OK;
    (void)sscanf(answer, "%ld", &newest);
    verdict->hurt = verdict->hurt || newest < verdict->bank->committed;
    sqlite3_close(db);
}

/* A disk that lies about syncs is more than SQLite can bear: what it survives above would be no
 * test if it survived this. */
Test(sim_sqlite, is_hurt_by_a_disk_that_lies)
{
    int hurt = 0;
    for (uint64_t seed = 1; seed <= 120; seed++) {
        struct bank bank = {.seed = seed};
        struct verdict verdict = {.bank = &bank};
        sim_rng_init(&bank.rng, seed, 77);
        plan_crashes(seed);
        scene.plan.rate_ppm[SIM_FAULT_disk_sync_lie] = 300000;
        scene_begin_planned(&scene);
        sim_world_set_faults(scene.world, false);
        scene_run(&scene, found_bank, &bank);
        sim_world_set_faults(scene.world, true);
        struct sim_process *process =
            sim_process_start(scene.machine, "teller", transfer_until_the_end, &bank);
        sim_process_kill_at(process, 150 + sim_rng_skewed(&bank.rng, 1, 1500));
        scene_expect(&scene, SIM_FINISHED);
        sim_machine_crash(scene.machine);
        sim_machine_restart(scene.machine);
        scene_run(&scene, judge, &verdict);
        hurt += verdict.hurt;
        scene_end(&scene);
    }
    cr_assert_gt(hurt, 4, "%d of 120", hurt);
    scene_begin(&scene, 1);
}

/* ---- Several processes. */

static void count_up(struct sim_process *process, void *arg)
{
    sqlite3 *db = open_database(process);
    (void)arg;
    for (int i = 0; i < 20; i++)
        cr_assert_eq(run_sql(db, "UPDATE account SET sum = sum + 1 WHERE id = 0"), SQLITE_OK);
    sqlite3_close(db);
}

static void expect_sum(struct sim_process *process, void *arg)
{
    char answer[64];
    sqlite3 *db = open_database(process);
    cr_assert_eq(ask(db, "SELECT sum FROM account WHERE id = 0", answer), SQLITE_OK);
    cr_assert_str_eq(answer, arg);
    sqlite3_close(db);
}

Test(sim_sqlite, processes_take_turns)
{
    struct bank bank = {.seed = 1};
    scene_begin(&scene, 4);
    scene_run(&scene, found_bank, &bank);
    for (int i = 0; i < 4; i++)
        sim_process_start(scene.machine, "counter", count_up, NULL);
    scene_expect(&scene, SIM_FINISHED);
    scene_run(&scene, expect_sum, "180");
}

/* ---- Time, randomness, memory. */

static void draw_random(struct sim_process *process, void *arg)
{
    sqlite3 *db = open_database(process);
    cr_assert_eq(ask(db, "SELECT random() || ' ' || unixepoch()", arg), SQLITE_OK);
    sqlite3_close(db);
}

Test(sim_sqlite, randomness_and_time_are_the_seeds)
{
    char answers[3][64];
    for (int i = 0; i < 3; i++) {
        scene_begin(&scene, i < 2 ? 8 : 9);
        scene_run(&scene, draw_random, answers[i]);
        if (i < 2)
            scene_end(&scene);
    }
    cr_assert_str_eq(answers[0], answers[1]);
    cr_assert_str_neq(answers[0], answers[2]);
    cr_assert_not_null(strstr(answers[0], " 17172000"), "%s", answers[0]);
}

static void run_out_of_memory(struct sim_process *process, void *arg)
{
    uint64_t nth = *(uint64_t *)arg;
    sqlite3 *db = NULL;
    sim_process_fail_alloc(process, nth, false);
    int rc = sqlite3_open_v2("/bank.db", &db, SQLITE_OPEN_READWRITE, sim_process_base_vfs(process));
    if (rc == SQLITE_OK)
        rc = run_sql(db, "UPDATE account SET sum = sum + 1 WHERE id = 0");
    cr_assert(rc == SQLITE_OK || (rc & 0xff) == SQLITE_NOMEM || (rc & 0xff) == SQLITE_IOERR ||
                  (rc & 0xff) == SQLITE_CANTOPEN,
              "allocation %lu: %d", (unsigned long)nth, rc);
    sqlite3_close(db);
}

Test(sim_sqlite, every_allocation_can_fail)
{
    struct bank bank = {.seed = 1};
    scene_begin(&scene, 1);
    scene_run(&scene, found_bank, &bank);
    uint64_t nth = 1;
    for (uint64_t fired = 0;; nth++) {
        scene_run(&scene, run_out_of_memory, &nth);
        uint64_t now = scene_fired(&scene, SIM_FAULT_alloc_fail);
        if (now == fired)
            break;
        fired = now;
    }
    cr_assert_gt(nth, 50);
}

static void open_and_wait(struct sim_process *process, void *arg)
{
    sqlite3 *db = open_database(process);
    (void)arg;
    cr_assert_eq(run_sql(db, "BEGIN IMMEDIATE; UPDATE account SET sum = 0"), SQLITE_OK);
    sim_sleep_ns(sim_process_world(process), SIM_SECOND * 1000000);
}

Test(sim_sqlite, a_killed_process_leaves_neither_vfs_nor_lock)
{
    struct bank bank = {.seed = 1};
    char name[64];
    scene_begin(&scene, 1);
    scene_run(&scene, found_bank, &bank);
    struct sim_process *process = sim_process_start(scene.machine, "holder", open_and_wait, NULL);
    (void)sim_world_run(scene.world, sim_world_now_ns(scene.world) + 10 * SIM_SECOND);
    (void)snprintf(name, sizeof name, "%s", sim_process_base_vfs(process));
    cr_assert_not_null(sqlite3_vfs_find(name));
    sim_process_kill(process);
    cr_assert_null(sqlite3_vfs_find(name));
    scene_run(&scene, expect_sum, "100");
}
