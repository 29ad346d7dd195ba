/* SPDX-License-Identifier: Apache-2.0 */
/* Shows what the readers make of a file, for comparison with other tools: see image_oracle.py.
 *
 *     image_dump FILE [BASE|- [OUT]]
 *
 * BASE is where a raw binary starts, '-' or nothing for none. OUT gets the bytes of all ranges, one after the
 * other. Exits with 1 and the sentence when the file is refused, with 2 when something else is wrong. */
#include "image.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t *read_file(const char *path, size_t *size)
{
    uint8_t *bytes = malloc((size_t)IMAGE_MAX_BYTES + 1);
    FILE *file = fopen(path, "rb");

    if (!file || !bytes) {
        perror(path);
        exit(2);
    }
    *size = fread(bytes, 1, (size_t)IMAGE_MAX_BYTES + 1, file);
    (void)fclose(file);
    return bytes;
}

static void print_image(const struct image *image)
{
    (void)printf("format %s\n", image_format_word(image->format));
    if (image->has_entry)
        (void)printf("entry %08" PRIX32 "\n", image->entry);
    if (image->uf2_family)
        (void)printf("family %08" PRIX32 "\n", image->uf2_family);
    for (size_t i = 0; i < image->count; i++)
        (void)printf("range %08" PRIX32 " %" PRIu32 " %08" PRIX32 "\n", image->ranges[i].address,
                     image->ranges[i].size, image_range_crc32(&image->ranges[i]));
}

/* Through image_read(), so that it is compared too. */
static void write_ranges(const struct image *image, const char *path)
{
    FILE *file = fopen(path, "wb");

    for (size_t i = 0; file && i < image->count; i++) {
        const struct image_range *range = &image->ranges[i];
        uint8_t *bytes = malloc(range->size);

        if (image_read(image, range->address, bytes, range->size, 0xFF) != range->size)
            exit(2);
        (void)fwrite(bytes, 1, range->size, file);
        free(bytes);
    }
    if (!file || fclose(file)) {
        perror(path);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    struct image_options options = {.has_base = argc > 2 && strcmp(argv[2], "-") != 0};
    struct error error = ERROR_NONE;
    struct image image;
    uint8_t *file;
    size_t size;
    int result;

    if (argc < 2 || argc > 4) {
        (void)fprintf(stderr, "usage: image_dump FILE [BASE|- [OUT]]\n");
        return 2;
    }
    if (options.has_base)
        options.base = (uint32_t)strtoul(argv[2], NULL, 0);
    file = read_file(argv[1], &size);
    result = image_parse(&image, file, size, &options, &error);
    free(file);
    if (result) {
        (void)fprintf(stderr, "%s: %s\n", argv[1], error.text);
        return 1;
    }
    print_image(&image);
    if (argc > 3)
        write_ranges(&image, argv[3]);
    image_clear(&image);
    return 0;
}
