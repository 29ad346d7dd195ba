/* SPDX-License-Identifier: Apache-2.0 */
/* flashfarmd: builds the parts, connects them, runs the loop.
 *
 * Welcome. To read the daemon from here: jobs/farm.h is what it can do, jobs/station.c one station's day,
 * jobs/run.c one attempt and its record, stations/program.c one board, stations/protocols/ the dialogues. */
#include "alloc.h"
#include "api.h"
#include "config.h"
#include "farm.h"
#include "fiber.h"
#include "key_file.h"
#include "notify.h"
#include "protocol.h"
#include "roles.h"
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define LAG_SAMPLE_US 50000

struct daemon {
    const char *config_path;
    const char *restored; /* --restored REASON; NULL: not given */
    char origin[80];      /* who signs the record: "flashfarm/HOST" */
    struct settings settings;
    struct log_output output;
    struct log log;
    uv_loop_t loop;
    struct fibers *fibers;
    struct store *store;
    struct farm *farm;
    struct api *api;
    struct keys keys;
    struct notify notify;
    struct api_lag lag;
    struct fiber *lag_fiber;
    uv_signal_t signals[3];
    uv_timer_t watchdog;
    int state_lock;
    bool stopping;
    int exit_status;
};

/* --- configuration ------------------------------------------------------------------------ */

static int check_port(const char *value, struct error *error)
{
    return port_name_check(value, error);
}

static int check_protocol(const char *value, struct error *error)
{
    char known[200] = "";

    if (protocol_find(value))
        return 0;
    for (size_t i = 0; protocols[i]; i++) {
        (void)strncat(known, i ? ", " : "", sizeof known - strlen(known) - 1);
        (void)strncat(known, protocols[i]->name, sizeof known - strlen(known) - 1);
    }
    return error_set(error, -EINVAL, "expected one of %s", known);
}

/* Whether `power-cycle` has a power to switch is asked when the whole section is known (farm_configure). */
static int check_entry(const char *value, struct error *error)
{
    struct entry *entry = NULL;
    int status = entry_parse(&entry, value, NULL, error);

    entry_free(entry);
    return status;
}

static int check_power(const char *value, struct error *error)
{
    struct entry *entry = NULL;
    int status = entry_parse(&entry, "none", value, error);

    entry_free(entry);
    return status;
}

static const struct config_checks checks = {
    .port = check_port, .protocol = check_protocol, .entry = check_entry, .power = check_power};

/* --- stopping ----------------------------------------------------------------------------- */

static void on_api_stopped(void *context)
{
    struct daemon *daemon = context;

    daemon->api = NULL;
    if (daemon->lag_fiber)
        fiber_cancel(daemon->lag_fiber);
    for (size_t i = 0; i < sizeof daemon->signals / sizeof *daemon->signals; i++)
        uv_close((uv_handle_t *)&daemon->signals[i], NULL);
    uv_close((uv_handle_t *)&daemon->watchdog, NULL);
    uv_stop(&daemon->loop);
}

static void on_farm_stopped(void *context, int status, const struct error *error)
{
    struct daemon *daemon = context;

    if (status < 0)
        log_error(&daemon->log, "the stop could not be recorded: %s", error->text);
    if (daemon->api)
        api_stop(daemon->api, on_api_stopped, daemon);
    else
        on_api_stopped(daemon);
}

static void stop(struct daemon *daemon)
{
    if (!daemon->stopping)
        (void)notify_stopping(&daemon->notify, "finishing units in work");
    daemon->stopping = true;
    farm_stop(daemon->farm, daemon->settings.stop_timeout_s * 1000, on_farm_stopped, daemon);
}

/* --- signals ------------------------------------------------------------------------------ */

static void reload(struct daemon *daemon)
{
    struct error error = ERROR_NONE;
    struct settings settings;

    (void)notify_reloading(&daemon->notify, clock_monotonic_us(&clock_system));
    if (config_read(daemon->config_path, &checks, &settings, &error) < 0) {
        log_error(&daemon->log, "not reloaded: %s", error.text);
    } else if (farm_configure(daemon->farm, &settings, &error) < 0) {
        log_error(&daemon->log, "not reloaded: %s", error.text);
        settings_clear(&settings);
    } else {
        if (strcmp(settings.listen, daemon->settings.listen) != 0 ||
            strcmp(settings.state, daemon->settings.state) != 0)
            log_warning(&daemon->log, "listen, state, keys and TLS are taken up at the next start");
        daemon->output.level = (enum log_level)settings.log_level;
        settings_clear(&settings);
        log_notice(&daemon->log, "stations reloaded from %s", daemon->config_path);
    }
    (void)notify_ready(&daemon->notify, NULL);
}

