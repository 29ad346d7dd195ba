/* SPDX-License-Identifier: Apache-2.0 */
/* Plays every recorded dialogue against its protocol, in virtual time: what was said when it was recorded
 * must be said again, word for word, and lead to the same outcome. Then the same conversation is broken at
 * every single line: the port vanishes, the board falls silent, or says something else. A conversation that
 * was cut off must never be taken for a pass; one that was changed only when the rest of it was said all the
 * same.
 *
 *   dialogue_test FOLDER [STRIDE]                             all FOLDER/<protocol>/<case>.dialogue, broken
 *                                                             at every STRIDE-th line
 *   dialogue_test --play PROTOCOL FILE                        one file
 *   dialogue_test --record PORT CHIP PROTOCOL FILE [ENTRY]    makes one from a board, with the standard image
 *
 * README.md tells what the header says; this is the reader of it. */
#include "test.h"

#include "alloc.h"
#include "conversation.h"
#include "dialogue.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

static bool play(const char *path, const struct protocol *protocol, struct conversation *conversation,
                 struct report *report, struct error *unfinished)
{
    struct error error = ERROR_NONE;
    struct port *port;
    bool finished;

    *report = (struct report){.outcome = OUTCOME_UNKNOWN};
    if (!CHECK(port_replay(&port, path, &error) == 0))
        return false;
    (void)CHECK(play_conversation(conversation, port, protocol, report));
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

static size_t break_everywhere(const struct protocol *protocol, struct conversation *conversation,
                               size_t stride)
{
    size_t count = conversation->line_count, middle = count > 2 * ENDS ? (count - 2 * ENDS) / ENDS + 1 : 1;
    size_t broken = 0;

    if (strcmp(conversation->outcome, "pass") != 0)
        return 0;
    for (size_t line = 0; line < count; line++) {
        const char *text = conversation->lines[line];

        if ((text[0] != '>' && text[0] != '<') || line % stride != 0 ||
            (line >= ENDS && line + ENDS < count && (line - ENDS) % middle != 0))
            continue;
        break_at(protocol, conversation, line);
        broken++;
    }
    return broken;
}

static void test_path(const char *path, const struct protocol *protocol, size_t stride)
{
    const char *slash = strrchr(path, '/');
    struct conversation conversation;
    int before = test_failures;
    size_t broken = 0;

    if (CHECK(read_conversation(&conversation, path))) {
        play_whole(path, protocol, &conversation);
        broken = break_everywhere(protocol, &conversation, stride);
    }
    (void)printf("%s %s/%s, broken at %zu lines\n", test_failures == before ? "ok  " : "FAIL", protocol->name,
                 slash ? slash + 1 : path, broken);
    free_conversation(&conversation);
}

static void test_file(const char *folder, const struct protocol *protocol, const char *name, size_t stride)
{
    char *path = format_text("%s/%s/%s", folder, protocol->name, name);

    test_path(path, protocol, stride);
    free(path);
}

static size_t test_protocol(const char *folder, const struct protocol *protocol, size_t stride)
{
    char *path = format_text("%s/%s", folder, protocol->name);
    DIR *directory = opendir(path);
    struct dirent *entry;
    size_t count = 0;

    while (directory && (entry = readdir(directory)))
        if (strstr(entry->d_name, ".dialogue")) {
            test_file(folder, protocol, entry->d_name, stride);
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
    make_standard_image(&conversation.image, conversation.order.chip);
    conversation.order.image = &conversation.image;
    (void)snprintf(conversation.entry, sizeof conversation.entry, "%s", entry);
    conversation.session.protocol = protocol;
    conversation.session.port = inner; /* for its address on a line */
    text = dialogue_header(&conversation.session, &conversation.order, entry);
    if (port_record(&port, inner, path, text, &error) < 0) {
        (void)fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    free(text);
    (void)play_conversation(&conversation, port, protocol, &report);
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
    size_t stride = 1;

    if ((argc == 6 || argc == 7) && strcmp(argv[1], "--record") == 0)
        return record(argv[2], argv[3], argv[4], argv[5], argc == 7 ? argv[6] : "none");
    if (argc == 4 && strcmp(argv[1], "--play") == 0 && protocol_find(argv[2])) {
        test_path(argv[3], protocol_find(argv[2]), 1);
        return test_failures ? 1 : 0;
    }
    if (argc == 3)
        stride = strtoul(argv[2], NULL, 10);
    if (argc < 2 || argc > 3 || stride == 0)
        return 2;
    for (size_t i = 0; protocols[i]; i++)
        CHECK(test_protocol(argv[1], protocols[i], stride) > 0);
    return test_failures ? 1 : 0;
}
