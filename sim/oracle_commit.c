/* Replicas: the truth of each local LSN, which commits are under way, and what a session that
 * begins must and may see.
 *
 * A replica's states are a line. A commit joins it when its publisher says so, or when somebody
 * begins at its LSN first (it is visible before publish returns, and a writer that dies in the
 * midst is finished by the next one, or by recovery). What a writer that died had prepared is kept
 * aside: it may come to count at the next recovery, instead of what was published at its LSN since,
 * as long as that was not made durable. After a crash of the machine the line is cut where the
 * first snapshot says, but never below what is durable. */
#include <stdio.h>
#include <string.h>

#include "sim/oracle_parts.h"

#define LLU(x) ((unsigned long long)(x))

/* ---- Replicas ---- */

struct oracle_replica *oracle_replica_of_store(struct sim_oracle *oracle, struct graft_store *store)
{
    return oracle_table_get(&oracle->stores, store);
}

static struct oracle_state *state_at(struct oracle_replica *replica, uint64_t lsn)
{
    if (lsn >= replica->states_capacity) {
        uint64_t capacity = lsn * 2 + 64;
        replica->states = sim_host_realloc(replica->states, capacity * sizeof replica->states[0]);
        memset(replica->states + replica->states_capacity, 0,
               (capacity - replica->states_capacity) * sizeof replica->states[0]);
        replica->states_capacity = capacity;
    }
    return &replica->states[lsn];
}

static struct oracle_replica *find_replica(struct sim_oracle *oracle, struct sim_machine *machine,
                                           const struct graft_client_id *client)
{
    for (struct oracle_replica *at = oracle->replicas; at != NULL; at = at->next) {
        if (at->machine == machine && memcmp(&at->client, client, sizeof *client) == 0)
            return at;
    }
    return NULL;
}

/* A new directory where there was one with durable commits is a loss of all of these. */
static void check_replaced(struct sim_oracle *oracle, struct sim_machine *machine,
                           const char *directory)
{
    for (struct oracle_replica *at = oracle->replicas; at != NULL; at = at->next) {
        bool here = at->machine == machine && strcmp(at->directory, directory) == 0;
        if (!here || at->removed)
            continue;
        at->removed = true;
        if (at->durable > 0 && !oracle_forgives_loss(oracle))
            oracle_violation(oracle, at,
                             "lost directory: another database is where durable commits up to %llu "
                             "were",
                             LLU(at->durable));
    }
}

void oracle_recovers(struct sim_oracle *oracle, struct graft_store *store)
{
    struct sim_machine *machine = sim_process_machine(sim_process_current());
    struct oracle_replica *replica = find_replica(oracle, machine, oracle_client_of(store));
    if (replica == NULL)
        return;
    replica->recovery_serial = ++oracle->serial;
    /* The log is read anew then: what a failed sync left of it, or what it was hurt to. */
    replica->crashed |= oracle_cache_may_vanish(oracle) || oracle_forgives_loss(oracle);
}

/* Called at each open of a volume. */
struct oracle_replica *oracle_replica_of(struct sim_oracle *oracle, struct graft_volume *volume)
{
    struct sim_machine *machine = sim_process_machine(sim_process_current());
    const struct graft_client_id *client = &graft_store_config(volume->store)->client;
    struct oracle_replica *replica = find_replica(oracle, machine, client);
    if (replica == NULL) {
        check_replaced(oracle, machine, volume->directory);
        replica = oracle_alloc(oracle, sizeof *replica);
        replica->machine = machine;
        replica->client = *client;
        replica->boot_ns = machine->boot_ns;
        replica->directory = sim_host_strdup(volume->directory);
        state_at(replica, 0)->truth = oracle_truth_empty(oracle);
        replica->next = oracle->replicas;
        oracle->replicas = replica;
    }
    oracle_table_set(&oracle->stores, volume->store, replica);
    return replica;
}

