/* SPDX-License-Identifier: Apache-2.0 */
/* Ports that this host has, and what to write into the configuration to give one a station. */
#include "parts.h"

#include "alloc.h"
#include "await.h"

#include <stdlib.h>
#include <string.h>

/* Every protocol on a line of its own, ready to be uncommented. */
static char *list_protocols(void)
{
    char *text = copy_text("");

    for (size_t i = 0; protocols[i]; i++) {
        char *longer =
            format_text("%s; protocol = %-11s ; %s\n", text, protocols[i]->name, protocols[i]->summary);

        free(text);
        text = longer;
    }
    return text;
}

char *ports_section(const char *name, const char *port)
{
    char *list = list_protocols();
    char *text = format_text("[station %s]\n"
                             "port = %s\n"
                             "; What the board speaks: take the semicolon away before one of these.\n"
                             "%s"
                             "; The highest rate to try; without it, the protocol's own choice.\n"
                             "; baud = 115200\n"
                             "; How the board gets into its loader; without it, a person sees to that.\n"
                             "; entry = dtr-rts\n"
                             "; Where the station is in its fixture.\n"
                             "; position = 1\n",
                             name, port, list);

    free(list);
    return text;
}

struct port_search {
    struct farm *farm;
    farm_answer *answer;
    void *context;
    struct port_found *found;
    size_t count;
    struct error error;
};

static void search_ports(void *argument)
{
    struct port_search *search = argument;

    (void)port_list(&search->found, &search->count, &search->error);
}

/* The first of A1, A2, … that no station has. `last` is the number that was given last. */
static void name_station(const struct farm *farm, unsigned *last, char name[STATION_NAME_MAX])
{
    do
        (void)snprintf(name, STATION_NAME_MAX, "A%u", ++*last);
    while (farm_find_station(farm, name));
}

/* Who uses a device, by the device it opened. */
static const char *station_on(const struct farm *farm, const char *device)
{
    LIST_EACH (node, &farm->stations) {
        const struct station *station = LIST_ENTRY(node, struct station, node);

        if (strcmp(station->traits.path, device) == 0)
            return station->settings.name;
    }
    return NULL;
}

static json_t *describe_section(const struct farm *farm, const struct port_found *port, unsigned *last)
{
    char name[STATION_NAME_MAX];
    json_t *section;
    char *text;

    if (station_on(farm, port->device))
        return json_null();
    name_station(farm, last, name);
    text = ports_section(name, port->name);
    section = json_string(text);
    free(text);
    return section ? section : json_null();
}

static json_t *describe_ports(const struct port_search *search)
{
    json_t *items = json_array();
    unsigned last = 0;

    for (size_t i = 0; i < search->count; i++) {
        const struct port_found *port = &search->found[i];

        (void)json_array_append_new(
            items, json_pack("{s:s,s:s,s:s,s:I,s:I,s:s,s:s?,s:o}", "name", port->name, "device", port->device,
                             "description", port->description, "usb_vendor", (json_int_t)port->usb_vendor,
                             "usb_product", (json_int_t)port->usb_product, "usb_serial", port->usb_serial,
                             "station", station_on(search->farm, port->device), "section",
                             describe_section(search->farm, port, &last)));
    }
    return json_pack("{s:o,s:n}", "items", items, "next");
}

static void run_port_search(void *argument)
{
    struct port_search *search = argument;
    json_t *answer = NULL;

    (void)await_work(search->farm->options.fibers, search_ports, search);
    if (search->error.code == 0)
        answer = describe_ports(search);
    search->answer(search->context, answer, &search->error);
}

static void end_port_search(void *argument)
{
    struct port_search *search = argument;

    free(search->found);
    free(search);
}

void farm_ports(struct farm *farm, farm_answer *answer, void *context)
{
    struct port_search *search = allocate(1, sizeof *search);

    *search = (struct port_search){.farm = farm, .answer = answer, .context = context};
    fiber_start(farm->options.fibers, "ports", run_port_search, end_port_search, search);
}
