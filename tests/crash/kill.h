/* Kills the process it is in at a chosen call of the disk or shared-memory seam: before the call,
 * after it, or in the midst of a write. */
#ifndef GRAFT_TESTS_CRASH_KILL_H
#define GRAFT_TESTS_CRASH_KILL_H

#include <stdbool.h>
#include <stdint.h>

#include "env/env.h"

enum kill_manner { KILL_BEFORE, KILL_TORN, KILL_AFTER };

/* Puts the hooks between the wrappers and the backend of `env`, for good. Only calls that change
 * something count: reads do not. `disk_calls` is where they are counted, without stores to words.
 */
void kill_install(struct graft_env *env, _Atomic uint64_t *disk_calls);
/* The `nth` call from now on (from 1) is the last one. `words` says whether stores to shared words
 * count as calls too; `torn_share` (of 1000) is how much of a torn write is done. */
void kill_arm(uint64_t nth, enum kill_manner manner, bool words, unsigned torn_share);
void kill_disarm(void);
/* Calls so far; `words` says whether stores to words count. */
uint64_t kill_calls(bool words);

#endif
