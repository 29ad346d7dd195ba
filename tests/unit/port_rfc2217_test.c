/* SPDX-License-Identifier: Apache-2.0 */
/* Remote ports by RFC 2217 against a server in a thread that can be told to misbehave. It echoes data, and
 * notes everything in the order it arrives. With arguments this program is the client of the peers test:
 *
 *   port_rfc2217_test NAME ACT...   opens the port NAME on a fiber and plays the acts (see `acts` below) */
#include "port_scene.h"
#include "telnet.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/socket.h>

/* --- the decoder ---------------------------------------------------------------------------------------- */

/* What a stream came to, as text. */
struct heard {
    struct telnet telnet;
    char text[1024];
    size_t size;
};

__attribute__((format(printf, 2, 3))) static void hear(struct heard *heard, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    heard->size +=
        (size_t)vsnprintf(heard->text + heard->size, sizeof heard->text - heard->size, format, arguments);
    va_end(arguments);
}

static void hear_negotiation(void *context, enum telnet_verb verb, uint8_t option)
{
    hear(context, "[%d %d]", verb, option);
}

static void hear_subnegotiation(void *context, uint8_t option, const uint8_t *body, size_t size)
{
    hear(context, "(%d:", option);
    for (size_t i = 0; i < size && i < 8; i++)
        hear(context, " %02x", body[i]);
    hear(context, size > 8 ? " … %zu)" : ")", size);
}

static void hear_bytes(struct heard *heard, const uint8_t *bytes, size_t size)
{
    static const struct telnet_handler handler = {.negotiation = hear_negotiation,
                                                  .subnegotiation = hear_subnegotiation};
    uint8_t *copy = malloc(size ? size : 1); /* of the exact size: the sanitizer watches its end */

    memcpy(copy, bytes, size);
    size = telnet_decode(&heard->telnet, copy, size, &handler, heard);
    for (size_t i = 0; i < size; i++)
        hear(heard, "%02x", copy[i]);
    free(copy);
}

/* However the stream is cut in two or three, it comes to the same; commands stay in order with the data, up
 * to the piece's end. */
static void check_stream(const uint8_t *bytes, size_t size, const char *want)
{
    for (size_t first = 0; first <= size; first++) {
        for (size_t second = first; second <= size; second += size > 64 ? 37 : 1) {
            struct heard heard = {.size = 0};

            hear_bytes(&heard, bytes, first);
            hear_bytes(&heard, bytes + first, second - first);
            for (size_t i = second; i < size; i++)
                hear_bytes(&heard, bytes + i, 1);
            if (first == 0 && second == 0)
                CHECK_TEXT(heard.text, want);
            CHECK(strlen(heard.text) == strlen(want) && heard.size == strlen(want));
        }
    }
}

static void test_decoder(void)
{
    static const uint8_t mixed[] = {'a', 255, 255, 'b', 255, 251, 44,  255, 250, 44, 101, 0,   255, 255,
                                    1,   255, 240, 'c', 255, 241, 'd', 255, 253, 0,  255, 249, 'e'};
    static const uint8_t broken[] = {255, 250, 255, 240, 255, 250, 44, 1,   255, 251,
                                     3,   255, 240, 'x', 255, 250, 44, 255, 240};

    check_stream(mixed, sizeof mixed, "61ff62[251 44](44: 65 00 ff 01)6364[253 0]65");
    check_stream(broken, sizeof broken, "[251 3]78(44:)"); /* empty, broken off, end without begin */
}

static void test_decoder_limits(void)
{
    for (size_t body = TELNET_BODY_MAX - 1; body <= TELNET_BODY_MAX + 1; body++) {
        uint8_t bytes[TELNET_BODY_MAX + 8] = {255, 250, 44};
        char want[64] = "7a";

        memset(bytes + 3, 7, body);
        memcpy(bytes + 3 + body, (const uint8_t[]){255, 240, 'z'}, 3);
        if (body <= TELNET_BODY_MAX)
            (void)snprintf(want, sizeof want, "(44: 07 07 07 07 07 07 07 07 … %zu)7a", body);
        check_stream(bytes, body + 6, want);
    }
}

