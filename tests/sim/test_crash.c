/* Crashes, held against the rules that sim/disk.h states. A process writes, cuts, renames and syncs
 * at random and notes everything; after the crash each sector, each length and each name must be
 * one that the rules allow. */
#include <stdlib.h>
#include <string.h>

#include "sim/scene.h"

#define FILE_BYTES_MAX 24576U
#define SECTOR 512U
#define VERSIONS_MAX 64U
#define SEEDS 400

/* ---- Content. */

struct version {
    uint32_t size;
    uint8_t bytes[FILE_BYTES_MAX];
};

/* The states of the one file since its last sync, that one included. */
struct history {
    struct version versions[VERSIONS_MAX];
    uint32_t count;
    bool resized; /* since then */
    bool cut;
    struct sim_rng rng;
};

static struct scene scene;
static struct history history;

static struct version *newest(void)
{
    return &history.versions[history.count - 1];
}

static struct version *add_version(void)
{
    cr_assert_lt(history.count, VERSIONS_MAX);
    history.versions[history.count] = *newest();
    history.count++;
    return newest();
}

static void write_some(struct graft_file *file)
{
    uint8_t bytes[9000];
    size_t size = (size_t)sim_rng_skewed(&history.rng, 1, sizeof bytes);
    uint32_t offset = (uint32_t)sim_rng_below(&history.rng, FILE_BYTES_MAX - size);
    sim_rng_fill(&history.rng, bytes, size);
    cr_assert_eq(graft_file_write(file, offset, bytes, size, NULL), GRAFT_OK);
    struct version *version = add_version();
    memcpy(version->bytes + offset, bytes, size);
    if (offset + size > version->size) {
        version->size = (uint32_t)(offset + size);
        history.resized = true;
    }
}

static void cut(struct graft_file *file)
{
    uint32_t size = (uint32_t)sim_rng_below(&history.rng, FILE_BYTES_MAX);
    cr_assert_eq(graft_file_truncate(file, size, NULL), GRAFT_OK);
    struct version *version = add_version();
    if (size < version->size) {
        memset(version->bytes + size, 0, version->size - size);
        history.cut = true;
    }
    history.resized = history.resized || size != version->size;
    version->size = size;
}

static void sync_all(struct graft_file *file)
{
    cr_assert_eq(graft_file_sync(file, NULL), GRAFT_OK);
    history.versions[0] = *newest();
    history.count = 1;
    history.resized = history.cut = false;
}

static void write_until_the_end(struct sim_process *process, void *arg)
{
    struct graft_disk *disk = sim_process_env(process)->disk;
    struct graft_file *file = NULL;
    (void)arg;
    cr_assert_eq(graft_disk_open(disk, "/f", GRAFT_OPEN_WRITE | GRAFT_OPEN_CREATE, &file, NULL),
                 GRAFT_OK);
    cr_assert_eq(graft_disk_sync_directory(disk, "/", NULL), GRAFT_OK);
    uint64_t operations = sim_rng_below(&history.rng, 60);
    for (uint64_t i = 0; i < operations; i++) {
        uint64_t drawn = sim_rng_below(&history.rng, 10);
        if (drawn < 2 || history.count > VERSIONS_MAX - 2)
            sync_all(file);
        else if (drawn == 2)
            cut(file);
        else
            write_some(file);
    }
    sim_machine_crash(sim_process_machine(process));
}

static bool sector_is_legal(uint32_t offset, const uint8_t *bytes, size_t size)
{
    static const uint8_t zeros[SECTOR];
    for (uint32_t i = 0; i < history.count; i++) {
        if (memcmp(history.versions[i].bytes + offset, bytes, size) == 0)
            return true;
    }
    /* A hole that a lost write should have filled; and a sector that the end of the file crosses
     * may be cut in any of its versions. */
    if (history.resized && memcmp(zeros, bytes, size) == 0)
        return true;
    for (uint32_t i = 0; i < history.count && history.resized; i++) {
        size_t same = 0;
        while (same < size && history.versions[i].bytes[offset + same] == bytes[same])
            same++;
        if (memcmp(zeros, bytes + same, size - same) == 0)
            return true;
    }
    return false;
}

