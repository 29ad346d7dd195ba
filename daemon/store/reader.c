/* SPDX-License-Identifier: Apache-2.0 */
#include "reader.h"

#include "alloc.h"
#include "rfc3339.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_LIMIT = 100, LARGEST_LIMIT = 1000, UNIT_LIMIT = 10000, PARAMETERS = 20 };

struct connection {
    struct list node;
    struct database database;
};

struct reader {
    uv_loop_t *loop;
    char *path;
    struct list requests; /* those not answered yet; the loop's thread only */
    uv_mutex_t mutex;     /* for all below */
    uv_cond_t settled;    /* a request has finished */
    struct list idle, busy;
};

struct parameter {
    const char *name;
    char *text; /* NULL: the integer */
    int64_t integer;
};

struct request {
    uv_work_t work;
    struct list node;
    struct reader *reader; /* NULL once answered by reader_free() */
    enum query query;
    request_answer *make;
    struct parameter parameters[PARAMETERS];
    size_t parameter_count;
    int limit;
    char subject[120];
    store_answer *answer;
    void *context;
    json_t *result;
    struct error error;
    bool finished; /* under the reader's mutex */
};

struct reader *reader_new(const char *path, uv_loop_t *loop)
{
    struct reader *reader = allocate(1, sizeof *reader);

    reader->loop = loop;
    reader->path = copy_text(path);
    list_init(&reader->requests);
    list_init(&reader->idle);
    list_init(&reader->busy);
    (void)uv_mutex_init(&reader->mutex);
    (void)uv_cond_init(&reader->settled);
    return reader;
}

/* Connections -------------------------------------------------------------------------------------------- */

static struct connection *take_idle(struct reader *reader)
{
    struct connection *connection = NULL;

    uv_mutex_lock(&reader->mutex);
    if (!list_empty(&reader->idle)) {
        connection = LIST_ENTRY(reader->idle.next, struct connection, node);
        list_remove(&connection->node);
        list_append(&reader->busy, &connection->node);
    }
    uv_mutex_unlock(&reader->mutex);
    return connection;
}

/* There are never more than the pool has threads, and one for the loop's own. */
static struct connection *take_connection(struct reader *reader, struct error *error)
{
    struct connection *connection = take_idle(reader);

    if (connection)
        return connection;
    connection = allocate(1, sizeof *connection);
    if (database_open(&connection->database, reader->path, false, error)) {
        free(connection);
        return NULL;
    }
    uv_mutex_lock(&reader->mutex);
    list_append(&reader->busy, &connection->node);
    uv_mutex_unlock(&reader->mutex);
    return connection;
}

static void give_back(struct reader *reader, struct connection *connection)
{
    uv_mutex_lock(&reader->mutex);
    list_remove(&connection->node);
    list_append(&reader->idle, &connection->node);
    uv_mutex_unlock(&reader->mutex);
}

/* Requests ----------------------------------------------------------------------------------------------- */

struct request *request_new(struct reader *reader, enum query query, request_answer *make,
                            store_answer *answer, void *context)
{
    struct request *request = allocate(1, sizeof *request);

    request->work.data = request;
    request->reader = reader;
    request->query = query;
    request->make = make;
    request->answer = answer;
    request->context = context;
    list_append(&reader->requests, &request->node);
    return request;
}

static struct parameter *add_parameter(struct request *request, const char *name)
{
    struct parameter *parameter = &request->parameters[request->parameter_count++];

    parameter->name = name;
    return parameter;
}

void request_text(struct request *request, const char *name, const char *text)
{
    if (text)
        add_parameter(request, name)->text = copy_text(text);
}

void request_integer(struct request *request, const char *name, int64_t value)
{
    add_parameter(request, name)->integer = value;
}

int64_t request_value(const struct request *request, const char *name)
{
    for (size_t i = 0; i < request->parameter_count; i++)
        if (strcmp(request->parameters[i].name, name) == 0)
            return request->parameters[i].integer;
    return 0;
}

const char *request_given(const struct request *request, const char *name)
{
    for (size_t i = 0; i < request->parameter_count; i++)
        if (strcmp(request->parameters[i].name, name) == 0)
            return request->parameters[i].text;
    return NULL;
}

void request_result(struct request *request, json_t *result)
{
    request->result = result;
}