static void test_encoder(void)
{
    uint8_t to[16];
    size_t used;

    CHECK(telnet_encode(to, 4, (const uint8_t[]){1, 255, 2, 3}, 4, &used) == 4 && used == 3);
    CHECK(memcmp(to, (const uint8_t[]){1, 255, 255, 2}, 4) == 0);
    CHECK(telnet_encode(to, 2, (const uint8_t[]){1, 255}, 2, &used) == 1 && used == 1);
    CHECK(telnet_subnegotiate(to, 9, 44, (const uint8_t[]){1, 255, 2}, 3) == 9);
    CHECK(memcmp(to, (const uint8_t[]){255, 250, 44, 1, 255, 255, 2, 255, 240}, 9) == 0);
    CHECK(telnet_subnegotiate(to, 8, 44, (const uint8_t[]){1, 255, 2}, 3) == 0);
    CHECK(telnet_subnegotiate(to, 4, 44, NULL, 0) == 0);
}

/* --- the server ----------------------------------------------------------------------------------------- */

/* Said by the server when the client sends `byte`. */
struct cue {
    uint8_t byte;
    const uint8_t *said;
    size_t size;
};

/* How the server misbehaves. */
struct habits {
    bool no_com_port, no_binary, silent, hang_up, refuses_dtr, says_stale;
    bool counts;       /* data is summed up, and neither noted nor echoed */
    uint8_t mute;      /* to this command */
    uint32_t baud_set; /* whatever is asked for; 0: that */
    int pause_ms;      /* between reads */
    struct cue cue;
};
#define NORMAL ((struct habits){.pause_ms = 0})

struct server {
    struct habits is;
    int listener, peer;
    pthread_t thread;
    /* what it understood; complete up to every byte that came back */
    char notes[4096];
    size_t noted;
    uint32_t sum; /* of the data */
    size_t count;
    /* its reading of the stream */
    uint8_t state, verb, body[64];
    size_t size;
};

__attribute__((format(printf, 2, 3))) static void note(struct server *server, const char *format, ...)
{
    size_t room = sizeof server->notes - server->noted;
    va_list arguments;
    int size;

    va_start(arguments, format);
    size = vsnprintf(server->notes + server->noted, room, format, arguments);
    va_end(arguments);
    server->noted += (size_t)size < room ? (size_t)size : room - 1;
}

static void say(struct server *server, const uint8_t *bytes, size_t size)
{
    (void)!send(server->peer, bytes, size, MSG_NOSIGNAL);
}

static void answer(struct server *server, uint8_t command, const uint8_t *value, size_t size)
{
    uint8_t bytes[32] = {255, 250, 44, (uint8_t)(command + 100)};
    size_t at = 4;

    for (size_t i = 0; i < size; i++) {
        bytes[at++] = value[i];
        if (value[i] == 255)
            bytes[at++] = 255;
    }
    bytes[at++] = 255;
    bytes[at++] = 240;
    say(server, bytes, at);
}

static void set_baud(struct server *server, const uint8_t *value)
{
    uint32_t baud = (uint32_t)value[0] << 24 | (uint32_t)value[1] << 16 | (uint32_t)value[2] << 8 | value[3];
    uint32_t in_force = server->is.baud_set ? server->is.baud_set : baud;
    const uint8_t back[] = {(uint8_t)(in_force >> 24), (uint8_t)(in_force >> 16), (uint8_t)(in_force >> 8),
                            (uint8_t)in_force};

    note(server, " baud=%" PRIu32, baud);
    answer(server, 1, back, 4);
}

static void obey(struct server *server, uint8_t command, uint8_t value)
{
    static const char *const words[] = {"signature", "baud", "bits", "parity", "stop", "control"};
    uint8_t back = value;

    if (command == 12) {
        note(server, " purge=%d", value);
        if (server->is.says_stale)
            say(server, (const uint8_t *)"stale", 5);
    } else if (command < 6) {
        note(server, " %s=%d", words[command], value);
    } else {
        note(server, " ?%d", command);
    }
    if (command == 5 && value == 8 && server->is.refuses_dtr)
        back = 9;
    answer(server, command, &back, 1);
}

static void end_sub(struct server *server)
{
    if (server->size < 2 || server->body[0] != 44) {
        note(server, " ?sub");
    } else if (server->body[1] == 0) {
        note(server, " signature(%.*s)", (int)server->size - 2, (const char *)server->body + 2);
    } else if (server->body[1] == server->is.mute) {
        note(server, " mute");
    } else if (server->body[1] == 1 && server->size == 6) {
        set_baud(server, server->body + 2);
    } else {
        obey(server, server->body[1], server->body[2]);
    }
}

static void negotiate(struct server *server, uint8_t verb, uint8_t option)
{
    bool no = (option == 44 && server->is.no_com_port) || (option == 0 && server->is.no_binary);
    const uint8_t back[] = {255, (uint8_t)(verb == 251 ? (no ? 254 : 253) : (no ? 252 : 251)), option};

    note(server, " %d.%d", verb, option);
    if (verb == 251 || verb == 253)
        say(server, back, 3);
}

