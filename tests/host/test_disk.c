/* The disk seam on real files. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/expect.h"
#include "support/testing.h"

static struct graft_test_dir dir;
static struct graft_disk *disk;
static struct graft_err err;

static void set_up(void)
{
    graft_test_dir_make(&dir);
    disk = graft_test_env()->disk;
}

static void tear_down(void)
{
    graft_test_dir_remove(&dir);
}

/* A skipped test is not torn down. */
static void skip(const char *why)
{
    tear_down();
    cr_skip_test("%s", why);
}

TestSuite(disk, .init = set_up, .fini = tear_down);

static struct graft_file *open_new(const char *name)
{
    struct graft_file *file = NULL;
    expect_ok(graft_disk_open(disk, graft_test_path(&dir, name),
                              GRAFT_OPEN_WRITE | GRAFT_OPEN_CREATE, &file, &err),
              &err);
    return file;
}

static void write_file(const char *name, const char *text)
{
    expect_ok(graft_disk_replace_file(disk, graft_test_path(&dir, name), text, strlen(text), &err),
              &err);
}

static void expect_content(const char *name, const char *text)
{
    struct graft_alloc *alloc = graft_test_env()->alloc;
    uint8_t *bytes = NULL;
    size_t size = 0;
    expect_ok(graft_disk_read_file(disk, alloc, graft_test_path(&dir, name), 1U << 20, &bytes,
                                   &size, &err),
              &err);
    cr_assert_eq(size, strlen(text));
    cr_assert_arr_eq(bytes, text, size);
    graft_free(alloc, bytes);
}

static bool exists(const char *name)
{
    struct graft_entry entry;
    return graft_disk_stat(disk, graft_test_path(&dir, name), &entry, NULL) == GRAFT_OK;
}

Test(disk, a_read_past_the_end_is_short)
{
    struct graft_file *file = open_new("a");
    expect_ok(graft_file_write(file, 0, "hello", 5, &err), &err);
    char bytes[10] = {0};
    size_t got = 99;
    expect_ok(graft_file_read(file, 2, bytes, sizeof bytes, &got, &err), &err);
    cr_assert_eq(got, 3);
    cr_assert_str_eq(bytes, "llo");
    expect_ok(graft_file_read(file, 5, bytes, sizeof bytes, &got, &err), &err);
    cr_assert_eq(got, 0);
    expect_ok(graft_file_read(file, 1U << 30, bytes, sizeof bytes, &got, &err), &err);
    cr_assert_eq(got, 0);
    graft_file_close(file);
}

Test(disk, a_scattered_read_fills_its_spaces_in_order)
{
    struct graft_file *file = open_new("a");
    expect_ok(graft_file_write(file, 0, "abcdefgh", 8, &err), &err);
    char one[3] = {0};
    char two[4] = {0};
    char three[5] = {0};
    struct graft_space spaces[] = {{one, 2}, {one, 0}, {two, 3}, {three, 4}};
    size_t got = 0;
    expect_ok(graft_file_readv(file, 1, spaces, 4, &got, &err), &err);
    cr_assert_eq(got, 7);
    cr_assert_str_eq(one, "bc");
    cr_assert_str_eq(two, "def");
    cr_assert_str_eq(three, "gh");
    graft_file_close(file);
}

Test(disk, a_gathered_write_may_have_more_spans_than_the_system_takes)
{
    enum { count = 5000, size = 3 };
    static char bytes[count * size];
    static char back[count * size];
    static struct graft_span spans[count];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 31 >> 3);
    for (size_t i = 0; i < count; i++)
        spans[i] = (struct graft_span){bytes + i * size, i % 7 == 0 ? 0 : size};
    struct graft_file *file = open_new("a");
    expect_ok(graft_file_writev(file, 10, spans, count, &err), &err);
    uint64_t file_bytes = 0;
    expect_ok(graft_file_size(file, &file_bytes, &err), &err);
    size_t at = 10;
    for (size_t i = 0; i < count; i++) {
        size_t got = 0;
        expect_ok(graft_file_read(file, at, back, spans[i].size, &got, &err), &err);
        cr_assert_eq(got, spans[i].size);
        cr_assert_eq(memcmp(back, spans[i].bytes, got), 0, "span %zu", i);
        at += got;
    }
    cr_assert_eq(file_bytes, at);
    graft_file_close(file);
}

