/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "log.h"
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static int check_port(const char *value, struct error *error)
{
    if (strncmp(value, "serial:/", 8) == 0)
        return 0;
    return error_set(error, -EINVAL, "expected serial:PATH");
}

static int check_protocol(const char *value, struct error *error)
{
    if (strcmp(value, "stm32-uart") == 0)
        return 0;
    return error_set(error, -EINVAL, "expected stm32-uart");
}

static int check_entry(const char *value, struct error *error)
{
    if (strcmp(value, "none") == 0 || strcmp(value, "dtr-rts") == 0)
        return 0;
    return error_set(error, -EINVAL, "expected none or dtr-rts");
}

static const struct config_checks checks = {
    .port = check_port, .protocol = check_protocol, .entry = check_entry, .power = NULL};

static int read_bytes(const char *text, size_t size, struct settings *settings, struct error *error)
{
    char path[] = "/tmp/flashfarm-config-XXXXXX";
    int fd = mkstemp(path);
    int status;
    char *cut;

    CHECK(fd >= 0 && write(fd, text, size) == (ssize_t)size);
    (void)close(fd);
    status = config_read(path, &checks, settings, error);
    (void)unlink(path);
    /* What matters of the place is the line. */
    cut = strstr(error->text, path);
    if (cut)
        memmove(cut, cut + strlen(path), strlen(cut + strlen(path)) + 1);
    return status;
}

static int read_text(const char *text, struct settings *settings, struct error *error)
{
    return read_bytes(text, strlen(text), settings, error);
}

/* Refused, and the sentence says exactly this after the file's name. */
static void refuses(const char *text, const char *sentence)
{
    struct settings settings;
    struct error error;

    CHECK(read_text(text, &settings, &error) == -EINVAL);
    CHECK_TEXT(error.text, sentence);
    CHECK(settings.stations == NULL && settings.station_count == 0);
    settings_clear(&settings);
}

static void test_defaults(void)
{
    struct settings settings;
    struct error error;

    CHECK(read_text("", &settings, &error) == 0);
    CHECK_TEXT(settings.listen, "127.0.0.1:8470");
    CHECK_TEXT(settings.state, "/var/lib/flashfarm");
    CHECK_TEXT(settings.key_file, "");
    CHECK(settings.stop_timeout_s == 30 && settings.log_level == LOG_NOTICE && settings.station_count == 0);
    settings_clear(&settings);
}

static void test_whole_file(void)
{
    static const char text[] = "\xEF\xBB\xBF# a farm\r\n"
                               "[daemon]\r\n"
                               "listen = [::1]:0 ; v6\r\n"
                               "\tstate=/srv/farm\r\n"
                               "  log_level = debug\n"
                               "stop_timeout = 0\n"
                               "key_file = /etc/flashfarm/keys\n"
                               "\n"
                               "[station A1] ; first\n"
                               "port = serial:/dev/serial/by-path/pci-0000:00:14.0-usb-0:2.1:1.0-port0\n"
                               "  protocol = stm32-uart\n"
                               "  baud = 921600\n"
                               "  entry = dtr-rts\n"
                               "  position = row 1; left\n"
                               "[station b-2.x_y]\n"
                               "protocol = stm32-uart\n"
                               "port = serial:/dev/ttyUSB1";
    struct settings settings;
    struct error error;

    if (!CHECK(read_text(text, &settings, &error) == 0) || !CHECK(settings.station_count == 2)) {
        (void)fprintf(stderr, "%s\n", error.text);
        return;
    }
    CHECK_TEXT(settings.listen, "[::1]:0");
    CHECK_TEXT(settings.state, "/srv/farm");
    CHECK_TEXT(settings.key_file, "/etc/flashfarm/keys");
    CHECK(settings.log_level == LOG_DEBUG && settings.stop_timeout_s == 0);
    CHECK_TEXT(settings.stations[0].name, "A1");
    CHECK_TEXT(settings.stations[0].port, "serial:/dev/serial/by-path/pci-0000:00:14.0-usb-0:2.1:1.0-port0");
    CHECK_TEXT(settings.stations[0].protocol, "stm32-uart");
    CHECK_TEXT(settings.stations[0].entry, "dtr-rts");
    CHECK_TEXT(settings.stations[0].position, "row 1; left");
    CHECK(settings.stations[0].baud == 921600);
    CHECK_TEXT(settings.stations[1].name, "b-2.x_y");
    CHECK_TEXT(settings.stations[1].entry, "none");
    CHECK(settings.stations[1].baud == 0);
    settings_clear(&settings);
}

