/* The serializability checker finds each anomaly in a history made for it, names the transactions,
 * and lets pass what is none. Clients 0 to 9 are on replica 0, 10 to 19 on replica 1, and so on. */
#include <string.h>

#include "story.h"

TestSuite(serial, .init = story_begin, .fini = story_end, .timeout = 60);

Test(serial, passes_transactions_one_after_another)
{
    story_transaction(0, 1, "a1=1 a2=2");
    story_transaction(1, 2, "l1=1 a1=3 l1=1,3");
    story_transaction(0, 0, "l1=1,3 l2=2");
    story_transaction(10, 0, "l1=1 l2=2");
    story_transaction(0, 3, "w7=4");
    story_transaction(0, 4, "r7=4 w7=5 r7=5");
    story_transaction(11, 0, "r7=0");
    story_expect(story_serial(), "");
}

Test(serial, passes_a_replica_that_lags)
{
    story_transaction(0, 1, "a1=1");
    story_transaction(0, 2, "a1=2");
    story_transaction(10, 0, "l1=");
    story_transaction(10, 0, "l1=1");
    story_transaction(0, 0, "l1=1,2");
    story_expect(story_serial(), "");
}

Test(serial, finds_a_cycle_of_writes)
{
    story_transaction(0, 1, "a1=1 a2=1");
    story_transaction(10, 2, "a1=2 a2=2");
    story_transaction(20, 0, "l1=1,2 l2=2,1");
    struct workload_verdict verdict = story_serial();
    story_expect(verdict, "G0: a cycle of writes");
    cr_assert_not_null(strstr(verdict.text, "client 0's transaction 1 on replica 0"));
    cr_assert_not_null(strstr(verdict.text, "client 10's transaction 2 on replica 1"));
}

Test(serial, finds_a_read_of_what_failed)
{
    story_invoke(0, WORKLOAD_TRANSACTION, 9);
    story_steps(0, "a1=1");
    story_close(0, WORKLOAD_FAILED);
    story_transaction(1, 0, "l1=1");
    story_expect(story_serial(), "G1a: a read of what failed");
}

/* A transaction that is acknowledged and dropped by a reset later. */
static void dropped(uint32_t client, int64_t id, const char *steps)
{
    story_transaction(client, id, steps);
    story.order_count--;
}

Test(serial, passes_a_reading_of_what_its_own_replica_dropped_later)
{
    dropped(0, 1, "a1=1 w7=1");
    story_transaction(1, 0, "l1=1 r7=1");
    story_transaction(1, 2, "l1= a1=2");
    story_expect(story_serial(), "");
}

Test(serial, finds_that_another_replica_saw_what_was_dropped)
{
    dropped(0, 1, "w7=1");
    story_transaction(10, 0, "r7=1");
    story_expect(story_serial(), "G1a: a read of what was dropped, by one that was not");
}

Test(serial, finds_what_lasts_built_on_what_was_dropped)
{
    dropped(0, 1, "a1=1");
    story_transaction(0, 2, "l1=1 a2=2");
    story_expect(story_serial(), "G1a: a read of what was dropped, by one that was not");
}

Test(serial, finds_a_read_of_an_intermediate_version)
{
    story_transaction(0, 1, "a1=1 a1=2");
    story_transaction(10, 0, "l1=1");
    story_expect(story_serial(), "G1b: a read of what its writer wrote over");
}

Test(serial, finds_a_read_of_an_intermediate_value)
{
    story_transaction(0, 1, "w1=1 w1=2");
    story_transaction(10, 0, "r1=1");
    story_expect(story_serial(), "G1b: a read of what its writer wrote over");
}

Test(serial, finds_a_cycle_of_reads)
{
    story_transaction(0, 1, "a1=1 l2=2");
    story_transaction(10, 2, "a2=2 l1=1");
    story_expect(story_serial(), "G1c: a cycle of reads and writes");
}

Test(serial, finds_a_read_of_half_a_transaction)
{
    story_transaction(0, 1, "a1=1 a2=1");
    story_transaction(10, 0, "l1=1 l2=");
    story_transaction(20, 0, "l1=1 l2=1");
    story_expect(story_serial(), "G-single: a read that missed one write, and saw what came after");
}

Test(serial, finds_half_a_transaction_in_registers)
{
    story_transaction(0, 1, "r1=0 w1=1 r2=0 w2=2");
    story_transaction(10, 0, "r1=1 r2=0");
    story_expect(story_serial(), "G-single: a read that missed one write, and saw what came after");
}

