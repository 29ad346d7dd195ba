#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who may do what: every route with every role, keys, log-ins, lock-out, cookies, certificates, and that no secret lies
about.

Usage: access_test.py FLASHFARMD [NAME of a play...]"""
import contextlib
import hashlib
import http.client
import json
import os
import re
import select
import signal
import sqlite3
import ssl
import stat
import subprocess
import sys
import tempfile
import threading
import time
import traceback

FLASHFARMD = sys.argv[1]
ONLY = sys.argv[2:]
TIMEOUT_S = 60
ROLES = ("operator", "engineer", "auditor", "admin", "mes")
BY_ROLE = "this is for the roles "
failures = 0


def check(good, what):
    global failures
    if not good:
        failures += 1
        print(f"FAIL {what}", flush=True)
    return good


def same(got, want, what):
    return check(got == want, f"{what}: got {got!r}, want {want!r}")


def until(true, what, timeout_s=TIMEOUT_S):
    """The first thing that is not false; a failure when it does not come."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = true()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout_s} s for {what}")
        time.sleep(0.02)


class Answer:
    def __init__(self, response, body):
        self.status, self.headers, self.body = response.status, response.headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def detail(self):
        return self.json.get("detail", "") if self.body else ""


class Host:
    """A daemon without stations in a folder of its own."""

    def __init__(self, config="", files=None):
        self.folder = tempfile.TemporaryDirectory(prefix="flashfarm-access-")
        self.dir = self.folder.name
        self.state = os.path.join(self.dir, "state")
        self.config = os.path.join(self.dir, "flashfarm.conf")
        self.secrets = []
        self.log = []
        self.process = self.scheme = self.port = None
        self.tls = None  # an SSLContext of the clients
        for name, (text, mode) in (files or {}).items():
            self.write(name, text, mode)
        self.configure(config)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process:
            self.stop()
        self.folder.cleanup()

    def write(self, name, text, mode=0o600):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def configure(self, config, listen="127.0.0.1:0"):
        self.write("flashfarm.conf", f"[daemon]\nlisten = {listen}\nstate = {self.state}\nlog_level = debug\n"
                   + config.replace("@", self.dir + "/"))

    def start(self):
        self.process = subprocess.Popen([FLASHFARMD, "--config", self.config], stderr=subprocess.PIPE, text=True)
        self.port = None
        at = len(self.log)
        ready = threading.Event()
        self.reader = threading.Thread(target=self.read_log, args=(self.process, ready), daemon=True)
        self.reader.start()
        if not ready.wait(TIMEOUT_S) or not self.port:
            raise RuntimeError("flashfarmd did not get ready:\n" + "".join(self.log[at:]))
        with contextlib.suppress(OSError), open(os.path.join(self.state, "key"), encoding="ascii") as file:
            self.key = file.read().split()[-1]
        return self

    def read_log(self, process, ready):
        for line in process.stderr:
            self.log.append(line)
            found = re.search(r" at (https?)://\S+:(\d+)$", line)
            if found and not self.port:
                self.scheme, self.port = found[1], int(found[2])
                ready.set()
        ready.set()
        process.stderr.close()

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        status = self.process.wait(TIMEOUT_S)
        self.reader.join(TIMEOUT_S)
        self.process = None
        if number == signal.SIGTERM:
            same(status, 0, "the daemon's exit status")
        marks = ("Sanitizer", "runtime error:", "detected memory leaks")
        check(not any(mark in line for line in self.log for mark in marks), "".join(self.log[-30:]))

    def refuses(self, words, what):
        """It does not start, and says why."""
        done = subprocess.run([FLASHFARMD, "--config", self.config], capture_output=True, text=True,
                              timeout=TIMEOUT_S, check=False)
        check(done.returncode == 1 and words in done.stderr, f"{what}: {done.returncode} {done.stderr}")

    def connect(self, source=None):
        """`source`: another address of this host to come from."""
        if self.scheme == "https":
            return http.client.HTTPSConnection("localhost", self.port, timeout=TIMEOUT_S, context=self.tls)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S,
                                          source_address=source and (source, 0))

    def ask(self, method, path, body=None, key=None, headers=None, read=True, connection=None):
        """`key`: None for the daemon's own, "" for none."""
        headers = dict(headers or {})
        key = self.key if key is None else key
        if key:
            headers["Authorization"] = f"Bearer {key}"
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        own = connection or self.connect()
        try:
            own.request(method, path, body, headers)
            response = own.getresponse()
            return Answer(response, response.read() if read else b"")
        finally:
            if not connection:
                own.close()

    def make_key(self, name, roles, **more):
        answer = self.ask("POST", "/v1/keys", {"name": name, "roles": roles, **more})
        same(answer.status, 201, f"a key for {name}: {answer.body}")
        self.secrets.append(answer.json["key"])
        return answer.json

    def make_user(self, name, roles, password):
        self.secrets.append(password)
        answer = self.ask("POST", "/v1/users", {"name": name, "roles": roles, "password": password})
        same(answer.status, 201, f"a user {name}: {answer.body}")

    def log_in(self, name, password, source=None, **headers):
        with contextlib.closing(self.connect(source)) as connection:
            answer = self.ask("POST", "/v1/session", {"name": name, "password": password}, "", headers,
                              connection=connection)
        cookie = answer.headers.get("Set-Cookie", "").split(";")[0]
        if cookie:
            self.secrets.append(cookie.partition("=")[2])
        return answer, {"Cookie": cookie}

    def facts(self, kind=None):
        with contextlib.closing(sqlite3.connect(f"file:{self.state}/flashfarm.db?mode=ro", uri=True)) as database:
            rows = database.execute("SELECT kind, body FROM ledger ORDER BY sequence").fetchall()
        return [json.loads(body) for what, body in rows if kind in (None, what)]

    def check_secrets(self):
        """No secret that was ever given or taken is in a file, in the log, or where the kernel shows a process."""
        places = {"the log": "".join(self.log).encode()}
        if self.process:
            for name in ("cmdline", "environ"):
                with open(f"/proc/{self.process.pid}/{name}", "rb") as file:
                    places[name] = file.read()
        for folder, _, names in os.walk(self.state):
            for name in names:
                path = os.path.join(folder, name)
                if name not in ("key", "ledger.key"):
                    with open(path, "rb") as file:
                        places[path] = file.read()
        with open(os.path.join(self.state, "ledger.key"), encoding="ascii") as file:
            secrets = self.secrets + [file.read().strip()]
        if os.path.exists(os.path.join(self.state, "key")):
            secrets.append(self.key)
        for secret in secrets:
            for place, content in places.items():
                check(secret.encode() not in content, f"a secret ({secret[:5]}...) is in {place}")
        for name in ("access.json", "ledger.key"):
            path = os.path.join(self.state, name)
            same(stat.S_IMODE(os.stat(path).st_mode), 0o600, f"mode of {name}")


