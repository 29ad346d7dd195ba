/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of signatures share: a directory of their own, other programs, and whole files. */
#ifndef FLASHFARM_TESTS_SIGN_SCENE_H
#define FLASHFARM_TESTS_SIGN_SCENE_H

#include "test.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define SCENE_FILE_MAX 1400

struct scene_file {
    uint8_t bytes[SCENE_FILE_MAX];
    size_t size;
};

/* Makes a directory and goes there; the caller removes it by scene_end(). */
static inline void scene_begin(char *directory)
{
    CHECK(mkdtemp(directory) != NULL);
    CHECK(chdir(directory) == 0);
}

/* Runs a program without input and with its output thrown away; whether it ended with 0. */
static inline bool scene_run(const char *const *arguments)
{
    posix_spawn_file_actions_t actions;
    union { /* posix_spawn() changes none of them, but does not say so in its type */
        const char *const *given;
        char *const *wanted;
    } list = {.given = arguments};
    pid_t child;
    int status = -1;
    bool started;

    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    (void)posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    started = posix_spawnp(&child, arguments[0], &actions, NULL, list.wanted, environ) == 0;
    (void)posix_spawn_file_actions_destroy(&actions);
    return started && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static inline void scene_end(const char *directory)
{
    CHECK(chdir("/") == 0);
    CHECK(scene_run((const char *const[]){"rm", "-r", directory, NULL}));
}

static inline void scene_read(const char *path, struct scene_file *file)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = descriptor < 0 ? -1 : read(descriptor, file->bytes, sizeof file->bytes);

    CHECK(size > 0);
    file->size = size > 0 ? (size_t)size : 0;
    if (descriptor >= 0)
        (void)close(descriptor);
}

static inline void scene_write(const char *path, const void *bytes, size_t size)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    CHECK(descriptor >= 0 && write(descriptor, bytes, size) == (ssize_t)size);
    if (descriptor >= 0)
        (void)close(descriptor);
}

#endif
