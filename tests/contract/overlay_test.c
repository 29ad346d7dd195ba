/* SPDX-License-Identifier: Apache-2.0 */
/* Two units of every kind of loader, programmed from one shared image with a few bytes of their own each:
 * what the simulator says is on the chip is the unit's, and so is the digest of the report; the shared image
 * is as it was; and the recording of the run plays again. argv[1] is flashfarm-sim. */
#include "test.h"

#include "alloc.h"
#include "conversation.h"
#include "dialogue.h"
#include "overlay.h"

#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define UNITS 2
#define SPANS 4

struct loader_case {
    const char *sim, *chip, *protocol, *entry;
    uint32_t base;     /* of the image in flash, where nothing must make sense to a ROM */
    uint32_t sizes[2]; /* of its ranges */
    uint32_t second;   /* where the second one begins, from base */
    enum verify_method verify;
};

static const struct loader_case cases[] = {
    {"stm32f103xb", "stm32f103xb", "stm32-uart", "none", 0, {5000, 3000}, 9000, VERIFY_READ_BACK},
    {"stm32l053x8", "stm32l053x8", "stm32-uart", "none", 0, {5000, 3000}, 9000, VERIFY_READ_BACK},
    {"stm32g071xb", "stm32g071xb", "stm32-uart", "none", 0, {5000, 3000}, 9000, VERIFY_READ_BACK},
    {"esp32", "esp32-4mb", "esp-rom", "none", 0x10000, {9000, 7000}, 20000, VERIFY_CHECKSUM},
    {"esp8266", "esp8266-4mb", "esp-rom", "none", 0x20000, {9000, 7000}, 20000, VERIFY_READ_BACK},
    {"lpc1768", "lpc1768", "lpc-uart", "none", 0x1000, {5000, 3000}, 9000, VERIFY_READ_BACK},
    {"p89lpc922", "p89lpc922", "p89lpc9xx", "none", 0, {2500, 1100}, 4100, VERIFY_TWICE},
    {"atmega32u4", "atmega32u4", "avr109", "none", 0, {2500, 1100}, 4100, VERIFY_READ_BACK},
    /* a program of its own has these, behind all others */
    {"atmega328p", "atmega328p", "stk500v1", "reopen", 0, {2500, 1100}, 4100, VERIFY_READ_BACK},
};

#define CASES (sizeof cases / sizeof *cases)

struct sim {
    pid_t pid;
    char directory[64];
};

/* One kind of board, and what its units have in common. */
struct scene {
    const struct loader_case *kind;
    const struct chip *chip;
    struct image image;
    struct chip_span spans[SPANS];
    size_t span_count;
    struct order order;
    struct plan plan;
};

struct unit {
    struct patch patches[SPANS];
    uint8_t bytes[SPANS][16];
    struct overlay overlay;
    struct report report;
};

/* --- the simulator ------------------------------------------------------------------------ */

static void exec_sim(const char *program, const char *directory)
{
    char *boards = copy_text("");

    for (size_t i = 0; i < CASES; i++) {
        char *longer = format_text("%s%s%s=%d", boards, i ? "," : "", cases[i].sim, UNITS);

        free(boards);
        boards = longer;
    }
    (void)execl(program, program, "--boards", boards, "--dir", directory, "--dump-dir", directory,
                "--with-parent", (char *)NULL);
    _exit(127);
}

static struct sim start_sim(const char *program)
{
    struct sim sim = {.directory = "/tmp/flashfarm-overlay-XXXXXX"};
    char line[256] = "";
    int ends[2];
    FILE *from;

    if (!mkdtemp(sim.directory) || pipe(ends) < 0)
        exit(2);
    sim.pid = fork();
    if (sim.pid == 0) {
        (void)dup2(ends[1], STDOUT_FILENO);
        exec_sim(program, sim.directory);
    }
    (void)close(ends[1]);
    from = fdopen(ends[0], "r");
    if (!from || !fgets(line, sizeof line, from) || strncmp(line, "ready", 5) != 0) {
        (void)fprintf(stderr, "flashfarm-sim did not become ready: %s\n", line);
        exit(2);
    }
    return sim;
}

static void stop_sim(const struct sim *sim)
{
    (void)kill(sim->pid, SIGTERM);
    (void)waitpid(sim->pid, NULL, 0);
}

static void remove_sim(const struct sim *sim)
{
    char *command = format_text("rm -rf '%s'", sim->directory);

    CHECK(system(command) == 0); /* NOLINT(cert-env33-c): a path of our own */
    free(command);
}

