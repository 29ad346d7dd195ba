# SPDX-License-Identifier: Apache-2.0
"""A line-side host for one test: simulated boards, the real daemon on them, its interface, its events, its record.

Everything lives in one temporary folder and ends with the block it is used in. Nothing here sleeps for luck: the
daemon's output, its events and the simulator's answers are waited for, each with a limit that is a failure.
"""
import argparse
import contextlib
import ctypes
import http.client
import json
import os
import random
import re
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import traceback
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir, "boards"))

from farm import Checks, Farm  # noqa: E402  pylint: disable=wrong-import-position

FLASH = 0x08000000
CHIP = "stm32f103xb"
PAGE = 1024  # of its flash
JUNK = 0x5A  # what boards hold before they are programmed, so that an erase that did not happen shows
LIMIT_S = 60.0  # for what is expected to happen; sanitizers and busy hosts included
READY_S = 30.0
PR_SET_PDEATHSIG = 1

# Loaded once: after fork() there may be no time for it.
_LIBC = ctypes.CDLL(None)


def arguments(description, **more):
    """The programs under test, as ctest names them, and a test's own options: name=(type, default, help)."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("flashfarmd")
    parser.add_argument("flashfarm_sim")
    parser.add_argument("flashfarm")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="names of plays, with commas")
    parser.add_argument("--verbose", action="store_true", help="the daemon's log as it comes, all of it")
    for name, (kind, default, text) in more.items():
        parser.add_argument("--" + name.replace("_", "-"), type=kind, default=default, help=text)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to stop"))  # so that everything is tidied up
    return parser.parse_args()


def make_image(size, seed=1, hole=None):
    """Reproducible bytes; `hole` is a (start, end) that is blank, as linkers leave them."""
    image = bytearray(random.Random(seed).randbytes(size))
    if hole:
        image[hole[0]:hole[1]] = b"\xff" * (hole[1] - hole[0])
    return bytes(image)


def hex_of(content):
    """Intel HEX of a list of (address, bytes)."""
    records, upper = [], None
    for address, data in content:
        at = 0
        while at < len(data):
            here = address + at
            if here >> 16 != upper:
                upper = here >> 16
                records.append(bytes((2, 0, 0, 4)) + upper.to_bytes(2, "big"))
            part = data[at:at + min(16, 0x10000 - (here & 0xFFFF))]
            records.append(bytes((len(part),)) + (here & 0xFFFF).to_bytes(2, "big") + b"\0" + part)
            at += len(part)
    records.append(b"\0\0\0\1")
    return "".join(f":{(r + bytes((-sum(r) & 0xFF,))).hex().upper()}\r\n" for r in records).encode()


def hex_file(data, address=FLASH):
    return hex_of([(address, data)])


class Answer:
    """Of one request."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.raw = status, headers, body
        try:
            self.json = json.loads(body) if body else None
        except ValueError:
            self.json = None

    def __repr__(self):
        return f"<{self.status} {self.raw[:400]!r}>"


class Fact:
    """One event. `sequence` is None for progress."""

    def __init__(self, sequence, kind, data):
        self.sequence, self.kind, self.data = sequence, kind, data
        self.told_at = time.time()

    def __repr__(self):
        return f"<{self.sequence} {self.kind} {self.data}>"