void sim_oracle_removed(struct sim_oracle *oracle, struct sim_machine *machine,
                        const char *directory)
{
    for (struct oracle_replica *at = oracle->replicas; at != NULL; at = at->next)
        at->removed |= at->machine == machine && strcmp(at->directory, directory) == 0;
}

/* ---- Beginning ---- */

static void notice_crash(struct oracle_replica *replica)
{
    if (replica->machine->boot_ns == replica->boot_ns)
        return;
    replica->boot_ns = replica->machine->boot_ns;
    replica->crashed = true;
}

uint64_t oracle_newest_local(struct oracle_replica *replica)
{
    notice_crash(replica);
    return replica->crashed ? 0 : replica->newest_local;
}

void oracle_begin_starts(struct sim_oracle *oracle, struct oracle_replica *replica,
                         struct oracle_floor *out)
{
    notice_crash(replica);
    bool forgiven = replica->crashed && oracle_forgives_loss(oracle);
    *out = (struct oracle_floor){.lsn = replica->crashed ? replica->durable : replica->head,
                                 .remote_lsn = replica->remote_lsn};
    if (forgiven)
        *out = (struct oracle_floor){0};
}

static void drop_commit(struct oracle_replica *replica, const struct oracle_commit *commit)
{
    struct oracle_commit **link = &replica->commits;
    while (*link != NULL && *link != commit)
        link = &(*link)->next;
    if (*link != NULL)
        *link = commit->next;
}

/* Those of the dead that can come to count no more. */
static void drop_settled(struct oracle_replica *replica)
{
    struct oracle_commit **link = &replica->commits;
    while (*link != NULL) {
        struct oracle_commit *at = *link;
        bool over = at->abandoned || !sim_process_is_running(at->process);
        if (over && (at->lsn <= replica->durable || at->lsn > replica->head + 1))
            *link = at->next;
        else
            link = &at->next;
    }
}

static uint64_t newest_local(struct oracle_replica *replica)
{
    uint64_t lsn = replica->newest_local;
    if (lsn > replica->head)
        lsn = replica->head;
    while (lsn > 0 && !replica->states[lsn].is_local)
        lsn--;
    return lsn;
}

/* The pages of the commit may not be what was fetched before. */
static void forget_pages(struct oracle_replica *replica, const struct oracle_commit *commit,
                         uint64_t serial)
{
    for (uint32_t i = 0; i < commit->page_count; i++)
        oracle_page_changed(replica, commit->pages[i], serial);
    for (uint32_t page = commit->least + 1; page <= commit->base_count; page++)
        oracle_page_changed(replica, page, serial);
}

/* What a pull brings is known to be held; what a local commit changed is not what was fetched. */
static void change_pages(struct oracle_replica *replica, const struct oracle_commit *commit,
                         uint64_t serial)
{
    if (commit->object == NULL)
        forget_pages(replica, commit, serial);
}

void oracle_dead_commits_change(struct sim_oracle *oracle, struct oracle_replica *replica)
{
    for (const struct oracle_commit *at = replica->commits; at != NULL; at = at->next) {
        if (at->publishing && !at->published && !sim_process_is_running(at->process))
            change_pages(replica, at, ++oracle->serial);
    }
}

/* The commit is the newest state from now on. */
static void join_line(struct sim_oracle *oracle, struct oracle_replica *replica,
                      const struct oracle_commit *commit, struct oracle_truth *truth)
{
    struct oracle_state *state = state_at(replica, commit->lsn);
    *state = (struct oracle_state){
        .truth = truth, .serial = ++oracle->serial, .is_local = commit->object == NULL};
    replica->head = commit->lsn;
    if (state->is_local) {
        replica->newest_local = commit->lsn;
    } else {
        oracle->counts.pulls++;
        if (replica->pushed_max < commit->pushed_lsn)
            replica->pushed_max = commit->pushed_lsn;
        if (commit->resets)
            replica->reset_serial = oracle->serial;
        if (replica->remote_lsn < commit->object->lsn)
            replica->remote_lsn = commit->object->lsn;
        for (uint32_t i = 0; i < commit->page_count; i++)
            oracle_page_held(replica, commit->pages[i], commit->object->lsn, oracle->serial);
    }
    change_pages(replica, commit, oracle->serial);
    if (commit->durable)
        replica->durable = commit->lsn;
    oracle->counts.commits++;
}

