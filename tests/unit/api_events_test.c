/* SPDX-License-Identifier: Apache-2.0 */
/* The event stream: every fact once and in order, whatever the client missed; progress last-wins. */
#include "alloc.h"
#include "api_fake.h"
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROOM (4 << 20)

/* A client and all it has received. */
struct watcher {
    int fd;
    char *text;
};

static struct watcher watch(struct fake *fake, const char *query, const char *headers)
{
    struct watcher watcher = {.fd = client_open(fake), .text = allocate(1, ROOM)};
    char *request = format_text("GET /v1/events%s HTTP/1.1\r\n" AUTH "%s\r\n", query, headers);

    client_send(fake, watcher.fd, request, strlen(request));
    free(request);
    return watcher;
}

static bool hear(struct fake *fake, struct watcher *watcher, const char *want)
{
    (void)client_receive(fake, watcher->fd, watcher->text, ROOM, want);
    return strstr(watcher->text, want) != NULL;
}

static void leave(struct watcher *watcher)
{
    (void)close(watcher->fd);
    free(watcher->text);
}

static void fact(struct fake *fake, const char *kind, int number)
{
    fake_fact(fake, kind, json_pack("{s:i}", "n", number));
}

/* The ids received are first..last, each once and in order. */
static bool has_exactly(const char *text, int first, int last)
{
    int next = first;

    for (const char *p = strstr(text, "\nid: "); p; p = strstr(p + 1, "\nid: "))
        if (atoi(p + 5) != next++)
            return false;
    return next == last + 1;
}

static void begin(struct fake *fake, size_t ring, int old)
{
    struct api_options options;

    fake_init(fake, &options);
    options.event_ring = ring;
    for (int i = 1; i <= old; i++)
        fake_old_fact(fake, i % 2 ? "run.started" : "run.ended", json_pack("{s:i}", "n", i));
    fake_start(fake, &options);
}

static void test_live(void)
{
    struct watcher watcher;
    struct fake fake;

    begin(&fake, 0, 5);
    watcher = watch(&fake, "", "");
    CHECK(hear(&fake, &watcher, ": flashfarm\nretry: 2000\n\n"));
    CHECK(strstr(watcher.text, "Content-Type: text/event-stream\r\n") != NULL);
    fact(&fake, "run.ended", 6);
    CHECK(hear(&fake, &watcher, "\nid: 6\nevent: run.ended\ndata: {\"n\":6}\n\n"));
    fake_progress(&fake, "A1", 10);
    CHECK(hear(&fake, &watcher, "\nevent: progress\ndata: {\"percent\":10,\"station\":\"A1\"}\n\n"));
    CHECK(has_exactly(watcher.text, 6, 6));
    CHECK(fake.ledger_queries == 0);
    leave(&watcher);
    fake_stop(&fake);
}

/* Also across a restart: what came before is in the ledger only. */
static void test_replay(void)
{
    struct watcher watcher;
    struct fake fake;

    begin(&fake, 0, 450);
    watcher = watch(&fake, "", "Last-Event-ID: 3\r\n");
    fact(&fake, "run.ended", 451);
    CHECK(hear(&fake, &watcher, "\nid: 451\n"));
    fact(&fake, "run.ended", 452);
    CHECK(hear(&fake, &watcher, "\nid: 452\n"));
    CHECK(has_exactly(watcher.text, 4, 452));
    CHECK(fake.ledger_queries == 3);
    leave(&watcher);
    watcher = watch(&fake, "?last_event_id=0&topics=run.started", "");
    CHECK(hear(&fake, &watcher, "\nid: 449\n"));
    CHECK(strstr(watcher.text, "\nid: 1\n") && !strstr(watcher.text, "\nid: 2\n"));
    leave(&watcher);
    /* The header is newer than the address that the page was opened with. */
    watcher = watch(&fake, "?last_event_id=7", "Last-Event-ID: 450\r\n");
    CHECK(hear(&fake, &watcher, "\nid: 452\n"));
    CHECK(has_exactly(watcher.text, 451, 452));
    leave(&watcher);
    fake_stop(&fake);
}

/* Facts that come while the ledger is being read, more than the ring holds. */
static void test_switch(void)
{
    struct watcher watcher;
    struct fake fake;

    begin(&fake, 4, 1000);
    watcher = watch(&fake, "?last_event_id=0", "");
    for (int i = 1001; i <= 1200; i++) {
        fact(&fake, "run.ended", i);
        if (i % 3 == 0)
            client_idle(&fake, 1);
    }
    CHECK(hear(&fake, &watcher, "\nid: 1200\n"));
    CHECK(has_exactly(watcher.text, 1, 1200));
    leave(&watcher);
    fake_stop(&fake);
}

