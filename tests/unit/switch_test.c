/* SPDX-License-Identifier: Apache-2.0 */
/* stations/switch.c and switch_run.c: GPIO lines through the seam and through libgpiod's calls, hub ports in
 * a folder that stands for sysfs, and real programs: good, failing, hanging, missing, cancelled. */
#include "fiber.h"
#include "switch.h"

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <gpiod.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct scene {
    char folder[40];
    uv_loop_t loop;
    struct fibers *fibers;
    struct fiber *fiber;
    uv_timer_t timer;
    struct fixture_switch *target;
    bool on, finish;
    int64_t timeout_us;
    int status;
    struct error error;
    int signals; /* given by a timer of the loop while the program ran */
};

static void open_scene(struct scene *scene)
{
    *scene = (struct scene){.folder = "/tmp/flashfarm-switch-XXXXXX", .timeout_us = 20000000, .on = true};
    CHECK(mkdtemp(scene->folder) != NULL);
}

static void close_scene(struct scene *scene)
{
    char command[80];

    switch_free(scene->target);
    (void)snprintf(command, sizeof command, "rm -r %s", scene->folder);
    CHECK(system(command) == 0); /* NOLINT(bugprone-command-processor): a folder of our own */
}

static void set(void *argument)
{
    struct scene *scene = argument;
    const struct switch_call call = {
        .fibers = scene->fibers, .timeout_us = scene->timeout_us, .finish = scene->finish};

    scene->error = ERROR_NONE;
    scene->status = switch_set(scene->target, scene->on, &call, &scene->error);
}

static void set_done(void *argument)
{
    uv_close((uv_handle_t *)&((struct scene *)argument)->timer, NULL);
}

/* With a timer of the loop that ticks every millisecond until the switch is set. */
static void set_on_fiber(struct scene *scene, uv_timer_cb on_timer)
{
    CHECK(uv_loop_init(&scene->loop) == 0);
    scene->fibers = fibers_new(&scene->loop, &clock_system);
    (void)uv_timer_init(&scene->loop, &scene->timer);
    scene->timer.data = scene;
    if (on_timer)
        (void)uv_timer_start(&scene->timer, on_timer, 1, 1);
    scene->fiber = fiber_start(scene->fibers, "switch", set, set_done, scene);
    CHECK(uv_run(&scene->loop, UV_RUN_DEFAULT) == 0);
    fibers_free(scene->fibers);
    CHECK(uv_loop_close(&scene->loop) == 0);
    scene->fibers = NULL;
}

static void parse(struct scene *scene, const char *text, enum switch_words words,
                  const struct switch_host *host)
{
    struct error error;

    switch_free(scene->target);
    scene->target = NULL;
    if (!CHECK(switch_parse(&scene->target, text, words, host, &error) == 0))
        (void)fprintf(stderr, "  %s\n", error.text);
}

/* --- libgpiod ------------------------------------------------------------------------------------ */

/* The linker sends the library's calls through here: while `chip.pretended` they are this chip's. */
static struct {
    bool pretended, open, requested;
    int requests, refuse; /* the errno of the next request; 0: none */
    unsigned offset;
    int flags, value;
} chip;

/* NOLINTBEGIN(bugprone-reserved-identifier) */
struct gpiod_chip *__real_gpiod_chip_open(const char *path);
struct gpiod_line *__real_gpiod_chip_get_line(struct gpiod_chip *of, unsigned int offset);
struct gpiod_chip *__real_gpiod_line_get_chip(struct gpiod_line *line);
int __real_gpiod_line_request_output_flags(struct gpiod_line *line, const char *consumer, int flags,
                                           int value);
int __real_gpiod_line_set_value(struct gpiod_line *line, int value);
void __real_gpiod_chip_close(struct gpiod_chip *of);
struct gpiod_chip *__wrap_gpiod_chip_open(const char *path);
struct gpiod_line *__wrap_gpiod_chip_get_line(struct gpiod_chip *of, unsigned int offset);
struct gpiod_chip *__wrap_gpiod_line_get_chip(struct gpiod_line *line);
int __wrap_gpiod_line_request_output_flags(struct gpiod_line *line, const char *consumer, int flags,
                                           int value);
