/* SPDX-License-Identifier: Apache-2.0 */
#include "run_list.h"

#include "alloc.h"
#include "context.h"
#include "csv.h"
#include "reply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT_PAGE_ROWS    500
#define EXPORT_STALL_S      60
#define EXPORT_BUFFER_BYTES (256 << 10)

/* One export under way. No transaction is held between its pages. */
struct export
{
    struct api *api;
    struct request *request; /* until the first page is there */
    struct stream *stream;
    struct target target; /* holds the texts of the filter */
    struct store_run_filter filter;
    char *cursor;      /* of the next page; NULL: there is none */
    int64_t remaining; /* rows that may still be given */
    struct csv csv;
    size_t sent;
    bool asking; /* a page is under way */
    bool broken;
    bool ended; /* nobody reads any more */
};

static void export_free(struct export *export)
{
    target_clear(&export->target);
    free(export->cursor);
    csv_clear(&export->csv);
    free(export);
}

static void take_page(struct export *export, const json_t *page)
{
    const char *next = json_string_value(json_object_get(page, "next"));
    const json_t *run;
    size_t i;

    json_array_foreach (json_object_get(page, "items"), i, run) {
        if (export->remaining-- <= 0)
            break;
        csv_run(&export->csv, run);
    }
    free(export->cursor);
    export->cursor = next && export->remaining > 0 ? copy_text(next) : NULL;
}

static void on_page(void *context, json_t *answer, const struct error *error)
{
    struct export *export = context;
    struct http *http = export->api->http;

    export->asking = false;
    if (answer)
        take_page(export, answer);
    else
        log_warning(&export->api->log, "an export of runs breaks off: %s", error->text);
    export->broken = !answer;
    json_decref(answer);
    if (export->ended)
        export_free(export);
    else
        stream_wake(export->stream);
    http_release(http);
}

static void ask(struct export *export, store_answer *answer)
{
    struct store_page page = {.cursor = export->cursor, .limit = EXPORT_PAGE_ROWS};

    export->asking = true;
    http_hold(export->api->http);
    store_runs(export->api->store, &export->filter, &page, answer, export);
}

static ssize_t read_export(void *context, char *buffer, size_t size)
{
    struct export *export = context;
    size_t left;

    while (export->sent == export->csv.size && !export->asking && !export->broken && export->cursor) {
        export->sent = export->csv.size = 0;
        ask(export, on_page);
    }
    left = export->csv.size - export->sent;
    if (!left && export->asking)
        return 0;
    if (!left)
        return export->broken ? STREAM_BROKEN : STREAM_END;
    if (left > size)
        left = size;
    memcpy(buffer, export->csv.text + export->sent, left);
    export->sent += left;
    return (ssize_t)left;
}

static void end_export(void *context)
{
    struct export *export = context;

    export->ended = true;
    if (!export->asking)
        export_free(export);
}

static void reply_export(struct export *export)
{
    struct request *request = export->request;
    struct stream_source source = {.read = read_export,
                                   .end = end_export,
                                   .context = export,
                                   .send_buffer_bytes = EXPORT_BUFFER_BYTES,
                                   .stall_s = EXPORT_STALL_S};
    struct reply reply = {.status = 200, .type = "text/csv; charset=utf-8; header=present"};

    export->request = NULL;
    export->stream = stream_new(export->api->http, &source);
    reply.stream = export->stream;
    reply_add_header(&reply, "Content-Disposition", "attachment; filename=\"runs.csv\"");
    reply_add_header(&reply, "Vary", "Accept");
    request_answer(request, &reply);
}

/* The first page decides between an export and a problem. */
static void on_first_page(void *context, json_t *answer, const struct error *error)
{
    struct export *export = context;
    struct http *http = export->api->http;

    export->asking = false;
    if (answer) {
        csv_run_head(&export->csv);
        take_page(export, answer);
        json_decref(answer);
        reply_export(export);
    } else {
        reply_error(export->request, error);
        export_free(export);
    }
    http_release(http);
}

