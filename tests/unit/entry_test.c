/* SPDX-License-Identifier: Apache-2.0 */
/* stations/entry.c: what every word does to a port and to switches, in which order and with which waits, and
 * that the way out is complete whenever it is cut off. The port is one that only writes down what it is told;
 * its time is virtual, also on a fiber. */
#include "entry.h"
#include "failure.h"
#include "fiber.h"
#include "protocol.h"
#include "switch.h"

#include "test.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NO_WAIT (-1)

struct scene {
    struct port port; /* first */
    char trace[1024];
    int64_t now_us;
    bool dtr, rts, breaking;
    int modem_errors;  /* from which call on modem lines fail; 0: never */
    int modem_refusal; /* the one call that fails, and the port is there; 0: none */
    bool break_fails;  /* to begin: it may have begun */
    int modem_calls;
    int waits, cancel_at; /* counted from 0 */
    uv_loop_t loop;
    struct fibers *fibers;
    struct fiber *fiber;
    bool ended;
    int64_t sleeping_us;
    const struct entry *entry;
    bool enter, leave;
    int entered, left;
    char enter_end[1024]; /* the trace when entering had ended */
    struct error enter_error, leave_error;
};

/* The GPIO chip; one at a time. */
static struct {
    struct scene *scene;
    bool on[32], taken[32];
    int fail; /* the errno of every call; 0: none */
} chip;

