/* SPDX-License-Identifier: Apache-2.0 */
/* The operator's hand: a Unix socket in the folder, DIR/control, that takes one command a line and answers
 * one line to each. */
#ifndef SIM_CONTROL_H
#define SIM_CONTROL_H

#include "farm.h"

struct visitor;

struct control {
    struct source source;
    const struct farm *farm;
    char *path;
    struct visitor *visitors;
};

int control_open(struct control *control, const struct farm *farm);
void control_close(struct control *control);

/* "flashfarm-sim ctl DIR COMMAND...": prints the answer; 0 for ok, 1 for an error. */
int control_client(int count, char **arguments);

#endif
