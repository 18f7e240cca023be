/* Remote URLs: what is accepted and how it is taken apart, what is refused and in which words. */
#include <stdio.h>
#include <string.h>

#include "remote/url.h"
#include "support/expect.h"

static struct graft_err err;

static void expect_url(const char *text, enum graft_scheme scheme, const char *host,
                       const char *repository, const char *volume)
{
    struct graft_url url;
    expect_ok(graft_url_parse(text, &url, &err), &err);
    cr_assert_eq(url.scheme, scheme, "%s", text);
    cr_assert_str_eq(url.host, host);
    cr_assert_str_eq(url.repository, repository);
    cr_assert_str_eq(url.volume, volume);
}

/* Refused, with a message that says `why`, quotes the URL and shows a right one. */
static void expect_refused(const char *text, const char *why)
{
    struct graft_url url = {.volume = "untouched"};
    graft_err_clear(&err);
    expect_rc(graft_url_parse(text, &url, &err), GRAFT_EINVAL, &err);
    cr_assert_str_eq(url.volume, "untouched");
    cr_assert(strstr(err.text, why) != NULL, "%s: \"%s\" lacks \"%s\"", text, err.text, why);
    cr_assert(strstr(err.text, "looks like ") != NULL, "%s", err.text);
}

static void expect_refused_and_quoted(const char *text, const char *why)
{
    expect_refused(text, why);
    cr_assert(strstr(err.text, text) != NULL, "\"%s\" does not quote %s", err.text, text);
}

Test(url, a_file_url_is_a_directory_and_a_volume)
{
    expect_url("file:///dir/repo/app", GRAFT_SCHEME_FILE, "", "/dir/repo", "app");
    expect_url("file:///repo/app", GRAFT_SCHEME_FILE, "", "/repo", "app");
    expect_url("file:///app", GRAFT_SCHEME_FILE, "", "/", "app");
    expect_url("FILE:///repo/app", GRAFT_SCHEME_FILE, "", "/repo", "app");
}

Test(url, escapes_in_a_file_path_are_decoded)
{
    expect_url("file:///my%20files/100%25/%C3%a9/app-1.x", GRAFT_SCHEME_FILE, "",
               "/my files/100%/\xc3\xa9", "app-1.x");
    expect_url("file:///a%3Fb%23c/a%70p", GRAFT_SCHEME_FILE, "", "/a?b#c", "app");
    expect_url("file:///me@home/with space/app", GRAFT_SCHEME_FILE, "", "/me@home/with space",
               "app");
}

Test(url, an_s3_url_is_a_bucket_a_prefix_and_a_volume)
{
    expect_url("s3://bucket/prefix/app", GRAFT_SCHEME_S3, "bucket", "prefix", "app");
    expect_url("s3://my.bucket-1/a/b/c/app", GRAFT_SCHEME_S3, "my.bucket-1", "a/b/c", "app");
    expect_url("s3://bucket/app", GRAFT_SCHEME_S3, "bucket", "", "app");
}

Test(url, an_s3_url_may_say_endpoint_region_and_style)
{
    struct graft_url url;
    expect_ok(
        graft_url_parse("s3://bucket/a/app?endpoint=HTTP://Store:9000/&region=eu-1&style=path",
                        &url, &err),
        &err);
    cr_assert_str_eq(url.repository, "a");
    cr_assert_str_eq(url.volume, "app");
    cr_assert_str_eq(url.endpoint, "http://store:9000");
    cr_assert_str_eq(url.region, "eu-1");
    cr_assert_eq(url.style, GRAFT_S3_STYLE_PATH);
    expect_ok(graft_url_parse("s3://bucket/app?style=virtual&endpoint=https%3a%2f%2f[::1]%3A443",
                              &url, &err),
              &err);
    cr_assert_str_eq(url.endpoint, "https://[::1]:443");
    cr_assert_str_eq(url.region, "");
    cr_assert_eq(url.style, GRAFT_S3_STYLE_VIRTUAL);
}

