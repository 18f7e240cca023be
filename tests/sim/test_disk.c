/* The simulated disk: what it does as a disk, and that each of its faults fires. */
#include <string.h>

#include "sim/scene.h"

static struct scene scene;

static void tear_down(void)
{
    scene_end(&scene);
}

TestSuite(sim_disk, .fini = tear_down);

static struct graft_disk *disk_of(struct sim_process *process)
{
    return sim_process_env(process)->disk;
}

static struct graft_file *open_new(struct graft_disk *disk, const char *path)
{
    struct graft_file *file = NULL;
    struct graft_err err = {0};
    expect_ok(graft_disk_open(disk, path, GRAFT_OPEN_WRITE | GRAFT_OPEN_CREATE, &file, &err), &err);
    return file;
}

/* ---- As a disk. */

static void read_and_write(struct sim_process *process, void *arg)
{
    (void)arg;
    struct graft_file *file = open_new(disk_of(process), "/f");
    char bytes[9000];
    char back[9000];
    size_t got = 0;
    uint64_t size = 0;
    uint64_t space = 0;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7);
    struct graft_span spans[] = {{bytes, 5000}, {bytes + 5000, 4000}};
    cr_assert_eq(graft_file_writev(file, 3000, spans, 2, NULL), GRAFT_OK);
    cr_assert_eq(graft_file_size(file, &size, NULL), GRAFT_OK);
    cr_assert_eq(size, 12000);
    cr_assert_eq(graft_file_read(file, 3000, back, sizeof back, &got, NULL), GRAFT_OK);
    cr_assert_eq(got, sizeof back);
    cr_assert_arr_eq(back, bytes, sizeof bytes);
    cr_assert_eq(graft_file_read(file, 0, back, 100, &got, NULL), GRAFT_OK);
    cr_assert_eq(back[50], 0, "a hole reads as zeros");
    cr_assert_eq(graft_file_truncate(file, 4000, NULL), GRAFT_OK);
    cr_assert_eq(graft_file_truncate(file, 12000, NULL), GRAFT_OK);
    cr_assert_eq(graft_file_read(file, 4000, back, 100, &got, NULL), GRAFT_OK);
    cr_assert(got == 100 && back[0] == 0 && back[99] == 0, "what was cut does not come back");
    cr_assert_eq(graft_file_punch(file, 3000, 1000, NULL), GRAFT_OK);
    cr_assert_eq(graft_file_read(file, 3500, back, 1, &got, NULL), GRAFT_OK);
    cr_assert_eq(back[0], 0);
    cr_assert_eq(graft_file_read(file, 12000, back, 1, &got, NULL), GRAFT_OK);
    cr_assert_eq(got, 0);
    cr_assert_eq(graft_file_space(file, &space, NULL), GRAFT_OK);
    cr_assert_eq(space, 4096, "only the first page was not cut off");
    cr_assert_eq(graft_file_punch(file, 0, 4096, NULL), GRAFT_OK);
    cr_assert_eq(graft_file_space(file, &space, NULL), GRAFT_OK);
    cr_assert_eq(space, 0);
    graft_file_close(file);
}

Test(sim_disk, files_hold_what_is_written)
{
    scene_begin(&scene, 1);
    scene_run(&scene, read_and_write, NULL);
}

static enum graft_rc count_entry(void *arg, const char *name, enum graft_entry_kind kind)
{
    (void)name;
    *(int *)arg += kind == GRAFT_ENTRY_FILE ? 1 : 100;
    return GRAFT_OK;
}

