/* The object store's verbs over a directory when the disk, the memory or the permissions fail. */
#include <sys/stat.h>
#include <unistd.h>

#include "repo.h"
#include "support/faultdisk.h"

#define NOBODY 65534
#define CALLS_MAX 200U /* no operation here has as many */

static const char whole[] = "the whole of the object, which is never seen in part";
static const char old[] = "what was there before";
static const enum graft_rc codes[] = {GRAFT_EIO, GRAFT_EFULL, GRAFT_EDENIED, GRAFT_EREADONLY,
                                      GRAFT_ENOTFOUND};
#define CODES (sizeof codes / sizeof codes[0])

static struct graft_test_dir dir;
static struct graft_fault_env faulty;
static struct graft_err err;

static void set_up(void)
{
    graft_test_dir_make(&dir);
    graft_fault_env_init(&faulty, graft_test_env());
    err = (struct graft_err){.rc = GRAFT_OK};
}

static void tear_down(void)
{
    graft_test_dir_remove(&dir);
}

TestSuite(objects_faults, .init = set_up, .fini = tear_down);

/* What a put starts from. */
enum scene { NOTHING, REPOSITORY, OBJECT };

static void set_scene(enum scene scene)
{
    graft_test_remove(graft_test_path(&dir, "repo"));
    struct graft_objects *objects = repo_open(graft_test_env(), &dir);
    if (scene != NOTHING)
        repo_put(objects, "other/l/1", "x", true);
    if (scene == OBJECT)
        repo_put(objects, "app/l/1", old, true);
    graft_objects_close(objects);
}

/* The object's content, "" when it is not there; fails the test when it is there in part. */
static const char *content(struct graft_objects *objects)
{
    struct graft_buf buf;
    const char *found = "";
    graft_buf_init(&buf, graft_test_env()->alloc);
    enum graft_rc rc = graft_objects_get(objects, "app/l/1", 0, 0, &buf, &err);
    if (rc != GRAFT_ENOTFOUND) {
        cr_assert_eq(rc, GRAFT_OK, "%s", err.text);
        found = buf.size == strlen(old) ? old : whole;
        cr_assert_eq(buf.size, strlen(found));
        cr_assert_arr_eq(buf.bytes, found, buf.size);
    }
    graft_buf_deinit(&buf);
    return found;
}

static enum graft_rc put_through_faults(bool if_absent, bool *created)
{
    struct graft_objects *objects = repo_open(&faulty.env, &dir);
    *created = false;
    graft_err_clear(&err);
    enum graft_rc rc =
        graft_objects_put(objects, "app/l/1", whole, strlen(whole), if_absent, created, &err);
    graft_objects_close(objects);
    return rc;
}

/* Fails the nth call of a put, for one n; false when the put has fewer calls. */
static bool put_with_fault(enum scene scene, bool if_absent, unsigned kinds, uint64_t nth,
                           enum graft_rc code, bool from_then_on)
{
    set_scene(scene);
    bool created = false;
    graft_faults_arm(&faulty.faults, kinds, nth, code, from_then_on);
    enum graft_rc rc = put_through_faults(if_absent, &created);
    if (graft_faults_disarm(&faulty.faults) == 0)
        return false;
    if (rc != GRAFT_OK) {
        cr_assert(rc == code || rc == GRAFT_EINDOUBT ||
                      (rc == GRAFT_EDENIED && code == GRAFT_EREADONLY),
                  "call %llu failed with %s: put says %s: %s", (unsigned long long)nth,
                  graft_rc_name(code), graft_rc_name(rc), err.text);
        expect_text(&err, "/repo/app/l/1");
        cr_assert_not(created);
    }

    const char *before = scene == OBJECT ? old : "";
    struct graft_objects *objects = repo_open(graft_test_env(), &dir);
    const char *after = content(objects);
    if (rc == GRAFT_OK)
        cr_assert_str_eq(after, scene == OBJECT && if_absent ? old : whole);
    else if (rc != GRAFT_EINDOUBT)
        cr_assert_str_eq(after, before, "a put that failed took place");
    if ((kinds & GRAFT_FAULT_REMOVE) == 0)
        cr_assert_eq(repo_entries(&dir, "repo/_tmp"), 0);

