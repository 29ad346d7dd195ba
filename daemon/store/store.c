/* SPDX-License-Identifier: Apache-2.0 */
/* The loop's side of the record: facts become text here and go to the writer, what came of them comes back in
 * order, and queries become requests to the readers. */
#include "store.h"

#include "alloc.h"
#include "bytes.h"
#include "fiber.h"
#include "inside.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* Opening and closing ------------------------------------------------------------------------------------ */

/* Two daemons on one record would each believe to be its only writer. The lock is flock's, which SQLite does
 * not use; the descriptor is closed last, since closing it lets go of SQLite's own locks on the file too. */
static int lock_file(struct store *store, struct error *error)
{
    const char *path = store->options.path;

    store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (store->lock_fd < 0)
        return error_set_errno(error, errno, "database %s", path);
    if (flock(store->lock_fd, LOCK_EX | LOCK_NB))
        return error_set(error, -EBUSY, "database %s: another process is using it", path);
    return 0;
}

static void remember_head(struct store *store, const struct chain *chain)
{
    store->head_sequence = chain->sequence;
    bytes_to_hex(chain->hash, sizeof chain->hash, store->head_hash);
}

static void deliver(struct store *store, bool wait);

static void on_wake(uv_async_t *handle)
{
    deliver(handle->data, false);
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void open_wake(struct store *store)
{
    store->wake = allocate(1, sizeof *store->wake);
    store->wake->data = store;
    (void)uv_async_init(store->options.loop, store->wake, on_wake);
    uv_unref((uv_handle_t *)store->wake);
}

static void free_store(struct store *store)
{
    evidence_free(&store->evidence);
    uv_close((uv_handle_t *)store->wake, free_handle);
    if (store->lock_fd >= 0)
        (void)close(store->lock_fd);
    free(store);
}

int store_open(struct store **store, const struct store_options *options, struct error *error)
{
    struct store *made = allocate(1, sizeof *made);
    struct chain head;
    int code;

    *store = NULL;
    made->options = *options;
    made->lock_fd = -1;
    open_wake(made);
    code = sodium_init() < 0 ? error_set(error, -EIO, "libsodium cannot be initialised")
                             : lock_file(made, error);
    if (!code)
        code = evidence_prepare(&made->evidence, options, error);
    if (!code)
        code = writer_start(&made->writer, options, made->evidence.signer, made->wake, error);
    made->options.signing_seed = NULL; /* no longer ours to read */
    if (code) {
        free_store(made);
        return code;
    }
    made->reader = reader_new(options->path, options->loop);
    head = writer_head(made->writer);
    remember_head(made, &head);
    log_info(&made->options.log, "record opened at %" PRId64, made->head_sequence);
    evidence_begin(made);
    *store = made;
    return 0;
}

void store_close(struct store *store)
{
    while (store->outstanding > 0)
        deliver(store, true);
    evidence_finish(store);
    while (store->outstanding > 0)
        deliver(store, true);
    writer_stop(store->writer);
    reader_free(store->reader);
    writer_free(store->writer);
    free_store(store);
}

/* Appending ---------------------------------------------------------------------------------------------- */

static void tell_listener(struct store *store, const struct append *append, const struct fact *fact)
{
    char utc[28], hash[2 * CHAIN_HASH_SIZE + 1];

    clock_format_utc(append->utc_us, utc);
    bytes_to_hex(fact->chain.hash, sizeof fact->chain.hash, hash);
    store->listener(store->listener_context, &(struct store_record){.sequence = fact->chain.sequence,
                                                                    .utc = utc,
                                                                    .kind = fact->kind,
                                                                    .body = fact->body,
                                                                    .hash = hash});
}

static void free_append(struct append *append)
{
    for (size_t i = 0; i < append->count; i++)
        free(append->facts[i].body);
    free(append);
}

static void forget_outstanding(struct store *store)
{
    if (--store->outstanding == 0)
        uv_unref((uv_handle_t *)store->wake);
}

static void deliver_one(struct store *store, struct append *append)
{
    const struct error *error = append->error.code ? &append->error : NULL;

    forget_outstanding(store);
    if (!error && append->count > 0)
        remember_head(store, &append->facts[append->count - 1].chain);
    if (append->done)
        append->done(append->context, append->error.code, error);
    for (size_t i = 0; !error && store->listener && i < append->count; i++)
        tell_listener(store, append, &append->facts[i]);
    evidence_follow(store, append);
    free_append(append);
}

/* A callback may append, but it may not wait for the record: what it would wait for is delivered behind it.
 */
static void deliver(struct store *store, bool wait)
{
    struct list done;

    assert(!store->delivering);
    list_init(&done);
    writer_take(store->writer, &done, wait);
    store->delivering = true;
    while (!list_empty(&done)) {
        struct append *append = LIST_ENTRY(done.next, struct append, node);

        list_remove(&append->node);
        deliver_one(store, append);
    }
    store->delivering = false;
}

/* Canonical text, and the only form in which a body leaves this thread. What cannot be written as JSON is no
 * object either, so that the schema refuses it. */
static char *canonical(json_t *body)
{
    char *text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);

    json_decref(body);
    return text ? text : copy_text("null");
}

