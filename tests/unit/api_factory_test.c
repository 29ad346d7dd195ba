/* SPDX-License-Identifier: Apache-2.0 */
/* Pools, recipes, evidence, backups and webhooks over sockets, with a fake farm and store behind them: what
 * the api itself decides before and after it asks them. */
#include "alloc.h"
#include "api_fake.h"
#include "outgoing.h"
#include "test.h"
#include "webhooks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A fake whose api has a directory of its own. */
struct scene {
    struct fake fake;
    char state[48];
};

static void begin_with(struct scene *scene, struct api_options *options)
{
    (void)snprintf(scene->state, sizeof scene->state, "/tmp/flashfarm-api-state-XXXXXX");
    CHECK(mkdtemp(scene->state) != NULL);
    options->state = scene->state;
    options->webhook_hosts = "127.0.0.1 [::1]:8080";
    fake_start(&scene->fake, options);
    client_idle(&scene->fake, 5);
}

static void begin(struct scene *scene)
{
    struct api_options options;

    fake_init(&scene->fake, &options);
    begin_with(scene, &options);
}

static void end(struct scene *scene)
{
    char *command = format_text("rm -r %s", scene->state);

    fake_stop(&scene->fake);
    CHECK(system(command) == 0);
    free(command);
}

static void expect(struct scene *scene, const char *request, const char *headers, const char *body,
                   int status, const char *want)
{
    char *head =
        format_text("%s HTTP/1.1\r\n" AUTH "%sContent-Length: %zu\r\n", request, headers, strlen(body));
    char *answer = fake_ask(&scene->fake, head, body);

    if (!CHECK(answer_status(answer) == status) || !CHECK(strstr(answer, want) != NULL))
        (void)fprintf(stderr, "  %s: %s\n", request, answer);
    free(answer);
    free(head);
}

#define JSON "Content-Type: application/json\r\n"
#define TEXT "Content-Type: text/plain\r\n"

static void test_pools(void)
{
    struct scene scene;

    begin(&scene);
    expect(&scene, "POST /v1/serial-pools", JSON, "{\"kind\": \"serial\"}", 201,
           "Location: /v1/serial-pools/boards%2F1\r\n");
    expect(&scene, "POST /v1/serial-pools", JSON, "{}", 422, "kind is missing");
    expect(&scene, "GET /v1/serial-pools/boards%2F1", "", "", 200, "\"open\"");
    expect(&scene, "POST /v1/serial-pools/boards%2F1/burn", JSON, "{\"count\": 5, \"reason\": \"lost\"}", 200,
           "open");
    CHECK_TEXT(scene.fake.said, "burn 5: lost, by tester");
    expect(&scene, "POST /v1/serial-pools/boards%2F1/close", JSON, "{\"reason\": \"full\"}", 200, "open");
    CHECK_TEXT(scene.fake.said, "close 0: full, by tester");
    scene.fake.said[0] = '\0';
    expect(&scene, "POST /v1/serial-pools/boards%2F1/burn", JSON, "{\"count\": \"5\", \"reason\": \"lost\"}",
           422, "count:");
    expect(&scene, "POST /v1/serial-pools/boards%2F1/burn", JSON, "{\"count\": 5}", 422, "reason:");
    expect(&scene, "POST /v1/serial-pools/boards%2F1/open", JSON, "{\"reason\": \"x\", \"count\": 1}", 422,
           "\\\"count\\\" is not a member");
    CHECK_TEXT(scene.fake.said, "");
    expect(&scene, "GET /v1/serial-pools/boards%2F1/serials?state=unknown", "", "", 200, "\"unknown\"");
    expect(&scene, "GET /v1/serial-pools/nobody/serials", "", "", 404, "no such thing");
    expect(&scene, "GET /v1/serials/SN%2F1", "", "", 200, "SN/1");
    expect(&scene, "POST /v1/serials/SN%2F1/settle", JSON, "{\"state\": \"burned\", \"reason\": \"scrap\"}",
           200, "burned");
    CHECK_TEXT(scene.fake.said, "SN/1 is burned: scrap, by tester");
    expect(&scene, "POST /v1/stations/A1/scan", JSON, "{\"code\": \"P-1\", \"position\": \"3\"}", 200,
           "\"A1\"");
    CHECK_TEXT(scene.fake.said, "P-1 at 3 by tester");
    expect(&scene, "POST /v1/stations/B1/scan", JSON, "{\"code\": \"P-1\"}", 404, "no such station");
    end(&scene);
}

