/* Histories made by hand: short words for what clients did. Events happen in the order of calls. */
#ifndef GRAFT_TESTS_WORKLOADS_STORY_H
#define GRAFT_TESTS_WORKLOADS_STORY_H

#include <criterion/criterion.h>

#include "support/testing.h"
#include "workloads/check.h"
#include "workloads/history.h"

struct story {
    struct workload_history *history;
    size_t order[64]; /* records of the final state, for checks that are given one */
    size_t order_count;
};

extern struct story story;

void story_begin(void);
void story_end(void);

/* A client of replica `client` / 10, so that clients 0 to 9 share replica 0. */
void story_invoke(uint32_t client, enum workload_kind kind, int64_t id);
void story_close(uint32_t client, enum workload_outcome outcome);
/* Invoked and closed at once, with no steps. */
void story_did(uint32_t client, enum workload_kind kind, int64_t id, enum workload_outcome outcome);

/* The same for a transaction with the steps of a text: "a1=5" appends 5 to list 1, "l1=5,6" reads
 * it, "w1=5" writes register 1, "r1=5" reads it; words are separated by spaces. */
void story_steps(uint32_t client, const char *steps);
/* One whole transaction; with id > 0 it is in the final state, when it ended well. */
void story_transaction(uint32_t client, int64_t id, const char *steps);
void story_survey(uint32_t client, const int64_t *ids, size_t count);

/* Verdicts on the story so far. */
struct workload_verdict story_survival(bool may_lose_commits);
struct workload_verdict story_serial(void);
struct workload_verdict story_replay(void);
/* "" expects none. */
void story_expect(struct workload_verdict verdict, const char *signature);

#define SURVEY(client, ...)                                \
    story_survey((client), (const int64_t[]){__VA_ARGS__}, \
                 sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

#endif
