/* The registry: opening one directory twice in a process gives one volume, so that its sessions
 * share fetches and views. */
#include <stdatomic.h>
#include <string.h>

#include "base/assert.h"
#include "base/catalogue.h"
#include "engine/sync.h"
#include "engine/volume.h"

/* The setting that says that the page size of an empty volume was chosen, not defaulted. */
#define PAGE_SIZE_CHOSEN "page_size_chosen"

enum graft_rc graft_process_new(struct graft_env *env, struct graft_process **out,
                                struct graft_err *err)
{
    struct graft_process *process = graft_calloc(env->alloc, 1, sizeof *process);
    if (process == NULL)
        return graft_err_set(err, GRAFT_ENOMEM, "out of memory");
    process->env = env;
    if (graft_mutex_new(env->tasks, &process->mutex) != GRAFT_OK) {
        graft_free(env->alloc, process);
        return graft_err_set(err, GRAFT_ENOMEM, "out of memory for a mutex");
    }
    *out = process;
    return GRAFT_OK;
}

/* Making zstd's contexts costs more than compressing a small frame does: those that were given back
 * are kept for the next push or fetch, whichever session's. */
enum graft_rc graft_codec_take(struct graft_process *process, struct graft_codec **out)
{
    for (unsigned i = 0; i < GRAFT_CODECS_IDLE_MAX; i++) {
        struct graft_codec *codec = atomic_exchange(&process->codecs[i], NULL);
        if (codec == NULL)
            continue;
        *out = codec;
        return GRAFT_OK;
    }
    return graft_codec_new(process->env->alloc, out);
}

void graft_codec_give(struct graft_process *process, struct graft_codec *codec)
{
    for (unsigned i = 0; i < GRAFT_CODECS_IDLE_MAX && codec != NULL; i++) {
        struct graft_codec *none = NULL;
        if (atomic_compare_exchange_strong(&process->codecs[i], &none, codec))
            codec = NULL;
    }
    graft_codec_free(codec);
}

void graft_process_free(struct graft_process *process)
{
    if (process == NULL)
        return;
    GRAFT_ASSERT(process->volumes == NULL);
    for (unsigned i = 0; i < GRAFT_CODECS_IDLE_MAX; i++)
        graft_codec_free(atomic_load(&process->codecs[i]));
    graft_mutex_free(process->mutex);
    graft_free(process->env->alloc, process);
}

void graft_process_set_arrange(struct graft_process *process, graft_arrange_fn *arrange, void *arg)
{
    process->arrange = arrange;
    process->arrange_arg = arg;
}

bool graft_volume_exists(struct graft_env *env, const char *directory)
{
    return graft_store_exists(env, directory);
}

/* What can be said without the directory, so that nothing is made for options that cannot work. */
static enum graft_rc check_options(struct graft_env *env,
                                   const struct graft_volume_options *options,
                                   struct graft_err *err)
{
    if (options->page_bytes != 0 && !graft_page_size_valid(options->page_bytes))
        return graft_err_set(err, GRAFT_EINVAL,
                             "page size %u is not allowed: a power of two from %u to %u is",
                             options->page_bytes, GRAFT_PAGE_BYTES_MIN, GRAFT_PAGE_BYTES_MAX);
    uint64_t ignored = 0;
    if (options->cache_limit != NULL)
        GRAFT_TRY(graft_cache_limit_parse(options->cache_limit, &ignored, err));
    if (options->remote_url == NULL || options->remote_url[0] == '\0')
        return GRAFT_OK;
    struct graft_remote *remote = NULL;
    GRAFT_TRY(graft_remote_open(env, options->remote_url, &remote, err));
    graft_remote_close(remote);
    return GRAFT_OK;
}

bool graft_volume_moved(struct graft_volume *volume)
{
    struct graft_entry entry;
    enum graft_rc rc = graft_disk_stat(volume->env->disk, volume->directory, &entry, NULL);
    if (rc != GRAFT_OK)
        return rc == GRAFT_ENOTFOUND;
    return entry.id[0] != volume->entry_id[0] || entry.id[1] != volume->entry_id[1];
}