/* Commits at `lsn` that may count though nobody said so. */
static uint32_t collect(struct oracle_replica *replica, uint64_t lsn, struct oracle_commit **out)
{
    uint32_t count = 0;
    for (struct oracle_commit *at = replica->commits; at != NULL; at = at->next) {
        if (at->lsn != lsn)
            continue;
        if (at->publishing && !at->published && sim_process_is_running(at->process)) {
            out[0] = at; /* whoever writes now has taken the place of those before */
            return 1;
        }
        bool over = at->abandoned || !sim_process_is_running(at->process);
        if (over && !at->published && count < ORACLE_CANDIDATES_MAX / 2)
            out[count++] = at;
    }
    return count;
}

static struct oracle_truth *either(struct sim_oracle *oracle, struct oracle_truth *line,
                                   struct oracle_commit **commits, uint32_t count)
{
    struct oracle_truth *truths[ORACLE_CANDIDATES_MAX];
    uint32_t total = 0;
    if (line != NULL)
        truths[total++] = line;
    for (uint32_t i = 0; i < count && total < ORACLE_CANDIDATES_MAX; i++)
        truths[total++] = commits[i]->truth;
    oracle->counts.in_doubt += total > 1 ? 1 : 0;
    return total == 0 ? NULL : oracle_truth_either(oracle, truths, total);
}

/* One of these is the newest state, and which is not known: nothing is asked of it that holds for
 * some of them only. */
static void join_one_of(struct sim_oracle *oracle, struct oracle_replica *replica,
                        struct oracle_commit **found, uint32_t count, struct oracle_truth *truth)
{
    const struct oracle_commit *local = NULL, *pull = NULL;
    uint64_t pushed_lsn = 0;
    bool resets = false;
    for (uint32_t i = 0; i < count; i++) {
        if (found[i]->object == NULL)
            local = found[i];
        else if (pull == NULL || found[i]->object->lsn < pull->object->lsn)
            pull = found[i];
        if (pushed_lsn < found[i]->pushed_lsn)
            pushed_lsn = found[i]->pushed_lsn;
        resets |= found[i]->resets;
    }
    join_line(oracle, replica, local != NULL ? local : pull, truth);
    if (count == 1)
        return;
    if (pull != NULL)
        state_at(replica, pull->lsn)->is_local = false;
    if (replica->pushed_max < pushed_lsn)
        replica->pushed_max = pushed_lsn;
    if (resets)
        replica->reset_serial = oracle->serial;
    for (uint32_t i = 0; i < count; i++)
        forget_pages(replica, found[i], oracle->serial);
}

/* Somebody begins at a commit of which nobody has said yet that it counts. */
static bool adopt(struct sim_oracle *oracle, struct oracle_replica *replica, uint64_t lsn)
{
    struct oracle_commit *found[ORACLE_CANDIDATES_MAX];
    uint32_t count = collect(replica, lsn, found);
    if (count == 0)
        return false;
    struct oracle_truth *truth = either(oracle, NULL, found, count);
    join_one_of(oracle, replica, found, count, truth);
    for (uint32_t i = 0; i < count; i++)
        found[i]->published = true;
    oracle->counts.adopted += found[0]->publishing ? 0 : 1;
    return true;
}

/* The first snapshot after a crash says where the line ends. What it has was recovered, and written
 * anew: it is durable. */