static void note(struct scene *scene, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void note(struct scene *scene, const char *format, ...)
{
    size_t used = strlen(scene->trace);
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(scene->trace + used, sizeof scene->trace - used, format, arguments);
    va_end(arguments);
}

/* --- the port ---------------------------------------------------------------------------------- */

static struct scene *of(struct port *port)
{
    return (struct scene *)port;
}

static int note_modem(struct port *port, bool dtr, bool rts, struct error *error)
{
    struct scene *scene = of(port);

    scene->modem_calls++;
    if (scene->modem_errors && scene->modem_calls >= scene->modem_errors)
        return error_set(error, -ENODEV, "the port is gone");
    if (scene->modem_calls == scene->modem_refusal)
        return error_set(error, -EINVAL, "refused");
    scene->dtr = dtr;
    scene->rts = rts;
    note(scene, "%s%s ", dtr ? "D" : "d", rts ? "R" : "r");
    return 0;
}

static int note_break(struct port *port, bool on, struct error *error)
{
    of(port)->breaking = on;
    note(of(port), on ? "B " : "b ");
    return on && of(port)->break_fails ? error_set(error, -ETIMEDOUT, "no answer") : 0;
}

static int note_reopen(struct port *port, uint32_t touch_baud, int64_t deadline_us, struct error *error)
{
    (void)error;
    note(of(port), "reopen %u within %d ", (unsigned)touch_baud,
         (int)((deadline_us - of(port)->now_us) / 1000));
    return 0;
}

/* On a fiber the test's own loop decides what becomes of the wait. */
static int note_sleep(struct port *port, int64_t duration_us)
{
    struct scene *scene = of(port);
    int status = -ETIMEDOUT;

    note(scene, "%d ", (int)(duration_us / 1000));
    scene->sleeping_us = duration_us;
    if (fiber_current(scene->fibers))
        status = fiber_suspend(scene->fibers, CLOCK_NEVER);
    if (status == -ETIMEDOUT)
        scene->now_us += duration_us;
    return status == -ETIMEDOUT ? 0 : status;
}

static int64_t virtual_us(void *context)
{
    return ((const struct scene *)context)->now_us;
}

/* --- the GPIO chip ----------------------------------------------------------------------------- */

static int set_line(void *line, bool on)
{
    bool *state = line;

    if (chip.fail)
        return -chip.fail;
    *state = on;
    note(chip.scene, "%c%d ", on ? '+' : '-', (int)(state - chip.on));
    return 0;
}

static int request_line(void **line, const char *path, unsigned offset, bool active_low, bool on)
{
    CHECK_TEXT(path, "/dev/gpiochip0");
    CHECK(offset < 32 && !chip.taken[offset] && active_low == (offset >= 16));
    if (chip.fail)
        return -chip.fail;
    *line = &chip.on[offset];
    chip.taken[offset] = true;
    return set_line(*line, on);
}

static void release_line(void *line)
{
    chip.taken[(bool *)line - chip.on] = false;
}

static const struct switch_gpio gpio = {.request = request_line, .set = set_line, .release = release_line};
static const struct switch_host host = {
    .dev = "/dev", .sysfs = "/sys", .clock = &clock_system, .gpio = &gpio};

/* --- playing ----------------------------------------------------------------------------------- */

static const struct port_kind kind = {.scheme = "fake",
                                      .set_modem = note_modem,
                                      .set_break = note_break,
                                      .reopen = note_reopen,
                                      .sleep = note_sleep};

static void play(void *argument)
{
    struct scene *scene = argument;
    struct session session = {
        .port = &scene->port, .entry = scene->entry, .deadline_us = scene->now_us + 600000000};

    if (scene->enter)
        scene->entered = entry_enter(&session, &scene->enter_error);
    (void)snprintf(scene->enter_end, sizeof scene->enter_end, "%s", scene->trace);
    scene->trace[0] = '\0';
    if (scene->leave)
        scene->left = entry_leave(&session, &scene->leave_error);
}

static void note_end(void *argument)
{
    ((struct scene *)argument)->ended = true;
}

/* Plays it on a fiber and lets every wait pass but one, which is cancelled. */
static void play_on_fiber(struct scene *scene)
{
    CHECK(uv_loop_init(&scene->loop) == 0);
    scene->port.fibers = scene->fibers = fibers_new(&scene->loop, &clock_system);
    scene->fiber = fiber_start(scene->fibers, "entry", play, note_end, scene);
    while (!scene->ended && CHECK(fiber_waiting(scene->fiber))) {
        if (scene->waits++ == scene->cancel_at)
            fiber_cancel(scene->fiber);
        else
            fiber_resume(scene->fiber, -ETIMEDOUT);
    }
    CHECK(uv_run(&scene->loop, UV_RUN_DEFAULT) == 0);
    fibers_free(scene->fibers);
    CHECK(uv_loop_close(&scene->loop) == 0);
    scene->fibers = NULL;
}

static void open_scene(struct scene *scene, struct clock *clock, struct entry *entry)
{
    *scene = (struct scene){.cancel_at = NO_WAIT, .entry = entry, .enter = true, .leave = true};
    *clock = clock_system;
    clock->monotonic_us = virtual_us;
    clock->context = scene;
    scene->now_us = 1000000;
    scene->port.kind = &kind;
    scene->port.clock = clock;
    (void)snprintf(scene->port.traits.path, sizeof scene->port.traits.path, "fake");
    memset(&chip, 0, sizeof chip);
    chip.scene = scene;
}

static struct entry *parse(const char *text, const char *power)
{
    struct entry *entry = NULL;
    struct error error = ERROR_NONE;

    if (!CHECK(entry_parse_on(&entry, text, power, &host, &error) == 0))
        (void)fprintf(stderr, "  %s: %s\n", text, error.text);
    return entry;
}

/* --- what the words do --------------------------------------------------------------------------- */

/* d/D: DTR released/asserted, r/R: RTS, b/B: break, +N/-N: GPIO line N on/off, a number: a wait in ms. */
static const struct {
    const char *text, *power, *enter, *leave;
    bool resets;
} entries[] = {
    {.text = "none", .enter = "", .leave = ""},
    {.text = "dtr-rts", .enter = "DR 10 dR 20 ", .leave = "Dr 10 dr ", .resets = true},
    {.text = "dtr-rts-inverted", .enter = "dr 10 Dr 20 ", .leave = "dR 10 DR ", .resets = true},
    {.text = "dtr-rts-reset-inverted", .enter = "dR 10 DR 20 ", .leave = "dr 10 Dr ", .resets = true},
    {.text = "dtr-rts-boot-inverted", .enter = "Dr 10 dr 20 ", .leave = "DR 10 dR ", .resets = true},
    {.text = "rts-dtr", .enter = "DR 10 Dr 20 ", .leave = "dR 10 dr ", .resets = true},
    {.text = "rts-dtr-inverted", .enter = "dr 10 dR 20 ", .leave = "Dr 10 DR ", .resets = true},
    {.text = "rts-dtr-reset-inverted", .enter = "Dr 10 DR 20 ", .leave = "dr 10 dR ", .resets = true},
    {.text = "rts-dtr-boot-inverted", .enter = "dR 10 dr 20 ", .leave = "DR 10 Dr ", .resets = true},
    {.text = "flymcu", .enter = "dR 100 DR 20 ", .leave = "dR 10 dr ", .resets = true},
    {.text = "arduino", .enter = "dr 250 DR 1 dr ", .leave = "dr ", .resets = true},
    {.text = "esp", .enter = "dR 100 Dr 50 dr ", .leave = "dR 100 dr ", .resets = true},
    {.text = "esp-usb-jtag", .enter = "Dr 100 DR dR 100 dr ", .leave = "dR 200 dr 200 ", .resets = true},
    {.text = "lpc-isp", .enter = "DR 100 dR 50 ", .leave = "Dr 100 dr ", .resets = true},
    {.text = "break:500", .enter = "B 500 b ", .leave = "", .resets = true},
    {.text = "wait:60000", .enter = "60000 ", .leave = ""},
    {.text = "reopen", .enter = "reopen 0 within 5000 ", .leave = "", .resets = true},
    {.text = "touch-1200", .enter = "reopen 1200 within 8000 ", .leave = "", .resets = true},
    {.text = "gpio:gpiochip0/7", .enter = "+7 ", .leave = "-7 "},
    {.text = "gpio:gpiochip0/17/low", .enter = "+17 ", .leave = "-17 "},
    {.text = "pulse:gpiochip0/7", .enter = "+7 20 -7 ", .leave = "", .resets = true},
    {.text = "pulse:gpiochip0/17/low/300", .enter = "+17 300 -17 ", .leave = "", .resets = true},
    {.text = "pulse:gpiochip0/7/5", .enter = "+7 5 -7 ", .leave = "", .resets = true},
    {.text = "leave-pulse:gpiochip0/7/5", .enter = "", .leave = "+7 5 -7 "},
    {.text = "power-cycle",
     .power = "gpio:gpiochip0/4",
     .enter = "-4 500 +4 ",
     .leave = "+4 ",
     .resets = true},
    {.text = "power-cycle:70",
     .power = "gpio:gpiochip0/4",
     .enter = "-4 70 +4 ",
     .leave = "+4 ",
     .resets = true},
    /* A list, out in reverse; one line in two steps is requested once. */
    {.text = "leave-pulse:gpiochip0/7, gpio:gpiochip0/8,pulse:gpiochip0/7 , wait:3",
     .enter = "+8 +7 20 -7 3 ",
     .leave = "-8 +7 20 -7 ",
     .resets = true},
    {.text = "dtr-rts,power-cycle:9,break:2,gpio:gpiochip0/5",
     .power = "gpio:gpiochip0/4",
     .enter = "DR 10 dR 20 -4 9 +4 B 2 b +5 ",
     .leave = "-5 +4 Dr 10 dr ",
     .resets = true},
};

#define ENTRIES (sizeof entries / sizeof entries[0])

static void test_words(void)
{
    for (size_t i = 0; i < ENTRIES; i++) {
        struct entry *entry = parse(entries[i].text, entries[i].power ? entries[i].power : "");
        struct clock clock;
        struct scene scene;

        open_scene(&scene, &clock, entry);
        play(&scene);
        CHECK(scene.entered == 0 && scene.left == 0);
        CHECK_TEXT(scene.enter_end, entries[i].enter);
        CHECK_TEXT(scene.trace, entries[i].leave);
        CHECK(entry_resets(entry) == entries[i].resets);
        entry_free(entry);
        CHECK(memchr(chip.taken, 1, sizeof chip.taken) == NULL);
    }
}

/* Every word that help shows is one of those above: a new one comes with its row here. */
static void test_table_is_complete(void)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    int count = 0;

    entry_print_patterns(out);
    (void)fclose(out);
    for (char *save = NULL, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        size_t length = strcspn(line + 2, " :[");
        bool found = strncmp(line + 2, "command", 7) == 0; /* test_command() */

        for (size_t i = 0; i < ENTRIES && !found; i++)
            found =
                strncmp(entries[i].text, line + 2, length) == 0 && strcspn(entries[i].text, ":,") == length;
        if (!CHECK(found))
            (void)fprintf(stderr, "  %s\n", line);
        count++;
    }
    CHECK(count >= 20);
    free(text);
}

