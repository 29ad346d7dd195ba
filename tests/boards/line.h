/* SPDX-License-Identifier: Apache-2.0 */
/* Line settings of a pty. Its own file because <asm/termbits.h> and <termios.h> exclude each other. */
#ifndef SIM_LINE_H
#define SIM_LINE_H

#include <stdint.h>

enum parity { PARITY_NONE, PARITY_ODD, PARITY_EVEN, PARITY_MARK, PARITY_SPACE };

struct line {
    uint32_t baud;
    enum parity parity;
};

/* What the client has set, read from the master end. */
int line_get(int master_fd, struct line *line);

/* Raw mode, so that nothing is echoed before the first client sets its own. */
int line_make_raw(int fd);

#endif
