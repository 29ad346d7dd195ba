/* SPDX-License-Identifier: Apache-2.0 */
#include "dialogue.h"

#include "alloc.h"
#include "bytes.h"
#include "port_rs485.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void put_flags(FILE *text, const struct session *session, const struct order *order)
{
    if (session->in_step)
        (void)fputs("in_step: yes\n", text);
    if (session->half_way)
        (void)fputs("half_way: yes\n", text);
    if (port_rs485_address(session->port))
        (void)fprintf(text, "unit: %u\n", port_rs485_address(session->port));
    if (session->wakeup == WAKEUP_ESCAPE)
        (void)fputs("wakeup: escape\n", text);
    if (order->unprotect)
        (void)fputs("unprotect: yes\n", text);
    if (order->run)
        (void)fputs("run: yes\n", text);
    if (order->protect != PROTECTION_NONE)
        (void)fprintf(text, "protect: %s\n", order->protect == PROTECTION_READ ? "read" : "write");
}

static void put_spans(FILE *text, const struct order *order)
{
    for (size_t i = 0; i < order->keep_count; i++)
        (void)fprintf(text, "keep: 0x%08" PRIx32 " %" PRIu32 "\n", order->keep[i].address,
                      order->keep[i].size);
    for (size_t i = 0; i < order->variable_count; i++)
        (void)fprintf(text, "variable: 0x%08" PRIx32 " %" PRIu32 "\n", order->variable[i].address,
                      order->variable[i].size);
    for (size_t i = 0; i < order->option_count; i++) {
        char hex[2 * sizeof order->options[i].bytes + 1];

        bytes_to_hex(order->options[i].bytes, order->options[i].size, hex);
        (void)fprintf(text, "option: 0x%08" PRIx32 " %s\n", order->options[i].address, hex);
    }
}

#define BYTES_PER_LINE 32u
#define LINE_TEXT      96

/* "image: ADDRESS BYTES", as many of them as a line takes. */
static void image_line(const struct image_range *range, uint32_t at, char line[LINE_TEXT])
{
    uint32_t left = range->size - at, size = left < BYTES_PER_LINE ? left : BYTES_PER_LINE;
    char hex[2 * BYTES_PER_LINE + 1];

    bytes_to_hex(range->data + at, size, hex);
    (void)snprintf(line, LINE_TEXT, "image: 0x%08" PRIx32 " %s", range->address + at, hex);
}

static void put_image(FILE *text, const struct image *image)
{
    char line[LINE_TEXT];

    for (size_t i = 0; i < image->count; i++)
        for (uint32_t at = 0; at < image->ranges[i].size; at += BYTES_PER_LINE) {
            image_line(&image->ranges[i], at, line);
            (void)fprintf(text, "%s\n", line);
        }
}

void dialogue_note_image(struct port *recorder, const struct order *order)
{
    const struct image *image = order->image;
    char line[LINE_TEXT];

    for (size_t i = 0; order->variable_count && i < image->count; i++)
        for (uint32_t at = 0; at < image->ranges[i].size; at += BYTES_PER_LINE) {
            image_line(&image->ranges[i], at, line);
            port_record_note(recorder, line);
        }
}

char *dialogue_header(const struct session *session, const struct order *order, const char *entry)
{
    char *header = NULL;
    size_t size = 0;
    FILE *text = open_memstream(&header, &size);

    if (!text)
        return copy_text("");
    (void)fprintf(text, "version: %s\nprotocol: %s\nchip: %s\nentry: %s\n", FLASHFARM_VERSION,
                  session->protocol->name, order->chip->name, entry);
    if (session->baud_max)
        (void)fprintf(text, "baud: %" PRIu32 "\n", session->baud_max);
    if (session->baud_proven)
        (void)fprintf(text, "proven: %" PRIu32 "\n", session->baud_proven);
    put_flags(text, session, order);
    put_spans(text, order);
    if (!order->variable_count)
        put_image(text, order->image);
    (void)fclose(text);
    return header;
}
