/* SPDX-License-Identifier: Apache-2.0 */
/* stations/port.c, port_fd.c and the pty half of port_serial.c: every wait, blocking and on a fiber. */
#include "port_fd.h"
#include "port_scene.h"

#include <sys/ioctl.h>

/* The linker sends fiber_resume() through here, to count how often a reader is woken. */
void __real_fiber_resume(struct fiber *fiber, int value); /* NOLINT(bugprone-reserved-identifier) */
void __wrap_fiber_resume(struct fiber *fiber, int value); /* NOLINT(bugprone-reserved-identifier) */

static int wakes;

void __wrap_fiber_resume(struct fiber *fiber, int value)
{
    wakes++;
    __real_fiber_resume(fiber, value);
}

static void say(struct scene *scene, const char *text)
{
    CHECK(write(scene->master, text, strlen(text)) == (ssize_t)strlen(text));
}

/* --- reading ------------------------------------------------------------------------------------------ */

static void dribble(struct scene *scene)
{
    for (int i = 0; i < 16; i++) {
        scene_pause_ms(2);
        say(scene, "abcd");
    }
}

static void read_dribble(struct scene *scene)
{
    char bytes[64];

    wakes = 0;
    scene_start(scene, dribble);
    CHECK(port_read(scene->port, bytes, sizeof bytes, scene_in_ms(5000), &scene->error) == 0);
    CHECK(memcmp(bytes + 60, "abcd", 4) == 0);
    CHECK(wakes <= 1); /* not once for each of the 16 pieces */
    scene_join(scene);
    CHECK(scene->port->meter.received == 64);
    CHECK(scene->port->meter.waited_us >= 30000);
    CHECK(scene->port->meter.wire_us == 1000000LL * 10 * 64 / 115200);
}

static void test_read_exactly(void)
{
    scene_play_both(read_dribble);
}

static void read_some(struct scene *scene)
{
    char bytes[64];

    say(scene, "xyz");
    CHECK(port_read_some(scene->port, bytes, 1, scene_in_ms(5000), &scene->error) == 1);
    CHECK(port_read_some(scene->port, bytes + 1, 63, scene_in_ms(5000), &scene->error) == 2);
    CHECK(memcmp(bytes, "xyz", 3) == 0);
    say(scene, "older");
    CHECK(port_read(scene->port, bytes, 1, scene_in_ms(5000), &scene->error) == 0);
    say(scene, "old");
    port_discard(scene->port);
    CHECK(port_read_some(scene->port, bytes, 64, scene_in_ms(5), &scene->error) == -ETIMEDOUT);
    CHECK(strncmp(scene->error.text, "nothing came within ", 20) == 0);
}

static void test_read_some(void)
{
    scene_play_both(read_some);
}

/* How late a read ends that waits so long for nothing. The machine may be busy: the best of ten counts. */
static int64_t lateness_us(struct scene *scene, int64_t wait_us)
{
    int64_t best_us = INT64_MAX;
    char byte;

    for (int i = 0; i < 10; i++) {
        int64_t deadline_us = scene_now_us() + wait_us, late_us;

        CHECK(port_read(scene->port, &byte, 1, deadline_us, &scene->error) == -ETIMEDOUT);
        late_us = scene_now_us() - deadline_us;
        CHECK(late_us >= 0);
        best_us = late_us < best_us ? late_us : best_us;
    }
    return best_us;
}

static void read_too_late(struct scene *scene)
{
    char bytes[5];

    CHECK(lateness_us(scene, 500) < 1000);
    CHECK(lateness_us(scene, 5700) < 1000);
    CHECK(lateness_us(scene, 25300) < 1000);
    say(scene, "abc");
    CHECK(port_read(scene->port, bytes, 5, scene_in_ms(30), &scene->error) == -ETIMEDOUT);
    CHECK(strncmp(scene->error.text, "only 3 of 5 bytes came within ", 30) == 0);
    CHECK(port_read(scene->port, bytes, 1, scene_now_us() - 1, &scene->error) == -ETIMEDOUT);
}

static void test_deadlines(void)
{
    scene_play_both(read_too_late);
}

static void chatter(struct scene *scene)
{
    for (int i = 0; i < 10; i++) {
        scene_pause_ms(3);
        say(scene, "noise");
    }
}

