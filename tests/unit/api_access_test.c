/* SPDX-License-Identifier: Apache-2.0 */
/* The pure parts of access - roles, buckets, doors, sessions - and what holds when the record cannot be made.
 */
#include "access.h"
#include "alloc.h"
#include "api_fake.h"
#include "limit.h"
#include "roles.h"
#include "session.h"
#include "test.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECOND_US INT64_C(1000000)

static void test_roles(void)
{
    char text[ROLES_MAX];
    json_t *list = roles_list(ROLE_MES | ROLE_OPERATOR);
    json_t *wrong = json_pack("[s, s]", "mes", "root");
    json_t *number = json_pack("[i]", 1);

    CHECK(roles_parse("engineer") == ROLE_ENGINEER);
    CHECK(roles_parse("engineer,auditor, mes") == (ROLE_ENGINEER | ROLE_AUDITOR | ROLE_MES));
    CHECK(roles_parse("") == 0 && roles_parse(", ") == 0);
    CHECK(roles_parse("engineer,root") == 0 && roles_parse("Engineer") == 0 && roles_parse("engineers") == 0);
    CHECK(roles_of_list(list) == (ROLE_MES | ROLE_OPERATOR));
    CHECK(roles_of_list(wrong) == 0 && roles_of_list(number) == 0 && roles_of_list(NULL) == 0);
    CHECK_TEXT(roles_text(ROLES_ALL, text), "operator, engineer, auditor, admin, mes");
    CHECK_TEXT(roles_text(0, text), "");
    json_decref(list);
    json_decref(wrong);
    json_decref(number);
}

static void test_operations(void)
{
    for (size_t i = 0; i < api_operation_count; i++)
        CHECK(api_operations[i].roles && !(api_operations[i].roles & ~ROLES_ALL));
}

/* 10 a second, 5 at once. */
static void test_rate(void)
{
    const struct rate rate = {.every_us = 100000, .depth_us = 500000};
    int64_t arrival_us = 0, now_us = 7 * SECOND_US;
    int taken = 0;

    while (!rate_take(&rate, &arrival_us, now_us))
        taken++;
    CHECK(taken == 5);
    CHECK(rate_take(&rate, &arrival_us, now_us) == 100000);
    CHECK(rate_take(&rate, &arrival_us, now_us + 40000) == 60000);
    CHECK(rate_take(&rate, &arrival_us, now_us + 100000) == 0);
    CHECK(rate_take(&rate, &arrival_us, now_us + 100000) == 100000);
    /* However long nothing came, no more than the burst has gathered. */
    now_us += 3600 * SECOND_US;
    for (taken = 0; !rate_take(&rate, &arrival_us, now_us);)
        taken++;
    CHECK(taken == 5);
}

static void test_doors(void)
{
    struct limits *limits = limits_new();
    int64_t now_us = SECOND_US;
    bool first;

    for (int i = 0; i < TRIES_FREE; i++) {
        CHECK(lock_out_left_us(limits, "eva", now_us, &first) == 0);
        lock_out_try(limits, "eva", now_us, 2 * SECOND_US);
    }
    CHECK(lock_out_left_us(limits, "eva", now_us, &first) == 2 * SECOND_US && first);
    CHECK(lock_out_left_us(limits, "eva", now_us, &first) == 2 * SECOND_US && !first);
    CHECK(lock_out_left_us(limits, "adam", now_us, &first) == 0);
    for (int64_t lock_us = 4 * SECOND_US; lock_us < LOCK_MAX_US; lock_us *= 2) {
        now_us += lock_us / 2;
        CHECK(lock_out_left_us(limits, "eva", now_us, &first) == 0);
        lock_out_try(limits, "eva", now_us, 2 * SECOND_US);
        CHECK(lock_out_left_us(limits, "eva", now_us, &first) == lock_us && first);
    }
    now_us += LOCK_MAX_US;
    lock_out_try(limits, "eva", now_us, 2 * SECOND_US);
    CHECK(lock_out_left_us(limits, "eva", now_us, &first) == LOCK_MAX_US);
    /* Forgotten after a while, or when the right one came. */
    now_us += LOCK_MAX_US + LOCK_FORGET_US + 1;
    lock_out_try(limits, "eva", now_us, 2 * SECOND_US);
    CHECK(lock_out_left_us(limits, "eva", now_us, &first) == 0);
    for (int i = 1; i < TRIES_FREE; i++)
        lock_out_try(limits, "eva", now_us, 2 * SECOND_US);
    CHECK(lock_out_left_us(limits, "eva", now_us, &first) > 0);
    lock_out_clear(limits, "eva");
    CHECK(lock_out_left_us(limits, "eva", now_us, &first) == 0);
    limits_free(limits);
}