static struct append *new_append(const struct store *store, size_t count, store_done *done, void *context)
{
    const struct clock *clock = store->options.clock;
    struct append *append = allocate(1, sizeof *append + count * sizeof append->facts[0]);

    append->done = done;
    append->context = context;
    append->utc_us = clock_utc_us(clock);
    append->monotonic_us = clock_monotonic_us(clock);
    append->synchronised = clock_synchronised(clock);
    append->count = count;
    return append;
}

static void push(struct store *store, struct append *append)
{
    if (store->outstanding++ == 0)
        uv_ref((uv_handle_t *)store->wake);
    writer_push(store->writer, append);
}

void store_append(struct store *store, const struct store_fact *facts, size_t count, store_done *done,
                  void *context)
{
    struct append *append = new_append(store, count, done, context);

    for (size_t i = 0; i < count; i++)
        append->facts[i] = (struct fact){.kind = facts[i].kind, .body = canonical(facts[i].body)};
    push(store, append);
}

void store_push_checkpoint(struct store *store, store_done *done, void *context)
{
    struct append *append = new_append(store, 1, done, context);

    append->checkpoint = true;
    push(store, append);
}

struct waiter {
    struct fiber *fiber;
    bool done;
    int status;
    struct error *error;
};

static void wake_waiter(void *context, int status, const struct error *error)
{
    struct waiter *waiter = context;

    waiter->done = true;
    waiter->status = status;
    if (error)
        *waiter->error = *error;
    if (waiter->fiber)
        fiber_resume(waiter->fiber, 0);
}

int store_append_wait(struct store *store, struct fibers *fibers, const struct store_fact *facts,
                      size_t count, struct error *error)
{
    struct waiter waiter = {.fiber = fiber_current(fibers), .error = error};

    store_append(store, facts, count, wake_waiter, &waiter);
    if (waiter.fiber)
        (void)fiber_await(fibers);
    while (!waiter.done)
        deliver(store, true);
    return waiter.status;
}

void store_set_listener(struct store *store, store_listener *listener, void *context)
{
    store->listener = listener;
    store->listener_context = context;
}

int64_t store_head_sequence(const struct store *store)
{
    return store->head_sequence;
}

const char *store_head_hash(const struct store *store)
{
    return store->head_hash;
}

struct store_statistics store_statistics(const struct store *store)
{
    return writer_statistics(store->writer);
}

/* Asking ------------------------------------------------------------------------------------------------- */

int store_load(struct store *store, json_t **state, struct error *error)
{
    static const struct {
        const char *key;
        enum query query;
    } parts[] = {{.key = "jobs", .query = QUERY_LOAD_JOBS},
                 {.key = "runs", .query = QUERY_LOAD_RUNS},
                 {.key = "stations", .query = QUERY_LOAD_STATIONS},
                 {.key = "pools", .query = QUERY_LOAD_POOLS},
                 {.key = "doubt", .query = QUERY_LOAD_DOUBT}};
    json_t *last;

    *state = NULL;
    /* Opening may have had something to say, which changes what is read here. */
    if (store_append_wait(store, NULL, NULL, 0, error))
        return error->code;
    last = reader_rows(store->reader, QUERY_LOAD_LAST, error);
    if (!last)
        return error->code;
    *state = json_incref(json_array_get(last, 0));
    json_decref(last);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        json_t *rows = reader_rows(store->reader, parts[i].query, error);

        if (!rows) {
            json_decref(*state);
            *state = NULL;
            return error->code;
        }
        (void)json_object_set_new(*state, parts[i].key, rows);
    }
    return 0;
}

/* Which text is the shortest way to what is asked: from the value that few runs share to the one that many
 * do. Whatever else is given filters on the way. */
static enum query way_to_runs(const struct store_run_filter *filter)
{
    if (filter->serial)
        return QUERY_RUNS_BY_SERIAL;
    if (filter->uid)
        return QUERY_RUNS_BY_UID;
    if (filter->job)
        return QUERY_RUNS_BY_JOB;
    if (filter->work_order)
        return QUERY_RUNS_BY_WORK_ORDER;
    if (filter->image)
        return QUERY_RUNS_BY_IMAGE;
    if (filter->recipe)
        return strchr(filter->recipe, '/') ? QUERY_RUNS_BY_RECIPE_VERSION : QUERY_RUNS_BY_RECIPE;
    if (filter->pool)
        return QUERY_RUNS_BY_POOL;
    if (filter->station)
        return QUERY_RUNS_BY_STATION;
    if (filter->by)
        return QUERY_RUNS_BY_WHO;
    if (filter->from || filter->to)
        return QUERY_RUNS_BY_TIME;
    if (filter->outcome)
        return QUERY_RUNS_BY_OUTCOME;
    return QUERY_RUNS;
}

