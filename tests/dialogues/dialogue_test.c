/* SPDX-License-Identifier: Apache-2.0 */
/* Plays every recorded dialogue against its protocol, in virtual time: what was said when it was recorded
 * must be said again, word for word, and lead to the same outcome. Then the same conversation is broken at
 * every single line: the port vanishes, the board falls silent, or says something else. A conversation that
 * was cut off must never be taken for a pass; one that was changed only when the rest of it was said all the
 * same.
 *
 *   dialogue_test FOLDER                                      all FOLDER/<protocol>/<case>.dialogue
 *   dialogue_test --play PROTOCOL FILE                        one file
 *   dialogue_test --record PORT CHIP PROTOCOL FILE [ENTRY]    makes one from a board, with the standard image
 *
 * README.md tells what the header says; this is the reader of it. */
#include "test.h"

#include "alloc.h"
#include "bytes.h"
#include "dialogue.h"
#include "program.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#define HEADER_TEXT 400

/* One dialogue, and the run that it belongs to. */
struct conversation {
    char chip[32], outcome[16], class[24], entry[HEADER_TEXT];
    struct session session; /* its circumstances */
    struct order order;
    struct image image;
    struct chip_span keep[8];
    size_t line_count;
    char **lines;
};

static struct conversation empty_conversation(void)
{
    return (struct conversation){.entry = "none"};
}

/* "0x08000000 0a1b…": bytes that continue the last range, or begin another. */
static bool add_image(struct image *image, const char *value)
{
    uint8_t bytes[HEADER_TEXT / 2];
    struct image_range *last;
    char hex[HEADER_TEXT];
    unsigned address;
    uint32_t size;

    if (sscanf(value, "%x %399s", &address, hex) != 2)
        return false;
    size = (uint32_t)strlen(hex) / 2;
    if (!bytes_from_hex(hex, bytes, size))
        return false;
    last = image->count ? &image->ranges[image->count - 1] : NULL;
    if (!last || last->address + last->size != address) {
        image->ranges = reallocate(image->ranges, image->count + 1, sizeof *image->ranges);
        last = &image->ranges[image->count++];
        *last = (struct image_range){.address = address};
    }
    last->data = reallocate(last->data, last->size + size, 1);
    memcpy(last->data + last->size, bytes, size);
    last->size += size;
    return true;
}

static bool add_option(struct order *order, const char *value)
{
    struct order_option *option = &order->options[order->option_count];
    char hex[2 * sizeof option->bytes + 1];
    unsigned address;

    if (order->option_count == ORDER_OPTIONS || sscanf(value, "%x %64s", &address, hex) != 2)
        return false;
    order->option_count++;
    option->address = address;
    option->size = (uint32_t)strlen(hex) / 2;
    return bytes_from_hex(hex, option->bytes, option->size);
}

static bool add_keep(struct conversation *conversation, const char *value)
{
    unsigned address, size;

    if (conversation->order.keep_count == 8 || sscanf(value, "%x %u", &address, &size) != 2)
        return false;
    conversation->keep[conversation->order.keep_count++] =
        (struct chip_span){.address = address, .size = size};
    return true;
}

