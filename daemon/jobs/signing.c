/* SPDX-License-Identifier: Apache-2.0 */
#include "signing.h"

#include "parts.h"

#include "alloc.h"
#include "await.h"
#include "bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- policy ------------------------------------------------------------------------------- */

static int refuse(struct error *error, const char *member, const char *wanted)
{
    return error_set(error, -EINVAL, "signature.%s: expected %s", member, wanted);
}

static int read_flag(const char *name, const json_t *value, bool *flag, struct error *error)
{
    *flag = json_is_true(value);
    return json_is_boolean(value) ? 0 : refuse(error, name, "true or false");
}

static int read_keys(struct signature_policy *policy, const json_t *value, struct error *error)
{
    const json_t *key;
    size_t index;

    if (!json_is_array(value) || json_array_size(value) == 0)
        return refuse(error, "keys", "a list of names of trusted keys");
    json_array_foreach (value, index, key) {
        if (json_string_length(key) == 0)
            return refuse(error, "keys", "a list of names of trusted keys");
    }
    policy->keys = value;
    return 0;
}

/* A text such as "0x08008000", as addresses may be given everywhere. */
static bool read_hexadecimal(const json_t *value, uint32_t *number)
{
    const char *text = json_string_value(value);
    size_t digits = text ? strlen(text) : 0;

    if (digits < 3 || digits > 10 || strncmp(text, "0x", 2) != 0 ||
        strspn(text + 2, "0123456789abcdefABCDEF") != digits - 2)
        return false;
    *number = (uint32_t)strtoul(text, NULL, 16);
    return true;
}

static bool read_word(const json_t *value, uint32_t *number)
{
    json_int_t integer = json_integer_value(value);

    if (!json_is_integer(value))
        return read_hexadecimal(value, number);
    *number = (uint32_t)integer;
    return integer >= 0 && integer <= UINT32_MAX;
}

static int read_mcuboot(struct signature_policy *policy, const json_t *value, struct error *error)
{
    policy->mcuboot = !json_is_false(value);
    policy->has_address = !json_is_boolean(value);
    if (policy->has_address && !read_word(value, &policy->address))
        return refuse(error, "mcuboot", "true, false, or the address where the image begins");
    return 0;
}

static int read_policy_member(struct signature_policy *policy, const char *name, const json_t *value,
                              struct error *error)
{
    if (strcmp(name, "required") == 0)
        return read_flag(name, value, &policy->required, error);
    if (strcmp(name, "keys") == 0)
        return read_keys(policy, value, error);
    if (strcmp(name, "mcuboot") == 0)
        return read_mcuboot(policy, value, error);
    if (strcmp(name, "counter") == 0) {
        policy->has_counter = read_word(value, &policy->counter);
        return policy->has_counter ? 0 : refuse(error, name, "the least security counter");
    }
    if (strcmp(name, "max_units") != 0)
        return error_set(error, -EINVAL,
                         "signature: \"%s\" is not known; there are required, keys, mcuboot, counter and "
                         "max_units",
                         name);
    policy->max_units = json_integer_value(value);
    return policy->max_units > 0 ? 0 : refuse(error, name, "a whole number from 1");
}

int signature_policy_parse(struct signature_policy *policy, const json_t *object, struct error *error)
{
    void *at = NULL;

    *policy = (struct signature_policy){.required = false};
    if (!object || json_is_null(object))
        return 0;
    if (!json_is_object(object))
        return error_set(error, -EINVAL, "signature: expected an object");
    /* not json_object_foreach(), which wants to be able to change it */
    for (at = json_object_iter((json_t *)(uintptr_t)object); at;
         at = json_object_iter_next((json_t *)(uintptr_t)object, at)) {
        const json_t *value = json_object_iter_value(at);

        if (!json_is_null(value) && read_policy_member(policy, json_object_iter_key(at), value, error) < 0)
            return error->code;
    }
    if (policy->has_counter && !policy->mcuboot)
        return refuse(error, "counter", "\"mcuboot\" beside it: other images have none");
    return 0;
}

/* --- keys --------------------------------------------------------------------------------- */

struct key_work {
    const char *directory;
    struct trusted_keys *keys;
    struct error *error;
};

static void read_key_files(void *argument)
{
    struct key_work *work = argument;

    (void)trusted_keys_read(work->keys, work->directory, work->error);
}

