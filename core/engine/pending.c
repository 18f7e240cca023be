/* The pending push: a file `pending` that holds the exact bytes of the commit object before they
 * are sent, so that sending them again after a crash or a lost answer cannot make a second commit.
 *
 *   file:  8 bytes "GRAFTPND", u32 version (1), u32 zero, u64 local LSN, u64 remote LSN, u64
 * XXH3-64 of the object, u64 object bytes, u64 XXH3-64 of the 48 bytes before; then the commit
 * object
 */
#include <string.h>

#include "base/catalogue.h"
#include "base/cursor.h"
#include "base/path.h"
#include "engine/sync.h"

#define PENDING_MAGIC "GRAFTPND"
#define PENDING_VERSION 1U
#define PENDING_HEADER_BYTES 56U

static enum graft_rc pending_path(struct graft_volume *volume, char *out, size_t size,
                                  struct graft_err *err)
{
    return graft_path_join(out, size, volume->directory, "pending", err);
}

bool graft_pending_exists(struct graft_volume *volume)
{
    char path[GRAFT_PATH_BYTES_MAX];
    struct graft_entry entry;
    return pending_path(volume, path, sizeof path, NULL) == GRAFT_OK &&
           graft_disk_stat(volume->env->disk, path, &entry, NULL) == GRAFT_OK;
}

enum graft_rc graft_pending_drop(struct graft_volume *volume, struct graft_err *err)
{
    char path[GRAFT_PATH_BYTES_MAX];
    GRAFT_TRY(pending_path(volume, path, sizeof path, err));
    enum graft_rc rc = graft_disk_remove(volume->env->disk, path, err);
    if (rc == GRAFT_ENOTFOUND)
        return GRAFT_OK;
    if (rc != GRAFT_OK)
        return rc;
    return graft_disk_sync_directory(volume->env->disk, volume->directory, err);
}

enum graft_rc graft_pending_save(struct graft_sync *sync, const struct graft_pending *pending,
                                 struct graft_err *err)
{
    struct graft_volume *volume = sync->volume;
    char path[GRAFT_PATH_BYTES_MAX];
    GRAFT_TRY(pending_path(volume, path, sizeof path, err));

    uint8_t header[PENDING_HEADER_BYTES];
    struct graft_writer_cursor cursor;
    graft_wcur_init(&cursor, header, sizeof header);
    graft_wcur_bytes(&cursor, PENDING_MAGIC, 8);
    graft_wcur_u32(&cursor, PENDING_VERSION);
    graft_wcur_u32(&cursor, 0);
    graft_wcur_u64(&cursor, pending->local_lsn);
    graft_wcur_u64(&cursor, pending->remote_lsn);
    graft_wcur_u64(&cursor, graft_checksum64(pending->object.bytes, pending->object.size, 0));
    graft_wcur_u64(&cursor, pending->object.size);
    graft_wcur_u64(&cursor, graft_checksum64(header, cursor.at, 0));

    struct graft_buf file;
    graft_buf_init(&file, volume->env->alloc);
    enum graft_rc rc = graft_buf_append(&file, header, sizeof header);
    if (rc == GRAFT_OK)
        rc = graft_buf_append(&file, pending->object.bytes, pending->object.size);
    if (rc != GRAFT_OK)
        rc = graft_err_set(err, rc, "out of memory for a push");
    else
        rc = graft_disk_replace_file(volume->env->disk, path, file.bytes, file.size, err);
    graft_buf_deinit(&file);
    return rc;
}

static enum graft_rc parse(const uint8_t *bytes, size_t size, struct graft_pending *out)
{
    struct graft_reader_cursor cursor;
    graft_rcur_init(&cursor, bytes, size);
    const uint8_t *magic = graft_rcur_span(&cursor, 8);
    uint32_t version = graft_rcur_u32(&cursor);
    (void)graft_rcur_u32(&cursor);
    uint64_t local_lsn = graft_rcur_u64(&cursor);
    uint64_t remote_lsn = graft_rcur_u64(&cursor);
    uint64_t sum = graft_rcur_u64(&cursor);
    uint64_t object_bytes = graft_rcur_u64(&cursor);
    uint64_t header_sum = graft_rcur_u64(&cursor);
    if (cursor.failed || memcmp(magic, PENDING_MAGIC, 8) != 0 ||
        header_sum != graft_checksum64(bytes, PENDING_HEADER_BYTES - 8, 0))
        return GRAFT_ECORRUPT;
    if (version > PENDING_VERSION)
        return GRAFT_EVERSION;
    if (object_bytes != graft_rcur_left(&cursor))
        return GRAFT_ECORRUPT;
    const uint8_t *object = bytes + PENDING_HEADER_BYTES;
    if (sum != graft_checksum64(object, object_bytes, 0))
        return GRAFT_ECORRUPT;
    out->local_lsn = local_lsn;
    out->remote_lsn = remote_lsn;
    return graft_buf_append(&out->object, object, object_bytes);
}

enum graft_rc graft_pending_load(struct graft_volume *volume, struct graft_pending *out,
                                 struct graft_err *err)
{
    char path[GRAFT_PATH_BYTES_MAX];
    GRAFT_TRY(pending_path(volume, path, sizeof path, err));
    uint8_t *bytes = NULL;
    size_t size = 0;
    GRAFT_TRY(graft_disk_read_file(volume->env->disk, volume->env->alloc, path,
                                   GRAFT_OBJECT_BYTES_MAX, &bytes, &size, err));
    struct graft_pending pending = {0};
    graft_buf_init(&pending.object, volume->env->alloc);
    enum graft_rc rc = parse(bytes, size, &pending);
    graft_free(volume->env->alloc, bytes);
    if (rc != GRAFT_OK) {
        graft_buf_deinit(&pending.object);
        return graft_err_set(err, rc,
                             "%s: %s; it is the record of an unfinished push, and removing it "
                             "makes the next push start over",
                             path, graft_rc_text(rc));
    }
    *out = pending;
    return GRAFT_OK;
}

