/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of stations/chips/, one per file. Only those files and stations/chip.c include this. */
#ifndef FLASHFARM_STATIONS_CHIPS_CHIP_TABLES_H
#define FLASHFARM_STATIONS_CHIPS_CHIP_TABLES_H

#include "chip.h"

#define KIB 1024u

extern const struct chip_table atmega_chips;
extern const struct chip_table esp_chips;
extern const struct chip_table lpc_chips;
extern const struct chip_table p89lpc_chips;
extern const struct chip_table stm32c0_chips;
extern const struct chip_table stm32f0_chips;
extern const struct chip_table stm32f1_chips;
extern const struct chip_table stm32f2_chips;
extern const struct chip_table stm32f3_chips;
extern const struct chip_table stm32f4_chips;
extern const struct chip_table stm32f7_chips;
extern const struct chip_table stm32g0_chips;
extern const struct chip_table stm32g4_chips;
extern const struct chip_table stm32h7_chips;
extern const struct chip_table stm32l0_chips;
extern const struct chip_table stm32l1_chips;
extern const struct chip_table stm32l4_chips;
extern const struct chip_table stm32l5_chips;
extern const struct chip_table stm32wb_chips;
extern const struct chip_table stm32wl_chips;

#endif
