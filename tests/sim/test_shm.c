/* Shared words and locks between simulated processes. */
#include <string.h>

#include "sim/scene.h"

static struct scene scene;

static void tear_down(void)
{
    scene_end(&scene);
}

TestSuite(sim_shm, .fini = tear_down);

static _Atomic uint64_t *map_words(struct graft_env *env, struct graft_map **map)
{
    _Atomic uint64_t *words = NULL;
    struct graft_err err = {0};
    expect_ok(graft_map_open(env->shm, "/w", true, map, &err), &err);
    expect_ok(graft_map_allocate(*map, 0, 8192, &err), &err);
    expect_ok(graft_map_view(*map, 0, 8192, &words, &err), &err);
    return words;
}

/* ---- Words. */

static void add_hundred(struct sim_process *process, void *arg)
{
    struct graft_env *env = sim_process_env(process);
    struct graft_map *map = NULL;
    _Atomic uint64_t *words = map_words(env, &map);
    (void)arg;
    for (int i = 0; i < 100; i++) {
        graft_shm_add(env->shm, &words[0], 1);
        uint64_t seen = graft_shm_load(&words[1]);
        graft_shm_store(env->shm, &words[1], seen + 1);
    }
    graft_map_close(map);
}

Test(sim_shm, processes_share_words_and_lose_the_processor_between_stores)
{
    uint64_t words[2] = {0};
    size_t got = 0;
    scene_begin(&scene, 1);
    for (int i = 0; i < 4; i++)
        sim_process_start(scene.machine, "adder", add_hundred, NULL);
    scene_expect(&scene, SIM_FINISHED);
    cr_assert(
        sim_disk_peek(sim_machine_disk(scene.machine), "/w", false, 0, words, sizeof words, &got));
    cr_assert_eq(words[0], 400);
    cr_assert_lt(words[1], 400, "what is no atomic addition loses some");
    cr_assert_geq(words[1], 100);
}

static void look_from_both_sides(struct sim_process *process, void *arg)
{
    struct graft_env *env = sim_process_env(process);
    struct graft_map *map = NULL;
    struct graft_file *file = NULL;
    struct graft_err err = {0};
    uint64_t value = 77;
    size_t got = 0;
    (void)arg;
    expect_ok(graft_disk_replace_file(env->disk, "/w", &value, sizeof value, &err), &err);
    _Atomic uint64_t *words = map_words(env, &map);
    cr_assert_eq(graft_shm_load(&words[0]), 77);
    expect_ok(graft_disk_open(env->disk, "/w", GRAFT_OPEN_WRITE, &file, &err), &err);
    graft_shm_store(env->shm, &words[1], 78);
    expect_ok(graft_file_read(file, 8, &value, sizeof value, &got, &err), &err);
    cr_assert_eq(value, 78);
    value = 79;
    expect_ok(graft_file_write(file, 16, &value, sizeof value, &err), &err);
    cr_assert_eq(graft_shm_load(&words[2]), 79);
    graft_file_close(file);
    graft_map_close(map);
}

Test(sim_shm, a_mapped_file_and_the_file_are_one)
{
    scene_begin(&scene, 1);
    scene_run(&scene, look_from_both_sides, NULL);
}

static void store_into_hole(struct sim_process *process, void *arg)
{
    struct graft_env *env = sim_process_env(process);
    struct graft_map *map = NULL;
    _Atomic uint64_t *words = NULL;
    struct graft_err err = {0};
    (void)arg;
    expect_ok(graft_map_open(env->shm, "/w", true, &map, &err), &err);
    expect_ok(graft_map_resize(map, 8192, &err), &err);
    expect_ok(graft_map_view(map, 0, 8192, &words, &err), &err);
    graft_shm_store(env->shm, &words[600], 1);
    expect_ok(graft_map_sync(map, 0, 0, &err), &err);
}

Test(sim_shm, a_store_to_space_that_was_never_allocated_fails_the_run)
{
    scene_begin(&scene, 1);
    sim_process_start(scene.machine, "a", store_into_hole, NULL);
    scene_expect(&scene, SIM_FAILED);
    cr_assert_not_null(strstr(sim_world_report(scene.world), "never allocated"));
}

static void wait_for_one(struct sim_process *process, void *arg)
{
    struct graft_env *env = sim_process_env(process);
    struct graft_map *map = NULL;
    _Atomic uint64_t *words = map_words(env, &map);
    (void)arg;
    cr_assert(!graft_shm_wait(env->shm, &words[0], 0, 100));
    while (graft_shm_load(&words[0]) == 0)
        (void)graft_shm_wait(env->shm, &words[0], 0, GRAFT_WAIT_FOREVER);
    graft_map_close(map);
}

