/* The file `config` of a database directory: what the directory is bound to, and its settings.
 *
 *   file:  8 bytes "GRAFTCFG", u32 version (1), u32 message bytes, u64 XXH3-64 of the message, then
 *          the message (wire.proto: Config); nothing after it
 *
 * Secrets never stand here. */
#ifndef GRAFT_FORMAT_CONFIG_H
#define GRAFT_FORMAT_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "format/ids.h"

#define GRAFT_CONFIG_VERSION 1U
#define GRAFT_CONFIG_BYTES_MAX (1U << 20) /* the whole file */
#define GRAFT_SETTINGS_MAX 64U
#define GRAFT_SETTING_KEY_BYTES_MAX 64U     /* its NUL included */
#define GRAFT_SETTING_VALUE_BYTES_MAX 4096U /* its NUL included */

/* Both strings are owned by the config. */
struct graft_setting {
    char *key;
    char *value;
};

struct graft_config {
    struct graft_alloc *alloc;
    struct graft_volume_id volume; /* never none */
    struct graft_client_id client;
    uint32_t page_bytes;
    bool variable; /* pages may be shorter than page_bytes */
    uint64_t created_ms;
    char *remote_url;               /* owned, or NULL: see graft_config_set_remote_url */
    struct graft_setting *settings; /* sorted by key, no key twice */
    uint32_t setting_count, setting_capacity;
};

void graft_config_init(struct graft_config *config, struct graft_alloc *alloc);
void graft_config_deinit(struct graft_config *config);

/* Copies `url`; NULL or "" means no remote. EINVAL when GRAFT_PATH_BYTES_MAX or longer; ENOMEM. */
GRAFT_MUST_USE enum graft_rc graft_config_set_remote_url(struct graft_config *config,
                                                         const char *url);
/* The value of a setting, borrowed until the next change; NULL when it is not set. */
const char *graft_config_get(const struct graft_config *config, const char *key);
/* Sets, or with a NULL value removes, a setting; both strings are copied. EINVAL for a key that is
 * not 1 to 63 bytes of [a-z0-9_.-] or a value too long, ELIMIT for one setting too many, ENOMEM;
 * the config is unchanged then. */
GRAFT_MUST_USE enum graft_rc graft_config_set(struct graft_config *config, const char *key,
                                              const char *value);

/* Appends the whole file. Equal configs have equal bytes. ENOMEM. */
GRAFT_MUST_USE enum graft_rc graft_config_encode(const struct graft_config *config,
                                                 struct graft_buf *out);
/* Replaces `config` (initialised before). ECORRUPT, EVERSION, ENOMEM; unchanged then. */
GRAFT_MUST_USE enum graft_rc graft_config_decode(struct graft_config *config, const uint8_t *bytes,
                                                 size_t size, struct graft_err *err);

#endif
