/* The XML of S3's answers: any bytes are read or refused in one line, elements end in the order in
 * which they nest, and what is told is within the limits. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "remote/s3_xml.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

struct told {
    unsigned depth; /* of the last element */
    bool ended;     /* the root */
};

static enum graft_rc hear(void *arg, unsigned depth, const char *parent, const char *name,
                          const char *text)
{
    struct told *told = arg;
    require(!told->ended);
    require(depth >= 1 && depth <= GRAFT_S3_XML_DEPTH_MAX && depth + 1 >= told->depth);
    require((depth == 1) == (parent[0] == '\0'));
    require(name[0] != '\0' && strlen(name) < GRAFT_S3_XML_NAME_BYTES);
    require(strlen(text) < GRAFT_S3_XML_TEXT_BYTES);
    told->depth = depth;
    told->ended = depth == 1;
    return GRAFT_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct told told = {.depth = 0};
    struct graft_err err = {.rc = GRAFT_OK};
    enum graft_rc rc = graft_s3_xml_read((const char *)bytes, size, hear, &told, &err);
    require(rc == GRAFT_OK || rc == GRAFT_ECORRUPT);
    require(rc != GRAFT_OK || told.ended);
    require((rc == GRAFT_OK) == (err.text[0] == '\0'));
    return 0;
}