class Events:
    """Reads the event stream in a thread of its own, and comes back behind the last fact whenever it breaks."""

    def __init__(self, scene, last_id=0, topics=None):
        self.scene, self.topics = scene, topics
        self.last_id = last_id
        self.facts, self.progress, self.resyncs = [], [], 0
        self.connections = 0
        self.changed = threading.Condition()
        self.stopped = False
        self.socket = None
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        while not self.stopped:
            url = self.scene.daemon.wait_url(lambda: self.stopped)
            if url:
                with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                    self._read_one(url)
            with self.changed:
                if not self.stopped:
                    self.changed.wait(0.02)  # the daemon is being restarted; nothing tells when

    def _read_one(self, url):
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=LIMIT_S)
        headers = self.scene.headers() | {"Accept": "text/event-stream"}
        if self.last_id is not None:
            headers["Last-Event-ID"] = str(self.last_id)
        path = "/v1/events" + (f"?topics={self.topics}" if self.topics else "")
        try:
            connection.connect()
            self.socket = connection.sock
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            if response.status == 200:
                self.connections += 1
                self._take(response)
        finally:
            self.socket = None
            connection.close()

    def _take(self, response):
        fields = {}
        for raw in iter(response.readline, b""):
            line = raw.decode().rstrip("\n")
            if line:
                name, _, value = line.partition(":")
                fields[name] = value.removeprefix(" ")
                continue
            if "data" in fields:
                self._keep(fields)
            fields = {}

    def _keep(self, fields):
        sequence = int(fields["id"]) if "id" in fields else None
        fact = Fact(sequence, fields.get("event", "message"), json.loads(fields["data"]))
        with self.changed:
            if fact.kind == "resync":
                self.resyncs += 1
                self.last_id = sequence
            elif sequence is None:
                self.progress.append(fact)
            else:
                self.facts.append(fact)
                self.last_id = sequence
            self.changed.notify_all()

    def break_off(self):
        """The network fails; the reader comes back."""
        sock = self.socket
        if sock:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.stopped = True
        with self.changed:
            self.changed.notify_all()
        self.break_off()
        self.thread.join(LIMIT_S)

    def wait(self, true_of_facts, what, timeout_s=LIMIT_S):
        """Until true_of_facts(list of facts) is; gives what it gave."""
        deadline = time.monotonic() + timeout_s
        with self.changed:
            while True:
                found = true_of_facts(self.facts)
                if found:
                    return found
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"waited {timeout_s} s for {what}; last: {self.facts[-6:]}")
                self.changed.wait(min(left, 1.0))

    def wait_fact(self, kind, timeout_s=LIMIT_S, **members):
        def find(facts):
            return next((f for f in reversed(facts) if f.kind == kind
                         and all(f.data.get(name) == value for name, value in members.items())), None)
        return self.wait(find, f"{kind} {members}", timeout_s)

    def of(self, kind, **members):
        with self.changed:
            return [f for f in self.facts if f.kind == kind
                    and all(f.data.get(name) == value for name, value in members.items())]


class Daemon:
    """flashfarmd with one configuration; may be started again and again."""

    def __init__(self, program, config, verbose=False):
        self.program, self.config, self.verbose = program, config, verbose
        self.process = None
        self.url = None
        self.ready_s = None
        self.log = []  # of all lives
        self.starts_at = 0  # the log of this life
        self.said = threading.Condition()
        self.reader = None
        self.environment = {}  # more than the test's own

    def start(self, wait=True):
        assert self.process is None
        self.starts_at = len(self.log)
        began = time.monotonic()
        self.process = subprocess.Popen(
            [self.program, "--config", self.config], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            errors="replace", env=os.environ | self.environment, preexec_fn=lambda: _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
        self.reader = threading.Thread(target=self._listen, args=(self.process, began), daemon=True)
        self.reader.start()
        if wait and not self.wait_url(lambda: self.process.poll() is not None, READY_S):
            self.reader.join(5)
            raise RuntimeError("flashfarmd did not get ready:\n" + "".join(self.log[self.starts_at:][-40:]))
        return self

    def _listen(self, process, began):
        for line in process.stderr:
            if self.verbose:
                print("    " + line, end="", file=sys.stderr, flush=True)
            with self.said:
                self.log.append(line)
                if " serves " in line and " at http://" in line:
                    self.ready_s = time.monotonic() - began
                    self.url = line.rsplit(" at ", 1)[1].strip()
                self.said.notify_all()
        process.stderr.close()

    def wait_url(self, give_up, timeout_s=LIMIT_S):
        deadline = time.monotonic() + timeout_s
        with self.said:
            while not self.url and not give_up() and time.monotonic() < deadline:
                self.said.wait(0.05)
            return self.url

    def wait_log(self, words, timeout_s=LIMIT_S, starts_at=None):
        """A line of this life with these words."""
        deadline = time.monotonic() + timeout_s
        starts_at = self.starts_at if starts_at is None else starts_at
        with self.said:
            while True:
                for line in self.log[starts_at:]:
                    if words in line:
                        return line
                if time.monotonic() > deadline:
                    raise TimeoutError(f"waited {timeout_s} s for {words!r} in the log: {self.log[-10:]}")
                self.said.wait(0.2)

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, timeout_s=LIMIT_S):
        """Its exit status; None and dead when it did not end in time."""
        try:
            status = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            status = None
        self.reader.join(10)
        self.process = self.url = None
        return status

    def stop(self, timeout_s=LIMIT_S):
        self.signal(signal.SIGTERM)
        return self.wait(timeout_s)

    def kill(self):
        self.process.kill()
        return self.wait()

    def complaints(self, expected):
        """What a sanitizer, or a library that is used wrongly, says; and errors that nobody provoked."""
        marks = ("Sanitizer", "runtime error:", "Assertion", "detected memory leaks", "Z error ")
        return [line.rstrip() for line in self.log if any(mark in line for mark in marks)
                and not any(words in line for words in expected)]


