/* SPDX-License-Identifier: Apache-2.0 */
/* stations/port_record.c and port_replay.c: what one writes the other plays; every deviation is told. */
#include "port_scene.h"

#include <sys/stat.h>

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    CHECK(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

/* A dialogue given as text; the file is gone again as soon as it is read. */
static struct port *play(const char *text, struct error *error)
{
    char path[] = "/tmp/flashfarm-dialogue-XXXXXX";
    int fd = mkstemp(path);
    struct port *port = NULL;

    CHECK(fd >= 0 && close(fd) == 0);
    write_file(path, text);
    CHECK(port_replay(&port, path, error) == 0);
    CHECK(unlink(path) == 0);
    return port;
}

/* The sentence without the file's name, which is another each time. */
static const char *after_name(const struct error *error)
{
    const char *colon = strchr(error->text, ':');

    return colon ? colon + 1 : error->text;
}

static void test_plays(void)
{
    const struct port_line line = {.baud = 115200, .parity = PARITY_EVEN, .stop_bits = 1};
    struct error error = ERROR_NONE;
    struct port *port = play("# board: none\n\n= 115200 8E1\n@ dtr=0 rts=1\nb 1\nb 0\n"
                             "> 7F\n! 12ms\n< 79\n> 00\n> ff 01\n< 79 0B\n< 22\n",
                             &error);
    uint8_t bytes[4];

    CHECK(port->traits.modem_lines);
    CHECK(port_set_line(port, &line, &error) == 0);
    CHECK(port_set_modem(port, false, true, &error) == 0);
    CHECK(port_set_break(port, true, &error) == 0 && port_set_break(port, false, &error) == 0);
    CHECK(port_write(port, "\x7F", 1, CLOCK_NEVER, &error) == 0);
    CHECK(port_now_us(port) == 0);
    CHECK(port_read(port, bytes, 1, 20000, &error) == 0 && bytes[0] == 0x79);
    CHECK(port_now_us(port) == 12000 + 2 * 11 * 1000000 / 115200); /* the silence and a byte each way */
    CHECK(port_write(port, "\x00\xFF", 2, CLOCK_NEVER, &error) == 0);
    CHECK(port_write(port, "\x01", 1, CLOCK_NEVER, &error) == 0);
    CHECK(port_replay_finished(port, &error) == -EPROTO);
    CHECK_TEXT(after_name(&error), "12: \"< 79 0B\" was not played");
    CHECK(port_read(port, bytes, 3, 40000, &error) == 0 && bytes[1] == 0x0B && bytes[2] == 0x22);
    CHECK(port_replay_finished(port, &error) == 0);
    CHECK(port_now_us(port) == 12000 + 8 * 11 * 1000000 / 115200);
    CHECK(port->meter.sent == 4 && port->meter.received == 4);
    port_close(port);
}

static void test_time_outs(void)
{
    struct error error = ERROR_NONE;
    struct port *port = play("> 7F\n! 1s\n> 7F\n! 800ms\n< 1F 55\n! 30ms\n< 66\n> 01\n", &error);
    int64_t real_us = scene_now_us();
    uint8_t bytes[4];

    CHECK(port_write(port, "\x7F", 1, CLOCK_NEVER, &error) == 0);
    CHECK(port_read(port, bytes, 1, 500000, &error) == -ETIMEDOUT && port_now_us(port) == 500000);
    CHECK_TEXT(error.text, "nothing came within 500 ms");
    CHECK(port_write(port, "\x7F", 1, CLOCK_NEVER, &error) == 0);
    CHECK(port_read(port, bytes, 1, 1000000, &error) == -ETIMEDOUT); /* it comes later */
    CHECK(port_read(port, bytes, 3, 1310000, &error) == -ETIMEDOUT);
    CHECK_TEXT(error.text, "only 2 of 3 bytes came within 310 ms");
    CHECK(port_now_us(port) == 1310000);
    CHECK(port_sleep(port, 20000) == 0 && port_now_us(port) == 1330000);
    CHECK(port_read_some(port, bytes, 4, 2000000, &error) == 1 && bytes[0] == 0x66);
    CHECK(port_read(port, bytes, 1, 5000000, &error) == -ETIMEDOUT && port_now_us(port) == 5000000);
    CHECK(port_write(port, "\x01", 1, CLOCK_NEVER, &error) == 0);
    CHECK(port_replay_finished(port, &error) == 0);
    CHECK(scene_now_us() - real_us < 1000000);
    port_close(port);
}

static void test_discard_and_settle(void)
{
    struct error error = ERROR_NONE;
    struct port *port = play("< 01 02 03\n! 10ms\n< 04 05\n! 90ms\n< 06 07\n! 1s\n< 08\n", &error);
    uint8_t byte = 0;

    CHECK(port_sleep(port, 5000) == 0);
    port_discard(port);
    CHECK(port_read(port, &byte, 1, 50000, &error) == 0 && byte == 4);
    CHECK(port_settle(port, 50000, 1000000, &error) == 0);
    CHECK(port_read(port, &byte, 1, 500000, &error) == 0 && byte == 6);
    port_discard(port); /* 07 is still on the wire */
    CHECK(port_read(port, &byte, 1, 500000, &error) == 0 && byte == 7);
    CHECK(port_settle(port, 2000000, 1000000, &error) == -ETIMEDOUT);
    CHECK(port_settle(port, 500000, 2000000, &error) == 0);
    CHECK(port_replay_finished(port, &error) == 0);
    port_close(port);
}

static void test_vanishing(void)
{
    const struct port_line line = {.baud = 9600, .parity = PARITY_NONE, .stop_bits = 1};
    struct error error = ERROR_NONE;
    struct port *port = play("< 01\n! 10ms\nx\n", &error);
    uint8_t bytes[2];

    CHECK(port_read(port, bytes, 2, 5000, &error) == -ETIMEDOUT); /* not yet */
    CHECK(port_read(port, bytes, 2, 50000, &error) == -ENODEV);
    CHECK(port_read(port, bytes, 1, 50000, &error) == -ENODEV);
    CHECK(port_write(port, bytes, 1, 50000, &error) == -ENODEV);
    CHECK(port_replay_finished(port, &error) == 0);
    port_close(port);
    port = play("> 01\nx\n", &error);
    CHECK(port_write(port, "\x01\x02", 2, CLOCK_NEVER, &error) == -ENODEV);
    CHECK(port_set_line(port, &line, &error) == -ENODEV);
    port_close(port);
}

/* What the host does in place of what the line says. */
enum act { ACT_WRITE, ACT_LINE, ACT_MODEM, ACT_BREAK, ACT_WAIT };

static int act(struct port *port, enum act what, struct error *error)
{
    const struct port_line line = {.baud = 9600, .parity = PARITY_ODD, .stop_bits = 2};
    uint8_t byte;

    switch (what) {
    case ACT_WRITE:
        return port_write(port, "\x31\x33", 2, CLOCK_NEVER, error);
    case ACT_LINE:
        return port_set_line(port, &line, error);
    case ACT_MODEM:
        return port_set_modem(port, true, false, error);
    case ACT_BREAK:
        return port_set_break(port, true, error);
    case ACT_WAIT:
        return port_read(port, &byte, 1, CLOCK_NEVER, error);
    }
    return 0;
}

static void test_deviations(void)
{
    static const struct {
        const char *dialogue;
        enum act what;
        const char *sentence;
    } cases[] = {
        {"\n> 31 CE\n", ACT_WRITE, "2: expected \"> 31 CE\", but the host wrote 33 as byte 2 of it"},
        {"> 31\n< 79\n", ACT_WRITE, "2: expected \"< 79\", but the host wrote 33"},
        {"> 31\n", ACT_WRITE, "1: the dialogue is over, but the host wrote 33"},
        {"", ACT_WRITE, "0: the dialogue is over, but the host wrote 31"},
        {"! 5ms\n= 9600 8O1\n", ACT_LINE,
         "2: expected \"= 9600 8O1\", but the host set the line to 9600 8O2"},
        {"> 31\n", ACT_LINE, "1: expected \"> 31\", but the host set the line to 9600 8O2"},
        {"@ dtr=1 rts=1\n", ACT_MODEM, "1: expected \"@ dtr=1 rts=1\", but the host set dtr=1 rts=0"},
        {"b 0\n", ACT_BREAK, "1: expected \"b 0\", but the host began a break"},
        {"> 31\n", ACT_WAIT, "1: expected \"> 31\", but the host waits for bytes without a deadline"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error error = ERROR_NONE;
        struct port *port = play(cases[i].dialogue, &error);

        CHECK(act(port, cases[i].what, &error) == -EPROTO);
        CHECK_TEXT(after_name(&error), cases[i].sentence);
        error = ERROR_NONE;
        CHECK(act(port, ACT_WAIT, &error) == -EPROTO); /* it stays */
        CHECK_TEXT(after_name(&error), cases[i].sentence);
        CHECK(port_replay_finished(port, &error) == -EPROTO);
        port_close(port);
    }
}

static void test_bad_files(void)
{
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        {"> 7\n", "1: \"> 7\": expected bytes of two hex digits, with blanks between"},
        {"# x\n> 7F0\n", "2: \"> 7F0\": expected bytes of two hex digits, with blanks between"},
        {"<79\n", "1: \"<79\": expected at least one byte"},
        {"! 20\n", "1: \"! 20\": expected a silence like \"20ms\""},
        {"! -1ms\n", "1: \"! -1ms\": expected a silence like \"20ms\""},
        {"= 0 8N1\n", "1: \"= 0 8N1\": expected line settings like \"115200 8E1\""},
        {"= 9600 7E1\n", "1: \"= 9600 7E1\": expected line settings like \"115200 8E1\""},
        {"= 9600 8E3\n", "1: \"= 9600 8E3\": expected line settings like \"115200 8E1\""},
        {"@ dtr=1\n", "1: \"@ dtr=1\": expected modem lines like \"dtr=1 rts=0\""},
        {"b 2\n", "1: \"b 2\": expected \"b 1\" or \"b 0\""},
        {"x\n> 01\n", "2: \"> 01\": expected nothing after the port has vanished"},
        {"? 01\n", "1: \"? 01\": expected a line that starts with one of # > < ! = @ b o x"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[] = "/tmp/flashfarm-dialogue-XXXXXX";
        int fd = mkstemp(path);
        struct port *port = NULL;
        struct error error = ERROR_NONE;

        CHECK(fd >= 0 && close(fd) == 0);
        write_file(path, cases[i].text);
        CHECK(port_replay(&port, path, &error) == -EINVAL && port == NULL);
        CHECK_TEXT(after_name(&error), cases[i].sentence);
        (void)unlink(path);
    }
}

static void test_missing_file(void)
{
    struct error error = ERROR_NONE;
    struct port *port = NULL;

    CHECK(port_replay(&port, "/dev/nowhere", &error) == -ENOENT);
    CHECK(strstr(error.text, "dialogue /dev/nowhere cannot be read") == error.text);
}

/* --- recording ------------------------------------------------------------------------------------------ */

/* The board of the recording: it answers 79 after 150 ms, then sends 40 bytes, and then the cable is pulled.
 */
static void be_board(struct scene *scene)
{
    uint8_t bytes[40], byte = 0;

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    CHECK(read(scene->master, &byte, 1) == 1 && byte == 0x7F);
    scene_pause_ms(150);
    CHECK(write(scene->master, "\x79", 1) == 1);
    CHECK(read(scene->master, &byte, 1) == 1 && byte == 0x11);
    CHECK(write(scene->master, bytes, sizeof bytes) == sizeof bytes);
    CHECK(read(scene->master, &byte, 1) == 1 && byte == 0x22);
    scene_hang_up(scene);
}

/* The host's side, the same on the real port and on the replaying one. */
static void be_host(struct port *port)
{
    const struct port_line line = {.baud = 57600, .parity = PARITY_EVEN, .stop_bits = 1};
    struct error error = ERROR_NONE;
    uint8_t bytes[40];

    CHECK(port_set_line(port, &line, &error) == 0);
    CHECK(port_write(port, "\x7F", 1, port_now_us(port) + 1000000, &error) == 0);
    CHECK(port_read(port, bytes, 1, port_now_us(port) + 10000, &error) == -ETIMEDOUT);
    CHECK(port_read(port, bytes, 1, port_now_us(port) + 1000000, &error) == 0 && bytes[0] == 0x79);
    CHECK(port_write(port, "\x11", 1, port_now_us(port) + 1000000, &error) == 0);
    CHECK(port_read(port, bytes, 40, port_now_us(port) + 1000000, &error) == 0 && bytes[39] == 39);
    CHECK(port_write(port, "\x22", 1, port_now_us(port) + 1000000, &error) == 0);
    CHECK(port_read(port, bytes, 1, port_now_us(port) + 1000000, &error) == -ENODEV);
    CHECK(port->meter.sent == 3 && port->meter.received == 41);
}

/* The file must be this, but for the length of the silence, which the machine's load may stretch. */
static void check_recorded(const char *path)
{
    char text[512] = "";
    int silence_ms = 0, before = 0;
    FILE *file = fopen(path, "r");

    CHECK(file && fread(text, 1, sizeof text - 1, file) > 0 && fclose(file) == 0);
    CHECK(sscanf(text, "# board: none # date: today = 57600 8E1 > 7F ! %dms%n", &silence_ms, &before) == 1);
    CHECK(silence_ms >= 148 && silence_ms < 900);
    CHECK_TEXT(text + before, "\n< 79\n> 11\n"
                              "< 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F "
                              "10 11 12 13 14 15 16 17 18 19 1A 1B 1C 1D 1E 1F\n"
                              "< 20 21 22 23 24 25 26 27\n> 22\nx\n");
}

static void record_and_replay(struct scene *scene)
{
    char path[] = "/tmp/flashfarm-recorded-XXXXXX";
    int fd = mkstemp(path);
    struct port *replayed = NULL;

    CHECK(fd >= 0 && close(fd) == 0);
    CHECK(port_record(&scene->port, scene->port, path, "board: none\ndate: today", &scene->error) == 0);
    scene_start(scene, be_board);
    be_host(scene->port);
    scene_join(scene);
    port_close(scene->port);
    scene->port = NULL;
    check_recorded(path);
    CHECK(port_replay(&replayed, path, &scene->error) == 0);
    be_host(replayed);
    CHECK(port_replay_finished(replayed, &scene->error) == 0);
    port_close(replayed);
    (void)unlink(path);
}

static void test_round_trip(void)
{
    scene_play_both(record_and_replay);
}

static int come_back(struct port *port, uint32_t touch_baud, int64_t deadline_us, struct error *error)
{
    (void)touch_baud, (void)deadline_us, (void)error;
    (void)snprintf(port->traits.path, sizeof port->traits.path, "/dev/ttyACM1");
    return 0;
}

/* A device that vanishes and returns may have another name then. */
static void test_reopening_while_recording(void)
{
    static const struct port_kind kind = {.scheme = "fake", .reopen = come_back};
    struct port inner = {.kind = &kind, .clock = &clock_system, .traits = {.path = "/dev/ttyACM0"}};
    struct error error = ERROR_NONE;
    struct port *port, *back;

    CHECK(port_record(&port, &inner, "/dev/null", "", &error) == 0);
    CHECK_TEXT(port->traits.path, "/dev/ttyACM0");
    CHECK(port_reopen(port, 1200, CLOCK_NEVER, &error) == 0);
    CHECK_TEXT(port->traits.path, "/dev/ttyACM1");
    CHECK(port_record_end(port, &back) == 0 && back == &inner);
}

/* A recording port passes on that it was lost, and what it cannot do. */
static void record_a_loss(struct scene *scene)
{
    struct port *inner = scene->port;

    CHECK(port_record(&scene->port, inner, "/dev/nowhere/x", "", &scene->error) == -ENOENT);
    CHECK(scene->port == inner);
    CHECK(port_record(&scene->port, inner, "/dev/null", "", &scene->error) == 0);
    CHECK(port_set_modem(scene->port, true, true, &scene->error) == -ENOTSUP);
    CHECK(port_set_break(scene->port, true, &scene->error) == -ENOTSUP);
    scene_hang_up(scene);
    CHECK(scene_await_loss(scene));
}

static void test_loss_while_recording(void)
{
    scene_play_on_fiber(record_a_loss);
}

static const struct test tests[] = {
    {"plays", test_plays},
    {"time-outs", test_time_outs},
    {"discard and settle", test_discard_and_settle},
    {"vanishing", test_vanishing},
    {"deviations", test_deviations},
    {"bad files", test_bad_files},
    {"missing file", test_missing_file},
    {"record and replay", test_round_trip},
    {"loss while recording", test_loss_while_recording},
    {"reopening while recording", test_reopening_while_recording},
};
TEST_MAIN(tests)
