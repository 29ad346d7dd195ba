/* SPDX-License-Identifier: Apache-2.0 */
#include "alloc.h"
#include "context.h"
#include "handlers.h"
#include "reply.h"
#include "upload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 255

static void on_image_added(void *context, json_t *answer, const struct error *error)
{
    struct request *request = context;
    struct reply reply = {.status = 200};

    if (!answer) {
        reply_error(request, error);
        return;
    }
    if (json_is_true(json_object_get(answer, "created"))) {
        reply.status = 201;
        reply_add_header(&reply, "Location", "/v1/images/%s",
                         json_string_value(json_object_get(answer, "id")));
    }
    /* The status says it; the body is the same as that of GET. */
    (void)json_object_del(answer, "created");
    reply_json_with(request, answer, &reply);
}

void post_image(struct request *request)
{
    const struct api *api = request->context;
    const char *name = target_parameter(&request->target, "name");
    const char *address = target_parameter(&request->target, "address");
    struct farm_upload upload = {.name = name ? name : "", .by = request->by};
    char *path;

    if (name && strlen(name) > NAME_MAX_BYTES) {
        reply_problem(request, PROBLEM_BAD_PARAMETER, "name is longer than %d bytes", NAME_MAX_BYTES);
        return;
    }
    if (address && !parse_address(address, &upload.base)) {
        reply_problem(request, PROBLEM_BAD_PARAMETER,
                      "address is '%s'; expected a number of 32 bits, decimal or 0x…", address);
        return;
    }
    upload.has_base = address != NULL;
    path = upload_take(request);
    upload.path = path;
    farm_image_add(api->farm, &upload, on_image_added, request);
    free(path);
}

void get_images(struct request *request)
{
    const struct api *api = request->context;
    struct store_page page;

    if (reply_page(request, &page))
        store_images(api->store, &page, reply_with_answer, request);
}

static void on_image(void *context, json_t *answer, const struct error *error)
{
    struct request *request = context;
    const char *if_none_match = request_header(request, "If-None-Match");
    struct reply reply = {.status = 200};
    char etag[80];

    if (!answer) {
        reply_error(request, error);
        return;
    }
    /* An image never changes, so its id is all that a cache needs. */
    (void)snprintf(etag, sizeof etag, "\"%s\"", request->match.parts[0]);
    reply_add_header(&reply, "ETag", "%s", etag);
    reply_add_header(&reply, "Cache-Control", "private, no-cache");
    if (if_none_match && etag_matches(if_none_match, etag)) {
        json_decref(answer);
        reply_empty(request, 304, &reply);
        return;
    }
    reply_json_with(request, answer, &reply);
}

/* The id in the address; NULL when it is none, which has been answered then. */
static const char *image_of(struct request *request)
{
    const char *id = request->match.parts[0];

    if (strlen(id) == 64 && strspn(id, "0123456789abcdef") == 64)
        return id;
    reply_problem(request, PROBLEM_NOT_FOUND, "'%s' is not the SHA-256 of an image", id);
    return NULL;
}

void get_image(struct request *request)
{
    const struct api *api = request->context;
    const char *id = image_of(request);

    if (id)
        store_image(api->store, id, on_image, request);
}

static void on_signatures(void *context, json_t *answer, const struct error *error)
{
    if (answer)
        (void)json_object_set_new(answer, "next", json_null());
    reply_with_answer(context, answer, error);
}

static void on_image_exists(void *context, json_t *answer, const struct error *error)
{
    struct request *request = context;
    const struct api *api = request->context;

    if (answer)
        store_signatures(api->store, request->match.parts[0], on_signatures, request);
    else
        reply_error(request, error);
    json_decref(answer);
}

/* An image without signatures is an empty list, an unknown image is not. */
void get_signatures(struct request *request)
{
    const struct api *api = request->context;
    const char *id = image_of(request);

    if (id)
        store_image(api->store, id, on_image_exists, request);
}

static void on_signed(void *context, json_t *answer, const struct error *error)
{
    if (answer)
        reply_json(context, 201, answer);
    else
        reply_error(context, error);
}

void post_signature(struct request *request)
{
    const struct api *api = request->context;
    const char *id = image_of(request);

    if (id)
        farm_image_sign(api->farm, id, request->body, request->by, on_signed, request);
}