Test(url, parameters_of_s3_that_make_no_sense_are_refused)
{
    expect_refused_and_quoted("s3://bucket/app?", "name=value");
    expect_refused_and_quoted("s3://bucket/app?region", "name=value");
    expect_refused_and_quoted("s3://bucket/app?region=x&", "name=value");
    expect_refused_and_quoted("s3://bucket/app?region=", "region's name");
    expect_refused_and_quoted("s3://bucket/app?region=a/b", "region's name");
    expect_refused_and_quoted("s3://bucket/app?region=a%", "two hex digits");
    expect_refused_and_quoted("s3://bucket/app?Region=a", "parameters are");
    expect_refused_and_quoted("s3://bucket/app?style=Path", "style is");
    expect_refused_and_quoted("s3://bucket/app?endpoint=store:80", "neither http://");
    expect_refused_and_quoted("s3://bucket/app?endpoint=file:///x", "neither http://");
    expect_refused_and_quoted("s3://bucket/app?endpoint=http://", "names no host");
    expect_refused_and_quoted("s3://bucket/app?endpoint=http://a:0", "port");
    expect_refused_and_quoted("s3://bucket/app?endpoint=http://a/b", "behind host and port");
    expect_refused_and_quoted("s3://bucket?region=x", "names no volume");
    expect_refused_and_quoted("s3://bucket/app?region=x#y", "parameters");
    expect_refused("s3://bucket/app?endpoint=http://me:secret@host", "port");
    cr_assert(strstr(err.text, "secret") == NULL, "%s", err.text);
    static char text[400] = "s3://bucket/app?endpoint=http://";
    memset(text + strlen(text), 'h', 260);
    expect_refused(text, "endpoint is too long");
}

Test(url, an_http_url_is_a_host_and_a_volume)
{
    expect_url("https://host:8080/app", GRAFT_SCHEME_HTTPS, "host:8080", "", "app");
    expect_url("http://10.0.0.1/a/app", GRAFT_SCHEME_HTTP, "10.0.0.1", "a", "app");
    expect_url("https://[2001:db8::1]:443/app", GRAFT_SCHEME_HTTPS, "[2001:db8::1]:443", "", "app");
    expect_url("https://[::1]/app", GRAFT_SCHEME_HTTPS, "[::1]", "", "app");
}

Test(url, what_has_no_known_scheme_is_refused)
{
    expect_refused("", "begins with none of");
    expect_refused_and_quoted("/dir/repo/app", "begins with none of");
    expect_refused_and_quoted("ftp://host/app", "begins with none of");
    expect_refused_and_quoted("file:/dir/app", "begins with none of");
    expect_refused_and_quoted("file", "begins with none of");
    expect_refused_and_quoted("s3:/bucket/app", "begins with none of");
}

Test(url, a_file_url_with_a_host_is_refused)
{
    expect_refused_and_quoted("file://", "three slashes");
    expect_refused_and_quoted("file://dir/repo/app", "three slashes");
    expect_refused_and_quoted("file://localhost/repo/app", "three slashes");
}

Test(url, a_path_that_walks_or_has_empty_parts_is_refused)
{
    expect_refused_and_quoted("file:///a/../b/app", "\"..\" are not allowed");
    expect_refused_and_quoted("file:///a/./app", "\"..\" are not allowed");
    expect_refused_and_quoted("file:///a/%2e%2E/app", "\"..\" are not allowed");
    expect_refused_and_quoted("file:///a/..", "\"..\" are not allowed");
    expect_refused_and_quoted("s3://bucket/../app", "\"..\" are not allowed");
    expect_refused_and_quoted("file:///a//app", "part of the path is empty");
    expect_refused_and_quoted("file:////app", "part of the path is empty");
    expect_refused_and_quoted("file:///a/app/", "part of the path is empty");
    expect_refused_and_quoted("https://host//app", "part of the path is empty");
}

Test(url, a_url_without_a_volume_is_refused)
{
    expect_refused_and_quoted("file:///", "names no volume");
    expect_refused_and_quoted("s3://bucket", "names no volume");
    expect_refused_and_quoted("s3://bucket/", "names no volume");
    expect_refused_and_quoted("https://host:80", "names no volume");
}

Test(url, bad_escapes_are_refused)
{
    expect_refused_and_quoted("file:///a%/app", "two hex digits");
    expect_refused_and_quoted("file:///a%2", "two hex digits");
    expect_refused_and_quoted("file:///a%zz/app", "two hex digits");
    expect_refused_and_quoted("file:///a%00/app", "control character");
    expect_refused_and_quoted("file:///a%0A/app", "control character");
    expect_refused_and_quoted("file:///a%2Fb/app", "cannot be escaped");
}

Test(url, control_characters_are_refused_and_not_repeated)
{
    expect_refused("file:///a\nb/app", "control character");
    cr_assert(strstr(err.text, "file:///a?b/app") != NULL, "%s", err.text);
    cr_assert(strchr(err.text, '\n') == NULL);
    expect_refused("file:///a/\x7f", "control character");
}

Test(url, parameters_are_refused)
{
    expect_refused_and_quoted("file:///a/app?x=1", "%3F");
    expect_refused_and_quoted("file:///a/app#x", "%23");
    expect_refused_and_quoted("s3://bucket/app?timeout=x", "parameters");
    expect_refused_and_quoted("https://host/app#x", "parameters");
}

