/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol.h"

#include "protocols/protocols.h"

#include <string.h>

const struct protocol *const protocols[] = {
    &protocol_avr109,    &protocol_esp_rom,    &protocol_lpc_uart,
    &protocol_stk500v1,  &protocol_stk500v2,   &protocol_p89lpc9xx,
    &protocol_rs485_isp, &protocol_stm32_uart, NULL,
};

const struct protocol *protocol_find(const char *name)
{
    for (size_t i = 0; protocols[i]; i++)
        if (strcmp(protocols[i]->name, name) == 0)
            return protocols[i];
    return NULL;
}

int64_t session_deadline(const struct session *session, int64_t step_us)
{
    int64_t deadline_us = port_now_us(session->port) + step_us;

    return deadline_us < session->deadline_us ? deadline_us : session->deadline_us;
}