/* Failures after which the commit is certainly not there, and will not appear later. */
static bool is_definite(enum graft_rc rc)
{
    return rc == GRAFT_EDENIED || rc == GRAFT_EREADONLY || rc == GRAFT_EFULL ||
           rc == GRAFT_EINVAL || rc == GRAFT_EUNSUPPORTED || rc == GRAFT_ELIMIT ||
           rc == GRAFT_ENOTFOUND;
}

/* The remote has a commit of this LSN, whoever wrote it. */
static void learn_of(struct graft_volume *volume, uint64_t remote_lsn)
{
    graft_mutex_lock(volume->mutex);
    if (volume->newest_known < remote_lsn)
        volume->newest_known = remote_lsn;
    graft_mutex_unlock(volume->mutex);
}

/* The commit is in the remote: the state says so, and its map is at hand for what is not held. */
static enum graft_rc record_done(struct graft_sync *sync, const struct graft_pending *pending,
                                 struct graft_err *err)
{
    struct graft_sync_state state = {
        .remote_lsn = pending->remote_lsn,
        .remote_hash = graft_hash128(pending->object.bytes, pending->object.size),
        .pushed_lsn = pending->local_lsn,
    };
    GRAFT_ALWAYS(pending->remote_lsn > sync->state.remote_lsn,
                 "a push goes forward in the remote's log");
    if (GRAFT_MUTANT("engine: what was committed during a push counts as pushed"))
        state.pushed_lsn = graft_sync_newest_lsn(sync->volume);
    GRAFT_TRY(graft_sync_note(sync, &state, err));
    GRAFT_TRY(graft_pending_drop(sync->volume, err));

    learn_of(sync->volume, pending->remote_lsn);
    return GRAFT_OK;
}

static enum graft_rc find_winner(struct graft_sync *sync, const struct graft_pending *pending,
                                 bool *ours, struct graft_err *err)
{
    struct graft_commit commit;
    struct graft_hash hash;
    struct graft_hash mine = graft_hash128(pending->object.bytes, pending->object.size);
    graft_commit_init(&commit, sync->volume->env->alloc);
    enum graft_rc rc =
        graft_remote_get_commit(sync->remote, pending->remote_lsn, &commit, &hash, NULL, err);
    if (rc == GRAFT_OK) {
        const struct graft_config *config = graft_store_config(sync->volume->store);
        *ours = graft_hash_equal(&hash, &mine) != 0;
        if (!graft_volume_id_equal(&commit.volume, &config->volume))
            rc = graft_err_set(err, GRAFT_EFOREIGN,
                               "%s holds another volume: push to another name in the repository",
                               graft_remote_url(sync->remote));
    }
    graft_commit_deinit(&commit);
    return rc;
}

/* Whether nothing has the commit's place. That it is there, and ours, is left for a PUT to say,
 * which makes it durable, too. */
static bool is_absent(struct graft_sync *sync, const struct graft_pending *pending)
{
    struct graft_err ignored = {0};
    bool ours = false;
    return find_winner(sync, pending, &ours, &ignored) == GRAFT_ENOTFOUND;
}

enum graft_rc graft_pending_send(struct graft_sync *sync, const struct graft_pending *pending,
                                 bool again, struct graft_err *err)
{
    bool won = false;
    enum graft_rc rc = graft_remote_put_commit(
        sync->remote, pending->remote_lsn, pending->object.bytes, pending->object.size, &won, err);
    if ((rc == GRAFT_EINDOUBT || rc == GRAFT_EUNREACHABLE) &&
        GRAFT_MUTANT("engine: a push in doubt is taken for landed")) {
        won = true;
        rc = GRAFT_OK;
    }
    bool ours = won;
    if (rc == GRAFT_OK && !won)
        rc = find_winner(sync, pending, &ours, err);
    GRAFT_SOMETIMES(rc == GRAFT_OK && ours && !won,
                    "a commit that was sent again was there already");
    GRAFT_SOMETIMES(rc == GRAFT_OK && !ours, "a push lost its place to another replica");
    if (rc == GRAFT_OK && !ours &&
        GRAFT_MUTANT("engine: a push that lost its place is taken for landed"))
        ours = true;
    if (rc == GRAFT_OK && ours)
        return record_done(sync, pending, err);
    bool refused = is_definite(rc);
    if (refused && again)
        refused = is_absent(sync, pending);
    GRAFT_SOMETIMES(rc != GRAFT_OK && !refused, "the outcome of a push stayed open");
    if (rc != GRAFT_OK && rc != GRAFT_EFOREIGN && !refused)
        return rc;

    struct graft_err ignored;
    enum graft_rc dropped = graft_pending_drop(sync->volume, &ignored);
    if (rc != GRAFT_OK)
        return rc;
    GRAFT_TRY(dropped);
    learn_of(sync->volume, pending->remote_lsn);
    return graft_err_set(
        err, GRAFT_EDIVERGED,
        "%s has commits that %s lacks, which has commits of its own: nothing was changed; "
        "keep the remote's with PRAGMA graft_reset, or export yours first",
        graft_remote_url(sync->remote), sync->volume->directory);
}
