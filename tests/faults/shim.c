/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded into a daemon under test: lets calls of one kind fail with a chosen errno, from the n-th on or
 * only that one, as the test commands through a mapped file (FLASHFARM_SHIM names it). Knows nothing of the
 * daemon.
 *
 * Files are told from terminals and sockets by what they are, so that "no room" never means a port. */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind {
    KIND_NONE,
    KIND_OPEN,
    KIND_READ,
    KIND_WRITE,
    KIND_SYNC,
    KIND_TRUNCATE,
    KIND_ACCEPT,
    KIND_LINE,
    KIND_MEMORY
};

/* Laid out as the test writes it: six 64-bit words. */
struct command {
    _Atomic int64_t kind, left, with, for_ever, hits, calls;
};

static struct command nothing;
static struct command *command = &nothing;

static bool fails(enum kind kind)
{
    int64_t left;

    if (atomic_load(&command->kind) != (int64_t)kind)
        return false;
    (void)atomic_fetch_add(&command->calls, 1);
    left = atomic_fetch_sub(&command->left, 1);
    if (left > 1 || (left < 1 && !atomic_load(&command->for_ever)))
        return false;
    (void)atomic_fetch_add(&command->hits, 1);
    errno = (int)atomic_load(&command->with);
    return true;
}

__attribute__((constructor)) static void attach(void)
{
    const char *path = getenv("FLASHFARM_SHIM");
    int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0) : -1;
    void *memory;

    if (fd < 0)
        return;
    memory = mmap(NULL, sizeof *command, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)syscall(SYS_close, fd);
    if (memory != MAP_FAILED)
        command = memory;
}

static enum kind kind_of_write(int fd)
{
    struct stat status;

    if (fd <= STDERR_FILENO || fstat(fd, &status))
        return KIND_NONE;
    return S_ISREG(status.st_mode) ? KIND_WRITE : S_ISCHR(status.st_mode) ? KIND_LINE : KIND_NONE;
}

static bool write_fails(int fd)
{
    enum kind kind = kind_of_write(fd);

    return kind != KIND_NONE && fails(kind);
}

static bool read_fails(int fd)
{
    return kind_of_write(fd) == KIND_WRITE && fails(KIND_READ);
}

/* Files ---------------------------------------------------------------------------------------------------
 */

static int open_for_real(int folder, const char *path, int flags, va_list arguments)
{
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;

    return fails(KIND_OPEN) ? -1 : (int)syscall(SYS_openat, folder, path, flags, mode);
}

#define OPEN(name)                                                                                           \
    int name(const char *path, int flags, ...)                                                               \
    {                                                                                                        \
        va_list arguments;                                                                                   \
        int fd;                                                                                              \
                                                                                                             \
        va_start(arguments, flags);                                                                          \
        fd = open_for_real(AT_FDCWD, path, flags, arguments);                                                \
        va_end(arguments);                                                                                   \
        return fd;                                                                                           \
    }

OPEN(open)
OPEN(open64)

ssize_t read(int fd, void *data, size_t size)
{
    return read_fails(fd) ? -1 : syscall(SYS_read, fd, data, size);
}

ssize_t pread64(int fd, void *data, size_t size, off64_t at)
{
    return read_fails(fd) ? -1 : syscall(SYS_pread64, fd, data, size, at);
}

ssize_t write(int fd, const void *data, size_t size)
{
    return write_fails(fd) ? -1 : syscall(SYS_write, fd, data, size);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at)
{
    return write_fails(fd) ? -1 : syscall(SYS_pwrite64, fd, data, size, at);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    return write_fails(fd) ? -1 : syscall(SYS_writev, fd, parts, count);
}

int fsync(int fd)
{
    return fails(KIND_SYNC) ? -1 : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return fails(KIND_SYNC) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int ftruncate64(int fd, off64_t size)
{
    return fails(KIND_TRUNCATE) ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}

/* Descriptors that others open for us. */
int accept4(int fd, struct sockaddr *restrict address, socklen_t *restrict size, int flags)
{
    return fails(KIND_ACCEPT) ? -1 : (int)syscall(SYS_accept4, fd, address, size, flags);
}

/* Memory --------------------------------------------------------------------------------------------------
 */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

void *malloc(size_t size)
{
    return fails(KIND_MEMORY) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails(KIND_MEMORY) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return fails(KIND_MEMORY) ? NULL : __libc_realloc(old, size);
}
