/* Writes the fixtures of this version's format into a directory, one file an object. Run when a
 * format version is added, never for one that was released: what was written once must stay
 * readable. */
#include <stdio.h>

#include "format/samples.h"
#include "support/testing.h"

static int write_file(const char *directory, const char *name, const struct graft_buf *bytes)
{
    char path[GRAFT_PATH_BYTES_MAX];
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    size_t written = fwrite(bytes->bytes, 1, bytes->size, file);
    if (fclose(file) != 0 || written != bytes->size) {
        perror(path);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        (void)fprintf(stderr, "usage: graft-fixtures DIRECTORY\n");
        return 2;
    }
    struct samples samples;
    samples_make(&samples, graft_test_env()->alloc);
    int failed = write_file(argv[1], "frame", &samples.frame) ||
                 write_file(argv[1], "commit-inline", &samples.commit_inline) ||
                 write_file(argv[1], "commit-segments", &samples.commit_segments) ||
                 write_file(argv[1], "segment", &samples.segment) ||
                 write_file(argv[1], "checkpoint", &samples.checkpoint) ||
                 write_file(argv[1], "config", &samples.config) ||
                 write_file(argv[1], "sync-state", &samples.sync_state) ||
                 write_file(argv[1], "log-base", &samples.log_base) ||
                 write_file(argv[1], "page-set", &samples.pageset) ||
                 write_file(argv[1], "page-map", &samples.pagemap);
    samples_free(&samples);
    return failed;
}
