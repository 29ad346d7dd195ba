/* SPDX-License-Identifier: Apache-2.0 */
/* The serial ports of this host and the names that survive replugging. libserialport finds the devices; the
 * links that udev makes for them are found here. */
#include "port_list.h"
#include "port.h"

#include "alloc.h"

#include <dirent.h>
#include <errno.h>
#include <libserialport.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* by-path names the socket a board is plugged into, which is what a station is; by-id names the converter,
 * and two converters without a serial number would share it. */
static const char *const link_folders[] = {"/dev/serial/by-path", "/dev/serial/by-id"};

static bool leads_to(const char *link, const char *device)
{
    char *target = realpath(link, NULL);
    bool same = target && strcmp(target, device) == 0;

    free(target);
    return same;
}

bool port_list_link(const char *folder, const char *device, char *path, size_t size)
{
    DIR *directory = opendir(folder);
    bool found = false;

    if (!directory)
        return false;
    for (const struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
        char candidate[512];
        int length = snprintf(candidate, sizeof candidate, "%s/%s", folder, entry->d_name);

        if (length < 0 || (size_t)length >= sizeof candidate || (size_t)length >= size)
            continue;
        if (leads_to(candidate, device) && (!found || strcmp(candidate, path) < 0)) {
            memcpy(path, candidate, (size_t)length + 1);
            found = true;
        }
    }
    (void)closedir(directory);
    return found;
}

static void copy_or_empty(char *to, size_t size, const char *from)
{
    (void)snprintf(to, size, "%s", from ? from : "");
}

static void name_found(struct port_found *found)
{
    char path[sizeof found->name - sizeof "serial:"];

    for (size_t i = 0; i < sizeof link_folders / sizeof link_folders[0]; i++) {
        if (port_list_link(link_folders[i], found->device, path, sizeof path)) {
            (void)snprintf(found->name, sizeof found->name, "serial:%s", path);
            return;
        }
    }
    (void)snprintf(found->name, sizeof found->name, "serial:%s", found->device);
}

static void describe(struct port_found *found, const struct sp_port *handle)
{
    int vendor, product;

    copy_or_empty(found->device, sizeof found->device, sp_get_port_name(handle));
    copy_or_empty(found->description, sizeof found->description, sp_get_port_description(handle));
    name_found(found);
    if (sp_get_port_transport(handle) != SP_TRANSPORT_USB)
        return;
    copy_or_empty(found->usb_serial, sizeof found->usb_serial, sp_get_port_usb_serial(handle));
    if (sp_get_port_usb_vid_pid(handle, &vendor, &product) == SP_OK) {
        found->usb_vendor = (uint16_t)vendor;
        found->usb_product = (uint16_t)product;
    }
}

int port_list(struct port_found **found, size_t *count, struct error *error)
{
    struct sp_port **handles;
    enum sp_return status = sp_list_ports(&handles);

    *count = 0;
    if (status != SP_OK)
        return error_set_errno(error, status == SP_ERR_FAIL ? sp_last_error_code() : ENOMEM,
                               "serial ports cannot be listed");
    while (handles[*count])
        (*count)++;
    *found = allocate(*count + 1, sizeof **found);
    for (size_t i = 0; i < *count; i++)
        describe(&(*found)[i], handles[i]);
    sp_free_port_list(handles);
    return 0;
}
