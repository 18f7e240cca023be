/* The reader of S3's XML: what it takes, what it refuses, and that no bytes upset it. */
#include <stdio.h>
#include <string.h>

#include "remote/s3_xml.h"
#include "support/expect.h"

static struct graft_err err;

struct heard {
    char text[8192];
};

static enum graft_rc hear(void *arg, unsigned depth, const char *parent, const char *name,
                          const char *text)
{
    struct heard *heard = arg;
    size_t used = strlen(heard->text);
    (void)snprintf(heard->text + used, sizeof heard->text - used, "%u %s/%s=%s;", depth, parent,
                   name, text);
    return GRAFT_OK;
}

static enum graft_rc read_text(const char *xml, struct heard *heard)
{
    heard->text[0] = '\0';
    return graft_s3_xml_read(xml, strlen(xml), hear, heard, &err);
}

static void expect_heard(const char *xml, const char *wanted)
{
    struct heard heard;
    expect_ok(read_text(xml, &heard), &err);
    cr_assert_str_eq(heard.text, wanted);
}

static void expect_refused(const char *xml, const char *why)
{
    struct heard heard;
    graft_err_clear(&err);
    expect_rc(read_text(xml, &heard), GRAFT_ECORRUPT, &err);
    cr_assert(strstr(err.text, why) != NULL, "%s: %s", xml, err.text);
}

Test(s3_xml, elements_are_told_at_their_ends_with_their_parents)
{
    expect_heard("<a/>", "1 /a=;");
    expect_heard("<a><b>1</b><c><d>2</d></c></a>", "2 a/b=1;3 c/d=2;2 a/c=;1 /a=;");
    expect_heard("\xef\xbb\xbf<?xml version=\"1.0\"?>\n<!-- a -- comment? > -->"
                 "<a x='1' y=\"2\" >\n <b > x </b >\n</a>\n",
                 "2 a/b= x ;1 /a=\n;");
}

Test(s3_xml, entities_and_references_are_replaced)
{
    expect_heard("<a>&lt;&gt;&amp;&quot;&apos;&#65;&#x42;&#xe9;&#x20ac;&#x1f600;</a>",
                 "1 /a=<>&\"'AB\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80;");
}

Test(s3_xml, what_is_not_well_formed_is_refused)
{
    expect_refused("", "there is none");
    expect_refused("  ", "there is none");
    expect_refused("x", "text outside");
    expect_refused("<a>", "ends before");
    expect_refused("<a></b>", "ends nothing");
    expect_refused("</a>", "ends nothing");
    expect_refused("<a></a><b/>", "second root");
    expect_refused("<a></a>x", "text outside");
    expect_refused("<a", "within a tag");
    expect_refused("<a b>", "without a value");
    expect_refused("<a b=c>", "without a value");
    expect_refused("<a b='<'/>", "does not end");
    expect_refused("<a b='1'c='2'/>", "space is missing");
    expect_refused("<>", "name is missing");
    expect_refused("<a>&nbsp;</a>", "does not define");
    expect_refused("<a>&#;</a>", "no character");
    expect_refused("<a>&#0;</a>", "no character");
    expect_refused("<a>&#xd800;</a>", "no character");
    expect_refused("<a>&#x110000;</a>", "no character");
    expect_refused("<a>&#x123456789;</a>", "malformed");
    expect_refused("<a>&#12a;</a>", "malformed");
    expect_refused("<!-- <a/>", "comment does not end");
    expect_refused("<?xml <a/>", "declaration does not end");
}

Test(s3_xml, what_s3_does_not_send_is_refused)
{
    expect_refused("<!DOCTYPE a><a/>", "S3 does not send");
    expect_refused("<a><![CDATA[x]]></a>", "S3 does not send");
    expect_refused("<a><?php x?></a>", "S3 does not send");
}

Test(s3_xml, everything_is_bounded)
{
    static char text[GRAFT_S3_XML_TEXT_BYTES + 64];
    struct heard heard;
    expect_heard("<a><a><a><a><a><a><a><a/></a></a></a></a></a></a></a>",
                 "8 a/a=;7 a/a=;6 a/a=;5 a/a=;4 a/a=;3 a/a=;2 a/a=;1 /a=;");
    expect_refused("<a><a><a><a><a><a><a><a><a/></a></a></a></a></a></a></a></a>", "too deep");
    expect_refused("<aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/>",
                   "name is too long");
    memset(text, 'x', sizeof text);
    memcpy(text, "<a>", 3);
    memcpy(text + 3 + GRAFT_S3_XML_TEXT_BYTES - 1, "</a>", 5);
    expect_ok(read_text(text, &heard), &err);
    memcpy(text + 3 + GRAFT_S3_XML_TEXT_BYTES - 1, "x</a>", 6);
    expect_refused(text, "text is too long");
}

static enum graft_rc stop(void *arg, unsigned depth, const char *parent, const char *name,
                          const char *text)
{
    (void)depth, (void)parent, (void)name, (void)text;
    *(unsigned *)arg += 1;
    return GRAFT_ECANCELED;
}

Test(s3_xml, whoever_listens_can_end_it)
{
    unsigned calls = 0;
    const char *xml = "<a><b/><c/></a>";
    cr_assert_eq(graft_s3_xml_read(xml, strlen(xml), stop, &calls, &err), GRAFT_ECANCELED);
    cr_assert_eq(calls, 1);
}

static const char *const listing =
    "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3/\"><Name>b</Name>"
    "<Contents><Key>a%2Fb</Key><ETag>&quot;1&quot;</ETag><Size>10</Size></Contents>"
    "<IsTruncated>false</IsTruncated></ListBucketResult>";

Test(s3_xml, every_cut_of_a_document_is_refused_and_no_flip_upsets_it)
{
    char bytes[512];
    struct heard heard;
    size_t size = strlen(listing);
    for (size_t cut = 0; cut < size; cut++) {
        heard.text[0] = '\0';
        cr_assert_eq(graft_s3_xml_read(listing, cut, hear, &heard, &err), GRAFT_ECORRUPT);
    }
    for (size_t bit = 0; bit < size * 8; bit++) {
        memcpy(bytes, listing, size);
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
        heard.text[0] = '\0';
        enum graft_rc rc = graft_s3_xml_read(bytes, size, hear, &heard, &err);
        cr_assert(rc == GRAFT_OK || rc == GRAFT_ECORRUPT);
    }
}
