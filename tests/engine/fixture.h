/* Replicas over a directory remote, and pages whose content says what they should be. */
#ifndef GRAFT_TESTS_ENGINE_FIXTURE_H
#define GRAFT_TESTS_ENGINE_FIXTURE_H

#include "graft/graft.h"
#include "support/expect.h"
#include "support/testing.h"

#define PAGE_BYTES 4096U

struct replica {
    struct graft_env *env;
    struct graft_process *process;
    struct graft_volume *volume;
    struct graft_session *session;
    char directory[512];
};

struct world {
    struct graft_test_dir dir;
    char url[512];
    struct graft_err err;
};

void world_make(struct world *world);
void world_remove(struct world *world);

/* Opens (making it) the replica `name` of the world's remote; NULL `url` means no remote. */
void replica_open(struct replica *replica, struct world *world, const char *name, const char *url);
void replica_open_in(struct replica *replica, struct world *world, struct graft_env *env,
                     const char *name, const char *url);
void replica_close(struct replica *replica);

/* The content of `page` as version `version`. Incompressible when `version` is odd. */
void page_fill(uint8_t *bytes, uint32_t page, uint32_t version);
/* Commits `count` pages from `first`, as `version`. */
void commit_pages(struct replica *replica, uint32_t first, uint32_t count, uint32_t version);
void commit_page_count(struct replica *replica, uint32_t page_count);
/* Pins, checks that the page has this version (0 = zeros), lets go. */
void expect_page(struct replica *replica, uint32_t page, uint32_t version);
uint32_t page_count(struct replica *replica);
struct graft_sync_result push_ok(struct replica *replica);
struct graft_sync_result pull_ok(struct replica *replica);
uint64_t stat_of(struct replica *replica, const char *name);
struct graft_status status_of(struct replica *replica);

#endif
