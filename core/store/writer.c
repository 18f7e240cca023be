/* The writer role: one word of the shared table names the mark of the session that has it. Who
 * finds it free takes it with one atomic operation. Every session holds the lock of its mark as
 * long as it lives, so that a mark whose lock can be had belongs to nobody any more, and the role
 * of a writer that was killed passes to whoever looks next.
 *
 *   bit 0      somebody may wait, and wants to be woken; it stays when the role passes on, until
 *              there was nobody to wake
 *   bits 1..   the mark + 1; 0 = free
 *   bits 32..  how often it was let go, so that who has found the owner dead does not take what
 *              has passed on to the heir of its mark meanwhile */
#include "store/parts.h"

#include "base/catalogue.h"

#define WAITED UINT64_C(1)
#define TURN (UINT64_C(1) << 32)
#define LOOK_MS 20U /* how often a waiter looks whether the writer lives */

static _Atomic uint64_t *role_of(struct graft_store *store)
{
    return &store->header[GRAFT_W_WRITER];
}

static uint32_t owner_of(uint64_t word)
{
    return (uint32_t)word >> 1;
}

bool graft_owner_is_dead(struct graft_store_session *session, uint64_t owner)
{
    if (owner == 0 || owner > GRAFT_SESSIONS_MAX)
        return true;
    if (owner - 1 == session->mark)
        return false;
    bool granted = false;
    struct graft_err ignored = {0};
    uint32_t index = GRAFT_LOCK_MARKS + (uint32_t)(owner - 1);
    if (graft_lock_try(session->locks, index, true, &granted, &ignored) != GRAFT_OK || !granted)
        return false;
    graft_lock_release(session->locks, index);
    return true;
}

/* Takes the role from `seen`, whose owner is nobody or dead. */
static bool take(struct graft_store_session *session, uint64_t seen)
{
    struct graft_store *store = session->store;
    uint64_t mine = (uint64_t)(session->mark + 1) << 1;
    uint64_t kept = seen & (~(TURN - 1) | WAITED);
    return graft_shm_cas(store->env->shm, role_of(store), seen, kept | mine);
}

/* What a dead writer left at the log's end goes before anything takes its place. */
static void void_left_over(struct graft_store *store)
{
    graft_header_store(store, GRAFT_W_VOID, 1);
}

/* Whether the owner lives is a question to the system, and not asked at each try. */
static bool try_role(struct graft_store_session *session, bool ask)
{
    for (;;) {
        uint64_t seen = graft_shm_load(role_of(session->store));
        bool orphaned = owner_of(seen) != 0;
        if (orphaned && (!ask || !graft_owner_is_dead(session, owner_of(seen))))
            return false;
        if (!take(session, seen))
            continue;
        GRAFT_SOMETIMES(orphaned, "the writer role is taken from a session that died");
        if (orphaned)
            void_left_over(session->store);
        return true;
    }
}

bool graft_writer_take(struct graft_store_session *session, uint32_t timeout_ms)
{
    struct graft_store *store = session->store;
    if (try_role(session, timeout_ms == 0))
        return true;
    if (timeout_ms == 0)
        return false;
    struct graft_clock *clock = store->env->clock;
    uint64_t end_us = graft_clock_monotonic_us(clock) + (uint64_t)timeout_ms * 1000;
    for (;;) {
        uint64_t now_us = graft_clock_monotonic_us(clock);
        if (now_us >= end_us)
            return try_role(session, true);
        bool woken = true;
        uint64_t seen = graft_shm_load(role_of(store));
        if (owner_of(seen) != 0 &&
            ((seen & WAITED) != 0 ||
             graft_shm_cas(store->env->shm, role_of(store), seen, seen | WAITED))) {
            uint64_t left_ms = (end_us - now_us + 999) / 1000;
            woken = graft_shm_wait(store->env->shm, role_of(store), seen | WAITED,
                                   left_ms < LOOK_MS ? (uint32_t)left_ms : LOOK_MS);
        }
        if (try_role(session, !woken))
            return true;
    }
}

bool graft_writer_is_wanted(struct graft_store *store)
{
    return (graft_shm_load(role_of(store)) & WAITED) != 0;
}

static void free_role(struct graft_store *store, uint32_t mark)
{
    for (;;) {
        uint64_t seen = graft_shm_load(role_of(store));
        if (owner_of(seen) != mark + 1)
            return;
        uint64_t idle = (seen & ~(TURN - 1)) + TURN + (seen & WAITED);
        if (!graft_shm_cas(store->env->shm, role_of(store), seen, idle))
            continue;
        if ((seen & WAITED) != 0 && !graft_shm_wake_one(store->env->shm, role_of(store)))
            (void)graft_shm_cas(store->env->shm, role_of(store), idle, idle - WAITED);
        return;
    }
}

void graft_writer_release(struct graft_store_session *session)
{
    GRAFT_ALWAYS(owner_of(graft_shm_load(role_of(session->store))) == session->mark + 1,
                 "who lets go of the writer role has it");
    free_role(session->store, session->mark);
}

void graft_writer_disown(struct graft_store *store, uint32_t mark)
{
    if (owner_of(graft_shm_load(role_of(store))) == mark + 1)
        void_left_over(store);
    free_role(store, mark);
    (void)graft_shm_cas(store->env->shm, &store->header[GRAFT_W_SYNCING], (uint64_t)mark + 1, 0);
}
