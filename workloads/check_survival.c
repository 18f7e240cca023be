/* Survival. Every record of a transaction that writes has an id; a survey lists ids. Times are
 * event numbers: what ended before something else began came first, anything else may be either
 * way. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workloads/check.h"

void workload_verdict_set(struct workload_verdict *verdict, const char *signature,
                          const char *format, ...)
{
    if (verdict->signature != NULL)
        return;
    verdict->signature = signature;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(verdict->text, sizeof verdict->text, format, arguments);
    va_end(arguments);
}

struct known {
    int64_t id;
    size_t record;
    uint64_t safe_until; /* when a reset began that can have dropped it */
    size_t place;        /* in the final state, from 1; 0: not there */
    size_t seen_in;      /* the survey that was looked at last and holds it, from 1 */
};

struct survival {
    const struct workload_history *history;
    struct workload_verdict *verdict;
    bool may_lose_commits;
    struct known *known; /* sorted by id */
    size_t known_count;
    size_t *resets; /* their records */
    size_t reset_count;
    size_t final; /* index of the final survey's record */
};

static int by_id(const void *a, const void *b)
{
    int64_t left = ((const struct known *)a)->id;
    int64_t right = ((const struct known *)b)->id;
    return (left > right) - (left < right);
}

static struct known *find(const struct survival *check, int64_t id)
{
    struct known key = {.id = id};
    return check->known_count == 0
               ? NULL
               : bsearch(&key, check->known, check->known_count, sizeof *check->known, by_id);
}

static const struct workload_record *record_of(const struct survival *check, size_t index)
{
    return workload_history_at(check->history, index);
}

static bool is_survey(const struct workload_record *record)
{
    return record->kind == WORKLOAD_SURVEY && record->outcome == WORKLOAD_OK &&
           record->step_count == 1;
}

/* The ids that a survey saw. */
static const int64_t *ids_of(const struct survival *check, size_t index, size_t *count)
{
    struct workload_step step =
        workload_history_step(check->history, record_of(check, index)->first_step);
    *count = step.size / sizeof(int64_t);
    return step.bytes;
}

static uint64_t end_of_safety(const struct survival *check, const struct workload_record *made)
{
    uint64_t until = WORKLOAD_NEVER;
    for (size_t i = 0; i < check->reset_count; i++) {
        const struct workload_record *reset = record_of(check, check->resets[i]);
        if (reset->replica == made->replica && reset->ended > made->invoked &&
            reset->invoked < until)
            until = reset->invoked;
    }
    return until;
}

static void list_known(struct survival *check)
{
    size_t count = workload_history_count(check->history);
    for (size_t i = 0; i < count; i++) {
        if (record_of(check, i)->kind == WORKLOAD_RESET)
            check->resets[check->reset_count++] = i;
    }
    for (size_t i = 0; i < count; i++) {
        const struct workload_record *record = record_of(check, i);
        if (is_survey(record))
            check->final = i;
        if (record->kind != WORKLOAD_TRANSACTION || record->id == 0)
            continue;
        check->known[check->known_count++] = (struct known){
            .id = record->id, .record = i, .safe_until = end_of_safety(check, record)};
    }
    qsort(check->known, check->known_count, sizeof *check->known, by_id);
}

#define WHO "client %" PRIu32 "'s transaction %" PRId64 " on replica %" PRIu32
#define WHO_OF(record) (record)->client, (record)->id, (record)->replica

/* One id that a survey saw: may it be there at all? */
static void judge_seen(struct survival *check, size_t survey, int64_t id)
{
    const struct workload_record *where = record_of(check, survey);
    struct known *known = find(check, id);
    if (known == NULL) {
        workload_verdict_set(check->verdict, "a transaction that nobody made",
                             "replica %" PRIu32 " holds transaction %" PRId64 " at event %" PRIu64,
                             where->replica, id, where->invoked);
        return;
    }
    const struct workload_record *made = record_of(check, known->record);
    if (known->seen_in == survey + 1)
        workload_verdict_set(check->verdict, "a transaction took effect twice",
                             WHO ", seen on replica %" PRIu32 " at event %" PRIu64, WHO_OF(made),
                             where->replica, where->invoked);
    if (made->outcome == WORKLOAD_FAILED || made->invoked > where->ended)
        workload_verdict_set(check->verdict, "a transaction that failed took effect",
                             WHO " (event %" PRIu64 "), seen on replica %" PRIu32
                                 " at event %" PRIu64,
                             WHO_OF(made), made->ended, where->replica, where->invoked);
    if (made->replica != where->replica && known->place == 0)
        workload_verdict_set(check->verdict, "what another replica saw is lost",
                             WHO ", seen on replica %" PRIu32 " at event %" PRIu64
                                 ", is not in the final state",
                             WHO_OF(made), where->replica, where->invoked);
    known->seen_in = survey + 1;
}

/* One transaction that a survey did not see: should it have? */
static void judge_missing(struct survival *check, size_t survey, const struct known *known)
{
    const struct workload_record *where = record_of(check, survey);
    const struct workload_record *made = record_of(check, known->record);
    bool before = made->outcome == WORKLOAD_OK && made->ended < where->invoked &&
                  made->replica == where->replica;
    if (!before || check->may_lose_commits)
        return;
    if (where->ended < known->safe_until)
        workload_verdict_set(check->verdict, "an acknowledged commit is lost",
                             WHO ", acknowledged at event %" PRIu64
                                 ", is not there at event %" PRIu64,
                             WHO_OF(made), made->ended, where->invoked);
    else if (known->place != 0)
        workload_verdict_set(check->verdict, "a dropped commit came back",
                             WHO " was gone at event %" PRIu64 " and is in the final state",
                             WHO_OF(made), where->invoked);
}