static bool is_of(const struct session *session, const void *name)
{
    return !strcmp(session->name, name);
}

static void count_end(void *context, uint64_t credential)
{
    *(uint64_t *)context += credential;
}

static void test_sessions(void)
{
    struct sessions *sessions = sessions_new();
    char first[SESSION_TOKEN_MAX], token[SESSION_TOKEN_MAX];
    const struct session *session;
    uint64_t ended = 0;

    (void)session_open(sessions, "eva", 1, 100, first);
    (void)session_open(sessions, "adam", 2, 200, token);
    CHECK(strlen(first) == 43 && strcmp(first, token) != 0);
    session = session_of_token(sessions, first, 99);
    CHECK(session && session->credential == 1 && !strcmp(session->name, "eva"));
    CHECK(session_of_token(sessions, first, 100) == NULL);
    CHECK(session_of_token(sessions, "", 0) == NULL && session_of_token(sessions, "eva", 0) == NULL);
    sessions_end(sessions, is_of, "eva", count_end, &ended);
    CHECK(ended == 1 && session_of_token(sessions, first, 0) == NULL);
    CHECK(session_of_token(sessions, token, 0) != NULL);
    for (uint64_t i = 0; i < 1024; i++) /* the oldest makes room */
        (void)session_open(sessions, "crowd", 10 + i, 300, first);
    CHECK(session_of_token(sessions, token, 0) == NULL && session_of_token(sessions, first, 0) != NULL);
    sessions_free(sessions);
}

/* --- With a record that fails ----------------------------------------------------------------------------
 */

static char *ask(struct fake *fake, const char *line, const char *headers, const char *body)
{
    char *head =
        format_text("%s HTTP/1.1\r\nHost: localhost\r\n%sContent-Type: application/json\r\nContent-Length: "
                    "%zu\r\n",
                    line, headers, strlen(body));
    char *answer = fake_ask(fake, head, body);

    free(head);
    return answer;
}

#define KEY "Authorization: Bearer " FAKE_KEY "\r\n"

static void expect(struct fake *fake, const char *line, const char *headers, const char *body, int status,
                   const char *want)
{
    char *answer = ask(fake, line, headers, body);

    if (!CHECK(answer_status(answer) == status) || !CHECK(strstr(answer, want) != NULL))
        (void)fprintf(stderr, "  %s %s: %s\n", line, body, answer);
    free(answer);
}

static void start_in(struct fake *fake, const char *state)
{
    struct api_options options;

    fake_init(fake, &options);
    options.state = state;
    fake_start(fake, &options);
}

/* `state` becomes a folder of its own. */
static void begin(struct fake *fake, char state[64])
{
    (void)snprintf(state, 64, "/tmp/flashfarm-access-XXXXXX");
    CHECK(mkdtemp(state) != NULL);
    start_in(fake, state);
}

static void end(struct fake *fake, const char *state)
{
    static const char *const names[] = {"access.json", "sessions.json", "webhooks.json"};

    fake_stop(fake);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *path = format_text("%s/%s", state, names[i]);

        (void)unlink(path);
        free(path);
    }
    CHECK(rmdir(state) == 0);
}

static void fail_record(struct fake *fake, bool fails)
{
    fake->refusal = ERROR_NONE;
    if (fails)
        error_set(&fake->refusal, -ENOSPC, "no room");
}

