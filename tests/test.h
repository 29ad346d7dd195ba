/* SPDX-License-Identifier: Apache-2.0 */
/* CHECK(), and nothing more than it needs: a failed check prints where and what, and the test goes on;
 * the process ends with 1 when any failed. One executable per file under test. */
#ifndef FLASHFARM_TESTS_TEST_H
#define FLASHFARM_TESTS_TEST_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct test {
    const char *name;
    void (*run)(void);
};

static int test_failures;

static inline bool test_check(bool good, const char *file, int line, const char *what)
{
    if (!good) {
        test_failures++;
        (void)fprintf(stderr, "%s:%d: failed: %s\n", file, line, what);
    }
    return good;
}

#define CHECK(condition) test_check((condition), __FILE__, __LINE__, #condition)

/* Prints both sides when two texts differ. */
#define CHECK_TEXT(got, want)                                                                                \
    do {                                                                                                     \
        const char *got_text = (got), *want_text = (want);                                                   \
        if (!CHECK(strcmp(got_text, want_text) == 0))                                                        \
            (void)fprintf(stderr, "  got:  %s\n  want: %s\n", got_text, want_text);                          \
    } while (0)

static inline int test_main(const struct test *tests, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int before = test_failures;

        tests[i].run();
        (void)printf("%s %s\n", test_failures == before ? "ok  " : "FAIL", tests[i].name);
    }
    return test_failures ? 1 : 0;
}

#define TEST_MAIN(tests)                                                                                     \
    int main(void)                                                                                           \
    {                                                                                                        \
        return test_main(tests, sizeof(tests) / sizeof((tests)[0]));                                         \
    }

#endif
