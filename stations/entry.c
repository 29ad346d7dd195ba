/* SPDX-License-Identifier: Apache-2.0 */
/* Ways into a bootloader, as data: a table of words with their modem line patterns, and the few functions
 * that play them. */
#include "entry.h"

#include "alloc.h"
#include "failure.h"
#include "protocol.h"
#include "switch.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY_STEPS   8u
#define PATTERN_STEPS 4u

/* A command that takes longer hangs. */
#define COMMAND_US (10 * (int64_t)1000000)
/* A USB device is back two or three seconds after it vanished; the slow ones take five (port_reopen). */
#define REOPEN_US       (5 * (int64_t)1000000)
#define REOPEN_TOUCH_US (8 * (int64_t)1000000)

/* --- the words ----------------------------------------------------------------------------- */

enum step_kind {
    STEP_NOTHING,
    STEP_LINES,
    STEP_BREAK,
    STEP_WAIT,
    STEP_REOPEN,
    STEP_HOLD,        /* a switch is on from entering to leaving */
    STEP_PULSE,       /* … or only for a moment */
    STEP_LEAVE_PULSE, /* … while leaving */
    STEP_POWER_CYCLE,
};

/* What comes after the word and a colon. */
enum argument { ARGUMENT_NONE, ARGUMENT_MS, ARGUMENT_GPIO, ARGUMENT_GPIO_MS, ARGUMENT_COMMAND };

struct lines {
    bool dtr, rts;
    uint32_t wait_ms;
};

struct pattern {
    size_t enter_count, leave_count;
    struct lines enter[PATTERN_STEPS], leave[PATTERN_STEPS];
};

struct word {
    const char *name, *syntax, *summary;
    enum step_kind kind;
    enum argument argument;
    bool argument_optional;
    bool variant; /* of the word above it: not in the short list of an error */
    bool resets;
    uint32_t least_ms, most_ms, usual_ms;
    uint32_t touch_baud;
    const struct pattern *pattern;
    bool swapped, dtr_inverted, rts_inverted; /* how the pattern's lines reach the port's; swapped last */
};

/* DTR drives the reset pin and RTS the boot pin, asserted = active, as download cables for STM32 boards are
 * wired. The waits are the cable's: RC of the reset line and the start-up of the chip's oscillator. */
static const struct pattern reset_with_boot = {
    .enter_count = 2,
    .enter = {{.dtr = true, .rts = true, .wait_ms = 10}, {.dtr = false, .rts = true, .wait_ms = 20}},
    .leave_count = 2,
    .leave = {{.dtr = true, .rts = false, .wait_ms = 10}, {.dtr = false, .rts = false}},
};

/* FlyMCU's choice "DTR low resets, RTS high goes into the bootloader", and the one-button-less circuit of
 * ALIENTEK's STM32 boards behind a CH340, which is drawn for it: high and low are RS-232's, so low is a
 * released line. RTS asserted while DTR is released pulls reset low and BOOT0 high; DTR asserted as well
 * lets go of reset alone. On the way out both go at once, where BOOT0 falls faster than the reset line's RC
 * rises, so that the application starts. FlyMCU waits 100 ms in reset. */
static const struct pattern flymcu = {
    .enter_count = 2,
    .enter = {{.dtr = false, .rts = true, .wait_ms = 100}, {.dtr = true, .rts = true, .wait_ms = 20}},
    .leave_count = 2,
    .leave = {{.dtr = false, .rts = true, .wait_ms = 10}, {.dtr = false, .rts = false}},
};

/* A capacitor of 100 nF between DTR (on some boards RTS) and reset makes a short low pulse of the asserting
 * edge, and must be discharged before the next: 250 ms as avrdude's programmer `arduino` waits, for optiboot
 * misses the second of two resets in quick succession. Releasing the lines at once keeps the spike at reset
 * small, and works for boards that have no capacitor; 100 µs are enough, a millisecond is what USB makes of
 * them. No wait after it: the loader listens for a second at most, and the protocol asks until it answers. */
