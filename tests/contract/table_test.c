/* SPDX-License-Identifier: Apache-2.0 */
/* What every row of the protocol table owes the procedure, whatever it speaks. Each recorded dialogue that
 * passed is played again and again, and each time something else goes wrong: the k-th call to the port fails,
 * for every k, as an unplugged device does, as a driver does, or by silence from then on; or the run is
 * cancelled at its k-th wait. Whatever happened: the run ends, it is no pass, its class is the right one, and
 * the protocol has cleaned up behind itself, waiting again where it had to, within its own second. Nothing
 * may be left behind: the sanitizers' runs of this test say so.
 *
 *   table_test FOLDER [STRIDE]     FOLDER/<protocol>/<case>.dialogue; only every STRIDE-th call */
#include "test.h"

#include "alloc.h"
#include "conversation.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

enum mishap { NO_MISHAP, GONE, DRIVER_ERROR, SILENCE, CANCELLED, MISHAP_COUNT };

static const char *const mishap_words[MISHAP_COUNT] = {"nothing", "unplugged", "driver error", "silence",
                                                       "cancelled"};

/* A port in front of a replayed one. After the mishap there is no board behind it any more: what is written
 * is gone, what is read never comes, and time goes on. */
struct trap {
    struct port port; /* first */
    struct clock clock;
    struct port *inner;
    enum mishap mishap;
    size_t at, calls; /* the mishap comes with that call (of those it can come with), from 1 */
    bool sprung;
    int64_t late_us;                 /* time since the mishap */
    const struct protocol *protocol; /* the real one */
    size_t disconnects;
    int64_t cleaned_us; /* what the clean-up took */
};

static struct trap *of(struct port *port)
{
    return (struct trap *)port;
}

static int64_t trap_time(void *context)
{
    const struct trap *trap = context;

    return clock_monotonic_us(trap->inner->clock) + trap->late_us;
}

static int64_t trap_utc(void *context)
{
    (void)context;
    return 0;
}

/* True when this call is the one; a cancellation comes only with calls that wait. */
static bool springs(struct trap *trap, bool waits)
{
    if (trap->sprung || trap->mishap == NO_MISHAP || (trap->mishap == CANCELLED && !waits))
        return false;
    trap->sprung = ++trap->calls == trap->at;
    return trap->sprung;
}

/* What the call with the mishap, and those after it, return. 1: the call itself is harmless. */
static int aftermath(struct trap *trap, bool first, struct error *error)
{
    switch (trap->mishap) {
    case GONE:
        return error_set(error, -ENODEV, "the port is gone");
    case DRIVER_ERROR:
        return first ? error_set(error, -EIO, "the driver failed") : 1;
    case CANCELLED:
        return first ? error_set(error, -ECANCELED, "cancelled") : 1;
    case NO_MISHAP:
    case SILENCE:
    case MISHAP_COUNT:
        break;
    }
    return 1;
}

#define PASS_ON(waits, call)                                                                                 \
    struct trap *trap = of(port);                                                                            \
    bool first = springs(trap, waits);                                                                       \
    int status;                                                                                              \
                                                                                                             \
    if (!trap->sprung)                                                                                       \
        return call;                                                                                         \
    status = aftermath(trap, first, error);                                                                  \
    if (status < 0)                                                                                          \
        return status;

static int trap_set_line(struct port *port, const struct port_line *line, struct error *error)
{
    PASS_ON(false, port_set_line(trap->inner, line, error))
    return 0;
}

static int trap_set_modem(struct port *port, bool dtr, bool rts, struct error *error)
{
    PASS_ON(false, port_set_modem(trap->inner, dtr, rts, error))
    return 0;
}

static int trap_set_break(struct port *port, bool on, struct error *error)
{
    PASS_ON(false, port_set_break(trap->inner, on, error))
    return 0;
}

static int trap_read(struct port *port, uint8_t *bytes, size_t least, size_t size, int64_t deadline_us,
                     struct error *error)
{
    PASS_ON(true, trap->inner->kind->read(trap->inner, bytes, least, size, deadline_us, error))
    if (deadline_us > trap_time(trap))
        trap->late_us += deadline_us - trap_time(trap);
    return error_set(error, -ETIMEDOUT, "nothing came");
}

static int trap_write(struct port *port, const uint8_t *bytes, size_t size, int64_t deadline_us,
                      struct error *error)
{
    PASS_ON(false, port_write(trap->inner, bytes, size, deadline_us, error))
    return 0;
}

static int trap_drain(struct port *port, int64_t deadline_us, struct error *error)
{
    PASS_ON(true, port_drain(trap->inner, deadline_us, error))
    return 0;
}

static int trap_reopen(struct port *port, uint32_t touch_baud, int64_t deadline_us, struct error *error)
{
    PASS_ON(true, port_reopen(trap->inner, touch_baud, deadline_us, error))
    return 0;
}

static void trap_discard(struct port *port)
{
    if (!of(port)->sprung)
        port_discard(of(port)->inner);
}

static int trap_sleep(struct port *port, int64_t duration_us)
{
    struct error ignored, *error = &ignored;

    PASS_ON(true, port_sleep(trap->inner, duration_us))
    trap->late_us += duration_us;
    return 0;
}

static void trap_close(struct port *port)
{
    port_close(of(port)->inner);
}

static const struct port_kind trap_kind = {.scheme = "trap",
                                           .set_line = trap_set_line,
                                           .set_modem = trap_set_modem,
                                           .set_break = trap_set_break,
                                           .read = trap_read,
                                           .write = trap_write,
                                           .drain = trap_drain,
                                           .reopen = trap_reopen,
                                           .discard = trap_discard,
                                           .sleep = trap_sleep,
                                           .close = trap_close};