static void take_data(struct server *server, uint8_t byte)
{
    const uint8_t doubled[] = {255, 255};

    server->count++;
    server->sum = server->sum * 31 + byte;
    if (server->is.counts)
        return;
    note(server, " %02x", byte);
    if (byte == server->is.cue.byte && server->is.cue.size > 0)
        say(server, server->is.cue.said, server->is.cue.size);
    say(server, byte == 255 ? doubled : &byte, byte == 255 ? 2 : 1);
}

enum { PLAIN, AFTER_IAC, AFTER_VERB, IN_SUB, IN_SUB_AFTER_IAC };

static void take_byte(struct server *server, uint8_t byte)
{
    uint8_t state = server->state;

    server->state = state == IN_SUB || state == IN_SUB_AFTER_IAC ? IN_SUB : PLAIN;
    if (state == PLAIN && byte != 255) {
        take_data(server, byte);
    } else if (state == PLAIN || (state == IN_SUB && byte == 255)) {
        server->state = state == PLAIN ? AFTER_IAC : IN_SUB_AFTER_IAC;
    } else if (state == AFTER_IAC && byte == 250) {
        server->state = IN_SUB;
        server->size = 0;
    } else if (state == AFTER_IAC && byte == 255) {
        take_data(server, byte);
    } else if (state == AFTER_IAC) {
        server->state = AFTER_VERB;
        server->verb = byte;
    } else if (state == AFTER_VERB) {
        negotiate(server, server->verb, byte);
    } else if (state == IN_SUB_AFTER_IAC && byte == 240) {
        server->state = PLAIN;
        end_sub(server);
    } else if (server->size < sizeof server->body) {
        server->body[server->size++] = byte;
    }
}

static void *serve(void *argument)
{
    struct server *server = argument;
    uint8_t bytes[4096];
    ssize_t got;

    server->peer = accept(server->listener, NULL, NULL);
    while (!server->is.hang_up && (got = recv(server->peer, bytes, sizeof bytes, 0)) > 0) {
        for (ssize_t i = 0; i < got && !server->is.silent; i++)
            take_byte(server, bytes[i]);
        if (server->is.pause_ms)
            scene_pause_ms(server->is.pause_ms);
    }
    (void)close(server->peer);
    return NULL;
}

/* --- the stage ------------------------------------------------------------------------------------------ */

struct stage {
    struct scene scene; /* first */
    struct server server;
};

static struct server *server_of(struct scene *scene)
{
    return &((struct stage *)scene)->server;
}

static void open_server(struct stage *stage)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int small = 4096;

    (void)setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    CHECK(bind(listener, (struct sockaddr *)&address, size) == 0 && listen(listener, 1) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
    stage->server.listener = listener;
    (void)snprintf(stage->scene.name, sizeof stage->scene.name, "rfc2217:127.0.0.1:%d",
                   ntohs(address.sin_port));
    CHECK(pthread_create(&stage->server.thread, NULL, serve, &stage->server) == 0);
}

static void close_server(struct stage *stage)
{
    (void)pthread_join(stage->server.thread, NULL);
    (void)close(stage->server.listener);
}

/* The body runs with nothing open; use scene_act for one with an open port. */
static void play(struct habits habits, scene_function *body, fiber_function *act, bool on_fiber)
{
    struct stage stage = {.scene = {.body = body, .master = -1}, .server = {.is = habits}};

    open_server(&stage);
    if (on_fiber) {
        CHECK(uv_loop_init(&stage.scene.loop) == 0);
        stage.scene.fibers = fibers_new(&stage.scene.loop, &clock_system);
        stage.scene.fiber = fiber_start(stage.scene.fibers, "body", act, NULL, &stage.scene);
        CHECK(uv_run(&stage.scene.loop, UV_RUN_DEFAULT) == 0);
        fibers_free(stage.scene.fibers);
        CHECK(uv_loop_close(&stage.scene.loop) == 0);
    } else {
        act(&stage.scene);
    }
    close_server(&stage);
}

static void play_both(struct habits habits, scene_function *body)
{
    play(habits, body, scene_act, false);
    play(habits, body, scene_act, true);
}

static void close_at_once(void *argument)
{
    struct scene *scene = argument;

    CHECK(port_open(&scene->port, scene->name, scene->fibers, &clock_system, &scene->error) < 0);
    scene->body(scene);
}

/* Opening fails with this code, and says so. */
static void check_no_open(struct habits habits, scene_function *body)
{
    play(habits, body, close_at_once, false);
    play(habits, body, close_at_once, true);
}

