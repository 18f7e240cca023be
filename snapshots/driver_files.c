/* Directives that do to files what disks and users do: cut, flip, remove, copy, forbid. Names are
 * relative to the script's directory and may be patterns (the shell's), since object names of a
 * remote are not known in advance: the first match in sorted order counts. */
#include "driver.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int allow_entry(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)ftw;
    if (type == FTW_D || type == FTW_DNR)
        (void)chmod(path, stat->st_mode | S_IRWXU);
    return 0;
}

bool snapshot_remove_tree(const char *path)
{
    /* Twice: a directory that a script made unreadable can be entered only once it was allowed. */
    for (int i = 0; i < 2; i++)
        (void)nftw(path, allow_entry, 16, FTW_PHYS);
    return nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0;
}

void snapshot_unprivileged(struct snapshot_run *run)
{
    if (geteuid() != 0)
        return;
    uid_t nobody = 65534;
    if (chown(run->directory, nobody, (gid_t)-1) != 0 || seteuid(nobody) != 0)
        snapshot_problem(run, "cannot give up the superuser's rights");
}

void snapshot_privileged(void)
{
    /* Where nothing was given up this changes nothing. */
    if (getuid() == 0 && seteuid(0) != 0)
        abort();
}

/* The path of `name`: the first match when it is a pattern; false when there is none. */
static bool locate(const struct snapshot_run *run, const char *name, char *path, size_t size)
{
    char pattern[SNAPSHOT_PATH_BYTES * 2];
    (void)snprintf(pattern, sizeof pattern, "%s/%s", run->directory, name);
    glob_t found;
    int rc = glob(pattern, 0, NULL, &found);
    if (rc == 0)
        (void)snprintf(path, size, "%s", found.gl_pathv[0]);
    globfree(&found);
    return rc == 0;
}

static bool flip(const char *path, const char *offset_text)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return false;
    off_t offset = (off_t)strtoll(offset_text, NULL, 10);
    if (offset < 0)
        offset += lseek(fd, 0, SEEK_END);
    unsigned char byte = 0;
    bool ok = pread(fd, &byte, 1, offset) == 1;
    byte ^= 0x10;
    ok = ok && pwrite(fd, &byte, 1, offset) == 1;
    return close(fd) == 0 && ok;
}

static bool write_text(const struct snapshot_run *run, const char *name, const char *text)
{
    char path[SNAPSHOT_PATH_BYTES * 2];
    (void)snprintf(path, sizeof path, "%s/%s", run->directory, name);
    FILE *file = fopen(path, "we");
    if (file == NULL)
        return false;
    bool ok = fputs(text, file) >= 0;
    return fclose(file) == 0 && ok;
}

static bool copy_file(const char *from, const char *to)
{
    FILE *in = fopen(from, "re"), *out = in == NULL ? NULL : fopen(to, "we");
    static char bytes[1 << 16];
    size_t got = 0;
    bool ok = out != NULL;
    while (ok && (got = fread(bytes, 1, sizeof bytes, in)) > 0)
        ok = fwrite(bytes, 1, got, out) == got;
    ok = ok && ferror(in) == 0;
    if (in != NULL)
        (void)fclose(in);
    return out != NULL && fclose(out) == 0 && ok;
}

/* nftw passes no argument, so these two say what is copied where. */
static size_t copy_from_bytes;
static char copy_to[SNAPSHOT_PATH_BYTES * 2];

static int copy_entry(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)ftw;
    char to[SNAPSHOT_PATH_BYTES * 3];
    (void)snprintf(to, sizeof to, "%s%s", copy_to, path + copy_from_bytes);
    if (type == FTW_D)
        return mkdir(to, stat->st_mode & 07777) != 0 && errno != EEXIST;
    return !copy_file(path, to);
}

static bool copy_tree(const struct snapshot_run *run, const char *from, const char *to)
{
    copy_from_bytes = strlen(from);
    (void)snprintf(copy_to, sizeof copy_to, "%s/%s", run->directory, to);
    return nftw(from, copy_entry, 16, FTW_PHYS) == 0;
}

static void print_size(struct snapshot_run *run, const char *path)
{
    struct stat stat_of;
    if (stat(path, &stat_of) == 0)
        snapshot_print(run, "%lld bytes", (long long)stat_of.st_size);
}

static void print_same(struct snapshot_run *run, const char *a, const char *b)
{
    size_t a_bytes = 0, b_bytes = 0;
    char *a_text = snapshot_read_file(a, &a_bytes), *b_text = snapshot_read_file(b, &b_bytes);
    bool same = a_text != NULL && b_text != NULL && a_bytes == b_bytes &&
                memcmp(a_text, b_text, a_bytes) == 0;
    snapshot_print(run, "%s", same ? "same" : "different");
    free(a_text);
    free(b_text);
}

static bool on_path(struct snapshot_run *run, const char *verb, const char *path, char **words,
                    size_t count)
{
    bool ok = true;
    if (strcmp(verb, "flip") == 0 && count == 3)
        ok = flip(path, words[2]);
    else if (strcmp(verb, "truncate") == 0 && count == 3)
        ok = truncate(path, (off_t)strtoll(words[2], NULL, 10)) == 0;
    else if (strcmp(verb, "remove") == 0 && count == 2)
        ok = snapshot_remove_tree(path);
    else if (strcmp(verb, "chmod") == 0 && count == 3)
        ok = chmod(path, (mode_t)strtol(words[2], NULL, 8)) == 0;
    else if (strcmp(verb, "copy") == 0 && count == 3)
        ok = copy_tree(run, path, words[2]);
    else if (strcmp(verb, "size") == 0 && count == 2)
        print_size(run, path);
    else
        return false;
    if (!ok)
        snapshot_problem(run, "%s %s: %s", verb, words[1], strerror(errno));
    return true;
}

bool snapshot_file_directive(struct snapshot_run *run, char **words, size_t count)
{
    if (count < 2)
        return false;
    const char *verb = words[0];
    char path[SNAPSHOT_PATH_BYTES * 2], other[SNAPSHOT_PATH_BYTES * 2];
    if (strcmp(verb, "write") == 0 && count == 3) {
        if (!write_text(run, words[1], words[2]))
            snapshot_problem(run, "write %s: %s", words[1], strerror(errno));
        return true;
    }
    if (strcmp(verb, "mkdir") == 0) {
        (void)snprintf(path, sizeof path, "%s/%s", run->directory, words[1]);
        if (mkdir(path, 0777) != 0)
            snapshot_problem(run, "mkdir %s: %s", words[1], strerror(errno));
        return true;
    }
    bool found = locate(run, words[1], path, sizeof path);
    if (strcmp(verb, "exists") == 0) {
        snapshot_print(run, "%s", found ? "yes" : "no");
        return true;
    }
    if (!found) {
        snapshot_problem(run, "%s: nothing is called %s", verb, words[1]);
        return true;
    }
    if (strcmp(verb, "same") == 0 && count == 3) {
        if (locate(run, words[2], other, sizeof other))
            print_same(run, path, other);
        else
            snapshot_problem(run, "nothing is called %s", words[2]);
        return true;
    }
    return on_path(run, verb, path, words, count);
}
