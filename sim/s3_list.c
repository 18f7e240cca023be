/* ListObjectsV2: pages of keys, and, when the plan says so, as they were a while ago. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "sim/s3_parts.h"

#define KEYS_MAX 1000U

struct listing {
    struct sim_s3_request *request;
    char prefix[SIM_S3_KEY_BYTES];
    char delimiter[SIM_S3_KEY_BYTES];
    char after[SIM_S3_KEY_BYTES];
    bool url_encoded;
    uint32_t keys_max;
    uint32_t count; /* keys and common prefixes so far */
    bool truncated;
    char last[SIM_S3_KEY_BYTES]; /* key or common prefix */
    struct sim_bytes contents;
};

#define UNRESERVED "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/"

static void add_name(const struct listing *self, struct sim_bytes *xml, const char *name)
{
    if (!self->url_encoded) {
        sim_xml_add_text(xml, name);
        return;
    }
    while (*name != '\0') {
        size_t plain = strspn(name, UNRESERVED);
        sim_bytes_append(xml, name, plain);
        name += plain;
        if (*name != '\0')
            sim_xml_add(xml, "%%%02X", (unsigned)(uint8_t)*name++);
    }
}

/* The token is the last key in hex: opaque to clients, and no state of ours. */
static void add_token(struct sim_bytes *xml, const char *last)
{
    sim_xml_add(xml, "<NextContinuationToken>");
    for (; *last != '\0'; last++)
        sim_xml_add(xml, "%02x", (unsigned)(uint8_t)*last);
    sim_xml_add(xml, "</NextContinuationToken>");
}

static bool read_token(const char *token, char out[SIM_S3_KEY_BYTES])
{
    size_t length = strlen(token);
    if (length % 2 != 0 || length / 2 >= SIM_S3_KEY_BYTES)
        return false;
    char escaped[3 * SIM_S3_KEY_BYTES];
    for (size_t i = 0; i < length / 2; i++) {
        escaped[3 * i] = '%';
        memcpy(escaped + 3 * i + 1, token + 2 * i, 2);
    }
    return sim_url_decode(escaped, length / 2 * 3, out, SIM_S3_KEY_BYTES);
}

/* False, and answered, when a parameter makes no sense. */
static bool read_parameters(struct listing *self)
{
    struct sim_call *call = self->request->call;
    char value[2 * SIM_S3_KEY_BYTES];
    if (!sim_s3_parameter(call, "list-type", value, sizeof value) || strcmp(value, "2") != 0) {
        sim_s3_answer_error(self->request, 501, "NotImplemented", "Only list-type=2 is.");
        return false;
    }
    (void)sim_s3_parameter(call, "prefix", self->prefix, sizeof self->prefix);
    (void)sim_s3_parameter(call, "delimiter", self->delimiter, sizeof self->delimiter);
    (void)sim_s3_parameter(call, "start-after", self->after, sizeof self->after);
    self->url_encoded =
        sim_s3_parameter(call, "encoding-type", value, sizeof value) && strcmp(value, "url") == 0;
    bool good = true;
    if (sim_s3_parameter(call, "continuation-token", value, sizeof value))
        good = read_token(value, self->after);
    self->keys_max = KEYS_MAX;
    if (sim_s3_parameter(call, "max-keys", value, sizeof value)) {
        char *end = NULL;
        unsigned long wanted = strtoul(value, &end, 10);
        good = good && end != value && *end == '\0';
        self->keys_max = wanted < KEYS_MAX ? (uint32_t)wanted : KEYS_MAX;
    }
    if (!good)
        sim_s3_answer_error(self->request, 400, "InvalidArgument", "Invalid Argument");
    return good;
}

/* One object in order; false when the page is full. */
static bool add_object(struct listing *self, const struct sim_object *object)
{
    size_t prefix_bytes = strlen(self->prefix);
    const char *cut =
        self->delimiter[0] == '\0' ? NULL : strstr(object->key + prefix_bytes, self->delimiter);
    char common[SIM_S3_KEY_BYTES];
    if (cut != NULL) {
        size_t length = (size_t)(cut - object->key) + strlen(self->delimiter);
        memcpy(common, object->key, length);
        common[length] = '\0';
        /* What a common prefix stands for is passed over. */
        if (strcmp(common, self->last) == 0 || strcmp(common, self->after) == 0)
            return true;
    }
    if (self->count == self->keys_max) {
        self->truncated = true;
        return false;
    }
    self->count++;
    struct sim_bytes *xml = &self->contents;
    if (cut != NULL) {
        sim_xml_add(xml, "<CommonPrefixes><Prefix>");
        add_name(self, xml, common);
        sim_xml_add(xml, "</Prefix></CommonPrefixes>");
        (void)snprintf(self->last, sizeof self->last, "%s", common);
        return true;
    }
    sim_xml_add(xml, "<Contents><Key>");
    add_name(self, xml, object->key);
    sim_xml_add(xml, "</Key><LastModified>%s</LastModified><ETag>", object->modified);
    sim_xml_add_text(xml, object->etag);
    sim_xml_add(xml, "</ETag><Size>%zu</Size><StorageClass>STANDARD</StorageClass></Contents>",
                object->size);
    (void)snprintf(self->last, sizeof self->last, "%s", object->key);
    return true;
}