# --- every route, every role ----------------------------------------------------------------------------------

def operations(document):
    for path, item in document["paths"].items():
        for method in ("get", "post", "put", "patch", "delete"):
            if method in item:
                yield method.upper(), path, item[method]


def ask_operation(host, method, path, operation, key):
    """With the kind of body that the operation wants, so that it gets as far as it can; streams are not read."""
    content = list(operation.get("requestBody", {}).get("content", {}))
    if "$ref" in operation.get("requestBody", {}):
        content = ["application/json"]
    kind = content[0] if content else None
    body = {"application/json": "{}", "text/plain": "x", None: None}.get(kind, b"x")
    headers = {"Content-Type": kind} if kind else {}
    return host.ask(method, re.sub(r"{\w+}", "1", path), body, key, headers, read="/events" not in path)


def play_routes():
    with Host().start() as host:
        document = host.ask("GET", "/openapi.json").json
        keys = {role: host.make_key(role + "-key", [role])["key"] for role in ROLES}
        answers = 0
        for method, path, operation in operations(document):
            name = f"{method} {path}"
            if operation.get("security") == []:
                check(ask_operation(host, method, path, operation, "").status not in (401, 403), f"{name} is open")
                continue
            may = operation.get("x-roles")
            if not check(may and set(may) <= set(ROLES), f"{name} says who may: {may}"):
                continue
            for key in ("", "wrong" * 10):
                answer = ask_operation(host, method, path, operation, key)
                same(answer.status, 401, f"{name} with {'a wrong key' if key else 'no key'}")
            for role, key in keys.items():
                answers += 1
                answer = ask_operation(host, method, path, operation, key)
                refused = answer.status == 403 and answer.detail.startswith(BY_ROLE)
                if role in may:
                    check(not refused and answer.status not in (401, 405, 429), f"{name} is for {role}: {answer.status}")
                    check("403" in operation["responses"] or answer.status != 403, f"{name}: 403 is in the contract")
                else:
                    check(refused, f"{name} is not for {role}: {answer.status} {answer.body[:200]}")
                    check("403" in operation["responses"], f"{name}: 403 is in the contract")
                    named = set(re.findall(r"\w+", answer.detail.removeprefix(BY_ROLE).partition(";")[0]))
                    same(named, set(may), f"{name}: who may, as {role} is told")
        print(f"  {answers} answers of {len(list(operations(document)))} operations to {len(ROLES)} roles")
        check_table(document)
        host.check_secrets()


def check_table(document):
    """What must never be written into the contract by mistake."""
    table = {(method, path): set(operation["x-roles"]) for method, path, operation in operations(document)}
    for (method, path), may in table.items():
        if re.match(r"/v1/(keys|users|webhooks|backups)", path) and method != "GET" and not path.endswith("/password"):
            same(may, {"admin"}, f"{method} {path} is for admins")
        if path.endswith(("/release", "/retire")) and "recipes" in path:
            same(may, {"engineer"}, f"{method} {path} is for engineers")
        if re.match(r"/v1/(stations|jobs|recipes|images|serial)", path) and method != "GET":
            check(not may & {"auditor", "admin"}, f"{method} {path} is nothing for {may}")
    check({"mes", "operator", "engineer"} <= table["POST", "/v1/jobs"], "who orders jobs")


