/* SPDX-License-Identifier: Apache-2.0 */
#include "events.h"

#include "alloc.h"
#include "context.h"
#include "frame.h"
#include "handlers.h"
#include "list.h"
#include "reply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WAKE_SLICE        16 /* clients served in one turn of the loop, which must stay short */
#define PROGRESS_DELAY_MS 40 /* progress of many stations goes out together */
#define REPLAY_RECORDS    200
#define REPLAYS_AT_ONCE   4
#define SEND_BUFFER_BYTES (64 << 10) /* large kernel buffers would hide a client that does not read */

/* The newest progress (or live state) of one station. */
struct latest {
    struct list node; /* in events->latest, the newest last */
    char *key;        /* topic and station */
    int64_t version;
    struct frame *frame;
};

struct subscriber {
    struct list node; /* in one of the lists of events, by what it waits for */
    struct events *events;
    struct stream *stream;
    char *topics;
    bool wants_progress;
    int64_t next;        /* the fact to give next */
    int64_t version;     /* of the progress it has */
    struct frame *frame; /* being given, */
    size_t given;        /* and how much of it has been */
    bool heartbeat;
    bool asking; /* the ledger has been asked */
    bool broken; /* it could not be read: the client shall come back */
    bool ended;
};

struct events {
    struct events_options options;
    /* Facts first..last; all before are in the ledger only. A slot is that of its sequence modulo size. */
    struct frame **ring;
    int64_t first, last;
    struct list latest;
    int64_t version;
    /* A subscriber is in one of these, or in none while its connection is writing. */
    struct list idle, woken, behind;
    size_t replays; /* the ledger is being asked for so many */
    uv_idle_t slice;
    uv_timer_t progress, heartbeat;
    int handles;
    bool stopping;
    struct events_statistics statistics;
};

static void start_replays(struct events *events);

/* --- Giving ------------------------------------------------------------------------------------------- */

static void on_slice(uv_idle_t *slice)
{
    struct events *events = slice->data;
    size_t count = 0;

    LIST_EACH (node, &events->woken) {
        if (count++ == WAKE_SLICE)
            break;
        list_remove(node);
        stream_wake(LIST_ENTRY(node, struct subscriber, node)->stream);
    }
    if (list_empty(&events->woken))
        (void)uv_idle_stop(slice);
    http_pump(events->options.api->http);
}

static void wake(struct subscriber *subscriber)
{
    struct events *events = subscriber->events;

    list_remove(&subscriber->node);
    list_append(&events->woken, &subscriber->node);
    if (!events->stopping)
        (void)uv_idle_start(&events->slice, on_slice);
}

/* The next fact of the ring that it wants; skips those it does not. */
static struct frame *next_fact(struct subscriber *subscriber)
{
    const struct events *events = subscriber->events;

    while (subscriber->next >= events->first && subscriber->next <= events->last) {
        struct frame *frame = events->ring[(size_t)subscriber->next++ % events->options.ring];

        if (topic_wanted(subscriber->topics, frame->topic))
            return frame_share(frame);
    }
    return NULL;
}

static bool is_behind(const struct subscriber *subscriber)
{
    return subscriber->next < subscriber->events->first;
}

/* The oldest progress that it does not have yet; the list is sorted by age. */
static struct frame *next_progress(struct subscriber *subscriber)
{
    struct list *head = &subscriber->events->latest;
    struct list *node = head;

    while (node->prev != head && LIST_ENTRY(node->prev, struct latest, node)->version > subscriber->version)
        node = node->prev;
    for (; node != head; node = node->next) {
        struct latest *latest = LIST_ENTRY(node, struct latest, node);

        subscriber->version = latest->version;
        if (topic_wanted(subscriber->topics, latest->frame->topic))
            return frame_share(latest->frame);
    }
    return NULL;
}

static struct frame *next_frame(struct subscriber *subscriber)
{
    static const char heartbeat[] = ": \n\n";
    struct frame *frame = NULL;

    if (subscriber->asking)
        return NULL;
    if (!is_behind(subscriber)) {
        frame = next_fact(subscriber);
        if (!frame)
            frame = next_progress(subscriber);
    }
    if (!frame && subscriber->heartbeat)
        frame = frame_of_text(heartbeat, sizeof heartbeat - 1);
    subscriber->heartbeat = false;
    return frame;
}

