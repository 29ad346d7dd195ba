/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and answers of the whole api, over sockets, with a fake farm and store behind it. */
#include "alloc.h"
#include "api_fake.h"
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Asks and checks the status; the body must have `want`. */
static void expect(struct fake *fake, const char *request, int status, const char *want)
{
    char *answer = fake_get(fake, request);

    if (!CHECK(answer_status(answer) == status) || !CHECK(strstr(answer_body(answer), want) != NULL))
        (void)fprintf(stderr, "  %s: %s\n", request, answer);
    free(answer);
}

static void expect_raw(struct fake *fake, const char *head, const char *body, int status, const char *want)
{
    char *answer = fake_ask(fake, head, body);

    if (!CHECK(answer_status(answer) == status) || !CHECK(strstr(answer, want) != NULL))
        (void)fprintf(stderr, "  %s: %s\n", head, answer);
    free(answer);
}

static void begin(struct fake *fake)
{
    struct api_options options;

    fake_init(fake, &options);
    fake_start(fake, &options);
}

static void test_reads(void)
{
    struct fake fake;

    begin(&fake);
    expect(&fake, "GET /v1/chips", 200, "{\"items\":[{\"name\":\"stm32f103xb\"}],\"next\":null}");
    expect(&fake, "GET /v1/chips/stm32f103xb", 200, "stm32f103xb");
    expect(&fake, "GET /v1/chips/z80", 404, "'z80'");
    expect(&fake, "GET /v1/ports", 200, "/dev/ttyS0");
    expect(&fake, "GET /v1/stations", 200, "\"A1\"");
    expect(&fake, "GET /v1/stations/A1", 200, "\"idle\"");
    expect(&fake, "GET /v1/stations/A2", 404, "urn:flashfarm:problem:not-found");
    expect(&fake, "GET /v1/jobs", 200, "{\"items\":[{\"id\":7,\"in_flight\":3},{\"id\":6}],\"next\":null}");
    expect(&fake, "GET /v1/jobs/7", 200, "{\"id\":7,\"state\":\"running\",\"in_flight\":3}");
    expect(&fake, "GET /v1/jobs/6", 200, "{\"id\":6,\"state\":\"running\"}");
    expect(&fake, "GET /v1/jobs/5", 404, "no such thing");
    expect(&fake, "GET /v1/jobs/seven", 404, "'seven'");
    expect(&fake, "GET /v1/jobs/7/runs", 200, "{\"items\":[],\"next\":null}");
    expect(&fake, "GET /v1/jobs/5/runs", 404, "no such thing");
    expect(&fake, "GET /v1/runs/1", 404, "no such thing");
    expect(&fake, "GET /v1/units/SN%2F1", 200, "SN/1");
    expect(&fake, "GET /v1/units/SN/1", 404, "nothing at this address");
    expect(&fake, "GET /v1/ledger/head", 200, "{\"sequence\":0,\"hash\":\"0011");
    expect(&fake, "GET /healthz", 200, "{\"status\":\"ok\",\"version\":\"1.2.3\"}");
    expect(&fake, "GET /openapi.json", 200, "\"openapi\":\"3.1.0\"");
    expect(&fake, "GET /", 200, "<title>flashfarm</title>");
    fake_stop(&fake);
}

/* The same when the farm answers before its function returns. */
static void test_answers_at_once(void)
{
    struct fake fake;

    begin(&fake);
    fake.at_once = true;
    expect(&fake, "GET /v1/jobs/7", 200, "in_flight");
    expect(&fake, "POST /v1/stations/A1/disable", 200, "\"enabled\":false");
    expect(&fake, "GET /v1/runs?format=csv", 200, "id,job,station");
    fake_stop(&fake);
}

