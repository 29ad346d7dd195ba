/* SPDX-License-Identifier: Apache-2.0 */
/* Images as MCUboot starts them, after its document "Boot Loader" (docs/design.md), section "Image Format":
 * a header, the application, a protected area of TLVs that the hash covers, and one that it does not cover,
 * with the hash, the hash of the public key and the signature over the hash. Little-endian throughout. */
#include "signature.h"

#include "alloc.h"
#include "bytes.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC           0x96F3B83Du
#define HEADER_SIZE     32u
#define AREA_MAGIC      0x6907u
#define PROTECTED_MAGIC 0x6908u
#define AREA_HEAD       4u /* magic and size of a TLV area; type and size of a TLV */

/* Images whose bytes in the file are not those that the hash is made of. */
#define FLAGS_ENCRYPTED  0x0000000Cu
#define FLAGS_COMPRESSED 0x00000E00u

enum tlv {
    TLV_KEY_HASH = 0x01,
    TLV_PUBLIC_KEY = 0x02,
    TLV_SHA256 = 0x10,
    TLV_SHA384 = 0x11,
    TLV_SHA512 = 0x12,
    TLV_ED25519 = 0x24,
    TLV_COUNTER = 0x50
};

/* What is found while the areas are read. */
struct reading {
    uint8_t *bytes; /* of the whole image, from its header to the end of its TLVs */
    size_t size;
    uint32_t hashed; /* bytes from the start that the hash covers */
    uint8_t hash[crypto_hash_sha256_BYTES];
    const struct trusted_keys *keys;
    const struct trusted_key *key; /* of the key hash that was read last */
    bool has_hash, has_signature;
    struct mcuboot_facts *facts;
};

static const char *foreign_signature(unsigned type)
{
    switch (type) {
    case 0x20:
        return "RSA-2048";
    case 0x21:
        return "ECDSA P-224";
    case 0x22:
        return "ECDSA P-256";
    case 0x23:
        return "RSA-3072";
    case 0x25:
        return "ECDSA, or over the image instead of its hash";
    default:
        return NULL;
    }
}

/* The key as MCUboot hashes it: SubjectPublicKeyInfo in DER (RFC 8410). */
static void encode_key(const struct trusted_key *key, uint8_t der[44])
{
    static const uint8_t head[] = {0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00};

    memcpy(der, head, sizeof head);
    memcpy(der + sizeof head, key->public_key, sizeof key->public_key);
}

/* Keys of minisign are left out: what they sign is a file, and 32 bytes are a file too. */
static const struct trusted_key *find_key(const struct trusted_keys *keys, unsigned type,
                                          const uint8_t *value, size_t size)
{
    uint8_t der[44], hash[crypto_hash_sha256_BYTES];

    for (size_t i = 0; i < keys->count; i++) {
        encode_key(&keys->keys[i], der);
        (void)crypto_hash_sha256(hash, der, sizeof der);
        if (keys->keys[i].id[0])
            continue;
        if (type == TLV_KEY_HASH ? size == sizeof hash && memcmp(value, hash, size) == 0
                                 : size == sizeof der && memcmp(value, der, size) == 0)
            return &keys->keys[i];
    }
    return NULL;
}

static int take_hash(struct reading *reading, const uint8_t *value, size_t size, struct error *error)
{
    if (reading->has_hash)
        return error_set(error, -EINVAL, "MCUboot image: it has two SHA-256 TLVs");
    if (size != sizeof reading->hash)
        return error_set(error, -EINVAL, "MCUboot image: its SHA-256 TLV has %zu bytes, not 32", size);
    if (memcmp(value, reading->hash, size) != 0)
        return error_set(error, -EKEYREJECTED, "MCUboot image: its bytes are not those of its SHA-256 TLV");
    reading->has_hash = true;
    return 0;
}

