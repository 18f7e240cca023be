/* What the store's tests share: a directory with a store in it, and pages whose content says what
 * they are. */
#ifndef GRAFT_TESTS_STORE_KIT_H
#define GRAFT_TESTS_STORE_KIT_H

#include "store/store.h"
#include "support/expect.h"
#include "support/testing.h"

#define KIT_PAGE_BYTES 512U

struct kit {
    struct graft_env *env;
    struct graft_test_dir dir; /* parent */
    char path[GRAFT_PATH_BYTES_MAX];
    struct graft_config config;
    struct graft_store *store;
    struct graft_err err;
};

struct kit_options {
    uint32_t page_bytes; /* 0: KIT_PAGE_BYTES */
    bool variable;
    const char *cache_limit; /* NULL: none */
    struct graft_env *env;   /* NULL: the real one */
};

/* Creates and opens. `options` may be NULL. */
void kit_init(struct kit *kit, const struct kit_options *options);
void kit_deinit(struct kit *kit);
void kit_open(struct kit *kit);
void kit_close(struct kit *kit);
void kit_reopen(struct kit *kit);
/* Ends the use of the store as a killed process would: nothing is folded or marked clean. The
 * memory is given up. */
void kit_crash(struct kit *kit);
struct graft_store_session *kit_session(struct kit *kit);
/* The session's owner dies: its locks go, and nothing else is done. */
void kit_abandon(struct kit *kit, struct graft_store_session *session);

/* The content of version `version` of a page. Version 0 is zeros. */
void kit_fill(void *bytes, size_t size, uint32_t page, uint64_t version);
void kit_write(struct kit *kit, struct graft_store_session *session, uint32_t page,
               uint64_t version);
/* One local commit of version `version` of `count` pages from `first`. */
void kit_commit(struct kit *kit, uint32_t first, uint32_t count, uint64_t version);
void kit_finish(struct kit *kit, struct graft_store_session *session, bool durable);
void kit_pull(struct kit *kit, struct graft_store_session *session, uint64_t remote_lsn);
/* The page reads as this version in the session's snapshot. */
void kit_expect(struct kit *kit, struct graft_store_session *session, uint32_t page,
                uint64_t version);
void kit_expect_not_held(struct kit *kit, struct graft_store_session *session, uint32_t page);
/* The same in a new session. */
void kit_expect_now(struct kit *kit, uint32_t page, uint64_t version);
uint32_t kit_page_count(struct kit *kit);

/* Copies the files one by one; `between` (may be NULL) is called before each. */
void kit_copy_directory(const char *from, const char *to, void (*between)(void *arg), void *arg);

/* A test's size: the first, or with GRAFT_TESTS_LONG in the environment the second. */
uint64_t kit_scale(uint64_t brief, uint64_t full);

struct kit_random {
    uint64_t state;
};
uint64_t kit_random(struct kit_random *random);
uint64_t kit_below(struct kit_random *random, uint64_t bound);

#endif
