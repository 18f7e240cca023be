/* See kit.h. A crash within the process is a close of all files, without the store's own closing:
 * what the system has in its cache stays, as when a process is killed. */
#include "kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/parts.h"

void kit_open(struct kit *kit)
{
    expect_ok(graft_store_open(kit->env, kit->path, &kit->store, &kit->err), &kit->err);
}

void kit_close(struct kit *kit)
{
    graft_store_close(kit->store);
    kit->store = NULL;
}

void kit_crash(struct kit *kit)
{
    graft_store_free(kit->store);
    kit->store = NULL;
}

void kit_reopen(struct kit *kit)
{
    kit_close(kit);
    kit_open(kit);
}

void kit_init(struct kit *kit, const struct kit_options *options)
{
    static const struct kit_options defaults;
    if (options == NULL)
        options = &defaults;
    *kit = (struct kit){.env = options->env != NULL ? options->env : graft_test_env()};
    graft_test_dir_make(&kit->dir);
    (void)snprintf(kit->path, sizeof kit->path, "%s/db", kit->dir.path);
    graft_config_init(&kit->config, graft_test_env()->alloc);
    for (unsigned i = 0; i < 16; i++)
        kit->config.volume.bytes[i] = (uint8_t)(i * 7 + 1);
    kit->config.page_bytes = options->page_bytes != 0 ? options->page_bytes : KIT_PAGE_BYTES;
    kit->config.variable = options->variable;
    if (options->cache_limit != NULL)
        expect_ok(graft_config_set(&kit->config, GRAFT_CACHE_LIMIT_SETTING, options->cache_limit),
                  &kit->err);
    expect_ok(graft_store_create(kit->env, kit->path, &kit->config, &kit->err), &kit->err);
    kit_open(kit);
}

void kit_deinit(struct kit *kit)
{
    graft_store_close(kit->store);
    graft_config_deinit(&kit->config);
    graft_test_dir_remove(&kit->dir);
}

struct graft_store_session *kit_session(struct kit *kit)
{
    struct graft_store_session *session = NULL;
    expect_ok(graft_store_session_open(kit->store, &session, &kit->err), &kit->err);
    return session;
}

void kit_abandon(struct kit *kit, struct graft_store_session *session)
{
    graft_txn_deinit(&session->txn, kit->store);
    graft_locks_close(session->locks);
    graft_stream_deinit(&session->stream, kit->env->alloc);
    graft_free(kit->env->alloc, session);
}

uint64_t kit_scale(uint64_t brief, uint64_t full)
{
    return getenv("GRAFT_TESTS_LONG") != NULL ? full : brief;
}

uint64_t kit_random(struct kit_random *random)
{
    random->state ^= random->state << 13;
    random->state ^= random->state >> 7;
    random->state ^= random->state << 17;
    return random->state * UINT64_C(2685821657736338717);
}

uint64_t kit_below(struct kit_random *random, uint64_t bound)
{
    return (kit_random(random) >> 11) % bound;
}

void kit_fill(void *bytes, size_t size, uint32_t page, uint64_t version)
{
    memset(bytes, 0, size);
    if (version == 0)
        return;
    struct kit_random random = {page * UINT64_C(0x9e3779b97f4a7c15) ^ (version + 1) << 20};
    uint8_t *out = bytes;
    for (size_t i = 0; i + 8 <= size; i += 8) {
        uint64_t word = kit_random(&random);
        memcpy(out + i, &word, 8);
    }
}

void kit_write(struct kit *kit, struct graft_store_session *session, uint32_t page,
               uint64_t version)
{
    uint8_t bytes[GRAFT_PAGE_BYTES_MAX];
    uint32_t size = graft_store_page_bytes(kit->store);
    kit_fill(bytes, size, page, version);
    expect_ok(graft_store_write(session, page, bytes, size, &kit->err), &kit->err);
}

