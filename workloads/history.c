/* The history in memory: records, steps and bytes in three growing arrays; a step is kept with the
 * offset of its bytes, which move. Lines of text are history_text.c's. */
#include "workloads/history.h"

#include <string.h>

#include "base/buf.h"
#include "workloads/history_text.h"

struct kept_step {
    struct workload_step step; /* its `bytes` mean nothing */
    size_t offset;
};

struct workload_history {
    struct graft_alloc *alloc;
    struct graft_buf records; /* struct workload_record */
    struct graft_buf steps;   /* struct kept_step */
    struct graft_buf bytes;
    struct graft_buf line; /* being built for the sink */
    uint64_t event_count;
    uint64_t committed;
    workload_sink_fn *sink;
    void *sink_arg;
    bool failed;
};

struct workload_history *workload_history_new(struct graft_alloc *alloc)
{
    struct workload_history *history = graft_malloc(alloc, sizeof *history);
    if (history == NULL)
        return NULL;
    *history = (struct workload_history){.alloc = alloc};
    graft_buf_init(&history->records, alloc);
    graft_buf_init(&history->steps, alloc);
    graft_buf_init(&history->bytes, alloc);
    graft_buf_init(&history->line, alloc);
    return history;
}

struct workload_history *workload_history_to(struct graft_alloc *alloc, workload_sink_fn *sink,
                                             void *arg)
{
    struct workload_history *history = workload_history_new(alloc);
    if (history != NULL) {
        history->sink = sink;
        history->sink_arg = arg;
    }
    return history;
}

void workload_history_free(struct workload_history *history)
{
    if (history == NULL)
        return;
    graft_buf_deinit(&history->records);
    graft_buf_deinit(&history->steps);
    graft_buf_deinit(&history->bytes);
    graft_buf_deinit(&history->line);
    graft_free(history->alloc, history);
}

bool workload_history_failed(const struct workload_history *history)
{
    return history->failed;
}

size_t workload_history_count(const struct workload_history *history)
{
    return history->records.size / sizeof(struct workload_record);
}

uint64_t workload_history_committed(const struct workload_history *history)
{
    return history->committed;
}

const struct workload_record *workload_history_at(const struct workload_history *history,
                                                  size_t index)
{
    return (const struct workload_record *)(const void *)history->records.bytes + index;
}

struct workload_step workload_history_step(const struct workload_history *history, size_t number)
{
    struct kept_step kept;
    memcpy(&kept, history->steps.bytes + number * sizeof kept, sizeof kept);
    kept.step.bytes = kept.step.size > 0 ? history->bytes.bytes + kept.offset : NULL;
    return kept.step;
}

static bool is_open(const struct workload_record *record)
{
    return record->ended == WORKLOAD_NEVER;
}

/* The client's newest operation when it is open, else NULL. Few others came after it. */
static struct workload_record *open_of(struct workload_history *history, uint32_t client)
{
    struct workload_record *records = (struct workload_record *)(void *)history->records.bytes;
    for (size_t i = workload_history_count(history); i > 0; i--) {
        if (records[i - 1].client == client)
            return is_open(&records[i - 1]) ? &records[i - 1] : NULL;
    }
    return NULL;
}

static void keep(struct workload_history *history, struct graft_buf *buf, const void *bytes,
                 size_t size)
{
    if (size > 0 && graft_buf_append(buf, bytes, size) != GRAFT_OK)
        history->failed = true;
}

/* The list begins at a multiple of 8, so that it can be read where it lies. */
static void keep_step(struct workload_history *history, const struct workload_step *step)
{
    static const uint8_t padding[8];
    keep(history, &history->bytes, padding, -history->bytes.size & 7);
    struct kept_step kept = {.step = *step, .offset = history->bytes.size};
    kept.step.bytes = NULL;
    keep(history, &history->bytes, step->bytes, step->size);
    keep(history, &history->steps, &kept, sizeof kept);
}

static void send(struct workload_history *history)
{
    const struct graft_buf *line = &history->line;
    if (line->size == 0 || !history->sink(history->sink_arg, (const char *)line->bytes, line->size))
        history->failed = true;
}

void workload_history_invoke(struct workload_history *history, uint32_t client, uint32_t replica,
                             enum workload_kind kind, int64_t id)
{
    struct workload_record record = {
        .kind = kind,
        .client = client,
        .replica = replica,
        .id = id,
        .invoked = history->event_count++,
        .ended = WORKLOAD_NEVER,
    };
    if (history->sink != NULL) {
        workload_text_invoke(&history->line, &record);
        send(history);
        return;
    }
    keep(history, &history->records, &record, sizeof record);
}

void workload_history_did(struct workload_history *history, uint32_t client,
                          const struct workload_step *steps, size_t count)
{
    history->event_count++;
    if (history->sink != NULL) {
        workload_text_did(&history->line, client, steps, count);
        send(history);
        return;
    }
    struct workload_record *record = open_of(history, client);
    if (record == NULL)
        return;
    record->first_step = history->steps.size / sizeof(struct kept_step);
    record->step_count = count;
    for (size_t i = 0; i < count; i++)
        keep_step(history, &steps[i]);
}

void workload_history_end(struct workload_history *history, uint32_t client,
                          enum workload_outcome outcome)
{
    uint64_t ended = history->event_count++;
    if (history->sink != NULL) {
        workload_text_end(&history->line, client, outcome);
        send(history);
        return;
    }
    struct workload_record *record = open_of(history, client);
    if (record == NULL)
        return;
    record->outcome = outcome;
    record->ended = ended;
    history->committed += record->kind == WORKLOAD_TRANSACTION && outcome == WORKLOAD_OK;
}

void workload_history_died(struct workload_history *history, uint32_t client)
{
    if (history->sink != NULL || open_of(history, client) != NULL)
        workload_history_end(history, client, WORKLOAD_UNKNOWN);
}

size_t workload_history_parse(struct workload_history *history, const char *text, size_t size)
{
    size_t left_out = 0;
    for (size_t at = 0; at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t length = end == NULL ? size - at : (size_t)(end - text) - at;
        if (length > 0 && !workload_text_parse(history, history->alloc, text + at, length))
            left_out++;
        at += length + 1;
    }
    return left_out;
}