static void test_commands(void)
{
    struct fake fake;

    begin(&fake);
    expect(&fake, "POST /v1/stations/A1/disable", 200, "\"enabled\":false");
    CHECK_TEXT(fake.by, "tester");
    expect(&fake, "POST /v1/stations/A1/enable", 200, "\"enabled\":true");
    expect(&fake, "POST /v1/stations/A1/start", 200, "\"A1\"");
    expect(&fake, "POST /v1/stations/A1/identify", 200, "{\"chip_id\":1040}");
    expect(&fake, "POST /v1/stations/B1/identify", 404, "no such thing");
    expect(&fake, "POST /v1/stations/B1/start", 404, "no such station");
    expect(&fake, "POST /v1/jobs/7/hold", 200, "\"held\"");
    expect(&fake, "POST /v1/jobs/7/resume", 200, "\"running\"");
    expect(&fake, "POST /v1/jobs/7/cancel", 200, "\"cancelled\"");
    expect(&fake, "POST /v1/jobs/8/cancel", 404, "no such thing");
    fake_stop(&fake);
}

/* Every number that farm and store may fail with. */
static void test_refusals(void)
{
    static const struct {
        int code, status;
        const char *want;
    } cases[] = {
        {.code = -EINVAL, .status = 422, .want = "problem:invalid"},
        {.code = -ENOENT, .status = 404, .want = "problem:not-found"},
        {.code = -EEXIST, .status = 409, .want = "problem:exists"},
        {.code = -EBUSY, .status = 409, .want = "problem:busy"},
        {.code = -EAGAIN, .status = 409, .want = "problem:in-progress"},
        {.code = -EPERM, .status = 422, .want = "problem:idempotency-key-reused"},
        {.code = -E2BIG, .status = 413, .want = "problem:too-large"},
        {.code = -ENOSPC, .status = 507, .want = "problem:no-room"},
        {.code = -EACCES, .status = 403, .want = "problem:forbidden"},
        {.code = -ESTALE, .status = 412, .want = "problem:precondition-failed"},
        {.code = -EKEYREJECTED, .status = 422, .want = "problem:signature"},
        {.code = -EIO, .status = 500, .want = "problem:internal"},
        {.code = -(ERROR_CLASS_BASE + 1), .status = 502, .want = "\"class\":\"no-contact\""},
    };
    struct fake fake;

    begin(&fake);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fake.refusal = (struct error){.code = cases[i].code, .text = "a sentence"};
        expect(&fake, "POST /v1/stations/A1/identify", cases[i].status, cases[i].want);
        expect(&fake, "POST /v1/stations/A1/start", cases[i].status, "\"detail\":\"a sentence\"");
        expect(&fake, "POST /v1/jobs/7/hold", cases[i].status, "\"instance\":\"/v1/jobs/7/hold\"");
    }
    fake.refusal = (struct error){.code = -EINVAL, .text = "a sentence"};
    expect(&fake, "GET /v1/runs?from=yesterday", 400, "problem:bad-parameter");
    fake_stop(&fake);
}

static void test_jobs(void)
{
    static const char head[] = "POST /v1/jobs HTTP/1.1\r\n" AUTH;
    struct fake fake;

    begin(&fake);
#define JSON "Content-Type: application/json\r\n"
#define ONCE "Idempotency-Key: k\r\n"
    expect_raw(&fake, "POST /v1/jobs HTTP/1.1\r\n" AUTH JSON ONCE "Content-Length: 9\r\n", "{\"a\":[1]}", 202,
               "Location: /v1/jobs/7\r\n");
    CHECK_TEXT(fake.by, "tester");
    CHECK_TEXT(fake.key, "k");
    expect_raw(&fake, "POST /v1/jobs HTTP/1.1\r\n" AUTH JSON "Content-Length: 9\r\n", "{\"a\":[1]}", 400,
               "problem:idempotency-key-missing");
    expect_raw(&fake, "POST /v1/jobs HTTP/1.1\r\n" AUTH JSON "Content-Length: 17\r\n", "{\"dry_run\": true}",
               200, "\"dry_run\":true");
    CHECK_TEXT(fake.key, "");
    fake.repeated = true;
    expect_raw(&fake,
               "POST /v1/jobs HTTP/1.1\r\n" AUTH JSON "Content-Length: 2\r\nIdempotency-Key: order 12\r\n",
               "{}", 202, "Idempotent-Replayed: true\r\n");
    CHECK_TEXT(fake.key, "order 12");
    expect_raw(&fake, "POST /v1/jobs HTTP/1.1\r\n" AUTH JSON "Content-Length: 2\r\nIdempotency-Key: \r\n",
               "{}", 400, "has 0 characters");
    expect_raw(&fake, "POST /v1/jobs HTTP/1.1\r\n" AUTH JSON "Content-Length: 9\r\n", "{\n\"a\": x}", 400,
               "\"line\":2,\"column\":");
    expect_raw(&fake, "POST /v1/jobs HTTP/1.1\r\n" AUTH JSON "Content-Length: 2\r\n", "[]", 400,
               "not a JSON object");
    expect_raw(&fake, "POST /v1/jobs HTTP/1.1\r\n" AUTH JSON "Content-Length: 15\r\n", "{\"a\":1, \"a\": 2}",
               400, "duplicate");
    expect_raw(&fake, "POST /v1/jobs HTTP/1.1\r\n" AUTH "Content-Type: text/plain\r\nContent-Length: 2\r\n",
               "{}", 415, "expected application/json");
    expect_raw(&fake, head, "", 415, "expected application/json");
    expect_raw(&fake, "POST /v1/jobs HTTP/1.1\r\n" AUTH JSON "Content-Length: 5000000\r\n", "{", 413,
               "problem:too-large");
    /* The body in two chunks. */
    expect_raw(&fake, "POST /v1/jobs HTTP/1.1\r\n" AUTH JSON ONCE "Transfer-Encoding: chunked\r\n",
               "3\r\n{\"b\r\n5\r\n\":42}\r\n0\r\n\r\n", 202, "{\"b\":42}");
    fake_stop(&fake);
}