void request_time(struct request *request, const char *name, const char *text, const char *otherwise)
{
    char utc[28];

    if (!text)
        request_text(request, name, otherwise);
    else if (rfc3339_to_utc(text, utc))
        request_text(request, name, utc);
    else
        (void)error_set(&request->error, -EINVAL, "\"%.40s\" is not a time as RFC 3339 writes it", text);
}

/* A cursor is the number of the row that was last, as decimal digits; callers need not know. */
static int64_t parse_cursor(struct request *request, const char *cursor)
{
    char *end = NULL;
    long long value;

    if (!cursor)
        return INT64_MAX;
    errno = 0;
    value = strtoll(cursor, &end, 10);
    if (errno || end == cursor || *end || value <= 0)
        (void)error_set(&request->error, -EINVAL, "\"%.40s\" is not a cursor of this list", cursor);
    return value;
}

void request_page(struct request *request, const struct store_page *page)
{
    request->limit = page->limit ? page->limit : DEFAULT_LIMIT;
    if (request->limit < 0 || request->limit > LARGEST_LIMIT)
        (void)error_set(&request->error, -EINVAL, "a page has 1 to %d items, not %d", LARGEST_LIMIT,
                        request->limit);
    request_integer(request, ":before", parse_cursor(request, page->cursor));
    request_integer(request, ":limit", (int64_t)request->limit + 1);
}

void request_subject(struct request *request, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(request->subject, sizeof request->subject, format, arguments);
    va_end(arguments);
}

static void free_request(struct request *request)
{
    for (size_t i = 0; i < request->parameter_count; i++)
        free(request->parameters[i].text);
    free(request);
}

static void run_request(uv_work_t *work)
{
    struct request *request = work->data;
    struct reader *reader = request->reader;
    struct connection *connection = NULL;

    if (!request->error.code)
        connection = take_connection(reader, &request->error);
    if (connection) {
        (void)request->make(&connection->database, request, &request->error);
        give_back(reader, connection);
    }
    uv_mutex_lock(&reader->mutex);
    request->finished = true;
    uv_cond_broadcast(&reader->settled);
    uv_mutex_unlock(&reader->mutex);
}

static void answer_request(struct request *request)
{
    list_remove(&request->node);
    request->reader = NULL;
    request->answer(request->context, request->result, request->error.code ? &request->error : NULL);
}

static void end_request(uv_work_t *work, int status)
{
    struct request *request = work->data;

    (void)status; /* cancelled only by reader_free(), which has answered */
    if (request->reader)
        answer_request(request);
    free_request(request);
}

void request_submit(struct request *request)
{
    (void)uv_queue_work(request->reader->loop, &request->work, run_request, end_request);
}

static void interrupt_busy(struct reader *reader)
{
    uv_mutex_lock(&reader->mutex);
    LIST_EACH (node, &reader->busy)
        sqlite3_interrupt(LIST_ENTRY(node, struct connection, node)->database.handle);
    uv_mutex_unlock(&reader->mutex);
}

/* Either the pool had not begun it and never will, or it is finished when this returns. */
static void settle(struct reader *reader, struct request *request)
{
    if (uv_cancel((uv_req_t *)&request->work) == 0) {
        (void)error_set(&request->error, -ECANCELED, "the record is being closed");
        return;
    }
    uv_mutex_lock(&reader->mutex);
    while (!request->finished)
        uv_cond_wait(&reader->settled, &reader->mutex);
    uv_mutex_unlock(&reader->mutex);
}

void reader_free(struct reader *reader)
{
    interrupt_busy(reader);
    while (!list_empty(&reader->requests)) {
        struct request *request = LIST_ENTRY(reader->requests.next, struct request, node);

        settle(reader, request);
        answer_request(request);
    }
    LIST_EACH (node, &reader->idle) {
        struct connection *connection = LIST_ENTRY(node, struct connection, node);

        database_close(&connection->database);
        free(connection);
    }
    uv_cond_destroy(&reader->settled);
    uv_mutex_destroy(&reader->mutex);
    free(reader->path);
    free(reader);
}

/* Rows to JSON ------------------------------------------------------------------------------------------- */

static json_t *json_text(const char *text, int size)
{
    return json_loadb(text, (size_t)size, JSON_DECODE_ANY, NULL);
}

