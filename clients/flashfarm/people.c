/* SPDX-License-Identifier: Apache-2.0 */
/* Who may do what: API keys, people with passwords, and who is told by webhook. Secrets come from files or
 * the terminal, never from the command line, and go to standard output or into a file of mode 0600. */
#include "commands.h"

#include "alloc.h"
#include "show.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PASSWORD_MAX 256

static json_t *roles_of(const struct options *options)
{
    json_t *roles = json_array();

    for (size_t i = 0; i < options->given_count; i++)
        if (options->given[i].option == OPTION_ROLE)
            (void)json_array_append_new(roles, json_string(options->given[i].value));
    return roles;
}

static int delete_thing(struct server *server, const struct options *options, const char *folder,
                        struct error *error)
{
    char *name = http_escape(options->words[1]);
    char *path = format_text("%s/%s", folder, name);
    int status = show_object(server, options, &(struct request){.method = "DELETE", .path = path}, error);

    free(path);
    free(name);
    return status;
}

/* ---- secrets ---- */

/* Overwritten when it is no longer needed. */
static void free_secret(json_t *object, const char *member)
{
    json_t *secret = json_object_get(object, member);
    union {
        const char *in;
        char *out;
    } text = {.in = json_string_value(secret)};

    if (text.out)
        sodium_memzero(text.out, json_string_length(secret));
    json_decref(object);
}

/* A secret that is shown once goes into a new file that nobody else can read, which is there before the
 * secret is made. */
static int call_for_secret(struct server *server, const struct options *options,
                           const struct request *request, const char *member, struct error *error)
{
    const char *output = options_value(options, OPTION_OUTPUT);
    int fd = output ? open(output, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    json_t *answer = NULL, *shown;
    int status;

    if (output && fd < 0)
        return error_set_errno(error, errno, "%s", output);
    status = http_call(server, request, &answer, error);
    if (status == 0 && output && (dprintf(fd, "%s\n", value_text(answer, member)) < 0 || fsync(fd) < 0))
        status = error_set_errno(error, errno, "%s", output);
    if (fd >= 0)
        (void)close(fd);
    if (status < 0 && output)
        (void)unlink(output);
    shown = json_copy(answer);
    if (output)
        (void)json_object_del(shown, member);
    if (status == 0 && show_as_json(options))
        value_print_json(stdout, shown);
    else if (status == 0)
        value_print_object(stdout, shown);
    json_decref(shown);
    free_secret(answer, member);
    return status;
}

/* Where a password may be typed without being seen. */
static void set_echo(bool on)
{
    struct termios settings;

    if (tcgetattr(STDIN_FILENO, &settings))
        return;
    settings.c_lflag = on ? settings.c_lflag | ECHO : settings.c_lflag & ~(tcflag_t)ECHO;
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings);
}

static bool read_line(FILE *file, char line[PASSWORD_MAX])
{
    if (!fgets(line, PASSWORD_MAX, file))
        return false;
    line[strcspn(line, "\r\n")] = '\0';
    return *line != '\0';
}

/* Who gives up while he is asked leaves a terminal behind that shows what is typed. */
static bool ask(const char *question, char line[PASSWORD_MAX])
{
    sigset_t later, before;
    bool good;

    (void)sigemptyset(&later);
    (void)sigaddset(&later, SIGINT);
    (void)sigaddset(&later, SIGTSTP);
    (void)sigprocmask(SIG_BLOCK, &later, &before);
    set_echo(false); /* first: it forgets what was typed before anybody was asked */
    (void)fputs(question, stderr);
    good = read_line(stdin, line);
    set_echo(true);
    (void)fputc('\n', stderr);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return good;
}

static int ask_twice(char password[PASSWORD_MAX], struct error *error)
{
    char again[PASSWORD_MAX] = "";
    bool same = ask("new password: ", password) && ask("once more: ", again) && strcmp(password, again) == 0;

    sodium_memzero(again, sizeof again);
    return same ? 0 : error_set(error, -EINVAL, "the passwords are not the same, or empty");
}

