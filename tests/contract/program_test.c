/* SPDX-License-Identifier: Apache-2.0 */
/* stations/program.c and the stm32-uart protocol against simulated boards, one board a case: what comes out
 * of a run, and what is on the chip afterwards. Each case runs outside a fiber, where every wait blocks, and
 * once more all together on fibers of one loop. argv[1] is flashfarm-sim. */
#include "test.h"

#include "alloc.h"
#include "fiber.h"
#include "program.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct sim {
    pid_t pid;
    char directory[64];
};

struct result_wanted {
    enum outcome outcome;
    enum failure failure;
    bool flash_equal; /* what is on the chip is the image */
};

struct board_case {
    const char *what;
    const char *chip; /* of the simulated board */
    const char *fault;
    const char *ordered; /* NULL: the same */
    bool unprotect, run;
    enum protection protect;
    uint8_t seed; /* another image */
    struct result_wanted want;
};

#define PASS                                                                                                 \
    {                                                                                                        \
        OUTCOME_PASS, FAILURE_NONE, true                                                                     \
    }

static const struct board_case cases[] = {
    {.what = "pages", .chip = "stm32f103xb", .want = PASS},
    {.what = "sectors", .chip = "stm32f407xg", .want = PASS},
    {.what = "double words", .chip = "stm32g071xb", .want = PASS},
    {.what = "half pages, erased to 0", .chip = "stm32l053x8", .want = PASS},
    {.what = "run at the end", .chip = "stm32f103xb", .run = true, .want = PASS},
    {.what = "lock at the end", .chip = "stm32f103xb", .protect = PROTECTION_READ, .want = PASS},
    {.what = "silent board",
     .chip = "stm32f103xb",
     .fault = "silent",
     .want = {OUTCOME_ABORTED, FAILURE_NO_CONTACT, false}},
    {.what = "wrong chip id",
     .chip = "stm32f103xb",
     .fault = "wrong-id",
     .want = {OUTCOME_ABORTED, FAILURE_WRONG_CHIP, false}},
    {.what = "another chip than ordered",
     .chip = "stm32f407xg",
     .ordered = "stm32f103xb",
     .want = {OUTCOME_ABORTED, FAILURE_WRONG_CHIP, false}},
    {.what = "smaller than ordered",
     .chip = "stm32f103x8",
     .ordered = "stm32f103xb",
     .want = {OUTCOME_ABORTED, FAILURE_WRONG_CHIP, false}},
    {.what = "NACK on every write from the fifth",
     .chip = "stm32f103xb",
     .fault = "nack-write@5",
     .want = {OUTCOME_FAIL, FAILURE_WRITE, false}},
    {.what = "NACK on erase",
     .chip = "stm32f103xb",
     .fault = "nack-erase",
     .want = {OUTCOME_FAIL, FAILURE_ERASE, false}},
    {.what = "bad cell",
     .chip = "stm32f103xb",
     .fault = "bad-cell@0x08000100",
     .want = {OUTCOME_FAIL, FAILURE_VERIFY, false}},
    {.what = "hang in mid-write",
     .chip = "stm32f103xb",
     .fault = "hang@7",
     .want = {OUTCOME_FAIL, FAILURE_TIMEOUT, false}},
    {.what = "unplug in mid-write",
     .chip = "stm32f103xb",
     .fault = "unplug@7",
     .want = {OUTCOME_FAIL, FAILURE_PORT_LOST, false}},
    {.what = "garbage replies",
     .chip = "stm32f103xb",
     .fault = "garbage",
     .want = {OUTCOME_ABORTED, FAILURE_PROTOCOL, false}},
    {.what = "corrupted block",
     .chip = "stm32f103xb",
     .fault = "corrupt@3",
     .want = {OUTCOME_FAIL, FAILURE_VERIFY, false}},
    {.what = "lost ACK: what landed is not written again",
     .chip = "stm32f103xb",
     .fault = "drop-ack@4",
     .want = PASS},
    {.what = "lost ACK where cells can be written once",
     .chip = "stm32g071xb",
     .fault = "drop-ack@4",
     .want = PASS},
    {.what = "one refused block is written again",
     .chip = "stm32f103xb",
     .fault = "nack-once@4",
     .want = PASS},
    {.what = "read-out protected, no consent",
     .chip = "stm32f103xb",
     .fault = "protected",
     .want = {OUTCOME_ABORTED, FAILURE_PROTECTED, false}},
    {.what = "read-out protected, with consent",
     .chip = "stm32f103xb",
     .fault = "protected",
     .unprotect = true,
     .want = PASS},
};

#define CASES (sizeof cases / sizeof *cases)

/* Station names of the simulator: A1..A16, B1.. in the order of the boards. */
static void board_name(size_t index, char name[8])
{
    (void)snprintf(name, 8, "%c%zu", (char)('A' + index / 16), index % 16 + 1);
}

