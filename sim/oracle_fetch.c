/* Fetches: what is delivered is right, and nothing is asked of the remote without a cause.
 *
 * A page version (page, remote LSN that wrote it) that was put into a replica's image, came inside
 * the commit of a pull, or was pushed from here, is held. A reader that asks the remote for it all
 * the same is a violation unless, since then,
 *
 * - the log was recovered, after a crash of the machine or a kill of the last process on the
 *   replica: installs are not synced, and a page that a pull changed, and that was fetched since,
 *   is held in the image alone, while its frame in the log says that it is not; recovery cannot
 * tell whether the image or the log is the newer. What was pushed from here stays;
 * - a local commit changed the page, or cut it off: a reset, which drops that commit, leaves the
 *   version of the remote to be fetched again;
 * - a reset gave it up: of what was pushed from here, with what was not, all that the base of the
 *   log's half sums up, should it have been begun while the push was under way;
 * - the page was found rotten and given up, or could not be (graft_store_forget), or was chosen to
 * be given up to a cache limit (graft_store_evict), whether it then was or not, also while somebody
 * is about it;
 * - a sync lied: then the disk keeps what it likes;
 *
 * or the read had begun before the page was held: processes do not share fetches, tasks of one do.
 *
 * What was delivered but not installed may be asked for again: the fold lock was busy, the head had
 * moved on, or the reader was of an older snapshot whose version is not kept. But not by the
 * process that was just given it: its fetcher keeps what it fetched last, so the same frame read
 * twice within what that surely holds is a violation too, hydrating apart, which reads whole ranges
 * past it. Pages that merely share a frame with one that is wanted come along with it, at no cost.
 */
#include <string.h>

#include "base/assert.h"
#include "sim/oracle_parts.h"

#define LLU(x) ((unsigned long long)(x))
#define HELD_PAGES_MAX (1U << 20)

/* NULL for pages that are not kept account of. */
static struct oracle_held *held_at(struct oracle_replica *replica, uint32_t page)
{
    if (page >= HELD_PAGES_MAX)
        return NULL;
    if (page >= replica->held_capacity) {
        uint32_t capacity = page * 2 + 64;
        replica->held = sim_host_realloc(replica->held, capacity * sizeof replica->held[0]);
        memset(replica->held + replica->held_capacity, 0,
               (capacity - replica->held_capacity) * sizeof replica->held[0]);
        replica->held_capacity = capacity;
    }
    return &replica->held[page];
}

void oracle_page_changed(struct oracle_replica *replica, uint32_t page, uint64_t serial)
{
    struct oracle_held *held = held_at(replica, page);
    if (held != NULL)
        held->changed = serial;
}

void oracle_page_held(struct oracle_replica *replica, uint32_t page, uint64_t version_lsn,
                      uint64_t serial)
{
    struct oracle_held *held = held_at(replica, page);
    if (held == NULL)
        return;
    held->version_lsn = held->delivered_lsn = version_lsn;
    held->began = held->installed = serial;
}

static void forget(struct sim_oracle *oracle, struct graft_store *store, uint32_t page)
{
    struct oracle_replica *replica = oracle_replica_of_store(oracle, store);
    struct oracle_held *held = replica == NULL ? NULL : held_at(replica, page);
    if (held != NULL)
        held->forgotten = ++oracle->serial;
}

/* Who dies on the way may have given it up until then. */
static bool is_being_given_up(struct sim_oracle *oracle, struct oracle_held *held)
{
    bool given_up = false;
    for (uint32_t i = 0; i < ORACLE_GIVERS; i++) {
        if (held->givers[i] == NULL)
            continue;
        given_up = true;
        if (!sim_process_is_running(held->givers[i])) {
            held->givers[i] = NULL;
            held->forgotten = ++oracle->serial;
        }
    }
    return given_up;
}

/* Whether the replica held this version at `serial`, and nothing was a cause to lose it since. */
static bool was_held(struct sim_oracle *oracle, struct oracle_replica *replica, uint32_t page,
                     uint64_t version_lsn, uint64_t serial)
{
    struct oracle_held *held = held_at(replica, page);
    if (held == NULL || oracle_forgives_loss(oracle) || is_being_given_up(oracle, held))
        return false;
    uint64_t lost = held->changed > held->forgotten ? held->changed : held->forgotten;
    if (lost < replica->recovery_serial)
        lost = replica->recovery_serial;
    return held->version_lsn == version_lsn && held->installed < serial && held->began > lost;
}

