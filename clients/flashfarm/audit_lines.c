/* SPDX-License-Identifier: Apache-2.0 */
#include "audit_lines.h"

#include "audit_text.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

bool audit_lines_next(struct audit_lines *lines)
{
    ssize_t length = getline(&lines->line, &lines->room, lines->file);

    if (length <= 0)
        return false;
    lines->number++;
    lines->length = (size_t)length;
    lines->whole = lines->line[length - 1] == '\n';
    if (lines->whole)
        lines->line[--lines->length] = '\0';
    return true;
}

const char *audit_lines_value(const struct audit_lines *lines, const char *word)
{
    size_t size = strlen(word);

    if (!lines->whole || lines->length <= size || strlen(lines->line) != lines->length ||
        memcmp(lines->line, word, size) != 0 || lines->line[size] != '\t')
        return NULL;
    return lines->line + size + 1;
}

void audit_lines_clear(struct audit_lines *lines)
{
    free(lines->line);
    lines->line = NULL;
}

/* Up to the next tab, or to the end for the last one. */
static struct audit_text next_value(const char **rest, bool last)
{
    struct audit_text value = {.text = *rest};

    if (!*rest)
        return value;
    value.size = last ? strlen(*rest) : strcspn(*rest, "\t");
    *rest = last || !(*rest)[value.size] ? NULL : *rest + value.size + 1;
    return value;
}

bool audit_lines_record(const struct audit_lines *lines, struct audit_record *record,
                        uint8_t hash[AUDIT_HASH])
{
    const char *rest = audit_lines_value(lines, "record");
    int64_t *numbers[] = {&record->sequence, &record->utc_us, &record->monotonic_us};
    struct audit_text value;

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        value = next_value(&rest, false);
        if (!value.text || !audit_number(value.text, value.size, numbers[i]))
            return false;
    }
    for (int i = AUDIT_CLOCK; i < AUDIT_BODY; i++)
        record->texts[i] = next_value(&rest, false);
    value = next_value(&rest, false);
    record->texts[AUDIT_BODY] = next_value(&rest, true);
    record->hash = hash;
    return record->texts[AUDIT_BODY].text && value.size == AUDIT_DIGITS &&
           audit_hex(value.text, AUDIT_DIGITS, hash);
}

static bool is_plain(const struct audit_text *text, const char *without)
{
    for (size_t i = 0; i < text->size; i++)
        if (!text->text[i] || strchr(without, text->text[i]))
            return false;
    return true;
}

int audit_lines_write_record(FILE *out, const struct audit_record *record, struct error *error)
{
    const struct audit_text *texts = record->texts;
    char hash[2 * AUDIT_HASH + 1];
    bool plain = record->hash && record->sequence >= 0 && record->utc_us >= 0 && record->monotonic_us >= 0;

    for (int i = 0; i < AUDIT_TEXTS; i++)
        plain = plain && is_plain(&texts[i], i == AUDIT_BODY ? "\n" : "\t\n");
    if (!plain)
        return error_set(error, -EINVAL, "record %" PRId64 " cannot be written as a line", record->sequence);
    (void)sodium_bin2hex(hash, sizeof hash, record->hash, AUDIT_HASH);
    if (fprintf(out, "record\t%" PRId64 "\t%" PRId64 "\t%" PRId64 "\t%.*s\t%.*s\t%.*s\t%s\t%.*s\n",
                record->sequence, record->utc_us, record->monotonic_us, (int)texts[AUDIT_CLOCK].size,
                texts[AUDIT_CLOCK].text, (int)texts[AUDIT_BOOT].size, texts[AUDIT_BOOT].text,
                (int)texts[AUDIT_KIND].size, texts[AUDIT_KIND].text, hash, (int)texts[AUDIT_BODY].size,
                texts[AUDIT_BODY].text) < 0)
        return error_set_errno(error, errno, "writing");
    return 0;
}