/* One line of the header; those that nobody knows are remarks. False: known, but wrong. */
static bool take_header(struct conversation *conversation, const char *key, const char *value)
{
    struct session *session = &conversation->session;
    struct order *order = &conversation->order;
    bool yes = strcmp(value, "yes") == 0;

    if (strcmp(key, "chip") == 0)
        (void)snprintf(conversation->chip, sizeof conversation->chip, "%s", value);
    else if (strcmp(key, "expect") == 0)
        return sscanf(value, "%15s %23s", conversation->outcome, conversation->class) >= 1;
    else if (strcmp(key, "entry") == 0)
        (void)snprintf(conversation->entry, sizeof conversation->entry, "%s", value);
    else if (strcmp(key, "baud") == 0)
        session->baud_max = (uint32_t)strtoul(value, NULL, 10);
    else if (strcmp(key, "proven") == 0)
        session->baud_proven = (uint32_t)strtoul(value, NULL, 10);
    else if (strcmp(key, "in_step") == 0)
        session->in_step = yes;
    else if (strcmp(key, "half_way") == 0)
        session->half_way = yes;
    else if (strcmp(key, "wakeup") == 0)
        session->wakeup = strcmp(value, "escape") == 0 ? WAKEUP_ESCAPE : WAKEUP_PARITY;
    else if (strcmp(key, "unprotect") == 0)
        order->unprotect = yes;
    else if (strcmp(key, "run") == 0)
        order->run = yes;
    else if (strcmp(key, "protect") == 0)
        order->protect = strcmp(value, "read") == 0 ? PROTECTION_READ : PROTECTION_WRITE;
    else if (strcmp(key, "keep") == 0)
        return add_keep(conversation, value);
    else if (strcmp(key, "option") == 0)
        return add_option(order, value);
    else if (strcmp(key, "image") == 0)
        return add_image(&conversation->image, value);
    return true;
}

/* 700 bytes in two pieces with a blank stretch: short, and yet every kind of block. */
static void make_image(struct image *image, const struct chip *chip)
{
    *image = (struct image){.count = 2, .ranges = allocate(2, sizeof *image->ranges)};
    for (uint32_t r = 0; r < 2; r++) {
        struct image_range *range = &image->ranges[r];

        range->address = chip->family->flash_base + 2048 * r;
        range->size = r ? 100 : 600;
        range->data = allocate(range->size, 1);
        for (uint32_t i = 0; i < range->size; i++)
            range->data[i] = i >= 256 && i < 512 ? 0xff : (uint8_t)(17 * i + 3 * r + 1);
    }
}

static bool read_lines(struct conversation *conversation, FILE *file)
{
    char key[24], value[HEADER_TEXT];
    char *line = NULL;
    size_t size = 0;
    bool good = true;

    while (good && getline(&line, &size, file) >= 0) {
        conversation->lines =
            reallocate(conversation->lines, conversation->line_count + 1, sizeof *conversation->lines);
        conversation->lines[conversation->line_count++] = copy_text(line);
        if (sscanf(line, "# %23[a-z_]: %399[^\n]", key, value) == 2)
            good = take_header(conversation, key, value);
    }
    free(line);
    return good;
}

static bool read_conversation(struct conversation *conversation, const char *path)
{
    FILE *file = fopen(path, "re");
    bool good;

    *conversation = empty_conversation();
    good = file && read_lines(conversation, file);
    if (file)
        (void)fclose(file);
    conversation->order.chip = chip_find(conversation->chip);
    conversation->order.keep = conversation->keep;
    if (good && conversation->order.chip && conversation->image.count == 0)
        make_image(&conversation->image, conversation->order.chip);
    return good && conversation->order.chip && conversation->outcome[0];
}

static void free_conversation(struct conversation *conversation)
{
    for (size_t i = 0; i < conversation->line_count; i++)
        free(conversation->lines[i]);
    free(conversation->lines);
    image_clear(&conversation->image);
}

static int say_yes(void *context, const struct board *board, struct error *error)
{
    (void)context, (void)board, (void)error;
    return 0;
}

static void ignore_progress(void *context, const struct progress *progress)
{
    (void)context, (void)progress;
}

static void program(struct port *port, const struct protocol *protocol, struct conversation *conversation,
                    struct report *report)
{
    const struct program_watcher watcher = {.reserve = say_yes, .progress = ignore_progress};
    struct session session = conversation->session;
    struct order order = conversation->order;
    struct entry *entry = NULL;
    struct error error = ERROR_NONE;
    struct plan plan;

