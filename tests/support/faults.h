/* Which call of a disk or of shared memory fails, and how. One plan serves both seams, so that a
 * sweep ("fail the first call, the second, ...") goes over all of an operation's calls:
 *
 *     for (uint64_t nth = 1;; nth++) {
 *         graft_faults_arm(&faults, GRAFT_FAULT_ALL, nth, GRAFT_EIO, false);
 *         enum graft_rc rc = operation();
 *         if (graft_faults_disarm(&faults) == 0)
 *             break;                      // the operation has fewer calls: all were tried
 *         ... check rc and what is left ...
 *     }
 */
#ifndef GRAFT_TESTS_SUPPORT_FAULTS_H
#define GRAFT_TESTS_SUPPORT_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/codes.h"

/* Closing and unlocking cannot fail, and are not calls here. */
enum graft_fault_kind {
    GRAFT_FAULT_OPEN = 1U << 0, /* files, maps and lock files */
    GRAFT_FAULT_READ = 1U << 1,
    GRAFT_FAULT_WRITE = 1U << 2,
    GRAFT_FAULT_SYNC = 1U << 3,     /* files and maps */
    GRAFT_FAULT_SIZE = 1U << 4,     /* files and maps */
    GRAFT_FAULT_TRUNCATE = 1U << 5, /* files, and a map's resize */
    GRAFT_FAULT_ALLOCATE = 1U << 6, /* files and maps */
    GRAFT_FAULT_PUNCH = 1U << 7,
    GRAFT_FAULT_STAT = 1U << 8,
    GRAFT_FAULT_MAKE_DIRECTORY = 1U << 9,
    GRAFT_FAULT_REMOVE = 1U << 10,
    GRAFT_FAULT_RENAME = 1U << 11,
    GRAFT_FAULT_SYNC_DIRECTORY = 1U << 12,
    GRAFT_FAULT_LIST = 1U << 13,
    GRAFT_FAULT_VIEW = 1U << 14, /* a map's view */
    GRAFT_FAULT_LOCK = 1U << 15,
    GRAFT_FAULT_SPACE = 1U << 16,
    GRAFT_FAULT_ALL = (1U << 17) - 1,
};

#define GRAFT_FAULT_KINDS 17

struct graft_faults {
    unsigned kinds;    /* what the plan counts */
    uint64_t nth;      /* the counted call that fails, from 1; 0 = none */
    bool from_then_on; /* and all counted calls after it */
    enum graft_rc code;
    uint64_t write_prefix_bytes; /* a failing write still writes so much of its bytes */
    _Atomic uint64_t counted;    /* calls since the plan was armed */
    _Atomic uint64_t failed;     /* of these, calls that were made to fail */
    _Atomic uint64_t calls[GRAFT_FAULT_KINDS]; /* by kind (bit number), since init */
};

/* No fault; all counts 0. */
void graft_faults_init(struct graft_faults *faults);
/* The `nth` call of these kinds from now on fails with `code`, without having any effect. */
void graft_faults_arm(struct graft_faults *faults, unsigned kinds, uint64_t nth, enum graft_rc code,
                      bool from_then_on);
/* As arm, for one write, that writes the first `prefix_bytes` of its bytes and then fails with
 * EFULL: a full disk. */
void graft_faults_arm_short_write(struct graft_faults *faults, uint64_t nth, uint64_t prefix_bytes);
/* Ends the plan; returns how many calls it made fail. */
uint64_t graft_faults_disarm(struct graft_faults *faults);
/* Calls of these kinds since init. */
uint64_t graft_faults_calls(const struct graft_faults *faults, unsigned kinds);
/* Counts one call, and answers GRAFT_OK or the failure to return in its place. For the wrappers. */
GRAFT_MUST_USE enum graft_rc graft_faults_pass(struct graft_faults *faults,
                                               enum graft_fault_kind kind, const char *call,
                                               struct graft_err *err);

#endif
