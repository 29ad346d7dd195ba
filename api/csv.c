/* SPDX-License-Identifier: Apache-2.0 */
#include "csv.h"

#include "alloc.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A column of a run: a member, or a member of a member. */
static const struct column {
    const char *name, *member, *part;
} run_columns[] = {
    {.name = "id", .member = "id"},
    {.name = "job", .member = "job"},
    {.name = "station", .member = "station"},
    {.name = "outcome", .member = "outcome"},
    {.name = "class", .member = "class"},
    {.name = "message", .member = "message"},
    {.name = "serial", .member = "serial"},
    {.name = "uid", .member = "uid"},
    {.name = "chip", .member = "chip"},
    {.name = "chip_id", .member = "chip_id"},
    {.name = "images", .member = "images"},
    {.name = "work_order", .member = "work_order"},
    {.name = "started", .member = "started"},
    {.name = "ended", .member = "ended"},
    {.name = "verify_method", .member = "verify", .part = "method"},
    {.name = "verify_digest", .member = "verify", .part = "digest"},
    {.name = "baud", .member = "baud"},
    {.name = "retries", .member = "retries"},
    {.name = "flash_size", .member = "flash_size"},
    {.name = "floor_us", .member = "floor_us"},
    {.name = "port", .member = "port"},
    {.name = "by", .member = "by"},
    {.name = "version", .member = "version"},
    /* New ones come last: whoever reads by place is not disturbed. */
    {.name = "recipe", .member = "recipe", .part = "name"},
    {.name = "recipe_version", .member = "recipe", .part = "version"},
    {.name = "recipe_hash", .member = "recipe", .part = "hash"},
    {.name = "fixture", .member = "fixture"},
    {.name = "code", .member = "code"},
    {.name = "numbers", .member = "numbers"},
    {.name = "unit_data_sha256", .member = "unit_data_sha256"},
    {.name = "rework", .member = "rework"},
};
#define RUN_COLUMNS (sizeof run_columns / sizeof run_columns[0])

static void append(struct csv *csv, const char *text, size_t size)
{
    if (!size)
        return;
    if (csv->size + size > csv->room) {
        csv->room = (csv->size + size) * 2;
        csv->text = reallocate(csv->text, csv->room, 1);
    }
    memcpy(csv->text + csv->size, text, size);
    csv->size += size;
}

static void append_quoted(struct csv *csv, const char *text)
{
    append(csv, "\"", 1);
    for (; *text; text++)
        append(csv, *text == '"' ? "\"\"" : text, *text == '"' ? 2 : 1);
    append(csv, "\"", 1);
}

static void append_text(struct csv *csv, const char *text)
{
    bool formula = *text && strchr("=+-@\t\r", *text);
    char *guarded = formula ? format_text("'%s", text) : NULL;

    if (guarded || text[strcspn(text, ",\"\r\n")])
        append_quoted(csv, guarded ? guarded : text);
    else
        append(csv, text, strlen(text));
    free(guarded);
}

/* Texts, or the numbers of pools by theirs. */
static char *join(const json_t *array)
{
    char *text = copy_text("");
    const json_t *item;
    size_t i;

    json_array_foreach (array, i, item) {
        const char *word = json_string_value(json_is_object(item) ? json_object_get(item, "text") : item);
        char *longer = format_text("%s%s%s", text, i ? " " : "", word ? word : "");

        free(text);
        text = longer;
    }
    return text;
}

void csv_field(struct csv *csv, const json_t *value)
{
    char *text;

    if (csv->fields++)
        append(csv, ",", 1);
    if (!value || json_is_null(value))
        return;
    if (json_is_string(value)) {
        append_text(csv, json_string_value(value));
        return;
    }
    text = json_is_array(value) ? join(value) : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    /* A negative number is no formula. */
    if (json_is_number(value))
        append(csv, text, strlen(text));
    else
        append_text(csv, text ? text : "");
    free(text);
}

void csv_end(struct csv *csv)
{
    append(csv, "\r\n", 2);
    csv->fields = 0;
}

void csv_run_head(struct csv *csv)
{
    for (size_t i = 0; i < RUN_COLUMNS; i++) {
        json_t *name = json_string(run_columns[i].name);

        csv_field(csv, name);
        json_decref(name);
    }
    csv_end(csv);
}

void csv_run(struct csv *csv, const json_t *run)
{
    for (size_t i = 0; i < RUN_COLUMNS; i++) {
        const json_t *value = json_object_get(run, run_columns[i].member);

        csv_field(csv, run_columns[i].part ? json_object_get(value, run_columns[i].part) : value);
    }
    csv_end(csv);
}

void csv_clear(struct csv *csv)
{
    free(csv->text);
    *csv = (struct csv){.text = NULL};
}
