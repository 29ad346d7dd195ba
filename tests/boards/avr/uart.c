/* SPDX-License-Identifier: Apache-2.0 */
/* The USART in asynchronous mode, by the datasheets ("USART0", e.g. ATmega328P DS40002061 ch. 20): two bytes
 * of buffer and the shift register, framing error and overrun, UDRE and TXC in their time. It takes the place
 * of simavr's, which has 64 bytes of buffer, no errors, and takes the UCSRC of an ATmega8 for its UBRRH. Not
 * modelled: interrupts, parity, nine bits, the synchronous mode. */
#include "mcu_inside.h"

#include "common.h"

#include <stdlib.h>
#include <string.h>

enum status { STATUS_RXC = 0x80, STATUS_TXC = 0x40, STATUS_UDRE = 0x20, STATUS_FE = 0x10, STATUS_DOR = 0x08 };
enum { STATUS_WRITABLE = 0x03, STATUS_U2X = 0x02 };
enum { CONTROL_RXEN = 0x10, CONTROL_TXEN = 0x08, CONTROL_URSEL = 0x80 };
enum { FRAME_BITS = 10 };

static bool receives(const struct mcu *mcu)
{
    return (mcu->avr->data[mcu->uart.registers->r_ucsrb] & CONTROL_RXEN) != 0;
}

static bool sends(const struct mcu *mcu)
{
    return (mcu->avr->data[mcu->uart.registers->r_ucsrb] & CONTROL_TXEN) != 0;
}

static uint64_t bit_cycles(const struct mcu *mcu)
{
    const avr_uart_t *registers = mcu->uart.registers;
    const uint8_t *data = mcu->avr->data;
    uint64_t divisor = (uint64_t)(data[registers->ubrrl.reg] | (data[registers->ubrrh.reg] & 0x0F) << 8) + 1;

    return divisor * (data[registers->r_ucsra] & STATUS_U2X ? 8 : 16);
}

uint32_t mcu_baud(const struct mcu *mcu)
{
    return receives(mcu) ? (uint32_t)(mcu->avr->frequency / bit_cycles(mcu)) : 0;
}

bool mcu_unread(const struct mcu *mcu)
{
    return mcu->uart.queue_first < mcu->uart.queue_end || mcu->uart.held_count > 0;
}

uint64_t mcu_overruns(const struct mcu *mcu)
{
    return mcu->uart.lost_count;
}

void mcu_hear(struct mcu *mcu, uint8_t byte, uint64_t cycle, bool error)
{
    struct uart *uart = &mcu->uart;

    if (uart->queue_first == uart->queue_end)
        uart->queue_first = uart->queue_end = 0;
    if (uart->queue_end == uart->queue_room) {
        uart->queue_room = uart->queue_room ? 2 * uart->queue_room : 512;
        uart->queue = sim_reallocate(uart->queue, uart->queue_room * sizeof(struct arrival));
    }
    uart->queue[uart->queue_end++] = (struct arrival){.cycle = cycle, .byte = byte, .error = error};
    mcu->idle = false;
    mcu->next = 0;
}

/* The shift register holds the third byte until the fourth runs over it. */
static void take(struct uart *uart, const struct arrival *arrival)
{
    if (uart->held_count == RECEIVER_BYTES) {
        uart->held_count--;
        uart->lost = true;
        uart->lost_count++;
    }
    uart->held[uart->held_count++] = *arrival;
}

/* Takes from the wire what has arrived by now; in a hurry, what the firmware has room for. */
static void settle(struct mcu *mcu)
{
    struct uart *uart = &mcu->uart;

    while (uart->queue_first < uart->queue_end) {
        const struct arrival *arrival = &uart->queue[uart->queue_first];

        if (mcu->hurried ? uart->held_count > 0 : arrival->cycle > mcu->avr->cycle)
            break;
        if (receives(mcu))
            take(uart, arrival);
        uart->queue_first++;
    }
    if (uart->next_waits && mcu->avr->cycle >= uart->shift_end) {
        uart->next_waits = false;
        uart->shift_end += FRAME_BITS * bit_cycles(mcu);
    }
}

static uint64_t next_event(const struct mcu *mcu)
{
    const struct uart *uart = &mcu->uart;
    uint64_t event = MCU_NEVER;

    if (mcu->avr->cycle < uart->shift_end)
        event = uart->shift_end;
    if (uart->queue_first < uart->queue_end && !uart->held_count &&
        uart->queue[uart->queue_first].cycle < event)
        event = uart->queue[uart->queue_first].cycle;
    return event;
}

