/* Files that are damaged, cut off, missing or another volume's: what is read is right, or an error
 * says which file is wrong. */
#include "kit.h"
#include "power.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/parts.h"

#define PAGES 40U

static const char *const names[] = {"config", "image", "log.0", "log.1", "table"};
#define NAMES (sizeof names / sizeof names[0])

/* What the pages of a sample are. */
struct sample {
    struct power *power;
    struct kit kit;
    struct power_image *image;
    uint64_t lsn;
    uint64_t version[PAGES + 1];
    bool held[PAGES + 1];
    bool ahead[PAGES + 1];
};

static const char *path_of(const struct sample *sample, const char *name)
{
    static char path[GRAFT_PATH_BYTES_MAX + 16];
    (void)snprintf(path, sizeof path, "%s/%s", sample->kit.path, name);
    return path;
}

static void commit_range(struct sample *sample, uint32_t first, uint32_t count, uint64_t version)
{
    kit_commit(&sample->kit, first, count, version);
    for (uint32_t page = first; page < first + count; page++) {
        sample->version[page] = version;
        sample->held[page] = sample->ahead[page] = true;
    }
    sample->lsn++;
}

/* Pages 1 to 20 from the remote, half of them fetched; the rest, and some of those, written here.
 * `clean`: closed in order. Every commit is durable. */
static void sample_init(struct sample *sample, bool clean, bool with_remote)
{
    memset(sample, 0, sizeof *sample);
    sample->power = power_new(11);
    struct kit_options options = {.env = power_env(sample->power)};
    kit_init(&sample->kit, &options);
    struct kit *kit = &sample->kit;
    if (with_remote) {
        struct graft_store_session *session = kit_session(kit);
        expect_ok(graft_store_write_begin(session, &kit->err), &kit->err);
        expect_ok(graft_store_write_page_count(session, 20, &kit->err), &kit->err);
        for (uint32_t page = 1; page <= 20; page++) {
            expect_ok(graft_store_write_remote(session, page, &kit->err), &kit->err);
            sample->version[page] = 100;
        }
        kit_pull(kit, session, 1);
        graft_store_session_close(session);
        sample->lsn++;
        for (uint32_t page = 1; page <= 20; page += 2) {
            uint8_t bytes[KIT_PAGE_BYTES];
            bool installed = false;
            kit_fill(bytes, sizeof bytes, page, 100);
            expect_ok(graft_store_install(kit->store, page, 1, 1, bytes, sizeof bytes, &installed,
                                          &kit->err),
                      &kit->err);
            cr_assert(installed);
            sample->held[page] = true;
        }
    }
    commit_range(sample, 1, PAGES, 1);
    if (with_remote) {
        memset(sample->ahead, 0, sizeof sample->ahead);
        struct graft_store_session *session = kit_session(kit);
        expect_ok(graft_store_write_begin(session, &kit->err), &kit->err);
        struct graft_sync_state state = {.remote_lsn = 2, .pushed_lsn = sample->lsn};
        state.remote_hash.bytes[3] = 9;
        expect_ok(graft_store_note(session, &state, &kit->err), &kit->err);
        expect_ok(graft_store_rollback(session, &kit->err), &kit->err);
        graft_store_session_close(session);
    }
    expect_ok(graft_store_fold(kit->store, &kit->err), &kit->err);
    commit_range(sample, 15, 10, 2);
    if (clean) {
        kit_reopen(kit);
        commit_range(sample, 5, 3, 3);
        kit_close(kit);
    } else {
        commit_range(sample, 5, 3, 3);
        kit_crash(kit);
    }
    sample->image = power_save(sample->power);
}

static void sample_deinit(struct sample *sample)
{
    power_image_free(sample->image);
    graft_config_deinit(&sample->kit.config);
    graft_test_dir_remove(&sample->kit.dir);
    power_free(sample->power);
}

