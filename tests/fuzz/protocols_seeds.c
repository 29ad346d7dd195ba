/* SPDX-License-Identifier: Apache-2.0 */
/* Makes seeds for protocols_fuzz out of recorded dialogues: what the board said each time after the host had
 * spoken. The fuzzer's image is another one, so that a seed goes as far as the first look at what was
 * written, and no further.
 *
 *     protocols_seeds OUT FILE.dialogue…        the folder that holds a file is its protocol's name */
#include "fuzz_board.h"

#include "alloc.h"
#include "conversation.h"

#include <libgen.h>
#include <stdlib.h>
#include <string.h>

/* A port in front of a replayed one, which notes the board's turns. */
struct listener {
    struct port port; /* first */
    struct port *inner;
    uint8_t *seed;
    size_t size, count_at; /* where the count of the present turn's piece is; 0: none yet */
    bool spoken;
};

static struct listener *of(struct port *port)
{
    return (struct listener *)port;
}

static void begin_piece(struct listener *listener)
{
    listener->seed = reallocate(listener->seed, listener->size + 1, 1);
    listener->count_at = listener->size;
    listener->seed[listener->size++] = 0;
}

static void note(struct listener *listener, uint8_t byte)
{
    listener->seed = reallocate(listener->seed, listener->size + 1, 1);
    listener->seed[listener->size++] = byte;
    if (++listener->seed[listener->count_at] == 255)
        begin_piece(listener);
}

static int hear(struct port *port, uint8_t *bytes, size_t least, size_t size, int64_t deadline_us,
                struct error *error)
{
    struct listener *listener = of(port);
    int got = listener->inner->kind->read(listener->inner, bytes, least, size, deadline_us, error);

    if (listener->spoken)
        begin_piece(listener);
    listener->spoken = false;
    for (int i = 0; i < got && listener->count_at; i++)
        note(listener, bytes[i]);
    return got;
}

static int speak(struct port *port, const uint8_t *bytes, size_t size, int64_t deadline_us,
                 struct error *error)
{
    of(port)->spoken = true;
    return port_write(of(port)->inner, bytes, size, deadline_us, error);
}

static int set_line(struct port *port, const struct port_line *line, struct error *error)
{
    return port_set_line(of(port)->inner, line, error);
}

static int set_modem(struct port *port, bool dtr, bool rts, struct error *error)
{
    of(port)->spoken = true;
    return port_set_modem(of(port)->inner, dtr, rts, error);
}

static int set_break(struct port *port, bool on, struct error *error)
{
    of(port)->spoken = true;
    return port_set_break(of(port)->inner, on, error);
}

static int drain(struct port *port, int64_t deadline_us, struct error *error)
{
    return port_drain(of(port)->inner, deadline_us, error);
}

static int reopen(struct port *port, uint32_t touch_baud, int64_t deadline_us, struct error *error)
{
    of(port)->spoken = true;
    return port_reopen(of(port)->inner, touch_baud, deadline_us, error);
}

static void discard(struct port *port)
{
    port_discard(of(port)->inner);
}

static int sleep_there(struct port *port, int64_t duration_us)
{
    return port_sleep(of(port)->inner, duration_us);
}

static void close_both(struct port *port)
{
    port_close(of(port)->inner);
}

static const struct port_kind listener_kind = {.scheme = "listener",
                                               .set_line = set_line,
                                               .set_modem = set_modem,
                                               .set_break = set_break,
                                               .read = hear,
                                               .write = speak,
                                               .drain = drain,
                                               .reopen = reopen,
                                               .discard = discard,
                                               .sleep = sleep_there,
                                               .close = close_both};

/* The one of that protocol and chip, or the first of that protocol. */
static size_t target_of(const char *protocol, const char *chip)
{
    size_t found = fuzz_target_count;

    for (size_t i = fuzz_target_count; i-- > 0;)
        if (strcmp(fuzz_targets[i].protocol, protocol) == 0 &&
            (found == fuzz_target_count || strcmp(fuzz_targets[found].chip, chip) != 0))
            found = i;
    return found;
}

static uint8_t circumstances_of(const struct conversation *conversation)
{
    const struct session *session = &conversation->session;

    return (uint8_t)((strcmp(conversation->entry, "none") != 0 ? FUZZ_RESETS : 0) |
                     (session->in_step ? FUZZ_IN_STEP : 0) | (session->half_way ? FUZZ_HALF_WAY : 0) |
                     (conversation->order.run ? FUZZ_RUN : 0));
}

static bool listen_to(struct listener *listener, const char *path, const char *protocol,
                      struct conversation *conversation)
{
    struct error error = ERROR_NONE;
    struct report report;
    size_t target;

    if (!read_conversation(conversation, path) || port_replay(&listener->inner, path, &error) < 0)
        return false;
    listener->port = *listener->inner;
    listener->port.kind = &listener_kind;
    listener->seed = allocate(FUZZ_HEAD, 1);
    listener->size = FUZZ_HEAD;
    target = target_of(protocol, conversation->chip);
    listener->seed[0] = (uint8_t)target;
    listener->seed[1] = circumstances_of(conversation);
    return target < fuzz_target_count &&
           play_conversation(conversation, &listener->port, protocol_find(protocol), &report);
}

static bool write_seed(const struct listener *listener, const char *folder, const char *protocol,
                       const char *name)
{
    char *path = format_text("%s/%s-%.*s", folder, protocol, (int)strcspn(name, "."), name);
    FILE *file = fopen(path, "wbe");
    bool good = file && fwrite(listener->seed, 1, listener->size, file) == listener->size;

    if (file)
        good &= fclose(file) == 0;
    free(path);
    return good;
}

static bool make_seed(const char *folder, const char *path)
{
    char *copy = copy_text(path), *name = copy_text(path);
    const char *protocol = basename(dirname(copy));
    struct listener listener = {.size = 0};
    struct conversation conversation;
    bool good = listen_to(&listener, path, protocol, &conversation);

    good = good && write_seed(&listener, folder, protocol, basename(name));
    if (!good)
        (void)fprintf(stderr, "no seed from %s\n", path);
    if (listener.inner)
        port_close(&listener.port);
    free(listener.seed);
    free_conversation(&conversation);
    free(copy);
    free(name);
    return good;
}

int main(int argc, char **argv)
{
    int failures = 0;

    for (int i = 2; i < argc; i++)
        failures += !make_seed(argv[1], argv[i]);
    return failures > 0;
}
