/* SPDX-License-Identifier: Apache-2.0 */
/* The text of one event or several, shared by all who still have to send it. */
#ifndef FLASHFARM_API_FRAME_H
#define FLASHFARM_API_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct frame {
    size_t references, size;
    char topic[24]; /* what filters look at */
    char text[];
};

/* `sequence` 0: without id. The JSON text has no line ends. One reference, the caller's. */
struct frame *frame_new(int64_t sequence, const char *topic, const char *json);
/* A text as it is, to go to everybody. */
struct frame *frame_of_text(const char *text, size_t size);
struct frame *frame_share(struct frame *frame);
void frame_release(struct frame *frame); /* NULL is allowed */

/* Whether one of the comma-separated prefixes fits; an empty filter lets all through. */
bool topic_wanted(const char *filter, const char *topic);

#endif