int __wrap_gpiod_line_set_value(struct gpiod_line *line, int value);
void __wrap_gpiod_chip_close(struct gpiod_chip *of);
/* NOLINTEND(bugprone-reserved-identifier) */

struct gpiod_chip *__wrap_gpiod_chip_open(const char *path)
{
    if (!chip.pretended)
        return __real_gpiod_chip_open(path);
    CHECK_TEXT(path, "/dev/gpiochip3");
    CHECK(!chip.open);
    chip.open = true;
    return (struct gpiod_chip *)(void *)&chip;
}

struct gpiod_line *__wrap_gpiod_chip_get_line(struct gpiod_chip *of, unsigned int offset)
{
    if (!chip.pretended)
        return __real_gpiod_chip_get_line(of, offset);
    CHECK((void *)of == (void *)&chip);
    chip.offset = offset;
    return (struct gpiod_line *)(void *)&chip;
}

struct gpiod_chip *__wrap_gpiod_line_get_chip(struct gpiod_line *line)
{
    if (!chip.pretended)
        return __real_gpiod_line_get_chip(line);
    return (struct gpiod_chip *)(void *)line;
}

int __wrap_gpiod_line_request_output_flags(struct gpiod_line *line, const char *consumer, int flags,
                                           int value)
{
    if (!chip.pretended)
        return __real_gpiod_line_request_output_flags(line, consumer, flags, value);
    CHECK((void *)line == (void *)&chip && !chip.requested);
    CHECK_TEXT(consumer, "flashfarm");
    chip.requests++;
    if (chip.refuse) {
        errno = chip.refuse;
        return -1;
    }
    chip.requested = true;
    chip.flags = flags;
    chip.value = value;
    return 0;
}

int __wrap_gpiod_line_set_value(struct gpiod_line *line, int value)
{
    if (!chip.pretended)
        return __real_gpiod_line_set_value(line, value);
    CHECK((void *)line == (void *)&chip && chip.requested);
    chip.value = value;
    return 0;
}

void __wrap_gpiod_chip_close(struct gpiod_chip *of)
{
    if (!chip.pretended) {
        __real_gpiod_chip_close(of);
        return;
    }
    CHECK((void *)of == (void *)&chip && chip.open);
    chip.open = chip.requested = false;
}

/* Requested with the first state, so that the line never has another; then kept. */
static void test_gpio(void)
{
    struct scene scene;

    open_scene(&scene);
    memset(&chip, 0, sizeof chip);
    chip.pretended = true;
    parse(&scene, "gpio:gpiochip3/17/low", SWITCH_ENTER_LEAVE, &switch_host_this);
    CHECK_TEXT(switch_text(scene.target), "gpio:gpiochip3/17/low");
    CHECK(!chip.open);
    set(&scene);
    CHECK(scene.status == 0 && chip.requested && chip.offset == 17 && chip.value == 1);
    CHECK(chip.flags == GPIOD_LINE_REQUEST_FLAG_ACTIVE_LOW);
    scene.on = false;
    set(&scene);
    CHECK(scene.status == 0 && chip.value == 0 && chip.requests == 1 && chip.requested);
    parse(&scene, "gpio:gpiochip3/4", SWITCH_ENTER_LEAVE, &switch_host_this);
    CHECK(!chip.open && !chip.requested);
    chip.refuse = EBUSY;
    set(&scene);
    CHECK(scene.status == -EREMOTEIO && !chip.open);
    CHECK_TEXT(scene.error.text,
               "gpio:gpiochip3/4: /dev/gpiochip3 cannot be switched: Device or resource busy");
    chip.refuse = 0;
    set(&scene);
    CHECK(scene.status == 0 && chip.offset == 4 && chip.value == 0 && chip.flags == 0);
    close_scene(&scene);
    CHECK(!chip.open);
    chip.pretended = false;
}