static const struct pattern capacitor_edge = {
    .enter_count = 3,
    .enter = {{.dtr = false, .rts = false, .wait_ms = 250},
              {.dtr = true, .rts = true, .wait_ms = 1},
              {.dtr = false, .rts = false}},
    .leave_count = 1,
    .leave = {{.dtr = false, .rts = false}},
};

/* Two transistors, cross-coupled: DTR alone pulls IO0, RTS alone pulls EN, both together neither (the circuit
 * in the esptool documentation, "boot mode selection", and its default reset there). EN has an RC of 10 ms.
 */
static const struct pattern esp_transistors = {
    .enter_count = 3,
    .enter = {{.dtr = false, .rts = true, .wait_ms = 100},
              {.dtr = true, .rts = false, .wait_ms = 50},
              {.dtr = false, .rts = false}},
    .leave_count = 2,
    .leave = {{.dtr = false, .rts = true, .wait_ms = 100}, {.dtr = false, .rts = false}},
};

/* The USB-JTAG peripheral of an ESP32-C3 and later reads the same two lines itself, remembers IO0 from before
 * the reset, and must not see both released on the way there (esptool's reset for this peripheral). It drops
 * off the bus in a reset, hence the pause on the way out. */
static const struct pattern esp_usb_jtag = {
    .enter_count = 4,
    .enter = {{.dtr = true, .rts = false, .wait_ms = 100},
              {.dtr = true, .rts = true},
              {.dtr = false, .rts = true, .wait_ms = 100},
              {.dtr = false, .rts = false}},
    .leave_count = 2,
    .leave = {{.dtr = false, .rts = true, .wait_ms = 200}, {.dtr = false, .rts = false, .wait_ms = 200}},
};

/* DTR drives reset and RTS the ISP pin, as lpc21isp -control and Flash Magic expect. The ISP pin stays low
 * until the end: a supervisor chip may hold reset for half a second longer than we do, and only the
 * protocol's own patience can tell. */
static const struct pattern lpc_isp = {
    .enter_count = 2,
    .enter = {{.dtr = true, .rts = true, .wait_ms = 100}, {.dtr = false, .rts = true, .wait_ms = 50}},
    .leave_count = 2,
    .leave = {{.dtr = true, .rts = false, .wait_ms = 100}, {.dtr = false, .rts = false}},
};

