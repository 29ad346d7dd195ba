/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include "alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes in place up to `end`, where it puts a 0. The decoded text is never longer. */
static int decode(char *text, const char *end, bool plus_is_blank, struct error *error)
{
    char *out = text;

    for (const char *in = text; in < end; in++) {
        if (*in == '%') {
            int high = end - in > 2 ? hex_digit(in[1]) : -1;
            int low = end - in > 2 ? hex_digit(in[2]) : -1;

            if (high < 0 || low < 0)
                return error_set(error, -EINVAL, "the address has a '%%' without two hexadecimal digits");
            *out = (char)(unsigned char)(high << 4 | low);
            in += 2;
        } else {
            *out = plus_is_blank && *in == '+' ? ' ' : *in;
        }
        if ((unsigned char)*out < 0x20 || *out == 0x7f)
            return error_set(error, -EINVAL, "the address has a control character");
        out++;
    }
    *out = '\0';
    return 0;
}

/* How long the UTF-8 sequence with this first byte is, and the least code point that needs it. */
static size_t utf8_length(unsigned char first, uint32_t *least)
{
    static const uint32_t minimum[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = first < 0x80 ? 1 : (first & 0xe0) == 0xc0 ? 2 : (first & 0xf0) == 0xe0 ? 3 : 4;

    *least = minimum[length];
    return length == 4 && (first & 0xf8) != 0xf0 ? 0 : length;
}

static bool utf8_valid(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;

    while (*p) {
        uint32_t least, point;
        size_t length = utf8_length(*p, &least);

        if (!length)
            return false;
        point = length == 1 ? *p : *p & (0x7fu >> length);
        for (size_t i = 1; i < length; i++) {
            if ((p[i] & 0xc0) != 0x80)
                return false;
            point = point << 6 | (p[i] & 0x3f);
        }
        if (point < least || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
            return false;
        p += length;
    }
    return true;
}

static int decode_text(char *text, const char *end, bool plus_is_blank, struct error *error)
{
    int status = decode(text, end, plus_is_blank, error);

    if (!status && !utf8_valid(text))
        status = error_set(error, -EINVAL, "the address is not UTF-8");
    return status;
}

static int add_segment(struct target *target, char *start, const char *end, struct error *error)
{
    if (target->segment_count == TARGET_SEGMENTS)
        return error_set(error, -E2BIG, "the address has more than %d parts", TARGET_SEGMENTS);
    target->segments[target->segment_count++] = start;
    return decode_text(start, end, false, error);
}

/* `path` starts behind the first slash. The byte at `end` may be overwritten. */
static int parse_path(struct target *target, char *path, char *end, struct error *error)
{
    int status = 0;

    while (!status && path < end) {
        char *slash = memchr(path, '/', (size_t)(end - path));

        status = add_segment(target, path, slash ? slash : end, error);
        path = slash ? slash + 1 : end;
        /* "/v1/jobs/" is another address than "/v1/jobs": it ends with an empty part. */
        if (!status && slash && path == end)
            status = add_segment(target, slash, slash, error);
    }
    return status;
}

static int add_parameter(struct target *target, char *start, char *end, struct error *error)
{
    char *equals = memchr(start, '=', (size_t)(end - start));
    char *value = equals ? equals + 1 : end;
    int status;

    if (target->parameter_count == TARGET_PARAMETERS)
        return error_set(error, -E2BIG, "the address has more than %d parameters", TARGET_PARAMETERS);
    /* The value first: decoding the name puts its 0 on the equals sign at the latest. */
    if ((status = decode_text(value, end, true, error)))
        return status;
    if ((status = decode_text(start, equals ? equals : end, true, error)))
        return status;
    if (target_parameter(target, start))
        return error_set(error, -EINVAL, "the parameter '%s' is given twice", start);
    target->parameters[target->parameter_count].name = start;
    target->parameters[target->parameter_count++].value = value;
    return 0;
}

static int parse_query(struct target *target, char *query, char *end, struct error *error)
{
    int status = 0;

    while (!status && query < end) {
        char *next = memchr(query, '&', (size_t)(end - query));

        if (!next)
            next = end;
        if (next > query)
            status = add_parameter(target, query, next, error);
        query = next < end ? next + 1 : end;
    }
    return status;
}

int target_parse(struct target *target, const char *text, struct error *error)
{
    size_t size = strlen(text);
    char *end, *question;
    int status;

    *target = (struct target){.memory = NULL};
    if (text[0] != '/')
        return error_set(error, -EINVAL, "the address does not begin with '/'");
    if (size > TARGET_MAX_BYTES)
        return error_set(error, -E2BIG, "the address is longer than %d bytes", TARGET_MAX_BYTES);
    target->memory = copy_text(text);
    end = target->memory + size;
    question = strchr(target->memory, '?');
    if (question)
        *question = '\0';
    /* A fragment is never sent by a client that follows RFC 9112; do not guess what was meant. */
    if (strchr(text, '#'))
        status = error_set(error, -EINVAL, "the address has a '#'");
    else
        status = parse_path(target, target->memory + 1, question ? question : end, error);
    if (!status && question)
        status = parse_query(target, question + 1, end, error);
    if (status)
        target_clear(target);
    return status;
}

void target_clear(struct target *target)
{
    free(target->memory);
    *target = (struct target){.memory = NULL};
}

const char *target_parameter(const struct target *target, const char *name)
{
    for (size_t i = 0; i < target->parameter_count; i++)
        if (!strcmp(target->parameters[i].name, name))
            return target->parameters[i].value;
    return NULL;
}

bool is_word_of(const char *word, const char *words)
{
    size_t length = strlen(word);

    while (*words) {
        size_t next = strcspn(words, " ");

        if (next == length && !memcmp(words, word, length))
            return true;
        words += next;
        words += strspn(words, " ");
    }
    return false;
}

const char *target_unknown_parameter(const struct target *target, const char *accepted)
{
    for (size_t i = 0; i < target->parameter_count; i++)
        if (!is_word_of(target->parameters[i].name, accepted))
            return target->parameters[i].name;
    return NULL;
}

void framing_add(struct framing *framing, const char *name, const char *value)
{
    if (!strcasecmp(name, "Content-Length")) {
        framing->lengths++;
        if (!parse_integer(value ? value : "", 0, INT64_MAX, &framing->length))
            framing->length = -1;
    } else if (!strcasecmp(name, "Transfer-Encoding")) {
        framing->encodings++;
        framing->length = -1;
    }
}

int framing_check(const struct framing *framing, struct error *error)
{
    if (framing->lengths + framing->encodings > 1)
        return error_set(error, -EINVAL, "the header says more than once how long the body is");
    if (framing->lengths && framing->length < 0)
        return error_set(error, -EINVAL, "Content-Length is not a number");
    return 0;
}

bool parse_integer(const char *text, int64_t minimum, int64_t maximum, int64_t *value)
{
    char *end;
    long long number;

    if (!(text[0] >= '0' && text[0] <= '9') && !(text[0] == '-' && text[1] >= '0' && text[1] <= '9'))
        return false;
    errno = 0;
    number = strtoll(text, &end, 10);
    if (errno || *end || number < minimum || number > maximum)
        return false;
    *value = number;
    return true;
}

bool parse_address(const char *text, uint32_t *address)
{
    bool hexadecimal = text[0] == '0' && (text[1] | 0x20) == 'x';
    const char *digits = hexadecimal ? text + 2 : text;
    unsigned long long number;
    char *end;

    if (hexadecimal ? hex_digit(*digits) < 0 : !(*digits >= '0' && *digits <= '9'))
        return false;
    errno = 0;
    number = strtoull(digits, &end, hexadecimal ? 16 : 10);
    if (errno || *end || number > UINT32_MAX)
        return false;
    *address = (uint32_t)number;
    return true;
}

/* ":8470" or nothing. */
static bool is_port(const char *text)
{
    int64_t port;

    return !*text ||
           (*text == ':' && (!text[1] || (text[1] != '-' && parse_integer(text + 1, 0, 65535, &port))));
}

bool parse_host(const char *header, char *host, size_t size)
{
    bool brackets = header[0] == '[';
    const char *start = brackets ? header + 1 : header;
    size_t length = strcspn(start, brackets ? "]" : ":");

    if (!length || length >= size || (brackets && start[length] != ']'))
        return false;
    if (!is_port(start + length + (brackets ? 1 : 0)))
        return false;
    memcpy(host, start, length);
    host[length] = '\0';
    return true;
}

const char *parse_bearer(const char *header)
{
    if (strncasecmp(header, "Bearer", 6) != 0 || header[6] != ' ')
        return NULL;
    header += 6;
    header += strspn(header, " ");
    return *header ? header : NULL;
}

static size_t trim(const char *text, size_t length)
{
    while (length && (text[length - 1] == ' ' || text[length - 1] == '\t'))
        length--;
    return length;
}

bool media_type_is(const char *header, const char *type)
{
    size_t length = trim(header, strcspn(header, ";"));

    return length == strlen(type) && !strncasecmp(header, type, length);
}

/* The weight in thousandths that one element of Accept gives; 1000 without q. */
static int accept_weight(const char *element, size_t length)
{
    const char *end = element + length;
    const char *q = memchr(element, ';', length);

    while (q && q < end) {
        q++;
        q += strspn(q, " \t");
        if (end - q > 2 && (*q | 0x20) == 'q' && q[1] == '=') {
            double weight = strtod(q + 2, NULL);

            return weight > 0 && weight <= 1 ? (int)(weight * 1000) : 0;
        }
        q = q < end ? memchr(q, ';', (size_t)(end - q)) : NULL;
    }
    return 1000;
}

/* The weight of `type` when it is named literally, else -1. */
static int accept_weight_of(const char *accept, const char *type)
{
    while (*accept) {
        size_t length;

        accept += strspn(accept, " \t,");
        length = strcspn(accept, ",");
        if (length && trim(accept, strcspn(accept, ";,")) == strlen(type) &&
            !strncasecmp(accept, type, strlen(type)))
            return accept_weight(accept, length);
        accept += length;
    }
    return -1;
}

bool accepts_csv(const char *accept)
{
    int csv = accept_weight_of(accept, "text/csv");

    return csv > 0 && csv > accept_weight_of(accept, "application/json");
}

bool accepts_gzip(const char *accept_encoding)
{
    static const char *const names[] = {"gzip", "x-gzip", "*"};
    int weight = -1;

    for (size_t i = 0; i < sizeof names / sizeof names[0] && weight < 0; i++)
        weight = accept_weight_of(accept_encoding, names[i]);
    return weight > 0;
}

bool etag_matches(const char *if_none_match, const char *etag)
{
    const char *p = if_none_match;

    while (*p) {
        size_t length;

        p += strspn(p, " \t,");
        if (!strncmp(p, "W/", 2))
            p += 2;
        length = trim(p, strcspn(p, ","));
        if ((length == 1 && *p == '*') || (length == strlen(etag) && !memcmp(p, etag, length)))
            return true;
        p += strcspn(p, ",");
    }
    return false;
}

/* Nesting is counted before jansson recurses into it. A quote inside a string is always escaped. */
static size_t json_depth(const char *text, size_t size)
{
    size_t depth = 0, deepest = 0;
    bool in_string = false;

    for (size_t i = 0; i < size; i++) {
        if (in_string) {
            if (text[i] == '\\')
                i++;
            else if (text[i] == '"')
                in_string = false;
        } else if (text[i] == '"') {
            in_string = true;
        } else if (text[i] == '{' || text[i] == '[') {
            if (++depth > deepest)
                deepest = depth;
        } else if ((text[i] == '}' || text[i] == ']') && depth) {
            depth--;
        }
    }
    return deepest;
}

json_t *parse_json_body(const char *text, size_t size, struct error *error, int *line, int *column)
{
    json_error_t trouble;
    json_t *body;

    *line = *column = 0;
    if (json_depth(text, size) > JSON_BODY_MAX_DEPTH) {
        error_set(error, -EINVAL, "the body is nested deeper than %d", JSON_BODY_MAX_DEPTH);
        return NULL;
    }
    body = json_loadb(text, size, JSON_REJECT_DUPLICATES, &trouble);
    if (!body) {
        *line = trouble.line;
        *column = trouble.column;
        error_set(error, -EINVAL, "the body is not JSON: line %d column %d: %s", trouble.line, trouble.column,
                  trouble.text);
        return NULL;
    }
    if (!json_is_object(body)) {
        json_decref(body);
        error_set(error, -EINVAL, "the body is not a JSON object");
        return NULL;
    }
    return body;
}