static void test_recipes(void)
{
    static const char *const old[] = {
        "\"71\"", "\"072x\"", "W/\"72\"",       "72",
        "\"-1\"", "\"\"",     "\"72\", \"71\"", "\"99999999999999999999999999\""};
    struct scene scene;

    begin(&scene);
    expect(&scene, "POST /v1/recipes", JSON, "{\"name\": \"con/troller\"}", 201,
           "Location: /v1/recipes/con%2Ftroller/3\r\n");
    CHECK(scene.fake.recipe_fact == 72);
    expect(&scene, "GET /v1/recipes/con%2Ftroller/3", "", "", 200, "ETag: \"72\"\r\n");
    expect(&scene, "GET /v1/recipes/con%2Ftroller/3", "If-None-Match: \"72\"\r\n", "", 304,
           "ETag: \"72\"\r\n");
    expect(&scene, "GET /v1/recipes/con%2Ftroller/3", "If-None-Match: \"71\"\r\n", "", 200,
           "ETag: \"72\"\r\n");
    expect(&scene, "PUT /v1/recipes/con%2Ftroller/3", JSON, "{}", 428, "precondition-required");
    for (size_t i = 0; i < sizeof old / sizeof old[0]; i++) {
        char *header = format_text(JSON "If-Match: %s\r\n", old[i]);

        expect(&scene, "PUT /v1/recipes/con%2Ftroller/3", header, "{}", 412, "precondition-failed");
        free(header);
    }
    CHECK(scene.fake.recipe_fact == 72);
    expect(&scene, "PUT /v1/recipes/con%2Ftroller/3", JSON "If-Match: \"72\"\r\n", "{}", 200,
           "ETag: \"73\"\r\n");
    expect(&scene, "PUT /v1/recipes/con%2Ftroller/3", JSON "If-Match: *\r\n", "{\"name\": \"other\"}", 422,
           "of this address");
    expect(&scene, "POST /v1/recipes/con%2Ftroller/3/release", JSON, "{}", 428, "precondition-required");
    expect(&scene, "POST /v1/recipes/con%2Ftroller/3/release", JSON "If-Match: \"72\"\r\n", "{}", 412,
           "it has changed");
    expect(&scene, "POST /v1/recipes/con%2Ftroller/3/release", JSON "If-Match: \"73\"\r\n",
           "{\"reason\": \"ok\"}", 200, "ETag: \"74\"\r\n");
    CHECK_TEXT(scene.fake.said, "release: ok, by tester");
    expect(&scene, "POST /v1/recipes/con%2Ftroller/3/retire", JSON, "{}", 200, "ETag: \"75\"\r\n");
    CHECK_TEXT(scene.fake.said, "retire: , by tester");
    expect(&scene, "GET /v1/recipes/con%2Ftroller/3/lint", "", "", 200, "{\"findings\":[]}");
    expect(&scene, "GET /v1/recipes/con%2Ftroller/0", "", "", 404, "'0'");
    end(&scene);
}

#define IMAGE "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void test_signatures(void)
{
    struct scene scene;
    char *long_text = allocate((16 << 10) + 2, 1);

    begin(&scene);
    memset(long_text, 'x', (16 << 10) + 1);
    expect(&scene, "POST /v1/images/" IMAGE "/signatures", TEXT, "good", 201, "\"good\"");
    expect(&scene, "POST /v1/images/" IMAGE "/signatures", TEXT, "forged", 422, "problem:signature");
    expect(&scene, "POST /v1/images/" IMAGE "/signatures", JSON, "{}", 415, "expected text/plain");
    expect(&scene, "POST /v1/images/" IMAGE "/signatures", TEXT, long_text, 413, "problem:too-large");
    expect(&scene, "POST /v1/images/fw.hex/signatures", TEXT, "good", 404, "'fw.hex'");
    expect(&scene, "GET /v1/images/" IMAGE "/signatures", "", "", 200, "\"next\":null");
    free(long_text);
    end(&scene);
}

