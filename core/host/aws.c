/* How this process is set up to speak to S3, read anew whenever it is asked: environment variables
 * first, then the profile in the two files that AWS's own tools share.
 *
 *   keys      AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; else the profile in
 *             AWS_SHARED_CREDENTIALS_FILE (~/.aws/credentials); else in AWS_CONFIG_FILE
 *             (~/.aws/config), whose sections are called "profile NAME"
 *   region    AWS_REGION, AWS_DEFAULT_REGION, the profile's `region`
 *   endpoint  AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, the profile's `endpoint_url`
 *
 * The profile is AWS_PROFILE, or "default". Lines that are indented belong to the setting above
 * them and are passed over. The reader is written here since inih, the packaged one, cuts lines at
 * 200 bytes, and session tokens are longer. No value goes into a message. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/parts.h"

#define FILE_BYTES_MAX (1U << 20)
#define PATH_BYTES 4096U

/* A setting of unset and empty alike is one that nobody made. */
static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* Copies a value; `what` and `where` are for messages. */
static enum graft_rc copy(const char *value, size_t length, const char *what, const char *where,
                          char *out, size_t size, struct graft_err *err)
{
    if (length >= size)
        return graft_err_set(err, GRAFT_ELIMIT, "%s in %s is longer than %zu bytes", what, where,
                             size - 1);
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)value[i] <= 0x20 || (unsigned char)value[i] >= 0x7f)
            return graft_err_set(err, GRAFT_EINVAL,
                                 "%s in %s has a space or a character that is not ASCII", what,
                                 where);
    memcpy(out, value, length);
    out[length] = '\0';
    return GRAFT_OK;
}

static enum graft_rc copy_variable(const char *name, char *out, size_t size, struct graft_err *err)
{
    const char *value = variable(name);
    if (value == NULL || out[0] != '\0')
        return GRAFT_OK;
    return copy(value, strlen(value), name, "the environment", out, size, err);
}

/* ---- The shared files. */

