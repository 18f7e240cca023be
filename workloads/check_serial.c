/* From a history to a graph: which transactions count, what each read saw, in which order versions
 * came, and the edges that follow. Values are written once, so that a value names its writer. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workloads/check_cycle.h"

#define NO_NODE UINT32_MAX

enum fate {
    NOT_A_WRITER, /* it only reads, or is no transaction */
    LASTS,        /* in the final state */
    LOST,         /* dropped, or never known to be there */
    FAILED,       /* certainly without effect */
};

struct write {
    int64_t key;
    int64_t value;
    size_t record;
    bool is_last; /* of its transaction's writes to the key */
};

/* What a transaction saw of a key before it wrote the key itself. */
struct seen {
    int64_t key;
    int64_t value;         /* register */
    const int64_t *values; /* list, whole */
    size_t count;          /* elements before the transaction's own */
    size_t total;          /* with them */
    uint32_t node;
    bool is_list;
};

/* A register's version that replaced another. */
struct change {
    int64_t key;
    int64_t from;
    int64_t to;
    uint32_t node;
};

struct serial {
    const struct workload_history *history;
    struct graft_alloc *alloc;
    struct workload_verdict *verdict;
    enum fate *fates; /* of each record */
    uint32_t *nodes;  /* of each record; NO_NODE: it does not count */
    size_t *records;  /* of each node */
    uint32_t node_count;
    struct graft_buf writes;  /* struct write, by key and value */
    struct graft_buf seen;    /* struct seen */
    struct graft_buf changes; /* struct change */
    struct graft_buf edges;
    bool out_of_memory;
};

static const struct workload_record *record_at(const struct serial *check, size_t index)
{
    return workload_history_at(check->history, index);
}

static void add(struct serial *check, struct graft_buf *buf, const void *item, size_t size)
{
    if (graft_buf_append(buf, item, size) != GRAFT_OK)
        check->out_of_memory = true;
}

static void name_record(const struct workload_record *record, char *out, size_t size)
{
    (void)snprintf(out, size,
                   "client %" PRIu32 "'s %s %" PRId64 " on replica %" PRIu32 " (event %" PRIu64 ")",
                   record->client, record->id != 0 ? "transaction" : "reading", record->id,
                   record->replica, record->invoked);
}

static void name_node(const void *arg, uint32_t node, char *out, size_t size)
{
    const struct serial *check = arg;
    name_record(record_at(check, check->records[node]), out, size);
}

/* ---- Who wrote what ---- */

static int by_key_and_value(const void *a, const void *b)
{
    const struct write *left = a;
    const struct write *right = b;
    if (left->key != right->key)
        return left->key < right->key ? -1 : 1;
    return (left->value > right->value) - (left->value < right->value);
}

static const struct write *writer_of(const struct serial *check, int64_t key, int64_t value)
{
    struct write wanted = {.key = key, .value = value};
    size_t count = check->writes.size / sizeof wanted;
    return count == 0
               ? NULL
               : bsearch(&wanted, check->writes.bytes, count, sizeof wanted, by_key_and_value);
}

static bool is_write(enum workload_step_kind kind)
{
    return kind == WORKLOAD_WRITE || kind == WORKLOAD_APPEND;
}

static bool is_last_write(const struct serial *check, const struct workload_record *record,
                          size_t step, int64_t key)
{
    for (size_t i = step + 1; i < record->step_count; i++) {
        struct workload_step later = workload_history_step(check->history, record->first_step + i);
        if (is_write(later.kind) && later.key == key)
            return false;
    }
    return true;
}

static void list_writes(struct serial *check)
{
    for (size_t i = 0; i < workload_history_count(check->history); i++) {
        const struct workload_record *record = record_at(check, i);
        for (size_t k = 0; k < record->step_count; k++) {
            struct workload_step step =
                workload_history_step(check->history, record->first_step + k);
            if (!is_write(step.kind))
                continue;
            struct write write = {.key = step.key,
                                  .value = step.value,
                                  .record = i,
                                  .is_last = is_last_write(check, record, k, step.key)};
            add(check, &check->writes, &write, sizeof write);
        }
    }
    if (check->writes.size > 0)
        qsort(check->writes.bytes, check->writes.size / sizeof(struct write), sizeof(struct write),
              by_key_and_value);
}

