/* SPDX-License-Identifier: Apache-2.0 */
#include "conversation.h"

#include "alloc.h"
#include "bytes.h"
#include "overlay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct conversation empty_conversation(void)
{
    return (struct conversation){.entry = "none"};
}

/* "0x08000000 0a1b…": bytes that continue the last range, or begin another. */
static bool add_image(struct image *image, const char *value)
{
    uint8_t bytes[HEADER_TEXT / 2];
    struct image_range *last;
    char hex[HEADER_TEXT];
    unsigned address;
    uint32_t size;

    if (sscanf(value, "%x %399s", &address, hex) != 2)
        return false;
    size = (uint32_t)strlen(hex) / 2;
    if (!bytes_from_hex(hex, bytes, size))
        return false;
    last = image->count ? &image->ranges[image->count - 1] : NULL;
    if (!last || last->address + last->size != address) {
        image->ranges = reallocate(image->ranges, image->count + 1, sizeof *image->ranges);
        last = &image->ranges[image->count++];
        *last = (struct image_range){.address = address};
    }
    last->data = reallocate(last->data, last->size + size, 1);
    memcpy(last->data + last->size, bytes, size);
    last->size += size;
    return true;
}

static bool add_option(struct order *order, const char *value)
{
    struct order_option *option = &order->options[order->option_count];
    char hex[2 * sizeof option->bytes + 1];
    unsigned address;

    if (order->option_count == ORDER_OPTIONS || sscanf(value, "%x %64s", &address, hex) != 2)
        return false;
    order->option_count++;
    option->address = address;
    option->size = (uint32_t)strlen(hex) / 2;
    return bytes_from_hex(hex, option->bytes, option->size);
}

/* "0x08000000 16": one more of at most eight. */
static bool add_span(struct chip_span *spans, size_t *count, const char *value)
{
    unsigned address, size;

    if (*count == 8 || sscanf(value, "%x %u", &address, &size) != 2)
        return false;
    spans[(*count)++] = (struct chip_span){.address = address, .size = size};
    return true;
}

/* One line of the header; those that nobody knows are remarks. False: known, but wrong. */
static bool take_header(struct conversation *conversation, const char *key, const char *value)
{
    struct session *session = &conversation->session;
    struct order *order = &conversation->order;
    bool yes = strcmp(value, "yes") == 0;

    if (strcmp(key, "chip") == 0)
        (void)snprintf(conversation->chip, sizeof conversation->chip, "%s", value);
    else if (strcmp(key, "expect") == 0)
        return sscanf(value, "%15s %23s", conversation->outcome, conversation->class) >= 1;
    else if (strcmp(key, "entry") == 0)
        (void)snprintf(conversation->entry, sizeof conversation->entry, "%s", value);
    else if (strcmp(key, "baud") == 0)
        session->baud_max = (uint32_t)strtoul(value, NULL, 10);
    else if (strcmp(key, "proven") == 0)
        session->baud_proven = (uint32_t)strtoul(value, NULL, 10);
    else if (strcmp(key, "in_step") == 0)
        session->in_step = yes;
    else if (strcmp(key, "half_way") == 0)
        session->half_way = yes;
    else if (strcmp(key, "unit") == 0)
        session->unit = (uint8_t)strtoul(value, NULL, 10);
    else if (strcmp(key, "wakeup") == 0)
        session->wakeup = strcmp(value, "escape") == 0 ? WAKEUP_ESCAPE : WAKEUP_PARITY;
    else if (strcmp(key, "unprotect") == 0)
        order->unprotect = yes;
    else if (strcmp(key, "run") == 0)
        order->run = yes;
    else if (strcmp(key, "protect") == 0)
        order->protect = strcmp(value, "read") == 0 ? PROTECTION_READ : PROTECTION_WRITE;
    else if (strcmp(key, "keep") == 0)
        return add_span(conversation->keep, &order->keep_count, value);
    else if (strcmp(key, "variable") == 0)
        return add_span(conversation->variable, &order->variable_count, value);
    else if (strcmp(key, "option") == 0)
        return add_option(order, value);
    else if (strcmp(key, "image") == 0)
        return add_image(&conversation->image, value);
    return true;
}