static bool size_is_legal(uint64_t size)
{
    uint64_t low = UINT64_MAX;
    uint64_t high = 0;
    for (uint32_t i = 0; i < history.count; i++) {
        low = history.versions[i].size < low ? history.versions[i].size : low;
        high = history.versions[i].size > high ? history.versions[i].size : high;
    }
    return size >= low && size <= high;
}

static void check_after_crash(uint64_t seed)
{
    struct sim_disk *disk = sim_machine_disk(scene.machine);
    static uint8_t bytes[FILE_BYTES_MAX];
    size_t got = 0;
    memset(bytes, 0, sizeof bytes);
    cr_assert(sim_disk_peek(disk, "/f", false, 0, bytes, sizeof bytes, &got));
    cr_assert(size_is_legal(got), "seed %lu: %zu bytes", (unsigned long)seed, got);
    for (uint32_t at = 0; at < got; at += SECTOR) {
        size_t size = got - at < SECTOR ? got - at : SECTOR;
        cr_assert(sector_is_legal(at, bytes + at, size), "seed %lu: sector at %u",
                  (unsigned long)seed, at);
    }
}

static void plan_crashes(uint64_t seed)
{
    static const enum sim_fault kinds[] = {SIM_FAULT_crash_drop,     SIM_FAULT_crash_tear,
                                           SIM_FAULT_crash_reorder,  SIM_FAULT_crash_size,
                                           SIM_FAULT_disk_writeback, SIM_FAULT_crash_entry};
    sim_plan_calm(&scene.plan, seed);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        scene.plan.rate_ppm[kinds[i]] = 500000;
}

Test(sim_crash, synced_bytes_survive_and_others_are_whole_old_or_new_sectors)
{
    uint64_t changed = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        plan_crashes(seed);
        memset(&history.versions[0], 0, sizeof history.versions[0]);
        history.count = 1;
        history.resized = history.cut = false;
        sim_rng_init(&history.rng, seed, 99);
        scene_begin_planned(&scene);
        sim_process_start(scene.machine, "writer", write_until_the_end, NULL);
        scene_expect(&scene, SIM_FINISHED);
        check_after_crash(seed);
        uint8_t bytes[FILE_BYTES_MAX] = {0};
        size_t got = 0;
        (void)sim_disk_peek(sim_machine_disk(scene.machine), "/f", false, 0, bytes, sizeof bytes,
                            &got);
        changed += memcmp(bytes, newest()->bytes, sizeof bytes) != 0;
        scene_end(&scene);
    }
    cr_assert_gt(changed, SEEDS / 4, "crashes lose something");
    cr_assert_lt(changed, SEEDS, "but not always");
}

/* ---- Names. */

#define NAMES 6

/* Which of its files (0: none) each name stood for, since the last sync of the directory. */
struct names {
    int states[VERSIONS_MAX][NAMES];
    uint32_t count;
    int next_file;
    struct sim_rng rng;
};

static struct names names;

static const char *path_of(int name)
{
    static char path[NAMES][8];
    path[name][0] = '/';
    path[name][1] = 'd';
    path[name][2] = '/';
    path[name][3] = (char)('a' + name);
    return path[name];
}

static int *add_state(void)
{
    memcpy(names.states[names.count], names.states[names.count - 1], sizeof names.states[0]);
    return names.states[names.count++];
}

static void create(struct graft_disk *disk, int name)
{
    struct graft_file *file = NULL;
    int content = ++names.next_file;
    cr_assert_eq(graft_disk_open(disk, path_of(name),
                                 GRAFT_OPEN_WRITE | GRAFT_OPEN_CREATE | GRAFT_OPEN_EXCLUSIVE, &file,
                                 NULL),
                 GRAFT_OK);
    cr_assert_eq(graft_file_write(file, 0, &content, sizeof content, NULL), GRAFT_OK);
    cr_assert_eq(graft_file_sync(file, NULL), GRAFT_OK);
    graft_file_close(file);
    add_state()[name] = content;
}

