/* The s3 remote over a net that answers what the test has written down, and keeps what it was
 * asked: where requests go, how they are signed, what each answer means. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "remote/objects.h"
#include "support/expect.h"
#include "support/testing.h"

#define ASKED_MAX 8

struct answer {
    uint32_t status;
    const char *headers; /* "name: value\n" each */
    const char *body;
};

/* What a request was, in the words of the test. */
struct asked {
    char line[2000]; /* method and URL */
    char headers[400];
    char signature[200]; /* access key, secret key, token and region */
};

static struct fake {
    struct graft_net net;
    struct graft_exchange exchange;
    struct graft_tasks tasks;
    struct graft_env env;
    struct graft_aws aws, renewed; /* `renewed` from the second look on, when it is set */
    unsigned looks;
    const struct answer *answers;
    size_t answer_count, used, read;
    struct asked asked[ASKED_MAX];
    uint64_t slept_ms;
    char value[200];
} fake;

static const struct answer *current(void)
{
    return &fake.answers[fake.used - 1];
}

static enum graft_rc start(struct graft_net *net, const struct graft_request *request,
                           struct graft_exchange **out, struct graft_err *err)
{
    cr_assert_lt(fake.used, fake.answer_count, "asked too often: %s %s", request->method,
                 request->url);
    struct asked *asked = &fake.asked[fake.used % ASKED_MAX];
    memset(asked, 0, sizeof *asked);
    (void)snprintf(asked->line, sizeof asked->line, "%s %s", request->method, request->url);
    for (size_t i = 0; i < request->header_count; i++) {
        size_t length = strlen(asked->headers);
        (void)snprintf(asked->headers + length, sizeof asked->headers - length, "%s: %s\n",
                       request->headers[i].name, request->headers[i].value);
    }
    if (request->sigv4 != NULL)
        (void)snprintf(asked->signature, sizeof asked->signature, "%s %s %s %s",
                       request->sigv4->access_key, request->sigv4->secret_key,
                       request->sigv4->session_token == NULL ? "-" : request->sigv4->session_token,
                       request->sigv4->region);
    uint64_t left = request->body_bytes;
    while (left > 0) {
        char bytes[100];
        size_t got = 0;
        expect_ok(request->body(request->body_arg, bytes, sizeof bytes, &got, err), err);
        left -= got;
    }
    fake.used++;
    fake.read = 0;
    if (current()->status == 0)
        return graft_err_set(err, GRAFT_EUNREACHABLE, "the link is down");
    fake.exchange.net = net;
    *out = &fake.exchange;
    return GRAFT_OK;
}

static uint32_t status(struct graft_exchange *exchange)
{
    (void)exchange;
    return current()->status;
}

static const char *header(struct graft_exchange *exchange, const char *name)
{
    (void)exchange;
    const char *line = current()->headers;
    while (line != NULL && *line != '\0') {
        size_t name_bytes = strcspn(line, ":");
        size_t length = strcspn(line, "\n");
        if (strlen(name) == name_bytes && strncmp(line, name, name_bytes) == 0) {
            (void)snprintf(fake.value, sizeof fake.value, "%.*s", (int)(length - name_bytes - 2),
                           line + name_bytes + 2);
            return fake.value;
        }
        line += length + 1;
    }
    return NULL;
}

static enum graft_rc read_some(struct graft_exchange *exchange, void *bytes, size_t size,
                               size_t *got, struct graft_err *err)
{
    (void)exchange, (void)err;
    const char *body = current()->body == NULL ? "" : current()->body;
    size_t left = strlen(body) - fake.read;
    *got = left < size ? left : size;
    memcpy(bytes, body + fake.read, *got);
    fake.read += *got;
    return GRAFT_OK;
}

static void finish(struct graft_exchange *exchange)
{
    (void)exchange;
}

static enum graft_rc say_aws(struct graft_net *net, struct graft_aws *out, struct graft_err *err)
{
    (void)net, (void)err;
    *out = fake.looks++ > 0 && fake.renewed.access_key[0] != '\0' ? fake.renewed : fake.aws;
    return GRAFT_OK;
}

