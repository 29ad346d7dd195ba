/* SPDX-License-Identifier: Apache-2.0 */
/* Logging in and out, keys, users. Secrets that came in a body are wiped from it once they have been taken.
 */
#include "access.h"
#include "context.h"
#include "handlers.h"
#include "reply.h"

#include <sodium.h>
#include <string.h>

static void wipe(json_t *json, const char *member)
{
    json_t *value = json_object_get(json, member);

    if (json_is_string(value)) /* ours: nobody else holds it */
        sodium_memzero((char *)(uintptr_t)json_string_value(value), json_string_length(value));
}

static void forget(struct request *request)
{
    wipe(request->json, "password");
    wipe(request->json, "old");
    if (request->body)
        sodium_memzero(request->body, request->body_size);
}

/* --- Sessions ------------------------------------------------------------------------------------------ */

static void set_cookie(const struct api *api, struct reply *reply, const char *token, int seconds)
{
    reply_add_header(reply, "Set-Cookie",
                     "flashfarm_session=%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Strict%s", token, seconds,
                     api->tls ? "; Secure" : "");
}

static void refuse_for_now(struct request *request, int retry_s, const char *detail)
{
    struct reply reply = {.status = 0};

    reply_add_header(&reply, "Retry-After", "%d", retry_s);
    reply_problem_with(request, PROBLEM_TOO_MANY, detail, NULL, &reply);
}

static void on_login(void *context, const struct login *login)
{
    struct request *request = context;
    const struct api *api = request->context;
    struct reply reply = {.status = 200};

    switch (login->result) {
    case LOGIN_GRANTED:
        set_cookie(api, &reply, login->token, access_session_s(api->access));
        reply_json_with(request, login->who, &reply);
        return;
    case LOGIN_REFUSED:
        reply_add_header(&reply, "WWW-Authenticate", "Bearer realm=\"flashfarm\"");
        reply_problem_with(request, PROBLEM_UNAUTHORIZED, "name or password is not right", NULL, &reply);
        return;
    case LOGIN_LOCKED_OUT:
        refuse_for_now(request, login->retry_s,
                       "too many wrong passwords, of this name or from this address");
        return;
    case LOGIN_BUSY:
        refuse_for_now(request, login->retry_s, "too many log-ins at once");
        return;
    case LOGIN_ERROR:
        break;
    }
    reply_error(request, login->error);
}

void post_session(struct request *request)
{
    const struct api *api = request->context;
    const char *name = json_string_value(json_object_get(request->json, "name"));
    const char *password = json_string_value(json_object_get(request->json, "password"));

    if (name && password && json_object_size(request->json) == 2 && strlen(password) < 1024)
        access_login(api->access, name, password, request->from, on_login, request);
    else
        reply_problem(request, PROBLEM_INVALID, "expected {\"name\": text, \"password\": text}");
    forget(request);
}

static struct caller caller_of(const struct request *request)
{
    struct caller caller = {.roles = request->roles, .how = request->how, .credential = request->credential};

    memcpy(caller.name, request->caller, sizeof caller.name);
    return caller;
}

void get_session(struct request *request)
{
    const struct api *api = request->context;
    const struct caller caller = caller_of(request);

    reply_json(request, 200, access_who(api->access, &caller));
}

static void on_logout(void *context, const struct error *error)
{
    struct request *request = context;
    struct reply reply = {.status = 0};

    if (error) {
        reply_error(request, error);
        return;
    }
    set_cookie(request->context, &reply, "", 0);
    reply_empty(request, 204, &reply);
}

void delete_session(struct request *request)
{
    const struct api *api = request->context;

    if (strcmp(request->how, "password") != 0)
        reply_problem(request, PROBLEM_NOT_FOUND, "there is no session: %s came with a %s", request->by,
                      request->how);
    else
        access_logout(api->access, request->by, request->credential, on_logout, request);
}

/* --- Keys and users ------------------------------------------------------------------------------------ */

static void answer_error(struct request *request, const struct error *error)
{
    if (problem_of(error->code) == PROBLEM_IN_PROGRESS)
        refuse_for_now(request, 1, error->text);
    else
        reply_error(request, error);
}

static void on_changed(void *context, json_t *answer, const struct error *error)
{
    if (answer)
        reply_json(context, 200, answer);
    else
        answer_error(context, error);
}

static void on_made(void *context, json_t *answer, const struct error *error)
{
    struct request *request = context;
    struct reply reply = {.status = 201};
    const char *id = json_string_value(json_object_get(answer, "id"));

    if (!answer) {
        answer_error(request, error);
        return;
    }
    if (id)
        reply_add_header(&reply, "Location", "/v1/keys/%s", id);
    else
        reply_add_header(&reply, "Location", "/v1/users/%s",
                         json_string_value(json_object_get(answer, "name")));
    reply_json_with(request, answer, &reply);
}

static void on_removed(void *context, json_t *answer, const struct error *error)
{
    struct request *request = context;
    struct reply reply = {.status = 0};

    if (!answer) {
        answer_error(request, error);
        return;
    }
    json_decref(answer);
    reply_empty(request, 204, &reply);
}

void get_keys(struct request *request)
{
    const struct api *api = request->context;

    reply_json(request, 200, access_keys(api->access));
}

void post_key(struct request *request)
{
    const struct api *api = request->context;

    access_key_create(api->access, request->json, request->by, on_made, request);
}

void delete_key(struct request *request)
{
    const struct api *api = request->context;

    access_key_revoke(api->access, request->match.parts[0], request->by, on_removed, request);
}

void get_users(struct request *request)
{
    const struct api *api = request->context;

    reply_json(request, 200, access_users(api->access));
}

void post_user(struct request *request)
{
    const struct api *api = request->context;

    access_user_create(api->access, request->json, request->by, on_made, request);
    forget(request);
}

void put_user(struct request *request)
{
    const struct api *api = request->context;

    access_user_change(api->access, request->match.parts[0], request->json, request->by, on_changed, request);
}

void delete_user(struct request *request)
{
    const struct api *api = request->context;

    access_user_remove(api->access, request->match.parts[0], request->by, on_removed, request);
}

void post_user_password(struct request *request)
{
    const struct api *api = request->context;
    const char *name = request->match.parts[0];
    bool admin = request->roles & ROLE_ADMIN;

    if (!admin && (strcmp(request->how, "password") != 0 || strcmp(request->by, name) != 0))
        reply_problem(request, PROBLEM_FORBIDDEN,
                      "only %s himself, logged in, or an admin sets this password", name);
    else
        access_user_password(api->access, name, request->json, request->by, admin, on_removed, request);
    forget(request);
}
