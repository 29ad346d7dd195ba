/* SPDX-License-Identifier: Apache-2.0 */
/* What stations/protocols.c lists: one line for each file of this folder. */
#ifndef FLASHFARM_STATIONS_PROTOCOLS_H
#define FLASHFARM_STATIONS_PROTOCOLS_H

struct protocol;

extern const struct protocol protocol_stm32_uart; /* stm32_uart.c: ST AN3155 */

#endif