static void settle(struct scene *scene)
{
    int64_t start_us = scene_now_us();

    scene_start(scene, chatter);
    CHECK(port_settle(scene->port, 2000000, scene_in_ms(15), &scene->error) == -ETIMEDOUT);
    CHECK(port_settle(scene->port, 100000, scene_in_ms(5000), &scene->error) == 0);
    scene_join(scene);
    CHECK(scene->port->meter.received == 50);
    CHECK(scene_now_us() - start_us >= 130000);
}

static void test_settle(void)
{
    scene_play_both(settle);
}

/* More than the buffer holds comes while nobody reads; nothing of it is lost. */
static void flood(struct scene *scene)
{
    uint8_t block[6000];
    size_t sent = 0;

    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (uint8_t)(i * 7 + i / 256);
    while (sent < sizeof block) {
        ssize_t taken = write(scene->master, block + sent, sizeof block - sent);

        if (!CHECK(taken > 0))
            return;
        sent += (size_t)taken;
    }
}

static void read_flood(struct scene *scene)
{
    uint8_t block[6000];
    int wrong = 0;

    scene_start(scene, flood);
    CHECK(port_sleep(scene->port, 30000) == 0);
    CHECK(port_read(scene->port, block, 3000, scene_in_ms(5000), &scene->error) == 0);
    CHECK(port_sleep(scene->port, 5000) == 0);
    CHECK(port_read(scene->port, block + 3000, 3000, scene_in_ms(5000), &scene->error) == 0);
    scene_join(scene);
    for (size_t i = 0; i < sizeof block; i++)
        wrong += block[i] != (uint8_t)(i * 7 + i / 256);
    CHECK(wrong == 0);
}

static void test_full_buffer(void)
{
    scene_play_both(read_flood);
}

/* --- writing ------------------------------------------------------------------------------------------ */

enum { LARGE = 200000 };

static void read_slowly(struct scene *scene)
{
    uint8_t block[4096];
    size_t seen = 0, wrong = 0;

    while (seen < LARGE) {
        ssize_t got = read(scene->master, block, sizeof block);

        if (!CHECK(got > 0))
            return;
        for (ssize_t i = 0; i < got; i++)
            wrong += block[i] != (uint8_t)((seen + (size_t)i) % 251);
        seen += (size_t)got;
        scene_pause_ms(1);
    }
    CHECK(wrong == 0);
    say(scene, "!");
}

static void write_large(struct scene *scene)
{
    uint8_t *image = malloc(LARGE), answer = 0;

    for (size_t i = 0; i < LARGE; i++)
        image[i] = (uint8_t)(i % 251);
    scene_start(scene, read_slowly);
    CHECK(port_write(scene->port, image, LARGE, scene_in_ms(20000), &scene->error) == 0);
    CHECK(port_read(scene->port, &answer, 1, scene_in_ms(5000), &scene->error) == 0 && answer == '!');
    scene_join(scene);
    CHECK(scene->port->meter.sent == LARGE && scene->port->meter.received == 1);
    CHECK(scene->port->meter.wire_us == 1000000LL * 10 * (LARGE + 1) / 115200);
    free(image);
}

static void test_write_to_slow_reader(void)
{
    scene_play_both(write_large);
}

static void write_to_nobody(struct scene *scene)
{
    uint8_t *image = calloc(LARGE, 1);
    int64_t deadline_us = scene_in_ms(40);

    CHECK(port_write(scene->port, image, LARGE, deadline_us, &scene->error) == -ETIMEDOUT);
    CHECK(scene_now_us() >= deadline_us && scene_now_us() - deadline_us < 2000000);
    CHECK(strstr(scene->error.text, "does not take the bytes") != NULL);
    free(image);
}

static void test_write_deadline(void)
{
    scene_play_both(write_to_nobody);
}

/* --- hang-up ------------------------------------------------------------------------------------------ */

static void hang_up_soon(struct scene *scene)
{
    scene_pause_ms(15);
    scene_hang_up(scene);
}

static void check_gone(struct scene *scene)
{
    const struct port_line line = {.baud = 9600, .parity = PARITY_NONE, .stop_bits = 1};
    char byte = 0;

    CHECK(port_read(scene->port, &byte, 1, scene_in_ms(5000), &scene->error) == -ENODEV);
    CHECK(strstr(scene->error.text, "is gone (unplugged or hung up)") != NULL);
    CHECK(port_write(scene->port, &byte, 1, scene_in_ms(5000), &scene->error) == -ENODEV);
    CHECK(port_set_line(scene->port, &line, &scene->error) == -ENODEV);
}

