/* SPDX-License-Identifier: Apache-2.0 */
/* stations/port_serial.c with the real libserialport, on a pty that is dressed up as a USB serial port: this
 * file defines the system calls by which a program could tell the difference, for itself and for the library.
 * What they pretend: an entry in sysfs with a latency timer, a device number of ttyUSB, modem lines, break,
 * the driver's flags, and a parity bit that is kept. */
#include "port_scene.h"

#include <dirent.h>
#include <dlfcn.h>
#include <linux/serial.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

/* The numbers of <asm/termbits.h>, which cannot be included here: two requests, and where words are. */
#define GET_TERMIOS2 _IOR('T', 0x2A, char[44])
#define SET_TERMIOS2 _IOW('T', 0x2B, char[44])
enum { WORD_CFLAG = 2, WORD_ISPEED = 9, WORD_OSPEED = 10 };

/* The pretended device; one at a time. */
static struct {
    int modem;             /* TIOCM_… */
    int modem_changes;     /* how often a line moved */
    speed_t modem_speed;   /* the rate at which one moved last */
    int serial_flags;      /* ASYNC_… */
    bool no_serial_struct; /* as a driver that has none */
    bool breaking;
    bool parity;
    unsigned forced_baud; /* what the driver makes of any rate; 0: it takes all */
    char latency_file[64];
} device;

static bool is_sysfs_entry(const char *path)
{
    return strncmp(path, "/sys/class/tty/pts/", 19) == 0 && strchr(path + 19, '/') == NULL;
}

/* --- the system calls ---------------------------------------------------------------------------------- */

/* What Debian's library imports for lstat(). */
int __lxstat(int version, const char *path, struct stat *found); /* NOLINT(bugprone-reserved-identifier) */

int __lxstat(int version, const char *path, struct stat *found)
{
    (void)version;
    return lstat(path, found);
}

int lstat(const char *path, struct stat *found)
{
    if (!is_sysfs_entry(path))
        return fstatat(AT_FDCWD, path, found, AT_SYMLINK_NOFOLLOW);
    *found = (struct stat){.st_mode = S_IFLNK | 0777};
    return 0;
}

int stat(const char *path, struct stat *found)
{
    int status = fstatat(AT_FDCWD, path, found, 0);

    if (status == 0 && S_ISCHR(found->st_mode) && major(found->st_rdev) == 136)
        found->st_rdev = makedev(188, 0);
    return status;
}

ssize_t readlink(const char *path, char *target, size_t size)
{
    static const char pretended[] =
        "../../devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0/ttyUSB0/tty/ttyUSB0";

    if (!is_sysfs_entry(path))
        return readlinkat(AT_FDCWD, path, target, size);
    (void)snprintf(target, size, "%s", pretended);
    return (ssize_t)strlen(target);
}

int open(const char *path, int flags, ...)
{
    const char *name = strrchr(path, '/');
    mode_t mode = 0;
    va_list arguments;

    va_start(arguments, flags);
    if (flags & O_CREAT)
        mode = va_arg(arguments, mode_t); /* NOLINT(clang-analyzer-valist.Uninitialized): it is not */
    va_end(arguments);
    if (strncmp(path, "/sys/class/tty/pts/", 19) == 0 && name && strcmp(name, "/latency_timer") == 0)
        path = device.latency_file;
    return openat(AT_FDCWD, path, flags, mode);
}

/* What open() becomes in a hardened build. */
int __open_2(const char *path, int flags); /* NOLINT(bugprone-reserved-identifier) */

int __open_2(const char *path, int flags)
{
    return open(path, flags, 0);
}

static int pretend_modem(int fd, unsigned long request, int *lines)
{
    struct termios settings;
    int before = device.modem;

    if (request == TIOCMGET) {
        *lines = device.modem;
        return 0;
    }
    if (request == TIOCMSET)
        device.modem = *lines;
    else
        device.modem = request == TIOCMBIS ? device.modem | *lines : device.modem & ~*lines;
    if (device.modem == before)
        return 0;
    device.modem_changes++;
    device.modem_speed = tcgetattr(fd, &settings) == 0 ? cfgetospeed(&settings) : B0;
    return 0;
}