# --- keys -----------------------------------------------------------------------------------------------------

def play_keys():
    with Host().start() as host:
        made = host.make_key("line-2", ["mes", "operator"])
        check(re.fullmatch(r"ff_[a-z0-9]{10}_[A-Za-z0-9_-]{43}", made["key"]), "the form of a key")
        same((made["roles"], made["state"], made["by"]), (["operator", "mes"], "active", "local"), "the key")
        same(host.ask("GET", "/v1/session", key=made["key"]).json,
             {"name": "line-2", "roles": ["operator", "mes"], "how": "key", "expires": None}, "who it is")
        listed = host.ask("GET", "/v1/keys").json["items"]
        check("key" not in listed[0] and listed[0]["last_used"], f"shown once, and used: {listed}")
        same(host.ask("GET", "/v1/session", key=made["key"][:-1] + "~").status, 401, "nearly the key")
        for order, status in (({"name": "local", "roles": ["mes"]}, 409), ({"name": "x", "roles": []}, 422),
                              ({"name": "x", "roles": ["root"]}, 422),
                              ({"name": "a b", "roles": ["mes"]}, 422), ({"roles": ["mes"]}, 422),
                              ({"name": "x", "roles": ["mes"], "expires": "2020-01-01T00:00:00Z"}, 422),
                              ({"name": "x", "roles": ["mes"], "expires": 5}, 422),
                              ({"name": "x", "roles": ["mes"], "key": "mine"}, 422)):
            same(host.ask("POST", "/v1/keys", order).status, status, f"a key by {order}")
        soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3))
        brief = host.make_key("brief", ["auditor"], expires=soon)
        same(host.ask("GET", "/v1/keys", key=brief["key"]).status, 200, "a key that expires")
        listening = listen(host, brief["key"])
        answer = until(lambda: (a := host.ask("GET", "/v1/keys", key=brief["key"])).status == 401 and a, "its end")
        check("expired" in answer.detail, answer.detail)
        check_cut_off(listening, "the stream of an expired key")
        check_revocation(host, made)
        same(host.ask("DELETE", "/v1/keys/nosuchkey0").status, 404, "no such key")
        same([(f["action"], f["name"], f["by"]) for f in host.facts("access.key")],
             [("created", "line-2", "local"), ("created", "brief", "local"), ("revoked", "line-2", "local")], "facts")
        for header in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"):
            same(host.ask("GET", "/v1/stations", headers={header: "192.0.2.1"}).status, 401,
                 f"the daemon's own key, passed on by a proxy with {header}")
        lasting = host.make_key("lasting", ["auditor"])
        host.check_secrets()
        host.stop(signal.SIGKILL)
        host.start()
        same(host.ask("GET", "/v1/keys", key=lasting["key"]).status, 200, "a key after a crash")
        same(host.ask("GET", "/v1/session", key=made["key"]).status, 401, "a revoked one after a crash")
        host.check_secrets()


def listen(host, key):
    stream = host.connect()
    stream.request("GET", "/v1/events", headers={"Authorization": "Bearer " + key})
    response = stream.getresponse()
    same(response.status, 200, "an event stream")
    stream.sock.settimeout(6)
    return stream, response


def check_cut_off(listening, what):
    stream, response = listening
    began = time.monotonic()
    with contextlib.suppress(OSError, http.client.HTTPException):
        while time.monotonic() - began < 6 and response.read1(65536):
            pass
    check(time.monotonic() - began < 6, what + " is cut off")
    stream.close()


def check_revocation(host, made):
    """Also for who is listening already."""
    listening = listen(host, made["key"])
    same(host.ask("DELETE", "/v1/keys/" + made["id"]).status, 204, "revoke")
    same(host.ask("GET", "/v1/session", key=made["key"]).status, 401, "a revoked key")
    check_cut_off(listening, "the stream of a revoked key")
    states = {key["name"]: key["state"] for key in host.ask("GET", "/v1/keys").json["items"]}
    same(states, {"line-2": "revoked", "brief": "expired"}, "states of keys")


def play_key_file():
    keys = {role: role * 8 for role in ROLES} | {"mes": "mes" * 12}
    text = "# keys\n" + "".join(f"{role}-file {key} {role}\n" for role, key in keys.items())
    with Host("key_file = @keys\n", {"keys": (text + "both " + "B" * 40 + " auditor,mes\nall " + "A" * 40, 0o600)}) as host:
        host.start()
        for role, key in keys.items():
            who = host.ask("GET", "/v1/session", key=key).json
            same((who["name"], who["roles"]), (role + "-file", [role]), "a key of the file")
            same(host.ask("GET", "/v1/users", key=key).status, 200 if role in ("auditor", "admin") else 403, role)
        same(host.ask("GET", "/v1/session", key="B" * 40).json["roles"], ["auditor", "mes"], "two roles")
        same(host.ask("GET", "/v1/session", key="A" * 40).json["roles"], list(ROLES), "without roles: all")
        check(not os.path.exists(os.path.join(host.state, "key")), "the daemon makes no key beside a key file")
        host.stop()
        for text, words in (("x " + "k" * 40 + " root\n", "'root' after the key; expected roles"),
                            ("x short mes\n", "at least 32 characters"),
                            ("ä " + "k" * 40 + "\n", "at most 63 ASCII"), ("x" * 64 + " " + "k" * 40, "at most 63"),
                            ("", "holds no key")):
            host.write("keys", text)
            host.refuses(words, "a bad key file")
        host.write("keys", "x " + "k" * 40, 0o604)
        host.refuses("can be read by everybody", "an open key file")