int farm_trusted_keys(const struct farm *farm, struct trusted_keys *keys, struct error *error)
{
    const char *directory = farm->options.trusted_keys;
    struct key_work work = {.directory = directory, .keys = keys, .error = error};

    *keys = (struct trusted_keys){.count = 0};
    if (directory && directory[0])
        (void)await_work(farm->options.fibers, read_key_files, &work);
    return error->code;
}

static bool is_named(const struct trusted_key *key, const char *name)
{
    size_t size = strlen(key->name);

    return (key->id[0] && strcasecmp(key->id, name) == 0) ||
           (strncmp(key->name, name, size) == 0 && (!name[size] || strcmp(name + size, ".pub") == 0));
}

static bool counts(const struct signature_policy *policy, const struct trusted_key *key)
{
    const json_t *name;
    size_t index;

    json_array_foreach (policy->keys, index, name) {
        if (is_named(key, json_string_value(name)))
            return true;
    }
    return policy->keys == NULL;
}

/* Keys that the policy does not name count as little as any stranger's. */
static void drop_keys(struct trusted_keys *keys, const struct signature_policy *policy)
{
    size_t kept = 0;

    for (size_t i = 0; i < keys->count; i++)
        if (counts(policy, &keys->keys[i]))
            keys->keys[kept++] = keys->keys[i];
    keys->count = kept;
}

/* --- files -------------------------------------------------------------------------------- */

/* One image and the signatures that the record has of it. What the pool reads stays in memory until it has
 * been hashed and checked: nobody can change it between one and the other. */
struct file_check {
    char *path;
    const char *id;
    const json_t *signatures; /* of the record; or NULL: `text` is the only one */
    const char *text;
    const struct trusted_keys *keys;
    bool good;
    struct signature_facts facts; /* of the good one */
    struct error refusal;         /* of the last that is no good */
    struct error error;           /* of the file itself */
};

static uint8_t *read_whole(const char *path, size_t *size, struct error *error)
{
    uint8_t *bytes = NULL;
    struct stat info;
    size_t got = 0;
    ssize_t more = 1;
    int file = open(path, O_RDONLY | O_CLOEXEC);

    if (file < 0 || fstat(file, &info) < 0) {
        (void)error_set_errno(error, errno, "image file %s cannot be read", path);
        (void)error_reclass(error, -EIO); /* the record has it: that it is missing is the disk's fault */
    } else {
        *size = (size_t)info.st_size < IMAGE_MAX_BYTES ? (size_t)info.st_size : IMAGE_MAX_BYTES;
        bytes = allocate(1, *size + 1);
        while (got < *size && (more = read(file, bytes + got, *size - got)) > 0)
            got += (size_t)more;
        *size = got; /* one that is short has another hash */
    }
    if (file >= 0)
        (void)close(file);
    return bytes;
}

static bool is_that_file(const struct file_check *check, const uint8_t *bytes, size_t size)
{
    uint8_t hash[crypto_hash_sha256_BYTES];
    char text[2 * crypto_hash_sha256_BYTES + 1];

    (void)crypto_hash_sha256(hash, bytes, size);
    bytes_to_hex(hash, sizeof hash, text);
    return strcmp(text, check->id) == 0;
}

static void check_one(struct file_check *check, const char *text, const uint8_t *bytes, size_t size)
{
    struct signature_facts facts;

    check->refusal = ERROR_NONE;
    if (signature_check(text, strlen(text), bytes, size, check->keys, &facts, &check->refusal) == 0) {
        check->good = true;
        check->facts = facts;
    }
}

static void check_file(void *argument)
{
    struct file_check *check = argument;
    size_t size = 0, index;
    uint8_t *bytes = read_whole(check->path, &size, &check->error);
    const json_t *row;

    if (bytes && !is_that_file(check, bytes, size)) {
        (void)error_set(&check->error, -EIO, "image %.12s: the file on disk was changed", check->id);
    } else if (bytes && check->text) {
        check_one(check, check->text, bytes, size);
    } else if (bytes) {
        json_array_foreach (check->signatures, index, row) {
            if (!check->good)
                check_one(check, json_string_value(json_object_get(row, "signature")), bytes, size);
        }
    }
    free(bytes);
}

/* Fills in the path, and looks at the file in the pool. */
static int run_check(const struct farm *farm, struct file_check *check, struct error *error)
{
    check->path = format_text("%s/images/%s", farm->options.state, check->id);
    (void)await_work(farm->options.fibers, check_file, check);
    free(check->path);
    if (check->error.code)
        *error = check->error;
    return check->error.code;
}

