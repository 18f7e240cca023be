/* A reader of XML for answers of object stores, in one pass and bounded memory. It knows elements,
 * attributes (which it checks and drops), text, the five entities, character references and
 * comments. Everything else is refused: an answer that needs it is no answer to us. It is written
 * here since what libraries there are bring document types, name spaces and trees along. */
#include "remote/s3_xml.h"

#include <stdint.h>
#include <string.h>

struct open_element {
    char name[GRAFT_S3_XML_NAME_BYTES];
};

struct reader {
    const char *at, *end;
    const char *begin;
    struct graft_err *err;
    unsigned depth;
    bool has_root;
    struct open_element open[GRAFT_S3_XML_DEPTH_MAX];
    size_t text_bytes;
    char text[GRAFT_S3_XML_TEXT_BYTES]; /* of the element that ends next */
};

static enum graft_rc refuse(const struct reader *self, const char *what)
{
    return graft_err_set(self->err, GRAFT_ECORRUPT, "its XML at byte %zu: %s",
                         (size_t)(self->at - self->begin), what);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.' || c == ':';
}

static void skip_space(struct reader *self)
{
    while (self->at < self->end && is_space(*self->at))
        self->at++;
}

static bool begins(const struct reader *self, const char *text)
{
    size_t length = strlen(text);
    return (size_t)(self->end - self->at) >= length && memcmp(self->at, text, length) == 0;
}

/* Moves behind the next `text`; false when there is none. */
static bool skip_past(struct reader *self, const char *text)
{
    for (; self->at < self->end; self->at++)
        if (begins(self, text)) {
            self->at += strlen(text);
            return true;
        }
    return false;
}

static enum graft_rc read_name(struct reader *self, char out[GRAFT_S3_XML_NAME_BYTES])
{
    size_t length = 0;
    while (self->at < self->end && is_name(*self->at)) {
        if (length == GRAFT_S3_XML_NAME_BYTES - 1)
            return refuse(self, "a name is too long");
        out[length++] = *self->at++;
    }
    out[length] = '\0';
    return length == 0 ? refuse(self, "a name is missing") : GRAFT_OK;
}

static enum graft_rc add_text(struct reader *self, const char *bytes, size_t size)
{
    if (self->text_bytes + size >= sizeof self->text)
        return refuse(self, "a text is too long");
    memcpy(self->text + self->text_bytes, bytes, size);
    self->text_bytes += size;
    return GRAFT_OK;
}

/* ---- Entities and character references. */