/* The file's text, NUL-terminated; NULL when there is no such file. */
static enum graft_rc read_text(struct graft_alloc *alloc, const char *path, char **out,
                               struct graft_err *err)
{
    struct stat status;
    size_t used = 0;
    ssize_t got = 0;
    char *text = NULL;
    enum graft_rc rc = GRAFT_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? GRAFT_OK
                                                   : graft_host_errno(err, errno, "open", path);
    if (fstat(fd, &status) != 0) {
        rc = graft_host_errno(err, errno, "stat", path);
        goto out;
    }
    if (!S_ISREG(status.st_mode) || status.st_size > (off_t)FILE_BYTES_MAX) {
        rc = graft_err_set(err, GRAFT_EINVAL, "%s is no file of at most %u bytes", path,
                           FILE_BYTES_MAX);
        goto out;
    }
    text = graft_malloc(alloc, (size_t)status.st_size + 1);
    if (text == NULL) {
        rc = graft_host_no_memory(err, "read", path);
        goto out;
    }
    while (used < (size_t)status.st_size) {
        got = read(fd, text + used, (size_t)status.st_size - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        used += (size_t)got;
    }
    text[used] = '\0';
    if (got < 0) {
        rc = graft_host_errno(err, errno, "read", path);
        goto out;
    }
    *out = text;
    text = NULL;
out:
    graft_free(alloc, text);
    (void)close(fd);
    return rc;
}

struct span {
    const char *at;
    size_t length;
};

static struct span trim(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    while (end > at && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
        end--;
    return (struct span){at, (size_t)(end - at)};
}

static bool is(struct span span, const char *text)
{
    return span.length == strlen(text) && memcmp(span.at, text, span.length) == 0;
}

/* One profile, as the files say it. */
struct profile {
    const char *name;
    bool found;
    struct graft_aws aws;
};

static bool begins_profile(const struct profile *profile, struct span section)
{
    static const char word[] = "profile";
    const size_t word_bytes = sizeof word - 1;
    if (section.length > word_bytes && memcmp(section.at, word, word_bytes) == 0 &&
        (section.at[word_bytes] == ' ' || section.at[word_bytes] == '\t'))
        section = trim(section.at + word_bytes, section.at + section.length);
    return is(section, profile->name);
}

/* What stands in `into` already came from a file that goes before this one. */
static enum graft_rc take_setting(struct graft_aws *into, const char *path, struct span name,
                                  struct span value, struct graft_err *err)
{
    const struct {
        const char *name;
        char *out;
        size_t size;
    } known[] = {
        {"aws_access_key_id", into->access_key, sizeof into->access_key},
        {"aws_secret_access_key", into->secret_key, sizeof into->secret_key},
        {"aws_session_token", into->session_token, sizeof into->session_token},
        {"region", into->region, sizeof into->region},
        {"endpoint_url", into->endpoint, sizeof into->endpoint},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (is(name, known[i].name) && known[i].out[0] == '\0')
            return copy(value.at, value.length, known[i].name, path, known[i].out, known[i].size,
                        err);
    return GRAFT_OK;
}

static enum graft_rc parse(struct profile *profile, const char *path, const char *text,
                           struct graft_aws *into, struct graft_err *err)
{
    bool ours = false;
    const char *next = NULL;
    for (const char *line = text; *line != '\0'; line = next) {
        const char *end = line + strcspn(line, "\n");
        next = *end == '\0' ? end : end + 1;
        if (*line == ' ' || *line == '\t' || *line == '#' || *line == ';')
            continue;
        const char *close = *line == '[' ? memchr(line, ']', (size_t)(end - line)) : NULL;
        if (close != NULL) {
            ours = begins_profile(profile, trim(line + 1, close));
            profile->found = profile->found || ours;
            continue;
        }
        const char *equals = memchr(line, '=', (size_t)(end - line));
        if (ours && equals != NULL)
            GRAFT_TRY(take_setting(into, path, trim(line, equals), trim(equals + 1, end), err));
    }
    return GRAFT_OK;
}

/* The path of a shared file: what the variable says, or the usual one below the home directory.
 * False when neither is known. */
static bool shared_path(const char *name, const char *usual, char out[PATH_BYTES])
{
    const char *said = variable(name);
    const char *home = variable("HOME");
    if (said == NULL && home == NULL)
        return false;
    int length = said != NULL && strncmp(said, "~/", 2) != 0
                     ? snprintf(out, PATH_BYTES, "%s", said)
                     : snprintf(out, PATH_BYTES, "%s/%s", home == NULL ? "" : home,
                                said == NULL ? usual : said + 2);
    return length > 0 && (size_t)length < PATH_BYTES;
}

/* Adds what one of the files says of the profile. Keys are taken together or not at all. */
static enum graft_rc read_shared(struct graft_alloc *alloc, struct profile *profile,
                                 const char *path, struct graft_err *err)
{
    char *text = NULL;
    struct graft_aws aws = {.region = ""};
    GRAFT_TRY(read_text(alloc, path, &text, err));
    if (text == NULL)
        return GRAFT_OK;
    enum graft_rc rc = parse(profile, path, text, &aws, err);
    explicit_bzero(text, strlen(text));
    graft_free(alloc, text);
    if (rc == GRAFT_OK && (aws.access_key[0] == '\0') != (aws.secret_key[0] == '\0'))
        rc = graft_err_set(err, GRAFT_EINVAL,
                           "%s: profile %s has only one of aws_access_key_id and "
                           "aws_secret_access_key",
                           path, profile->name);
    if (rc != GRAFT_OK)
        goto out;
    struct graft_aws *own = &profile->aws;
    if (own->access_key[0] == '\0' && aws.access_key[0] != '\0') {
        memcpy(own->access_key, aws.access_key, sizeof own->access_key);
        memcpy(own->secret_key, aws.secret_key, sizeof own->secret_key);
        memcpy(own->session_token, aws.session_token, sizeof own->session_token);
        (void)snprintf(own->key_source, sizeof own->key_source, "profile %s of %s", profile->name,
                       path);
    }
    if (own->region[0] == '\0')
        memcpy(own->region, aws.region, sizeof own->region);
    if (own->endpoint[0] == '\0')
        memcpy(own->endpoint, aws.endpoint, sizeof own->endpoint);
out:
    explicit_bzero(&aws, sizeof aws);
    return rc;
}

static enum graft_rc read_profile(struct graft_alloc *alloc, struct profile *profile,
                                  struct graft_err *err)
{
    char path[PATH_BYTES];
    if (shared_path("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials", path))
        GRAFT_TRY(read_shared(alloc, profile, path, err));
    if (shared_path("AWS_CONFIG_FILE", ".aws/config", path))
        GRAFT_TRY(read_shared(alloc, profile, path, err));
    return GRAFT_OK;
}

/* ---- The whole. */

static enum graft_rc read_variables(struct graft_aws *out, struct graft_err *err)
{
    GRAFT_TRY(copy_variable("AWS_ACCESS_KEY_ID", out->access_key, sizeof out->access_key, err));
    GRAFT_TRY(copy_variable("AWS_SECRET_ACCESS_KEY", out->secret_key, sizeof out->secret_key, err));
    if ((out->access_key[0] == '\0') != (out->secret_key[0] == '\0'))
        return graft_err_set(err, GRAFT_EINVAL,
                             "the environment has only one of AWS_ACCESS_KEY_ID and "
                             "AWS_SECRET_ACCESS_KEY: set both, or none");
    if (out->access_key[0] != '\0') {
        GRAFT_TRY(
            copy_variable("AWS_SESSION_TOKEN", out->session_token, sizeof out->session_token, err));
        (void)snprintf(out->key_source, sizeof out->key_source, "AWS_ACCESS_KEY_ID");
    }
    GRAFT_TRY(copy_variable("AWS_REGION", out->region, sizeof out->region, err));
    GRAFT_TRY(copy_variable("AWS_DEFAULT_REGION", out->region, sizeof out->region, err));
    GRAFT_TRY(copy_variable("AWS_ENDPOINT_URL_S3", out->endpoint, sizeof out->endpoint, err));
    return copy_variable("AWS_ENDPOINT_URL", out->endpoint, sizeof out->endpoint, err);
}

enum graft_rc graft_host_aws(struct graft_alloc *alloc, struct graft_aws *out,
                             struct graft_err *err)
{
    struct graft_aws aws = {.region = ""};
    const char *named = variable("AWS_PROFILE");
    struct profile profile = {.name = named == NULL ? "default" : named};
    enum graft_rc rc = read_variables(&aws, err);
    if (rc == GRAFT_OK)
        rc = read_profile(alloc, &profile, err);
    if (rc != GRAFT_OK)
        goto out;
    if (aws.access_key[0] == '\0') {
        if (named != NULL && !profile.found) {
            rc =
                graft_err_set(err, GRAFT_EINVAL,
                              "AWS_PROFILE is %s, and neither ~/.aws/credentials nor ~/.aws/config "
                              "(or what AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE name) has "
                              "such a profile",
                              named);
            goto out;
        }
        memcpy(aws.access_key, profile.aws.access_key, sizeof aws.access_key);
        memcpy(aws.secret_key, profile.aws.secret_key, sizeof aws.secret_key);
        memcpy(aws.session_token, profile.aws.session_token, sizeof aws.session_token);
        memcpy(aws.key_source, profile.aws.key_source, sizeof aws.key_source);
    }
    if (aws.region[0] == '\0')
        memcpy(aws.region, profile.aws.region, sizeof aws.region);
    if (aws.endpoint[0] == '\0')
        memcpy(aws.endpoint, profile.aws.endpoint, sizeof aws.endpoint);
    *out = aws;
out:
    explicit_bzero(&aws, sizeof aws);
    explicit_bzero(&profile, sizeof profile);
    return rc;
}