static bool settle_crash(struct sim_oracle *oracle, struct oracle_replica *replica, uint64_t lsn)
{
    struct oracle_commit *found[ORACLE_CANDIDATES_MAX];
    uint32_t count = collect(replica, lsn, found);
    bool on_line = lsn <= replica->head;
    if (on_line && lsn <= replica->durable)
        count = 0;
    if (!on_line && count == 0)
        return false;
    struct oracle_truth *truth =
        either(oracle, on_line ? replica->states[lsn].truth : NULL, found, count);
    if (lsn < replica->head)
        oracle->counts.lost += replica->head - lsn;
    if (on_line) {
        state_at(replica, lsn)->truth = truth;
        replica->head = lsn;
        for (uint32_t i = 0; i < count; i++)
            forget_pages(replica, found[i], ++oracle->serial);
    } else {
        join_one_of(oracle, replica, found, count, truth);
        oracle->counts.adopted++;
    }
    replica->durable = lsn;
    replica->newest_local = newest_local(replica);
    replica->crashed = false;
    if (oracle_forgives_loss(oracle))
        replica->remote_lsn = 0;
    return true;
}

static bool place_on_line(struct sim_oracle *oracle, struct oracle_replica *replica, uint64_t lsn)
{
    bool fits = true;
    if (replica->crashed)
        fits = settle_crash(oracle, replica, lsn);
    else if (lsn > replica->head)
        fits = lsn == replica->head + 1 && adopt(oracle, replica, lsn);
    drop_settled(replica);
    return fits;
}

static void check_remote_lsn(struct sim_oracle *oracle, struct oracle_replica *replica,
                             const struct oracle_floor *floor, uint64_t remote_lsn)
{
    if (remote_lsn < floor->remote_lsn)
        oracle_violation(oracle, replica,
                         "remote went back: a snapshot is based on remote commit %llu after %llu "
                         "was known",
                         LLU(remote_lsn), LLU(floor->remote_lsn));
    if (remote_lsn > replica->remote_max)
        oracle_violation(oracle, replica,
                         "remote invented: a snapshot is based on remote commit %llu, %llu is the "
                         "newest that was recorded",
                         LLU(remote_lsn), LLU(replica->remote_max));
    if (replica->remote_lsn < remote_lsn)
        replica->remote_lsn = remote_lsn;
}

void oracle_begun(struct sim_oracle *oracle, struct oracle_session *session,
                  const struct oracle_floor *floor, const struct graft_store_snapshot *snapshot)
{
    struct oracle_replica *replica = session->replica;
    if (session->pinned) {
        const struct graft_store_snapshot *old = &session->snapshot;
        if (old->lsn != snapshot->lsn || old->page_count != snapshot->page_count ||
            old->remote_lsn != snapshot->remote_lsn)
            oracle_violation(oracle, replica,
                             "moved snapshot: pinned at LSN %llu with %u pages, now LSN %llu with "
                             "%u",
                             LLU(old->lsn), old->page_count, LLU(snapshot->lsn),
                             snapshot->page_count);
        return;
    }
    uint64_t head = replica->head;
    if (snapshot->lsn < floor->lsn)
        oracle_violation(
            oracle, replica, "lost commit: a session begins at LSN %llu, and LSN %llu was %s",
            LLU(snapshot->lsn), LLU(floor->lsn), replica->crashed ? "durable" : "acknowledged");
    if (!place_on_line(oracle, replica, snapshot->lsn))
        oracle_violation(oracle, replica,
                         "invented commit: a session begins at LSN %llu, and %llu is the newest "
                         "that anybody committed",
                         LLU(snapshot->lsn), LLU(head));
    check_remote_lsn(oracle, replica, floor, snapshot->remote_lsn);
    session->pinned = true;
    session->snapshot = *snapshot;
    oracle_changes_begin(&session->changes, snapshot->page_count);
    session->truth = replica->states[snapshot->lsn].truth;
    if (!oracle_truth_has_count(session->truth, snapshot->page_count))
        oracle_violation(oracle, replica,
                         "wrong page count: LSN %llu has %u pages, a session that begins there is "
                         "told %u",
                         LLU(snapshot->lsn), session->truth->pages[0].count, snapshot->page_count);
    oracle->counts.begins++;
}

/* ---- Committing ---- */

