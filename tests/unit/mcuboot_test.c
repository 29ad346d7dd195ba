/* SPDX-License-Identifier: Apache-2.0 */
/* MCUboot images that mcuboot_make.py writes after MCUboot's own document: good ones, ones that must be
 * refused, and a good one with every single bit changed. */
#include "signature.h"

#include "sign_scene.h"

#include <errno.h>
#include <sodium.h>

#define BASE 0x08008000u

static struct trusted_keys keys;

static int check_bytes(uint8_t *bytes, size_t size, struct mcuboot_facts *facts, struct error *error)
{
    struct image_range range = {.address = BASE, .size = (uint32_t)size, .data = bytes};
    const struct image image = {.count = 1, .ranges = &range};

    *error = ERROR_NONE;
    return mcuboot_check(&image, BASE, &keys, facts, error);
}

static int check_file(const char *name, struct mcuboot_facts *facts, struct error *error)
{
    struct scene_file file;
    char path[64];

    (void)snprintf(path, sizeof path, "%s.bin", name);
    scene_read(path, &file);
    return check_bytes(file.bytes, file.size, facts, error);
}

static void test_good(void)
{
    struct mcuboot_facts facts;
    struct error error;

    CHECK(check_file("good", &facts, &error) == 0);
    CHECK_TEXT(error.text, "");
    CHECK_TEXT(facts.version, "1.2.3+4");
    CHECK_TEXT(facts.key_name, "board");
    CHECK(facts.has_counter && facts.counter == 7);
    CHECK(check_file("plain", &facts, &error) == 0 && !facts.has_counter);
    CHECK(check_file("full-key", &facts, &error) == 0 && facts.counter == 7);
}

static void test_refused(void)
{
    static const struct {
        const char *name;
        int status;
        const char *says;
    } rows[] = {
        {"unsigned", -EKEYREJECTED, "not signed"},
        {"other-key", -EKEYREJECTED, "not among the trusted keys"},
        {"rsa", -EKEYREJECTED, "RSA-2048"},
        {"ecdsa", -EKEYREJECTED, "ECDSA P-256"},
        {"no-hash", -EKEYREJECTED, "no SHA-256"},
        {"sha512", -EKEYREJECTED, "not SHA-256"},
        {"loose-counter", -EKEYREJECTED, "outside the protected area"},
        {"two-counters", -EINVAL, "one security counter"},
        {"slack", -EINVAL, "protected area has 12 bytes, its header says 20"},
        {"loose-signature", -EKEYREJECTED, "not among the trusted keys"},
        {"two-hashes", -EINVAL, "two SHA-256"},
        {"encrypted", -EINVAL, "encrypted"},
        {"compressed", -EINVAL, "compressed"},
        {"both-keys", -EKEYREJECTED, "not among the trusted keys"},
    };
    struct mcuboot_facts facts;
    struct error error;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (!CHECK(check_file(rows[i].name, &facts, &error) == rows[i].status &&
                   strstr(error.text, rows[i].says)))
            (void)fprintf(stderr, "  %s: %d %s\n", rows[i].name, error.code, error.text);
}

/* Every bit counts: header, application, protected area, hash, key hash, signature and what is between. */
static void test_flips(void)
{
    struct mcuboot_facts facts;
    struct scene_file file;
    struct error error;

    scene_read("good.bin", &file);
    for (size_t at = 0; at < 8 * file.size; at++) {
        int status;

        file.bytes[at / 8] ^= (uint8_t)(1 << at % 8);
        status = check_bytes(file.bytes, file.size, &facts, &error);
        if (!CHECK((status == -EINVAL || status == -EKEYREJECTED) && error.text[0]))
            (void)fprintf(stderr, "  bit %zu: %d\n", at, status);
        file.bytes[at / 8] ^= (uint8_t)(1 << at % 8);
    }
    CHECK(check_bytes(file.bytes, file.size, &facts, &error) == 0);
}

static void test_cut(void)
{
    struct mcuboot_facts facts;
    struct scene_file file;
    struct error error;

    scene_read("good.bin", &file);
    for (size_t size = 1; size < file.size; size++)
        CHECK(check_bytes(file.bytes, size, &facts, &error) == -EINVAL);
    /* what follows is the slot's, not the image's */
    file.bytes[file.size] = 0xFF;
    CHECK(check_bytes(file.bytes, file.size + 1, &facts, &error) == 0);
}

/* The image in two ranges with a byte missing between them is not all there; at another address it is not. */
static void test_gap(void)
{
    struct mcuboot_facts facts;
    struct scene_file file;
    struct error error = ERROR_NONE;
    struct image_range ranges[2];
    struct image image = {.count = 2, .ranges = ranges};

    scene_read("good.bin", &file);
    ranges[0] = (struct image_range){.address = BASE, .size = 100, .data = file.bytes};
    ranges[1] = (struct image_range){
        .address = BASE + 101, .size = (uint32_t)(file.size - 101), .data = file.bytes + 101};
    CHECK(mcuboot_check(&image, BASE, &keys, &facts, &error) == -EINVAL);
    error = ERROR_NONE;
    CHECK(mcuboot_check(&image, BASE - 4, &keys, &facts, &error) == -EINVAL);
    error = ERROR_NONE;
    CHECK(mcuboot_check(&image, 0xFFFFFFF8u, &keys, &facts, &error) == -EINVAL);
}

/* A key with an id signs files: 32 bytes of a hash could be one. */
static void test_minisign_key(void)
{
    struct mcuboot_facts facts;
    struct error error;

    (void)strcpy(keys.keys[0].id, "0123456789ABCDEF");
    CHECK(check_file("good", &facts, &error) == -EKEYREJECTED);
    keys.keys[0].id[0] = '\0';
}

static const struct test tests[] = {
    {"good images", test_good}, {"what is refused", test_refused}, {"every bit", test_flips},
    {"cut anywhere", test_cut}, {"not all there", test_gap},       {"a key for files", test_minisign_key},
};

int main(void)
{
    char directory[] = "/tmp/flashfarm-mcuboot-XXXXXX";
    struct error error = ERROR_NONE;
    int result;

    if (sodium_init() < 0)
        return 1;
    scene_begin(directory);
    CHECK(scene_run((const char *const[]){FLASHFARM_PYTHON, FLASHFARM_MCUBOOT_MAKE, directory, NULL}));
    CHECK(trusted_keys_read(&keys, "keys", &error) == 0 && keys.count == 1);
    if (keys.count == 1)
        result = test_main(tests, sizeof tests / sizeof tests[0]);
    else
        result = 1;
    trusted_keys_clear(&keys);
    scene_end(directory);
    return result || test_failures;
}
