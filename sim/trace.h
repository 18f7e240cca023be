/* The record of a run. Everything that happens (a schedule choice, a call of a seam with what went
 * in and came out, a fault that fired) is an event and passes through sim_trace_event, which keeps
 *
 * - a rolling 64-bit hash: equal for two runs exactly when (for all practical purposes) they did
 *   the same. No pointer, no address and no time of the host is ever part of an event;
 * - a count for each kind of event, and for each kind of fault that fired;
 * - the last events, so that a failure can show what led to it;
 * - if asked, the text of all events in a file, or the events of one run to hold a second against:
 *   the first event that differs ends that run, and is reported with the fiber's stack. */
#ifndef GRAFT_SIM_TRACE_H
#define GRAFT_SIM_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "sim/plan.h"

struct sim_world;

/* name, and what its three arguments are */
#define SIM_EVENT_TABLE(X)                                          \
    X(CHOICE, "choice", "fiber", "index", "of")                     \
    X(SPAWN, "spawn", "fiber", "process", "name")                   \
    X(EXIT, "exit", "fiber", "", "")                                \
    X(WAIT, "wait", "reason", "deadline", "")                       \
    X(LOCK, "lock", "mutex", "", "")                                \
    X(WAKE, "wake", "fiber", "", "")                                \
    X(FAULT, "fault", "kind", "subject", "")                        \
    X(PROCESS_START, "process-start", "process", "machine", "name") \
    X(PROCESS_END, "process-end", "process", "how", "allocations")  \
    X(PROCESS_PAUSE, "process-pause", "process", "on", "")          \
    X(MACHINE_CRASH, "machine-crash", "machine", "changes", "kept") \
    X(MACHINE_START, "machine-start", "machine", "", "")            \
    X(CLOCK, "clock", "machine", "which", "value")                  \
    X(RANDOM, "random", "process", "bytes", "")                     \
    X(LOG, "log", "process", "level", "text")                       \
    X(OPEN, "open", "inode", "flags", "path")                       \
    X(CLOSE, "close", "inode", "", "")                              \
    X(READ, "read", "inode", "offset", "bytes")                     \
    X(WRITE, "write", "inode", "offset", "bytes")                   \
    X(SYNC, "sync", "inode", "pages", "")                           \
    X(TRUNCATE, "truncate", "inode", "bytes", "")                   \
    X(ALLOCATE, "allocate", "inode", "offset", "bytes")             \
    X(PUNCH, "punch", "inode", "offset", "bytes")                   \
    X(ENTRY, "entry", "call", "path", "other")                      \
    X(CRASHED_FILE, "crashed-file", "inode", "kept", "lost")        \
    X(MAP, "map", "inode", "offset", "bytes")                       \
    X(STORE, "store", "process", "", "")                            \
    X(MAP_SYNC, "map-sync", "inode", "pages", "")                   \
    X(LOCK_TRY, "lock-try", "inode", "index", "granted")            \
    X(UNLOCK, "unlock", "inode", "index", "")                       \
    X(REQUEST, "request", "call", "to", "hash")                     \
    X(ARRIVE, "arrive", "call", "copy", "")                         \
    X(ANSWER, "answer", "call", "status", "bytes")                  \
    X(BODY, "body", "call", "bytes", "hash")                        \
    X(SQLITE, "sqlite", "call", "value", "")                        \
    X(RESULT, "result", "code", "value", "hash")                    \
    X(USER, "user", "a", "b", "c")

enum sim_event {
#define SIM_EVENT_ENUM(id, name, a, b, c) SIM_EVENT_##id,
    SIM_EVENT_TABLE(SIM_EVENT_ENUM)
#undef SIM_EVENT_ENUM
        SIM_EVENT_COUNT,
};

/* Fills a whole cache line. */
struct sim_event_record {
    uint64_t serial;
    uint64_t time_ns;
    uint64_t args[3];
    uint64_t hash;  /* the rolling hash after it */
    uint32_t fiber; /* 0: none */
    uint16_t kind;
};

#define SIM_TRACE_RING 512U

struct sim_trace {
    uint64_t hash;
    uint64_t serial; /* events so far */
    uint64_t events[SIM_EVENT_COUNT];
    uint64_t fired[SIM_FAULT_COUNT];
    struct sim_event_record ring[SIM_TRACE_RING];
    FILE *text; /* NULL: no text */
    struct sim_event_record *recorded;
    size_t recorded_count;
    size_t recorded_capacity;
    bool recording;
    const struct sim_event_record *expected; /* borrowed */
    size_t expected_count;
};

void sim_trace_init(struct sim_trace *trace, uint64_t seed);
void sim_trace_deinit(struct sim_trace *trace);

/* The one function through which every event goes. */
void sim_trace_event(struct sim_world *world, enum sim_event kind, uint64_t a, uint64_t b,
                     uint64_t c);
/* A line for readers of a text trace alone: no part of the hash, and nothing without a text. */
void sim_trace_note(struct sim_world *world, const char *format, ...) GRAFT_PRINTF(2, 3);
/* The argument that stands for a piece of text or bytes. */
uint64_t sim_trace_text(const char *text);
uint64_t sim_trace_bytes(const void *bytes, size_t size);

struct sim_trace *sim_world_trace(struct sim_world *world);
/* Writes each event as a line from now on; NULL ends it. `file` is borrowed. */
void sim_trace_to(struct sim_world *world, FILE *file);
/* Keeps every event from now on; call it before the first run. */
void sim_trace_record(struct sim_world *world);
/* Hands over what was recorded; free(3) it. NULL when nothing was. */
struct sim_event_record *sim_trace_take(struct sim_world *world, size_t *count);
/* Holds every event against those of an earlier run, borrowed until this one has ended. The first
 * that differs ends the run with SIM_DIVERGED, and the world's report shows both and the stack. */
void sim_trace_expect(struct sim_world *world, const struct sim_event_record *events, size_t count);
/* After a run that was held against another: false when that one had more events; the report then
 * shows the first of them. */
bool sim_trace_is_complete(struct sim_world *world);
/* Prints the newest `count` events, oldest first. */
void sim_trace_print_last(struct sim_world *world, FILE *file, size_t count);

const char *sim_event_name(enum sim_event kind);

#endif
