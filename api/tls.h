/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates: the daemon's own, read from files and checked before anything is served with them, and those
 * that clients show. The only file besides http.c that knows of TLS; gnutls is what libmicrohttpd uses
 * inside. */
#ifndef FLASHFARM_API_TLS_H
#define FLASHFARM_API_TLS_H

#include "result.h"
#include "roles.h"

#include <stdbool.h>

/* PEM texts in memory that is neither swapped nor dumped; NULL: no such file. */
struct tls_files {
    char *certificate, *key, *client_ca;
};
/* Paths may be NULL or empty. -EINVAL: the key is not that of the certificate, can be read by everybody, … */
int tls_read(struct tls_files *files, const char *certificate, const char *key, const char *client_ca,
             struct error *error);
void tls_clear(struct tls_files *files);

/* What a client's certificate says, which somebody we trust has signed for the use as a client. */
struct tls_peer {
    char name[ROLE_NAME_MAX]; /* CN */
    unsigned roles;           /* OU; 0: none that we know */
    unsigned char hash[32];   /* SHA-256 of the certificate */
};
/* Of a gnutls_session_t; false: it has shown none, or not a good one (`why` says so, "" for none). */
bool tls_peer_read(void *session, struct tls_peer *peer, char *why, size_t size);

#endif