def play_rate():
    """One key may not take the daemon from the others; the daemon's own has no limit."""
    with Host().start() as host:
        key = host.make_key("busy", ["auditor"])["key"]
        connection = host.connect()
        statuses = []
        while len(statuses) < 20000 and 429 not in statuses:
            answer = host.ask("GET", "/v1/session", key=key, connection=connection)
            statuses.append(answer.status)
        check(statuses.count(200) >= 400, f"a burst of 400: {statuses.count(200)}")
        if same(answer.status, 429, "in the end"):
            check(answer.headers["Retry-After"] == "1" and "too-many" in answer.json["type"], f"{answer.body}")
        same({host.ask("GET", "/v1/session", connection=connection).status for _ in range(1500)}, {200},
             "the daemon's own key, on and on")
        until(lambda: host.ask("GET", "/v1/session", key=key, connection=connection).status == 200, "the next token")
        # Who has no key has an address: so many wrong ones, and no more.
        statuses = []
        while len(statuses) < 20000 and 429 not in statuses:
            statuses.append(host.ask("GET", "/v1/session", key="wrong" * 10, connection=connection).status)
        check(statuses.count(401) >= 400 and statuses[-1] == 429, f"wrong keys: {len(statuses)}")
        connection.close()


# --- people ---------------------------------------------------------------------------------------------------

EVA = "correct horse battery staple"
TOM = "staple battery horse correct"
UWE = "tin whistle on the roof"


def play_sessions():
    with Host().start() as host:
        host.make_user("eva", ["engineer"], EVA)
        answer, cookie = host.log_in("eva", EVA)
        same(answer.status, 200, f"log in: {answer.body}")
        who = answer.json
        same((who["name"], who["roles"], who["how"]), ("eva", ["engineer"], "password"), "who is it")
        flags = {flag.strip() for flag in answer.headers["Set-Cookie"].split(";")[1:]}
        same(flags, {"Path=/", "Max-Age=28800", "HttpOnly", "SameSite=Strict"}, "flags of the cookie")
        same(host.ask("GET", "/v1/session", key="", headers=cookie).json, who, "the session")
        same(host.ask("GET", "/v1/session", key="", headers={"Cookie": "a=1; " + cookie["Cookie"] + "; b=2"}).json, who,
             "one cookie among others")
        same(host.ask("GET", "/v1/users", key="", headers=cookie).status, 403, "an engineer is no admin")
        same(host.ask("GET", "/v1/session", key="", headers={"Cookie": cookie["Cookie"] + "x"}).status, 401, "not quite")
        check_sites(host, cookie)
        same(host.ask("DELETE", "/v1/session").status, 404, "a key has no session to end")
        site = cookie | {"Sec-Fetch-Site": "same-origin"}
        answer = host.ask("DELETE", "/v1/session", key="", headers=site)
        same(answer.status, 204, "log out")
        check("Max-Age=0" in answer.headers["Set-Cookie"], "the cookie is taken back")
        same(host.ask("GET", "/v1/session", key="", headers=cookie).status, 401, "after the log-out")
        same([fact["name"] for fact in host.facts("access.logout")], ["eva"], "the log-out is on the record")
        check_refused_logins(host)
        check_restart(host)
        host.check_secrets()
        with open(f"/proc/{host.process.pid}/limits", encoding="ascii") as file:
            check(re.search(r"Max core file size\s+0\s+0\s", file.read()), "no core files")