static void change_names(struct graft_disk *disk)
{
    int name = (int)sim_rng_below(&names.rng, NAMES);
    int other = (int)sim_rng_below(&names.rng, NAMES);
    const int *now = names.states[names.count - 1];
    uint64_t drawn = sim_rng_below(&names.rng, 8);
    if (drawn == 0 || names.count > VERSIONS_MAX - 2) {
        cr_assert_eq(graft_disk_sync_directory(disk, "/d", NULL), GRAFT_OK);
        memcpy(names.states[0], now, sizeof names.states[0]);
        names.count = 1;
    } else if (now[name] == 0) {
        create(disk, name);
    } else if (drawn < 3) {
        cr_assert_eq(graft_disk_remove(disk, path_of(name), NULL), GRAFT_OK);
        add_state()[name] = 0;
    } else if (name != other) {
        int content = now[name];
        cr_assert_eq(graft_disk_rename(disk, path_of(name), path_of(other), true, NULL), GRAFT_OK);
        int *state = add_state();
        state[name] = 0;
        state[other] = content;
    }
}

static void rename_until_the_end(struct sim_process *process, void *arg)
{
    struct graft_disk *disk = sim_process_env(process)->disk;
    (void)arg;
    cr_assert_eq(graft_disk_make_directories(disk, "/d", NULL), GRAFT_OK);
    uint64_t operations = sim_rng_below(&names.rng, 60);
    for (uint64_t i = 0; i < operations; i++)
        change_names(disk);
    sim_machine_crash(sim_process_machine(process));
}

static bool name_is_legal(int name, int content)
{
    for (uint32_t i = 0; i < names.count; i++) {
        if (names.states[i][name] == content)
            return true;
    }
    return false;
}

/* A file that was there at the sync, and was never removed or replaced since, is still there: a
 * rename takes its old name away only together with giving it the new one. */
static bool is_alive_throughout(int content)
{
    for (uint32_t i = 0; i < names.count; i++) {
        bool found = false;
        for (int name = 0; name < NAMES; name++)
            found = found || names.states[i][name] == content;
        if (!found)
            return false;
    }
    return true;
}

Test(sim_crash, synced_names_survive_and_renames_are_atomic)
{
    uint64_t changed = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        plan_crashes(seed);
        memset(&names, 0, sizeof names);
        names.count = 1;
        sim_rng_init(&names.rng, seed, 98);
        scene_begin_planned(&scene);
        sim_process_start(scene.machine, "renamer", rename_until_the_end, NULL);
        scene_expect(&scene, SIM_FINISHED);
        int after[NAMES];
        for (int name = 0; name < NAMES; name++) {
            size_t got = 0;
            after[name] = 0;
            (void)sim_disk_peek(sim_machine_disk(scene.machine), path_of(name), false, 0,
                                &after[name], sizeof(int), &got);
            cr_assert(name_is_legal(name, after[name]), "seed %lu: %s is file %d",
                      (unsigned long)seed, path_of(name), after[name]);
        }
        for (int name = 0; name < NAMES; name++) {
            int content = names.states[0][name];
            bool found = content == 0 || !is_alive_throughout(content);
            for (int other = 0; other < NAMES && !found; other++)
                found = after[other] == content;
            cr_assert(found, "seed %lu: file %d is gone", (unsigned long)seed, content);
        }
        changed += memcmp(after, names.states[names.count - 1], sizeof after) != 0;
        scene_end(&scene);
    }
    cr_assert_gt(changed, SEEDS / 5);
    cr_assert_lt(changed, SEEDS);
}

/* ---- Renames between directories, and what a crash that keeps nothing leaves. */