static const struct word words[] = {
    /* A board in a fixture with its boot pin strapped, or one that somebody resets by hand. */
    {.name = "none", .summary = "the board is in its bootloader already"},
    {.name = "dtr-rts",
     .summary = "DTR resets the board while RTS holds its boot pin",
     .kind = STEP_LINES,
     .resets = true,
     .pattern = &reset_with_boot},
    {.name = "dtr-rts-inverted",
     .summary = "the same, both active while released",
     .kind = STEP_LINES,
     .variant = true,
     .resets = true,
     .pattern = &reset_with_boot,
     .dtr_inverted = true,
     .rts_inverted = true},
    {.name = "dtr-rts-reset-inverted",
     .summary = "the same, reset active while DTR is released",
     .kind = STEP_LINES,
     .variant = true,
     .resets = true,
     .pattern = &reset_with_boot,
     .dtr_inverted = true},
    /* What plain wires from a TTL adapter make: its pins are low while a line is asserted, reset is active
     * low and BOOT0 active high. */
    {.name = "dtr-rts-boot-inverted",
     .summary = "the same, boot pin active while RTS is released (plain wires)",
     .kind = STEP_LINES,
     .variant = true,
     .resets = true,
     .pattern = &reset_with_boot,
     .rts_inverted = true},
    {.name = "rts-dtr",
     .summary = "RTS resets the board while DTR holds its boot pin",
     .kind = STEP_LINES,
     .resets = true,
     .pattern = &reset_with_boot,
     .swapped = true},
    {.name = "rts-dtr-inverted",
     .summary = "the same, both active while released",
     .kind = STEP_LINES,
     .variant = true,
     .resets = true,
     .pattern = &reset_with_boot,
     .swapped = true,
     .dtr_inverted = true,
     .rts_inverted = true},
    {.name = "rts-dtr-reset-inverted",
     .summary = "the same, reset active while RTS is released",
     .kind = STEP_LINES,
     .variant = true,
     .resets = true,
     .pattern = &reset_with_boot,
     .swapped = true,
     .dtr_inverted = true},
    {.name = "rts-dtr-boot-inverted",
     .summary = "the same, boot pin active while DTR is released (plain wires)",
     .kind = STEP_LINES,
     .variant = true,
     .resets = true,
     .pattern = &reset_with_boot,
     .swapped = true,
     .rts_inverted = true},
    {.name = "flymcu",
     .summary = "STM32 boards with FlyMCU's circuit (DTR low resets, RTS high into the bootloader)",
     .kind = STEP_LINES,
     .resets = true,
     .pattern = &flymcu},
    {.name = "arduino",
     .summary = "the edge of DTR or RTS resets the board",
     .kind = STEP_LINES,
     .resets = true,
     .pattern = &capacitor_edge},
    {.name = "esp",
     .summary = "ESP boards with the auto-reset circuit (DTR: IO0, RTS: EN)",
     .kind = STEP_LINES,
     .resets = true,
     .pattern = &esp_transistors},
    {.name = "esp-usb-jtag",
     .summary = "ESP32-C3 and later on their own USB-JTAG port",
     .kind = STEP_LINES,
     .resets = true,
     .pattern = &esp_usb_jtag},
    {.name = "lpc-isp",
     .summary = "DTR resets an LPC while RTS holds its ISP pin",
     .kind = STEP_LINES,
     .resets = true,
     .pattern = &lpc_isp},
    /* Break detect resets P89LPC9xx and what follows NXP's note on networked ISP, which asks for 0.5 s. */
    {.name = "break",
     .syntax = ":MS",
     .summary = "a break of so many milliseconds",
     .kind = STEP_BREAK,
     .argument = ARGUMENT_MS,
     .resets = true,
     .least_ms = 1,
     .most_ms = 5000},
    {.name = "wait",
     .syntax = ":MS",
     .summary = "a pause of so many milliseconds",
     .kind = STEP_WAIT,
     .argument = ARGUMENT_MS,
     .least_ms = 1,
     .most_ms = 60000},
    {.name = "reopen",
     .summary = "the port is closed and opened again, which resets the board",
     .kind = STEP_REOPEN,
     .resets = true},
    {.name = "touch-1200",
     .summary = "the port is closed at 1200 baud, which sends an AVR 32U4 into its bootloader",
     .kind = STEP_REOPEN,
     .resets = true,
     .touch_baud = 1200},
    {.name = "gpio",
     .syntax = ":CHIP/LINE[/low]",
     .summary = "a GPIO line is held active until the end",
     .kind = STEP_HOLD,
     .argument = ARGUMENT_GPIO},
    {.name = "pulse",
     .syntax = ":CHIP/LINE[/low][/MS]",
     .summary = "a GPIO line, on the reset pin say, is active for so many milliseconds (20)",
     .kind = STEP_PULSE,
     .argument = ARGUMENT_GPIO_MS,
     .resets = true,
     .least_ms = 1,
     .most_ms = 10000,
     .usual_ms = 20},
    {.name = "leave-pulse",
     .syntax = ":CHIP/LINE[/low][/MS]",
     .summary = "the same, at the end",
     .kind = STEP_LEAVE_PULSE,
     .argument = ARGUMENT_GPIO_MS,
     .least_ms = 1,
     .most_ms = 10000,
     .usual_ms = 20},
    /* Half a second empties what a small board has in its capacitors. */
    {.name = "power-cycle",
     .syntax = "[:MS]",
     .summary = "the board's power is off for so many milliseconds (500)",
     .kind = STEP_POWER_CYCLE,
     .argument = ARGUMENT_MS,
     .argument_optional = true,
     .resets = true,
     .least_ms = 1,
     .most_ms = 60000,
     .usual_ms = 500},
    {.name = "command",
     .syntax = ":/PROGRAM ARGUMENTS",
     .summary = "a program is run with \"enter\", at the end with \"leave\"",
     .kind = STEP_HOLD,
     .argument = ARGUMENT_COMMAND,
     .resets = true},
};

