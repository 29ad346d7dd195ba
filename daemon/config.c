/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "alloc.h"
#include "log.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* inih cuts what is longer than its buffer and reads the rest as another line, so longer lines are refused.
 * Its buffer holds 200 bytes: the line, CR, LF and the end. */
#define LINE_MAX_BYTES 197

struct reading;

/* One key. `store` checks the text and puts it at `offset` of the object (struct settings of [daemon],
 * struct station_settings of [station NAME]). */
struct key {
    const char *name;
    int (*store)(struct reading *reading, const struct key *key, void *object, const char *value);
    size_t offset;
    size_t size;          /* of a text, with its end */
    int64_t least, most;  /* of a number */
    const char *fallback; /* what holds when the file says nothing; NULL: the key must be there */
    const char *help;
};

struct section {
    const char *title; /* "[daemon]" */
    const struct key *keys;
    size_t count;
};

struct reading {
    const char *path;
    const struct config_checks *checks;
    struct settings *settings;
    struct error *error;
    FILE *file;
    int line;
    const struct section *section; /* the one that is open; NULL: none yet */
    int section_line;
    uint32_t seen_daemon, seen; /* bit n: key n of [daemon], of the open section, was given */
};

static const char *const level_words[] = {
    [LOG_ERROR] = "error", [LOG_WARNING] = "warning", [LOG_NOTICE] = "notice",
    [LOG_INFO] = "info",   [LOG_DEBUG] = "debug",
};

/* The first complaint counts: what follows it may only be its echo. */
static int __attribute__((format(printf, 3, 4)))
complain(struct reading *reading, int line, const char *format, ...)
{
    char text[400];
    va_list arguments;

    if (reading->error->code)
        return reading->error->code;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return error_set(reading->error, -EINVAL, "%s:%d: %s", reading->path, line, text);
}

static int store_text(struct reading *reading, const struct key *key, void *object, const char *value)
{
    if (strlen(value) >= key->size)
        return complain(reading, reading->line, "%s is %zu characters long; expected at most %zu", key->name,
                        strlen(value), key->size - 1);
    memcpy((char *)object + key->offset, value, strlen(value) + 1);
    return 0;
}

static int store_path(struct reading *reading, const struct key *key, void *object, const char *value)
{
    bool optional = key->fallback && !*key->fallback;

    if (*value != '/' && !(optional && !*value))
        return complain(reading, reading->line, "%s is '%s'; expected an absolute path", key->name, value);
    return store_text(reading, key, object, value);
}

static bool read_number(const char *text, int64_t least, int64_t most, int64_t *number)
{
    char *end;

    errno = 0;
    *number = strtoll(text, &end, 10);
    return isdigit((unsigned char)*text) && !*end && !errno && *number >= least && *number <= most;
}

static int store_number(struct reading *reading, const struct key *key, void *object, const char *value)
{
    int64_t number;
    int32_t narrow;

    if (!read_number(value, key->least, key->most, &number))
        return complain(reading, reading->line, "%s is '%s'; expected a number from %" PRId64 " to %" PRId64,
                        key->name, value, key->least, key->most);
    narrow = (int32_t)number;
    memcpy((char *)object + key->offset, &narrow, sizeof narrow);
    return 0;
}

static int store_level(struct reading *reading, const struct key *key, void *object, const char *value)
{
    for (int level = 0; level <= LOG_DEBUG; level++)
        if (strcmp(value, level_words[level]) == 0) {
            memcpy((char *)object + key->offset, &level, sizeof level);
            return 0;
        }
    return complain(reading, reading->line, "%s is '%s'; expected error, warning, notice, info or debug",
                    key->name, value);
}

/* A numeric address: what the daemon listens on must not hang on a name server. */
static bool is_endpoint(const char *text)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    const char *colon = strrchr(text, ':');
    bool v6 = *text == '[';
    char host[64];
    int64_t port;

    if (!colon || (v6 && colon[-1] != ']') || !read_number(colon + 1, 0, 65535, &port))
        return false;
    if (snprintf(host, sizeof host, "%.*s", (int)(colon - text) - 2 * v6, text + v6) >= (int)sizeof host)
        return false;
    return inet_pton(v6 ? AF_INET6 : AF_INET, host, bytes) == 1;
}