static void test_evidence(void)
{
    struct scene scene;

    begin(&scene);
    expect(&scene, "GET /v1/ledger/key", "", "", 200, "\r\n\r\nflashfarm/here+01234567+AQ==\n");
    expect(&scene, "GET /v1/ledger/checkpoint", "", "", 200, "\r\n\r\nflashfarm/here\n1\n");
    expect(&scene, "POST /v1/ledger/checkpoint", "", "", 200, "Content-Type: text/plain");
    expect(&scene, "GET /v1/ledger/proof?sequence=2", "", "", 200, "{\"sequence\":2}");
    expect(&scene, "GET /v1/ledger/proof?serial=SN%2F1", "", "", 200, "{\"sequence\":2}");
    expect(&scene, "GET /v1/ledger/proof?sequence=3", "", "", 404, "POST /v1/ledger/checkpoint");
    expect(&scene, "GET /v1/ledger/proof", "", "", 400, "either sequence or serial");
    end(&scene);
}

static void test_backups(void)
{
    struct scene scene;
    char *answer, *name;

    begin(&scene);
    answer = fake_ask(&scene.fake, "POST /v1/backups HTTP/1.1\r\n" AUTH "Content-Length: 0\r\n", "");
    CHECK(answer_status(answer) == 201);
    name = strstr(answer, "Location: /v1/backups/");
    if (CHECK(name != NULL)) {
        char *request;

        name += strlen("Location: ");
        name[strcspn(name, "\r")] = '\0';
        request = format_text("GET %s", name);
        expect(&scene, request, "", "", 200, "SQLite format 3");
        expect(&scene, "GET /v1/backups/..%2Fwebhooks.json", "", "", 404, "not-found");
        free(request);
    }
    free(answer);
    CHECK(json_array_size(scene.fake.ledger) == 1);
    scene.fake.refusal = (struct error){.code = -ENOSPC, .text = "disk full"};
    expect(&scene, "POST /v1/backups", "", "", 507, "disk full");
    scene.fake.refusal = ERROR_NONE;
    end(&scene);
}

/* --- webhooks ------------------------------------------------------------------------------------------- */