def check_restart(host):
    """Who is logged in stays so; who logged out, or whose password is another, does not."""
    stays, leaves = host.log_in("eva", EVA)[1], host.log_in("eva", EVA)[1]
    host.make_user("tom", ["operator"], TOM)
    changes = host.log_in("tom", TOM)[1]
    site = {"Sec-Fetch-Site": "same-origin"}
    same(host.ask("DELETE", "/v1/session", key="", headers=leaves | site).status, 204, "one logs out")
    path = os.path.join(host.state, "sessions.json")
    leaving = hashlib.sha256(leaves["Cookie"].split("=", 1)[1].encode()).hexdigest()
    until(lambda: leaving not in read(path), "the log-out to be in the file")
    before = read(path)
    same(host.ask("POST", "/v1/users/tom/password", {"password": TOM + "!"}).status, 204, "another password for tom")
    host.stop(signal.SIGKILL)
    with open(path, "w", encoding="ascii") as file:
        file.write(before)  # as if the daemon had died before it was written
    host.start()
    same(host.ask("GET", "/v1/session", key="", headers=stays).json["name"], "eva", "a restart throws nobody out")
    same(host.ask("GET", "/v1/session", key="", headers=leaves).status, 401, "who has logged out stays out")
    same(host.ask("GET", "/v1/session", key="", headers=changes).status, 401, "a session does not outlive its password")
    same(os.stat(path).st_mode & 0o077, 0, "nobody else reads the file of sessions")
    host.stop()
    with open(path, "w", encoding="ascii") as file:
        file.write(before[:-40])
    host.start()
    same(host.ask("GET", "/v1/session", key="", headers=stays).status, 401, "of a damaged file nobody is let in")
    same(host.log_in("eva", EVA)[0].status, 200, "but can log in")


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def check_sites(host, cookie):
    """What a cookie changes comes from our own pages; reading is harmless, and keys are no cookies."""
    own = f"http://127.0.0.1:{host.port}"
    path = "/v1/stations/none/start"
    for headers, status in (({}, 403), ({"Sec-Fetch-Site": "cross-site"}, 403), ({"Sec-Fetch-Site": "same-site"}, 403),
                            ({"Origin": "https://evil.example"}, 403), ({"Origin": "null"}, 403),
                            ({"Origin": own + ".evil.example"}, 403), ({"Origin": own.replace("http", "https")}, 403),
                            ({"Sec-Fetch-Site": "cross-site", "Origin": own}, 403),
                            ({"Sec-Fetch-Site": "same-origin"}, 404), ({"Sec-Fetch-Site": "none"}, 404),
                            ({"Origin": own}, 404)):
        same(host.ask("POST", path, key="", headers=cookie | headers).status, status, f"POST with {headers}")
    same(host.ask("GET", "/v1/stations", key="", headers=cookie | {"Sec-Fetch-Site": "cross-site"}).status, 200, "GET")
    same(host.ask("POST", path, headers=cookie | {"Origin": "https://evil.example"}).status, 404, "a key beside it")
    same(host.log_in("eva", EVA, Origin="https://evil.example")[0].status, 403, "logging in from elsewhere")


def check_refused_logins(host):
    """Wrong names look like wrong passwords, and what was typed as a name is on no record."""
    secret = "my password in the wrong field"
    host.secrets.append(secret)
    unknown, _ = host.log_in(secret, EVA)
    wrong, _ = host.log_in("eva", "not " + EVA)
    same((unknown.status, unknown.json["detail"]), (401, wrong.json["detail"]), "unknown name and wrong password")
    same([(f["name"], f["result"]) for f in host.facts("access.login")],
         [("eva", "granted"), ("", "refused"), ("eva", "refused")], "log-ins on the record")
    for body in ({}, {"name": "eva"}, {"name": "eva", "password": 5}, {"name": "eva", "password": EVA, "more": 1},
                 {"name": "eva", "password": "x" * 2000}):
        same(host.ask("POST", "/v1/session", body, "").status, 422, f"a log-in with {list(body)}")
    same(host.ask("POST", "/v1/session", "name=eva", "", {"Content-Type": "text/plain"}).status, 415, "as a form")


def begin_order(host, headers):
    """The header of a request and a little of its body."""
    body = json.dumps({"name": "late", "roles": ["auditor"]}).encode()
    connection = host.connect()
    connection.putrequest("POST", "/v1/keys")
    for name, value in (headers | {"Content-Type": "application/json", "Content-Length": str(len(body))}).items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(body[:5])
    same(host.ask("GET", "/v1/session").status, 200, "the daemon has seen the header, which came before")
    return connection, body[5:]


def end_order(order):
    connection, rest = order
    connection.send(rest)
    with contextlib.closing(connection):
        return connection.getresponse().status


def play_meanwhile():
    """What is taken away between the header of a request and its body is not there any more."""
    with Host().start() as host:
        key = host.make_key("hasty", ["admin"])
        bearer = {"Authorization": f"Bearer {key['key']}"}
        same(end_order(begin_order(host, bearer)), 201, "an order in two pieces")
        order = begin_order(host, bearer)
        same(host.ask("DELETE", "/v1/keys/" + key["id"]).status, 204, "revoke")
        same(end_order(order), 401, "the key was revoked meanwhile")
        host.make_user("eva", ["admin"], EVA)
        _, cookie = host.log_in("eva", EVA)
        site = cookie | {"Sec-Fetch-Site": "same-origin"}
        order = begin_order(host, site)
        same(host.ask("PUT", "/v1/users/eva", {"roles": ["auditor"]}).status, 200, "a role less")
        same(end_order(order), 403, "the role was taken away meanwhile")
        host.ask("PUT", "/v1/users/eva", {"roles": ["admin"]})
        order = begin_order(host, site)
        same(host.ask("DELETE", "/v1/users/eva").status, 204, "nobody now")
        same(end_order(order), 401, "the user was removed meanwhile")
        same([fact["name"] for fact in host.facts("access.key")], ["hasty", "late", "hasty"], "keys on the record")
        check_one_name(host)
        check_many_sessions(host)