static int store_listen(struct reading *reading, const struct key *key, void *object, const char *value)
{
    if (!is_endpoint(value))
        return complain(reading, reading->line,
                        "%s is '%s'; expected an address and a port: 127.0.0.1:8470 or [::1]:8470", key->name,
                        value);
    return store_text(reading, key, object, value);
}

static int store_checked(struct reading *reading, const struct key *key, void *object, const char *value,
                         config_check *check)
{
    struct error why = ERROR_NONE;

    if (!*value)
        return complain(reading, reading->line, "%s is empty; expected %s", key->name, key->help);
    if (check && check(value, &why))
        return complain(reading, reading->line, "%s is '%s': %s", key->name, value, why.text);
    return store_text(reading, key, object, value);
}

static int store_port(struct reading *reading, const struct key *key, void *object, const char *value)
{
    const struct settings *settings = reading->settings;

    for (size_t i = 0; i < settings->station_count; i++)
        if (&settings->stations[i] != object && strcmp(settings->stations[i].port, value) == 0)
            return complain(reading, reading->line,
                            "port '%s' already belongs to station %s; expected one port per station", value,
                            settings->stations[i].name);
    return store_checked(reading, key, object, value, reading->checks->port);
}

static int store_protocol(struct reading *reading, const struct key *key, void *object, const char *value)
{
    return store_checked(reading, key, object, value, reading->checks->protocol);
}

static int store_entry(struct reading *reading, const struct key *key, void *object, const char *value)
{
    return store_checked(reading, key, object, value, reading->checks->entry);
}

static int store_power(struct reading *reading, const struct key *key, void *object, const char *value)
{
    if (!*value)
        return store_text(reading, key, object, value);
    return store_checked(reading, key, object, value, reading->checks->power);
}

static int store_wakeup(struct reading *reading, const struct key *key, void *object, const char *value)
{
    int escape = strcmp(value, "escape") == 0;

    if (!escape && strcmp(value, "parity") != 0)
        return complain(reading, reading->line, "%s is '%s'; expected parity or escape", key->name, value);
    memcpy((char *)object + key->offset, &escape, sizeof escape);
    return 0;
}

static int store_flag(struct reading *reading, const struct key *key, void *object, const char *value)
{
    int yes = strcmp(value, "yes") == 0;

    if (!yes && strcmp(value, "no") != 0)
        return complain(reading, reading->line, "%s is '%s'; expected yes or no", key->name, value);
    memcpy((char *)object + key->offset, &yes, sizeof yes);
    return 0;
}

#define AT(type, member)      .offset = offsetof(type, member)
#define AT_TEXT(type, member) AT(type, member), .size = sizeof(((type *)NULL)->member)