/* Boards have their names in the order of the cases, sixteen a letter. */
static char *board_path(const struct sim *sim, size_t kind, size_t number, const char *more)
{
    size_t index = kind * UNITS + number;

    return format_text("%s/%c%zu%s", sim->directory, (char)('A' + index / 16), index % 16 + 1, more);
}

/* --- what is programmed ------------------------------------------------------------------- */

static void add_range(struct image *image, uint32_t address, uint32_t size)
{
    struct image_range *range;

    image->ranges = reallocate(image->ranges, image->count + 1, sizeof *image->ranges);
    range = &image->ranges[image->count++];
    *range = (struct image_range){.address = address, .size = size, .data = allocate(size, 1)};
    for (uint32_t i = 0; i < size; i++)
        range->data[i] = (uint8_t)(i * 7 + i / 251 + address / 13);
    memset(range->data + size / 3, 0xFF, size / 4);
}

static void add_span(struct scene *scene, uint32_t address, uint32_t size)
{
    scene->spans[scene->span_count++] = (struct chip_span){.address = address, .size = size};
}

/* Over the border of two erase units; in the image's blank part; where the image has nothing; across the
 * start of its second range. On a chip with EEPROM the last one is there instead. */
static bool make_scene(struct scene *scene, const struct loader_case *kind)
{
    uint32_t base, border;
    struct error error = ERROR_NONE;
    const struct protocol *protocol = protocol_find(kind->protocol);
    bool good;

    *scene = (struct scene){.kind = kind, .chip = chip_find(kind->chip)};
    base = scene->chip->family->flash_base + kind->base;
    border = chip_sector(scene->chip, 0).size;
    add_range(&scene->image, base, kind->sizes[0]);
    add_range(&scene->image, base + kind->second, kind->sizes[1]);
    add_span(scene, base + (border < kind->sizes[0] / 3 ? border - 5 : 55), 10);
    add_span(scene, base + kind->sizes[0] / 3 + 41, 16);
    add_span(scene, base + kind->sizes[0] + 601, 7);
    if (scene->chip->family->eeprom.size && protocol->chips == CHIP_AVR &&
        strcmp(kind->protocol, "avr109") == 0)
        add_span(scene, scene->chip->family->eeprom.address + 33, 12);
    else
        add_span(scene, base + kind->second - 3, 9);
    scene->order = (struct order){.chip = scene->chip,
                                  .image = &scene->image,
                                  .variable = scene->spans,
                                  .variable_count = scene->span_count};
    good = overlay_reserve(&scene->image, scene->chip, scene->spans, scene->span_count, &error) == 0 &&
           plan_make(&scene->plan, &scene->order, protocol, &error) == 0;
    if (!CHECK(good))
        (void)fprintf(stderr, "  %s: %s\n", kind->sim, error.text);
    return good;
}

static void clear_scene(struct scene *scene)
{
    plan_clear(&scene->plan);
    image_clear(&scene->image);
}

/* The first unit has blank bytes where the template is blank. */
static void make_unit(const struct scene *scene, size_t number, struct unit *unit)
{
    *unit = (struct unit){.report = {.outcome = OUTCOME_UNKNOWN}};
    for (size_t i = 0; i < scene->span_count; i++) {
        for (uint32_t k = 0; k < scene->spans[i].size; k++)
            unit->bytes[i][k] = i == 2 && number == 0 ? scene->chip->family->erased_value
                                                      : (uint8_t)(0xA0 + 16 * number + 3 * i + k);
        unit->patches[i] = (struct patch){
            .address = scene->spans[i].address, .size = scene->spans[i].size, .bytes = unit->bytes[i]};
    }
}

/* --- one run ------------------------------------------------------------------------------ */

struct watch {
    const struct scene *scene;
    struct unit *unit;
};

/* As in the daemon: the unit's bytes are known when the board has told who it is. */
static int reserve(void *context, const struct board *board, struct error *error)
{
    struct watch *watch = context;

    (void)board;
    return overlay_make(&watch->unit->overlay, &watch->scene->order, &watch->scene->plan,
                        watch->unit->patches, watch->scene->span_count, error);
}

static void ignore_progress(void *context, const struct progress *progress)
{
    (void)context, (void)progress;
}

static struct port *open_recorder(const struct sim *sim, size_t kind, size_t number, struct session *session,
                                  const struct order *order)
{
    char *path = board_path(sim, kind, number, ""), *name = format_text("serial:%s", path);
    char *file = board_path(sim, kind, number, ".dialogue");
    struct error error = ERROR_NONE;
    struct port *port = NULL, *recorder = NULL;
    char *header;

    if (CHECK(port_open(&port, name, NULL, &clock_system, &error) == 0)) {
        session->port = port;
        header = dialogue_header(session, order, cases[kind].entry);
        CHECK(strstr(header, "image:") == NULL && strstr(header, "variable:") != NULL);
        CHECK(port_record(&recorder, port, file, header, &error) == 0);
        free(header);
    }
    free(file);
    free(name);
    free(path);
    return recorder;
}