static bool echo(struct scene *scene, const char *text)
{
    char back[64] = "";
    size_t size = strlen(text);

    return CHECK(port_write(scene->port, text, size, scene_in_ms(5000), &scene->error) == 0) &&
           CHECK(port_read(scene->port, back, size, scene_in_ms(5000), &scene->error) == 0) &&
           CHECK(memcmp(back, text, size) == 0);
}

static int set_line(struct scene *scene, uint32_t baud, enum port_parity parity, uint8_t stop_bits)
{
    const struct port_line line = {.baud = baud, .parity = parity, .stop_bits = stop_bits};

    return port_set_line(scene->port, &line, &scene->error);
}

#define OPENED " 251.44 251.0 253.0 251.3 253.3 control=1 purge=1 baud=115200 bits=8 parity=1 stop=1"

/* --- what is sent, and its order ------------------------------------------------------------------------ */

static void say_all(struct scene *scene)
{
    CHECK(scene->port->traits.modem_lines && strncmp(scene->port->traits.path, "127.0.0.1:", 10) == 0);
    CHECK(port_write(scene->port, "\xff\x01", 2, scene_in_ms(5000), &scene->error) == 0);
    CHECK(set_line(scene, 9600, PARITY_MARK, 1) == 0);
    CHECK(port_write(scene->port, "B", 1, scene_in_ms(5000), &scene->error) == 0);
    CHECK(set_line(scene, 9600, PARITY_SPACE, 2) == 0);
    CHECK(port_set_modem(scene->port, true, false, &scene->error) == 0);
    CHECK(port_write(scene->port, "\x11\x13\r\n", 4, scene_in_ms(5000), &scene->error) == 0);
    CHECK(port_set_modem(scene->port, false, true, &scene->error) == 0);
    CHECK(port_set_break(scene->port, true, &scene->error) == 0);
    CHECK(port_set_break(scene->port, false, &scene->error) == 0);
    CHECK(set_line(scene, 250000, PARITY_EVEN, 1) == 0 && set_line(scene, 250000, PARITY_ODD, 1) == 0);
    CHECK(set_line(scene, 65535, PARITY_ODD, 1) == 0); /* two of its bytes look like IAC */
    port_discard(scene->port);
    CHECK(port_drain(scene->port, scene_in_ms(1000), &scene->error) == 0);
    CHECK(echo(scene, "z"));
    CHECK_TEXT(server_of(scene)->notes,
               OPENED " ff 01 baud=9600 parity=4 42 parity=5 stop=2 control=8 control=12 11 13 0d 0a"
                      " control=9 control=11 control=5 control=6 baud=250000 parity=3 stop=1 parity=2"
                      " baud=65535 purge=1 7a");
}

static void test_order(void)
{
    play_both(NORMAL, say_all);
}

static void echo_all(struct scene *scene)
{
    uint8_t bytes[512], back[512];

    server_of(scene)->notes[0] = '\0';
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i < 256 ? i : 255);
    CHECK(port_write(scene->port, bytes, sizeof bytes, scene_in_ms(5000), &scene->error) == 0);
    CHECK(port_read(scene->port, back, sizeof back, scene_in_ms(5000), &scene->error) == 0);
    CHECK(memcmp(bytes, back, sizeof back) == 0);
    CHECK(scene->port->meter.sent == 512 && scene->port->meter.received == 512);
}

static void test_transparent(void)
{
    play_both(NORMAL, echo_all);
}

enum { LARGE = 6000000 }; /* more than two sockets hold */

/* The first write ends in the middle of its bytes, perhaps of a pair of IACs. What follows is still framed.
 */
static void write_in_two(struct scene *scene)
{
    uint8_t *image = malloc(LARGE);
    int64_t until_us = scene_in_ms(20000);

    memset(image, 255, LARGE);
    CHECK(port_write(scene->port, image, LARGE, scene_in_ms(20), &scene->error) == -ETIMEDOUT);
    CHECK(strstr(scene->error.text, "does not take the bytes") != NULL);
    server_of(scene)->is.pause_ms = 0;
    do {
        scene->error = ERROR_NONE;
    } while (port_set_break(scene->port, true, &scene->error) == -ETIMEDOUT && scene_now_us() < until_us);
    CHECK(set_line(scene, 9600, PARITY_NONE, 1) == 0);
    CHECK(strcmp(server_of(scene)->notes, OPENED " control=5 baud=9600") == 0);
    CHECK(server_of(scene)->count > 0 && server_of(scene)->count < LARGE);
    free(image);
}

