/* Remote URLs: the bytes as they are, and behind each scheme. What is accepted keeps what url.h
 * promises and, written out again, parses to the same; what is refused has a text of one line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/ids.h"
#include "fuzz.h"
#include "remote/url.h"

#define TEXT_BYTES (GRAFT_PATH_BYTES_MAX + 64U)

static const char *const schemes[] = {"file:///", "s3://", "http://", "https://"};

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void append(char *out, size_t *used, const char *text, bool escape)
{
    for (; *text != '\0'; text++) {
        bool escaped = escape && strchr("%?#", *text) != NULL;
        const char *form = *text == '%' ? "%25" : *text == '?' ? "%3f" : "%23";
        require(*used + 4 < (size_t)3 * TEXT_BYTES);
        memcpy(out + *used, escaped ? form : text, escaped ? 3 : 1);
        *used += escaped ? 3 : 1;
    }
    out[*used] = '\0';
}

static void check_accepted(const struct graft_url *url)
{
    static char text[3 * TEXT_BYTES];
    size_t used = 0;
    bool file = url->scheme == GRAFT_SCHEME_FILE;
    require(graft_volume_name_valid(url->volume));
    require((url->host[0] == '\0') == file);
    require((url->repository[0] == '/') == file);
    require(strstr(url->repository, "/../") == NULL && strstr(url->repository, "//") == NULL);
    for (const char *at = url->repository; *at != '\0'; at++)
        require((unsigned char)*at >= 0x20 && *at != 0x7f);

    append(text, &used, file ? "file://" : schemes[url->scheme], false);
    append(text, &used, url->host, false);
    if (!file && url->repository[0] != '\0')
        append(text, &used, "/", false);
    append(text, &used, strcmp(url->repository, "/") == 0 ? "" : url->repository, file);
    append(text, &used, "/", false);
    append(text, &used, url->volume, false);
    static const char *const styles[] = {"", "&style=path", "&style=virtual"};
    bool said = url->endpoint[0] != '\0' || url->region[0] != '\0' || url->style != 0;
    require(!said || url->scheme == GRAFT_SCHEME_S3);
    char parameters[512] = "";
    if (url->endpoint[0] != '\0')
        (void)snprintf(parameters, sizeof parameters, "&endpoint=%s", url->endpoint);
    if (url->region[0] != '\0')
        (void)snprintf(parameters + strlen(parameters), 80, "&region=%s", url->region);
    append(text, &used, said ? "?" : "", false);
    append(text, &used, parameters + (parameters[0] == '&'), false);
    append(text, &used, styles[url->style] + (parameters[0] == '\0' && url->style != 0), false);
    struct graft_url again;
    if (used < GRAFT_PATH_BYTES_MAX) {
        require(graft_url_parse(text, &again, NULL) == GRAFT_OK);
        require(memcmp(&again, url, sizeof again) == 0);
    }
}

static void check(const char *text)
{
    struct graft_url url;
    struct graft_err err = {.rc = GRAFT_OK};
    memset(&url, 0, sizeof url);
    enum graft_rc rc = graft_url_parse(text, &url, &err);
    if (rc == GRAFT_OK) {
        check_accepted(&url);
        return;
    }
    require(rc == GRAFT_EINVAL && err.text[0] != '\0' && url.volume[0] == '\0');
    for (const char *at = err.text; *at != '\0'; at++)
        require((unsigned char)*at >= 0x20 && *at != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static char text[TEXT_BYTES];
    if (size > GRAFT_PATH_BYTES_MAX)
        size = GRAFT_PATH_BYTES_MAX;
    memcpy(text, bytes, size);
    text[size] = '\0';
    check(text);
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t prefix = strlen(schemes[i]);
        memcpy(text, schemes[i], prefix);
        memcpy(text + prefix, bytes, size);
        text[prefix + size] = '\0';
        check(text);
    }
    return 0;
}