static const struct graft_net_ops net_ops = {
    .start = start,
    .status = status,
    .header = header,
    .read = read_some,
    .finish = finish,
    .aws = say_aws,
};

/* One thread, one mutex at a time. */
static struct graft_mutex only_mutex;
static bool is_locked;

static enum graft_rc make_mutex(struct graft_tasks *tasks, struct graft_mutex **out)
{
    only_mutex.tasks = tasks;
    *out = &only_mutex;
    return GRAFT_OK;
}

static void free_mutex(struct graft_mutex *mutex)
{
    (void)mutex;
    cr_assert_not(is_locked);
}

static void lock(struct graft_mutex *mutex)
{
    (void)mutex;
    cr_assert_not(is_locked);
    is_locked = true;
}

static void unlock(struct graft_mutex *mutex)
{
    (void)mutex;
    cr_assert(is_locked);
    is_locked = false;
}

static void count_sleep(struct graft_tasks *tasks, uint32_t ms)
{
    (void)tasks;
    fake.slept_ms += ms;
}

static const struct graft_tasks_ops tasks_ops = {
    .mutex_new = make_mutex,
    .mutex_free = free_mutex,
    .mutex_lock = lock,
    .mutex_unlock = unlock,
    .sleep_ms = count_sleep,
};

static struct graft_objects *objects;
static struct graft_err err;

static void set_up(void)
{
    memset(&fake, 0, sizeof fake);
    fake.net.ops = &net_ops;
    fake.tasks.ops = &tasks_ops;
    fake.env = *graft_test_env();
    fake.env.net = &fake.net;
    fake.env.tasks = &fake.tasks;
    strcpy(fake.aws.access_key, "AK");
    strcpy(fake.aws.secret_key, "hush");
    strcpy(fake.aws.key_source, "the test");
}

static void tear_down(void)
{
    graft_objects_close(objects);
    objects = NULL;
}

TestSuite(s3, .init = set_up, .fini = tear_down);

static void open_url(const char *text)
{
    struct graft_url url;
    graft_objects_close(objects);
    objects = NULL;
    expect_ok(graft_url_parse(text, &url, &err), &err);
    expect_ok(graft_objects_open(&fake.env, &url, &objects, &err), &err);
}

#define ANSWER(...)                                           \
    do {                                                      \
        static const struct answer listed[] = {__VA_ARGS__};  \
        fake.answers = listed;                                \
        fake.answer_count = sizeof listed / sizeof listed[0]; \
        fake.used = 0;                                        \
    } while (0)

static void expect_all_asked(void)
{
    cr_assert_eq(fake.used, fake.answer_count, "%zu of %zu answers were asked for", fake.used,
                 fake.answer_count);
}

static char content[4096];

static enum graft_rc get(const char *key, uint64_t offset, uint64_t size)
{
    struct graft_buf buf;
    graft_buf_init(&buf, fake.env.alloc);
    content[0] = '\0';
    enum graft_rc rc = graft_objects_get(objects, key, offset, size, &buf, &err);
    if (rc == GRAFT_OK) {
        memcpy(content, buf.bytes, buf.size);
        content[buf.size] = '\0';
    }
    graft_buf_deinit(&buf);
    return rc;
}

#define WHOLE                                        \
    {                                                \
        206, "content-range: bytes 0-4/5\n", "hello" \
    }

/* ---- Where requests go, and what is in them. */

static void expect_place(const char *text, const char *region, const char *endpoint,
                         const char *wanted, const char *wanted_region)
{
    char line[600], signature[100];
    strcpy(fake.aws.region, region);
    strcpy(fake.aws.endpoint, endpoint);
    ANSWER(WHOLE);
    open_url(text);
    expect_ok(get("k", 0, 0), &err);
    (void)snprintf(line, sizeof line, "GET %s", wanted);
    (void)snprintf(signature, sizeof signature, "AK hush - %s", wanted_region);
    cr_assert_str_eq(fake.asked[0].line, line);
    cr_assert_str_eq(fake.asked[0].signature, signature);
}

