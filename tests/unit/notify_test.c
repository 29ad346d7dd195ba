/* SPDX-License-Identifier: Apache-2.0 */
#include "notify.h"

#include "test.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

/* The manager's side: a datagram socket at a path or an abstract name. */
static int manager_open(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    memcpy(address.sun_path, name, strlen(name));
    if (*name == '@')
        address.sun_path[0] = '\0';
    else
        size++;
    CHECK(fd >= 0 && bind(fd, (const struct sockaddr *)&address, size) == 0);
    return fd;
}

static const char *heard(int fd, char text[512])
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    ssize_t size = poll(&ready, 1, 2000) == 1 ? recv(fd, text, 511, 0) : 0;

    text[size > 0 ? size : 0] = '\0';
    return text;
}

static void set_environment(const char *socket_name, const char *usec, const char *pid)
{
    const char *const names[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"};
    const char *const values[] = {socket_name, usec, pid};

    for (size_t i = 0; i < 3; i++) {
        if (values[i])
            (void)setenv(names[i], values[i], 1);
        else
            (void)unsetenv(names[i]);
    }
}

static void speak(const char *name)
{
    struct notify notify;
    struct error error = ERROR_NONE;
    char text[512];
    int manager = manager_open(name);

    set_environment(name, NULL, NULL);
    if (!CHECK(notify_open(&notify, &error) == 0))
        return;
    CHECK(notify.watchdog_us == 0);
    CHECK(notify_ready(&notify, "16 stations") == 0);
    CHECK_TEXT(heard(manager, text), "READY=1\nSTATUS=16 stations");
    CHECK(notify_ready(&notify, NULL) == 0);
    CHECK_TEXT(heard(manager, text), "READY=1");
    CHECK(notify_watchdog(&notify) == 0);
    CHECK_TEXT(heard(manager, text), "WATCHDOG=1");
    CHECK(notify_reloading(&notify, 1234567890123) == 0);
    CHECK_TEXT(heard(manager, text), "RELOADING=1\nMONOTONIC_USEC=1234567890123");
    CHECK(notify_status(&notify, "one\nMAINPID=1") == 0);
    CHECK_TEXT(heard(manager, text), "STATUS=one MAINPID=1");
    CHECK(notify_stopping(&notify, "two units finish") == 0);
    CHECK_TEXT(heard(manager, text), "STOPPING=1\nSTATUS=two units finish");
    (void)close(manager);
    CHECK(notify_watchdog(&notify) < 0);
    notify_close(&notify);
    CHECK(notify.fd == -1);
}

static void test_path(void)
{
    char name[] = "/tmp/flashfarm-notify-XXXXXX";

    CHECK(mkdtemp(name) != NULL);
    char path[64];
    (void)snprintf(path, sizeof path, "%s/socket", name);
    speak(path);
    (void)unlink(path);
    (void)rmdir(name);
}

static void test_abstract(void)
{
    char name[64];

    (void)snprintf(name, sizeof name, "@flashfarm-notify-%d", (int)getpid());
    speak(name);
}

/* A manager that does not read must not hold the daemon's loop. */
static void test_full_queue(void)
{
    struct notify notify;
    struct error error = ERROR_NONE;
    char name[64];
    int manager, status = 0;

    (void)snprintf(name, sizeof name, "@flashfarm-full-%d", (int)getpid());
    manager = manager_open(name);
    set_environment(name, NULL, NULL);
    CHECK(notify_open(&notify, &error) == 0);
    for (int i = 0; i < 100000 && status == 0; i++)
        status = notify_watchdog(&notify);
    CHECK(status == -EAGAIN);
    notify_close(&notify);
    (void)close(manager);
}

static void test_watchdog(void)
{
    struct notify notify;
    struct error error = ERROR_NONE;
    char own[24], other[24];

    (void)snprintf(own, sizeof own, "%d", (int)getpid());
    (void)snprintf(other, sizeof other, "%d", (int)getppid());
    set_environment("@x", "20000000", own);
    CHECK(notify_open(&notify, &error) == 0 && notify.watchdog_us == 20000000);
    notify_close(&notify);
    set_environment("@x", "20000000", NULL);
    CHECK(notify_open(&notify, &error) == 0 && notify.watchdog_us == 20000000);
    notify_close(&notify);
    set_environment("@x", "20000000", other);
    CHECK(notify_open(&notify, &error) == 0 && notify.watchdog_us == 0);
    notify_close(&notify);
}

static void refuses(const char *socket_name, const char *usec, const char *sentence)
{
    struct notify notify;
    struct error error = ERROR_NONE;

    set_environment(socket_name, usec, NULL);
    CHECK(notify_open(&notify, &error) == -EINVAL);
    CHECK_TEXT(error.text, sentence);
    CHECK(notify.fd == -1);
}

static void test_nonsense(void)
{
    char name[140];

    refuses("vsock:2:1", NULL,
            "NOTIFY_SOCKET is 'vsock:2:1'; expected an absolute path or @name of at most 107 bytes");
    refuses("@", NULL, "NOTIFY_SOCKET is '@'; expected an absolute path or @name of at most 107 bytes");
    refuses("@x", "soon", "WATCHDOG_USEC is 'soon'; expected a positive number");
    refuses("@x", "0", "WATCHDOG_USEC is '0'; expected a positive number");
    memset(name, 'n', sizeof name);
    name[0] = '@';
    name[108] = '\0';
    set_environment(name, NULL, NULL);
    CHECK(notify_open(&(struct notify){0}, &(struct error){0}) == -EINVAL);
}

static void test_nobody_listens(void)
{
    struct notify notify;
    struct error error = ERROR_NONE;

    set_environment(NULL, "20000000", NULL);
    CHECK(notify_open(&notify, &error) == 0 && notify.fd == -1 && notify.watchdog_us == 0);
    CHECK(notify_ready(&notify, "x") == 0 && notify_watchdog(&notify) == 0);
    notify_close(&notify);
}

static const struct test tests[] = {
    {"path", test_path},         {"abstract name", test_abstract}, {"full queue", test_full_queue},
    {"watchdog", test_watchdog}, {"nonsense", test_nonsense},      {"nobody listens", test_nobody_listens},
};

TEST_MAIN(tests)