/* A JSON body whose length is not announced cannot be refused before it is too long. */
static void test_long_chunked_body(void)
{
    struct fake fake;
    size_t size = 300 << 10;
    char *body = allocate(size + 1, 4);
    char *chunks;

    begin(&fake);
    memset(body, ' ', size * 4);
    chunks = format_text("%zx\r\n%s\r\n0\r\n\r\n", size * 4, body);
    expect_raw(&fake, "POST /v1/jobs HTTP/1.1\r\n" AUTH JSON "Transfer-Encoding: chunked\r\n", chunks, 413,
               "more than 1048576 bytes");
    free(chunks);
    free(body);
    fake_stop(&fake);
}

static void test_uploads(void)
{
    struct fake fake;

    begin(&fake);
    expect_raw(&fake, "POST /v1/images?name=fw.hex HTTP/1.1\r\n" AUTH "Content-Length: 11\r\n", ":00000001FF",
               201, "Location: /v1/images/00112233");
    CHECK_TEXT(fake.upload_name, "fw.hex");
    CHECK_TEXT(fake.uploaded, ":00000001FF");
    CHECK_TEXT(fake.by, "tester");
    CHECK(!fake.has_base);
    fake.repeated = true;
    expect_raw(&fake, "POST /v1/images?address=0x08000000 HTTP/1.1\r\n" AUTH "Transfer-Encoding: chunked\r\n",
               "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", 200, "{\"id\":\"0011");
    CHECK_TEXT(fake.uploaded, "abc");
    CHECK(fake.has_base && fake.base == 0x08000000);
    expect_raw(&fake, "POST /v1/images HTTP/1.1\r\n" AUTH "Content-Length: 0\r\n", "", 422,
               "the body is empty");
    expect_raw(&fake, "POST /v1/images?address=08x HTTP/1.1\r\n" AUTH "Content-Length: 1\r\n", "x", 400,
               "address is '08x'");
    expect_raw(&fake, "POST /v1/images HTTP/1.1\r\n" AUTH "Content-Length: 67108865\r\n", "x", 413,
               "67108865 bytes; expected at most 67108864");
    fake_stop(&fake);
}

static void test_large_upload(void)
{
    struct fake fake;
    size_t size = 3 << 20;
    char *body = allocate(size + 1, 1);

    begin(&fake);
    memset(body, 'z', size);
    expect_raw(&fake, "POST /v1/images HTTP/1.1\r\n" AUTH "Content-Length: 3145728\r\n", body, 201,
               "Location");
    CHECK(fake.uploaded_size == (int64_t)size);
    free(body);
    fake_stop(&fake);
}