static json_t *column_value(sqlite3_stmt *row, int column, bool is_json)
{
    const char *text;
    int size;

    switch (sqlite3_column_type(row, column)) {
    case SQLITE_INTEGER:
        return json_integer(sqlite3_column_int64(row, column));
    case SQLITE_FLOAT:
        return json_real(sqlite3_column_double(row, column));
    case SQLITE_TEXT:
        text = (const char *)sqlite3_column_text(row, column);
        size = sqlite3_column_bytes(row, column);
        return is_json ? json_text(text, size) : json_stringn(text, (size_t)size);
    default:
        return NULL;
    }
}

/* What cannot be said in JSON (no value, damaged text) becomes null. */
json_t *reader_row(sqlite3_stmt *row)
{
    static const char ending[] = "_json";
    json_t *object = json_object();

    for (int column = 1, count = sqlite3_column_count(row); column < count; column++) {
        const char *name = sqlite3_column_name(row, column);
        size_t length = strlen(name);
        bool is_json = length >= sizeof ending &&
                       memcmp(name + length - (sizeof ending - 1), ending, sizeof ending) == 0;
        json_t *value = column_value(row, column, is_json);
        char bare[40];

        if (is_json) {
            (void)snprintf(bare, sizeof bare, "%.*s", (int)(length - (sizeof ending - 1)), name);
            name = bare;
        }
        (void)json_object_set_new_nocheck(object, name, value ? value : json_null());
    }
    return object;
}

static void bind_parameter(sqlite3_stmt *statement, const struct parameter *parameter)
{
    int index = sqlite3_bind_parameter_index(statement, parameter->name);

    if (index && parameter->text)
        (void)sqlite3_bind_text(statement, index, parameter->text, -1, SQLITE_STATIC);
    else if (index)
        (void)sqlite3_bind_int64(statement, index, parameter->integer);
}

sqlite3_stmt *request_statement(struct database *database, enum query query, const struct request *request,
                                struct error *error)
{
    sqlite3_stmt *statement = database_statement(database, query, error);

    if (statement)
        for (size_t i = 0; i < request->parameter_count; i++)
            bind_parameter(statement, &request->parameters[i]);
    return statement;
}

/* Appends up to `limit` rows to `items`. Returns 1 when there are more, 0 when not; `cursor` is the last
 * one's. The statement is reset in any case: an open one would pin the write-ahead log. */
static int take_rows(struct database *database, sqlite3_stmt *statement, json_t *items, size_t limit,
                     int64_t *cursor, struct error *error)
{
    int step = SQLITE_ROW, code = 0;

    while ((step = sqlite3_step(statement)) == SQLITE_ROW && json_array_size(items) < limit) {
        *cursor = sqlite3_column_int64(statement, 0);
        (void)json_array_append_new(items, reader_row(statement));
    }
    if (step != SQLITE_ROW && step != SQLITE_DONE)
        code = database_fail(database, error);
    (void)sqlite3_reset(statement);
    return code ? code : step == SQLITE_ROW;
}

int answer_page(struct database *database, struct request *request, struct error *error)
{
    sqlite3_stmt *statement = request_statement(database, request->query, request, error);
    json_t *items;
    int64_t cursor = 0;
    char next[24];
    int more;

    if (!statement)
        return error->code;
    items = json_array();
    more = take_rows(database, statement, items, (size_t)request->limit, &cursor, error);
    if (more < 0) {
        json_decref(items);
        return more;
    }
    (void)snprintf(next, sizeof next, "%" PRId64, cursor);
    request->result = json_pack("{s:o, s:s?}", "items", items, "next", more ? next : NULL);
    return 0;
}

/* The rows' second column, JSON texts, as the text of an array. Returns 1 when there are more than `limit`.
 */
static int take_texts(struct database *database, sqlite3_stmt *statement, FILE *out, size_t limit,
                      size_t *count, int64_t *cursor, struct error *error)
{
    int step = SQLITE_ROW, code = 0;

    (void)fputc('[', out);
    while ((step = sqlite3_step(statement)) == SQLITE_ROW && *count < limit) {
        *cursor = sqlite3_column_int64(statement, 0);
        (void)fprintf(out, "%s%s", (*count)++ ? "," : "", (const char *)sqlite3_column_text(statement, 1));
    }
    (void)fputc(']', out);
    if (step != SQLITE_ROW && step != SQLITE_DONE)
        code = database_fail(database, error);
    (void)sqlite3_reset(statement);
    return code ? code : step == SQLITE_ROW;
}

