/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the AVR rows as tab-separated text for avr_oracle.py: a head line with the columns' names, then one
 * line per chip. */
#include "chip.h"

#include <stdio.h>

static void print_row(const struct chip *chip)
{
    const struct chip_family *family = chip->family;

    (void)printf("%s\t%u\t%u\t%u\t%u\t%u\t%u\t%u\t%u\t%u\t%u\t%u\n", chip->name, family->id, chip->flash_size,
                 family->sectors[0].size, family->program_unit, family->transfer_max, family->program_max_us,
                 family->eeprom.size, family->avr->eeprom_page, family->avr->eeprom_us,
                 family->avr->device_code, family->avr->boot_max);
}

int main(void)
{
    (void)printf("name\tid\tflash\tpage\tprogram_unit\ttransfer_max\tprogram_max_us\teeprom\teeprom_page\t"
                 "eeprom_us\tdevice_code\tboot_max\n");
    for (size_t i = 0; i < chip_count(); i++)
        if (chip_at(i)->family->kind == CHIP_AVR)
            print_row(chip_at(i));
    return 0;
}