Test(url, a_password_is_refused_and_not_repeated)
{
    static const char *const urls[] = {
        "https://me:secret@host/app",     "https://me:sec/ret@host/app",
        "http://me:secret@host:80/app?x", "s3://key:secret@bucket/app",
        "ftp://me:secret@host/app",       "https://me:se@cret@host/app",
    };
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        expect_refused(urls[i], "***@");
        cr_assert(strstr(err.text, "sec") == NULL, "%s", err.text);
        cr_assert(strstr(err.text, "cret") == NULL, "%s", err.text);
    }
    expect_refused(urls[0], "a password does not belong");
}

Test(url, bad_hosts_ports_and_buckets_are_refused)
{
    expect_refused_and_quoted("https:///app", "names no host");
    expect_refused_and_quoted("https://:80/app", "names no host");
    expect_refused_and_quoted("https://ho_st/app", "not allowed");
    expect_refused_and_quoted("https://host:/app", "port");
    expect_refused_and_quoted("https://host:0/app", "port");
    expect_refused_and_quoted("https://host:65536/app", "port");
    expect_refused_and_quoted("https://host:99999999999999999999/app", "port");
    expect_refused_and_quoted("https://host:80x/app", "port");
    expect_refused_and_quoted("https://[::1/app", "IPv6");
    expect_refused_and_quoted("https://[]/app", "IPv6");
    expect_refused_and_quoted("https://[host]/app", "IPv6");
    expect_refused_and_quoted("s3://Bucket/app", "lower-case");
    expect_refused_and_quoted("s3://a_b/app", "lower-case");
    expect_refused_and_quoted("s3://ab/app", "3 to 63");
    expect_refused_and_quoted("s3:///app", "3 to 63");
    expect_refused_and_quoted("s3://-bucket/app", "begins and ends");
    expect_refused_and_quoted("s3://bucket/pre%20fix/app", "path has a character");
}

Test(url, bad_volume_names_are_refused)
{
    expect_refused_and_quoted("file:///a/_segments", "volume's name");
    expect_refused_and_quoted("file:///a/.app", "volume's name");
    expect_refused_and_quoted("file:///a/-app", "volume's name");
    expect_refused_and_quoted("file:///a/my app", "volume's name");
    expect_refused_and_quoted("file:///a/\xc3\xa9", "volume's name");
    char text[256] = "file:///a/";
    memset(text + 10, 'v', 127);
    struct graft_url url;
    expect_ok(graft_url_parse(text, &url, &err), &err);
    cr_assert_eq(strlen(url.volume), 127);
    text[137] = 'v';
    expect_refused(text, "volume's name");
}

Test(url, a_long_url_is_cut_in_the_message_between_characters)
{
    static char text[GRAFT_PATH_BYTES_MAX + 64];
    for (size_t shift = 0; shift < 4; shift++) {
        size_t used = (size_t)snprintf(text, sizeof text, "file:///%.*s", (int)shift, "aaaa");
        while (used < GRAFT_PATH_BYTES_MAX) {
            memcpy(text + used, "\xe2\x82\xac", 3);
            used += 3;
        }
        text[used] = '\0';
        expect_refused(text, "too long");
        const char *dots = strstr(err.text, "...");
        cr_assert(dots != NULL && memcmp(dots - 3, "\xe2\x82\xac", 3) == 0, "%s", err.text);
    }
}

Test(url, the_longest_url_is_parsed)
{
    static char text[GRAFT_PATH_BYTES_MAX + 1];
    memset(text, 'd', sizeof text);
    memcpy(text, "file:///", 8);
    memcpy(text + GRAFT_PATH_BYTES_MAX - 5, "/app", 5);
    struct graft_url url;
    expect_ok(graft_url_parse(text, &url, &err), &err);
    cr_assert_eq(strlen(url.repository), GRAFT_PATH_BYTES_MAX - 5 - 7);
    memcpy(text + GRAFT_PATH_BYTES_MAX - 5, "d/app", 6);
    expect_refused(text, "too long");
}

Test(url, cut_and_flipped_urls_are_answered)
{
    static const char *const urls[] = {
        "file:///my%20files/caf%C3%A9/app.1",
        "s3://bucket.name/a/b/app",
        "https://[2001:db8::1]:8443/prefix/app",
        "http://me:secret@host:80/app",
    };
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        char text[64];
        size_t length = strlen(urls[i]);
        for (size_t at = 0; at <= length; at++) {
            for (unsigned bit = 0; bit <= 8; bit++) {
                struct graft_url url;
                memcpy(text, urls[i], length + 1);
                if (bit < 8)
                    text[at] = (char)(text[at] ^ (1 << bit));
                else
                    text[at] = '\0';
                text[length + 1] = '\0';
                enum graft_rc rc = graft_url_parse(text, &url, &err);
                cr_assert(rc == GRAFT_OK || rc == GRAFT_EINVAL);
            }
        }
    }
}