static const struct key daemon_keys[] = {
    {.name = "listen",
     .store = store_listen,
     AT_TEXT(struct settings, listen),
     .fallback = "127.0.0.1:8470",
     .help = "address and port of the REST interface; other than loopback needs keys and TLS"},
    {.name = "state",
     .store = store_path,
     AT_TEXT(struct settings, state),
     .fallback = "/var/lib/flashfarm",
     .help = "directory of the database, the images and the key"},
    {.name = "key_file",
     .store = store_path,
     AT_TEXT(struct settings, key_file),
     .fallback = "",
     .help = "API keys, one per line; empty: STATE/key, which the daemon makes"},
    {.name = "tls_certificate",
     .store = store_path,
     AT_TEXT(struct settings, tls_certificate),
     .fallback = "",
     .help = "PEM file: certificate chain of the REST interface; empty: plain HTTP, on loopback only"},
    {.name = "tls_key",
     .store = store_path,
     AT_TEXT(struct settings, tls_key),
     .fallback = "",
     .help = "PEM file: the private key of tls_certificate; must not be readable by others"},
    {.name = "tls_client_ca",
     .store = store_path,
     AT_TEXT(struct settings, tls_client_ca),
     .fallback = "",
     .help = "PEM file: who signs client certificates, whose CN names the caller and OU his roles"},
    {.name = "trusted_keys",
     .store = store_path,
     AT_TEXT(struct settings, trusted_keys),
     .fallback = "",
     .help = "directory of *.pub, whose image signatures count; empty: nobody's"},
    {.name = "key_store",
     .store = store_path,
     AT_TEXT(struct settings, key_store),
     .fallback = "",
     .help = "directory of the key material that key pools refer to"},
    {.name = "webhook_hosts",
     .store = store_text,
     AT_TEXT(struct settings, webhook_hosts),
     .fallback = "",
     .help = "HOST or HOST:PORT that webhooks may go to, separated by blanks; empty: none"},
    {.name = "two_people",
     .store = store_flag,
     AT(struct settings, two_people),
     .fallback = "no",
     .help = "yes: a recipe is released by somebody else than who saved it"},
    {.name = "stop_timeout",
     .store = store_number,
     AT(struct settings, stop_timeout_s),
     .most = 3600,
     .fallback = "30",
     .help = "seconds that a stop lets running units finish"},
    {.name = "log_level",
     .store = store_level,
     AT(struct settings, log_level),
     .fallback = "notice",
     .help = "least urgent lines written: error, warning, notice, info, debug"},
};