/* The library itself, as far as it goes without a chip. */
static void test_gpio_missing(void)
{
    struct scene scene;
    struct switch_host host = switch_host_this;
    char path[80];
    int fd;

    open_scene(&scene);
    host.dev = scene.folder;
    parse(&scene, "gpio:gpiochip3/4", SWITCH_ENTER_LEAVE, &host);
    set(&scene);
    CHECK(scene.status == -EREMOTEIO && strstr(scene.error.text, "/gpiochip3 cannot be switched: "));
    CHECK(strstr(scene.error.text, ": No such file or directory"));
    (void)snprintf(path, sizeof path, "%s/gpiochip3", scene.folder);
    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && close(fd) == 0);
    set(&scene);
    CHECK(scene.status == -EREMOTEIO && strstr(scene.error.text, "cannot be switched: "));
    close_scene(&scene);
}

#define SIM  "/sys/kernel/config/gpio-sim/flashfarm-test"
#define BANK SIM "/bank0"

static bool put_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    if (fd >= 0)
        (void)close(fd);
    return good;
}

/* The first word of a file; "" when there is none. */
static void get_word(const char *path, char word[64])
{
    FILE *file = fopen(path, "r");

    if (!file || !fgets(word, 64, file))
        word[0] = '\0';
    word[strcspn(word, "\n")] = '\0';
    if (file)
        (void)fclose(file);
}

static void switch_simulated(const char *device, const char *name)
{
    static const struct {
        const char *suffix, *when_on, *when_off;
    } lines[] = {{"", "1", "0"}, {"/low", "0", "1"}};

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct scene scene;
        char text[100], path[200], value[64];

        open_scene(&scene);
        (void)snprintf(text, sizeof text, "gpio:%s/3%s", name, lines[i].suffix);
        (void)snprintf(path, sizeof path, "/sys/devices/platform/%s/%s/sim_gpio3/value", device, name);
        parse(&scene, text, SWITCH_ENTER_LEAVE, &switch_host_this);
        for (int turn = 0; turn < 4; turn++) {
            scene.on = turn % 2 == 0;
            set(&scene);
            CHECK(scene.status == 0);
            get_word(path, value);
            CHECK_TEXT(value, scene.on ? lines[i].when_on : lines[i].when_off);
        }
        close_scene(&scene);
    }
}

/* The kernel's own simulated chip, where it has one and we may make one. */
static void test_gpio_sim(void)
{
    char device[64], name[64];

    if (mkdir(SIM, 0755) < 0 || mkdir(BANK, 0755) < 0 || !put_text(BANK "/num_lines", "8") ||
        !put_text(SIM "/live", "1")) {
        (void)printf("skip gpio-sim: this kernel has none, or it is not for us\n");
    } else {
        get_word(SIM "/dev_name", device);
        get_word(BANK "/chip_name", name);
        switch_simulated(device, name);
        CHECK(put_text(SIM "/live", "0"));
    }
    (void)rmdir(BANK);
    (void)rmdir(SIM);
}

/* --- hub ports ------------------------------------------------------------------------------------ */

static void make_port(const struct scene *scene, const char *hub, const char *port)
{
    char command[240];

    (void)snprintf(command, sizeof command,
                   "mkdir -p %s/bus/usb/devices/%s/%s && echo 0 >%s/bus/usb/devices/%s/%s/disable",
                   scene->folder, hub, port, scene->folder, hub, port);
    CHECK(system(command) == 0); /* NOLINT(bugprone-command-processor): a folder of our own */
}

static void check_port(const struct scene *scene, const char *port, const char *want)
{
    char path[120], text[8] = "";
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/bus/usb/devices/%s/disable", scene->folder, port);
    file = fopen(path, "r");
    CHECK(file && fgets(text, sizeof text, file) && fclose(file) == 0);
    CHECK_TEXT(text, want);
}

static void switch_port(struct scene *scene, const struct switch_host *host, const char *text,
                        const char *port)
{
    parse(scene, text, SWITCH_ON_OFF, host);
    scene->on = false;
    set(scene);
    CHECK(scene->status == 0);
    check_port(scene, port, "1\n");
    scene->on = true;
    set_on_fiber(scene, NULL);
    CHECK(scene->status == 0);
    check_port(scene, port, "0\n");
    scene->on = false;
    set_on_fiber(scene, NULL);
    check_port(scene, port, "1\n");
}

