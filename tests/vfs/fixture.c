/* The fixture of the VFS's tests. */
#include "fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct fixture fix;

static void keep_log(void *arg, int code, const char *text)
{
    (void)arg;
    (void)code;
    size_t length = strlen(fix.log);
    size_t more = strlen(text) + 1;
    if (length + more >= sizeof fix.log)
        length = 0;
    snprintf(fix.log + length, sizeof fix.log - length, "%s\n", text);
}

void fixture_init(void)
{
    struct graft_err err = {0};
    cr_assert_eq(sqlite3_config(SQLITE_CONFIG_LOG, keep_log, NULL), SQLITE_OK);
    graft_test_dir_make(&fix.dir);
    graft_fault_env_init(&fix.faulty, graft_test_env());
    expect_ok(graft_process_new(&fix.faulty.env, &fix.process, &err), &err);
    expect_ok(graft_vfs_register(fix.process, &fix.faulty.env, "graft", NULL, &fix.vfs, &err),
              &err);
}

void fixture_fini(void)
{
    graft_vfs_unregister(fix.vfs);
    graft_process_free(fix.process);
    graft_test_dir_remove(&fix.dir);
}

int open_code(const char *name, const char *parameters, int flags)
{
    char uri[2048];
    sqlite3 *db = NULL;
    snprintf(uri, sizeof uri, "file:%s/%s?vfs=graft%s", fix.dir.path, name, parameters);
    int code = sqlite3_open_v2(uri, &db, flags | SQLITE_OPEN_URI, NULL);
    if (code != SQLITE_OK)
        code = sqlite3_extended_errcode(db);
    sqlite3_close(db);
    return code;
}

static sqlite3 *open_uri(const char *uri)
{
    sqlite3 *db = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI;
    int code = sqlite3_open_v2(uri, &db, flags, NULL);
    cr_assert_eq(code, SQLITE_OK, "%s: %s; log: %s", uri, sqlite3_errmsg(db), fix.log);
    sqlite3_extended_result_codes(db, 1);
    return db;
}

sqlite3 *open_db(const char *name, const char *parameters)
{
    char uri[2048];
    snprintf(uri, sizeof uri, "file:%s/%s?vfs=graft%s", fix.dir.path, name, parameters);
    return open_uri(uri);
}

sqlite3 *open_plain(const char *name)
{
    return open_uri(graft_test_path(&fix.dir, name));
}

void close_db(sqlite3 *db)
{
    cr_assert_eq(sqlite3_close(db), SQLITE_OK);
}

int run_code(sqlite3 *db, const char *sql)
{
    int code = sqlite3_exec(db, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? SQLITE_OK : sqlite3_extended_errcode(db);
}

void run(sqlite3 *db, const char *sql)
{
    int code = run_code(db, sql);
    cr_assert_eq(code, SQLITE_OK, "%.200s: %d: %s; log: %s", sql, code, sqlite3_errmsg(db),
                 fix.log);
}

struct text {
    char *at;
    char *end;
};

static int add_row(void *arg, int columns, char **values, char **names)
{
    (void)names;
    struct text *text = arg;
    for (int i = 0; i < columns; i++) {
        const char *separator = i > 0 ? "|" : text->at[0] == '\1' ? "" : " ";
        int added = snprintf(text->at, (size_t)(text->end - text->at), "%s%s", separator,
                             values[i] != NULL ? values[i] : "-");
        text->at += added;
        cr_assert(text->at < text->end, "too long an answer for a test");
    }
    return 0;
}

const char *rows(sqlite3 *db, const char *sql)
{
    static char buffers[8][16384];
    static int next;
    char *buffer = buffers[next++ % 8];
    struct text text = {.at = buffer, .end = buffer + sizeof buffers[0]};
    strcpy(buffer, "\1");
    int code = sqlite3_exec(db, sql, add_row, &text, NULL);
    cr_assert_eq(code, SQLITE_OK, "%.200s: %d: %s; log: %s", sql, code, sqlite3_errmsg(db),
                 fix.log);
    if (buffer[0] == '\1')
        buffer[0] = '\0';
    return buffer;
}

sqlite3_int64 number(sqlite3 *db, const char *sql)
{
    long long value = -1;
    cr_assert_eq(sscanf(rows(db, sql), "%lld", &value), 1, "%s is no number", sql);
    return value;
}

const char *remote_url(const char *name)
{
    static char buffers[16][1024];
    static int next;
    char *buffer = buffers[next++ % 16];
    snprintf(buffer, sizeof buffers[0], "file://%s/%s", fix.dir.path, name);
    return buffer;
}

sqlite3 *open_replica(const char *name, const char *remote)
{
    char parameters[1200];
    snprintf(parameters, sizeof parameters, "&remote=%s", remote_url(remote));
    return open_db(name, parameters);
}

bool there(const char *name)
{
    return access(graft_test_path(&fix.dir, name), F_OK) == 0;
}

int count_files(const char *prefix)
{
    int count = 0;
    DIR *directory = opendir(fix.dir.path);
    cr_assert_not_null(directory);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        count += strncmp(entry->d_name, prefix, strlen(prefix)) == 0 && entry->d_name[0] != '.';
    closedir(directory);
    return count;
}
