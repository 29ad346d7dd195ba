/* SPDX-License-Identifier: Apache-2.0 */
#include "avr.h"

#include "failure.h"
#include "plan.h"

#include <errno.h>

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