static void test_hub_port(void)
{
    struct scene scene;
    struct switch_host host = switch_host_this;
    char sentence[160];

    open_scene(&scene);
    host.sysfs = scene.folder;
    make_port(&scene, "1-1.4:1.0", "1-1.4-port3");
    make_port(&scene, "2-0:1.0", "usb2-port10");
    switch_port(&scene, &host, "usb-hub:1-1.4/3", "1-1.4:1.0/1-1.4-port3");
    switch_port(&scene, &host, "usb-hub:usb2/10", "2-0:1.0/usb2-port10");
    parse(&scene, "usb-hub:1-1.4/2", SWITCH_ON_OFF, &host);
    set(&scene);
    CHECK(scene.status == -EREMOTEIO);
    (void)snprintf(sentence, sizeof sentence,
                   "usb-hub:1-1.4/2: no such hub port can be switched here (no "
                   "%s/bus/usb/devices/1-1.4:1.0/1-1.4-port2/disable)",
                   scene.folder);
    CHECK_TEXT(scene.error.text, sentence);
    make_port(&scene, "3-1:1.0", "3-1-port1/disable"); /* a folder where the file should be */
    parse(&scene, "usb-hub:3-1/1", SWITCH_ON_OFF, &host);
    set_on_fiber(&scene, NULL);
    CHECK(scene.status == -EREMOTEIO && strstr(scene.error.text, "cannot be switched: Is a directory"));
    close_scene(&scene);
}

/* --- programs -------------------------------------------------------------------------------------- */

/* A script in the scene's folder as the command `target`, with that folder as its argument. */
static void make_program(struct scene *scene, const char *script, enum switch_words words)
{
    char path[64], text[160];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/program", scene->folder);
    file = fopen(path, "w");
    CHECK(file && fprintf(file, "#!/bin/sh\n%s\n", script) > 0 && fclose(file) == 0);
    CHECK(chmod(path, 0700) == 0);
    (void)snprintf(text, sizeof text, "command:%s %s", path, scene->folder);
    parse(scene, text, words, &switch_host_this);
}

/* The sentence without the program's name before it. */
static const char *said(const struct scene *scene)
{
    const char *end = strstr(scene->error.text, ": it ");

    return end ? end + 2 : scene->error.text;
}

static bool exists(const struct scene *scene, const char *name)
{
    char path[80];

    (void)snprintf(path, sizeof path, "%s/%s", scene->folder, name);
    return access(path, F_OK) == 0;
}

static pid_t read_pid(const struct scene *scene, const char *name)
{
    char path[80], text[16] = "";
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s", scene->folder, name);
    file = fopen(path, "r");
    if (!file)
        return 0;
    if (!fgets(text, sizeof text, file))
        text[0] = '\0'; /* it is being written */
    (void)fclose(file);
    return (pid_t)strtol(text, NULL, 10);
}

static const struct {
    const char *script, *said;
    bool on;
    enum switch_words words;
} programs[] = {
    {.script = "test $# = 2 -a $2 = on", .said = "", .on = true},
    {.script = "test $# = 2 -a $2 = off", .said = ""},
    {.script = "test $2 = enter", .said = "", .on = true, .words = SWITCH_ENTER_LEAVE},
    {.script = "test $2 = leave", .said = "", .words = SWITCH_ENTER_LEAVE},
    {.script = "echo fine; exit 0", .said = ""},
    {.script = "exit 3", .said = "it ended with status 3"},
    {.script = "echo; echo '  the relay is hot'; echo more; exit 3",
     .said = "it ended with status 3: the relay is hot"},
    {.script = "echo to nobody; echo no relay >&2; exit 1", .said = "it ended with status 1: to nobody"},
    {.script = "kill -9 $$", .said = "it was ended by signal 9"},
    /* Input is at its end, and what nobody reads does not stop it. */
    {.script =
         "read line && exit 9; i=0; while [ $i -lt 3000 ]; do echo "
         "0123456789012345678901234567890123456789012345678901234567890123456789; i=$((i+1)); done; exit 5",
     .said =
         "it ended with status 5: 0123456789012345678901234567890123456789012345678901234567890123456789"},
};