    order.image = &conversation->image;
    session.port = port;
    session.protocol = protocol;
    session.state = allocate(1, protocol->state_size);
    (void)CHECK(entry_parse(&entry, conversation->entry, "", &error) == 0);
    session.entry = entry;
    if (CHECK(plan_make(&plan, &order, protocol, &error) == 0))
        (void)program_board(&session, &order, &plan, &watcher, report);
    else
        (void)fprintf(stderr, "  %s\n", error.text);
    free(session.state);
    plan_clear(&plan);
    entry_free(entry);
}

static bool play(const char *path, const struct protocol *protocol, struct conversation *conversation,
                 struct report *report, struct error *unfinished)
{
    struct error error = ERROR_NONE;
    struct port *port;
    bool finished;

    *report = (struct report){.outcome = OUTCOME_UNKNOWN};
    if (!CHECK(port_replay(&port, path, &error) == 0))
        return false;
    program(port, protocol, conversation, report);
    finished = port_replay_finished(port, unfinished) == 0;
    port_close(port);
    return finished;
}

static void play_whole(const char *path, const struct protocol *protocol, struct conversation *conversation)
{
    struct error unfinished = ERROR_NONE;
    struct report report;
    bool finished = play(path, protocol, conversation, &report, &unfinished);
    bool good = CHECK(finished);

    good &= CHECK(strcmp(outcome_word(report.outcome), conversation->outcome) == 0);
    good &= CHECK(strcmp(failure_word(report.failure), conversation->class) == 0);
    if (!good)
        (void)fprintf(stderr, "  %s: %s %s: %s; %s\n", path, outcome_word(report.outcome),
                      failure_word(report.failure), report.error.text, unfinished.text);
}

/* The conversation up to `line`, which is replaced by `instead`. */
static void write_broken(const char *path, const struct conversation *conversation, size_t line,
                         const char *instead, bool go_on)
{
    FILE *file = fopen(path, "we");

    for (size_t i = 0; i < conversation->line_count && (i <= line || go_on); i++)
        (void)fputs(i == line ? instead : conversation->lines[i], file);
    (void)fclose(file);
}

/* Plays it broken; true when what came of it may be. */
static bool survives(const struct protocol *protocol, struct conversation *conversation, size_t line,
                     const char *instead, bool go_on)
{
    char path[] = "/tmp/flashfarm-dialogue-XXXXXX";
    struct error unfinished = ERROR_NONE;
    struct report report;
    int file = mkstemp(path);
    bool finished, good;

    (void)close(file);
    write_broken(path, conversation, line, instead, go_on);
    finished = play(path, protocol, conversation, &report, &unfinished);
    good = report.outcome == OUTCOME_PASS
               ? go_on && finished
               : report.failure != FAILURE_NONE && report.failure != FAILURE_INTERNAL && report.error.text[0];
    if (!CHECK(good))
        (void)fprintf(stderr, "  line %zu replaced by \"%.10s\": %s %s %s\n", line + 1, instead,
                      outcome_word(report.outcome), failure_word(report.failure), report.error.text);
    (void)unlink(path);
    return good;
}

/* The line with every bit of its first byte turned over. */
static char *turned_over(const char *line)
{
    char *copy = copy_text(line);
    unsigned byte;
    char digits[3];

    if (sscanf(line, "< %2x", &byte) == 1) {
        (void)snprintf(digits, sizeof digits, "%02X", ~byte & 0xffu);
        memcpy(copy + 2, digits, 2);
    }
    return copy;
}

static void break_at(const struct protocol *protocol, struct conversation *conversation, size_t line)
{
    char *other = turned_over(conversation->lines[line]);

    (void)survives(protocol, conversation, line, "x\n", false);
    (void)survives(protocol, conversation, line, "", false);
    if (conversation->lines[line][0] == '<')
        (void)survives(protocol, conversation, line, other, true);
    free(other);
}

/* The first and the last lines each, of a long conversation's middle every so many: the middle is all alike.
 */
#define ENDS 400

