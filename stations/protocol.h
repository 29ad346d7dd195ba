/* SPDX-License-Identifier: Apache-2.0 */
/* What a protocol provides: primitives, and no policy (law 2). stations/program.c alone decides order, blank
 * skipping, which pages to erase, how to verify and what to do after a failure.
 *
 * Errors of primitives: -EBADMSG when the board refused (a NACK), -ETIMEDOUT when it did not answer in time,
 * -EPROTO when what it answered is not the protocol, -ENOTSUP when the board cannot do it, port errors as
 * they come, or the code of a failure class where the primitive knows it for sure (a read-protected chip).
 *
 * Adding a protocol is one file with one `const struct protocol` and one line in protocols.c. */
#ifndef FLASHFARM_STATIONS_PROTOCOL_H
#define FLASHFARM_STATIONS_PROTOCOL_H

#include "chip.h"
#include "entry.h"
#include "log.h"
#include "port.h"
#include "result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOARD_UID_MAX 16

/* No protocol moves more bytes in one write or read. */
#define PROTOCOL_TRANSFER_MAX 4096u

struct order;

/* Who answered. */
struct board {
    uint32_t chip_id; /* as the chip tells it */
    uint8_t uid[BOARD_UID_MAX];
    size_t uid_size;     /* 0: the chip has none that can be read */
    uint32_t flash_size; /* bytes, as the chip tells it; 0: unknown */
    uint8_t bootloader;  /* version, BCD: 0x22 is 2.2 */
    bool read_protected; /* nothing can be read or written before protection is removed */
    bool no_eeprom;      /* the loader cannot write the chip's EEPROM: an image with data for it is refused
                            before the first erase */
    struct chip_span loader; /* where in flash the loader itself lives, if it does: an image that touches it
                                is refused before the first erase. size 0: not in flash, or unknown */
    struct chip_span hidden; /* flash that something else covers while the loader runs (an LPC's ROM shows
                                its own vectors there): it can be written, but not looked at. size 0: none */
};

/* How units on a shared line know address frames: by the ninth bit as mark parity, or, where an adapter
 * ignores mark and space, by an escape byte (stations/protocols/rs485_isp.md). */
enum wakeup { WAKEUP_PARITY, WAKEUP_ESCAPE };

/* How good the way to the board was: what differs between stations that do the same tells which cable or
 * contact is bad. Whoever tries, refuses or repeats counts; the procedure sees to the rest. */
struct link_counts {
    uint32_t attempts; /* to get into contact: each rate tried, and each entry played, counts */
    uint32_t naks;     /* the board refused a command or its data, or what it said had come spoilt */
    uint32_t resends;  /* commands or blocks that were sent once more */
};

/* One conversation with one board on an open port. */
struct session {
    struct port *port;
    const struct protocol *protocol;
    struct log log;
    uint32_t baud_max;    /* the highest rate to try; 0: the protocol's own choice */
    uint32_t baud_proven; /* in: the rate that proved itself here last time, or 0; out: the one in use */
    bool in_step;         /* in: the board has just answered a probe on this port */
    bool half_way; /* in: the last conversation here may have been cut off in the middle of a command */
    const struct entry *entry; /* how to get into the bootloader */
    enum wakeup wakeup;        /* how address frames are marked on a shared line (rs485-isp) */
    uint8_t unit; /* the board's address on such a line, where the port does not tell it (a played
                     dialogue); 0: it does, or the board is alone */
    void (*advanced)(void *context, uint32_t done); /* write_range() tells how many bytes of its range are
                                                       done; NULL: nobody asks */
    void *advanced_context;
    int64_t deadline_us;              /* of the whole run; every step's deadline is cut to it */
    const struct chip_family *family; /* known after identify; NULL for a chip that has no row */
    struct board board;
    struct link_counts link;
    void *state; /* the protocol's own, protocol->state_size bytes, zeroed */
};

/* What may be set on a chip as its last step. */
enum protection {
    PROTECTION_NONE,
    PROTECTION_READ,  /* memory cannot be read out any more */
    PROTECTION_WRITE, /* the pages of the image cannot be written any more */
};

/* Bytes on the wire, both directions, that an operation cannot do without; for floors. */
enum wire_operation { WIRE_ERASE, WIRE_ERASE_ALL, WIRE_WRITE, WIRE_READ, WIRE_CHECKSUM };

