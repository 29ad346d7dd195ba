/* SPDX-License-Identifier: Apache-2.0 */
/* See control.h: the other end, for scripts. */
#include "common.h"
#include "control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int reach(const char *dir)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(address.sun_path, sizeof address.sun_path, "%s/control", dir);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (length < 0 || (size_t)length >= sizeof address.sun_path)
        return sim_complain("%s: path too long for a socket", dir);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address))
        return sim_complain("%s: %s", address.sun_path, strerror(errno));
    return fd;
}

static char *join(int count, char **words)
{
    char *line = sim_text("%s", words[0]);

    for (int i = 1; i < count; i++) {
        char *longer = sim_text("%s %s", line, words[i]);

        free(line);
        line = longer;
    }
    return line;
}

static int ask(FILE *socket_file, const char *line)
{
    char *reply = NULL;
    size_t room = 0;
    int result = 1;

    if (fprintf(socket_file, "%s\n", line) < 0 || fflush(socket_file) ||
        getline(&reply, &room, socket_file) < 0)
        (void)sim_complain("no answer");
    else {
        (void)fputs(reply, stdout);
        result = strncmp(reply, "ok", 2) != 0;
    }
    free(reply);
    return result;
}

int control_client(int count, char **arguments)
{
    FILE *socket_file;
    char *line;
    int fd, result;

    if (count < 2) {
        (void)sim_complain("ctl DIR COMMAND... is needed");
        return 1;
    }
    fd = reach(arguments[0]);
    if (fd < 0)
        return 1;
    socket_file = fdopen(fd, "r+");
    if (!socket_file)
        return 1;
    line = join(count - 1, arguments + 1);
    result = ask(socket_file, line);
    free(line);
    (void)fclose(socket_file);
    return result;
}
