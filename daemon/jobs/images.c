/* SPDX-License-Identifier: Apache-2.0 */
#include "images.h"

#include "alloc.h"
#include "await.h"
#include "bytes.h"
#include "fiber.h"
#include "store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID_TEXT (2 * crypto_hash_sha256_BYTES + 1)

struct images {
    struct farm_options options;
    char *directory, *uploads;
};

/* What the pool does with one file. */
struct file_work {
    const char *path;
    const char *directory; /* where keep_file() puts it */
    struct image_options options;
    char id[ID_TEXT];
    uint64_t size;
    struct image image;
    struct error error;
};

static int make_directory(const char *path, struct error *error)
{
    if (mkdir(path, 0750) < 0 && errno != EEXIST)
        return error_set_errno(error, errno, "cannot make the directory %s", path);
    return 0;
}

static void empty_directory(const char *path)
{
    DIR *directory = opendir(path);
    struct dirent *entry;

    if (!directory)
        return;
    while ((entry = readdir(directory)))
        if (entry->d_name[0] != '.')
            (void)unlinkat(dirfd(directory), entry->d_name, 0);
    (void)closedir(directory);
}

int images_open(struct images **images, const struct farm_options *options, struct error *error)
{
    struct images *made = allocate(1, sizeof *made);
    int status;

    made->options = *options;
    made->directory = format_text("%s/images", options->state);
    made->uploads = format_text("%s/images/uploads", options->state);
    status = make_directory(made->directory, error);
    if (status == 0)
        status = make_directory(made->uploads, error);
    if (status < 0) {
        images_close(made);
        return status;
    }
    empty_directory(made->uploads);
    *images = made;
    return 0;
}

void images_close(struct images *images)
{
    free(images->directory);
    free(images->uploads);
    free(images);
}

const char *images_upload_directory(const struct images *images)
{
    return images->uploads;
}

/* --- in the pool -------------------------------------------------------------------------- */

static uint8_t *read_file(const char *path, uint64_t *size, struct error *error)
{
    uint8_t *bytes = NULL;
    struct stat info;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* somebody may have put a pipe there */

    if (file < 0 || fstat(file, &info) < 0) {
        (void)error_set_errno(error, errno, "cannot read image file %s", path);
    } else if (!S_ISREG(info.st_mode)) {
        (void)error_set(error, -EIO, "image file %s is no file", path);
    } else if (info.st_size > (off_t)IMAGE_MAX_BYTES) {
        (void)error_set(error, -E2BIG, "the file has %lld bytes; at most %u are taken",
                        (long long)info.st_size, IMAGE_MAX_BYTES);
    } else {
        *size = (uint64_t)info.st_size;
        bytes = allocate(1, (size_t)*size + 1);
        if (read(file, bytes, (size_t)*size) != (ssize_t)*size) {
            (void)error_set(error, -EIO, "image file %s: short read", path);
            free(bytes);
            bytes = NULL;
        }
    }
    if (file >= 0)
        (void)close(file);
    return bytes;
}

/* Hash first: the image is known by its bytes even when it cannot be parsed. */
static void hash_and_parse(void *argument)
{
    struct file_work *work = argument;
    uint8_t hash[crypto_hash_sha256_BYTES];
    uint8_t *bytes = read_file(work->path, &work->size, &work->error);

    if (!bytes)
        return;
    (void)crypto_hash_sha256(hash, bytes, work->size);
    bytes_to_hex(hash, sizeof hash, work->id);
    (void)image_parse(&work->image, bytes, (size_t)work->size, &work->options, &work->error);
    free(bytes);
}

static int sync_path(const char *path, struct error *error)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    int status = 0;

    if (file < 0 || fsync(file) < 0)
        status = error_set_errno(error, errno, "cannot make %s durable", path);
    if (file >= 0)
        (void)close(file);
    return status;
}

