/* The record of a run: one function that all events pass, and what can be made of them. */
#include "sim/trace.h"

#include <execinfo.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "sim/parts.h"

#define STACK_FRAMES_MAX 32
#define RING_SHOWN 12U

static const struct {
    const char *name;
    const char *args[3];
} kinds[SIM_EVENT_COUNT] = {
#define SIM_EVENT_ROW(id, name, a, b, c) {name, {a, b, c}},
    SIM_EVENT_TABLE(SIM_EVENT_ROW)
#undef SIM_EVENT_ROW
};

const char *sim_event_name(enum sim_event kind)
{
    GRAFT_ASSERT(kind < SIM_EVENT_COUNT);
    return kinds[kind].name;
}

void sim_trace_init(struct sim_trace *trace, uint64_t seed)
{
    /* The ring is not cleared: what `serial` does not cover is never read. */
    memset(trace, 0, offsetof(struct sim_trace, ring));
    memset(&trace->text, 0, sizeof *trace - offsetof(struct sim_trace, text));
    trace->hash = seed;
}

void sim_trace_deinit(struct sim_trace *trace)
{
    free(trace->recorded);
    trace->recorded = NULL;
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x9fb21c651e98df25);
    return hash ^ hash >> 32;
}

static uint64_t rotate_left(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

/* One word of four; no multiplication waits for another. */
static uint64_t fold(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    return a * UINT64_C(0x9e3779b97f4a7c15) ^ rotate_left(b * UINT64_C(0xbf58476d1ce4e5b9), 17) ^
           rotate_left(c * UINT64_C(0x94d049bb133111eb), 31) ^
           rotate_left(d * UINT64_C(0xff51afd7ed558ccd), 47);
}

uint64_t sim_trace_text(const char *text)
{
    return graft_checksum64(text, strlen(text), 0);
}

uint64_t sim_trace_bytes(const void *bytes, size_t size)
{
    return graft_checksum64(bytes, size, 0);
}

struct sim_trace *sim_world_trace(struct sim_world *world)
{
    return &world->trace;
}

static const char *fiber_name(const struct sim_world *world, uint32_t id)
{
    const struct sim_fiber *fiber = world->running;
    return id == 0 ? "-" : fiber != NULL && fiber->id == id ? fiber->name : "";
}

static void print_event(const struct sim_world *world, FILE *file,
                        const struct sim_event_record *event)
{
    (void)fprintf(file, "%8" PRIu64 " %12.6f #%u %s", event->serial, (double)event->time_ns / 1e9,
                  event->fiber, kinds[event->kind].name);
    if (event->kind == SIM_EVENT_FAULT) {
        (void)fprintf(file, " %s %" PRIx64 "\n", sim_fault_name((enum sim_fault)event->args[0]),
                      event->args[1]);
        return;
    }
    for (size_t i = 0; i < 3; i++) {
        const char *name = kinds[event->kind].args[i];
        if (name[0] == '\0')
            continue;
        bool is_hash = event->args[i] > UINT64_C(1) << 48;
        (void)fprintf(file, is_hash ? " %s=%" PRIx64 : " %s=%" PRIu64, name, event->args[i]);
    }
    (void)fprintf(file, " %s\n", fiber_name(world, event->fiber));
}

void sim_trace_print_last(struct sim_world *world, FILE *file, size_t count)
{
    const struct sim_trace *trace = &world->trace;
    if (count > SIM_TRACE_RING)
        count = SIM_TRACE_RING;
    if (count > trace->serial)
        count = (size_t)trace->serial;
    for (uint64_t serial = trace->serial - count; serial < trace->serial; serial++)
        print_event(world, file, &trace->ring[serial % SIM_TRACE_RING]);
}

/* The functions that are on the stack, and what led here; for a reader, so that addresses are in
 * order (they are of no use to a hash). */
static void print_stack(struct sim_world *world, FILE *file)
{
    void *frames[STACK_FRAMES_MAX];
    int count = backtrace(frames, STACK_FRAMES_MAX);
    char **names = backtrace_symbols(frames, count);
    for (int i = 0; names != NULL && i < count; i++)
        (void)fprintf(file, "    %s\n", names[i]);
    free(names);
    (void)fprintf(file, "  the events before it:\n");
    sim_trace_print_last(world, file, RING_SHOWN);
}

static void report_divergence(struct sim_world *world, const struct sim_event_record *expected,
                              const struct sim_event_record *event)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    GRAFT_ASSERT(file != NULL);
    (void)fprintf(file, "the runs differ at event %" PRIu64 "\n  then: ", event->serial);
    if (expected == NULL)
        (void)fprintf(file, "(the run had ended)\n");
    else
        print_event(world, file, expected);
    (void)fprintf(file, "  now:  ");
    print_event(world, file, event);
    const struct sim_fiber *fiber = world->running;
    (void)fprintf(file, "  in fiber %s of process %s, at:\n", fiber == NULL ? "-" : fiber->name,
                  fiber == NULL ? "-" : fiber->process->name);
    print_stack(world, file);
    GRAFT_ASSERT(fclose(file) == 0);
    sim_world_halt(world, SIM_DIVERGED, text);
    free(text);
}

