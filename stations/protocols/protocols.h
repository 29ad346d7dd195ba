/* SPDX-License-Identifier: Apache-2.0 */
/* What stations/protocols.c lists: one line for each file of this folder. */
#ifndef FLASHFARM_STATIONS_PROTOCOLS_H
#define FLASHFARM_STATIONS_PROTOCOLS_H

struct protocol;

extern const struct protocol protocol_avr109;     /* avr109.c: Atmel AVR109, Caterina, Butterfly */
extern const struct protocol protocol_esp_rom;    /* esp_rom.c: Espressif serial protocol */
extern const struct protocol protocol_lpc_uart;   /* lpc_uart.c: NXP ISP */
extern const struct protocol protocol_stk500v1;   /* stk500v1.c: Atmel AVR061, optiboot, ATmegaBOOT */
extern const struct protocol protocol_stk500v2;   /* stk500v2.c: Atmel AVR068, Arduino Mega 2560 */
extern const struct protocol protocol_p89lpc9xx;  /* p89lpc9xx.c: NXP UM10109 */
extern const struct protocol protocol_rs485_isp;  /* rs485_isp.c: rs485_isp.md */
extern const struct protocol protocol_stm32_uart; /* stm32_uart.c: ST AN3155 */

#endif