static int pretend_serial(unsigned long request, struct serial_struct *serial)
{
    if (device.no_serial_struct) {
        errno = ENOTTY;
        return -1;
    }
    if (request == TIOCGSERIAL)
        *serial = (struct serial_struct){.flags = device.serial_flags};
    else
        device.serial_flags = serial->flags;
    return 0;
}

static int with_parity(int fd, unsigned long request, uint32_t *words)
{
    long status;

    if (request == SET_TERMIOS2)
        device.parity = (words[WORD_CFLAG] & PARENB) != 0;
    status = syscall(SYS_ioctl, fd, request, words);
    if (request == GET_TERMIOS2 && status == 0) {
        words[WORD_CFLAG] |= device.parity ? (uint32_t)PARENB : 0;
        if (device.forced_baud)
            words[WORD_ISPEED] = words[WORD_OSPEED] = device.forced_baud;
    }
    return (int)status;
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;
    void *argument;

    va_start(arguments, request);
    argument = va_arg(arguments, void *);
    va_end(arguments);
    if (request == TIOCMGET || request == TIOCMSET || request == TIOCMBIS || request == TIOCMBIC)
        return pretend_modem(fd, request, argument);
    if (request == TIOCGSERIAL || request == TIOCSSERIAL)
        return pretend_serial(request, argument);
    if (request == GET_TERMIOS2 || request == SET_TERMIOS2)
        return with_parity(fd, request, argument);
    if (request == TIOCSBRK || request == TIOCCBRK)
        device.breaking = request == TIOCSBRK;
    return (int)syscall(SYS_ioctl, fd, request, argument);
}

int tcgetattr(int fd, struct termios *settings)
{
    int (*real)(int, struct termios *);
    int status;

    *(void **)&real = dlsym(RTLD_NEXT, "tcgetattr");
    status = real(fd, settings);
    if (status == 0)
        settings->c_cflag |= device.parity ? (tcflag_t)PARENB : 0;
    return status;
}

int tcsetattr(int fd, int when, const struct termios *settings)
{
    int (*real)(int, int, const struct termios *);
    struct termios without = *settings;

    *(void **)&real = dlsym(RTLD_NEXT, "tcsetattr");
    device.parity = (settings->c_cflag & PARENB) != 0;
    without.c_cflag &= ~(tcflag_t)PARENB; /* Debian's library refuses what a pty does not keep */
    return real(fd, when, &without);
}

/* --- the tests ------------------------------------------------------------------------------------------ */