static void move_across(struct sim_process *process, void *arg)
{
    struct graft_disk *disk = sim_process_env(process)->disk;
    bool sync_source = *(bool *)arg;
    cr_assert_eq(graft_disk_make_directories(disk, "/x", NULL), GRAFT_OK);
    cr_assert_eq(graft_disk_make_directories(disk, "/y", NULL), GRAFT_OK);
    cr_assert_eq(graft_disk_replace_file(disk, "/x/f", "text", 4, NULL), GRAFT_OK);
    cr_assert_eq(graft_disk_rename(disk, "/x/f", "/y/f", false, NULL), GRAFT_OK);
    if (sync_source)
        cr_assert_eq(graft_disk_sync_directory(disk, "/x", NULL), GRAFT_OK);
    sim_machine_crash(sim_process_machine(process));
}

Test(sim_crash, a_rename_between_directories_never_loses_the_file)
{
    int places[4] = {0};
    for (uint64_t seed = 1; seed <= 200; seed++) {
        bool sync_source = seed % 2 == 0;
        plan_crashes(seed);
        scene.plan.rate_ppm[SIM_FAULT_crash_entry] = 1000000;
        scene_begin_planned(&scene);
        sim_process_start(scene.machine, "mover", move_across, &sync_source);
        scene_expect(&scene, SIM_FINISHED);
        struct sim_disk *disk = sim_machine_disk(scene.machine);
        int place = (sim_disk_peek_size(disk, "/x/f", false) == 4) +
                    2 * (sim_disk_peek_size(disk, "/y/f", false) == 4);
        places[place]++;
        cr_assert(place != 0);
        cr_assert(!sync_source || place == 2, "a sync of either directory settles it");
        scene_end(&scene);
    }
    cr_assert_gt(places[1], 0);
    cr_assert_gt(places[2], 100);
}

static void leave_unsynced(struct sim_process *process, void *arg)
{
    struct graft_disk *disk = sim_process_env(process)->disk;
    struct graft_file *file = NULL;
    uint8_t bytes[FILE_BYTES_MAX];
    (void)arg;
    memset(bytes, 'x', sizeof bytes);
    cr_assert_eq(graft_disk_open(disk, "/f", GRAFT_OPEN_WRITE | GRAFT_OPEN_CREATE, &file, NULL),
                 GRAFT_OK);
    cr_assert_eq(graft_disk_sync_directory(disk, "/", NULL), GRAFT_OK);
    cr_assert_eq(graft_file_write(file, 0, bytes, sizeof bytes, NULL), GRAFT_OK);
    sim_machine_crash(sim_process_machine(process));
}

/* Bytes of the file that are 'x', that are 0, and that are neither, over many crashes. */
static void sum_up(uint64_t counts[3])
{
    for (uint64_t seed = 1; seed <= 100; seed++) {
        scene.plan.seed = seed;
        scene_begin_planned(&scene);
        sim_process_start(scene.machine, "writer", leave_unsynced, NULL);
        scene_expect(&scene, SIM_FINISHED);
        uint8_t bytes[FILE_BYTES_MAX];
        size_t got = 0;
        cr_assert(sim_disk_peek(sim_machine_disk(scene.machine), "/f", false, 0, bytes,
                                sizeof bytes, &got));
        for (size_t i = 0; i < got; i++)
            counts[bytes[i] == 'x' ? 0 : bytes[i] == 0 ? 1 : 2]++;
        scene_end(&scene);
    }
}

Test(sim_crash, with_every_crash_fault_off_nothing_is_lost)
{
    uint64_t counts[3] = {0};
    sim_plan_calm(&scene.plan, 1);
    sum_up(counts);
    cr_assert(counts[0] == 100 * FILE_BYTES_MAX && counts[1] == 0 && counts[2] == 0);
}

Test(sim_crash, garbage_shows_only_where_it_is_planned)
{
    uint64_t counts[3] = {0};
    sim_plan_calm(&scene.plan, 1);
    scene.plan.rate_ppm[SIM_FAULT_crash_drop] = 1000000;
    sum_up(counts);
    cr_assert(counts[0] > 0 && counts[1] > 0 && counts[2] == 0);
    scene.plan.rate_ppm[SIM_FAULT_crash_garbage] = 1000000;
    sum_up(counts);
    cr_assert_gt(counts[2], 0);
}