/* Whether it pushed this version itself, and changed nothing of the page since. */
static bool was_pushed(struct sim_oracle *oracle, struct oracle_replica *replica,
                       const struct graft_volume_id *id, uint32_t page, uint64_t version_lsn)
{
    const struct oracle_object *object =
        oracle_volume_at(oracle_volume_of(oracle, id), version_lsn);
    struct oracle_held *held = held_at(replica, page);
    return held != NULL && object != NULL && object->replica == replica &&
           held->changed <= object->local_serial && held->forgotten <= object->local_serial &&
           replica->reset_serial <= object->local_serial && !oracle_forgives_loss(oracle);
}

/* ---- Pages that are given up: found rotten, or to a cache limit ---- */

/* Also after it, as others may have looked for, and put back, what went meanwhile. */
static void forget_swept(struct sim_oracle *oracle, struct graft_store *store,
                         const struct graft_store_sweep *sweep)
{
    for (uint32_t i = 0; i < sweep->count; i++)
        forget(oracle, store, sweep->pages[i]);
}

/* The running process begins to give the page up, or has ended it. */
static void set_giver(struct sim_oracle *oracle, struct graft_store *store, uint32_t page,
                      bool begins)
{
    struct oracle_replica *replica = oracle_replica_of_store(oracle, store);
    struct oracle_held *held = replica == NULL ? NULL : held_at(replica, page);
    const struct sim_process *self = sim_process_current();
    for (uint32_t at = 0; at < ORACLE_GIVERS && held != NULL; at++) {
        const struct sim_process **giver = &held->givers[at];
        if (*giver != (begins ? NULL : self))
            continue;
        *giver = begins ? self : NULL;
        break;
    }
}

void oracle_forget_starts(struct sim_oracle *oracle, struct graft_store *store, uint32_t page)
{
    set_giver(oracle, store, page, true);
}

void oracle_forgot(struct sim_oracle *oracle, struct graft_store *store, uint32_t page)
{
    forget(oracle, store, page);
    set_giver(oracle, store, page, false);
}

static uint64_t remote_lsn_of(struct graft_store *store)
{
    struct graft_sync_state state;
    return graft_store_sync_state(store, &state, NULL) == GRAFT_OK ? state.remote_lsn : 0;
}

void oracle_evict_starts(struct sim_oracle *oracle, struct graft_store *store,
                         const struct graft_store_sweep *sweep, struct oracle_eviction *out)
{
    forget_swept(oracle, store, sweep);
    for (uint32_t i = 0; i < sweep->count; i++)
        set_giver(oracle, store, sweep->pages[i], true);
    *out = (struct oracle_eviction){.remote_lsn = remote_lsn_of(store)};
    for (uint32_t i = 0; i < sweep->count; i++) {
        if (graft_store_page_state(store, sweep->pages[i]) == GRAFT_STORE_HELD)
            out->held[i / 8] |= (uint8_t)(1U << i % 8);
    }
}

/* Clients' sessions only: those that sync move on by themselves. */
static void check_readers(struct sim_oracle *oracle, const struct oracle_replica *replica,
                          const struct oracle_volume *volume, uint32_t page)
{
    for (uint32_t i = 0; i < oracle->sessions.capacity; i++) {
        const struct oracle_session *session = oracle->sessions.values[i];
        if (session == NULL || session->replica != replica || !session->is_public ||
            !session->pinned || !sim_process_is_running(session->process) ||
            page > session->snapshot.page_count)
            continue;
        const struct oracle_object *object = oracle_volume_at(volume, session->snapshot.remote_lsn);
        if (object != NULL && !oracle_truths_may_agree(session->truth, object->truth, page))
            oracle_violation(
                oracle, replica,
                "page given up: page %u is missing for a snapshot at LSN %llu, and its "
                "remote commit %llu has another",
                page, LLU(session->snapshot.lsn), LLU(session->snapshot.remote_lsn));
    }
}

