/* SPDX-License-Identifier: Apache-2.0 */
#include "http.h"

#include "alloc.h"
#include "config.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONNECT_LIMIT_MS 5000L
/* The daemon answers a slow request (a board that is asked who it is) well within this. */
#define SILENCE_LIMIT_S  90L
#define PAGE_MOST        1000
#define CERTIFICATE_MOST 65536

/* There may have been a password or a key in it. */
static void free_wiped(char *text, size_t size)
{
    if (text)
        sodium_memzero(text, size);
    free(text);
}

/* ---- where it is ---- */

/* The key on a line of a daemon's key file, "NAME KEY" or "KEY"; NULL when it is blank or a comment. */
static char *key_on_line(const char *line)
{
    char first[512], second[512];
    int words = sscanf(line, "%511s %511s", first, second);

    if (words < 1 || *first == '#')
        return NULL;
    return copy_text(words == 2 ? second : first);
}

static int read_key(const char *path, char **key, struct error *error)
{
    char *line = NULL;
    size_t room = 0;
    FILE *file = fopen(path, "re");

    *key = NULL;
    if (!file)
        return error_set_errno(error, errno, "key file %s", path);
    while (!*key && getline(&line, &room, file) >= 0)
        *key = key_on_line(line);
    free(line);
    (void)fclose(file);
    return *key ? 0 : error_set(error, -EINVAL, "key file %s holds no key", path);
}

/* "0.0.0.0:80" is where a daemon listens, not where one can go. */
static char *url_of(const char *listen, bool tls)
{
    const char *scheme = tls ? "https" : "http";

    if (strncmp(listen, "0.0.0.0:", 8) == 0)
        return format_text("%s://127.0.0.1:%s", scheme, listen + 8);
    if (strncmp(listen, "[::]:", 5) == 0)
        return format_text("%s://[::1]:%s", scheme, listen + 5);
    return format_text("%s://%s", scheme, listen);
}

/* The first certificate of a PEM file: the daemon's own; those of who signed it come behind. */
static int read_certificate(const char *path, char **certificate, struct error *error)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----", end[] = "-----END CERTIFICATE-----";
    FILE *file = fopen(path, "re");
    char *text = allocate(CERTIFICATE_MOST + 1, 1);
    const char *from, *to;
    int status = 0;

    if (file)
        text[fread(text, 1, CERTIFICATE_MOST, file)] = '\0';
    from = strstr(text, begin);
    to = from ? strstr(from, end) : NULL;
    if (!file)
        status = error_set_errno(error, errno, "tls_certificate %s", path);
    else if (!to)
        status = error_set(error, -EINVAL, "tls_certificate %s holds no certificate", path);
    else
        *certificate = format_text("%.*s\n", (int)(to + strlen(end) - from), from);
    if (file)
        (void)fclose(file);
    free(text);
    return status;
}

/* A key that this user may not read is no error here: the daemon will say that one is needed. */
static int take_from_config(struct server *server, const char *path, struct error *error)
{
    static const struct config_checks anything = {
        .port = NULL, .protocol = NULL, .entry = NULL, .power = NULL};
    struct error ignored = ERROR_NONE;
    struct settings settings;
    char *key_path;
    int status = config_read(path, &anything, &settings, error);

    if (status)
        return status;
    server->url = url_of(settings.listen, settings.tls_certificate[0]);
    if (settings.tls_certificate[0] && !server->ca)
        status = read_certificate(settings.tls_certificate, &server->certificate, error);
    if (status == 0 && !server->key && !server->own) {
        key_path = *settings.key_file ? copy_text(settings.key_file) : format_text("%s/key", settings.state);
        (void)read_key(key_path, &server->key, &ignored);
        free(key_path);
    }
    settings_clear(&settings);
    return status;
}

static const char *option_or_environment(const struct options *options, enum option option, const char *name)
{
    const char *value = options_value(options, option);

    return value ? value : getenv(name);
}

/* A key from the configuration goes only to the daemon of that configuration, never to another URL. */
static int find_url(struct server *server, const struct options *options, struct error *error)
{
    const char *url = option_or_environment(options, OPTION_SERVER, "FLASHFARM_SERVER");
    const char *config = options_value(options, OPTION_CONFIG);

    if (url) {
        if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
            return error_set(error, -EINVAL, "server is '%s'; expected http://ADDRESS:PORT or https://…",
                             url);
        server->url = copy_text(url);
        while (server->url[0] && server->url[strlen(server->url) - 1] == '/')
            server->url[strlen(server->url) - 1] = '\0';
        return 0;
    }
    if (config)
        return take_from_config(server, config, error);
    if (access(CONFIG_DEFAULT_PATH, R_OK) == 0)
        return take_from_config(server, CONFIG_DEFAULT_PATH, error);
    server->url = copy_text("http://127.0.0.1:8470");
    return 0;
}

