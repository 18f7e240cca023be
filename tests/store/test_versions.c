/* Files of a later version are refused by name, and work again once they are what they were. */
#include <stdio.h>
#include <string.h>

#include "base/checksum.h"
#include "store/kit.h"

static struct kit kit;

static void setup(void)
{
    kit_init(&kit, NULL);
    kit_commit(&kit, 1, 3, 1);
    kit_close(&kit);
}

static void teardown(void)
{
    kit_deinit(&kit);
}

TestSuite(versions, .init = setup, .fini = teardown);

/* Writes the version that stands at `at` in the first bytes of a file, and the checksum of what is
 * before `sum_at` there. */
static void set_version(const char *name, size_t at, uint8_t version, size_t sum_at)
{
    struct graft_err err = {0};
    struct graft_file *file = NULL;
    uint8_t bytes[64];
    size_t got = 0;
    char path[GRAFT_PATH_BYTES_MAX];
    snprintf(path, sizeof path, "%s/%s", kit.path, name);
    expect_ok(graft_disk_open(kit.env->disk, path, GRAFT_OPEN_WRITE, &file, &err), &err);
    expect_ok(graft_file_read(file, 0, bytes, sizeof bytes, &got, &err), &err);
    cr_assert_eq(got, sizeof bytes);
    cr_assert(bytes[at] == 1 || bytes[at] == 2);
    bytes[at] = version;
    uint64_t sum = graft_checksum64(bytes, sum_at, 0);
    for (unsigned i = 0; i < 8; i++)
        bytes[sum_at + i] = (uint8_t)(sum >> 8 * i);
    expect_ok(graft_file_write(file, 0, bytes, sizeof bytes, &err), &err);
    graft_file_close(file);
}

static void expect_refused(const char *name)
{
    struct graft_store *store = NULL;
    expect_rc(graft_store_open(kit.env, kit.path, &store, &kit.err), GRAFT_EVERSION, &kit.err);
    cr_assert(strstr(kit.err.text, name) != NULL, "%s", kit.err.text);
    cr_assert(strstr(kit.err.text, "newer version") != NULL, "%s", kit.err.text);
}

static void expect_good(void)
{
    kit_open(&kit);
    kit_expect_now(&kit, 2, 1);
}

Test(versions, a_table_of_a_later_version_is_refused)
{
    set_version("table", 8, 2, 32);
    expect_refused("table");
    set_version("table", 8, 1, 32);
    expect_good();
}

/* Which of the two halves is in use after a close is the store's business. */
static const char *live_half(void)
{
    struct graft_err err = {0};
    struct graft_file *file = NULL;
    char path[GRAFT_PATH_BYTES_MAX];
    uint64_t bytes = 0;
    snprintf(path, sizeof path, "%s/log.0", kit.path);
    expect_ok(graft_disk_open(kit.env->disk, path, GRAFT_OPEN_READ, &file, &err), &err);
    expect_ok(graft_file_size(file, &bytes, &err), &err);
    graft_file_close(file);
    return bytes > 0 ? "log.0" : "log.1";
}

Test(versions, a_log_of_a_later_version_is_refused)
{
    const char *name = live_half();
    set_version(name, 8, 2, 56);
    expect_refused(name);
    set_version(name, 8, 1, 56);
    expect_good();
}

Test(versions, a_config_of_a_later_version_is_refused)
{
    struct graft_err err = {0};
    struct graft_file *file = NULL;
    char path[GRAFT_PATH_BYTES_MAX];
    uint8_t version = 2;
    snprintf(path, sizeof path, "%s/config", kit.path);
    expect_ok(graft_disk_open(kit.env->disk, path, GRAFT_OPEN_WRITE, &file, &err), &err);
    expect_ok(graft_file_write(file, 8, &version, 1, &err), &err);
    expect_refused("config");
    version = 1;
    expect_ok(graft_file_write(file, 8, &version, 1, &err), &err);
    graft_file_close(file);
    expect_good();
}