static void test_programs(void)
{
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++) {
        struct scene scene;

        open_scene(&scene);
        make_program(&scene, programs[i].script, programs[i].words);
        scene.on = programs[i].on;
        for (int way = 0; way < 2; way++) {
            if (way == 0)
                set(&scene);
            else
                set_on_fiber(&scene, NULL);
            CHECK(scene.status == (programs[i].said[0] ? -EREMOTEIO : 0));
            CHECK_TEXT(said(&scene), programs[i].said);
        }
        close_scene(&scene);
    }
}

static void test_sentence(void)
{
    struct scene scene;
    char sentence[160];

    open_scene(&scene);
    make_program(&scene, "echo no relay; exit 2", SWITCH_ON_OFF);
    set(&scene);
    (void)snprintf(sentence, sizeof sentence, "command:%s/program %s on: it ended with status 2: no relay",
                   scene.folder, scene.folder);
    CHECK_TEXT(scene.error.text, sentence);
    close_scene(&scene);
}

static void test_no_program(void)
{
    struct scene scene;
    char path[80];

    open_scene(&scene);
    parse(&scene, "command:/nonexistent/power A1", SWITCH_ON_OFF, &switch_host_this);
    for (int way = 0; way < 2; way++) {
        if (way == 0)
            set(&scene);
        else
            set_on_fiber(&scene, NULL);
        CHECK(scene.status == -EREMOTEIO && scene.error.code == -EREMOTEIO);
        CHECK_TEXT(scene.error.text,
                   "command:/nonexistent/power A1 on: cannot be started: No such file or directory");
    }
    make_program(&scene, "exit 0", SWITCH_ON_OFF);
    (void)snprintf(path, sizeof path, "%s/program", scene.folder);
    CHECK(chmod(path, 0600) == 0);
    set_on_fiber(&scene, NULL);
    CHECK(scene.status == -EREMOTEIO && strstr(scene.error.text, "cannot be started: Permission denied"));
    close_scene(&scene);
}

/* Whether a process ends that the program has started and left behind: it becomes ours when its parent
 * has gone. Waits until it does. */
static bool ends(pid_t pid)
{
    return pid > 0 && waitpid(pid, NULL, 0) == pid;
}

/* Killed, with what it has started; what it said before is told. */
static void test_hanging_program(void)
{
    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    for (int way = 0; way < 2; way++) {
        struct scene scene;

        open_scene(&scene);
        scene.timeout_us = 300000;
        make_program(&scene, "echo waiting for the relay; sleep 1000 & echo $! >$1/child; wait",
                     SWITCH_ON_OFF);
        if (way == 0)
            set(&scene);
        else
            set_on_fiber(&scene, NULL);
        CHECK(scene.status == -EREMOTEIO);
        CHECK_TEXT(said(&scene), "it did not end within 300 ms and was killed: waiting for the relay");
        CHECK(ends(read_pid(&scene, "child")));
        close_scene(&scene);
    }
}

/* Not even started. */
static void test_no_time_left(void)
{
    for (int way = 0; way < 2; way++) {
        struct scene scene;

        open_scene(&scene);
        scene.timeout_us = -5000;
        make_program(&scene, "touch $1/waiting", SWITCH_ON_OFF);
        if (way == 0)
            set(&scene);
        else
            set_on_fiber(&scene, NULL);
        CHECK(scene.status == -ETIMEDOUT && strstr(scene.error.text, "there is no time left to run it"));
        CHECK(!exists(&scene, "waiting"));
        close_scene(&scene);
    }
}

/* The program waits for what only the loop gives it. */
static void open_gate(uv_timer_t *timer)
{
    struct scene *scene = timer->data;
    char path[80];
    int fd;

    if (!exists(scene, "waiting"))
        return;
    scene->signals++;
    (void)snprintf(path, sizeof path, "%s/gate", scene->folder);
    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && close(fd) == 0);
    (void)uv_timer_stop(timer);
}

