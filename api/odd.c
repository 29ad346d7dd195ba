/* SPDX-License-Identifier: Apache-2.0 */
#include "odd.h"

#include "alloc.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* What does not matter on a line, however much the peers agree: a hiccup in ten runs, the pace of a USB hub.
 */
static const struct {
    const char *name;
    double resolution;
} measures[] = {
    {.name = "contact_attempts", .resolution = 0.1}, {.name = "naks", .resolution = 0.1},
    {.name = "retries", .resolution = 0.1},          {.name = "excess_us", .resolution = 10000},
    {.name = "contact_us", .resolution = 10000},
};
#define MEASURES (sizeof measures / sizeof measures[0])

/* The others, as if `self` were not in the array. */
static double other(const double *sorted, size_t self, size_t i)
{
    return sorted[i < self ? i : i + 1];
}

static double median_of_others(const double *sorted, size_t others, size_t self)
{
    double upper = other(sorted, self, others / 2);

    return others % 2 ? upper : (other(sorted, self, others / 2 - 1) + upper) / 2;
}

/* The distances of the lower half, from the middle down, and those of the upper half, from the middle up,
 * both ascend; the median of all is found by going through them together up to the half. */
static double median_distance(const double *sorted, size_t others, size_t self, double median)
{
    size_t upper = 0, lower;
    double distance = 0, before = 0;

    while (upper < others && other(sorted, self, upper) < median)
        upper++;
    lower = upper;
    for (size_t taken = 0; taken <= others / 2; taken++) {
        double down = lower ? median - other(sorted, self, lower - 1) : INFINITY;
        double up = upper < others ? other(sorted, self, upper) - median : INFINITY;

        before = distance;
        distance = fmin(down, up);
        if (down < up)
            lower--;
        else
            upper++;
    }
    return others % 2 ? distance : (before + distance) / 2;
}

struct odd odd_score(const double *sorted, size_t count, size_t self, double resolution)
{
    double median = median_of_others(sorted, count - 1, self);
    double distance = median_distance(sorted, count - 1, self, median);

    distance = fmax(distance, fmax(resolution, fabs(median) / 20));
    return (struct odd){.peers = median, .score = fabs(sorted[self] - median) / (ODD_MAD_SIGMA * distance)};
}

/* One station's figure. */
struct figure {
    json_t *station;
    const char *protocol, *chip;
    double value;
};

/* Peers together, and each of these in ascending order. */
static int compare_figures(const void *one, const void *two)
{
    const struct figure *a = one, *b = two;
    int order = strcmp(a->protocol, b->protocol);

    if (!order)
        order = strcmp(a->chip, b->chip);
    return order ? order : (a->value > b->value) - (a->value < b->value);
}

static bool are_peers(const struct figure *a, const struct figure *b)
{
    return !strcmp(a->protocol, b->protocol) && !strcmp(a->chip, b->chip);
}

static bool read_figure(json_t *station, const char *measure, struct figure *figure)
{
    const json_t *value = json_object_get(json_object_get(station, "measures"), measure);

    *figure = (struct figure){.station = station,
                              .protocol = json_string_value(json_object_get(station, "protocol")),
                              .chip = json_string_value(json_object_get(station, "chip")),
                              .value = json_number_value(value)};
    return figure->protocol && figure->chip && json_is_number(value) &&
           json_integer_value(json_object_get(station, "runs")) >= ODD_RUNS;
}

static double rounded(double value)
{
    return round(value * 100) / 100;
}

static void mark_peers(const struct figure *figures, size_t count, const char *measure, double resolution)
{
    double *sorted = allocate(count, sizeof *sorted);

    for (size_t i = 0; i < count; i++)
        sorted[i] = figures[i].value;
    for (size_t i = 0; i < count && count > ODD_PEERS; i++) {
        struct odd odd = odd_score(sorted, count, i, resolution);

        if (odd.score > ODD_SCORE)
            (void)json_array_append_new(json_object_get(figures[i].station, "odd"),
                                        json_pack("{s:s, s:f, s:f, s:f}", "measure", measure, "value",
                                                  rounded(sorted[i]), "peers", rounded(odd.peers), "score",
                                                  rounded(odd.score)));
    }
    free(sorted);
}

static void mark_measure(json_t *stations, size_t which)
{
    struct figure *figures = allocate(json_array_size(stations) + 1, sizeof *figures);
    json_t *station;
    size_t i, count = 0, first = 0;

    json_array_foreach (stations, i, station)
        if (read_figure(station, measures[which].name, &figures[count]))
            count++;
    qsort(figures, count, sizeof *figures, compare_figures);
    for (i = 1; i <= count; i++)
        if (i == count || !are_peers(&figures[first], &figures[i])) {
            mark_peers(&figures[first], i - first, measures[which].name, measures[which].resolution);
            first = i;
        }
    free(figures);
}

void odd_mark(json_t *stations)
{
    json_t *station;
    size_t i;

    json_array_foreach (stations, i, station)
        (void)json_object_set_new(station, "odd", json_array());
    for (i = 0; i < MEASURES; i++)
        mark_measure(stations, i);
}