static bool matches(const struct listing *self, const struct sim_object *object)
{
    return strncmp(object->key, self->prefix, strlen(self->prefix)) == 0 &&
           strcmp(object->key, self->after) > 0;
}

static void collect(struct listing *self)
{
    const struct sim_s3 *s3 = self->request->s3;
    const char *from = strcmp(self->after, self->prefix) > 0 ? self->after : self->prefix;
    for (size_t at = sim_s3_from(s3, from); at < s3->object_count; at++) {
        const struct sim_object *object = &s3->objects[at];
        if (strncmp(object->key, self->prefix, strlen(self->prefix)) != 0 &&
            strcmp(object->key, self->prefix) > 0)
            break;
        if (matches(self, object) && !add_object(self, object))
            break;
    }
}

static int compare_keys(const void *a, const void *b)
{
    const struct sim_object *const *x = a;
    const struct sim_object *const *y = b;
    return strcmp((*x)->key, (*y)->key);
}

static void collect_as_of(struct listing *self, uint64_t then_ns)
{
    const struct sim_s3 *s3 = self->request->s3;
    size_t count = 0;
    const struct sim_object **found =
        sim_host_alloc((s3->object_count + s3->former_count + 1) * sizeof(struct sim_object *));
    for (size_t i = 0; i < s3->object_count; i++) {
        if (s3->objects[i].created_ns <= then_ns && matches(self, &s3->objects[i]))
            found[count++] = &s3->objects[i];
    }
    for (size_t i = 0; i < s3->former_count; i++) {
        if (s3->former[i].created_ns <= then_ns && then_ns < s3->former[i].deleted_ns &&
            matches(self, &s3->former[i]))
            found[count++] = &s3->former[i];
    }
    qsort(found, count, sizeof *found, compare_keys);
    for (size_t i = 0; i < count && add_object(self, found[i]); i++)
        ;
    sim_host_free((void *)found);
}

static void answer(struct listing *self)
{
    struct sim_bytes xml = {0};
    sim_xml_add(&xml, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult "
                      "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>");
    sim_xml_add_text(&xml, self->request->s3->bucket);
    sim_xml_add(&xml, "</Name><Prefix>");
    add_name(self, &xml, self->prefix);
    sim_xml_add(&xml, "</Prefix><MaxKeys>%u</MaxKeys><KeyCount>%u</KeyCount>", self->keys_max,
                self->count);
    if (self->url_encoded)
        sim_xml_add(&xml, "<EncodingType>url</EncodingType>");
    sim_xml_add(&xml, "<IsTruncated>%s</IsTruncated>", self->truncated ? "true" : "false");
    sim_bytes_append(&xml, self->contents.at, self->contents.size);
    if (self->truncated && self->last[0] != '\0')
        add_token(&xml, self->last);
    sim_xml_add(&xml, "</ListBucketResult>");
    sim_s3_answer_xml(self->request, 200, &xml);
    sim_host_free(xml.at);
}

void sim_s3_list(struct sim_s3_request *request)
{
    struct listing *self = sim_host_alloc(sizeof *self);
    struct sim_world *world = request->s3->world;
    self->request = request;
    if (read_parameters(self)) {
        if (sim_draw(world, SIM_FAULT_store_stale_list, request->call->id)) {
            uint64_t ago_ns = sim_rng_skewed(sim_fault_rng(world, SIM_FAULT_store_stale_list),
                                             SIM_MS, SIM_S3_STALE_NS);
            collect_as_of(self, world->now_ns > ago_ns ? world->now_ns - ago_ns : 0);
        } else {
            collect(self);
        }
        answer(self);
    }
    sim_host_free(self->contents.at);
    sim_host_free(self);
}
