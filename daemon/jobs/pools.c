/* SPDX-License-Identifier: Apache-2.0 */
/* Live serial pools: which number is next, and which have come back because the run they were for could not
 * be recorded. A number that is in the record never comes back here: from then on the schema keeps its state.
 * Knows nothing of boards, nor of who asks (pool_requests.c). */
#include "parts.h"

#include "alloc.h"
#include "bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_MAX_BYTES 65536

struct pool *pool_find(const struct farm *farm, const char *name)
{
    LIST_EACH (node, &farm->pools) {
        struct pool *pool = LIST_ENTRY(node, struct pool, node);

        if (!pool->making && strcmp(pool->name, name) == 0)
            return pool;
    }
    return NULL;
}

static void pool_free(struct pool *pool)
{
    json_decref(pool->items);
    free(pool->gaps);
    free(pool->name);
    free(pool);
}

void pool_discard(struct pool *pool)
{
    list_remove(&pool->node);
    pool_free(pool);
}

void pools_free(struct farm *farm)
{
    LIST_EACH (node, &farm->pools) {
        list_remove(node);
        pool_free(LIST_ENTRY(node, struct pool, node));
    }
}

/* --- reading ------------------------------------------------------------------------------ */

bool pool_kind_of(const char *word, enum pool_kind *kind)
{
    static const char *const words[] = {[POOL_SERIAL] = "serial", [POOL_EUI48] = "eui48", [POOL_KEY] = "key"};

    for (int i = POOL_SERIAL; word && i <= POOL_KEY; i++)
        if (strcmp(word, words[i]) == 0) {
            *kind = (enum pool_kind)i;
            return true;
        }
    return false;
}

static void read_gaps(struct pool *pool, const json_t *gaps)
{
    const json_t *gap;
    size_t index;

    json_array_foreach (gaps, index, gap) {
        pool_give_back(pool, json_integer_value(gap));
    }
}

static int percent_used(const struct pool *pool)
{
    int64_t units = (pool->last - pool->first + 1) / pool->step;
    int64_t begun = (pool->next - pool->first) / pool->step;

    for (size_t i = 0; i < pool->gap_count; i++)
        begun -= pool->gaps[i].count;
    return (int)(begun * 100 / (units > 0 ? units : 1));
}

static int warning_due(const struct pool *pool)
{
    int used = percent_used(pool), due = 0;

    for (int i = 0; i < POOL_WARNINGS; i++)
        if (pool->warn_percent[i] > 0 && used >= pool->warn_percent[i])
            due = pool->warn_percent[i];
    return due;
}

static void warn_if_low(struct pool *pool)
{
    int due = warning_due(pool);

    if (due > pool->warned)
        log_warning(&pool->farm->log, "serial pool %s: %d %% of its numbers are used, %lld are left",
                    pool->name, percent_used(pool), (long long)pool_left(pool));
    pool->warned = due;
}

static void read_warnings(struct pool *pool, const json_t *percents)
{
    for (size_t i = 0; i < POOL_WARNINGS; i++)
        pool->warn_percent[i] = (int)json_integer_value(json_array_get(percents, i));
}

int pool_add(struct farm *farm, const json_t *body, struct error *error)
{
    struct pool *pool = allocate(1, sizeof *pool);
    const char *name = json_string_value(json_object_get(body, "name"));
    const char *state = json_string_value(json_object_get(body, "state"));
    const json_t *next = json_object_get(body, "next");

    pool->farm = farm;
    pool->name = copy_text(name ? name : "");
    list_init(&pool->node);
    if (!pool_kind_of(json_string_value(json_object_get(body, "kind")), &pool->kind) ||
        number_format_parse(&pool->format, pool->kind,
                            pool->kind == POOL_KEY ? NULL : json_object_get(body, "format"), error) < 0) {
        (void)error_set(error, -EINVAL, "serial pool %s cannot be understood", pool->name);
        pool_free(pool);
        return error->code;
    }
    pool->first = json_integer_value(json_object_get(body, "first"));
    pool->last = json_integer_value(json_object_get(body, "last"));
    pool->step = json_integer_value(json_object_get(body, "step"));
    pool->step = pool->step > 0 ? pool->step : 1;
    pool->next = json_is_integer(next) ? json_integer_value(next) : pool->first;
    pool->open = !state || strcmp(state, "open") == 0;
    pool->items = json_incref(json_object_get(body, "items"));
    read_warnings(pool, json_object_get(body, "warn_percent"));
    read_gaps(pool, json_object_get(body, "gaps"));
    list_append(&farm->pools, &pool->node);
    warn_if_low(pool);
    return 0;
}