static void keep(struct sim_trace *trace, const struct sim_event_record *event)
{
    if (trace->recorded_count == trace->recorded_capacity) {
        size_t capacity = trace->recorded_capacity == 0 ? 4096 : trace->recorded_capacity * 2;
        struct sim_event_record *larger =
            realloc(trace->recorded, capacity * sizeof *trace->recorded);
        GRAFT_ASSERT(larger != NULL);
        trace->recorded = larger;
        trace->recorded_capacity = capacity;
    }
    trace->recorded[trace->recorded_count++] = *event;
}

static void compare(struct sim_world *world, const struct sim_event_record *event)
{
    struct sim_trace *trace = &world->trace;
    const struct sim_event_record *expected =
        event->serial < trace->expected_count ? &trace->expected[event->serial] : NULL;
    if (expected != NULL && expected->hash == event->hash)
        return;
    trace->expected = NULL;
    report_divergence(world, expected, event);
}

void sim_trace_event(struct sim_world *world, enum sim_event kind, uint64_t a, uint64_t b,
                     uint64_t c)
{
    struct sim_trace *trace = &world->trace;
    struct sim_event_record *event = &trace->ring[trace->serial % SIM_TRACE_RING];
    const struct sim_fiber *fiber = world->running;
    event->serial = trace->serial++;
    event->time_ns = world->now_ns;
    event->args[0] = a;
    event->args[1] = b;
    event->args[2] = c;
    event->fiber = fiber == NULL ? 0 : fiber->id;
    event->kind = (uint16_t)kind;
    uint64_t hash = mix(trace->hash, (uint64_t)event->fiber << 32 | kind);
    hash = mix(hash, fold(event->time_ns, a, b, c));
    event->hash = trace->hash = hash;
    trace->events[kind]++;
    if (trace->recording)
        keep(trace, event);
    if (trace->text != NULL)
        print_event(world, trace->text, event);
    if (trace->expected != NULL)
        compare(world, event);
}

void sim_trace_note(struct sim_world *world, const char *format, ...)
{
    if (world->trace.text == NULL)
        return;
    (void)fprintf(world->trace.text, "%33s", "");
    va_list args;
    va_start(args, format);
    (void)vfprintf(world->trace.text, format, args);
    va_end(args);
    (void)fputc('\n', world->trace.text);
}

void sim_trace_to(struct sim_world *world, FILE *file)
{
    world->trace.text = file;
}

void sim_trace_record(struct sim_world *world)
{
    GRAFT_ASSERT(world->trace.serial == 0);
    world->trace.recording = true;
}

struct sim_event_record *sim_trace_take(struct sim_world *world, size_t *count)
{
    struct sim_trace *trace = &world->trace;
    struct sim_event_record *recorded = trace->recorded;
    *count = trace->recorded_count;
    trace->recorded = NULL;
    trace->recorded_count = trace->recorded_capacity = 0;
    trace->recording = false;
    return recorded;
}

void sim_trace_expect(struct sim_world *world, const struct sim_event_record *events, size_t count)
{
    GRAFT_ASSERT(world->trace.serial == 0);
    world->trace.expected = events;
    world->trace.expected_count = count;
}

bool sim_trace_is_complete(struct sim_world *world)
{
    const struct sim_trace *trace = &world->trace;
    if (trace->expected == NULL)
        return world->outcome != SIM_DIVERGED;
    if (trace->serial >= trace->expected_count)
        return true;
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    GRAFT_ASSERT(file != NULL);
    (void)fprintf(file, "the run ended at event %" PRIu64 "; then came: ", trace->serial);
    print_event(world, file, &trace->expected[trace->serial]);
    GRAFT_ASSERT(fclose(file) == 0);
    sim_world_halt(world, SIM_DIVERGED, text);
    free(text);
    return false;
}
