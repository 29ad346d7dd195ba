/* SPDX-License-Identifier: Apache-2.0 */
/* The dashboard: files that were made and packed at build time (clients/dashboard), served as they are. A
 * daemon that was built without them serves a page of plain text. */
#include "alloc.h"
#include "context.h"
#include "embedded.h"
#include "handlers.h"
#include "reply.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

extern const struct embedded_file dashboard_files[];

static void plain_page(struct request *request)
{
    const struct api *api = request->context;
    struct reply reply = {.status = 200, .type = "text/html; charset=utf-8"};

    reply.body = format_text(
        "<!doctype html>\n<html lang=\"en\"><head><meta "
        "charset=\"utf-8\"><title>flashfarm</title></head><body>\n"
        "<h1>flashfarm %s</h1>\n"
        "<p>This daemon programs boards on many stations at once. It is used through its REST "
        "interface:</p>\n"
        "<ul>\n"
        "<li><a href=\"/openapi.json\">/openapi.json</a>: the whole interface, as OpenAPI 3.1</li>\n"
        "<li><a href=\"/healthz\">/healthz</a>: whether it is up</li>\n"
        "<li>/v1/stations, /v1/jobs, /v1/runs, /v1/events, /metrics: with a key, as "
        "<code>Authorization: Bearer KEY</code></li>\n"
        "</ul>\n"
        "<p>On the command line: <code>flashfarm stations</code>, <code>flashfarm program FILE --chip "
        "CHIP</code>, "
        "<code>flashfarm watch</code>.</p>\n"
        "</body></html>\n",
        api->version);
    reply.size = strlen(reply.body);
    reply_add_header(&reply, "Content-Security-Policy",
                     "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    reply_add_header(&reply, "Referrer-Policy", "no-referrer");
    request_answer(request, &reply);
}

/* Scripts and styles are our own files; nothing comes from elsewhere, and no text becomes markup. */
static const char page_policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: "
    "blob:; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'";

/* Gives the file, packed where the client can unpack it; 304 for one that it has. */
static void serve(struct request *request, const char *name, const char *type)
{
    const struct embedded_file *file = embedded_find(dashboard_files, name);
    const char *if_none_match = request_header(request, "If-None-Match");
    const char *accepted = request_header(request, "Accept-Encoding");
    struct reply reply = {.status = 200};
    char packed[64], etag[20];

    if (!file) {
        reply_problem(request, PROBLEM_NOT_FOUND, "this daemon was built without the dashboard");
        return;
    }
    (void)snprintf(etag, sizeof etag, "\"%08lx\"", crc32(0, file->bytes, (uInt)file->size));
    (void)snprintf(packed, sizeof packed, "%s.gz", name);
    reply_add_header(&reply, "ETag", "%s", etag);
    reply_add_header(&reply, "Cache-Control", "no-cache");
    reply_add_header(&reply, "Vary", "Accept-Encoding");
    reply_add_header(&reply, "Content-Security-Policy", "%s", page_policy);
    reply_add_header(&reply, "Referrer-Policy", "no-referrer");
    if (if_none_match && etag_matches(if_none_match, etag)) {
        reply_empty(request, 304, &reply);
        return;
    }
    if (accepted && strstr(accepted, "gzip")) {
        reply_add_header(&reply, "Content-Encoding", "gzip");
        file = embedded_find(dashboard_files, packed);
    }
    reply_lasting(request, type, file->bytes, file->size, &reply);
}

void get_page(struct request *request)
{
    if (embedded_find(dashboard_files, "index.html"))
        serve(request, "index.html", "text/html; charset=utf-8");
    else
        plain_page(request);
}

void get_page_script(struct request *request)
{
    serve(request, "app.js", "text/javascript; charset=utf-8");
}

void get_page_style(struct request *request)
{
    serve(request, "app.css", "text/css; charset=utf-8");
}