class Scene:
    """Boards and daemon in one folder."""

    def __init__(self, programs, boards, *options, listen="127.0.0.1:0", checks=None, config="", fill=True,
                 errors=()):
        """`errors` are words of errors that the daemon is made to log; any other is one too many."""
        self.programs, self.checks, self.errors = programs, checks or Checks(), errors
        self.farm = Farm(programs.flashfarm_sim, boards, "--listen", listen, *options)
        self.dir = self.farm.dir
        self.state_dir = os.path.join(self.dir, "state")
        self.config = os.path.join(self.dir, "flashfarm.conf")
        self.readers = []
        self.database = None
        self.daemon = Daemon(programs.flashfarmd, self.config, programs.verbose)
        self.stations = [word.split(":")[0] for word in self.farm.ask("list").split()[1:]]
        if programs.verbose:
            config += "log_level = debug\n"
        if config:
            self.edit_config(lambda text: text.replace("[daemon]\n", "[daemon]\n" + config, 1))
        if fill:
            for name in self.stations:
                self.sim("fill", name, str(JUNK))

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        for reader in self.readers:
            reader.close()
        if self.daemon.process:
            status = self.daemon.stop() if kind is None else self.daemon.kill()
            if kind is None:
                self.checks.equal(status, 0, "the daemon's exit status")
        complaints = self.daemon.complaints(self.errors)
        self.checks.check(not complaints, f"nothing to complain of: {complaints[:5]}")
        if kind is not None or complaints:
            print("".join(self.daemon.log[-25:]), file=sys.stderr)
        self.farm.__exit__()

    # -- the configuration

    def edit_config(self, change):
        with open(self.config, encoding="utf-8") as file:
            text = file.read()
        with open(self.config + ".new", "w", encoding="utf-8") as file:
            file.write(change(text))
        os.rename(self.config + ".new", self.config)

    def enter_by(self, entries):
        """Other entry sequences: a dictionary of station and words."""
        def change(text):
            head, *stations = text.split("[station ")
            for at, station in enumerate(stations):
                entry = entries.get(station.partition("]")[0])
                if entry:
                    stations[at] = re.sub(r"(?m)^entry = .*$", f"entry = {entry}", station)
            return "[station ".join([head, *stations])
        self.edit_config(change)

    # -- boards

    def sim(self, *words):
        answer = self.farm.ask(*words)
        assert answer.startswith("ok"), (words, answer)
        return answer

    def counters(self, name):
        _, rest = self.farm.state(name)
        return {key: int(rest[key]) for key in ("writes", "erases", "written")}

    def untouched(self, name):
        """Neither erased nor written since it was filled with junk."""
        return set(self.farm.dump(name)) == {JUNK}

    def holds(self, name, image):
        """The image exactly, blank to the end of its last page, and beyond either all as before or all blank."""
        flash, end = self.farm.dump(name), -(-len(image) // PAGE) * PAGE
        return (flash[:len(image)] == image and set(flash[len(image):end]) <= {0xFF}
                and set(flash[end:]) in ({0xFF}, {JUNK}))

    # -- REST

    def headers(self):
        with open(os.path.join(self.state_dir, "key"), encoding="ascii") as file:
            return {"Authorization": "Bearer " + file.read().split()[-1]}

    def call(self, method, path, body=None, headers=None, timeout_s=LIMIT_S):
        url = self.daemon.url
        if not url:
            raise ConnectionError("no daemon is ready")
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=timeout_s)
        sent = self.headers() | (headers or {})
        if method == "POST" and path == "/v1/jobs":  # an order without one is refused; None sends none
            sent.setdefault("Idempotency-Key", secrets.token_hex(16))
        sent = {name: value for name, value in sent.items() if value is not None}
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, path):
        answer = self.call("GET", path)
        assert answer.status == 200, (path, answer)
        return answer.json

    def post(self, path, body=None):
        answer = self.call("POST", path, b"" if body is None else body)
        assert 200 <= answer.status < 300, (path, answer)
        return answer.json

    def upload(self, data, name="fw.bin", address=FLASH):
        query = f"name={name}" + ("" if address is None else f"&address={address:#x}")
        return self.call("POST", f"/v1/images?{query}", data, {"Content-Type": "application/octet-stream"})

    def image(self, data, address=FLASH):
        answer = self.upload(data, address=address)
        assert answer.status in (200, 201), answer
        return answer.json["id"]

    def submit(self, image, **order):
        return self.post("/v1/jobs", {"chip": CHIP, "images": [image]} | order)["id"]

    def job(self, number):
        return self.get(f"/v1/jobs/{number}")

    def station(self, name):
        return self.get(f"/v1/stations/{name}")

    def items(self, path):
        found, cursor = [], None
        while True:
            page = self.get(path + ("&" if "?" in path else "?") + "limit=500" +
                            (f"&cursor={cursor}" if cursor else ""))
            found += page["items"]
            cursor = page["next"]
            if not cursor:
                return found

    def runs(self, **filters):
        return self.items("/v1/runs?" + urllib.parse.urlencode(filters))

    def wait_until(self, true, what, timeout_s=LIMIT_S):
        """Live state has no event of its own for everything: asked until it is so."""
        deadline = time.monotonic() + timeout_s
        while True:
            found = true()
            if found:
                return found
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {timeout_s} s until {what}")
            time.sleep(0.01)

    def wait_station(self, name, *states, timeout_s=LIMIT_S):
        def there():
            return self.station(name)["state"] in states
        try:
            self.wait_until(there, f"station {name} is {states}", timeout_s)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; it is {self.station(name)}") from None

    def events(self, **options):
        reader = Events(self, **options)
        self.readers.append(reader)
        return reader

    def client_words(self, *words):
        key = os.path.join(self.state_dir, "key")
        return [self.programs.flashfarm, *words, "--server", self.daemon.url, "--key-file", key]

    def client(self, *words, timeout_s=LIMIT_S):
        """The command line, as a person uses it."""
        return subprocess.run(self.client_words(*words), capture_output=True, text=True, timeout=timeout_s, check=False)

    def start_client(self, *words):
        return subprocess.Popen(self.client_words(*words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                preexec_fn=lambda: _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))

    # -- the record

    def query(self, text, *values):
        """Rows of the daemon's own database, while it runs or after."""
        if self.database:
            return self.database.execute(text, values).fetchall()
        with self.reading():
            return self.database.execute(text, values).fetchall()

    @contextlib.contextmanager
    def reading(self):
        """Many queries on one connection. Not across a start: the next daemon shall find the file as the last one
        left it, and nobody else at it."""
        path = os.path.join(self.state_dir, "flashfarm.db")
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=20)) as self.database:
            yield
        self.database = None

    def ledger(self, first=1, last=2 ** 62):
        return [Fact(sequence, kind, json.loads(body)) for sequence, kind, body in self.query(
            "SELECT sequence, kind, body FROM ledger WHERE sequence BETWEEN ? AND ? ORDER BY sequence", first, last)]

    def audit(self):
        """The record, checked by the stand-alone tool on the file (the daemon is stopped)."""
        path = os.path.join(self.state_dir, "flashfarm.db")
        done = subprocess.run([self.programs.flashfarm, "audit", "verify", path], capture_output=True, text=True,
                              timeout=LIMIT_S, check=False)
        self.checks.equal(done.returncode, 0, f"audit verify: {done.stdout}{done.stderr}")

    # -- what must agree

    def check_facts(self, events):
        """Everybody was told what the ledger says, in its order, once. Call when nothing is going on."""
        ledger = self.ledger()
        events.wait(lambda facts: facts and facts[-1].sequence >= ledger[-1].sequence, "the last fact")
        told = [(f.sequence, f.kind, f.data) for f in events.facts if f.sequence <= ledger[-1].sequence]
        first = told[0][0]
        self.checks.equal(told, [(f.sequence, f.kind, f.data) for f in ledger if f.sequence >= first],
                          "the facts that were told are those of the ledger")

    def check_runs(self):
        """Runs list, projections, ledger, job counts and the stations' last runs say the same."""
        facts = {}
        for fact in self.ledger():
            if fact.kind == "run.started":
                facts[fact.data["id"]] = [fact.data["job"], fact.data["station"], None, None, fact.data.get("uid")]
            elif fact.kind == "run.ended":
                facts[fact.data["id"]][2:4] = fact.data["outcome"], fact.data.get("class") or None
                facts[fact.data["id"]][4] = fact.data.get("uid") or facts[fact.data["id"]][4]
        listed = {run["id"]: [run["job"], run["station"], run["outcome"], run["class"], run["uid"]]
                  for run in self.runs()}
        self.checks.equal(listed, facts, "GET /v1/runs is what the ledger says")
        for job in self.items("/v1/jobs"):
            mine = [run[2] for run in facts.values() if run[0] == job["id"]]
            tally = {"started": len(mine), "passed": mine.count("pass"), "failed": mine.count("fail"),
                     "aborted": mine.count("aborted"), "unknown": mine.count("unknown")}
            self.checks.equal(job["counts"], tally, f"counts of job {job['id']}")
        return listed

    def check_last(self):
        """The stations' `last` are the newest runs (of this life of the daemon)."""
        newest = {}
        for run in self.runs():
            newest.setdefault(run["station"], run)
        for station in self.get("/v1/stations")["items"]:
            run, last = newest.get(station["name"]), station["last"]
            if not last:
                continue
            self.checks.equal(
                (last["run"], last["outcome"], last["class"] or None, last["message"] or None),
                (run["id"], run["outcome"], run["class"], run["message"]), f"last of station {station['name']}")


def free_port():
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def play_all(programs, checks, plays):
    """Each play is a function of (programs, checks) with a host of its own; one that breaks stops no other."""
    for play in plays:
        if programs.only and play.__name__ not in programs.only.split(","):
            continue
        began, failed = time.monotonic(), checks.failed
        try:
            play(programs, checks)
        except Exception:  # pylint: disable=broad-exception-caught
            checks.check(False, f"{play.__name__}:\n{traceback.format_exc()}")
        verdict = "good" if checks.failed == failed else "FAILED"
        print(f"{play.__name__}: {verdict}, {time.monotonic() - began:.1f} s", flush=True)
    checks.finish()
