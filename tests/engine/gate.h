/* A disk in front of the real one, at which every opening of an object of the repository is
 * counted, and can be held up or made to fail: one opening is one request. Writes to one place of
 * a file can be held up, too. */
#ifndef GRAFT_TESTS_ENGINE_GATE_H
#define GRAFT_TESTS_ENGINE_GATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "env/env.h"

struct gate {
    struct graft_disk disk;
    struct graft_disk_ops ops;
    struct graft_disk *real;
    struct graft_clock clock; /* says that each opening took 20 ms more than it did */
    struct graft_clock *real_clock;
    struct graft_env env; /* the real one, with this disk and clock */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool shut;
    unsigned waiting;     /* openings that it holds up */
    unsigned passed;      /* openings so far */
    unsigned failures;    /* so many of the next openings fail with EUNREACHABLE */
    uint64_t held_offset; /* writes there are held up; 0: none are */
    bool held;            /* one was */
};

void gate_init(struct gate *gate, struct graft_env *real);
void gate_shut(struct gate *gate);
void gate_open(struct gate *gate);
void gate_fail(struct gate *gate, unsigned failures);
/* Waits until it holds up so many openings. */
void gate_await(struct gate *gate, unsigned waiting);
unsigned gate_waiting(struct gate *gate);
/* Holds up writes at `offset` (0: none any more) of any file. */
void gate_hold_writes(struct gate *gate, uint64_t offset);
void gate_await_write(struct gate *gate);

#endif
