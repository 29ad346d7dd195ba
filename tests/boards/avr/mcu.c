/* SPDX-License-Identifier: Apache-2.0 */
/* See mcu.h. */
#include "mcu_inside.h"

#include "common.h"

#include <avr_watchdog.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Two glances further apart than this are no loop. */
enum { LOOP_CYCLES_MAX = 2000 };
/* The last turns of a loop that counts are not left out. */
enum { LAST_TURNS = 4 };
/* MCUSR, on an ATmega8 MCUCSR, is there on all of these chips. */
enum { MCUSR_ADDRESS = 0x54, MCUSR_EXTRF = 0x02 };
/* simavr looks at its timers at least that often. */
enum { STRETCH_CYCLES = 1000 };

avr_io_t *mcu_module(struct mcu *mcu, const char *kind)
{
    for (avr_io_t *io = mcu->avr->io_port; io; io = io->next)
        if (io->kind && !strcmp(io->kind, kind))
            return io;
    return NULL;
}

static uint64_t timer_cycle(const struct mcu *mcu)
{
    const avr_cycle_timer_slot_t *timer = mcu->avr->cycle_timers.timer;

    return timer ? timer->when : MCU_NEVER;
}

/* simavr looks at state and time again after this instruction. */
static void interrupt_run(struct mcu *mcu)
{
    mcu->avr->run_cycle_count = 0;
}

static uint32_t counter_at(const uint8_t *registers)
{
    return registers[0] | (uint32_t)registers[1] << 8 | (uint32_t)registers[2] << 16 |
           (uint32_t)registers[3] << 24;
}

/* Where is the one counter of four registers that went up or down by one, everything else being equal? Flags
 * follow from it. -1: there is none. */
static int find_counter(const struct mcu *mcu, bool *down)
{
    const uint8_t *now = mcu->avr->data, *then = mcu->glance.registers;
    uint32_t change;
    int first = 0, last = 31;

    while (first < 32 && now[first] == then[first])
        first++;
    while (last > first && now[last] == then[last])
        last--;
    if (first > 28 || last > first + 3)
        return -1;
    change = counter_at(now + first) - counter_at(then + first);
    *down = change == UINT32_MAX;
    return change == 1 || *down ? first : -1;
}