#define WORD_COUNT (sizeof words / sizeof words[0])

void entry_print_patterns(FILE *out)
{
    for (size_t i = 0; i < WORD_COUNT; i++) {
        char text[48];

        (void)snprintf(text, sizeof text, "%s%s", words[i].name, words[i].syntax ? words[i].syntax : "");
        (void)fprintf(out, "  %-32s %s\n", text, words[i].summary);
    }
}

/* --- reading the configuration ------------------------------------------------------------- */

struct step {
    const struct word *word;
    char *text; /* as it was written */
    uint32_t duration_ms;
    struct fixture_switch *target;
};

struct entry {
    struct step steps[ENTRY_STEPS];
    size_t count;
    struct fixture_switch *switches[ENTRY_STEPS + 1]; /* each once: two steps may share a line */
    size_t switch_count;
    struct fixture_switch *power;
};

static int say_unknown(const char *text, struct error *error)
{
    char known[280] = "";

    for (size_t i = 0; i < WORD_COUNT; i++) {
        size_t used = strlen(known);

        if (!words[i].variant)
            (void)snprintf(known + used, sizeof known - used, "%s%s%s", used ? ", " : "", words[i].name,
                           words[i].argument == ARGUMENT_NONE ? "" : ":");
    }
    return error_set(error, -EINVAL, "\"%s\": expected %s", text, known);
}

static int say_form(const struct word *word, const char *text, struct error *error)
{
    if (word->argument == ARGUMENT_NONE)
        return error_set(error, -EINVAL, "\"%s\": expected %s alone", text, word->name);
    if (word->most_ms == 0)
        return error_set(error, -EINVAL, "\"%s\": expected %s%s", text, word->name, word->syntax);
    return error_set(error, -EINVAL, "\"%s\": expected %s%s, MS from %" PRIu32 " to %" PRIu32, text,
                     word->name, word->syntax, word->least_ms, word->most_ms);
}

/* Digits only, in the word's range; 0 when it is not. */
static uint32_t read_ms(const struct word *word, const char *text)
{
    unsigned long value;

    if (text[0] == '\0' || strlen(text) > 6 || text[strspn(text, "0123456789")] != '\0')
        return 0;
    value = strtoul(text, NULL, 10);
    return value >= word->least_ms && value <= word->most_ms ? (uint32_t)value : 0;
}

/* One switch for all who name the same line: a second request of it would fail. */
static int find_switch(struct entry *entry, struct fixture_switch **found, const char *text,
                       enum switch_words words_of, const struct switch_host *host, struct error *error)
{
    int status;

    for (size_t i = 0; i < entry->switch_count; i++)
        if (strcmp(switch_text(entry->switches[i]), text) == 0 && strncmp(text, "gpio:", 5) == 0) {
            *found = entry->switches[i];
            return 0;
        }
    status = switch_parse(found, text, words_of, host, error);
    if (status == 0)
        entry->switches[entry->switch_count++] = *found;
    return status;
}

static int read_switch(struct entry *entry, struct step *step, const char *scheme, const char *rest,
                       const struct switch_host *host, struct error *error)
{
    char *text = format_text("%s:%s", scheme, rest);
    int status = find_switch(entry, &step->target, text, SWITCH_ENTER_LEAVE, host, error);

    free(text);
    return status < 0 ? say_form(step->word, step->text, error) : 0;
}