/* --- cancellation --------------------------------------------------------------------------------- */

static size_t waits_in(const char *trace)
{
    size_t count = 0;

    for (const char *at = trace; *at; at = strchr(at, ' ') + 1)
        count += *at >= '0' && *at <= '9';
    return count;
}

/* Not the deadlines of a reopening, which this port does not wait for. */
static bool plays_waits(const char *text)
{
    return !strstr(text, "reopen") && !strstr(text, "touch");
}

static void cancel_one(size_t i, int wait, bool leaving)
{
    struct entry *entry = parse(entries[i].text, entries[i].power ? entries[i].power : "");
    struct clock clock;
    struct scene scene;
    const char *said = leaving ? scene.leave_error.text : scene.enter_error.text;

    open_scene(&scene, &clock, entry);
    scene.enter = !leaving;
    scene.cancel_at = wait;
    play_on_fiber(&scene);
    CHECK((leaving ? scene.left : scene.entered) == -ECANCELED);
    CHECK((leaving ? scene.entered : scene.left) == 0);
    CHECK(strstr(said, ": cancelled") && strncmp(said, leaving ? "leaving entry " : "entry ", 6) == 0);
    CHECK(!scene.breaking);
    for (size_t line = 0; line < 32; line++)
        CHECK(chip.on[line] == (line == 4 && chip.taken[4])); /* line 4 is the power */
    if (!leaving) {                                           /* the way out is the same as always */
        CHECK_TEXT(scene.trace, entries[i].leave);
        CHECK(scene.waits == wait + 1 + (int)waits_in(entries[i].leave));
    } else { /* … and the wait that was cut off is slept again */
        CHECK(scene.waits == (int)waits_in(entries[i].leave) + 1);
        CHECK(strlen(scene.trace) > strlen(entries[i].leave));
    }
    entry_free(entry);
}