static uint64_t at_most(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* When the wait is over: for the event, for a timer of simavr, or at the end of the run. */
static uint64_t wait_until(struct mcu *mcu, uint64_t event)
{
    uint64_t end = at_most(event, timer_cycle(mcu));

    mcu->next = end;
    mcu->idle = event == MCU_NEVER && uart_done(mcu);
    return at_most(end, mcu->idle ? mcu->must : mcu->may);
}

/* A loop that counts up to the loader's patience, or down to zero: its turns are left out, and counted. */
static void skip_turns(struct mcu *mcu, int counter, bool down, uint64_t event)
{
    uint8_t *registers = mcu->avr->data + counter;
    uint32_t count = counter_at(registers), left = down ? count : mcu->loader->patience - count;
    uint64_t period = mcu->glance.period, turns = 0, end;

    if (left <= LAST_TURNS || left > mcu->loader->patience)
        return;
    end = wait_until(mcu, event);
    mcu->next = at_most(mcu->next, mcu->avr->cycle + (left - LAST_TURNS) * period);
    if (end > mcu->avr->cycle)
        turns = at_most(left - LAST_TURNS, (end - mcu->avr->cycle) / period);
    count += (uint32_t)(down ? -turns : turns);
    for (int i = 0; i < 4; i++)
        registers[i] = (uint8_t)(count >> 8 * i);
    mcu->avr->cycle += turns * period;
    interrupt_run(mcu);
}

static void remember(struct mcu *mcu, uint8_t value, uint64_t period)
{
    mcu->glance.value = value;
    mcu->glance.pc = mcu->avr->pc;
    mcu->glance.cycle = mcu->avr->cycle;
    mcu->glance.period = period;
    memcpy(mcu->glance.registers, mcu->avr->data, sizeof mcu->glance.registers);
    memcpy(mcu->glance.flags, mcu->avr->sreg, sizeof mcu->glance.flags);
}

void mcu_acted(struct mcu *mcu)
{
    mcu->glance.pc = UINT32_MAX;
}

void mcu_glanced(struct mcu *mcu, uint8_t value, uint64_t event)
{
    avr_t *avr = mcu->avr;
    uint64_t period = avr->cycle - mcu->glance.cycle, end;
    bool again =
        mcu->glance.pc == avr->pc && mcu->glance.value == value && period && period <= LOOP_CYCLES_MAX;
    bool down;
    int counter;

    mcu->idle = false;
    mcu->next = 0;
    if (again && !memcmp(mcu->glance.registers, avr->data, sizeof mcu->glance.registers)) {
        if (!memcmp(mcu->glance.flags, avr->sreg, sizeof mcu->glance.flags)) {
            end = wait_until(mcu, event);
            if (end > avr->cycle)
                avr->cycle = end;
            interrupt_run(mcu);
        }
    } else if (again && mcu->loader->patience && period == mcu->glance.period) {
        counter = find_counter(mcu, &down);
        if (counter >= 0)
            skip_turns(mcu, counter, down, event);
    }
    remember(mcu, value, period);
}

static void look_after(struct mcu *mcu)
{
    avr_t *avr = mcu->avr;

    if (avr->state == cpu_Crashed || avr->state == cpu_Done || avr->state == cpu_Stopped)
        mcu->stopped = true;
}

/* Time goes by for one that does nothing; the watchdog does not bark in it (simavr does not run then). */
static bool stands(const struct mcu *mcu)
{
    return mcu->hung || mcu->stopped;
}

void mcu_run(struct mcu *mcu, uint64_t must, uint64_t may)
{
    avr_t *avr = mcu->avr;

    mcu->must = must;
    mcu->may = may > must ? may : must;
    while (!stands(mcu) && (avr->cycle < must || (avr->cycle < mcu->may && !mcu->idle))) {
        avr->run_cycle_limit = at_most(mcu->may - avr->cycle, STRETCH_CYCLES);
        avr->run_cycle_count = avr->run_cycle_limit;
        (void)avr_run(avr);
        avr->pc &= avr->flashend;
        mcu->idle = mcu->idle && avr->cycle < mcu->next;
        look_after(mcu);
    }
    if (stands(mcu))
        mcu_skip(mcu, must);
}

void mcu_skip(struct mcu *mcu, uint64_t cycle)
{
    if (mcu->avr->cycle < cycle)
        mcu->avr->cycle = cycle;
}

uint64_t mcu_now(const struct mcu *mcu)
{
    return mcu->avr->cycle;
}

uint64_t mcu_next(const struct mcu *mcu)
{
    if (stands(mcu))
        return MCU_NEVER;
    return mcu->next > mcu->avr->cycle ? mcu->next : mcu->avr->cycle;
}

bool mcu_idle(const struct mcu *mcu)
{
    return stands(mcu) || mcu->idle;
}

void mcu_hang(struct mcu *mcu)
{
    mcu->hung = true;
    interrupt_run(mcu);
}

enum mcu_place mcu_place(const struct mcu *mcu)
{
    if (mcu->hung)
        return MCU_HUNG;
    if (mcu->stopped)
        return MCU_STOPPED;
    return mcu->avr->pc >= mcu->loader->boot_address ? MCU_BOOTLOADER : MCU_APPLICATION;
}

bool mcu_watchdog_reset(const struct mcu *mcu)
{
    return mcu->watchdog;
}

uint8_t *mcu_flash(struct mcu *mcu, size_t *size)
{
    *size = (size_t)mcu->avr->flashend + 1;
    return mcu->avr->flash;
}

uint8_t *mcu_eeprom(struct mcu *mcu, size_t *size)
{
    *size = mcu->spm.eeprom->size;
    return mcu->spm.eeprom->eeprom;
}

/* Called by avr_reset, whoever asks for it. */
static void on_reset(avr_t *avr)
{
    struct mcu *mcu = avr->custom.data;

    if (mcu->core_reset)
        mcu->core_reset(avr);
    uart_reset(mcu);
    spm_reset(mcu);
    memset(&mcu->glance, 0, sizeof mcu->glance);
    mcu->idle = mcu->stopped = false;
    mcu->next = 0;
    mcu->watchdog = true;
}

void mcu_reset(struct mcu *mcu)
{
    avr_watchdog_t *watchdog = (avr_watchdog_t *)mcu_module(mcu, "watchdog");

    if (watchdog)
        watchdog->reset_context.wdrf = 0;
    mcu->hung = false;
    mcu->avr->state = cpu_Running;
    mcu->avr->run = avr_callback_run_raw;
    avr_reset(mcu->avr);
    mcu->watchdog = false;
    /* simavr leaves this to others; optiboot starts the application unless it is set. */
    mcu->avr->data[MCUSR_ADDRESS] |= MCUSR_EXTRF;
}

/* LDI Rd, K is 1110 KKKK dddd KKKK. */
static bool loads(const uint8_t *code, uint8_t value)
{
    return (code[1] & 0xF0) == 0xE0 && (code[0] & 0x0F) == (value & 0x0F) && (code[1] & 0x0F) == value >> 4;
}

static bool loads_near(const uint8_t *flash, size_t from, size_t to, uint8_t value)
{
    for (size_t i = from; i < to; i += 2)
        if (loads(flash + i, value))
            return true;
    return false;
}

static void load(uint8_t *code, uint8_t value)
{
    code[0] = (uint8_t)((code[0] & 0xF0) | (value & 0x0F));
    code[1] = (uint8_t)(0xE0 | value >> 4);
}

static void stop_pretending(struct mcu *mcu)
{
    for (size_t i = 0; i < mcu->pretences; i++)
        load(mcu->avr->flash + mcu->pretended[i], mcu->loader->signature[2]);
    mcu->pretences = 0;
}

/* The signature stands in the loaders' code as three constants close to each other. */
int mcu_pretend(struct mcu *mcu, uint8_t third)
{
    enum { NEAR_BYTES = 48 };
    const struct loader *loader = mcu->loader;
    uint8_t *flash = mcu->avr->flash;
    size_t end = (size_t)mcu->avr->flashend + 1 - NEAR_BYTES;

    stop_pretending(mcu);
    if (third == loader->signature[2])
        return 0;
    for (size_t i = loader->boot_address + NEAR_BYTES; i < end && mcu->pretences < PRETENCES_MAX; i += 2)
        if (loads(flash + i, loader->signature[2]) &&
            loads_near(flash, i - NEAR_BYTES, i + NEAR_BYTES, loader->signature[1]) &&
            loads_near(flash, i - NEAR_BYTES, i + NEAR_BYTES, loader->signature[0]))
            mcu->pretended[mcu->pretences++] = i;
    for (size_t i = 0; i < mcu->pretences; i++)
        load(flash + mcu->pretended[i], third);
    return mcu->pretences ? 0 : -1;
}

int mcu_renew(struct mcu *mcu)
{
    size_t size;

    memset(mcu->spm.eeprom->eeprom, 0xFF, mcu->spm.eeprom->size);
    mcu->pretences = 0;
    memset(mcu_flash(mcu, &size), 0xFF, (size_t)mcu->avr->flashend + 1);
    return loader_read(mcu->path, mcu->avr->flash, size);
}

static void sleep_without_host(avr_t *avr, avr_cycle_count_t cycles)
{
    (void)avr;
    (void)cycles;
}

/* simavr trusts the firmware not to jump or read past the end of flash and RAM. An application may do so:
 * what 22 bits of a jump, EIND and RAMPZ can reach is mapped, and reads as zeros (NOP) until pc is brought
 * back. */
enum { REACH_BYTES = 34 << 20, RAM_BYTES = 1 << 17 };

static void *reserve(size_t bytes)
{
    void *memory =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

static int widen(avr_t *avr)
{
    free(avr->flash);
    free(avr->data);
    avr->flash = reserve(REACH_BYTES);
    avr->data = reserve(RAM_BYTES);
    return avr->flash && avr->data ? 0 : sim_complain("no memory for a chip");
}

static void close_core(avr_t *avr)
{
    if (avr->flash)
        (void)munmap(avr->flash, REACH_BYTES);
    if (avr->data)
        (void)munmap(avr->data, RAM_BYTES);
    avr->flash = avr->data = NULL;
    avr->custom.data = NULL;
    avr_terminate(avr);
    free(avr);
}

static int open_core(struct mcu *mcu)
{
    avr_t *avr = avr_make_mcu_by_name(mcu->loader->core);

    if (!avr)
        return sim_complain("simavr does not know '%s'", mcu->loader->core);
    mcu->avr = avr;
    if (avr_init(avr))
        return sim_complain("%s: simavr does not start", mcu->loader->core);
    if (widen(avr))
        return -1;
    avr->log = LOG_NONE;
    avr->frequency = mcu->loader->frequency_hz;
    avr->reset_pc = mcu->loader->boot_address;
    avr->codeend = avr->flashend;
    avr->sleep = sleep_without_host;
    avr->custom.data = mcu;
    return 0;
}

struct mcu *mcu_new(const struct loader *loader, const char *file, bool hurried,
                    const struct mcu_events *events, void *context)
{
    struct mcu *mcu = sim_allocate(1, sizeof *mcu);

    *mcu = (struct mcu){.loader = loader, .hurried = hurried, .events = events, .context = context};
    mcu->path = file ? sim_text("%s", file) : loader_path(loader);
    if (open_core(mcu) || uart_open(mcu) || spm_open(mcu) || mcu_renew(mcu)) {
        mcu_free(mcu);
        return NULL;
    }
    mcu->core_reset = mcu->avr->reset;
    mcu->avr->reset = on_reset;
    mcu_reset(mcu);
    return mcu;
}

void mcu_free(struct mcu *mcu)
{
    uart_close(mcu);
    spm_close(mcu);
    if (mcu->avr)
        close_core(mcu->avr);
    free(mcu->path);
    free(mcu);
}
