/* The oracle's beginning, end and memory, whom it knows by which address, and how it speaks up. */
#include "sim/oracle.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "sim/oracle_parts.h"

#define CHUNK_BYTES (64U << 10)
#define TABLE_FIRST 64U

struct oracle_chunk {
    struct oracle_chunk *next;
    size_t used, size;
    _Alignas(16) uint8_t bytes[];
};

/* The calls that it watches carry nothing of ours: one oracle watches at a time, as one world runs
 * at a time. */
static struct sim_oracle *current;

struct sim_oracle *oracle_current(void)
{
    return current;
}

/* ---- Memory ---- */

void *oracle_alloc(struct sim_oracle *oracle, size_t bytes)
{
    bytes = (bytes + 15) & ~(size_t)15;
    struct oracle_chunk *chunk = oracle->chunks;
    if (chunk == NULL || chunk->size - chunk->used < bytes) {
        size_t size = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
        chunk = sim_host_alloc(sizeof *chunk + size);
        chunk->size = size;
        chunk->next = oracle->chunks;
        oracle->chunks = chunk;
    }
    void *memory = chunk->bytes + chunk->used;
    chunk->used += bytes;
    return memory;
}

static uint32_t table_at(const struct oracle_table *table, const void *key)
{
    uint32_t mask = table->capacity - 1;
    uint32_t at = (uint32_t)((uint64_t)(uintptr_t)key * UINT64_C(0x9e3779b97f4a7c15) >> 40) & mask;
    while (table->keys[at] != NULL && table->keys[at] != key)
        at = (at + 1) & mask;
    return at;
}

void *oracle_table_get(const struct oracle_table *table, const void *key)
{
    return table->capacity == 0 ? NULL : table->values[table_at(table, key)];
}

void oracle_table_set(struct oracle_table *table, const void *key, void *value)
{
    if (table->used * 2 >= table->capacity) {
        struct oracle_table old = *table;
        table->capacity = old.capacity == 0 ? TABLE_FIRST : old.capacity * 2;
        table->keys = sim_host_alloc(table->capacity * sizeof *table->keys);
        table->values = sim_host_alloc(table->capacity * sizeof *table->values);
        for (uint32_t i = 0; i < old.capacity; i++) {
            if (old.keys[i] == NULL)
                continue;
            uint32_t at = table_at(table, old.keys[i]);
            table->keys[at] = old.keys[i];
            table->values[at] = old.values[i];
        }
        sim_host_free(old.keys);
        sim_host_free(old.values);
    }
    uint32_t at = table_at(table, key);
    table->used += table->keys[at] == NULL ? 1 : 0;
    table->keys[at] = key;
    table->values[at] = value;
}

static void table_deinit(struct oracle_table *table)
{
    sim_host_free(table->keys);
    sim_host_free(table->values);
}

/* ---- Life ---- */

struct sim_oracle *sim_oracle_new(struct sim_world *world)
{
    GRAFT_ASSERT(current == NULL);
    oracle_wrap_link();
    struct sim_oracle *oracle = sim_host_alloc(sizeof *oracle);
    oracle->world = world;
    current = oracle;
    return oracle;
}

void sim_oracle_free(struct sim_oracle *oracle)
{
    if (oracle == NULL)
        return;
    GRAFT_ASSERT(current == oracle);
    current = NULL;
    for (uint32_t i = 0; i < oracle->sessions.capacity; i++) {
        struct oracle_session *session = oracle->sessions.values[i];
        if (session != NULL)
            oracle_changes_deinit(&session->changes);
    }
    for (struct oracle_replica *at = oracle->replicas; at != NULL; at = at->next) {
        sim_host_free(at->directory);
        sim_host_free(at->states);
        sim_host_free(at->held);
    }
    for (struct oracle_volume *at = oracle->volumes; at != NULL; at = at->next)
        sim_host_free(at->claims);
    table_deinit(&oracle->stores);
    table_deinit(&oracle->sessions);
    while (oracle->chunks != NULL) {
        struct oracle_chunk *chunk = oracle->chunks;
        oracle->chunks = chunk->next;
        sim_host_free(chunk);
    }
    sim_host_free(oracle);
}

const struct sim_oracle_counts *sim_oracle_counts(const struct sim_oracle *oracle)
{
    return &oracle->counts;
}