static json_t *find_signatures(const struct farm *farm, const char *id, struct error *error)
{
    struct await await = await_begin(farm->options.fibers, error);

    store_signatures(farm->options.store, id, await_answered, &await);
    return await_end(&await);
}

static int look_at_image(const struct farm *farm, const char *id, const struct trusted_keys *keys,
                         struct signing *signing, struct error *error)
{
    json_t *known = find_signatures(farm, id, error);
    struct file_check *check;
    int status;

    if (!known)
        return error->code;
    check = allocate(1, sizeof *check);
    check->id = id;
    check->signatures = json_object_get(known, "items");
    check->keys = keys;
    status = run_check(farm, check, error);
    if (status == 0 && !check->good) {
        signing->has_signature = false;
        if (check->refusal.code && !signing->trouble[0])
            (void)snprintf(signing->trouble, sizeof signing->trouble, "image %.12s: %s", id,
                           check->refusal.text);
    }
    free(check);
    json_decref(known);
    return status;
}

static int look_at_images(const struct job *job, const struct trusted_keys *keys, struct signing *signing,
                          struct error *error)
{
    const json_t *id;
    size_t index;

    signing->has_signature = json_array_size(job->images) > 0;
    json_array_foreach (job->images, index, id) {
        if (look_at_image(job->farm, json_string_value(id), keys, signing, error) < 0)
            return error->code;
    }
    return 0;
}

/* --- MCUboot ------------------------------------------------------------------------------ */

#define MCUBOOT_MAGIC 0x96F3B83Du

static bool has_magic(const struct image *image, uint32_t address)
{
    uint8_t bytes[4];

    return image_read(image, address, bytes, sizeof bytes, 0) == sizeof bytes &&
           get_le32(bytes) == MCUBOOT_MAGIC;
}

/* What a unit has of its own would not be what was signed. */
static const char *field_inside(const struct fields *fields, uint32_t address, uint32_t size)
{
    for (size_t i = 0; fields && i < fields_count(fields); i++) {
        const struct field_place field = fields_place(fields, i);

        if ((uint64_t)field.address < (uint64_t)address + size &&
            (uint64_t)address < (uint64_t)field.address + field.size)
            return field.name;
    }
    return NULL;
}

static int check_mcuboot(const struct job *job, const struct fields *fields, uint32_t address,
                         const struct signature_policy *policy, const struct trusted_keys *keys,
                         struct error *error)
{
    struct mcuboot_facts facts;
    const char *field;

    if (mcuboot_check(&job->image, address, keys, &facts, error) < 0)
        return error_prefix(error, "0x%08x", address);
    if (policy->has_counter && (!facts.has_counter || facts.counter < policy->counter))
        return error_set(error, -EKEYREJECTED,
                         "0x%08x: version %s has security counter %lld, and at least %u is wanted", address,
                         facts.version, facts.has_counter ? (long long)facts.counter : -1LL, policy->counter);
    field = field_inside(fields, address, facts.size);
    return field ? error_set(error, -EKEYREJECTED,
                             "0x%08x: field %s lies in it, and would break its signature", address, field)
                 : 0;
}

/* An MCUboot image begins where a slot does, and that is where an erase unit does. */
static void look_for_mcuboot(const struct job *job, const struct fields *fields,
                             const struct signature_policy *policy, const struct trusted_keys *keys,
                             struct error *error)
{
    const struct chip *chip = job->order.chip;
    bool found = false;

    for (uint32_t number = 0; number < chip_sector_count(chip) && !error->code; number++) {
        const struct chip_sector sector = chip_sector(chip, number);

        if (!has_magic(&job->image, sector.address))
            continue;
        found = true;
        (void)check_mcuboot(job, fields, sector.address, policy, keys, error);
    }
    if (!found)
        (void)error_set(error, -EKEYREJECTED,
                        "no MCUboot image begins at an erase unit of %s; give its address as \"mcuboot\"",
                        chip->name);
}

static void look_at_mcuboot(const struct job *job, const struct fields *fields,
                            const struct signature_policy *policy, const struct trusted_keys *keys,
                            struct signing *signing)
{
    struct error trouble = ERROR_NONE;

    if (policy->has_address)
        (void)check_mcuboot(job, fields, policy->address, policy, keys, &trouble);
    else
        look_for_mcuboot(job, fields, policy, keys, &trouble);
    (void)snprintf(signing->mcuboot_trouble, sizeof signing->mcuboot_trouble, "%s", trouble.text);
}