static int read_password(const char *path, char password[PASSWORD_MAX], struct error *error)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    bool good;

    if (!file)
        return error_set_errno(error, errno, "%s", path);
    good = read_line(file, password);
    if (file != stdin)
        (void)fclose(file);
    return good ? 0 : error_set(error, -EINVAL, "%s holds no password in its first line", path);
}

static int find_new_password(const struct options *options, char password[PASSWORD_MAX], struct error *error)
{
    const char *path = options_value(options, OPTION_PASSWORD_FILE);

    if (path && (strcmp(path, "-") != 0 || !isatty(STDIN_FILENO)))
        return read_password(path, password, error);
    if (isatty(STDIN_FILENO))
        return ask_twice(password, error);
    return error_set(error, -EINVAL, "nobody to ask for the password; give --password-file FILE");
}

static int find_old_password(const char *path, char password[PASSWORD_MAX], struct error *error)
{
    if (strcmp(path, "-") != 0 || !isatty(STDIN_FILENO))
        return read_password(path, password, error);
    return ask("present password: ", password) ? 0 : error_set(error, -EINVAL, "the password is empty");
}

/* ---- keys ---- */

int command_keys(struct server *server, const struct options *options, struct error *error)
{
    static const struct column columns[] = {
        {.title = "ID", .path = "id"},
        {.title = "NAME", .path = "name"},
        {.title = "ROLES", .path = "roles"},
        {.title = "CREATED", .path = "created", .format = AS_TIME},
        {.title = "EXPIRES", .path = "expires", .format = AS_TIME},
        {.title = "LAST USED", .path = "last_used", .format = AS_TIME},
        {.title = "STATE", .path = "state"},
        {.title = "BY", .path = "by"},
    };
    static const struct list list = {
        .path = "/v1/keys", .columns = columns, .count = COUNT(columns), .none = "no keys"};

    return show_list(server, options, &list, list.path, error);
}

static int create_key(struct server *server, const struct options *options, struct error *error)
{
    json_t *body = json_pack("{s:s, s:o, s:s*}", "name", options->words[1], "roles", roles_of(options),
                             "expires", options_value(options, OPTION_EXPIRES));
    const struct request request = {.method = "POST", .path = "/v1/keys", .body = body};
    int status = call_for_secret(server, options, &request, "key", error);

    json_decref(body);
    return status;
}

int command_key(struct server *server, const struct options *options, struct error *error)
{
    if (strcmp(options->words[2], "create") == 0)
        return create_key(server, options, error);
    if (strcmp(options->words[2], "revoke") == 0)
        return delete_thing(server, options, "/v1/keys", error);
    return error_set(error, -EINVAL, "cannot '%s' a key; expected NAME create or ID revoke",
                     options->words[2]);
}

/* ---- people ---- */

int command_users(struct server *server, const struct options *options, struct error *error)
{
    static const struct column columns[] = {
        {.title = "NAME", .path = "name"},
        {.title = "ROLES", .path = "roles"},
        {.title = "CREATED", .path = "created", .format = AS_TIME},
        {.title = "PASSWORD", .path = "password"},
        {.title = "BY", .path = "by"},
    };
    static const struct list list = {
        .path = "/v1/users", .columns = columns, .count = COUNT(columns), .none = "nobody can log in"};

    return show_list(server, options, &list, list.path, error);
}

static int call_with_password(struct server *server, const struct options *options, const char *path,
                              json_t *body, struct error *error)
{
    char password[PASSWORD_MAX] = "";
    int status = find_new_password(options, password, error);

    if (status == 0 && json_object_set_new(body, "password", json_string(password)))
        status = error_set(error, -EINVAL, "the password is not UTF-8");
    sodium_memzero(password, sizeof password);
    if (status == 0)
        status = show_object(server, options, &(struct request){.method = "POST", .path = path, .body = body},
                             error);
    free_secret(body, "password");
    return status;
}

