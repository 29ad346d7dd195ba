/* SPDX-License-Identifier: Apache-2.0 */
/* Stations that are unlike their peers. The expected figures are worked out by hand beside each case. */
#include "odd.h"

#include "test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void check_close(double got, double want)
{
    if (!CHECK(fabs(got - want) < 1e-9 * fmax(1, fabs(want))))
        (void)fprintf(stderr, "  got %.12g, want %.12g\n", got, want);
}

static void test_score(void)
{
    static const double four_peers[] = {10, 20, 40, 80, 1000};
    static const double five_peers[] = {1, 2, 3, 5, 8, 13};
    static const double alike[] = {0, 0, 0, 0, 2};
    struct odd odd;

    /* The others of 1000: 10 20 40 80; median 30; distances 20 10 10 50, in order 10 10 20 50: median 15. */
    odd = odd_score(four_peers, COUNT(four_peers), 4, 0);
    check_close(odd.peers, 30);
    check_close(odd.score, 970 / (1.4826 * 15));
    /* The others of 10: 20 40 80 1000; median 60; distances 40 20 20 940, median 30. */
    odd = odd_score(four_peers, COUNT(four_peers), 0, 0);
    check_close(odd.peers, 60);
    check_close(odd.score, 50 / (1.4826 * 30));
    /* The others of 3: 1 2 5 8 13; median 5; distances 4 3 0 3 8, median 3. */
    odd = odd_score(five_peers, COUNT(five_peers), 2, 0);
    check_close(odd.peers, 5);
    check_close(odd.score, 2 / (1.4826 * 3));
    /* Peers that agree: the resolution stands for their distance. */
    odd = odd_score(alike, COUNT(alike), 4, 0.5);
    check_close(odd.peers, 0);
    check_close(odd.score, 2 / (1.4826 * 0.5));
    /* And one of them is not odd because of the other. */
    check_close(odd_score(alike, COUNT(alike), 1, 0.5).score, 0);
    /* The least there can be: one peer; a twentieth of it is its distance. */
    odd = odd_score((const double[]){100, 110}, 2, 1, 0);
    check_close(odd.peers, 100);
    check_close(odd.score, 10 / (1.4826 * 5));
}

/* The same by sorting, which is slow and plain. */
static int compare_doubles(const void *one, const void *two)
{
    double a = *(const double *)one, b = *(const double *)two;

    return (a > b) - (a < b);
}

static double plain_median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare_doubles);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static void check_plainly(const double *sorted, size_t count, size_t self)
{
    double others[40], distances[40], median;
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        if (i != self)
            others[n++] = sorted[i];
    median = plain_median(others, n);
    for (size_t i = 0; i < n; i++)
        distances[i] = fabs(others[i] - median);
    check_close(odd_score(sorted, count, self, 1e-3).peers, median);
    check_close(odd_score(sorted, count, self, 1e-3).score,
                fabs(sorted[self] - median) /
                    (1.4826 * fmax(plain_median(distances, n), fmax(1e-3, fabs(median) / 20))));
}

static void test_against_sorting(void)
{
    unsigned random = 1;
    double values[40];

    for (size_t round = 0; round < 300; round++) {
        size_t count = 2 + round % (COUNT(values) - 1);

        for (size_t i = 0; i < count; i++) {
            random = random * 1103515245 + 12345;
            values[i] = random >> 16 & (round % 3 ? 7 : 1023); /* many that are the same; few */
        }
        qsort(values, count, sizeof *values, compare_doubles);
        for (size_t self = 0; self < count; self++)
            check_plainly(values, count, self);
    }
}

static json_t *station(const char *name, const char *chip, int runs, double naks)
{
    return json_pack("{s:s, s:s, s:s?, s:i, s:{s:n, s:f, s:f}}", "station", name, "protocol", "stm32-uart",
                     "chip", chip, "runs", runs, "measures", "contact_attempts", "naks", naks, "retries",
                     0.0);
}

