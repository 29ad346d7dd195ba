/* SPDX-License-Identifier: Apache-2.0 */
/* The router and its table, frames and CSV: what needs no connection. */
#include "alloc.h"
#include "csv.h"
#include "frame.h"
#include "router.h"
#include "test.h"

#include <stdlib.h>
#include <string.h>

static void handler_a(struct request *request)
{
    (void)request;
}

/* In the worst order: the general before the special. */
static const struct route table[] = {
    {.method = "GET", .path = "/{any}/{thing}", .handler = handler_a},
    {.method = "GET", .path = "/jobs/{id}", .handler = handler_a},
    {.method = "GET", .path = "/jobs/open", .handler = handler_a},
    {.method = "POST", .path = "/jobs/{id}", .handler = handler_a},
    {.method = "GET", .path = "/", .handler = handler_a},
};

static void routed(const char *method, const char *address, const char *path, const char *part,
                   const char *allow)
{
    struct error error = ERROR_NONE;
    struct route_match match;
    struct target target;

    CHECK(target_parse(&target, address, &error) == 0);
    router_match(table, sizeof table / sizeof table[0], method, &target, &match);
    CHECK_TEXT(match.route ? match.route->path : "none", path);
    CHECK_TEXT(match.parts[0] ? match.parts[0] : "", part);
    CHECK_TEXT(match.allow, allow);
    target_clear(&target);
}

static void test_router(void)
{
    routed("GET", "/jobs/7", "/jobs/{id}", "7", "GET, HEAD, POST, OPTIONS");
    routed("HEAD", "/jobs/7", "/jobs/{id}", "7", "GET, HEAD, POST, OPTIONS");
    routed("POST", "/jobs/7", "/jobs/{id}", "7", "GET, HEAD, POST, OPTIONS");
    routed("GET", "/jobs/open", "/jobs/open", "", "GET, HEAD, OPTIONS");
    routed("POST", "/jobs/open", "none", "", "GET, HEAD, OPTIONS");
    routed("GET", "/runs/7", "/{any}/{thing}", "runs", "GET, HEAD, OPTIONS");
    routed("DELETE", "/jobs/7", "none", "", "GET, HEAD, POST, OPTIONS");
    routed("GET", "/jobs", "none", "", "");
    routed("GET", "/jobs/", "none", "", "");
    routed("GET", "/jobs/7/", "none", "", "");
    routed("GET", "/", "/", "", "GET, HEAD, OPTIONS");
}

/* Every row is whole, no two are the same, and each is found by its own path. */
static void test_table(void)
{
    for (size_t i = 0; i < api_route_count; i++) {
        const struct route *route = &api_routes[i];
        struct error error = ERROR_NONE;
        struct route_match match;
        struct target target;

        CHECK(route->handler && route->path[0] == '/' && is_word_of(route->method, "GET POST PUT DELETE"));
        CHECK(route->body == BODY_NONE || is_word_of(route->method, "POST PUT"));
        for (size_t k = 0; k < i; k++)
            CHECK(strcmp(route->method, api_routes[k].method) || strcmp(route->path, api_routes[k].path));
        CHECK(target_parse(&target, route->path, &error) == 0);
        router_match(api_routes, api_route_count, route->method, &target, &match);
        CHECK(match.route == route);
        target_clear(&target);
    }
}

static void test_topics(void)
{
    CHECK(topic_wanted("", "run.ended"));
    CHECK(topic_wanted("run.", "run.ended") && topic_wanted("job.,run.ended", "run.ended"));
    CHECK(topic_wanted(",,run", "run.ended"));
    CHECK(!topic_wanted("runs", "run.ended") && !topic_wanted("job.,progress", "run.ended"));
    CHECK(!topic_wanted(",", "run.ended"));
}

static void test_frames(void)
{
    struct frame *frame = frame_new(7, "run.ended", "{}");

    CHECK(frame->size == 33 && !memcmp(frame->text, "id: 7\nevent: run.ended\ndata: {}\n\n", 33));
    CHECK(frame_share(frame) == frame && frame->references == 2);
    frame_release(frame);
    frame_release(frame);
    frame_release(NULL);
}

static void field(const char *json, const char *want)
{
    struct csv csv = {.text = NULL};
    json_t *value = json ? json_loads(json, JSON_DECODE_ANY, NULL) : NULL;
    char *got;

    csv_field(&csv, value);
    csv_field(&csv, NULL);
    csv_end(&csv);
    got = format_text("%.*s", (int)csv.size, csv.text);
    CHECK_TEXT(got, want);
    free(got);
    csv_clear(&csv);
    json_decref(value);
}

static void test_csv(void)
{
    field(NULL, ",\r\n");
    field("null", ",\r\n");
    field("\"\"", ",\r\n");
    field("\"plain\"", "plain,\r\n");
    field("\"a,b\"", "\"a,b\",\r\n");
    field("\"say \\\"no\\\"\"", "\"say \"\"no\"\"\",\r\n");
    field("\"two\\nlines\"", "\"two\nlines\",\r\n");
    field("\"=cmd|' /C calc'!A0\"", "\"'=cmd|' /C calc'!A0\",\r\n");
    field("\"+1\"", "\"'+1\",\r\n");
    field("\"-1\"", "\"'-1\",\r\n");
    field("\"@SUM(A1)\"", "\"'@SUM(A1)\",\r\n");
    field("\"\\t=1\"", "\"'\t=1\",\r\n");
    field("-5", "-5,\r\n");
    field("true", "true,\r\n");
    field("[\"a\",\"b\"]", "a b,\r\n");
    field("[\"=a\"]", "\"'=a\",\r\n");
    field("{\"a\":1}", "\"{\"\"a\"\":1}\",\r\n");
}

static size_t count_of(const char *text, size_t size, char c)
{
    size_t count = 0;

    for (size_t i = 0; i < size; i++)
        count += text[i] == c;
    return count;
}

/* Head and row have the same number of columns. */
static void test_csv_run(void)
{
    struct csv csv = {.text = NULL};
    json_t *run = json_pack("{s:i, s:s, s:{s:s}}", "id", 5, "outcome", "pass", "verify", "method", "crc");
    size_t head;

    csv_run_head(&csv);
    head = csv.size;
    csv_run(&csv, run);
    CHECK(!memcmp(csv.text + head, "5,,,pass,,", 10));
    CHECK(count_of(csv.text, head, ',') == 30);
    CHECK(count_of(csv.text + head, csv.size - head, ',') == 30);
    csv_clear(&csv);
    json_decref(run);
}

static const struct test tests[] = {
    {"router", test_router}, {"route table", test_table}, {"topics", test_topics},
    {"frames", test_frames}, {"csv", test_csv},           {"csv of a run", test_csv_run},
};

TEST_MAIN(tests)
