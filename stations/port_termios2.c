/* SPDX-License-Identifier: Apache-2.0 */
/* Line settings by termios2 (ioctl_tty(2)); see the header. Knows nothing of ports but their line. */
#include "port_termios2.h"

#include <asm/termbits.h>
#include <errno.h>
#include <sys/ioctl.h>

#define PARITY_BITS (PARENB | PARODD | CMSPAR)

static tcflag_t parity_bits(enum port_parity parity)
{
    switch (parity) {
    case PARITY_NONE:
        return 0;
    case PARITY_ODD:
        return PARENB | PARODD;
    case PARITY_EVEN:
        return PARENB;
    case PARITY_MARK:
        return PARENB | PARODD | CMSPAR;
    case PARITY_SPACE:
        return PARENB | CMSPAR;
    }
    return 0;
}

/* The old names of common rates. Where there is one it is used, so that whoever asks the other end of a pty
 * by tcgetattr() finds what it expects; BOTHER says any other rate in numbers. */
static tcflag_t baud_bits(uint32_t baud)
{
    static const struct {
        uint32_t baud;
        tcflag_t bits;
    } names[] = {{1200, B1200},      {2400, B2400},       {4800, B4800},       {9600, B9600},
                 {19200, B19200},    {38400, B38400},     {57600, B57600},     {115200, B115200},
                 {230400, B230400},  {460800, B460800},   {500000, B500000},   {576000, B576000},
                 {921600, B921600},  {1000000, B1000000}, {1500000, B1500000}, {2000000, B2000000},
                 {3000000, B3000000}};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].baud == baud)
            return names[i].bits;
    }
    return BOTHER;
}

int port_termios2_apply(int fd, const struct port_line *line)
{
    struct termios2 settings;

    if (ioctl(fd, TCGETS2, &settings) < 0)
        return -errno;
    /* A pty drops PARENB, so its other end tells "none" from "even" by IGNPAR, as libserialport sets it. */
    settings.c_iflag = line->parity == PARITY_NONE ? IGNPAR : 0;
    settings.c_oflag = 0;
    settings.c_lflag &= EXTPROC; /* belongs to the other end of a pty, which is told of changes by it */
    settings.c_cflag = CS8 | CREAD | CLOCAL | baud_bits(line->baud) | parity_bits(line->parity) |
                       (line->stop_bits == 2 ? CSTOPB : 0);
    settings.c_ispeed = settings.c_ospeed = line->baud;
    settings.c_cc[VMIN] = 1;
    settings.c_cc[VTIME] = 0;
    return ioctl(fd, TCSETS2, &settings) < 0 ? -errno : 0;
}

int port_termios2_repair(int fd)
{
    struct termios2 settings;

    if (ioctl(fd, TCGETS2, &settings) < 0)
        return -errno;
    settings.c_iflag &= ~(tcflag_t)(IXON | IXOFF | IXANY);
    settings.c_cflag &= ~(tcflag_t)(CRTSCTS | HUPCL);
    settings.c_cflag |= CREAD | CLOCAL;
    settings.c_cc[VMIN] = 1;
    settings.c_cc[VTIME] = 0;
    return ioctl(fd, TCSETS2, &settings) < 0 ? -errno : 0;
}

/* A driver rounds the rate to what its divider can do and says so. The two ends of an asynchronous line may
 * differ by a few percent in all; 2 % is the half of it that belongs to us. */
static bool baud_good(speed_t actual, uint32_t asked)
{
    uint64_t off = actual > asked ? actual - asked : asked - actual;

    return off * 100 <= (uint64_t)asked * 2;
}

int port_termios2_verify(int fd, const struct port_line *line, bool parity_kept, struct error *error)
{
    struct termios2 settings;
    tcflag_t parity = parity_kept ? PARITY_BITS : PARODD | CMSPAR;

    if (ioctl(fd, TCGETS2, &settings) < 0)
        return error_set_errno(error, errno, "line settings cannot be read back");
    if (!baud_good(settings.c_ospeed, line->baud) || !baud_good(settings.c_ispeed, line->baud))
        return error_set(error, -EINVAL, "%u baud cannot be set, the driver chose %u", line->baud,
                         settings.c_ospeed);
    if ((settings.c_cflag & parity) != (parity_bits(line->parity) & parity))
        return error_set(error, -EINVAL, "parity cannot be set");
    if ((settings.c_cflag & CSIZE) != CS8 || !(settings.c_cflag & CSTOPB) != (line->stop_bits == 1))
        return error_set(error, -EINVAL, "8 data and %d stop bits cannot be set", line->stop_bits);
    if (settings.c_iflag & (IXON | IXOFF | IXANY) || settings.c_cflag & CRTSCTS)
        return error_set(error, -EINVAL, "flow control cannot be switched off");
    if (settings.c_lflag & (ICANON | ECHO | ISIG | IEXTEN) || settings.c_oflag & OPOST ||
        settings.c_iflag & (ISTRIP | ICRNL | INLCR | IGNCR | PARMRK | BRKINT) || settings.c_cc[VMIN] != 1)
        return error_set(error, -EINVAL, "the line cannot be made raw");
    return 0;
}
