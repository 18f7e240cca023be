/* What the files of the object store know of each other. */
#ifndef GRAFT_SIM_S3_PARTS_H
#define GRAFT_SIM_S3_PARTS_H

#include "sim/net_parts.h"
#include "sim/s3.h"

#define SIM_S3_KEY_BYTES 1025U
/* How long ago a stale listing may be. */
#define SIM_S3_STALE_NS (60 * SIM_SECOND)

struct sim_object {
    char *key;
    uint8_t *bytes;
    size_t size;
    char etag[35]; /* quoted */
    uint64_t created_ns;
    uint64_t deleted_ns; /* of a former object */
    char modified[32];   /* when, in the words of answers */
};

struct sim_upload {
    struct sim_link in_s3;
    uint64_t id;
    char *key;
    struct sim_object *parts; /* by number - 1; key NULL: not there */
    uint32_t part_count;
};

struct sim_s3 {
    struct sim_machine *machine;
    struct sim_world *world;
    char *bucket;
    char *access_key;
    char *secret_key;
    struct sim_object *objects; /* by key */
    size_t object_count, object_capacity;
    struct sim_object *former; /* deleted or replaced lately, without their bytes */
    size_t former_count, former_capacity;
    struct sim_link uploads;
    uint64_t next_upload_id;
    uint64_t storm_until_ns;
    struct sim_s3_counts counts;
};

/* One request, taken apart. */
struct sim_s3_request {
    struct sim_s3 *s3;
    struct sim_call *call;
    char key[SIM_S3_KEY_BYTES]; /* decoded; "" for the bucket itself */
};

/* The decoded value of a query parameter; false when it is not there (or is longer). */
bool sim_s3_parameter(const struct sim_call *call, const char *name, char *out, size_t size);
bool sim_url_decode(const char *text, size_t length, char *out, size_t size);
/* Answers with an XML document, or with an error in one. */
void sim_s3_answer_xml(struct sim_s3_request *request, uint32_t status,
                       const struct sim_bytes *xml);
void sim_s3_answer_error(struct sim_s3_request *request, uint32_t status, const char *code,
                         const char *message);
void sim_s3_answer_empty(struct sim_s3_request *request, uint32_t status);
void sim_xml_add(struct sim_bytes *xml, const char *format, ...) GRAFT_PRINTF(2, 3);
/* Text with what XML reserves replaced. */
void sim_xml_add_text(struct sim_bytes *xml, const char *text);
/* The next <name>text</name> at or after `*at`; false when there is none. */
bool sim_xml_next(const char **at, const char *end, const char *name, char *out, size_t size);

struct sim_object *sim_s3_object(const struct sim_s3 *s3, const char *key);
/* The first object whose key is not before `key`. */
size_t sim_s3_from(const struct sim_s3 *s3, const char *key);
void sim_object_etag(struct sim_object *object);

void sim_s3_list(struct sim_s3_request *request);
void sim_s3_create_upload(struct sim_s3_request *request);
void sim_s3_put_part(struct sim_s3_request *request);
void sim_s3_complete_upload(struct sim_s3_request *request);
void sim_s3_abort_upload(struct sim_s3_request *request);
void sim_s3_delete_many(struct sim_s3_request *request);
void sim_uploads_free(struct sim_s3 *s3);

#endif