/* Content first, then the name, then the directory that holds the name. */
static void keep_file(void *argument)
{
    struct file_work *work = argument;
    char *final = format_text("%s/%s", work->directory, work->id);

    if (sync_path(work->path, &work->error) == 0) {
        if (rename(work->path, final) < 0)
            (void)error_set_errno(&work->error, errno, "cannot move the upload to %s", final);
        else
            (void)sync_path(work->directory, &work->error);
    }
    free(final);
}

/* --- adding ------------------------------------------------------------------------------- */

struct addition {
    struct images *images;
    char *path, *name, *by;
    struct image_options options;
    farm_answer *answer;
    void *context;
};

static json_t *describe_ranges(const struct image *image)
{
    json_t *ranges = json_array();
    char crc[9];

    for (size_t i = 0; i < image->count; i++) {
        const struct image_range *range = &image->ranges[i];

        (void)snprintf(crc, sizeof crc, "%08x", image_range_crc32(range));
        (void)json_array_append_new(ranges, json_pack("{s:I,s:I,s:s}", "address", (json_int_t)range->address,
                                                      "size", (json_int_t)range->size, "crc32", crc));
    }
    return ranges;
}

static json_t *image_body(const struct addition *addition, const struct file_work *work)
{
    json_t *body = json_pack("{s:s,s:s,s:s,s:I,s:o,s:s}", "id", work->id, "name", addition->name, "format",
                             image_format_word(work->image.format), "size", (json_int_t)work->size, "ranges",
                             describe_ranges(&work->image), "by", addition->by);

    if (work->image.format == IMAGE_BINARY)
        (void)json_object_set_new(body, "base", json_integer((json_int_t)addition->options.base));
    return body;
}

static json_t *find_image(struct images *images, const char *id, struct error *error)
{
    struct await await = await_begin(images->options.fibers, error);

    store_image(images->options.store, id, await_answered, &await);
    return await_end(&await);
}

/* The same bytes at another address would be another image under the same name. */
static json_t *known_image(const struct addition *addition, const struct file_work *work, json_t *known,
                           struct error *error)
{
    const json_t *base = json_object_get(known, "base");

    if (work->image.format == IMAGE_BINARY &&
        json_integer_value(base) != (json_int_t)addition->options.base) {
        (void)error_set(error, -EEXIST, "this file is known with address 0x%08llx, not 0x%08x",
                        (unsigned long long)json_integer_value(base), addition->options.base);
        json_decref(known);
        return NULL;
    }
    (void)json_object_set_new(known, "created", json_false());
    return known;
}

static json_t *record_image(const struct addition *addition, struct file_work *work, struct error *error)
{
    struct images *images = addition->images;
    struct store_fact fact = {.kind = "image.added", .body = image_body(addition, work)};
    json_t *body;
    int status;

    work->directory = images->directory;
    (void)await_work(images->options.fibers, keep_file, work);
    if (work->error.code < 0) {
        *error = work->error;
        json_decref(fact.body);
        return NULL;
    }
    status = store_append_wait(images->options.store, images->options.fibers, &fact, 1, error);
    if (status < 0 && status != -EEXIST)
        return NULL;
    body = find_image(images, work->id, error);
    if (body && status == -EEXIST) /* somebody else was a moment faster */
        return known_image(addition, work, body, error);
    if (body)
        (void)json_object_set_new(body, "created", json_true());
    return body;
}

static json_t *add_image(const struct addition *addition, struct error *error)
{
    struct file_work work = {.path = addition->path, .options = addition->options};
    json_t *known;

    if (await_work(addition->images->options.fibers, hash_and_parse, &work) < 0 || work.error.code < 0) {
        *error = work.error;
        return NULL;
    }
    known = find_image(addition->images, work.id, error);
    known = known                    ? known_image(addition, &work, known, error)
            : error->code == -ENOENT ? record_image(addition, &work, error)
                                     : NULL;
    image_clear(&work.image);
    return known;
}

