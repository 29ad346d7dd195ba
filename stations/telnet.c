/* SPDX-License-Identifier: Apache-2.0 */
/* The telnet byte stream; see the header. */
#include "telnet.h"

#define SUB_BEGIN 250u /* SB */
#define SUB_END   240u /* SE */

static void add_to_sub(struct telnet *telnet, uint8_t byte)
{
    if (telnet->size < sizeof telnet->sub)
        telnet->sub[telnet->size++] = byte;
    else
        telnet->too_long = true;
}

static void end_sub(struct telnet *telnet, const struct telnet_handler *handler, void *context)
{
    telnet->state = TELNET_DATA;
    if (telnet->size > 0 && !telnet->too_long)
        handler->subnegotiation(context, telnet->sub[0], telnet->sub + 1, telnet->size - 1);
}

/* The byte after IAC, outside a subnegotiation. Returns whether it is data. */
static bool take_command(struct telnet *telnet, uint8_t byte)
{
    telnet->state = TELNET_DATA;
    if (byte == SUB_BEGIN) {
        telnet->state = TELNET_SUB;
        telnet->size = 0;
        telnet->too_long = false;
    } else if (byte >= TELNET_WILL && byte <= TELNET_DONT) {
        telnet->state = TELNET_VERB;
        telnet->verb = (enum telnet_verb)byte;
    }
    return byte == TELNET_IAC; /* the others are for terminals, and mean nothing to a port */
}

/* The byte after IAC inside a subnegotiation. Anything but IAC and SE breaks it off: RFC 855 knows no other
 * command there, and a peer that forgot the end is better understood this way. */
static void take_sub_command(struct telnet *telnet, uint8_t byte, const struct telnet_handler *handler,
                             void *context)
{
    telnet->state = TELNET_SUB;
    if (byte == TELNET_IAC)
        add_to_sub(telnet, byte);
    else if (byte == SUB_END)
        end_sub(telnet, handler, context);
    else
        (void)take_command(telnet, byte);
}

/* Returns whether the byte is data. */
static bool take(struct telnet *telnet, uint8_t byte, const struct telnet_handler *handler, void *context)
{
    switch (telnet->state) {
    case TELNET_DATA:
        if (byte == TELNET_IAC)
            telnet->state = TELNET_COMMAND;
        return byte != TELNET_IAC;
    case TELNET_COMMAND:
        return take_command(telnet, byte);
    case TELNET_VERB:
        telnet->state = TELNET_DATA;
        handler->negotiation(context, telnet->verb, byte);
        return false;
    case TELNET_SUB:
        if (byte == TELNET_IAC)
            telnet->state = TELNET_SUB_COMMAND;
        else
            add_to_sub(telnet, byte);
        return false;
    case TELNET_SUB_COMMAND:
        take_sub_command(telnet, byte, handler, context);
        return false;
    }
    return false;
}

size_t telnet_decode(struct telnet *telnet, uint8_t *bytes, size_t size, const struct telnet_handler *handler,
                     void *context)
{
    size_t kept = 0;

    for (size_t i = 0; i < size; i++) {
        uint8_t byte = bytes[i];

        if (take(telnet, byte, handler, context) && !telnet->drop)
            bytes[kept++] = byte;
    }
    return kept;
}

size_t telnet_encode(uint8_t *to, size_t room, const uint8_t *bytes, size_t size, size_t *used)
{
    size_t written = 0, i = 0;

    for (; i < size && room - written >= (bytes[i] == TELNET_IAC ? 2u : 1u); i++) {
        if (bytes[i] == TELNET_IAC)
            to[written++] = TELNET_IAC;
        to[written++] = bytes[i];
    }
    *used = i;
    return written;
}

void telnet_negotiate(uint8_t *to, enum telnet_verb verb, uint8_t option)
{
    to[0] = TELNET_IAC;
    to[1] = (uint8_t)verb;
    to[2] = option;
}

size_t telnet_subnegotiate(uint8_t *to, size_t room, uint8_t option, const uint8_t *body, size_t size)
{
    size_t at = 3, used;

    if (room < 5)
        return 0;
    to[0] = TELNET_IAC;
    to[1] = SUB_BEGIN;
    to[2] = option;
    at += telnet_encode(to + at, room - at, body, size, &used);
    if (used < size || room - at < 2)
        return 0;
    to[at++] = TELNET_IAC;
    to[at++] = SUB_END;
    return at;
}