static void write_large(struct scene *scene)
{
    uint8_t *image = malloc(LARGE);
    uint32_t sum = 0;

    for (size_t i = 0; i < LARGE; i++) {
        image[i] = (uint8_t)(i % 3 ? 255 : i);
        sum = sum * 31 + image[i];
    }
    CHECK(port_write(scene->port, image, LARGE, scene_in_ms(20000), &scene->error) == 0);
    CHECK(set_line(scene, 9600, PARITY_NONE, 1) == 0); /* answered behind all data */
    CHECK(server_of(scene)->count == LARGE && server_of(scene)->sum == sum);
    free(image);
}

static void test_large(void)
{
    play_both((struct habits){.counts = true}, write_large);
    play_both((struct habits){.counts = true, .pause_ms = 50}, write_in_two);
}

/* --- refusals ------------------------------------------------------------------------------------------- */

static void refuse_baud(struct scene *scene)
{
    server_of(scene)->is.baud_set = 57600;
    CHECK(set_line(scene, 9600, PARITY_NONE, 1) == -EINVAL);
    CHECK(strstr(scene->error.text, ": 9600 baud cannot be set, the server chose 57600") != NULL);
    CHECK(set_line(scene, 57601, PARITY_NONE, 1) == 0);
    CHECK(set_line(scene, 59330, PARITY_NONE, 1) == 0); /* 2.9 % off */
    CHECK(set_line(scene, 59390, PARITY_NONE, 1) == -EINVAL);
    server_of(scene)->is.baud_set = 0;
    CHECK(set_line(scene, 9600, PARITY_NONE, 1) == 0);
}

static void refuse_dtr(struct scene *scene)
{
    CHECK(port_set_modem(scene->port, true, true, &scene->error) == 0);
    CHECK(set_line(scene, 9600, PARITY_NONE, 1) == -EINVAL);
    CHECK(strstr(scene->error.text, ": the server does not switch DTR on") != NULL);
    CHECK(port_set_modem(scene->port, false, true, &scene->error) == 0);
    CHECK(set_line(scene, 9600, PARITY_NONE, 1) == 0);
    /* Refused in the middle of a pulse: the last answer is as wanted, the first is not. */
    CHECK(port_set_modem(scene->port, true, true, &scene->error) == 0);
    CHECK(port_set_modem(scene->port, false, true, &scene->error) == 0);
    CHECK(port_sleep(scene->port, 1000) == 0);
    CHECK(set_line(scene, 19200, PARITY_NONE, 1) == -EINVAL);
    CHECK(echo(scene, "go on"));
}

/* Something was refused meanwhile: it is told, and the lines are let go of all the same. */
static void release_after_refusal(struct scene *scene)
{
    static const uint8_t hardware_flow[] = {255, 250, 44, 105, 3, 255, 240};

    server_of(scene)->is.cue = (struct cue){.byte = 'q', .said = hardware_flow, .size = sizeof hardware_flow};
    CHECK(port_set_modem(scene->port, true, true, &scene->error) == 0);
    CHECK(port_set_break(scene->port, true, &scene->error) == 0);
    CHECK(echo(scene, "q"));
    CHECK(port_set_break(scene->port, false, &scene->error) == -EINVAL);
    CHECK(strstr(scene->error.text, "flow control cannot be switched off") != NULL);
    CHECK(echo(scene, "q"));
    CHECK(port_set_modem(scene->port, false, false, &scene->error) == -EINVAL);
    CHECK(echo(scene, "z"));
    CHECK_TEXT(server_of(scene)->notes,
               OPENED " control=8 control=11 control=5 71 control=6 71 control=9 control=12 7a");
}

static void talk_without_end(struct scene *scene)
{
    uint8_t block[4096];

    memset(block, 'x', sizeof block);
    while (send(server_of(scene)->peer, block, sizeof block, MSG_NOSIGNAL) > 0) {
    }
}

/* A stream that never ends, and no answer in it: the deadline holds all the same. */
static void drown_answer(struct scene *scene)
{
    int64_t start_us = scene_now_us();

    server_of(scene)->is.mute = 1;
    scene_start(scene, talk_without_end);
    CHECK(set_line(scene, 4800, PARITY_NONE, 1) == -ETIMEDOUT);
    CHECK(strstr(scene->error.text, ": no answer to SET-BAUDRATE within 3000 ms") != NULL);
    CHECK(scene_now_us() - start_us >= 3000000 && scene_now_us() - start_us < 6000000);
    (void)shutdown(server_of(scene)->peer, SHUT_RDWR);
    scene_join(scene);
}