/* CHIP/LINE[/low][/MS]: the last part is a duration when it is a number and not the line's. */
static int read_pulse(struct entry *entry, struct step *step, const char *rest,
                      const struct switch_host *host, struct error *error)
{
    char *line = copy_text(rest);
    char *last = strrchr(line, '/');
    int status = 0;

    step->duration_ms = step->word->usual_ms;
    if (last && strchr(line, '/') != last && isdigit((unsigned char)last[1])) {
        *last = '\0';
        step->duration_ms = read_ms(step->word, last + 1);
    }
    if (step->duration_ms == 0)
        status = say_form(step->word, step->text, error);
    else
        status = read_switch(entry, step, "gpio", line, host, error);
    free(line);
    return status;
}

static int read_duration(struct step *step, const char *rest, struct error *error)
{
    step->duration_ms = rest ? read_ms(step->word, rest) : step->word->usual_ms;
    return step->duration_ms == 0 ? say_form(step->word, step->text, error) : 0;
}

/* `rest` is what follows the colon; NULL: there was none. */
static int read_argument(struct entry *entry, struct step *step, const char *rest,
                         const struct switch_host *host, struct error *error)
{
    if ((step->word->argument == ARGUMENT_NONE) != !rest && !step->word->argument_optional)
        return say_form(step->word, step->text, error);
    switch (step->word->argument) {
    case ARGUMENT_NONE:
        return 0;
    case ARGUMENT_MS:
        return read_duration(step, rest, error);
    case ARGUMENT_GPIO:
        return read_switch(entry, step, "gpio", rest, host, error);
    case ARGUMENT_GPIO_MS:
        return read_pulse(entry, step, rest, host, error);
    case ARGUMENT_COMMAND:
        return read_switch(entry, step, "command", rest, host, error);
    }
    return 0;
}

static const struct word *find_word(const char *text, size_t length)
{
    for (size_t i = 0; i < WORD_COUNT; i++)
        if (strlen(words[i].name) == length && memcmp(words[i].name, text, length) == 0)
            return &words[i];
    return NULL;
}

static int read_step(struct entry *entry, const char *text, const struct switch_host *host,
                     struct error *error)
{
    size_t length = strcspn(text, ":");
    const struct word *word = find_word(text, length);
    struct step *step = &entry->steps[entry->count];

    if (!word)
        return say_unknown(text, error);
    if (entry->count == ENTRY_STEPS)
        return error_set(error, -EINVAL, "\"%s\": expected at most %u steps", text, ENTRY_STEPS);
    entry->count++;
    step->word = word;
    step->text = copy_text(text);
    return read_argument(entry, step, text[length] ? text + length + 1 : NULL, host, error);
}

