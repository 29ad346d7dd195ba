/* SPDX-License-Identifier: Apache-2.0 */
/* stations/port_list.c: the most stable name of a device, and a list of whatever this host has. */
#include "alloc.h"
#include "port.h"
#include "port_list.h"

#include "test.h"

#include <stdlib.h>
#include <unistd.h>

struct folder {
    char path[64];
    char *links[5];
    size_t count;
};

static void add_link(struct folder *folder, const char *name, const char *target)
{
    char *link_path = format_text("%s/%s", folder->path, name);

    CHECK(symlink(target, link_path) == 0);
    folder->links[folder->count++] = link_path;
}

static void test_links(void)
{
    struct folder folder = {.path = "/tmp/flashfarm-links-XXXXXX"};
    char path[256] = "", small[24];

    CHECK(mkdtemp(folder.path) != NULL);
    add_link(&folder, "pci-0000:00:14.0-usbv2-0:2.1:1.0-port0", "/dev/null");
    add_link(&folder, "pci-0000:00:14.0-usb-0:2.1:1.0-port0", "../../dev/null");
    add_link(&folder, "pci-0000:00:14.0-usbv3-0:2.1:1.0-port0", "/dev/null");
    add_link(&folder, "pci-0000:00:14.0-usb-0:1:1.0-port0", "/dev/zero");
    add_link(&folder, "a-dangling-one", "/dev/nowhere");
    CHECK(port_list_link(folder.path, "/dev/null", path, sizeof path));
    CHECK_TEXT(path, folder.links[1]);
    CHECK(port_list_link(folder.path, "/dev/zero", path, sizeof path));
    CHECK_TEXT(path, folder.links[3]);
    CHECK(!port_list_link(folder.path, "/dev/full", path, sizeof path));
    CHECK(!port_list_link(folder.path, "/dev/nowhere", path, sizeof path));
    CHECK(!port_list_link(folder.path, "/dev/null", small, sizeof small));
    CHECK(!port_list_link("/dev/nowhere", "/dev/null", path, sizeof path));
    for (size_t i = 0; i < folder.count; i++) {
        (void)unlink(folder.links[i]);
        free(folder.links[i]);
    }
    CHECK(rmdir(folder.path) == 0);
}

/* What is there depends on the host; that each can be named in a configuration does not. */
static void test_list(void)
{
    struct port_found *found = NULL;
    struct error error = ERROR_NONE;
    size_t count = 0;

    if (!CHECK(port_list(&found, &count, &error) == 0))
        return;
    for (size_t i = 0; i < count; i++) {
        CHECK(strncmp(found[i].device, "/dev/", 5) == 0);
        CHECK(port_name_check(found[i].name, &error) == 0);
    }
    free(found);
}

static const struct test tests[] = {{"links", test_links}, {"list", test_list}};
TEST_MAIN(tests)