/* ---- What was seen ---- */

/* The newest step before `step` of the same transaction that fixes what the key holds, whole; the
 * elements that it appended since are counted. */
static bool known_before(const struct serial *check, const struct workload_record *record,
                         size_t step, int64_t key, struct workload_step *out, size_t *appended)
{
    *appended = 0;
    for (size_t i = step; i > 0; i--) {
        struct workload_step before =
            workload_history_step(check->history, record->first_step + i - 1);
        if (before.key != key)
            continue;
        if (before.kind == WORKLOAD_APPEND) {
            ++*appended;
        } else if (before.kind == WORKLOAD_READ || before.kind == WORKLOAD_READ_LIST ||
                   before.kind == WORKLOAD_WRITE) {
            *out = before;
            return true;
        }
    }
    return false;
}

/* Whether the last elements of the list are what the transaction itself appended last. */
static bool ends_with_own(const struct serial *check, const struct workload_record *record,
                          size_t step, const struct workload_step *read, size_t appended)
{
    const int64_t *values = read->bytes;
    size_t count = read->size / sizeof *values;
    if (count < appended)
        return false;
    for (size_t i = step; i > 0 && appended > 0; i--) {
        struct workload_step before =
            workload_history_step(check->history, record->first_step + i - 1);
        if (before.kind != WORKLOAD_APPEND || before.key != read->key)
            continue;
        if (values[--count] != before.value)
            return false;
        appended--;
    }
    return true;
}

static void contradicts_itself(struct serial *check, const struct workload_record *record,
                               int64_t key)
{
    char who[160];
    name_record(record, who, sizeof who);
    workload_verdict_set(check->verdict, "a transaction does not see what itself did or saw",
                         "%s, key %" PRId64, who, key);
}

static void see_register(struct serial *check, const struct workload_record *record, size_t step,
                         const struct workload_step *read, uint32_t node)
{
    struct workload_step before = {.kind = WORKLOAD_READ};
    size_t appended = 0;
    if (known_before(check, record, step, read->key, &before, &appended)) {
        if (before.value != read->value)
            contradicts_itself(check, record, read->key);
        return;
    }
    struct seen seen = {.key = read->key, .value = read->value, .node = node};
    add(check, &check->seen, &seen, sizeof seen);
}

static void see_list(struct serial *check, const struct workload_record *record, size_t step,
                     const struct workload_step *read, uint32_t node)
{
    struct workload_step before = {.kind = WORKLOAD_READ};
    size_t appended = 0;
    size_t total = read->size / sizeof(int64_t);
    bool known = known_before(check, record, step, read->key, &before, &appended);
    bool good = ends_with_own(check, record, step, read, appended);
    if (good && known)
        good = before.size / sizeof(int64_t) + appended == total &&
               (before.size == 0 || memcmp(before.bytes, read->bytes, before.size) == 0);
    if (!good)
        contradicts_itself(check, record, read->key);
    struct seen seen = {.key = read->key,
                        .values = read->bytes,
                        .count = total - appended,
                        .total = total,
                        .node = node,
                        .is_list = true};
    if (good && !known)
        add(check, &check->seen, &seen, sizeof seen);
}

static void note_changes(struct serial *check, const struct workload_record *record, size_t step,
                         const struct workload_step *write, uint32_t node)
{
    struct workload_step before = {.kind = WORKLOAD_READ};
    size_t appended = 0;
    if (write->kind != WORKLOAD_WRITE ||
        !known_before(check, record, step, write->key, &before, &appended))
        return;
    struct change change = {
        .key = write->key, .from = before.value, .to = write->value, .node = node};
    add(check, &check->changes, &change, sizeof change);
}

