/* SPDX-License-Identifier: Apache-2.0 */
#include "tls.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PEM_MAX_BYTES 262144

static int read_text(int file, char *text, size_t size, const char *path, struct error *error)
{
    size_t used = 0;

    while (used < size) {
        ssize_t count = read(file, text + used, size - used);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return error_set_errno(error, errno, "cannot read %s", path);
        if (!count)
            break;
        used += (size_t)count;
    }
    text[used] = '\0';
    return 0;
}

static int read_pem(char **text, const char *path, bool secret, struct error *error)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat info;
    int status = 0;

    if (file < 0 || fstat(file, &info) < 0)
        status = error_set_errno(error, errno, "cannot read %s", path);
    else if (!S_ISREG(info.st_mode) || info.st_size <= 0 || info.st_size > PEM_MAX_BYTES)
        status = error_set(error, -EINVAL, "%s is no PEM file", path);
    else if (secret && info.st_mode & S_IRWXO)
        status = error_set(error, -EINVAL, "the key %s can be read by everybody: chmod o= %s", path, path);
    else if (!(*text = sodium_malloc((size_t)info.st_size + 1)))
        status = error_set(error, -ENOMEM, "no memory for %s", path);
    else
        status = read_text(file, *text, (size_t)info.st_size, path, error);
    if (file >= 0)
        (void)close(file);
    return status;
}

static gnutls_datum_t datum_of(char *text)
{
    return (gnutls_datum_t){.data = (unsigned char *)text, .size = (unsigned)strlen(text)};
}

/* What would otherwise be noticed by the first client. */
static int check_files(const struct tls_files *files, const char *certificate, const char *client_ca,
                       struct error *error)
{
    gnutls_certificate_credentials_t credentials;
    gnutls_datum_t pem = datum_of(files->certificate), key = datum_of(files->key);
    int status = 0, code;

    if (gnutls_certificate_allocate_credentials(&credentials) < 0)
        return error_set(error, -ENOMEM, "no memory for %s", certificate);
    code = gnutls_certificate_set_x509_key_mem(credentials, &pem, &key, GNUTLS_X509_FMT_PEM);
    if (code < 0)
        status = error_set(error, -EINVAL, "%s and its key: %s", certificate, gnutls_strerror(code));
    if (!status && files->client_ca) {
        gnutls_datum_t trust = datum_of(files->client_ca);

        if (gnutls_certificate_set_x509_trust_mem(credentials, &trust, GNUTLS_X509_FMT_PEM) < 1)
            status = error_set(error, -EINVAL, "%s holds no certificate", client_ca);
    }
    gnutls_certificate_free_credentials(credentials);
    return status;
}

int tls_read(struct tls_files *files, const char *certificate, const char *key, const char *client_ca,
             struct error *error)
{
    int status;

    *files = (struct tls_files){.certificate = NULL};
    if (!certificate || !*certificate)
        return 0;
    if (!key || !*key)
        return error_set(error, -EINVAL, "%s has no key beside it", certificate);
    status = read_pem(&files->certificate, certificate, false, error);
    if (!status)
        status = read_pem(&files->key, key, true, error);
    if (!status && client_ca && *client_ca)
        status = read_pem(&files->client_ca, client_ca, false, error);
    if (!status)
        status = check_files(files, certificate, client_ca, error);
    if (status)
        tls_clear(files);
    return status;
}

void tls_clear(struct tls_files *files)
{
    sodium_free(files->certificate);
    sodium_free(files->key);
    sodium_free(files->client_ca);
    *files = (struct tls_files){.certificate = NULL};
}

/* --- Clients ------------------------------------------------------------------------------------------- */

static bool is_printable(const char *text)
{
    for (; *text; text++)
        if (*text <= 0x20 || *text > 0x7e)
            return false;
    return true;
}

static bool read_name(gnutls_x509_crt_t certificate, struct tls_peer *peer)
{
    size_t size = sizeof peer->name;

    return gnutls_x509_crt_get_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, 0, peer->name, &size) ==
               GNUTLS_E_SUCCESS &&
           strlen(peer->name) == size && size && is_printable(peer->name);
}

/* Several units may be named, each with several roles; a unit that is no role says nothing to us. */
static void read_roles(gnutls_x509_crt_t certificate, struct tls_peer *peer)
{
    char unit[ROLES_MAX + 16];

    for (unsigned i = 0; i < 8; i++) {
        size_t size = sizeof unit;
        int code = gnutls_x509_crt_get_dn_by_oid(certificate, GNUTLS_OID_X520_ORGANIZATIONAL_UNIT_NAME, i, 0,
                                                 unit, &size);

        if (code == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
            return;
        if (code == GNUTLS_E_SUCCESS && strlen(unit) == size)
            peer->roles |= roles_parse(unit);
    }
}

static bool read_certificate(const gnutls_datum_t *der, struct tls_peer *peer)
{
    gnutls_x509_crt_t certificate;
    bool good;

    *peer = (struct tls_peer){.roles = 0};
    if (gnutls_x509_crt_init(&certificate) < 0)
        return false;
    good = gnutls_x509_crt_import(certificate, der, GNUTLS_X509_FMT_DER) == GNUTLS_E_SUCCESS &&
           read_name(certificate, peer);
    if (good)
        read_roles(certificate, peer);
    gnutls_x509_crt_deinit(certificate);
    (void)crypto_hash_sha256(peer->hash, der->data, der->size);
    return good;
}

/* Signed by who we trust, in its time, and made for clients. */
static bool is_trusted(gnutls_session_t session, char *why, size_t size)
{
    gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
                                     .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT};
    gnutls_datum_t text;
    unsigned status = 0;

    if (gnutls_certificate_verify_peers(session, &purpose, 1, &status) < 0) {
        (void)snprintf(why, size, "cannot be checked");
        return false;
    }
    if (!status)
        return true;
    if (gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0) == GNUTLS_E_SUCCESS) {
        (void)snprintf(why, size, "%s", (const char *)text.data);
        gnutls_free(text.data);
    }
    return false;
}

bool tls_peer_read(void *session, struct tls_peer *peer, char *why, size_t size)
{
    unsigned count = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);

    why[0] = '\0';
    if (!chain || !count)
        return false;
    if (!is_trusted(session, why, size))
        return false;
    if (read_certificate(&chain[0], peer))
        return true;
    (void)snprintf(why, size, "names nobody: expected a CN of printable letters, shorter than %d",
                   ROLE_NAME_MAX);
    return false;
}