int pools_load(struct farm *farm, const json_t *pools, struct error *error)
{
    const json_t *pool;
    size_t index;

    json_array_foreach (pools, index, pool) {
        if (pool_add(farm, pool, error) < 0)
            return error->code;
    }
    return 0;
}

/* --- numbers ------------------------------------------------------------------------------ */

static int64_t fresh(const struct pool *pool)
{
    return pool->next > pool->last ? 0 : (pool->last - pool->next + 1) / pool->step;
}

int64_t pool_left(const struct pool *pool)
{
    int64_t left = fresh(pool);

    for (size_t i = 0; i < pool->gap_count; i++)
        left += pool->gaps[i].count;
    return pool->open ? left : 0;
}

static bool takes_from(const struct job *job, const char *name)
{
    for (size_t i = 0; i < job->pool_count; i++)
        if (strcmp(job->pools[i], name) == 0)
            return true;
    return false;
}

static int64_t wanted_by(const struct list *jobs, const char *name, const struct job *except)
{
    int64_t wanted = 0;

    LIST_EACH (node, jobs) {
        const struct job *job = LIST_ENTRY(node, struct job, node);
        int still = job->quantity - job->passed - job->numbered;

        /* Units that are reworked have their numbers. */
        if (job != except && job_open(job) && still > 0 && !job->rework && takes_from(job, name))
            wanted += still;
    }
    return wanted;
}

int64_t pool_wanted(const struct farm *farm, const char *name, const struct job *except)
{
    return wanted_by(&farm->jobs, name, except) + wanted_by(&farm->accepting, name, except);
}

static void remove_gap(struct pool *pool, size_t index)
{
    pool->gap_count--;
    memmove(pool->gaps + index, pool->gaps + index + 1, (pool->gap_count - index) * sizeof *pool->gaps);
}

static int64_t take_number(struct pool *pool)
{
    int64_t number = pool->next;

    if (pool->gap_count == 0) {
        pool->next += pool->step;
        return number;
    }
    number = pool->gaps[0].first;
    pool->gaps[0].first += pool->step;
    if (--pool->gaps[0].count == 0)
        remove_gap(pool, 0);
    return number;
}

static int write_number(const struct pool *pool, int64_t number, int64_t utc_us, char text[NUMBER_TEXT_MAX],
                        struct error *error)
{
    const char *id;

    if (pool->kind != POOL_KEY)
        return number_format_write(&pool->format, number, utc_us, text, error);
    id = json_string_value(json_object_get(json_array_get(pool->items, (size_t)number), "id"));
    if (!id || strlen(id) >= NUMBER_TEXT_MAX)
        return error_set(error, -EINVAL, "key %lld has no id", (long long)number);
    (void)snprintf(text, NUMBER_TEXT_MAX, "%s", id);
    return 0;
}

int pool_last(const struct pool *pool, int64_t utc_us, char text[NUMBER_TEXT_MAX])
{
    struct error error = ERROR_NONE;

    return write_number(pool, pool->last - pool->step + 1, utc_us, text, &error);
}

int pool_take(struct pool *pool, int64_t utc_us, int64_t *number, char text[NUMBER_TEXT_MAX],
              struct error *error)
{
    if (!pool->open)
        return error_set(error, FAILURE_CODE(FAILURE_SERIAL_EXHAUSTED), "serial pool %s is closed",
                         pool->name);
    if (pool_left(pool) == 0)
        return error_set(error, FAILURE_CODE(FAILURE_SERIAL_EXHAUSTED),
                         "serial pool %s has no number left: make another pool", pool->name);
    *number = take_number(pool);
    if (write_number(pool, *number, utc_us, text, error) < 0) {
        pool_give_back(pool, *number);
        (void)error_prefix(error, "serial pool %s", pool->name);
        return error_reclass(error, FAILURE_CODE(FAILURE_DATA));
    }
    warn_if_low(pool);
    return 0;
}