static void test_webhook_parts(void)
{
    /* The published example of Standard Webhooks. */
    static const uint8_t secret[] = {0x31, 0xf2, 0x90, 0xf6, 0xbf, 0x06, 0x29, 0x8a, 0xab, 0x4f, 0x08, 0xd4,
                                     0x3c, 0x3f, 0x08, 0x2c, 0xf6, 0x48, 0xa3, 0x62, 0xda, 0x2d, 0xa4, 0xb0};
    char text[48];

    webhook_sign(secret, sizeof secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, "{\"test\": 2432232314}",
                 text);
    CHECK_TEXT(text, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    for (uint32_t random = 0; random < 1000; random += 333) {
        CHECK(webhook_delay_ms(1000, 1, random) <= 1000 && webhook_delay_ms(1000, 1, random) > 750);
        CHECK(webhook_delay_ms(1000, 5, random) <= 16000 && webhook_delay_ms(1000, 5, random) > 12000);
        CHECK(webhook_delay_ms(1000, 4000000000u, random) <= 3600000);
        CHECK(webhook_delay_ms(1000, 4000000000u, random) > 2700000);
    }
    CHECK(webhook_delay_ms(1000, 1, 0) != webhook_delay_ms(1000, 1, 500));
}

static void test_webhook_hosts(void)
{
    static const struct {
        const char *url;
        int want;
    } cases[] = {
        {"http://mes.example/a?b", 0},
        {"https://MES.example:9443/", 0},
        {"http://other.example:8080/", 0},
        {"http://[::1]:8080/", 0},
        {"http://other.example/", -EACCES},
        {"http://[::1]:8081/", -EACCES},
        {"http://mes.example.evil.example/", -EACCES},
        {"http://mes.example@evil.example/", -EINVAL},
        {"http://evil.example#mes.example/", -EINVAL},
        {"http://mes.example\\@evil.example/", -EINVAL},
        {"http://mes.example/ HTTP/1.1", -EINVAL},
        {"file:///etc/passwd", -EINVAL},
        {"ftp://mes.example/", -EINVAL},
        {"mes.example", -EINVAL},
        {"", -EINVAL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error error = ERROR_NONE;
        int status = outgoing_check_url(cases[i].url, "mes.example other.example:8080 [::1]:8080", &error);

        if (!CHECK(status == cases[i].want))
            (void)fprintf(stderr, "  %s: %d %s\n", cases[i].url, status, error.text);
    }
    CHECK(outgoing_check_url("http://mes.example/", "", &(struct error){.code = 0}) == -EACCES);
}

static bool has_fact(const struct fake *fake, const char *kind, const char *part)
{
    const json_t *fact;
    size_t i;

    json_array_foreach (fake->ledger, i, fact) {
        if (!strcmp(json_string_value(json_object_get(fact, "kind")), kind) &&
            strstr(json_string_value(json_object_get(fact, "canonical")), part))
            return true;
    }
    return false;
}

/* Nobody listens there: after a second of trying the webhook is given up, on the record. */
static void test_webhook_given_up(void)
{
    struct api_options options;
    struct scene scene;

    fake_init(&scene.fake, &options);
    options.webhook_retry_ms = 5;
    options.webhook_give_up_s = 1;
    begin_with(&scene, &options);
    expect(&scene, "POST /v1/webhooks", JSON, "{\"url\": \"http://127.0.0.1:1/\"}", 201,
           "\"secret\":\"whsec_");
    for (int i = 0; i < 100 && !has_fact(&scene.fake, "webhook.state", "\"disabled\""); i++)
        client_idle(&scene.fake, 50);
    CHECK(has_fact(&scene.fake, "webhook.state", "\"active\""));
    CHECK(has_fact(&scene.fake, "webhook.state", "taken nothing for too long"));
    expect(&scene, "GET /v1/webhooks", "", "", 200, "\"disabled\"");
    client_idle(&scene.fake, 400); /* its file is written */
    end(&scene);
}

/* A request that comes before the record has answered waits for it. */
static void test_webhook_early(void)
{
    static const char text[] = "GET /v1/webhooks HTTP/1.1\r\n" AUTH "\r\n";
    struct api_options options;
    struct scene scene;
    char buffer[4096] = "";
    int fd;

    fake_init(&scene.fake, &options);
    scene.fake.mute = true;
    begin_with(&scene, &options);
    fd = client_open(&scene.fake);
    client_send(&scene.fake, fd, text, sizeof text - 1);
    client_idle(&scene.fake, 20);
    CHECK(recv(fd, buffer, sizeof buffer - 1, MSG_DONTWAIT) < 0);
    scene.fake.mute = false;
    (void)client_receive(&scene.fake, fd, buffer, sizeof buffer, "\"next\":null}");
    CHECK(answer_status(buffer) == 200);
    (void)close(fd);
    end(&scene);

    /* Or for the stop, whichever comes first. */
    fake_init(&scene.fake, &options);
    scene.fake.mute = true;
    begin_with(&scene, &options);
    fd = client_open(&scene.fake);
    client_send(&scene.fake, fd, text, sizeof text - 1);
    client_idle(&scene.fake, 20);
    end(&scene);
    memset(buffer, 0, sizeof buffer);
    CHECK(recv(fd, buffer, sizeof buffer - 1, 0) > 0 && answer_status(buffer) == 503);
    (void)close(fd);
}

/* Stopped with a webhook that is being made, one that is under way, one that waits. */
static void test_webhook_stop(void)
{
    struct api_options options;
    struct scene scene;
    char *path, *command;
    json_t *kept;

    fake_init(&scene.fake, &options);
    begin_with(&scene, &options);
    expect(&scene, "POST /v1/webhooks", JSON, "{\"url\": \"http://127.0.0.1:1/\", \"topics\": [\"run.\"]}",
           201, "active");
    expect(&scene, "POST /v1/webhooks", JSON, "{\"url\": \"http://127.0.0.1:1/\", \"topics\": [\"job.\"]}",
           201, "active");
    fake_fact(&scene.fake, "run.started", json_object());
    client_idle(&scene.fake, 20);
    scene.fake.mute = true; /* the ledger is asked and does not answer before the stop */
    fake_fact(&scene.fake, "job.state", json_object());
    path = format_text("%s/webhooks.json", scene.state);
    fake_stop(&scene.fake);
    kept = json_load_file(path, 0, NULL);
    CHECK(json_array_size(json_object_get(kept, "webhooks")) == 2);
    json_decref(kept);
    free(path);
    command = format_text("rm -r %s", scene.state);
    CHECK(system(command) == 0);
    free(command);
}

static const struct test tests[] = {
    {"pools", test_pools},
    {"recipes", test_recipes},
    {"signatures", test_signatures},
    {"evidence", test_evidence},
    {"backups", test_backups},
    {"parts of webhooks", test_webhook_parts},
    {"hosts of webhooks", test_webhook_hosts},
    {"a webhook that is given up", test_webhook_given_up},
    {"early request for webhooks", test_webhook_early},
    {"stop with webhooks", test_webhook_stop},
};

TEST_MAIN(tests)
