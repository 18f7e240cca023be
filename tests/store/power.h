/* A machine in memory whose power can fail: files and mapped words that know what a sync has made
 * durable, and lose any part of the rest, down to sectors, when the power goes. */
#ifndef GRAFT_TESTS_STORE_POWER_H
#define GRAFT_TESTS_STORE_POWER_H

#include "env/env.h"
#include "kit.h"

struct power;

/* Its disk makes holes when the seed is odd. */
struct power *power_new(uint64_t seed);
void power_free(struct power *power);
struct graft_env *power_env(struct power *power);
/* The power fails: every unsynced write is kept, dropped or torn. Nothing may be open. */
void power_fail(struct power *power);
/* Calls `hook` before about one in `rarely` of all calls and stores; NULL: never. */
void power_hook(struct power *power, void (*hook)(void *arg), void *arg, unsigned rarely);
/* The same machine at this moment, with nothing open and no lock held. */
struct power *power_clone(struct power *power, uint64_t seed);
/* Of a thousand syncs of a file, so many fail, and lose what they please for good. */
void power_fail_syncs(struct power *power, unsigned per_thousand);
/* The content of a file, to be looked at or spoilt; durable at once when it is changed. */
uint8_t *power_bytes(struct power *power, const char *path, size_t *size);
void power_set_size(struct power *power, const char *path, size_t size);
/* A file of this name without content. */
void power_touch(struct power *power, const char *path);
void power_remove(struct power *power, const char *path);
/* Keeps and brings back the whole machine. Nothing may be open. */
struct power_image *power_save(struct power *power);
void power_load(struct power *power, const struct power_image *image);
void power_image_free(struct power_image *image);
uint64_t power_syncs(const struct power *power);

#endif
