/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes, with a base (which the first four bytes give) and without: what is found without one must be
 * found with one too. */
#include "fuzz.h"
#include "image_fuzz.h"

#include <string.h>

static int parse(const uint8_t *data, size_t size, bool has_base, uint32_t base, enum image_format *format)
{
    const struct image_options options = {.has_base = has_base, .base = base};
    struct error error = ERROR_NONE;
    struct image image;
    int result = image_parse(&image, data, size, &options, &error);

    fuzz_image(data, size, &options);
    *format = image.format;
    image_clear(&image);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum image_format without, with;
    uint32_t base = 0;
    bool good, good_with;

    if (size < 4)
        return 0;
    memcpy(&base, data, 4);
    good = parse(data + 4, size - 4, false, 0, &without) == 0;
    good_with = parse(data + 4, size - 4, true, base, &with) == 0;
    FUZZ_CHECK(!good || (good_with && with == without));
    return 0;
}