/* Where a number belongs among the gaps, which are kept in order. */
static size_t place_of(const struct pool *pool, int64_t number)
{
    size_t index = 0;

    while (index < pool->gap_count && pool->gaps[index].first < number)
        index++;
    return index;
}

void pool_give_back(struct pool *pool, int64_t number)
{
    pool_give_back_range(pool, number, 1);
}

void pool_give_back_range(struct pool *pool, int64_t first, int64_t count)
{
    size_t index = place_of(pool, first);
    struct pool_gap *before = index ? &pool->gaps[index - 1] : NULL;

    if (before && before->first + before->count * pool->step == first) {
        before->count += count;
    } else {
        pool->gaps = reallocate(pool->gaps, pool->gap_count + 1, sizeof *pool->gaps);
        memmove(pool->gaps + index + 1, pool->gaps + index, (pool->gap_count - index) * sizeof *pool->gaps);
        pool->gaps[index] = (struct pool_gap){.first = first, .count = count};
        pool->gap_count++;
    }
    while (pool->gap_count > 0) { /* what reaches up to `next` is no gap */
        const struct pool_gap *top = &pool->gaps[pool->gap_count - 1];

        if (top->first + top->count * pool->step != pool->next)
            break;
        pool->next = top->first;
        pool->gap_count--;
    }
}

/* --- keys --------------------------------------------------------------------------------- */

static int read_key_file(int file, const char *id, uint8_t **key, size_t *size, struct error *error)
{
    struct stat info;

    if (fstat(file, &info) < 0)
        return error_set_errno(error, errno, "key %s cannot be read", id);
    if (!S_ISREG(info.st_mode) || info.st_size <= 0 || info.st_size > KEY_MAX_BYTES)
        return error_set(error, -EINVAL, "key %s: expected a file of 1 to %d bytes", id, KEY_MAX_BYTES);
    *size = (size_t)info.st_size;
    *key = allocate(1, *size);
    if (read(file, *key, *size) != (ssize_t)*size) {
        sodium_memzero(*key, *size);
        free(*key);
        *key = NULL;
        return error_set(error, -EIO, "key %s: short read", id);
    }
    return 0;
}

static bool has_sum(const uint8_t *key, size_t size, const char *wanted)
{
    uint8_t hash[crypto_hash_sha256_BYTES];
    char text[2 * sizeof hash + 1];

    (void)crypto_hash_sha256(hash, key, size);
    bytes_to_hex(hash, sizeof hash, text);
    return wanted && strcmp(text, wanted) == 0;
}

/* An id is a file name and nothing that leaves the directory: pool_requests.c saw to that. */
int pool_read_key(const struct pool *pool, int64_t number, uint8_t **key, size_t *size, struct error *error)
{
    const json_t *item = json_array_get(pool->items, (size_t)number);
    const char *id = json_string_value(json_object_get(item, "id"));
    const char *directory = pool->farm->options.key_store;
    char *path;
    int file, status;

    if (!id || !directory || !directory[0])
        return error_set(error, -EINVAL,
                         "serial pool %s: there is no key store (key_store of the configuration)",
                         pool->name);
    path = format_text("%s/%s", directory, id);
    file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    free(path);
    if (file < 0)
        return error_set(error, -EINVAL, "key %s is not in the key store: %s", id, strerror(errno));
    status = read_key_file(file, id, key, size, error);
    (void)close(file);
    if (status == 0 && !has_sum(*key, *size, json_string_value(json_object_get(item, "sha256")))) {
        sodium_memzero(*key, *size);
        free(*key);
        *key = NULL;
        return error_set(error, -EINVAL, "key %s: its file is not the one that the pool was made with", id);
    }
    return status;
}
