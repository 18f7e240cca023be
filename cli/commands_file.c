/* import and export: plain SQLite files into databases and out of them. */
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "cli.h"
#include "progress.h"
#include "vfs/backup.h"
#include "vfs/vfs.h"

#define VFS_NAME "graft"

static int keep_first(void *arg, int count, char **values, char **names)
{
    (void)names;
    char *text = arg;
    if (text[0] == '\0' && count > 0 && values[0] != NULL)
        (void)snprintf(text, 256, "%s", values[0]);
    return 0;
}

/* Has SQLite check the new database as a whole; the pages of a source that was damaged are no
 * database here either. */
static enum graft_rc check_copy(const char *file, const char *directory, struct graft_err *err)
{
    sqlite3 *db = NULL;
    char text[256] = "";
    int code = sqlite3_open_v2(directory, &db, SQLITE_OPEN_READWRITE, VFS_NAME);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db, "PRAGMA integrity_check(1)", keep_first, text, NULL);
    enum graft_rc rc = GRAFT_OK;
    if (code != SQLITE_OK)
        rc = graft_err_set(err, code == SQLITE_CORRUPT ? GRAFT_ECORRUPT : GRAFT_EIO,
                           "%s: the copy cannot be checked: %s", file,
                           db != NULL ? sqlite3_errmsg(db) : sqlite3_errstr(code));
    else if (strcmp(text, "ok") != 0)
        rc = graft_err_set(err, GRAFT_ECORRUPT, "%s: is damaged: %s; repair it first (.recover)",
                           file, text);
    (void)sqlite3_close(db);
    return rc;
}

static enum graft_rc copy_in(struct cli *cli, const char *file, const char *directory,
                             uint64_t *pages, struct graft_err *err)
{
    struct graft_vfs *vfs = NULL;
    GRAFT_TRY(graft_vfs_register(cli->process, cli->env, VFS_NAME, NULL, &vfs, err));
    struct cli_progress progress;
    cli_progress_begin(&progress, cli);
    enum graft_rc rc = graft_backup_import(VFS_NAME, file, directory, NULL, cli_progress_step,
                                           &progress, pages, err);
    cli_progress_end(&progress);
    if (rc == GRAFT_OK)
        rc = check_copy(cli->args[0], directory, err);
    graft_vfs_unregister(vfs);
    return rc;
}

/* A database that never had a commit is what an import that was killed leaves behind: it is taken
 * up again. */
static enum graft_rc open_empty(struct cli *cli, const char *directory,
                                const struct graft_volume_options *options,
                                struct graft_volume **out, struct graft_err *err)
{
    struct graft_volume *volume = NULL;
    struct graft_status status;
    GRAFT_TRY(graft_volume_open(cli->process, directory, options, &volume, err));
    enum graft_rc rc = graft_status(volume, &status, err);
    if (rc == GRAFT_OK && (status.local_lsn > 0 || status.remote_lsn > 0))
        rc = graft_err_set(err, GRAFT_EEXIST, "%s: holds a Graft database already", directory);
    if (rc != GRAFT_OK) {
        graft_volume_close(volume);
        return rc;
    }
    *out = volume;
    return GRAFT_OK;
}

/* Makes the database first, so that a bad directory or remote is named as what it is, and takes it
 * away again when the rest fails. */
static enum graft_rc import_file(struct cli *cli, const char *file, const char *directory,
                                 uint64_t *pages, struct graft_err *err)
{
    struct graft_entry entry;
    GRAFT_TRY(graft_disk_stat(cli->env->disk, file, &entry, err));
    if (entry.kind == GRAFT_ENTRY_DIRECTORY)
        return graft_err_set(err, GRAFT_EINVAL, "%s: is a directory; name a SQLite database file",
                             cli->args[0]);
    struct graft_volume_options options = {.remote_url = cli->remote};
    struct graft_volume *volume = NULL;
    bool made = false;
    if (graft_volume_exists(cli->env, directory))
        GRAFT_TRY(open_empty(cli, directory, &options, &volume, err));
    else
        GRAFT_TRY(cli_volume_create(cli, directory, &options, &volume, &made, err));
    enum graft_rc rc = copy_in(cli, file, directory, pages, err);
    graft_volume_close(volume);
    if (rc != GRAFT_OK)
        cli_path_remove_new(cli, directory, made);
    return rc;
}

