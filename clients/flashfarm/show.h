/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands that ask and show share: a list as a table, one thing as lines, or the API's own body. */
#ifndef FLASHFARM_CLIENT_SHOW_H
#define FLASHFARM_CLIENT_SHOW_H

#include "http.h"
#include "options.h"
#include "value.h"

#include <stdbool.h>

struct list {
    const char *path;
    const struct column *columns;
    size_t count;
    const char *none;
    bool paged;
};

/* `path` may have filters that list->path has not. */
int show_list(struct server *server, const struct options *options, const struct list *list, const char *path,
              struct error *error);
/* The answer of a request. */
int show_object(struct server *server, const struct options *options, const struct request *request,
                struct error *error);
bool show_as_json(const struct options *options);
/* The findings of a lint, `findings` of an answer; true when one of them is an error. */
bool show_findings(const struct options *options, const json_t *answer);
/* The SHA-256 of a file as hexadecimal digits. */
int show_hash_file(const char *path, char id[65], struct error *error);
/* The id of an image from what a person has at hand: the file itself, the id, its start, or the name. */
int show_image_id(struct server *server, const char *what, char id[65], struct error *error);

#endif