static void check_no_com_port(struct scene *scene)
{
    CHECK(scene->error.code == -EPROTO);
    CHECK(strstr(scene->error.text, "has no COM-PORT option (RFC 2217): use tcp:127.0.0.1:") != NULL);
}

static void check_no_binary(struct scene *scene)
{
    CHECK(scene->error.code == -EPROTO && strstr(scene->error.text, "refuses binary") != NULL);
}

static void check_silent(struct scene *scene)
{
    CHECK(scene->error.code == -EPROTO);
    CHECK(strstr(scene->error.text, "does not answer as an RFC 2217 server: use tcp:127.0.0.1:") != NULL);
}

static void check_hung_up(struct scene *scene)
{
    CHECK(scene->error.code == -EBUSY && strstr(scene->error.text, "has closed the connection") != NULL);
}

static void check_mute(struct scene *scene)
{
    CHECK(scene->error.code == -ETIMEDOUT);
    CHECK(strstr(scene->error.text, ": no answer to SET-PARITY within 3000 ms") != NULL);
}

static void test_refusals(void)
{
    play_both(NORMAL, refuse_baud);
    play_both((struct habits){.refuses_dtr = true}, refuse_dtr);
    play_both(NORMAL, release_after_refusal);
    play_both(NORMAL, drown_answer);
    check_no_open((struct habits){.no_com_port = true}, check_no_com_port);
    check_no_open((struct habits){.no_binary = true}, check_no_binary);
    check_no_open((struct habits){.hang_up = true}, check_hung_up);
    play((struct habits){.silent = true}, check_silent, close_at_once, true);
    play((struct habits){.mute = 3}, check_mute, close_at_once, true);
}

/* --- what the server sends of itself -------------------------------------------------------------------- */

static const uint8_t suspend[] = {255, 250, 44, 108, 255, 240};
static const uint8_t resume[] = {255, 250, 44, 109, 255, 240};

static void resume_soon(struct scene *scene)
{
    scene_pause_ms(30);
    say(server_of(scene), resume, sizeof resume);
}

static void hold_data(struct scene *scene)
{
    CHECK(echo(scene, "s"));
    CHECK(port_set_modem(scene->port, true, true, &scene->error) == 0); /* only data is held */
    CHECK(port_write(scene->port, "t", 1, scene_in_ms(20), &scene->error) == -ETIMEDOUT);
    CHECK(strstr(scene->error.text, "the server has suspended the flow") != NULL);
    scene_start(scene, resume_soon);
    CHECK(echo(scene, "u"));
    scene_join(scene);
    CHECK_TEXT(server_of(scene)->notes, OPENED " 73 control=8 control=11 75");
}

static void test_flow(void)
{
    play_both((struct habits){.cue = {.byte = 's', .said = suspend, .size = sizeof suspend}}, hold_data);
}

static void discard_stale(struct scene *scene)
{
    char byte;

    server_of(scene)->is.says_stale = true;
    port_discard(scene->port); /* the answer to this purge comes behind five bytes */
    CHECK(echo(scene, "n"));
    CHECK(port_read_some(scene->port, &byte, 1, scene_in_ms(10), &scene->error) == -ETIMEDOUT);
    server_of(scene)->is.says_stale = false;
    port_discard(scene->port);
    port_discard(scene->port);
    CHECK(echo(scene, "o"));
}

/* A server that never answers purges: nothing may be dropped on suspicion. */
static void discard_unanswered(struct scene *scene)
{
    port_discard(scene->port);
    CHECK(echo(scene, "kept"));
}

static void test_purge(void)
{
    play_both(NORMAL, discard_stale);
    play_both((struct habits){.mute = 12}, discard_unanswered);
}

/* Signature wanted; states of lines; options that nobody asked for, on and off; commands of no meaning; a
 * subnegotiation that is too short, and one of another option; the end without a beginning. */
static const uint8_t odd[] = {255, 250, 44,  100, 255, 240, 255, 250, 44,  107, 0x30, 255, 240, 255, 250, 44,
                              106, 96,  255, 240, 255, 251, 1,   255, 252, 1,   255,  253, 24,  255, 254, 24,
                              255, 251, 44,  255, 251, 44,  255, 253, 44,  255, 241,  255, 249, 255, 250, 44,
                              101, 1,   255, 240, 255, 250, 24,  1,   255, 240, 255,  240, 255, 250, 255, 240,
                              255, 250, 44,  105, 8,   255, 240, 255, 250, 44,  112,  1,   255, 240};

