/* SPDX-License-Identifier: Apache-2.0 */
/* Many units on one RS-485 line at once, against simulated ones: a case is a line, what is wrong with it, and
 * what becomes of each unit. The image's way over the wire is counted: one pass for all, or by turns.
 * argv[1] is flashfarm-sim. */
#include "test.h"

#include "alloc.h"
#include "fiber.h"
#include "overlay.h"
#include "program.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define UNITS      4u
#define IMAGE_SIZE 3000u
#define PATH_SIZE  128

enum part {
    PART_NONE,      /* no station opens this address */
    PART_PROGRAM,   /* the image */
    PART_OTHER,     /* another image */
    PART_OWN,       /* the image, with a few bytes of the unit's own */
    PART_BYSTANDER, /* its station is open, and has nothing to do */
    PART_CANCEL,    /* the image, and a cancellation on the way */
    PART_PROBE,     /* nothing to do, and asks all the time whether its unit is there */
};

struct line_case {
    const char *what;
    const char *options; /* of the simulator, one word each, beyond the boards */
    bool remote;
    enum part parts[UNITS + 1]; /* by address less one; the last one is an address without a unit */
    int cancel_ms;
    unsigned stall_at; /* bytes, after which the line stands still, so that packets pile up; 0: never */
    bool host_stalls;  /* … or this process does, until units have left their loaders */
    enum failure failures[UNITS + 1]; /* FAILURE_NONE: pass */
    double passes_most;               /* how often the image may have gone over the wire altogether */
};

#define ALL                                                                                                  \
    {                                                                                                        \
        PART_PROGRAM, PART_PROGRAM, PART_PROGRAM, PART_PROGRAM                                               \
    }
#define BY_TURNS (1.35 * UNITS)
#define ONE_PASS 1.7

