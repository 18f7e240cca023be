/* Locks between openers, in one process and in several. */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/parts.h"
#include "support/expect.h"
#include "support/testing.h"

static struct graft_test_dir dir;
static struct graft_shm *shm;
static struct graft_err err;

static void set_up(void)
{
    graft_test_dir_make(&dir);
    shm = graft_test_env()->shm;
}

static void tear_down(void)
{
    graft_test_dir_remove(&dir);
}

TestSuite(locks, .init = set_up, .fini = tear_down);

static struct graft_locks *open_locks(void)
{
    struct graft_locks *locks = NULL;
    expect_ok(graft_locks_open(shm, graft_test_path(&dir, "locks"), &locks, &err), &err);
    return locks;
}

static bool try_lock(struct graft_locks *locks, uint32_t index, bool exclusive)
{
    bool granted = false;
    expect_ok(graft_lock_try(locks, index, exclusive, &granted, &err), &err);
    return granted;
}

Test(locks, two_openers_in_one_process_conflict)
{
    struct graft_locks *a = open_locks();
    struct graft_locks *b = open_locks();
    cr_assert(try_lock(a, 3, true));
    cr_assert(!try_lock(b, 3, true));
    cr_assert(!try_lock(b, 3, false));
    graft_lock_release(a, 3);
    cr_assert(try_lock(b, 3, true));
    graft_locks_close(a);
    graft_locks_close(b);
}

Test(locks, indexes_are_independent)
{
    struct graft_locks *a = open_locks();
    struct graft_locks *b = open_locks();
    cr_assert(try_lock(a, 3, true));
    cr_assert(try_lock(b, 2, true));
    cr_assert(try_lock(b, 4, true));
    cr_assert(try_lock(b, UINT32_MAX, true));
    cr_assert(!try_lock(a, UINT32_MAX, false));
    /* Releasing one of three neighbours keeps the others. */
    cr_assert(try_lock(a, 10, true) && try_lock(a, 11, true) && try_lock(a, 12, true));
    graft_lock_release(a, 11);
    cr_assert(!try_lock(b, 10, false) && try_lock(b, 11, true) && !try_lock(b, 12, false));
    graft_locks_close(a);
    graft_locks_close(b);
}

Test(locks, readers_share_and_convert_when_alone)
{
    struct graft_locks *a = open_locks();
    struct graft_locks *b = open_locks();
    cr_assert(try_lock(a, 0, false));
    cr_assert(try_lock(b, 0, false));
    cr_assert(!try_lock(a, 0, true));
    graft_lock_release(b, 0);
    cr_assert(try_lock(a, 0, true));
    cr_assert(!try_lock(b, 0, false));
    cr_assert(try_lock(a, 0, false), "an exclusive lock can be lowered");
    cr_assert(try_lock(b, 0, false));
    graft_locks_close(a);
    graft_locks_close(b);
}

Test(locks, a_failed_conversion_leaves_what_was_held)
{
    struct graft_locks *a = open_locks();
    struct graft_locks *b = open_locks();
    cr_assert(try_lock(a, 0, false));
    cr_assert(try_lock(b, 0, false));
    cr_assert(!try_lock(a, 0, true));
    graft_lock_release(b, 0);
    cr_assert(!try_lock(b, 0, true), "the shared lock is still there");
    graft_locks_close(a);
    graft_locks_close(b);
}

Test(locks, closing_releases)
{
    struct graft_locks *a = open_locks();
    struct graft_locks *b = open_locks();
    cr_assert(try_lock(a, 0, true));
    graft_locks_close(a);
    cr_assert(try_lock(b, 0, true));
    graft_locks_close(b);
}

/* A child that opens the lock file itself, takes lock 0, writes a byte to `ready`, and waits to be
 * killed. */
static pid_t fork_holder(int ready[2])
{
    cr_assert_eq(pipe(ready), 0);
    pid_t child = fork();
    if (child != 0)
        return child;
    struct graft_locks *own = NULL;
    bool granted = false;
    if (graft_locks_open(shm, graft_test_path(&dir, "locks"), &own, NULL) != GRAFT_OK ||
        graft_lock_try(own, 0, true, &granted, NULL) != GRAFT_OK)
        _exit(1);
    if (write(ready[1], granted ? "y" : "n", 1) != 1)
        _exit(1);
    for (;;)
        pause();
}

Test(locks, processes_conflict_and_death_releases, .timeout = 30)
{
    int ready[2];
    pid_t child = fork_holder(ready);
    char byte = 0;
    cr_assert_eq(read(ready[0], &byte, 1), 1);
    cr_assert_eq(byte, 'y');
    struct graft_locks *locks = open_locks();
    cr_assert(!try_lock(locks, 0, true));
    cr_assert(!try_lock(locks, 0, false));
    cr_assert_eq(kill(child, SIGKILL), 0);
    cr_assert_eq(waitpid(child, NULL, 0), child);
    cr_assert(try_lock(locks, 0, true));
    graft_locks_close(locks);
}

Test(locks, closing_another_opener_of_the_file_releases_nothing)
{
    struct graft_locks *a = open_locks();
    cr_assert(try_lock(a, 0, true));
    graft_locks_close(open_locks());
    struct graft_locks *b = open_locks();
    cr_assert(!try_lock(b, 0, true));
    graft_locks_close(a);
    graft_locks_close(b);
}

Test(locks, file_systems_of_other_machines_are_not_trusted)
{
    cr_assert_str_eq(graft_host_distrusted_fs(0x6969), "NFS");
    cr_assert_str_eq(graft_host_distrusted_fs(0x517B), "SMB");
    cr_assert_str_eq(graft_host_distrusted_fs(0xFF534D42), "CIFS");
    cr_assert_str_eq(graft_host_distrusted_fs(0xFFFFFFFFFF534D42), "CIFS", "a signed f_type");
    cr_assert_str_eq(graft_host_distrusted_fs(0x01021997), "9P");
    cr_assert_null(graft_host_distrusted_fs(0xEF53), "ext4");
    cr_assert_null(graft_host_distrusted_fs(0x01021994), "tmpfs");
}

Test(locks, a_lock_file_that_cannot_be_made_is_an_error)
{
    struct graft_locks *locks = NULL;
    expect_rc(graft_locks_open(shm, graft_test_path(&dir, "no/locks"), &locks, &err),
              GRAFT_ENOTFOUND, &err);
    cr_assert_null(locks);
    cr_assert_not_null(strstr(err.text, "no/locks"));
}
