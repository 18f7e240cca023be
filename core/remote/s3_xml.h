/* The XML of S3's answers: a strict reader of the part of XML that they use. */
#ifndef GRAFT_REMOTE_S3_XML_H
#define GRAFT_REMOTE_S3_XML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/codes.h"

#define GRAFT_S3_XML_DEPTH_MAX 8U
#define GRAFT_S3_XML_NAME_BYTES 64U   /* its NUL included */
#define GRAFT_S3_XML_TEXT_BYTES 4096U /* the same, entities replaced */

/* Called at the end of each element with how deep it stands (the root: 1), its name, that of the
 * element around it ("" for the root), and the text within it and in no other element. A failure
 * ends the reading and is returned. */
typedef enum graft_rc graft_s3_xml_fn(void *arg, unsigned depth, const char *parent,
                                      const char *name, const char *text);

/* Reads a whole document: a declaration or none, one root element, nothing behind it but white
 * space. ECORRUPT with a message for what is not well formed, uses more of XML than S3 does
 * (document types, processing instructions, CDATA), or is past the limits above. */
GRAFT_MUST_USE enum graft_rc graft_s3_xml_read(const char *bytes, size_t size,
                                               graft_s3_xml_fn *element, void *arg,
                                               struct graft_err *err);

#endif
