/* Survival: what was promised of commits, pushes and resets is held against surveys. Clients 0 to 9
 * are on replica 0, 10 to 19 on replica 1. */
#include "story.h"

TestSuite(survival, .init = story_begin, .fini = story_end, .timeout = 60);

static void commit(uint32_t client, int64_t id)
{
    story_did(client, WORKLOAD_TRANSACTION, id, WORKLOAD_OK);
}

static void did(uint32_t client, enum workload_kind kind)
{
    story_did(client, kind, 0, WORKLOAD_OK);
}

Test(survival, passes_commits_that_are_there)
{
    commit(0, 1);
    commit(1, 2);
    SURVEY(0, 1, 2);
    did(0, WORKLOAD_PUSH);
    did(10, WORKLOAD_PULL);
    commit(10, 3);
    SURVEY(10, 1, 2, 3);
    did(10, WORKLOAD_PUSH);
    SURVEY(0, 1, 2, 3);
    story_expect(story_survival(false), "");
}

Test(survival, finds_a_lost_commit)
{
    commit(0, 1);
    commit(0, 2);
    SURVEY(1, 1);
    story_expect(story_survival(false), "an acknowledged commit is lost");
}

Test(survival, passes_a_lost_commit_where_disks_lie)
{
    commit(0, 1);
    commit(0, 2);
    SURVEY(1, 1);
    story_expect(story_survival(true), "");
}

Test(survival, passes_commits_that_a_reset_dropped)
{
    commit(0, 1);
    did(0, WORKLOAD_PUSH);
    commit(0, 2);
    did(1, WORKLOAD_RESET);
    SURVEY(0, 1);
    story_expect(story_survival(false), "");
}

Test(survival, finds_a_commit_lost_after_a_reset)
{
    did(0, WORKLOAD_RESET);
    commit(0, 1);
    SURVEY(0, 0);
    story_expect(story_survival(false), "a transaction that nobody made");
    story_end();
    story_begin();
    commit(0, 1);
    did(0, WORKLOAD_PUSH);
    did(0, WORKLOAD_RESET);
    commit(0, 2);
    SURVEY(0, 1);
    story_expect(story_survival(false), "an acknowledged commit is lost");
}

Test(survival, passes_what_a_client_may_have_dropped_that_died_in_a_reset)
{
    commit(0, 1);
    story_invoke(1, WORKLOAD_RESET, 0);
    commit(0, 2);
    story_survey(0, NULL, 0);
    story_expect(story_survival(false), "");
}

Test(survival, finds_a_commit_lost_after_the_death_of_who_reset)
{
    commit(0, 1);
    story_invoke(1, WORKLOAD_RESET, 0);
    workload_history_died(story.history, 1);
    commit(0, 2);
    story_survey(0, NULL, 0);
    story_expect(story_survival(false), "an acknowledged commit is lost");
}

Test(survival, finds_a_lost_push)
{
    commit(0, 1);
    did(0, WORKLOAD_PUSH);
    did(0, WORKLOAD_RESET);
    SURVEY(0, 1);
    story_survey(10, NULL, 0);
    story_expect(story_survival(false), "a pushed commit is lost");
}

Test(survival, finds_that_what_another_replica_saw_is_lost)
{
    commit(0, 1);
    SURVEY(10, 1);
    did(0, WORKLOAD_RESET);
    did(10, WORKLOAD_RESET);
    story_survey(0, NULL, 0);
    story_survey(10, NULL, 0);
    story_expect(story_survival(false), "what another replica saw is lost");
}

Test(survival, finds_the_effect_of_what_failed)
{
    story_did(0, WORKLOAD_TRANSACTION, 1, WORKLOAD_FAILED);
    SURVEY(0, 1);
    story_expect(story_survival(false), "a transaction that failed took effect");
}

Test(survival, passes_both_outcomes_of_what_is_unknown)
{
    story_did(0, WORKLOAD_TRANSACTION, 1, WORKLOAD_UNKNOWN);
    story_invoke(1, WORKLOAD_TRANSACTION, 2);
    SURVEY(0, 1);
    story_expect(story_survival(false), "");
}

Test(survival, finds_a_transaction_that_took_effect_twice)
{
    commit(0, 1);
    SURVEY(0, 1, 1);
    story_expect(story_survival(false), "a transaction took effect twice");
}