/* Nothing to give: waits among the idle, or for the ledger. */
static void rest(struct subscriber *subscriber)
{
    struct events *events = subscriber->events;

    if (subscriber->asking)
        return;
    list_remove(&subscriber->node);
    list_append(is_behind(subscriber) ? &events->behind : &events->idle, &subscriber->node);
    start_replays(events);
}

static ssize_t read_events(void *context, char *buffer, size_t size)
{
    struct subscriber *subscriber = context;
    size_t used = 0;

    list_remove(&subscriber->node);
    while (used < size) {
        size_t part;

        if (!subscriber->frame && !(subscriber->frame = next_frame(subscriber)))
            break;
        part = subscriber->frame->size - subscriber->given;
        if (part > size - used)
            part = size - used;
        memcpy(buffer + used, subscriber->frame->text + subscriber->given, part);
        used += part;
        subscriber->given += part;
        if (subscriber->given == subscriber->frame->size) {
            frame_release(subscriber->frame);
            subscriber->frame = NULL;
            subscriber->given = 0;
        }
    }
    if (used)
        return (ssize_t)used;
    if (subscriber->broken)
        return STREAM_END;
    rest(subscriber);
    return 0;
}

/* --- From the ledger ---------------------------------------------------------------------------------- */

static void subscriber_free(struct subscriber *subscriber)
{
    list_remove(&subscriber->node);
    frame_release(subscriber->frame);
    free(subscriber->topics);
    free(subscriber);
}

/* Appends the frames of the records that follow to `text`; returns the new text. */
static char *take_record(struct subscriber *subscriber, const json_t *record, char *text, size_t *size)
{
    int64_t sequence = json_integer_value(json_object_get(record, "sequence"));
    const char *kind = json_string_value(json_object_get(record, "kind"));
    const char *body = json_string_value(json_object_get(record, "canonical"));
    struct frame *frame;

    /* What is not published yet will come by the ring. */
    if (sequence < subscriber->next || sequence > subscriber->events->last || !kind || !body)
        return text;
    subscriber->next = sequence + 1;
    if (!topic_wanted(subscriber->topics, kind))
        return text;
    frame = frame_new(sequence, kind, body);
    text = reallocate(text, *size + frame->size, 1);
    memcpy(text + *size, frame->text, frame->size);
    *size += frame->size;
    frame_release(frame);
    return text;
}

static void take_records(struct subscriber *subscriber, const json_t *page)
{
    int64_t before = subscriber->next;
    size_t size = 0, i;
    char *text = NULL;
    const json_t *record;

    json_array_foreach (json_object_get(page, "items"), i, record) {
        text = take_record(subscriber, record, text, &size);
    }
    if (size)
        subscriber->frame = frame_of_text(text, size);
    free(text);
    /* What was published is in the ledger; if it does not show it, let the client ask anew. */
    subscriber->broken = subscriber->next == before;
}

static void on_ledger(void *context, json_t *answer, const struct error *error)
{
    struct subscriber *subscriber = context;
    struct events *events = subscriber->events;
    struct http *http = events->options.api->http;

    events->replays--;
    subscriber->asking = false;
    if (answer)
        take_records(subscriber, answer);
    else
        log_warning(&events->options.api->log, "a replay of events breaks off: %s", error->text);
    subscriber->broken |= !answer;
    json_decref(answer);
    if (subscriber->ended)
        subscriber_free(subscriber);
    else
        wake(subscriber);
    start_replays(events);
    http_release(http);
}

/* A few at a time, so that other questions to the store get their turn when everybody comes back at once. */
static void start_replays(struct events *events)
{
    while (!events->stopping && events->replays < REPLAYS_AT_ONCE && !list_empty(&events->behind)) {
        struct subscriber *subscriber = LIST_ENTRY(events->behind.next, struct subscriber, node);

        list_remove(&subscriber->node);
        subscriber->asking = true;
        events->replays++;
        events->statistics.replays++;
        http_hold(events->options.api->http);
        store_ledger(events->options.api->store, subscriber->next, REPLAY_RECORDS, on_ledger, subscriber);
    }
}