struct protocol {
    const char *name;    /* "stm32-uart" */
    const char *summary; /* one line for people */
    size_t state_size;
    enum chip_kind chips;  /* whom it can talk to */
    uint32_t transfer_max; /* bytes per write or read, at most PROTOCOL_TRANSFER_MAX */
    uint32_t slowest_baud; /* what deadlines of whole runs are made for; 0: 57600 */
    bool in_order; /* the loader erases page after page by itself while it is written: flash must be written
                      from the first page of the chip up to the image's last one, blank pages too */

    bool erases_meanwhile; /* the erase inside a write runs while its data are still on the wire: no time of
                              its own in floors */
    bool packs;            /* write_range() sends compressed data: floors follow what was really sent */

    /* Whether the image makes sense for this loader and chip, beyond its addresses: FAILURE_DATA with the
     * place and the remedy (an LPC vector checksum, an ESP image header). Touches nothing, has no session. */
    int (*check)(const struct order *order, struct error *error);

    /* Gets into contact at the highest rate that proves itself. Ends a conversation that somebody left
     * half-way. FAILURE_NO_CONTACT when nothing answers. */
    int (*connect)(struct session *session, struct error *error);
    /* Whether a board answers, in as little time as that takes and without changing it. Same errors, and
     * -EALREADY: it was not asked, for the sake of others at work on the same line, and nothing is known. */
    int (*probe)(struct session *session, struct error *error);
    /* Fills session->board and session->family. */
    int (*identify)(struct session *session, struct error *error);
    /* After a primitive failed: gets the dialogue back in step, without repeating anything. */
    int (*resync)(struct session *session, struct error *error);
    /* From here on a primitive may be NULL where the protocol has no such thing. Without `erase` and
     * `erase_all`, a write erases what it writes; without `read`, `compare` and `sum` are all there is. */

    /* Removes read-out protection, which wipes the chip. */
    int (*unprotect)(struct session *session, struct error *error);
    /* Removes write protection from all pages. */
    int (*write_unprotect)(struct session *session, struct error *error);
    int (*erase_all)(struct session *session, struct error *error);
    int (*erase)(struct session *session, const struct chip_sector *sectors, size_t count,
                 struct error *error);
    int (*write)(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
                 struct error *error);
    int (*read)(struct session *session, uint32_t address, uint8_t *bytes, uint32_t size,
                struct error *error);
    /* Writes a whole range of the image at once, for loaders that must know it beforehand (ESP) or where many
     * boards share one pass (RS-485). Erases what it needs where the protocol has no `erase`. -ENOTSUP: not
     * this range or not now, and nothing was sent: block by block then. */
    int (*write_range)(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
                       struct error *error);
    /* A sum over one erase unit that only the chip can make: equal content gives equal sums, and that is all
     * that is known of it. For chips that cannot be read (P89LPC). */
    int (*sum)(struct session *session, const struct chip_sector *sector, uint32_t *sum, struct error *error);
    /* Compares memory with `bytes` by a checksum made on the chip. 0: equal; 1: they differ; -ENOTSUP. */
    int (*compare)(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
                   struct error *error);
    /* Where there is no `read`, it makes sure itself that they hold. */
    int (*write_options)(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
                         struct error *error);
    /* Sets read-out protection and checks that it is in force. */
    int (*protect)(struct session *session, struct error *error);
    int (*write_protect)(struct session *session, const struct chip_sector *sectors, size_t count,
                         struct error *error);
    /* Leaves the bootloader for the application at `address`. */
    int (*run)(struct session *session, uint32_t address, struct error *error);
    /* Releases lines; may be called in any state, cannot fail. */
    void (*disconnect)(struct session *session);

    uint32_t (*wire_bytes)(const struct chip_family *family, enum wire_operation operation,
                           uint32_t size_or_count);
    struct port_line (*line)(uint32_t baud); /* how the line is set at that rate */
};

/* The loader has no erase command: a write erases what it writes. */
static inline bool protocol_erases_by_writing(const struct protocol *protocol)
{
    return !protocol->erase && !protocol->erase_all;
}

/* All protocols, ended by NULL. */
extern const struct protocol *const protocols[];
const struct protocol *protocol_find(const char *name); /* NULL: unknown */

/* min(now + step_us, the run's deadline) */
int64_t session_deadline(const struct session *session, int64_t step_us);

#endif
