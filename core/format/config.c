/* The file `config`; config.h carries its layout. It is written whole and rarely, so nothing here
 * is clever. */
#include "format/config.h"

#include <string.h>

#include "base/limits.h"
#include "format/wire.h"

static const char magic[] = "GRAFTCFG";

void graft_config_init(struct graft_config *config, struct graft_alloc *alloc)
{
    *config = (struct graft_config){.alloc = alloc};
}

void graft_config_deinit(struct graft_config *config)
{
    struct graft_alloc *alloc = config->alloc;
    if (alloc != NULL) {
        for (uint32_t i = 0; i < config->setting_count; i++) {
            graft_free(alloc, config->settings[i].key);
            graft_free(alloc, config->settings[i].value);
        }
        graft_free(alloc, config->settings);
        graft_free(alloc, config->remote_url);
    }
    *config = (struct graft_config){.alloc = alloc};
}

enum graft_rc graft_config_set_remote_url(struct graft_config *config, const char *url)
{
    char *copy = NULL;
    if (url != NULL && url[0] != '\0') {
        if (strlen(url) >= GRAFT_PATH_BYTES_MAX)
            return GRAFT_EINVAL;
        copy = graft_strdup(config->alloc, url);
        if (copy == NULL)
            return GRAFT_ENOMEM;
    }
    graft_free(config->alloc, config->remote_url);
    config->remote_url = copy;
    return GRAFT_OK;
}