/* What cannot be recorded has not happened: no key, no user, no session. */
static void test_record_fails(void)
{
    char state[64];
    struct fake fake;

    begin(&fake, state);
    fail_record(&fake, true);
    expect(&fake, "POST /v1/keys", KEY, "{\"name\":\"k\",\"roles\":[\"mes\"]}", 507, "no-room");
    expect(&fake, "POST /v1/users", KEY, "{\"name\":\"eva\",\"roles\":[\"mes\"]}", 507, "no-room");
    fail_record(&fake, false);
    expect(&fake, "GET /v1/keys", KEY, "", 200, "{\"items\":[],");
    expect(&fake, "GET /v1/users", KEY, "", 200, "{\"items\":[],");
    expect(&fake, "POST /v1/users", KEY,
           "{\"name\":\"eva\",\"roles\":[\"mes\"],\"password\":\"longer than ten\"}", 201,
           "Location: /v1/users/eva\r\n");
    fail_record(&fake, true);
    expect(&fake, "POST /v1/session", "", "{\"name\":\"eva\",\"password\":\"longer than ten\"}", 507,
           "no-room");
    expect(&fake, "DELETE /v1/users/nobody", KEY, "", 404, "not-found");
    fail_record(&fake, false);
    expect(&fake, "POST /v1/session", "", "{\"name\":\"eva\",\"password\":\"longer than ten\"}", 200,
           "Set-Cookie: flashfarm_session=");
    end(&fake, state);
}

/* Whether <state>/access.json has the text. */
static bool file_says(const char *state, const char *text)
{
    char *path = format_text("%s/access.json", state), content[4096] = "";
    FILE *file = fopen(path, "re");

    if (CHECK(file)) {
        content[fread(content, 1, sizeof content - 1, file)] = '\0';
        (void)fclose(file);
    }
    free(path);
    return strstr(content, text);
}

/* A key that is revoked is so at once, even when that cannot be recorded, and after a start as well. */
static void test_revoke_fails(void)
{
    char state[64];
    struct fake fake;
    char *answer, *line, *headers, id[11] = "", key[80] = "";

    begin(&fake, state);
    answer = ask(&fake, "POST /v1/keys", KEY, "{\"name\":\"k\",\"roles\":[\"mes\"]}");
    CHECK(sscanf(strstr(answer, "\"id\":\""), "\"id\":\"%10[^\"]", id) == 1);
    CHECK(sscanf(strstr(answer, "\"key\":\""), "\"key\":\"%79[^\"]", key) == 1);
    free(answer);
    line = format_text("DELETE /v1/keys/%s", id);
    headers = format_text("Authorization: Bearer %s\r\n", key);
    expect(&fake, "GET /v1/session", headers, "", 200, "\"roles\":[\"mes\"]");
    fail_record(&fake, true);
    CHECK(file_says(state, "\"revoked\": false"));
    expect(&fake, line, KEY, "", 507, "no-room");
    CHECK(file_says(state, "\"revoked\": true"));
    expect(&fake, "GET /v1/session", headers, "", 401, "unauthorized");
    fail_record(&fake, false);
    expect(&fake, line, KEY, "", 204, "");
    expect(&fake, "GET /v1/keys", KEY, "", 200, "\"state\":\"revoked\"");
    free(line);
    free(headers);
    end(&fake, state);
}

/* So are roles, and so is a user; it stays possible to bring that onto the record. */
static void test_taking_away_fails(void)
{
    char state[64];
    struct fake fake;
    char *answer, cookie[64] = "", *headers;

    begin(&fake, state);
    expect(&fake, "POST /v1/users", KEY,
           "{\"name\":\"eva\",\"roles\":[\"auditor\"],\"password\":\"longer than ten\"}", 201, "");
    answer = ask(&fake, "POST /v1/session", "", "{\"name\":\"eva\",\"password\":\"longer than ten\"}");
    CHECK(sscanf(strstr(answer, "flashfarm_session="), "flashfarm_session=%63[^;]", cookie) == 1);
    free(answer);
    headers = format_text("Cookie: flashfarm_session=%s\r\n", cookie);
    expect(&fake, "GET /v1/users", headers, "", 200, "eva");
    fail_record(&fake, true);
    expect(&fake, "PUT /v1/users/eva", KEY, "{\"roles\":[\"mes\"]}", 507, "no-room");
    expect(&fake, "GET /v1/users", headers, "", 403, "eva has none");
    CHECK(file_says(state, "\"roles\": []"));
    fail_record(&fake, false);
    /* Whatever else is saved meanwhile leaves a file that can be read. */
    expect(&fake, "POST /v1/users", KEY, "{\"name\":\"adam\",\"roles\":[\"mes\"]}", 201, "");
    expect(&fake, "PUT /v1/users/eva", KEY, "{\"roles\":[\"mes\",\"admin\"]}", 200, "[\"admin\",\"mes\"]");
    expect(&fake, "GET /v1/users", headers, "", 200, "eva");
    fail_record(&fake, true);
    CHECK(file_says(state, "\"eva\""));
    expect(&fake, "DELETE /v1/users/eva", KEY, "", 507, "no-room");
    CHECK(!file_says(state, "\"eva\""));
    expect(&fake, "GET /v1/users", headers, "", 401, "unauthorized");
    expect(&fake, "POST /v1/session", "", "{\"name\":\"eva\",\"password\":\"longer than ten\"}", 507,
           "no-room");
    fail_record(&fake, false);
    expect(&fake, "POST /v1/session", "", "{\"name\":\"eva\",\"password\":\"longer than ten\"}", 401, "");
    expect(&fake, "POST /v1/users", KEY, "{\"name\":\"eva\",\"roles\":[\"mes\"]}", 409, "exists");
    expect(&fake, "DELETE /v1/users/eva", KEY, "", 204, "");
    expect(&fake, "DELETE /v1/users/eva", KEY, "", 404, "not-found");
    free(headers);
    end(&fake, state);
}

