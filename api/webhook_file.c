/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook_file.h"

#include "alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int write_all(int fd, const char *text)
{
    size_t left = strlen(text);

    while (left) {
        ssize_t count = write(fd, text, left);

        if (count < 0 && errno != EINTR)
            return -1;
        if (count > 0) {
            text += count;
            left -= (size_t)count;
        }
    }
    return fsync(fd);
}

/* The rename itself is durable only when its directory is. */
static int sync_directory(const char *path)
{
    char *directory = copy_text(path);
    int fd, status;

    *strrchr(directory, '/') = '\0';
    fd = open(*directory ? directory : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(directory);
    if (fd < 0)
        return -1;
    status = fsync(fd);
    (void)close(fd);
    return status;
}

int webhook_file_write(const char *path, const char *text, struct error *error)
{
    char *draft = format_text("%s.new", path);
    int fd, status = 0;

    (void)unlink(draft);
    fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || write_all(fd, text) || rename(draft, path) || sync_directory(path))
        status = error_set_errno(error, errno, "cannot write %s", path);
    if (fd >= 0)
        (void)close(fd);
    if (status)
        (void)unlink(draft);
    free(draft);
    return status;
}

json_t *webhook_file_read(const char *path, struct error *error)
{
    json_error_t trouble;
    json_t *object;

    if (access(path, F_OK) && errno == ENOENT)
        return json_object();
    object = json_load_file(path, JSON_REJECT_DUPLICATES, &trouble);
    if (json_is_object(object))
        return object;
    json_decref(object);
    error_set(error, -EINVAL, "%s cannot be read: %s", path, trouble.text);
    return NULL;
}
