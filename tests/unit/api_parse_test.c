/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include "alloc.h"
#include "listen.h"
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The parts as one text, "a|b?x=1&y=2", or the sentence of the refusal. */
static char *shown(const char *text)
{
    struct error error = ERROR_NONE;
    struct target target;
    char *shown = copy_text("");

    if (target_parse(&target, text, &error)) {
        free(shown);
        return copy_text(error.text);
    }
    for (size_t i = 0; i < target.segment_count; i++) {
        char *longer = format_text("%s%s%s", shown, i ? "|" : "", target.segments[i]);

        free(shown);
        shown = longer;
    }
    for (size_t i = 0; i < target.parameter_count; i++) {
        char *longer = format_text("%s%s%s=%s", shown, i ? "&" : "?", target.parameters[i].name,
                                   target.parameters[i].value);

        free(shown);
        shown = longer;
    }
    target_clear(&target);
    return shown;
}

static void test_target(void)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {.text = "/", .want = ""},
        {.text = "/v1/jobs", .want = "v1|jobs"},
        {.text = "/v1/jobs/", .want = "v1|jobs|"},
        {.text = "//v1", .want = "|v1"},
        {.text = "/a%2Fb/c%20d+e", .want = "a/b|c d+e"},
        {.text = "/x?a=1&b=%26+%3D&c", .want = "x?a=1&b=& =&c="},
        {.text = "/x?", .want = "x"},
        {.text = "/x?&&a=b&", .want = "x?a=b"},
        {.text = "/x?a=b=c", .want = "x?a=b=c"},
        {.text = "/x?a=1?b", .want = "x?a=1?b"},
        {.text = "/%c3%a9", .want = "\xc3\xa9"},
        {.text = "x", .want = "the address does not begin with '/'"},
        {.text = "http://host/x", .want = "the address does not begin with '/'"},
        {.text = "/%", .want = "the address has a '%' without two hexadecimal digits"},
        {.text = "/%4", .want = "the address has a '%' without two hexadecimal digits"},
        {.text = "/%4g", .want = "the address has a '%' without two hexadecimal digits"},
        {.text = "/%2/1", .want = "the address has a '%' without two hexadecimal digits"},
        {.text = "/a%00b", .want = "the address has a control character"},
        {.text = "/a?b=%0a", .want = "the address has a control character"},
        {.text = "/a#b", .want = "the address has a '#'"},
        {.text = "/%ff", .want = "the address is not UTF-8"},
        {.text = "/%c0%af", .want = "the address is not UTF-8"},
        {.text = "/%ed%a0%80", .want = "the address is not UTF-8"},
        {.text = "/%f4%90%80%80", .want = "the address is not UTF-8"},
        {.text = "/%e2%82", .want = "the address is not UTF-8"},
        {.text = "/x?a=1&%61=2", .want = "the parameter 'a' is given twice"},
        {.text = "/1/2/3/4/5/6/7/8/9", .want = "the address has more than 8 parts"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *got = shown(cases[i].text);

        CHECK_TEXT(got, cases[i].want);
        free(got);
    }
}

static void test_long_target(void)
{
    char *text = allocate(1, 9001);
    char many[400] = "/x?";
    char *got;

    memset(text, '/', 9000);
    got = shown(text);
    CHECK_TEXT(got, "the address is longer than 8192 bytes");
    free(got);
    for (int i = 0; i < 33; i++)
        (void)snprintf(many + strlen(many), sizeof many - strlen(many), "p%d=&", i);
    got = shown(many);
    CHECK_TEXT(got, "the address has more than 32 parameters");
    free(got);
    free(text);
}

static void test_parameters(void)
{
    struct error error = ERROR_NONE;
    struct target target;

    CHECK(target_parse(&target, "/x?limit=5&serial=a", &error) == 0);
    CHECK_TEXT(target_parameter(&target, "serial"), "a");
    CHECK(target_parameter(&target, "seria") == NULL);
    CHECK(target_unknown_parameter(&target, "serial limit") == NULL);
    CHECK_TEXT(target_unknown_parameter(&target, "serials limit"), "serial");
    CHECK_TEXT(target_unknown_parameter(&target, ""), "limit");
    target_clear(&target);
}

