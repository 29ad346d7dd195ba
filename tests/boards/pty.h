/* SPDX-License-Identifier: Apache-2.0 */
/* A pseudo-terminal with a link that has the board's name: the socket on the fixture. Knows when nobody has
 * it open, holds the slave end itself so that a client's leaving is no hang-up, and knows nothing of
 * protocols. */
#ifndef SIM_PTY_H
#define SIM_PTY_H

#include <stdbool.h>

struct pty {
    int master_fd, held_fd;
    int watch; /* inotify: opens and closes of the slave */
    bool open; /* a client has it open, as far as is known */
    char slave[64];
};

/* Opens the pair and puts it under link (an older symbolic link is replaced). 0 or -1 with a complaint. */
int pty_plug(struct pty *pty, const char *link, int inotify_fd);

/* Both ends close, the link goes: clients see a hang-up. */
void pty_unplug(struct pty *pty, const char *link, int inotify_fd);

/* After a close was reported: is there still another client? Updates open, and when nobody is left, what they
 * had not read is gone as on a real port. Returns how many bytes of theirs the board has still to read. */
int pty_check_open(struct pty *pty, int inotify_fd);

#endif
