/* The kit: a process, a VFS, and clients that think as little as can be said. */
#include "kit.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "support/expect.h"
#include "vfs/vfs.h"

struct kit kit;

/* What clients do is the same in every run, so that what they come to can be expected. */
static void fill(struct graft_rand *rand, void *bytes, size_t count)
{
    (void)rand;
    uint8_t *at = bytes;
    for (size_t i = 0; i < count; i++) {
        uint64_t mixed = atomic_fetch_add(&kit.random, UINT64_C(0x9e3779b97f4a7c15));
        mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
        at[i] = (uint8_t)(mixed >> 32);
    }
}

void kit_init(void)
{
    static const struct graft_rand_ops ops = {.fill = fill};
    static struct graft_rand seeded = {.ops = &ops};
    struct graft_err err = {0};
    atomic_store(&kit.random, 1);
    kit.env = *graft_test_env();
    kit.env.rand = &seeded;
    graft_test_dir_make(&kit.dir);
    expect_ok(graft_process_new(&kit.env, &kit.process, &err), &err);
    expect_ok(graft_vfs_register(kit.process, &kit.env, "graft", NULL, &kit.vfs, &err), &err);
    kit.history = workload_history_new(kit.env.alloc);
    for (uint32_t i = 0; i < 8; i++)
        (void)snprintf(kit.database[i], sizeof kit.database[i],
                       "file:%s/r%u.graft?remote=file://%s/repo/db", kit.dir.path, i, kit.dir.path);
}

void kit_fini(void)
{
    workload_history_free(kit.history);
    graft_vfs_unregister(kit.vfs);
    graft_process_free(kit.process);
    graft_test_dir_remove(&kit.dir);
}

static bool goes_on(void *arg)
{
    (void)arg;
    return kit.transactions_left-- > 0;
}

static void violated(void *arg, const char *signature, const char *details)
{
    (void)arg;
    if (kit.signature[0] != '\0')
        return;
    (void)snprintf(kit.signature, sizeof kit.signature, "%s", signature);
    (void)snprintf(kit.details, sizeof kit.details, "%s", details);
}

struct workload_client kit_client(uint32_t replica, int transactions)
{
    kit.transactions_left = transactions;
    return (struct workload_client){
        .env = &kit.env,
        .vfs = "graft",
        .database = kit.database[replica],
        .number = kit.next_client++,
        .replica = replica,
        .history = kit.history,
        .think_ms = 1,
        .goes_on = goes_on,
        .violated = violated,
    };
}

void kit_sql(uint32_t replica, const char *sql)
{
    sqlite3 *db = NULL;
    int rc = sqlite3_open_v2(kit.database[replica], &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI,
                             "graft");
    cr_assert_eq(rc, SQLITE_OK);
    rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    cr_assert_eq(rc, SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
    cr_assert_eq(sqlite3_close(db), SQLITE_OK);
}
