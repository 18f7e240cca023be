/* The object store: requests taken apart, answered, and made to fail. */
#include "sim/s3.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "sim/s3_parts.h"

#define SKEW_MS_MAX UINT64_C(900000)

/* ---- Objects. */

size_t sim_s3_from(const struct sim_s3 *s3, const char *key)
{
    size_t low = 0;
    size_t high = s3->object_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(s3->objects[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct sim_object *sim_s3_object(const struct sim_s3 *s3, const char *key)
{
    size_t at = sim_s3_from(s3, key);
    return at < s3->object_count && strcmp(s3->objects[at].key, key) == 0 ? &s3->objects[at] : NULL;
}

void sim_object_etag(struct sim_object *object)
{
    struct graft_hash hash = graft_hash128(object->bytes, object->size);
    object->etag[0] = '"';
    for (size_t i = 0; i < sizeof hash.bytes; i++) {
        object->etag[1 + 2 * i] = "0123456789abcdef"[hash.bytes[i] >> 4];
        object->etag[2 + 2 * i] = "0123456789abcdef"[hash.bytes[i] & 15];
    }
    object->etag[33] = '"';
    object->etag[34] = '\0';
}

/* Civil time from days, after Howard Hinnant's chrono-compatible algorithms. */
static void iso_time(uint64_t wall_ms, char out[32])
{
    uint64_t days = wall_ms / 86400000 + 719468;
    uint64_t era = days / 146097;
    uint64_t day_of_era = days % 146097;
    uint64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t shifted = (5 * day_of_year + 2) / 153;
    unsigned day = (unsigned)(day_of_year - (153 * shifted + 2) / 5 + 1);
    unsigned month = (unsigned)(shifted < 10 ? shifted + 3 : shifted - 9);
    unsigned year = (unsigned)(year_of_era + era * 400 + (month <= 2));
    unsigned ms = (unsigned)(wall_ms % 86400000);
    (void)snprintf(out, 32, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", year % 10000, month, day,
                   ms / 3600000, ms / 60000 % 60, ms / 1000 % 60, ms % 1000);
}

/* Keeps what a stale listing may still show, and forgets what none can. */
static void bury(struct sim_s3 *s3, struct sim_object *object)
{
    uint64_t now_ns = s3->world->now_ns;
    size_t left = 0;
    for (size_t i = 0; i < s3->former_count; i++) {
        if (s3->former[i].deleted_ns + SIM_S3_STALE_NS < now_ns)
            sim_host_free(s3->former[i].key);
        else
            s3->former[left++] = s3->former[i];
    }
    s3->former_count = left;
    if (s3->former_count == s3->former_capacity) {
        s3->former_capacity = s3->former_capacity == 0 ? 16 : s3->former_capacity * 2;
        s3->former = sim_host_realloc(s3->former, s3->former_capacity * sizeof *s3->former);
    }
    struct sim_object former = *object;
    former.key = sim_host_strdup(object->key);
    former.bytes = NULL;
    former.deleted_ns = now_ns;
    s3->former[s3->former_count++] = former;
    sim_host_free(object->bytes);
    object->bytes = NULL;
}

void sim_s3_put(struct sim_s3 *s3, const char *key, const void *bytes, size_t size)
{
    size_t at = sim_s3_from(s3, key);
    struct sim_object *object = NULL;
    if (at < s3->object_count && strcmp(s3->objects[at].key, key) == 0) {
        object = &s3->objects[at];
        bury(s3, object);
    } else {
        if (s3->object_count == s3->object_capacity) {
            s3->object_capacity = s3->object_capacity == 0 ? 64 : s3->object_capacity * 2;
            s3->objects = sim_host_realloc(s3->objects, s3->object_capacity * sizeof *s3->objects);
        }
        object = &s3->objects[at];
        memmove(object + 1, object, (s3->object_count - at) * sizeof *object);
        s3->object_count++;
        *object = (struct sim_object){.key = sim_host_strdup(key)};
    }
    object->bytes = sim_host_alloc(size + 1);
    if (size > 0)
        memcpy(object->bytes, bytes, size);
    object->size = size;
    object->created_ns = s3->world->now_ns;
    iso_time(sim_world_wall_ms(s3->world), object->modified);
    sim_object_etag(object);
}

bool sim_s3_remove(struct sim_s3 *s3, const char *key)
{
    size_t at = sim_s3_from(s3, key);
    if (at == s3->object_count || strcmp(s3->objects[at].key, key) != 0)
        return false;
    struct sim_object *object = &s3->objects[at];
    bury(s3, object);
    sim_host_free(object->key);
    s3->object_count--;
    memmove(object, object + 1, (s3->object_count - at) * sizeof *object);
    return true;
}

const void *sim_s3_find(const struct sim_s3 *s3, const char *key, size_t *size)
{
    const struct sim_object *object = sim_s3_object(s3, key);
    if (object == NULL)
        return NULL;
    *size = object->size;
    return object->bytes;
}

void sim_s3_each(const struct sim_s3 *s3, const char *prefix, sim_s3_each_fn *each, void *arg)
{
    for (size_t at = sim_s3_from(s3, prefix); at < s3->object_count; at++) {
        const struct sim_object *object = &s3->objects[at];
        if (strncmp(object->key, prefix, strlen(prefix)) != 0)
            break;
        each(arg, object->key, object->bytes, object->size);
    }
}

const struct sim_s3_counts *sim_s3_count(const struct sim_s3 *s3)
{
    return &s3->counts;
}

/* ---- Words. */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool sim_url_decode(const char *text, size_t length, char *out, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (c == '%' && i + 2 < length + 0 && hex_digit(text[i + 1]) >= 0 &&
            hex_digit(text[i + 2]) >= 0) {
            c = (char)(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
            i += 2;
        } else if (c == '%') {
            return false;
        }
        if (used + 1 >= size)
            return false;
        out[used++] = c;
    }
    out[used] = '\0';
    return true;
}

bool sim_s3_parameter(const struct sim_call *call, const char *name, char *out, size_t size)
{
    const char *at = sim_call_query(call);
    size_t name_bytes = strlen(name);
    while (*at != '\0') {
        size_t length = strcspn(at, "&");
        if (length >= name_bytes && memcmp(at, name, name_bytes) == 0 &&
            (length == name_bytes || at[name_bytes] == '=')) {
            size_t skip = length == name_bytes ? name_bytes : name_bytes + 1;
            return sim_url_decode(at + skip, length - skip, out, size);
        }
        at += length;
        at += *at == '&';
    }
    return false;
}

void sim_xml_add(struct sim_bytes *xml, const char *format, ...)
{
    if (strchr(format, '%') == NULL) { /* most calls */
        sim_bytes_append(xml, format, strlen(format));
        return;
    }
    char text[512];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    GRAFT_ASSERT(length >= 0 && (size_t)length < sizeof text);
    sim_bytes_append(xml, text, (size_t)length);
}

static const char *escape_of(char c)
{
    return c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : "&quot;";
}

void sim_xml_add_text(struct sim_bytes *xml, const char *text)
{
    for (;;) {
        size_t plain = strcspn(text, "&<>\"");
        sim_bytes_append(xml, text, plain);
        text += plain;
        if (*text == '\0')
            return;
        const char *escape = escape_of(*text++);
        sim_bytes_append(xml, escape, strlen(escape));
    }
}

static const struct {
    const char *written;
    char meant;
} entities[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};

bool sim_xml_next(const char **at, const char *end, const char *name, char *out, size_t size)
{
    char open[64];
    int open_bytes = snprintf(open, sizeof open, "<%s>", name);
    const char *found = memmem(*at, (size_t)(end - *at), open, (size_t)open_bytes);
    if (found == NULL)
        return false;
    const char *text = found + open_bytes;
    const char *close = memchr(text, '<', (size_t)(end - text));
    if (close == NULL)
        return false;
    size_t used = 0;
    for (; text < close && used + 1 < size; used++) {
        size_t skip = 1;
        char c = *text;
        for (size_t i = 0; i < sizeof entities / sizeof entities[0]; i++) {
            size_t length = strlen(entities[i].written);
            if ((size_t)(close - text) >= length &&
                memcmp(text, entities[i].written, length) == 0) {
                c = entities[i].meant;
                skip = length;
            }
        }
        out[used] = c;
        text += skip;
    }
    out[used] = '\0';
    *at = close;
    return text == close;
}

/* ---- Answers. */

static void answer_bytes(struct sim_s3_request *request, const void *bytes, size_t size)
{
    struct sim_call *call = request->call;
    request->s3->counts.bytes_out += size;
    sim_call_add_header(call, "Content-Length", "%zu", size);
    sim_call_set_length(call, size);
    (void)sim_call_send(call, bytes, size);
    sim_call_end(call);
}

static void begin(struct sim_s3_request *request, uint32_t status)
{
    sim_call_begin(request->call, status);
    sim_call_add_header(request->call, "x-amz-request-id", "tx%016" PRIx64, request->call->id);
}

void sim_s3_answer_empty(struct sim_s3_request *request, uint32_t status)
{
    begin(request, status);
    answer_bytes(request, "", 0);
}

void sim_s3_answer_xml(struct sim_s3_request *request, uint32_t status, const struct sim_bytes *xml)
{
    begin(request, status);
    sim_call_add_header(request->call, "Content-Type", "application/xml");
    answer_bytes(request, xml->at, xml->size);
}

static void write_error(struct sim_s3_request *request, struct sim_bytes *xml, const char *code,
                        const char *message)
{
    sim_xml_add(xml, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>%s</Code>", code);
    sim_xml_add(xml, "<Message>%s</Message><Resource>", message);
    sim_xml_add_text(xml, sim_call_path(request->call));
    sim_xml_add(xml, "</Resource><RequestId>tx%016" PRIx64 "</RequestId></Error>",
                request->call->id);
}

void sim_s3_answer_error(struct sim_s3_request *request, uint32_t status, const char *code,
                         const char *message)
{
    struct sim_bytes xml = {0};
    request->s3->counts.refused++;
    if (strcmp(sim_call_method(request->call), "HEAD") == 0) {
        sim_s3_answer_empty(request, status);
        return;
    }
    write_error(request, &xml, code, message);
    sim_s3_answer_xml(request, status, &xml);
    sim_host_free(xml.at);
}

/* ---- Objects over HTTP. */

enum range { RANGE_ALL, RANGE_PART, RANGE_BAD };

/* "bytes=a-b", "bytes=a-" or "bytes=-n"; anything else counts as no range. */
static enum range parse_range(const char *text, uint64_t size, uint64_t *from, uint64_t *to)
{
    if (text == NULL || strncmp(text, "bytes=", 6) != 0)
        return RANGE_ALL;
    text += 6;
    char *end = NULL;
    if (*text == '-') {
        uint64_t count = strtoull(text + 1, &end, 10);
        if (end == text + 1 || *end != '\0')
            return RANGE_ALL;
        if (count == 0 || size == 0)
            return RANGE_BAD;
        *from = count < size ? size - count : 0;
        *to = size;
        return RANGE_PART;
    }
    uint64_t first = strtoull(text, &end, 10);
    if (end == text || *end != '-')
        return RANGE_ALL;
    uint64_t last = UINT64_MAX - 1;
    if (end[1] != '\0') {
        const char *at = end + 1;
        last = strtoull(at, &end, 10);
        if (end == at || *end != '\0' || last < first)
            return RANGE_ALL;
    }
    if (first >= size)
        return RANGE_BAD;
    *from = first;
    *to = last < size - 1 ? last + 1 : size;
    return RANGE_PART;
}

/* Another part than asked: what a broken proxy, or a cache of another object, makes of it. */
static void spoil_range(struct sim_s3_request *request, uint64_t size, enum range *range,
                        uint64_t *from, uint64_t *to)
{
    struct sim_world *world = request->s3->world;
    if (*range != RANGE_PART || !sim_draw(world, SIM_FAULT_store_wrong_range, request->call->id))
        return;
    struct sim_rng *rng = sim_fault_rng(world, SIM_FAULT_store_wrong_range);
    if (sim_rng_below(rng, 2) == 0) {
        *range = RANGE_ALL;
        *from = 0;
        *to = size;
        return;
    }
    uint64_t count = *to - *from;
    *from = sim_rng_below(rng, size - count + 1);
    *to = *from + count;
}

static void get_object(struct sim_s3_request *request, bool with_body)
{
    struct sim_s3 *s3 = request->s3;
    struct sim_call *call = request->call;
    const struct sim_object *object = sim_s3_object(s3, request->key);
    if (object == NULL) {
        sim_s3_answer_error(request, 404, "NoSuchKey", "The specified key does not exist.");
        return;
    }
    uint64_t from = 0;
    uint64_t to = object->size;
    enum range range = parse_range(sim_call_header(call, "Range"), object->size, &from, &to);
    if (range == RANGE_BAD) {
        sim_s3_answer_error(request, 416, "InvalidRange", "The range cannot be satisfied.");
        return;
    }
    spoil_range(request, object->size, &range, &from, &to);
    uint64_t count = to - from;
    if (with_body && count > 0 && sim_draw(s3->world, SIM_FAULT_store_truncate, call->id))
        count = sim_rng_below(sim_fault_rng(s3->world, SIM_FAULT_store_truncate), count);
    begin(request, range == RANGE_PART ? 206 : 200);
    sim_call_add_header(call, "ETag", "%s", object->etag);
    sim_call_add_header(call, "Last-Modified", "%s", object->modified);
    sim_call_add_header(call, "Accept-Ranges", "bytes");
    if (range == RANGE_PART)
        sim_call_add_header(call, "Content-Range", "bytes %" PRIu64 "-%" PRIu64 "/%zu", from,
                            to - 1, object->size);
    if (with_body) {
        answer_bytes(request, object->bytes + from, (size_t)count);
        return;
    }
    sim_call_add_header(call, "Content-Length", "%" PRIu64, count);
    sim_call_end(call);
}

static void put_object(struct sim_s3_request *request)
{
    struct sim_s3 *s3 = request->s3;
    struct sim_call *call = request->call;
    const char *none_match = sim_call_header(call, "If-None-Match");
    bool is_there = sim_s3_object(s3, request->key) != NULL;
    if (sim_call_header(call, "If-Match") != NULL ||
        (none_match != NULL && strcmp(none_match, "*") == 0 && is_there)) {
        sim_s3_answer_error(request, 412, "PreconditionFailed",
                            "At least one of the preconditions you specified did not hold.");
        return;
    }
    if (none_match != NULL && strcmp(none_match, "*") != 0) {
        sim_s3_answer_error(request, 501, "NotImplemented", "If-None-Match takes * alone.");
        return;
    }
    size_t size = 0;
    const void *body = sim_call_body(call, &size);
    s3->counts.bytes_in += size;
    sim_s3_put(s3, request->key, body, size);
    begin(request, 200);
    sim_call_add_header(call, "ETag", "%s", sim_s3_object(s3, request->key)->etag);
    answer_bytes(request, "", 0);
}

static void serve_bucket(struct sim_s3_request *request)
{
    const char *method = sim_call_method(request->call);
    char value[16];
    if (strcmp(method, "GET") == 0) {
        request->s3->counts.lists++;
        sim_s3_list(request);
    } else if (strcmp(method, "HEAD") == 0) {
        sim_s3_answer_empty(request, 200);
    } else if (strcmp(method, "POST") == 0 &&
               sim_s3_parameter(request->call, "delete", value, sizeof value)) {
        sim_s3_delete_many(request);
    } else {
        sim_s3_answer_error(request, 405, "MethodNotAllowed", "Not for a bucket.");
    }
}

static void serve_object(struct sim_s3_request *request)
{
    struct sim_s3_counts *counts = &request->s3->counts;
    const struct sim_call *call = request->call;
    const char *method = sim_call_method(call);
    char value[64];
    bool has_upload = sim_s3_parameter(call, "uploadId", value, sizeof value);
    if (strcmp(method, "GET") == 0) {
        counts->gets++;
        get_object(request, true);
    } else if (strcmp(method, "HEAD") == 0) {
        counts->heads++;
        get_object(request, false);
    } else if (strcmp(method, "PUT") == 0) {
        counts->puts++;
        if (has_upload)
            sim_s3_put_part(request);
        else
            put_object(request);
    } else if (strcmp(method, "DELETE") == 0 && has_upload) {
        sim_s3_abort_upload(request);
    } else if (strcmp(method, "DELETE") == 0) {
        counts->deletes++;
        (void)sim_s3_remove(request->s3, request->key);
        sim_s3_answer_empty(request, 204);
    } else if (strcmp(method, "POST") == 0 && has_upload) {
        sim_s3_complete_upload(request);
    } else if (strcmp(method, "POST") == 0 &&
               sim_s3_parameter(call, "uploads", value, sizeof value)) {
        sim_s3_create_upload(request);
    } else {
        sim_s3_answer_error(request, 405, "MethodNotAllowed", "Not for an object.");
    }
}

/* ---- Who may, and what goes wrong. */

static bool is_allowed(struct sim_s3_request *request)
{
    const struct sim_s3 *s3 = request->s3;
    const char *access_key = sim_call_access_key(request->call);
    uint64_t now_ms = sim_world_wall_ms(s3->world);
    uint64_t date_ms = sim_call_date_ms(request->call);
    uint64_t skew_ms = now_ms > date_ms ? now_ms - date_ms : date_ms - now_ms;
    if (s3->access_key == NULL)
        return true;
    if (access_key == NULL)
        sim_s3_answer_error(request, 403, "AccessDenied", "Access Denied");
    else if (strcmp(access_key, s3->access_key) != 0)
        sim_s3_answer_error(request, 403, "InvalidAccessKeyId", "There is no such access key.");
    else if (strcmp(sim_call_secret_key(request->call), s3->secret_key) != 0)
        sim_s3_answer_error(request, 403, "SignatureDoesNotMatch", "The signature is wrong.");
    else if (skew_ms > SKEW_MS_MAX || sim_draw(s3->world, SIM_FAULT_store_skew, request->call->id))
        sim_s3_answer_error(request, 403, "RequestTimeTooSkewed",
                            "The difference between the request time and the current time is too "
                            "large.");
    else
        return true;
    return false;
}

static void answer_busy(struct sim_s3_request *request, uint32_t status, const char *code,
                        uint64_t seconds)
{
    struct sim_bytes xml = {0};
    request->s3->counts.refused++;
    write_error(request, &xml, code, "Please reduce your request rate.");
    begin(request, status);
    sim_call_add_header(request->call, "Retry-After", "%" PRIu64, seconds);
    sim_call_add_header(request->call, "Content-Type", "application/xml");
    answer_bytes(request, xml.at, xml.size);
    sim_host_free(xml.at);
}

/* Refusals that come before the request acts; true when there was one. */
static bool refuse(struct sim_s3_request *request)
{
    struct sim_s3 *s3 = request->s3;
    struct sim_world *world = s3->world;
    uint64_t id = request->call->id;
    if (sim_draw(world, SIM_FAULT_store_storm, id))
        s3->storm_until_ns =
            world->now_ns + sim_rng_skewed(sim_fault_rng(world, SIM_FAULT_store_storm), SIM_SECOND,
                                           120 * SIM_SECOND);
    if (world->now_ns < s3->storm_until_ns && !world->faults_off) {
        answer_busy(request, 503, "SlowDown", 1);
        return true;
    }
    if (sim_draw(world, SIM_FAULT_store_busy, id)) {
        answer_busy(request, 429, "TooManyRequests",
                    sim_rng_between(sim_fault_rng(world, SIM_FAULT_store_busy), 1, 5));
        return true;
    }
    return false;
}

static bool take_apart(struct sim_s3_request *request)
{
    const char *path = sim_call_path(request->call);
    const struct sim_s3 *s3 = request->s3;
    char bucket[256];
    size_t length = strcspn(path + 1, "/");
    if (!sim_url_decode(path + 1, length, bucket, sizeof bucket) ||
        strcmp(bucket, s3->bucket) != 0) {
        sim_s3_answer_error(request, 404, "NoSuchBucket", "The bucket does not exist.");
        return false;
    }
    const char *key = path + 1 + length;
    key += *key == '/';
    if (!sim_url_decode(key, strlen(key), request->key, sizeof request->key)) {
        sim_s3_answer_error(request, 400, "InvalidURI", "Couldn't parse the specified URI.");
        return false;
    }
    return true;
}

/* It acts, and what comes back is something else. */
static bool spoil_answer(struct sim_s3_request *request)
{
    struct sim_world *world = request->s3->world;
    struct sim_call *call = request->call;
    if (sim_draw(world, SIM_FAULT_store_answer_lost, call->id)) {
        if (sim_rng_below(sim_fault_rng(world, SIM_FAULT_store_answer_lost), 2) == 0)
            call->lose_answer = true;
        else
            call->reset_answer = true;
    }
    if (!sim_draw(world, SIM_FAULT_store_error, call->id))
        return false;
    if (sim_rng_below(sim_fault_rng(world, SIM_FAULT_store_error), 2) == 0) {
        sim_s3_answer_error(request, 500, "InternalError", "We encountered an internal error.");
        return true;
    }
    call->turns_to_500 = true;
    return false;
}

static void serve(void *arg, struct sim_call *call)
{
    struct sim_s3_request request = {.s3 = arg, .call = call};
    struct sim_world *world = request.s3->world;
    request.s3->counts.requests++;
    sim_call_delay(call, sim_net_latency_ns(world));
    if (sim_draw(world, SIM_FAULT_store_slow, call->id))
        sim_call_delay(call, sim_rng_skewed(sim_fault_rng(world, SIM_FAULT_store_slow), SIM_MS,
                                            20 * SIM_SECOND));
    if (refuse(&request) || !is_allowed(&request) || !take_apart(&request) ||
        spoil_answer(&request))
        return;
    if (!call->is_copy && strcmp(sim_call_method(call), "PUT") == 0 &&
        sim_draw(world, SIM_FAULT_store_late_put, call->id))
        sim_call_repeat(call, sim_rng_skewed(sim_fault_rng(world, SIM_FAULT_store_late_put),
                                             SIM_SECOND, 600 * SIM_SECOND));
    if (request.key[0] == '\0')
        serve_bucket(&request);
    else
        serve_object(&request);
}

struct sim_s3 *sim_s3_new(struct sim_machine *machine, const char *host, const char *bucket,
                          const char *access_key, const char *secret_key)
{
    struct sim_s3 *s3 = sim_host_alloc(sizeof *s3);
    s3->machine = machine;
    s3->world = machine->world;
    s3->bucket = sim_host_strdup(bucket);
    s3->access_key = access_key == NULL ? NULL : sim_host_strdup(access_key);
    s3->secret_key = secret_key == NULL ? NULL : sim_host_strdup(secret_key);
    sim_list_init(&s3->uploads);
    (void)sim_net_listen(machine, host, serve, s3);
    return s3;
}

void sim_s3_free(struct sim_s3 *s3)
{
    if (s3 == NULL)
        return;
    for (size_t i = 0; i < s3->object_count; i++) {
        sim_host_free(s3->objects[i].key);
        sim_host_free(s3->objects[i].bytes);
    }
    for (size_t i = 0; i < s3->former_count; i++)
        sim_host_free(s3->former[i].key);
    sim_uploads_free(s3);
    sim_host_free(s3->objects);
    sim_host_free(s3->former);
    sim_host_free(s3->bucket);
    sim_host_free(s3->access_key);
    sim_host_free(s3->secret_key);
    sim_host_free(s3);
}
