/* The remote log: finding the newest, and what is checked of each object. */
#include "format/frame.h"
#include "remote/remote.h"
#include "repo.h"
#include "support/faultdisk.h"

static struct graft_test_dir dir;
static struct graft_objects *objects; /* the same repository, past the remote log */
static struct graft_remote *remote;
static struct graft_err err;

static struct graft_remote *open_remote(void)
{
    char text[GRAFT_PATH_BYTES_MAX];
    struct graft_remote *opened = NULL;
    expect_ok(graft_remote_open(graft_test_env(), repo_url(&dir, "/repo/app", text, sizeof text),
                                &opened, &err),
              &err);
    return opened;
}

static void set_up(void)
{
    graft_test_dir_make(&dir);
    objects = repo_open(graft_test_env(), &dir);
    remote = open_remote();
    err = (struct graft_err){.rc = GRAFT_OK};
}

static void tear_down(void)
{
    graft_remote_close(remote);
    graft_objects_close(objects);
    graft_test_dir_remove(&dir);
}

TestSuite(remote, .init = set_up, .fini = tear_down);

static const char *log_key(const char *volume, char kind, uint64_t lsn)
{
    static char key[64];
    (void)snprintf(key, sizeof key, "%s/%c/%016llx", volume, kind,
                   (unsigned long long)(UINT64_MAX - lsn));
    return key;
}

/* Appends the commit of that LSN to `out`: one page, inline. */
static void make_commit(uint64_t lsn, struct graft_buf *out)
{
    struct graft_alloc *alloc = graft_test_env()->alloc;
    struct graft_commit commit;
    struct graft_codec *codec = NULL;
    struct graft_buf frames;
    uint8_t page[4096];
    uint32_t stored = 0;
    uint32_t index = 0;
    memset(page, (int)lsn, sizeof page);
    graft_buf_init(&frames, alloc);
    graft_commit_init(&commit, alloc);
    memset(&commit.volume, 7, sizeof commit.volume);
    memset(&commit.parent, lsn > 1 ? 9 : 0, sizeof commit.parent);
    commit.lsn = lsn;
    commit.page_bytes = sizeof page;
    commit.page_count = 3;
    commit.least_page_count = 3;
    commit.changed_count = 1;
    struct graft_frame_page content = {.page = 2, .size = sizeof page, .bytes = page};
    expect_ok(graft_codec_new(alloc, &codec), &err);
    expect_ok(graft_frame_encode(codec, &content, 1, &frames, &stored, &err), &err);
    struct graft_object_ref self = {.kind = GRAFT_OBJECT_COMMIT, .commit_lsn = lsn};
    expect_ok(graft_pagemap_add_object(&commit.map, &self, &index), &err);
    struct graft_map_frame frame = {.object = index, .stored_bytes = stored, .lsn = lsn};
    expect_ok(graft_pagemap_add_frame(&commit.map, &frame, &content.page, 1), &err);
    expect_ok(graft_commit_encode(&commit, frames.bytes, frames.size, out, &err), &err);
    graft_codec_free(codec);
    graft_commit_deinit(&commit);
    graft_buf_deinit(&frames);
}

static void make_checkpoint(uint64_t lsn, struct graft_buf *out)
{
    struct graft_checkpoint checkpoint;
    graft_checkpoint_init(&checkpoint, graft_test_env()->alloc);
    memset(&checkpoint.volume, 7, sizeof checkpoint.volume);
    memset(&checkpoint.commit, 8, sizeof checkpoint.commit);
    checkpoint.lsn = lsn;
    checkpoint.page_bytes = 4096;
    checkpoint.page_count = 3;
    expect_ok(graft_checkpoint_encode(&checkpoint, out, &err), &err);
    graft_checkpoint_deinit(&checkpoint);
}

static bool put_commit(uint64_t lsn)
{
    struct graft_buf buf;
    bool won = false;
    graft_buf_init(&buf, graft_test_env()->alloc);
    make_commit(lsn, &buf);
    expect_ok(graft_remote_put_commit(remote, lsn, buf.bytes, buf.size, &won, &err), &err);
    graft_buf_deinit(&buf);
    return won;
}

static void put_checkpoint(uint64_t lsn)
{
    struct graft_buf buf;
    graft_buf_init(&buf, graft_test_env()->alloc);
    make_checkpoint(lsn, &buf);
    expect_ok(graft_remote_put_checkpoint(remote, lsn, buf.bytes, buf.size, &err), &err);
    graft_buf_deinit(&buf);
}