struct case_result {
    struct report report;
    bool sprung, began, cleaned;
};

/* The protocol's own disconnect is called through here, to see that it was. */
static void watched_disconnect(struct session *session)
{
    struct trap *trap = of(session->port);
    int64_t began_us = trap_time(trap);

    trap->protocol->disconnect(session);
    trap->cleaned_us = trap_time(trap) - began_us;
    trap->disconnects++;
}

/* A second is what program.c gives it; some waits are only cut to what is left. */
#define CLEAN_UP_US 2500000

static struct case_result play(const char *path, const struct protocol *protocol,
                               struct conversation *conversation, enum mishap mishap, size_t at)
{
    struct case_result result = {.report = {.outcome = OUTCOME_UNKNOWN}};
    struct error error = ERROR_NONE;
    struct trap trap = {.mishap = mishap, .at = at, .protocol = protocol};
    struct protocol watched = *protocol;

    if (!CHECK(port_replay(&trap.inner, path, &error) == 0))
        return result;
    trap.port = *trap.inner;
    trap.port.kind = &trap_kind;
    trap.clock = (struct clock){.monotonic_us = trap_time, .utc_us = trap_utc, .context = &trap};
    trap.port.clock = &trap.clock;
    watched.disconnect = watched_disconnect;
    result.began = play_conversation(conversation, &trap.port, &watched, &result.report);
    result.sprung = trap.sprung;
    result.cleaned = trap.disconnects == 1 && trap.cleaned_us <= CLEAN_UP_US;
    port_close(&trap.port);
    return result;
}

static bool right_class(enum mishap mishap, const struct report *report)
{
    switch (mishap) {
    case GONE:
    case DRIVER_ERROR:
        return report->failure == FAILURE_PORT_LOST;
    case CANCELLED:
        return report->failure == FAILURE_CANCELLED;
    case SILENCE: /* in the words of whatever it was doing */
        return report->failure != FAILURE_INTERNAL && report->failure != FAILURE_CANCELLED &&
               report->failure != FAILURE_PORT_LOST;
    case NO_MISHAP:
    case MISHAP_COUNT:
        break;
    }
    return false;
}

/* A mishap in the very last calls finds a run that is over: its outcome stands. */
static bool bearable(enum mishap mishap, const struct case_result *result)
{
    const struct report *report = &result->report;

    if (!result->began || !result->cleaned)
        return false;
    if (report->outcome == OUTCOME_PASS)
        return true;
    return report->error.text[0] && right_class(mishap, report);
}

static size_t spring_everywhere(const char *path, const struct protocol *protocol,
                                struct conversation *conversation, enum mishap mishap, size_t stride)
{
    size_t at = 1, passes = 0, count = 0;

    for (;; at += stride, count++) {
        struct case_result result = play(path, protocol, conversation, mishap, at);

        if (!result.sprung)
            break;
        passes += result.report.outcome == OUTCOME_PASS;
        if (!CHECK(bearable(mishap, &result)))
            (void)fprintf(stderr, "  %s: %s at call %zu: %s %s: %s\n", path, mishap_words[mishap], at,
                          outcome_word(result.report.outcome), failure_word(result.report.failure),
                          result.report.error.text);
        else if (passes > 0 && !CHECK(result.report.outcome == OUTCOME_PASS))
            (void)fprintf(stderr, "  %s: %s at call %zu spoils a run that had passed without it earlier\n",
                          path, mishap_words[mishap], at);
    }
    return count;
}

static void test_dialogue(const char *path, const struct protocol *protocol, const char *name, size_t stride)
{
    struct conversation conversation;
    int before = test_failures;
    size_t total = 0;

    if (!CHECK(read_conversation(&conversation, path)))
        return;
    if (strcmp(conversation.outcome, "pass") == 0) {
        for (int mishap = GONE; mishap < MISHAP_COUNT; mishap++)
            total += spring_everywhere(path, protocol, &conversation, (enum mishap)mishap, stride);
        (void)printf("%s %s/%s, %zu mishaps\n", test_failures == before ? "ok  " : "FAIL", protocol->name,
                     name, total);
    }
    free_conversation(&conversation);
}

static bool short_enough(const char *path)
{
    FILE *file = fopen(path, "re");
    bool good = file && fseek(file, 0, SEEK_END) == 0 && ftell(file) < 64 * 1024;

    if (file)
        (void)fclose(file);
    return good;
}

static size_t test_protocol(const char *folder, const struct protocol *protocol, size_t stride)
{
    char *path = format_text("%s/%s", folder, protocol->name);
    DIR *directory = opendir(path);
    struct dirent *entry;
    size_t count = 0;

    while (directory && (entry = readdir(directory))) {
        char *file = format_text("%s/%s", path, entry->d_name);

        if (strstr(entry->d_name, ".dialogue") && short_enough(file)) {
            test_dialogue(file, protocol, entry->d_name, stride);
            count++;
        }
        free(file);
    }
    if (directory)
        (void)closedir(directory);
    free(path);
    return count;
}

int main(int argc, char **argv)
{
    size_t stride = argc == 3 ? strtoul(argv[2], NULL, 10) : 1;

    if (argc < 2 || argc > 3 || stride == 0)
        return 2;
    for (size_t i = 0; protocols[i]; i++)
        if (!CHECK(test_protocol(argv[1], protocols[i], stride) > 0))
            (void)fprintf(stderr, "  %s has no dialogue\n", protocols[i]->name);
    return test_failures ? 1 : 0;
}
