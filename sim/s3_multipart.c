/* Multipart uploads, and the removal of many objects by one request. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "sim/s3_parts.h"

#define PARTS_MAX 10000U

static void free_upload(struct sim_upload *upload)
{
    sim_list_remove(&upload->in_s3);
    for (uint32_t i = 0; i < upload->part_count; i++) {
        sim_host_free(upload->parts[i].key);
        sim_host_free(upload->parts[i].bytes);
    }
    sim_host_free(upload->parts);
    sim_host_free(upload->key);
    sim_host_free(upload);
}

void sim_uploads_free(struct sim_s3 *s3)
{
    while (!sim_list_is_empty(&s3->uploads))
        free_upload(SIM_CONTAINER(s3->uploads.next, struct sim_upload, in_s3));
}

/* The upload that the query names, for this key; answers when there is none. */
static struct sim_upload *find_upload(struct sim_s3_request *request)
{
    char value[64];
    uint64_t id = 0;
    if (sim_s3_parameter(request->call, "uploadId", value, sizeof value))
        id = strtoull(value, NULL, 16);
    struct sim_link *uploads = &request->s3->uploads;
    for (struct sim_link *at = uploads->next; at != uploads; at = at->next) {
        struct sim_upload *upload = SIM_CONTAINER(at, struct sim_upload, in_s3);
        if (upload->id == id && strcmp(upload->key, request->key) == 0)
            return upload;
    }
    sim_s3_answer_error(request, 404, "NoSuchUpload", "The upload does not exist.");
    return NULL;
}

void sim_s3_create_upload(struct sim_s3_request *request)
{
    struct sim_s3 *s3 = request->s3;
    struct sim_upload *upload = sim_host_alloc(sizeof *upload);
    upload->id = ++s3->next_upload_id;
    upload->key = sim_host_strdup(request->key);
    sim_list_append(&s3->uploads, &upload->in_s3);
    struct sim_bytes xml = {0};
    sim_xml_add(&xml, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><InitiateMultipartUploadResult "
                      "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Bucket>");
    sim_xml_add_text(&xml, s3->bucket);
    sim_xml_add(&xml, "</Bucket><Key>");
    sim_xml_add_text(&xml, request->key);
    sim_xml_add(&xml, "</Key><UploadId>%016" PRIx64 "</UploadId></InitiateMultipartUploadResult>",
                upload->id);
    sim_s3_answer_xml(request, 200, &xml);
    sim_host_free(xml.at);
}

void sim_s3_put_part(struct sim_s3_request *request)
{
    struct sim_upload *upload = find_upload(request);
    if (upload == NULL)
        return;
    char value[16] = "";
    (void)sim_s3_parameter(request->call, "partNumber", value, sizeof value);
    unsigned long number = strtoul(value, NULL, 10);
    if (number < 1 || number > PARTS_MAX) {
        sim_s3_answer_error(request, 400, "InvalidArgument", "Part numbers go from 1 to 10000.");
        return;
    }
    if (number > upload->part_count) {
        upload->parts = sim_host_realloc(upload->parts, number * sizeof *upload->parts);
        memset(upload->parts + upload->part_count, 0,
               (number - upload->part_count) * sizeof *upload->parts);
        upload->part_count = (uint32_t)number;
    }
    struct sim_object *part = &upload->parts[number - 1];
    sim_host_free(part->bytes);
    sim_host_free(part->key);
    size_t size = 0;
    const void *body = sim_call_body(request->call, &size);
    request->s3->counts.bytes_in += size;
    *part = (struct sim_object){.key = sim_host_strdup(upload->key), .size = size};
    part->bytes = sim_host_alloc(size + 1);
    if (size > 0)
        memcpy(part->bytes, body, size);
    sim_object_etag(part);
    sim_call_begin(request->call, 200);
    sim_call_add_header(request->call, "ETag", "%s", part->etag);
    sim_call_add_header(request->call, "Content-Length", "0");
    sim_call_end(request->call);
}

/* The parts that the document names, in ascending order and with their ETags, one after the other.
 */
static bool join_parts(const struct sim_upload *upload, const char *at, const char *end,
                       struct sim_bytes *whole)
{
    char number[16];
    char etag[64];
    unsigned long last = 0;
    while (sim_xml_next(&at, end, "PartNumber", number, sizeof number)) {
        unsigned long index = strtoul(number, NULL, 10);
        if (!sim_xml_next(&at, end, "ETag", etag, sizeof etag) || index <= last ||
            index > upload->part_count)
            return false;
        const struct sim_object *part = &upload->parts[index - 1];
        if (part->key == NULL || strcmp(part->etag, etag) != 0)
            return false;
        sim_bytes_append(whole, part->bytes, part->size);
        last = index;
    }
    return last > 0;
}

void sim_s3_complete_upload(struct sim_s3_request *request)
{
    struct sim_upload *upload = find_upload(request);
    if (upload == NULL)
        return;
    size_t size = 0;
    const char *body = sim_call_body(request->call, &size);
    struct sim_bytes whole = {0};
    struct sim_bytes xml = {0};
    if (body == NULL || !join_parts(upload, body, body + size, &whole)) {
        sim_host_free(whole.at);
        sim_s3_answer_error(request, 400, "InvalidPart",
                            "One or more of the specified parts could not be found.");
        return;
    }
    sim_s3_put(request->s3, request->key, whole.at, whole.size);
    sim_host_free(whole.at);
    free_upload(upload);
    sim_xml_add(&xml, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><CompleteMultipartUploadResult "
                      "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Key>");
    sim_xml_add_text(&xml, request->key);
    sim_xml_add(&xml, "</Key><ETag>");
    sim_xml_add_text(&xml, sim_s3_object(request->s3, request->key)->etag);
    sim_xml_add(&xml, "</ETag></CompleteMultipartUploadResult>");
    sim_s3_answer_xml(request, 200, &xml);
    sim_host_free(xml.at);
}

void sim_s3_abort_upload(struct sim_s3_request *request)
{
    struct sim_upload *upload = find_upload(request);
    if (upload == NULL)
        return;
    free_upload(upload);
    sim_s3_answer_empty(request, 204);
}

void sim_s3_delete_many(struct sim_s3_request *request)
{
    size_t size = 0;
    const char *at = sim_call_body(request->call, &size);
    if (at == NULL) {
        sim_s3_answer_error(request, 400, "MalformedXML", "The body is missing.");
        return;
    }
    const char *end = at + size;
    char key[SIM_S3_KEY_BYTES];
    struct sim_bytes xml = {0};
    sim_xml_add(&xml, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><DeleteResult "
                      "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    while (sim_xml_next(&at, end, "Key", key, sizeof key)) {
        (void)sim_s3_remove(request->s3, key);
        request->s3->counts.deletes++;
        sim_xml_add(&xml, "<Deleted><Key>");
        sim_xml_add_text(&xml, key);
        sim_xml_add(&xml, "</Key></Deleted>");
    }
    sim_xml_add(&xml, "</DeleteResult>");
    sim_s3_answer_xml(request, 200, &xml);
    sim_host_free(xml.at);
}
