/* SPDX-License-Identifier: Apache-2.0 */
/* A unit on an RS-485 line with a self-written ISP in a P89LPC92x, after stations/protocols/rs485_isp.md
 * alone: what rs485_unit.c (frames, ear, window) and rs485_commands.c (what each request does) share. */
#ifndef SIM_RS485_UNIT_H
#define SIM_RS485_UNIT_H

#include "p89lpc.h"
#include "receiver.h"

enum {
    UNIT_DATA_MAX = 64,
    UNIT_LENGTH_MAX = UNIT_DATA_MAX + 4,
    UNIT_BLOCKS_MAX = 256,
    UNIT_LOADER_BYTES = 1024,
    UNIT_SHARED_BYTES = 16,
    UNIT_ADDRESS_IN_SHARED = 10, /* the address, then its complement */
    UNIT_NO_ADDRESS = 255,
    UNIT_ANSWER_MAX = 6 + UNIT_BLOCKS_MAX / 8 + UNIT_DATA_MAX,
};

/* 3.1 */
enum unit_status {
    STATUS_DONE = 0,
    STATUS_BAD_DATA = 1,
    STATUS_BAD_ADDRESS = 2,
    STATUS_REFUSED = 3,
    STATUS_NOT_BLANK = 4,
    STATUS_DIFFERS = 5,
    STATUS_UNKNOWN = 6,
    STATUS_MUTE = 0x100, /* of a fault: nothing is answered */
};

enum unit_phase { UNIT_LISTEN, UNIT_CLOSED, UNIT_OPEN, UNIT_APPLICATION, UNIT_HUNG };

enum unit_decoder { DECODE_PLAIN, DECODE_ESCAPED, DECODE_ADDRESS, DECODE_ADDRESS_ESCAPED };

struct unit_group {
    bool joined;
    uint8_t number, block;
    uint16_t base, blocks;
    bool written[UNIT_BLOCKS_MAX];
    uint8_t bad_sums, last_status;
};

struct unit {
    struct p89_memory memory; /* first, for p89_identify and its like */
    struct receiver receiver;
    enum unit_phase phase;
    bool escape;
    bool touched; /* has accepted an erase or a write since reset */

    uint64_t traffic_ns, break_ns; /* last edge on the line; 0: no break */
    unsigned measured;             /* characters of autobaud at this rate: */
    uint32_t rate;
    bool called; /* a roll-call has matched since the rate was found */

    enum unit_decoder decoder;
    bool following; /* the packet on the line */
    uint8_t packet[2 + UNIT_LENGTH_MAX + 2];
    size_t have;
    struct unit_group group;
};

/* A request with its CRC right, for this unit or its group. */
struct unit_request {
    uint8_t command;
    const uint8_t *data;
    size_t count;
    uint8_t answer[UNIT_ANSWER_MAX];
    size_t answer_count;
    bool complete, change_address; /* what comes after the answer */
};

uint32_t unit_span(const struct unit *unit); /* from here to the end everything is the ISP's */
uint8_t unit_address(const struct unit *unit);
bool unit_has_address(const struct unit *unit); /* the pair in flash is valid */

/* rs485_commands.c */
bool unit_knows(uint8_t command);
bool unit_takes_from_all(uint8_t command);
enum unit_status unit_obey(struct unit *unit, struct unit_request *request);

uint16_t unit_crc16(const uint8_t *bytes, size_t count);

#endif