static enum graft_rc create(struct graft_env *env, const char *directory,
                            const struct graft_volume_options *options, struct graft_err *err)
{
    struct graft_config config;
    graft_config_init(&config, env->alloc);
    graft_rand_fill(env->rand, config.volume.bytes, sizeof config.volume.bytes);
    graft_rand_fill(env->rand, config.client.bytes, sizeof config.client.bytes);
    config.page_bytes = options->page_bytes != 0 ? options->page_bytes : GRAFT_PAGE_BYTES_DEFAULT;
    config.variable = options->variable;
    config.created_ms = graft_clock_now_ms(env->clock);
    enum graft_rc rc = graft_config_set_remote_url(&config, options->remote_url);
    if (rc == GRAFT_OK && options->page_bytes != 0)
        rc = graft_config_set(&config, PAGE_SIZE_CHOSEN, "1");
    if (rc == GRAFT_OK)
        rc = graft_store_create(env, directory, &config, err);
    else
        (void)graft_err_set(err, rc, "making a new volume: %s", graft_rc_text(rc));
    graft_config_deinit(&config);
    return rc;
}

static enum graft_rc open_remote(struct graft_volume *volume, struct graft_err *err)
{
    const struct graft_config *config = graft_store_config(volume->store);
    if (config->remote_url == NULL)
        return GRAFT_OK;
    return graft_remote_open(volume->env, config->remote_url, &volume->remote, err);
}

static void volume_free(struct graft_volume *volume)
{
    struct graft_alloc *alloc = volume->env->alloc;
    graft_fetcher_deinit(&volume->fetcher, volume);
    graft_prefetch_deinit(volume);
    graft_cache_deinit(volume);
    if (volume->mutex != NULL)
        graft_view_forget_all(volume);
    GRAFT_ASSERT(volume->views == NULL);
    graft_remote_close(volume->remote);
    graft_store_close(volume->store);
    graft_pageset_deinit(&volume->ahead.pages);
    graft_mutex_free(volume->mutex);
    graft_mutex_free(volume->sync_mutex);
    graft_free(alloc, volume->directory);
    graft_free(alloc, volume);
}

static enum graft_rc volume_new(struct graft_process *process, const char *directory,
                                struct graft_volume **out, struct graft_err *err)
{
    struct graft_env *env = process->env;
    struct graft_volume *volume = graft_calloc(env->alloc, 1, sizeof *volume);
    if (volume == NULL)
        return graft_err_set(err, GRAFT_ENOMEM, "out of memory for a volume");
    volume->process = process;
    volume->env = env;
    volume->references = 1;
    graft_pageset_init(&volume->ahead.pages, env->alloc);
    volume->directory = graft_strdup(env->alloc, directory);
    struct graft_entry entry;
    enum graft_rc rc = GRAFT_OK;
    if (volume->directory == NULL || graft_mutex_new(env->tasks, &volume->mutex) != GRAFT_OK ||
        graft_mutex_new(env->tasks, &volume->sync_mutex) != GRAFT_OK ||
        graft_prefetch_init(volume) != GRAFT_OK || graft_cache_init(volume) != GRAFT_OK ||
        graft_fetcher_init(&volume->fetcher, volume) != GRAFT_OK)
        rc = graft_err_set(err, GRAFT_ENOMEM, "out of memory for a volume");
    if (rc == GRAFT_OK)
        rc = graft_store_open(env, directory, &volume->store, err);
    if (rc == GRAFT_OK)
        rc = graft_disk_stat(env->disk, directory, &entry, err);
    if (rc == GRAFT_OK)
        rc = open_remote(volume, err);
    if (rc == GRAFT_OK)
        rc = graft_sync_forget_lost_push(volume, err);
    if (rc != GRAFT_OK) {
        volume_free(volume);
        return rc;
    }
    volume->entry_id[0] = entry.id[0];
    volume->entry_id[1] = entry.id[1];
    *out = volume;
    return GRAFT_OK;
}

/* The options of an open must agree with what the directory is already. */
static enum graft_rc agree(struct graft_volume *volume, const struct graft_volume_options *options,
                           struct graft_err *err)
{
    bool decided;
    uint32_t page_bytes = graft_volume_page_bytes(volume, &decided);
    if (options->page_bytes != 0 && options->page_bytes != page_bytes && decided)
        return graft_err_set(
            err, GRAFT_EINVAL,
            "%s has pages of %u bytes, fixed when it was created: leave page_size out",
            volume->directory, page_bytes);
    if (options->page_bytes != 0 && !decided)
        GRAFT_TRY(graft_setting_set(volume, PAGE_SIZE_CHOSEN, "1", err));
    if (options->cache_limit != NULL)
        GRAFT_TRY(graft_cache_limit_remember(volume, options->cache_limit, err));
    if (options->remote_url == NULL || options->remote_url[0] == '\0')
        return GRAFT_OK;
    return graft_set_remote(volume, options->remote_url, err);
}