static void store_one(struct sim_process *process, void *arg)
{
    struct graft_env *env = sim_process_env(process);
    struct graft_map *map = NULL;
    _Atomic uint64_t *words = map_words(env, &map);
    bool wake = *(bool *)arg;
    graft_task_sleep_ms(env->tasks, 1000);
    graft_shm_store(env->shm, &words[0], 1);
    if (wake)
        graft_shm_wake(env->shm, &words[0]);
    graft_map_close(map);
}

Test(sim_shm, waiters_of_all_processes_are_woken)
{
    bool wake = true;
    scene_begin(&scene, 1);
    for (int i = 0; i < 3; i++)
        sim_process_start(scene.machine, "waiter", wait_for_one, NULL);
    sim_process_start(scene.machine, "waker", store_one, &wake);
    scene_expect(&scene, SIM_FINISHED);
}

Test(sim_shm, a_forgotten_wake_is_a_deadlock_that_names_the_word)
{
    bool wake = false;
    scene_begin(&scene, 1);
    sim_process_start(scene.machine, "waiter", wait_for_one, NULL);
    sim_process_start(scene.machine, "waker", store_one, &wake);
    scene_expect(&scene, SIM_DEADLOCKED);
    cr_assert_not_null(strstr(sim_world_report(scene.world), "waits for a shared word"));
}

static void wait_long(struct sim_process *process, void *arg)
{
    struct graft_env *env = sim_process_env(process);
    struct graft_map *map = NULL;
    _Atomic uint64_t *words = map_words(env, &map);
    for (int i = 0; i < 20; i++)
        *(int *)arg += graft_shm_wait(env->shm, &words[0], 0, 10000);
    graft_map_close(map);
}

Test(sim_shm, waits_return_early_when_the_plan_says_so)
{
    int early = 0;
    sim_plan_calm(&scene.plan, 1);
    scene.plan.rate_ppm[SIM_FAULT_task_spurious_wake] = 500000;
    scene_begin_planned(&scene);
    scene_run(&scene, wait_long, &early);
    cr_assert(early > 0 && early < 20);
    cr_assert_eq(scene_fired(&scene, SIM_FAULT_task_spurious_wake), (uint64_t)early);
}

/* ---- Crashes of mapped files. */

static void store_and_crash(struct sim_process *process, void *arg)
{
    struct graft_env *env = sim_process_env(process);
    struct graft_map *map = NULL;
    _Atomic uint64_t *words = map_words(env, &map);
    (void)arg;
    cr_assert_eq(graft_disk_sync_directory(env->disk, "/", NULL), GRAFT_OK);
    for (int i = 0; i < 1024; i++)
        graft_shm_store(env->shm, &words[i], 1);
    cr_assert_eq(graft_map_sync(map, 0, 4096, NULL), GRAFT_OK);
    for (int i = 512; i < 1024; i++)
        graft_shm_store(env->shm, &words[i], 2);
    sim_machine_crash(sim_process_machine(process));
}

Test(sim_shm, a_crash_keeps_the_synced_range_and_tears_the_rest_at_sectors)
{
    int seen[3] = {0};
    for (uint64_t seed = 1; seed <= 100; seed++) {
        uint64_t words[1024] = {0};
        size_t got = 0;
        sim_plan_calm(&scene.plan, seed);
        scene.plan.rate_ppm[SIM_FAULT_crash_drop] = 500000;
        scene.plan.rate_ppm[SIM_FAULT_crash_tear] = 500000;
        scene.plan.rate_ppm[SIM_FAULT_disk_writeback] = 20000;
        if (scene.pool != NULL)
            scene_end(&scene);
        scene_begin_planned(&scene);
        sim_process_start(scene.machine, "a", store_and_crash, NULL);
        scene_expect(&scene, SIM_FINISHED);
        cr_assert(sim_disk_peek(sim_machine_disk(scene.machine), "/w", false, 0, words,
                                sizeof words, &got));
        cr_assert_eq(got, 8192, "the length was synced");
        for (int i = 0; i < 512; i++)
            cr_assert_eq(words[i], 1, "seed %lu: word %d", (unsigned long)seed, i);
        for (int i = 512; i < 1024; i++) {
            cr_assert_leq(words[i], 2);
            seen[words[i]]++;
        }
    }
    cr_assert(seen[0] > 0 && seen[1] > 0 && seen[2] > 0, "%d %d %d", seen[0], seen[1], seen[2]);
}