enum cli_exit cli_import(struct cli *cli)
{
    enum cli_exit code = CLI_FAILED;
    struct graft_err err = {.rc = GRAFT_OK};
    uint64_t pages = 0;
    char *file = cli_path_absolute(cli, cli->args[0]);
    char *directory = file != NULL ? cli_path_absolute(cli, cli->args[1]) : NULL;
    if (directory != NULL) {
        enum graft_rc rc = import_file(cli, file, directory, &pages, &err);
        code = rc == GRAFT_OK ? CLI_OK : cli_fail_err(cli, rc, &err);
        if (rc == GRAFT_OK)
            (void)printf("%s: %" PRIu64 " pages imported\n", cli->args[1], pages);
    }
    free(directory);
    free(file);
    return code;
}

/* `file` with `suffix`; ELIMIT when that is too long. */
static enum graft_rc beside(const char *file, const char *suffix, char out[GRAFT_PATH_BYTES_MAX],
                            struct graft_err *err)
{
    int length = snprintf(out, GRAFT_PATH_BYTES_MAX, "%s%s", file, suffix);
    if (length < 0 || (size_t)length >= GRAFT_PATH_BYTES_MAX)
        return graft_err_set(err, GRAFT_ELIMIT, "%s: the path is too long", file);
    return GRAFT_OK;
}

/* A journal or WAL beside the file belongs to what is to be replaced; SQLite would apply it to the
 * new file. */
static enum graft_rc check_replaceable(struct cli *cli, const char *file, struct graft_err *err)
{
    static const char *const suffixes[] = {"-journal", "-wal"};
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        char path[GRAFT_PATH_BYTES_MAX];
        struct graft_entry entry;
        GRAFT_TRY(beside(file, suffixes[i], path, err));
        if (graft_disk_stat(cli->env->disk, path, &entry, NULL) == GRAFT_OK)
            return graft_err_set(err, GRAFT_EBUSY,
                                 "%s: is in use, or was not closed in order: %s is there",
                                 cli->args[1], path);
    }
    return GRAFT_OK;
}

/* Exports under another name first, then takes the place of the file that is there. */
static enum graft_rc replace_file(struct cli *cli, struct graft_volume *volume, const char *file,
                                  struct cli_progress *progress, uint64_t *pages,
                                  struct graft_err *err)
{
    struct graft_disk *disk = cli->env->disk;
    char path[GRAFT_PATH_BYTES_MAX];
    GRAFT_TRY(check_replaceable(cli, file, err));
    GRAFT_TRY(beside(file, ".graft-export", path, err));
    enum graft_rc rc = graft_disk_remove(disk, path, err);
    if (rc != GRAFT_OK && rc != GRAFT_ENOTFOUND)
        return rc;
    GRAFT_TRY(graft_backup_export(cli->env, volume, path, cli_progress_step, progress, pages, err));
    rc = graft_disk_rename(disk, path, file, true, err);
    if (rc != GRAFT_OK) {
        enum graft_rc ignored = graft_disk_remove(disk, path, NULL);
        (void)ignored;
        return rc;
    }
    char *slash = strrchr(path, '/');
    slash[slash == path ? 1 : 0] = '\0';
    return graft_disk_sync_directory(disk, path, err);
}

static enum graft_rc export_file(struct cli *cli, struct graft_volume *volume, const char *file,
                                 uint64_t *pages, struct graft_err *err)
{
    struct graft_entry entry;
    enum graft_rc rc = graft_disk_stat(cli->env->disk, file, &entry, err);
    if (rc != GRAFT_OK && rc != GRAFT_ENOTFOUND)
        return rc;
    bool exists = rc == GRAFT_OK;
    if (exists && entry.kind != GRAFT_ENTRY_FILE)
        return graft_err_set(err, GRAFT_EINVAL, "%s: is not a file", cli->args[1]);
    if (exists && !cli->force)
        return graft_err_set(err, GRAFT_EEXIST, "%s: exists; say --force to replace it",
                             cli->args[1]);
    struct cli_progress progress;
    cli_progress_begin(&progress, cli);
    rc = exists ? replace_file(cli, volume, file, &progress, pages, err)
                : graft_backup_export(cli->env, volume, file, cli_progress_step, &progress, pages,
                                      err);
    cli_progress_end(&progress);
    return rc;
}

enum cli_exit cli_export(struct cli *cli)
{
    char *file = cli_path_absolute(cli, cli->args[1]);
    if (file == NULL)
        return CLI_FAILED;
    enum cli_exit code = CLI_OK;
    struct graft_err err = {.rc = GRAFT_OK};
    struct graft_volume *volume = NULL;
    uint64_t pages = 0;
    enum graft_rc rc = cli_volume_open(cli, &volume, &err);
    if (rc == GRAFT_OK)
        rc = export_file(cli, volume, file, &pages, &err);
    graft_volume_close(volume);
    if (rc == GRAFT_OK)
        (void)printf("%s: %" PRIu64 " pages exported\n", cli->args[1], pages);
    else
        code = cli_fail_err(cli, rc, &err);
    free(file);
    return code;
}
