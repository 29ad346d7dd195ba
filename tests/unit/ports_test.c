/* SPDX-License-Identifier: Apache-2.0 */
/* What is offered for a new port goes into the configuration as it is: whichever protocol is chosen in it,
 * the daemon's own reader takes it, and finds there what was meant. */
#include "config.h"
#include "parts.h"
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PORT "serial:/dev/serial/by-path/pci-0000:00:14.0-usb-0:2.1.4:1.0-port0"

static int check_port(const char *value, struct error *error)
{
    return port_name_check(value, error);
}

static int check_protocol(const char *value, struct error *error)
{
    return protocol_find(value) ? 0 : error_set(error, -EINVAL, "expected a protocol");
}

static int check_entry(const char *value, struct error *error)
{
    struct entry *entry = NULL;
    int status = entry_parse(&entry, value, NULL, error);

    entry_free(entry);
    return status;
}

static int read_file(const char *text, struct settings *settings, struct error *error)
{
    static const struct config_checks checks = {
        .port = check_port, .protocol = check_protocol, .entry = check_entry};
    char path[] = "/tmp/flashfarm-ports-XXXXXX";
    int fd = mkstemp(path);
    int status;

    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    (void)close(fd);
    status = config_read(path, &checks, settings, error);
    (void)unlink(path);
    return status;
}

/* As a person would: the semicolon before that line goes. */
static bool uncomment(char *text, const char *words)
{
    char *line = strstr(text, words);

    if (!line || line < text + 3 || line[-2] != ';' || line[-3] != '\n')
        return false;
    memmove(line - 2, line, strlen(line) + 1);
    return true;
}

static void test_every_protocol(void)
{
    for (size_t i = 0; protocols[i]; i++) {
        struct settings settings;
        struct error error = ERROR_NONE;
        char *text = ports_section("A17", PORT);
        char choice[64];

        (void)snprintf(choice, sizeof choice, "protocol = %s ", protocols[i]->name);
        CHECK(uncomment(text, choice));
        CHECK(read_file(text, &settings, &error) == 0);
        CHECK_TEXT(error.text, "");
        CHECK(settings.station_count == 1);
        if (settings.station_count == 1) {
            CHECK_TEXT(settings.stations[0].name, "A17");
            CHECK_TEXT(settings.stations[0].port, PORT);
            CHECK_TEXT(settings.stations[0].protocol, protocols[i]->name);
            CHECK(settings.stations[0].baud == 0);
        }
        settings_clear(&settings);
        free(text);
    }
}

static void test_the_rest(void)
{
    struct settings settings;
    struct error error = ERROR_NONE;
    char *text = ports_section("A1", PORT);

    CHECK(read_file(text, &settings, &error) < 0); /* nothing is chosen for people */
    CHECK(strstr(error.text, "protocol") != NULL);
    CHECK(uncomment(text, "protocol = stm32-uart ") && uncomment(text, "baud = 115200") &&
          uncomment(text, "entry = dtr-rts") && uncomment(text, "position = 1"));
    CHECK(read_file(text, &settings, &error) == 0);
    CHECK(settings.station_count == 1 && settings.stations[0].baud == 115200);
    CHECK_TEXT(settings.station_count ? settings.stations[0].position : "", "1");
    settings_clear(&settings);
    free(text);
}

static const struct test tests[] = {
    {"whichever protocol is chosen", test_every_protocol},
    {"what else is offered", test_the_rest},
};

TEST_MAIN(tests)
