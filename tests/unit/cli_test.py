#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""flashfarm against a daemon that is made of Python: what it sends, what it shows, how it ends.

cli_test.py FLASHFARM [unittest arguments]
"""

import fcntl
import hashlib
import http.server
import json
import os
import pty
import queue
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import unittest
import urllib.parse

PROGRAM = ""
KEY = "a-key-of-the-test"


class Farm:
    """What the daemon would know, and the switches for what goes wrong."""

    def __init__(self):
        self.lock = threading.Condition()
        self.facts = []  # (sequence, kind, body)
        self.progress = []  # queues of open streams
        self.images, self.jobs, self.runs, self.keys = {}, {}, {}, {}
        self.requests = []  # (method, path, headers, body)
        self.failing = {}  # station: (class, message)
        self.lose_answers = 0  # so many answers to POST /v1/jobs are never sent
        self.break_stream_after = None  # facts per stream, then it breaks; once
        self.hang = False  # boards that never finish
        self.hold_after = None  # failures
        self.stations = ["A1", "A2", "A10"]
        self.disabled = set()
        self.asked_for = set()  # numbers of jobs that the client has looked at
        self.patient = True  # boards wait until the client looks

    def fact(self, kind, body):
        with self.lock:
            self.facts.append((len(self.facts) + 1, kind, body))
            self.lock.notify_all()

    def tell_progress(self, body):
        with self.lock:
            streams = list(self.progress)
            for stream in streams:
                stream.put(body)
        for stream in streams:
            stream.join()

    def submit(self, body, key):
        with self.lock:
            if key in self.keys:
                return self.jobs[self.keys[key]]
            number = len(self.jobs) + 1
            names = body["stations"]
            if names == "all":
                names = [name for name in self.stations if name not in self.disabled]
            self.jobs[number] = {"id": number, "state": "running", "reason": None, "quantity": len(names), **body,
                                 "stations": names}
            if key:
                self.keys[key] = number
        self.fact("job.submitted", self.jobs[number])
        threading.Thread(target=self.work, args=(number,), daemon=True).start()
        return self.jobs[number]

    def set_job(self, number, state, reason=None):
        self.jobs[number].update(state=state, reason=reason)
        self.fact("job.state", {"id": number, "state": state, "reason": reason})

    def end_run(self, run, failure):
        end = {"id": run["id"], "outcome": "fail" if failure else "pass", "class": failure and failure[0],
               "message": failure and failure[1], "ended": "2026-11-21T12:00:23.500000Z", "floor_us": 20000000,
               "phases": [{"name": "write", "us": 15000000}, {"name": "verify", "us": 6000000}],
               "uid": "UID-" + run["station"]}
        run.update(end)
        self.fact("run.ended", end)

    def work(self, number):
        job = self.jobs[number]
        failures = 0
        with self.lock:
            self.lock.wait_for(lambda: number in self.asked_for or not self.patient, 10)
        for station in job["stations"]:
            if job["state"] != "running":
                return
            run = {"id": 100 * number + len(self.runs) + 1, "job": number, "station": station, "chip": job["chip"],
                   "images": job["images"], "started": "2026-11-21T12:00:00.000000Z", "outcome": None}
            self.runs[run["id"]] = run
            self.fact("run.started", dict(run))
            for percent, phase in ((10, "erase"), (55.5, "write"), (90, "verify")):
                self.tell_progress({"station": station, "job": number, "run": run["id"], "phase": phase,
                                    "percent": percent, "bytes": 1, "total_bytes": 2})
            if self.hang:
                with self.lock:
                    self.lock.wait_for(lambda: job["state"] == "cancelling", 20)
                self.end_run(run, ("cancelled", "cancelled by the operator"))
                self.set_job(number, "cancelled", "by the operator")
                return
            self.end_run(run, self.failing.get(station))
            failures += station in self.failing
            if self.hold_after and failures >= self.hold_after:
                self.set_job(number, "held", f"{failures} units failed")
                return
        self.set_job(number, "done")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    farm: Farm

    def log_message(self, *_):
        pass

    def answer(self, status, body, kind="application/json"):
        data = json.dumps(body).encode() if body is not None else b""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def problem(self, status, title, detail):
        self.answer(status, {"title": title, "detail": detail, "status": status}, "application/problem+json")

    def page(self, items, query):
        start = int(query.get("cursor", ["0"])[0])
        # Never more than two, so that a client that asks for one page only is found out.
        size = min(2, int(query.get("limit", ["100"])[0]))
        rest = start + size < len(items)
        self.answer(200, {"items": items[start:start + size], "next": str(start + size) if rest else None})

    def do_GET(self):
        self.handle_any(b"")

    def do_POST(self):
        self.handle_any(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

    def handle_any(self, body):
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query)
        self.farm.requests.append((self.command, self.path, dict(self.headers), body))
        if self.headers.get("Authorization") != "Bearer " + KEY:
            self.problem(401, "Unauthorized", "this daemon wants a key")
            return
        for pattern, handler in ROUTES:
            match = re.fullmatch(pattern, self.command + " " + url.path)
            if match:
                handler(self, query, body, *map(urllib.parse.unquote, match.groups()))
                return
        self.problem(404, "Not found", "nothing at " + url.path)

    def chips(self, *_):
        self.answer(200, {"items": [{"name": "stm32f103xb", "family": "STM32F1", "id": 0x410,
                                     "flash_base": 0x08000000, "flash_size": 131072, "protocol": "stm32-uart",
                                     "document": "RM0008"}]})

    def all_stations(self, *_):
        self.answer(200, {"items": [{"name": name, "state": "idle", "enabled": name not in self.farm.disabled, "port": "serial:/x",
                                     "protocol": "stm32-uart", "last": None, "counts": {"pass": 1, "fail": 0}}
                                    for name in self.farm.stations]})

    def station(self, _query, _body, name, action):
        if name == "B/7":
            self.answer(200, {"chip_id": 0x410, "chips": ["stm32f103xb"], "uid": "0011", "evil": "a\x1b[31mb"})
        else:
            self.problem(409, "Conflict", f"station {name} is running; cannot {action}")

    def upload(self, query, body):
        image = hashlib.sha256(body).hexdigest()
        if body == b"bad":
            self.problem(422, "Unprocessable", "line 1: no start code")
            return
        self.farm.images[image] = {"id": image, "name": query["name"][0], "format": "intel-hex", "size": len(body),
                                   "base": query.get("address", [None])[0], "added": "2026-11-21T12:00:00.000000Z"}
        self.answer(201, self.farm.images[image])

    def list_images(self, query, _body):
        self.page(list(self.farm.images.values()), query)

    def submit(self, _query, body):
        job = self.farm.submit(json.loads(body), self.headers.get("Idempotency-Key"))
        if self.farm.lose_answers:
            self.farm.lose_answers -= 1
            self.close_connection = True
            return
        self.answer(202, job)

    def list_jobs(self, query, _body):
        self.page(list(reversed(self.farm.jobs.values())), query)

    def job(self, _query, _body, number):
        job = self.farm.jobs.get(int(number))
        with self.farm.lock:
            self.farm.asked_for.add(int(number))
            self.farm.lock.notify_all()
        if job:
            self.answer(200, job)
        else:
            self.problem(404, "Not found", f"there is no job {number}")

    def job_runs(self, query, _body, number):
        self.page([run for run in reversed(self.farm.runs.values()) if run["job"] == int(number)], query)

    def job_action(self, _query, _body, number, action):
        with self.farm.lock:
            self.farm.jobs[int(number)]["state"] = "cancelling" if action == "cancel" else action
            self.farm.lock.notify_all()
        self.answer(200, self.farm.jobs[int(number)])

    def all_runs(self, query, _body):
        image = query.get("image", [None])[0]
        self.page([run for run in reversed(self.farm.runs.values()) if not image or image in run["images"]], query)

    def unit(self, _query, _body, name):
        runs = [run for run in self.farm.runs.values() if run.get("uid") == name]
        if runs:
            self.answer(200, {"serial": None, "uid": name, "runs": runs})
        else:
            self.problem(404, "Not found", f"no unit has the serial or UID {name}")

    def events(self, _query, _body):
        farm = self.farm
        mine = queue.Queue()
        last = self.headers.get("Last-Event-ID")
        position = int(last) if last else len(farm.facts)
        budget = farm.break_stream_after
        farm.break_stream_after = None
        farm.progress.append(mine)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            self.wfile.write(b"retry: 50\n\n: ok\r\n\r\n")
            while budget is None or budget > 0:
                while not mine.empty():
                    body = mine.get()
                    mine.task_done()
                    self.wfile.write(f"event: progress\ndata: {json.dumps(body)}\n\n".encode())
                with farm.lock:
                    farm.lock.wait_for(lambda: len(farm.facts) > position, 0.05)
                    fresh = farm.facts[position:]
                for sequence, kind, body in fresh[:budget]:
                    text = json.dumps(body, indent=1).replace("\n", "\ndata: ")
                    self.wfile.write(f"id: {sequence}\nevent: {kind}\ndata: {text}\n\n".encode())
                position += len(fresh[:budget])
                if budget is not None:
                    budget -= len(fresh[:budget])
        except OSError:
            pass
        finally:
            with farm.lock:
                farm.progress.remove(mine)
            while not mine.empty():
                mine.get()
                mine.task_done()


ROUTES = [
    (r"GET /v1/chips", Handler.chips),
    (r"GET /v1/stations", Handler.all_stations),
    (r"POST /v1/stations/([^/]+)/(\w+)", Handler.station),
    (r"POST /v1/images", Handler.upload),
    (r"GET /v1/images", Handler.list_images),
    (r"POST /v1/jobs", Handler.submit),
    (r"GET /v1/jobs", Handler.list_jobs),
    (r"GET /v1/jobs/(\d+)", Handler.job),
    (r"GET /v1/jobs/(\d+)/runs", Handler.job_runs),
    (r"POST /v1/jobs/(\d+)/(\w+)", Handler.job_action),
    (r"GET /v1/runs", Handler.all_runs),
    (r"GET /v1/units/([^/]+)", Handler.unit),
    (r"GET /v1/events", Handler.events),
]


class Case(unittest.TestCase):
    def setUp(self):
        self.farm = Farm()
        handler = type("BoundHandler", (Handler,), {"farm": self.farm})
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.http.daemon_threads = True
        self.http.handle_error = lambda *_: None
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        scratch = tempfile.TemporaryDirectory(prefix="flashfarm-cli-")
        self.addCleanup(scratch.cleanup)
        self.addCleanup(self.http.server_close)
        self.addCleanup(self.http.shutdown)
        self.dir = scratch.name
        self.key = self.write("key", KEY + "\n")
        self.firmware = self.write("fw one.hex", ":00000001FF\n")
        self.environment = {"PATH": os.environ["PATH"], "FLASHFARM_SERVER": self.url, "FLASHFARM_KEY_FILE": self.key,
                            "LC_ALL": "C.UTF-8", "http_proxy": "http://127.0.0.1:9"}

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def run_cli(self, *arguments, code=0, **environment):
        done = subprocess.run([PROGRAM, *arguments], env={**self.environment, **environment}, capture_output=True,
                              text=True, timeout=30, check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def order(self):
        return json.loads([body for method, path, _, body in self.farm.requests
                           if (method, path) == ("POST", "/v1/jobs")][-1])


class Program(Case):
    def test_all_pass(self):
        done = self.run_cli("program", self.firmware, "--chip", "stm32f103xb", "--work-order", "WO 1")
        lines = done.stdout.splitlines()
        self.assertEqual(lines[0].split(), ["STATION", "OUTCOME", "CLASS", "RUN", "SERIAL", "UID", "TIME", "OF",
                                            "FLOOR", "MESSAGE"])
        self.assertEqual(lines[1].split(), ["A1", "pass", "-", "101", "-", "UID-A1", "23.5", "s", "105", "%", "-"])
        self.assertEqual(len(lines), 4)
        self.assertIn("job 1 done: 3 of 3 passed", done.stderr)
        for line in ("A2: erase", "A2: write", "A2: verify", "A2: pass  "):
            self.assertIn(line, done.stderr)
        image = hashlib.sha256(b":00000001FF\n").hexdigest()
        self.assertEqual(self.order(), {"chip": "stm32f103xb", "images": [image], "stations": "all",
                                        "trigger": "immediate", "work_order": "WO 1"})
        self.assertEqual(self.farm.images[image]["name"], "fw one.hex")
        self.assertNotIn("\033", done.stderr)

    def test_order(self):
        self.run_cli("program", self.firmware, "--address=0x08000000", "--chip=c", "--stations=A1,A10",
                     "--quantity", "2", "--trigger", "on_insert", "--unprotect", "--run",
                     "--hold-after-failures=3", "--option-bytes", "0x1FFFF800=A55A", "--option-bytes", "16=00ff",
                     "--protect", "rdp1", "--keep", "0x0800F800+2048", "--timeout", "30", "--quiet")
        order = self.order()
        image = order.pop("images")[0]
        self.assertEqual(self.farm.images[image]["base"], "0x08000000")
        self.assertEqual(order, {
            "chip": "c", "stations": ["A1", "A10"], "quantity": 2, "trigger": "on_insert", "unprotect": True,
            "run": True, "hold_after_failures": 3, "protect": "rdp1", "timeout_s": 30,
            "option_bytes": [{"address": 0x1FFFF800, "hex": "A55A"}, {"address": 16, "hex": "00ff"}],
            "keep": [{"address": 0x0800F800, "size": 2048}]})

    def test_one_fails(self):
        self.farm.failing["A2"] = ("verify", "verify at 0x08000100: 0xFF, expected 0x12")
        done = self.run_cli("program", self.firmware, "--chip", "c", "--quantity", "3", code=1)
        self.assertIn("A2: fail verify: verify at 0x08000100: 0xFF, expected 0x12", done.stderr)
        self.assertRegex(done.stdout, r"A2 +fail +verify +102 +- +UID-A2 +23\.5 s +105 % +verify at 0x08000100")
        self.assertIn("2 of 3 passed", done.stderr)

    def test_json(self):
        self.farm.failing["A2"] = ("erase", "x")
        self.farm.disabled = {"A10"}
        done = self.run_cli("program", self.firmware, "--chip", "c", "--json", "--quiet", code=1)
        body = json.loads(done.stdout)
        self.assertEqual([run["outcome"] for run in body["items"]], ["fail", "pass"])
        self.assertNotIn("quantity", self.order())  # the daemon knows what "all" is
        self.assertEqual(body["job"]["state"], "done")
        self.assertIsNone(body["next"])

    def test_job_file(self):
        """Two jobs at once, images beside the file; a refused third is told, the others are followed."""
        folder = os.path.dirname(self.firmware)
        path = os.path.join(folder, "jobs.json")
        name = os.path.basename(self.firmware)
        with open(path, "w") as file:
            json.dump([{"chip": "c", "image": name, "stations": ["A1"], "trigger": "immediate"},
                       {"chip": "d", "images": [name, "ab" * 32], "stations": ["A2", "A10"]}], file)
        done = self.run_cli("submit", path)
        self.assertIn("job 1 done: 1 of 1 passed", done.stderr)
        self.assertIn("job 2 done: 2 of 2 passed", done.stderr)
        self.assertEqual(self.order()["images"][1], "ab" * 32)
        self.assertRegex(self.order()["images"][0], "^[0-9a-f]{64}$")
        with open(path, "w") as file:
            json.dump({"chip": "c", "image": "missing.hex"}, file)
        self.assertIn("missing.hex", self.run_cli("submit", path, code=2).stderr)
        with open(path, "w") as file:
            file.write("[3]")
        self.assertIn("job 1 is no object", self.run_cli("submit", path, code=2).stderr)

    def test_held(self):
        self.farm.failing["A1"] = ("no-contact", "silent")
        self.farm.hold_after = 1
        done = self.run_cli("program", self.firmware, "--chip", "c", code=1)
        self.assertIn("job 1 is held: 1 units failed", done.stderr)
        self.assertIn("flashfarm job 1 resume", done.stderr)

    def test_lost_answer_orders_once(self):
        self.farm.lose_answers = 2
        self.run_cli("program", self.firmware, "--chip", "c")
        keys = [headers["Idempotency-Key"] for method, path, headers, _ in self.farm.requests
                if (method, path) == ("POST", "/v1/jobs")]
        self.assertEqual(len(keys), 3)
        self.assertEqual(len(set(keys)), 1)
        self.assertRegex(keys[0], "^[0-9a-f]{32}$")
        self.assertEqual(len(self.farm.jobs), 1)

    def test_stream_breaks(self):
        self.farm.break_stream_after = 2
        self.run_cli("program", self.firmware, "--chip", "c")
        resumed = [headers.get("Last-Event-ID") for _, path, headers, _ in self.farm.requests
                   if path.startswith("/v1/events")]
        self.assertEqual(resumed, [None, "2"])

    def test_bad_image(self):
        done = self.run_cli("program", self.write("bad.hex", "bad"), "--chip", "c", code=4)
        self.assertIn("bad.hex: Unprocessable: line 1: no start code", done.stderr)
        self.assertEqual(self.farm.jobs, {})

    def test_no_such_file(self):
        self.run_cli("program", "/nonexistent.hex", "--chip", "c", code=2)

    def test_cancel(self):
        self.farm.hang = True
        child = subprocess.Popen([PROGRAM, "program", self.firmware, "--chip", "c"], env=self.environment,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for line in child.stderr:
            if line == "A1: verify\n":
                break
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=20)
        self.assertEqual(child.returncode, 1, out + err)
        self.assertIn("cancelling job 1", err)
        self.assertIn("job 1 is cancelled: by the operator", err)
        self.assertRegex(out, "A1 +fail +cancelled")

    def test_second_signal_leaves(self):
        self.farm.hang = True
        Handler_action = Handler.job_action
        self.addCleanup(lambda: ROUTES.__setitem__(9, (ROUTES[9][0], Handler_action)))
        ROUTES[9] = (ROUTES[9][0], lambda handler, _q, _b, number, _a: handler.answer(200, self.farm.jobs[int(number)]))
        child = subprocess.Popen([PROGRAM, "program", self.firmware, "--chip", "c"], env=self.environment,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for line in child.stderr:
            if line == "A1: verify\n":
                child.send_signal(signal.SIGINT)
            if line.startswith("cancelling job 1"):
                child.send_signal(signal.SIGINT)
                break
        _, err = child.communicate(timeout=20)
        self.assertEqual(child.returncode, 1)
        self.assertIn("left job 1 to the daemon", err)


class Terminal(Case):
    def on_terminal(self, columns, rows, **environment):
        leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        child = subprocess.Popen([PROGRAM, "program", self.firmware, "--chip", "c"], stdin=follower, stdout=follower,
                                 stderr=follower, env={**self.environment, "TERM": "xterm", **environment})
        os.close(follower)
        seen = b""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if select.select([leader], [], [], 1)[0]:
                try:
                    data = os.read(leader, 65536)
                except OSError:
                    break
                if not data:
                    break
                seen += data
        os.close(leader)
        self.assertEqual(child.wait(10), 0, seen)
        return seen.decode()

    def test_bars(self):
        text = self.on_terminal(100, 40)
        self.assertIn("job 1: 3 passed, 0 failed, 0 running, 0 waiting", text)
        self.assertRegex(text, "A10 \033\\[32m█{40} 100 % pass")
        self.assertIn("\033[4A", text)  # a title and three bars, redrawn in place

    def test_no_color(self):
        text = self.on_terminal(100, 40, NO_COLOR="1")
        self.assertNotIn("\033[32m", text)
        self.assertRegex(text, "A10 █{40} 100 % pass")

    def test_ascii(self):
        self.assertRegex(self.on_terminal(100, 40, LC_ALL="C", NO_COLOR="1"), "A10 #{40} 100 % pass")

    def test_narrow_and_low(self):
        self.farm.stations = [f"S{number}" for number in range(30)]
        text = self.on_terminal(44, 10, NO_COLOR="1")
        frames = text.split("STATION")[0]
        for line in re.sub("\033\\[[0-9]*[A-Za-z]", "", frames).replace("\r", "").split("\n"):
            self.assertLess(len(line), 44)
        self.assertIn("\033[9A", frames)
        self.assertNotRegex(frames, r"\033\[[1-9][0-9]A")

    def test_dumb(self):
        text = self.on_terminal(100, 40, TERM="dumb")
        self.assertNotIn("\033", text)
        self.assertIn("A2: write", text)


class Queries(Case):
    def setUp(self):
        super().setUp()
        self.farm.patient = False
        for _ in range(2):
            self.farm.submit({"chip": "c", "images": ["ab" * 32], "stations": "all", "quantity": 3}, None)
        deadline = time.monotonic() + 10
        while any(job["state"] != "done" for job in self.farm.jobs.values()) and time.monotonic() < deadline:
            with self.farm.lock:
                self.farm.lock.wait(0.05)

    def test_pages_are_joined(self):
        self.assertEqual(len(self.run_cli("runs").stdout.splitlines()), 7)
        body = json.loads(self.run_cli("runs", "--json").stdout)
        self.assertEqual(len(body["items"]), 6)
        self.assertIsNone(body["next"])

    def test_limit(self):
        done = self.run_cli("runs", "--limit", "3")
        self.assertEqual(len(done.stdout.splitlines()), 4)
        self.assertEqual(done.stderr, "")
        self.assertNotIn("more", self.run_cli("runs").stderr)
        limits = [urllib.parse.parse_qs(path.partition("?")[2])["limit"]
                                     for _, path, _, _ in self.farm.requests]
        self.assertEqual(limits[:2], [["3"], ["1"]])  # two pages of the fake for three runs
        self.assertEqual(len(self.run_cli("runs", "--limit", "0").stdout.splitlines()), 7)

    def test_filters(self):
        self.run_cli("runs", "--station", "A 1&x", "--outcome", "fail", "--from", "2026-11-21T06:00:00Z",
                     "--work-order", "ü", "--uid", "u", "--serial", "s", "--by", "eva", "--recipe", "r/1",
                     "--pool", "p")
        path = self.farm.requests[0][1]
        self.assertEqual(urllib.parse.parse_qs(urllib.parse.urlsplit(path).query), {
            "serial": ["s"], "uid": ["u"], "work_order": ["ü"], "station": ["A 1&x"], "outcome": ["fail"],
            "by": ["eva"], "recipe": ["r/1"], "pool": ["p"], "from": ["2026-11-21T06:00:00Z"], "limit": ["100"]})

    def test_jobs_and_job(self):
        self.assertRegex(self.run_cli("jobs").stdout, r"(?m)^2 +done +c +abababababab +3 ")
        self.assertRegex(self.run_cli("job", "1").stdout, r"(?m)^state +done$")
        self.assertEqual(json.loads(self.run_cli("job", "1", "show", "--json").stdout)["id"], 1)
        self.assertEqual(len(self.run_cli("job", "2", "runs").stdout.splitlines()), 4)
        self.run_cli("job", "1", "hold")
        self.assertEqual(self.farm.requests[-1][:2], ("POST", "/v1/jobs/1/hold"))
        self.assertIn("there is no job 9", self.run_cli("job", "9", code=4).stderr)
        self.run_cli("job", "x", code=2)
        self.run_cli("job", "1", "explode", code=2)

    def test_stations_and_chips(self):
        self.assertRegex(self.run_cli("stations").stdout, r"(?m)^A10 +idle .* 1 +0 +stm32-uart +serial:/x$")
        self.assertRegex(self.run_cli("chips").stdout,
                         r"(?m)^stm32f103xb +STM32F1 +0x410 +128 KiB +0x08000000 +stm32-uart +RM0008$")

    def test_station_actions(self):
        done = self.run_cli("station", "B/7", "identify")
        self.assertEqual(self.farm.requests[-1][:2], ("POST", "/v1/stations/B%2F7/identify"))
        self.assertRegex(done.stdout, r"(?m)^chips +stm32f103xb$")
        self.assertRegex(done.stdout, r"(?m)^evil +a\?\[31mb$")  # no escape sequences from outside
        done = self.run_cli("station", "A1", "start", code=4)
        self.assertIn("Conflict: station A1 is running; cannot start (HTTP 409)", done.stderr)

    def test_trace(self):
        done = self.run_cli("trace", "UID-A2")
        self.assertIn("unit serial -, uid UID-A2, 2 runs", done.stdout)
        self.assertRegex(done.stdout, r"(?m)^  phases +write 15\.000 s, verify 6\.000 s$")
        self.assertIn("no unit has the serial or UID X", self.run_cli("trace", "X", code=4).stderr)
        self.assertEqual(len(json.loads(self.run_cli("trace", "UID-A2", "--json").stdout)["runs"]), 2)

    def test_where_used(self):
        image = hashlib.sha256(b":00000001FF\n").hexdigest()
        self.farm.images[image] = {"id": image, "name": "fw one.hex"}
        self.farm.images["cd" * 32] = {"id": "cd" * 32, "name": "other"}
        for what in (self.firmware, image, image[:9], "fw one.hex"):
            self.run_cli("where-used", what)
            self.assertIn("image=" + image, self.farm.requests[-1][1])
        self.assertEqual(len(self.run_cli("where-used", "ab" * 32).stdout.splitlines()), 7)
        self.run_cli("where-used", "nothing", code=4)

    def test_watch(self):
        child = subprocess.Popen([PROGRAM, "watch", "--json", "--topics", "run.ended,job.state"], text=True,
                                 env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            deadline = time.monotonic() + 10
            while not self.farm.progress and time.monotonic() < deadline:
                time.sleep(0.01)
            self.farm.fact("station.state", {"name": "A1", "state": "disabled"})
            line = json.loads(child.stdout.readline())
            self.assertEqual(line, {"id": str(len(self.farm.facts)), "event": "station.state",
                                    "data": {"name": "A1", "state": "disabled"}})
            self.farm.tell_progress({"station": "A1", "percent": 5})
            self.assertEqual(json.loads(child.stdout.readline())["id"], None)
        finally:
            child.terminate()
            child.communicate(timeout=10)
        self.assertIn(("GET", "/v1/events?topics=run.ended%2Cjob.state"), [r[:2] for r in self.farm.requests])


class Finding(Case):
    def test_key_is_needed(self):
        done = self.run_cli("chips", code=4, FLASHFARM_KEY_FILE=self.write("other", "wrong\n"))
        self.assertIn("Unauthorized: this daemon wants a key; give its key with --key-file", done.stderr)

    def test_key_file_without_key(self):
        self.run_cli("chips", code=2, FLASHFARM_KEY_FILE=self.write("empty", "# none\n\n"))
        self.run_cli("chips", "--key-file", "/nonexistent", code=2)

    def test_config(self):
        environment = {"PATH": os.environ["PATH"]}
        state = os.path.join(self.dir, "state")
        os.mkdir(state)
        self.write("state/key", "# made by the daemon\n" + "operator " + KEY + "\n")
        config = self.write("ff.conf", f"[daemon]\nlisten = {self.url[7:]}\nstate = {state}\n[station A1]\n"
                                       "port = whatever:x\nprotocol = of-tomorrow\n")
        done = subprocess.run([PROGRAM, "chips", "--config", config], env=environment, capture_output=True,
                              text=True, timeout=20, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        broken = self.write("broken.conf", "[daemon]\nlisten = here\n")
        done = subprocess.run([PROGRAM, "chips", "--config", broken], env=environment, capture_output=True,
                              text=True, timeout=20, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn(f"{broken}:2: listen is 'here'", done.stderr)

    def test_config_key_stays_at_home(self):
        """The key of the configured daemon must not be sent to another URL."""
        self.write("key", KEY)
        config = self.write("ff.conf", f"[daemon]\nlisten = 127.0.0.1:1\nstate = {self.dir}\n")
        environment = {"PATH": os.environ["PATH"]}
        done = subprocess.run([PROGRAM, "chips", "--config", config, "--server", self.url], env=environment,
                              capture_output=True, text=True, timeout=20, check=False)
        self.assertEqual(done.returncode, 4)
        self.assertNotIn("Authorization", self.farm.requests[-1][2])

    def test_unreachable(self):
        self.http.server_close()
        self.http.shutdown()
        done = self.run_cli("chips", "--server", "http://127.0.0.1:1", code=3)
        self.assertIn("cannot reach flashfarmd at http://127.0.0.1:1", done.stderr)
        self.assertIn("systemctl status flashfarmd", done.stderr)
        self.run_cli("watch", "--server", "http://127.0.0.1:1", code=3)

    def test_usage(self):
        for arguments in ([], ["explode"], ["chips", "x"], ["trace"], ["chips", "--bogus"], ["chips", "--chip", "c"],
                          ["program", "x.hex"], ["program", "--chip"], ["runs", "--limit", "-1"],
                          ["program", "x.hex", "--chip", "c", "--keep", "1-2"], ["chips", "--json=1"],
                          ["program", "x.hex", "--chip", "c", "--option-bytes", "1=0"],
                          ["program", "x.hex", "--chip", "c", "--quantity", "0"],
                          ["chips", "--server", "ftp://x"], ["audit", "forge", "x"], ["pool"], ["pool", "p", "drain"],
                          ["pool", "p", "burn", "--reason", "r", "--count", "0"], ["pool", "p", "close"],
                          ["pool", "p", "create", "--first", "x"], ["pool", "p", "create", "--warn", "70,x"],
                          ["pool", "p", "create", "--kind", "key", "--keys", "/nonexistent"],
                          ["serial", "s", "settle"], ["serial", "s", "settle", "fail"], ["serial", "s", "sell", "fail"],
                          ["recipe", "r"], ["recipe", "r/x"], ["recipe", "r/1", "explode"], ["recipe", "r", "save"],
                          ["recipe", "r", "save", "/nonexistent"], ["sign", self.firmware, "/nonexistent"],
                          ["key", "k", "turn"], ["key", "k", "create", "--output", self.key], ["user", "u", "sack"],
                          ["user", "u", "add", "--password-file", "/nonexistent"], ["webhook", "u", "pull"],
                          ["backup", "--output", self.key], ["program", "x", "--recipe", "r"],
                          ["chips", "--ca", "/nonexistent"], ["chips", "--certificate", self.key]):
            with self.subTest(arguments):
                done = self.run_cli(*arguments, code=2)
                self.assertEqual(done.stdout, "")
                self.assertNotEqual(done.stderr, "")

    def test_help(self):
        done = self.run_cli("--help")
        for word in ("program", "where-used", "audit", "Exit codes", "--key-file"):
            self.assertIn(word, done.stdout)
        self.assertIn("--hold-after-failures N", self.run_cli("program", "--help").stdout)
        self.assertNotIn("--hold-after", self.run_cli("chips", "-h").stdout)
        self.assertRegex(self.run_cli("--version").stdout, r"^flashfarm \d+\.\d+\.\d+\n$")

    def test_full_disk_is_no_success(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([PROGRAM, "chips"], env=self.environment, stdout=full, stderr=subprocess.PIPE,
                                  timeout=20, check=False)
        self.assertEqual(done.returncode, 2)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main(verbosity=1)
