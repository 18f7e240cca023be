/* Replay: every write has a place in time, that of its transaction in the final order; a read at a
 * place saw what stood before it. It needs no version order, but trusts that of the transactions,
 * which the database itself keeps. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "workloads/check.h"

struct write {
    int64_t key;
    size_t place; /* of its transaction, from 1 */
    size_t step;
    int64_t value;
};

struct replay {
    const struct workload_history *history;
    struct workload_verdict *verdict;
    struct write *writes;
    size_t count;
};

static int by_key_and_place(const void *a, const void *b)
{
    const struct write *left = a;
    const struct write *right = b;
    if (left->key != right->key)
        return left->key < right->key ? -1 : 1;
    if (left->place != right->place)
        return left->place < right->place ? -1 : 1;
    return (left->step > right->step) - (left->step < right->step);
}

static size_t count_steps(const struct workload_history *history, const size_t *order, size_t count)
{
    size_t steps = 0;
    for (size_t i = 0; i < count; i++)
        steps += workload_history_at(history, order[i])->step_count;
    return steps;
}

static void list_writes(struct replay *check, const size_t *order, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct workload_record *record = workload_history_at(check->history, order[i]);
        for (size_t k = 0; k < record->step_count; k++) {
            struct workload_step step =
                workload_history_step(check->history, record->first_step + k);
            if (step.kind == WORKLOAD_WRITE || step.kind == WORKLOAD_APPEND)
                check->writes[check->count++] =
                    (struct write){.key = step.key, .place = i + 1, .step = k, .value = step.value};
        }
    }
    if (check->count > 0)
        qsort(check->writes, check->count, sizeof *check->writes, by_key_and_place);
}

/* The number of writes that come before a key, place and step. */
static size_t writes_before(const struct replay *check, const struct write *limit)
{
    size_t low = 0;
    size_t high = check->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (by_key_and_place(&check->writes[middle], limit) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Whether a read by step `at` of the transaction at `place` is what the writes before it left. */
static bool is_as_replayed(const struct replay *check, const struct workload_step *step,
                           size_t place, size_t at)
{
    struct write first = {.key = step->key};
    struct write limit = {.key = step->key, .place = place, .step = at};
    size_t from = writes_before(check, &first);
    size_t to = writes_before(check, &limit);
    if (step->kind == WORKLOAD_READ)
        return step->value == (to > from ? check->writes[to - 1].value : 0);
    const int64_t *values = step->bytes;
    if (step->size / sizeof *values != to - from)
        return false;
    for (size_t i = from; i < to; i++) {
        if (values[i - from] != check->writes[i].value)
            return false;
    }
    return true;
}

/* `place`: its own, or, when it only reads, that behind the newest that it sees. */
static void replay_record(struct replay *check, const struct workload_record *record, size_t place)
{
    for (size_t k = 0; k < record->step_count; k++) {
        struct workload_step step = workload_history_step(check->history, record->first_step + k);
        bool reads = step.kind == WORKLOAD_READ || step.kind == WORKLOAD_READ_LIST;
        if (reads && !is_as_replayed(check, &step, place, record->id != 0 ? k : 0))
            workload_verdict_set(
                check->verdict, "a read is not what the transactions before it left",
                "client %" PRIu32 "'s %s %" PRId64 " on replica %" PRIu32 " (event %" PRIu64
                "), number %zu, read key %" PRId64 " (value %" PRId64 ", %zu elements)",
                record->client, record->id != 0 ? "transaction" : "reading", record->id,
                record->replica, record->invoked, place, step.key, step.value,
                step.size / sizeof(int64_t));
    }
}

/* Behind which transaction of the final state one that only reads stood, from 1; SIZE_MAX when that
 * was dropped. */
static size_t place_of(const struct replay *check, const struct workload_record *record,
                       const size_t *order, size_t count)
{
    struct workload_step step = {.kind = WORKLOAD_READ};
    if (record->step_count > 0)
        step = workload_history_step(check->history, record->first_step);
    if (step.kind != WORKLOAD_AT || step.value < 0 || (uint64_t)step.value > count)
        return SIZE_MAX;
    size_t place = (size_t)step.value;
    bool lasts =
        place == 0 || workload_history_at(check->history, order[place - 1])->id == step.key;
    return lasts ? place : SIZE_MAX;
}

enum graft_rc workload_check_replay(const struct workload_history *history,
                                    struct graft_alloc *alloc, const size_t *order, size_t count,
                                    struct workload_verdict *verdict)
{
    struct replay check = {.history = history, .verdict = verdict};
    check.writes = graft_calloc(alloc, count_steps(history, order, count), sizeof *check.writes);
    if (check.writes == NULL)
        return GRAFT_ENOMEM;
    list_writes(&check, order, count);
    for (size_t i = 0; i < count; i++)
        replay_record(&check, workload_history_at(history, order[i]), i + 1);
    for (size_t i = 0; i < workload_history_count(history); i++) {
        const struct workload_record *record = workload_history_at(history, i);
        bool reads = record->kind == WORKLOAD_TRANSACTION && record->id == 0 &&
                     record->outcome == WORKLOAD_OK;
        size_t place = reads ? place_of(&check, record, order, count) : SIZE_MAX;
        if (place != SIZE_MAX)
            replay_record(&check, record, place + 1);
    }
    graft_free(alloc, check.writes);
    return GRAFT_OK;
}