static void test_cancel_everywhere(void)
{
    size_t cancelled = 0;

    for (size_t i = 0; i < ENTRIES; i++) {
        if (!plays_waits(entries[i].text))
            continue;
        for (size_t wait = 0; wait < waits_in(entries[i].enter); wait++, cancelled++)
            cancel_one(i, (int)wait, false);
        for (size_t wait = 0; wait < waits_in(entries[i].leave); wait++, cancelled++)
            cancel_one(i, (int)wait, true);
    }
    CHECK(cancelled > 50);
}

/* --- failures ------------------------------------------------------------------------------------- */

/* The port vanishes at every call in turn: the error is told, and the rest of the way out is tried. */
static void test_port_gone(void)
{
    struct entry *entry = parse("gpio:gpiochip0/5,dtr-rts", "");
    struct clock clock;
    struct scene scene;

    open_scene(&scene, &clock, entry);
    scene.modem_errors = 2;
    play(&scene);
    CHECK(scene.entered == -ENODEV && scene.left == -ENODEV);
    CHECK_TEXT(scene.enter_error.text, "entry dtr-rts: the port is gone");
    CHECK_TEXT(scene.leave_error.text, "leaving entry dtr-rts: the port is gone");
    CHECK_TEXT(scene.enter_end, "+5 DR 10 ");
    CHECK_TEXT(scene.trace, "-5 ");
    entry_free(entry);
}

/* One call fails, and the port is there: lines are let go of all the same. */
static void test_refused_once(void)
{
    struct entry *entry = parse("dtr-rts", "");
    struct clock clock;
    struct scene scene;

    open_scene(&scene, &clock, entry);
    scene.modem_refusal = 3;
    play(&scene);
    CHECK(scene.entered == 0 && scene.left == -EINVAL);
    CHECK_TEXT(scene.leave_error.text, "leaving entry dtr-rts: refused");
    CHECK_TEXT(scene.trace, "dr ");
    entry_free(entry);
}

static void test_break_that_fails(void)
{
    struct entry *entry = parse("break:5", "");
    struct clock clock;
    struct scene scene;

    open_scene(&scene, &clock, entry);
    scene.break_fails = true;
    play(&scene);
    CHECK(scene.entered == -ETIMEDOUT);
    CHECK_TEXT(scene.enter_error.text, "entry break:5: no answer");
    CHECK_TEXT(scene.enter_end, "B b ");
    entry_free(entry);
}