static int take_signature(struct reading *reading, const uint8_t *value, size_t size, struct error *error)
{
    const struct trusted_key *key = reading->key;

    reading->key = NULL;
    if (size != crypto_sign_BYTES)
        return error_set(error, -EINVAL, "MCUboot image: its Ed25519 signature has %zu bytes, not %u", size,
                         crypto_sign_BYTES);
    if (!key)
        return error_set(error, -EKEYREJECTED,
                         "MCUboot image: it is signed by a key that is not among the trusted keys (PEM files "
                         "of the directory of trusted keys)");
    if (crypto_sign_verify_detached(value, reading->hash, sizeof reading->hash, key->public_key) != 0)
        return error_set(error, -EKEYREJECTED, "MCUboot image: its signature by key %s is wrong", key->name);
    reading->has_signature = true;
    memcpy(reading->facts->key_name, key->name, sizeof key->name);
    return 0;
}

/* A counter that the hash does not cover could be anybody's. */
static int take_counter(struct reading *reading, const uint8_t *value, size_t size, bool protected_area,
                        struct error *error)
{
    if (!protected_area)
        return error_set(error, -EKEYREJECTED,
                         "MCUboot image: its security counter is outside the protected area");
    if (size != 4 || reading->facts->has_counter)
        return error_set(error, -EINVAL, "MCUboot image: expected one security counter of 4 bytes");
    reading->facts->has_counter = true;
    reading->facts->counter = get_le32(value);
    return 0;
}

static int take_tlv(struct reading *reading, unsigned type, const uint8_t *value, size_t size,
                    bool protected_area, struct error *error)
{
    if (foreign_signature(type))
        return error_set(error, -EKEYREJECTED,
                         "MCUboot image: it is signed with %s (TLV 0x%02x); only Ed25519 over SHA-256 is "
                         "checked here",
                         foreign_signature(type), type);
    if (type == TLV_SHA384 || type == TLV_SHA512)
        return error_set(error, -EKEYREJECTED, "MCUboot image: its hash (TLV 0x%02x) is not SHA-256", type);
    if (type == TLV_COUNTER)
        return take_counter(reading, value, size, protected_area, error);
    if (protected_area)
        return 0;
    if (type == TLV_SHA256)
        return take_hash(reading, value, size, error);
    if (type == TLV_KEY_HASH || type == TLV_PUBLIC_KEY)
        reading->key = find_key(reading->keys, type, value, size);
    return type == TLV_ED25519 ? take_signature(reading, value, size, error) : 0;
}

/* Every TLV of one area, which begins at `at` and has been found to be complete. */
static int read_area(struct reading *reading, size_t at, size_t size, bool protected_area,
                     struct error *error)
{
    size_t end = at + size;

    for (at += AREA_HEAD; at < end;) {
        unsigned type;
        size_t length;

        if (end - at < AREA_HEAD)
            return error_set(error, -EINVAL, "MCUboot image: %zu bytes are left over after its TLVs",
                             end - at);
        type = get_le16(reading->bytes + at);
        length = get_le16(reading->bytes + at + 2);
        at += AREA_HEAD;
        if (length > end - at)
            return error_set(error, -EINVAL, "MCUboot image: TLV 0x%02x reaches beyond its area", type);
        if (take_tlv(reading, type, reading->bytes + at, length, protected_area, error) < 0)
            return error->code;
        at += length;
    }
    return 0;
}

/* What the header says of sizes, and what of the image is there. */
struct layout {
    uint32_t body;           /* header and application */
    uint32_t protected_size; /* of the protected area; 0: there is none */
    uint32_t unprotected_size;
};

static int get_bytes(const struct image *image, uint64_t address, void *bytes, size_t size,
                     struct error *error)
{
    if (address + size > UINT64_C(1) << 32 || image_read(image, (uint32_t)address, bytes, size, 0) != size)
        return error_set(error, -EINVAL, "MCUboot image: %zu bytes at 0x%08llx are not all in the image",
                         size, (unsigned long long)address);
    return 0;
}

static int get_area_size(const struct image *image, uint64_t address, unsigned magic, uint32_t *size,
                         struct error *error)
{
    uint8_t head[AREA_HEAD];

