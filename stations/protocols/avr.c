/* SPDX-License-Identifier: Apache-2.0 */
#include "avr.h"

#include "failure.h"
#include "plan.h"

#include <errno.h>

struct port_line avr_line(uint32_t baud)
{
    return (struct port_line){.baud = baud, .parity = PARITY_NONE, .stop_bits = 1};
}

int64_t avr_wire_us(const struct session *session, size_t bytes)
{
    return port_line_wire_ns(&session->port->line, bytes) / 1000;
}

bool avr_timed_out(const struct session *session, int status)
{
    return status == -ETIMEDOUT && port_now_us(session->port) < session->deadline_us;
}

static int try_rate(struct session *session, const struct avr_contact *contact, uint32_t baud,
                    struct error *error)
{
    const struct port_line line = avr_line(baud);
    int status = port_set_line(session->port, &line, error);

    session->link.attempts++;
    return status < 0 ? status : contact->enter(session, error);
}

/* The rate that proved itself here before, then the others. Of two failures the one that heard something
 * tells more. */
static int try_rates(struct session *session, const struct avr_contact *contact, uint32_t proven,
                     struct error *error)
{
    uint32_t top = session->baud_max ? session->baud_max : contact->rates[0];
    int status = proven && proven <= top ? try_rate(session, contact, proven, error) : -EAGAIN;

    for (size_t i = 0; i < contact->rate_count && status < 0 && rate_to_blame(session, status); i++) {
        struct error other = *error;
        int now;

        if (contact->rates[i] > top || contact->rates[i] == proven)
            continue;
        now = try_rate(session, contact, contact->rates[i], &other);
        if (now == 0 || status == -EAGAIN || !rate_to_blame(session, now)) {
            status = now;
            *error = other;
        }
    }
    return status;
}

static int no_contact(int status, struct error *error)
{
    if (status != -EAGAIN)
        return status;
    return error_set(error, FAILURE_CODE(FAILURE_NO_CONTACT),
                     "no loader answers at any rate: no board, no power, not reset, or no loader in it");
}

int avr_probe(struct session *session, const struct avr_contact *contact, struct error *error)
{
    int status = try_rates(session, contact, session->baud_proven, error);

    if (status == 0)
        session->baud_proven = session->port->line.baud;
    return no_contact(status, error);
}

/* From a reset on, at the rate that should work first: a byte of ours that the start of the loader cuts in
 * two can spoil a try, and gets another. */
static int start_afresh(struct session *session, const struct avr_contact *contact, uint32_t proven,
                        struct error *error)
{
    int status = proven ? try_rate(session, contact, proven, error) : -EAGAIN;

    if (status < 0 && rate_to_blame(session, status))
        status = try_rates(session, contact, proven, error);
    return status;
}

/* A loader that is in step and then is not, because of an answer that came late over a busy network, is asked
 * once more from the start: nothing has been touched yet. */
int avr_connect(struct session *session, const struct avr_contact *contact, struct error *error)
{
    uint32_t proven = session->baud_proven;
    uint32_t *id = &session->board.chip_id;
    /* a board that has just been probed waits for a command still, if nobody took his time */
    int status = session->in_step ? contact->read_signature(session, id, error) : -EAGAIN;
    bool met = true;

    session->link.attempts += session->in_step;
    for (int i = 0; i < 2 && met && status < 0 && rate_to_blame(session, status); i++) {
        status = start_afresh(session, contact, proven, error);
        met = status == 0;
        if (met)
            status = contact->read_signature(session, id, error);
    }
    session->baud_proven = status == 0 ? session->port->line.baud : 0;
    return no_contact(status, error);
}

int avr_still_the_same(struct session *session, const struct avr_contact *contact, int status,
                       struct error *error)
{
    uint32_t signature = 0;

    if (status == -EAGAIN)
        return error_set(error, -ETIMEDOUT, "the loader has stopped answering");
    if (status == 0)
        status = contact->read_signature(session, &signature, error);
    if (status == 0 && signature != session->board.chip_id)
        return error_set(error, -EPROTO, "signature 0x%06x was 0x%06x before", signature,
                         session->board.chip_id);
    return status;
}

const struct chip_family *avr_family(uint32_t signature)
{
    for (size_t i = 0; i < chip_count(); i++) {
        const struct chip_family *family = chip_at(i)->family;

        if (family->kind == CHIP_AVR && family->id == signature)
            return family;
    }
    return NULL;
}

/* All AVR have pages of one size. */
uint32_t avr_flash_size(const struct chip_family *family)
{
    return family->sectors[0].count * family->sectors[0].size;
}

uint32_t avr_page_size(const struct chip_family *family)
{
    return family->sectors[0].size;
}

static bool inside(uint32_t address, uint32_t size, uint32_t from, uint32_t length)
{
    return address >= from && size <= length && address - from <= length - size;
}

enum avr_memory avr_memory_at(const struct chip_family *family, uint32_t address, uint32_t size)
{
    if (inside(address, size, 0, avr_flash_size(family)))
        return AVR_FLASH;
    if (inside(address, size, family->eeprom.address, family->eeprom.size))
        return AVR_EEPROM;
    if (inside(address, size, AVR_FUSES_AT, 3))
        return AVR_FUSES;
    return inside(address, size, AVR_LOCK_AT, 1) ? AVR_LOCK : AVR_NOWHERE;
}

int avr_no_way(uint32_t address, const char *loader, struct error *error)
{
    return error_set(error, -ENOTSUP, "0x%06x is in no memory that %s can get at", address, loader);
}

int64_t avr_write_max_us(const struct chip_family *family, enum avr_memory memory, uint32_t size)
{
    if (memory == AVR_EEPROM)
        return (int64_t)size * family->avr->eeprom_us * 5 / 4; /* its clock is an RC oscillator */
    return (int64_t)family->sectors[0].erase_max_us + family->program_max_us;
}

struct chip_span avr_flash_end(const struct chip_family *family, uint32_t size)
{
    return (struct chip_span){.address = avr_flash_size(family) - size, .size = size};
}

int avr_check_options(const struct order *order, uint8_t must_stay, struct error *error)
{
    for (size_t i = 0; i < order->option_count; i++) {
        const struct order_option *option = &order->options[i];

        if (option->address != AVR_LOCK_AT || option->size != 1)
            return error_set(error, FAILURE_CODE(FAILURE_DATA),
                             "option bytes at 0x%06x: a loader can write the lock byte at 0x%06x, and no "
                             "fuses; these need an in-system programmer",
                             option->address, AVR_LOCK_AT);
        if ((option->bytes[0] & must_stay) != must_stay)
            return error_set(error, FAILURE_CODE(FAILURE_DATA),
                             "lock byte 0x%02x: this loader cannot program the bits 0x%02x; leave them 1",
                             option->bytes[0], must_stay);
    }
    return 0;
}
