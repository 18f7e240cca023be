/* Shared by the engine's test programs. */
#include "engine/fixture.h"

#include <stdio.h>
#include <string.h>

void world_make(struct world *world)
{
    memset(world, 0, sizeof *world);
    graft_test_dir_make(&world->dir);
    snprintf(world->url, sizeof world->url, "file://%s/repo/app", world->dir.path);
}

void world_remove(struct world *world)
{
    graft_test_dir_remove(&world->dir);
}

void replica_open_in(struct replica *replica, struct world *world, struct graft_env *env,
                     const char *name, const char *url)
{
    struct graft_err err = {0};
    memset(replica, 0, sizeof *replica);
    replica->env = env;
    snprintf(replica->directory, sizeof replica->directory, "%s/%s", world->dir.path, name);
    struct graft_volume_options options = {.create = true, .remote_url = url};
    expect_ok(graft_process_new(env, &replica->process, &err), &err);
    expect_ok(
        graft_volume_open(replica->process, replica->directory, &options, &replica->volume, &err),
        &err);
    expect_ok(graft_session_open(replica->volume, &replica->session, &err), &err);
}

void replica_open(struct replica *replica, struct world *world, const char *name, const char *url)
{
    replica_open_in(replica, world, graft_test_env(), name, url);
}

void replica_close(struct replica *replica)
{
    graft_session_close(replica->session);
    graft_volume_close(replica->volume);
    graft_process_free(replica->process);
}

void page_fill(uint8_t *bytes, uint32_t page, uint32_t version)
{
    uint64_t state = ((uint64_t)page << 32 | version) * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (size_t i = 0; i < PAGE_BYTES; i += 8) {
        if (version % 2 == 1 || i == 0) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
        }
        memcpy(bytes + i, &state, 8);
    }
}

void commit_pages(struct replica *replica, uint32_t first, uint32_t count, uint32_t version)
{
    struct graft_err err = {0};
    uint8_t bytes[PAGE_BYTES];
    expect_ok(graft_write_begin(replica->session, &err), &err);
    for (uint32_t i = 0; i < count; i++) {
        page_fill(bytes, first + i, version);
        expect_ok(graft_write_page(replica->session, first + i, bytes, sizeof bytes, &err), &err);
    }
    expect_ok(graft_write_prepare(replica->session, GRAFT_DURABILITY_NONE, NULL, &err), &err);
    graft_write_publish(replica->session);
    graft_session_end(replica->session);
}

void commit_page_count(struct replica *replica, uint32_t count)
{
    struct graft_err err = {0};
    expect_ok(graft_write_begin(replica->session, &err), &err);
    expect_ok(graft_write_truncate(replica->session, count, &err), &err);
    expect_ok(graft_write_prepare(replica->session, GRAFT_DURABILITY_NONE, NULL, &err), &err);
    graft_write_publish(replica->session);
    graft_session_end(replica->session);
}

void expect_page(struct replica *replica, uint32_t page, uint32_t version)
{
    struct graft_err err = {0};
    uint8_t wanted[PAGE_BYTES] = {0};
    uint8_t found[PAGE_BYTES];
    size_t got = 0;
    expect_ok(graft_session_begin(replica->session, NULL, &err), &err);
    expect_ok(graft_session_read(replica->session, page, found, sizeof found, &got, &err), &err);
    graft_session_end(replica->session);
    if (version > 0)
        page_fill(wanted, page, version);
    cr_assert(got == PAGE_BYTES && memcmp(wanted, found, PAGE_BYTES) == 0,
              "page %u is not version %u", page, version);
}

uint32_t page_count(struct replica *replica)
{
    struct graft_err err = {0};
    struct graft_snapshot snapshot;
    expect_ok(graft_session_begin(replica->session, &snapshot, &err), &err);
    graft_session_end(replica->session);
    return snapshot.page_count;
}

struct graft_sync_result push_ok(struct replica *replica)
{
    struct graft_err err = {0};
    struct graft_sync_result result;
    expect_ok(graft_push(replica->volume, &result, &err), &err);
    return result;
}

struct graft_sync_result pull_ok(struct replica *replica)
{
    struct graft_err err = {0};
    struct graft_sync_result result;
    expect_ok(graft_pull(replica->volume, &result, &err), &err);
    return result;
}

struct wanted_stat {
    const char *name;
    uint64_t value;
    bool found;
};

static enum graft_rc find_stat(void *arg, const char *name, uint64_t value)
{
    struct wanted_stat *wanted = arg;
    if (strcmp(name, wanted->name) == 0) {
        wanted->value = value;
        wanted->found = true;
    }
    return GRAFT_OK;
}

uint64_t stat_of(struct replica *replica, const char *name)
{
    struct wanted_stat wanted = {.name = name};
    cr_assert_eq(graft_stats(replica->volume, find_stat, &wanted), GRAFT_OK);
    cr_assert(wanted.found, "no counter %s", name);
    return wanted.value;
}

struct graft_status status_of(struct replica *replica)
{
    struct graft_err err = {0};
    struct graft_status status;
    expect_ok(graft_status(replica->volume, &status, &err), &err);
    return status;
}
