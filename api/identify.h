/* SPDX-License-Identifier: Apache-2.0 */
/* Who sends a request, and whether he may: key, session or certificate; the same site for what a cookie
 * changes; the roles that the contract names; not too often. */
#ifndef FLASHFARM_API_IDENTIFY_H
#define FLASHFARM_API_IDENTIFY_H

#include "http.h"

/* The roles of each row of api_routes, from the contract; a row that it does not have is nobody's. */
unsigned *roles_of_routes(void);

/* Fills in request->by, roles, how, credential. False when a problem was answered: 401, 403 or 429. */
bool identify(struct request *request);

/* Calls the handler, once the log-in of a certificate that is new here is on the record. */
void call_handler(struct request *request);

#endif
