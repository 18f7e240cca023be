/* HTTP exchanges against a server that behaves and misbehaves on order. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/server.h"
#include "support/expect.h"
#include "support/testing.h"

static const char *server;
static struct graft_net *net;
static struct graft_err err;

static void set_up(void)
{
    unsetenv("http_proxy");
    server = server_start();
    net = graft_test_env()->net;
}

TestSuite(net, .init = set_up, .timeout = 60);

static enum graft_rc start(const char *method, const char *path, struct graft_request request,
                           struct graft_exchange **out)
{
    char url[256];
    snprintf(url, sizeof url, "%s%s", server, path);
    request.method = method;
    request.url = url;
    request.connect_timeout_ms = 10000;
    if (request.stall_timeout_ms == 0)
        request.stall_timeout_ms = 20000;
    return graft_net_start(net, &request, out, &err);
}

static struct graft_exchange *get(const char *path)
{
    struct graft_exchange *exchange = NULL;
    expect_ok(start("GET", path, (struct graft_request){0}, &exchange), &err);
    return exchange;
}

/* Reads to the end, `step` bytes at a time. */
static size_t read_all(struct graft_exchange *exchange, char *bytes, size_t size, size_t step)
{
    size_t total = 0;
    for (;;) {
        size_t got = 0;
        size_t room = size - total < step ? size - total : step;
        cr_assert_gt(room, 0);
        expect_ok(graft_exchange_read(exchange, bytes + total, room, &got, &err), &err);
        if (got == 0)
            return total;
        total += got;
    }
}

static void expect_body(struct graft_exchange *exchange, const char *text)
{
    char bytes[1024];
    size_t size = read_all(exchange, bytes, sizeof bytes, sizeof bytes);
    cr_assert_eq(size, strlen(text));
    cr_assert_arr_eq(bytes, text, size);
}

/* A request body of `left` bytes, `step` at a time; fails at `fail_at` bytes left. */
struct source {
    size_t left, step;
    size_t at;
    size_t fail_at;
    enum graft_rc fail_rc;
};

static enum graft_rc pull(void *arg, void *bytes, size_t size, size_t *got, struct graft_err *error)
{
    struct source *source = arg;
    if (source->fail_rc != GRAFT_OK && source->left <= source->fail_at)
        return graft_err_set(error, source->fail_rc, "the source is dry");
    size_t count = size < source->step ? size : source->step;
    count = count < source->left ? count : source->left;
    for (size_t i = 0; i < count; i++)
        ((unsigned char *)bytes)[i] = server_big_byte(source->at + i);
    source->at += count;
    source->left -= count;
    *got = count;
    return GRAFT_OK;
}

Test(net, a_response_has_status_headers_and_body)
{
    uint64_t before = net->requests;
    struct graft_exchange *exchange = get("/hello?q=1");
    cr_assert_eq(graft_exchange_status(exchange), 200);
    cr_assert_str_eq(graft_exchange_header(exchange, "x-mixed-case"), "a value");
    cr_assert_str_eq(graft_exchange_header(exchange, "X-MIXED-CASE"), "a value");
    cr_assert_str_eq(graft_exchange_header(exchange, "etag"), "\"e\"");
    cr_assert_null(graft_exchange_header(exchange, "x-mixed"));
    cr_assert_null(graft_exchange_header(exchange, "a value"), "values are not names");
    expect_body(exchange, "hello");
    graft_exchange_finish(exchange);
    cr_assert_eq(net->requests, before + 1);
    cr_assert_not_null(strstr(server_seen().head, "GET /hello?q=1 HTTP/1.1\r\n"));
}

Test(net, error_statuses_are_responses)
{
    struct graft_exchange *exchange = get("/missing");
    cr_assert_eq(graft_exchange_status(exchange), 404);
    expect_body(exchange, "no such thing");
    graft_exchange_finish(exchange);
}

Test(net, redirects_are_not_followed)
{
    struct graft_exchange *exchange = get("/redirect");
    cr_assert_eq(graft_exchange_status(exchange), 302);
    cr_assert_str_eq(graft_exchange_header(exchange, "location"), "/hello");
    expect_body(exchange, "");
    graft_exchange_finish(exchange);
    cr_assert_eq(server_seen().requests, 1);
}

Test(net, informational_responses_are_skipped)
{
    struct graft_exchange *exchange = get("/continue");
    cr_assert_eq(graft_exchange_status(exchange), 200);
    cr_assert_null(graft_exchange_header(exchange, "x-early"));
    expect_body(exchange, "after");
    graft_exchange_finish(exchange);
}

