/* SPDX-License-Identifier: Apache-2.0 */
/* What mcu.c, uart.c and spm.c know of each other. */
#ifndef SIM_AVR_MCU_INSIDE_H
#define SIM_AVR_MCU_INSIDE_H

#include "mcu.h"

#include <avr_eeprom.h>
#include <avr_flash.h>
#include <avr_uart.h>
#include <sim_avr.h>

struct arrival {
    uint64_t cycle;
    uint8_t byte;
    bool error;
};

/* Two bytes of buffer and one in the shift register, as in the datasheets. */
enum { RECEIVER_BYTES = 3 };

struct uart {
    avr_uart_t *registers;
    struct arrival *queue; /* what is on the wire */
    size_t queue_first, queue_end, queue_room;
    struct arrival held[RECEIVER_BYTES];
    size_t held_count;
    bool lost; /* DOR */
    uint64_t lost_count;
    uint64_t shift_end; /* the byte in the transmitter is out */
    bool next_waits;    /* another one stands behind it */
    bool complete;      /* TXC */
};

struct spm {
    avr_flash_t *registers;
    avr_eeprom_t *eeprom;
    avr_io_write_t eeprom_write; /* simavr's own */
    void *eeprom_parameter;
    uint64_t armed_at; /* SPMCSR was written: SPM must follow within four cycles */
    uint64_t busy_until, eeprom_busy_until;
    uint16_t *words; /* the page buffer */
    bool *filled;
    bool section_busy; /* RWWSB */
    unsigned factor;
    uint64_t bad_cell;
};

enum { PRETENCES_MAX = 8 };

/* What a flag and the registers were when the firmware last looked. */
struct glance {
    uint8_t value;
    avr_flashaddr_t pc;
    uint64_t cycle, period;
    uint8_t registers[32], flags[8];
};

struct mcu {
    avr_t *avr;
    const struct loader *loader;
    char *path; /* of the bootloader's file */
    const struct mcu_events *events;
    void *context;
    void (*core_reset)(avr_t *avr); /* simavr's own */
    bool hurried, hung, stopped, idle, watchdog;
    uint64_t must, may; /* of the run under way */
    uint64_t next;      /* the firmware waits for this cycle */
    struct glance glance;
    size_t pretended[PRETENCES_MAX], pretences; /* where the bootloader's signature is patched */
    struct uart uart;
    struct spm spm;
};

/* The firmware looks at flags, which stay as they are until event. A loop that does nothing else is left out.
 */
void mcu_glanced(struct mcu *mcu, uint8_t value, uint64_t event);
/* The firmware does something that no waiting loop does. */
void mcu_acted(struct mcu *mcu);
avr_io_t *mcu_module(struct mcu *mcu, const char *kind);

int uart_open(struct mcu *mcu);
void uart_close(struct mcu *mcu);
void uart_reset(struct mcu *mcu);
bool uart_done(const struct mcu *mcu);

int spm_open(struct mcu *mcu);
void spm_close(struct mcu *mcu);
void spm_reset(struct mcu *mcu);

#endif