Test(s3, the_url_and_the_environment_say_where_a_bucket_is)
{
    expect_place("s3://bucket/p/app", "", "", "https://bucket.s3.us-east-1.amazonaws.com/p/k",
                 "us-east-1");
    expect_place("s3://bucket/app", "eu-1", "", "https://bucket.s3.eu-1.amazonaws.com/k", "eu-1");
    expect_place("s3://bucket/app?region=eu-2", "eu-1", "",
                 "https://bucket.s3.eu-2.amazonaws.com/k", "eu-2");
    expect_place("s3://bucket/app", "cn-north-1", "",
                 "https://bucket.s3.cn-north-1.amazonaws.com.cn/k", "cn-north-1");
    expect_place("s3://my.bucket/app", "", "", "https://s3.us-east-1.amazonaws.com/my.bucket/k",
                 "us-east-1");
    expect_place("s3://bucket/a/b/app?style=path", "", "",
                 "https://s3.us-east-1.amazonaws.com/bucket/a/b/k", "us-east-1");
    expect_place("s3://bucket/app", "", "http://store:9000/", "http://store:9000/bucket/k",
                 "us-east-1");
    expect_place("s3://bucket/app?style=virtual", "", "https://store", "https://bucket.store/k",
                 "us-east-1");
    expect_place("s3://bucket/app?endpoint=http%3A%2F%2F[::1]:80&region=x", "", "https://store",
                 "http://[::1]:80/bucket/k", "x");
}

/* SHA-256 of nothing and of "hello". */
#define EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define HELLO_HASH "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

Test(s3, requests_carry_what_is_signed)
{
    bool created = false;
    strcpy(fake.aws.session_token, "token");
    ANSWER({206, "content-range: bytes 2-4/5\n", "llo"}, {200, NULL, NULL}, {204, NULL, NULL});
    open_url("s3://bucket/app");
    expect_ok(get("k", 2, 3), &err);
    expect_ok(graft_objects_put(objects, "k", "hello", 5, true, &created, &err), &err);
    expect_ok(graft_objects_remove(objects, "k", &err), &err);
    cr_assert_str_eq(fake.asked[0].headers,
                     "x-amz-content-sha256: " EMPTY_HASH "\nRange: bytes=2-4\n");
    cr_assert_str_eq(fake.asked[1].headers,
                     "x-amz-content-sha256: " HELLO_HASH "\nIf-None-Match: *\n");
    cr_assert(created);
    cr_assert_str_eq(fake.asked[2].headers, "x-amz-content-sha256: " EMPTY_HASH "\n");
    cr_assert_str_eq(fake.asked[2].signature, "AK hush token us-east-1");
}

Test(s3, without_keys_requests_go_unsigned)
{
    memset(&fake.aws, 0, sizeof fake.aws);
    ANSWER(WHOLE);
    open_url("s3://bucket/app");
    expect_ok(get("k", 0, 0), &err);
    cr_assert_str_eq(fake.asked[0].headers, "Range: bytes=0-\n");
    cr_assert_str_eq(fake.asked[0].signature, "");
}

/* ---- What a range may be answered with. */

static void expect_range(const struct answer *answer, enum graft_rc rc, const char *wanted)
{
    struct answer answers[5];
    for (size_t i = 0; i < 5; i++)
        answers[i] = *answer;
    fake.answers = answers;
    fake.answer_count = 5;
    fake.used = 0;
    graft_err_clear(&err);
    expect_rc(get("k", 2, 3), rc, &err);
    cr_assert(strstr(rc == GRAFT_OK ? content : err.text, wanted) != NULL, "%s%s", content,
              err.text);
    cr_assert_eq(fake.used, rc == GRAFT_EIO ? 5 : 1);
}