static const struct key station_keys[] = {
    {.name = "port",
     .store = store_port,
     AT_TEXT(struct station_settings, port),
     .help = "the way to the board: serial:/dev/serial/by-path/..., rfc2217:HOST:PORT, tcp:HOST:PORT, "
             "rs485:/dev/ttyS1#UNIT"},
    {.name = "protocol",
     .store = store_protocol,
     AT_TEXT(struct station_settings, protocol),
     .help = "what is spoken on the port: stm32-uart, stk500v1, ... (see README)"},
    {.name = "baud",
     .store = store_number,
     AT(struct station_settings, baud),
     .most = 12000000,
     .fallback = "0",
     .help = "highest rate to try; 0: the protocol's own choice"},
    {.name = "entry",
     .store = store_entry,
     AT_TEXT(struct station_settings, entry),
     .fallback = "none",
     .help = "how to get into the bootloader: none, dtr-rts, arduino, break:500, ... (see README)"},
    {.name = "power",
     .store = store_power,
     AT_TEXT(struct station_settings, power),
     .fallback = "",
     .help = "what switches the board's power: gpio:CHIP/LINE, usb-hub:PATH/PORT, command:PROGRAM"},
    {.name = "wakeup",
     .store = store_wakeup,
     AT(struct station_settings, wakeup),
     .fallback = "parity",
     .help = "rs485-isp: how address frames are marked: parity, or escape where the adapter cannot"},
    {.name = "position",
     .store = store_text,
     AT_TEXT(struct station_settings, position),
     .fallback = "",
     .help = "place in the fixture, free text"},
    {.name = "fixture",
     .store = store_text,
     AT_TEXT(struct station_settings, fixture),
     .fallback = "",
     .help = "identity of the fixture itself, for the record and for recipes that ask for one"},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct section daemon_section = {
    .title = "[daemon]", .keys = daemon_keys, .count = COUNT(daemon_keys)};
static const struct section station_section = {
    .title = "[station NAME]", .keys = station_keys, .count = COUNT(station_keys)};

static void *open_object(const struct reading *reading)
{
    struct settings *settings = reading->settings;

    if (reading->section == &station_section)
        return &settings->stations[settings->station_count - 1];
    return settings;
}

/* Defaults go through the same functions as what is written, so a bad default cannot hide. */
static int store_defaults(struct reading *reading, const struct section *section, void *object)
{
    int status = 0;

    for (size_t i = 0; i < section->count && status == 0; i++)
        if (section->keys[i].fallback)
            status = section->keys[i].store(reading, &section->keys[i], object, section->keys[i].fallback);
    return status;
}

static int end_section(struct reading *reading)
{
    const struct section *section = reading->section;

    for (size_t i = 0; section && i < section->count; i++)
        if (!section->keys[i].fallback && !(reading->seen & 1u << i)) {
            const struct station_settings *station = open_object(reading);

            return complain(reading, reading->section_line, "station %s has no %s; expected '%s = ...' (%s)",
                            station->name, section->keys[i].name, section->keys[i].name,
                            section->keys[i].help);
        }
    return 0;
}

/* Names go into URLs and command lines, and "all" means every station there. */
static bool is_station_name(const char *name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

    return isalnum((unsigned char)*name) && strlen(name) < STATION_NAME_MAX &&
           name[strspn(name, letters)] == '\0' && strcmp(name, "all") != 0;
}

static int begin_station(struct reading *reading, const char *name)
{
    struct settings *settings = reading->settings;

    if (!is_station_name(name))
        return complain(reading, reading->line,
                        "'%s' is no station name; expected 1 to %d of A-Z a-z 0-9 . _ - starting with a "
                        "letter or digit, and not 'all'",
                        name, STATION_NAME_MAX - 1);
    for (size_t i = 0; i < settings->station_count; i++)
        if (strcmp(settings->stations[i].name, name) == 0)
            return complain(reading, reading->line, "station %s is there twice; expected each name once",
                            name);
    settings->stations =
        reallocate(settings->stations, settings->station_count + 1, sizeof *settings->stations);
    settings->stations[settings->station_count] = (struct station_settings){.port = ""};
    memcpy(settings->stations[settings->station_count].name, name, strlen(name) + 1);
    settings->station_count++;
    reading->section = &station_section;
    reading->seen = 0;
    return store_defaults(reading, &station_section, open_object(reading));
}

/* inih tells of a section only with its first key; one without any must be seen too. */
static int begin_section(struct reading *reading, char *name)
{
    if (end_section(reading))
        return reading->error->code;
    reading->section_line = reading->line;
    if (strcmp(name, "daemon") == 0) {
        reading->section = &daemon_section;
        reading->seen = reading->seen_daemon;
        return 0;
    }
    if (strncmp(name, "station ", 8) == 0)
        return begin_station(reading, name + 8 + strspn(name + 8, " \t"));
    return complain(reading, reading->line, "unknown section [%s]; expected [daemon] or [station NAME]",
                    name);
}

static int refuse_key(struct reading *reading, const char *name)
{
    const struct section *section = reading->section;
    char expected[320] = "";
    size_t used = 0;

    for (size_t i = 0; i < section->count; i++)
        used += (size_t)snprintf(expected + used, sizeof expected - used, "%s%s", i ? ", " : "",
                                 section->keys[i].name);
    return complain(reading, reading->line, "unknown key '%s' in %s; expected one of %s", name,
                    section->title, expected);
}

static int take_key(struct reading *reading, const char *name, const char *value)
{
    const struct section *section = reading->section;
    size_t i = 0;

    if (!section)
        return complain(reading, reading->line, "'%s' before any section; expected [daemon] first", name);
    while (i < section->count && strcmp(section->keys[i].name, name) != 0)
        i++;
    if (i == section->count)
        return refuse_key(reading, name);
    if (reading->seen & 1u << i)
        return complain(reading, reading->line, "%s is given twice in this section; expected once", name);
    reading->seen |= 1u << i;
    if (section == &daemon_section)
        reading->seen_daemon = reading->seen;
    return section->keys[i].store(reading, &section->keys[i], open_object(reading), value);
}

static int on_key(void *context, const char *section, const char *name, const char *value)
{
    (void)section; /* cut at 49 characters by inih; begin_section() has the whole */
    return take_key(context, name, value) == 0;
}

static int inspect_line(struct reading *reading, char *line, size_t length)
{
    char *end;

    if (length > LINE_MAX_BYTES)
        return complain(reading, reading->line, "line is %zu characters long; expected at most %d", length,
                        LINE_MAX_BYTES);
    if (strlen(line) != length)
        return complain(reading, reading->line, "line holds a zero byte; expected text");
    if (*line != '[')
        return 0;
    end = strchr(line, ']');
    if (!end)
        return complain(reading, reading->line, "'%s' has no ']'; expected [daemon] or [station NAME]", line);
    if (end[1 + strspn(end + 1, " \t")] && !strchr(";#", end[1 + strspn(end + 1, " \t")]))
        return complain(reading, reading->line, "'%s' after ']'; expected the end of the line", end + 1);
    *end = '\0';
    return begin_section(reading, line + 1);
}

/* Gives inih one line at a time. Space in front is taken away: to inih an indented line continues the value
 * before it, which nobody means who indents his keys. */
static char *next_line(char *buffer, int size, void *context)
{
    struct reading *reading = context;
    char *line = NULL, *start;
    size_t room = 0;
    ssize_t length = getline(&line, &room, reading->file);
    bool good = length >= 0 && !reading->error->code;

    if (good) {
        reading->line++;
        while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r'))
            line[--length] = '\0';
        start = line + (reading->line == 1 && strncmp(line, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0);
        start += strspn(start, " \t");
        (void)snprintf(buffer, (size_t)size, "%s\n", start);
        good = inspect_line(reading, start, (size_t)(line + length - start)) == 0;
    }
    free(line);
    return good ? buffer : NULL;
}

static int read_stream(struct reading *reading)
{
    int bad_line;

    if (store_defaults(reading, &daemon_section, reading->settings))
        return reading->error->code;
    bad_line = ini_parse_stream(next_line, reading, on_key, reading);
    if (ferror(reading->file) && !reading->error->code)
        return error_set_errno(reading->error, errno, "%s: cannot read", reading->path);
    if (bad_line > 0)
        return complain(reading, bad_line, "neither a section, a key nor a comment; expected 'key = value'");
    return reading->error->code ? reading->error->code : end_section(reading);
}

/* Half a set of files is worse than none: somebody believes that it is encrypted. */
static int check_tls(const struct reading *reading)
{
    const struct settings *settings = reading->settings;
    bool certificate = settings->tls_certificate[0], key = settings->tls_key[0];

    if (certificate != key)
        return error_set(reading->error, -EINVAL, "%s: %s is given without %s; expected both or none",
                         reading->path, certificate ? "tls_certificate" : "tls_key",
                         certificate ? "tls_key" : "tls_certificate");
    if (settings->tls_client_ca[0] && !certificate)
        return error_set(reading->error, -EINVAL,
                         "%s: tls_client_ca is given without tls_certificate; expected both", reading->path);
    return 0;
}

int config_read(const char *path, const struct config_checks *checks, struct settings *settings,
                struct error *error)
{
    struct reading reading = {.path = path, .checks = checks, .settings = settings, .error = error};
    int status;

    *settings = (struct settings){.station_count = 0};
    *error = ERROR_NONE;
    reading.file = fopen(path, "re");
    if (!reading.file)
        return error_set_errno(error, errno, "%s: cannot open", path);
    status = read_stream(&reading);
    if (!status)
        status = check_tls(&reading);
    (void)fclose(reading.file);
    if (status)
        settings_clear(settings);
    return status;
}

void settings_clear(struct settings *settings)
{
    free(settings->stations);
    *settings = (struct settings){.station_count = 0};
}

static void print_section(FILE *out, const struct section *section)
{
    (void)fprintf(out, "%s\n", section->title);
    for (size_t i = 0; i < section->count; i++) {
        const struct key *key = &section->keys[i];

        (void)fprintf(out, "  %-15s %s\n", key->name, key->help);
        if (!key->fallback)
            (void)fprintf(out, "  %-15s must be given\n", "");
        else if (*key->fallback)
            (void)fprintf(out, "  %-15s default: %s\n", "", key->fallback);
    }
}

void config_print_help(FILE *out)
{
    print_section(out, &daemon_section);
    print_section(out, &station_section);
}