    created = repo_put(objects, "app/l/1", whole, if_absent);
    cr_assert_eq(created, !if_absent || strlen(after) == 0);
    cr_assert_str_eq(content(objects), scene == OBJECT && if_absent ? old : whole);
    graft_objects_close(objects);
    return true;
}

static void sweep_put(enum scene scene, bool if_absent, unsigned kinds, bool from_then_on)
{
    for (size_t i = 0; i < CODES; i++) {
        uint64_t nth = 1;
        while (put_with_fault(scene, if_absent, kinds, nth, codes[i], from_then_on))
            nth++;
        cr_assert(nth > 5 && nth < CALLS_MAX);
    }
}

#define SPARE_REMOVAL (GRAFT_FAULT_ALL & ~(unsigned)GRAFT_FAULT_REMOVE)

Test(objects_faults, a_put_that_fails_at_any_call_leaves_nothing_or_the_whole)
{
    sweep_put(NOTHING, true, SPARE_REMOVAL, false);
    sweep_put(NOTHING, false, SPARE_REMOVAL, false);
    sweep_put(REPOSITORY, true, SPARE_REMOVAL, false);
    sweep_put(REPOSITORY, false, SPARE_REMOVAL, false);
}

Test(objects_faults, a_put_over_an_object_that_fails_at_any_call_leaves_the_old_or_the_new)
{
    sweep_put(OBJECT, true, SPARE_REMOVAL, false);
    sweep_put(OBJECT, false, SPARE_REMOVAL, false);
}

Test(objects_faults, a_put_on_a_disk_that_stays_broken_works_once_it_is_repaired)
{
    sweep_put(NOTHING, true, GRAFT_FAULT_ALL, true);
    sweep_put(OBJECT, true, GRAFT_FAULT_ALL, true);
    sweep_put(OBJECT, false, GRAFT_FAULT_ALL, true);
}

Test(objects_faults, a_failing_sync_after_the_rename_is_in_doubt)
{
    set_scene(REPOSITORY);
    uint64_t syncs = 0;
    enum graft_rc rc = GRAFT_EIO;
    for (uint64_t nth = 1; rc == GRAFT_EIO; nth++) {
        bool created = false;
        graft_faults_arm(&faulty.faults, GRAFT_FAULT_SYNC_DIRECTORY, nth, GRAFT_EIO, false);
        rc = put_through_faults(true, &created);
        syncs += graft_faults_disarm(&faulty.faults);
    }
    cr_assert_eq(rc, GRAFT_EINDOUBT);
    expect_text(&err, "/repo/app/l/1");
    cr_assert(syncs >= 4); /* app/l, app and the repository before the rename, app/l after it */
}

Test(objects_faults, the_loser_of_a_race_makes_the_winners_object_durable)
{
    set_scene(OBJECT);
    struct graft_objects *objects = repo_open(&faulty.env, &dir);
    repo_put(objects, "app/l/1", whole, true);
    uint64_t before = graft_faults_calls(&faulty.faults, GRAFT_FAULT_SYNC_DIRECTORY);
    cr_assert_not(repo_put(objects, "app/l/1", whole, true));
    uint64_t after = graft_faults_calls(&faulty.faults, GRAFT_FAULT_SYNC_DIRECTORY);
    cr_assert_eq(after - before, 1);
    graft_objects_close(objects);
}

Test(objects_faults, a_temporary_file_that_cannot_be_removed_does_no_harm)
{
    bool created = true;
    set_scene(OBJECT);
    graft_faults_arm(&faulty.faults, GRAFT_FAULT_REMOVE, 1, GRAFT_EIO, true);
    expect_ok(put_through_faults(true, &created), &err);
    cr_assert_eq(graft_faults_disarm(&faulty.faults), 1);
    cr_assert_not(created);
    struct graft_objects *objects = repo_open(graft_test_env(), &dir);
    cr_assert_str_eq(content(objects), old);
    graft_objects_close(objects);
}

