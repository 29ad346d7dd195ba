/* SPDX-License-Identifier: Apache-2.0 */
/* The telnet byte stream (RFC 854, 855): data, and between them commands that begin with IAC (255). Knows how
 * bytes are framed; what the options mean, and whether they are wanted, is the user's business.
 *
 * The decoder takes bytes as they come, split anywhere, from a peer that may be hostile: it holds a fixed
 * amount, and drops a subnegotiation that is longer. */
#ifndef FLASHFARM_STATIONS_TELNET_H
#define FLASHFARM_STATIONS_TELNET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TELNET_IAC 255u

enum telnet_verb { TELNET_WILL = 251, TELNET_WONT = 252, TELNET_DO = 253, TELNET_DONT = 254 };

/* Options of the Internet Assigned Numbers Authority's list that this project negotiates. */
enum telnet_option { TELNET_BINARY = 0, TELNET_SUPPRESS_GO_AHEAD = 3, TELNET_COM_PORT = 44 };

enum { TELNET_BODY_MAX = 256, TELNET_NEGOTIATION_SIZE = 3 };

/* What the decoder calls. Both may set `drop` of the decoder. */
struct telnet_handler {
    void (*negotiation)(void *context, enum telnet_verb verb, uint8_t option);
    void (*subnegotiation)(void *context, uint8_t option, const uint8_t *body, size_t size);
};

struct telnet {
    enum telnet_state { TELNET_DATA, TELNET_COMMAND, TELNET_VERB, TELNET_SUB, TELNET_SUB_COMMAND } state;
    enum telnet_verb verb; /* in TELNET_VERB: the one whose option comes next */
    bool drop;             /* while set, data is not kept */
    bool too_long;         /* the subnegotiation does not fit */
    size_t size;           /* of the subnegotiation so far, its option included */
    uint8_t sub[1 + TELNET_BODY_MAX];
};

/* Takes the commands out of `bytes`, in place, and calls the handler for each. Returns how many data bytes
 * there are now. A zeroed `struct telnet` is a fresh decoder. */
size_t telnet_decode(struct telnet *telnet, uint8_t *bytes, size_t size, const struct telnet_handler *handler,
                     void *context);

/* Writes as many of the `size` data bytes to `to` as fit, escaped; `*used` says how many. Returns what was
 * written, which is at most twice as much. */
size_t telnet_encode(uint8_t *to, size_t room, const uint8_t *bytes, size_t size, size_t *used);
/* TELNET_NEGOTIATION_SIZE bytes to `to`. */
void telnet_negotiate(uint8_t *to, enum telnet_verb verb, uint8_t option);
/* Returns the size of the whole, or 0 when it does not fit into `room`. */
size_t telnet_subnegotiate(uint8_t *to, size_t room, uint8_t option, const uint8_t *body, size_t size);

#endif