Test(net, chunked_bodies_arrive_whole)
{
    struct graft_exchange *exchange = get("/chunked");
    expect_body(exchange, "one two three");
    cr_assert_null(graft_exchange_header(exchange, "x-trailer"));
    graft_exchange_finish(exchange);
}

Test(net, an_empty_response_ends_at_once)
{
    struct graft_exchange *exchange = get("/empty");
    cr_assert_eq(graft_exchange_status(exchange), 204);
    expect_body(exchange, "");
    expect_body(exchange, "");
    graft_exchange_finish(exchange);
}

Test(net, head_has_headers_and_no_body)
{
    struct graft_exchange *exchange = NULL;
    /* The server sends the body all the same, as a careless one does. */
    expect_ok(start("HEAD", "/hello", (struct graft_request){0}, &exchange), &err);
    cr_assert_eq(graft_exchange_status(exchange), 200);
    cr_assert_str_eq(graft_exchange_header(exchange, "content-length"), "5");
    expect_body(exchange, "");
    graft_exchange_finish(exchange);
    cr_assert_eq(strncmp(server_seen().head, "HEAD ", 5), 0);
}

static void expect_big(size_t step)
{
    char *bytes = malloc(SERVER_BIG_BYTES + 1);
    struct graft_exchange *exchange = get("/big");
    size_t size = read_all(exchange, bytes, SERVER_BIG_BYTES + 1, step);
    cr_assert_eq(size, SERVER_BIG_BYTES);
    for (size_t i = 0; i < size; i++)
        cr_assert(bytes[i] == (char)server_big_byte(i), "byte %zu", i);
    graft_exchange_finish(exchange);
    free(bytes);
}

Test(net, a_large_body_arrives_through_small_reads)
{
    expect_big(1000);
}

Test(net, a_large_body_arrives_through_large_reads)
{
    expect_big(SERVER_BIG_BYTES + 1);
}

Test(net, a_body_that_nobody_reads_waits)
{
    struct graft_exchange *exchange = get("/big");
    struct graft_exchange *other = get("/hello");
    expect_body(other, "hello");
    graft_exchange_finish(other);
    char *bytes = malloc(SERVER_BIG_BYTES + 1);
    cr_assert_eq(read_all(exchange, bytes, SERVER_BIG_BYTES + 1, 1U << 20), SERVER_BIG_BYTES);
    graft_exchange_finish(exchange);
    free(bytes);
}

Test(net, an_exchange_can_be_left_in_the_middle)
{
    for (unsigned i = 0; i < 20; i++) {
        struct graft_exchange *exchange = get("/big");
        char bytes[100];
        size_t got = 0;
        expect_ok(graft_exchange_read(exchange, bytes, sizeof bytes, &got, &err), &err);
        cr_assert_gt(got, 0);
        graft_exchange_finish(exchange);
    }
    struct graft_exchange *exchange = get("/hello");
    expect_body(exchange, "hello");
    graft_exchange_finish(exchange);
}

static void expect_echo(const char *method, size_t size, size_t step)
{
    struct source source = {.left = size, .step = step};
    struct graft_request request = {.body = pull, .body_arg = &source, .body_bytes = size};
    struct graft_exchange *exchange = NULL;
    expect_ok(start(method, "/echo", request, &exchange), &err);
    cr_assert_eq(graft_exchange_status(exchange), 200);
    char *bytes = malloc(size + 1);
    cr_assert_eq(read_all(exchange, bytes, size + 1, size + 1), size);
    for (size_t i = 0; i < size; i++)
        cr_assert(bytes[i] == (char)server_big_byte(i), "byte %zu", i);
    free(bytes);
    graft_exchange_finish(exchange);
    cr_assert_eq(strncmp(server_seen().head, method, strlen(method)), 0);
    cr_assert_eq(server_seen().body_bytes, size);
}

Test(net, a_put_sends_its_body)
{
    expect_echo("PUT", 10, 3);
    cr_assert_not_null(strcasestr(server_seen().head, "\r\nContent-Length: 10\r\n"));
    cr_assert_null(strcasestr(server_seen().head, "\r\nTransfer-Encoding"));
}

Test(net, a_post_sends_its_body)
{
    expect_echo("POST", 1000, 1000);
}