/* What was held is missing, and no pull or reset made it so. */
void oracle_evicted(struct sim_oracle *oracle, struct graft_store *store,
                    const struct graft_store_sweep *sweep, const struct oracle_eviction *before)
{
    struct oracle_replica *replica = oracle_replica_of_store(oracle, store);
    const struct oracle_volume *volume =
        oracle_volume_of(oracle, &graft_store_config(store)->volume);
    forget_swept(oracle, store, sweep);
    for (uint32_t i = 0; i < sweep->count; i++)
        set_giver(oracle, store, sweep->pages[i], false);
    for (uint32_t i = 0; i < sweep->count && replica != NULL && !oracle_forgives_loss(oracle);
         i++) {
        bool held = (before->held[i / 8] >> i % 8 & 1) != 0;
        if (held && graft_store_page_state(store, sweep->pages[i]) == GRAFT_STORE_MISSING &&
            remote_lsn_of(store) == before->remote_lsn)
            check_readers(oracle, replica, volume, sweep->pages[i]);
    }
}

/* ---- A reader asks ---- */

void oracle_fetch_starts(struct sim_oracle *oracle, struct graft_session *session,
                         const struct graft_view *view, uint32_t page)
{
    struct oracle_replica *replica = oracle_replica_of_store(oracle, session->volume->store);
    struct oracle_session *reader = oracle_session_of(oracle, session->store);
    struct graft_place place;
    if (replica == NULL || reader == NULL || !graft_view_find(view, page, &place))
        return;
    oracle->counts.fetches++;
    if (was_held(oracle, replica, page, place.version_lsn, reader->read_serial))
        oracle_violation(oracle, replica,
                         "needless fetch: page %u of remote commit %llu is asked for, and was held "
                         "before the read began",
                         page, LLU(place.version_lsn));
    if (was_pushed(oracle, replica, &view->commit.volume, page, place.version_lsn))
        oracle_violation(oracle, replica,
                         "needless fetch: page %u of remote commit %llu is asked for, and was "
                         "pushed from here",
                         page, LLU(place.version_lsn));
}

/* ---- Frames ---- */

/* The hydration of the volume that the running fiber works for, or NULL. */
static struct oracle_hydration *hydration_here(struct sim_oracle *oracle,
                                               const struct graft_volume *volume)
{
    const struct sim_fiber *fiber = oracle->world->running;
    bool helps = strcmp(fiber->name, "graft-hydrate") == 0;
    struct oracle_hydration *at = oracle->hydrations;
    while (at != NULL &&
           (at->volume != volume || at->fiber == 0 || (at->fiber != fiber->id && !helps)))
        at = at->next;
    return at;
}

void oracle_hydrate_starts(struct sim_oracle *oracle, const struct graft_volume *volume)
{
    struct oracle_hydration *hydration = oracle_alloc(oracle, sizeof *hydration);
    *hydration = (struct oracle_hydration){.next = oracle->hydrations,
                                           .volume = volume,
                                           .fiber = oracle->world->running->id,
                                           .serial = ++oracle->serial};
    oracle->hydrations = hydration;
}

void oracle_hydrate_ends(struct sim_oracle *oracle, const struct graft_volume *volume)
{
    struct oracle_hydration *hydration = hydration_here(oracle, volume);
    if (hydration != NULL)
        hydration->fiber = 0;
}

static struct oracle_frames *frames_of(struct sim_oracle *oracle, const struct graft_store *store)
{
    struct oracle_frames *unused = NULL;
    for (struct oracle_frames *at = oracle->frames; at != NULL; at = at->next) {
        if (at->store == store)
            return at;
        if (at->store == NULL)
            unused = at;
    }
    if (unused == NULL) {
        unused = oracle_alloc(oracle, sizeof *unused);
        unused->next = oracle->frames;
        oracle->frames = unused;
    }
    unused->store = store;
    unused->count = 0;
    return unused;
}

void oracle_frames_drop(struct sim_oracle *oracle, const struct graft_store *store)
{
    for (struct oracle_frames *at = oracle->frames; at != NULL; at = at->next) {
        if (at->store == store)
            at->store = NULL;
    }
}

