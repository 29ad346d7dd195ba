/* SPDX-License-Identifier: Apache-2.0 */
/* What a terminal server sends. However the stream is cut, it comes to the same data and the same commands;
 * and what is encoded is decoded again. The first byte of the input says how it is cut. */
#include "../fuzz/fuzz.h"

#include "alloc.h"
#include "telnet.h"

#include <string.h>

/* Commands and data are summed up apart: within one piece their order against each other is not told. */
struct heard {
    struct telnet telnet;
    uint64_t command_sum, data_sum;
    size_t data, commands;
};

static void add(uint64_t *sum, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        *sum = *sum * 1099511628211u + bytes[i] + 1;
}

static void on_negotiation(void *context, enum telnet_verb verb, uint8_t option)
{
    const uint8_t both[] = {(uint8_t)verb, option};
    struct heard *heard = context;

    FUZZ_CHECK(verb >= TELNET_WILL && verb <= TELNET_DONT);
    add(&heard->command_sum, both, sizeof both);
    heard->commands++;
}

/* As a port does it: data is dropped from one command to another. */
static void on_subnegotiation(void *context, uint8_t option, const uint8_t *body, size_t size)
{
    struct heard *heard = context;

    FUZZ_CHECK(size <= TELNET_BODY_MAX);
    add(&heard->command_sum, &option, 1);
    add(&heard->command_sum, body, size);
    heard->telnet.drop = size > 0 && body[0] == 12;
    heard->commands++;
}

static void decode(struct heard *heard, const uint8_t *bytes, size_t size, size_t piece)
{
    static const struct telnet_handler handler = {.negotiation = on_negotiation,
                                                  .subnegotiation = on_subnegotiation};

    for (size_t at = 0; at < size; at += piece) {
        size_t part = size - at < piece ? size - at : piece;
        uint8_t *copy = allocate(part, 1); /* of its own size, so that a sanitizer sees its end */
        size_t kept;

        memcpy(copy, bytes + at, part);
        kept = telnet_decode(&heard->telnet, copy, part, &handler, heard);
        FUZZ_CHECK(kept <= part);
        add(&heard->data_sum, copy, kept);
        heard->data += kept;
        free(copy);
    }
}

static void try_decoder(const uint8_t *bytes, size_t size, size_t piece)
{
    struct heard whole = {.data = 0}, cut = {.data = 0};

    if (size > 0)
        decode(&whole, bytes, size, size);
    decode(&cut, bytes, size, piece);
    FUZZ_CHECK(whole.command_sum == cut.command_sum && whole.commands == cut.commands);
    FUZZ_CHECK(whole.data_sum == cut.data_sum && whole.data == cut.data);
    FUZZ_CHECK(whole.telnet.state == cut.telnet.state);
}

static void try_encoder(const uint8_t *bytes, size_t size, size_t room)
{
    struct heard heard = {.data = 0}, direct = {.data = 0};
    uint8_t *encoded = allocate(room, 1);

    while (size > 0) {
        size_t used, written = telnet_encode(encoded, room, bytes, size, &used);

        FUZZ_CHECK(used > 0 && used <= size && written <= room && written >= used);
        heard.data = 0;
        decode(&heard, encoded, written, written);
        add(&direct.data_sum, bytes, used);
        FUZZ_CHECK(heard.data == used && heard.commands == 0 && heard.data_sum == direct.data_sum);
        bytes += used;
        size -= used;
    }
    free(encoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    try_decoder(data + 1, size - 1, 1u + data[0] % 7);
    try_encoder(data + 1, size - 1, 2u + data[0]);
    return 0;
}