Test(net, a_large_body_is_sent_whole)
{
    expect_echo("PUT", 5U << 20, 100000);
}

Test(net, a_put_of_nothing_states_its_length)
{
    struct graft_exchange *exchange = NULL;
    expect_ok(start("PUT", "/echo", (struct graft_request){0}, &exchange), &err);
    cr_assert_eq(graft_exchange_status(exchange), 200);
    graft_exchange_finish(exchange);
    cr_assert_not_null(strcasestr(server_seen().head, "\r\nContent-Length: 0\r\n"));
}

Test(net, a_delete_has_no_body)
{
    struct graft_exchange *exchange = NULL;
    expect_ok(start("DELETE", "/empty", (struct graft_request){0}, &exchange), &err);
    cr_assert_eq(graft_exchange_status(exchange), 204);
    graft_exchange_finish(exchange);
    cr_assert_eq(strncmp(server_seen().head, "DELETE /empty ", 14), 0);
}

Test(net, a_failing_body_fails_the_request_with_its_own_error)
{
    struct source source = {.left = 1000, .step = 100, .fail_at = 500, .fail_rc = GRAFT_ECORRUPT};
    struct graft_request request = {.body = pull, .body_arg = &source, .body_bytes = 1000};
    struct graft_exchange *exchange = NULL;
    expect_rc(start("PUT", "/echo", request, &exchange), GRAFT_ECORRUPT, &err);
    cr_assert_str_eq(err.text, "the source is dry");
    cr_assert_null(exchange);
}

Test(net, a_body_that_ends_early_is_invalid)
{
    struct source source = {.left = 500, .step = 100};
    struct graft_request request = {.body = pull, .body_arg = &source, .body_bytes = 1000};
    struct graft_exchange *exchange = NULL;
    expect_rc(start("PUT", "/echo", request, &exchange), GRAFT_EINVAL, &err);
}

Test(net, an_answer_before_the_body_is_taken)
{
    struct source source = {.left = 64U << 20, .step = 65536};
    struct graft_request request = {.body = pull, .body_arg = &source, .body_bytes = 64U << 20};
    struct graft_exchange *exchange = NULL;
    expect_ok(start("PUT", "/early", request, &exchange), &err);
    cr_assert_eq(graft_exchange_status(exchange), 403);
    graft_exchange_finish(exchange);
    cr_assert_gt(source.left, 0, "the rest was not pulled");
}

Test(net, request_headers_are_sent)
{
    struct graft_header headers[] = {{"If-None-Match", "*"}, {"X-Empty", ""}};
    struct graft_request request = {.headers = headers, .header_count = 2};
    struct graft_exchange *exchange = NULL;
    expect_ok(start("GET", "/hello", request, &exchange), &err);
    graft_exchange_finish(exchange);
    cr_assert_not_null(strstr(server_seen().head, "\r\nIf-None-Match: *\r\n"));
    cr_assert_not_null(strstr(server_seen().head, "\r\nX-Empty:"));
}

Test(net, a_long_header_is_sent_whole)
{
    static char value[4000];
    memset(value, 'v', sizeof value - 1);
    struct graft_header headers[] = {{"X-Long", value}};
    struct graft_request request = {.headers = headers, .header_count = 1};
    struct graft_exchange *exchange = NULL;
    expect_ok(start("GET", "/hello", request, &exchange), &err);
    graft_exchange_finish(exchange);
    cr_assert_not_null(strstr(server_seen().head, value));
}

Test(net, a_header_with_a_line_break_is_refused)
{
    struct graft_header headers[] = {{"X-Bad", "a\r\nX-Other: b"}};
    struct graft_request request = {.headers = headers, .header_count = 1};
    struct graft_exchange *exchange = NULL;
    expect_rc(start("GET", "/hello", request, &exchange), GRAFT_EINVAL, &err);
    cr_assert_eq(server_seen().requests, 0);
}

