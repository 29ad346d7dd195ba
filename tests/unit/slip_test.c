/* SPDX-License-Identifier: Apache-2.0 */
/* SLIP: known frames, there and back in one stream, and what is dropped without harm to the next frame. */
#include "slip.h"

#include "test.h"

/* Feeds a stream; keeps the last frame and counts them. */
struct sink {
    uint8_t bytes[64], last[64];
    size_t last_size, frames;
};

static void feed(struct sink *sink, struct slip_decoder *decoder, const void *stream, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (slip_take(decoder, ((const uint8_t *)stream)[i])) {
            sink->frames++;
            sink->last_size = decoder->size;
            memcpy(sink->last, decoder->bytes, decoder->size);
        }
}

static struct sink sink_of(const void *stream, size_t size)
{
    struct sink sink = {.frames = 0};
    struct slip_decoder decoder = {.bytes = sink.bytes, .room = sizeof sink.bytes};

    feed(&sink, &decoder, stream, size);
    return sink;
}

#define TAKE(stream) sink_of((stream), sizeof(stream) - 1)

static bool is(const struct sink *sink, size_t frames, const void *bytes, size_t size)
{
    return sink->frames == frames && sink->last_size == size && memcmp(sink->last, bytes, size) == 0;
}

static void test_encode(void)
{
    static const uint8_t bytes[] = {0x01, 0xC0, 0x02, 0xDB, 0xDC, 0xDD};
    static const uint8_t wanted[] = {0xC0, 0x01, 0xDB, 0xDC, 0x02, 0xDB, 0xDD, 0xDC, 0xDD, 0xC0};
    uint8_t frame[SLIP_FRAME_MAX(sizeof bytes)];

    CHECK(slip_encode(bytes, sizeof bytes, frame) == sizeof wanted);
    CHECK(memcmp(frame, wanted, sizeof wanted) == 0);
    CHECK(slip_encode(bytes, 0, frame) == 2);
    memset(frame, 0, sizeof frame);
    CHECK(slip_encode((const uint8_t[]){0xC0, 0xDB}, 2, frame) == SLIP_FRAME_MAX(2));
}

static void test_there_and_back(void)
{
    struct sink sink = {.frames = 0};
    struct slip_decoder decoder = {.bytes = sink.bytes, .room = sizeof sink.bytes};

    for (unsigned seed = 0; seed < 300; seed++) {
        uint8_t bytes[48], frame[SLIP_FRAME_MAX(sizeof bytes)];
        size_t size = 1 + seed % sizeof bytes;

        for (size_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)(seed + i * (seed % 7 ? 0x1B : 0xC0));
        feed(&sink, &decoder, frame, slip_encode(bytes, size, frame));
        CHECK(is(&sink, seed + 1, bytes, size));
    }
}

static void test_noise(void)
{
    struct sink sink = TAKE("rst:0x1 boot:0x3\r\nwaiting\xC0\x01\x08\xC0");

    CHECK(is(&sink, 2, "\x01\x08", 2)); /* the noise is a frame of its own */
    sink = TAKE("\xC0"
                "noise\xC0\x01\x08\xC0");
    CHECK(is(&sink, 2, "\x01\x08", 2)); /* a delimiter in the noise costs nothing */
    sink = TAKE("\xC0\xC0\xC0\x05\xC0\xC0");
    CHECK(is(&sink, 1, "\x05", 1)); /* nothing between two delimiters is no frame */
    sink = TAKE("\xC0\x05\xC0\x06\xC0");
    CHECK(is(&sink, 2, "\x06", 1)); /* one delimiter may serve two frames */
}

static void test_dropped(void)
{
    uint8_t long_frame[70];
    struct sink sink = TAKE("\xC0\x01\xDB\x02\x03\xC0\x04\xC0");

    CHECK(is(&sink, 1, "\x04", 1)); /* 0xDB 0x02 means nothing */
    sink = TAKE("\xC0\x01\xDB\xC0\x04\xC0");
    CHECK(is(&sink, 1, "\x04", 1)); /* ended in the middle of an escape */
    memset(long_frame, 7, sizeof long_frame);
    long_frame[0] = long_frame[66] = long_frame[69] = 0xC0;
    sink = sink_of(long_frame, sizeof long_frame);
    CHECK(is(&sink, 1, "\x07\x07", 2)); /* 65 bytes where 64 have room */
    long_frame[65] = 0xC0;
    sink = sink_of(long_frame, 66);
    CHECK(sink.frames == 1 && sink.last_size == 64);
    sink = TAKE("\xC0\x01\x02");
    CHECK(sink.frames == 0);
}

static const struct test tests[] = {
    {"encode", test_encode},
    {"there and back", test_there_and_back},
    {"noise", test_noise},
    {"dropped", test_dropped},
};

TEST_MAIN(tests)