int server_find(struct server *server, const struct options *options, struct error *error)
{
    const char *ca = option_or_environment(options, OPTION_CA, "FLASHFARM_CA");
    const char *own = options_value(options, OPTION_CERTIFICATE);
    const char *own_key = options_value(options, OPTION_CERTIFICATE_KEY);
    /* Who comes with a certificate wants to be known by it, not by a key that lies about. */
    const char *key_file = own ? options_value(options, OPTION_KEY_FILE)
                               : option_or_environment(options, OPTION_KEY_FILE, "FLASHFARM_KEY_FILE");
    int status = 0;

    *server = (struct server){.curl = curl_easy_init()};
    if (!server->curl)
        return error_set(error, -ENOMEM, "libcurl does not start");
    if (!own != !own_key)
        return error_set(error, -EINVAL, "--certificate and --certificate-key go together");
    server->ca = ca ? copy_text(ca) : NULL;
    server->own = own ? copy_text(own) : NULL;
    server->own_key = own_key ? copy_text(own_key) : NULL;
    if (ca && access(ca, R_OK))
        return error_set_errno(error, errno, "--ca %s", ca);
    if (key_file)
        status = read_key(key_file, &server->key, error);
    return status ? status : find_url(server, options, error);
}

void server_clear(struct server *server)
{
    free(server->url);
    free(server->key);
    free_wiped(server->cookie, server->cookie ? strlen(server->cookie) : 0);
    free(server->ca);
    free(server->certificate);
    free(server->own);
    free(server->own_key);
    if (server->curl)
        curl_easy_cleanup(server->curl);
    *server = (struct server){.url = NULL};
}

/* ---- errors ---- */

static const char *remedy_of(long status)
{
    switch (status) {
    case 401:
        return "; give its key with --key-file FILE, or its configuration with --config FILE";
    case 413:
        return "; the daemon takes smaller ones only";
    case 503:
        return "; try again later";
    default:
        return "";
    }
}

int server_refused(long status, const char *body, size_t size, struct error *error)
{
    json_t *problem = json_loadb(body ? body : "", size, 0, NULL);
    const char *title = json_string_value(json_object_get(problem, "title"));
    const char *detail = json_string_value(json_object_get(problem, "detail"));

    (void)error_set(error, -EPERM, "%s%s%s%s (HTTP %ld)", title ? title : "the daemon refuses",
                    detail ? ": " : "", detail ? detail : "", remedy_of(status), status);
    json_decref(problem);
    return error->code;
}

int server_unreachable(const struct server *server, CURLcode code, const char *details, struct error *error)
{
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE)
        return error_set(
            error, -EHOSTUNREACH,
            "%s is not trusted: %s; what vouches for it is given with --ca FILE, and the name in "
            "the URL must be one of its certificate (or --config FILE on its own host)",
            server->url, details && *details ? details : curl_easy_strerror(code));
    return error_set(
        error, -EHOSTUNREACH,
        "cannot reach flashfarmd at %s: %s; is it running (systemctl status flashfarmd), or is it "
        "elsewhere (--server URL, --config FILE)?",
        server->url, details && *details ? details : curl_easy_strerror(code));
}

/* ---- requests ---- */

struct text {
    char *bytes;
    size_t size;
};

static size_t take_bytes(char *bytes, size_t size, size_t count, void *context)
{
    struct text *text = context;

    text->bytes = reallocate(text->bytes, text->size + size * count + 1, 1);
    memcpy(text->bytes + text->size, bytes, size * count);
    text->size += size * count;
    text->bytes[text->size] = '\0';
    return size * count;
}

static void add_header(struct curl_slist **headers, const char *name, const char *value)
{
    char *line = format_text("%s: %s", name, value);

    *headers = curl_slist_append(*headers, line);
    free(line);
}

static void add_number_header(struct curl_slist **headers, const char *name, int64_t number)
{
    char *value = format_text("\"%lld\"", (long long)number);

    add_header(headers, name, value);
    free(value);
}