static void on_signal(uv_signal_t *signal, int number)
{
    struct daemon *daemon = signal->data;

    if (number == SIGHUP) {
        if (!daemon->stopping)
            reload(daemon);
        return;
    }
    log_notice(&daemon->log,
               daemon->stopping ? "told again to stop: cancelling units in work" : "told to stop");
    stop(daemon);
}

static void watch_signals(struct daemon *daemon)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        daemon->signals[i].data = daemon;
        (void)uv_signal_init(&daemon->loop, &daemon->signals[i]);
        (void)uv_signal_start(&daemon->signals[i], on_signal, numbers[i]);
    }
    /* A peer that hangs up and a file-size limit are errors of calls, not reasons to die. */
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
}

/* --- signs of life ------------------------------------------------------------------------ */

static void on_writer_alive(void *context, int status, const struct error *error)
{
    const struct daemon *daemon = context;

    (void)status, (void)error; /* a full disk is trouble, but the thread that reports it lives */
    (void)notify_watchdog(&daemon->notify);
}

/* The loop lives if this runs; the writer thread if it answers. */
static void on_watchdog(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;

    store_append(daemon->store, NULL, 0, on_writer_alive, daemon);
}

static void start_watchdog(struct daemon *daemon)
{
    uint64_t every_ms = (uint64_t)(daemon->notify.watchdog_us / 2000);

    if (every_ms)
        (void)uv_timer_start(&daemon->watchdog, on_watchdog, every_ms, every_ms);
}

/* How late a fiber gets the loop that should have had it now. */
static void sample_lag(void *argument)
{
    struct daemon *daemon = argument;
    int64_t due_us = clock_monotonic_us(&clock_system);

    for (;;) {
        int64_t now_us;

        due_us += LAG_SAMPLE_US;
        if (fiber_sleep_until(daemon->fibers, &clock_system, due_us) < 0)
            return;
        now_us = clock_monotonic_us(&clock_system);
        api_lag_add(&daemon->lag, now_us - due_us);
        due_us = now_us;
    }
}

static void lag_ended(void *argument)
{
    ((struct daemon *)argument)->lag_fiber = NULL;
}

/* --- starting ----------------------------------------------------------------------------- */

static void on_event(void *context, const struct farm_event *event)
{
    const struct daemon *daemon = context;

    if (daemon->api)
        api_publish(daemon->api, event);
}

static bool has_own_keys(const struct settings *settings)
{
    return settings->key_file[0] != '\0';
}

static int serve(struct daemon *daemon, struct error *error)
{
    const struct settings *settings = &daemon->settings;
    const struct api_options options = {
        .loop = &daemon->loop,
        .farm = daemon->farm,
        .store = daemon->store,
        .clock = &clock_system,
        .log = &daemon->output,
        .listen = settings->listen,
        .version = FLASHFARM_VERSION,
        .state = settings->state,
        .origin = daemon->origin,
        .tls_certificate = settings->tls_certificate,
        .tls_key = settings->tls_key,
        .tls_client_ca = settings->tls_client_ca,
        .webhook_hosts = settings->webhook_hosts,
        .keys = daemon->keys.keys,
        .key_count = daemon->keys.count,
        .keys_are_generated = !has_own_keys(settings),
        .lag = &daemon->lag,
    };
    int status = api_start(&daemon->api, &options, error);

    keys_clear(&daemon->keys); /* the interface keeps hashes */
    return status;
}

static void on_farm_started(void *context, int status, const struct error *error)
{
    struct daemon *daemon = context;
    struct error reason = *error;

    if (daemon->stopping)
        return; /* told to stop before it had begun */
    if (status == 0)
        status = serve(daemon, &reason);
    if (status < 0) {
        log_error(&daemon->log, "cannot start: %s", reason.text);
        daemon->exit_status = EXIT_FAILURE;
        stop(daemon);
        return;
    }
    daemon->lag_fiber = fiber_start(daemon->fibers, "lag", sample_lag, lag_ended, daemon);
    start_watchdog(daemon);
    log_notice(&daemon->log, "flashfarmd %s serves %zu stations at %s", FLASHFARM_VERSION,
               daemon->settings.station_count, api_url(daemon->api));
    (void)notify_ready(&daemon->notify, api_url(daemon->api));
}