Test(serial, finds_a_lost_update_of_a_list)
{
    story_transaction(0, 1, "l1= a1=1");
    story_transaction(10, 2, "l1= a1=2");
    story_transaction(20, 0, "l1=1,2");
    story_expect(story_serial(), "lost update: two read a version, and both replaced it");
}

Test(serial, finds_a_lost_update_of_a_register)
{
    story_transaction(0, 1, "w1=5");
    story_transaction(0, 2, "r1=5 w1=6");
    story_transaction(10, 3, "r1=5 w1=7");
    story_expect(story_serial(), "lost update: two read a version, and both replaced it");
}

Test(serial, finds_write_skew)
{
    story_transaction(0, 1, "l1= a2=2");
    story_transaction(10, 2, "l2= a1=1");
    story_transaction(20, 0, "l1=1 l2=2");
    story_expect(story_serial(), "G2: reads that missed each other's writes");
}

Test(serial, finds_lists_that_do_not_continue_each_other)
{
    story_transaction(0, 1, "a1=1");
    story_transaction(10, 2, "a1=2");
    story_transaction(0, 0, "l1=1,2");
    story_transaction(10, 0, "l1=2");
    story_expect(story_serial(), "two reads of a list do not continue each other");
}

Test(serial, finds_a_value_that_nobody_wrote)
{
    story_transaction(0, 1, "a1=1");
    story_transaction(0, 0, "l1=1,8");
    story_expect(story_serial(), "a value that nobody wrote");
}

Test(serial, finds_a_transaction_that_does_not_see_its_own_write)
{
    story_transaction(0, 1, "l1= a1=1 l1=");
    story_expect(story_serial(), "a transaction does not see what itself did or saw");
}

Test(serial, finds_a_reading_that_changes_in_one_transaction)
{
    story_transaction(0, 1, "w1=1");
    story_transaction(10, 0, "r1=0 r1=1");
    story_expect(story_serial(), "a transaction does not see what itself did or saw");
}

Test(serial, finds_a_replica_that_goes_back)
{
    story_transaction(0, 1, "a1=1");
    story_transaction(0, 0, "l1=1");
    story_transaction(1, 0, "l1=");
    story_expect(story_serial(), "G-single: a read that missed what was there before it began");
}

Test(serial, finds_a_read_out_of_the_future)
{
    story_transaction(0, 0, "l1=1");
    story_transaction(0, 1, "a1=1");
    story_expect(story_serial(), "G1c: a cycle of reads and writes, against their order");
}

Test(serial, passes_transactions_that_overlap)
{
    story_invoke(0, WORKLOAD_TRANSACTION, 0);
    story_transaction(1, 1, "a1=1");
    story_transaction(2, 0, "l1=1");
    story_steps(0, "l1=");
    story_close(0, WORKLOAD_OK);
    story_expect(story_serial(), "");
}

/* Nobody knows whether it committed, and in the final state it is there. */
static void append_in_doubt(void)
{
    story.order[story.order_count++] = workload_history_count(story.history);
    story_invoke(0, WORKLOAD_TRANSACTION, 1);
    story_steps(0, "a1=1");
    story_close(0, WORKLOAD_UNKNOWN);
}

Test(serial, passes_a_read_before_a_commit_in_doubt_comes_to_count)
{
    append_in_doubt();
    story_transaction(0, 0, "l1=");
    story_transaction(0, 0, "l1=1");
    story_expect(story_serial(), "");
}

Test(serial, finds_a_commit_in_doubt_that_counts_and_then_does_not)
{
    append_in_doubt();
    story_transaction(0, 0, "l1=1");
    story_transaction(0, 0, "l1=");
    story_expect(story_serial(), "G-single: a read that missed what was there before it began");
}

Test(serial, replay_passes_what_each_saw_at_its_place)
{
    story_transaction(0, 1, "l1= a1=1 r7=0 w7=1");
    story_transaction(10, 2, "l1=1 a1=2 l1=1,2 r7=1");
    story_expect(story_replay(), "");
}

Test(serial, replay_finds_a_read_of_an_old_state)
{
    story_transaction(0, 1, "w7=1");
    story_transaction(0, 2, "w7=2");
    story_transaction(10, 3, "r7=1 w8=3");
    story_expect(story_replay(), "a read is not what the transactions before it left");
}

Test(serial, replay_finds_an_element_that_is_missing)
{
    story_transaction(0, 1, "a1=1");
    story_transaction(0, 2, "a1=2");
    story_transaction(10, 3, "l1=1 a1=3");
    story_expect(story_replay(), "a read is not what the transactions before it left");
}
