/* SPDX-License-Identifier: Apache-2.0 */
/* The server's half of RFC 2217 (telnet com-port control) as a codec: what the client sent goes in, and comes
 * out as bytes and settings in the order in which they were sent. It knows no socket, no loop and no board,
 * so that every simulator can use it. */
#ifndef SIM_REMOTE_H
#define SIM_REMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum remote_parity { REMOTE_NONE, REMOTE_ODD, REMOTE_EVEN, REMOTE_MARK, REMOTE_SPACE };

struct remote_events {
    void (*data)(void *context, const uint8_t *bytes, size_t count);
    void (*line)(void *context, uint32_t baud, enum remote_parity parity, unsigned stop_bits);
    void (*modem)(void *context, bool dtr, bool rts);
    void (*set_break)(void *context, bool on);
    void (*purge)(void *context, bool received, bool unsent); /* seen from the board's side of the server */
    void (*reply)(void *context, const uint8_t *bytes, size_t count); /* to be sent to the client, as it is */
};

struct remote;

struct remote *remote_new(const struct remote_events *events, void *context);
void remote_free(struct remote *remote);
/* A client has connected: offers the options. Settings start at 115200 8N1, DTR and RTS off. */
void remote_open(struct remote *remote);
void remote_feed(struct remote *remote, const uint8_t *bytes, size_t count);
/* What the board says, escaped for the client: calls `reply`. */
void remote_send(struct remote *remote, const uint8_t *bytes, size_t count);

#endif