static void hear_odd(struct scene *scene)
{
    CHECK(echo(scene, "?"));
    CHECK(echo(scene, "!"));
    CHECK_TEXT(server_of(scene)->notes, OPENED " 3f signature(flashfarm) 254.1 252.24 253.44 21");
}

static void hear_hostile(struct scene *scene)
{
    char byte;

    CHECK(echo(scene, "h"));
    CHECK(echo(scene, "i"));
    CHECK(port_read_some(scene->port, &byte, 1, scene_in_ms(10), &scene->error) == -ETIMEDOUT);
}

static void test_odd_server(void)
{
    enum { HOSTILE = 60000 };
    uint8_t *hostile = malloc(HOSTILE);
    size_t at = 0;

    play_both((struct habits){.cue = {.byte = '?', .said = odd, .size = sizeof odd}}, hear_odd);
    /* 9000 requests for an option, and a subnegotiation as long as the rest. */
    for (; at < 27000; at += 3)
        memcpy(hostile + at, (const uint8_t[]){255, (uint8_t)(at % 2 ? 251 : 253), 99}, 3);
    memset(hostile + at, 0, HOSTILE - at);
    memcpy(hostile + at, (const uint8_t[]){255, 250, 44, 101}, 4);
    memcpy(hostile + HOSTILE - 2, (const uint8_t[]){255, 240}, 2);
    play_both((struct habits){.cue = {.byte = 'h', .said = hostile, .size = HOSTILE}}, hear_hostile);
    free(hostile);
}

/* --- the end -------------------------------------------------------------------------------------------- */

static void hang_up(struct scene *scene)
{
    scene_pause_ms(15);
    (void)shutdown(server_of(scene)->peer, SHUT_RDWR);
}

static void lose_server(struct scene *scene)
{
    char byte = 0;

    scene_start(scene, hang_up);
    CHECK(port_read(scene->port, &byte, 1, scene_in_ms(5000), &scene->error) == -ENODEV);
    CHECK(strstr(scene->error.text, " is gone (the connection has ended)") != NULL);
    CHECK(port_write(scene->port, &byte, 1, scene_in_ms(5000), &scene->error) == -ENODEV);
    CHECK(set_line(scene, 4800, PARITY_NONE, 1) == -ENODEV);
    CHECK(port_set_modem(scene->port, true, true, &scene->error) == -ENODEV);
    scene_join(scene);
}

static void lose_server_unread(struct scene *scene)
{
    scene_start(scene, hang_up);
    CHECK(scene_await_loss(scene));
    scene_join(scene);
}

static void lose_server_in_set_line(struct scene *scene)
{
    server_of(scene)->is.mute = 1;
    scene_start(scene, hang_up);
    CHECK(set_line(scene, 4800, PARITY_NONE, 1) == -ENODEV);
    scene_join(scene);
}

static void test_loss(void)
{
    play_both(NORMAL, lose_server);
    play(NORMAL, lose_server_unread, scene_act, true);
    play_both(NORMAL, lose_server_in_set_line);
}

static void cancel_at_wait(void *argument)
{
    fiber_cancel(((struct scene *)argument)->fiber);
}

static void be_cancelled(struct scene *scene)
{
    server_of(scene)->is.mute = 1;
    (void)fiber_start(scene->fibers, "canceller", cancel_at_wait, NULL, scene);
    CHECK(set_line(scene, 4800, PARITY_NONE, 1) == -ECANCELED);
    server_of(scene)->is.mute = 0;
    CHECK(port_set_modem(scene->port, false, false, &scene->error) == 0);
    CHECK(echo(scene, "clean-up"));
}

static void test_cancellation(void)
{
    play(NORMAL, be_cancelled, scene_act, true);
}

static void test_names(void)
{
    static const char *const bad[] = {
        "rfc2217:",          "rfc2217:host",       "rfc2217:host:",   "rfc2217::1",
        "rfc2217:host:0",    "rfc2217:host:65536", "rfc2217:host:1x", "rfc2217:::1:2217",
        "rfc2217:[::1]2217", "rfc2217:[::1:2217",  "rfc2217:[]:2217", "rfc2217:a b:2217",
        "rfc2217:a/b:2217",  "rfc2217:h:+2217",    "rfc2217:h:2217:1"};
    static const char *const good[] = {"rfc2217:ser-1.line_2.example:2217", "rfc2217:[fe80::1%eth0]:65535",
                                       "rfc2217:127.0.0.1:1"};
    struct error error = ERROR_NONE;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK(port_name_check(bad[i], &error) == -EINVAL && strstr(error.text, "expected rfc2217:HOST:PORT"));
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        CHECK(port_name_check(good[i], &error) == 0);
}

