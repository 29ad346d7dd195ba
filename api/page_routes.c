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

/* Scripts and styles are our own files; nothing comes from elsewhere, and no text becomes markup. */
static const char page_policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data: blob:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'";
/* Nor does the page need what is attached to the computer it is looked at on. */
static const char page_permissions[] =
    "bluetooth=(), camera=(), display-capture=(), geolocation=(), hid=(), microphone=(), midi=(), "
    "payment=(), serial=(), usb=()";

static void add_page_headers(struct reply *reply, const char *policy)
{
    reply_add_header(reply, "Content-Security-Policy", "%s", policy);
    reply_add_header(reply, "Permissions-Policy", "%s", page_permissions);
    reply_add_header(reply, "Cross-Origin-Opener-Policy", "same-origin");
    reply_add_header(reply, "Cross-Origin-Resource-Policy", "same-origin");
    reply_add_header(reply, "Referrer-Policy", "no-referrer");
}

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
    add_page_headers(&reply,
                     "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    request_answer(request, &reply);
}

/* The file as the client takes it: packed where it can unpack. Each has an ETag of its own, since they are
 * not the same bytes. */
static const struct embedded_file *choose(struct request *request, const char *name)
{
    const char *accepted = request_header(request, "Accept-Encoding");
    char packed[64];

    if (!accepted || !accepts_gzip(accepted))
        return embedded_find(dashboard_files, name);
    (void)snprintf(packed, sizeof packed, "%s.gz", name);
    return embedded_find(dashboard_files, packed);
}

/* Gives the file; 304 for one that the client has. */
static void serve(struct request *request, const char *name, const char *type)
{
    const struct embedded_file *file = choose(request, name);
    const char *if_none_match = request_header(request, "If-None-Match");
    struct reply reply = {.status = 200};
    char etag[40];

    if (!file) {
        reply_problem(request, PROBLEM_NOT_FOUND, "this daemon was built without the dashboard");
        return;
    }
    (void)snprintf(etag, sizeof etag, "\"%08lx-%zx\"", crc32(0, file->bytes, (uInt)file->size), file->size);
    reply_add_header(&reply, "ETag", "%s", etag);
    reply_add_header(&reply, "Cache-Control", "no-cache");
    reply_add_header(&reply, "Vary", "Accept-Encoding");
    add_page_headers(&reply, page_policy);
    if (if_none_match && etag_matches(if_none_match, etag)) {
        reply_empty(request, 304, &reply);
        return;
    }
    if (strcmp(file->name, name) != 0)
        reply_add_header(&reply, "Content-Encoding", "gzip");
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