Test(sim_crash, lengths_are_lost_or_in_between)
{
    uint64_t counts[3] = {0};
    sim_plan_calm(&scene.plan, 1);
    scene.plan.rate_ppm[SIM_FAULT_crash_size] = 1000000;
    sum_up(counts);
    uint64_t all = counts[0] + counts[1];
    cr_assert(all > 0 && all < 100 * FILE_BYTES_MAX);
}

Test(sim_crash, tearing_splits_pages_at_sectors)
{
    uint64_t counts[3] = {0};
    sim_plan_calm(&scene.plan, 1);
    scene.plan.rate_ppm[SIM_FAULT_crash_tear] = 1000000;
    sum_up(counts);
    cr_assert(counts[0] > 0 && counts[1] > 0 && counts[1] % SECTOR == 0);
    cr_assert_neq(counts[1] % 4096, 0);
}

Test(sim_crash, an_immune_machine_keeps_everything)
{
    plan_crashes(5);
    scene.plan.rate_ppm[SIM_FAULT_crash_drop] = 1000000;
    scene_begin_planned(&scene);
    sim_machine_set_immune(scene.machine, true);
    sim_process_start(scene.machine, "writer", leave_unsynced, NULL);
    scene_expect(&scene, SIM_FINISHED);
    cr_assert_eq(sim_disk_peek_size(sim_machine_disk(scene.machine), "/f", false), FILE_BYTES_MAX);
    scene_end(&scene);
}

static void cut_and_write_again(struct sim_process *process, void *arg)
{
    struct graft_disk *disk = sim_process_env(process)->disk;
    struct graft_file *file = NULL;
    uint8_t bytes[FILE_BYTES_MAX];
    (void)arg;
    memset(bytes, 'a', sizeof bytes);
    cr_assert_eq(graft_disk_open(disk, "/f", GRAFT_OPEN_WRITE | GRAFT_OPEN_CREATE, &file, NULL),
                 GRAFT_OK);
    cr_assert_eq(graft_disk_sync_directory(disk, "/", NULL), GRAFT_OK);
    cr_assert_eq(graft_file_write(file, 0, bytes, sizeof bytes, NULL), GRAFT_OK);
    cr_assert_eq(graft_file_sync(file, NULL), GRAFT_OK);
    cr_assert_eq(graft_file_truncate(file, 1000, NULL), GRAFT_OK);
    memset(bytes, 'b', sizeof bytes);
    cr_assert_eq(graft_file_write(file, 1000, bytes, 12000, NULL), GRAFT_OK);
    sim_machine_crash(sim_process_machine(process));
}

Test(sim_crash, a_file_that_was_cut_is_cut_or_as_if_it_never_had_been)
{
    int kept = 0;
    int undone = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        plan_crashes(seed);
        scene_begin_planned(&scene);
        sim_process_start(scene.machine, "cutter", cut_and_write_again, NULL);
        scene_expect(&scene, SIM_FINISHED);
        uint8_t bytes[FILE_BYTES_MAX] = {0};
        size_t got = 0;
        uint32_t old = 0;
        uint32_t new = 0;
        cr_assert(sim_disk_peek(sim_machine_disk(scene.machine), "/f", false, 0, bytes,
                                sizeof bytes, &got));
        for (size_t i = 4096; i < got; i++) {
            old += bytes[i] == 'a';
            new += bytes[i] == 'b';
        }
        cr_assert(old == 0 || (new == 0 && got == FILE_BYTES_MAX), "seed %lu: %u old, %u new",
                  (unsigned long)seed, old, new);
        kept += new > 0;
        undone += old > 0;
        scene_end(&scene);
    }
    cr_assert(kept > 20 && undone > 10, "%d kept, %d undone", kept, undone);
}