/* --- all of it ---------------------------------------------------------------------------- */

int signing_look(struct job *job, const struct fields *fields, const struct signature_policy *policy,
                 struct signing *signing, struct error *error)
{
    struct trusted_keys keys;
    int status = farm_trusted_keys(job->farm, &keys, error);

    *signing = (struct signing){.has_signature = false};
    if (status < 0)
        return status;
    drop_keys(&keys, policy);
    status = look_at_images(job, &keys, signing, error);
    if (status == 0 && policy->mcuboot)
        look_at_mcuboot(job, fields, policy, &keys, signing);
    trusted_keys_clear(&keys);
    return status;
}

int recipe_check_signatures(struct job *job, struct error *error)
{
    struct signature_policy policy;
    struct signing *signing;
    int status = signature_policy_parse(&policy, json_object_get(job->body, "signature"), error);

    if (status < 0 || (!policy.required && !policy.mcuboot))
        return status;
    signing = allocate(1, sizeof *signing);
    status = signing_look(job, job->fields, &policy, signing, error);
    if (status == 0 && policy.required && !signing->has_signature)
        status = error_set(error, -EKEYREJECTED, "%s",
                           signing->trouble[0] ? signing->trouble
                                               : "a signature is required, and the image has none");
    if (status == 0 && policy.mcuboot && signing->mcuboot_trouble[0])
        status = error_set(error, -EKEYREJECTED, "%s", signing->mcuboot_trouble);
    free(signing);
    return status;
}

/* --- a signature comes in ----------------------------------------------------------------- */

struct signing_request {
    struct farm *farm;
    char *id, *text, *by;
    farm_answer *answer;
    void *context;
};

static int find_image(const struct farm *farm, const char *id, struct error *error)
{
    struct await await = await_begin(farm->options.fibers, error);

    store_image(farm->options.store, id, await_answered, &await);
    json_decref(await_end(&await));
    return error->code;
}

static json_t *signed_body(const struct signing_request *request, const struct signature_facts *facts)
{
    return json_pack("{s:s,s:s,s:s,s:s,s:s}", "image", request->id, "key_id", facts->key_id, "key_name",
                     facts->key_name, "comment", facts->comment, "by", request->by);
}

static json_t *record_signature(const struct signing_request *request, const struct signature_facts *facts,
                                struct error *error)
{
    struct store_fact fact = {.kind = "image.signed", .body = signed_body(request, facts)};
    int status;

    if (!fact.body) { /* a comment that is no UTF-8 */
        (void)error_set(error, -EINVAL, "signature: the trusted comment is not UTF-8 text");
        return NULL;
    }
    (void)json_object_set_new(fact.body, "signature", json_string(request->text));
    status = store_append_wait(request->farm->options.store, request->farm->options.fibers, &fact, 1, error);
    if (status < 0 && status != -EEXIST) /* it is there already */
        return NULL;
    *error = ERROR_NONE;
    return signed_body(request, facts);
}

static json_t *take_signature(const struct signing_request *request, struct error *error)
{
    struct file_check *check;
    struct trusted_keys keys;
    json_t *answer = NULL;

    if (find_image(request->farm, request->id, error) < 0 ||
        farm_trusted_keys(request->farm, &keys, error) < 0)
        return NULL;
    check = allocate(1, sizeof *check);
    check->id = request->id;
    check->text = request->text;
    check->keys = &keys;
    if (run_check(request->farm, check, error) == 0 && !check->good)
        *error = check->refusal;
    if (check->good)
        answer = record_signature(request, &check->facts, error);
    free(check);
    trusted_keys_clear(&keys);
    return answer;
}

static void run_signing(void *argument)
{
    struct signing_request *request = argument;
    struct error error = ERROR_NONE;
    json_t *answer = take_signature(request, &error);

    request->answer(request->context, answer, &error);
}

static void end_signing(void *argument)
{
    struct signing_request *request = argument;

    free(request->id);
    free(request->text);
    free(request->by);
    free(request);
}

void farm_image_sign(struct farm *farm, const char *id, const char *text, const char *by, farm_answer *answer,
                     void *context)
{
    struct signing_request *request = allocate(1, sizeof *request);

    *request = (struct signing_request){.farm = farm,
                                        .id = copy_text(id),
                                        .text = copy_text(text),
                                        .by = copy_text(by),
                                        .answer = answer,
                                        .context = context};
    fiber_start(farm->options.fibers, "signature", run_signing, end_signing, request);
}