/* --- Taking ------------------------------------------------------------------------------------------- */

static void clear_ring(struct events *events)
{
    for (size_t i = 0; i < events->options.ring; i++) {
        frame_release(events->ring[i]);
        events->ring[i] = NULL;
    }
    events->first = events->last + 1;
}

static void publish_fact(struct events *events, const struct farm_event *event)
{
    struct frame **slot = &events->ring[(size_t)event->sequence % events->options.ring];

    if (event->sequence <= events->last)
        return;
    if (event->sequence != events->last + 1) {
        /* Those between were not told us; who needs them finds them in the ledger. */
        events->last = event->sequence - 1;
        clear_ring(events);
    }
    frame_release(*slot);
    *slot = frame_new(event->sequence, event->topic, event->json);
    events->last = event->sequence;
    if (events->last - events->first >= (int64_t)events->options.ring)
        events->first = events->last - (int64_t)events->options.ring + 1;
    LIST_EACH (node, &events->idle) {
        struct subscriber *subscriber = LIST_ENTRY(node, struct subscriber, node);

        if (topic_wanted(subscriber->topics, event->topic))
            wake(subscriber);
    }
}

static void on_progress(uv_timer_t *timer)
{
    struct events *events = timer->data;

    LIST_EACH (node, &events->idle) {
        struct subscriber *subscriber = LIST_ENTRY(node, struct subscriber, node);

        if (subscriber->wants_progress && subscriber->version < events->version)
            wake(subscriber);
    }
}

static struct latest *latest_of(struct events *events, const char *key)
{
    struct latest *latest;

    LIST_EACH (node, &events->latest) {
        latest = LIST_ENTRY(node, struct latest, node);
        if (!strcmp(latest->key, key)) {
            list_remove(&latest->node);
            return latest;
        }
    }
    latest = allocate(1, sizeof *latest);
    latest->key = copy_text(key);
    return latest;
}

static void publish_progress(struct events *events, const struct farm_event *event)
{
    char *key = format_text("%s %s", event->topic, event->station);
    struct latest *latest = latest_of(events, key);

    free(key);
    frame_release(latest->frame);
    latest->frame = frame_new(0, event->topic, event->json);
    latest->version = ++events->version;
    list_append(&events->latest, &latest->node);
    if (!uv_is_active((uv_handle_t *)&events->progress))
        (void)uv_timer_start(&events->progress, on_progress, PROGRESS_DELAY_MS, 0);
}

void events_publish(struct events *events, const struct farm_event *event)
{
    if (events->stopping)
        return;
    if (event->sequence)
        publish_fact(events, event);
    else
        publish_progress(events, event);
}

static void on_heartbeat(uv_timer_t *timer)
{
    struct events *events = timer->data;

    LIST_EACH (node, &events->idle) {
        struct subscriber *subscriber = LIST_ENTRY(node, struct subscriber, node);

        subscriber->heartbeat = true;
        wake(subscriber);
    }
}

/* --- Coming and going --------------------------------------------------------------------------------- */

static void end_events(void *context)
{
    struct subscriber *subscriber = context;

    subscriber->events->statistics.clients--;
    subscriber->ended = true;
    if (!subscriber->asking)
        subscriber_free(subscriber);
}

/* Where the client was: the header of a reconnecting EventSource before the parameter it first came with.
 * 0 for a client that was nowhere; -1 when a problem was answered. */
static int64_t read_last_id(struct request *request, bool *given)
{
    const char *text = request_header(request, "Last-Event-ID");
    int64_t id = 0;

    if (!text || !*text)
        text = target_parameter(&request->target, "last_event_id");
    *given = text && *text;
    if (!*given || parse_integer(text, 0, INT64_MAX - 1, &id))
        return id;
    reply_problem(request, PROBLEM_BAD_PARAMETER, "the last event id is '%s'; expected a sequence number",
                  text);
    return -1;
}

/* The first bytes go out at once, or EventSource would not know that it is connected. */
static struct frame *greeting(const struct events *events, bool resync)
{
    char *text = format_text(": flashfarm\nretry: 2000\n\n");
    struct frame *frame;