/* A folder that cannot be written: said, and what was given out holds until the end. */
static void test_file_fails(void)
{
    char state[64];
    struct fake fake;
    char *path;

    begin(&fake, state);
    path = format_text("%s/access.json.new", state);
    CHECK(mkdir(path, 0700) == 0);
    expect(&fake, "POST /v1/keys", KEY, "{\"name\":\"k\",\"roles\":[\"mes\"]}", 500, "access.json");
    CHECK(rmdir(path) == 0);
    expect(&fake, "POST /v1/keys", KEY, "{\"name\":\"k\",\"roles\":[\"mes\"]}", 201, "\"key\":\"ff_");
    free(path);
    end(&fake, state);
}

/* Whether <state>/sessions.json names a session; with `expires_us` all of them end then. */
static bool has_session(const char *state, json_int_t expires_us)
{
    char *path = format_text("%s/sessions.json", state);
    json_t *file = json_load_file(path, 0, NULL), *sessions = json_object_get(file, "sessions"), *session;
    bool any = json_array_size(sessions) > 0;
    size_t i;

    json_array_foreach (sessions, i, session)
        (void)json_object_set_new(session, "expires_us", json_integer(expires_us));
    if (expires_us)
        CHECK(json_dump_file(file, path, 0) == 0);
    json_decref(file);
    free(path);
    return any;
}

static char *log_in(struct fake *fake)
{
    char *answer = ask(fake, "POST /v1/session", "", "{\"name\":\"eva\",\"password\":\"longer than ten\"}");
    const char *at = strstr(answer, "flashfarm_session=");
    char cookie[64] = "";

    CHECK(at && sscanf(at, "flashfarm_session=%63[^;]", cookie) == 1);
    free(answer);
    return format_text("Cookie: flashfarm_session=%s\r\nSec-Fetch-Site: same-origin\r\n", cookie);
}

/* A session outlives the daemon, but never its own time: whatever the file says, or the clock. */
static void test_sessions_last(void)
{
    char state[64], *headers, *answer;
    struct fake fake;

    begin(&fake, state);
    expect(&fake, "POST /v1/users", KEY,
           "{\"name\":\"eva\",\"roles\":[\"auditor\"],\"password\":\"longer than ten\"}", 201, "");
    headers = log_in(&fake);
    fake_stop(&fake);
    CHECK(has_session(state, INT64_MAX));
    start_in(&fake, state);
    answer = ask(&fake, "GET /v1/session", headers, "");
    CHECK(answer_status(answer) == 200 && strstr(answer, "\"expires\":\"20"));
    free(answer);
    fake_stop(&fake);
    CHECK(has_session(state, INT64_MIN));
    start_in(&fake, state);
    expect(&fake, "GET /v1/session", headers, "", 401, "unauthorized");
    free(headers);
    headers = log_in(&fake);
    expect(&fake, "DELETE /v1/session", headers, "", 204, "");
    CHECK(!has_session(state, 0)); /* when that is answered, and not some time later */
    free(headers);
    end(&fake, state);
}

static const struct test tests[] = {
    {"roles", test_roles},
    {"operations", test_operations},
    {"rate", test_rate},
    {"doors", test_doors},
    {"sessions", test_sessions},
    {"what cannot be recorded has not happened", test_record_fails},
    {"revoked at once", test_revoke_fails},
    {"taken away at once", test_taking_away_fails},
    {"a file that cannot be written", test_file_fails},
    {"sessions last", test_sessions_last},
};

TEST_MAIN(tests)