static struct graft_volume *find_open(struct graft_process *process, const char *directory)
{
    struct graft_entry entry;
    if (graft_disk_stat(process->env->disk, directory, &entry, NULL) != GRAFT_OK)
        return NULL;
    for (struct graft_volume *volume = process->volumes; volume != NULL; volume = volume->next) {
        if (volume->entry_id[0] == entry.id[0] && volume->entry_id[1] == entry.id[1])
            return volume;
    }
    return NULL;
}

/* The process's mutex is held. */
static enum graft_rc open_locked(struct graft_process *process, const char *directory,
                                 const struct graft_volume_options *options,
                                 struct graft_volume **out, struct graft_err *err)
{
    struct graft_volume *volume = find_open(process, directory);
    GRAFT_SOMETIMES(volume != NULL, "two connections of a process share a volume");
    if (volume != NULL) {
        GRAFT_TRY(agree(volume, options, err));
        volume->references++;
        *out = volume;
        return GRAFT_OK;
    }
    if (options->create && !graft_store_exists(process->env, directory)) {
        enum graft_rc rc = create(process->env, directory, options, err);
        if (rc != GRAFT_OK && rc != GRAFT_EEXIST)
            return rc;
    }
    GRAFT_TRY(volume_new(process, directory, &volume, err));
    enum graft_rc rc = agree(volume, options, err);
    if (rc != GRAFT_OK) {
        volume_free(volume);
        return rc;
    }
    volume->next = process->volumes;
    process->volumes = volume;
    *out = volume;
    return GRAFT_OK;
}

enum graft_rc graft_volume_open(struct graft_process *process, const char *directory,
                                const struct graft_volume_options *options,
                                struct graft_volume **out, struct graft_err *err)
{
    struct graft_volume_options none = {0};
    if (options == NULL)
        options = &none;
    GRAFT_TRY(check_options(process->env, options, err));
    graft_mutex_lock(process->mutex);
    enum graft_rc rc = open_locked(process, directory, options, out, err);
    graft_mutex_unlock(process->mutex);
    return rc;
}

void graft_volume_close(struct graft_volume *volume)
{
    if (volume == NULL)
        return;
    struct graft_process *process = volume->process;
    /* The mutex is held through the close, so that an open of the same directory finds it either
     * open or closed. */
    graft_mutex_lock(process->mutex);
    GRAFT_ALWAYS(volume->references > 0, "a volume is closed as often as it was opened");
    if (--volume->references == 0) {
        struct graft_volume **link = &process->volumes;
        while (*link != volume)
            link = &(*link)->next;
        *link = volume->next;
        volume_free(volume);
    }
    graft_mutex_unlock(process->mutex);
}

uint32_t graft_volume_page_bytes(struct graft_volume *volume, bool *decided)
{
    const struct graft_config *config = graft_store_config(volume->store);
    if (decided != NULL) {
        const char *chosen = graft_config_get(config, PAGE_SIZE_CHOSEN);
        *decided =
            graft_sync_newest_lsn(volume) > 0 || chosen != NULL || config->remote_url != NULL;
    }
    return graft_store_page_bytes(volume->store);
}

const char *graft_volume_directory(struct graft_volume *volume)
{
    return volume->directory;
}

struct graft_remote *graft_volume_remote(struct graft_volume *volume)
{
    graft_mutex_lock(volume->mutex);
    struct graft_remote *remote = volume->remote;
    graft_mutex_unlock(volume->mutex);
    return remote;
}

enum graft_rc graft_volume_failed(struct graft_volume *volume, enum graft_rc rc,
                                  const struct graft_err *err)
{
    if (rc == GRAFT_OK || rc == GRAFT_EBUSY || rc == GRAFT_ESTALE || err == NULL)
        return rc;
    graft_mutex_lock(volume->mutex);
    memcpy(volume->last_error, err->text, sizeof volume->last_error);
    volume->last_error[sizeof volume->last_error - 1] = '\0';
    graft_mutex_unlock(volume->mutex);
    return rc;
}