static void look_at(struct serial *check, uint32_t node)
{
    const struct workload_record *record = record_at(check, check->records[node]);
    for (size_t i = 0; i < record->step_count; i++) {
        struct workload_step step = workload_history_step(check->history, record->first_step + i);
        if (step.kind == WORKLOAD_READ)
            see_register(check, record, i, &step, node);
        else if (step.kind == WORKLOAD_READ_LIST)
            see_list(check, record, i, &step, node);
        else
            note_changes(check, record, i, &step, node);
    }
}

/* ---- May it have been seen? ---- */

static void complain_of_value(struct serial *check, const char *signature,
                              const struct workload_record *reader, int64_t key, int64_t value)
{
    char who[160];
    name_record(reader, who, sizeof who);
    workload_verdict_set(check->verdict, signature, "%s read %" PRId64 " of key %" PRId64, who,
                         value, key);
}

/* One value that a record read; `newest`: it is the version that was read. False when the reading
 * is of a state that its replica dropped. */
static bool judge_value(struct serial *check, size_t reader_index, int64_t key, int64_t value,
                        bool newest)
{
    const struct workload_record *reader = record_at(check, reader_index);
    const struct write *write = writer_of(check, key, value);
    if (write == NULL) {
        complain_of_value(check, "a value that nobody wrote", reader, key, value);
        return true;
    }
    const struct workload_record *writer = record_at(check, write->record);
    enum fate fate = check->fates[write->record];
    if (fate == FAILED)
        complain_of_value(check, "G1a: a read of what failed", reader, key, value);
    if (newest && !write->is_last && write->record != reader_index)
        complain_of_value(check, "G1b: a read of what its writer wrote over", reader, key, value);
    if (fate != LOST)
        return true;
    if (check->fates[reader_index] == LASTS || writer->replica != reader->replica)
        complain_of_value(check, "G1a: a read of what was dropped, by one that was not", reader,
                          key, value);
    return false;
}

static bool judge_step(struct serial *check, size_t reader, const struct workload_step *step)
{
    if (step->kind == WORKLOAD_READ)
        return step->value == 0 || judge_value(check, reader, step->key, step->value, true);
    if (step->kind != WORKLOAD_READ_LIST)
        return true;
    const int64_t *values = step->bytes;
    size_t count = step->size / sizeof *values;
    bool counts = true;
    for (size_t i = 0; i < count; i++)
        counts = judge_value(check, reader, step->key, values[i], i + 1 == count) && counts;
    return counts;
}

static bool judge_reads(struct serial *check, size_t index)
{
    const struct workload_record *record = record_at(check, index);
    bool counts = true;
    for (size_t i = 0; i < record->step_count; i++) {
        struct workload_step step = workload_history_step(check->history, record->first_step + i);
        counts = judge_step(check, index, &step) && counts;
    }
    return counts;
}

static enum fate fate_of(const struct workload_record *record)
{
    if (record->kind != WORKLOAD_TRANSACTION || record->id == 0)
        return NOT_A_WRITER;
    return record->outcome == WORKLOAD_FAILED ? FAILED : LOST;
}

static void choose_nodes(struct serial *check, const size_t *order, size_t count)
{
    size_t record_count = workload_history_count(check->history);
    for (size_t i = 0; i < record_count; i++)
        check->fates[i] = fate_of(record_at(check, i));
    for (size_t i = 0; i < count; i++)
        check->fates[order[i]] = LASTS;
    list_writes(check);
    for (size_t i = 0; i < record_count; i++) {
        const struct workload_record *record = record_at(check, i);
        bool reads = record->kind == WORKLOAD_TRANSACTION && record->id == 0 &&
                     record->outcome == WORKLOAD_OK;
        check->nodes[i] = NO_NODE;
        if ((reads || check->fates[i] == LASTS) && judge_reads(check, i)) {
            check->records[check->node_count] = i;
            check->nodes[i] = check->node_count++;
        }
    }
}

/* ---- Edges ---- */

