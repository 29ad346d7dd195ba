/* SPDX-License-Identifier: Apache-2.0 */
#include "context.h"
#include "handlers.h"
#include "webhooks.h"

void get_webhooks(struct request *request)
{
    const struct api *api = request->context;

    webhooks_list(api->webhooks, request);
}

void post_webhook(struct request *request)
{
    const struct api *api = request->context;

    webhooks_create(api->webhooks, request);
}

void delete_webhook(struct request *request)
{
    const struct api *api = request->context;

    webhooks_remove(api->webhooks, request);
}