static int framed(const char *first, const char *second, int64_t *length)
{
    struct framing framing = {.length = 0};
    struct error error = ERROR_NONE;
    const char *values[] = {first, second};

    for (int i = 0; i < 2; i++)
        if (values[i])
            framing_add(&framing, strcmp(values[i], "chunked") ? "content-LENGTH" : "Transfer-encoding",
                        values[i]);
    framing_add(&framing, "Content-Type", "text/plain");
    *length = framing.length;
    return framing_check(&framing, &error);
}

static void test_framing(void)
{
    int64_t length;

    CHECK(framed(NULL, NULL, &length) == 0 && length == 0);
    CHECK(framed("17", NULL, &length) == 0 && length == 17);
    CHECK(framed("chunked", NULL, &length) == 0 && length == -1);
    CHECK(framed("17", "17", &length) == -EINVAL);
    CHECK(framed("17", "chunked", &length) == -EINVAL);
    CHECK(framed("chunked", "0", &length) == -EINVAL);
    CHECK(framed("chunked", "chunked", &length) == -EINVAL);
    CHECK(framed("17,17", NULL, &length) == -EINVAL);
    CHECK(framed("-1", NULL, &length) == -EINVAL);
    CHECK(framed("", NULL, &length) == -EINVAL);
}

static void test_numbers(void)
{
    int64_t number = 0;
    uint32_t address = 0;

    CHECK(parse_integer("0", 0, 9, &number) && number == 0);
    CHECK(parse_integer("-4", -9, 9, &number) && number == -4);
    CHECK(!parse_integer("10", 0, 9, &number) && !parse_integer("-1", 0, 9, &number));
    CHECK(!parse_integer("", 0, 9, &number) && !parse_integer(" 1", 0, 9, &number));
    CHECK(!parse_integer("1 ", 0, 9, &number) && !parse_integer("+1", 0, 9, &number));
    CHECK(!parse_integer("99999999999999999999", 0, INT64_MAX, &number));
    CHECK(parse_address("0x08000000", &address) && address == 0x08000000);
    CHECK(parse_address("134217728", &address) && address == 0x08000000);
    CHECK(parse_address("0XFFFFFFFF", &address) && address == UINT32_MAX);
    CHECK(!parse_address("0x100000000", &address) && !parse_address("0x", &address));
    CHECK(!parse_address("08000000h", &address) && !parse_address("-1", &address) &&
          !parse_address("", &address));
    CHECK(!parse_address("0x-1", &address) && !parse_address("0x 1", &address));
}

static const char *host_of(const char *header, char *host)
{
    return parse_host(header, host, 20) ? host : "refused";
}

static void test_hosts(void)
{
    char host[20];

    CHECK_TEXT(host_of("localhost", host), "localhost");
    CHECK_TEXT(host_of("localhost:8470", host), "localhost");
    CHECK_TEXT(host_of("[::1]", host), "::1");
    CHECK_TEXT(host_of("[::1]:8470", host), "::1");
    CHECK_TEXT(host_of("localhost:", host), "localhost");
    CHECK_TEXT(host_of("", host), "refused");
    CHECK_TEXT(host_of(":8470", host), "refused");
    CHECK_TEXT(host_of("[::1", host), "refused");
    CHECK_TEXT(host_of("[::1]x", host), "refused");
    CHECK_TEXT(host_of("localhost:http", host), "refused");
    CHECK_TEXT(host_of("localhost:-1", host), "refused");
    CHECK_TEXT(host_of("localhost:1:2", host), "refused");
    CHECK_TEXT(host_of("a-name-of-20-letters", host), "refused");
}