static void test_daemon_values(void)
{
    refuses("[daemon]\nlisten = localhost:80\n",
            ":2: listen is 'localhost:80'; expected an address and a port: 127.0.0.1:8470 or [::1]:8470");
    refuses("[daemon]\nlisten = 127.0.0.1:65536\n",
            ":2: listen is '127.0.0.1:65536'; expected an address and a port: 127.0.0.1:8470 or [::1]:8470");
    refuses("[daemon]\nlisten = 127.0.0.1:80x\n",
            ":2: listen is '127.0.0.1:80x'; expected an address and a port: 127.0.0.1:8470 or [::1]:8470");
    refuses("[daemon]\nlisten = [:80\n",
            ":2: listen is '[:80'; expected an address and a port: 127.0.0.1:8470 or [::1]:8470");
    refuses("[daemon]\nlisten = ]:80\n",
            ":2: listen is ']:80'; expected an address and a port: 127.0.0.1:8470 or [::1]:8470");
    refuses("[daemon]\nlisten = [::1]\n",
            ":2: listen is '[::1]'; expected an address and a port: 127.0.0.1:8470 or [::1]:8470");
    refuses("[daemon]\n\nstate = var\n", ":3: state is 'var'; expected an absolute path");
    refuses("[daemon]\nstate =\n", ":2: state is ''; expected an absolute path");
    refuses("[daemon]\nstop_timeout = 3601\n",
            ":2: stop_timeout is '3601'; expected a number from 0 to 3600");
    refuses("[daemon]\nstop_timeout = -1\n", ":2: stop_timeout is '-1'; expected a number from 0 to 3600");
    refuses("[daemon]\nstop_timeout = 10s\n", ":2: stop_timeout is '10s'; expected a number from 0 to 3600");
    refuses("[daemon]\nlog_level = loud\n",
            ":2: log_level is 'loud'; expected error, warning, notice, info or debug");
}

static void test_unknown_names(void)
{
    refuses("[demon]\n", ":1: unknown section [demon]; expected [daemon] or [station NAME]");
    refuses("[station]\n", ":1: unknown section [station]; expected [daemon] or [station NAME]");
    refuses("# x\nlisten = 1\n", ":2: 'listen' before any section; expected [daemon] first");
    refuses("[daemon]\nprot = 1\n", ":2: unknown key 'prot' in [daemon]; expected one of listen, state, "
                                    "key_file, tls_certificate, tls_key, tls_client_ca, trusted_keys, "
                                    "key_store, webhook_hosts, two_people, stop_timeout, log_level");
    refuses("[station A1]\nbaudrate = 1\n", ":2: unknown key 'baudrate' in [station NAME]; expected one of "
                                            "port, protocol, baud, entry, power, wakeup, position, fixture");
}

static void test_access_keys(void)
{
    static const char text[] =
        "[daemon]\n"
        "tls_certificate = /etc/flashfarm/tls.pem\n"
        "tls_key = /etc/flashfarm/tls.key\n"
        "tls_client_ca = /etc/flashfarm/ca.pem\n"
        "trusted_keys = /etc/flashfarm/trusted\n"
        "key_store = /srv/keys\n"
        "webhook_hosts = mes.example:8443 127.0.0.1\n"
        "two_people = yes\n"
        "[station A1]\nport = serial:/dev/ttyUSB0\nprotocol = stm32-uart\nfixture = FX-7\n";
    struct settings settings;
    struct error error;

    if (!CHECK(read_text(text, &settings, &error) == 0))
        return;
    CHECK_TEXT(settings.tls_certificate, "/etc/flashfarm/tls.pem");
    CHECK_TEXT(settings.tls_key, "/etc/flashfarm/tls.key");
    CHECK_TEXT(settings.tls_client_ca, "/etc/flashfarm/ca.pem");
    CHECK_TEXT(settings.trusted_keys, "/etc/flashfarm/trusted");
    CHECK_TEXT(settings.key_store, "/srv/keys");
    CHECK_TEXT(settings.webhook_hosts, "mes.example:8443 127.0.0.1");
    CHECK(settings.two_people == 1);
    CHECK_TEXT(settings.stations[0].fixture, "FX-7");
    settings_clear(&settings);
    refuses("[daemon]\ntwo_people = maybe\n", ":2: two_people is 'maybe'; expected yes or no");
    refuses("[daemon]\ntls_key = /k\n", ": tls_key is given without tls_certificate; expected both or none");
    refuses("[daemon]\ntls_certificate = /c\n",
            ": tls_certificate is given without tls_key; expected both or none");
    refuses("[daemon]\ntls_client_ca = /c\n",
            ": tls_client_ca is given without tls_certificate; expected both");
    refuses("[daemon]\nkey_store = keys\n", ":2: key_store is 'keys'; expected an absolute path");
}

static void test_duplicates(void)
{
    refuses("[daemon]\nstate = /a\nstate = /b\n", ":3: state is given twice in this section; expected once");
    refuses(
        "[daemon]\nstate = /a\n[station A]\nport = serial:/a\nprotocol = stm32-uart\n[daemon]\nstate = /b",
        ":7: state is given twice in this section; expected once");
    refuses("[station A]\nport = serial:/a\nprotocol = stm32-uart\n[station A]\n",
            ":4: station A is there twice; expected each name once");
    refuses("[station A]\nport = serial:/a\nprotocol = stm32-uart\n[station B]\nport = serial:/a\n",
            ":5: port 'serial:/a' already belongs to station A; expected one port per station");
}