Test(s3, a_range_is_what_was_asked_for_or_an_error)
{
    open_url("s3://bucket/app");
    expect_range(&(struct answer){206, "content-range: bytes 2-4/9\n", "llo"}, GRAFT_OK, "llo");
    expect_range(&(struct answer){206, "content-range: bytes 2-3/4\n", "ll"}, GRAFT_OK, "ll");
    expect_range(&(struct answer){206, "content-range: bytes 2-4/9\n", "ll"}, GRAFT_EIO,
                 "2 bytes instead of 3");
    expect_range(&(struct answer){206, "content-range: bytes 2-4/9\n", "llox"}, GRAFT_EIO,
                 "longer than 3 bytes");
    expect_range(&(struct answer){206, "content-range: bytes 2-3/9\n", "ll"}, GRAFT_EIO,
                 "asked for 3 bytes at 2");
    expect_range(&(struct answer){206, "content-range: bytes 0-2/9\n", "hel"}, GRAFT_EIO,
                 "asked for 3 bytes at 2");
    expect_range(&(struct answer){206, "content-range: bytes 2-5/9\n", "llox"}, GRAFT_EIO,
                 "asked for 3 bytes at 2");
    expect_range(&(struct answer){206, NULL, "llo"}, GRAFT_EIO, "Content-Range: none");
    expect_range(&(struct answer){200, NULL, "hello"}, GRAFT_EIO, "status 200");
    expect_range(&(struct answer){204, NULL, NULL}, GRAFT_EIO, "status 204");
    static const char *const odd[] = {"bytes 2-4/*",
                                      "bytes */9",
                                      "bytes 4-2/9",
                                      "bytes 2-4/4",
                                      "bytes 2-4",
                                      "lines 2-4/9",
                                      "bytes 2-4/9 x",
                                      "bytes -2-4/9",
                                      "bytes 2-99999999999999999999/9",
                                      "",
                                      "bytes  2-4/9",
                                      "bytes 2-0x4/9"};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        char line[100];
        (void)snprintf(line, sizeof line, "content-range: %s\n", odd[i]);
        expect_range(&(struct answer){206, line, "llo"}, GRAFT_EIO, "Content-Range: ");
    }
    expect_range(&(struct answer){416, NULL, NULL}, GRAFT_ECORRUPT, "ends before the range");
}

/* ---- What refusals mean. */

#define ERROR(code)                              \
    "<Error><Code>" code "</Code><Message>a\x01" \
    "b</Message></Error>"

static void expect_refusal(uint32_t code, const char *body, enum graft_rc rc, size_t asked,
                           const char *wanted)
{
    struct answer answers[6];
    for (size_t i = 0; i < 6; i++)
        answers[i] = (struct answer){code, "date: Monday\n", body};
    fake.answers = answers;
    fake.answer_count = 6;
    fake.used = 0;
    expect_rc(get("k", 0, 0), rc, &err);
    cr_assert(strstr(err.text, wanted) != NULL, "%s", err.text);
    cr_assert(strncmp(err.text, "get s3://bucket/p/k: ", 21) == 0, "%s", err.text);
    cr_assert(strstr(err.text, "hush") == NULL && strchr(err.text, 1) == NULL, "%s", err.text);
    cr_assert_eq(fake.used, asked, "%s: asked %zu times", body, fake.used);
}