Test(disk, open_flags_decide_about_missing_and_existing_files)
{
    struct graft_file *file = NULL;
    const char *path = graft_test_path(&dir, "a");
    expect_rc(graft_disk_open(disk, path, GRAFT_OPEN_READ, &file, &err), GRAFT_ENOTFOUND, &err);
    cr_assert_null(file);
    cr_assert_not_null(strstr(err.text, path), "the error names the path: %s", err.text);
    cr_assert_not_null(strstr(err.text, "No such file"), "%s", err.text);
    expect_rc(graft_disk_open(disk, path, GRAFT_OPEN_WRITE, &file, &err), GRAFT_ENOTFOUND, &err);
    unsigned exclusive = GRAFT_OPEN_WRITE | GRAFT_OPEN_CREATE | GRAFT_OPEN_EXCLUSIVE;
    expect_ok(graft_disk_open(disk, path, exclusive, &file, &err), &err);
    graft_file_close(file);
    file = NULL;
    expect_rc(graft_disk_open(disk, path, exclusive, &file, &err), GRAFT_EEXIST, &err);
    cr_assert_null(file);
}

Test(disk, a_file_opened_for_reading_cannot_be_written)
{
    graft_file_close(open_new("a"));
    struct graft_file *file = NULL;
    expect_ok(graft_disk_open(disk, graft_test_path(&dir, "a"), GRAFT_OPEN_READ, &file, &err),
              &err);
    expect_rc(graft_file_write(file, 0, "x", 1, &err), GRAFT_EIO, &err);
    graft_file_close(file);
}

