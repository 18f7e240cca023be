/* One exchange with an S3 store. What is asked of an object is always a range, also when all of it
 * is wanted: the answer's Content-Range then says how long the object is, and a body that was cut
 * short on its way, by whomever, is found out. */
#include "remote/s3_request.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "format/ids.h"
#include "remote/s3_xml.h"

#define ERROR_BYTES_MAX (64U << 10)
#define READ_BYTES (64U << 10)
#define HEADERS_MAX 3U
#define RETRY_AFTER_MS_MAX UINT32_C(3600000)

_Static_assert(crypto_hash_sha256_BYTES == 32, "x-amz-content-sha256 has 64 digits");

static enum graft_rc no_memory(struct graft_err *err)
{
    return graft_err_set(err, GRAFT_ENOMEM, "out of memory");
}

/* ---- What is sent. */

enum graft_rc graft_s3_append_encoded(struct graft_buf *query, const char *text)
{
    static const char digits[] = "0123456789ABCDEF";
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     c == '-' || c == '.' || c == '_' || c == '~';
        const char escape[3] = {'%', digits[c >> 4], digits[c & 15]};
        GRAFT_TRY(graft_buf_append(query, plain ? text : escape, plain ? 1 : 3));
    }
    return GRAFT_OK;
}

static enum graft_rc append_url(const struct graft_s3_access *access,
                                const struct graft_s3_request *request, struct graft_buf *out)
{
    size_t base_bytes = strlen(access->base);
    GRAFT_TRY(graft_buf_append(out, access->base, base_bytes));
    GRAFT_TRY(graft_buf_append(out, request->key, strlen(request->key)));
    if (request->query[0] != '\0') {
        GRAFT_TRY(graft_buf_append(out, "?", 1));
        GRAFT_TRY(graft_buf_append(out, request->query, strlen(request->query)));
    }
    return graft_buf_append(out, "", 1);
}

struct sender {
    const uint8_t *bytes;
    size_t left;
};

static enum graft_rc give(void *arg, void *bytes, size_t size, size_t *got, struct graft_err *err)
{
    struct sender *sender = arg;
    size_t count = sender->left < size ? sender->left : size;
    (void)err;
    memcpy(bytes, sender->bytes, count);
    sender->bytes += count;
    sender->left -= count;
    *got = count;
    return GRAFT_OK;
}

/* The texts that headers point to. */
struct head {
    struct graft_header headers[HEADERS_MAX];
    size_t count;
    char hash[2 * crypto_hash_sha256_BYTES + 1];
    char range[64];
};

static void add_header(struct head *head, const char *name, const char *value)
{
    GRAFT_ASSERT(head->count < HEADERS_MAX);
    head->headers[head->count++] = (struct graft_header){.name = name, .value = value};
}

static void fill_head(struct head *head, const struct graft_s3_access *access,
                      const struct graft_s3_request *request)
{
    head->count = 0;
    if (access->aws.access_key[0] != '\0') {
        uint8_t hash[crypto_hash_sha256_BYTES];
        (void)crypto_hash_sha256(hash, request->body, request->body_bytes);
        graft_hex_encode(hash, sizeof hash, head->hash);
        add_header(head, "x-amz-content-sha256", head->hash);
    }
    if (request->if_absent)
        add_header(head, "If-None-Match", "*");
    if (!request->ranged)
        return;
    if (request->size == 0)
        (void)snprintf(head->range, sizeof head->range, "bytes=%llu-",
                       (unsigned long long)request->offset);
    else
        (void)snprintf(head->range, sizeof head->range, "bytes=%llu-%llu",
                       (unsigned long long)request->offset,
                       (unsigned long long)(request->offset + request->size - 1));
    add_header(head, "Range", head->range);
}

/* ---- What comes back. */

/* Copies text of the store for messages. */
static void take_text(char *out, size_t size, const char *text)
{
    size_t length = 0;
    for (; text != NULL && text[length] != '\0' && length < size - 1; length++) {
        unsigned char c = (unsigned char)text[length];
        out[length] = c < 0x20 || c == 0x7f ? '?' : (char)c;
    }
    out[length] = '\0';
}

