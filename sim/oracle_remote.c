/* The remote as the oracle sees it. A commit object is known by its hash from the moment that its
 * push is recorded as pending, and its content is that of the local state that it says it carries.
 * That it is in the remote is known when a replica, having asked, records that it is: then it must
 * be the only one of its LSN, and build on the one before it. */
#include <string.h>

#include "sim/oracle_parts.h"

#define LLU(x) ((unsigned long long)(x))

static struct oracle_object **bucket_of(struct sim_oracle *oracle, const struct graft_hash *hash)
{
    return &oracle->objects[hash->bytes[0] % ORACLE_BUCKETS];
}

static struct oracle_object *find_object(struct sim_oracle *oracle, const struct graft_hash *hash)
{
    struct oracle_object *at = *bucket_of(oracle, hash);
    while (at != NULL && !graft_hash_equal(&at->hash, hash))
        at = at->next;
    return at;
}

const struct oracle_object *oracle_object_find(struct sim_oracle *oracle,
                                               const struct graft_hash *hash)
{
    return find_object(oracle, hash);
}

struct oracle_volume *oracle_volume_of(struct sim_oracle *oracle, const struct graft_volume_id *id)
{
    struct oracle_volume *volume = oracle->volumes;
    while (volume != NULL && !graft_volume_id_equal(&volume->id, id))
        volume = volume->next;
    if (volume == NULL) {
        volume = oracle_alloc(oracle, sizeof *volume);
        volume->id = *id;
        volume->next = oracle->volumes;
        oracle->volumes = volume;
    }
    return volume;
}

const struct oracle_object *oracle_volume_at(const struct oracle_volume *volume, uint64_t lsn)
{
    return lsn < volume->capacity ? volume->claims[lsn].object : NULL;
}

static struct oracle_claim *claim_at(struct oracle_volume *volume, uint64_t lsn)
{
    if (lsn >= volume->capacity) {
        uint64_t capacity = lsn * 2 + 16;
        volume->claims = sim_host_realloc(volume->claims, capacity * sizeof volume->claims[0]);
        memset(volume->claims + volume->capacity, 0,
               (capacity - volume->capacity) * sizeof volume->claims[0]);
        volume->capacity = capacity;
    }
    return &volume->claims[lsn];
}

/* ---- Pushing ---- */

void oracle_push_starts(struct sim_oracle *oracle, struct oracle_replica *replica,
                        const struct graft_hash *base, const struct graft_hash *hash,
                        uint64_t local_lsn, uint64_t remote_lsn)
{
    if (local_lsn > replica->head) {
        oracle_violation(oracle, replica,
                         "invented commit: a push carries local commits up to %llu, %llu is the "
                         "newest",
                         LLU(local_lsn), LLU(replica->head));
        return;
    }
    struct oracle_object *object = find_object(oracle, hash);
    if (object != NULL)
        return;
    object = oracle_alloc(oracle, sizeof *object);
    *object = (struct oracle_object){
        .hash = *hash,
        .base = *base,
        .truth = replica->states[local_lsn].truth,
        .replica = replica,
        .lsn = remote_lsn,
        .local_lsn = local_lsn,
        .local_serial = replica->states[local_lsn].serial,
    };
    struct oracle_object **bucket = bucket_of(oracle, hash);
    object->next = *bucket;
    *bucket = object;
}

/* ---- Claims ---- */

static void check_follows(struct sim_oracle *oracle, const struct oracle_replica *replica,
                          const struct oracle_object *before, const struct oracle_object *after)
{
    if (before != NULL && after != NULL && !graft_hash_equal(&after->base, &before->hash))
        oracle_violation(oracle, replica,
                         "lost push: remote commit %llu does not build on the %llu that was "
                         "acknowledged",
                         LLU(after->lsn), LLU(before->lsn));
}