static void wait_ready(FILE *from)
{
    char line[256];

    if (!fgets(line, sizeof line, from) || strncmp(line, "ready", 5) != 0) {
        (void)fprintf(stderr, "flashfarm-sim did not become ready: %s\n", line);
        exit(2);
    }
}

static struct sim start_sim(const char *program)
{
    struct sim sim = {.directory = "/tmp/flashfarm-program-XXXXXX"};
    char *boards = copy_text("");
    char *arguments[16 + 2 * CASES];
    int pipes[2], count = 0;

    if (!mkdtemp(sim.directory) || pipe(pipes) < 0)
        exit(2);
    arguments[count++] = copy_text(program);
    for (size_t i = 0; i < CASES; i++) {
        char *longer = format_text("%s%s%s=1", boards, i ? "," : "", cases[i].chip);
        char name[8];

        free(boards);
        boards = longer;
        board_name(i, name);
        if (cases[i].fault) {
            arguments[count++] = copy_text("--fault");
            arguments[count++] = format_text("%s=%s", name, cases[i].fault);
        }
    }
    arguments[count++] = copy_text("--boards");
    arguments[count++] = boards;
    arguments[count++] = copy_text("--dir");
    arguments[count++] = copy_text(sim.directory);
    arguments[count++] = copy_text("--dump-dir");
    arguments[count++] = copy_text(sim.directory);
    arguments[count++] = copy_text("--with-parent");
    arguments[count] = NULL;
    sim.pid = fork();
    if (sim.pid == 0) {
        (void)dup2(pipes[1], 1);
        (void)execv(program, arguments);
        _exit(127);
    }
    (void)close(pipes[1]);
    wait_ready(fdopen(pipes[0], "r"));
    while (count > 0)
        free(arguments[--count]);
    return sim;
}

/* The simulator ends, and leaves what is in every flash in a file. */
static void stop_sim(const struct sim *sim)
{
    (void)kill(sim->pid, SIGTERM);
    (void)waitpid(sim->pid, NULL, 0);
}

static void remove_sim(const struct sim *sim)
{
    char *command = format_text("rm -rf %s", sim->directory);

    if (system(command) != 0)
        exit(2);
    free(command);
}

/* Two ranges, one of them with a blank part, and a vector table that looks like one. */
static void make_image(struct image *image, const struct chip *chip, uint8_t seed)
{
    uint32_t sizes[2] = {5000, 3000};

    *image = (struct image){.count = 2, .ranges = allocate(2, sizeof *image->ranges)};
    for (int r = 0; r < 2; r++) {
        struct image_range *range = &image->ranges[r];

        range->address = chip->family->flash_base + (r ? 9 * 1024 : 0);
        range->size = sizes[r];
        range->data = allocate(sizes[r], 1);
        for (uint32_t i = 0; i < sizes[r]; i++)
            range->data[i] = i >= 1000 && i < 2000 ? 0xff : (uint8_t)(i * 7 + i / 251 + (uint32_t)r + seed);
    }
}

struct one_run {
    const struct board_case *board_case;
    const struct sim *sim;
    size_t index;
    struct fibers *fibers;
    struct report report;
    int reserved;
    unsigned percent;
    bool progress_fell, read_back_equal;
};

static int count_reserve(void *context, const struct board *board, struct error *error)
{
    (void)board, (void)error;
    ((struct one_run *)context)->reserved++;
    return 0;
}

static void watch_progress(void *context, const struct progress *progress)
{
    struct one_run *run = context;

    run->progress_fell |= progress->percent < run->percent || progress->percent > 99;
    run->percent = progress->percent;
}

static void program_one(struct one_run *run)
{
    const struct board_case *board_case = run->board_case;
    const char *ordered = board_case->ordered ? board_case->ordered : board_case->chip;
    struct image image;
    struct order order = {.chip = chip_find(ordered),
                          .image = &image,
                          .unprotect = board_case->unprotect,
                          .run = board_case->run,
                          .protect = board_case->protect};
    const struct program_watcher watcher = {
        .reserve = count_reserve, .progress = watch_progress, .context = run};
    struct error error = ERROR_NONE;
    struct plan plan;
    char name[8];
    char *port_name;
    struct session session = {.protocol = protocol_find("stm32-uart")};
    struct entry *entry = NULL;

    board_name(run->index, name);
    port_name = format_text("serial:%s/%s", run->sim->directory, name);
    make_image(&image, order.chip, board_case->seed);
    (void)CHECK(entry_parse(&entry, "none", "", &error) == 0);
    session.entry = entry;
    if (CHECK(plan_make(&plan, &order, session.protocol, &error) == 0) &&
        CHECK(port_open(&session.port, port_name, run->fibers, &clock_system, &error) == 0)) {
        session.state = allocate(1, session.protocol->state_size);
        (void)program_board(&session, &order, &plan, &watcher, &run->report);
        port_close(session.port);
        free(session.state);
    }
    if (error.code)
        (void)fprintf(stderr, "  %s\n", error.text);
    plan_clear(&plan);
    image_clear(&image);
    entry_free(entry);
    free(port_name);
}