/* Opens what was spoilt. `where` says what was done. */
static void look(struct sample *sample, const char *where)
{
    struct kit *kit = &sample->kit;
    struct graft_err err = {0};
    enum graft_rc rc = graft_store_open(kit->env, kit->path, &kit->store, &err);
    if (rc != GRAFT_OK) {
        cr_assert(rc == GRAFT_ECORRUPT || rc == GRAFT_EVERSION || rc == GRAFT_EFOREIGN ||
                      (rc == GRAFT_ENOTFOUND && strstr(where, "config") != NULL),
                  "%s: %s: %s", where, graft_rc_name(rc), err.text);
        cr_assert(strstr(err.text, kit->path) != NULL, "%s: %s", where, err.text);
        return;
    }
    struct graft_store_session *session = kit_session(kit);
    struct graft_store_snapshot snapshot;
    expect_ok(graft_store_begin(session, &snapshot, &err), &err);
    cr_assert_eq(snapshot.lsn, sample->lsn, "%s: LSN %llu", where,
                 (unsigned long long)snapshot.lsn);
    cr_assert_eq(snapshot.page_count, PAGES, "%s", where);
    for (uint32_t page = 1; page <= PAGES; page++) {
        uint8_t bytes[KIT_PAGE_BYTES], wanted[KIT_PAGE_BYTES];
        size_t got = 0;
        rc = graft_store_read(session, page, bytes, &got, &err);
        cr_assert(rc == GRAFT_OK || rc == GRAFT_ECORRUPT ||
                      (rc == GRAFT_ENOTHELD && !sample->ahead[page]),
                  "%s: page %u: %s", where, page, err.text);
        kit_fill(wanted, sizeof wanted, page, sample->version[page]);
        cr_assert(rc != GRAFT_OK || memcmp(bytes, wanted, sizeof bytes) == 0,
                  "%s: page %u reads wrong", where, page);
        char number[32];
        (void)snprintf(number, sizeof number, "page %u", page);
        cr_assert(rc != GRAFT_ECORRUPT || strstr(err.text, number) != NULL, "%s", err.text);
        /* What the remote has can be fetched again; what only we had cannot be given up. */
        if (rc == GRAFT_ECORRUPT) {
            rc = graft_store_forget(kit->store, page, UINT64_MAX, &err);
            cr_assert(rc != GRAFT_OK || !sample->ahead[page], "%s: page %u forgotten", where, page);
        }
    }
    graft_store_session_close(session);
    kit_crash(kit);
}

static void flip_bits(bool clean, bool with_remote, unsigned flips)
{
    flips *= (unsigned)kit_scale(1, 4);
    struct sample sample;
    sample_init(&sample, clean, with_remote);
    struct kit_random random = {99};
    unsigned damaged = 0;
    for (unsigned i = 0; i < NAMES; i++) {
        size_t size = 0;
        power_load(sample.power, sample.image);
        if (power_bytes(sample.power, path_of(&sample, names[i]), &size) == NULL || size == 0)
            continue;
        for (unsigned n = 0; n < flips; n++) {
            power_load(sample.power, sample.image);
            uint8_t *bytes = power_bytes(sample.power, path_of(&sample, names[i]), &size);
            size_t at = n < 128 ? n : (size_t)kit_below(&random, size);
            /* Most of the table is its header's unused part; half the flips are for the words. */
            if (n >= 128 && i == NAMES - 1 && n % 2 == 0)
                at = 65536 + (size_t)kit_below(&random, PAGES * 8);
            if (at >= size)
                continue;
            unsigned bit = (unsigned)kit_below(&random, 8);
            bytes[at] ^= (uint8_t)(1U << bit);
            char where[128];
            (void)snprintf(where, sizeof where, "bit %u of byte %zu of %s", bit, at, names[i]);
            look(&sample, where);
            damaged++;
        }
    }
    cr_assert_gt(damaged, flips);
    sample_deinit(&sample);
}

Test(damage, a_flipped_bit_is_found_after_a_crash)
{
    flip_bits(false, true, 500);
    flip_bits(false, false, 300);
}

Test(damage, a_flipped_bit_is_found_in_what_was_closed)
{
    flip_bits(true, true, 500);
    flip_bits(true, false, 300);
}

static void cut_files(bool clean)
{
    struct sample sample;
    sample_init(&sample, clean, true);
    struct kit_random random = {3};
    for (unsigned i = 0; i < NAMES; i++) {
        for (unsigned n = 0; n < 60; n++) {
            size_t size = 0;
            power_load(sample.power, sample.image);
            (void)power_bytes(sample.power, path_of(&sample, names[i]), &size);
            if (size == 0)
                continue;
            size_t kept = n < 8 ? n * 16 : (size_t)kit_below(&random, size);
            if (kept >= size)
                continue;
            power_set_size(sample.power, path_of(&sample, names[i]), kept);
            char where[128];
            (void)snprintf(where, sizeof where, "%s cut to %zu of %zu bytes", names[i], kept, size);
            look(&sample, where);
        }
    }
    sample_deinit(&sample);
}

