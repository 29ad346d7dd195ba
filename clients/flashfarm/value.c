/* SPDX-License-Identifier: Apache-2.0 */
#include "value.h"

#include "alloc.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static char *add_text(char *whole, const char *text)
{
    char *longer = format_text("%s%s", whole, text);

    free(whole);
    return longer;
}

static const json_t *member_at(const json_t *object, const char *path, size_t size)
{
    const char *end = path + size;

    while (object && path < end) {
        size_t step = 0;

        while (path + step < end && path[step] != '.')
            step++;
        object = json_object_getn(object, path, step);
        path += step + 1;
    }
    return json_is_null(object) ? NULL : object;
}

const json_t *value_at(const json_t *object, const char *path)
{
    const json_t *found = NULL;

    while (!found && *path) {
        size_t size = strcspn(path, "|");

        found = member_at(object, path, size);
        path += size + (path[size] == '|');
    }
    return found;
}

const char *value_text(const json_t *object, const char *path)
{
    const char *text = json_string_value(value_at(object, path));

    return text ? text : "";
}

int64_t value_number(const json_t *object, const char *path)
{
    return (int64_t)json_number_value(value_at(object, path));
}

char *value_clean(char *text)
{
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    return text;
}

static char *format_any(const json_t *value);

/* "first, second" of an array, "name value, name value" of an object. */
static char *add_part(char *whole, const char *name, const json_t *value, const char *between)
{
    char *part = format_any(value);
    char *longer = format_text("%s%s%s%s%s", whole, *whole ? between : "", name, *name ? " " : "", part);

    free(part);
    free(whole);
    return longer;
}

/* What has parts reads as a list. */
static char *format_any(const json_t *value)
{
    char *text, *joined = copy_text("");
    const char *name;
    size_t index;
    json_t *item;

    if (json_is_array(value)) {
        json_array_foreach (value, index, item) {
            joined = add_part(joined, "", item, json_is_object(item) ? "; " : ",");
        }
    } else if (json_is_object(value)) {
        json_object_foreach ((json_t *)(uintptr_t)value, name, item) {
            joined = add_part(joined, name, item, ", ");
        }
    } else if (json_is_string(value)) {
        joined = add_text(joined, json_string_value(value));
    } else if (!json_is_null(value)) {
        text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(4));
        joined = add_text(joined, text ? text : "");
        free(text);
    }
    return *joined ? joined : add_text(joined, "-");
}

static char *format_bytes(int64_t size)
{
    if (size >= 1 << 20)
        return format_text("%.1f MiB", (double)size / (1 << 20));
    if (size >= 10 << 10 || (size >= 1 << 10 && size % 1024 == 0))
        return format_text("%lld KiB", (long long)((size + 512) / 1024));
    return format_text("%lld B", (long long)size);
}

/* "2026-11-21T12:25:00.123456Z" as seconds; negative when it is none. */
static double seconds_of(const char *utc)
{
    struct tm parts = {0};
    const char *rest = strptime(utc, "%Y-%m-%dT%H:%M:%S", &parts);

    return rest ? (double)timegm(&parts) + (*rest == '.' ? strtod(rest, NULL) : 0) : -1;
}

static char *format_duration(const json_t *run)
{
    double started = seconds_of(value_text(run, "started"));
    double ended = seconds_of(value_text(run, "ended"));

    if (started < 0 || ended < started)
        return copy_text("-");
    return format_text("%.1f s", ended - started);
}

static char *format_floor(const json_t *run)
{
    const json_t *phases = value_at(run, "phases");
    int64_t floor_us = value_number(run, "floor_us"), us = 0;
    size_t index;
    json_t *phase;

    json_array_foreach (phases, index, phase) {
        us += value_number(phase, "us");
    }
    if (floor_us <= 0 || us <= 0)
        return copy_text("-");
    return format_text("%.0f %%", 100.0 * (double)us / (double)floor_us);
}

static char *format_time(const char *utc)
{
    return strlen(utc) > 19 ? format_text("%.10s %.8sZ", utc, utc + 11) : copy_text(utc);
}