static void check_one(const struct one_run *run)
{
    const struct result_wanted *want = &run->board_case->want;
    const struct report *report = &run->report;
    bool good = CHECK(report->outcome == want->outcome);

    good &= CHECK(report->failure == want->failure);
    good &= CHECK(!run->progress_fell);
    good &= CHECK(run->reserved == (want->outcome != OUTCOME_ABORTED));
    good &= CHECK((want->outcome == OUTCOME_PASS) == (report->error.text[0] == '\0'));
    if (want->outcome == OUTCOME_PASS)
        good &= CHECK(report->verify != VERIFY_NONE && report->board.uid_size == 12);
    if (!good)
        (void)fprintf(stderr, "  case \"%s\": %s %s: %s\n", run->board_case->what,
                      outcome_word(report->outcome), failure_word(report->failure), report->error.text);
}

static bool flash_holds_image(const struct sim *sim, size_t index)
{
    const char *ordered = cases[index].ordered ? cases[index].ordered : cases[index].chip;
    const struct chip *chip = chip_find(ordered);
    uint8_t *flash = allocate(1, chip->flash_size);
    struct image image;
    char name[8];
    char *path;
    FILE *file;
    bool equal = true;

    board_name(index, name);
    path = format_text("%s/%s.bin", sim->directory, name);
    file = fopen(path, "re");
    equal = file && fread(flash, 1, chip->flash_size, file) > 0;
    make_image(&image, chip, cases[index].seed);
    for (size_t i = 0; i < image.count; i++)
        equal = equal && memcmp(flash + (image.ranges[i].address - chip->family->flash_base),
                                image.ranges[i].data, image.ranges[i].size) == 0;
    if (file)
        (void)fclose(file);
    image_clear(&image);
    free(path);
    free(flash);
    return equal;
}

/* What the simulator says is on the chips, which is not what we read back from them. */
static void check_flashes(const struct sim *sim)
{
    for (size_t i = 0; i < CASES; i++)
        if (!CHECK(flash_holds_image(sim, i) == cases[i].want.flash_equal))
            (void)fprintf(stderr, "  case \"%s\"\n", cases[i].what);
}

static void run_all_blocking(const struct sim *sim)
{
    for (size_t i = 0; i < CASES; i++) {
        struct one_run run = {.board_case = &cases[i], .sim = sim, .index = i};

        program_one(&run);
        check_one(&run);
    }
}

/* One board, three times: protected at the end of the first run, refused, and opened with consent. */
static void check_write_protection(const struct sim *sim)
{
    static const struct board_case steps[] = {
        {.what = "write-protect", .chip = "stm32f103xb", .protect = PROTECTION_WRITE, .want = PASS},
        {.what = "write-protected, no consent",
         .chip = "stm32f103xb",
         .seed = 1,
         .want = {OUTCOME_FAIL, FAILURE_ERASE, true}},
        {.what = "write-protected, with consent", .chip = "stm32f103xb", .unprotect = true, .want = PASS},
    };

    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct one_run run = {.board_case = &steps[i], .sim = sim, .index = 0};

        program_one(&run);
        check_one(&run);
    }
}

static void fiber_program(void *argument)
{
    program_one(argument);
}

static void run_all_on_fibers(const struct sim *sim)
{
    static struct one_run runs[CASES];
    uv_loop_t loop;
    struct fibers *fibers;

    (void)uv_loop_init(&loop);
    fibers = fibers_new(&loop, &clock_system);
    for (size_t i = 0; i < CASES; i++) {
        runs[i] = (struct one_run){.board_case = &cases[i], .sim = sim, .index = i, .fibers = fibers};
        fiber_start(fibers, cases[i].what, fiber_program, NULL, &runs[i]);
    }
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    fibers_free(fibers);
    CHECK(uv_loop_close(&loop) == 0);
    for (size_t i = 0; i < CASES; i++)
        check_one(&runs[i]);
}

int main(int argc, char **argv)
{
    struct sim sim;

    if (argc != 2)
        return 2;
    sim = start_sim(argv[1]);
    run_all_blocking(&sim);
    check_write_protection(&sim);
    stop_sim(&sim);
    check_flashes(&sim);
    remove_sim(&sim);
    (void)printf("%s blocking: %zu boards\n", test_failures ? "FAIL" : "ok  ", CASES);
    sim = start_sim(argv[1]);
    run_all_on_fibers(&sim);
    stop_sim(&sim);
    check_flashes(&sim);
    remove_sim(&sim);
    (void)printf("%s on fibers: %zu boards\n", test_failures ? "FAIL" : "ok  ", CASES);
    return test_failures ? 1 : 0;
}