const struct oracle_object *oracle_claim(struct sim_oracle *oracle, struct oracle_replica *replica,
                                         const struct graft_volume_id *id,
                                         const struct graft_hash *hash, uint64_t remote_lsn)
{
    const struct oracle_object *object = find_object(oracle, hash);
    if (object == NULL || object->lsn != remote_lsn) {
        oracle_violation(oracle, replica,
                         "invented push: remote commit %llu is one that nobody pushed as that",
                         LLU(remote_lsn));
        return NULL;
    }
    struct oracle_volume *volume = oracle_volume_of(oracle, id);
    struct oracle_claim *claim = claim_at(volume, remote_lsn);
    if (claim->object == object)
        return object;
    if (claim->object != NULL && !oracle_forgives_loss(oracle))
        oracle_violation(oracle, replica,
                         "rewritten remote: commit %llu was that of %s, and is another, of %s",
                         LLU(remote_lsn), sim_machine_name(claim->object->replica->machine),
                         sim_machine_name(object->replica->machine));
    *claim = (struct oracle_claim){.object = object, .serial = ++oracle->serial};
    oracle->counts.pushes++;
    if (!oracle_forgives_loss(oracle)) {
        check_follows(oracle, replica, oracle_volume_at(volume, remote_lsn - 1), object);
        check_follows(oracle, replica, object, oracle_volume_at(volume, remote_lsn + 1));
    }
    return object;
}

/* ---- What a replica records ---- */

void oracle_note_starts(struct sim_oracle *oracle, struct oracle_replica *replica,
                        const struct graft_volume_id *id, const struct graft_sync_state *state)
{
    if (state->remote_lsn == 0)
        return;
    const struct oracle_object *object =
        oracle_claim(oracle, replica, id, &state->remote_hash, state->remote_lsn);
    if (state->pushed_lsn > replica->pushed_max &&
        (object->replica != replica || object->local_lsn != state->pushed_lsn))
        oracle_violation(oracle, replica,
                         "lost push: local commits up to %llu are recorded as pushed, but remote "
                         "commit %llu has those up to %llu of %s",
                         LLU(state->pushed_lsn), LLU(state->remote_lsn), LLU(object->local_lsn),
                         sim_machine_name(object->replica->machine));
    if (replica->remote_max < state->remote_lsn)
        replica->remote_max = state->remote_lsn;
    if (replica->pushed_max < state->pushed_lsn)
        replica->pushed_max = state->pushed_lsn;
}

/* Whether a request may act after its sender was told for good that it did not. */
static bool pushes_may_come_late(const struct sim_oracle *oracle)
{
    const uint64_t *fired = oracle->world->trace.fired;
    return fired[SIM_FAULT_net_duplicate] + fired[SIM_FAULT_store_late_put] > 0;
}

void oracle_reset_starts(struct sim_oracle *oracle, struct oracle_replica *replica,
                         const struct graft_sync_state *state)
{
    const struct oracle_object *object = find_object(oracle, &state->remote_hash);
    if (object != NULL && object->replica == replica && object->local_lsn > replica->pushed_max &&
        !pushes_may_come_late(oracle) && !oracle_forgives_loss(oracle))
        oracle_violation(oracle, replica,
                         "forgotten push: local commits are dropped for remote commit %llu, which "
                         "is a push of those up to %llu",
                         LLU(object->lsn), LLU(object->local_lsn));
}

/* A note is synced, and with it all that stands before it in the log. */
void oracle_noted(struct oracle_replica *replica, const struct graft_sync_state *state,
                  uint64_t durable_lsn)
{
    if (replica->remote_lsn < state->remote_lsn)
        replica->remote_lsn = state->remote_lsn;
    if (replica->durable < durable_lsn)
        replica->durable = durable_lsn;
}

void oracle_pulled(struct sim_oracle *oracle, struct oracle_replica *replica,
                   const struct graft_volume_id *id, uint64_t start_serial, uint64_t remote_lsn)
{
    const struct oracle_volume *volume = oracle_volume_of(oracle, id);
    const struct oracle_object *missed = oracle_volume_at(volume, remote_lsn + 1);
    if (missed != NULL && volume->claims[remote_lsn + 1].serial <= start_serial &&
        !oracle_forgives_loss(oracle))
        oracle_violation(oracle, replica,
                         "stale pull: it ends at remote commit %llu, and %llu was acknowledged to "
                         "%s before it began",
                         LLU(remote_lsn), LLU(missed->lsn),
                         sim_machine_name(missed->replica->machine));
}

void oracle_pushed(struct sim_oracle *oracle, struct oracle_replica *replica, uint64_t newest_local)
{
    if (newest_local > replica->pushed_max && newest_local <= replica->head)
        oracle_violation(oracle, replica,
                         "lost push: it succeeded, and left out local commit %llu (those up to "
                         "%llu are in)",
                         LLU(newest_local), LLU(replica->pushed_max));
}
