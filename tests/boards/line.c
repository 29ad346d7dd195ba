/* SPDX-License-Identifier: Apache-2.0 */
/* See line.h. A pty drops PARENB, so parity is read from the flags that survive, by the rule that
 * libserialport follows: IGNPAR is set only when there is no parity. */
#include "line.h"

#include <asm/termbits.h>
#include <sys/ioctl.h>

static enum parity parity_of(const struct termios2 *settings)
{
    int odd = (settings->c_cflag & PARODD) != 0;

    if (settings->c_iflag & IGNPAR)
        return PARITY_NONE;
    if (settings->c_cflag & CMSPAR)
        return odd ? PARITY_MARK : PARITY_SPACE;
    return odd ? PARITY_ODD : PARITY_EVEN;
}

int line_get(int master_fd, struct line *line)
{
    struct termios2 settings;

    if (ioctl(master_fd, TCGETS2, &settings))
        return -1;
    *line = (struct line){.baud = settings.c_ospeed, .parity = parity_of(&settings)};
    return 0;
}

int line_make_raw(int fd)
{
    struct termios2 settings;

    if (ioctl(fd, TCGETS2, &settings))
        return -1;
    settings.c_iflag = 0;
    settings.c_oflag = 0;
    settings.c_lflag = 0;
    settings.c_cflag |= CREAD | CLOCAL | CS8;
    settings.c_cc[VMIN] = 1;
    settings.c_cc[VTIME] = 0;
    return ioctl(fd, TCSETS2, &settings);
}
