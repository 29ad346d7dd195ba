/* SPDX-License-Identifier: Apache-2.0 */
#include "upload.h"

#include "alloc.h"
#include "context.h"
#include "reply.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

void upload_begin(struct request *request)
{
    const struct api *api = request->context;
    struct upload *upload = &request->upload;
    struct error error;

    upload->path = format_text("%s/upload-XXXXXX", farm_upload_directory(api->farm));
    upload->fd = mkostemp(upload->path, O_CLOEXEC);
    if (upload->fd >= 0)
        return;
    error_set_errno(&error, errno, "cannot make %s", upload->path);
    free(upload->path);
    upload->path = NULL;
    reply_error(request, &error);
}

void upload_write(struct request *request, const char *data, size_t size)
{
    struct upload *upload = &request->upload;

    upload->size += (int64_t)size;
    if (upload->size > UPLOAD_MAX_BYTES && !upload->error.code)
        error_set(&upload->error, -E2BIG, "the body has more than %lld bytes", (long long)UPLOAD_MAX_BYTES);
    while (size && !upload->error.code) {
        ssize_t count = write(upload->fd, data, size);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0) {
            error_set_errno(&upload->error, errno, "cannot write the uploaded file");
            return;
        }
        data += count;
        size -= (size_t)count;
    }
}

bool upload_end(struct request *request)
{
    struct upload *upload = &request->upload;

    /* Some file systems find out only now that there is no room. */
    if (close(upload->fd) && !upload->error.code)
        error_set_errno(&upload->error, errno, "cannot write the uploaded file");
    upload->fd = -1;
    if (!upload->error.code && !upload->size)
        error_set(&upload->error, -EINVAL, "the body is empty; expected the file");
    if (upload->error.code)
        reply_error(request, &upload->error);
    return !upload->error.code;
}

char *upload_take(struct request *request)
{
    char *path = request->upload.path;

    request->upload.path = NULL;
    return path;
}

void upload_discard(struct request *request)
{
    struct upload *upload = &request->upload;

    if (upload->fd >= 0)
        (void)close(upload->fd);
    if (upload->path)
        (void)unlink(upload->path);
    free(upload->path);
    upload->fd = -1;
    upload->path = NULL;
}