Test(objects_faults, a_full_disk_is_said_and_the_path_named)
{
    for (uint64_t prefix = 0; prefix < sizeof whole; prefix += 13) {
        bool created = false;
        set_scene(OBJECT);
        graft_faults_arm_short_write(&faulty.faults, 1, prefix);
        expect_rc(put_through_faults(false, &created), GRAFT_EFULL, &err);
        cr_assert_eq(graft_faults_disarm(&faulty.faults), 1);
        expect_text(&err, "put file://");
        expect_text(&err, "/repo/app/l/1");
        cr_assert_eq(repo_entries(&dir, "repo/_tmp"), 0);
        struct graft_objects *objects = repo_open(graft_test_env(), &dir);
        cr_assert_str_eq(content(objects), old);
        graft_objects_close(objects);
    }
}

static enum graft_rc count_key(void *arg, const char *key, uint64_t size)
{
    (void)key;
    (void)size;
    *(unsigned *)arg += 1;
    return GRAFT_OK;
}

Test(objects_faults, a_listing_that_fails_at_any_call_is_whole_or_an_error)
{
    set_scene(OBJECT);
    struct graft_objects *objects = repo_open(&faulty.env, &dir);
    for (uint64_t nth = 1;; nth++) {
        unsigned count = 0;
        graft_faults_arm(&faulty.faults, GRAFT_FAULT_ALL, nth, GRAFT_EIO, false);
        enum graft_rc rc = graft_objects_list(objects, "", "", 10, count_key, &count, &err);
        if (graft_faults_disarm(&faulty.faults) == 0) {
            cr_assert(nth > 6 && rc == GRAFT_OK && count == 2);
            break;
        }
        expect_rc(rc, GRAFT_EIO, &err);
        expect_text(&err, "list file://");
    }
    graft_objects_close(objects);
}

Test(objects_faults, a_get_and_a_removal_that_fail_at_any_call_are_errors_that_name_the_object)
{
    set_scene(OBJECT);
    struct graft_objects *objects = repo_open(&faulty.env, &dir);
    for (uint64_t nth = 1; nth <= 4; nth++) {
        struct graft_buf buf;
        graft_buf_init(&buf, graft_test_env()->alloc);
        graft_faults_arm(&faulty.faults, GRAFT_FAULT_ALL, nth, GRAFT_EIO, false);
        expect_rc(graft_objects_get(objects, "app/l/1", 0, 0, &buf, &err), GRAFT_EIO, &err);
        expect_text(&err, "/repo/app/l/1");
        cr_assert_eq(graft_faults_disarm(&faulty.faults), 1);
        graft_buf_deinit(&buf);
    }
    for (uint64_t nth = 1; nth <= 3; nth++) {
        repo_put(objects, "app/l/1", old, false);
        graft_faults_arm(&faulty.faults, GRAFT_FAULT_ALL, nth, GRAFT_EIO, false);
        expect_rc(graft_objects_remove(objects, "app/l/1", &err), GRAFT_EIO, &err);
        expect_text(&err, "/repo/app/l/1");
        cr_assert_eq(graft_faults_disarm(&faulty.faults), 1);
    }
    graft_objects_close(objects);
}

Test(objects_faults, running_out_of_memory_at_any_allocation_is_an_error_that_leaks_nothing)
{
    set_scene(OBJECT);
    for (uint64_t nth = 1;; nth++) {
        struct graft_objects *objects = NULL;
        struct graft_url url;
        struct graft_buf buf;
        char text[GRAFT_PATH_BYTES_MAX];
        unsigned count = 0;
        expect_ok(graft_url_parse(repo_url(&dir, "/repo/app", text, sizeof text), &url, &err),
                  &err);
        graft_buf_init(&buf, faulty.env.alloc);
        graft_faultalloc_arm(&faulty.alloc, nth, false);
        enum graft_rc rc = graft_objects_open(&faulty.env, &url, &objects, &err);
        if (rc == GRAFT_OK)
            rc = graft_objects_get(objects, "app/l/1", 0, 0, &buf, &err);
        if (rc == GRAFT_OK)
            rc = graft_objects_list(objects, "", "", 10, count_key, &count, &err);
        bool failed = graft_faultalloc_disarm(&faulty.alloc) != 0;
        graft_objects_close(objects);
        graft_buf_deinit(&buf);
        cr_assert_eq(faulty.alloc.live, 0);
        cr_assert_eq(rc, failed ? GRAFT_ENOMEM : GRAFT_OK, "%s", err.text);
        if (!failed) {
            cr_assert(nth > 5 && count == 2);
            break;
        }
    }
}

