/* Events as lines. Numbers are decimal, bytes hexadecimal; what a line holds is enclosed by
 * newlines and ends with a full stop, so that a line whose writer died in the middle of it spoils
 * neither the next one nor itself for something else.
 *
 *   I client replica kind id .
 *   D client count (kind key value other size hex)... .
 *   E client outcome .
 */
#include "workloads/history_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_BYTES_MAX 24U

/* Once something did not fit in memory the line stays empty. */
struct writer {
    struct graft_buf *line;
    bool failed;
};

static void put(struct writer *out, const char *text, size_t size)
{
    if (graft_buf_append(out->line, text, size) != GRAFT_OK)
        out->failed = true;
}

static void put_number(struct writer *out, int64_t number)
{
    char text[NUMBER_BYTES_MAX];
    int size = snprintf(text, sizeof text, " %" PRId64, number);
    put(out, text, (size_t)size);
}

static void put_hex(struct writer *out, const uint8_t *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    put(out, " ", 1);
    for (size_t i = 0; i < size; i++) {
        char pair[2] = {digits[bytes[i] >> 4], digits[bytes[i] & 15]};
        put(out, pair, 2);
    }
}

static struct writer start(struct graft_buf *line, const char *tag, uint32_t client)
{
    struct writer out = {.line = line};
    graft_buf_clear(line);
    put(&out, "\n", 1);
    put(&out, tag, 1);
    put_number(&out, client);
    return out;
}

static void finish(struct writer *out)
{
    put(out, " .\n", 3);
    if (out->failed)
        graft_buf_clear(out->line);
}

void workload_text_invoke(struct graft_buf *line, const struct workload_record *record)
{
    struct writer out = start(line, "I", record->client);
    put_number(&out, record->replica);
    put_number(&out, (int64_t)record->kind);
    put_number(&out, record->id);
    finish(&out);
}

void workload_text_did(struct graft_buf *line, uint32_t client, const struct workload_step *steps,
                       size_t count)
{
    struct writer out = start(line, "D", client);
    put_number(&out, (int64_t)count);
    for (size_t i = 0; i < count; i++) {
        const struct workload_step *step = &steps[i];
        put_number(&out, (int64_t)step->kind);
        put_number(&out, step->key);
        put_number(&out, step->value);
        put_number(&out, step->other);
        put_number(&out, (int64_t)step->size);
        if (step->size > 0)
            put_hex(&out, step->bytes, step->size);
    }
    finish(&out);
}

void workload_text_end(struct graft_buf *line, uint32_t client, enum workload_outcome outcome)
{
    struct writer out = start(line, "E", client);
    put_number(&out, (int64_t)outcome);
    finish(&out);
}

/* ---- Reading ---- */

struct reader {
    const char *at;
    const char *end;
    bool failed;
};

static int64_t take_number(struct reader *in)
{
    char text[NUMBER_BYTES_MAX];
    size_t size = 0;
    if (in->at < in->end && *in->at == ' ')
        in->at++;
    while (in->at < in->end && *in->at != ' ' && size + 1 < sizeof text)
        text[size++] = *in->at++;
    text[size] = '\0';
    char *after = text;
    errno = 0;
    int64_t number = strtoll(text, &after, 10);
    if (after == text || *after != '\0' || errno != 0)
        in->failed = true;
    return number;
}

static int64_t take_below(struct reader *in, int64_t limit)
{
    int64_t number = take_number(in);
    if (number < 0 || number >= limit)
        in->failed = true;
    return in->failed ? 0 : number;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void take_hex(struct reader *in, size_t size, struct graft_buf *bytes)
{
    if (in->at < in->end && *in->at == ' ')
        in->at++;
    if ((size_t)(in->end - in->at) / 2 < size) {
        in->failed = true;
        return;
    }
    for (size_t i = 0; i < size && !in->failed; i++, in->at += 2) {
        int high = digit(in->at[0]);
        int low = digit(in->at[1]);
        uint8_t byte = (uint8_t)(high * 16 + low);
        if (high < 0 || low < 0 || graft_buf_append(bytes, &byte, 1) != GRAFT_OK)
            in->failed = true;
    }
}

static bool is_whole(const struct reader *in)
{
    return !in->failed && in->end - in->at == 2 && memcmp(in->at, " .", 2) == 0;
}

static bool parse_did(struct reader *in, struct workload_history *history,
                      struct graft_alloc *alloc, uint32_t client)
{
    struct graft_buf steps;
    struct graft_buf bytes;
    graft_buf_init(&steps, alloc);
    graft_buf_init(&bytes, alloc);
    size_t line_bytes = (size_t)(in->end - in->at);
    int64_t count = take_below(in, (int64_t)line_bytes);
    for (int64_t i = 0; i < count && !in->failed; i++) {
        struct workload_step step = {.kind =
                                         (enum workload_step_kind)take_below(in, WORKLOAD_AT + 1)};
        step.key = take_number(in);
        step.value = take_number(in);
        step.other = take_number(in);
        step.size = (size_t)take_below(in, (int64_t)line_bytes);
        if (step.size > 0)
            take_hex(in, step.size, &bytes);
        if (graft_buf_append(&steps, &step, sizeof step) != GRAFT_OK)
            in->failed = true;
    }
    bool whole = is_whole(in);
    if (whole) {
        struct workload_step *list = (struct workload_step *)(void *)steps.bytes;
        size_t offset = 0;
        for (int64_t i = 0; i < count; i++) {
            list[i].bytes = list[i].size > 0 ? bytes.bytes + offset : NULL;
            offset += list[i].size;
        }
        workload_history_did(history, client, list, (size_t)count);
    }
    graft_buf_deinit(&steps);
    graft_buf_deinit(&bytes);
    return whole;
}

bool workload_text_parse(struct workload_history *history, struct graft_alloc *alloc,
                         const char *line, size_t length)
{
    struct reader in = {.at = line + 1, .end = line + length};
    uint32_t client = (uint32_t)take_below(&in, INT64_C(1) << 32);
    if (line[0] == 'D')
        return parse_did(&in, history, alloc, client);
    if (line[0] == 'E') {
        enum workload_outcome outcome = (enum workload_outcome)take_below(&in, WORKLOAD_FAILED + 1);
        if (is_whole(&in))
            workload_history_end(history, client, outcome);
        return is_whole(&in);
    }
    uint32_t replica = (uint32_t)take_below(&in, INT64_C(1) << 32);
    enum workload_kind kind = (enum workload_kind)take_below(&in, WORKLOAD_SURVEY + 1);
    int64_t id = take_number(&in);
    if (line[0] == 'I' && is_whole(&in)) {
        workload_history_invoke(history, client, replica, kind, id);
        return true;
    }
    return false;
}