static void test_stations(void)
{
    refuses("[station A]\n\n[daemon]\n",
            ":1: station A has no port; expected 'port = ...' (the way to the board: "
            "serial:/dev/serial/by-path/..., "
            "rfc2217:HOST:PORT, tcp:HOST:PORT, rs485:/dev/ttyS1#UNIT)");
    refuses("[daemon]\n[station A]\nport = serial:/a\n",
            ":2: station A has no protocol; expected 'protocol = ...' (what is spoken on the port: "
            "stm32-uart, stk500v1, ... (see README))");
    refuses("[station A]\nport =\n",
            ":2: port is empty; expected the way to the board: serial:/dev/serial/by-path/..., "
            "rfc2217:HOST:PORT, tcp:HOST:PORT, rs485:/dev/ttyS1#UNIT");
    refuses("[station A]\nport = /dev/ttyUSB0\n", ":2: port is '/dev/ttyUSB0': expected serial:PATH");
    refuses("[station A]\nprotocol = stm32\n", ":2: protocol is 'stm32': expected stm32-uart");
    refuses("[station A]\nentry = boot0\n", ":2: entry is 'boot0': expected none or dtr-rts");
    refuses("[station A]\nbaud = 99999999999\n",
            ":2: baud is '99999999999'; expected a number from 0 to 12000000");
    refuses("[station A]\nposition = abcdefghijklmnopqrstuvwxyzabcdef\n",
            ":2: position is 32 characters long; expected at most 31");
}

static void test_station_names(void)
{
    static const char *const bad[] = {
        "a/b", "all", "..", "-a", "a b", "", "12345678901234567890123456789012"};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[80], sentence[200];

        (void)snprintf(text, sizeof text, "[station %s]\n", bad[i]);
        (void)snprintf(sentence, sizeof sentence,
                       ":1: '%s' is no station name; expected 1 to 31 of A-Z a-z 0-9 . _ - starting with a "
                       "letter or digit, and not 'all'",
                       bad[i]);
        refuses(text, sentence);
    }
}

/* A line of 197 bytes is the longest that inih leaves whole. */
static void test_long_lines(void)
{
    struct settings settings;
    struct error error;
    char text[260] = "[daemon]\nstate = /";
    size_t head = strlen(text), line_head = strlen("state = /");

    memset(text + head, 'x', 197 - line_head);
    text[head + 197 - line_head] = '\0';
    CHECK(read_text(text, &settings, &error) == 0);
    CHECK(strlen(settings.state) == 197 - strlen("state = "));
    settings_clear(&settings);
    text[head + 197 - line_head] = 'x';
    text[head + 198 - line_head] = '\0';
    refuses(text, ":2: line is 198 characters long; expected at most 197");
}

static void test_broken_lines(void)
{
    struct settings settings;
    struct error error;

    refuses("[daemon]\njunk\n", ":2: neither a section, a key nor a comment; expected 'key = value'");
    refuses("[daemon\n", ":1: '[daemon' has no ']'; expected [daemon] or [station NAME]");
    refuses("[daemon] state = /x\n", ":1: ' state = /x' after ']'; expected the end of the line");
    CHECK(read_bytes("[daemon]\nstate = /a\0b\n", 22, &settings, &error) == -EINVAL);
    CHECK_TEXT(error.text, ":2: line holds a zero byte; expected text");
}

static void test_no_file(void)
{
    struct settings settings;
    struct error error;

    CHECK(config_read("/nonexistent/flashfarm.conf", &checks, &settings, &error) == -ENOENT);
    CHECK_TEXT(error.text, "/nonexistent/flashfarm.conf: cannot open: No such file or directory");
    CHECK(config_read("/", &checks, &settings, &error) == -EISDIR);
}

/* The example that is installed must be one that the daemon takes, and the help must know every key in it. */
static void test_example_and_help(void)
{
    struct settings settings;
    struct error error;
    char *help = NULL;
    size_t size;
    FILE *out = open_memstream(&help, &size);

    CHECK(config_read(FLASHFARM_EXAMPLE_CONFIG, &checks, &settings, &error) == 0);
    settings_clear(&settings);
    config_print_help(out);
    (void)fclose(out);
    CHECK(strstr(help, "  listen          address and port") != NULL);
    CHECK(strstr(help, "default: 127.0.0.1:8470") != NULL);
    CHECK(strstr(help,
                 "  protocol        what is spoken on the port: stm32-uart, stk500v1, ... (see README)\n "
                 "                 must be given"));
    free(help);
}

static const struct test tests[] = {
    {"defaults", test_defaults},
    {"a whole file", test_whole_file},
    {"keys of access", test_access_keys},
    {"values of [daemon]", test_daemon_values},
    {"unknown sections and keys", test_unknown_names},
    {"duplicates", test_duplicates},
    {"stations", test_stations},
    {"station names", test_station_names},
    {"long lines", test_long_lines},
    {"broken lines", test_broken_lines},
    {"no file", test_no_file},
    {"example and help", test_example_and_help},
};

TEST_MAIN(tests)