/* --- as the peers' client ------------------------------------------------------------------------------- */

struct act {
    const char *name;
    int (*play)(struct scene *scene, const char *text);
};

/* BAUD:PARITY:STOP_BITS, the parity by its letter */
static int act_line(struct scene *scene, const char *text)
{
    unsigned baud = 0, stop_bits = 0;
    char parity = 0;

    (void)sscanf(text, "%u:%c:%u", &baud, &parity, &stop_bits); // NOLINT(cert-err34-c)
    return set_line(scene, baud, (enum port_parity)(strchr("NOEMS", parity) - "NOEMS"), (uint8_t)stop_bits);
}

/* DTR and RTS, 0 or 1 each */
static int act_modem(struct scene *scene, const char *text)
{
    return port_set_modem(scene->port, text[0] == '1', text[1] == '1', &scene->error);
}

static int act_break(struct scene *scene, const char *text)
{
    return port_set_break(scene->port, text[0] == '1', &scene->error);
}

static size_t from_hex(const char *text, uint8_t *bytes, size_t room)
{
    size_t size = 0;
    unsigned byte;

    for (; size < room && sscanf(text, "%2x", &byte) == 1; text += 2) // NOLINT(cert-err34-c)
        bytes[size++] = (uint8_t)byte;
    return size;
}

static int act_send(struct scene *scene, const char *text)
{
    uint8_t bytes[1024];
    size_t size = from_hex(text, bytes, sizeof bytes);

    return port_write(scene->port, bytes, size, scene_in_ms(5000), &scene->error);
}

static int act_expect(struct scene *scene, const char *text)
{
    uint8_t want[1024], got[1024];
    size_t size = from_hex(text, want, sizeof want);
    int status = port_read(scene->port, got, size, scene_in_ms(5000), &scene->error);

    if (status == 0 && memcmp(want, got, size) != 0)
        return error_set(&scene->error, -EBADMSG, "other bytes than expected");
    return status;
}

static int act_discard(struct scene *scene, const char *text)
{
    (void)text;
    port_discard(scene->port);
    return 0;
}

static const struct act acts[] = {
    {.name = "line", .play = act_line},     {.name = "modem", .play = act_modem},
    {.name = "break", .play = act_break},   {.name = "send", .play = act_send},
    {.name = "expect", .play = act_expect}, {.name = "discard", .play = act_discard}};

struct client {
    struct scene scene; /* first */
    char **words;       /* NAME, then ACT=VALUE each, then NULL */
    int status;
};

static int play_act(struct scene *scene, const char *word)
{
    size_t length = strcspn(word, "=");

    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++)
        if (strlen(acts[i].name) == length && memcmp(acts[i].name, word, length) == 0)
            return acts[i].play(scene, word + length + (word[length] == '='));
    return error_set(&scene->error, -EINVAL, "no act %s", word);
}

static void client_main(void *argument)
{
    struct client *client = argument;
    struct scene *scene = &client->scene;

    client->status = port_open(&scene->port, client->words[0], scene->fibers, &clock_system, &scene->error);
    for (char **word = client->words + 1; *word && client->status >= 0; word++) {
        client->status = play_act(scene, *word);
        (void)printf("%s %d\n", *word, client->status);
    }
    if (client->status < 0)
        (void)printf("%d %s\n", client->status, scene->error.text);
    port_close(scene->port);
}

static int be_client(char **words)
{
    struct client client = {.words = words};

    CHECK(uv_loop_init(&client.scene.loop) == 0);
    client.scene.fibers = fibers_new(&client.scene.loop, &clock_system);
    (void)fiber_start(client.scene.fibers, "client", client_main, NULL, &client);
    CHECK(uv_run(&client.scene.loop, UV_RUN_DEFAULT) == 0);
    fibers_free(client.scene.fibers);
    CHECK(uv_loop_close(&client.scene.loop) == 0);
    return client.status < 0 || test_failures ? 1 : 0;
}

static const struct test tests[] = {
    {"decoder", test_decoder},
    {"decoder limits", test_decoder_limits},
    {"encoder", test_encoder},
    {"order", test_order},
    {"transparent", test_transparent},
    {"large", test_large},
    {"refusals", test_refusals},
    {"flow", test_flow},
    {"purge", test_purge},
    {"odd server", test_odd_server},
    {"loss", test_loss},
    {"cancellation", test_cancellation},
    {"names", test_names},
};

int main(int argc, char **argv)
{
    return argc > 1 ? be_client(argv + 1) : test_main(tests, sizeof tests / sizeof tests[0]);
}
