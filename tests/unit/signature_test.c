/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures that the minisign program made a moment ago, with keys that it made: all good ones are taken,
 * and not one of them with a bit changed anywhere that counts. Keys in PEM come from a row of RFC 8410. */
#include "signature.h"

#include "sign_scene.h"

#include <errno.h>
#include <sodium.h>
#include <sys/stat.h>

static struct trusted_keys keys;

static int check(const struct scene_file *signature, const struct scene_file *file,
                 struct signature_facts *facts, struct error *error)
{
    *error = ERROR_NONE;
    return signature_check((const char *)signature->bytes, signature->size, file->bytes, file->size, &keys,
                           facts, error);
}

/* minisign makes the key "release" in keys/ and "stranger" beside it, a file, and signatures of it. */
static void make_scene(void)
{
    static const char *const commands[][12] = {
        {"minisign", "-G", "-W", "-f", "-p", "keys/release.pub", "-s", "release.key", NULL},
        {"minisign", "-G", "-W", "-f", "-p", "stranger.pub", "-s", "stranger.key", NULL},
        {"minisign", "-S", "-s", "release.key", "-m", "file", "-x", "hashed.minisig", "-t", "lot 7 / Größe",
         NULL},
        {"minisign", "-S", "-l", "-s", "release.key", "-m", "file", "-x", "legacy.minisig", NULL},
        {"minisign", "-S", "-s", "stranger.key", "-m", "file", "-x", "stranger.minisig", NULL},
    };
    uint8_t bytes[300];

    CHECK(mkdir("keys", 0700) == 0);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 37 >> 2);
    scene_write("file", bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        CHECK(scene_run(commands[i]));
}

static void test_good(void)
{
    static const char *const names[] = {"hashed.minisig", "legacy.minisig"};
    struct scene_file file, signature, key;
    struct signature_facts facts;
    struct error error;

    scene_read("file", &file);
    for (size_t i = 0; i < 2; i++) {
        scene_read(names[i], &signature);
        CHECK(check(&signature, &file, &facts, &error) == 0);
        CHECK_TEXT(error.text, "");
        CHECK_TEXT(facts.key_name, "release");
        CHECK(strlen(facts.key_id) == 16);
        if (i == 0)
            CHECK_TEXT(facts.comment, "lot 7 / Größe");
        else
            CHECK(strncmp(facts.comment, "timestamp:", 10) == 0);
    }
    /* minisign's own words for the id, which may lack zeros in front */
    scene_read("keys/release.pub", &key);
    key.bytes[key.size] = '\0';
    facts.key_id[16] = '\0';
    CHECK(strstr((const char *)key.bytes, facts.key_id + strspn(facts.key_id, "0")) != NULL);
}

/* Where the untrusted comment ends: it is not signed, and says so. */
static size_t first_line(const struct scene_file *signature)
{
    const uint8_t *end = memchr(signature->bytes, '\n', signature->size);

    return end ? (size_t)(end - signature->bytes) + 1 : 0;
}

static void check_flips(const char *name)
{
    struct scene_file file, signature;
    struct signature_facts facts;
    struct error error;

    scene_read("file", &file);
    scene_read(name, &signature);
    for (size_t at = 0; at < 8 * file.size; at++) {
        file.bytes[at / 8] ^= (uint8_t)(1 << at % 8);
        if (!CHECK(check(&signature, &file, &facts, &error) == -EKEYREJECTED && facts.comment[0] == '\0'))
            (void)fprintf(stderr, "  bit %zu of the file\n", at);
        file.bytes[at / 8] ^= (uint8_t)(1 << at % 8);
    }
    for (size_t at = 8 * first_line(&signature); at < 8 * signature.size; at++) {
        int status;

        signature.bytes[at / 8] ^= (uint8_t)(1 << at % 8);
        status = check(&signature, &file, &facts, &error);
        if (!CHECK((status == -EKEYREJECTED || status == -EINVAL) && error.text[0] &&
                   facts.comment[0] == '\0'))
            (void)fprintf(stderr, "  bit %zu of %s: %d\n", at, name, status);
        signature.bytes[at / 8] ^= (uint8_t)(1 << at % 8);
    }
    CHECK(check(&signature, &file, &facts, &error) == 0);
}

static void test_flips(void)
{
    check_flips("hashed.minisig");
    check_flips("legacy.minisig");
}

static void test_cut(void)
{
    struct scene_file file, signature;
    struct signature_facts facts;
    struct error error;
    size_t whole;

    scene_read("file", &file);
    scene_read("hashed.minisig", &signature);
    whole = signature.size;
    for (signature.size = 0; signature.size + 1 < whole; signature.size++) /* the last is the line's end */
        CHECK(check(&signature, &file, &facts, &error) < 0);
    signature.size = whole;
    signature.bytes[signature.size++] = 'x';
    CHECK(check(&signature, &file, &facts, &error) == -EINVAL);
    signature.size = whole;
    file.size--;
    CHECK(check(&signature, &file, &facts, &error) == -EKEYREJECTED);
}