static void handle_names(struct sim_process *process, void *arg)
{
    struct graft_disk *disk = disk_of(process);
    struct graft_err err = {0};
    struct graft_entry entry;
    struct graft_file *file = NULL;
    int entries = 0;
    (void)arg;
    expect_ok(graft_disk_make_directories(disk, "/d/e/f", &err), &err);
    expect_rc(graft_disk_make_directory(disk, "/d", &err), GRAFT_EEXIST, &err);
    expect_rc(graft_disk_make_directory(disk, "/x/y", &err), GRAFT_ENOTFOUND, &err);
    graft_file_close(open_new(disk, "/d/a"));
    graft_file_close(open_new(disk, "/d/b"));
    expect_rc(graft_disk_rename(disk, "/d/a", "/d/b", false, &err), GRAFT_EEXIST, &err);
    expect_ok(graft_disk_rename(disk, "/d/a", "/d/e/c", false, &err), &err);
    expect_ok(graft_disk_rename(disk, "/d/e/c", "/d/b", true, &err), &err);
    expect_ok(graft_disk_list(disk, "/d", count_entry, &entries, &err), &err);
    cr_assert_eq(entries, 101);
    expect_rc(graft_disk_remove(disk, "/d/e", &err), GRAFT_EEXIST, &err);
    expect_ok(graft_disk_remove(disk, "/d/e/f", &err), &err);
    expect_ok(graft_disk_remove(disk, "/d/e", &err), &err);
    expect_rc(graft_disk_stat(disk, "/d/e", &entry, &err), GRAFT_ENOTFOUND, &err);
    expect_rc(graft_disk_stat(disk, "/d/b/c", &entry, &err), GRAFT_EIO, &err);
    expect_rc(graft_disk_open(disk, "/d/b",
                              GRAFT_OPEN_WRITE | GRAFT_OPEN_CREATE | GRAFT_OPEN_EXCLUSIVE, &file,
                              &err),
              GRAFT_EEXIST, &err);
    expect_rc(graft_disk_open(disk, "/d", GRAFT_OPEN_READ, &file, &err), GRAFT_EIO, &err);
    expect_ok(graft_disk_open(disk, "/tmp", GRAFT_OPEN_TEMP, &file, &err), &err);
    expect_ok(graft_file_write(file, 0, "x", 1, &err), &err);
    graft_file_close(file);
    entries = 0;
    expect_ok(graft_disk_list(disk, "/tmp", count_entry, &entries, &err), &err);
    cr_assert_eq(entries, 0);
    expect_ok(graft_disk_replace_file(disk, "/d/b", "new", 3, &err), &err);
}

Test(sim_disk, names_are_made_moved_listed_and_removed)
{
    scene_begin(&scene, 1);
    scene_run(&scene, handle_names, NULL);
    /* The root, /tmp, /d and /d/b: whatever was removed is gone for good. */
    cr_assert_eq(sim_disk_inode_count(sim_machine_disk(scene.machine)), 4);
}

static void fill_disk(struct sim_process *process, void *arg)
{
    struct graft_file *file = open_new(disk_of(process), "/f");
    char bytes[10000] = {1};
    uint64_t size = 0;
    (void)arg;
    cr_assert_eq(graft_file_write(file, 0, bytes, sizeof bytes, NULL), GRAFT_OK);
    cr_assert_eq(graft_file_write(file, 10000, bytes, sizeof bytes, NULL), GRAFT_EFULL);
    cr_assert_eq(graft_file_size(file, &size, NULL), GRAFT_OK);
    cr_assert_eq(size, 16384, "a part of it was written");
    cr_assert_eq(graft_file_allocate(file, 0, 20000, NULL), GRAFT_EFULL);
    cr_assert_eq(graft_file_truncate(file, 4096, NULL), GRAFT_OK);
    cr_assert_eq(graft_file_allocate(file, 0, 16384, NULL), GRAFT_OK);
    cr_assert_eq(graft_file_write(file, 4096, bytes, sizeof bytes, NULL), GRAFT_OK,
                 "what was allocated can be written");
    graft_file_close(file);
}

Test(sim_disk, a_quota_is_space_that_runs_out)
{
    scene_begin(&scene, 1);
    sim_disk_set_quota(sim_machine_disk(scene.machine), 16384);
    scene_run(&scene, fill_disk, NULL);
    cr_assert_eq(sim_disk_used_bytes(sim_machine_disk(scene.machine)), 16384);
}