static size_t encode_utf8(uint32_t code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* "#10;" or "#xA;", from behind the '#' on. */
static enum graft_rc read_reference(struct reader *self)
{
    int base = 10;
    if (self->at < self->end && *self->at == 'x') {
        base = 16;
        self->at++;
    }
    uint32_t code = 0;
    size_t digits = 0;
    for (; self->at < self->end && *self->at != ';'; self->at++, digits++) {
        int value = digit_value(*self->at);
        if (value < 0 || value >= base || digits == 8)
            return refuse(self, "a character reference is malformed");
        code = code * (uint32_t)base + (uint32_t)value;
    }
    if (self->at == self->end || digits == 0 || code == 0 || code > 0x10ffff ||
        (code >= 0xd800 && code < 0xe000))
        return refuse(self, "a character reference stands for no character");
    self->at++;
    char bytes[4];
    return add_text(self, bytes, encode_utf8(code, bytes));
}

static enum graft_rc read_entity(struct reader *self)
{
    static const struct {
        const char *written, *meant;
    } entities[] = {
        {"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&apos;", "'"}};
    for (size_t i = 0; i < sizeof entities / sizeof entities[0]; i++)
        if (begins(self, entities[i].written)) {
            self->at += strlen(entities[i].written);
            return add_text(self, entities[i].meant, 1);
        }
    if (!begins(self, "&#"))
        return refuse(self, "an entity that XML does not define");
    self->at += 2;
    return read_reference(self);
}

/* ---- Elements. */

static enum graft_rc end_element(struct reader *self, graft_s3_xml_fn *element, void *arg)
{
    const char *parent = self->depth < 2 ? "" : self->open[self->depth - 2].name;
    const char *name = self->open[self->depth - 1].name;
    self->text[self->text_bytes] = '\0';
    if (memchr(self->text, '\0', self->text_bytes) != NULL)
        return refuse(self, "a text has a NUL");
    enum graft_rc rc = element(arg, self->depth, parent, name, self->text);
    self->depth--;
    self->text_bytes = 0;
    return rc;
}

static enum graft_rc skip_attributes(struct reader *self)
{
    char name[GRAFT_S3_XML_NAME_BYTES];
    for (;;) {
        const char *before = self->at;
        skip_space(self);
        if (self->at == self->end)
            return refuse(self, "it ends within a tag");
        if (!is_name(*self->at))
            return GRAFT_OK;
        if (before == self->at)
            return refuse(self, "a space is missing before an attribute");
        GRAFT_TRY(read_name(self, name));
        if (self->end - self->at < 2 || self->at[0] != '=' ||
            (self->at[1] != '"' && self->at[1] != '\''))
            return refuse(self, "an attribute without a value");
        char quote = self->at[1];
        const char *from = self->at + 2;
        const char *close = memchr(from, quote, (size_t)(self->end - from));
        if (close == NULL || memchr(from, '<', (size_t)(close - from)) != NULL)
            return refuse(self, "an attribute's value does not end");
        self->at = close + 1;
    }
}

/* At a '<' that begins an element. Text before a child is none of anybody's: S3 mixes no text. */
static enum graft_rc begin_element(struct reader *self, graft_s3_xml_fn *element, void *arg)
{
    if (self->depth == GRAFT_S3_XML_DEPTH_MAX)
        return refuse(self, "elements stand too deep");
    if (self->depth == 0 && self->has_root)
        return refuse(self, "a second root element");
    self->at++;
    GRAFT_TRY(read_name(self, self->open[self->depth].name));
    self->depth++;
    self->has_root = true;
    self->text_bytes = 0;
    GRAFT_TRY(skip_attributes(self));
    if (begins(self, "/>")) {
        self->at += 2;
        return end_element(self, element, arg);
    }
    if (*self->at != '>')
        return refuse(self, "a tag does not end");
    self->at++;
    return GRAFT_OK;
}

static enum graft_rc close_element(struct reader *self, graft_s3_xml_fn *element, void *arg)
{
    char name[GRAFT_S3_XML_NAME_BYTES];
    self->at += 2;
    GRAFT_TRY(read_name(self, name));
    skip_space(self);
    if (self->at == self->end || *self->at != '>')
        return refuse(self, "a tag does not end");
    if (self->depth == 0 || strcmp(self->open[self->depth - 1].name, name) != 0)
        return refuse(self, "an end tag that ends nothing");
    self->at++;
    return end_element(self, element, arg);
}

static enum graft_rc read_markup(struct reader *self, graft_s3_xml_fn *element, void *arg)
{
    if (begins(self, "<!--")) {
        self->at += 4;
        return skip_past(self, "-->") ? GRAFT_OK : refuse(self, "a comment does not end");
    }
    if (begins(self, "<!") || begins(self, "<?"))
        return refuse(self, "a declaration, which S3 does not send");
    if (begins(self, "</"))
        return close_element(self, element, arg);
    return begin_element(self, element, arg);
}

enum graft_rc graft_s3_xml_read(const char *bytes, size_t size, graft_s3_xml_fn *element, void *arg,
                                struct graft_err *err)
{
    struct reader reader = {.begin = bytes, .at = bytes, .end = bytes + size, .err = err};
    struct reader *self = &reader;
    if (begins(self, "\xef\xbb\xbf"))
        self->at += 3;
    skip_space(self);
    if (begins(self, "<?xml") && !skip_past(self, "?>"))
        return refuse(self, "its declaration does not end");
    while (self->at < self->end) {
        if (*self->at == '<') {
            GRAFT_TRY(read_markup(self, element, arg));
        } else if (self->depth == 0) {
            if (!is_space(*self->at))
                return refuse(self, "text outside of the root element");
            self->at++;
        } else if (*self->at == '&') {
            GRAFT_TRY(read_entity(self));
        } else {
            GRAFT_TRY(add_text(self, self->at, 1));
            self->at++;
        }
    }
    if (self->depth > 0)
        return refuse(self, "it ends before its elements do");
    return self->has_root ? GRAFT_OK : refuse(self, "there is none");
}
