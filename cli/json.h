/* A small writer of JSON: objects, arrays, strings, numbers; commas and escapes are its affair. */
#ifndef GRAFT_CLI_JSON_H
#define GRAFT_CLI_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define CLI_JSON_DEPTH_MAX 8U

struct cli_json {
    FILE *out; /* borrowed */
    unsigned depth;
    bool has_items[CLI_JSON_DEPTH_MAX];
};

/* `key` is NULL within an array and at the top. */
void cli_json_object_begin(struct cli_json *json, const char *key);
void cli_json_object_end(struct cli_json *json); /* at the top: ends the line too */
void cli_json_array_begin(struct cli_json *json, const char *key);
void cli_json_array_end(struct cli_json *json);
/* Bytes that are not UTF-8 are written as U+FFFD. */
void cli_json_text(struct cli_json *json, const char *key, const char *value);
void cli_json_number(struct cli_json *json, const char *key, uint64_t value);
void cli_json_bool(struct cli_json *json, const char *key, bool value);

#endif