/* The client goes away in the middle: nothing is handed on, nothing stays (fake_stop() looks). */
static void test_aborted_upload(void)
{
    static const char text[] = "POST /v1/images HTTP/1.1\r\n" AUTH "Content-Length: 100000\r\n\r\nsome of it";
    struct fake fake;
    int fd;

    begin(&fake);
    fd = client_open(&fake);
    client_send(&fake, fd, text, sizeof text - 1);
    client_idle(&fake, 20);
    (void)close(fd);
    client_idle(&fake, 20);
    CHECK(fake.uploaded_size == 0);
    fake_stop(&fake);
}

static void test_upload_without_room(void)
{
    struct fake fake;

    begin(&fake);
    CHECK(rmdir(fake.directory) == 0);
    expect_raw(&fake, "POST /v1/images HTTP/1.1\r\n" AUTH "Content-Length: 2\r\n", "ab", 404, "cannot make");
    CHECK(mkdtemp(strcpy(fake.directory, "/tmp/flashfarm-api-XXXXXX")) != NULL);
    fake_stop(&fake);
}

static void test_etags(void)
{
#define IMAGE "/v1/images/00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
    static const char etag[] = "\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\"";
    struct fake fake;
    char *answer, *head;

    begin(&fake);
    answer = fake_get(&fake, "GET " IMAGE);
    head = format_text("ETag: %s", etag);
    CHECK(answer_has(answer, head));
    free(answer);
    free(head);
    head = format_text("GET " IMAGE " HTTP/1.1\r\n" AUTH "If-None-Match: \"x\", %s\r\n", etag);
    answer = fake_ask(&fake, head, "");
    CHECK(answer_status(answer) == 304);
    CHECK_TEXT(answer_body(answer), "");
    free(answer);
    free(head);
    expect(&fake, "GET /v1/images/xyz", 404, "SHA-256");
    fake_stop(&fake);
}

