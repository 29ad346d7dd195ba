/* SPDX-License-Identifier: Apache-2.0 */
/* Things of a fixture that are on or off: a GPIO line, the power of a USB hub's port, or whatever a program
 * of the user switches. entry.c plays them; this file knows no board and no port.
 *
 *     gpio:gpiochip0/17           a line of a GPIO chip, on = active = high
 *     gpio:gpiochip0/17/low       … on = active = low
 *     usb-hub:1-1.4/3             port 3 of the hub at 1-1.4; of a root hub: usb1/3
 *     command:/usr/local/bin/power A1    run with "on" or "off" added, exit status 0 is good
 *
 * The words of a command are split at blanks; no shell sees them. */
#ifndef FLASHFARM_STATIONS_SWITCH_H
#define FLASHFARM_STATIONS_SWITCH_H

#include "clock.h"
#include "result.h"

#include <stdbool.h>
#include <stdint.h>

struct fibers;
struct fixture_switch;

/* GPIO lines as this program needs them, in libgpiod's place for tests. Errors are negative errno. */
struct switch_gpio {
    /* Makes a line an output with that state. It stays driven until it is released. */
    int (*request)(void **line, const char *chip, unsigned offset, bool active_low, bool on);
    int (*set)(void *line, bool on);
    void (*release)(void *line);
};

/* The host that a switch acts upon. */
struct switch_host {
    const char *dev, *sysfs;   /* where they are mounted */
    const struct clock *clock; /* that of processes, and of the fibers */
    const struct switch_gpio *gpio;
};

extern const struct switch_host switch_host_this;

/* The words that a command gets. */
enum switch_words { SWITCH_ON_OFF, SWITCH_ENTER_LEAVE };

/* Who switches, and how much time there is. */
struct switch_call {
    struct fibers *fibers; /* NULL, or not on a fiber: every wait blocks */
    int64_t timeout_us;    /* for a command; then it is killed */
    bool finish;           /* a cancellation does not end the command, and is returned when it has ended */
};

/* Opens nothing. -EINVAL with a sentence that says what was expected. `host` must outlive the switch. */
int switch_parse(struct fixture_switch **fixture_switch, const char *text, enum switch_words words,
                 const struct switch_host *host, struct error *error);
/* Lets go of the line; what it drives then is the GPIO chip's choice. Accepts NULL. */
void switch_free(struct fixture_switch *fixture_switch);

/* As it was given to switch_parse(). */
const char *switch_text(const struct fixture_switch *fixture_switch);

/* Switches. -ECANCELED, -ETIMEDOUT when there is no time left to run a command, or -EREMOTEIO with a sentence
 * that names the switch; of a command that failed, the first line of what it said. The daemon's loop never
 * waits: GPIO and its ioctl take microseconds, a hub's port is switched in the pool, a command runs beside.
 */
int switch_set(struct fixture_switch *fixture_switch, bool on, const struct switch_call *call,
               struct error *error);

#endif
