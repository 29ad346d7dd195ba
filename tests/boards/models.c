/* SPDX-License-Identifier: Apache-2.0 */
/* Every model. A new one is a line here, one in model.h and its files in CMakeLists.txt. */
#include "model.h"

#include <string.h>

const struct model *const models[] = {
    &stm32_uart_model, &lpc_isp_model, &esp_rom_model, &avr109_model, &rs485_unit_model, &p89_isp_model, NULL,
};

const struct model *model_of_chip(const char *chip, size_t *index)
{
    const char *known;

    for (size_t i = 0; models[i]; i++)
        for (*index = 0; (known = models[i]->chip_name(*index)); (*index)++)
            if (!strcmp(known, chip))
                return models[i];
    return NULL;
}

void models_list_chips(FILE *file, const char *indent)
{
    const char *known;

    for (size_t i = 0; models[i]; i++)
        for (size_t k = 0; (known = models[i]->chip_name(k)); k++)
            (void)fprintf(file, "%s%s\n", indent, known);
}