static void test_keys(void)
{
    struct fake fake;

    begin(&fake);
    expect_raw(&fake, "GET /v1/chips HTTP/1.1\r\nHost: localhost\r\n", "", 401,
               "WWW-Authenticate: Bearer realm=\"flashfarm\"\r\n");
    expect_raw(&fake, "GET /v1/chips HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer wrong\r\n", "", 401,
               "error=\"invalid_token\"");
    expect_raw(&fake, "GET /v1/chips HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " FAKE_KEY "x\r\n",
               "", 401, "problem:unauthorized");
    expect_raw(&fake, "GET /v1/chips HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic " FAKE_KEY "\r\n",
               "", 401, "problem:unauthorized");
    expect_raw(&fake, "GET /v1/chips HTTP/1.1\r\nHost: localhost\r\nauthorization: bearer " FAKE_KEY "\r\n",
               "", 200, "stm32");
    expect_raw(&fake, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n", "", 200, "ok");
    expect_raw(&fake, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n", "", 401, "problem");
    fake_stop(&fake);
}

static void test_hosts(void)
{
#define KEY "Authorization: Bearer " FAKE_KEY "\r\n"
    static const char *const hosts[] = {"farm.example"};
    struct api_options options;
    struct fake fake;

    fake_init(&fake, &options);
    options.hosts = hosts;
    options.host_count = 1;
    fake_start(&fake, &options);
    expect_raw(&fake, "GET /v1/chips HTTP/1.1\r\nHost: 127.0.0.1:8470\r\n" KEY, "", 200, "stm32");
    expect_raw(&fake, "GET /v1/chips HTTP/1.1\r\nHost: [::1]:8470\r\n" KEY, "", 200, "stm32");
    expect_raw(&fake, "GET /v1/chips HTTP/1.1\r\nHost: FARM.example\r\n" KEY, "", 200, "stm32");
    expect_raw(&fake, "GET /healthz HTTP/1.1\r\nHost: evil.example\r\n", "", 421, "problem:misdirected");
    expect_raw(&fake, "GET /healthz HTTP/1.1\r\nHost: localhost.evil.example\r\n", "", 421,
               "problem:misdirected");
    expect_raw(&fake, "GET /healthz HTTP/1.1\r\n", "", 400, "");
    fake_stop(&fake);
}

/* What a proxy and a server can understand differently is refused, and the connection closed. */
static void test_smuggling(void)
{
#define POST "POST /v1/jobs HTTP/1.1\r\n" AUTH JSON
    static const char *const heads[] = {
        POST "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        POST "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n",
        POST "Content-Length: 2\r\nContent-Length: 3\r\n",
        POST "Content-Length: 2\r\nContent-Length: 2\r\n",
        "GET /healthz HTTP/1.1\r\n" AUTH "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
    };
    struct fake fake;

    begin(&fake);
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        char buffer[4096] = "";
        char *text = format_text("%s\r\n{}", heads[i]);
        int fd = client_open(&fake);

        client_send(&fake, fd, text, strlen(text));
        (void)client_receive(&fake, fd, buffer, sizeof buffer, "}");
        CHECK(answer_status(buffer) == 400);
        CHECK(strstr(buffer, "more than once how long the body is") != NULL);
        CHECK(client_closed(&fake, fd));
        (void)close(fd);
        free(text);
    }
    fake_stop(&fake);
}

static void test_methods(void)
{
    struct fake fake;
    char *answer;

    begin(&fake);
    answer = fake_get(&fake, "PUT /v1/jobs/7");
    CHECK(answer_status(answer) == 405);
    CHECK(answer_has(answer, "Allow: GET, HEAD, OPTIONS"));
    free(answer);
    answer = fake_get(&fake, "OPTIONS /v1/images");
    CHECK(answer_status(answer) == 204);
    CHECK(answer_has(answer, "Allow: POST, GET, HEAD, OPTIONS"));
    free(answer);
    answer = fake_get(&fake, "OPTIONS *");
    CHECK(answer_status(answer) == 204);
    free(answer);
    answer = fake_get(&fake, "HEAD /v1/chips");
    CHECK(answer_status(answer) == 200);
    CHECK_TEXT(answer_body(answer), "");
    free(answer);
    answer = fake_get(&fake, "HEAD /v1/events");
    CHECK(answer_status(answer) == 200);
    CHECK_TEXT(answer_body(answer), "");
    free(answer);
    expect(&fake, "GET /v1", 404, "problem:not-found");
    expect(&fake, "GET /v1/jobs/", 404, "problem:not-found");
    expect(&fake, "GET /v1//jobs", 404, "problem:not-found");
    expect(&fake, "GET /v1/%zz", 400, "hexadecimal");
    fake_stop(&fake);
}

static void test_parameters(void)
{
    struct fake fake;

    begin(&fake);
    expect(&fake, "GET /v1/runs?colour=red", 400, "'colour'; expected one of: job serial");
    expect(&fake, "GET /v1/chips?limit=1", 400, "'limit'; expected none");
    expect(&fake, "GET /v1/runs?limit=0", 400, "limit is '0'");
    expect(&fake, "GET /v1/runs?limit=1001", 400, "limit is '1001'");
    expect(&fake, "GET /v1/runs?limit=1&limit=2", 400, "given twice");
    expect(&fake, "GET /v1/runs?cursor=nonsense", 400, "this is no cursor");
    expect(&fake, "GET /v1/runs?cursor=nonsense&format=csv", 400, "this is no cursor");
    expect(&fake, "GET /v1/runs?outcome=passed", 400, "outcome is 'passed'");
    expect(&fake, "GET /v1/runs?job=x", 400, "job is 'x'");
    expect(&fake, "GET /v1/jobs?state=open", 400, "state is 'open'");
    expect(&fake, "GET /v1/runs?format=xml", 400, "format is 'xml'");
    expect(&fake, "GET /v1/runs?serial=a%20b+c", 200, "{\"items\":[]");
    expect(&fake, "GET /v1/ledger?from=0", 400, "from is '0'");
    expect(&fake, "GET /v1/events?last_event_id=x", 400, "'x'");
    fake_stop(&fake);
}

static void test_headers(void)
{
    struct fake fake;
    char *answer;

    begin(&fake);
    answer = fake_get(&fake, "GET /v1/chips");
    CHECK(answer_has(answer, "X-Content-Type-Options: nosniff"));
    CHECK(answer_has(answer, "Cache-Control: no-store"));
    CHECK(answer_has(answer, "Content-Type: application/json"));
    free(answer);
    answer = fake_get(&fake, "GET /v1/nothing");
    CHECK(answer_has(answer, "Content-Type: application/problem+json"));
    free(answer);
    answer = fake_get(&fake, "GET /");
    CHECK(strstr(answer, "Content-Security-Policy: default-src 'none'") != NULL);
    free(answer);
    fake_stop(&fake);
}

/* Pages of 500 rows each, in order, without a row lost or doubled. */
static void test_export(void)
{
    struct fake fake;
    char *answer;
    const char *line;
    int rows = 0;

    begin(&fake);
    for (int i = 1; i <= 1203; i++)
        fake_add_run(&fake, json_pack("{s:i, s:s}", "id", i, "message", i == 2 ? "=1+1" : "fine"));
    answer = fake_ask(&fake, "GET /v1/runs HTTP/1.0\r\n" AUTH "Accept: text/csv\r\n", "");
    CHECK(strstr(answer, "Content-Type: text/csv") != NULL);
    for (line = strstr(answer_body(answer), "\r\n") + 2; *line; line = strstr(line, "\r\n") + 2)
        CHECK(atoi(line) == ++rows);
    CHECK(rows == 1203);
    CHECK(strstr(answer, "\r\n2,,,,,\"'=1+1\",") != NULL);
    free(answer);
    answer = fake_ask(&fake, "GET /v1/runs?format=csv&limit=2&cursor=1 HTTP/1.0\r\n" AUTH, "");
    CHECK(strstr(answer, "\r\n2,") && strstr(answer, "\r\n3,") && !strstr(answer, "\r\n4,"));
    free(answer);
    fake_stop(&fake);
}

static void test_metrics(void)
{
    struct api_lag lag = {.sum_us = 0};
    struct api_options options;
    struct fake fake;

    fake_init(&fake, &options);
    api_lag_add(&lag, 100);
    api_lag_add(&lag, 101);
    api_lag_add(&lag, 999999);
    options.lag = &lag;
    fake_start(&fake, &options);
    expect(&fake, "GET /v1/nothing", 404, "");
    expect(&fake, "GET /metrics", 200, "\nflashfarm_stations{state=\"idle\"} 1\n");
    expect(&fake, "GET /metrics", 200, "\nflashfarm_runs_total{outcome=\"pass\"} 11\n");
    expect(&fake, "GET /metrics", 200, "\nflashfarm_failures_total{station=\"A1\",class=\"no-contact\"} 3\n");
    expect(&fake, "GET /metrics", 200, "\nflashfarm_commit_seconds_sum 2.500000\n");
    expect(&fake, "GET /metrics", 200, "\nflashfarm_http_requests_total{code=\"404\"} 1\n");
    expect(&fake, "GET /metrics", 200,
           "_bucket{le=\"0.000100\"} 1\nflashfarm_loop_lag_seconds_bucket{le=\"0.000500\"} 2\n");
    expect(&fake, "GET /metrics", 200, "{le=\"+Inf\"} 3\nflashfarm_loop_lag_seconds_sum 1.000200\n");
    fake_stop(&fake);
}

static void test_keep_alive(void)
{
    static const char text[] = "GET /v1/chips HTTP/1.1\r\n" AUTH "\r\nGET /v1/none HTTP/1.1\r\n" AUTH
                               "\r\nGET /v1/jobs/7 HTTP/1.1\r\n" AUTH "\r\n";
    char buffer[4096] = "";
    struct fake fake;
    int fd;

    begin(&fake);
    fd = client_open(&fake);
    client_send(&fake, fd, text, sizeof text - 1);
    (void)client_receive(&fake, fd, buffer, sizeof buffer, "in_flight");
    CHECK(strstr(buffer, "stm32f103xb") && strstr(buffer, "problem:not-found") &&
          strstr(buffer, "in_flight"));
    (void)close(fd);
    fake_stop(&fake);
}

/* A header that never ends, one byte now and then, is cut off all the same. */
static void test_slow_header(void)
{
    struct api_options options;
    struct fake fake;
    bool closed = false;
    int fd;

    fake_init(&fake, &options);
    options.header_s = 1;
    fake_start(&fake, &options);
    fd = client_open(&fake);
    client_send(&fake, fd, "GET / HTTP/1.1\r\n", 16);
    for (int i = 0; i < 60 && !closed; i++) {
        char byte;

        client_idle(&fake, 100);
        closed = send(fd, "a", 1, MSG_NOSIGNAL) < 0 || recv(fd, &byte, 1, 0) == 0;
    }
    CHECK(closed);
    (void)close(fd);
    fake_stop(&fake);
}

/* Stopping while the farm still owes an answer: the client gets 503 and the late answer does no harm. */
static void test_stop_while_waiting(void)
{
    static const char text[] = "GET /v1/jobs/7 HTTP/1.1\r\n" AUTH "\r\n";
    char buffer[4096] = "";
    struct fake fake;
    int fd;

    begin(&fake);
    client_idle(&fake, 5); /* what the api asks for itself at its start is answered */
    fake.mute = true;
    fd = client_open(&fake);
    client_send(&fake, fd, text, sizeof text - 1);
    client_idle(&fake, 20);
    CHECK(fake.owed == 1);
    fake_stop(&fake);
    CHECK(recv(fd, buffer, sizeof buffer - 1, 0) > 0);
    CHECK(answer_status(buffer) == 503);
    CHECK(fake.stops == 1);
    (void)close(fd);
}

/* The other loopback; on a host without IPv6 there is nothing to test. */
static void test_ipv6(void)
{
    struct error error = ERROR_NONE;
    struct api_options options;
    struct fake fake;

    fake_init(&fake, &options);
    options.listen = "[::1]:0";
    if (api_start(&fake.api, &options, &error) == 0)
        CHECK(!strncmp(api_url(fake.api), "http://[::1]:", 13) && api_bound_port(fake.api) > 0);
    else
        CHECK(error.code == -EADDRNOTAVAIL || error.code == -EAFNOSUPPORT);
    fake_stop(&fake);
}

static void test_options(void)
{
    static const struct {
        const char *listen, *want;
        bool generated;
        size_t keys;
    } cases[] = {
        {.listen = "0.0.0.0:0", .generated = true, .keys = 1, .want = "key file"},
        {.listen = "[::]:0", .generated = true, .keys = 1, .want = "key file"},
        {.listen = "127.0.0.1:0", .keys = 0, .want = "no API key"},
        {.listen = "localhost", .keys = 1, .want = "expected ADDRESS:PORT"},
        {.listen = "localhost:8470", .keys = 1, .want = "not a numeric address"},
        {.listen = "127.0.0.1:70000", .keys = 1, .want = "expected ADDRESS:PORT"},
        {.listen = "203.0.113.7:0", .keys = 1, .want = "tls_certificate"},
    };
    struct api_options options;
    struct fake fake;

    fake_init(&fake, &options);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error error = ERROR_NONE;

        options.listen = cases[i].listen;
        options.key_count = cases[i].keys;
        options.keys_are_generated = cases[i].generated;
        CHECK(api_start(&fake.api, &options, &error) < 0);
        if (!CHECK(strstr(error.text, cases[i].want) != NULL))
            (void)fprintf(stderr, "  %s: %s\n", cases[i].listen, error.text);
    }
    fake_stop(&fake);
}

static const struct test tests[] = {
    {"reads", test_reads},
    {"answers at once", test_answers_at_once},
    {"commands", test_commands},
    {"refusals of farm and store", test_refusals},
    {"jobs", test_jobs},
    {"long chunked body", test_long_chunked_body},
    {"uploads", test_uploads},
    {"large upload", test_large_upload},
    {"aborted upload", test_aborted_upload},
    {"upload without room", test_upload_without_room},
    {"etags", test_etags},
    {"keys", test_keys},
    {"hosts", test_hosts},
    {"smuggling", test_smuggling},
    {"methods", test_methods},
    {"parameters", test_parameters},
    {"headers", test_headers},
    {"export", test_export},
    {"metrics", test_metrics},
    {"keep-alive", test_keep_alive},
    {"slow header", test_slow_header},
    {"stop while waiting", test_stop_while_waiting},
    {"ipv6", test_ipv6},
    {"options", test_options},
};

TEST_MAIN(tests)