Test(damage, a_file_that_is_cut_off_is_found)
{
    cut_files(false);
    cut_files(true);
}

Test(damage, a_missing_file_is_named)
{
    struct sample sample;
    sample_init(&sample, true, true);
    for (unsigned i = 0; i < NAMES; i++) {
        power_load(sample.power, sample.image);
        power_remove(sample.power, path_of(&sample, names[i]));
        struct graft_err err = {0};
        struct graft_store *store = NULL;
        enum graft_rc wanted = i == 0 ? GRAFT_ENOTFOUND : GRAFT_ECORRUPT;
        expect_rc(graft_store_open(sample.kit.env, sample.kit.path, &store, &err), wanted, &err);
        cr_assert(i == 0 || strstr(err.text, names[i]) != NULL, "%s", err.text);
    }
    sample_deinit(&sample);
}

Test(damage, a_file_of_another_volume_is_refused)
{
    struct sample sample;
    sample_init(&sample, true, true);
    struct kit other;
    struct kit_options options = {.env = power_env(sample.power)};
    power_load(sample.power, sample.image);
    for (unsigned i = 2; i < NAMES; i++) {
        power_load(sample.power, sample.image);
        /* Another volume, made in the same machine. */
        memset(&other, 0, sizeof other);
        graft_config_init(&other.config,
                          other.env != NULL ? other.env->alloc : graft_test_env()->alloc);
        memset(other.config.volume.bytes, 0x77, 16);
        other.config.page_bytes = KIT_PAGE_BYTES;
        other.env = options.env;
        (void)snprintf(other.path, sizeof other.path, "%s/other", sample.kit.dir.path);
        expect_ok(graft_store_create(other.env, other.path, &other.config, &other.err), &other.err);
        kit_open(&other);
        kit_commit(&other, 1, 3, 1);
        kit_crash(&other);
        char from[GRAFT_PATH_BYTES_MAX + 16];
        (void)snprintf(from, sizeof from, "%s/%s", other.path, names[i]);
        size_t size = 0, old = 0;
        const uint8_t *bytes = power_bytes(sample.power, from, &size);
        uint8_t *target = power_bytes(sample.power, path_of(&sample, names[i]), &old);
        if (old == 0 || size == 0 || target == NULL) {
            graft_config_deinit(&other.config);
            continue;
        }
        memcpy(target, bytes, size < old ? size : old);
        struct graft_err err = {0};
        struct graft_store *store = NULL;
        enum graft_rc rc = graft_store_open(sample.kit.env, sample.kit.path, &store, &err);
        cr_assert(rc == GRAFT_EFOREIGN || rc == GRAFT_ECORRUPT, "%s: %s", names[i],
                  graft_rc_name(rc));
        graft_config_deinit(&other.config);
    }
    sample_deinit(&sample);
}

/* Non-durable commits, of which the log may lose any end. */
Test(damage, whatever_is_cut_off_the_log_s_end_leaves_a_prefix_of_the_commits)
{
    struct power *power = power_new(5);
    struct kit kit;
    struct kit_options options = {.env = power_env(power)};
    kit_init(&kit, &options);
    struct graft_store_session *session = kit_session(&kit);
    const uint64_t commits = 12;
    uint64_t ends[16] = {0};
    char path[GRAFT_PATH_BYTES_MAX + 16];
    (void)snprintf(path, sizeof path, "%s/log.0", kit.path);
    size_t size = 0;
    for (uint64_t version = 1; version <= commits; version++) {
        expect_ok(graft_store_write_begin(session, &kit.err), &kit.err);
        for (uint32_t page = 1; page <= 3; page++)
            kit_write(&kit, session, page, version);
        kit_finish(&kit, session, false);
        graft_store_end(session);
    }
    graft_store_session_close(session);
    kit_crash(&kit);
    struct power_image *image = power_save(power);
    /* Header and base take 128 bytes. A record is a header of 64 bytes and a page, or the payload
     * of a commit. */
    const uint64_t stride = kit_scale(128 + 64, 64);
    for (uint64_t at = 128; at < 128 + commits * 2200; at += stride) {
        for (int off = -1; off <= 1; off++) {
            power_load(power, image);
            uint8_t *bytes = power_bytes(power, path, &size);
            size_t cut = (size_t)at + (size_t)off;
            if (cut > size)
                break;
            if (at % 128 == 0)
                power_set_size(power, path, cut);
            else
                bytes[cut] ^= 0x10;
            enum graft_rc rc = graft_store_open(kit.env, kit.path, &kit.store, &kit.err);
            cr_assert(rc == GRAFT_OK, "cut or spoilt at %zu: %s", cut, kit.err.text);
            uint64_t lsn = graft_store_newest_lsn(kit.store);
            cr_assert_leq(lsn, commits);
            for (uint32_t page = 1; page <= 3 && lsn > 0; page++)
                kit_expect_now(&kit, page, lsn);
            ends[lsn]++;
            kit_commit(&kit, 2, 1, 99);
            kit_expect_now(&kit, 2, 99);
            kit_close(&kit);
        }
    }
    for (uint64_t lsn = 0; lsn < commits; lsn++)
        cr_assert_gt(ends[lsn], 0, "no cut left %llu commits", (unsigned long long)lsn);
    power_image_free(image);
    graft_config_deinit(&kit.config);
    graft_test_dir_remove(&kit.dir);
    power_free(power);
}