/* A burst larger than the ring reaches an idle client whole. */
static void test_burst(void)
{
    struct watcher watcher;
    struct fake fake;

    begin(&fake, 8, 0);
    watcher = watch(&fake, "", "");
    CHECK(hear(&fake, &watcher, "\n\n"));
    for (int i = 1; i <= 500; i++)
        fact(&fake, "job.state", i);
    CHECK(hear(&fake, &watcher, "\nid: 500\n"));
    CHECK(has_exactly(watcher.text, 1, 500));
    leave(&watcher);
    fake_stop(&fake);
}

/* Records that were never published (a sequence is missing) come from the ledger. */
static void test_gap(void)
{
    struct watcher watcher;
    struct fake fake;

    begin(&fake, 0, 0);
    watcher = watch(&fake, "", "");
    CHECK(hear(&fake, &watcher, "\n\n"));
    fact(&fake, "run.started", 1);
    fake_old_fact(&fake, "run.ended", json_pack("{s:i}", "n", 2));
    fact(&fake, "run.started", 3);
    CHECK(hear(&fake, &watcher, "\nid: 3\n"));
    CHECK(has_exactly(watcher.text, 1, 3));
    leave(&watcher);
    fake_stop(&fake);
}

static void test_unknown_id(void)
{
    struct watcher watcher;
    struct fake fake;

    begin(&fake, 0, 5);
    watcher = watch(&fake, "", "Last-Event-ID: 99\r\n");
    CHECK(hear(&fake, &watcher, "\nid: 5\nevent: resync\ndata: {\"head\":5}\n\n"));
    fact(&fake, "run.ended", 6);
    CHECK(hear(&fake, &watcher, "\nid: 6\n"));
    CHECK(has_exactly(watcher.text, 5, 6));
    leave(&watcher);
    fake_stop(&fake);
}

/* A ledger that cannot be read ends the stream, so that the client comes back where it was. */
static void test_ledger_trouble(void)
{
    struct watcher watcher;
    struct fake fake;

    begin(&fake, 0, 5);
    fake.refusal = (struct error){.code = -EIO, .text = "no disk (this line belongs to the test)"};
    watcher = watch(&fake, "?last_event_id=2", "Connection: close\r\n");
    CHECK(client_closed(&fake, watcher.fd));
    leave(&watcher);
    fake_stop(&fake);
}

static void test_progress(void)
{
    struct watcher all, runs, progress;
    struct fake fake;

    begin(&fake, 0, 0);
    all = watch(&fake, "", "");
    runs = watch(&fake, "?topics=run.,job.", "");
    progress = watch(&fake, "?topics=progress", "");
    CHECK(hear(&fake, &all, "\n\n") && hear(&fake, &runs, "\n\n") && hear(&fake, &progress, "\n\n"));
    for (int i = 0; i <= 100; i++) {
        fake_progress(&fake, "A1", i);
        fake_progress(&fake, "A2", i);
    }
    fact(&fake, "run.ended", 1);
    fact(&fake, "image.added", 2);
    CHECK(hear(&fake, &progress, "{\"percent\":100,\"station\":\"A2\"}"));
    /* Only the newest of each station, oldest first. */
    CHECK(strstr(progress.text, "{\"percent\":100,\"station\":\"A1\"}") != NULL);
    CHECK(strstr(progress.text, "\"percent\":99,") == NULL && strstr(progress.text, "id:") == NULL);
    CHECK(hear(&fake, &all, "{\"percent\":100,\"station\":\"A2\"}") && hear(&fake, &all, "\nid: 2\n"));
    CHECK(hear(&fake, &runs, "\nid: 1\n"));
    client_idle(&fake, 100);
    CHECK(!hear(&fake, &runs, "progress") && !strstr(runs.text, "image.added"));
    leave(&all);
    leave(&runs);
    leave(&progress);
    fake_stop(&fake);
}

/* Silence is broken by comments, and that is how a client that has left is noticed. */
static void test_heartbeat(void)
{
    struct api_options options;
    struct watcher first, second;
    struct fake fake;
    char *answer;

    fake_init(&fake, &options);
    options.heartbeat_ms = 30;
    options.event_clients = 2;
    fake_start(&fake, &options);
    first = watch(&fake, "", "");
    second = watch(&fake, "", "");
    CHECK(hear(&fake, &first, "\n: \n\n") && hear(&fake, &second, "\n: \n\n"));
    answer = fake_get(&fake, "GET /v1/events");
    CHECK(answer_status(answer) == 503);
    CHECK(answer_has(answer, "Retry-After: 10"));
    free(answer);
    leave(&first);
    client_idle(&fake, 150);
    answer = fake_get(&fake, "GET /metrics");
    CHECK(strstr(answer, "\nflashfarm_event_clients 1\n") != NULL);
    free(answer);
    leave(&second);
    fake_stop(&fake);
}