static void read_until_hang_up(struct scene *scene)
{
    int64_t start_us = scene_now_us();
    char bytes[4];

    say(scene, "ab");
    CHECK(port_read(scene->port, bytes, 1, scene_in_ms(5000), &scene->error) == 0);
    scene_start(scene, hang_up_soon);
    CHECK(port_read(scene->port, bytes, 4, scene_in_ms(5000), &scene->error) == -ENODEV);
    scene_join(scene);
    check_gone(scene);
    CHECK(scene_now_us() - start_us < 3000000);
    CHECK(scene->lost == 0); /* the reader was told */
}

static void test_hang_up_while_reading(void)
{
    scene_play_both(read_until_hang_up);
}

static void write_until_hang_up(struct scene *scene)
{
    uint8_t *image = calloc(LARGE, 1);

    scene_start(scene, hang_up_soon);
    CHECK(port_write(scene->port, image, LARGE, scene_in_ms(5000), &scene->error) == -ENODEV);
    scene_join(scene);
    CHECK(scene->lost == 0);
    free(image);
}

static void test_hang_up_while_writing(void)
{
    scene_play_both(write_until_hang_up);
}

/* The one who reads finds out before the loop does; that is enough. */
static void find_out_by_reading(struct scene *scene)
{
    scene_hang_up(scene);
    check_gone(scene);
    CHECK(port_sleep(scene->port, 10000) == 0);
    CHECK(scene->lost == 0);
}

static void test_hang_up_found_by_reading(void)
{
    scene_play_both(find_out_by_reading);
}

/* The fiber waits, but not for the port. */
static void sleep_through_hang_up(struct scene *scene)
{
    scene_start(scene, hang_up_soon);
    CHECK(scene_await_loss(scene));
    scene_join(scene);
    check_gone(scene);
    CHECK(port_sleep(scene->port, 5000) == 0);
    CHECK(scene->lost == 1);
}

/* … and the buffer is full, so that nothing more is read. */
static void sleep_through_flood_and_hang_up(struct scene *scene)
{
    const struct port_fd *fd = (const struct port_fd *)scene->port;
    int64_t until_us = scene_in_ms(5000);

    flood(scene);
    while (fd->held < PORT_FD_BUFFER && scene_now_us() < until_us)
        CHECK(port_sleep(scene->port, 1000) == 0);
    CHECK(fd->held == PORT_FD_BUFFER);
    scene_start(scene, hang_up_soon);
    CHECK(scene_await_loss(scene));
    scene_join(scene);
}

static void test_hang_up_while_busy_elsewhere(void)
{
    scene_play_on_fiber(sleep_through_hang_up);
    scene_play_on_fiber(sleep_through_flood_and_hang_up);
}

static void close_lost(void *context)
{
    struct scene *scene = context;

    scene->lost++;
    port_close(scene->port);
}

/* Nobody is there at all, and the one who is told closes the port at once. */
static void test_hang_up_while_idle(void)
{
    struct scene scene = {.master = -1};

    scene_open_pty(&scene);
    CHECK(uv_loop_init(&scene.loop) == 0);
    scene.fibers = fibers_new(&scene.loop, &clock_system);
    scene_open_port(&scene);
    if (scene.port) {
        scene.port->lost = close_lost;
        scene_start(&scene, hang_up_soon);
        CHECK(uv_run(&scene.loop, UV_RUN_DEFAULT) == 0);
        scene_join(&scene);
    }
    CHECK(scene.lost == 1);
    fibers_free(scene.fibers);
    CHECK(uv_loop_close(&scene.loop) == 0);
}

/* --- cancellation ------------------------------------------------------------------------------------- */

static void cancel_reader(uv_timer_t *timer)
{
    struct scene *scene = timer->data;

    fiber_cancel(scene->fiber);
    uv_close((uv_handle_t *)timer, NULL);
}

static void read_until_cancelled(struct scene *scene)
{
    uint8_t bytes[4], *image = calloc(LARGE, 1);
    uv_timer_t first = {.data = scene}, second = {.data = scene};

    say(scene, "ab");
    (void)uv_timer_init(&scene->loop, &first);
    (void)uv_timer_start(&first, cancel_reader, 15, 0);
    CHECK(port_read(scene->port, bytes, 4, scene_in_ms(5000), &scene->error) == -ECANCELED);
    CHECK_TEXT(scene->error.text, "cancelled");
    CHECK(port_read(scene->port, bytes, 3, scene_in_ms(10), &scene->error) == -ETIMEDOUT); /* only once */

    (void)uv_timer_init(&scene->loop, &second);
    (void)uv_timer_start(&second, cancel_reader, 15, 0);
    CHECK(port_write(scene->port, image, LARGE, scene_in_ms(5000), &scene->error) == -ECANCELED);
    free(image);
    scene_hang_up(scene);
    CHECK(port_sleep(scene->port, 1000) == 0); /* the timers are closed by now */
}