/* Digits and then `end`, which is passed over unless it is NUL; false for anything else. */
static bool read_number(const char **at, char end, uint64_t *out)
{
    const char *text = *at;
    uint64_t value = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        unsigned digit = (unsigned)(*text - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (text == *at || *text != end)
        return false;
    *at = end == '\0' ? text : text + 1;
    *out = value;
    return true;
}

/* Checks "bytes FROM-TO/ALL" against what was asked for, and says how many bytes that are. */
static enum graft_rc check_range(const struct graft_s3_request *request, const char *text,
                                 uint64_t *count, struct graft_err *err)
{
    char shown[80];
    uint64_t from = 0, to = 0, all = 0;
    take_text(shown, sizeof shown, text == NULL ? "none" : text);
    const char *at = text;
    if (text == NULL || strncmp(text, "bytes ", 6) != 0)
        return graft_err_set(err, GRAFT_EIO, "it answers a range with Content-Range: %s", shown);
    at += 6;
    if (!read_number(&at, '-', &from) || !read_number(&at, '/', &to) ||
        !read_number(&at, '\0', &all) || to < from || all <= to)
        return graft_err_set(err, GRAFT_EIO, "it answers a range with Content-Range: %s", shown);
    uint64_t end = all;
    if (request->size > 0 && request->size < all - request->offset)
        end = request->offset + request->size;
    if (from != request->offset || to + 1 != end)
        return graft_err_set(err, GRAFT_EIO,
                             "it was asked for %llu bytes at %llu and answers with Content-Range: "
                             "%s",
                             (unsigned long long)request->size, (unsigned long long)request->offset,
                             shown);
    *count = to - from + 1;
    return GRAFT_OK;
}

/* Reads to the end, which comes after at most `max` bytes. */
static enum graft_rc read_up_to(struct graft_exchange *exchange, uint64_t max,
                                struct graft_buf *body, struct graft_err *err)
{
    uint64_t left = max;
    for (;;) {
        uint8_t beyond;
        size_t got = 0;
        size_t room = left < READ_BYTES ? (size_t)left : READ_BYTES;
        if (graft_buf_reserve(body, room) != GRAFT_OK)
            return no_memory(err);
        GRAFT_TRY(graft_exchange_read(exchange, room == 0 ? &beyond : body->bytes + body->size,
                                      room == 0 ? 1 : room, &got, err));
        if (got == 0)
            return GRAFT_OK;
        if (room == 0)
            return graft_err_set(err, GRAFT_EIO, "its answer is longer than %llu bytes",
                                 (unsigned long long)max);
        body->size += got;
        left -= got;
    }
}

static enum graft_rc read_success(const struct graft_s3_request *request,
                                  struct graft_exchange *exchange, uint32_t status,
                                  struct graft_buf *body, struct graft_err *err)
{
    if (!request->ranged)
        return read_up_to(exchange, request->answer_max, body, err);
    if (status != 206)
        return graft_err_set(err, GRAFT_EIO,
                             "it answers a range with status %u: does it know ranges?", status);
    uint64_t promised = 0;
    size_t before = body->size;
    GRAFT_TRY(
        check_range(request, graft_exchange_header(exchange, "content-range"), &promised, err));
    if (promised > request->answer_max)
        return graft_err_set(err, GRAFT_ELIMIT, "%llu bytes, more than %zu",
                             (unsigned long long)promised, request->answer_max);
    if (graft_buf_reserve(body, (size_t)promised) != GRAFT_OK)
        return no_memory(err);
    GRAFT_TRY(read_up_to(exchange, promised, body, err));
    if (body->size - before != promised)
        return graft_err_set(err, GRAFT_EIO, "its answer has %zu bytes instead of %llu",
                             body->size - before, (unsigned long long)promised);
    return GRAFT_OK;
}

static enum graft_rc take_error(void *arg, unsigned depth, const char *parent, const char *name,
                                const char *text)
{
    struct graft_s3_answer *answer = arg;
    if (depth != 2 || strcmp(parent, "Error") != 0)
        return GRAFT_OK;
    if (strcmp(name, "Code") == 0)
        take_text(answer->code, sizeof answer->code, text);
    else if (strcmp(name, "Message") == 0)
        take_text(answer->message, sizeof answer->message, text);
    else if (strcmp(name, "Region") == 0 && graft_region_valid(text))
        take_text(answer->region, sizeof answer->region, text);
    return GRAFT_OK;
}

/* What a refusal says of itself. One whose body is no S3 error has no code. */
static enum graft_rc read_refusal(struct graft_env *env, struct graft_exchange *exchange,
                                  struct graft_s3_answer *answer, struct graft_err *err)
{
    struct graft_buf body;
    graft_buf_init(&body, env->alloc);
    const char *region = graft_exchange_header(exchange, "x-amz-bucket-region");
    if (region != NULL && graft_region_valid(region))
        take_text(answer->region, sizeof answer->region, region);
    take_text(answer->location, sizeof answer->location,
              graft_exchange_header(exchange, "location"));
    enum graft_rc rc = read_up_to(exchange, ERROR_BYTES_MAX, &body, err);
    /* The status is the answer; its text is a courtesy. */
    if (rc == GRAFT_EIO)
        rc = GRAFT_OK;
    else if (rc == GRAFT_OK && body.size > 0 &&
             graft_s3_xml_read((const char *)body.bytes, body.size, take_error, answer, NULL) !=
                 GRAFT_OK)
        answer->code[0] = answer->message[0] = '\0';
    graft_buf_deinit(&body);
    return rc;
}

static void read_head(struct graft_exchange *exchange, struct graft_s3_answer *answer)
{
    answer->status = graft_exchange_status(exchange);
    take_text(answer->date, sizeof answer->date, graft_exchange_header(exchange, "date"));
    const char *seconds = graft_exchange_header(exchange, "retry-after");
    uint64_t value = 0;
    /* The other form, a date, is worth no parser: back-off does as well. */
    if (seconds != NULL && read_number(&seconds, '\0', &value))
        answer->retry_after_ms =
            value < RETRY_AFTER_MS_MAX / 1000 ? (uint32_t)value * 1000 : RETRY_AFTER_MS_MAX;
}

enum graft_rc graft_s3_ask(struct graft_env *env, const struct graft_s3_access *access,
                           const struct graft_s3_request *request, struct graft_s3_answer *answer,
                           struct graft_buf *body, struct graft_err *err)
{
    struct graft_buf url;
    struct head head;
    struct sender sender = {.bytes = request->body, .left = request->body_bytes};
    const struct graft_sigv4 sigv4 = {
        .access_key = access->aws.access_key,
        .secret_key = access->aws.secret_key,
        .session_token = access->aws.session_token[0] == '\0' ? NULL : access->aws.session_token,
        .region = access->region,
        .service = "s3",
    };
    struct graft_exchange *exchange = NULL;
    size_t before = body->size;
    memset(answer, 0, sizeof *answer);
    graft_buf_init(&url, env->alloc);
    fill_head(&head, access, request);
    enum graft_rc rc = append_url(access, request, &url);
    if (rc != GRAFT_OK) {
        rc = no_memory(err);
        goto out;
    }
    const struct graft_request http = {
        .method = request->method,
        .url = (const char *)url.bytes,
        .headers = head.headers,
        .header_count = head.count,
        .body = request->body == NULL ? NULL : give,
        .body_arg = &sender,
        .body_bytes = request->body_bytes,
        .sigv4 = access->aws.access_key[0] == '\0' ? NULL : &sigv4,
        .connect_timeout_ms = request->connect_timeout_ms,
        .stall_timeout_ms = request->stall_timeout_ms,
    };
    rc = graft_net_start(env->net, &http, &exchange, err);
    answer->sent = sender.left == 0;
    if (rc != GRAFT_OK)
        goto out;
    read_head(exchange, answer);
    bool success = answer->status >= 200 && answer->status < 300;
    rc = success ? read_success(request, exchange, answer->status, body, err)
                 : read_refusal(env, exchange, answer, err);
out:
    graft_exchange_finish(exchange);
    graft_buf_deinit(&url);
    if (rc != GRAFT_OK)
        body->size = before;
    return rc;
}