static void add_edge(struct serial *check, uint32_t from, uint32_t to, enum workload_edge_kind kind,
                     int64_t key, int64_t value)
{
    struct workload_edge edge = {.from = from, .to = to, .kind = kind, .key = key, .value = value};
    if (from != to && from != NO_NODE && to != NO_NODE)
        add(check, &check->edges, &edge, sizeof edge);
}

static uint32_t node_of_value(const struct serial *check, int64_t key, int64_t value)
{
    const struct write *write = writer_of(check, key, value);
    return write == NULL ? NO_NODE : check->nodes[write->record];
}

static int by_key_and_length(const void *a, const void *b)
{
    const struct seen *left = a;
    const struct seen *right = b;
    if (left->key != right->key)
        return left->key < right->key ? -1 : 1;
    if (left->total != right->total)
        return left->total < right->total ? -1 : 1;
    return (left->node > right->node) - (left->node < right->node);
}

/* All that was seen of one list; the longest is last. */
static void join_list(struct serial *check, const struct seen *seen, size_t count)
{
    const struct seen *whole = &seen[count - 1];
    for (size_t i = 0; i < count; i++) {
        const struct seen *one = &seen[i];
        if (one->total > 0 &&
            memcmp(one->values, whole->values, one->total * sizeof *one->values) != 0) {
            char a[160];
            char b[160];
            name_node(check, one->node, a, sizeof a);
            name_node(check, whole->node, b, sizeof b);
            workload_verdict_set(check->verdict, "two reads of a list do not continue each other",
                                 "%s and %s read key %" PRId64, a, b, one->key);
            return;
        }
        if (one->count > 0)
            add_edge(check, node_of_value(check, one->key, one->values[one->count - 1]), one->node,
                     WORKLOAD_EDGE_WR, one->key, one->values[one->count - 1]);
        if (one->count < whole->total)
            add_edge(check, one->node, node_of_value(check, one->key, whole->values[one->count]),
                     WORKLOAD_EDGE_RW, one->key, whole->values[one->count]);
    }
    for (size_t i = 1; i < whole->total; i++)
        add_edge(check, node_of_value(check, whole->key, whole->values[i - 1]),
                 node_of_value(check, whole->key, whole->values[i]), WORKLOAD_EDGE_WW, whole->key,
                 whole->values[i]);
}

static void join_lists(struct serial *check)
{
    struct seen *seen = (struct seen *)(void *)check->seen.bytes;
    size_t count = check->seen.size / sizeof *seen;
    if (count > 0)
        qsort(seen, count, sizeof *seen, by_key_and_length);
    for (size_t i = 0, next = 0; i < count; i = next) {
        while (next < count && seen[next].key == seen[i].key)
            next++;
        if (seen[i].is_list)
            join_list(check, seen + i, next - i);
    }
}

static int by_replaced(const void *a, const void *b)
{
    const struct change *left = a;
    const struct change *right = b;
    if (left->key != right->key)
        return left->key < right->key ? -1 : 1;
    return (left->from > right->from) - (left->from < right->from);
}

static const struct change *successor(const struct serial *check, int64_t key, int64_t value)
{
    struct change wanted = {.key = key, .from = value};
    size_t count = check->changes.size / sizeof wanted;
    return count == 0 ? NULL
                      : bsearch(&wanted, check->changes.bytes, count, sizeof wanted, by_replaced);
}

static void join_registers(struct serial *check)
{
    struct change *changes = (struct change *)(void *)check->changes.bytes;
    size_t count = check->changes.size / sizeof *changes;
    if (count > 0)
        qsort(changes, count, sizeof *changes, by_replaced);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && by_replaced(&changes[i - 1], &changes[i]) == 0) {
            char a[160];
            char b[160];
            name_node(check, changes[i - 1].node, a, sizeof a);
            name_node(check, changes[i].node, b, sizeof b);
            workload_verdict_set(
                check->verdict, "lost update: two read a version, and both replaced it",
                "%s and %s, %" PRId64 " of key %" PRId64, a, b, changes[i].from, changes[i].key);
        }
        add_edge(check, node_of_value(check, changes[i].key, changes[i].from), changes[i].node,
                 WORKLOAD_EDGE_WW, changes[i].key, changes[i].to);
    }
    const struct seen *seen = (const struct seen *)(const void *)check->seen.bytes;
    for (size_t i = 0; i < check->seen.size / sizeof *seen; i++) {
        if (seen[i].is_list)
            continue;
        add_edge(check, node_of_value(check, seen[i].key, seen[i].value), seen[i].node,
                 WORKLOAD_EDGE_WR, seen[i].key, seen[i].value);
        const struct change *next = successor(check, seen[i].key, seen[i].value);
        if (next != NULL)
            add_edge(check, seen[i].node, next->node, WORKLOAD_EDGE_RW, next->key, next->to);
    }
}