/* An admin sets anybody's; a person his own, for which he logs in. */
static int set_password(struct server *server, const struct options *options, const char *path,
                        struct error *error)
{
    const char *old_file = options_value(options, OPTION_OLD_PASSWORD_FILE);
    char old[PASSWORD_MAX] = "";
    json_t *body = json_object();
    int status = old_file ? find_old_password(old_file, old, error) : 0;

    if (status == 0 && old_file)
        status = server_log_in(server, options->words[1], old, error);
    if (status == 0 && old_file)
        (void)json_object_set_new(body, "old", json_string(old));
    sodium_memzero(old, sizeof old);
    if (status == 0)
        return call_with_password(server, options, path, body, error);
    json_decref(body);
    return status;
}

static int set_roles(struct server *server, const struct options *options, const char *path,
                     struct error *error)
{
    json_t *body = json_pack("{s:o}", "roles", roles_of(options));
    int status =
        show_object(server, options, &(struct request){.method = "PUT", .path = path, .body = body}, error);

    json_decref(body);
    return status;
}

int command_user(struct server *server, const struct options *options, struct error *error)
{
    const char *word = options->words[2];
    char *name = http_escape(options->words[1]);
    char *path = format_text("/v1/users/%s", name), *password = format_text("%s/password", path);
    int status;

    if (strcmp(word, "add") == 0)
        status = call_with_password(
            server, options, "/v1/users",
            json_pack("{s:s, s:o}", "name", options->words[1], "roles", roles_of(options)), error);
    else if (strcmp(word, "password") == 0)
        status = set_password(server, options, password, error);
    else if (strcmp(word, "roles") == 0)
        status = set_roles(server, options, path, error);
    else if (strcmp(word, "remove") == 0)
        status = delete_thing(server, options, "/v1/users", error);
    else
        status =
            error_set(error, -EINVAL, "cannot '%s' a user; expected add, roles, password or remove", word);
    free(password);
    free(path);
    free(name);
    return status;
}

/* ---- webhooks ---- */

int command_webhooks(struct server *server, const struct options *options, struct error *error)
{
    static const struct column columns[] = {
        {.title = "ID", .path = "id"},
        {.title = "URL", .path = "url"},
        {.title = "TOPICS", .path = "topics"},
        {.title = "STATE", .path = "state"},
        {.title = "DELIVERED", .path = "delivered"},
        {.title = "FAILURES", .path = "failures"},
        {.title = "REASON", .path = "reason|last_error"},
    };
    static const struct list list = {
        .path = "/v1/webhooks", .columns = columns, .count = COUNT(columns), .none = "no webhooks"};

    return show_list(server, options, &list, list.path, error);
}

/* "run.ended,job.state" */
static json_t *topics_of(const char *text)
{
    json_t *topics = json_array();

    while (text && *text) {
        size_t size = strcspn(text, ",");

        if (size)
            (void)json_array_append_new(topics, json_stringn(text, size));
        text += size + (text[size] == ',');
    }
    return topics;
}

int command_webhook(struct server *server, const struct options *options, struct error *error)
{
    json_t *body;
    int status;

    if (strcmp(options->words[2], "remove") == 0)
        return delete_thing(server, options, "/v1/webhooks", error);
    if (strcmp(options->words[2], "add") != 0)
        return error_set(error, -EINVAL, "cannot '%s' a webhook; expected URL add or ID remove",
                         options->words[2]);
    body = json_pack("{s:s}", "url", options->words[1]);
    if (options_value(options, OPTION_TOPICS))
        (void)json_object_set_new(body, "topics", topics_of(options_value(options, OPTION_TOPICS)));
    status = call_for_secret(server, options,
                             &(struct request){.method = "POST", .path = "/v1/webhooks", .body = body},
                             "secret", error);
    json_decref(body);
    return status;
}