Test(s3, each_refusal_has_a_code_and_says_what_to_do)
{
    open_url("s3://bucket/p/app?endpoint=http://store");
    expect_refusal(404, ERROR("NoSuchKey"), GRAFT_ENOTFOUND, 1, "no such object");
    expect_refusal(404, ERROR("NoSuchBucket"), GRAFT_EUNREACHABLE, 1,
                   "there is no bucket bucket at http://store: create it");
    expect_refusal(404, "<html>", GRAFT_EUNREACHABLE, 5, "is it an S3 endpoint?");
    expect_refusal(403, ERROR("AccessDenied"), GRAFT_EDENIED, 1, "the bucket's policy");
    expect_refusal(403, ERROR("InvalidAccessKeyId"), GRAFT_EDENIED, 1, "(from the test)");
    expect_refusal(403, ERROR("SignatureDoesNotMatch"), GRAFT_EDENIED, 1, "secret key is not");
    expect_refusal(400, ERROR("ExpiredToken"), GRAFT_EIO, 1, "ExpiredToken");
    expect_refusal(403, ERROR("ExpiredToken"), GRAFT_EDENIED, 1, "renew it");
    expect_refusal(403, ERROR("RequestTimeTooSkewed"), GRAFT_EDENIED, 2,
                   "the store says that it is Monday; set the clock");
    expect_refusal(403, ERROR("QuotaExceeded"), GRAFT_EFULL, 1, "no space left");
    expect_refusal(507, "", GRAFT_EFULL, 1, "no space left");
    expect_refusal(407, "", GRAFT_EDENIED, 1, "the proxy wants a password");
    expect_refusal(413, "", GRAFT_ELIMIT, 1, "does not take it");
    expect_refusal(501, ERROR("NotImplemented"), GRAFT_EUNSUPPORTED, 1, "NotImplemented: a?b");
    expect_refusal(418, ERROR("Teapot"), GRAFT_EIO, 1, "418 Teapot: a?b");
    expect_refusal(503, ERROR("SlowDown"), GRAFT_EUNREACHABLE, 5, "the store answers 503 SlowDown");
    expect_refusal(500, "", GRAFT_EUNREACHABLE, 5, "the store answers 500");
    expect_refusal(429, "", GRAFT_EUNREACHABLE, 5, "answers 429");
    expect_refusal(409, ERROR("ConditionalRequestConflict"), GRAFT_EUNREACHABLE, 5, "409");
    expect_refusal(0, "", GRAFT_EUNREACHABLE, 5, "the link is down (after 4 retries)");
}

Test(s3, a_store_is_given_the_time_that_it_asks_for)
{
    ANSWER({503, "retry-after: 7\n", NULL}, {503, "retry-after: soon\n", NULL}, WHOLE);
    open_url("s3://bucket/app");
    expect_ok(get("k", 0, 0), &err);
    cr_assert(fake.slept_ms >= 7000 && fake.slept_ms <= 7400, "%lu", (unsigned long)fake.slept_ms);
    cr_assert_eq(objects->counts.requests, 3);
    ANSWER({503, "retry-after: 3600\n", NULL});
    expect_rc(get("k", 0, 0), GRAFT_EUNREACHABLE, &err);
    expect_all_asked();
}

Test(s3, a_region_that_the_store_names_is_used_from_then_on)
{
    ANSWER({301, "x-amz-bucket-region: eu-9\nlocation: http://x/\n", ERROR("PermanentRedirect")},
           WHOLE, WHOLE);
    open_url("s3://bucket/app");
    expect_ok(get("k", 0, 0), &err);
    expect_ok(get("k", 0, 0), &err);
    expect_all_asked();
    cr_assert_str_eq(fake.asked[0].line, "GET https://bucket.s3.us-east-1.amazonaws.com/k");
    cr_assert_str_eq(fake.asked[1].line, "GET https://bucket.s3.eu-9.amazonaws.com/k");
    cr_assert_str_eq(fake.asked[2].line, "GET https://bucket.s3.eu-9.amazonaws.com/k");
    cr_assert_str_eq(fake.asked[2].signature, "AK hush - eu-9");
}

Test(s3, a_region_that_does_not_help_is_named)
{
    ANSWER({400, NULL,
            "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-9</Region></Error>"},
           {400, NULL,
            "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-9</Region></Error>"},
           {307, "location: http://elsewhere/\n", NULL}, {301, NULL, ERROR("PermanentRedirect")});
    open_url("s3://bucket/app?endpoint=http://store");
    expect_rc(get("k", 0, 0), GRAFT_EINVAL, &err);
    cr_assert(strstr(err.text, "bucket bucket is in region eu-9") != NULL, "%s", err.text);
    expect_rc(get("k", 0, 0), GRAFT_EINVAL, &err);
    cr_assert(strstr(err.text, "sends us on to http://elsewhere/") != NULL, "%s", err.text);
    expect_rc(get("k", 0, 0), GRAFT_EINVAL, &err);
    cr_assert(strstr(err.text, "name its region") != NULL, "%s", err.text);
    expect_all_asked();
}

