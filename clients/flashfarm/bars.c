/* SPDX-License-Identifier: Apache-2.0 */
#include "bars.h"

#include "alloc.h"
#include "clock.h"

#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DRAW_EVERY_US 100000
#define BAR_MOST      40
#define BAR_LEAST     8

static bool is_set(const char *name)
{
    const char *value = getenv(name);

    return value && *value;
}

void bars_open(struct bars *bars, FILE *out)
{
    const char *term = getenv("TERM");

    *bars = (struct bars){.out = out};
    if (out)
        bars->in_place = isatty(fileno(out)) && term && strcmp(term, "dumb") != 0;
    bars->color = bars->in_place && !is_set("NO_COLOR");
    bars->unicode = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

void bars_close(struct bars *bars)
{
    bars_draw(bars, true);
    free(bars->bars);
    *bars = (struct bars){.out = NULL};
}

struct bar *bars_of(struct bars *bars, const char *station)
{
    struct bar *bar;

    for (size_t i = 0; i < bars->count; i++)
        if (strcmp(bars->bars[i].station, station) == 0)
            return &bars->bars[i];
    bars->bars = reallocate(bars->bars, bars->count + 1, sizeof *bars->bars);
    bar = &bars->bars[bars->count++];
    *bar = (struct bar){.state = BAR_WAITING};
    (void)snprintf(bar->station, sizeof bar->station, "%s", station);
    return bar;
}

static const char *color_of(const struct bars *bars, enum bar_state state)
{
    if (!bars->color)
        return "";
    switch (state) {
    case BAR_WAITING:
        return "\033[2m";
    case BAR_RUNNING:
        return "\033[36m";
    case BAR_PASSED:
        return "\033[32m";
    case BAR_FAILED:
        return "\033[1;31m";
    }
    return "";
}

static double seconds_of(const struct bar *bar)
{
    int64_t end_us = bar->state == BAR_RUNNING ? clock_monotonic_us(&clock_system) : bar->ended_us;

    return bar->started_us ? (double)(end_us - bar->started_us) / 1e6 : 0;
}

/* What stands to the right of a bar. */
static void describe(const struct bar *bar, char text[240])
{
    switch (bar->state) {
    case BAR_WAITING:
        (void)snprintf(text, 240, "%s", *bar->note ? bar->note : "waiting");
        break;
    case BAR_RUNNING:
        (void)snprintf(text, 240, "%-9s %6.1f s", bar->phase, seconds_of(bar));
        break;
    case BAR_PASSED:
    case BAR_FAILED:
        (void)snprintf(text, 240, "%s  %.1f s", bar->note, seconds_of(bar));
        break;
    }
}

static void draw_cells(const struct bars *bars, double percent, int cells)
{
    int full = (int)(percent / 100.0 * cells + 0.5);

    for (int i = 0; i < cells; i++)
        (void)fputs(i < full ? (bars->unicode ? "█" : "#") : (bars->unicode ? "░" : "."), bars->out);
}

/* Not one character more than the line has: a wrapped line would spoil the way up. */
static void draw_bar(struct bars *bars, const struct bar *bar, int name_width, int columns)
{
    char text[240];
    int cells = columns - name_width - 8 - 22;
    int rest;

    if (cells > BAR_MOST)
        cells = BAR_MOST;
    if (cells < BAR_LEAST)
        cells = BAR_LEAST;
    rest = columns - 1 - (name_width + 1 + cells + 6 + 1);
    describe(bar, text);
    (void)fprintf(bars->out, "\033[2K%-*.*s %s", name_width, name_width, bar->station,
                  color_of(bars, bar->state));
    draw_cells(bars, bar->percent, cells);
    (void)fprintf(bars->out, " %3.0f %% %.*s%s\n", bar->percent, rest > 0 ? rest : 0, text,
                  bars->color ? "\033[0m" : "");
}

static void draw_title(struct bars *bars, int columns)
{
    size_t of[BAR_FAILED + 1] = {0};
    int passed = 0, failed = 0;
    char text[200];

    for (size_t i = 0; i < bars->count; i++) {
        of[bars->bars[i].state]++;
        passed += bars->bars[i].passed;
        failed += bars->bars[i].failed;
    }
    (void)snprintf(text, sizeof text, "%s: %d passed, %d failed, %zu running, %zu waiting", bars->title,
                   passed, failed, of[BAR_RUNNING], of[BAR_WAITING]);
    (void)fprintf(bars->out, "\033[2K%.*s\n", columns - 1, text);
}

/* When there are more stations than lines, those that run come first, then those that failed. */
static int draw_some(struct bars *bars, int room, int name_width, int columns)
{
    static const enum bar_state order[] = {BAR_RUNNING, BAR_FAILED, BAR_WAITING, BAR_PASSED};
    int drawn = 0;

    if ((size_t)room >= bars->count) {
        for (size_t i = 0; i < bars->count; i++)
            draw_bar(bars, &bars->bars[i], name_width, columns);
        return (int)bars->count;
    }
    for (size_t o = 0; o < sizeof order / sizeof order[0]; o++)
        for (size_t i = 0; i < bars->count && drawn < room; i++)
            if (bars->bars[i].state == order[o]) {
                draw_bar(bars, &bars->bars[i], name_width, columns);
                drawn++;
            }
    return drawn;
}

void bars_draw(struct bars *bars, bool now)
{
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    int64_t now_us = clock_monotonic_us(&clock_system);
    int name_width = 2, drawn;

    if (!bars->in_place || !bars->count || (!now && now_us - bars->drawn_us < DRAW_EVERY_US))
        return;
    (void)ioctl(fileno(bars->out), TIOCGWINSZ, &size);
    if (size.ws_col < 30 || size.ws_row < 4)
        size = (struct winsize){.ws_row = 24, .ws_col = 80};
    for (size_t i = 0; i < bars->count; i++)
        if ((int)strlen(bars->bars[i].station) > name_width)
            name_width = (int)strlen(bars->bars[i].station);
    if (name_width > size.ws_col / 3)
        name_width = size.ws_col / 3;
    if (bars->lines_drawn)
        (void)fprintf(bars->out, "\033[%dA", bars->lines_drawn);
    draw_title(bars, size.ws_col);
    drawn = 1 + draw_some(bars, size.ws_row - 2, name_width, size.ws_col);
    (void)fputs("\033[J", bars->out);
    (void)fflush(bars->out);
    bars->lines_drawn = drawn;
    bars->drawn_us = now_us;
}

void bars_changed(struct bars *bars, const struct bar *bar, bool change)
{
    char text[240];

    if (!bars->out || bars->in_place || !change)
        return;
    describe(bar, text);
    if (bar->state == BAR_RUNNING)
        (void)fprintf(bars->out, "%s: %s\n", bar->station, bar->phase);
    else
        (void)fprintf(bars->out, "%s: %s\n", bar->station, text);
}

void bars_say(struct bars *bars, const char *format, ...)
{
    va_list arguments;

    if (!bars->out)
        return;
    if (bars->lines_drawn)
        (void)fprintf(bars->out, "\033[%dA\033[J", bars->lines_drawn);
    bars->lines_drawn = 0;
    va_start(arguments, format);
    (void)vfprintf(bars->out, format, arguments);
    va_end(arguments);
    (void)fputc('\n', bars->out);
    bars_draw(bars, true);
}