struct oracle_session *oracle_session_of(struct sim_oracle *oracle,
                                         const struct graft_store_session *session)
{
    struct oracle_session *known = oracle_table_get(&oracle->sessions, session);
    return known == NULL || known->replica == NULL ? NULL : known;
}

void oracle_session_opened(struct sim_oracle *oracle, struct graft_store *store,
                           const struct graft_store_session *session)
{
    struct oracle_session *known = oracle_table_get(&oracle->sessions, session);
    if (known == NULL) {
        known = oracle_alloc(oracle, sizeof *known);
        oracle_table_set(&oracle->sessions, session, known);
    }
    struct oracle_changes changes = known->changes;
    *known = (struct oracle_session){.store = store,
                                     .process = sim_process_current(),
                                     .replica = oracle_replica_of_store(oracle, store),
                                     .changes = changes};
}

/* ---- Mercy ---- */

void sim_oracle_forgive(struct sim_oracle *oracle, unsigned mercy)
{
    oracle->mercy |= mercy;
}

static bool any_fired(const struct sim_oracle *oracle, const enum sim_fault *kinds, size_t count)
{
    const uint64_t *fired = oracle->world->trace.fired;
    for (size_t i = 0; i < count; i++) {
        if (fired[kinds[i]] > 0)
            return true;
    }
    return false;
}

bool oracle_forgives_loss(const struct sim_oracle *oracle)
{
    /* A last commit that was hurt at rest looks like one that never got there. */
    static const enum sim_fault kinds[] = {SIM_FAULT_disk_sync_lie, SIM_FAULT_disk_rot,
                                           SIM_FAULT_disk_misdirect};
    return (oracle->mercy & SIM_ORACLE_LOSS) != 0 ||
           any_fired(oracle, kinds, sizeof kinds / sizeof kinds[0]);
}

bool oracle_calls_fail(const struct sim_oracle *oracle)
{
    static const enum sim_fault kinds[] = {SIM_FAULT_alloc_fail, SIM_FAULT_disk_read_error,
                                           SIM_FAULT_disk_write_error, SIM_FAULT_disk_sync_error,
                                           SIM_FAULT_disk_full};
    return any_fired(oracle, kinds, sizeof kinds / sizeof kinds[0]);
}

bool oracle_cache_may_vanish(const struct sim_oracle *oracle)
{
    static const enum sim_fault kinds[] = {SIM_FAULT_disk_sync_error};
    return any_fired(oracle, kinds, sizeof kinds / sizeof kinds[0]);
}

/* The kinds whose row in docs/simulator.md speaks of damage, at rest or on its way. */
bool oracle_forgives_damage(const struct sim_oracle *oracle)
{
    static const enum sim_fault kinds[] = {
        SIM_FAULT_disk_sync_error, SIM_FAULT_disk_sync_lie,  SIM_FAULT_disk_rot,
        SIM_FAULT_disk_misdirect,  SIM_FAULT_store_truncate, SIM_FAULT_store_wrong_range,
        SIM_FAULT_net_truncate,
    };
    return (oracle->mercy & SIM_ORACLE_DAMAGE) != 0 || oracle_forgives_loss(oracle) ||
           any_fired(oracle, kinds, sizeof kinds / sizeof kinds[0]);
}

/* ---- Speaking up ---- */

void oracle_violation(struct sim_oracle *oracle, const struct oracle_replica *replica,
                      const char *format, ...)
{
    char text[1200];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const struct sim_process *process = sim_process_current();
    sim_world_fail(oracle->world, "oracle: %s (replica %s:%s, process %s %u, %llu ms)", text,
                   replica == NULL ? "?" : sim_machine_name(replica->machine),
                   replica == NULL ? "?" : replica->directory,
                   process == NULL ? "?" : sim_process_name(process),
                   process == NULL ? 0 : sim_process_id(process),
                   (unsigned long long)(sim_world_now_ns(oracle->world) / SIM_MS));
}

void oracle_check_error(struct sim_oracle *oracle, const struct oracle_replica *replica,
                        const char *what, enum graft_rc rc, const struct graft_err *err)
{
    bool speaks_of_damage = rc == GRAFT_ECORRUPT || rc == GRAFT_EFOREIGN;
    if (rc != GRAFT_EBUG && (!speaks_of_damage || oracle_forgives_damage(oracle)))
        return;
    oracle_violation(oracle, replica, "damage without cause: %s says \"%s\"%s%s", what,
                     graft_rc_text(rc), err == NULL ? "" : ": ", err == NULL ? "" : err->text);
}