static const struct line_case cases[] = {
    {.what = "one pass for all", .options = "", .parts = ALL, .passes_most = ONE_PASS},
    {.what = "one pass, by parity and break",
     .options = "",
     .remote = true,
     .parts = ALL,
     .passes_most = ONE_PASS},
    {.what = "the adapter hears itself", .options = "--echo", .parts = ALL, .passes_most = ONE_PASS},
    {.what = "a unit alone", .options = "", .parts = {PART_NONE, PART_PROGRAM}, .passes_most = 1.35},
    {.what = "two images: two passes",
     .options = "",
     .parts = {PART_PROGRAM, PART_OTHER, PART_PROGRAM, PART_OTHER},
     .passes_most = 2 * ONE_PASS},
    {.what = "three images of the same and another: one pass and one by turns",
     .options = "",
     .parts = {PART_OTHER, PART_PROGRAM, PART_PROGRAM, PART_PROGRAM},
     .passes_most = ONE_PASS + 1.35},
    {.what = "each has bytes of its own: a pass for what they share",
     .options = "",
     .parts = {PART_OWN, PART_OWN, PART_OWN, PART_OWN},
     .passes_most = 0.66 * ONE_PASS + 0.34 * BY_TURNS},
    {.what = "a bystander is told to be silent",
     .options = "",
     .remote = true,
     .parts = {PART_PROGRAM, PART_PROGRAM, PART_PROGRAM, PART_BYSTANDER},
     .passes_most = ONE_PASS},
    {.what = "a unit that is asked meanwhile is there",
     .options = "--pace",
     .parts = {PART_PROGRAM, PART_PROBE, PART_PROGRAM, PART_PROBE},
     .passes_most = ONE_PASS},
    {.what = "packets pile up in the pass",
     .options = "--pace",
     .remote = true,
     .parts = ALL,
     .stall_at = 1000,
     .passes_most = ONE_PASS},
    {.what = "the host stands still in the pass",
     .options = "",
     .remote = true,
     .parts = ALL,
     .stall_at = 1000,
     .host_stalls = true,
     .passes_most = BY_TURNS + 1},
    {.what = "an unknown unit: nothing is sent to all",
     .options = "",
     .remote = true,
     .parts = {PART_PROGRAM, PART_PROGRAM, PART_PROGRAM},
     .passes_most = BY_TURNS},
    {.what = "an address without a unit",
     .options = "",
     .remote = true,
     .parts = {PART_PROGRAM, PART_PROGRAM, PART_PROGRAM, PART_PROGRAM, PART_PROGRAM},
     .failures = {[UNITS] = FAILURE_NO_CONTACT},
     .passes_most = ONE_PASS},
    {.what = "one falls silent in the pass",
     .options = "--fault A2=hang@5",
     .parts = ALL,
     .failures = {[1] = FAILURE_TIMEOUT},
     .passes_most = ONE_PASS},
    {.what = "one falls silent, and the others' blocks arrive once",
     .options = "--pace --fault A2=hang@5",
     .remote = true,
     .parts = ALL,
     .failures = {[1] = FAILURE_TIMEOUT},
     .passes_most = 1.35},
    {.what = "one misses a block of the pass",
     .options = "--fault A3=nack-once@5",
     .parts = ALL,
     .passes_most = ONE_PASS},
    {.what = "one has a bad cell",
     .options = "--fault A4=bad-cell",
     .parts = ALL,
     .failures = {[3] = FAILURE_WRITE},
     .passes_most = ONE_PASS},
    {.what = "one is another chip",
     .options = "--fault A1=wrong-id",
     .parts = ALL,
     .failures = {[0] = FAILURE_WRONG_CHIP},
     .passes_most = ONE_PASS},
    {.what = "one stores a bit wrong",
     .options = "--fault A2=corrupt@3",
     .parts = ALL,
     .failures = {[1] = FAILURE_VERIFY},
     .passes_most = ONE_PASS},
    {.what = "an answer is lost", .options = "--fault A2=drop-ack@2", .parts = ALL, .passes_most = ONE_PASS},
    {.what = "the leader is cancelled while it gathers",
     .options = "",
     .parts = {PART_CANCEL, PART_PROGRAM, PART_PROGRAM, PART_PROGRAM},
     .cancel_ms = 100,
     .failures = {FAILURE_CANCELLED},
     .passes_most = ONE_PASS},
    {.what = "the leader is cancelled in the pass",
     .options = "",
     .parts = {PART_CANCEL, PART_PROGRAM, PART_PROGRAM, PART_PROGRAM},
     .cancel_ms = 450,
     .failures = {FAILURE_CANCELLED},
     .passes_most = BY_TURNS + 1},
    {.what = "another one is cancelled in the pass",
     .options = "",
     .parts = {PART_PROGRAM, PART_PROGRAM, PART_PROGRAM, PART_CANCEL},
     .cancel_ms = 450,
     .failures = {[3] = FAILURE_CANCELLED},
     .passes_most = ONE_PASS},
    {.what = "the port vanishes in the pass",
     .options = "--fault A1=unplug@5",
     .remote = true,
     .parts = ALL,
     .failures = {FAILURE_PORT_LOST, FAILURE_PORT_LOST, FAILURE_PORT_LOST, FAILURE_PORT_LOST},
     .passes_most = ONE_PASS},
};

struct station;

struct scene {
    const struct line_case *line_case;
    char directory[48];
    char port[PATH_SIZE]; /* without the address */
    pid_t pid;
    uv_loop_t loop;
    struct fibers *fibers;
    struct image image, other;
    size_t running, probing;
    const struct station *stations;
};

struct station {
    struct scene *scene;
    struct fiber *fiber;
    struct port *port;
    uint8_t address;
    enum part part;
    struct report report;
    uint64_t sent;
};

/* --- the simulator ------------------------------------------------------------------------ */

static char *file_in(const struct scene *scene, const char *name)
{
    return format_text("%s/%s", scene->directory, name);
}

/* What the simulator wrote for unit 1, up to the address. */
static void read_port(struct scene *scene)
{
    char *path = file_in(scene, "flashfarm.conf");
    FILE *file = fopen(path, "re");
    char line[256];

    while (file && !scene->port[0] && fgets(line, sizeof line, file))
        (void)sscanf(line, "port = %127[^#\n]", scene->port);
    CHECK(file && scene->port[0]);
    if (file)
        (void)fclose(file);
    free(path);
}

