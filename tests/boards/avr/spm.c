/* SPDX-License-Identifier: Apache-2.0 */
/* Self-programming and EEPROM by the datasheets ("Self-Programming the Flash", "EEPROM Data Memory"; e.g.
 * ATmega328P DS40002061 ch. 27 and 8.4), in place of simavr's, where both take no time and SPM works from
 * anywhere. Cells only lose bits; the CPU stands still while it programs its own half (NRWW); the boot
 * section is locked as on boards that are sold (lock bits 0x0F). Not modelled: what a read of the other half
 * gives while that is busy, lock bits set by SPM, the SPM interrupt. */
#include "mcu_inside.h"

#include "common.h"

#include <stdlib.h>
#include <string.h>

enum {
    SPM_ENABLE = 0x01,
    SPM_ERASE = 0x02,
    SPM_WRITE = 0x04,
    SPM_LOCK = 0x08,
    SPM_READ_AGAIN = 0x10, /* RWWSRE */
    SPM_SECTION_BUSY = 0x40,
    SPM_OPERATION = SPM_ERASE | SPM_WRITE | SPM_LOCK | SPM_READ_AGAIN
};
enum { EEPROM_MASTER = 0x04, EEPROM_PROGRAM = 0x02 };

/* "Flash write (page erase, page write, and write lock bits by SPM)": at most 4.5 ms; EEPROM: 3.4 ms typical.
 */
enum { FLASH_US = 4500, EEPROM_US = 3400 };
enum { ARMED_CYCLES = 4 };

static uint64_t duration(const struct mcu *mcu, uint64_t time_us)
{
    if (mcu->hurried && mcu->spm.factor == 1)
        return 0;
    return time_us * mcu->spm.factor * (mcu->avr->frequency / 1000) / 1000;
}

static uint32_t pointer(const avr_t *avr)
{
    uint32_t z = avr->data[R_ZL] | (uint32_t)avr->data[R_ZH] << 8;

    if (avr->rampz)
        z |= (uint32_t)avr->data[avr->rampz] << 16;
    return z & avr->flashend;
}

static void clear_buffer(struct mcu *mcu)
{
    size_t words = mcu->spm.registers->spm_pagesize / 2U;

    memset(mcu->spm.words, 0xFF, words * sizeof mcu->spm.words[0]);
    memset(mcu->spm.filled, 0, words * sizeof mcu->spm.filled[0]);
}

/* A word of the buffer takes one value; further ones have no effect until it is emptied. */
static void fill_buffer(struct mcu *mcu)
{
    const avr_t *avr = mcu->avr;
    size_t index = pointer(avr) % mcu->spm.registers->spm_pagesize / 2;

    if (!mcu->spm.filled[index])
        mcu->spm.words[index] = (uint16_t)(avr->data[0] | avr->data[1] << 8);
    mcu->spm.filled[index] = true;
}

/* The boot section is twice the largest BOOTSZ: an eighth of the small chips' flash, and 8 KiB of the others.
 */
static uint32_t section_start(const avr_t *avr)
{
    uint32_t size = avr->flashend + 1;

    return size - (size > 32768 ? 8192 : size / 8 < 2048 ? 2048 : size / 8);
}

static void be_busy(struct mcu *mcu, uint32_t address)
{
    uint64_t cycles = duration(mcu, FLASH_US);

    if (address >= section_start(mcu->avr)) {
        mcu->avr->cycle += cycles;
        return;
    }
    mcu->spm.section_busy = true;
    mcu->spm.busy_until = mcu->avr->cycle + cycles;
}

static void erase_page(struct mcu *mcu, uint32_t page)
{
    be_busy(mcu, page);
    if (page >= mcu->loader->boot_address)
        return;
    memset(mcu->avr->flash + page, 0xFF, mcu->spm.registers->spm_pagesize);
    mcu->events->erased(mcu->context);
}

static void write_page(struct mcu *mcu, uint32_t page)
{
    size_t size = mcu->spm.registers->spm_pagesize, count;
    uint8_t bytes[512];

    if (page < mcu->loader->boot_address && size <= sizeof bytes) {
        for (size_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)(mcu->spm.words[i / 2] >> (i % 2 ? 8 : 0));
        count = mcu->events->program(mcu->context, page, bytes, size);
        for (size_t i = 0; i < count; i++)
            mcu->avr->flash[page + i] &= bytes[i];
        if (mcu->spm.bad_cell >= page && mcu->spm.bad_cell < page + count)
            mcu->avr->flash[mcu->spm.bad_cell] ^= 1;
    }
    be_busy(mcu, page);
    clear_buffer(mcu);
}

static void operate(struct mcu *mcu, uint8_t operation)
{
    uint32_t address = pointer(mcu->avr), page = address - address % mcu->spm.registers->spm_pagesize;

    switch (operation) {
    case 0:
        fill_buffer(mcu);
        break;
    case SPM_ERASE:
        erase_page(mcu, page);
        break;
    case SPM_WRITE:
        write_page(mcu, page);
        break;
    case SPM_READ_AGAIN:
        mcu->spm.section_busy = false;
        clear_buffer(mcu);
        break;
    default: /* combinations have no effect, lock bits are not modelled */
        break;
    }
}