/* A certificate from the daemon's own configuration is as good as a key: no other one opens, and so the name
 * in it, which need not be the address it is called by here, does not matter. */
static void set_trust(const struct server *server, CURL *curl)
{
    if (server->certificate) {
        struct curl_blob blob = {
            .data = server->certificate, .len = strlen(server->certificate), .flags = CURL_BLOB_COPY};

        (void)curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &blob);
        (void)curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
        (void)curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    } else if (server->ca) {
        (void)curl_easy_setopt(curl, CURLOPT_CAINFO, server->ca);
        (void)curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
    }
    if (server->own) {
        (void)curl_easy_setopt(curl, CURLOPT_SSLCERT, server->own);
        (void)curl_easy_setopt(curl, CURLOPT_SSLKEY, server->own_key);
    }
}

void server_prepare(const struct server *server, CURL *curl, const char *path, struct curl_slist **headers)
{
    char *url = format_text("%s%s", server->url, path);

    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    free(url);
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* the daemon is on this line, not out there */
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_USERAGENT, "flashfarm/" FLASHFARM_VERSION);
    (void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_LIMIT_MS);
    (void)curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, SILENCE_LIMIT_S);
    set_trust(server, curl);
    if (server->cookie) {
        (void)curl_easy_setopt(curl, CURLOPT_COOKIE, server->cookie);
        add_header(headers, "Origin", server->url); /* no other site makes us do this */
    }
    if (server->key) {
        char *value = format_text("Bearer %s", server->key);

        add_header(headers, "Authorization", value);
        free(value);
    }
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, *headers);
}

static int set_body(CURL *curl, const struct request *request, const char *text, struct error *error)
{
    struct stat status;

    if (request->file) {
        if (fstat(fileno(request->file), &status))
            return error_set_errno(error, errno, "size of the file");
        (void)curl_easy_setopt(curl, CURLOPT_POST, 1L);
        (void)curl_easy_setopt(curl, CURLOPT_READDATA, request->file);
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)status.st_size);
    } else if (request->method && strcmp(request->method, "GET") != 0) {
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(text ? strlen(text) : 0));
        (void)curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, text ? text : "");
    }
    if (request->method)
        (void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
    return 0;
}

static int read_answer(CURL *curl, const struct text *answer, json_t **body, struct error *error)
{
    json_error_t where;
    long status = 0;

    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200 || status > 299)
        return server_refused(status, answer->bytes, answer->size, error);
    if (!body || !answer->size)
        return 0;
    *body = json_loadb(answer->bytes, answer->size, 0, &where);
    if (!*body)
        return error_set(error, -EPERM, "what answers is no flashfarmd: its answer is no JSON (%s)",
                         where.text);
    return 0;
}

/* "name=value" of the first cookie that was answered. */
static char *read_cookie(CURL *curl)
{
    struct curl_header *header;

    if (curl_easy_header(curl, "Set-Cookie", 0, CURLH_HEADER, -1, &header))
        return NULL;
    return format_text("%.*s", (int)strcspn(header->value, ";"), header->value);
}

int http_call(struct server *server, const struct request *request, json_t **body, struct error *error)
{
    char details[CURL_ERROR_SIZE] = "";
    char *text = request->body ? json_dumps(request->body, JSON_COMPACT) : NULL;
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
    struct text answer = {NULL, 0};
    CURLcode code;
    int status;

    if (body)
        *body = NULL;
    curl_easy_reset(server->curl);
    if (request->body)
        add_header(&headers, "Content-Type", "application/json");
    if (request->file)
        add_header(&headers, "Content-Type", request->type ? request->type : "application/octet-stream");
    if (request->if_match)
        add_number_header(&headers, "If-Match", request->if_match);
    if (request->idempotency_key)
        add_header(&headers, "Idempotency-Key", request->idempotency_key);
    server_prepare(server, server->curl, request->path, &headers);
    (void)curl_easy_setopt(server->curl, CURLOPT_ERRORBUFFER, details);
    (void)curl_easy_setopt(server->curl, CURLOPT_WRITEFUNCTION, take_bytes);
    (void)curl_easy_setopt(server->curl, CURLOPT_WRITEDATA, &answer);
    status = set_body(server->curl, request, text, error);
    if (status == 0) {
        code = curl_easy_perform(server->curl);
        status = code ? server_unreachable(server, code, details, error)
                      : read_answer(server->curl, &answer, body, error);
        if (status == 0 && request->cookie)
            *request->cookie = read_cookie(server->curl);
    }
    curl_easy_reset(server->curl); /* it must not keep pointers into this frame */
    curl_slist_free_all(headers);
    free_wiped(answer.bytes, answer.size);
    free_wiped(text, text ? strlen(text) : 0);
    return status;
}

