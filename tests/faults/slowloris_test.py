# SPDX-License-Identifier: Apache-2.0
"""A crowd that holds connections open - a thousand that say nothing, a thousand that send a byte a second, half of them
of the header and half of a body - does not slow down those who ask in earnest.

The crowd is a process of its own. Whatever it loses it opens again at once, so it is as large at the end as it was at
the start. Good requests are timed with and without it in turns, some on a kept connection and some on a new one each;
the best of a few rounds counts, because what else the host does can only make it worse.
"""
import http.client
import json
import resource
import select
import socket
import subprocess
import sys
import threading
import time
import urllib.parse

import harness
from harness import CHIP, Scene

BOUND = 2.0
ROUNDS = 4
HEADER_S, SWEEP_S = 10, 2  # what the daemon allows, and how often it looks


# --- the crowd --------------------------------------------------------------------------------------------------

class Member:
    """One connection: "idle", "header" or "body"."""

    def __init__(self, crowd, kind):
        self.crowd, self.kind = crowd, kind
        self.socket = None
        self.open()

    def open(self):
        self.since = time.monotonic()
        self.socket = socket.socket()
        self.socket.connect(self.crowd.address)
        self.socket.setblocking(False)
        if self.kind == "body":
            self.socket.send(f"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.crowd.key}\r\n"
                             "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n".encode())
        elif self.kind == "header":
            self.socket.send(b"GET /v1/stations HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        self.crowd.members[self.socket.fileno()] = self
        self.crowd.poll.register(self.socket.fileno(), select.EPOLLIN | select.EPOLLRDHUP)

    def drip(self):
        try:
            self.socket.send(b" ")
        except BlockingIOError:
            pass
        except OSError:
            self.lost()

    def lost(self):
        self.crowd.poll.unregister(self.socket.fileno())
        del self.crowd.members[self.socket.fileno()]
        self.crowd.lost.append((self.kind, time.monotonic() - self.since))
        self.socket.close()
        self.open()


class Crowd:
    def __init__(self, address, key, idle, slow):
        self.address, self.key = address, key
        self.poll = select.epoll()
        self.members, self.lost = {}, []
        self.idle = [Member(self, "idle") for _ in range(idle)]
        self.slow = [Member(self, "header" if i % 2 else "body") for i in range(slow)]

    def run(self, stop):
        """Each slow one sends a byte a second, spread over that second."""
        at, began, dripped = 0, time.monotonic(), 0
        while not stop():
            due = int((time.monotonic() - began) * len(self.slow))
            while dripped < due:
                self.slow[at].drip()
                at, dripped = (at + 1) % len(self.slow), dripped + 1
            for number, _ in self.poll.poll(0.01):
                member = self.members.get(number)
                if member:
                    member.lost()


def crowd_main(host, port, key_file, idle, slow):
    """Runs until its input ends; then tells what it lost."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with open(key_file, encoding="ascii") as file:
        key = file.read().split()[-1]
    crowd = Crowd((host, int(port)), key, int(idle), int(slow))
    print("ready", flush=True)
    ended = []
    threading.Thread(target=lambda: ended.append(sys.stdin.read()), daemon=True).start()
    crowd.run(lambda: ended)
    print(json.dumps(crowd.lost), flush=True)


class CrowdProcess:
    def __init__(self, scene, idle, slow):
        url = urllib.parse.urlsplit(scene.daemon.url)
        self.process = subprocess.Popen(
            [sys.executable, "-B", __file__, "--crowd", url.hostname, str(url.port),
             f"{scene.state_dir}/key", str(idle), str(slow)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def stop(self):
        """What it lost: (kind, seconds that it had)."""
        out, _ = self.process.communicate(timeout=harness.LIMIT_S)
        assert self.process.returncode == 0
        return json.loads(out)


# --- those who ask in earnest -----------------------------------------------------------------------------------

def p99(values):
    return sorted(values)[int(len(values) * 0.99)]


def ask(connection, scene):
    connection.request("GET", "/v1/stations", headers=scene.good_headers)
    response = connection.getresponse()
    response.read()
    return response.status


def measure(scene, seconds):
    """Times of requests on a kept connection and on new ones, and whether all were answered."""
    netloc = urllib.parse.urlsplit(scene.daemon.url).netloc
    kept = http.client.HTTPConnection(netloc, timeout=harness.LIMIT_S)
    times, statuses = [], set()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        fresh = http.client.HTTPConnection(netloc, timeout=harness.LIMIT_S)
        for connection in (kept, kept, kept, fresh):
            began = time.perf_counter()
            statuses.add(ask(connection, scene))
            times.append(time.perf_counter() - began)
        fresh.close()
        time.sleep(0.002)  # a client, not a load
    kept.close()
    scene.checks.equal(statuses, {200}, "every good request is answered")
    return times


def slowloris(programs, checks):
    with Scene(programs, f"{CHIP}=2", checks=checks) as scene:
        scene.daemon.start()
        scene.good_headers = scene.headers()
        image = scene.image(harness.make_image(3000))
        ratios, lost = [], []
        began = time.monotonic()
        for _ in range(ROUNDS):
            alone = p99(measure(scene, programs.seconds))
            crowd = CrowdProcess(scene, programs.idle, programs.slow)
            beside = p99(measure(scene, programs.seconds))
            connections = [line for line in scene.call("GET", "/metrics").raw.decode().splitlines()
                           if "connections" in line and not line.startswith("#")]
            lost += crowd.stop()
            ratios.append(beside / alone)
            print(f"p99 alone {alone * 1e3:.2f} ms, beside {programs.idle} idle and {programs.slow} slow "
                  f"{beside * 1e3:.2f} ms: ratio {ratios[-1]:.2f}; {connections}", flush=True)
            if ratios[-1] <= BOUND:
                break
        checks.check(min(ratios) <= BOUND, f"p99 of good requests beside the crowd: {min(ratios):.2f} times as long")
        endurance(scene, programs, image, lost, began)


def endurance(scene, programs, image, lost, began):
    """The slow are shown out in time, and boards are programmed meanwhile."""
    checks = scene.checks
    crowd = CrowdProcess(scene, programs.idle, programs.slow)
    events = scene.events()
    for _ in range(2):
        job = scene.submit(image, stations=scene.stations, trigger="immediate")
        events.wait_fact("job.state", id=job, state="done")
        checks.equal({run["outcome"] for run in scene.runs(job=job)}, {"pass"}, "boards are programmed beside the crowd")
    deadline = time.monotonic() + HEADER_S + 2 * SWEEP_S
    scene.wait_until(lambda: time.monotonic() > deadline, "the slow have had their time", LONG_S)
    lost += crowd.stop()
    ages = {kind: [age for what, age in lost if what == kind] for kind in ("idle", "header", "body")}
    print(f"shown out in {time.monotonic() - began:.0f} s: " +
          ", ".join(f"{len(age)} {kind}" + (f" after at most {max(age):.1f} s" if age else "")
                    for kind, age in ages.items()), flush=True)
    for kind in ("idle", "header"):
        checks.check(len(ages[kind]) >= 0.9 * (programs.idle if kind == "idle" else programs.slow / 2),
                     f"connections that send no header are closed: {len(ages[kind])} {kind}")
        checks.check(not ages[kind] or max(ages[kind]) < HEADER_S + 2 * SWEEP_S + 3, f"{kind}: in time")


LONG_S = 600

if __name__ == "__main__":
    if sys.argv[1:2] == ["--crowd"]:
        crowd_main(*sys.argv[2:])
    else:
        harness.play_all(
            harness.arguments(__doc__, idle=(int, 1000, "connections that say nothing"),
                              slow=(int, 1000, "connections that send a byte a second"),
                              seconds=(float, 3.0, "of each measurement")),
            harness.Checks(), [slowloris])