/* 700 bytes in two pieces with a blank stretch: short, and yet every kind of block. */
void make_standard_image(struct image *image, const struct chip *chip)
{
    *image = (struct image){.count = 2, .ranges = allocate(2, sizeof *image->ranges)};
    for (uint32_t r = 0; r < 2; r++) {
        struct image_range *range = &image->ranges[r];

        range->address = chip->family->flash_base + 2048 * r;
        range->size = r ? 100 : 600;
        range->data = allocate(range->size, 1);
        for (uint32_t i = 0; i < range->size; i++)
            range->data[i] = i >= 256 && i < 512 ? 0xff : (uint8_t)(17 * i + 3 * r + 1);
    }
}

static bool read_lines(struct conversation *conversation, FILE *file)
{
    char key[24], value[HEADER_TEXT];
    char *line = NULL;
    size_t size = 0;
    bool good = true;

    while (good && getline(&line, &size, file) >= 0) {
        conversation->lines =
            reallocate(conversation->lines, conversation->line_count + 1, sizeof *conversation->lines);
        conversation->lines[conversation->line_count++] = copy_text(line);
        if (sscanf(line, "# %23[a-z_]: %399[^\n]", key, value) == 2)
            good = take_header(conversation, key, value);
    }
    free(line);
    return good;
}

bool read_conversation(struct conversation *conversation, const char *path)
{
    FILE *file = fopen(path, "re");
    bool good;

    *conversation = empty_conversation();
    good = file && read_lines(conversation, file);
    if (file)
        (void)fclose(file);
    conversation->order.chip = chip_find(conversation->chip);
    conversation->order.keep = conversation->keep;
    conversation->order.variable = conversation->variable;
    if (good && conversation->order.chip && conversation->image.count == 0)
        make_standard_image(&conversation->image, conversation->order.chip);
    return good && conversation->order.chip && conversation->outcome[0];
}

void free_conversation(struct conversation *conversation)
{
    for (size_t i = 0; i < conversation->line_count; i++)
        free(conversation->lines[i]);
    free(conversation->lines);
    image_clear(&conversation->image);
}

static int say_yes(void *context, const struct board *board, struct error *error)
{
    (void)context, (void)board, (void)error;
    return 0;
}

static void ignore_progress(void *context, const struct progress *progress)
{
    (void)context, (void)progress;
}

bool play_conversation(struct conversation *conversation, struct port *port, const struct protocol *protocol,
                       struct report *report)
{
    const struct program_watcher watcher = {.reserve = say_yes, .progress = ignore_progress};
    struct session session = conversation->session;
    struct order order = conversation->order;
    struct entry *entry = NULL;
    struct error error = ERROR_NONE;
    struct plan plan = {.erase_all = false};
    struct overlay unit = {.copies = NULL};
    bool good;

    order.image = &conversation->image;
    session.port = port;
    session.protocol = protocol;
    session.state = allocate(1, protocol->state_size);
    good = entry_parse(&entry, conversation->entry, "", &error) == 0;
    session.entry = entry;
    good = good && plan_make(&plan, &order, protocol, &error) == 0;
    /* The image has the unit's own bytes already; but its ranges must be cut as they were. */
    good = good && overlay_make(&unit, &order, &plan, NULL, 0, &error) == 0;
    if (good)
        (void)program_board(&session, &unit.order, &unit.plan, &watcher, report);
    else
        (void)fprintf(stderr, "  %s\n", error.text);
    free(session.state);
    overlay_clear(&unit);
    plan_clear(&plan);
    entry_free(entry);
    return good;
}