int server_log_in(struct server *server, const char *name, const char *password, struct error *error)
{
    json_t *body = json_pack("{s:s, s:s}", "name", name, "password", password);
    struct request request = {
        .method = "POST", .path = "/v1/session", .body = body, .cookie = &server->cookie};
    int status = body ? http_call(server, &request, NULL, error)
                      : error_set(error, -EINVAL, "the password is not UTF-8");

    json_decref(body);
    free(server->key);
    server->key = NULL;
    return status;
}

int http_get(struct server *server, const char *path, json_t **body, struct error *error)
{
    return http_call(server, &(struct request){.path = path}, body, error);
}

/* Where a download goes, and where a refusal does: only the status tells them apart. */
struct download {
    CURL *curl;
    FILE *to;
    struct text refusal;
};

static size_t take_download(char *bytes, size_t size, size_t count, void *context)
{
    struct download *download = context;
    long status = 0;

    (void)curl_easy_getinfo(download->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200)
        return take_bytes(bytes, size, count, &download->refusal);
    return fwrite(bytes, 1, size * count, download->to);
}

int http_download(struct server *server, const char *path, FILE *to, struct error *error)
{
    struct download download = {.curl = server->curl, .to = to};
    char details[CURL_ERROR_SIZE] = "";
    struct curl_slist *headers = NULL;
    CURLcode code;
    int status;

    curl_easy_reset(server->curl);
    server_prepare(server, server->curl, path, &headers);
    (void)curl_easy_setopt(server->curl, CURLOPT_ERRORBUFFER, details);
    (void)curl_easy_setopt(server->curl, CURLOPT_WRITEFUNCTION, take_download);
    (void)curl_easy_setopt(server->curl, CURLOPT_WRITEDATA, &download);
    code = curl_easy_perform(server->curl);
    if (code == CURLE_WRITE_ERROR)
        status = error_set_errno(error, errno, "writing what was downloaded");
    else if (code)
        status = server_unreachable(server, code, details, error);
    else
        status = read_answer(server->curl, &download.refusal, NULL, error);
    curl_easy_reset(server->curl);
    curl_slist_free_all(headers);
    free(download.refusal.bytes);
    return status;
}

static int get_page(struct server *server, const char *path, int64_t limit, const char *cursor, json_t **page,
                    struct error *error)
{
    char *escaped = cursor ? http_escape(cursor) : NULL;
    char *whole = format_text("%s%climit=%lld%s%s", path, strchr(path, '?') ? '&' : '?', (long long)limit,
                              escaped ? "&cursor=" : "", escaped ? escaped : "");
    int status = http_get(server, whole, page, error);

    free(whole);
    free(escaped);
    if (status == 0 && !json_is_array(json_object_get(*page, "items"))) {
        json_decref(*page);
        *page = NULL;
        status = error_set(error, -EPERM, "what answers is no flashfarmd: its list has no items");
    }
    return status;
}

int http_get_list(struct server *server, const char *path, int64_t limit, json_t **body, struct error *error)
{
    json_t *items = json_array(), *page = NULL, *next = json_null();
    int status;

    *body = NULL;
    do {
        int64_t rest = limit ? limit - (int64_t)json_array_size(items) : PAGE_MOST;

        status = get_page(server, path, rest < PAGE_MOST ? rest : PAGE_MOST, json_string_value(next), &page,
                          error);
        json_decref(next);
        next = json_null();
        if (status == 0) {
            (void)json_array_extend(items, json_object_get(page, "items"));
            if (json_is_string(json_object_get(page, "next")))
                next = json_incref(json_object_get(page, "next"));
            json_decref(page);
        }
    } while (status == 0 && json_is_string(next) && (!limit || (int64_t)json_array_size(items) < limit));
    if (status == 0)
        *body = json_pack("{s:o, s:o}", "items", items, "next", next);
    else
        json_decref(items);
    return status;
}

char *http_escape(const char *text)
{
    char *escaped = curl_easy_escape(NULL, text, 0);
    char *copy = copy_text(escaped ? escaped : "");

    curl_free(escaped);
    return copy;
}
