/* SPDX-License-Identifier: Apache-2.0 */
#include "frame.h"

#include "alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct frame *frame_of_text(const char *text, size_t size)
{
    struct frame *frame = allocate(1, sizeof *frame + size);

    frame->references = 1;
    frame->size = size;
    memcpy(frame->text, text, size);
    return frame;
}

struct frame *frame_new(int64_t sequence, const char *topic, const char *json)
{
    char id[32] = "";
    char *text;
    struct frame *frame;

    if (sequence)
        (void)snprintf(id, sizeof id, "id: %lld\n", (long long)sequence);
    text = format_text("%sevent: %s\ndata: %s\n\n", id, topic, json);
    frame = frame_of_text(text, strlen(text));
    (void)snprintf(frame->topic, sizeof frame->topic, "%s", topic);
    free(text);
    return frame;
}

struct frame *frame_share(struct frame *frame)
{
    frame->references++;
    return frame;
}

void frame_release(struct frame *frame)
{
    if (frame && !--frame->references)
        free(frame);
}

bool topic_wanted(const char *filter, const char *topic)
{
    if (!*filter)
        return true;
    while (*filter) {
        size_t length = strcspn(filter, ",");

        if (length && !strncmp(filter, topic, length))
            return true;
        filter += length;
        filter += strspn(filter, ",");
    }
    return false;
}