/* The lines of two signatures must not be mixed: each is by the same key, over the same file. */
static void test_mixed(void)
{
    struct scene_file file, hashed, legacy, mixed = {.size = 0};
    struct signature_facts facts;
    struct error error;
    const uint8_t *middle, *other;

    scene_read("file", &file);
    scene_read("hashed.minisig", &hashed);
    scene_read("legacy.minisig", &legacy);
    hashed.bytes[hashed.size] = legacy.bytes[legacy.size] = '\0';
    middle = (const uint8_t *)strstr((const char *)hashed.bytes, "\ntrusted") + 1;
    other = (const uint8_t *)strstr((const char *)legacy.bytes, "\ntrusted") + 1;
    mixed.size = (size_t)(middle - hashed.bytes);
    memcpy(mixed.bytes, hashed.bytes, mixed.size);
    memcpy(mixed.bytes + mixed.size, other, legacy.size - (size_t)(other - legacy.bytes));
    mixed.size += legacy.size - (size_t)(other - legacy.bytes);
    CHECK(check(&mixed, &file, &facts, &error) == -EKEYREJECTED);
    CHECK(strstr(error.text, "trusted comment") != NULL);
}

/* Gives a signature the id of the key that is trusted. */
static void forge_id(struct scene_file *signature)
{
    char *row = (char *)signature->bytes + first_line(signature);
    uint8_t bytes[74];
    char text[101];

    CHECK(sodium_base642bin(bytes, sizeof bytes, row, 100, NULL, NULL, NULL,
                            sodium_base64_VARIANT_ORIGINAL) == 0);
    for (unsigned i = 0; i < 8; i++) /* which is shown with its highest byte first */
        CHECK(sscanf(keys.keys[0].id + 2 * i, "%2hhX", &bytes[9 - i]) == 1);
    (void)sodium_bin2base64(text, sizeof text, bytes, sizeof bytes, sodium_base64_VARIANT_ORIGINAL);
    memcpy(row, text, 100);
}

static void test_stranger(void)
{
    struct scene_file file, signature;
    struct signature_facts facts;
    struct error error;

    scene_read("file", &file);
    scene_read("stranger.minisig", &signature);
    CHECK(check(&signature, &file, &facts, &error) == -EKEYREJECTED);
    CHECK(strstr(error.text, "not among the trusted keys") != NULL);
    forge_id(&signature);
    CHECK(check(&signature, &file, &facts, &error) == -EKEYREJECTED);
    CHECK(strstr(error.text, "is not of this file") != NULL);
}

static int read_keys(const char *directory, struct trusted_keys *read, struct error *error)
{
    *error = ERROR_NONE;
    return trusted_keys_read(read, directory, error);
}

#define PEM_ROW "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="

static void test_pem(void)
{
    static const char text[] = "-----BEGIN PUBLIC KEY-----\n" PEM_ROW "\n-----END PUBLIC KEY-----\n";
    struct trusted_keys read;
    struct error error;

    CHECK(mkdir("pem", 0700) == 0);
    scene_write("pem/boot.pub", text, strlen(text));
    scene_write("pem/notes.txt", "nothing", 7);
    CHECK(read_keys("pem", &read, &error) == 0 && read.count == 1);
    CHECK_TEXT(read.keys[0].name, "boot");
    CHECK_TEXT(read.keys[0].id, "");
    CHECK(read.keys[0].public_key[0] == 0x19 && read.keys[0].public_key[31] == 0xE1);
    trusted_keys_clear(&read);
}

static void check_refused_key(const void *text, size_t size, const char *what)
{
    struct trusted_keys read;
    struct error error;

    scene_write("bad/odd.pub", text, size);
    CHECK(read_keys("bad", &read, &error) == -EINVAL && read.count == 0);
    if (!CHECK(strstr(error.text, what) != NULL))
        (void)fprintf(stderr, "  %s\n", error.text);
}

static void test_bad_keys(void)
{
    static const char rsa[] =
        "-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAKj34GkxFhD90vcNLYLI\n"
        "-----END PUBLIC KEY-----\n";
    struct trusted_keys read;
    struct scene_file key;
    struct error error;
    char large[2500];

    CHECK(mkdir("bad", 0700) == 0);
    CHECK(read_keys("bad", &read, &error) == 0 && read.count == 0);
    CHECK(read_keys("nowhere", &read, &error) == -ENOENT && strstr(error.text, "nowhere") != NULL);
    check_refused_key(rsa, strlen(rsa), "odd.pub: expected a minisign public key");
    check_refused_key("", 0, "odd.pub: expected");
    memset(large, 'A', sizeof large);
    check_refused_key(large, sizeof large, "at most 2048 bytes");
    scene_read("keys/release.pub", &key);
    check_refused_key(key.bytes, key.size - 5, "odd.pub: expected");
    scene_write("bad/odd.pub", key.bytes, key.size);
    scene_write("bad/second.pub", key.bytes, key.size);
    CHECK(read_keys("bad", &read, &error) == -EINVAL && strstr(error.text, "same id") != NULL);
}

static const struct test tests[] = {
    {"good signatures, both kinds", test_good},   {"every bit of file, signature and comment", test_flips},
    {"cut, and with more behind", test_cut},      {"halves of two signatures", test_mixed},
    {"a key that is not trusted", test_stranger}, {"keys in PEM", test_pem},
    {"keys that are none", test_bad_keys},
};

int main(void)
{
    char directory[] = "/tmp/flashfarm-signature-XXXXXX";
    struct error error = ERROR_NONE;
    int result;

    if (sodium_init() < 0)
        return 1;
    scene_begin(directory);
    make_scene();
    CHECK(trusted_keys_read(&keys, "keys", &error) == 0 && keys.count == 1);
    result = test_main(tests, sizeof tests / sizeof tests[0]);
    trusted_keys_clear(&keys);
    scene_end(directory);
    return result || test_failures;
}
