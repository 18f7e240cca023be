/* Parses remote URLs. A URL comes from a user or from a file that anyone may have edited, so each
 * part is checked here once, and what is built on it (paths, keys, host names) needs no escaping:
 * the volume's name and everything in an S3 or HTTP path is plain ASCII, and a file path has no
 * part that walks elsewhere. */
#include "remote/url.h"

#include <string.h>

#include "base/assert.h"
#include "format/ids.h"

#define QUOTED_BYTES_MAX 161U /* of a URL in a message, its NUL included */

struct scheme {
    const char *prefix;
    enum graft_scheme scheme;
    const char *example;
};

static const struct scheme schemes[] = {
    {"file://", GRAFT_SCHEME_FILE, "file:///dir/repo/app"},
    {"s3://", GRAFT_SCHEME_S3, "s3://bucket/prefix/app"},
    {"http://", GRAFT_SCHEME_HTTP, "http://host:port/app"},
    {"https://", GRAFT_SCHEME_HTTPS, "https://host:port/app"},
};

/* What is being parsed, and what a right URL of its kind looks like. */
struct parse {
    const char *text;
    const char *example;
    struct graft_err *err;
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
    return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z');
}

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || (unsigned char)c == 0x7f;
}

/* Copies the URL for a message: cut at a character, control characters replaced, and what may be a
 * password left out, since messages end up in logs. */
static void quote(const char *text, char out[QUOTED_BYTES_MAX])
{
    static const char hidden[] = "***";
    size_t used = 0;
    const char *authority = strstr(text, "://");
    const char *at = authority != NULL && authority[3] != '/' ? strrchr(authority, '@') : NULL;
    while (*text != '\0' && used < QUOTED_BYTES_MAX - 1) {
        if (at != NULL && text == authority + 3) {
            for (size_t i = 0; hidden[i] != '\0' && used < QUOTED_BYTES_MAX - 1; i++)
                out[used++] = hidden[i];
            text = at;
            at = NULL;
            continue;
        }
        out[used++] = is_control(*text) ? '?' : *text;
        text++;
    }
    if (*text != '\0') {
        while (used > 3 && ((unsigned char)out[used - 3] & 0xc0U) == 0x80U)
            used--;
        memcpy(out + used - 3, "...", 3);
    }
    out[used] = '\0';
}

static enum graft_rc refuse(const struct parse *parse, const char *what)
{
    char quoted[QUOTED_BYTES_MAX];
    quote(parse->text, quoted);
    return graft_err_set(parse->err, GRAFT_EINVAL,
                         "remote URL \"%s\" is not valid: %s; a right one looks like %s", quoted,
                         what, parse->example);
}

static const struct scheme *find_scheme(const char *text)
{
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        const char *prefix = schemes[i].prefix;
        size_t at = 0;
        while (prefix[at] != '\0' && lower(text[at]) == prefix[at])
            at++;
        if (prefix[at] == '\0')
            return &schemes[i];
    }
    return NULL;
}

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes percent-escapes. `out` has room for all of `text`. */
static enum graft_rc decode(const struct parse *parse, const char *text, char *out)
{
    size_t used = 0;
    while (*text != '\0') {
        if (*text != '%') {
            out[used++] = *text++;
            continue;
        }
        int high = hex_value(text[1]);
        int low = high < 0 ? -1 : hex_value(text[2]);
        if (low < 0)
            return refuse(parse, "'%' is not followed by two hex digits");
        char decoded = (char)(unsigned char)(high * 16 + low);
        if (is_control(decoded))
            return refuse(parse, "an escape stands for a control character");
        out[used++] = decoded;
        text += 3;
    }
    out[used] = '\0';
    return GRAFT_OK;
}

static enum graft_rc decode_path(const struct parse *parse, const char *text, char *out)
{
    if (strpbrk(text, "?#") != NULL)
        return refuse(parse, "'?' and '#' in a file path are written %3F and %23");
    if (strstr(text, "%2f") != NULL || strstr(text, "%2F") != NULL)
        return refuse(parse, "a '/' within a file name cannot be escaped");
    return decode(parse, text, out);
}

/* `path` is what follows the first '/'. */
static enum graft_rc check_parts(const struct parse *parse, const char *path)
{
    if (*path == '\0')
        return refuse(parse, "it names no volume");
    for (;;) {
        size_t length = strcspn(path, "/");
        if (length == 0)
            return refuse(parse, "a part of the path is empty");
        if (path[0] == '.' && (length == 1 || (length == 2 && path[1] == '.')))
            return refuse(parse, "\".\" and \"..\" are not allowed in the path");
        if (path[length] == '\0')
            return GRAFT_OK;
        path += length + 1;
    }
}

