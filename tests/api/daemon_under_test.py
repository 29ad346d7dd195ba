# SPDX-License-Identifier: Apache-2.0
"""flashfarmd and flashfarm-sim as processes of a test, and plain HTTP to the daemon."""
import http.client
import json
import os
import re
import secrets
import select
import signal
import subprocess
import threading
import time

TIMEOUT_S = 30


class Boards:
    """Simulated boards; DIR/flashfarm.conf is ready to be used."""

    def __init__(self, program, directory, boards, *options):
        self.directory = directory
        self.process = subprocess.Popen(
            [program, "--boards", boards, "--dir", directory, "--listen", "127.0.0.1:0", "--with-parent", *options],
            stdout=subprocess.PIPE, text=True)
        ready, _, _ = select.select([self.process.stdout], [], [], TIMEOUT_S)
        line = self.process.stdout.readline() if ready else ""
        if not line.startswith("ready"):
            raise SystemExit(f"flashfarm-sim did not get ready: {line!r}")

    def close(self):
        self.process.terminate()
        self.process.wait(TIMEOUT_S)
        self.process.stdout.close()


def add_settings(config, **settings):
    """Puts lines into the section [daemon]."""
    with open(config, encoding="utf-8") as file:
        text = file.read()
    lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
    with open(config, "w", encoding="utf-8") as file:
        file.write(re.sub(r"^\[daemon\]\n", lambda found: found.group(0) + lines, text, count=1, flags=re.M))


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body
        self.type = headers.get("Content-Type", "").split(";")[0]

    @property
    def json(self):
        return json.loads(self.body)


class Daemon:
    def __init__(self, program, config):
        self.program, self.config = program, config
        self.log = []
        self.process = subprocess.Popen([program, "--config", config], stderr=subprocess.PIPE, text=True)
        self.port = None
        self.ready = threading.Event()
        self.reader = threading.Thread(target=self.read_log, daemon=True)
        self.reader.start()
        if not self.ready.wait(TIMEOUT_S) or self.port is None:
            raise SystemExit("flashfarmd did not get ready:\n" + "".join(self.log))
        with open(os.path.join(self.state(), "key"), encoding="ascii") as file:
            self.key = file.read().split()[-1]

    def read_log(self):
        for line in self.process.stderr:
            self.log.append(line)
            found = re.search(r" at http:\S+:(\d+)$", line)
            if found:
                self.port = int(found.group(1))
                self.ready.set()
        self.ready.set()

    def state(self):
        with open(self.config, encoding="utf-8") as file:
            return re.search(r"^state\s*=\s*(\S+)", file.read(), re.M).group(1)

    def ask(self, method, path, body=None, headers=None, key=True):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        headers = dict(headers or {})
        if key:
            headers.setdefault("Authorization", f"Bearer {self.key if key is True else key}")
        if (method, path) == ("POST", "/v1/jobs"):  # an order without one is refused; None sends none
            headers.setdefault("Idempotency-Key", secrets.token_hex(16))
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        headers = {name: value for name, value in headers.items() if value is not None}
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def stop(self, number=signal.SIGTERM):
        """Returns the exit status."""
        self.process.send_signal(number)
        status = self.process.wait(TIMEOUT_S)
        self.reader.join(TIMEOUT_S)
        self.process.stderr.close()
        return status


class Events:
    """An open event stream, read in a thread of its own."""

    def __init__(self, daemon, query="", headers=None):
        self.connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=TIMEOUT_S)
        self.connection.request("GET", "/v1/events" + query,
                                headers={"Authorization": f"Bearer {daemon.key}", **(headers or {})})
        self.answer = self.connection.getresponse()
        self.events = []
        self.news = threading.Condition()
        self.ended = False
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        event = {}
        try:
            for raw in self.answer:
                line = raw.decode().rstrip("\n")
                if not line:
                    if "event" in event:
                        with self.news:
                            self.events.append(event)
                            self.news.notify_all()
                    event = {}
                elif not line.startswith(":"):
                    name, _, value = line.partition(": ")
                    event[name] = value
        except (OSError, http.client.HTTPException, ValueError, AttributeError):
            pass
        with self.news:
            self.ended = True
            self.news.notify_all()

    def wait(self, found, timeout_s=TIMEOUT_S):
        """The first event for which found(event) holds; None when it does not come."""
        end = time.monotonic() + timeout_s
        seen = 0
        with self.news:
            while True:
                for event in self.events[seen:]:
                    if found(event):
                        return event
                seen = len(self.events)
                if self.ended or not self.news.wait(max(0, end - time.monotonic())):
                    return None

    def ids(self):
        with self.news:
            return [int(event["id"]) for event in self.events if "id" in event]

    def close(self):
        if self.connection.sock:
            self.connection.sock.shutdown(2)
        self.connection.close()