Test(s3, keys_that_were_renewed_are_taken_up)
{
    ANSWER({403, NULL, ERROR("ExpiredToken")}, WHOLE);
    fake.renewed = fake.aws;
    strcpy(fake.renewed.secret_key, "hush2");
    open_url("s3://bucket/app");
    expect_ok(get("k", 0, 0), &err);
    cr_assert_str_eq(fake.asked[0].signature, "AK hush - us-east-1");
    cr_assert_str_eq(fake.asked[1].signature, "AK hush2 - us-east-1");
}

Test(s3, an_environment_that_makes_no_sense_is_an_error_of_every_verb)
{
    fake.answer_count = 0;
    strcpy(fake.aws.endpoint, "ftp://x");
    open_url("s3://bucket/app");
    expect_rc(get("k", 0, 0), GRAFT_EINVAL, &err);
    cr_assert(strstr(err.text, "AWS endpoint URL \"ftp://x\"") != NULL, "%s", err.text);
    fake.aws.endpoint[0] = '\0';
    strcpy(fake.aws.region, "no/region");
    expect_rc(get("k", 0, 0), GRAFT_EINVAL, &err);
    cr_assert(strstr(err.text, "no region's name") != NULL, "%s", err.text);
}

/* ---- A PUT whose outcome is open. */

static enum graft_rc put(bool if_absent, bool *created)
{
    return graft_objects_put(objects, "k", "hello", 5, if_absent, created, &err);
}

#define LOST          \
    {                 \
        0, NULL, NULL \
    }
#define OTHER                                        \
    {                                                \
        206, "content-range: bytes 0-4/5\n", "other" \
    }
#define NONE                          \
    {                                 \
        404, NULL, ERROR("NoSuchKey") \
    }

Test(s3, a_conditional_put_that_finds_its_own_object_has_won)
{
    bool created = false;
    ANSWER(LOST, {412, NULL, ERROR("PreconditionFailed")}, WHOLE);
    open_url("s3://bucket/app");
    expect_ok(put(true, &created), &err);
    cr_assert(created);
    expect_all_asked();
}

Test(s3, a_conditional_put_that_finds_another_object_has_lost)
{
    bool created = true;
    ANSWER(LOST, {412, NULL, ERROR("PreconditionFailed")}, OTHER);
    open_url("s3://bucket/app");
    expect_ok(put(true, &created), &err);
    cr_assert_not(created);
    expect_all_asked();
}

Test(s3, a_put_without_any_answer_is_looked_up_and_else_in_doubt)
{
    bool created = false;
    open_url("s3://bucket/app");
    ANSWER(LOST, LOST, LOST, LOST, LOST, WHOLE);
    expect_ok(put(true, &created), &err);
    cr_assert(created);
    ANSWER(LOST, LOST, LOST, LOST, LOST, OTHER);
    expect_ok(put(true, &created), &err);
    cr_assert_not(created);
    ANSWER(LOST, LOST, LOST, LOST, LOST, NONE);
    expect_rc(put(true, &created), GRAFT_EINDOUBT, &err);
    ANSWER(LOST, LOST, LOST, LOST, LOST, OTHER);
    expect_rc(put(false, &created), GRAFT_EINDOUBT, &err);
    cr_assert(strstr(err.text, "may have been written or not: the link is down") != NULL, "%s",
              err.text);
    ANSWER(LOST, {403, NULL, ERROR("AccessDenied")}, {403, NULL, ERROR("AccessDenied")});
    expect_rc(put(true, &created), GRAFT_EINDOUBT, &err);
    expect_all_asked();
}

Test(s3, a_put_that_was_refused_is_not_in_doubt)
{
    bool created = false;
    open_url("s3://bucket/app");
    ANSWER({403, NULL, ERROR("AccessDenied")});
    expect_rc(put(true, &created), GRAFT_EDENIED, &err);
    ANSWER({412, NULL, ERROR("PreconditionFailed")});
    created = true;
    expect_ok(put(true, &created), &err);
    cr_assert_not(created);
    ANSWER({429, NULL, NULL}, {409, NULL, NULL}, {200, NULL, NULL});
    expect_ok(put(true, &created), &err);
    cr_assert(created);
}