/* A client that stops reading is dropped and delays nobody. */
static void test_stalled(void)
{
    struct api_options options;
    struct watcher stalled, good;
    struct fake fake;
    char *blob = allocate(1, 9001);
    char last[32];

    memset(blob, 'x', 9000);
    fake_init(&fake, &options);
    options.stall_s = 1;
    options.event_ring = 16;
    fake_start(&fake, &options);
    stalled = watch(&fake, "", "");
    good = watch(&fake, "", "");
    CHECK(hear(&fake, &stalled, "\n\n") && hear(&fake, &good, "\n\n"));
    for (int i = 1; i <= 300; i++) {
        fake_fact(&fake, "run.ended", json_pack("{s:s}", "blob", blob));
        (void)snprintf(last, sizeof last, "\nid: %d\n", i);
        CHECK(hear(&fake, &good, last));
    }
    CHECK(has_exactly(good.text, 1, 300));
    client_idle(&fake, 3500);
    {
        char *answer = fake_get(&fake, "GET /metrics");

        CHECK(strstr(answer, "\nflashfarm_event_clients 1\n") != NULL);
        free(answer);
    }
    free(blob);
    leave(&stalled);
    leave(&good);
    fake_stop(&fake);
}

/* Slow but alive: takes a long break, and still gets everything, by way of the ledger. */
static void test_slow(void)
{
    struct watcher watcher;
    struct fake fake;
    char *blob = allocate(1, 5001);

    memset(blob, 'y', 5000);
    begin(&fake, 8, 0);
    watcher = watch(&fake, "", "");
    CHECK(hear(&fake, &watcher, "\n\n"));
    for (int i = 1; i <= 600; i++) {
        fake_fact(&fake, "run.ended", json_pack("{s:s}", "blob", blob));
        if (i % 20 == 0)
            client_idle(&fake, 1);
    }
    CHECK(hear(&fake, &watcher, "\nid: 600\n"));
    CHECK(has_exactly(watcher.text, 1, 600));
    CHECK(fake.ledger_queries > 0);
    free(blob);
    leave(&watcher);
    fake_stop(&fake);
}

/* Many clients at once; the loop's turns stay short because they are served in slices. */
static void test_many(void)
{
    enum { CLIENTS = 200 };
    struct watcher watchers[CLIENTS];
    struct fake fake;

    begin(&fake, 0, 0);
    for (int i = 0; i < CLIENTS; i++)
        watchers[i] = watch(&fake, "", "");
    for (int i = 0; i < CLIENTS; i++)
        CHECK(hear(&fake, &watchers[i], "\n\n"));
    for (int i = 1; i <= 20; i++)
        fact(&fake, "run.ended", i);
    for (int i = 0; i < CLIENTS; i++) {
        CHECK(hear(&fake, &watchers[i], "\nid: 20\n"));
        CHECK(has_exactly(watchers[i].text, 1, 20));
    }
    fake_stop(&fake);
    for (int i = 0; i < CLIENTS; i++)
        leave(&watchers[i]);
}

/* Stopping with clients in every state: idle, waiting for the ledger, stalled. */
static void test_stop(void)
{
    struct watcher idle, behind;
    struct fake fake;

    begin(&fake, 0, 10);
    idle = watch(&fake, "", "");
    CHECK(hear(&fake, &idle, "\n\n"));
    fake.mute = true;
    behind = watch(&fake, "?last_event_id=1", "");
    CHECK(hear(&fake, &behind, "\n\n"));
    client_idle(&fake, 20);
    CHECK(fake.owed == 1);
    fake_stop(&fake);
    leave(&idle);
    leave(&behind);
}

static const struct test tests[] = {
    {"live", test_live},
    {"replay", test_replay},
    {"switch from replay to live", test_switch},
    {"burst beyond the ring", test_burst},
    {"gap in what was published", test_gap},
    {"unknown last id", test_unknown_id},
    {"ledger trouble", test_ledger_trouble},
    {"progress", test_progress},
    {"heartbeat and cap", test_heartbeat},
    {"stalled client", test_stalled},
    {"slow client", test_slow},
    {"many clients", test_many},
    {"stop", test_stop},
};

TEST_MAIN(tests)