static size_t break_everywhere(const struct protocol *protocol, struct conversation *conversation)
{
    size_t count = conversation->line_count, middle = count > 2 * ENDS ? (count - 2 * ENDS) / ENDS + 1 : 1;
    size_t broken = 0;

    if (strcmp(conversation->outcome, "pass") != 0)
        return 0;
    for (size_t line = 0; line < count; line++) {
        const char *text = conversation->lines[line];

        if ((text[0] != '>' && text[0] != '<') ||
            (line >= ENDS && line + ENDS < count && (line - ENDS) % middle != 0))
            continue;
        break_at(protocol, conversation, line);
        broken++;
    }
    return broken;
}

static void test_path(const char *path, const struct protocol *protocol)
{
    const char *slash = strrchr(path, '/');
    struct conversation conversation;
    int before = test_failures;
    size_t broken = 0;

    if (CHECK(read_conversation(&conversation, path))) {
        play_whole(path, protocol, &conversation);
        broken = break_everywhere(protocol, &conversation);
    }
    (void)printf("%s %s/%s, broken at %zu lines\n", test_failures == before ? "ok  " : "FAIL", protocol->name,
                 slash ? slash + 1 : path, broken);
    free_conversation(&conversation);
}

static void test_file(const char *folder, const struct protocol *protocol, const char *name)
{
    char *path = format_text("%s/%s/%s", folder, protocol->name, name);

    test_path(path, protocol);
    free(path);
}

static size_t test_protocol(const char *folder, const struct protocol *protocol)
{
    char *path = format_text("%s/%s", folder, protocol->name);
    DIR *directory = opendir(path);
    struct dirent *entry;
    size_t count = 0;

    while (directory && (entry = readdir(directory)))
        if (strstr(entry->d_name, ".dialogue")) {
            test_file(folder, protocol, entry->d_name);
            count++;
        }
    if (directory)
        (void)closedir(directory);
    free(path);
    return count;
}

static int record(const char *port_name, const char *chip, const char *protocol_name, const char *path,
                  const char *entry)
{
    struct conversation conversation = empty_conversation();
    const struct protocol *protocol = protocol_find(protocol_name);
    struct error error = ERROR_NONE;
    struct port *inner, *port;
    struct report report = {.outcome = OUTCOME_UNKNOWN};
    char *text;

    conversation.order.chip = chip_find(chip);
    if (!protocol || !conversation.order.chip ||
        port_open(&inner, port_name, NULL, &clock_system, &error) < 0) {
        (void)fprintf(stderr, "no such protocol, chip or port: %s\n", error.text);
        return 1;
    }
    make_image(&conversation.image, conversation.order.chip);
    conversation.order.image = &conversation.image;
    (void)snprintf(conversation.entry, sizeof conversation.entry, "%s", entry);
    conversation.session.protocol = protocol;
    text = dialogue_header(&conversation.session, &conversation.order, entry);
    if (port_record(&port, inner, path, text, &error) < 0) {
        (void)fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    free(text);
    program(port, protocol, &conversation, &report);
    text = format_text("expect: %s %s", outcome_word(report.outcome), failure_word(report.failure));
    port_record_note(port, text);
    port_close(port);
    free(text);
    image_clear(&conversation.image);
    (void)printf("%s %s %s\n", outcome_word(report.outcome), failure_word(report.failure), report.error.text);
    return 0;
}

int main(int argc, char **argv)
{
    if ((argc == 6 || argc == 7) && strcmp(argv[1], "--record") == 0)
        return record(argv[2], argv[3], argv[4], argv[5], argc == 7 ? argv[6] : "none");
    if (argc == 4 && strcmp(argv[1], "--play") == 0 && protocol_find(argv[2])) {
        test_path(argv[3], protocol_find(argv[2]));
        return test_failures ? 1 : 0;
    }
    if (argc != 2)
        return 2;
    for (size_t i = 0; protocols[i]; i++)
        CHECK(test_protocol(argv[1], protocols[i]) > 0);
    return test_failures ? 1 : 0;
}