/* "A5 naks 3 1 27.2;" for each that is odd. */
static char *marked(json_t *stations)
{
    const json_t *item, *odd;
    char *text = NULL;
    size_t size, i, j;
    FILE *out = open_memstream(&text, &size);

    odd_mark(stations);
    json_array_foreach (stations, i, item) {
        CHECK(json_is_array(json_object_get(item, "odd")));
        json_array_foreach (json_object_get(item, "odd"), j, odd)
            (void)fprintf(out, "%s %s %g %g %g;", json_string_value(json_object_get(item, "station")),
                          json_string_value(json_object_get(odd, "measure")),
                          json_number_value(json_object_get(odd, "value")),
                          json_number_value(json_object_get(odd, "peers")),
                          json_number_value(json_object_get(odd, "score")));
    }
    (void)fclose(out);
    json_decref(stations);
    return text;
}

static void check_marked(json_t *stations, const char *want)
{
    char *text = marked(stations);

    CHECK_TEXT(text, want);
    free(text);
}

#define CHIP "stm32f103xb"

static void test_mark(void)
{
    /* 2 / (1.4826 * 0.1) = 13.49: the one, and not its four peers. */
    check_marked(json_pack("[o,o,o,o,o]", station("A1", CHIP, 10, 1), station("A2", CHIP, 10, 1),
                           station("A3", CHIP, 50, 3), station("A4", CHIP, 10, 1),
                           station("A5", CHIP, 10, 1)),
                 "A3 naks 3 1 13.49;");
    /* Three peers are too few, */
    check_marked(json_pack("[o,o,o,o]", station("A1", CHIP, 10, 1), station("A2", CHIP, 10, 1),
                           station("A3", CHIP, 10, 3), station("A4", CHIP, 10, 1)),
                 "");
    /* nor is one with another chip a peer, or one with few runs, or one that has none. */
    check_marked(json_pack("[o,o,o,o,o]", station("A1", CHIP, 10, 1), station("A2", CHIP, 10, 1),
                           station("A3", CHIP, 10, 3), station("A4", CHIP, 10, 1),
                           station("A5", "stm32f407xg", 10, 1)),
                 "");
    check_marked(json_pack("[o,o,o,o,o]", station("A1", CHIP, 10, 1), station("A2", CHIP, 10, 1),
                           station("A3", CHIP, 10, 3), station("A4", CHIP, 10, 1), station("A5", CHIP, 9, 1)),
                 "");
    check_marked(json_pack("[o,o,o,o,o]", station("A1", CHIP, 10, 1), station("A2", CHIP, 10, 1),
                           station("A3", CHIP, 10, 3), station("A4", CHIP, 10, 1), station("A5", NULL, 0, 0)),
                 "");
    check_marked(json_array(), "");
    /* Two kinds of chip side by side, whose numbers lie between each other. */
    check_marked(json_pack("[o,o,o,o,o,o,o,o,o,o]", station("A1", CHIP, 10, 0), station("B1", "x", 10, 5),
                           station("A2", CHIP, 10, 5), station("B2", "x", 10, 6), station("A3", CHIP, 10, 0),
                           station("B3", "x", 10, 5), station("A4", CHIP, 10, 0), station("B4", "x", 10, 5),
                           station("A5", CHIP, 10, 0), station("B5", "x", 10, 0)),
                 "A2 naks 5 0 33.72;B5 naks 0 5 13.49;");
}

/* Just on this side of the threshold, and just on the other: 3.5 * 1.4826 * 0.1 = 0.51891 from the peers. */
static void test_threshold(void)
{
    check_marked(json_pack("[o,o,o,o,o]", station("A1", CHIP, 10, 0), station("A2", CHIP, 10, 0),
                           station("A3", CHIP, 10, 0.5189), station("A4", CHIP, 10, 0),
                           station("A5", CHIP, 10, 0)),
                 "");
    check_marked(json_pack("[o,o,o,o,o]", station("A1", CHIP, 10, 0), station("A2", CHIP, 10, 0),
                           station("A3", CHIP, 10, 0.52), station("A4", CHIP, 10, 0),
                           station("A5", CHIP, 10, 0)),
                 "A3 naks 0.52 0 3.51;");
    /* Less than the others is unlike them too. */
    check_marked(json_pack("[o,o,o,o,o]", station("A1", CHIP, 10, 1), station("A2", CHIP, 10, 1),
                           station("A3", CHIP, 10, 0), station("A4", CHIP, 10, 1),
                           station("A5", CHIP, 10, 1)),
                 "A3 naks 0 1 6.74;");
}

static const struct test tests[] = {
    {"score", test_score},
    {"score against sorting", test_against_sorting},
    {"mark", test_mark},
    {"threshold", test_threshold},
};

TEST_MAIN(tests)
