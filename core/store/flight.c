/* Syncs under way. The system tells of a sync that failed whoever had the file open then. Who opens
 * it later is not told, and its own sync does well, though what the failed one covered is lost. So
 * a sync stands in the shared table until its outcome does (GRAFT_W_POISON, GRAFT_W_SUSPECT), and
 * whoever opens the directory waits for those that have begun. One whose process is gone counts as
 * failed to those who open from then on (GRAFT_W_UNHEARD): nobody else knows what it was told.
 *
 * That it is gone shows in a lock, which those who sync share. There are two sides, of words and of
 * locks, so that whoever opens need not wait for syncs that begin later: it turns them to the other
 * side. */
#include "store/parts.h"

#include "base/catalogue.h"

#define SYNC_WAIT_MS 60000U

static _Atomic uint64_t *word_of(struct graft_store *store, unsigned side,
                                 enum graft_synced_file synced)
{
    return &store->header[GRAFT_W_FLIGHTS + 2 * side + synced];
}

static enum graft_lock_index lock_of(unsigned side)
{
    return side == 0 ? GRAFT_LOCK_FLIGHTS : GRAFT_LOCK_FLIGHTS_OTHER;
}

static unsigned side_now(struct graft_store *store)
{
    return (unsigned)(graft_header_load(store, GRAFT_W_FLIGHT_SIDE) & 1);
}

/* Has a share of the lock of the side that counts. The shares of a process are one for the system.
 */
static enum graft_rc take_share(struct graft_store *store, unsigned *side, struct graft_err *err)
{
    for (;;) {
        *side = side_now(store);
        bool granted = store->flights[*side] > 0;
        if (!granted)
            GRAFT_TRY(graft_lock_try(store->locks, lock_of(*side), false, &granted, err));
        /* Refused, or late: whoever opens has turned to the other side. */
        if (granted && side_now(store) == *side)
            return GRAFT_OK;
        if (granted && store->flights[*side] == 0)
            graft_lock_release(store->locks, lock_of(*side));
    }
}

enum graft_rc graft_flight_begin(struct graft_store *store, enum graft_synced_file synced,
                                 struct graft_flight *out, struct graft_err *err)
{
    out->synced = synced;
    graft_mutex_lock(store->flight_mutex);
    enum graft_rc rc = take_share(store, &out->side, err);
    if (rc == GRAFT_OK)
        store->flights[out->side]++;
    graft_mutex_unlock(store->flight_mutex);
    if (rc == GRAFT_OK)
        (void)graft_shm_add(store->env->shm, word_of(store, out->side, synced), 1);
    return rc;
}

void graft_flight_end(struct graft_store *store, const struct graft_flight *flight)
{
    (void)graft_shm_add(store->env->shm, word_of(store, flight->side, flight->synced), UINT64_MAX);
    graft_mutex_lock(store->flight_mutex);
    if (--store->flights[flight->side] == 0)
        graft_lock_release(store->locks, lock_of(flight->side));
    graft_mutex_unlock(store->flight_mutex);
}

/* Nobody who lives syncs on this side any more. The commit under way, if there is one, may have
 * been appended before too. */
static void call_failed(struct graft_store *store, unsigned side)
{
    if (graft_shm_load(word_of(store, side, GRAFT_SYNCED_LOG)) != 0) {
        GRAFT_REACHABLE("a process died in a sync of the log, which counts as failed");
        graft_header_raise(store, GRAFT_W_UNHEARD, graft_header_load(store, GRAFT_W_HEAD) + 1);
    }
    if (graft_shm_load(word_of(store, side, GRAFT_SYNCED_TABLE)) != 0) {
        GRAFT_REACHABLE("a process died in a sync of the table, which counts as failed");
        graft_header_store(store, GRAFT_W_SUSPECT, 1);
    }
    graft_shm_store(store->env->shm, word_of(store, side, GRAFT_SYNCED_LOG), 0);
    graft_shm_store(store->env->shm, word_of(store, side, GRAFT_SYNCED_TABLE), 0);
}

static bool is_quiet(struct graft_store *store, unsigned side)
{
    return graft_shm_load(word_of(store, side, GRAFT_SYNCED_LOG)) == 0 &&
           graft_shm_load(word_of(store, side, GRAFT_SYNCED_TABLE)) == 0;
}

bool graft_flight_doubts_log(struct graft_store *store)
{
    return graft_synced_load(store) < graft_header_load(store, GRAFT_W_UNHEARD) ||
           graft_shm_load(word_of(store, 0, GRAFT_SYNCED_LOG)) != 0 ||
           graft_shm_load(word_of(store, 1, GRAFT_SYNCED_LOG)) != 0;
}

static enum graft_rc await(struct graft_store *store, unsigned side, struct graft_err *err)
{
    if (is_quiet(store, side))
        return GRAFT_OK;
    GRAFT_TRY(graft_store_wait_lock(store, lock_of(side), SYNC_WAIT_MS, err));
    call_failed(store, side);
    graft_lock_release(store->locks, lock_of(side));
    return GRAFT_OK;
}

static enum graft_rc await_both(struct graft_store *store, struct graft_err *err)
{
    unsigned before = side_now(store);
    /* Where one who opened, and died, had turned from. */
    GRAFT_TRY(await(store, 1 - before, err));
    if (is_quiet(store, before))
        return GRAFT_OK;
    graft_header_store(store, GRAFT_W_FLIGHT_SIDE, 1 - before);
    return await(store, before, err);
}

enum graft_rc graft_flight_await(struct graft_store *store, struct graft_err *err)
{
    GRAFT_TRY(await_both(store, err));
    uint64_t unheard = graft_header_load(store, GRAFT_W_UNHEARD);
    atomic_store(&store->unheard, graft_synced_load(store) < unheard);
    return GRAFT_OK;
}
