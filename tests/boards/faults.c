/* SPDX-License-Identifier: Apache-2.0 */
/* See faults.h. */
#include "faults.h"

#include "common.h"

#include <stdio.h>
#include <string.h>

enum argument { ARGUMENT_NONE, ARGUMENT_OPTIONAL, ARGUMENT_REQUIRED, ARGUMENT_NAME };

static const struct {
    const char *name;
    enum argument argument;
    uint64_t low, high, normal;
} kinds[FAULT_KINDS] = {
    [FAULT_SILENT] = {.name = "silent"},
    [FAULT_WRONG_ID] = {.name = "wrong-id", .argument = ARGUMENT_OPTIONAL, .low = 1, .high = 0xFFFF},
    [FAULT_NACK_WRITE] =
        {.name = "nack-write", .argument = ARGUMENT_OPTIONAL, .low = 1, .high = UINT32_MAX, .normal = 1},
    [FAULT_NACK_ERASE] = {.name = "nack-erase"},
    [FAULT_NACK_ONCE] =
        {.name = "nack-once", .argument = ARGUMENT_OPTIONAL, .low = 1, .high = UINT32_MAX, .normal = 1},
    [FAULT_BAD_CELL] = {.name = "bad-cell", .argument = ARGUMENT_OPTIONAL, .low = 1, .high = UINT32_MAX},
    [FAULT_HANG] = {.name = "hang", .argument = ARGUMENT_OPTIONAL, .low = 1, .high = UINT32_MAX, .normal = 1},
    [FAULT_UNPLUG] =
        {.name = "unplug", .argument = ARGUMENT_OPTIONAL, .low = 1, .high = UINT32_MAX, .normal = 1},
    [FAULT_GARBAGE] = {.name = "garbage"},
    [FAULT_CORRUPT] =
        {.name = "corrupt", .argument = ARGUMENT_OPTIONAL, .low = 1, .high = UINT32_MAX, .normal = 1},
    [FAULT_DROP_ACK] =
        {.name = "drop-ack", .argument = ARGUMENT_OPTIONAL, .low = 1, .high = UINT32_MAX, .normal = 1},
    [FAULT_SLOW] = {.name = "slow", .argument = ARGUMENT_OPTIONAL, .low = 1, .high = 1000, .normal = 4},
    [FAULT_PROTECTED] = {.name = "protected"},
    [FAULT_DUPLICATE_UID] = {.name = "duplicate-uid", .argument = ARGUMENT_NAME},
    [FAULT_MARGINAL] = {.name = "marginal", .argument = ARGUMENT_REQUIRED, .low = 1200, .high = 12000000},
    [FAULT_NONE] = {.name = "none"},
};

static int list_kinds(const char *text, char *why, size_t size)
{
    int used = snprintf(why, size, "unknown fault '%s'; known:", text);

    for (size_t i = 0; i < FAULT_KINDS && used > 0 && (size_t)used < size; i++)
        used += snprintf(why + used, size - (size_t)used, " %s", kinds[i].name);
    return -1;
}

static int take_argument(struct fault_request *request, const char *text, char mark, char *why, size_t size)
{
    enum argument argument = kinds[request->kind].argument;
    const char *name = kinds[request->kind].name;

    request->number = kinds[request->kind].normal;
    if (argument == ARGUMENT_NAME) {
        if (mark != '=' || !*text || strlen(text) >= sizeof request->other)
            return (void)snprintf(why, size, "%s needs =BOARD", name), -1;
        (void)snprintf(request->other, sizeof request->other, "%s", text);
        return 0;
    }
    if (!mark)
        return argument == ARGUMENT_REQUIRED ? ((void)snprintf(why, size, "%s needs @NUMBER", name), -1) : 0;
    if (argument == ARGUMENT_NONE)
        return (void)snprintf(why, size, "%s takes no number", name), -1;
    if (mark != '@' ||
        sim_number(text, kinds[request->kind].low, kinds[request->kind].high, &request->number))
        return (void)snprintf(why, size, "%s@%s: not a number from %llu to %llu", name, text,
                              (unsigned long long)kinds[request->kind].low,
                              (unsigned long long)kinds[request->kind].high),
               -1;
    return 0;
}

int fault_parse(const char *text, struct fault_request *request, char *why, size_t size)
{
    size_t length = strcspn(text, "@=");

    *request = (struct fault_request){.kind = FAULT_NONE};
    for (size_t i = 0; i < FAULT_KINDS; i++) {
        if (strlen(kinds[i].name) != length || strncmp(kinds[i].name, text, length) != 0)
            continue;
        request->kind = (enum fault_kind)i;
        return take_argument(request, text[length] ? text + length + 1 : "", text[length], why, size);
    }
    return list_kinds(text, why, size);
}

bool fault_holds(const struct fault *fault, uint64_t write)
{
    return fault->set && write - fault->since_write >= fault->number;
}

bool fault_strikes(struct fault *fault, uint64_t write)
{
    bool now = fault->set && write - fault->since_write == fault->number;

    if (now)
        fault->set = false;
    return now;
}