/* Goes on as a user whom permissions bind, until the test's process ends. */
static void become_nobody(void)
{
    if (geteuid() != 0)
        return;
    cr_assert_eq(chown(dir.path, NOBODY, NOBODY), 0);
    cr_assert_eq(seteuid(NOBODY), 0);
}

static void become_again(void)
{
    if (getuid() == 0)
        cr_assert_eq(seteuid(0), 0);
}

Test(objects_faults, a_read_only_repository_is_denied_and_still_read)
{
    bool created = false;
    become_nobody();
    set_scene(OBJECT);
    struct graft_objects *objects = repo_open(graft_test_env(), &dir);
    static const char *const folders[] = {"repo/app/l", "repo/app", "repo/_tmp", "repo"};
    for (size_t i = 0; i < 4; i++)
        cr_assert_eq(chmod(graft_test_path(&dir, folders[i]), 0500), 0);
    expect_rc(graft_objects_put(objects, "app/l/2", "x", 1, true, &created, &err), GRAFT_EDENIED,
              &err);
    expect_text(&err, "/repo/app/l/2");
    expect_text(&err, "Permission denied");
    expect_rc(graft_objects_put(objects, "new/l/2", "x", 1, true, &created, &err), GRAFT_EDENIED,
              &err);
    expect_rc(graft_objects_remove(objects, "app/l/1", &err), GRAFT_EDENIED, &err);
    cr_assert_str_eq(content(objects), old);
    for (size_t i = 4; i-- > 0;)
        cr_assert_eq(chmod(graft_test_path(&dir, folders[i]), 0700), 0);
    cr_assert(repo_put(objects, "app/l/2", "x", true));
    graft_objects_close(objects);
    become_again();
}

Test(objects_faults, a_repository_that_cannot_be_made_or_entered_is_denied)
{
    bool created = false;
    unsigned count = 0;
    become_nobody();
    struct graft_objects *objects = repo_open(graft_test_env(), &dir);
    cr_assert_eq(chmod(dir.path, 0500), 0);
    expect_rc(graft_objects_put(objects, "app/l/1", "x", 1, true, &created, &err), GRAFT_EDENIED,
              &err);
    expect_text(&err, "/repo");
    cr_assert_eq(chmod(dir.path, 0700), 0);
    repo_put(objects, "app/l/1", "x", true);
    cr_assert_eq(chmod(graft_test_path(&dir, "repo"), 0), 0);
    expect_rc(graft_objects_list(objects, "app/", "", 10, count_key, &count, &err), GRAFT_EDENIED,
              &err);
    expect_text(&err, "/repo");
    cr_assert_eq(chmod(graft_test_path(&dir, "repo"), 0700), 0);
    graft_objects_close(objects);
    become_again();
}

Test(objects_faults, a_repository_whose_parent_cannot_be_read_is_written_all_the_same)
{
    become_nobody();
    cr_assert_eq(mkdir(graft_test_path(&dir, "repo"), 0700), 0);
    cr_assert_eq(chmod(dir.path, 0300), 0);
    struct graft_objects *objects = repo_open(graft_test_env(), &dir);
    cr_assert(repo_put(objects, "app/l/1", whole, true));
    cr_assert_str_eq(content(objects), whole);
    graft_objects_close(objects);
    cr_assert_eq(chmod(dir.path, 0700), 0);
    become_again();
}