/* ---- Lists. */

struct keys {
    char text[400];
};

static enum graft_rc collect(void *arg, const char *key, uint64_t size)
{
    struct keys *keys = arg;
    size_t used = strlen(keys->text);
    (void)snprintf(keys->text + used, sizeof keys->text - used, "%s:%lu ", key,
                   (unsigned long)size);
    return GRAFT_OK;
}

#define KEY(key, size) "<Contents><Key>" key "</Key><Size>" size "</Size></Contents>"
#define LIST(contents) "<ListBucketResult>" contents "</ListBucketResult>"
#define MORE(token)                   \
    "<IsTruncated>true</IsTruncated>" \
    "<NextContinuationToken>" token "</NextContinuationToken>"

static enum graft_rc list(struct keys *keys)
{
    keys->text[0] = '\0';
    return graft_objects_list(objects, "v/", "v/a", 3, collect, keys, &err);
}

Test(s3, a_list_is_asked_for_in_sorted_and_encoded_words_and_page_by_page)
{
    struct keys keys;
    ANSWER({200, NULL, LIST(MORE("a+/=") KEY("p/v/not ours", "1"))},
           {200, NULL, LIST("<EncodingType>url</EncodingType>" KEY("p%2Fv%2Fb", "7"))});
    open_url("s3://bucket/p/app?endpoint=http://store");
    expect_ok(list(&keys), &err);
    cr_assert_str_eq(keys.text, "v/b:7 ");
    cr_assert_str_eq(fake.asked[0].line,
                     "GET http://store/bucket/?encoding-type=url&list-type=2&max-keys=3"
                     "&prefix=p%2Fv%2F&start-after=p%2Fv%2Fa");
    cr_assert_str_eq(fake.asked[1].line,
                     "GET http://store/bucket/?continuation-token=a%2B%2F%3D&encoding-type=url"
                     "&list-type=2&max-keys=3&prefix=p%2Fv%2F");
}

static void expect_lie(const char *body, const char *why)
{
    struct keys keys;
    struct answer answers[5];
    for (size_t i = 0; i < 5; i++)
        answers[i] = (struct answer){200, NULL, body};
    fake.answers = answers;
    fake.answer_count = 5;
    fake.used = 0;
    expect_rc(list(&keys), GRAFT_ECORRUPT, &err);
    cr_assert(strstr(err.text, why) != NULL, "%s", err.text);
}

Test(s3, a_listing_that_lies_is_found_out)
{
    open_url("s3://bucket/p/app?endpoint=http://store");
    expect_lie("", "makes no sense");
    expect_lie("<html/>", "makes no sense");
    expect_lie("<ListBucketResult>", "its XML at byte 18");
    expect_lie(LIST("<IsTruncated>true</IsTruncated>"), "makes no sense");
    expect_lie(LIST("<Contents><Size>1</Size></Contents>"), "makes no sense");
    expect_lie(LIST(KEY("p/v/c", "1") KEY("p/v/b", "1")), "wrong order");
    expect_lie(LIST(KEY("p/v/b", "1") KEY("p/v/b", "1")), "wrong order");
    expect_lie(LIST(KEY("p/v/a", "1")), "wrong order");
    expect_lie(LIST(KEY("p/w/a", "1")), "wrong order");
    expect_lie(LIST(KEY("q/v/b", "1")), "not asked for");
    expect_lie(LIST(KEY("p/v/b", "1") KEY("p/v/c", "1") KEY("p/v/d", "1") KEY("p/v/e", "1")),
               "more keys than asked for");
}

Test(s3, a_listing_without_end_is_past_a_limit)
{
    static struct answer answers[1200];
    struct keys keys;
    for (size_t i = 0; i < 1200; i++)
        answers[i] = (struct answer){200, NULL, LIST(MORE("again"))};
    fake.answers = answers;
    fake.answer_count = 1200;
    open_url("s3://bucket/p/app?endpoint=http://store");
    expect_rc(list(&keys), GRAFT_ELIMIT, &err);
}