static void test_no_such_lines(void)
{
    static const struct port_kind bare = {.scheme = "bare", .sleep = note_sleep};
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        {"dtr-rts", "entry dtr-rts: fake has no modem lines (DTR, RTS)"},
        {"break:5", "entry break:5: fake cannot send a break"},
        {"touch-1200", "entry touch-1200: fake cannot be closed and opened again"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct entry *entry = parse(cases[i].text, "");
        struct clock clock;
        struct scene scene;

        open_scene(&scene, &clock, entry);
        scene.port.kind = &bare;
        play(&scene);
        CHECK(scene.entered == -ENOTSUP);
        CHECK_TEXT(scene.enter_error.text, cases[i].sentence);
        entry_free(entry);
    }
}

static void test_switch_fails(void)
{
    static const struct {
        const char *text, *sentence;
        int code;
    } cases[] = {
        {"gpio:gpiochip0/5",
         "entry gpio:gpiochip0/5: gpio:gpiochip0/5: /dev/gpiochip0 cannot be switched: Device or resource "
         "busy",
         -EREMOTEIO},
        {"power-cycle",
         "entry power-cycle: gpio:gpiochip0/4: /dev/gpiochip0 cannot be switched: Device or resource busy",
         FAILURE_CODE(FAILURE_POWER)},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct entry *entry = parse(cases[i].text, "gpio:gpiochip0/4");
        struct clock clock;
        struct scene scene;

        open_scene(&scene, &clock, entry);
        chip.fail = EBUSY;
        play(&scene);
        CHECK(scene.entered == cases[i].code && scene.left == cases[i].code);
        CHECK_TEXT(scene.enter_error.text, cases[i].sentence);
        CHECK_TEXT(scene.trace, "");
        entry_free(entry);
    }
}

/* --- a command ------------------------------------------------------------------------------------ */

static void test_command(void)
{
    char folder[] = "/tmp/flashfarm-entry-XXXXXX", program[64], journal[64], text[160], line[64] = "";
    struct clock clock;
    struct scene scene;
    struct entry *entry;
    FILE *file;

    CHECK(mkdtemp(folder) != NULL);
    (void)snprintf(program, sizeof program, "%s/to-boot", folder);
    (void)snprintf(journal, sizeof journal, "%s/journal", folder);
    file = fopen(program, "w");
    (void)fprintf(file, "#!/bin/sh\necho $# $1 $2 >>%s\n", journal);
    (void)fclose(file);
    CHECK(chmod(program, 0700) == 0);
    (void)snprintf(text, sizeof text, "command:%s  A1", program);
    entry = parse(text, "");
    CHECK(entry_resets(entry));
    open_scene(&scene, &clock, entry);
    play(&scene);
    CHECK(scene.entered == 0 && scene.left == 0);
    file = fopen(journal, "r");
    CHECK(file && fgets(line, sizeof line, file));
    CHECK_TEXT(line, "2 A1 enter\n");
    CHECK(file && fgets(line, sizeof line, file));
    CHECK_TEXT(line, "2 A1 leave\n");
    CHECK(file && !fgets(line, sizeof line, file));
    (void)(file && fclose(file));
    entry_free(entry);
    CHECK(unlink(program) == 0 && unlink(journal) == 0 && rmdir(folder) == 0);
}

/* --- what the configuration may say ------------------------------------------------------------------ */

#define WORDS                                                                                                \
    "none, dtr-rts, rts-dtr, flymcu, arduino, esp, esp-usb-jtag, lpc-isp, break:, wait:, reopen, "           \
    "touch-1200, gpio:, pulse:, leave-pulse:, power-cycle:, command:"
#define SWITCHES "expected gpio:CHIP/LINE[/low], usb-hub:HUB/PORT or command:/PROGRAM ARGUMENTS"
#define NO_POWER "there is no power to switch: expected a line \"power = …\""

