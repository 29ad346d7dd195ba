/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzzer's entry without libFuzzer: every file of a corpus, then mutations of each, the same ones in
 * every run.
 *
 *     NAME MUTATIONS CORPUS
 *
 * The input that is being run is in the file NAME.input of the current folder, which goes away when all went
 * well: what a crash leaves there is the finding, and `NAME 0 FILE` runs it again. */
#include "fuzz.h"

#include <dirent.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define ROOM 65536u

struct input {
    uint8_t bytes[ROOM];
    size_t size;
};

/* Only some fuzzers have one. */
#pragma weak LLVMFuzzerCustomMutator

/* The signature of LLVMFuzzerMutate() has no place for a state, so the input itself is one. */
static uint32_t hash_of(const uint8_t *data, size_t size)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ data[i]) * 16777619u;
    return hash | 1;
}

static uint32_t next(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static size_t insert(uint8_t *data, size_t size, size_t room, size_t at, size_t count, uint32_t *random)
{
    if (count > room - size)
        return size;
    memmove(data + at + count, data + at, size - at);
    for (size_t i = 0; i < count; i++)
        data[at + i] = size ? data[next(random) % size] : (uint8_t)next(random);
    return size + count;
}

static size_t mutate_once(uint8_t *data, size_t size, size_t room, uint32_t *random)
{
    size_t at = size ? next(random) % size : 0, count = 1 + next(random) % 16;

    switch (size ? next(random) % 6 : 5) {
    case 0:
        data[at] ^= (uint8_t)(1u << next(random) % 8);
        return size;
    case 1:
        data[at] = (uint8_t)next(random);
        return size;
    case 2:
        data[at] = data[next(random) % size];
        return size;
    case 3: /* take out */
        count = count < size - at ? count : size - at;
        memmove(data + at, data + at + count, size - at - count);
        return size - count;
    case 4: /* double what follows */
        count = next(random) % (size - at) + 1;
        if (count > room - size)
            return size;
        memmove(data + at + count, data + at, size - at);
        return size + count;
    default:
        return insert(data, size, room, at, count, random);
    }
}

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room)
{
    uint32_t random = hash_of(data, size);

    for (uint32_t rounds = 1 + next(&random) % 3; rounds > 0; rounds--)
        size = mutate_once(data, size, room, &random);
    return size;
}

/* First one mutation that depends on the seed, since those of LLVMFuzzerMutate() depend on the input alone.
 */
static void mutate(struct input *input, uint32_t seed)
{
    uint32_t random = seed * 2654435769u | 1;

    (void)next(&random);
    input->size = mutate_once(input->bytes, input->size, ROOM, &random);
    input->size = LLVMFuzzerCustomMutator
                      ? LLVMFuzzerCustomMutator(input->bytes, input->size, ROOM, next(&random))
                      : LLVMFuzzerMutate(input->bytes, input->size, ROOM);
}

static void keep(const char *path, const struct input *input)
{
    FILE *file = fopen(path, "wb");

    if (!file || fwrite(input->bytes, 1, input->size, file) != input->size || fclose(file)) {
        perror(path);
        exit(2);
    }
}

static bool read_input(const char *path, struct input *input)
{
    FILE *file = fopen(path, "rb");

    if (!file)
        return false;
    input->size = fread(input->bytes, 1, sizeof input->bytes, file);
    (void)fclose(file);
    return true;
}

/* In memory of just its size, so that the address sanitizer sees a read past the end. */
static void run(const struct input *input, const char *kept)
{
    uint8_t *copy = malloc(input->size ? input->size : 1);

    keep(kept, input);
    memcpy(copy, input->bytes, input->size);
    (void)LLVMFuzzerTestOneInput(copy, input->size);
    free(copy);
}

/* From the start again now and then, or little would be left of it. */
static void run_mutations(const struct input *original, uint32_t mutations, const char *kept)
{
    struct input *input = malloc(sizeof *input);

    for (uint32_t i = 0; i < mutations; i++) {
        if (i % 8 == 0)
            *input = *original;
        mutate(input, i);
        run(input, kept);
    }
    free(input);
}

static unsigned run_file(const char *path, uint32_t mutations, const char *kept)
{
    struct input *input = calloc(1, sizeof *input);
    bool found = read_input(path, input);

    if (found) {
        run(input, kept);
        run_mutations(input, mutations, kept);
    }
    free(input);
    return found;
}

static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static unsigned run_folder(const char *folder, uint32_t mutations, const char *kept)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, not_hidden, alphasort);
    unsigned files = 0;

    if (count < 0)
        return run_file(folder, mutations, kept);
    for (int i = 0; i < count; i++) {
        char path[4096];

        (void)snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        files += run_file(path, mutations, kept);
        free(entries[i]);
    }
    free(entries);
    return files;
}

int main(int argc, char **argv)
{
    const char *slash = strrchr(argv[0], '/');
    char kept[256];
    unsigned files;

    if (argc != 3) {
        (void)fprintf(stderr, "usage: %s MUTATIONS CORPUS\n", argv[0]);
        return 2;
    }
    (void)snprintf(kept, sizeof kept, "%s.input", slash ? slash + 1 : argv[0]);
    files = run_folder(argv[2], (uint32_t)strtoul(argv[1], NULL, 10), kept);
    (void)unlink(kept);
    (void)printf("%u files, %s mutations of each\n", files, argv[1]);
    return files > 0 ? 0 : 2;
}