static void write_through_mount(struct sim_process *process, void *arg)
{
    struct graft_env *env = sim_process_env(process);
    struct graft_err err = {0};
    struct graft_locks *locks = NULL;
    struct graft_map *map = NULL;
    (void)arg;
    expect_ok(graft_disk_replace_file(env->disk, "/share/f", "hello", 5, &err), &err);
    expect_rc(graft_disk_rename(env->disk, "/share/f", "/f", true, &err), GRAFT_EIO, &err);
    expect_rc(graft_locks_open(env->shm, "/share/l", &locks, &err), GRAFT_EUNSUPPORTED, &err);
    expect_rc(graft_map_open(env->shm, "/share/m", true, &map, &err), GRAFT_EUNSUPPORTED, &err);
}

Test(sim_disk, a_mounted_directory_is_on_the_other_machine)
{
    char bytes[5];
    size_t got = 0;
    scene_begin(&scene, 1);
    struct sim_machine *server = sim_machine_new(scene.world, "nas");
    sim_machine_mount(scene.machine, "/share", server, "/tmp");
    scene_run(&scene, write_through_mount, NULL);
    sim_machine_crash(scene.machine);
    cr_assert(sim_disk_peek(sim_machine_disk(server), "/tmp/f", true, 0, bytes, 5, &got));
    cr_assert_eq(got, 5);
    cr_assert_arr_eq(bytes, "hello", 5);
}

static void write_over_cut_link(struct sim_process *process, void *arg)
{
    struct graft_entry entry;
    *(enum graft_rc *)arg = graft_disk_stat(disk_of(process), "/share", &entry, NULL);
}

Test(sim_disk, a_mounted_directory_is_gone_while_its_link_is_cut)
{
    enum graft_rc rc = GRAFT_OK;
    scene_begin(&scene, 1);
    struct sim_machine *server = sim_machine_new(scene.world, "nas");
    sim_machine_mount(scene.machine, "/share", server, "/tmp");
    sim_net_cut(scene.world, server, scene.machine, SIM_FOREVER);
    scene_run(&scene, write_over_cut_link, &rc);
    cr_assert_eq(rc, GRAFT_EIO);
    sim_net_heal(scene.world);
    scene_run(&scene, write_over_cut_link, &rc);
    cr_assert_eq(rc, GRAFT_OK);
}

/* ---- Faults. */

static void work(struct sim_process *process, void *arg)
{
    struct graft_disk *disk = disk_of(process);
    char bytes[12000];
    memset(bytes, 'x', sizeof bytes);
    int *errors = arg;
    for (int i = 0; i < 300; i++) {
        struct graft_file *file = NULL;
        size_t got = 0;
        const char *path = i % 2 == 0 ? "/f" : "/g";
        if (graft_disk_open(disk, path, GRAFT_OPEN_WRITE | GRAFT_OPEN_CREATE, &file, NULL) !=
            GRAFT_OK) {
            ++*errors;
            continue;
        }
        *errors += graft_file_write(file, 0, bytes, sizeof bytes, NULL) != GRAFT_OK;
        *errors += graft_file_sync(file, NULL) != GRAFT_OK;
        *errors += graft_file_read(file, 0, bytes, sizeof bytes, &got, NULL) != GRAFT_OK;
        graft_file_close(file);
    }
}

static void expect_fault(enum sim_fault kind, uint32_t rate_ppm, bool with_errors)
{
    int errors = 0;
    sim_plan_calm(&scene.plan, 7);
    scene.plan.rate_ppm[kind] = rate_ppm;
    scene_begin_planned(&scene);
    scene_run(&scene, work, &errors);
    cr_assert_gt(scene_fired(&scene, kind), 0, "%s never fired", sim_fault_name(kind));
    cr_assert_eq(errors > 0, with_errors, "%s: %d errors", sim_fault_name(kind), errors);
    for (unsigned i = 0; i < SIM_FAULT_COUNT; i++)
        cr_assert(i == kind || scene_fired(&scene, i) == 0);
}

Test(sim_disk, reads_fail)
{
    expect_fault(SIM_FAULT_disk_read_error, 20000, true);
}