/* Two daemons on one state directory would hand out the same numbers. */
static int lock_state(struct daemon *daemon, struct error *error)
{
    char *path = format_text("%s/lock", daemon->settings.state);
    int status = 0;

    if (mkdir(daemon->settings.state, 0750) < 0 && errno != EEXIST)
        status = error_set_errno(error, errno, "cannot make the state directory %s", daemon->settings.state);
    if (status == 0) {
        daemon->state_lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
        if (daemon->state_lock < 0)
            status = error_set_errno(error, errno, "cannot open %s", path);
        else if (flock(daemon->state_lock, LOCK_EX | LOCK_NB) < 0)
            status = error_set(error, -EBUSY, "another flashfarmd uses %s", daemon->settings.state);
    }
    free(path);
    return status;
}

static int read_keys(struct daemon *daemon, struct error *error)
{
    char *own = format_text("%s/key", daemon->settings.state);
    bool given = has_own_keys(&daemon->settings);
    int status = keys_read(&daemon->keys, given ? daemon->settings.key_file : own, !given, error);

    free(own);
    for (size_t i = 0; status == 0 && !given && i < daemon->keys.count; i++) {
        daemon->keys.keys[i].roles = ROLE_OPERATOR | ROLE_ENGINEER | ROLE_AUDITOR | ROLE_ADMIN;
        daemon->keys.keys[i].local = true;
    }
    return status;
}

/* Notes that are signed name their signer; a host without a name still has one. */
static void name_origin(struct daemon *daemon)
{
    char host[65] = "";

    (void)gethostname(host, sizeof host - 1);
    (void)snprintf(daemon->origin, sizeof daemon->origin, "flashfarm/%s", host[0] ? host : "localhost");
}

static int open_signed_store(struct daemon *daemon, const char *path, const uint8_t *seed,
                             struct error *error)
{
    const struct store_options options = {.path = path,
                                          .loop = &daemon->loop,
                                          .clock = &clock_system,
                                          .log = log_named(&daemon->output, "store"),
                                          .signing_seed = seed,
                                          .origin = daemon->origin,
                                          .restored = daemon->restored};

    return store_open(&daemon->store, &options, error);
}

static int open_store(struct daemon *daemon, struct error *error)
{
    char *path = format_text("%s/flashfarm.db", daemon->settings.state);
    char *seed_path = format_text("%s/ledger.key", daemon->settings.state);
    bool recorded = access(path, F_OK) == 0, made;
    uint8_t *seed;
    int status = seed_read(&seed, &made, seed_path, error);

    name_origin(daemon);
    if (status == 0 && made && recorded)
        log_warning(&daemon->log, "made a new signing key %s for a record that is there already", seed_path);
    if (status == 0)
        status = open_signed_store(daemon, path, seed, error);
    sodium_free(seed); /* NULL is fine */
    free(seed_path);
    free(path);
    return status;
}

static void open_farm(struct daemon *daemon)
{
    const struct farm_options options = {.loop = &daemon->loop,
                                         .fibers = daemon->fibers,
                                         .store = daemon->store,
                                         .clock = &clock_system,
                                         .log = &daemon->output,
                                         .state = daemon->settings.state,
                                         .trusted_keys = daemon->settings.trusted_keys,
                                         .key_store = daemon->settings.key_store,
                                         .two_people = daemon->settings.two_people != 0};

    daemon->farm = farm_new(&options);
    farm_set_listener(daemon->farm, on_event, daemon);
}

/* Every station has a port, a timer and its fiber's stack; the usual limit of 1024 files is for a shell. */
static void raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* A core file would hold the signing key and every password that is being checked. */
static void forbid_core_files(void)
{
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){.rlim_cur = 0, .rlim_max = 0});
}

static int prepare(struct daemon *daemon, struct error *error)
{
    int status = config_read(daemon->config_path, &checks, &daemon->settings, error);

    if (status < 0)
        return status;
    daemon->output = log_output_stderr((enum log_level)daemon->settings.log_level);
    raise_file_limit();
    forbid_core_files();
    status = notify_open(&daemon->notify, error);
    if (status == 0)
        status = lock_state(daemon, error);
    if (status == 0)
        status = read_keys(daemon, error);
    if (status == 0)
        status = open_store(daemon, error);
    if (status < 0)
        return status;
    open_farm(daemon);
    status = farm_configure(daemon->farm, &daemon->settings, error);
    if (status == 0 && daemon->settings.station_count == 0)
        log_warning(&daemon->log, "%s names no station", daemon->config_path);
    return status;
}

