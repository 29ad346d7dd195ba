/* SPDX-License-Identifier: Apache-2.0 */
/* Firmware files of this host: <state>/images/<sha256>, never changed once there. */
#ifndef FLASHFARM_JOBS_IMAGES_H
#define FLASHFARM_JOBS_IMAGES_H

#include "farm.h"
#include "image.h"

struct images;

/* Makes the directories when missing and removes uploads that were never finished. */
int images_open(struct images **images, const struct farm_options *options, struct error *error);
void images_close(struct images *images);
const char *images_upload_directory(const struct images *images);

/* farm_image_add(). */
void images_add(struct images *images, const struct farm_upload *upload, farm_answer *answer, void *context);

/* Reads the images of a list of ids (JSON array of texts) from the record and the disk, checks each file
 * against its SHA-256, and merges them into one. On a fiber. -EINVAL: unknown or overlapping images. */
int images_load(struct images *images, const json_t *ids, struct image *merged, struct error *error);

#endif