static uint8_t read_status(struct avr_t *avr, avr_io_addr_t address, void *parameter)
{
    struct mcu *mcu = parameter;
    struct uart *uart = &mcu->uart;
    uint8_t status = avr->data[address] & STATUS_WRITABLE;

    settle(mcu);
    if (uart->held_count)
        status |= STATUS_RXC;
    if (uart->held_count && uart->held[0].error)
        status |= STATUS_FE;
    if (uart->lost)
        status |= STATUS_DOR;
    if (!uart->next_waits)
        status |= STATUS_UDRE;
    if (uart->complete && !uart->next_waits && avr->cycle >= uart->shift_end)
        status |= STATUS_TXC;
    avr->data[address] = status;
    /* With a byte waiting, a loop can only be after the transmitter. */
    if (!uart->held_count || avr->cycle < uart->shift_end)
        mcu_glanced(mcu, status, next_event(mcu));
    return status;
}

static void write_status(struct avr_t *avr, avr_io_addr_t address, uint8_t value, void *parameter)
{
    struct mcu *mcu = parameter;

    mcu_acted(mcu);
    if (value & STATUS_TXC)
        mcu->uart.complete = false;
    avr->data[address] = value & STATUS_WRITABLE;
}

static uint8_t read_data(struct avr_t *avr, avr_io_addr_t address, void *parameter)
{
    struct mcu *mcu = parameter;
    struct uart *uart = &mcu->uart;
    uint8_t byte = 0;

    mcu_acted(mcu);
    settle(mcu);
    if (uart->held_count) {
        byte = uart->held[0].byte;
        uart->held_count--;
        memmove(&uart->held[0], &uart->held[1], uart->held_count * sizeof uart->held[0]);
        uart->lost = false;
    }
    avr->data[address] = byte;
    return byte;
}

static void write_data(struct avr_t *avr, avr_io_addr_t address, uint8_t value, void *parameter)
{
    struct mcu *mcu = parameter;
    struct uart *uart = &mcu->uart;
    /* An application has nothing else that would hold it back. */
    bool quick = mcu->hurried && mcu_place(mcu) == MCU_BOOTLOADER;
    uint64_t byte_cycles = quick ? 0 : FRAME_BITS * bit_cycles(mcu), end;

    (void)address;
    mcu_acted(mcu);
    settle(mcu);
    if (!sends(mcu) || uart->next_waits)
        return;
    if (avr->cycle < uart->shift_end) {
        uart->next_waits = true;
        end = uart->shift_end + byte_cycles;
    } else {
        uart->shift_end = avr->cycle + byte_cycles;
        end = uart->shift_end;
    }
    uart->complete = true;
    mcu->events->sent(mcu->context, value, end);
}

/* On an ATmega8 UCSRC and the upper half of UBRR share an address; URSEL says which is meant. */
static void write_shared(struct avr_t *avr, avr_io_addr_t address, uint8_t value, void *parameter)
{
    (void)parameter;
    if (!(value & CONTROL_URSEL))
        avr->data[address] = value;
}

bool uart_done(const struct mcu *mcu)
{
    return !mcu_unread(mcu) && !mcu->uart.next_waits && mcu->avr->cycle >= mcu->uart.shift_end;
}

void uart_reset(struct mcu *mcu)
{
    struct uart *uart = &mcu->uart;

    uart->queue_first = uart->queue_end = uart->held_count = 0;
    uart->lost = uart->next_waits = uart->complete = false;
    uart->shift_end = 0;
}

static void hook(struct mcu *mcu, avr_io_addr_t address, avr_io_read_t read, avr_io_write_t write)
{
    avr_io_addr_t index = AVR_DATA_TO_IO(address);

    mcu->avr->io[index].r.c = read;
    mcu->avr->io[index].r.param = mcu;
    mcu->avr->io[index].w.c = write;
    mcu->avr->io[index].w.param = mcu;
}

int uart_open(struct mcu *mcu)
{
    avr_uart_t *registers = (avr_uart_t *)mcu_module(mcu, "uart");

    while (registers && registers->name != '0')
        for (avr_io_t *io = registers->io.next; (registers = (avr_uart_t *)io); io = io->next)
            if (!strcmp(io->kind, "uart"))
                break;
    if (!registers)
        return sim_complain("%s: simavr knows no UART of it", mcu->loader->core);
    mcu->uart.registers = registers;
    hook(mcu, registers->r_ucsra, read_status, write_status);
    hook(mcu, registers->r_udr, read_data, write_data);
    hook(mcu, registers->r_ucsrb, NULL, NULL);
    hook(mcu, registers->ubrrl.reg, NULL, NULL);
    hook(mcu, registers->ubrrh.reg, NULL, registers->r_ucsrc == registers->ubrrh.reg ? write_shared : NULL);
    return 0;
}

void uart_close(struct mcu *mcu)
{
    free(mcu->uart.queue);
}