static void put_latency(const char *text)
{
    FILE *file = fopen(device.latency_file, "w");

    CHECK(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void check_latency(const char *want)
{
    char text[16] = "";
    FILE *file = fopen(device.latency_file, "r");

    CHECK(file && fgets(text, sizeof text, file) && fclose(file) == 0);
    CHECK_TEXT(text, want);
}

/* A device as it comes from a driver, with a 16 ms latency timer. */
static void reset_device(void)
{
    char path[] = "/tmp/flashfarm-latency-XXXXXX";
    int fd = mkstemp(path);

    CHECK(fd >= 0 && close(fd) == 0);
    memset(&device, 0, sizeof device);
    device.modem = TIOCM_DTR | TIOCM_RTS | TIOCM_CTS;
    (void)snprintf(device.latency_file, sizeof device.latency_file, "%s", path);
    put_latency("16\n");
}

static void play(scene_function *body)
{
    reset_device();
    scene_play_blocking(body);
    (void)unlink(device.latency_file);
    reset_device();
    scene_play_on_fiber(body);
    (void)unlink(device.latency_file);
}

/* Every descriptor of ours on this pty, libserialport's own too. */
static int check_descriptors(const char *path)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;

    for (const struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
        char target[300] = "";
        int fd = atoi(entry->d_name);

        if (readlinkat(dirfd(directory), entry->d_name, target, sizeof target - 1) < 0 ||
            strcmp(target, path) != 0)
            continue;
        count++;
        CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
    }
    (void)closedir(directory);
    return count;
}

static void look_at_settings(struct scene *scene)
{
    const struct port_line even = {.baud = 115200, .parity = PARITY_EVEN, .stop_bits = 1};
    struct termios settings;

    CHECK(check_descriptors(scene->port->traits.path) == 2);
    CHECK(scene->port->traits.modem_lines);
    CHECK(port_set_line(scene->port, &even, &scene->error) == 0);
    CHECK(tcgetattr(scene->master, &settings) == 0);
    CHECK(settings.c_cc[VMIN] == 1 && settings.c_cc[VTIME] == 0);
    CHECK(!(settings.c_iflag & (IXON | IXOFF | IXANY | IGNPAR | ICRNL | ISTRIP)));
    CHECK(!(settings.c_lflag & (ICANON | ECHO | ISIG)) && !(settings.c_oflag & OPOST));
    CHECK((settings.c_cflag & (PARENB | PARODD | CMSPAR)) == PARENB);
    CHECK((settings.c_cflag & (CRTSCTS | HUPCL | CSTOPB | CSIZE)) == CS8);
    CHECK(settings.c_cflag & CLOCAL && settings.c_cflag & CREAD);
    CHECK(cfgetospeed(&settings) == B115200);
}

static void test_settings(void)
{
    play(look_at_settings);
}

/* Settings that a former user left behind: flow control of both kinds, echo. */
static void test_leftovers(void)
{
    struct scene scene = {.master = -1};
    struct termios settings = {.c_cflag = 0};

    reset_device();
    scene_open_pty(&scene);
    CHECK(tcgetattr(scene.master, &settings) == 0);
    settings.c_iflag |= IXON | IXOFF | IXANY;
    settings.c_cflag |= CRTSCTS | HUPCL | CSTOPB;
    CHECK(tcsetattr(scene.master, TCSANOW, &settings) == 0);
    scene_open_port(&scene);
    if (scene.port)
        look_at_settings(&scene);
    port_close(scene.port);
    scene_hang_up(&scene);
    (void)unlink(device.latency_file);
}

static void all_lines(struct scene *scene)
{
    static const uint32_t bauds[] = {1200, 9600, 31250, 74880, 250000, 921600, 3000000};
    static const enum port_parity parities[] = {PARITY_NONE, PARITY_ODD, PARITY_EVEN, PARITY_MARK,
                                                PARITY_SPACE};
    static const tcflag_t flags[] = {0, PARENB | PARODD, PARENB, PARENB | PARODD | CMSPAR, PARENB | CMSPAR};

    for (size_t i = 0; i < sizeof bauds / sizeof bauds[0]; i++) {
        for (size_t k = 0; k < 5; k++) {
            struct port_line line = {
                .baud = bauds[i], .parity = parities[k], .stop_bits = (uint8_t)(1 + (i + k) % 2)};
            struct termios settings;

            if (!CHECK(port_set_line(scene->port, &line, &scene->error) == 0))
                (void)fprintf(stderr, "  %s\n", scene->error.text);
            CHECK(tcgetattr(scene->master, &settings) == 0);
            CHECK((settings.c_cflag & (PARENB | PARODD | CMSPAR)) == flags[k]);
            CHECK(!(settings.c_cflag & CSTOPB) == (line.stop_bits == 1));
        }
    }
}

static void test_all_lines(void)
{
    play(all_lines);
}

/* A driver that cannot do the rate says so only in what it reads back. */
static void refuse_baud(struct scene *scene)
{
    const struct port_line line = {.baud = 3000000, .parity = PARITY_NONE, .stop_bits = 1};
    const struct port_line rounded = {.baud = 115200, .parity = PARITY_NONE, .stop_bits = 1};
    char sentence[160];

    device.forced_baud = 9600;
    CHECK(port_set_line(scene->port, &line, &scene->error) == -EINVAL);
    (void)snprintf(sentence, sizeof sentence, "%.64s: 3000000 baud cannot be set, the driver chose 9600",
                   scene->port->traits.path);
    CHECK_TEXT(scene->error.text, sentence);
    CHECK(scene->port->line.baud == 115200);
    device.forced_baud = 117600; /* 2.08 % off */
    CHECK(port_set_line(scene->port, &rounded, &scene->error) == -EINVAL);
    device.forced_baud = 113000; /* 1.91 % off */
    CHECK(port_set_line(scene->port, &rounded, &scene->error) == 0);
    device.forced_baud = 0;
}

static void test_refused_baud(void)
{
    play(refuse_baud);
}

static void switch_lines(struct scene *scene)
{
    const struct port_line line = {.baud = 57600, .parity = PARITY_EVEN, .stop_bits = 1};
    int changes;

    CHECK(port_set_modem(scene->port, true, false, &scene->error) == 0);
    CHECK(device.modem == (TIOCM_DTR | TIOCM_CTS));
    changes = device.modem_changes;
    CHECK(port_set_modem(scene->port, false, true, &scene->error) == 0);
    CHECK(device.modem == (TIOCM_RTS | TIOCM_CTS));
    CHECK(device.modem_changes == changes + 1); /* no state in between */
    CHECK(port_set_line(scene->port, &line, &scene->error) == 0);
    CHECK(device.modem == (TIOCM_RTS | TIOCM_CTS)); /* new settings do not move them */
    CHECK(port_set_break(scene->port, true, &scene->error) == 0 && device.breaking);
    CHECK(port_set_break(scene->port, false, &scene->error) == 0 && !device.breaking);
}

static void test_modem_lines_and_break(void)
{
    play(switch_lines);
}

/* Every byte value passes both ways: none is flow control, end of line or end of file. */
static void pass_all_bytes(struct scene *scene)
{
    uint8_t all[256], back[256];

    for (int i = 0; i < 256; i++)
        all[i] = (uint8_t)i;
    CHECK(port_write(scene->port, all, 256, scene_in_ms(1000), &scene->error) == 0);
    CHECK(read(scene->master, back, 256) == 256 && memcmp(all, back, 256) == 0);
    memset(back, 0, sizeof back);
    CHECK(write(scene->master, all, 256) == 256);
    CHECK(port_read(scene->port, back, 256, scene_in_ms(1000), &scene->error) == 0);
    CHECK(memcmp(all, back, 256) == 0);
    CHECK(port_read(scene->port, back, 1, scene_in_ms(10), &scene->error) == -ETIMEDOUT);
    scene_hang_up(scene);
    CHECK(port_read(scene->port, back, 1, scene_in_ms(1000), &scene->error) == -ENODEV);
}

static void test_all_bytes(void)
{
    play(pass_all_bytes);
}

static void look_at_latency(struct scene *scene)
{
    CHECK(scene->port->traits.low_latency && device.serial_flags == (int)ASYNC_LOW_LATENCY);
    CHECK(scene->port->traits.latency_timer_ms == 1);
    check_latency("1\n");
    port_close(scene->port);
    scene->port = NULL;
    CHECK(device.serial_flags == 0);
    check_latency("16\n");
}

/* What was as wanted before stays so at close. */
static void keep_latency(struct scene *scene)
{
    port_close(scene->port);
    put_latency("1\n");
    device.serial_flags = (int)(ASYNC_LOW_LATENCY | ASYNC_SPD_CUST);
    scene_open_port(scene);
    CHECK(scene->port->traits.low_latency && scene->port->traits.latency_timer_ms == 1);
    port_close(scene->port);
    scene->port = NULL;
    CHECK(device.serial_flags == (int)(ASYNC_LOW_LATENCY | ASYNC_SPD_CUST));
    check_latency("1\n");
}

/* A converter that has neither is a good port all the same. */
static void do_without_latency(struct scene *scene)
{
    port_close(scene->port);
    (void)unlink(device.latency_file);
    device.no_serial_struct = true;
    scene_open_port(scene);
    CHECK(!scene->port->traits.low_latency && scene->port->traits.latency_timer_ms == -1);
}

static void test_low_latency(void)
{
    play(look_at_latency);
    play(keep_latency);
    play(do_without_latency);
}

static bool same_settings(const struct termios *one, const struct termios *other)
{
    return one->c_iflag == other->c_iflag && one->c_oflag == other->c_oflag &&
           one->c_cflag == other->c_cflag && one->c_lflag == other->c_lflag &&
           one->c_cc[VMIN] == other->c_cc[VMIN] && one->c_cc[VTIME] == other->c_cc[VTIME];
}

/* Somebody who knows only TIOCEXCL holds the port: even root is told, and nothing of theirs is changed. */
static void find_exclusive(struct scene *scene)
{
    struct termios before = {.c_cflag = 0}, after;
    int other;

    port_close(scene->port);
    scene->port = NULL;
    other = open(scene->name + 7, O_RDWR | O_NOCTTY | O_CLOEXEC);
    CHECK(other >= 0 && ioctl(other, TIOCEXCL) == 0 && tcgetattr(other, &before) == 0);
    before.c_cc[VMIN] = 7;
    CHECK(tcsetattr(other, TCSANOW, &before) == 0);
    CHECK(port_open(&scene->port, scene->name, scene->fibers, &clock_system, &scene->error) == -EBUSY);
    CHECK(tcgetattr(other, &after) == 0 && same_settings(&before, &after));
    (void)ioctl(other, TIOCNXCL);
    (void)close(other);
    scene->port = NULL;
    scene_open_port(scene);
}

/* We hold it: both locks are there, a second opening changes nothing, and close lets go of them. */
static void be_exclusive(struct scene *scene)
{
    struct port *second = NULL;
    struct termios before, after;
    int exclusive = 0, other = open(scene->name + 7, O_RDWR | O_NOCTTY | O_CLOEXEC);

    CHECK(ioctl(other, TIOCGEXCL, &exclusive) == 0 && exclusive);
    CHECK(tcgetattr(other, &before) == 0);
    CHECK(port_open(&second, scene->name, scene->fibers, &clock_system, &scene->error) == -EBUSY);
    CHECK(tcgetattr(other, &after) == 0 && same_settings(&before, &after));
    CHECK(scene->port->traits.low_latency && device.serial_flags == (int)ASYNC_LOW_LATENCY);
    port_close(scene->port);
    scene->port = NULL;
    CHECK(ioctl(other, TIOCGEXCL, &exclusive) == 0 && !exclusive);
    (void)close(other);
}

static void test_exclusive(void)
{
    play(find_exclusive);
    play(be_exclusive);
}

/* The lines are let go of before closing, for opening to make an edge of; what close gives back, open takes.
 */
static void reopen(struct scene *scene)
{
    const struct port_line line = {.baud = 57600, .parity = PARITY_EVEN, .stop_bits = 1};
    struct termios settings;

    CHECK(port_set_line(scene->port, &line, &scene->error) == 0);
    CHECK(port_reopen(scene->port, 0, scene_in_ms(5000), &scene->error) == 0);
    CHECK(device.modem == TIOCM_CTS && device.modem_changes == 1 && device.modem_speed == B57600);
    CHECK(check_descriptors(scene->port->traits.path) == 2);
    CHECK(scene->port->traits.low_latency && device.serial_flags == (int)ASYNC_LOW_LATENCY);
    CHECK(scene->port->traits.latency_timer_ms == 1 && scene->port->traits.modem_lines);
    CHECK(tcgetattr(scene->master, &settings) == 0 && cfgetospeed(&settings) == B57600);
    CHECK((settings.c_cflag & (PARENB | PARODD)) == PARENB);
    device.modem |= TIOCM_DTR | TIOCM_RTS; /* as a real one's opening does */
    CHECK(port_reopen(scene->port, 1200, scene_in_ms(100), &scene->error) == 0);
    CHECK(device.modem == TIOCM_CTS && device.modem_changes == 2 && device.modem_speed == B1200);
    CHECK(scene->port->line.baud == 57600);
    port_close(scene->port);
    scene->port = NULL;
    CHECK(device.serial_flags == 0);
    check_latency("16\n");
}

static void test_reopen(void)
{
    play(reopen);
}

static const struct test tests[] = {
    {"settings", test_settings},
    {"leftovers of a former user", test_leftovers},
    {"all line settings", test_all_lines},
    {"a baud rate the driver refuses", test_refused_baud},
    {"modem lines and break", test_modem_lines_and_break},
    {"all bytes", test_all_bytes},
    {"low latency", test_low_latency},
    {"exclusive", test_exclusive},
    {"reopen", test_reopen},
};
TEST_MAIN(tests)