static int run(struct daemon *daemon)
{
    struct error error = ERROR_NONE;

    (void)uv_loop_init(&daemon->loop);
    daemon->fibers = fibers_new(&daemon->loop, &clock_system);
    if (prepare(daemon, &error) < 0 || farm_start(daemon->farm, on_farm_started, daemon, &error) < 0) {
        log_error(&daemon->log, "cannot start: %s", error.text);
        return EXIT_FAILURE; /* nothing is running yet; the process's end cleans up */
    }
    daemon->watchdog.data = daemon;
    (void)uv_timer_init(&daemon->loop, &daemon->watchdog);
    watch_signals(daemon);
    (void)uv_run(&daemon->loop, UV_RUN_DEFAULT);

    farm_free(daemon->farm);
    store_close(daemon->store);
    (void)uv_run(&daemon->loop, UV_RUN_DEFAULT); /* handles that are closing */
    fibers_free(daemon->fibers);
    (void)uv_loop_close(&daemon->loop);
    keys_clear(&daemon->keys);
    notify_close(&daemon->notify);
    settings_clear(&daemon->settings);
    (void)close(daemon->state_lock);
    return daemon->exit_status;
}

static void print_help(void)
{
    (void)printf(
        "usage: flashfarmd [--config FILE] [--restored REASON]\n"
        "Programs boards at many stations at once, as jobs over HTTP tell it to.\n\n"
        "  --config FILE  configuration (default %s)\n"
        "  --check        read the configuration, say whether it is good, and end\n"
        "  --restored REASON\n"
        "                 the record was put back from a backup: start although it is older than it was\n"
        "  --routes       print the routes of the HTTP interface, and end\n"
        "  --version      print the version, and end\n"
        "  --help         this text\n\n"
        "SIGTERM finishes the units in work, a second one cancels them; SIGHUP reloads the stations.\n\n"
        "Configuration:\n",
        CONFIG_DEFAULT_PATH);
    config_print_help(stdout);
    (void)printf("Words of entry:\n");
    entry_print_patterns(stdout);
    (void)printf("Protocols:\n");
    for (size_t i = 0; protocols[i]; i++)
        (void)printf("  %-13s %s\n", protocols[i]->name, protocols[i]->summary);
}

/* Apart from main(), whose frame is large enough. */
static __attribute__((noinline)) int check_config(const char *path)
{
    struct error error = ERROR_NONE;
    struct settings settings;

    if (config_read(path, &checks, &settings, &error) < 0) {
        (void)fprintf(stderr, "flashfarmd: %s\n", error.text);
        return EXIT_FAILURE;
    }
    (void)printf("%s: good, %zu stations\n", path, settings.station_count);
    settings_clear(&settings);
    return EXIT_SUCCESS;
}

enum { OPTION_CONFIG = 1, OPTION_CHECK, OPTION_RESTORED, OPTION_ROUTES, OPTION_VERSION, OPTION_HELP };

static void *allocate_bytes(size_t size)
{
    return allocate(1, size);
}

static void *grow(void *bytes, size_t size)
{
    return reallocate(bytes, 1, size);
}

/* Half a fact would be worse than none: for want of memory the libraries that make facts end the daemon as
 * its own code does, and say so (alloc.h). */
static void let_libraries_allocate(void)
{
    json_set_alloc_funcs(allocate_bytes, free);
    (void)uv_replace_allocator(allocate_bytes, grow, allocate, free);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, OPTION_CONFIG},
                                            {"restored", required_argument, NULL, OPTION_RESTORED},
                                            {"check", no_argument, NULL, OPTION_CHECK},
                                            {"routes", no_argument, NULL, OPTION_ROUTES},
                                            {"version", no_argument, NULL, OPTION_VERSION},
                                            {"help", no_argument, NULL, OPTION_HELP},
                                            {NULL, 0, NULL, 0}};
    struct daemon daemon = {.config_path = CONFIG_DEFAULT_PATH, .output = log_output_stderr(LOG_NOTICE)};
    bool check = false;
    int option;

    let_libraries_allocate();
    daemon.log = log_named(&daemon.output, "%s", "");
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        switch (option) {
        case OPTION_CONFIG:
            daemon.config_path = optarg;
            break;
        case OPTION_RESTORED:
            daemon.restored = optarg;
            break;
        case OPTION_CHECK:
            check = true;
            break;
        case OPTION_ROUTES:
            api_print_routes(stdout);
            return EXIT_SUCCESS;
        case OPTION_VERSION:
            (void)printf("flashfarmd %s\n", FLASHFARM_VERSION);
            return EXIT_SUCCESS;
        case OPTION_HELP:
            print_help();
            return EXIT_SUCCESS;
        default:
            (void)fprintf(stderr, "flashfarmd: see --help\n");
            return 2;
        }
    if (optind < argc || sodium_init() < 0) {
        (void)fprintf(stderr, "flashfarmd: see --help\n");
        return 2;
    }
    return check ? check_config(daemon.config_path) : run(&daemon);
}