static void copy_pages(struct sim_oracle *oracle, const struct oracle_changes *changes,
                       struct oracle_commit *commit)
{
    commit->least = changes->least;
    commit->base_count = changes->base_count;
    if (changes->used == 0)
        return;
    commit->pages = oracle_alloc(oracle, changes->used * sizeof commit->pages[0]);
    for (uint32_t i = 0; i < changes->capacity; i++) {
        if (changes->slots[i].page != 0)
            commit->pages[commit->page_count++] = changes->slots[i].page;
    }
}

static void check_pull(struct sim_oracle *oracle, struct oracle_session *session,
                       const struct graft_sync_state *state)
{
    struct oracle_replica *replica = session->replica;
    uint64_t local = newest_local(replica);
    if (!session->resetting && local > replica->pushed_max)
        oracle_violation(oracle, replica,
                         "dropped by a pull: local commit %llu was never pushed (those up to %llu "
                         "were), and remote commit %llu takes its place",
                         LLU(local), LLU(replica->pushed_max), LLU(state->remote_lsn));
}

/* The pages that came inside the remote's commit. */
static void check_inline(struct sim_oracle *oracle, const struct oracle_session *session,
                         const struct oracle_object *object)
{
    const struct oracle_changes *changes = &session->changes;
    for (uint32_t i = 0; i < changes->capacity; i++) {
        uint32_t page = changes->slots[i].page;
        if (page != 0 && !oracle_truth_may_have(object->truth, page, changes->slots[i].hash))
            oracle_violation(oracle, session->replica,
                             "wrong page pulled: page %u of remote commit %llu, as it came inside "
                             "it, is not what was pushed",
                             page, LLU(object->lsn));
    }
}

/* From here on the commit may be in the log. */
void oracle_prepare_starts(struct sim_oracle *oracle, struct oracle_session *session,
                           const struct graft_store_commit *commit)
{
    if (!session->pinned)
        return;
    struct oracle_replica *replica = session->replica;
    struct oracle_commit *made = oracle_alloc(oracle, sizeof *made);
    made->process = sim_process_current();
    made->lsn = session->snapshot.lsn + 1;
    if (commit->kind == GRAFT_COMMIT_PULL) {
        const struct graft_volume_id *id = &graft_store_config(session->store)->volume;
        check_pull(oracle, session, commit->sync);
        made->object =
            oracle_claim(oracle, replica, id, &commit->sync->remote_hash, commit->sync->remote_lsn);
        check_inline(oracle, session, made->object);
        made->truth = made->object->truth;
        made->pushed_lsn = commit->sync->pushed_lsn;
        made->resets = session->resetting;
        if (replica->remote_max < commit->sync->remote_lsn)
            replica->remote_max = commit->sync->remote_lsn;
    } else {
        made->truth = oracle_truth_change(oracle, session->truth, &session->changes);
    }
    copy_pages(oracle, &session->changes, made);
    made->next = replica->commits;
    replica->commits = made;
    session->commit = made;
}

void oracle_prepared(struct oracle_session *session, bool durable)
{
    if (session->commit != NULL)
        session->commit->durable = durable;
}

void oracle_publish_starts(struct sim_oracle *oracle, struct oracle_session *session)
{
    struct oracle_commit *commit = session->commit;
    if (commit == NULL)
        return;
    ++oracle->serial;
    commit->publishing = true;
}

