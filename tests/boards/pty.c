/* SPDX-License-Identifier: Apache-2.0 */
/* See pty.h. */
#include "pty.h"

#include "common.h"
#include "line.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

static int open_pair(struct pty *pty)
{
    pty->master_fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (pty->master_fd < 0)
        return sim_complain("cannot open a pty: %s", strerror(errno));
    if (grantpt(pty->master_fd) || unlockpt(pty->master_fd) ||
        ptsname_r(pty->master_fd, pty->slave, sizeof pty->slave))
        return sim_complain("cannot unlock a pty: %s", strerror(errno));
    pty->held_fd = open(pty->slave, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (pty->held_fd < 0 || line_make_raw(pty->held_fd))
        return sim_complain("%s: %s", pty->slave, strerror(errno));
    return 0;
}

static int make_link(const struct pty *pty, const char *link)
{
    struct stat status;

    if (!lstat(link, &status)) {
        if (!S_ISLNK(status.st_mode))
            return sim_complain("%s is in the way: not a symbolic link", link);
        (void)unlink(link);
    }
    if (symlink(pty->slave, link))
        return sim_complain("%s: %s", link, strerror(errno));
    return 0;
}

static void watch(struct pty *pty, int inotify_fd)
{
    pty->watch = inotify_add_watch(inotify_fd, pty->slave, IN_OPEN | IN_CLOSE);
}

static void unwatch(struct pty *pty, int inotify_fd)
{
    if (pty->watch >= 0)
        (void)inotify_rm_watch(inotify_fd, pty->watch);
    pty->watch = -1;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

int pty_plug(struct pty *pty, const char *link, int inotify_fd)
{
    *pty = (struct pty){.master_fd = -1, .held_fd = -1, .watch = -1};
    if (open_pair(pty) || make_link(pty, link)) {
        close_fd(&pty->held_fd);
        close_fd(&pty->master_fd);
        return -1;
    }
    watch(pty, inotify_fd);
    return 0;
}

void pty_unplug(struct pty *pty, const char *link, int inotify_fd)
{
    if (pty->master_fd < 0)
        return;
    (void)unlink(link);
    unwatch(pty, inotify_fd);
    close_fd(&pty->held_fd);
    close_fd(&pty->master_fd);
    pty->open = false;
}

/* inotify tells of a close before the kernel has finished it: by then the hang-up must be there. */
#define CLOSE_WAIT_MS 10

/* Counting opens and closes would go wrong where inotify merges equal events. So the held end is let go for a
 * moment: a hang-up on the master then says that it was the last. */
int pty_check_open(struct pty *pty, int inotify_fd)
{
    struct pollfd end = {.fd = pty->master_fd};
    int last_words = 0;

    unwatch(pty, inotify_fd);
    close_fd(&pty->held_fd);
    if (poll(&end, 1, CLOSE_WAIT_MS) >= 0)
        pty->open = !(end.revents & POLLHUP);
    (void)ioctl(pty->master_fd, FIONREAD, &last_words); /* poll() has brought in what was on its way */
    pty->held_fd = open(pty->slave, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (pty->held_fd < 0)
        (void)sim_complain("%s: %s", pty->slave, strerror(errno));
    else if (!pty->open)
        (void)tcflush(pty->held_fd, TCIFLUSH);
    watch(pty, inotify_fd);
    return last_words;
}