/* One whose outcome is unknown may have its effect long after it ended: a commit whose sync failed
 * counts once the log is recovered. */
static bool came_before(const struct workload_record *earlier, const struct workload_record *later)
{
    return earlier->replica == later->replica && earlier->outcome != WORKLOAD_UNKNOWN &&
           earlier->ended < later->invoked;
}

/* When the newest of those began that ended before `before` did, on a replica. */
static uint64_t newest_between(const struct serial *check, const struct workload_record *before)
{
    uint64_t newest = 0;
    for (uint32_t i = 0; i < check->node_count; i++) {
        const struct workload_record *other = record_at(check, check->records[i]);
        if (came_before(other, before) && other->invoked > newest)
            newest = other->invoked;
    }
    return newest;
}

/* Who ended before another began, unless somebody stands between them. */
static void join_in_order(struct serial *check)
{
    for (uint32_t to = 0; to < check->node_count; to++) {
        const struct workload_record *later = record_at(check, check->records[to]);
        uint64_t newest = newest_between(check, later);
        for (uint32_t from = 0; from < check->node_count; from++) {
            const struct workload_record *earlier = record_at(check, check->records[from]);
            if (came_before(earlier, later) && earlier->ended >= newest)
                add_edge(check, from, to, WORKLOAD_EDGE_ORDER, 0, 0);
        }
    }
}

/* ---- All of it ---- */

static bool start(struct serial *check)
{
    size_t count = workload_history_count(check->history);
    check->fates = graft_calloc(check->alloc, count, sizeof *check->fates);
    check->nodes = graft_calloc(check->alloc, count, sizeof *check->nodes);
    check->records = graft_calloc(check->alloc, count, sizeof *check->records);
    graft_buf_init(&check->writes, check->alloc);
    graft_buf_init(&check->seen, check->alloc);
    graft_buf_init(&check->changes, check->alloc);
    graft_buf_init(&check->edges, check->alloc);
    return check->fates != NULL && check->nodes != NULL && check->records != NULL;
}

static void end(struct serial *check)
{
    graft_free(check->alloc, check->fates);
    graft_free(check->alloc, check->nodes);
    graft_free(check->alloc, check->records);
    graft_buf_deinit(&check->writes);
    graft_buf_deinit(&check->seen);
    graft_buf_deinit(&check->changes);
    graft_buf_deinit(&check->edges);
}

enum graft_rc workload_check_serial(const struct workload_history *history,
                                    struct graft_alloc *alloc, const size_t *order, size_t count,
                                    bool ordered, struct workload_verdict *verdict)
{
    struct serial check = {.history = history, .alloc = alloc, .verdict = verdict};
    enum graft_rc rc = start(&check) ? GRAFT_OK : GRAFT_ENOMEM;
    if (rc == GRAFT_OK) {
        choose_nodes(&check, order, count);
        for (uint32_t node = 0; node < check.node_count; node++)
            look_at(&check, node);
        join_lists(&check);
        join_registers(&check);
        if (ordered)
            join_in_order(&check);
        rc = check.out_of_memory ? GRAFT_ENOMEM : GRAFT_OK;
    }
    if (rc == GRAFT_OK && verdict->signature == NULL)
        rc = workload_check_cycles(alloc, check.node_count, &check.edges, name_node, &check,
                                   verdict);
    end(&check);
    return rc;
}