static const struct {
    const char *text, *power, *sentence;
} refusals[] = {
    {"", "", "\"\": expected " WORDS},
    {"dtr", "", "\"dtr\": expected " WORDS},
    {"dtr-rts-", "", "\"dtr-rts-\": expected " WORDS},
    {"dtr-rts,,wait:5", "", "\"\": expected " WORDS},
    {"dtr-rts, boot", "", "\"boot\": expected " WORDS},
    {"reopen:5", "", "\"reopen:5\": expected reopen alone"},
    {"none:", "", "\"none:\": expected none alone"},
    {"break", "", "\"break\": expected break:MS, MS from 1 to 5000"},
    {"break:", "", "\"break:\": expected break:MS, MS from 1 to 5000"},
    {"break:0", "", "\"break:0\": expected break:MS, MS from 1 to 5000"},
    {"break:5001", "", "\"break:5001\": expected break:MS, MS from 1 to 5000"},
    {"break:50ms", "", "\"break:50ms\": expected break:MS, MS from 1 to 5000"},
    {"wait:-1", "", "\"wait:-1\": expected wait:MS, MS from 1 to 60000"},
    {"wait:4294967297", "", "\"wait:4294967297\": expected wait:MS, MS from 1 to 60000"},
    {"gpio", "", "\"gpio\": expected gpio:CHIP/LINE[/low]"},
    {"gpio:", "", "\"gpio:\": expected gpio:CHIP/LINE[/low]"},
    {"gpio:gpiochip0", "", "\"gpio:gpiochip0\": expected gpio:CHIP/LINE[/low]"},
    {"gpio:gpiochip0/x", "", "\"gpio:gpiochip0/x\": expected gpio:CHIP/LINE[/low]"},
    {"gpio:gpiochip0/4/high", "", "\"gpio:gpiochip0/4/high\": expected gpio:CHIP/LINE[/low]"},
    {"pulse:gpiochip0/4/0", "",
     "\"pulse:gpiochip0/4/0\": expected pulse:CHIP/LINE[/low][/MS], MS from 1 to 10000"},
    {"pulse:4", "", "\"pulse:4\": expected pulse:CHIP/LINE[/low][/MS], MS from 1 to 10000"},
    {"leave-pulse:c/4/low/x", "",
     "\"leave-pulse:c/4/low/x\": expected leave-pulse:CHIP/LINE[/low][/MS], MS from 1 to 10000"},
    {"command:", "", "\"command:\": expected command:/PROGRAM ARGUMENTS"},
    {"command:to-boot A1", "", "\"command:to-boot A1\": expected command:/PROGRAM ARGUMENTS"},
    {"wait:1,wait:1,wait:1,wait:1,wait:1,wait:1,wait:1,wait:1,wait:2", "",
     "\"wait:2\": expected at most 8 steps"},
    {"power-cycle:x", "", "\"power-cycle:x\": expected power-cycle[:MS], MS from 1 to 60000"},
    {"power-cycle", "", "\"power-cycle\": " NO_POWER},
    {"dtr-rts,power-cycle:5", "", "\"power-cycle:5\": " NO_POWER},
    {"none", "on", "\"on\": " SWITCHES},
    {"none", "gpio:gpiochip0/4096", "\"gpio:gpiochip0/4096\": " SWITCHES},
    {"power-cycle", "usb-hub:1-1.4", "\"usb-hub:1-1.4\": " SWITCHES},
};

static void test_refusals(void)
{
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        struct entry *entry = NULL;
        struct error error = ERROR_NONE;

        CHECK(entry_parse(&entry, refusals[i].text, refusals[i].power, &error) == -EINVAL);
        CHECK(entry == NULL);
        CHECK_TEXT(error.text, refusals[i].sentence);
    }
}

/* The configuration's lines are judged one by one before both are known. */
static void test_power_not_known_yet(void)
{
    struct entry *entry = parse("power-cycle", NULL);
    struct clock clock;
    struct scene scene;

    open_scene(&scene, &clock, entry);
    play(&scene);
    CHECK(scene.entered == FAILURE_CODE(FAILURE_POWER) && scene.left == 0);
    CHECK_TEXT(scene.enter_error.text, "entry power-cycle: there is no power to switch");
    entry_free(entry);
    entry_free(NULL);
    entry_free(parse("none", "usb-hub:1-1.4/3"));
    entry_free(parse("none", "command:/usr/local/bin/power A1"));
}

static const struct test tests[] = {
    {"what the words do", test_words},
    {"every word has its row", test_table_is_complete},
    {"cancelled at every wait", test_cancel_everywhere},
    {"the port is gone", test_port_gone},
    {"refused once", test_refused_once},
    {"a break that fails", test_break_that_fails},
    {"no such lines", test_no_such_lines},
    {"a switch that fails", test_switch_fails},
    {"a command", test_command},
    {"refusals", test_refusals},
    {"power not known yet", test_power_not_known_yet},
};
TEST_MAIN(tests)
