/* Settings and the remote's URL: read from the config in memory, changed by replacing the file. */
#include "engine/settings.h"

#include <stdio.h>
#include <string.h>

#include "engine/volume.h"

enum graft_rc graft_config_clone(const struct graft_config *from, struct graft_config *to)
{
    struct graft_buf bytes;
    graft_buf_init(&bytes, to->alloc);
    enum graft_rc rc = graft_config_encode(from, &bytes);
    if (rc == GRAFT_OK)
        rc = graft_config_decode(to, bytes.bytes, bytes.size, NULL);
    graft_buf_deinit(&bytes);
    return rc;
}

void graft_volume_remote_url(struct graft_volume *volume, char *out, size_t size)
{
    struct graft_remote *remote = graft_volume_remote(volume);
    (void)snprintf(out, size, "%s", remote != NULL ? graft_remote_url(remote) : "");
}

enum graft_rc graft_setting_get(struct graft_volume *volume, const char *name, char *out,
                                size_t size, struct graft_err *err)
{
    graft_mutex_lock(volume->mutex);
    const char *value = graft_config_get(graft_store_config(volume->store), name);
    int written = snprintf(out, size, "%s", value != NULL ? value : "");
    graft_mutex_unlock(volume->mutex);
    if (written < 0 || (size_t)written >= size)
        return graft_err_set(err, GRAFT_ELIMIT, "the value of setting %s is too long", name);
    return GRAFT_OK;
}

struct change {
    const char *name, *value; /* of a setting; no name: none */
    const char *remote_url;   /* NULL: as it is */
};

static enum graft_rc apply(void *arg, struct graft_config *config)
{
    const struct change *change = arg;
    if (change->name != NULL)
        GRAFT_TRY(graft_config_set(config, change->name, change->value));
    if (change->remote_url != NULL)
        GRAFT_TRY(graft_config_set_remote_url(config, change->remote_url));
    return GRAFT_OK;
}

enum graft_rc graft_setting_set(struct graft_volume *volume, const char *name, const char *value,
                                struct graft_err *err)
{
    struct change change = {.name = name, .value = value};
    graft_mutex_lock(volume->mutex);
    const char *old = graft_config_get(graft_store_config(volume->store), name);
    enum graft_rc rc = GRAFT_OK;
    if (old == NULL || value == NULL || strcmp(old, value) != 0)
        rc = graft_store_edit_config(volume->store, apply, &change, err);
    graft_mutex_unlock(volume->mutex);
    return rc;
}

/* The volume's mutex is held. */
static enum graft_rc bind_remote(struct graft_volume *volume, const char *url,
                                 struct graft_err *err)
{
    const char *bound = graft_store_config(volume->store)->remote_url;
    if (bound != NULL && strcmp(bound, url) == 0)
        return GRAFT_OK;
    if (bound != NULL)
        return graft_err_set(
            err, GRAFT_EINVAL,
            "%s is bound to %s: leave remote= out, or clone the other remote to another directory",
            volume->directory, bound);
    struct graft_remote *remote = NULL;
    GRAFT_TRY(graft_remote_open(volume->env, url, &remote, err));
    struct change change = {.remote_url = url};
    enum graft_rc rc = graft_store_edit_config(volume->store, apply, &change, err);
    if (rc != GRAFT_OK) {
        graft_remote_close(remote);
        return rc;
    }
    volume->remote = remote;
    return GRAFT_OK;
}

enum graft_rc graft_set_remote(struct graft_volume *volume, const char *url, struct graft_err *err)
{
    graft_mutex_lock(volume->mutex);
    enum graft_rc rc = bind_remote(volume, url, err);
    graft_mutex_unlock(volume->mutex);
    return rc;
}