def check_one_name(host):
    """A name is a key's or a user's, also for who asks for both at once."""
    for number in range(40):
        order, statuses = {"name": f"n{number}", "roles": ["mes"]}, []
        asking = [threading.Thread(target=lambda path=path, order=order, statuses=statuses: statuses.append(
            host.ask("POST", path, order).status)) for path in ("/v1/keys", "/v1/users")]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join(TIMEOUT_S)
        if not same(sorted(statuses), [201, 409], f"a key and a user {order['name']} at once"):
            break


def check_many_sessions(host):
    """Who logs in again and again ends sessions of his own, with all that hangs on them."""
    host.make_user("eva", ["auditor"], EVA)
    host.make_user("uwe", ["auditor"], UWE)
    _, other = host.log_in("uwe", UWE)
    _, first = host.log_in("eva", EVA)
    stream = host.connect()
    stream.request("GET", "/v1/events", headers=first)
    response = stream.getresponse()
    stream.sock.settimeout(6)
    for _ in range(32):
        _, last = host.log_in("eva", EVA)
    same(host.ask("GET", "/v1/session", key="", headers=first).status, 401, "his first of 33 sessions")
    same(host.ask("GET", "/v1/session", key="", headers=last).status, 200, "his last")
    same(host.ask("GET", "/v1/session", key="", headers=other).status, 200, "somebody else's")
    check_cut_off((stream, response), "the stream of a session that made room")


def play_users():
    with Host().start() as host:
        host.make_user("eva", ["operator"], EVA)
        host.make_user("root", ["admin"], "a long password for root")
        for order, status in (({"name": "eva", "roles": ["admin"], "password": EVA}, 409),
                              ({"name": "local", "roles": ["admin"], "password": EVA}, 409),
                              ({"name": "bob", "roles": ["admin"], "password": "short"}, 422),
                              ({"name": "bob-is-long", "roles": ["admin"], "password": "bob-is-long"}, 422),
                              ({"name": "bob", "roles": "admin"}, 422), ({"name": "", "roles": ["admin"]}, 422)):
            same(host.ask("POST", "/v1/users", order).status, status, f"a user by {list(order.values())[:2]}")
        same(host.ask("POST", "/v1/keys", {"name": "eva", "roles": ["mes"]}).status, 409, "a key with a user's name")
        _, cookie = host.log_in("eva", EVA)
        site = cookie | {"Sec-Fetch-Site": "same-origin"}
        same(host.ask("GET", "/v1/users", key="", headers=cookie).status, 403, "an operator")
        same(host.ask("PUT", "/v1/users/eva", {"roles": ["operator", "auditor"]}).json["roles"], ["operator", "auditor"],
             "new roles")
        same(host.ask("GET", "/v1/users", key="", headers=cookie).status, 200, "at once, in the same session")
        same(host.ask("PUT", "/v1/users/eva", {"roles": ["operator"]}).status, 200, "roles taken away")
        same(host.ask("GET", "/v1/users", key="", headers=cookie).status, 403, "at once")
        check_own_password(host, cookie, site)
        _, cookie = host.log_in("eva", EVA + "!")
        same(host.ask("DELETE", "/v1/users/eva").status, 204, "remove")
        same(host.ask("GET", "/v1/session", key="", headers=cookie).status, 401, "his session has ended")
        same(host.log_in("eva", EVA + "!")[0].status, 401, "he is nobody now")
        for method in ("PUT", "DELETE"):
            same(host.ask(method, "/v1/users/eva", {"roles": ["mes"]}).status, 404, f"{method} nobody")
        same([(f["name"], f["action"], f["by"]) for f in host.facts("access.user")],
             [("eva", "created", "local"), ("root", "created", "local"), ("eva", "changed", "local"),
              ("eva", "changed", "local"), ("eva", "password", "eva"), ("eva", "removed", "local")], "facts")
        host.check_secrets()


def check_own_password(host, cookie, site):
    path, new = "/v1/users/eva/password", EVA + "!"
    host.secrets.append(new)
    for body, status in (({"password": new}, 422), ({"password": new, "old": "wrong"}, 403),
                         ({"password": "short", "old": EVA}, 422)):
        same(host.ask("POST", path, body, "", site).status, status, f"own password with {list(body)}")
    same(host.ask("POST", "/v1/users/root/password", {"password": new, "old": EVA}, "", site).status, 403, "another's")
    same(host.ask("POST", path, {"password": new, "old": EVA}, "", site).status, 204, "own password")
    same(host.ask("GET", "/v1/session", key="", headers=cookie).status, 401, "a new password ends sessions")
    same(host.log_in("eva", EVA)[0].status, 401, "the old password")