Test(net, a_signed_request_names_region_service_and_signed_headers)
{
    struct graft_sigv4 keys = {.access_key = "AKID",
                               .secret_key = "secret:with:colons",
                               .session_token = "token",
                               .region = "eu-west-1",
                               .service = "s3"};
    struct graft_header headers[] = {{"x-amz-content-sha256", "UNSIGNED-PAYLOAD"}};
    struct source source = {.left = 2U << 20, .step = 65536};
    struct graft_request request = {.headers = headers,
                                    .header_count = 1,
                                    .sigv4 = &keys,
                                    .body = pull,
                                    .body_arg = &source,
                                    .body_bytes = 2U << 20};
    struct graft_exchange *exchange = NULL;
    expect_ok(start("PUT", "/echo", request, &exchange), &err);
    graft_exchange_finish(exchange);
    struct server_seen seen = server_seen();
    const char *line = strstr(seen.head, "\r\nAuthorization: AWS4-HMAC-SHA256 Credential=AKID/");
    cr_assert_not_null(line, "%s", seen.head);
    cr_assert_not_null(strstr(line, "/eu-west-1/s3/aws4_request"));
    cr_assert_not_null(
        strstr(line, "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,"),
        "%s", line);
    cr_assert_not_null(strstr(seen.head, "\r\nx-amz-security-token: token\r\n"));
}

Test(net, a_connection_serves_many_exchanges)
{
    for (unsigned i = 0; i < 10; i++) {
        struct graft_exchange *exchange = get(i % 2 == 0 ? "/hello" : "/missing");
        char bytes[13];
        size_t got = 0;
        /* Not read to the end, but to the last byte. */
        expect_ok(graft_exchange_read(exchange, bytes, sizeof bytes, &got, &err), &err);
        graft_exchange_finish(exchange);
    }
    expect_echo("PUT", 1000, 1000);
    cr_assert_eq(server_seen().requests, 11);
    cr_assert_eq(server_seen().connections, 1);
}

Test(net, exchanges_at_once_have_a_connection_each_and_keep_it)
{
    struct graft_exchange *exchanges[8];
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 8; i++)
            exchanges[i] = get("/hello");
        for (unsigned i = 0; i < 8; i++) {
            expect_body(exchanges[i], "hello");
            graft_exchange_finish(exchanges[i]);
        }
    }
    cr_assert_eq(server_seen().connections, 8);
}

Test(net, more_exchanges_than_the_pool_keeps_are_fine)
{
    struct graft_exchange *exchanges[40];
    for (unsigned i = 0; i < 40; i++)
        exchanges[i] = get("/hello");
    for (unsigned i = 0; i < 40; i++) {
        expect_body(exchanges[i], "hello");
        graft_exchange_finish(exchanges[i]);
    }
    struct graft_exchange *exchange = get("/hello");
    graft_exchange_finish(exchange);
    cr_assert_eq(server_seen().connections, 40);
}

static void fetch_many(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < 100; i++) {
        char url[256];
        char bytes[100];
        size_t got = 0;
        snprintf(url, sizeof url, "%s/hello", server);
        struct graft_request request = {.method = "GET", .url = url, .stall_timeout_ms = 20000};
        struct graft_exchange *exchange = NULL;
        expect_ok(graft_net_start(net, &request, &exchange, NULL), &err);
        expect_ok(graft_exchange_read(exchange, bytes, sizeof bytes, &got, NULL), &err);
        cr_assert_eq(got, 5);
        graft_exchange_finish(exchange);
    }
}

Test(net, several_tasks_share_the_pool)
{
    struct graft_task *tasks[4];
    for (unsigned i = 0; i < 4; i++)
        expect_ok(
            graft_task_spawn(graft_test_env()->tasks, "fetch", fetch_many, NULL, &tasks[i], &err),
            &err);
    for (unsigned i = 0; i < 4; i++)
        graft_task_join(tasks[i]);
    cr_assert_eq(server_seen().requests, 400);
    cr_assert_leq(server_seen().connections, 4);
}

Test(net, a_truncated_body_is_unreachable)
{
    struct graft_exchange *exchange = get("/truncated");
    char bytes[100];
    size_t total = 0;
    enum graft_rc rc = GRAFT_OK;
    while (rc == GRAFT_OK) {
        size_t got = 0;
        rc = graft_exchange_read(exchange, bytes, sizeof bytes, &got, &err);
        cr_assert(rc != GRAFT_OK || got > 0, "it must not look like the end");
        total += got;
    }
    cr_assert_eq(rc, GRAFT_EUNREACHABLE);
    cr_assert_eq(total, 10);
    size_t got = 0;
    expect_rc(graft_exchange_read(exchange, bytes, sizeof bytes, &got, &err), GRAFT_EUNREACHABLE,
              &err);
    graft_exchange_finish(exchange);
}