static char *format_value(const json_t *value, enum format format)
{
    const json_t *first = json_is_array(value) ? json_array_get(value, 0) : value;

    switch (format) {
    case AS_HEX:
        if (json_is_integer(value))
            return format_text("0x%0*llx", json_integer_value(value) > 0xffff ? 8 : 3,
                               json_integer_value(value));
        break;
    case AS_BYTES:
        if (json_is_integer(value))
            return format_bytes(json_integer_value(value));
        break;
    case AS_SECONDS:
        if (json_is_integer(value))
            return format_text("%.3f s", (double)json_integer_value(value) / 1e6);
        break;
    case AS_DIGEST:
        if (json_is_string(first))
            return format_text("%.12s%s", json_string_value(first), json_array_size(value) > 1 ? "+" : "");
        break;
    case AS_TIME:
        if (json_is_string(value))
            return format_time(json_string_value(value));
        break;
    case AS_TEXT:
    case AS_DURATION:
    case AS_FLOOR:
        break;
    }
    return format_any(value);
}

char *value_format(const json_t *object, const struct column *column)
{
    const json_t *value = value_at(object, column->path);
    char *text;

    if (column->format == AS_DURATION)
        return format_duration(object);
    if (column->format == AS_FLOOR)
        return format_floor(object);
    text = value_clean(value ? format_value(value, column->format) : copy_text("-"));
    if (*text)
        return text;
    free(text);
    return copy_text("-");
}

/* Columns on a terminal: bytes that start a character of UTF-8. */
static int width_of(const char *text)
{
    int width = 0;

    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static void print_cell(FILE *out, const char *text, int width, bool last)
{
    (void)fprintf(out, "%s%*s", text, last ? 0 : width - width_of(text) + 2, "");
}

static void print_rows(FILE *out, char **cells, size_t rows, const struct column *columns, size_t count,
                       const int *widths)
{
    for (size_t c = 0; c < count; c++)
        print_cell(out, columns[c].title, widths[c], c + 1 == count);
    (void)fputc('\n', out);
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < count; c++)
            print_cell(out, cells[r * count + c], widths[c], c + 1 == count);
        (void)fputc('\n', out);
    }
}

void value_print_table(FILE *out, const json_t *array, const struct column *columns, size_t count,
                       const char *none)
{
    size_t rows = json_array_size(array);
    char **cells = allocate(rows * count + 1, sizeof *cells);
    int *widths = allocate(count, sizeof *widths);

    for (size_t i = 0; i < rows * count; i++) {
        size_t c = i % count;

        cells[i] = value_format(json_array_get(array, i / count), &columns[c]);
        if (width_of(cells[i]) > widths[c])
            widths[c] = width_of(cells[i]);
    }
    for (size_t c = 0; c < count; c++)
        if (width_of(columns[c].title) > widths[c])
            widths[c] = width_of(columns[c].title);
    if (rows)
        print_rows(out, cells, rows, columns, count, widths);
    else
        (void)fprintf(out, "%s\n", none);
    for (size_t i = 0; i < rows * count; i++)
        free(cells[i]);
    free(cells);
    free(widths);
}

static bool has_parts(const json_t *value)
{
    return json_is_object(value) || (json_is_array(value) && json_is_object(json_array_get(value, 0)));
}

/* Too much for one line: a list of things, or a thing that has others in it. */
static bool is_deep(const json_t *value)
{
    const char *name;
    json_t *member;

    if (!json_is_object(value))
        return has_parts(value);
    json_object_foreach ((json_t *)(uintptr_t)value, name, member) {
        if (has_parts(member))
            return true;
    }
    return false;
}

static void print_line(FILE *out, int depth, const char *name, const json_t *value)
{
    char *label = value_clean(copy_text(name)), *text = value_clean(format_any(value));

    (void)fprintf(out, "%*s%-*s %s\n", 2 * depth, "", 20 - 2 * depth, label, text);
    free(text);
    free(label);
}

static void print_member(FILE *out, int depth, const char *name, json_t *value)
{
    const char *inner;
    char *label;
    json_t *part;
    size_t index;

    if (depth > 2 || !is_deep(value)) {
        print_line(out, depth, name, value);
        return;
    }
    if (json_is_array(value)) {
        json_array_foreach (value, index, part) {
            print_line(out, depth, index ? "" : name, part);
        }
        return;
    }
    label = value_clean(copy_text(name));
    (void)fprintf(out, "%*s%s\n", 2 * depth, "", label);
    free(label);
    json_object_foreach (value, inner, part) {
        print_member(out, depth + 1, inner, part);
    }
}

void value_print_object(FILE *out, json_t *object)
{
    const char *name;
    json_t *value;

    json_object_foreach (object, name, value) {
        print_member(out, 0, name, value);
    }
}

void value_print_json(FILE *out, const json_t *body)
{
    (void)json_dumpf(body, out, JSON_INDENT(2) | JSON_ENCODE_ANY);
    (void)fputc('\n', out);
}