def play_lock_out():
    with Host().start() as host:
        host.make_user("eva", ["operator"], EVA)
        same([host.log_in("eva", "wrong password")[0].status for _ in range(5)], [401] * 5, "five tries")
        locked, _ = host.log_in("eva", EVA)
        same(locked.status, 429, "the sixth, though it is right")
        check(1 <= int(locked.headers["Retry-After"]) <= 2, f"Retry-After {locked.headers['Retry-After']}")
        same(host.log_in("nobody", EVA)[0].status, 429, "another name from this address")
        same(host.log_in("eva", EVA, "127.0.0.2")[0].status, 429, "this name from another address")
        same(host.log_in("adam", "no password", "127.0.0.2")[0].status, 401, "another name from another address")
        began = time.monotonic()
        until(lambda: host.log_in("eva", "wrong password")[0].status == 401, "the end of the lock-out")
        check(time.monotonic() - began < 5, "the first lock-out is short")
        again, _ = host.log_in("eva", EVA)
        check(again.status == 429 and int(again.headers["Retry-After"]) in (3, 4),
              f"the next is longer: {again.status} {again.headers['Retry-After']}")
        until(lambda: host.log_in("eva", EVA)[0].status == 200, "the door to open again")
        same([host.log_in("eva", "wrong password")[0].status for _ in range(5)], [401] * 5, "a fresh start")
        results = [fact["result"] for fact in host.facts("access.login")]
        same(results, ["refused"] * 5 + ["locked-out"] + ["refused"] * 2 + ["locked-out"] + ["granted"] + ["refused"] * 5,
             "every decision is on the record, a closed door once")
        check_crowd(host)


def check_crowd(host):
    """Tries at the same time are no way around."""
    host.stop()
    host.start()
    statuses = []
    tries = [threading.Thread(target=lambda: statuses.append(host.log_in("eva", "wrong password")[0].status))
             for _ in range(20)]
    for one in tries:
        one.start()
    for one in tries:
        one.join(TIMEOUT_S)
    same((statuses.count(401), statuses.count(429)), (5, 15), "twenty at once")


# --- starting -------------------------------------------------------------------------------------------------

def play_refusals():
    with Host() as host:
        host.start().stop()
        for name in ("ledger.key", "access.json"):
            path = os.path.join(host.state, name)
            if not os.path.exists(path):
                with open(path, "w", encoding="ascii") as file:
                    file.write('{"version": 1, "keys": [], "users": []}')
            os.chmod(path, 0o640)
            host.refuses("can be read by others", name)
            os.chmod(path, 0o600)
        path = os.path.join(host.state, "access.json")
        for text in ("{", "{}", '{"version": 1, "keys": {}, "users": []}', '{"version": 1, "keys": [], "users": ""}',
                     '{"version": 2, "keys": [], "users": []}',
                     '{"version": 1, "keys": [{}], "users": []}', '{"version": 1, "keys": [], "users": [{"name": "x"}]}'):
            with open(path, "w", encoding="ascii") as file:
                file.write(text)
            host.refuses("is damaged", f"access.json is {text}")
        os.unlink(path)
        with open(os.path.join(host.state, "ledger.key"), "r+", encoding="ascii") as file:
            file.write("x")
        host.refuses("expected 64 hexadecimal digits", "a broken signing key")


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True)


class Authority:
    """Makes certificates; `folder` has NAME.pem and NAME.key."""

    def __init__(self, folder, name="ca"):
        self.folder, self.name = folder, name
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", "/CN=" + name, "-keyout", self.path(name + ".key"), "-out", self.path(name + ".pem"))

    def path(self, name):
        return os.path.join(self.folder, name)

    def make(self, name, subject, usage, *more):
        with open(self.path(name + ".ext"), "w", encoding="ascii") as file:
            file.write(f"extendedKeyUsage={usage}\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", subject, "-keyout",
                self.path(name + ".key"), "-out", self.path(name + ".csr"))
        openssl("x509", "-req", "-in", self.path(name + ".csr"), "-CA", self.path(self.name + ".pem"), "-CAkey",
                self.path(self.name + ".key"), "-CAcreateserial", "-extfile", self.path(name + ".ext"), "-out",
                self.path(name + ".pem"), *(more or ("-days", "2")))
        os.chmod(self.path(name + ".key"), 0o600)


def client(host, name=None):
    """What a client knows: whom to trust, and what to show."""
    context = ssl.create_default_context(cafile=os.path.join(host.dir, "ca.pem"))
    if name:
        context.load_cert_chain(os.path.join(host.dir, name + ".pem"), os.path.join(host.dir, name + ".key"))
    return context


TLS = "tls_certificate = @server.pem\ntls_key = @server.key\n"


def make_certificates(host):
    ca, other = Authority(host.dir), Authority(host.dir, "other")
    ca.make("server", "/CN=localhost", "serverAuth")
    ca.make("line", "/CN=line-7/OU=operator/OU=Plant 4", "clientAuth")
    ca.make("eva", "/CN=eva/OU=admin", "clientAuth")
    ca.make("nobody", "/CN=somebody", "clientAuth")
    ca.make("wrong-use", "/CN=line-7/OU=admin", "serverAuth")
    ca.make("expired", "/CN=line-7/OU=admin", "clientAuth", "-days", "-1")
    other.make("foreign", "/CN=line-7/OU=admin", "clientAuth")