/* Whether all that the view finds in the frame was held at `serial`. */
static bool was_all_held(struct sim_oracle *oracle, struct oracle_replica *replica,
                         const struct graft_view *view, const struct graft_object_ref *object,
                         uint64_t offset, const struct graft_frame *frame, uint64_t serial)
{
    bool known = false;
    for (uint32_t i = 0; i < frame->count; i++) {
        struct graft_place place;
        uint32_t page = frame->pages[i].page;
        if (!graft_view_find(view, page, &place) || place.offset != offset ||
            graft_object_ref_compare(&place.object, object) != 0)
            continue;
        if (!was_held(oracle, replica, page, place.version_lsn, serial))
            return false;
        known = true;
    }
    return known;
}

static void check_given(struct sim_oracle *oracle, const struct oracle_replica *replica,
                        const struct graft_store *store, const struct graft_object_ref *object,
                        uint64_t offset)
{
    struct oracle_frames *frames = frames_of(oracle, store);
    uint64_t last = frames->count < ORACLE_FRAMES ? frames->count : ORACLE_FRAMES;
    for (uint64_t i = 0; i < last; i++) {
        if (frames->ring[i].offset == offset &&
            graft_object_ref_compare(&frames->ring[i].object, object) == 0)
            oracle_violation(oracle, replica,
                             "needless fetch: the frame at %llu of an object comes again to the "
                             "process that was just given it",
                             LLU(offset));
    }
    uint64_t at = frames->count++ % ORACLE_FRAMES;
    frames->ring[at].object = *object;
    frames->ring[at].offset = offset;
}

void oracle_frame_came(struct sim_oracle *oracle, struct graft_volume *volume,
                       const struct graft_view *view, const struct graft_object_ref *object,
                       uint64_t offset, const struct graft_frame *frame)
{
    struct oracle_replica *replica = oracle_replica_of_store(oracle, volume->store);
    const struct oracle_hydration *hydration = hydration_here(oracle, volume);
    if (replica == NULL)
        return;
    uint64_t serial = hydration == NULL ? oracle->serial + 1 : hydration->serial;
    bool held = was_all_held(oracle, replica, view, object, offset, frame, serial);
    if (hydration == NULL) {
        oracle->counts.needless += held ? 1 : 0;
        check_given(oracle, replica, volume->store, object, offset);
    } else if (held) {
        oracle_violation(oracle, replica,
                         "needless fetch: hydrating read a frame at %llu of which every page was "
                         "held before it began",
                         LLU(offset));
    }
}

/* ---- What comes ---- */

void oracle_delivered(struct sim_oracle *oracle, struct graft_store *store, uint32_t page,
                      uint64_t resolved_lsn, const void *bytes, size_t size)
{
    struct oracle_replica *replica = oracle_replica_of_store(oracle, store);
    if (replica == NULL)
        return;
    const struct graft_volume_id *id = &graft_store_config(store)->volume;
    const struct oracle_object *object =
        oracle_volume_at(oracle_volume_of(oracle, id), resolved_lsn);
    if (object != NULL && !oracle_truth_has_page(object->truth, page, bytes, size))
        oracle_violation(oracle, replica,
                         "wrong page fetched: page %u of remote commit %llu (pushed by %s as of "
                         "its LSN %llu) is not these %zu bytes",
                         page, LLU(resolved_lsn), sim_machine_name(object->replica->machine),
                         LLU(object->local_lsn), size);
}

void oracle_installed(struct sim_oracle *oracle, struct graft_store *store, uint32_t page,
                      uint64_t version_lsn, uint64_t began, bool installed)
{
    struct oracle_replica *replica = oracle_replica_of_store(oracle, store);
    struct oracle_held *held = replica == NULL ? NULL : held_at(replica, page);
    if (held == NULL)
        return;
    oracle->counts.again += held->delivered_lsn == version_lsn ? 1 : 0;
    held->delivered_lsn = version_lsn;
    if (installed) {
        oracle->counts.installs++;
        oracle_page_held(replica, page, version_lsn, ++oracle->serial);
        held->began = began; /* what happened since may have come after it */
    } else {
        oracle->counts.uninstalled++;
    }
}