static void fail_to_sync(struct sim_process *process, void *arg)
{
    struct graft_env *env = sim_process_env(process);
    struct graft_map *map = NULL;
    _Atomic uint64_t *words = map_words(env, &map);
    (void)arg;
    graft_shm_store(env->shm, &words[0], 5);
    cr_assert_eq(graft_map_sync(map, 0, 0, NULL), GRAFT_EIO);
    sim_world_set_faults(sim_process_world(process), false);
    cr_assert_eq(graft_map_sync(map, 0, 0, NULL), GRAFT_OK);
    cr_assert_eq(graft_shm_load(&words[0]), 5);
    graft_map_close(map);
}

Test(sim_shm, a_failed_sync_drops_pages_of_a_mapped_file_too)
{
    int dropped = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        uint64_t word = 0;
        size_t got = 0;
        sim_plan_calm(&scene.plan, seed);
        scene.plan.rate_ppm[SIM_FAULT_disk_sync_error] = 1000000;
        if (scene.pool != NULL)
            scene_end(&scene);
        scene_begin_planned(&scene);
        scene_run(&scene, fail_to_sync, NULL);
        sim_machine_crash(scene.machine);
        (void)sim_disk_peek(sim_machine_disk(scene.machine), "/w", false, 0, &word, 8, &got);
        dropped += word != 5;
    }
    cr_assert(dropped > 2 && dropped < 18, "%d", dropped);
}

/* ---- Locks. */

static bool try_lock(struct graft_locks *locks, uint32_t index, bool exclusive)
{
    bool granted = false;
    cr_assert_eq(graft_lock_try(locks, index, exclusive, &granted, NULL), GRAFT_OK);
    return granted;
}

static void handle_locks(struct sim_process *process, void *arg)
{
    struct graft_shm *shm = sim_process_env(process)->shm;
    struct graft_locks *one = NULL;
    struct graft_locks *two = NULL;
    (void)arg;
    cr_assert_eq(graft_locks_open(shm, "/l", &one, NULL), GRAFT_OK);
    cr_assert_eq(graft_locks_open(shm, "/l", &two, NULL), GRAFT_OK);
    cr_assert(try_lock(one, 0, false));
    cr_assert(try_lock(two, 0, false));
    cr_assert(!try_lock(one, 0, true), "the other one reads");
    cr_assert(!try_lock(two, 0, true));
    graft_lock_release(two, 0);
    cr_assert(try_lock(one, 0, true), "converted");
    cr_assert(!try_lock(two, 0, false));
    cr_assert(try_lock(two, 1, true), "each index is a lock of its own");
    cr_assert(try_lock(one, 0, false), "and back");
    cr_assert(try_lock(two, 0, false));
    graft_locks_close(one);
    cr_assert(try_lock(two, 0, true));
    graft_locks_close(two);
}

Test(sim_shm, locks_belong_to_their_openers)
{
    scene_begin(&scene, 1);
    scene_run(&scene, handle_locks, NULL);
}

static void lock_and_sleep(struct sim_process *process, void *arg)
{
    struct graft_env *env = sim_process_env(process);
    struct graft_locks *locks = NULL;
    (void)arg;
    cr_assert_eq(graft_locks_open(env->shm, "/l", &locks, NULL), GRAFT_OK);
    cr_assert(try_lock(locks, 9, true));
    graft_task_sleep_ms(env->tasks, 1000000);
}

static void take_over(struct sim_process *process, void *arg)
{
    struct graft_env *env = sim_process_env(process);
    struct sim_process *holder = arg;
    struct graft_locks *locks = NULL;
    cr_assert_eq(graft_locks_open(env->shm, "/l", &locks, NULL), GRAFT_OK);
    graft_task_sleep_ms(env->tasks, 1000);
    cr_assert(!try_lock(locks, 9, false));
    sim_process_kill(holder);
    cr_assert(try_lock(locks, 9, true));
    graft_locks_close(locks);
}

Test(sim_shm, locks_die_with_their_process)
{
    scene_begin(&scene, 1);
    struct sim_process *holder = sim_process_start(scene.machine, "holder", lock_and_sleep, NULL);
    sim_process_start(scene.machine, "heir", take_over, holder);
    scene_expect(&scene, SIM_FINISHED);
}
