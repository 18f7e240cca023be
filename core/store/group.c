/* Commits that share a sync. Who wants a published commit to be durable looks whether somebody
 * syncs already. If nobody does it leads: one sync makes durable all that was published before it
 * began, its own commit and those of others. If somebody does it waits for the end of that, and
 * looks again. A leader that is killed is found out by its mark, as a writer is.
 *
 * The commits were visible before they were durable. When the sync fails, the log is saved
 * elsewhere and synced there, which makes them durable after all; when that fails too, each is
 * reported as failed, and nobody begins a snapshot that has one of them until it is durable:
 * GRAFT_W_DOUBT. */
#include "store/parts.h"

#include "base/catalogue.h"

#define LOOK_MS 20U         /* how often a waiter looks whether the leader lives */
#define ROLE_WAIT_MS 10000U /* for the writer role, to save the log */
/* So many commits after one that somebody waited for are shared too: between two commits of theirs
 * there are moments when nobody waits, and who syncs with the role in its hands then holds up all.
 */
#define CROWD_COMMITS 32U

bool graft_store_writer_wanted(struct graft_store_session *session)
{
    struct graft_store *store = session->store;
    if (!session->txn.open)
        return false;
    if (graft_writer_is_wanted(store))
        graft_header_raise(store, GRAFT_W_CROWD, session->txn.lsn + CROWD_COMMITS);
    return session->txn.lsn <= graft_header_load(store, GRAFT_W_CROWD);
}

static _Atomic uint64_t *lead_of(struct graft_store *store)
{
    return &store->header[GRAFT_W_SYNCING];
}

static bool lead(struct graft_store_session *session, bool ask)
{
    struct graft_store *store = session->store;
    uint64_t seen = graft_shm_load(lead_of(store));
    if (seen != 0 && (!ask || !graft_owner_is_dead(session, seen)))
        return false;
    GRAFT_SOMETIMES(seen != 0, "a sync for others is led on after its leader died");
    return graft_shm_cas(store->env->shm, lead_of(store), seen, (uint64_t)session->mark + 1);
}

static void lead_no_more(struct graft_store *store)
{
    graft_header_store(store, GRAFT_W_SYNCING, 0);
    (void)graft_shm_add(store->env->shm, &store->header[GRAFT_W_SYNC_ROUND], 1);
    graft_shm_wake(store->env->shm, &store->header[GRAFT_W_SYNC_ROUND]);
}

/* Under the writer role. */
static enum graft_rc save(struct graft_store *store, struct graft_err *err)
{
    GRAFT_TRY(graft_publish_finish(store, err));
    return graft_log_heal(store, false, err);
}

static enum graft_rc save_elsewhere(struct graft_store_session *session, uint64_t lsn,
                                    struct graft_err *err)
{
    struct graft_store *store = session->store;
    struct graft_err why = {0};
    /* Never EBUSY: that would say that the commit has not happened, and can be tried again. */
    enum graft_rc rc =
        graft_err_set(&why, GRAFT_EIO, "a writer that is at work keeps the log from being saved");
    if (graft_writer_take(session, ROLE_WAIT_MS)) {
        rc = save(store, &why);
        if (rc == GRAFT_EBUSY)
            rc = GRAFT_EIO;
        graft_writer_release(session);
    }
    bool durable = graft_synced_load(store) >= lsn;
    GRAFT_SOMETIMES(durable, "a commit whose shared sync failed was saved elsewhere");
    GRAFT_SOMETIMES(!durable, "a commit is in doubt after its shared sync failed");
    if (durable)
        return GRAFT_OK;
    graft_header_raise(store, GRAFT_W_DOUBT, lsn);
    return graft_err_set(
        err, rc == GRAFT_OK ? GRAFT_EIO : rc,
        "%s: commit %llu could not be made durable, and counts only once it is%s%s",
        store->directory, (unsigned long long)lsn, rc == GRAFT_OK ? "" : ": ",
        rc == GRAFT_OK ? "" : why.text);
}

enum graft_rc graft_store_settle(struct graft_store_session *session, uint64_t lsn,
                                 struct graft_err *err)
{
    struct graft_store *store = session->store;
    _Atomic uint64_t *round = &store->header[GRAFT_W_SYNC_ROUND];
    for (bool woken = true;;) {
        uint64_t seen = graft_shm_load(round);
        if (graft_synced_load(store) >= lsn)
            return GRAFT_OK;
        if (graft_header_load(store, GRAFT_W_POISON) != 0 || graft_log_is_unheard(store))
            return save_elsewhere(session, lsn, err);
        if (lead(session, !woken)) {
            struct graft_err why = {0};
            enum graft_rc rc = graft_log_sync(store, &why);
            lead_no_more(store);
            (void)rc; /* whoever waits looks at the synced LSN */
            GRAFT_ALWAYS(rc == GRAFT_OK || why.rc != GRAFT_OK, "a sync that fails says why");
            continue;
        }
        woken = graft_shm_wait(store->env->shm, round, seen, LOOK_MS);
    }
}

bool graft_store_in_doubt(struct graft_store *store)
{
    uint64_t doubt = graft_header_load(store, GRAFT_W_DOUBT);
    return doubt != 0 && graft_synced_load(store) < doubt;
}

enum graft_rc graft_store_end_doubt(struct graft_store_session *session, bool has_role,
                                    struct graft_err *err)
{
    struct graft_store *store = session->store;
    struct graft_err why = {0};
    enum graft_rc rc = GRAFT_OK;
    if (has_role || graft_writer_take(session, 0)) {
        rc = save(store, &why);
        if (!has_role)
            graft_writer_release(session);
    }
    if (!graft_store_in_doubt(store))
        return GRAFT_OK;
    return graft_err_set(err, GRAFT_EIO,
                         "%s: a sync of the log failed, and commits that were built on are not "
                         "durable%s%s",
                         store->directory, rc == GRAFT_OK ? "" : ": ",
                         rc == GRAFT_OK ? "" : why.text);
}