static void expect_newest_of(struct graft_remote *asked, uint64_t known, uint64_t commit,
                             uint64_t checkpoint)
{
    uint64_t commit_lsn = 99999;
    uint64_t checkpoint_lsn = 99999;
    expect_ok(graft_remote_newest(asked, known, &commit_lsn, &checkpoint_lsn, &err), &err);
    cr_assert_eq(commit_lsn, commit, "commit %llu", (unsigned long long)commit_lsn);
    cr_assert_eq(checkpoint_lsn, checkpoint, "checkpoint %llu", (unsigned long long)checkpoint_lsn);
}

static void expect_newest(uint64_t known, uint64_t commit, uint64_t checkpoint)
{
    expect_newest_of(remote, known, commit, checkpoint);
}

Test(remote, nothing_there_has_no_newest)
{
    expect_newest(0, 0, 0);
    repo_put(objects, "other/l/fffffffffffffffe", "x", true);
    expect_newest(0, 0, 0);
}

Test(remote, a_repository_that_is_gone_is_not_found_when_commits_are_known)
{
    uint64_t commit = 0;
    uint64_t checkpoint = 0;
    expect_rc(graft_remote_newest(remote, 5, &commit, &checkpoint, &err), GRAFT_ENOTFOUND, &err);
    expect_text(&err, "/repo does not exist");
}

Test(remote, the_newest_of_one_and_of_many_commits_is_found_in_few_requests)
{
    cr_assert(put_commit(1));
    expect_newest(0, 1, 0);
    for (uint64_t lsn = 2; lsn <= 100; lsn++)
        cr_assert(put_commit(lsn));
    uint64_t before = graft_remote_counts(remote)->requests;
    expect_newest(0, 100, 0);
    expect_newest(100, 100, 0);
    expect_newest(57, 100, 0);
    cr_assert_eq(graft_remote_counts(remote)->requests - before, 3 * 2);
}

Test(remote, the_newest_checkpoint_is_found_with_the_newest_commit)
{
    for (uint64_t lsn = 1; lsn <= 20; lsn++)
        put_commit(lsn);
    put_checkpoint(8);
    put_checkpoint(16);
    expect_newest(0, 20, 16);
    put_checkpoint(21); /* whose commit is not there */
    expect_newest(0, 20, 16);
}

Test(remote, more_checkpoints_than_a_page_of_the_listing_hide_nothing)
{
    for (uint64_t lsn = 1; lsn <= 90; lsn++) {
        put_commit(lsn);
        put_checkpoint(lsn);
    }
    expect_newest(0, 90, 90);
    for (uint64_t lsn = 80; lsn <= 90; lsn++)
        expect_ok(graft_objects_remove(objects, log_key("app", 'l', lsn), &err), &err);
    expect_newest(0, 79, 79);
    for (uint64_t lsn = 3; lsn <= 79; lsn++)
        expect_ok(graft_objects_remove(objects, log_key("app", 'l', lsn), &err), &err);
    expect_newest(0, 2, 2);
}