/* The survey is a beginning of the final state, then what nobody else has. */
static void judge_order(struct survival *check, size_t survey)
{
    size_t count = 0;
    const int64_t *ids = ids_of(check, survey, &count);
    const struct workload_record *where = record_of(check, survey);
    bool follows = true;
    for (size_t i = 0; i < count; i++) {
        const struct known *known = find(check, ids[i]);
        if (known == NULL)
            continue;
        if (follows && known->place == i + 1)
            continue;
        follows = false;
        if (known->place != 0)
            workload_verdict_set(check->verdict, "replicas disagree on the order of transactions",
                                 WHO " is number %zu of replica %" PRIu32 " at event %" PRIu64
                                     ", and number %zu in the final state",
                                 WHO_OF(record_of(check, known->record)), i + 1, where->replica,
                                 where->invoked, known->place);
    }
}

static void judge_survey(struct survival *check, size_t survey)
{
    size_t count = 0;
    const int64_t *ids = ids_of(check, survey, &count);
    for (size_t i = 0; i < count; i++)
        judge_seen(check, survey, ids[i]);
    for (size_t i = 0; i < check->known_count; i++) {
        if (check->known[i].seen_in != survey + 1)
            judge_missing(check, survey, &check->known[i]);
    }
    judge_order(check, survey);
}

/* An acknowledged push carries all that was acknowledged on the replica before it. */
static void judge_push(struct survival *check, const struct workload_record *push)
{
    for (size_t i = 0; i < check->known_count; i++) {
        const struct known *known = &check->known[i];
        const struct workload_record *made = record_of(check, known->record);
        bool carried = made->outcome == WORKLOAD_OK && made->replica == push->replica &&
                       made->ended < push->invoked && push->ended < known->safe_until;
        if (carried && known->place == 0 && !check->may_lose_commits)
            workload_verdict_set(check->verdict, "a pushed commit is lost",
                                 WHO ", pushed at event %" PRIu64 ", is not in the final state",
                                 WHO_OF(made), push->ended);
    }
}

static bool same_ids(struct survival *check, size_t a, size_t b)
{
    size_t left_count = 0;
    size_t right_count = 0;
    const int64_t *left = ids_of(check, a, &left_count);
    const int64_t *right = ids_of(check, b, &right_count);
    return left_count == right_count &&
           (left_count == 0 || memcmp(left, right, left_count * sizeof *left) == 0);
}

static bool is_newest_of_replica(struct survival *check, size_t survey)
{
    for (size_t i = survey + 1; i < workload_history_count(check->history); i++) {
        const struct workload_record *later = record_of(check, i);
        if (is_survey(later) && later->replica == record_of(check, survey)->replica)
            return false;
    }
    return true;
}

static void judge_all(struct survival *check)
{
    size_t count = 0;
    const int64_t *ids = ids_of(check, check->final, &count);
    for (size_t i = 0; i < count; i++) {
        struct known *known = find(check, ids[i]);
        if (known != NULL)
            known->place = i + 1;
    }
    for (size_t i = 0; i < workload_history_count(check->history); i++) {
        const struct workload_record *record = record_of(check, i);
        if (record->kind == WORKLOAD_PUSH && record->outcome == WORKLOAD_OK)
            judge_push(check, record);
        if (!is_survey(record))
            continue;
        judge_survey(check, i);
        if (is_newest_of_replica(check, i) && !same_ids(check, i, check->final))
            workload_verdict_set(check->verdict, "replicas differ in the end",
                                 "replica %" PRIu32 " at event %" PRIu64 " and replica %" PRIu32
                                 " at event %" PRIu64,
                                 record->replica, record->invoked,
                                 record_of(check, check->final)->replica,
                                 record_of(check, check->final)->invoked);
    }
}

enum graft_rc workload_check_survival(const struct workload_history *history,
                                      struct graft_alloc *alloc, bool may_lose_commits,
                                      size_t **order, size_t *count,
                                      struct workload_verdict *verdict)
{
    size_t record_count = workload_history_count(history);
    struct survival check = {
        .history = history,
        .verdict = verdict,
        .may_lose_commits = may_lose_commits,
        .final = record_count,
    };
    size_t *found = NULL;
    check.known = graft_calloc(alloc, record_count, sizeof *check.known);
    check.resets = graft_calloc(alloc, record_count, sizeof *check.resets);
    if (check.known == NULL || check.resets == NULL) {
        graft_free(alloc, check.known);
        graft_free(alloc, check.resets);
        return GRAFT_ENOMEM;
    }
    list_known(&check);
    size_t found_count = 0;
    if (check.final < record_count) {
        judge_all(&check);
        const int64_t *ids = ids_of(&check, check.final, &found_count);
        found = graft_calloc(alloc, found_count, sizeof *found);
        for (size_t i = 0; found != NULL && i < found_count; i++) {
            const struct known *known = find(&check, ids[i]);
            found[i] = known == NULL ? 0 : known->record;
        }
    }
    graft_free(alloc, check.known);
    graft_free(alloc, check.resets);
    if (check.final < record_count && found == NULL)
        return GRAFT_ENOMEM;
    if (verdict->signature != NULL)
        graft_free(alloc, found);
    else {
        *order = found;
        *count = found_count;
    }
    return GRAFT_OK;
}