    if (resync) {
        free(text);
        text = format_text(": flashfarm\nretry: 2000\n\nid: %lld\nevent: resync\ndata: {\"head\":%lld}\n\n",
                           (long long)events->last, (long long)events->last);
    }
    frame = frame_of_text(text, strlen(text));
    free(text);
    return frame;
}

static struct subscriber *subscriber_new(struct events *events, const char *topics, int64_t last_id,
                                         bool given)
{
    struct subscriber *subscriber = allocate(1, sizeof *subscriber);
    bool resync = last_id > events->last;

    list_init(&subscriber->node);
    subscriber->events = events;
    subscriber->topics = copy_text(topics ? topics : "");
    subscriber->wants_progress =
        topic_wanted(subscriber->topics, "progress") || topic_wanted(subscriber->topics, "station");
    subscriber->next = given && !resync ? last_id + 1 : events->last + 1;
    subscriber->version = events->version;
    subscriber->frame = greeting(events, resync);
    return subscriber;
}

static bool have_room(struct request *request, struct events *events)
{
    struct reply reply = {.status = 0};

    if (events->statistics.clients < events->options.clients && !events->stopping)
        return true;
    events->statistics.refused++;
    reply_add_header(&reply, "Retry-After", "10");
    reply_problem_with(request, PROBLEM_UNAVAILABLE, "there are as many event streams as there may be", NULL,
                       &reply);
    return false;
}

void get_events(struct request *request)
{
    const struct api *api = request->context;
    struct events *events = api->events;
    struct stream_source source = {
        .read = read_events, .end = end_events, .stall_s = events->options.stall_s};
    struct reply reply = {.status = 200, .type = "text/event-stream"};
    struct subscriber *subscriber;
    bool given;
    int64_t last_id = read_last_id(request, &given);

    if (last_id < 0 || !have_room(request, events))
        return;
    subscriber = subscriber_new(events, target_parameter(&request->target, "topics"), last_id, given);
    events->statistics.clients++;
    events->statistics.accepted++;
    source.context = subscriber;
    source.send_buffer_bytes = SEND_BUFFER_BYTES;
    reply.stream = subscriber->stream = stream_new(api->http, &source);
    reply_add_header(&reply, "X-Accel-Buffering", "no");
    request_answer(request, &reply);
}

struct events *events_new(const struct events_options *options)
{
    struct events *events = allocate(1, sizeof *events);
    uv_loop_t *loop = options->api->loop;

    events->options = *options;
    events->ring = allocate(options->ring, sizeof(struct frame *));
    events->last = options->head;
    events->first = options->head + 1;
    list_init(&events->latest);
    list_init(&events->idle);
    list_init(&events->woken);
    list_init(&events->behind);
    (void)uv_idle_init(loop, &events->slice);
    (void)uv_timer_init(loop, &events->progress);
    (void)uv_timer_init(loop, &events->heartbeat);
    events->slice.data = events->progress.data = events->heartbeat.data = events;
    events->handles = 3;
    (void)uv_timer_start(&events->heartbeat, on_heartbeat, (uint64_t)options->heartbeat_ms,
                         (uint64_t)options->heartbeat_ms);
    http_hold(options->api->http);
    return events;
}

void events_free(struct events *events)
{
    clear_ring(events);
    LIST_EACH (node, &events->latest) {
        struct latest *latest = LIST_ENTRY(node, struct latest, node);

        list_remove(&latest->node);
        frame_release(latest->frame);
        free(latest->key);
        free(latest);
    }
    free(events->ring);
    free(events);
}

static void on_closed(uv_handle_t *handle)
{
    struct events *events = handle->data;

    if (!--events->handles)
        http_release(events->options.api->http);
}

void events_stop(struct events *events)
{
    events->stopping = true;
    uv_close((uv_handle_t *)&events->slice, on_closed);
    uv_close((uv_handle_t *)&events->progress, on_closed);
    uv_close((uv_handle_t *)&events->heartbeat, on_closed);
}

struct events_statistics events_statistics(const struct events *events)
{
    return events->statistics;
}