static void exec_sim(const struct scene *scene, const char *program)
{
    char *options = copy_text(scene->line_case->options), *rest = NULL;
    char *boards = format_text("p89lpc922-rs485=%u", UNITS);
    const char *arguments[16] = {program,          "--boards",   boards,           "--dir",
                                 scene->directory, "--dump-dir", scene->directory, "--with-parent"};
    size_t count = 8;

    if (scene->line_case->remote)
        arguments[count++] = "--remote";
    for (char *word = strtok_r(options, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        arguments[count++] = word;
    (void)execv(program, (char *const *)(void *)arguments);
    _exit(127);
}

static void start_sim(struct scene *scene, const char *program)
{
    int ends[2];
    FILE *from;
    char line[256];

    CHECK(pipe(ends) == 0);
    scene->pid = fork();
    if (scene->pid == 0) {
        (void)dup2(ends[1], STDOUT_FILENO);
        exec_sim(scene, program);
    }
    (void)close(ends[1]);
    from = fdopen(ends[0], "r");
    CHECK(fgets(line, sizeof line, from) && strncmp(line, "ready", 5) == 0);
    (void)fclose(from);
    read_port(scene);
}

/* Ends it, which dumps every board. */
static void stop_sim(struct scene *scene)
{
    int status;

    (void)kill(scene->pid, SIGTERM);
    (void)waitpid(scene->pid, &status, 0);
}

#define OWN_AT   1500u /* in the second of three erase units */
#define OWN_SIZE 12u

/* The bytes that unit `number` has of its own. */
static void own_bytes(unsigned number, uint8_t bytes[OWN_SIZE])
{
    for (uint32_t i = 0; i < OWN_SIZE; i++)
        bytes[i] = (uint8_t)(16 * number + i);
}

static bool flash_is(const struct scene *scene, unsigned number, const struct image *image, bool own)
{
    char *path = format_text("%s/A%u.bin", scene->directory, number);
    FILE *file = fopen(path, "re");
    uint8_t found[IMAGE_SIZE] = {0}, wanted[IMAGE_SIZE];
    bool equal;

    memcpy(wanted, image->ranges[0].data, sizeof wanted);
    if (own)
        own_bytes(number, wanted + OWN_AT);
    equal = file && fread(found, 1, sizeof found, file) == sizeof found &&
            memcmp(found, wanted, sizeof found) == 0;

    if (file)
        (void)fclose(file);
    free(path);
    return equal;
}

static void remove_scene(struct scene *scene)
{
    char *command = format_text("rm -r '%s'", scene->directory);

    CHECK(system(command) == 0); /* NOLINT(cert-env33-c): a path of our own */
    free(command);
}

/* --- stations ----------------------------------------------------------------------------- */

static int reserve(void *context, const struct board *board, struct error *error)
{
    (void)context, (void)board, (void)error;
    return 0;
}

static void progress(void *context, const struct progress *told)
{
    (void)context, (void)told;
}

static void program_unit(struct station *station)
{
    struct scene *scene = station->scene;
    struct order order = {.chip = chip_find("p89lpc922"),
                          .image = station->part == PART_OTHER ? &scene->other : &scene->image};
    const struct program_watcher watcher = {.reserve = reserve, .progress = progress};
    struct session session = {.port = station->port,
                              .protocol = protocol_find("rs485-isp"),
                              .wakeup = scene->line_case->remote ? WAKEUP_PARITY : WAKEUP_ESCAPE};
    struct log_output output = log_output_stderr(LOG_ERROR);
    static const struct chip_span own_span = {.address = OWN_AT, .size = OWN_SIZE};
    uint8_t own[OWN_SIZE];
    const struct patch patch = {.address = OWN_AT, .size = OWN_SIZE, .bytes = own};
    struct error error = ERROR_NONE;
    struct overlay overlay;
    struct plan plan;

    own_bytes(station->address, own);
    order.variable = &own_span;
    order.variable_count = station->part == PART_OWN;
    session.log = log_named(&output, "unit %u", station->address);
    session.state = allocate(1, session.protocol->state_size);
    if (CHECK(plan_make(&plan, &order, session.protocol, &error) == 0)) {
        CHECK(overlay_make(&overlay, &order, &plan, &patch, order.variable_count, &error) == 0);
        (void)program_board(&session, &overlay.order, &overlay.plan, &watcher, &station->report);
        overlay_clear(&overlay);
        plan_clear(&plan);
    }
    free(session.state);
}

/* It has to find its unit sooner or later, and must never say that it is not there. */
static void probe_unit(const struct station *station)
{
    const struct protocol *protocol = protocol_find("rs485-isp");
    struct log_output output = log_output_stderr(LOG_ERROR);
    struct error error = ERROR_NONE;
    unsigned found = 0, unasked = 0;

    while (station->scene->running > station->scene->probing) {
        struct session session = {.port = station->port,
                                  .protocol = protocol,
                                  .wakeup = station->scene->line_case->remote ? WAKEUP_PARITY : WAKEUP_ESCAPE,
                                  .log = log_named(&output, "probe %u", station->address),
                                  .deadline_us = port_now_us(station->port) + 3000000,
                                  .state = allocate(1, protocol->state_size)};
        int status = protocol->probe(&session, &error);

        CHECK(status == 0 || status == -EALREADY);
        found += status == 0;
        unasked += status == -EALREADY;
        free(session.state);
        (void)port_sleep(station->port, 50000);
    }
    CHECK(found > 0 && unasked > found);
}

static void run_station(void *argument)
{
    struct station *station = argument;
    struct scene *scene = station->scene;
    char *name = format_text("%s#%u", scene->port, station->address);
    struct error error = ERROR_NONE;

    if (CHECK(port_open(&station->port, name, scene->fibers, &clock_system, &error) == 0)) {
        scene->running++;
        scene->probing += station->part == PART_PROBE;
        if (station->part == PART_PROBE)
            probe_unit(station);
        else if (station->part != PART_BYSTANDER)
            program_unit(station);
        scene->probing -= station->part == PART_PROBE;
        /* As in the daemon, ports stay open while anybody works. */
        for (scene->running--; scene->running > 0;)
            (void)port_sleep(station->port, 20000);
        station->sent = station->port->meter.sent;
        port_close(station->port);
        station->port = NULL;
    }
    free(name);
}

static void cancel_station(void *argument)
{
    struct station *station = argument;
    const struct scene *scene = station->scene;

    (void)fiber_sleep_until(scene->fibers, &clock_system,
                            clock_monotonic_us(&clock_system) + scene->line_case->cancel_ms * 1000LL);
    fiber_cancel(station->fiber);
}

static uint64_t sent_by_all(const struct scene *scene)
{
    uint64_t sent = 0;

    for (unsigned i = 0; i <= UNITS; i++)
        sent += scene->stations[i].port ? scene->stations[i].port->meter.sent : 0;
    return sent;
}

/* Bytes that are on their way meanwhile arrive without the pauses that were between them. */
static void stall_line(const struct scene *scene)
{
    CHECK(kill(scene->pid, SIGSTOP) == 0);
    (void)fiber_sleep_until(scene->fibers, &clock_system, clock_monotonic_us(&clock_system) + 60000);
    CHECK(kill(scene->pid, SIGCONT) == 0);
}

static void stall(void *argument)
{
    const struct scene *scene = argument;
    const struct timespec long_enough = {.tv_sec = 2, .tv_nsec = 700000000};
    int64_t limit_us = clock_monotonic_us(&clock_system) + 20000000;

    while (sent_by_all(scene) < scene->line_case->stall_at && clock_monotonic_us(&clock_system) < limit_us)
        (void)fiber_sleep_until(scene->fibers, &clock_system, clock_monotonic_us(&clock_system) + 1000);
    CHECK(clock_monotonic_us(&clock_system) < limit_us);
    if (scene->line_case->host_stalls)
        (void)nanosleep(&long_enough, NULL);
    else
        stall_line(scene);
}

/* --- cases -------------------------------------------------------------------------------- */

static void fill(struct image *image, unsigned seed)
{
    *image = (struct image){.count = 1, .ranges = allocate(1, sizeof *image->ranges)};
    image->ranges[0] = (struct image_range){.size = IMAGE_SIZE, .data = allocate(IMAGE_SIZE, 1)};
    for (uint32_t i = 0; i < IMAGE_SIZE; i++) {
        seed = seed * 1103515245 + 12345;
        image->ranges[0].data[i] = i < 640 || i >= 1024 ? (uint8_t)(seed >> 16) : 0; /* blank blocks too */
    }
}

static void judge_station(const struct scene *scene, const struct station *station)
{
    const struct report *report = &station->report;
    enum failure wanted = scene->line_case->failures[station->address - 1];
    bool good = true;

    if (station->part == PART_NONE || station->part == PART_BYSTANDER || station->part == PART_PROBE) {
        if (station->address <= UNITS) /* nobody has touched it */
            good = CHECK(!flash_is(scene, station->address, &scene->image, false));
    } else {
        good = CHECK(report->failure == wanted);
        good &= CHECK((report->outcome == OUTCOME_PASS) == (wanted == FAILURE_NONE));
        if (wanted == FAILURE_NONE)
            good &= CHECK(flash_is(scene, station->address,
                                   station->part == PART_OTHER ? &scene->other : &scene->image,
                                   station->part == PART_OWN));
    }
    if (!good)
        (void)fprintf(stderr, "  %s, unit %u: %s %s: %s\n", scene->line_case->what, station->address,
                      outcome_word(report->outcome), failure_word(report->failure), report->error.text);
}

static void play(struct scene *scene, struct station *stations)
{
    CHECK(uv_loop_init(&scene->loop) == 0);
    scene->fibers = fibers_new(&scene->loop, &clock_system);
    for (unsigned i = 0; i <= UNITS; i++) {
        struct station *station = &stations[i];

        *station =
            (struct station){.scene = scene, .address = (uint8_t)(i + 1), .part = scene->line_case->parts[i]};
        if (station->part != PART_NONE)
            station->fiber = fiber_start(scene->fibers, "station", run_station, NULL, station);
        if (station->part == PART_CANCEL)
            (void)fiber_start(scene->fibers, "cancel", cancel_station, NULL, station);
    }
    scene->stations = stations;
    if (scene->line_case->stall_at)
        (void)fiber_start(scene->fibers, "stall", stall, NULL, scene);
    CHECK(uv_run(&scene->loop, UV_RUN_DEFAULT) == 0);
    fibers_free(scene->fibers);
    CHECK(uv_run(&scene->loop, UV_RUN_DEFAULT) == 0 && uv_loop_close(&scene->loop) == 0);
}

static void run_case(const struct line_case *line_case, const char *program)
{
    struct scene scene = {.line_case = line_case, .directory = "/tmp/flashfarm-line-XXXXXX"};
    struct station stations[UNITS + 1];
    int before = test_failures;
    double passes = 0;

    CHECK(mkdtemp(scene.directory) != NULL);
    fill(&scene.image, 1);
    fill(&scene.other, 2);
    start_sim(&scene, program);
    play(&scene, stations);
    stop_sim(&scene);
    for (unsigned i = 0; i <= UNITS; i++) {
        judge_station(&scene, &stations[i]);
        passes += (double)stations[i].sent / IMAGE_SIZE;
    }
    CHECK(passes <= line_case->passes_most);
    remove_scene(&scene);
    image_clear(&scene.image);
    image_clear(&scene.other);
    (void)printf("%s %s (%.2f times the image)\n", test_failures == before ? "ok  " : "FAIL", line_case->what,
                 passes);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    (void)setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        run_case(&cases[i], argv[1]);
    return test_failures ? 1 : 0;
}
