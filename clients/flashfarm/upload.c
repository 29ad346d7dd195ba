/* SPDX-License-Identifier: Apache-2.0 */
#include "upload.h"

#include "alloc.h"
#include "commands.h"
#include "show.h"
#include "value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int upload_file(struct server *server, const char *base, const char *path, json_t **image,
                struct error *error)
{
    const char *slash = strrchr(path, '/');
    char *name = http_escape(slash ? slash + 1 : path);
    char *target = format_text("/v1/images?name=%s%s%s", name, base ? "&address=" : "", base ? base : "");
    struct request request = {.method = "POST", .path = target, .file = fopen(path, "re")};
    int status;

    *image = NULL;
    if (request.file)
        status = http_call(server, &request, image, error);
    else
        status = error_set_errno(error, errno, "%s", path);
    if (status == -EPERM)
        (void)error_prefix(error, "%s", path);
    if (status == 0 && !json_is_string(json_object_get(*image, "id")))
        status = error_set(error, -EPERM, "what answers is no flashfarmd: an image without id");
    if (request.file)
        (void)fclose(request.file);
    free(target);
    free(name);
    return status;
}

static int add_file(struct server *server, const char *base, const char *path, json_t *ids,
                    struct error *error)
{
    json_t *image;
    int status = upload_file(server, base, path, &image, error);

    if (status == 0)
        (void)json_array_append(ids, json_object_get(image, "id"));
    json_decref(image);
    return status;
}

int upload_files(struct server *server, const struct options *options, json_t *order, struct error *error)
{
    json_t *ids = json_array();
    int status = 0;

    (void)json_object_set_new(order, "images", ids);
    for (size_t i = 1; i < options->word_count && status == 0; i++)
        status = add_file(server, options_value(options, OPTION_ADDRESS), options->words[i], ids, error);
    return status;
}

static bool is_image_id(const char *text)
{
    return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

/* The path of a file that another file names: beside it, unless it is absolute. */
static char *beside(const char *file, const char *name)
{
    const char *slash = strrchr(file, '/');

    return *name == '/' || !slash ? copy_text(name)
                                  : format_text("%.*s%s", (int)(slash + 1 - file), file, name);
}

int upload_named(struct server *server, const char *file, json_t *order, struct error *error)
{
    json_t *ids = json_array(), *names = json_object_get(order, "images"), *name;
    const char *address = json_string_value(json_object_get(order, "address"));
    json_t *all = names ? json_incref(names) : json_pack("[O*]", json_object_get(order, "image"));
    size_t index;
    int status = 0;

    json_array_foreach (all, index, name) {
        const char *text = json_string_value(name);
        char *path;

        if (status < 0 || !text || is_image_id(text)) {
            (void)json_array_append(ids, name);
            continue;
        }
        path = beside(file, text);
        status = add_file(server, address, path, ids, error);
        free(path);
    }
    (void)json_object_del(order, "address");
    (void)json_object_del(order, "image");
    if (json_array_size(ids))
        (void)json_object_set(order, "images", ids);
    json_decref(ids);
    json_decref(all);
    return status;
}

int command_upload(struct server *server, const struct options *options, struct error *error)
{
    static const struct column columns[] = {
        {.title = "IMAGE", .path = "id"},
        {.title = "NAME", .path = "name"},
        {.title = "FORMAT", .path = "format"},
        {.title = "SIZE", .path = "size", .format = AS_BYTES},
    };
    json_t *images = json_array(), *image;
    int status = 0;

    for (size_t i = 1; i < options->word_count && status == 0; i++) {
        status =
            upload_file(server, options_value(options, OPTION_ADDRESS), options->words[i], &image, error);
        if (status == 0)
            (void)json_array_append_new(images, image);
    }
    if (status == 0 && show_as_json(options))
        value_print_json(stdout, images);
    else if (status == 0)
        value_print_table(stdout, images, columns, sizeof columns / sizeof columns[0], "no image");
    json_decref(images);
    return status;
}
