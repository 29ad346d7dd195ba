/* SPDX-License-Identifier: Apache-2.0 */
/* One AVR on simavr: third-party instruction core, third-party bootloader, and around them what simavr leaves
 * out or does too kindly: the UART (uart.c), self-programming and EEPROM (spm.c). Its time is its own clock,
 * counted in cycles; it knows nothing of ports, files and the host's clock. */
#ifndef SIM_AVR_MCU_H
#define SIM_AVR_MCU_H

#include "loader.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MCU_NEVER UINT64_MAX

struct mcu_events {
    /* A byte has left; its stop bit ends at cycle. */
    void (*sent)(void *context, uint8_t byte, uint64_t cycle);
    /* A page is about to be programmed and may be changed; returns how many of its bytes land. */
    size_t (*program)(void *context, uint32_t address, uint8_t *page, size_t size);
    /* A page was erased. */
    void (*erased)(void *context);
};

struct mcu;

/* file: another bootloader than the board's own, or NULL. With hurried, bytes and flash take no time: only
 * waiting does. NULL with a complaint. */
struct mcu *mcu_new(const struct loader *loader, const char *file, bool hurried,
                    const struct mcu_events *events, void *context);
void mcu_free(struct mcu *mcu);

/* The reset pin. Bytes that were under way are gone. */
void mcu_reset(struct mcu *mcu);

/* Runs up to the cycle must; from there on to may, unless the firmware only waits for something to come. */
void mcu_run(struct mcu *mcu, uint64_t must, uint64_t may);

uint64_t mcu_now(const struct mcu *mcu);

/* When something happens next if nothing comes from outside: now, later, or never. */
uint64_t mcu_next(const struct mcu *mcu);

/* Only waits, has heard all that came and said all it has to say. */
bool mcu_idle(const struct mcu *mcu);

/* Leaves out time in which, by agreement, nothing happened. */
void mcu_skip(struct mcu *mcu, uint64_t cycle);

/* A byte whose stop bit arrives at cycle; error: there was none where it was looked for. */
void mcu_hear(struct mcu *mcu, uint8_t byte, uint64_t cycle, bool error);
bool mcu_unread(const struct mcu *mcu);   /* bytes have come that the firmware has not taken */
uint32_t mcu_baud(const struct mcu *mcu); /* 0: the UART is off */
uint64_t mcu_overruns(const struct mcu *mcu);

/* Stops where it stands, until reset. */
void mcu_hang(struct mcu *mcu);

enum mcu_place { MCU_BOOTLOADER, MCU_APPLICATION, MCU_STOPPED, MCU_HUNG };
enum mcu_place mcu_place(const struct mcu *mcu);
bool mcu_watchdog_reset(const struct mcu *mcu); /* it was the watchdog that reset it last */

uint8_t *mcu_flash(struct mcu *mcu, size_t *size);
uint8_t *mcu_eeprom(struct mcu *mcu, size_t *size);

/* A cell that reads with bit 0 inverted after it was programmed; MCU_NEVER: none. */
void mcu_spoil(struct mcu *mcu, uint64_t address);
/* Flash and EEPROM take that many times as long. */
void mcu_slow(struct mcu *mcu, unsigned factor);
/* The bootloader tells this third byte of the signature. -1 when the place is not found in it. */
int mcu_pretend(struct mcu *mcu, uint8_t third);
/* Another one of the kind: erased, with the bootloader as delivered. */
int mcu_renew(struct mcu *mcu);

#endif
