/* Writes JSON as it goes, straight to a stream: nothing is built in memory. What it is given may be
 * a path of any bytes, so that what is not UTF-8 is replaced instead of passed on. */
#include "json.h"

#include <inttypes.h>
#include <string.h>

#include "base/assert.h"

/* Bytes of the well-formed UTF-8 sequence at `at` (Unicode 15, table 3-7), 0 when it is none. */
static size_t utf8_bytes(const unsigned char *at)
{
    if (at[0] < 0x80)
        return 1;
    size_t bytes = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (at[0] < 0xc2 || at[0] > 0xf4)
        return 0;
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    if (at[0] == 0xe0)
        low = 0xa0;
    else if (at[0] == 0xed)
        high = 0x9f;
    else if (at[0] == 0xf0)
        low = 0x90;
    else if (at[0] == 0xf4)
        high = 0x8f;
    for (size_t i = 1; i < bytes; i++) {
        if (at[i] < low || at[i] > high)
            return 0;
        low = 0x80;
        high = 0xbf;
    }
    return bytes;
}

static void write_string(FILE *out, const char *text)
{
    (void)fputc('"', out);
    const unsigned char *at = (const unsigned char *)text;
    while (*at != '\0') {
        size_t bytes = utf8_bytes(at);
        if (bytes == 0)
            (void)fputs("\\ufffd", out);
        else if (*at == '"' || *at == '\\')
            (void)fprintf(out, "\\%c", *at);
        else if (*at < 0x20 || *at == 0x7f)
            (void)fprintf(out, "\\u%04x", *at);
        else
            (void)fwrite(at, 1, bytes, out);
        at += bytes == 0 ? 1 : bytes;
    }
    (void)fputc('"', out);
}

static void begin_item(struct cli_json *json, const char *key)
{
    if (json->depth > 0) {
        bool *has_items = &json->has_items[json->depth - 1];
        if (*has_items)
            (void)fputs(", ", json->out);
        *has_items = true;
    }
    if (key != NULL) {
        write_string(json->out, key);
        (void)fputs(": ", json->out);
    }
}

static void begin_nest(struct cli_json *json, const char *key, int bracket)
{
    GRAFT_ASSERT(json->depth < CLI_JSON_DEPTH_MAX);
    begin_item(json, key);
    (void)fputc(bracket, json->out);
    json->has_items[json->depth++] = false;
}

static void end_nest(struct cli_json *json, int bracket)
{
    GRAFT_ASSERT(json->depth > 0);
    json->depth--;
    (void)fputc(bracket, json->out);
    if (json->depth == 0)
        (void)fputc('\n', json->out);
}

void cli_json_object_begin(struct cli_json *json, const char *key)
{
    begin_nest(json, key, '{');
}

void cli_json_object_end(struct cli_json *json)
{
    end_nest(json, '}');
}

void cli_json_array_begin(struct cli_json *json, const char *key)
{
    begin_nest(json, key, '[');
}

void cli_json_array_end(struct cli_json *json)
{
    end_nest(json, ']');
}

void cli_json_text(struct cli_json *json, const char *key, const char *value)
{
    begin_item(json, key);
    write_string(json->out, value);
}

void cli_json_number(struct cli_json *json, const char *key, uint64_t value)
{
    begin_item(json, key);
    (void)fprintf(json->out, "%" PRIu64, value);
}

void cli_json_bool(struct cli_json *json, const char *key, bool value)
{
    begin_item(json, key);
    (void)fputs(value ? "true" : "false", json->out);
}