static void program_unit(const struct sim *sim, const struct scene *scene, size_t kind, size_t number,
                         struct unit *unit)
{
    struct watch watch = {.scene = scene, .unit = unit};
    const struct program_watcher watcher = {
        .reserve = reserve, .progress = ignore_progress, .context = &watch};
    struct session session = {.protocol = protocol_find(scene->kind->protocol)};
    struct error error = ERROR_NONE;
    struct entry *entry = NULL;
    char *note;

    CHECK(entry_parse(&entry, scene->kind->entry, "", &error) == 0);
    session.entry = entry;
    unit->overlay.order = scene->order;
    unit->overlay.plan = scene->plan;
    session.port = open_recorder(sim, kind, number, &session, &scene->order);
    if (session.port) {
        session.state = allocate(1, session.protocol->state_size);
        (void)program_board(&session, &unit->overlay.order, &unit->overlay.plan, &watcher, &unit->report);
        dialogue_note_image(session.port, &unit->overlay.order);
        note = format_text("expect: %s %s", outcome_word(unit->report.outcome),
                           failure_word(unit->report.failure));
        port_record_note(session.port, note);
        free(note);
        port_close(session.port);
        free(session.state);
    }
    entry_free(entry);
    if (!CHECK(unit->report.outcome == OUTCOME_PASS && unit->report.verify == scene->kind->verify))
        (void)fprintf(stderr, "  %s: %s, %s: %s\n", scene->kind->sim, outcome_word(unit->report.outcome),
                      verify_method_word(unit->report.verify), unit->report.error.text);
}

/* --- what came of it ---------------------------------------------------------------------- */

static void put_patches(uint8_t *memory, const struct scene *scene, const struct unit *unit)
{
    const struct chip_family *family = scene->chip->family;

    for (size_t i = 0; i < scene->span_count; i++) {
        uint32_t address = unit->patches[i].address;
        uint32_t at = chip_is_eeprom(scene->chip, address)
                          ? scene->chip->flash_size + (address - family->eeprom.address)
                          : address - family->flash_base;

        memcpy(memory + at, unit->bytes[i], unit->patches[i].size);
    }
}

static uint32_t place_in_dump(const struct chip *chip, uint32_t address)
{
    return chip_is_eeprom(chip, address) ? chip->flash_size + (address - chip->family->eeprom.address)
                                         : address - chip->family->flash_base;
}

/* SHA-256 of what is on the chip where the image has something; with sums, of the touched erase units. */
static void digest_of_dump(const struct scene *scene, const uint8_t *dump, uint8_t digest[32])
{
    crypto_hash_sha256_state state;

    (void)crypto_hash_sha256_init(&state);
    for (size_t i = 0; !scene->plan.by_sums && i < scene->image.count; i++)
        (void)crypto_hash_sha256_update(&state,
                                        dump + place_in_dump(scene->chip, scene->image.ranges[i].address),
                                        scene->image.ranges[i].size);
    for (size_t i = 0; scene->plan.by_sums && i < scene->plan.sector_count; i++) {
        const struct chip_sector *sector = &scene->plan.sectors[i];
        const uint8_t head[4] = {(uint8_t)(sector->address >> 24), (uint8_t)(sector->address >> 16),
                                 (uint8_t)(sector->address >> 8), (uint8_t)sector->address};

        (void)crypto_hash_sha256_update(&state, head, 4);
        (void)crypto_hash_sha256_update(&state, dump + place_in_dump(scene->chip, sector->address),
                                        sector->size);
    }
    (void)crypto_hash_sha256_final(&state, digest);
}

static size_t read_dump(const struct sim *sim, size_t kind, size_t number, uint8_t *dump, size_t room)
{
    char *path = board_path(sim, kind, number, ".bin");
    FILE *file = fopen(path, "re");
    size_t size = file ? fread(dump, 1, room, file) : 0;

    if (file)
        (void)fclose(file);
    free(path);
    return size;
}

