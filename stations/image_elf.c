/* SPDX-License-Identifier: Apache-2.0 */
/* ELF for 32-bit little-endian machines, after the "Tool Interface Standard (TIS) Executable and Linking
 * Format (ELF) Specification", version 1.2.
 *
 * What goes to the chip is what a loader would put there: the file bytes of each PT_LOAD segment, at its
 * physical address, where flash holds the initial values of data that live in RAM. Sections are not looked
 * at. Places in errors are offsets of the header field, or of the program header for a whole segment. */
#include "bytes.h"
#include "image_build.h"

#include <errno.h>
#include <inttypes.h>

#define ELF_HEADER_BYTES     52u
#define PROGRAM_HEADER_BYTES 32u

/* Offsets of header fields, and the values wanted there. */
#define AT_CLASS        4u
#define AT_DATA         5u
#define AT_TYPE         16u
#define AT_ENTRY        24u
#define AT_PHOFF        28u
#define AT_PHENTSIZE    42u
#define AT_PHNUM        44u
#define CLASS_64        2u
#define DATA_BIG        2u
#define TYPE_EXEC       2u
#define SEGMENT_LOAD    1u
#define PHNUM_ELSEWHERE 0xFFFFu /* the count is in a section header */

struct elf {
    struct image_build *build;
    const uint8_t *file;
    size_t size;
};

static int wrong(const struct elf *elf, size_t offset, uint32_t found, const char *what, struct error *error)
{
    (void)error_set(error, -EINVAL, "found %" PRIu32 ", expected %s", found, what);
    return image_build_blame(elf->build, offset, error);
}

static int check_ident(const struct elf *elf, struct error *error)
{
    const uint8_t *file = elf->file;

    if (elf->size < ELF_HEADER_BYTES)
        return error_set(error, -EINVAL,
                         "offset 0x%zx: found the end of the file, expected %u bytes of ELF header",
                         elf->size, ELF_HEADER_BYTES);
    if (file[AT_CLASS] == CLASS_64)
        return error_set(error, -EINVAL, "offset 0x%x: found a 64-bit ELF file, expected a 32-bit one",
                         AT_CLASS);
    if (file[AT_CLASS] != 1)
        return wrong(elf, AT_CLASS, file[AT_CLASS], "ELF class 1 (32-bit)", error);
    if (file[AT_DATA] == DATA_BIG)
        return error_set(error, -EINVAL,
                         "offset 0x%x: found a big-endian ELF file, expected a little-endian one", AT_DATA);
    if (file[AT_DATA] != 1)
        return wrong(elf, AT_DATA, file[AT_DATA], "ELF data encoding 1 (little-endian)", error);
    if (file[AT_DATA + 1] != 1)
        return wrong(elf, AT_DATA + 1, file[AT_DATA + 1], "ELF version 1", error);
    return 0;
}

/* An object file or a shared object is not at its addresses yet. */
static int check_header(const struct elf *elf, struct error *error)
{
    uint32_t type = get_le16(elf->file + AT_TYPE), offset = get_le32(elf->file + AT_PHOFF);
    uint32_t entry_size = get_le16(elf->file + AT_PHENTSIZE), count = get_le16(elf->file + AT_PHNUM);

    if (type != TYPE_EXEC)
        return wrong(elf, AT_TYPE, type, "ELF type 2 (executable)", error);
    if (count == 0)
        return wrong(elf, AT_PHNUM, count, "at least 1 program header", error);
    if (count == PHNUM_ELSEWHERE)
        return wrong(elf, AT_PHNUM, count, "at most 65534 program headers", error);
    if (entry_size != PROGRAM_HEADER_BYTES)
        return wrong(elf, AT_PHENTSIZE, entry_size, "32 bytes per program header", error);
    if (offset > elf->size || count > (elf->size - offset) / PROGRAM_HEADER_BYTES) {
        (void)error_set(error, -EINVAL,
                        "found %" PRIu32 " program headers from 0x%" PRIx32
                        ", expected them within the file of 0x%zx bytes",
                        count, offset, elf->size);
        return image_build_blame(elf->build, AT_PHOFF, error);
    }
    return 0;
}

static int take_segment(const struct elf *elf, size_t at, struct error *error)
{
    const uint8_t *header = elf->file + at;
    uint32_t offset = get_le32(header + 4), address = get_le32(header + 12);
    uint32_t file_size = get_le32(header + 16), memory_size = get_le32(header + 20);

    if (get_le32(header) != SEGMENT_LOAD || file_size == 0)
        return 0;
    if (file_size > memory_size)
        (void)error_set(error, -EINVAL,
                        "found 0x%" PRIx32 " bytes of segment in the file, expected at most the 0x%" PRIx32
                        " it has in memory",
                        file_size, memory_size);
    else if (offset > elf->size || file_size > elf->size - offset)
        (void)error_set(error, -EINVAL,
                        "found a segment of 0x%" PRIx32 " bytes from 0x%" PRIx32
                        ", expected it within the file of 0x%zx bytes",
                        file_size, offset, elf->size);
    else
        return image_build_add(elf->build, address, elf->file + offset, file_size, at, error);
    return image_build_blame(elf->build, at, error);
}

/* The specification's e_entry of 0 means that there is none. */
int image_read_elf(struct image_build *build, const uint8_t *file, size_t size, struct error *error)
{
    const struct elf elf = {.build = build, .file = file, .size = size};
    uint32_t entry, count;
    size_t at;

    if (check_ident(&elf, error) || check_header(&elf, error))
        return error->code;
    entry = get_le32(file + AT_ENTRY);
    at = get_le32(file + AT_PHOFF);
    count = get_le16(file + AT_PHNUM);
    for (uint32_t i = 0; i < count; i++, at += PROGRAM_HEADER_BYTES) {
        if (take_segment(&elf, at, error))
            return error->code;
    }
    return entry ? image_build_set_entry(build, entry, AT_ENTRY, error) : 0;
}