static void start_export(struct request *request, const struct store_run_filter *filter,
                         const struct store_page *page)
{
    struct export *export = allocate(1, sizeof *export);

    export->api = request->context;
    export->request = request;
    export->filter = *filter;
    export->cursor = page->cursor ? copy_text(page->cursor) : NULL;
    export->remaining = target_parameter(&request->target, "limit") ? page->limit : INT64_MAX;
    export->target = request->target; /* with the texts */
    request->target = (struct target){.memory = NULL};
    ask(export, on_first_page);
}

/* Its items are text already. */
static void reply_brief(void *context, json_t *answer, const struct error *error)
{
    struct request *request = context;
    struct reply reply = {.status = 200, .type = "application/json"};
    const char *next;

    if (!answer) {
        reply_error(request, error);
        return;
    }
    next = json_string_value(json_object_get(answer, "next")); /* digits */
    reply.body =
        format_text("{\"items\":%s,\"next\":%s%s%s}", json_string_value(json_object_get(answer, "items")),
                    next ? "\"" : "", next ? next : "null", next ? "\"" : "");
    reply.size = strlen(reply.body);
    json_decref(answer);
    request_answer(request, &reply);
}

/* Whether `brief` is true; false when it is neither of both, which has been answered then. */
static bool read_brief(struct request *request, bool *brief)
{
    const char *text = target_parameter(&request->target, "brief");

    *brief = text && !strcmp(text, "true");
    if (!text || *brief || !strcmp(text, "false"))
        return true;
    reply_problem(request, PROBLEM_BAD_PARAMETER, "brief is '%s'; expected true or false", text);
    return false;
}

static bool read_filter(struct request *request, struct store_run_filter *filter)
{
    static const char *const outcomes = "pass fail aborted unknown";
    const struct target *target = &request->target;
    const char *job = target_parameter(target, "job");

    if (job && !parse_integer(job, 1, INT64_MAX, &filter->job)) {
        reply_problem(request, PROBLEM_BAD_PARAMETER, "job is '%s'; expected a number from 1", job);
        return false;
    }
    filter->serial = target_parameter(target, "serial");
    filter->uid = target_parameter(target, "uid");
    filter->image = target_parameter(target, "image");
    filter->work_order = target_parameter(target, "work_order");
    filter->station = target_parameter(target, "station");
    filter->by = target_parameter(target, "by");
    filter->recipe = target_parameter(target, "recipe");
    filter->pool = target_parameter(target, "pool");
    filter->outcome = target_parameter(target, "outcome");
    filter->from = target_parameter(target, "from");
    filter->to = target_parameter(target, "to");
    if (!filter->outcome || is_word_of(filter->outcome, outcomes))
        return true;
    reply_problem(request, PROBLEM_BAD_PARAMETER, "outcome is '%s'; expected one of: %s", filter->outcome,
                  outcomes);
    return false;
}

/* What `format` says, or else Accept; false when it says neither. */
static bool read_format(struct request *request, bool *csv)
{
    const char *format = target_parameter(&request->target, "format");
    const char *accept = request_header(request, "Accept");

    *csv = format ? !strcmp(format, "csv") : accept && accepts_csv(accept);
    if (!format || *csv || !strcmp(format, "json"))
        return true;
    reply_problem(request, PROBLEM_BAD_PARAMETER, "format is '%s'; expected json or csv", format);
    return false;
}

void run_list_answer(struct request *request, int64_t job)
{
    const struct api *api = request->context;
    struct store_run_filter filter = {.job = job};
    struct store_page page;
    bool csv;

    if (!reply_page(request, &page) || !read_filter(request, &filter) || !read_format(request, &csv) ||
        !read_brief(request, &filter.brief))
        return;
    if (csv && filter.brief)
        reply_problem(request, PROBLEM_BAD_PARAMETER, "brief is for JSON; an export has all columns");
    else if (csv)
        start_export(request, &filter, &page);
    else
        store_runs(api->store, &filter, &page, filter.brief ? reply_brief : reply_with_answer, request);
}