    if (get_bytes(image, address, head, sizeof head, error) < 0)
        return error->code;
    if (get_le16(head) != magic)
        return error_set(error, -EINVAL,
                         "MCUboot image: 0x%04x at 0x%08llx, where a TLV area begins with 0x%04x",
                         get_le16(head), (unsigned long long)address, magic);
    *size = get_le16(head + 2);
    return *size >= AREA_HEAD ? 0 : error_set(error, -EINVAL, "MCUboot image: a TLV area of %u bytes", *size);
}

static int check_header(const uint8_t *header, uint32_t address, struct error *error)
{
    uint32_t flags = get_le32(header + 16);

    if (get_le32(header) != MAGIC)
        return error_set(error, -EINVAL,
                         "not an MCUboot image: 0x%08x at 0x%08x, where its header begins with "
                         "0x%08x",
                         get_le32(header), address, MAGIC);
    if (get_le16(header + 8) < HEADER_SIZE)
        return error_set(error, -EINVAL, "MCUboot image: a header of %u bytes", get_le16(header + 8));
    if (get_le32(header + 12) > IMAGE_MAX_BYTES)
        return error_set(error, -EINVAL, "MCUboot image: an application of %u bytes", get_le32(header + 12));
    if (flags & (FLAGS_ENCRYPTED | FLAGS_COMPRESSED))
        return error_set(error, -EINVAL,
                         "MCUboot image: it is encrypted or compressed (flags 0x%08x): its hash is of other "
                         "bytes and cannot be checked",
                         flags);
    return 0;
}

static int read_layout(const struct image *image, uint32_t address, const uint8_t *header,
                       struct layout *layout, struct error *error)
{
    uint32_t size = 0;
    uint64_t at;

    layout->body = get_le16(header + 8) + get_le32(header + 12);
    layout->protected_size = get_le16(header + 10);
    at = (uint64_t)address + layout->body;
    if (layout->protected_size && get_area_size(image, at, PROTECTED_MAGIC, &size, error) < 0)
        return error->code;
    if (size != layout->protected_size)
        return error_set(error, -EINVAL, "MCUboot image: the protected area has %u bytes, its header says %u",
                         size, layout->protected_size);
    return get_area_size(image, at + layout->protected_size, AREA_MAGIC, &layout->unprotected_size, error);
}

static int read_areas(struct reading *reading, const struct layout *layout, struct error *error)
{
    if (layout->protected_size && read_area(reading, layout->body, layout->protected_size, true, error) < 0)
        return error->code;
    if (read_area(reading, reading->hashed, layout->unprotected_size, false, error) < 0)
        return error->code;
    if (!reading->has_hash)
        return error_set(error, -EKEYREJECTED, "MCUboot image: it has no SHA-256 TLV");
    if (!reading->has_signature)
        return error_set(error, -EKEYREJECTED,
                         "MCUboot image: it is not signed with Ed25519 (imgtool sign --key …)");
    return 0;
}

int mcuboot_check(const struct image *image, uint32_t address, const struct trusted_keys *keys,
                  struct mcuboot_facts *facts, struct error *error)
{
    struct reading reading = {.keys = keys, .facts = facts};
    struct layout layout = {.body = 0};
    uint8_t header[HEADER_SIZE];
    int status = get_bytes(image, address, header, sizeof header, error);

    *facts = (struct mcuboot_facts){.version = ""};
    if (status == 0)
        status = check_header(header, address, error);
    if (status == 0)
        status = read_layout(image, address, header, &layout, error);
    if (status < 0)
        return status;
    reading.hashed = layout.body + layout.protected_size;
    reading.size = (size_t)reading.hashed + layout.unprotected_size;
    reading.bytes = allocate(1, reading.size);
    status = get_bytes(image, address, reading.bytes, reading.size, error);
    if (status == 0) {
        (void)crypto_hash_sha256(reading.hash, reading.bytes, reading.hashed);
        memcpy(facts->hash, reading.hash, sizeof facts->hash);
        facts->size = (uint32_t)reading.size;
        (void)snprintf(facts->version, sizeof facts->version, "%u.%u.%u+%u", header[20], header[21],
                       get_le16(header + 22), get_le32(header + 24));
        status = read_areas(&reading, &layout, error);
    }
    free(reading.bytes);
    return status;
}