static void test_cancel(void)
{
    scene_play_on_fiber(read_until_cancelled);
}

/* --- opening and settings ------------------------------------------------------------------------------ */

static void open_twice(struct scene *scene)
{
    struct port *second = NULL;
    char sentence[96];

    (void)snprintf(sentence, sizeof sentence, "%s is in use by somebody else", scene->name + 7);
    CHECK(port_open(&second, scene->name, scene->fibers, &clock_system, &scene->error) == -EBUSY);
    CHECK_TEXT(scene->error.text, sentence);
    port_close(scene->port);
    scene_open_port(scene);
}

static void test_exclusive(void)
{
    scene_play_both(open_twice);
}

static void check_open_error(const char *name, int code, const char *text)
{
    struct port *port = NULL;
    struct error error = ERROR_NONE;

    CHECK(port_open(&port, name, NULL, &clock_system, &error) == code);
    CHECK(port == NULL);
    CHECK_TEXT(error.text, text);
}

static void test_open_errors(void)
{
    struct error error = ERROR_NONE;

    check_open_error("serial:/dev/nowhere", -ENOENT, "/dev/nowhere is not there (unplugged?)");
    check_open_error("serial:/dev/pts/999999", -ENOENT, "/dev/pts/999999 is not there (unplugged?)");
    check_open_error("serial:/tmp", -ENOTTY, "/tmp is no serial port");
    check_open_error("serial:/dev/null", -ENOTTY, "/dev/null is no serial port");
    check_open_error("serial:ttyS0", -EINVAL,
                     "\"serial:ttyS0\" is no port name: expected the device's full path");
    check_open_error("/dev/ttyS0", -EINVAL,
                     "\"/dev/ttyS0\" is no port name: "
                     "expected serial:/dev/…, rfc2217:HOST:PORT, tcp:HOST:PORT or rs485:…#ADDRESS");
    check_open_error("serialx:/dev/ttyS0", -EINVAL,
                     "\"serialx:/dev/ttyS0\" is no port name: "
                     "expected serial:/dev/…, rfc2217:HOST:PORT, tcp:HOST:PORT or rs485:…#ADDRESS");
    CHECK(port_name_check("serial:/dev/serial/by-id/x", &error) == 0);
    CHECK(port_name_check("serial:", &error) == -EINVAL);
    CHECK(port_name_check("serial:/", &error) == -EINVAL);
    CHECK(port_name_check("", &error) == -EINVAL);
}

static void test_symbolic_link(void)
{
    struct scene scene = {.master = -1};
    char folder[] = "/tmp/flashfarm-port-XXXXXX", link_path[64], device[64];

    scene_open_pty(&scene);
    (void)snprintf(device, sizeof device, "%.48s", scene.name + 7);
    CHECK(mkdtemp(folder) != NULL);
    (void)snprintf(link_path, sizeof link_path, "%s/A1", folder);
    (void)snprintf(scene.name, sizeof scene.name, "serial:%s", link_path);
    CHECK(symlink(device, link_path) == 0);
    scene_open_port(&scene);
    if (scene.port)
        CHECK_TEXT(scene.port->traits.path, device);
    port_close(scene.port);
    scene_hang_up(&scene);
    scene.port = NULL; /* the link now leads nowhere */
    CHECK(port_open(&scene.port, scene.name, NULL, &clock_system, &scene.error) == -ENOENT);
    (void)unlink(link_path);
    (void)rmdir(folder);
}

/* What the far end sees of the settings. */
static struct termios seen(const struct scene *scene)
{
    struct termios settings = {.c_cflag = 0};

    CHECK(tcgetattr(scene->master, &settings) == 0);
    return settings;
}