static void test_loop_goes_on(void)
{
    struct scene scene;

    open_scene(&scene);
    make_program(&scene, ": >$1/waiting; while [ ! -e $1/gate ]; do sleep 0.01; done", SWITCH_ON_OFF);
    set_on_fiber(&scene, open_gate);
    CHECK(scene.status == 0 && scene.signals == 1);
    close_scene(&scene);
}

static void cancel_when_started(uv_timer_t *timer)
{
    struct scene *scene = timer->data;

    if (read_pid(scene, "pid") == 0)
        return;
    scene->signals++;
    fiber_cancel(scene->fiber);
    (void)uv_timer_stop(timer);
}

static void test_cancelled(void)
{
    struct scene scene;

    open_scene(&scene);
    make_program(&scene, "echo $$ >$1/pid; sleep 1000", SWITCH_ON_OFF);
    set_on_fiber(&scene, cancel_when_started);
    CHECK(scene.signals == 1 && scene.status == -ECANCELED);
    CHECK_TEXT(scene.error.text, "cancelled");
    CHECK(kill(read_pid(&scene, "pid"), 0) < 0 && errno == ESRCH);
    close_scene(&scene);
}

/* On the way out a cancellation waits for the program, and is told when it has ended. */
static void cancel_and_open(uv_timer_t *timer)
{
    struct scene *scene = timer->data;

    if (scene->signals == 0 && exists(scene, "waiting")) {
        fiber_cancel(scene->fiber);
        open_gate(timer);
    }
}

static void test_cancelled_but_finished(void)
{
    struct scene scene;

    open_scene(&scene);
    scene.finish = true;
    make_program(&scene, ": >$1/waiting; while [ ! -e $1/gate ]; do sleep 0.01; done; : >$1/ended",
                 SWITCH_ON_OFF);
    set_on_fiber(&scene, cancel_and_open);
    CHECK(scene.signals == 1 && scene.status == -ECANCELED && exists(&scene, "ended"));
    close_scene(&scene);
}

/* --- what the configuration may say ----------------------------------------------------------------- */

static void test_refusals(void)
{
    static const char *const refused[] = {"",
                                          "gpio",
                                          "gpio:",
                                          "gpio:/4",
                                          "gpio:../4",
                                          "gpio:gpiochip0/",
                                          "gpio:gpiochip0/4/",
                                          "gpio:gpiochip0/-4",
                                          "gpio:gpiochip0/4/LOW",
                                          "gpio:a b/4",
                                          "usb-hub:",
                                          "usb-hub:1-1",
                                          "usb-hub:1-1/0",
                                          "usb-hub:1-1/256",
                                          "usb-hub:1/3",
                                          "usb-hub:1-/3",
                                          "usb-hub:-1/3",
                                          "usb-hub:usb/3",
                                          "usb-hub:usb1-1/3",
                                          "usb-hub:../x/3",
                                          "command:",
                                          "command:  ",
                                          "command:power",
                                          "command:/",
                                          "relay:4",
                                          "command:/bin/x 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16"};

    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct fixture_switch *target = NULL;
        struct error error = ERROR_NONE;
        char sentence[200];

        (void)snprintf(
            sentence, sizeof sentence,
            "\"%s\": expected gpio:CHIP/LINE[/low], usb-hub:HUB/PORT or command:/PROGRAM ARGUMENTS",
            refused[i]);
        CHECK(switch_parse(&target, refused[i], SWITCH_ON_OFF, &switch_host_this, &error) == -EINVAL &&
              !target);
        CHECK_TEXT(error.text, sentence);
    }
    switch_free(NULL);
}

static const struct test tests[] = {
    {"gpio", test_gpio},
    {"no such gpio chip", test_gpio_missing},
    {"gpio-sim", test_gpio_sim},
    {"hub ports", test_hub_port},
    {"programs", test_programs},
    {"a failed program's sentence", test_sentence},
    {"no program", test_no_program},
    {"a hanging program", test_hanging_program},
    {"no time left", test_no_time_left},
    {"the loop goes on", test_loop_goes_on},
    {"cancelled", test_cancelled},
    {"cancelled but finished", test_cancelled_but_finished},
    {"refusals", test_refusals},
};
TEST_MAIN(tests)
