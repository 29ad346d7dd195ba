/* SPDX-License-Identifier: Apache-2.0 */
/* Plays every recorded dialogue against its protocol, in virtual time: what was said when it was recorded
 * must be said again, word for word, and lead to the same outcome. Then the same conversation is broken at
 * every single line, in three ways (the port vanishes, the board falls silent, an ACK becomes a NACK), and
 * must never be taken for a pass, nor hang.
 *
 *   dialogue_test FOLDER                              all FOLDER/<protocol>/<case>.dialogue
 *   dialogue_test --record PORT CHIP PROTOCOL FILE    makes one from a board, with the standard image
 *
 * A dialogue's header says "# chip: NAME" and "# expect: OUTCOME CLASS". */
#include "test.h"

#include "alloc.h"
#include "program.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

struct conversation {
    char chip[32], outcome[16], class[24];
    size_t line_count;
    char **lines;
};

static bool header(const char *line, const char *key, char *value, size_t size)
{
    size_t length = strlen(key);

    if (strncmp(line, key, length) != 0)
        return false;
    (void)snprintf(value, size, "%.*s", (int)strcspn(line + length, "\n"), line + length);
    return true;
}

static bool read_conversation(struct conversation *conversation, const char *path)
{
    FILE *file = fopen(path, "re");
    char expected[64] = "";
    char *line = NULL;
    size_t size = 0;

    *conversation = (struct conversation){.line_count = 0};
    while (file && getline(&line, &size, file) >= 0) {
        conversation->lines =
            reallocate(conversation->lines, conversation->line_count + 1, sizeof *conversation->lines);
        conversation->lines[conversation->line_count++] = copy_text(line);
        (void)header(line, "# chip: ", conversation->chip, sizeof conversation->chip);
        (void)header(line, "# expect: ", expected, sizeof expected);
    }
    if (file)
        (void)fclose(file);
    free(line);
    (void)sscanf(expected, "%15s %23s", conversation->outcome, conversation->class);
    return conversation->chip[0] && conversation->outcome[0];
}

static void free_conversation(struct conversation *conversation)
{
    for (size_t i = 0; i < conversation->line_count; i++)
        free(conversation->lines[i]);
    free(conversation->lines);
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

static int say_yes(void *context, const struct board *board, struct error *error)
{
    (void)context, (void)board, (void)error;
    return 0;
}

static void ignore_progress(void *context, const struct progress *progress)
{
    (void)context, (void)progress;
}

static void program(struct port *port, const char *protocol, const char *chip, struct report *report)
{
    const struct program_watcher watcher = {.reserve = say_yes, .progress = ignore_progress};
    struct session session = {.port = port, .protocol = protocol_find(protocol)};
    struct entry *entry = NULL;
    struct image image;
    struct order order = {.chip = chip_find(chip), .image = &image};
    struct error error = ERROR_NONE;
    struct plan plan;

    make_image(&image, order.chip);
    (void)CHECK(entry_parse(&entry, "none", "", &error) == 0);
    session.entry = entry;
    session.state = allocate(1, session.protocol->state_size);
    if (CHECK(plan_make(&plan, &order, session.protocol, &error) == 0))
        (void)program_board(&session, &order, &plan, &watcher, report);
    free(session.state);
    plan_clear(&plan);
    image_clear(&image);
    entry_free(entry);
}

static bool play(const char *path, const char *protocol, const struct conversation *conversation,
                 struct report *report, struct error *unfinished)
{
    struct error error = ERROR_NONE;
    struct port *port;
    bool finished;

    *report = (struct report){.outcome = OUTCOME_UNKNOWN};
    if (!CHECK(port_replay(&port, path, &error) == 0))
        return false;
    program(port, protocol, conversation->chip, report);
    finished = port_replay_finished(port, unfinished) == 0;
    port_close(port);
    return finished;
}

static void play_whole(const char *path, const char *protocol, const struct conversation *conversation)
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

static void break_at(const char *protocol, const struct conversation *conversation, size_t line,
                     const char *instead, bool go_on)
{
    char path[] = "/tmp/flashfarm-dialogue-XXXXXX";
    struct error unfinished = ERROR_NONE;
    struct report report;
    int file = mkstemp(path);

    (void)close(file);
    write_broken(path, conversation, line, instead, go_on);
    (void)play(path, protocol, conversation, &report, &unfinished);
    if (!CHECK(report.outcome != OUTCOME_PASS && report.failure != FAILURE_NONE &&
               report.failure != FAILURE_INTERNAL && report.error.text[0]))
        (void)fprintf(stderr, "  line %zu replaced by \"%.10s\": %s %s %s\n", line + 1, instead,
                      outcome_word(report.outcome), failure_word(report.failure), report.error.text);
    (void)unlink(path);
}

static size_t break_everywhere(const char *protocol, const struct conversation *conversation)
{
    size_t broken = 0;

    if (strcmp(conversation->outcome, "pass") != 0)
        return 0;
    for (size_t line = 0; line < conversation->line_count; line++) {
        const char *text = conversation->lines[line];

        if (text[0] != '>' && text[0] != '<')
            continue;
        break_at(protocol, conversation, line, "x\n", false);
        break_at(protocol, conversation, line, "", false);
        broken += 2;
        /* A NACK for 0x7F means: in step already. */
        if (strcmp(text, "< 79\n") == 0 && strcmp(conversation->lines[line - 1], "> 7F\n") != 0) {
            break_at(protocol, conversation, line, "< 1F\n", true);
            broken++;
        }
    }
    return broken;
}

static void test_file(const char *folder, const char *protocol, const char *name)
{
    char *path = format_text("%s/%s/%s", folder, protocol, name);
    struct conversation conversation;
    int before = test_failures;
    size_t broken = 0;

    if (CHECK(read_conversation(&conversation, path))) {
        play_whole(path, protocol, &conversation);
        broken = break_everywhere(protocol, &conversation);
    }
    (void)printf("%s %s/%s, broken in %zu ways\n", test_failures == before ? "ok  " : "FAIL", protocol, name,
                 broken);
    free_conversation(&conversation);
    free(path);
}

static size_t test_protocol(const char *folder, const char *protocol)
{
    char *path = format_text("%s/%s", folder, protocol);
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

static int record(const char *port_name, const char *chip, const char *protocol, const char *path)
{
    char *text = format_text("chip: %s", chip);
    struct error error = ERROR_NONE;
    struct port *inner, *port;
    struct report report;

    if (port_open(&inner, port_name, NULL, &clock_system, &error) < 0 ||
        port_record(&port, inner, path, text, &error) < 0) {
        (void)fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    program(port, protocol, chip, &report);
    port_close(port);
    free(text);
    (void)printf("# expect: %s %s\n%s\n", outcome_word(report.outcome), failure_word(report.failure),
                 report.error.text);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 6 && strcmp(argv[1], "--record") == 0)
        return record(argv[2], argv[3], argv[4], argv[5]);
    if (argc != 2)
        return 2;
    for (size_t i = 0; protocols[i]; i++)
        CHECK(test_protocol(argv[1], protocols[i]->name) > 0);
    return test_failures ? 1 : 0;
}
