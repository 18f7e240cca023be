/* A simple model of a volume, its remote and the sessions on it, and random operations on the store
 * that are checked against it. */
#ifndef GRAFT_TESTS_STORE_MODEL_H
#define GRAFT_TESTS_STORE_MODEL_H

#include "kit.h"
#include "power.h"

#define MODEL_PAGES_MAX 48U
#define MODEL_SESSIONS 5U
#define MODEL_REMOTES_MAX 4096U
#define MODEL_HISTORY 4096U

/* One immutable state: what every page is, held or not. */
struct model_state {
    uint64_t lsn, remote_lsn;
    uint32_t page_count;
    uint64_t content[MODEL_PAGES_MAX + 1]; /* version, by page */
    bool ahead[MODEL_PAGES_MAX + 1];       /* changed since the last push */
};

struct model_remote {
    uint32_t page_count;
    uint64_t content[MODEL_PAGES_MAX + 1];
    uint64_t version_lsn[MODEL_PAGES_MAX + 1];
};

struct model_session {
    struct graft_store_session *session;
    bool pinned;
    struct model_state state;
};

struct model {
    struct kit kit;
    struct kit_random random;
    struct model_state head;
    struct model_remote *remotes; /* by remote LSN; [0] is nothing */
    uint64_t newest_remote;
    struct model_session sessions[MODEL_SESSIONS];
    uint64_t next_version;
    uint64_t half_bytes;
    struct power *power;         /* NULL: the real machine */
    struct model_state *history; /* by LSN, modulo MODEL_HISTORY */
    uint64_t durable_lsn;
    struct model_state candidate; /* what the operation under way may bring */
    bool has_candidate, recovering;
    uint64_t candidate_remote; /* what a note under way may bring; 0 none */
    uint64_t images;           /* crashes in the midst of operations that were tried */
    bool trace;
};

void model_init(struct model *model, uint64_t seed, const struct kit_options *options,
                struct power *power);
void model_deinit(struct model *model);
/* One random operation. */
void model_step(struct model *model);
/* Everything that is pinned, and the head, reads as it should. */
void model_check(struct model *model);
/* From now on the machine is now and then copied in the midst of an operation, its power fails or
 * its processes are killed there, and what opens then is checked. */
void model_crash_inside(struct model *model, unsigned rarely);
/* The power fails; what is there then must be a state from the newest durable one on. */
void model_power_fail(struct model *model);
/* Gives up all sessions, and the store with `crash`; opens again. */
void model_reopen(struct model *model, bool crash);

#endif
