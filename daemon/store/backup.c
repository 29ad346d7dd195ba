/* SPDX-License-Identifier: Apache-2.0 */
/* A copy of the live database, as it is at one instant. SQLite copies it in one step on a connection that
 * only reads, so that the writer goes on meanwhile and never makes the copy start anew; what it writes waits
 * in its log until the copy is done.
 *
 * The copy grows under another name and gets its own when it is durable: a file of that name is whole. */
#include "alloc.h"
#include "bytes.h"
#include "inside.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 1 << 16 };

struct backup {
    const char *path;
    char *part; /* where it grows */
    int fd;
    int64_t size, sequence;
    char hash[2 * CHAIN_HASH_SIZE + 1];
    char sha256[2 * crypto_hash_sha256_BYTES + 1];
};

/* An empty file that nobody else has, for SQLite to find. */
static int claim(struct backup *backup, struct error *error)
{
    if (access(backup->path, F_OK) == 0)
        return error_set(error, -EEXIST, "%s is there already", backup->path);
    backup->fd = open(backup->part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (backup->fd < 0)
        return error_set_errno(error, errno, "%s", backup->part);
    return 0;
}

static int read_head(struct database *from, struct backup *backup, struct error *error)
{
    sqlite3_stmt *head = database_statement(from, QUERY_HEAD, error);
    int step;

    if (!head)
        return error->code;
    step = sqlite3_step(head);
    if (step == SQLITE_ROW) {
        backup->sequence = sqlite3_column_int64(head, 0);
        (void)snprintf(backup->hash, sizeof backup->hash, "%s", (const char *)sqlite3_column_text(head, 1));
    }
    (void)sqlite3_reset(head);
    return step == SQLITE_ROW || step == SQLITE_DONE ? 0 : database_fail(from, error);
}

static int copy_pages(struct database *from, struct database *to, struct error *error)
{
    sqlite3_backup *copy = sqlite3_backup_init(to->handle, "main", from->handle, "main");
    int code;

    if (!copy)
        return database_fail(to, error);
    (void)sqlite3_backup_step(copy, -1);
    code = sqlite3_backup_finish(copy);
    return code ? database_fail(to, error) : 0;
}

/* Head and pages in one transaction: they are of the same instant. */
static int copy_state(struct database *from, struct database *to, struct backup *backup, struct error *error)
{
    int code = database_run(from, QUERY_BEGIN_READING, error);
    struct error ignored;

    if (code)
        return code;
    code = read_head(from, backup, error);
    if (!code)
        code = copy_pages(from, to, error);
    (void)database_run(from, QUERY_ROLLBACK, &ignored);
    return code;
}

static int copy_database(struct database *from, struct backup *backup, struct error *error)
{
    struct database to;
    int code = database_open(&to, backup->part, true, error);

    if (code)
        return code;
    code = database_script(&to, queries_copy_settings, error);
    if (!code)
        code = copy_state(from, &to, backup, error);
    database_close(&to);
    return code;
}

static int hash_file(struct backup *backup, struct error *error)
{
    unsigned char hash[crypto_hash_sha256_BYTES], *chunk = allocate(1, CHUNK);
    crypto_hash_sha256_state state;
    ssize_t got;

    (void)crypto_hash_sha256_init(&state);
    while ((got = pread(backup->fd, chunk, CHUNK, backup->size)) > 0) {
        (void)crypto_hash_sha256_update(&state, chunk, (unsigned long long)got);
        backup->size += got;
    }
    (void)crypto_hash_sha256_final(&state, hash);
    bytes_to_hex(hash, sizeof hash, backup->sha256);
    free(chunk);
    return got < 0 ? error_set_errno(error, errno, "%s", backup->part) : 0;
}

static int sync_directory(const char *path, struct error *error)
{
    char *copy = copy_text(path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC), code = 0;

    if (fd < 0 || fsync(fd))
        code = error_set_errno(error, errno, "the directory of %s", path);
    if (fd >= 0)
        (void)close(fd);
    free(copy);
    return code;
}

/* link() does not replace, which rename() would. */
static int publish(struct backup *backup, struct error *error)
{
    if (fsync(backup->fd))
        return error_set_errno(error, errno, "%s", backup->part);
    if (link(backup->part, backup->path))
        return error_set_errno(error, errno, "%s", backup->path);
    if (unlink(backup->part))
        return error_set_errno(error, errno, "%s", backup->part);
    return sync_directory(backup->path, error);
}

static int answer_backup(struct database *database, struct request *request, struct error *error)
{
    struct backup backup = {.path = request_given(request, ":path"), .fd = -1};
    int code;

    backup.part = format_text("%s.part", backup.path);
    code = claim(&backup, error);
    if (!code)
        code = copy_database(database, &backup, error);
    if (!code)
        code = hash_file(&backup, error);
    if (!code)
        code = publish(&backup, error);
    if (!code)
        request_result(request, json_pack("{s:I, s:s, s:I, s:s}", "size", (json_int_t)backup.size, "sha256",
                                          backup.sha256, "sequence", (json_int_t)backup.sequence, "hash",
                                          backup.hash));
    if (backup.fd >= 0) {
        (void)close(backup.fd);
        if (code)
            (void)unlink(backup.part);
    }
    free(backup.part);
    return code;
}

void store_backup(struct store *store, const char *path, store_answer *answer, void *context)
{
    struct request *request = request_new(store->reader, QUERY_HEAD, answer_backup, answer, context);

    request_text(request, ":path", path);
    request_submit(request);
}