/* ---- A directory that is copied while it is open ---- */

#define COPIED_PAGES 12U

struct copying {
    struct kit kit;
    struct kit_random random;
    uint64_t version;
};

/* Every commit writes every page, so that a state is right only if all pages are of one version. */
static void go_on(void *arg)
{
    struct copying *self = arg;
    for (uint64_t i = kit_below(&self->random, 4); i > 0; i--) {
        if (kit_below(&self->random, 3) == 0) {
            expect_ok(graft_store_fold(self->kit.store, &self->kit.err), &self->kit.err);
            continue;
        }
        kit_commit(&self->kit, 1, COPIED_PAGES, ++self->version);
    }
}

/* 0: the copy, or a page of it, is called damaged. */
static uint64_t version_of_copy(struct copying *self, const char *path)
{
    uint64_t found = 0;
    struct graft_err err = {0};
    struct graft_store *store = NULL;
    enum graft_rc rc = graft_store_open(self->kit.env, path, &store, &err);
    cr_assert(rc == GRAFT_OK || rc == GRAFT_ECORRUPT, "%s", err.text);
    if (rc != GRAFT_OK)
        return 0;
    struct graft_store_session *session = NULL;
    struct graft_store_snapshot snapshot;
    expect_ok(graft_store_session_open(store, &session, &err), &err);
    expect_ok(graft_store_begin(session, &snapshot, &err), &err);
    for (uint32_t page = 1; page <= COPIED_PAGES && rc == GRAFT_OK; page++) {
        uint8_t bytes[KIT_PAGE_BYTES], wanted[KIT_PAGE_BYTES];
        size_t got = 0;
        rc = graft_store_read(session, page, bytes, &got, &err);
        cr_assert(rc == GRAFT_OK || rc == GRAFT_ECORRUPT, "%s", err.text);
        kit_fill(wanted, sizeof wanted, page, snapshot.lsn);
        cr_assert(rc != GRAFT_OK || memcmp(bytes, wanted, sizeof bytes) == 0,
                  "page %u of the copy is not that of LSN %llu", page,
                  (unsigned long long)snapshot.lsn);
        found = snapshot.lsn;
    }
    graft_store_session_close(session);
    graft_store_close(store);
    return rc == GRAFT_OK ? found : 0;
}

Test(damage, a_copy_of_an_open_directory_is_right_or_called_damaged)
{
    struct copying self = {.random = {77}};
    kit_init(&self.kit, NULL);
    self.kit.store->half_bytes = 32768;
    kit_commit(&self.kit, 1, COPIED_PAGES, ++self.version);
    uint64_t right = 0;
    for (unsigned i = 0; i < kit_scale(60, 600); i++) {
        char path[GRAFT_PATH_BYTES_MAX];
        (void)snprintf(path, sizeof path, "%s/copy%u", self.kit.dir.path, i);
        kit_copy_directory(self.kit.path, path, go_on, &self);
        right += version_of_copy(&self, path) > 0;
        graft_test_remove(path);
    }
    cr_assert_gt(right, 0, "no copy could be used");
    kit_expect_now(&self.kit, 3, self.version);
    kit_deinit(&self.kit);
}