Test(sim_disk, writes_fail)
{
    expect_fault(SIM_FAULT_disk_write_error, 20000, true);
}

Test(sim_disk, the_disk_is_full_now_and_then)
{
    expect_fault(SIM_FAULT_disk_full, 20000, true);
}

Test(sim_disk, syncs_fail)
{
    expect_fault(SIM_FAULT_disk_sync_error, 20000, true);
}

Test(sim_disk, syncs_lie)
{
    expect_fault(SIM_FAULT_disk_sync_lie, 20000, false);
}

Test(sim_disk, names_fail)
{
    expect_fault(SIM_FAULT_disk_entry_error, 20000, true);
}

Test(sim_disk, calls_are_slow)
{
    expect_fault(SIM_FAULT_disk_slow, 20000, false);
    cr_assert_gt(sim_world_now_ns(scene.world), 10 * SIM_SECOND);
}

Test(sim_disk, writes_are_seen_half_done)
{
    expect_fault(SIM_FAULT_disk_split_write, 200000, false);
}

Test(sim_disk, pages_reach_the_disk_early)
{
    expect_fault(SIM_FAULT_disk_writeback, 200000, false);
}

Test(sim_disk, bits_rot)
{
    expect_fault(SIM_FAULT_disk_rot, 50000, false);
}

Test(sim_disk, writes_go_to_the_wrong_place)
{
    expect_fault(SIM_FAULT_disk_misdirect, 50000, false);
}

static void write_and_sync(struct sim_process *process, void *arg)
{
    struct graft_file *file = open_new(disk_of(process), "/f");
    char bytes[4096];
    memset(bytes, *(char *)arg, sizeof bytes);
    cr_assert_eq(graft_file_write(file, 0, bytes, sizeof bytes, NULL), GRAFT_OK);
    *(enum graft_rc *)((char *)arg + 4) = graft_file_sync(file, NULL);
    graft_file_close(file);
}

Test(sim_disk, what_a_failed_sync_dropped_is_not_written_by_the_next)
{
    struct {
        char letter;
        enum graft_rc rc;
    } step = {'a', GRAFT_OK};
    bool dropped = false;
    scene_begin(&scene, 3);
    struct sim_disk *disk = sim_machine_disk(scene.machine);
    scene_run(&scene, write_and_sync, &step);
    for (int i = 0; i < 20 && !dropped; i++) {
        char seen = 0;
        char durable = 0;
        size_t got = 0;
        step.letter = (char)('b' + i);
        scene.plan.rate_ppm[SIM_FAULT_disk_sync_error] = 1000000;
        sim_world_free(scene.world);
        scene.world = sim_world_new(scene.pool, &scene.plan);
        scene.machine = sim_machine_new(scene.world, "a");
        disk = sim_machine_disk(scene.machine);
        scene_run(&scene, write_and_sync, &step);
        cr_assert_eq(step.rc, GRAFT_EIO);
        cr_assert(sim_disk_peek(disk, "/f", false, 0, &seen, 1, &got) && seen == step.letter,
                  "the cache shows it");
        dropped = !sim_disk_peek(disk, "/f", true, 0, &durable, 1, &got) || durable != step.letter;
        scene.plan.seed++;
    }
    cr_assert(dropped);
}

Test(sim_disk, damage_at_rest_is_done_on_order)
{
    struct {
        char letter;
        enum graft_rc rc;
    } step = {'a', GRAFT_OK};
    char byte = 0;
    size_t got = 0;
    scene_begin(&scene, 1);
    struct sim_disk *disk = sim_machine_disk(scene.machine);
    scene_run(&scene, write_and_sync, &step);
    cr_assert(sim_disk_flip(disk, "/f", 100, 1));
    cr_assert(sim_disk_peek(disk, "/f", false, 100, &byte, 1, &got));
    cr_assert_eq(byte, 'a' ^ 2);
    cr_assert(!sim_disk_flip(disk, "/f", 5000, 1));
    cr_assert(!sim_disk_flip(disk, "/none", 0, 1));
}