void kit_finish(struct kit *kit, struct graft_store_session *session, bool durable)
{
    struct graft_store_commit commit = {
        .kind = GRAFT_COMMIT_LOCAL, .durable = durable, .time_ms = 1};
    expect_ok(graft_store_prepare(session, &commit, &kit->err), &kit->err);
    graft_store_publish(session);
}

void kit_pull(struct kit *kit, struct graft_store_session *session, uint64_t remote_lsn)
{
    struct graft_sync_state state;
    expect_ok(graft_store_sync_state(kit->store, &state, &kit->err), &kit->err);
    state.remote_lsn = remote_lsn;
    struct graft_store_commit commit = {
        .kind = GRAFT_COMMIT_PULL, .durable = true, .sync = &state, .time_ms = 1};
    expect_ok(graft_store_prepare(session, &commit, &kit->err), &kit->err);
    graft_store_publish(session);
}

void kit_commit(struct kit *kit, uint32_t first, uint32_t count, uint64_t version)
{
    struct graft_store_session *session = kit_session(kit);
    expect_ok(graft_store_write_begin(session, &kit->err), &kit->err);
    for (uint32_t i = 0; i < count; i++)
        kit_write(kit, session, first + i, version);
    kit_finish(kit, session, true);
    graft_store_session_close(session);
}

void kit_expect(struct kit *kit, struct graft_store_session *session, uint32_t page,
                uint64_t version)
{
    uint8_t bytes[GRAFT_PAGE_BYTES_MAX], wanted[GRAFT_PAGE_BYTES_MAX];
    size_t got = 0;
    expect_ok(graft_store_read(session, page, bytes, &got, &kit->err), &kit->err);
    uint32_t size = graft_store_page_bytes(kit->store);
    kit_fill(wanted, size, page, version);
    cr_assert(got == size && memcmp(bytes, wanted, size) == 0, "page %u is not version %llu", page,
              (unsigned long long)version);
}

void kit_expect_not_held(struct kit *kit, struct graft_store_session *session, uint32_t page)
{
    uint8_t bytes[GRAFT_PAGE_BYTES_MAX];
    size_t got = 0;
    expect_rc(graft_store_read(session, page, bytes, &got, &kit->err), GRAFT_ENOTHELD, &kit->err);
}

void kit_expect_now(struct kit *kit, uint32_t page, uint64_t version)
{
    struct graft_store_session *session = kit_session(kit);
    struct graft_store_snapshot snapshot;
    expect_ok(graft_store_begin(session, &snapshot, &kit->err), &kit->err);
    kit_expect(kit, session, page, version);
    graft_store_session_close(session);
}

uint32_t kit_page_count(struct kit *kit)
{
    struct graft_store_session *session = kit_session(kit);
    struct graft_store_snapshot snapshot;
    expect_ok(graft_store_begin(session, &snapshot, &kit->err), &kit->err);
    graft_store_session_close(session);
    return snapshot.page_count;
}

static void copy_file(const char *from, const char *to)
{
    static uint8_t bytes[1 << 16];
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    cr_assert(in != NULL && out != NULL, "copying %s", from);
    size_t got = 0;
    while ((got = fread(bytes, 1, sizeof bytes, in)) > 0)
        cr_assert(fwrite(bytes, 1, got, out) == got);
    (void)fclose(in);
    cr_assert(fclose(out) == 0);
}

void kit_copy_directory(const char *from, const char *to, void (*between)(void *arg), void *arg)
{
    static const char *const names[] = {"config", "image", "log.0", "log.1", "table", "lock"};
    char source[GRAFT_PATH_BYTES_MAX + 16], target[GRAFT_PATH_BYTES_MAX + 16];
    struct graft_err err = {0};
    expect_ok(graft_disk_make_directories(graft_test_env()->disk, to, &err), &err);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (between != NULL)
            between(arg);
        (void)snprintf(source, sizeof source, "%s/%s", from, names[i]);
        (void)snprintf(target, sizeof target, "%s/%s", to, names[i]);
        copy_file(source, target);
    }
}
