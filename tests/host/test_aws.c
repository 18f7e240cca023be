/* Where keys, region and endpoint come from: variables, the shared files, and in which order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "support/expect.h"
#include "support/testing.h"

static struct graft_test_dir dir;
static struct graft_aws aws;
static struct graft_err err;

static void set_up(void)
{
    static const char *const names[] = {
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_S3",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_CONFIG_FILE",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unsetenv(names[i]);
    graft_test_dir_make(&dir);
    setenv("HOME", dir.path, 1);
    memset(&aws, 'x', sizeof aws);
}

static void tear_down(void)
{
    graft_test_dir_remove(&dir);
}

TestSuite(aws, .init = set_up, .fini = tear_down);

static void write_file(const char *name, const char *text)
{
    (void)mkdir(graft_test_path(&dir, ".aws"), 0700);
    FILE *file = fopen(graft_test_path(&dir, name), "w");
    cr_assert_not_null(file);
    cr_assert_geq(fputs(text, file), 0);
    cr_assert_eq(fclose(file), 0);
}

static void look(void)
{
    expect_ok(graft_net_aws(graft_test_env()->net, &aws, &err), &err);
}

static void expect_refused(enum graft_rc rc, const char *why)
{
    memset(&aws, 'x', sizeof aws);
    expect_rc(graft_net_aws(graft_test_env()->net, &aws, &err), rc, &err);
    cr_assert(strstr(err.text, why) != NULL, "%s", err.text);
    cr_assert(strstr(err.text, "hush") == NULL, "%s", err.text);
    cr_assert_eq(aws.access_key[0], 'x');
}

static void expect_keys(const char *access, const char *secret, const char *token,
                        const char *source)
{
    look();
    cr_assert_str_eq(aws.access_key, access);
    cr_assert_str_eq(aws.secret_key, secret);
    cr_assert_str_eq(aws.session_token, token);
    cr_assert(strstr(aws.key_source, source) != NULL, "%s", aws.key_source);
}

static const char *const credentials = "# mine\n"
                                       "[default]\n"
                                       "aws_access_key_id = AKD\n"
                                       "aws_secret_access_key=hush-d\r\n"
                                       "\n"
                                       "[other]\n"
                                       "aws_access_key_id = AKO\n"
                                       "aws_secret_access_key = hush-o==\n"
                                       "aws_session_token = hush-token\n";

Test(aws, nothing_is_said_where_nothing_is)
{
    expect_keys("", "", "", "");
    cr_assert_str_eq(aws.region, "");
    cr_assert_str_eq(aws.endpoint, "");
    unsetenv("HOME");
    expect_keys("", "", "", "");
}

Test(aws, variables_go_before_files)
{
    write_file(".aws/credentials", credentials);
    setenv("AWS_ACCESS_KEY_ID", "AKV", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "hush-v", 1);
    expect_keys("AKV", "hush-v", "", "AWS_ACCESS_KEY_ID");
    setenv("AWS_SESSION_TOKEN", "hush-t", 1);
    expect_keys("AKV", "hush-v", "hush-t", "AWS_ACCESS_KEY_ID");
}

Test(aws, one_key_of_two_is_refused)
{
    setenv("AWS_ACCESS_KEY_ID", "AKV", 1);
    expect_refused(GRAFT_EINVAL, "only one of AWS_ACCESS_KEY_ID");
    setenv("AWS_ACCESS_KEY_ID", "", 1);
    expect_keys("", "", "", "");
    write_file(".aws/credentials", "[default]\naws_secret_access_key = hush\n");
    expect_refused(GRAFT_EINVAL, "profile default has only one of");
}

Test(aws, a_profile_is_chosen_by_its_name)
{
    write_file(".aws/credentials", credentials);
    expect_keys("AKD", "hush-d", "", "profile default of ");
    setenv("AWS_PROFILE", "other", 1);
    expect_keys("AKO", "hush-o==", "hush-token", "profile other of ");
    setenv("AWS_PROFILE", "none", 1);
    expect_refused(GRAFT_EINVAL, "AWS_PROFILE is none");
    setenv("AWS_ACCESS_KEY_ID", "AKV", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "hush-v", 1);
    expect_keys("AKV", "hush-v", "", "AWS_ACCESS_KEY_ID");
}

Test(aws, the_configuration_has_region_endpoint_and_keys_of_its_own)
{
    write_file(".aws/config", "[default]\nregion = eu-1\ns3 =\n  region = nested\n"
                              "endpoint_url = http://a:1\n"
                              "[profile other]\nregion=eu-2\naws_access_key_id=AKC\n"
                              "aws_secret_access_key=hush-c\n");
    look();
    cr_assert_str_eq(aws.region, "eu-1");
    cr_assert_str_eq(aws.endpoint, "http://a:1");
    setenv("AWS_PROFILE", "other", 1);
    expect_keys("AKC", "hush-c", "", "config");
    cr_assert_str_eq(aws.region, "eu-2");
    cr_assert_str_eq(aws.endpoint, "");
    write_file(".aws/credentials", credentials);
    expect_keys("AKO", "hush-o==", "hush-token", "credentials");
    setenv("AWS_DEFAULT_REGION", "us-1", 1);
    setenv("AWS_ENDPOINT_URL", "http://b:1", 1);
    look();
    cr_assert_str_eq(aws.region, "us-1");
    cr_assert_str_eq(aws.endpoint, "http://b:1");
    setenv("AWS_REGION", "us-2", 1);
    setenv("AWS_ENDPOINT_URL_S3", "http://c:1", 1);
    look();
    cr_assert_str_eq(aws.region, "us-2");
    cr_assert_str_eq(aws.endpoint, "http://c:1");
}

Test(aws, the_files_can_be_elsewhere)
{
    write_file("keys", credentials);
    write_file("rest", "[default]\nregion = there\n");
    setenv("AWS_SHARED_CREDENTIALS_FILE", graft_test_path(&dir, "keys"), 1);
    setenv("AWS_CONFIG_FILE", "~/rest", 1);
    expect_keys("AKD", "hush-d", "", "/keys");
    cr_assert_str_eq(aws.region, "there");
}

Test(aws, files_that_are_none_are_named)
{
    setenv("AWS_CONFIG_FILE", dir.path, 1);
    expect_refused(GRAFT_EINVAL, dir.path);
}

Test(aws, values_that_make_no_sense_are_named_and_not_repeated)
{
    char text[6000];
    setenv("AWS_ACCESS_KEY_ID", "AKV", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "hush hush", 1);
    expect_refused(GRAFT_EINVAL, "AWS_SECRET_ACCESS_KEY in the environment has a space");
    setenv("AWS_SECRET_ACCESS_KEY", "hush", 1);
    memset(text, 'h', sizeof text);
    text[sizeof text - 1] = '\0';
    setenv("AWS_SESSION_TOKEN", text, 1);
    expect_refused(GRAFT_ELIMIT, "AWS_SESSION_TOKEN in the environment is longer");
}

Test(aws, a_file_of_any_bytes_is_read_or_refused)
{
    for (size_t cut = 0; cut <= strlen(credentials); cut++)
        for (int flip = -1; flip < 8; flip++) {
            char text[400];
            (void)snprintf(text, sizeof text, "%.*s", (int)cut, credentials);
            if (flip >= 0 && cut > 0)
                text[cut - 1] = (char)(text[cut - 1] ^ 1 << flip);
            write_file(".aws/credentials", text);
            enum graft_rc rc = graft_net_aws(graft_test_env()->net, &aws, &err);
            cr_assert(rc == GRAFT_OK || rc == GRAFT_EINVAL, "%s", err.text);
        }
}