int answer_text_page(struct database *database, struct request *request, struct error *error)
{
    sqlite3_stmt *statement = request_statement(database, request->query, request, error);
    char *text = NULL, next[24];
    size_t size = 0, count = 0;
    int64_t cursor = 0;
    FILE *out;
    int more;

    if (!statement)
        return error->code;
    out = open_memstream(&text, &size);
    if (!out)
        return error_set(error, -ENOMEM, "no memory for a list");
    more = take_texts(database, statement, out, (size_t)request->limit, &count, &cursor, error);
    if (fclose(out) && more >= 0)
        more = error_set(error, -ENOMEM, "no memory for a list");
    if (more >= 0) {
        (void)snprintf(next, sizeof next, "%" PRId64, cursor);
        request->result = json_pack("{s:I, s:s?}", "count", (json_int_t)count, "next", more ? next : NULL);
        (void)json_object_set_new(request->result, "items",
                                  json_stringn_nocheck(text, size)); /* SQLite's own */
    }
    free(text);
    return more < 0 ? more : 0;
}

int answer_one(struct database *database, struct request *request, struct error *error)
{
    sqlite3_stmt *statement = request_statement(database, request->query, request, error);
    int step, code = 0;

    if (!statement)
        return error->code;
    step = sqlite3_step(statement);
    if (step == SQLITE_ROW)
        request->result = reader_row(statement);
    else if (step == SQLITE_DONE)
        code = error_set(error, -ENOENT, "%s is unknown", request->subject);
    else
        code = database_fail(database, error);
    (void)sqlite3_reset(statement);
    return code;
}

/* The newest value that any of the runs has. */
static json_t *newest(const json_t *runs, const char *key)
{
    const json_t *run;
    size_t index;

    json_array_foreach (runs, index, run) {
        json_t *value = json_object_get(run, key);

        if (json_is_string(value))
            return json_incref(value);
    }
    return json_null();
}

static int take_unit(struct database *database, enum query query, struct request *request, json_t *runs,
                     struct error *error)
{
    sqlite3_stmt *statement = request_statement(database, query, request, error);
    int64_t cursor;

    return statement ? take_rows(database, statement, runs, UNIT_LIMIT, &cursor, error) : error->code;
}

/* The first parameter is the serial, or else the UID, or else another number of the unit, such as an address.
 */
int answer_unit(struct database *database, struct request *request, struct error *error)
{
    static const struct {
        const char *name;
        enum query query;
    } ways[] = {{.name = ":serial", .query = QUERY_RUNS_BY_SERIAL},
                {.name = ":uid", .query = QUERY_RUNS_BY_UID},
                {.name = ":number", .query = QUERY_RUNS_BY_NUMBER}};
    json_t *runs = json_array();
    int code = 0;

    for (size_t i = 0; code >= 0 && json_array_size(runs) == 0 && i < sizeof ways / sizeof *ways; i++) {
        request->parameters[0].name = ways[i].name;
        code = take_unit(database, ways[i].query, request, runs, error);
    }
    if (code >= 0 && json_array_size(runs) == 0)
        code = error_set(error, -ENOENT, "%s is unknown", request->subject);
    if (code >= 0)
        request->result = json_pack("{s:o, s:o, s:O}", "serial", newest(runs, "serial"), "uid",
                                    newest(runs, "uid"), "runs", runs);
    json_decref(runs);
    return code < 0 ? code : 0;
}

json_t *reader_rows(struct reader *reader, enum query query, struct error *error)
{
    struct connection *connection = take_connection(reader, error);
    json_t *rows = json_array();
    sqlite3_stmt *statement;
    int64_t cursor;
    int code = -EIO;

    if (connection) {
        statement = database_statement(&connection->database, query, error);
        if (statement)
            code = take_rows(&connection->database, statement, rows, SIZE_MAX, &cursor, error);
        give_back(reader, connection);
    }
    if (code < 0) {
        json_decref(rows);
        return NULL;
    }
    return rows;
}