/* A run without outcome is asked for as "running". */
static void request_outcome(struct request *request, const char *outcome)
{
    bool running = outcome && strcmp(outcome, "running") == 0;

    request_integer(request, ":any_outcome", outcome == NULL);
    request_text(request, ":outcome", running ? NULL : outcome);
}

void store_request_recipe(struct request *request, const char *recipe)
{
    const char *slash = recipe ? strchr(recipe, '/') : NULL;
    char *name;

    if (!slash) {
        request_text(request, ":recipe", recipe);
        return;
    }
    name = format_text("%.*s", (int)(slash - recipe), recipe);
    request_text(request, ":recipe", name);
    request_integer(request, ":version", strtoll(slash + 1, NULL, 10));
    free(name);
}

void store_runs(struct store *store, const struct store_run_filter *filter, const struct store_page *page,
                store_answer *answer, void *context)
{
    enum query query = way_to_runs(filter) + (filter->brief ? QUERY_BRIEF - QUERY_RUNS : 0);
    request_answer *make = filter->brief ? answer_text_page : answer_page;
    struct request *request = request_new(store->reader, query, make, answer, context);

    if (filter->job)
        request_integer(request, ":job", filter->job);
    request_text(request, ":serial", filter->serial);
    request_text(request, ":uid", filter->uid);
    request_text(request, ":image", filter->image);
    request_text(request, ":work_order", filter->work_order);
    request_text(request, ":station", filter->station);
    request_text(request, ":by", filter->by);
    store_request_recipe(request, filter->recipe);
    request_text(request, ":pool", filter->pool);
    request_outcome(request, filter->outcome);
    request_time(request, ":from", filter->from, "");
    request_time(request, ":to", filter->to, "~");
    request_page(request, page);
    request_submit(request);
}

static struct request *request_by_id(struct store *store, enum query query, const char *what, int64_t id,
                                     store_answer *answer, void *context)
{
    struct request *request = request_new(store->reader, query, answer_one, answer, context);

    request_integer(request, ":id", id);
    request_subject(request, "%s %" PRId64, what, id);
    return request;
}

void store_run(struct store *store, int64_t id, store_answer *answer, void *context)
{
    request_submit(request_by_id(store, QUERY_RUN, "run", id, answer, context));
}

void store_job(struct store *store, int64_t id, store_answer *answer, void *context)
{
    request_submit(request_by_id(store, QUERY_JOB, "job", id, answer, context));
}

void store_unit(struct store *store, const char *serial_or_uid, store_answer *answer, void *context)
{
    struct request *request = request_new(store->reader, QUERY_RUNS_BY_SERIAL, answer_unit, answer, context);

    request_text(request, ":serial", serial_or_uid);
    request_outcome(request, NULL);
    request_time(request, ":from", NULL, "");
    request_time(request, ":to", NULL, "~");
    request_integer(request, ":before", INT64_MAX);
    request_integer(request, ":limit", INT64_MAX);
    request_subject(request, "unit %.100s", serial_or_uid);
    request_submit(request);
}

void store_jobs(struct store *store, const char *state, const char *work_order, const struct store_page *page,
                store_answer *answer, void *context)
{
    enum query query = work_order ? QUERY_JOBS_BY_WORK_ORDER : state ? QUERY_JOBS_BY_STATE : QUERY_JOBS;
    struct request *request = request_new(store->reader, query, answer_page, answer, context);

    request_text(request, ":state", state);
    request_text(request, ":work_order", work_order);
    request_page(request, page);
    request_submit(request);
}

void store_images(struct store *store, const struct store_page *page, store_answer *answer, void *context)
{
    struct request *request = request_new(store->reader, QUERY_IMAGES, answer_page, answer, context);

    request_page(request, page);
    request_submit(request);
}

void store_ask_by_text(struct store *store, enum query query, const char *what, const char *id,
                       store_answer *answer, void *context)
{
    struct request *request = request_new(store->reader, query, answer_one, answer, context);

    request_text(request, ":id", id);
    request_subject(request, "%s %.100s", what, id);
    request_submit(request);
}

void store_image(struct store *store, const char *id, store_answer *answer, void *context)
{
    store_ask_by_text(store, QUERY_IMAGE, "image", id, answer, context);
}

void store_taught(struct store *store, const char *content, store_answer *answer, void *context)
{
    store_ask_by_text(store, QUERY_TAUGHT, "content", content, answer, context);
}

void store_idempotency(struct store *store, const char *key, store_answer *answer, void *context)
{
    store_ask_by_text(store, QUERY_IDEMPOTENCY, "Idempotency-Key", key, answer, context);
}

void store_ledger(struct store *store, int64_t from, int limit, store_answer *answer, void *context)
{
    struct request *request = request_new(store->reader, QUERY_LEDGER, answer_page, answer, context);

    request_integer(request, ":first", from);
    request_page(request, &(struct store_page){.limit = limit});
    request_submit(request);
}