static bool is_key(const char *key)
{
    size_t length = strlen(key);
    if (length == 0 || length >= GRAFT_SETTING_KEY_BYTES_MAX)
        return false;
    for (size_t i = 0; i < length; i++) {
        char c = key[i];
        bool allowed =
            (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
        if (!allowed)
            return false;
    }
    return true;
}

/* The index of the first setting whose key is not below `key`. */
static uint32_t find_setting(const struct graft_config *config, const char *key, bool *found)
{
    uint32_t at = 0;
    while (at < config->setting_count && strcmp(config->settings[at].key, key) < 0)
        at++;
    *found = at < config->setting_count && strcmp(config->settings[at].key, key) == 0;
    return at;
}

const char *graft_config_get(const struct graft_config *config, const char *key)
{
    bool found;
    uint32_t at = find_setting(config, key, &found);
    return found ? config->settings[at].value : NULL;
}

static void remove_setting(struct graft_config *config, uint32_t at)
{
    graft_free(config->alloc, config->settings[at].key);
    graft_free(config->alloc, config->settings[at].value);
    config->setting_count--;
    memmove(config->settings + at, config->settings + at + 1,
            (config->setting_count - at) * sizeof *config->settings);
}

static enum graft_rc insert_setting(struct graft_config *config, uint32_t at, const char *key,
                                    char *value)
{
    if (config->setting_count == GRAFT_SETTINGS_MAX)
        return GRAFT_ELIMIT;
    if (config->setting_count == config->setting_capacity) {
        uint32_t capacity = config->setting_capacity == 0 ? 8 : config->setting_capacity * 2;
        struct graft_setting *settings =
            graft_realloc(config->alloc, config->settings, capacity, sizeof *settings);
        if (settings == NULL)
            return GRAFT_ENOMEM;
        config->settings = settings;
        config->setting_capacity = capacity;
    }
    char *key_copy = graft_strdup(config->alloc, key);
    if (key_copy == NULL)
        return GRAFT_ENOMEM;
    memmove(config->settings + at + 1, config->settings + at,
            (config->setting_count - at) * sizeof *config->settings);
    config->settings[at] = (struct graft_setting){key_copy, value};
    config->setting_count++;
    return GRAFT_OK;
}

enum graft_rc graft_config_set(struct graft_config *config, const char *key, const char *value)
{
    if (!is_key(key) || (value != NULL && strlen(value) >= GRAFT_SETTING_VALUE_BYTES_MAX))
        return GRAFT_EINVAL;
    bool found;
    uint32_t at = find_setting(config, key, &found);
    if (value == NULL) {
        if (found)
            remove_setting(config, at);
        return GRAFT_OK;
    }
    char *copy = graft_strdup(config->alloc, value);
    if (copy == NULL)
        return GRAFT_ENOMEM;
    if (found) {
        graft_free(config->alloc, config->settings[at].value);
        config->settings[at].value = copy;
        return GRAFT_OK;
    }
    enum graft_rc rc = insert_setting(config, at, key, copy);
    if (rc != GRAFT_OK)
        graft_free(config->alloc, copy);
    return rc;
}

static enum graft_rc check(const struct graft_config *config, enum graft_rc wrong,
                           struct graft_err *err)
{
    if (graft_volume_id_is_none(&config->volume))
        return graft_err_set(err, wrong, "config: no volume");
    if (!graft_page_size_valid(config->page_bytes))
        return graft_err_set(err, wrong, "config: pages of %u bytes", config->page_bytes);
    return GRAFT_OK;
}

enum graft_rc graft_config_encode(const struct graft_config *config, struct graft_buf *out)
{
    GRAFT_TRY(check(config, GRAFT_EBUG, NULL));
    Graft__Setting settings[GRAFT_SETTINGS_MAX];
    Graft__Setting *pointers[GRAFT_SETTINGS_MAX];
    for (uint32_t i = 0; i < config->setting_count; i++) {
        graft__setting__init(&settings[i]);
        settings[i].key = config->settings[i].key;
        settings[i].value = config->settings[i].value;
        pointers[i] = &settings[i];
    }
    Graft__Config message;
    graft__config__init(&message);
    message.volume = graft_wire_bytes(config->volume.bytes, sizeof config->volume.bytes);
    message.client = graft_wire_bytes(config->client.bytes, sizeof config->client.bytes);
    message.page_bytes = config->page_bytes;
    message.variable = config->variable;
    message.created_ms = config->created_ms;
    if (config->remote_url != NULL)
        message.remote_url = config->remote_url;
    message.n_settings = config->setting_count;
    message.settings = pointers;
    return graft_wire_seal(magic, GRAFT_CONFIG_VERSION, &message.base, out, NULL);
}

/* Fills `config`, which is fresh, from the message. */
static enum graft_rc read_message(struct graft_config *config, const Graft__Config *message,
                                  struct graft_err *err)
{
    bool ids = graft_wire_read_16(&message->volume, false, config->volume.bytes) &&
               graft_wire_read_16(&message->client, false, config->client.bytes);
    if (!ids)
        return graft_err_set(err, GRAFT_ECORRUPT, "config: an id is not 16 bytes");
    config->page_bytes = message->page_bytes;
    config->variable = message->variable != 0;
    config->created_ms = message->created_ms;
    GRAFT_TRY(check(config, GRAFT_ECORRUPT, err));

    enum graft_rc rc = graft_config_set_remote_url(config, message->remote_url);
    if (rc == GRAFT_EINVAL)
        return graft_err_set(err, GRAFT_ECORRUPT, "config: its remote URL is too long");
    if (rc != GRAFT_OK)
        return graft_err_set(err, rc, "config: out of memory");
    if (message->n_settings > GRAFT_SETTINGS_MAX)
        return graft_err_set(err, GRAFT_ECORRUPT, "config: %zu settings", message->n_settings);
    for (size_t i = 0; i < message->n_settings; i++) {
        const Graft__Setting *setting = message->settings[i];
        if (i > 0 && strcmp(message->settings[i - 1]->key, setting->key) >= 0)
            return graft_err_set(err, GRAFT_ECORRUPT, "config: setting %zu is out of order", i);
        rc = graft_config_set(config, setting->key, setting->value);
        if (rc == GRAFT_ENOMEM)
            return graft_err_set(err, rc, "config: out of memory");
        if (rc != GRAFT_OK)
            return graft_err_set(err, GRAFT_ECORRUPT, "config: setting %zu is malformed", i);
    }
    return GRAFT_OK;
}

enum graft_rc graft_config_decode(struct graft_config *config, const uint8_t *bytes, size_t size,
                                  struct graft_err *err)
{
    if (size > GRAFT_CONFIG_BYTES_MAX)
        return graft_err_set(err, GRAFT_ECORRUPT, "config: a file of %zu bytes", size);
    const uint8_t *message_start;
    size_t message_bytes;
    GRAFT_TRY(graft_wire_open(magic, GRAFT_CONFIG_VERSION, "config", bytes, size, &message_start,
                              &message_bytes, err));
    if (GRAFT_ENVELOPE_BYTES + message_bytes != size)
        return graft_err_set(err, GRAFT_ECORRUPT, "config: bytes after its message");
    struct graft_wire_memory memory;
    graft_wire_memory_init(&memory, config->alloc);
    ProtobufCMessage *message;
    GRAFT_TRY(graft_wire_unpack(&memory, &graft__config__descriptor, message_start, message_bytes,
                                "config", &message, err));

    struct graft_config read;
    graft_config_init(&read, config->alloc);
    enum graft_rc rc = read_message(&read, (const Graft__Config *)message, err);
    protobuf_c_message_free_unpacked(message, &memory.protobuf);
    if (rc != GRAFT_OK) {
        graft_config_deinit(&read);
        return rc;
    }
    graft_config_deinit(config);
    *config = read;
    return GRAFT_OK;
}