static void run_addition(void *argument)
{
    struct addition *addition = argument;
    struct error error = ERROR_NONE;
    json_t *answer = add_image(addition, &error);

    (void)unlink(addition->path); /* gone already when it was kept */
    addition->answer(addition->context, answer, &error);
}

static void end_addition(void *argument)
{
    struct addition *addition = argument;

    free(addition->path);
    free(addition->name);
    free(addition->by);
    free(addition);
}

void images_add(struct images *images, const struct farm_upload *upload, farm_answer *answer, void *context)
{
    struct addition *addition = allocate(1, sizeof *addition);

    *addition = (struct addition){.images = images,
                                  .path = copy_text(upload->path),
                                  .name = copy_text(upload->name),
                                  .by = copy_text(upload->by),
                                  .options = {.has_base = upload->has_base, .base = upload->base},
                                  .answer = answer,
                                  .context = context};
    fiber_start(images->options.fibers, "image", run_addition, end_addition, addition);
}

/* --- loading ------------------------------------------------------------------------------ */

static int load_one(struct images *images, const char *id, struct image *image, struct error *error)
{
    struct file_work work = {.path = NULL};
    json_t *known = find_image(images, id, error);
    const json_t *base = json_object_get(known, "base");
    char *path;

    if (!known)
        return error->code == -ENOENT ? error_set(error, -EINVAL, "there is no image %s: upload it first", id)
                                      : error->code;
    work.options =
        (struct image_options){.has_base = json_is_integer(base), .base = (uint32_t)json_integer_value(base)};
    json_decref(known);
    path = format_text("%s/%s", images->directory, id);
    work.path = path;
    (void)await_work(images->options.fibers, hash_and_parse, &work);
    free(path);
    if (work.error.code < 0) {
        *error = work.error;
        return error_prefix(error, "image %.12s", id);
    }
    if (strcmp(work.id, id) != 0) {
        image_clear(&work.image);
        return error_set(error, -EIO, "image %.12s: the file on disk has SHA-256 %.12s…: it was changed", id,
                         work.id);
    }
    *image = work.image;
    return 0;
}

static int by_address(const void *left, const void *right)
{
    const struct image_range *a = left, *b = right;

    return a->address < b->address ? -1 : a->address > b->address;
}

/* Moves the ranges of `more` into `merged`; touching ranges of two files become one. */
static int merge(struct image *merged, struct image *more, struct error *error)
{
    size_t count = merged->count + more->count;
    size_t kept = 0;

    merged->ranges = reallocate(merged->ranges, count, sizeof *merged->ranges);
    memcpy(merged->ranges + merged->count, more->ranges, more->count * sizeof *more->ranges);
    merged->count = count;
    more->count = 0;
    qsort(merged->ranges, count, sizeof *merged->ranges, by_address);
    for (size_t i = 1; i < count; i++) {
        struct image_range *low = &merged->ranges[kept], *high = &merged->ranges[i];
        uint64_t end = (uint64_t)low->address + low->size;

        if (high->address < end)
            return error_set(error, -EINVAL, "two images both have address 0x%08x", high->address);
        if (high->address == end) {
            low->data = reallocate(low->data, 1, (size_t)low->size + high->size);
            memcpy(low->data + low->size, high->data, high->size);
            low->size += high->size;
            free(high->data);
            high->data = NULL;
        } else {
            merged->ranges[++kept] = *high;
            if (kept != i)
                high->data = NULL;
        }
    }
    merged->count = count ? kept + 1 : 0;
    return 0;
}

int images_load(struct images *images, const json_t *ids, struct image *merged, struct error *error)
{
    const json_t *id;
    size_t index;

    *merged = (struct image){.count = 0};
    json_array_foreach (ids, index, id) {
        struct image one = {.count = 0};
        int status = load_one(images, json_string_value(id), &one, error);

        if (status == 0 && index == 0) {
            *merged = one;
            continue;
        }
        if (status == 0)
            status = merge(merged, &one, error);
        image_clear(&one);
        if (status < 0) {
            image_clear(merged);
            return status;
        }
    }
    return 0;
}