Test(remote, foreign_keys_are_ignored)
{
    put_commit(1);
    put_commit(2);
    put_checkpoint(1);
    static const char *const keys[] = {
        "app/a",
        "app/c/0",
        "app/c/README",
        "app/l/000000000000000",
        "app/l/000000000000000g",
        "app/l/00000000000000000",
        "app/l/FFFFFFFFFFFFFFF0",
        "app/l/ffffffffffffffff", /* LSN 0 */
        "app/l/0000000000000000", /* LSN 2^64 - 1 */
        "app/l/7ffffffffffffffe", /* LSN above 2^63 */
        "app/l/0000000000000000.part",
        "app/l/fffffffffffffff0/x",
        "app/x/fffffffffffffff0",
        "app2/l/fffffffffffffff0",
        "ap/l/fffffffffffffff0",
        "_segments/00",
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        repo_put(objects, keys[i], "x", true);
    expect_newest(0, 2, 1);
}

Test(remote, pages_full_of_foreign_keys_are_passed_over)
{
    put_commit(1);
    put_commit(2);
    put_checkpoint(1);
    for (int i = 0; i < 150; i++) {
        char key[64];
        static const char *const folders[] = {"a", "c", "l"};
        for (size_t folder = 0; folder < 3; folder++) {
            (void)snprintf(key, sizeof key, "app/%s/8000-%03d", folders[folder], i);
            repo_put(objects, key, "x", true);
        }
    }
    expect_newest(0, 2, 1);
}

Test(remote, a_key_is_won_once)
{
    cr_assert(put_commit(1));
    cr_assert_not(put_commit(1));
    bool won = true;
    char other[64] = "other bytes than those that are there already";
    expect_ok(graft_remote_put_commit(remote, 1, other, sizeof other, &won, &err), &err);
    cr_assert_not(won);
    struct graft_commit commit;
    struct graft_hash hash;
    graft_commit_init(&commit, graft_test_env()->alloc);
    expect_ok(graft_remote_get_commit(remote, 1, &commit, &hash, NULL, &err), &err);
    graft_commit_deinit(&commit);
}

Test(remote, a_commit_comes_with_its_hash_and_its_bytes)
{
    struct graft_buf made;
    struct graft_buf read;
    struct graft_commit commit;
    struct graft_hash hash;
    graft_buf_init(&made, graft_test_env()->alloc);
    graft_buf_init(&read, graft_test_env()->alloc);
    graft_commit_init(&commit, graft_test_env()->alloc);
    put_commit(1);
    make_commit(1, &made);
    expect_ok(graft_buf_append(&read, "ab", 2), &err);
    expect_ok(graft_remote_get_commit(remote, 1, &commit, &hash, &read, &err), &err);
    struct graft_hash wanted = graft_hash128(made.bytes, made.size);
    cr_assert(graft_hash_equal(&hash, &wanted));
    cr_assert_eq(read.size, 2 + made.size);
    cr_assert_arr_eq(read.bytes + 2, made.bytes, made.size);
    cr_assert_eq(commit.lsn, 1);
    cr_assert_eq(commit.map.frame_count, 1);

    struct graft_object_ref self = {.kind = GRAFT_OBJECT_COMMIT, .commit_lsn = 1};
    const struct graft_map_frame *frame = &commit.map.frames[0];
    read.size = 0;
    expect_ok(
        graft_remote_get_range(remote, &self, frame->offset, frame->stored_bytes, &read, &err),
        &err);
    cr_assert_eq(read.size, frame->stored_bytes);
    cr_assert_arr_eq(read.bytes, made.bytes + frame->offset, read.size);
    graft_commit_deinit(&commit);
    graft_buf_deinit(&made);
    graft_buf_deinit(&read);
}

/* Reading commit `lsn` fails so, names the object, and leaves what was there before. */
static void expect_bad_commit(uint64_t lsn, enum graft_rc rc, const char *text)
{
    struct graft_commit commit;
    struct graft_hash hash = {{1}};
    struct graft_buf bytes;
    graft_buf_init(&bytes, graft_test_env()->alloc);
    graft_commit_init(&commit, graft_test_env()->alloc);
    commit.time_ms = 42;
    graft_err_clear(&err);
    expect_rc(graft_remote_get_commit(remote, lsn, &commit, &hash, &bytes, &err), rc, &err);
    expect_text(&err, log_key("app", 'l', lsn));
    expect_text(&err, text);
    cr_assert(commit.time_ms == 42 && hash.bytes[0] == 1 && bytes.size == 0);
    graft_commit_deinit(&commit);
    graft_buf_deinit(&bytes);
}

static void replace_object(const char *key, const uint8_t *bytes, size_t size)
{
    bool created = false;
    expect_ok(graft_objects_put(objects, key, bytes, size, false, &created, &err), &err);
}

Test(remote, a_missing_commit_is_not_found)
{
    expect_bad_commit(1, GRAFT_ENOTFOUND, "/repo does not exist");
    put_commit(1);
    expect_bad_commit(2, GRAFT_ENOTFOUND, "no such object");
}

Test(remote, a_commit_under_another_ones_key_is_corrupt)
{
    struct graft_buf made;
    graft_buf_init(&made, graft_test_env()->alloc);
    make_commit(4, &made);
    replace_object(log_key("app", 'l', 3), made.bytes, made.size);
    expect_bad_commit(3, GRAFT_ECORRUPT, "the commit of LSN 4");
    graft_buf_deinit(&made);
}

Test(remote, a_commit_cut_anywhere_is_corrupt)
{
    struct graft_buf made;
    graft_buf_init(&made, graft_test_env()->alloc);
    make_commit(2, &made);
    for (size_t size = 0; size < made.size; size++) {
        replace_object(log_key("app", 'l', 2), made.bytes, size);
        expect_bad_commit(2, GRAFT_ECORRUPT, "/repo/app");
    }
    graft_buf_deinit(&made);
}

Test(remote, a_flipped_bit_is_corrupt_or_another_hash)
{
    struct graft_buf made;
    uint64_t end = 0;
    graft_buf_init(&made, graft_test_env()->alloc);
    make_commit(2, &made);
    expect_ok(graft_object_message_end(made.bytes, made.size, &end, &err), &err);
    struct graft_hash right = graft_hash128(made.bytes, made.size);
    for (size_t bit = 0; bit < made.size * 8; bit += 5) {
        struct graft_commit commit;
        struct graft_hash hash = right;
        graft_commit_init(&commit, graft_test_env()->alloc);
        made.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        replace_object(log_key("app", 'l', 2), made.bytes, made.size);
        enum graft_rc rc = graft_remote_get_commit(remote, 2, &commit, &hash, NULL, &err);
        bool version = bit / 8 >= 8 && bit / 8 < 12;
        if (bit / 8 >= end)
            cr_assert(rc == GRAFT_OK && !graft_hash_equal(&hash, &right));
        else
            cr_assert(rc == GRAFT_ECORRUPT || (version && rc == GRAFT_EVERSION), "bit %zu: %s", bit,
                      graft_rc_name(rc));
        if (rc != GRAFT_OK)
            expect_text(&err, log_key("app", 'l', 2));
        made.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        graft_commit_deinit(&commit);
    }
    graft_buf_deinit(&made);
}

Test(remote, a_commit_of_a_future_version_says_so)
{
    struct graft_buf made;
    graft_buf_init(&made, graft_test_env()->alloc);
    make_commit(2, &made);
    made.bytes[8] = 2;
    replace_object(log_key("app", 'l', 2), made.bytes, made.size);
    expect_bad_commit(2, GRAFT_EVERSION, "/repo/app");
    graft_buf_deinit(&made);
}

Test(remote, a_foreign_file_under_a_commits_key_is_corrupt)
{
    static const char text[] = "Dear reader, this is not a commit, but it is long enough.";
    replace_object(log_key("app", 'l', 1), (const uint8_t *)text, sizeof text);
    expect_newest(0, 1, 0);
    expect_bad_commit(1, GRAFT_ECORRUPT, "/repo/app");
}

Test(remote, an_empty_file_under_the_next_key_is_found_and_corrupt)
{
    put_commit(1);
    replace_object(log_key("app", 'l', 2), NULL, 0);
    expect_newest(1, 2, 0);
    expect_bad_commit(2, GRAFT_ECORRUPT, "/repo/app");
}

Test(remote, a_checkpoint_reads_back_and_its_damage_is_named)
{
    struct graft_checkpoint checkpoint;
    struct graft_buf made;
    graft_buf_init(&made, graft_test_env()->alloc);
    graft_checkpoint_init(&checkpoint, graft_test_env()->alloc);
    put_checkpoint(6);
    expect_ok(graft_remote_get_checkpoint(remote, 6, &checkpoint, &err), &err);
    cr_assert_eq(checkpoint.lsn, 6);
    expect_rc(graft_remote_get_checkpoint(remote, 5, &checkpoint, &err), GRAFT_ENOTFOUND, &err);
    make_checkpoint(7, &made);
    replace_object(log_key("app", 'c', 8), made.bytes, made.size);
    expect_rc(graft_remote_get_checkpoint(remote, 8, &checkpoint, &err), GRAFT_ECORRUPT, &err);
    expect_text(&err, log_key("app", 'c', 8));
    for (size_t size = 0; size < made.size; size++) {
        replace_object(log_key("app", 'c', 7), made.bytes, size);
        expect_rc(graft_remote_get_checkpoint(remote, 7, &checkpoint, &err), GRAFT_ECORRUPT, &err);
        expect_text(&err, log_key("app", 'c', 7));
    }
    cr_assert_eq(checkpoint.lsn, 6);
    graft_checkpoint_deinit(&checkpoint);
    graft_buf_deinit(&made);
}

Test(remote, a_segment_is_named_by_its_content_and_put_twice_without_harm)
{
    struct graft_segment_id first;
    struct graft_segment_id second;
    struct graft_buf buf;
    graft_buf_init(&buf, graft_test_env()->alloc);
    expect_ok(graft_remote_put_segment(remote, "0123456789", 10, &first, &err), &err);
    struct graft_object_ref segment = {.kind = GRAFT_OBJECT_SEGMENT, .segment = first};
    char key[64] = "_segments/";
    graft_hex_encode(first.bytes, sizeof first.bytes, key + 10);
    repo_put(objects, key, "01234", false); /* it rots */
    expect_rc(graft_remote_get_range(remote, &segment, 4, 3, &buf, &err), GRAFT_ECORRUPT, &err);
    expect_text(&err, key);
    expect_text(&err, "3 bytes at 4");
    expect_rc(graft_remote_get_range(remote, &segment, 7, 3, &buf, &err), GRAFT_ECORRUPT, &err);
    cr_assert_eq(buf.size, 0);
    expect_ok(graft_remote_put_segment(remote, "0123456789", 10, &second, &err), &err);
    cr_assert_arr_eq(first.bytes, second.bytes, sizeof first.bytes);
    expect_ok(graft_remote_get_range(remote, &segment, 7, 3, &buf, &err), &err);
    cr_assert_arr_eq(buf.bytes, "789", 3);
    segment.segment.bytes[0] ^= 1;
    expect_rc(graft_remote_get_range(remote, &segment, 0, 3, &buf, &err), GRAFT_ENOTFOUND, &err);
    graft_buf_deinit(&buf);
}

/* A repository whose listing shows no commit past an LSN, or comes to an end with an error. */
struct stale {
    struct graft_objects objects;
    struct graft_objects *real;
    uint64_t lsn_max;
    bool with_garbage;
};

struct stale_list {
    const struct stale *stale;
    graft_objects_list_fn *each;
    void *arg;
};

static enum graft_rc pass_old(void *arg, const char *key, uint64_t size)
{
    const struct stale_list *list = arg;
    if (strncmp(key, "app/l/", 6) == 0 &&
        strcmp(key, log_key("app", 'l', list->stale->lsn_max)) < 0)
        return GRAFT_OK;
    return list->each(list->arg, key, size);
}

static enum graft_rc stale_list(struct graft_objects *base, const char *prefix, const char *after,
                                uint32_t keys_max, graft_objects_list_fn *each, void *arg,
                                struct graft_err *failure)
{
    struct stale *self = (struct stale *)base;
    (void)keys_max;
    struct stale_list list = {.stale = self, .each = each, .arg = arg};
    if (self->with_garbage) {
        GRAFT_TRY(each(arg, "app/l/5", 1));
        return each(arg, "app/c/5", 1);
    }
    return graft_objects_list(self->real, prefix, after, GRAFT_LIST_KEYS_MAX, pass_old, &list,
                              failure);
}

static enum graft_rc stale_get(struct graft_objects *base, const char *key, uint64_t offset,
                               uint64_t size, struct graft_buf *out, struct graft_err *failure)
{
    return graft_objects_get(((struct stale *)base)->real, key, offset, size, out, failure);
}

static enum graft_rc stale_put(struct graft_objects *base, const char *key, const void *bytes,
                               size_t size, bool if_absent, bool *created,
                               struct graft_err *failure)
{
    return graft_objects_put(((struct stale *)base)->real, key, bytes, size, if_absent, created,
                             failure);
}

static enum graft_rc stale_remove(struct graft_objects *base, const char *key,
                                  struct graft_err *failure)
{
    return graft_objects_remove(((struct stale *)base)->real, key, failure);
}

static void stale_close(struct graft_objects *base)
{
    ((struct stale *)base)->real = NULL;
}

static const struct graft_objects_ops stale_ops = {
    .close = stale_close,
    .get = stale_get,
    .put = stale_put,
    .list = stale_list,
    .remove = stale_remove,
};

static struct graft_remote *open_stale(struct stale *stale)
{
    struct graft_remote *opened = NULL;
    expect_ok(graft_remote_open_with(graft_test_env(), &stale->objects, "stale://app", "app",
                                     &opened, &err),
              &err);
    return opened;
}

Test(remote, a_stale_listing_is_made_good_by_probes)
{
    struct stale stale = {.objects.ops = &stale_ops, .real = objects};
    for (uint64_t lsn = 1; lsn <= 40; lsn++)
        put_commit(lsn);
    put_checkpoint(30);
    struct graft_remote *asked = open_stale(&stale);
    for (uint64_t shown = 1; shown <= 40; shown++) {
        stale.lsn_max = shown;
        uint64_t before = stale.objects.counts.requests;
        expect_newest_of(asked, 0, 40, 30);
        cr_assert(stale.objects.counts.requests - before <= 14);
    }
    stale.lsn_max = 3;
    expect_newest_of(asked, 39, 40, 30);
    expect_newest_of(asked, 40, 40, 30);
    graft_remote_close(asked);
    cr_assert_null(stale.real, "the remote did not close what it was given");
}

Test(remote, a_listing_out_of_order_is_corrupt)
{
    struct stale stale = {.objects.ops = &stale_ops, .real = objects, .with_garbage = true};
    struct graft_remote *asked = open_stale(&stale);
    uint64_t commit = 77;
    uint64_t checkpoint = 77;
    expect_rc(graft_remote_newest(asked, 0, &commit, &checkpoint, &err), GRAFT_ECORRUPT, &err);
    cr_assert(commit == 77 && checkpoint == 77);
    graft_remote_close(asked);
}

Test(remote, a_url_that_is_wrong_or_not_supported_is_refused_when_it_is_opened)
{
    struct graft_remote *none = NULL;
    expect_rc(graft_remote_open(graft_test_env(), "nonsense", &none, &err), GRAFT_EINVAL, &err);
    expect_text(&err, "\"nonsense\"");
    expect_rc(graft_remote_open(graft_test_env(), "https://host/app", &none, &err),
              GRAFT_EUNSUPPORTED, &err);
    cr_assert_null(none);
}

Test(remote, a_failure_of_the_disk_is_an_error_and_leaves_the_outputs)
{
    char text[GRAFT_PATH_BYTES_MAX];
    struct graft_fault_env faulty;
    struct graft_remote *asked = NULL;
    for (uint64_t lsn = 1; lsn <= 3; lsn++)
        put_commit(lsn);
    put_checkpoint(2);
    graft_fault_env_init(&faulty, graft_test_env());
    repo_url(&dir, "/repo/app", text, sizeof text);
    expect_ok(graft_remote_open(&faulty.env, text, &asked, &err), &err);
    uint64_t nth = 1;
    uint64_t failures = 0;
    for (;; nth++) {
        uint64_t commit = 77;
        uint64_t checkpoint = 77;
        graft_faults_arm(&faulty.faults, GRAFT_FAULT_ALL, nth, GRAFT_EIO, false);
        enum graft_rc rc = graft_remote_newest(asked, 0, &commit, &checkpoint, &err);
        if (graft_faults_disarm(&faulty.faults) == 0)
            break;
        if (rc == GRAFT_OK) {
            /* The call only looked for better words about what is not there. */
            cr_assert(commit == 3 && checkpoint == 2);
            continue;
        }
        failures++;
        expect_rc(rc, GRAFT_EIO, &err);
        expect_text(&err, "/repo");
        cr_assert(commit == 77 && checkpoint == 77);
    }
    cr_assert(failures > 5 && nth - 1 - failures == 1);
    graft_remote_close(asked);
}

Test(remote, running_out_of_memory_while_a_commit_is_read_leaks_nothing)
{
    char text[GRAFT_PATH_BYTES_MAX];
    struct graft_fault_env faulty;
    put_commit(1);
    graft_fault_env_init(&faulty, graft_test_env());
    repo_url(&dir, "/repo/app", text, sizeof text);
    bool failed = true;
    for (uint64_t nth = 1; failed; nth++) {
        struct graft_remote *asked = NULL;
        struct graft_commit commit;
        struct graft_hash hash;
        struct graft_buf bytes;
        uint64_t checkpoint_lsn = 0;
        uint64_t lsn = 0;
        graft_buf_init(&bytes, faulty.env.alloc);
        graft_commit_init(&commit, faulty.env.alloc);
        graft_faultalloc_arm(&faulty.alloc, nth, false);
        enum graft_rc rc = graft_remote_open(&faulty.env, text, &asked, &err);
        if (rc == GRAFT_OK)
            rc = graft_remote_newest(asked, 0, &lsn, &checkpoint_lsn, &err);
        if (rc == GRAFT_OK)
            rc = graft_remote_get_commit(asked, 1, &commit, &hash, &bytes, &err);
        failed = graft_faultalloc_disarm(&faulty.alloc) != 0;
        cr_assert_eq(rc, failed ? GRAFT_ENOMEM : GRAFT_OK, "allocation %llu: %s",
                     (unsigned long long)nth, err.text);
        graft_commit_deinit(&commit);
        graft_buf_deinit(&bytes);
        graft_remote_close(asked);
        cr_assert_eq(faulty.alloc.live, 0);
    }
}