static enum graft_rc check_bucket(const struct parse *parse, const char *bucket, size_t length)
{
    if (length < 3 || length > 63)
        return refuse(parse, "a bucket's name has 3 to 63 characters");
    for (size_t i = 0; i < length; i++)
        if (lower(bucket[i]) != bucket[i] ||
            (!is_alnum(bucket[i]) && bucket[i] != '.' && bucket[i] != '-'))
            return refuse(parse, "a bucket's name has lower-case letters, digits, '.' and '-'");
    if (!is_alnum(bucket[0]) || !is_alnum(bucket[length - 1]))
        return refuse(parse, "a bucket's name begins and ends with a letter or a digit");
    return GRAFT_OK;
}

/* What is wrong with "host[:port]" or "[address][:port]"; NULL when nothing is. */
static const char *host_problem(const char *host, size_t length)
{
    size_t at = 0;
    if (length > 0 && host[0] == '[') {
        for (at = 1; at < length && host[at] != ']'; at++)
            if (hex_value(host[at]) < 0 && host[at] != ':' && host[at] != '.')
                return "the address in brackets is not an IPv6 address";
        if (at == length || at == 1)
            return "the address in brackets is not an IPv6 address";
        at++;
    } else {
        while (at < length && (is_alnum(host[at]) || host[at] == '.' || host[at] == '-'))
            at++;
        if (at == 0)
            return "it names no host";
    }
    if (at == length)
        return NULL;
    if (host[at] != ':')
        return "the host has a character that is not allowed";
    unsigned port = 0;
    size_t digits = 0;
    for (at++; at < length && is_digit(host[at]) && digits < 6; at++, digits++)
        port = port * 10 + (unsigned)(host[at] - '0');
    if (at < length || digits == 0 || port == 0 || port > 65535)
        return "the port is not a number from 1 to 65535";
    return NULL;
}

/* ---- What an s3 URL says of its endpoint. */

static const char *const endpoint_example = "http://host:port or https://host";

/* What is wrong with an endpoint; NULL when nothing is, and then it is in `out`. */
static const char *read_endpoint(const char *text, char out[GRAFT_ENDPOINT_BYTES_MAX])
{
    const struct scheme *scheme = find_scheme(text);
    if (scheme == NULL ||
        (scheme->scheme != GRAFT_SCHEME_HTTP && scheme->scheme != GRAFT_SCHEME_HTTPS))
        return "the endpoint begins with neither http:// nor https://";
    const char *host = text + strlen(scheme->prefix);
    size_t length = strcspn(host, "/?#");
    const char *problem = host_problem(host, length);
    if (problem != NULL)
        return problem;
    if (host[length] != '\0' && strcmp(host + length, "/") != 0)
        return "the endpoint has something behind host and port";
    size_t all = (size_t)(host - text) + length;
    if (all >= GRAFT_ENDPOINT_BYTES_MAX)
        return "the endpoint is too long";
    for (size_t i = 0; i < all; i++)
        out[i] = lower(text[i]);
    out[all] = '\0';
    return NULL;
}

enum graft_rc graft_endpoint_parse(const char *text, const char *source,
                                   char out[GRAFT_ENDPOINT_BYTES_MAX], struct graft_err *err)
{
    char quoted[QUOTED_BYTES_MAX];
    const char *problem = read_endpoint(text, out);
    if (problem == NULL)
        return GRAFT_OK;
    quote(text, quoted);
    return graft_err_set(err, GRAFT_EINVAL, "%s \"%s\" is not valid: %s; a right one looks like %s",
                         source, quoted, problem, endpoint_example);
}

bool graft_region_valid(const char *text)
{
    size_t length = 0;
    for (; text[length] != '\0'; length++)
        if (!is_alnum(text[length]) && text[length] != '-')
            return false;
    return length > 0 && length < GRAFT_REGION_BYTES_MAX;
}

static enum graft_rc take_parameter(const struct parse *parse, const char *name, size_t name_bytes,
                                    const char *value, struct graft_url *url)
{
    if (name_bytes == 8 && memcmp(name, "endpoint", 8) == 0) {
        const char *problem = read_endpoint(value, url->endpoint);
        return problem == NULL ? GRAFT_OK : refuse(parse, problem);
    }
    if (name_bytes == 6 && memcmp(name, "region", 6) == 0) {
        if (!graft_region_valid(value))
            return refuse(parse, "a region's name has letters, digits and '-'");
        memcpy(url->region, value, strlen(value) + 1);
        return GRAFT_OK;
    }
    if (name_bytes != 5 || memcmp(name, "style", 5) != 0)
        return refuse(parse, "its parameters are endpoint, region and style (others stand in the "
                             "database's URI)");
    if (strcmp(value, "path") != 0 && strcmp(value, "virtual") != 0)
        return refuse(parse, "style is path or virtual");
    url->style = value[0] == 'p' ? GRAFT_S3_STYLE_PATH : GRAFT_S3_STYLE_VIRTUAL;
    return GRAFT_OK;
}