void oracle_published(struct sim_oracle *oracle, struct oracle_session *session,
                      const struct graft_store_snapshot *after)
{
    struct oracle_commit *commit = session->commit;
    struct oracle_replica *replica = session->replica;
    session->commit = NULL;
    if (commit == NULL)
        return;
    drop_commit(replica, commit);
    bool empty = after->lsn == session->snapshot.lsn;
    if (!empty && !commit->published) {
        if (commit->lsn != replica->head + 1)
            oracle_violation(oracle, replica,
                             "two commits of one LSN: %llu is published after %llu",
                             LLU(commit->lsn), LLU(replica->head));
        join_line(oracle, replica, commit, commit->truth);
    }
    if (!empty) {
        session->truth = commit->truth;
        session->snapshot = *after;
        if (after->lsn != commit->lsn || !oracle_truth_has_count(commit->truth, after->page_count))
            oracle_violation(oracle, replica,
                             "wrong page count: LSN %llu was committed with %u pages, and is LSN "
                             "%llu with %u",
                             LLU(commit->lsn), commit->truth->pages[0].count, LLU(after->lsn),
                             after->page_count);
    }
    drop_settled(replica);
    oracle_changes_begin(&session->changes, session->snapshot.page_count);
}

void oracle_rolled_back(struct sim_oracle *oracle, struct oracle_session *session, bool voided)
{
    struct oracle_commit *commit = session->commit;
    session->commit = NULL;
    if (session->pinned)
        oracle_changes_begin(&session->changes, session->snapshot.page_count);
    if (commit == NULL)
        return;
    /* A disk that lied about the sync of a void can bring the commit back. */
    if (voided && !oracle_forgives_loss(oracle))
        drop_commit(session->replica, commit);
    else
        commit->abandoned = true;
}

/* ---- Reading ---- */

/* Where a content that should not be there comes from: a version of the page, or another page. */
static void trace_content(const struct oracle_replica *replica, uint32_t page, uint64_t hash,
                          char *out, size_t size)
{
    for (uint64_t lsn = replica->head + 1; lsn-- > 0;) {
        const struct oracle_pages *pages = &replica->states[lsn].truth->pages[0];
        if (oracle_pages_find(pages, page) == hash) {
            (void)snprintf(out, size, "which is page %u as of LSN %llu", page, LLU(lsn));
            return;
        }
        for (uint32_t other = 1; other <= pages->count; other++) {
            if (oracle_pages_find(pages, other) == hash) {
                (void)snprintf(out, size, "which is page %u as of LSN %llu", other, LLU(lsn));
                return;
            }
        }
    }
    (void)snprintf(out, size, "which no page of this replica ever was");
}

static void wrong_page(struct sim_oracle *oracle, const struct oracle_session *session,
                       uint32_t page, const void *bytes, size_t size)
{
    uint64_t expected = 0;
    uint64_t hash = oracle_content(bytes, size);
    char origin[100];
    if (!oracle_changes_find(&session->changes, page, &expected)) {
        for (uint32_t i = 0; i < session->truth->candidates; i++) {
            if ((session->truth->fork->alive >> i & 1) != 0)
                expected = oracle_pages_find(&session->truth->pages[i], page);
        }
    }
    trace_content(session->replica, page, hash, origin, sizeof origin);
    oracle_violation(oracle, session->replica,
                     "wrong page: page %u at LSN %llu (remote %llu, %u pages) should be %016llx, "
                     "and %zu bytes %016llx came, %s",
                     page, LLU(session->snapshot.lsn), LLU(session->snapshot.remote_lsn),
                     session->snapshot.page_count, LLU(expected), size, LLU(hash), origin);
}

bool oracle_crash_took_install(const struct sim_oracle *oracle,
                               const struct oracle_session *session)
{
    const struct oracle_replica *replica = session->replica;
    bool is_older =
        session->snapshot.lsn < replica->head || session->snapshot.remote_lsn < replica->remote_lsn;
    return replica->recovery_serial > 0 && (is_older || oracle_calls_fail(oracle));
}

void oracle_check_read(struct sim_oracle *oracle, struct oracle_session *session, uint32_t page,
                       const void *bytes, size_t size)
{
    uint64_t hash = 0;
    oracle->counts.reads++;
    bool right = session->pinned;
    if (right && oracle_changes_find(&session->changes, page, &hash))
        right = oracle_bytes_are(hash, bytes, size);
    else if (right)
        right = oracle_truth_has_page(session->truth, page, bytes, size);
    if (!right)
        wrong_page(oracle, session, page, bytes, size);
}
