/* SPDX-License-Identifier: Apache-2.0 */
/* A dialogue file as the tests see it: its lines, and the run that its header describes (README.md). */
#ifndef FLASHFARM_TESTS_CONVERSATION_H
#define FLASHFARM_TESTS_CONVERSATION_H

#include "program.h"

#define HEADER_TEXT 400

/* One dialogue, and the run that it belongs to. */
struct conversation {
    char chip[32], outcome[16], class[24], entry[HEADER_TEXT];
    struct session session; /* its circumstances */
    struct order order;
    struct image image;
    struct chip_span keep[8], variable[8];
    size_t line_count;
    char **lines;
};

/* Nothing read yet. */
struct conversation empty_conversation(void);
/* False: the file cannot be read, or its header is not whole. */
bool read_conversation(struct conversation *conversation, const char *path);
void free_conversation(struct conversation *conversation);
/* The image of dialogues that bring none. */
void make_standard_image(struct image *image, const struct chip *chip);
/* Programs the conversation's board on `port`, in its circumstances, by `protocol`; false when it cannot
 * begin. */
bool play_conversation(struct conversation *conversation, struct port *port, const struct protocol *protocol,
                       struct report *report);

#endif