static void set_line(struct scene *scene)
{
    struct port_line line = {.baud = 9600, .parity = PARITY_EVEN, .stop_bits = 1};
    const struct port_line odd = {.baud = 74880, .parity = PARITY_ODD, .stop_bits = 2};
    struct termios settings = seen(scene);

    CHECK(cfgetospeed(&settings) == B115200 && settings.c_iflag == IGNPAR && settings.c_oflag == 0);
    CHECK((settings.c_lflag & (tcflag_t)~EXTPROC) == 0 && settings.c_cc[VMIN] == 1);
    CHECK(port_set_line(scene->port, &line, &scene->error) == 0);
    settings = seen(scene);
    CHECK(cfgetospeed(&settings) == B9600 && settings.c_iflag == 0);
    CHECK(!(settings.c_cflag & (PARODD | CMSPAR | CSTOPB | CRTSCTS | HUPCL)));
    CHECK(port_write(scene->port, "12345678", 8, scene_in_ms(1000), &scene->error) == 0);
    CHECK(scene->port->meter.wire_us == 1000000LL * 11 * 8 / 9600);
    CHECK(port_set_line(scene->port, &odd, &scene->error) == 0);
    settings = seen(scene);
    CHECK((settings.c_cflag & (PARODD | CMSPAR | CSTOPB)) == (PARODD | CSTOPB));
    CHECK(scene->port->line.baud == 74880);
    line.stop_bits = 3;
    CHECK(port_set_line(scene->port, &line, &scene->error) == -EINVAL);
    CHECK(scene->port->line.baud == 74880);
    CHECK(port_set_modem(scene->port, true, false, &scene->error) == -ENOTSUP);
    CHECK(port_set_break(scene->port, true, &scene->error) == -ENOTSUP);
    CHECK(!scene->port->traits.modem_lines && scene->port->traits.latency_timer_ms == -1);
}

/* A simulated board is told of new settings by packets, as long as EXTPROC stays set. */
static void test_line_seen_by_far_end(void)
{
    struct scene scene = {.master = -1};
    struct termios settings;
    const struct port_line line = {.baud = 57600, .parity = PARITY_MARK, .stop_bits = 1};
    unsigned char packet = 0;
    int on = 1;

    scene_play_both(set_line);
    scene_open_pty(&scene);
    CHECK(ioctl(scene.master, TIOCPKT, &on) == 0);
    settings = seen(&scene);
    settings.c_lflag |= EXTPROC;
    CHECK(tcsetattr(scene.master, TCSANOW, &settings) == 0);
    scene_open_port(&scene);
    if (scene.port) {
        CHECK(read(scene.master, &packet, 1) == 1); /* of opening */
        CHECK(port_set_line(scene.port, &line, &scene.error) == 0);
        CHECK(read(scene.master, &packet, 1) == 1 && packet & TIOCPKT_IOCTL);
        settings = seen(&scene);
        CHECK((settings.c_cflag & (PARODD | CMSPAR)) == (PARODD | CMSPAR) && !(settings.c_iflag & IGNPAR));
    }
    port_close(scene.port);
    scene_hang_up(&scene);
}

/* Thousands of single bytes, each a fraction of a microsecond more than a whole number of them. */
static void count_fractions(struct scene *scene)
{
    const struct port_line line = {.baud = 921600, .parity = PARITY_EVEN, .stop_bits = 1};

    CHECK(port_set_line(scene->port, &line, &scene->error) == 0);
    for (int i = 0; i < 3000; i++)
        CHECK(port_write(scene->port, "x", 1, scene_in_ms(1000), &scene->error) == 0);
    CHECK(scene->port->meter.wire_us == 1000000LL * 11 * 3000 / 921600);
}

static void test_meter_keeps_fractions(void)
{
    scene_play_blocking(count_fractions);
}

static void check_descriptor(struct scene *scene)
{
    int fd = ((struct port_fd *)scene->port)->fd;

    CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void test_descriptor(void)
{
    scene_play_both(check_descriptor);
}

static const struct test tests[] = {
    {"read exactly", test_read_exactly},
    {"read some", test_read_some},
    {"deadlines", test_deadlines},
    {"settle", test_settle},
    {"full buffer", test_full_buffer},
    {"write to a slow reader", test_write_to_slow_reader},
    {"write deadline", test_write_deadline},
    {"hang-up while reading", test_hang_up_while_reading},
    {"hang-up found by reading", test_hang_up_found_by_reading},
    {"hang-up while writing", test_hang_up_while_writing},
    {"hang-up while busy elsewhere", test_hang_up_while_busy_elsewhere},
    {"hang-up while idle", test_hang_up_while_idle},
    {"cancel", test_cancel},
    {"exclusive", test_exclusive},
    {"open errors", test_open_errors},
    {"symbolic link", test_symbolic_link},
    {"line seen by the far end", test_line_seen_by_far_end},
    {"meter keeps fractions", test_meter_keeps_fractions},
    {"descriptor", test_descriptor},
};
TEST_MAIN(tests)