static void check_chip(const struct sim *sim, const struct scene *scene, size_t kind, size_t number,
                       const struct unit *unit)
{
    uint32_t room = scene->chip->flash_size + scene->chip->family->eeprom.size;
    uint8_t *dump = allocate(room, 1), *wanted = allocate(room, 1);
    uint8_t digest[32];
    bool equal = true;

    for (size_t i = 0; i < scene->image.count; i++)
        memcpy(wanted + place_in_dump(scene->chip, scene->image.ranges[i].address),
               scene->image.ranges[i].data, scene->image.ranges[i].size);
    put_patches(wanted, scene, unit);
    CHECK(read_dump(sim, kind, number, dump, room) >= scene->chip->flash_size);
    for (size_t i = 0; i < scene->image.count; i++) {
        uint32_t at = place_in_dump(scene->chip, scene->image.ranges[i].address);

        equal &= memcmp(dump + at, wanted + at, scene->image.ranges[i].size) == 0;
    }
    digest_of_dump(scene, dump, digest);
    if (!CHECK(equal) || !CHECK(memcmp(digest, unit->report.digest, 32) == 0))
        (void)fprintf(stderr, "  %s, unit %zu\n", scene->kind->sim, number);
    free(dump);
    free(wanted);
}

static void check_recording(const struct sim *sim, const struct scene *scene, size_t kind, size_t number,
                            const struct unit *unit)
{
    char *path = board_path(sim, kind, number, ".dialogue");
    struct conversation conversation;
    struct error error = ERROR_NONE;
    struct report report = {.outcome = OUTCOME_UNKNOWN};
    struct port *port;

    if (CHECK(read_conversation(&conversation, path)) && CHECK(port_replay(&port, path, &error) == 0)) {
        CHECK(play_conversation(&conversation, port, protocol_find(scene->kind->protocol), &report));
        CHECK(port_replay_finished(port, &error) == 0);
        port_close(port);
    }
    free_conversation(&conversation);
    if (!CHECK(report.outcome == OUTCOME_PASS && memcmp(report.digest, unit->report.digest, 32) == 0))
        (void)fprintf(stderr, "  %s, unit %zu played again: %s %s\n", scene->kind->sim, number,
                      report.error.text, error.text);
    free(path);
}

/* --- all of them -------------------------------------------------------------------------- */

static uint64_t sum_of(const struct image *image)
{
    uint64_t sum = 14695981039346656037u;

    for (size_t i = 0; i < image->count; i++)
        for (uint32_t k = 0; k < image->ranges[i].size; k++)
            sum = (sum ^ image->ranges[i].data[k]) * 1099511628211u;
    return sum;
}

/* No more than the erase units that the spans lie in, and EEPROM. */
static bool copies_are_few(const struct scene *scene, const struct overlay *overlay)
{
    size_t most = scene->chip->family->eeprom.size;

    for (uint32_t i = 0; i < chip_sector_count(scene->chip); i++) {
        struct chip_sector sector = chip_sector(scene->chip, i);
        bool touched = false;

        for (size_t k = 0; k < scene->span_count; k++)
            touched |= scene->spans[k].address < sector.address + sector.size &&
                       sector.address < scene->spans[k].address + scene->spans[k].size;
        most += touched ? sector.size : 0;
    }
    return overlay->copies_size > 0 && overlay->copies_size <= most;
}

static void program_kind(const struct sim *sim, struct scene *scene, size_t kind, struct unit *units)
{
    uint64_t before = sum_of(&scene->image);

    for (size_t number = 0; number < UNITS; number++) {
        make_unit(scene, number, &units[number]);
        program_unit(sim, scene, kind, number, &units[number]);
        CHECK(copies_are_few(scene, &units[number].overlay));
        overlay_clear(&units[number].overlay);
    }
    CHECK(sum_of(&scene->image) == before);
    CHECK(memcmp(units[0].report.digest, units[1].report.digest, 32) != 0);
}

int main(int argc, char **argv)
{
    static struct scene scenes[CASES];
    static struct unit units[CASES][UNITS];
    struct sim sim;

    if (argc != 2)
        return 2;
    sim = start_sim(argv[1]);
    for (size_t kind = 0; kind < CASES; kind++)
        if (make_scene(&scenes[kind], &cases[kind]))
            program_kind(&sim, &scenes[kind], kind, units[kind]);
    stop_sim(&sim);
    for (size_t kind = 0; kind < CASES; kind++) {
        int before = test_failures;

        for (size_t number = 0; number < UNITS; number++) {
            check_chip(&sim, &scenes[kind], kind, number, &units[kind][number]);
            check_recording(&sim, &scenes[kind], kind, number, &units[kind][number]);
        }
        clear_scene(&scenes[kind]);
        (void)printf("%s %s\n", test_failures == before ? "ok  " : "FAIL", cases[kind].sim);
    }
    if (test_failures == 0)
        remove_sim(&sim);
    return test_failures ? 1 : 0;
}