/* The SPM instruction. */
static int on_spm(struct avr_io_t *io, uint32_t request, void *parameter)
{
    struct mcu *mcu = io->avr->custom.data;
    uint8_t *control = &io->avr->data[mcu->spm.registers->r_spm];
    bool armed = io->avr->cycle - mcu->spm.armed_at <= ARMED_CYCLES && (*control & SPM_ENABLE);

    (void)parameter;
    if (request != AVR_IOCTL_FLASH_SPM)
        return -1;
    mcu_acted(mcu);
    if (armed && io->avr->cycle >= mcu->spm.busy_until && io->avr->pc >= mcu->loader->boot_address)
        operate(mcu, *control & SPM_OPERATION);
    *control &= (uint8_t) ~(SPM_ENABLE | SPM_OPERATION);
    return 0;
}

static void write_control(struct avr_t *avr, avr_io_addr_t address, uint8_t value, void *parameter)
{
    struct mcu *mcu = parameter;

    mcu_acted(mcu);
    if (avr->cycle < mcu->spm.busy_until)
        return;
    avr->data[address] = value;
    mcu->spm.armed_at = avr->cycle;
}

static uint8_t read_control(struct avr_t *avr, avr_io_addr_t address, void *parameter)
{
    struct mcu *mcu = parameter;
    bool busy = avr->cycle < mcu->spm.busy_until;
    uint8_t value = avr->data[address] & (uint8_t) ~(SPM_ENABLE | SPM_SECTION_BUSY);

    if (busy || avr->cycle - mcu->spm.armed_at <= ARMED_CYCLES)
        value |= avr->data[address] & SPM_ENABLE;
    if (busy)
        value |= SPM_ENABLE;
    if (mcu->spm.section_busy)
        value |= SPM_SECTION_BUSY;
    if (busy)
        mcu_glanced(mcu, value, mcu->spm.busy_until);
    return value;
}

static void write_eeprom_control(struct avr_t *avr, avr_io_addr_t address, uint8_t value, void *parameter)
{
    struct mcu *mcu = parameter;
    bool starts = (avr->data[address] & EEPROM_MASTER) && (value & EEPROM_PROGRAM);

    mcu_acted(mcu);
    if (avr->cycle < mcu->spm.eeprom_busy_until)
        return;
    mcu->spm.eeprom_write(avr, address, value, mcu->spm.eeprom_parameter);
    if (starts)
        mcu->spm.eeprom_busy_until = avr->cycle + duration(mcu, EEPROM_US);
}

static uint8_t read_eeprom_control(struct avr_t *avr, avr_io_addr_t address, void *parameter)
{
    struct mcu *mcu = parameter;
    uint8_t value = avr->data[address] & (uint8_t)~EEPROM_PROGRAM;

    if (avr->cycle >= mcu->spm.eeprom_busy_until)
        return value;
    mcu_glanced(mcu, value, mcu->spm.eeprom_busy_until);
    return value | EEPROM_PROGRAM;
}

void mcu_spoil(struct mcu *mcu, uint64_t address)
{
    mcu->spm.bad_cell = address;
}

void mcu_slow(struct mcu *mcu, unsigned factor)
{
    mcu->spm.factor = factor;
}

void spm_reset(struct mcu *mcu)
{
    mcu->spm.section_busy = false;
    mcu->spm.busy_until = mcu->spm.eeprom_busy_until = 0;
    mcu->spm.armed_at = 0;
    clear_buffer(mcu);
}

static void open_eeprom(struct mcu *mcu)
{
    avr_io_addr_t index = AVR_DATA_TO_IO(mcu->spm.eeprom->r_eecr);

    mcu->spm.eeprom_write = mcu->avr->io[index].w.c;
    mcu->spm.eeprom_parameter = mcu->avr->io[index].w.param;
    mcu->avr->io[index].w.c = write_eeprom_control;
    mcu->avr->io[index].w.param = mcu;
    mcu->avr->io[index].r.c = read_eeprom_control;
    mcu->avr->io[index].r.param = mcu;
}

int spm_open(struct mcu *mcu)
{
    avr_io_addr_t index;

    mcu->spm.registers = (avr_flash_t *)mcu_module(mcu, "flash");
    mcu->spm.eeprom = (avr_eeprom_t *)mcu_module(mcu, "eeprom");
    if (!mcu->spm.registers || !mcu->spm.eeprom)
        return sim_complain("%s: simavr knows no flash of it", mcu->loader->core);
    index = AVR_DATA_TO_IO(mcu->spm.registers->r_spm);
    mcu->spm.words = sim_allocate(mcu->spm.registers->spm_pagesize / 2U, sizeof mcu->spm.words[0]);
    mcu->spm.filled = sim_allocate(mcu->spm.registers->spm_pagesize / 2U, sizeof mcu->spm.filled[0]);
    mcu->spm.factor = 1;
    mcu->spm.bad_cell = MCU_NEVER;
    mcu->spm.registers->io.ioctl = on_spm;
    mcu->avr->io[index].w.c = write_control;
    mcu->avr->io[index].w.param = mcu;
    mcu->avr->io[index].r.c = read_control;
    mcu->avr->io[index].r.param = mcu;
    open_eeprom(mcu);
    return 0;
}

void spm_close(struct mcu *mcu)
{
    free(mcu->spm.words);
    free(mcu->spm.filled);
}