static void test_headers(void)
{
    CHECK_TEXT(parse_bearer("Bearer  abc"), "abc");
    CHECK(parse_bearer("Bearer") == NULL && parse_bearer("Bearer ") == NULL &&
          parse_bearer("Basic abc") == NULL);
    CHECK(media_type_is("application/json", "application/json"));
    CHECK(media_type_is("Application/JSON ; charset=utf-8", "application/json"));
    CHECK(!media_type_is("application/jsonp", "application/json") && !media_type_is("", "application/json"));
    CHECK(accepts_csv("text/csv") && accepts_csv("text/html, text/csv;q=0.5") && accepts_csv("TEXT/CSV,*/*"));
    CHECK(!accepts_csv("*/*") && !accepts_csv("") && !accepts_csv("text/csv;q=0"));
    CHECK(!accepts_csv("text/csv;q=0.5, application/json") && !accepts_csv("text/csv, application/json"));
    CHECK(accepts_csv("application/json;q=0.5, text/csv"));
    CHECK(accepts_gzip("gzip") && accepts_gzip("deflate, GZip;q=0.1") && accepts_gzip("br,x-gzip"));
    CHECK(accepts_gzip("*") && accepts_gzip("identity;q=0, *;q=0.5"));
    CHECK(!accepts_gzip("") && !accepts_gzip("br, deflate") && !accepts_gzip("gzipped") &&
          !accepts_gzip("not-gzip"));
    CHECK(!accepts_gzip("gzip;q=0") && !accepts_gzip("gzip; q=0.000, *") && !accepts_gzip("*;q=0"));
    CHECK(etag_matches("\"a\"", "\"a\"") && etag_matches("\"b\", W/\"a\"", "\"a\"") &&
          etag_matches("*", "\"a\""));
    CHECK(!etag_matches("\"ab\"", "\"a\"") && !etag_matches("", "\"a\"") && !etag_matches("a", "\"a\""));
}

static void refused_json(const char *text, const char *want, int want_line)
{
    struct error error = ERROR_NONE;
    int line, column;
    json_t *body = parse_json_body(text, strlen(text), &error, &line, &column);

    CHECK(body == NULL);
    if (!CHECK(strstr(error.text, want) != NULL))
        (void)fprintf(stderr, "  %s: %s\n", text, error.text);
    CHECK(line == want_line);
    json_decref(body);
}

static void test_json(void)
{
    struct error error = ERROR_NONE;
    char deep[201];
    int line, column;
    static const char good[] = "{\"a\":\"[[[\\\"{{{\"}";
    json_t *body = parse_json_body(good, sizeof good - 1, &error, &line, &column);

    CHECK(json_is_object(body));
    json_decref(body);
    refused_json("", "not JSON", 1);
    refused_json("{\"a\":\n1,}", "not JSON: line 2", 2);
    refused_json("{} x", "not JSON", 1);
    refused_json("{\"a\":1,\"a\":2}", "duplicate", 1);
    refused_json("{\"a\":\"\xff\"}", "not JSON", 1);
    refused_json("{\"a\":\"\\u0000\"}", "not JSON", 1);
    refused_json("[1]", "not a JSON object", 0);
    refused_json("null", "not JSON", 1);
    memset(deep, '[', 200);
    deep[200] = '\0';
    refused_json(deep, "nested deeper than 32", 0);
}

static void listens(const char *text, const char *host, int port, bool loopback)
{
    struct error error = ERROR_NONE;
    struct listener listener;

    CHECK(listen_parse(text, &listener, &error) == 0);
    CHECK_TEXT(listener.host, host);
    CHECK(listener.port == port && listener.loopback == loopback);
}

static void test_listen(void)
{
    struct error error = ERROR_NONE;
    struct listener listener;

    listens("127.0.0.1:8470", "127.0.0.1", 8470, true);
    listens("127.9.0.1:0", "127.9.0.1", 0, true);
    listens("0.0.0.0:80", "0.0.0.0", 80, false);
    listens("[::1]:8470", "[::1]", 8470, true);
    listens("[::]:8470", "[::]", 8470, false);
    CHECK(listen_parse("::1:8470", &listener, &error) == -EINVAL);
    CHECK(listen_parse("[127.0.0.1]:8470", &listener, &error) == -EINVAL);
    CHECK(listen_parse("127.0.0.1", &listener, &error) == -EINVAL);
    CHECK(listen_parse("127.0.0.1:-1", &listener, &error) == -EINVAL);
}

static const struct test tests[] = {
    {"target", test_target},         {"long target", test_long_target},
    {"parameters", test_parameters}, {"framing", test_framing},
    {"numbers", test_numbers},       {"hosts", test_hosts},
    {"headers", test_headers},       {"json", test_json},
    {"listen", test_listen},
};

TEST_MAIN(tests)