/* Cuts the blanks at both ends of what lies between two commas. */
static char *trim(char *text)
{
    size_t size;

    text += strspn(text, " \t");
    for (size = strlen(text); size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\t'); size--)
        text[size - 1] = '\0';
    return text;
}

static int read_steps(struct entry *entry, const char *text, const struct switch_host *host,
                      struct error *error)
{
    char *copy = copy_text(text), *next = copy;
    int status = 0;

    while (next && status == 0) {
        char *one = next, *comma = strchr(one, ',');

        next = comma ? comma + 1 : NULL;
        if (comma)
            *comma = '\0';
        status = read_step(entry, trim(one), host, error);
    }
    free(copy);
    return status;
}

static int read_power(struct entry *entry, const char *power, const struct switch_host *host,
                      struct error *error)
{
    if (power && power[0])
        return find_switch(entry, &entry->power, power, SWITCH_ON_OFF, host, error);
    for (size_t i = 0; power && i < entry->count; i++)
        if (entry->steps[i].word->kind == STEP_POWER_CYCLE)
            return error_set(error, -EINVAL,
                             "\"%s\": there is no power to switch: expected a line \"power = …\"",
                             entry->steps[i].text);
    return 0;
}

int entry_parse_on(struct entry **entry, const char *text, const char *power, const struct switch_host *host,
                   struct error *error)
{
    struct entry *parsed = allocate(1, sizeof *parsed);
    int status = read_steps(parsed, text, host, error);

    if (status == 0)
        status = read_power(parsed, power, host, error);
    if (status < 0)
        entry_free(parsed);
    else
        *entry = parsed;
    return status;
}

int entry_parse(struct entry **entry, const char *text, const char *power, struct error *error)
{
    return entry_parse_on(entry, text, power, &switch_host_this, error);
}

void entry_free(struct entry *entry)
{
    if (!entry)
        return;
    for (size_t i = 0; i < entry->switch_count; i++)
        switch_free(entry->switches[i]);
    for (size_t i = 0; i < entry->count; i++)
        free(entry->steps[i].text);
    free(entry);
}

bool entry_resets(const struct entry *entry)
{
    for (size_t i = 0; i < entry->count; i++)
        if (entry->steps[i].word->resets)
            return true;
    return false;
}

/* --- playing ------------------------------------------------------------------------------- */

static int wait_ms(struct session *session, uint32_t duration_ms, struct error *error)
{
    int status = duration_ms > 0 ? port_sleep(session->port, (int64_t)duration_ms * 1000) : 0;

    return status < 0 ? error_set(error, status, status == -ECANCELED ? "cancelled" : "the wait failed") : 0;
}

/* To the end even when it is cancelled, which is said then: the way out is not cut short. A cancellation
 * comes once, so the second sleep lasts. */
static int wait_through_ms(struct session *session, uint32_t duration_ms, struct error *error)
{
    int64_t until_us = port_now_us(session->port) + (int64_t)duration_ms * 1000;
    int status = wait_ms(session, duration_ms, error);

    if (status == -ECANCELED && until_us > port_now_us(session->port))
        (void)port_sleep(session->port, until_us - port_now_us(session->port));
    return status;
}

static int set_lines(struct session *session, const struct word *word, struct lines lines,
                     struct error *error)
{
    bool first = lines.dtr != word->dtr_inverted, second = lines.rts != word->rts_inverted;

    return port_set_modem(session->port, word->swapped ? second : first, word->swapped ? first : second,
                          error);
}

static int enter_lines(struct session *session, const struct word *word, struct error *error)
{
    int status = 0;

    for (size_t i = 0; i < word->pattern->enter_count && status == 0; i++) {
        status = set_lines(session, word, word->pattern->enter[i], error);
        if (status == 0)
            status = wait_ms(session, word->pattern->enter[i].wait_ms, error);
    }
    return status;
}

/* The next step has no lines either. */
static bool lines_are_lost(int status)
{
    return status == -ENOTSUP || status == -ENODEV || status == -ETIMEDOUT;
}

static int leave_lines(struct session *session, const struct word *word, struct error *error)
{
    int first_status = 0;

    for (size_t i = 0; i < word->pattern->leave_count; i++) {
        struct error ignored;
        int status = set_lines(session, word, word->pattern->leave[i], first_status ? &ignored : error);

        if (lines_are_lost(status))
            return first_status ? first_status : status;
        if (status == 0)
            status =
                wait_through_ms(session, word->pattern->leave[i].wait_ms, first_status ? &ignored : error);
        first_status = first_status ? first_status : status;
    }
    return first_status;
}

static int send_break(struct session *session, uint32_t duration_ms, struct error *error)
{
    struct error late = ERROR_NONE;
    int status = port_set_break(session->port, true, error), end;

    if (status == -ENOTSUP)
        return status;
    if (status == 0)
        status = wait_ms(session, duration_ms, error);
    end = port_set_break(session->port, false, &late); /* one that failed may have begun */
    if (status == 0 && end < 0)
        *error = late;
    return status < 0 ? status : end;
}

static int reopen(struct session *session, uint32_t touch_baud, struct error *error)
{
    int64_t deadline_us = session_deadline(session, touch_baud ? REOPEN_TOUCH_US : REOPEN_US);

    return port_reopen(session->port, touch_baud, deadline_us, error);
}

/* A command may not outlast the run, except on the way out. */
static struct switch_call call_for(const struct session *session, bool leaving)
{
    int64_t left_us = session_deadline(session, COMMAND_US) - port_now_us(session->port);

    return (struct switch_call){
        .fibers = session->port->fibers, .timeout_us = leaving ? COMMAND_US : left_us, .finish = leaving};
}

/* On for a while, or off for a while; and back in any case. */
static int set_for_a_while(struct session *session, struct fixture_switch *target, bool on,
                           uint32_t duration_ms, bool leaving, struct error *error)
{
    struct switch_call there = call_for(session, leaving), back = call_for(session, true);
    struct error late = ERROR_NONE;
    int status = switch_set(target, on, &there, error), end;

    if (status == 0)
        status =
            leaving ? wait_through_ms(session, duration_ms, error) : wait_ms(session, duration_ms, error);
    end = switch_set(target, !on, &back, &late);
    if (status == 0 && end < 0)
        *error = late;
    return status < 0 ? status : end;
}

static int power_result(int status, struct error *error)
{
    return status == -EREMOTEIO ? error_reclass(error, FAILURE_CODE(FAILURE_POWER)) : status;
}

static int cycle_power(struct session *session, uint32_t off_ms, struct error *error)
{
    struct fixture_switch *power = session->entry->power;

    if (!power)
        return error_set(error, FAILURE_CODE(FAILURE_POWER), "there is no power to switch");
    return power_result(set_for_a_while(session, power, false, off_ms, false, error), error);
}

/* A cycle that was cut off, by a command that was killed say, must not leave the board dark. */
static int ensure_power(struct session *session, struct error *error)
{
    const struct switch_call call = call_for(session, true);
    struct fixture_switch *power = session->entry->power;

    return power ? power_result(switch_set(power, true, &call, error), error) : 0;
}

static int enter_step(struct session *session, const struct step *step, struct error *error)
{
    const struct switch_call call = call_for(session, false);

    switch (step->word->kind) {
    case STEP_NOTHING:
    case STEP_LEAVE_PULSE:
        return 0;
    case STEP_LINES:
        return enter_lines(session, step->word, error);
    case STEP_BREAK:
        return send_break(session, step->duration_ms, error);
    case STEP_WAIT:
        return wait_ms(session, step->duration_ms, error);
    case STEP_REOPEN:
        return reopen(session, step->word->touch_baud, error);
    case STEP_HOLD:
        return switch_set(step->target, true, &call, error);
    case STEP_PULSE:
        return set_for_a_while(session, step->target, true, step->duration_ms, false, error);
    case STEP_POWER_CYCLE:
        return cycle_power(session, step->duration_ms, error);
    }
    return 0;
}

static int leave_step(struct session *session, const struct step *step, struct error *error)
{
    const struct switch_call call = call_for(session, true);

    switch (step->word->kind) {
    case STEP_NOTHING:
    case STEP_BREAK:
    case STEP_WAIT:
    case STEP_REOPEN:
    case STEP_PULSE:
        return 0;
    case STEP_LINES:
        return leave_lines(session, step->word, error);
    case STEP_HOLD:
        return switch_set(step->target, false, &call, error);
    case STEP_LEAVE_PULSE:
        return set_for_a_while(session, step->target, true, step->duration_ms, true, error);
    case STEP_POWER_CYCLE:
        return ensure_power(session, error);
    }
    return 0;
}

int entry_enter(struct session *session, struct error *error)
{
    const struct entry *entry = session->entry;

    for (size_t i = 0; i < entry->count; i++)
        if (enter_step(session, &entry->steps[i], error) < 0)
            return error_prefix(error, "entry %s", entry->steps[i].text);
    return 0;
}

int entry_leave(struct session *session, struct error *error)
{
    const struct entry *entry = session->entry;
    int first_status = 0;

    for (size_t i = entry->count; i-- > 0;) {
        struct error found = ERROR_NONE;
        int status = leave_step(session, &entry->steps[i], &found);

        if (status < 0 && first_status == 0) {
            first_status = status;
            *error = found;
            (void)error_prefix(error, "leaving entry %s", entry->steps[i].text);
        }
    }
    return first_status;
}