Test(net, a_refused_connection_is_unreachable)
{
    /* A port that is bound and does not listen refuses, and stays ours meanwhile. */
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, size), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    char url[100];
    snprintf(url, sizeof url, "http://127.0.0.1:%u/x?secret=1", ntohs(address.sin_port));
    struct graft_request request = {.method = "GET", .url = url, .connect_timeout_ms = 5000};
    struct graft_exchange *exchange = NULL;
    expect_rc(graft_net_start(net, &request, &exchange, &err), GRAFT_EUNREACHABLE, &err);
    cr_assert_null(exchange);
    cr_assert_not_null(strstr(err.text, "GET http://127.0.0.1:"), "%s", err.text);
    cr_assert_null(strstr(err.text, "secret"), "%s", err.text);
    close(fd);
}

Test(net, a_connection_that_ends_without_an_answer_is_unreachable)
{
    struct graft_exchange *exchange = NULL;
    expect_rc(start("GET", "/hangup", (struct graft_request){0}, &exchange), GRAFT_EUNREACHABLE,
              &err);
    expect_rc(start("GET", "/garbage", (struct graft_request){0}, &exchange), GRAFT_EUNREACHABLE,
              &err);
}

Test(net, silence_before_the_head_times_out)
{
    struct graft_request request = {.stall_timeout_ms = 500};
    struct graft_exchange *exchange = NULL;
    expect_rc(start("GET", "/silent", request, &exchange), GRAFT_EUNREACHABLE, &err);
    cr_assert_not_null(strstr(err.text, "no byte for 500 ms"), "%s", err.text);
}

Test(net, silence_within_the_body_times_out)
{
    struct graft_request request = {.stall_timeout_ms = 500};
    struct graft_exchange *exchange = NULL;
    expect_ok(start("GET", "/stall", request, &exchange), &err);
    char bytes[100];
    size_t got = 0;
    expect_ok(graft_exchange_read(exchange, bytes, sizeof bytes, &got, &err), &err);
    cr_assert_eq(got, 5);
    expect_rc(graft_exchange_read(exchange, bytes, sizeof bytes, &got, &err), GRAFT_EUNREACHABLE,
              &err);
    cr_assert_not_null(strstr(err.text, "no byte for 500 ms"), "%s", err.text);
    graft_exchange_finish(exchange);
    exchange = get("/hello");
    expect_body(exchange, "hello");
    graft_exchange_finish(exchange);
}

Test(net, who_sends_slowly_forever_times_out)
{
    struct graft_request request = {.stall_timeout_ms = 500};
    struct graft_exchange *exchange = NULL;
    expect_rc(start("GET", "/slowhead", request, &exchange), GRAFT_EUNREACHABLE, &err);
    cr_assert_not_null(strstr(err.text, " in 500 ms") != NULL ? err.text
                                                              : strstr(err.text, "for 500 ms"),
                       "%s", err.text);
    expect_ok(start("GET", "/trickle", request, &exchange), &err);
    enum graft_rc rc = GRAFT_OK;
    size_t all = 0;
    while (rc == GRAFT_OK) {
        char byte;
        size_t got = 0;
        rc = graft_exchange_read(exchange, &byte, 1, &got, &err);
        all += got;
    }
    expect_rc(rc, GRAFT_EUNREACHABLE, &err);
    cr_assert(all > 1 && all < 200, "%zu bytes", all);
    cr_assert_not_null(strstr(err.text, "fewer than 500 bytes in 500 ms"), "%s", err.text);
    graft_exchange_finish(exchange);
}

Test(net, a_head_without_bound_is_past_a_limit)
{
    struct graft_exchange *exchange = NULL;
    expect_rc(start("GET", "/longhead", (struct graft_request){0}, &exchange), GRAFT_ELIMIT, &err);
}

Test(net, urls_that_are_none_are_invalid)
{
    static const char *const urls[] = {"ftp://127.0.0.1/x", "file:///etc/passwd", "http://", ""};
    for (unsigned i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        struct graft_request request = {.method = "GET", .url = urls[i]};
        struct graft_exchange *exchange = NULL;
        expect_rc(graft_net_start(net, &request, &exchange, &err), GRAFT_EINVAL, &err);
    }
}

Test(net, a_host_that_does_not_exist_is_unreachable)
{
    struct graft_request request = {
        .method = "GET", .url = "http://no-such-host.invalid/x", .connect_timeout_ms = 10000};
    struct graft_exchange *exchange = NULL;
    expect_rc(graft_net_start(net, &request, &exchange, &err), GRAFT_EUNREACHABLE, &err);
}
