/* The plan's counters are atomic, since the seams are used from several threads. */
#include "support/faults.h"

#include <stdatomic.h>
#include <string.h>

void graft_faults_init(struct graft_faults *faults)
{
    memset(faults, 0, sizeof *faults);
}

void graft_faults_arm(struct graft_faults *faults, unsigned kinds, uint64_t nth, enum graft_rc code,
                      bool from_then_on)
{
    faults->kinds = kinds;
    faults->nth = nth;
    faults->from_then_on = from_then_on;
    faults->code = code;
    faults->write_prefix_bytes = 0;
    faults->counted = 0;
    faults->failed = 0;
}

void graft_faults_arm_short_write(struct graft_faults *faults, uint64_t nth, uint64_t prefix_bytes)
{
    graft_faults_arm(faults, GRAFT_FAULT_WRITE, nth, GRAFT_EFULL, false);
    faults->write_prefix_bytes = prefix_bytes;
}

uint64_t graft_faults_disarm(struct graft_faults *faults)
{
    faults->nth = 0;
    return faults->failed;
}

uint64_t graft_faults_calls(const struct graft_faults *faults, unsigned kinds)
{
    uint64_t sum = 0;
    for (unsigned bit = 0; bit < GRAFT_FAULT_KINDS; bit++) {
        if ((kinds >> bit & 1U) != 0)
            sum += faults->calls[bit];
    }
    return sum;
}

enum graft_rc graft_faults_pass(struct graft_faults *faults, enum graft_fault_kind kind,
                                const char *call, struct graft_err *err)
{
    unsigned bit = 0;
    while (((unsigned)kind >> bit & 1U) == 0)
        bit++;
    faults->calls[bit] += 1;
    if ((faults->kinds & (unsigned)kind) == 0)
        return GRAFT_OK;
    uint64_t number = atomic_fetch_add(&faults->counted, 1) + 1;
    bool fails = faults->nth != 0 &&
                 (number == faults->nth || (faults->from_then_on && number > faults->nth));
    if (!fails)
        return GRAFT_OK;
    faults->failed += 1;
    return graft_err_set(err, faults->code, "%s: injected fault %llu: %s", call,
                         (unsigned long long)number, graft_rc_text(faults->code));
}