def play_tls():
    with Host() as host:
        make_certificates(host)
        host.configure(TLS + "tls_client_ca = @ca.pem\n")
        host.start()
        same(host.scheme, "https", "the address that it tells")
        host.tls = client(host)
        same(host.ask("GET", "/healthz", key="").status, 200, "over TLS")
        same(host.ask("GET", "/v1/stations", key="").status, 401, "without key or certificate")
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", host.port, timeout=TIMEOUT_S)) as plain:
            try:
                plain.request("GET", "/healthz")
                check(plain.getresponse().status >= 400, "plain HTTP is answered")
            except (OSError, http.client.HTTPException):
                pass
        check_versions(host)
        check_certificates(host)
        check_long_bodies(host)
        host.make_user("admin", ["admin"], EVA)
        answer, _ = host.log_in("admin", EVA, Origin=f"https://localhost:{host.port}")
        check("; Secure" in answer.headers.get("Set-Cookie", ""), f"Secure: {answer.status} {answer.headers}")
        host.check_secrets()
        host.stop()
        check_network(host)


def check_versions(host):
    for version, good in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)):
        host.tls = client(host)
        host.tls.set_ciphers("ALL:@SECLEVEL=0")
        with __import__("warnings").catch_warnings():
            __import__("warnings").simplefilter("ignore")  # old on purpose
            host.tls.minimum_version = host.tls.maximum_version = version
        try:
            answered = host.ask("GET", "/healthz", key="").status == 200
        except (OSError, http.client.HTTPException):
            answered = False
        same(answered, good, f"{version}")


def check_certificates(host):
    """CN is who, OU is what he may, unless a user of that name says it."""
    host.tls = client(host)
    same(host.ask("POST", "/v1/users", {"name": "eva", "roles": ["auditor"]}).status, 201, "a user without password")
    for name, status, who in (("line", 200, ("line-7", ["operator"])), ("eva", 200, ("eva", ["auditor"])),
                              ("nobody", 403, None), ("wrong-use", 401, None), ("expired", 401, None),
                              ("foreign", 401, None)):
        host.tls = client(host, name)
        for _ in range(2):
            answer = host.ask("GET", "/v1/session", key="")
            same(answer.status, status, f"the certificate '{name}': {answer.body}")
        if who:
            same((answer.json["name"], answer.json["roles"], answer.json["how"]), (*who, "certificate"), name)
    host.tls = client(host, "line")
    same(host.ask("POST", "/v1/stations/none/start", key="").status, 404, "an operator starts stations")
    same(host.ask("GET", "/v1/users", key="").status, 403, "and is no admin")
    same(host.ask("GET", "/v1/users").status, 200, "a key goes before the certificate")
    same([(f["name"], f["roles"], f["result"]) for f in host.facts("access.login") if f["how"] == "certificate"],
         [("line-7", ["operator"], "granted"), ("eva", ["auditor"], "granted")], "each comes onto the record once")


def check_long_bodies(host):
    """What comes and goes in many records: an upload, the contract, a stream that waits."""
    host.tls = client(host)
    data = os.urandom(3_000_000)
    answer = host.ask("POST", "/v1/images?address=0x08000000", data)
    same((answer.status, answer.json.get("size")), (201, len(data)), "an upload over TLS")
    check(len(host.ask("GET", "/openapi.json").body) > 100_000, "a long answer over TLS")
    stream = host.connect()
    stream.request("GET", "/v1/events?topics=access.", headers={"Authorization": "Bearer " + host.key})
    response = stream.getresponse()
    for name in ("one", "two"):
        host.make_key(name, ["mes"])
        line = ""
        while name.encode() not in (line := response.readline()):
            if not check(line, "the stream over TLS goes on"):
                break
    stream.close()


def check_network(host):
    """Where others can reach it: TLS, and somebody of whom it was said that he may."""
    host.configure("", "0.0.0.0:0")
    host.refuses("that needs tls_certificate", "all addresses, plain")
    host.configure("key_file = @keys\n", "0.0.0.0:0")
    host.write("keys", "all " + "A" * 40)
    host.refuses("that needs tls_certificate", "all addresses, plain, with keys")
    host.configure(TLS, "0.0.0.0:0")
    os.unlink(os.path.join(host.state, "access.json"))
    host.refuses("make an admin", "all addresses, with the daemon's own key only")
    host.configure(TLS)
    os.chmod(os.path.join(host.dir, "server.key"), 0o604)
    host.refuses("can be read by everybody", "an open TLS key")
    os.chmod(os.path.join(host.dir, "server.key"), 0o600)
    host.configure(TLS.replace("server.key", "line.key"))
    host.refuses("server.pem and its key", "the key of another certificate")
    host.configure("tls_certificate = @server.pem\n")
    host.refuses("is given without tls_key", "half of it")
    host.configure(TLS + "tls_client_ca = @server.key\n")
    host.refuses("holds no certificate", "no authority")


def main():
    plays = [play_routes, play_keys, play_key_file, play_rate, play_sessions, play_meanwhile, play_users,
             play_lock_out, play_refusals, play_tls]
    for play in plays:
        if ONLY and play.__name__.removeprefix("play_") not in ONLY:
            continue
        before, began = failures, time.monotonic()
        try:
            play()
        except Exception:  # pylint: disable=broad-exception-caught
            check(False, f"{play.__name__}:\n{traceback.format_exc()}")
        verdict = "good" if failures == before else "FAILED"
        print(f"{play.__name__}: {verdict}, {time.monotonic() - began:.1f} s", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