Test(survival, finds_a_dropped_commit_that_came_back)
{
    commit(0, 1);
    did(0, WORKLOAD_RESET);
    story_survey(0, NULL, 0);
    SURVEY(0, 1);
    story_expect(story_survival(false), "a dropped commit came back");
}

Test(survival, finds_replicas_that_disagree_on_the_order)
{
    commit(0, 1);
    commit(10, 2);
    SURVEY(10, 2, 1);
    SURVEY(0, 1, 2);
    SURVEY(10, 1, 2);
    story_expect(story_survival(true), "replicas disagree on the order of transactions");
}

Test(survival, finds_replicas_that_differ_in_the_end)
{
    commit(0, 1);
    did(0, WORKLOAD_PUSH);
    story_survey(10, NULL, 0);
    SURVEY(0, 1);
    story_expect(story_survival(false), "replicas differ in the end");
}

/* ---- The history as text ---- */

struct file {
    char text[8192];
    size_t size;
};

static bool append_text(void *arg, const char *line, size_t size)
{
    struct file *file = arg;
    memcpy(file->text + file->size, line, size);
    file->size += size;
    return true;
}

static void write_story(struct file *file)
{
    struct workload_history *out = workload_history_to(graft_test_env()->alloc, append_text, file);
    static const int64_t list[] = {5, -6};
    struct workload_step steps[] = {
        {.kind = WORKLOAD_READ_LIST, .key = 1, .bytes = list, .size = sizeof list},
        {.kind = WORKLOAD_STATEMENT,
         .key = 19,
         .value = INT64_MIN,
         .bytes = "SELECT '\n'",
         .size = 10},
    };
    workload_history_invoke(out, 3, 1, WORKLOAD_TRANSACTION, 77);
    workload_history_invoke(out, 4, 0, WORKLOAD_PUSH, 0);
    workload_history_did(out, 3, steps, 2);
    workload_history_end(out, 4, WORKLOAD_OK);
    workload_history_end(out, 3, WORKLOAD_FAILED);
    cr_assert_not(workload_history_failed(out));
    workload_history_free(out);
}

Test(survival, a_history_is_the_same_after_a_file)
{
    static struct file file;
    write_story(&file);
    cr_assert_eq(workload_history_parse(story.history, file.text, file.size), 0);
    cr_assert_eq(workload_history_count(story.history), 2);
    const struct workload_record *record = workload_history_at(story.history, 0);
    cr_assert_eq(record->client, 3);
    cr_assert_eq(record->replica, 1);
    cr_assert_eq(record->id, 77);
    cr_assert_eq(record->outcome, WORKLOAD_FAILED);
    cr_assert_eq(record->ended, 4);
    cr_assert_eq(record->step_count, 2);
    struct workload_step step = workload_history_step(story.history, record->first_step);
    cr_assert_eq(step.size, 16);
    cr_assert_eq(((const int64_t *)step.bytes)[1], -6);
    step = workload_history_step(story.history, record->first_step + 1);
    cr_assert_eq(step.value, INT64_MIN);
    cr_assert_eq(memcmp(step.bytes, "SELECT '\n'", 10), 0);
}

Test(survival, a_history_cut_anywhere_loses_its_end_alone)
{
    static struct file file;
    write_story(&file);
    for (size_t cut = 0; cut < file.size; cut++) {
        struct workload_history *history = workload_history_new(graft_test_env()->alloc);
        size_t left_out = workload_history_parse(history, file.text, cut);
        cr_assert_leq(left_out, 1);
        cr_assert_leq(workload_history_count(history), 2);
        /* What others wrote after the cut is read. */
        cr_assert_eq(workload_history_parse(history, "\nI 9 0 1 0 .\n", 13), 0);
        size_t count = workload_history_count(history);
        cr_assert_eq(workload_history_at(history, count - 1)->client, 9);
        workload_history_free(history);
    }
}

Test(survival, a_history_with_flipped_bytes_is_read_or_refused_line_by_line)
{
    static struct file file;
    write_story(&file);
    for (size_t at = 0; at < file.size; at++) {
        for (int bit = 0; bit < 8; bit++) {
            struct workload_history *history = workload_history_new(graft_test_env()->alloc);
            file.text[at] ^= (char)(1 << bit);
            (void)workload_history_parse(history, file.text, file.size);
            cr_assert_leq(workload_history_count(history), 3);
            file.text[at] ^= (char)(1 << bit);
            workload_history_free(history);
        }
    }
}
