/* SPDX-License-Identifier: Apache-2.0 */
/* The operator's hand: DIR/avr-control, a Unix socket that takes one command a line and answers one line to
 * each, with the commands of flashfarm-sim. */
#ifndef SIM_AVR_CONTROL_H
#define SIM_AVR_CONTROL_H

#include "avr_farm.h"

struct visitor;

struct avr_control {
    struct source source;
    struct avr_farm *farm;
    char *path;
    struct visitor *visitors;
};

int avr_control_open(struct avr_control *control, struct avr_farm *farm);
void avr_control_close(struct avr_control *control);

#endif
