/* The story: a small language for histories. */
#include "story.h"

#include <stdio.h>
#include <string.h>

struct story story;

void story_begin(void)
{
    memset(&story, 0, sizeof story);
    story.history = workload_history_new(graft_test_env()->alloc);
}

void story_end(void)
{
    cr_expect_not(workload_history_failed(story.history));
    workload_history_free(story.history);
}

void story_invoke(uint32_t client, enum workload_kind kind, int64_t id)
{
    workload_history_invoke(story.history, client, client / 10, kind, id);
}

void story_close(uint32_t client, enum workload_outcome outcome)
{
    workload_history_end(story.history, client, outcome);
}

void story_did(uint32_t client, enum workload_kind kind, int64_t id, enum workload_outcome outcome)
{
    story_invoke(client, kind, id);
    story_close(client, outcome);
}

static const char *one_step(const char *at, struct workload_step *step, int64_t *list)
{
    static const char letters[] = "alwr";
    static const enum workload_step_kind kinds[] = {WORKLOAD_APPEND, WORKLOAD_READ_LIST,
                                                    WORKLOAD_WRITE, WORKLOAD_READ};
    int used = 0;
    long long key = 0;
    long long value = 0;
    size_t count = 0;
    char letter = '\0';
    cr_assert_eq(sscanf(at, "%c%lld=%n", &letter, &key, &used), 2, "%s", at);
    *step = (struct workload_step){.kind = kinds[strchr(letters, letter) - letters], .key = key};
    for (at += used; *at != '\0' && *at != ' '; at += used) {
        cr_assert_eq(sscanf(at, "%lld%n", &value, &used), 1, "%s", at);
        used += at[used] == ',';
        list[count++] = value;
    }
    if (step->kind == WORKLOAD_READ_LIST) {
        step->bytes = list;
        step->size = count * sizeof *list;
    } else {
        step->value = value;
    }
    return at + strspn(at, " ");
}

void story_steps(uint32_t client, const char *steps)
{
    struct workload_step list[16];
    int64_t values[16][16];
    size_t count = 0;
    while (*steps != '\0') {
        steps = one_step(steps, &list[count], values[count]);
        count++;
    }
    workload_history_did(story.history, client, list, count);
}

void story_transaction(uint32_t client, int64_t id, const char *steps)
{
    if (id > 0)
        story.order[story.order_count++] = workload_history_count(story.history);
    story_invoke(client, WORKLOAD_TRANSACTION, id);
    story_steps(client, steps);
    story_close(client, WORKLOAD_OK);
}

void story_survey(uint32_t client, const int64_t *ids, size_t count)
{
    struct workload_step step = {.kind = WORKLOAD_SEEN, .bytes = ids, .size = count * sizeof *ids};
    story_invoke(client, WORKLOAD_SURVEY, 0);
    workload_history_did(story.history, client, &step, 1);
    story_close(client, WORKLOAD_OK);
}

struct workload_verdict story_survival(bool may_lose_commits)
{
    struct workload_verdict verdict = {.signature = NULL};
    size_t *order = NULL;
    size_t count = 0;
    struct graft_alloc *alloc = graft_test_env()->alloc;
    cr_assert_eq(
        workload_check_survival(story.history, alloc, may_lose_commits, &order, &count, &verdict),
        GRAFT_OK);
    graft_free(alloc, order);
    return verdict;
}

struct workload_verdict story_serial(void)
{
    struct workload_verdict verdict = {.signature = NULL};
    cr_assert_eq(workload_check_serial(story.history, graft_test_env()->alloc, story.order,
                                       story.order_count, true, &verdict),
                 GRAFT_OK);
    return verdict;
}

struct workload_verdict story_replay(void)
{
    struct workload_verdict verdict = {.signature = NULL};
    cr_assert_eq(workload_check_replay(story.history, graft_test_env()->alloc, story.order,
                                       story.order_count, &verdict),
                 GRAFT_OK);
    return verdict;
}

void story_expect(struct workload_verdict verdict, const char *signature)
{
    if (signature[0] == '\0')
        cr_assert_null(verdict.signature, "%s: %s", verdict.signature, verdict.text);
    else
        cr_assert(verdict.signature != NULL && strcmp(verdict.signature, signature) == 0,
                  "expected '%s', found '%s': %s", signature,
                  verdict.signature == NULL ? "nothing" : verdict.signature, verdict.text);
}