/* Takes "name=value&name=value" apart. */
static enum graft_rc parse_parameters(const struct parse *parse, const char *text,
                                      struct graft_url *url)
{
    char escaped[GRAFT_PATH_BYTES_MAX];
    char value[GRAFT_PATH_BYTES_MAX];
    for (;;) {
        size_t length = strcspn(text, "&");
        size_t name_bytes = strcspn(text, "=&");
        if (text[name_bytes] != '=')
            return refuse(parse, "a parameter is written name=value");
        size_t value_bytes = length - name_bytes - 1;
        memcpy(escaped, text + name_bytes + 1, value_bytes);
        escaped[value_bytes] = '\0';
        GRAFT_TRY(decode(parse, escaped, value));
        GRAFT_TRY(take_parameter(parse, text, name_bytes, value, url));
        if (text[length] == '\0')
            return GRAFT_OK;
        text += length + 1;
    }
}

/* Takes "bucket/path" or "host:port/path" apart. */
static enum graft_rc parse_authority(const struct parse *parse, const char *rest,
                                     struct graft_url *url, char *path)
{
    size_t length = strcspn(rest, "/?#");
    size_t all = strcspn(rest, "?#");
    if (memchr(rest, '@', length) != NULL)
        return refuse(parse, "a user or a password does not belong into it");
    if (strchr(rest, '#') != NULL || (rest[all] == '?' && url->scheme != GRAFT_SCHEME_S3))
        return refuse(parse, "it ends with parameters, which stand in the database's URI instead");
    if (length >= sizeof url->host)
        return refuse(parse, "the host is too long");
    const char *problem = NULL;
    if (url->scheme == GRAFT_SCHEME_S3)
        GRAFT_TRY(check_bucket(parse, rest, length));
    else
        problem = host_problem(rest, length);
    if (problem != NULL)
        return refuse(parse, problem);
    memcpy(url->host, rest, length);
    if (rest[length] != '/')
        return refuse(parse, "it names no volume");
    for (size_t i = length + 1; i < all; i++)
        if (!is_alnum(rest[i]) && strchr("._-/", rest[i]) == NULL)
            return refuse(parse, "the path has a character other than A-Z a-z 0-9 . _ - /");
    memcpy(path, rest + length + 1, all - length - 1);
    path[all - length - 1] = '\0';
    return rest[all] == '?' ? parse_parameters(parse, rest + all + 1, url) : GRAFT_OK;
}

enum graft_rc graft_url_parse(const char *text, struct graft_url *out, struct graft_err *err)
{
    GRAFT_ASSERT(text != NULL && out != NULL);
    struct parse parse = {.text = text, .err = err};
    parse.example = "file:///dir/repo/app, s3://bucket/prefix/app or https://host:port/app";
    if (strlen(text) >= GRAFT_PATH_BYTES_MAX)
        return refuse(&parse, "it is too long");
    for (size_t i = 0; text[i] != '\0'; i++)
        if (is_control(text[i]))
            return refuse(&parse, "it has a control character");
    const struct scheme *scheme = find_scheme(text);
    if (scheme == NULL)
        return refuse(&parse, "it begins with none of file://, s3://, http:// and https://");
    parse.example = scheme->example;

    struct graft_url url = {.scheme = scheme->scheme};
    const char *rest = text + strlen(scheme->prefix);
    char path[GRAFT_PATH_BYTES_MAX];
    if (url.scheme == GRAFT_SCHEME_FILE) {
        if (*rest != '/')
            return refuse(&parse, "a file URL has three slashes and then an absolute path");
        GRAFT_TRY(decode_path(&parse, rest + 1, path));
    } else {
        GRAFT_TRY(parse_authority(&parse, rest, &url, path));
    }
    GRAFT_TRY(check_parts(&parse, path));

    char *slash = strrchr(path, '/');
    const char *volume = slash == NULL ? path : slash + 1;
    if (strlen(volume) >= sizeof url.volume || !graft_volume_name_valid(volume))
        return refuse(&parse, "the volume's name (the last part) has 1 to 127 characters of A-Z "
                              "a-z 0-9 . _ - and begins with a letter or a digit");
    memcpy(url.volume, volume, strlen(volume) + 1);
    if (slash != NULL)
        *slash = '\0';
    const char *repository = slash == NULL ? "" : path;
    size_t root = url.scheme == GRAFT_SCHEME_FILE ? 1 : 0;
    if (root == 1)
        url.repository[0] = '/';
    memcpy(url.repository + root, repository, strlen(repository) + 1);
    *out = url;
    return GRAFT_OK;
}