Test(disk, a_descriptor_does_not_outlive_exec)
{
    struct graft_file *file = open_new("a");
    bool found = false;
    for (int fd = 3; fd < 100; fd++) {
        struct stat status;
        struct graft_entry entry;
        expect_ok(graft_disk_stat(disk, graft_test_path(&dir, "a"), &entry, &err), &err);
        if (fstat(fd, &status) != 0 || status.st_ino != entry.id[1] || status.st_dev != entry.id[0])
            continue;
        found = true;
        cr_assert((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    }
    cr_assert(found);
    graft_file_close(file);
}

Test(disk, a_temporary_file_has_no_name)
{
    struct graft_file *file = NULL;
    expect_ok(graft_disk_open(disk, dir.path, GRAFT_OPEN_TEMP, &file, &err), &err);
    expect_ok(graft_file_write(file, 0, "x", 1, &err), &err);
    char byte = 0;
    size_t got = 0;
    expect_ok(graft_file_read(file, 0, &byte, 1, &got, &err), &err);
    cr_assert_eq(byte, 'x');
    cr_assert_eq(rmdir(dir.path), 0, "the directory is empty");
    graft_file_close(file);
}

Test(disk, truncation_shrinks_and_grows_with_zeros)
{
    struct graft_file *file = open_new("a");
    expect_ok(graft_file_write(file, 0, "hello", 5, &err), &err);
    expect_ok(graft_file_truncate(file, 2, &err), &err);
    expect_ok(graft_file_truncate(file, 4, &err), &err);
    char bytes[8];
    size_t got = 0;
    expect_ok(graft_file_read(file, 0, bytes, sizeof bytes, &got, &err), &err);
    cr_assert_eq(got, 4);
    cr_assert_arr_eq(bytes, "he\0\0", 4);
    graft_file_close(file);
}

Test(disk, allocation_grows_the_file_and_keeps_its_bytes)
{
    struct graft_file *file = open_new("a");
    expect_ok(graft_file_write(file, 0, "hello", 5, &err), &err);
    expect_ok(graft_file_allocate(file, 0, 1U << 16, &err), &err);
    uint64_t size = 0;
    expect_ok(graft_file_size(file, &size, &err), &err);
    cr_assert_eq(size, 1U << 16);
    char bytes[6];
    size_t got = 0;
    expect_ok(graft_file_read(file, 0, bytes, sizeof bytes, &got, &err), &err);
    cr_assert_arr_eq(bytes, "hello\0", 6);
    graft_file_close(file);
}

Test(disk, a_punched_hole_reads_as_zeros_and_keeps_the_size)
{
    enum { size = 3 * 65536 };
    static char bytes[size];
    memset(bytes, 'x', size);
    struct graft_file *file = open_new("a");
    expect_ok(graft_file_write(file, 0, bytes, size, &err), &err);
    enum graft_rc rc = graft_file_punch(file, 65536, 65536, &err);
    if (rc == GRAFT_EUNSUPPORTED)
        skip("the file system makes no holes");
    cr_assert_eq(rc, GRAFT_OK, "%s", err.text);
    size_t got = 0;
    expect_ok(graft_file_read(file, 0, bytes, size, &got, &err), &err);
    cr_assert_eq(got, size);
    for (size_t i = 0; i < size; i++)
        cr_assert_eq(bytes[i], i / 65536 == 1 ? 0 : 'x', "byte %zu", i);
    graft_file_close(file);
}

Test(disk, a_hole_takes_no_space)
{
    enum { size = 1 << 20 };
    static char bytes[size];
    memset(bytes, 'x', size);
    struct graft_file *file = open_new("a");
    uint64_t sparse = 0, written = 0, punched = 0;
    expect_ok(graft_file_truncate(file, size, &err), &err);
    expect_ok(graft_file_space(file, &sparse, &err), &err);
    expect_ok(graft_file_write(file, 0, bytes, size, &err), &err);
    expect_ok(graft_file_sync(file, &err), &err);
    expect_ok(graft_file_space(file, &written, &err), &err);
    cr_assert_geq(written, size);
    cr_assert_leq(written, size + 65536);
    enum graft_rc rc = graft_file_punch(file, 0, size / 2, &err);
    if (rc == GRAFT_EUNSUPPORTED)
        skip("the file system makes no holes");
    cr_assert_eq(rc, GRAFT_OK, "%s", err.text);
    expect_ok(graft_file_space(file, &punched, &err), &err);
    cr_assert_leq(sparse, 65536);
    cr_assert_leq(punched, written - size / 2);
    graft_file_close(file);
}

Test(disk, stat_tells_kind_size_and_identity)
{
    write_file("a", "hello");
    expect_ok(graft_disk_make_directory(disk, graft_test_path(&dir, "d"), &err), &err);
    cr_assert_eq(link(graft_test_path(&dir, "a"), graft_test_path(&dir, "b")), 0);
    struct graft_entry a;
    struct graft_entry b;
    struct graft_entry d;
    expect_ok(graft_disk_stat(disk, graft_test_path(&dir, "a"), &a, &err), &err);
    expect_ok(graft_disk_stat(disk, graft_test_path(&dir, "b"), &b, &err), &err);
    expect_ok(graft_disk_stat(disk, graft_test_path(&dir, "d"), &d, &err), &err);
    cr_assert_eq(a.kind, GRAFT_ENTRY_FILE);
    cr_assert_eq(a.size, 5);
    cr_assert_eq(memcmp(a.id, b.id, sizeof a.id), 0);
    cr_assert_eq(d.kind, GRAFT_ENTRY_DIRECTORY);
    cr_assert_eq(d.size, 0);
    cr_assert_neq(memcmp(a.id, d.id, sizeof a.id), 0);
}

Test(disk, directories_are_made_one_level_or_all)
{
    expect_rc(graft_disk_make_directory(disk, graft_test_path(&dir, "x/y"), &err), GRAFT_ENOTFOUND,
              &err);
    struct graft_err untouched = {.rc = GRAFT_EBUG, .text = "as before"};
    expect_ok(graft_disk_make_directories(disk, graft_test_path(&dir, "x//y/z/"), &untouched),
              &untouched);
    cr_assert_eq(untouched.rc, GRAFT_EBUG, "success leaves the error record alone");
    cr_assert(exists("x/y/z"));
    expect_ok(graft_disk_make_directories(disk, graft_test_path(&dir, "x/y"), &err), &err);
    expect_rc(graft_disk_make_directory(disk, graft_test_path(&dir, "x"), &err), GRAFT_EEXIST,
              &err);
}

Test(disk, a_relative_path_of_directories_is_made)
{
    cr_assert_eq(chdir(dir.path), 0);
    expect_ok(graft_disk_make_directories(disk, "r/s", &err), &err);
    cr_assert(exists("r/s"));
    expect_ok(graft_disk_replace_file(disk, "bare", "x", 1, &err), &err);
    expect_content("bare", "x");
}

Test(disk, a_file_in_the_way_of_a_directory_is_an_error_that_names_it)
{
    write_file("a", "");
    expect_rc(graft_disk_make_directories(disk, graft_test_path(&dir, "a"), &err), GRAFT_EEXIST,
              &err);
    expect_rc(graft_disk_make_directories(disk, graft_test_path(&dir, "a/b"), &err), GRAFT_EEXIST,
              &err);
    cr_assert_not_null(strstr(err.text, graft_test_path(&dir, "a")), "%s", err.text);
}

Test(disk, remove_takes_files_and_empty_directories)
{
    write_file("d1", "");
    expect_ok(graft_disk_make_directories(disk, graft_test_path(&dir, "d2/d3"), &err), &err);
    expect_ok(graft_disk_remove(disk, graft_test_path(&dir, "d1"), &err), &err);
    expect_rc(graft_disk_remove(disk, graft_test_path(&dir, "d2"), &err), GRAFT_EEXIST, &err);
    expect_ok(graft_disk_remove(disk, graft_test_path(&dir, "d2/d3"), &err), &err);
    expect_ok(graft_disk_remove(disk, graft_test_path(&dir, "d2"), &err), &err);
    expect_rc(graft_disk_remove(disk, graft_test_path(&dir, "d2"), &err), GRAFT_ENOTFOUND, &err);
}

Test(disk, rename_without_replace_never_replaces)
{
    write_file("a", "new");
    write_file("b", "old");
    expect_rc(graft_disk_rename(disk, graft_test_path(&dir, "a"), graft_test_path(&dir, "b"), false,
                                &err),
              GRAFT_EEXIST, &err);
    expect_content("b", "old");
    expect_content("a", "new");
    expect_ok(graft_disk_rename(disk, graft_test_path(&dir, "a"), graft_test_path(&dir, "c"), false,
                                &err),
              &err);
    cr_assert(!exists("a"));
    expect_content("c", "new");
}

Test(disk, rename_with_replace_replaces)
{
    write_file("a", "new");
    write_file("b", "old");
    expect_ok(
        graft_disk_rename(disk, graft_test_path(&dir, "a"), graft_test_path(&dir, "b"), true, &err),
        &err);
    cr_assert(!exists("a"));
    expect_content("b", "new");
}

struct listing {
    unsigned files, directories, others;
    enum graft_rc answer;
};

static enum graft_rc count_entry(void *arg, const char *name, enum graft_entry_kind kind)
{
    struct listing *listing = arg;
    cr_assert(strcmp(name, ".") != 0 && strcmp(name, "..") != 0);
    listing->files += kind == GRAFT_ENTRY_FILE;
    listing->directories += kind == GRAFT_ENTRY_DIRECTORY;
    listing->others += kind == GRAFT_ENTRY_OTHER;
    return listing->answer;
}

Test(disk, list_names_every_entry_with_its_kind)
{
    for (int i = 0; i < 300; i++) {
        char name[16];
        snprintf(name, sizeof name, "f%d", i);
        graft_file_close(open_new(name));
    }
    expect_ok(graft_disk_make_directory(disk, graft_test_path(&dir, "d"), &err), &err);
    cr_assert_eq(symlink("f1", graft_test_path(&dir, "to_file")), 0);
    cr_assert_eq(symlink("nowhere", graft_test_path(&dir, "to_nothing")), 0);
    struct listing listing = {0};
    expect_ok(graft_disk_list(disk, dir.path, count_entry, &listing, &err), &err);
    cr_assert_eq(listing.files, 301);
    cr_assert_eq(listing.directories, 1);
    cr_assert_eq(listing.others, 1);
}

Test(disk, a_failing_visitor_ends_the_list)
{
    write_file("a", "");
    write_file("b", "");
    struct listing listing = {.answer = GRAFT_ECANCELED};
    expect_rc(graft_disk_list(disk, dir.path, count_entry, &listing, &err), GRAFT_ECANCELED, &err);
    cr_assert_eq(listing.files, 1);
}

Test(disk, read_file_refuses_more_than_its_cap)
{
    write_file("a", "hello");
    uint8_t *bytes = NULL;
    size_t size = 0;
    expect_rc(graft_disk_read_file(disk, graft_test_env()->alloc, graft_test_path(&dir, "a"), 4,
                                   &bytes, &size, &err),
              GRAFT_ELIMIT, &err);
    cr_assert_null(bytes);
}

Test(disk, a_path_that_is_too_long_is_an_error)
{
    static char path[2 * GRAFT_PATH_BYTES_MAX];
    memset(path, 'x', sizeof path - 1);
    expect_rc(graft_disk_replace_file(disk, path, "", 0, &err), GRAFT_ELIMIT, &err);
    expect_rc(graft_disk_make_directories(disk, path, &err), GRAFT_ELIMIT, &err);
    struct graft_file *file = NULL;
    expect_rc(graft_disk_open(disk, path, GRAFT_OPEN_READ, &file, &err), GRAFT_ELIMIT, &err);
}

Test(disk, syncs_reach_files_and_directories)
{
    struct graft_file *file = open_new("a");
    uint64_t before = disk->counts.syncs;
    expect_ok(graft_file_sync(file, &err), &err);
    expect_ok(graft_disk_sync_directory(disk, dir.path, &err), &err);
    cr_assert_eq(disk->counts.syncs, before + 2);
    expect_rc(graft_disk_sync_directory(disk, graft_test_path(&dir, "none"), &err), GRAFT_ENOTFOUND,
              &err);
    graft_file_close(file);
}

Test(disk, calls_are_counted)
{
    struct graft_disk_counts before = disk->counts;
    struct graft_file *file = open_new("a");
    expect_ok(graft_file_write(file, 0, "hello", 5, &err), &err);
    char bytes[10];
    size_t got = 0;
    expect_ok(graft_file_read(file, 0, bytes, sizeof bytes, &got, &err), &err);
    graft_file_close(file);
    cr_assert_eq(disk->counts.opens, before.opens + 1);
    cr_assert_eq(disk->counts.writes, before.writes + 1);
    cr_assert_eq(disk->counts.bytes_written, before.bytes_written + 5);
    cr_assert_eq(disk->counts.reads, before.reads + 1);
    cr_assert_eq(disk->counts.bytes_read, before.bytes_read + 5);
}

Test(disk, a_directory_without_permission_denies)
{
    if (geteuid() == 0)
        skip("nothing is denied to root");
    cr_assert_eq(chmod(dir.path, 0500), 0);
    struct graft_file *file = NULL;
    expect_rc(graft_disk_open(disk, graft_test_path(&dir, "a"),
                              GRAFT_OPEN_WRITE | GRAFT_OPEN_CREATE, &file, &err),
              GRAFT_EDENIED, &err);
    cr_assert_eq(chmod(dir.path, 0700), 0);
}

Test(disk, a_device_that_is_full_says_so)
{
    struct graft_file *file = NULL;
    expect_ok(graft_disk_open(disk, "/dev/full", GRAFT_OPEN_WRITE, &file, &err), &err);
    expect_rc(graft_file_write(file, 0, "x", 1, &err), GRAFT_EFULL, &err);
    cr_assert_str_eq(err.text, "write /dev/full: No space left on device");
    graft_file_close(file);
}
