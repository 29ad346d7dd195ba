# SPDX-License-Identifier: Apache-2.0
"""The event stream: every fact once and in order, whatever breaks; and who does not read harms nobody but himself."""
import contextlib
import random
import socket
import statistics
import time
import urllib.parse
from datetime import datetime

import harness
from harness import CHIP, Scene

IMAGE = harness.make_image(2500, seed=71)
BOARDS = 16
BREAKS = 50
SLOW = 12
STALL_S = 30  # the daemon drops who reads nothing for so long


def start(scene, quantity):
    return scene.submit(scene.image(IMAGE), stations="all", trigger="on_insert", quantity=quantity)


class Operator:
    """Exchanges boards as they are finished."""

    def __init__(self, scene, events):
        self.scene, self.events, self.served = scene, events, 0
        self.station = {}

    def work(self, until, timeout_s=harness.LIMIT_S):
        deadline = time.monotonic() + timeout_s
        while not until() and time.monotonic() < deadline:
            with self.events.changed:
                if len(self.events.facts) == self.served:
                    self.events.changed.wait(0.05)
            for fact in self.events.facts[self.served:]:
                self.served += 1
                if fact.kind == "run.started":
                    self.station[fact.data["id"]] = fact.data["station"]
                elif fact.kind == "run.ended" and fact.data["outcome"] != "unknown":
                    self.scene.sim("insert", self.station[fact.data["id"]])
        return until()


def check_same(scene, reader, what, topics=None):
    ledger = [(f.sequence, f.kind, f.data) for f in scene.ledger() if not topics or f.kind in topics]
    reader.wait(lambda facts: facts and facts[-1].sequence >= ledger[-1][0], f"the last fact, {what}", 20)
    told = [(f.sequence, f.kind, f.data) for f in reader.facts]
    numbers = [f[0] for f in told]
    scene.checks.equal(len(set(numbers)), len(numbers), f"{what}: no fact twice")
    scene.checks.equal(numbers, sorted(numbers), f"{what}: in order")
    scene.checks.equal(set(f[0] for f in ledger) - set(numbers), set(), f"{what}: no gap")
    scene.checks.equal(told, ledger, f"{what}: what the ledger says")
    scene.checks.equal(reader.resyncs, 0, f"{what}: never lost its place")


def broken_connections(programs, checks):
    """Fifty breaks at random moments, one daemon that stops and one that is killed."""
    generator = random.Random(programs.seed)
    with Scene(programs, f"{CHIP}={BOARDS}", checks=checks) as scene:
        scene.daemon.start()
        steady, shaky, picky = scene.events(), scene.events(), scene.events(topics="run.ended")
        job = start(scene, 100000)
        operator = Operator(scene, steady)
        for count in range(BREAKS):
            pause = time.monotonic() + generator.uniform(0, 0.15)
            operator.work(lambda until=pause: time.monotonic() > until)
            shaky.break_off()
            if count % 5 == 0:
                picky.break_off()
            if count in (BREAKS // 3, 2 * BREAKS // 3):
                scene.daemon.stop() if count == BREAKS // 3 else scene.daemon.kill()
                scene.daemon.start()
        enough = len(steady.facts) + 100
        operator.work(lambda: len(steady.facts) > enough)
        scene.post(f"/v1/jobs/{job}/cancel")
        for name in scene.stations:
            scene.wait_station(name, "idle", "removal")
        check_same(scene, steady, "steady")
        check_same(scene, shaky, "shaky")
        check_same(scene, picky, "one topic", topics=("run.ended",))
        late = scene.events(last_id=0)  # who comes after everything is over gets it all from the ledger
        check_same(scene, late, "late")
        half = scene.ledger()[-1].sequence // 2
        rest = scene.events(last_id=half)
        rest.wait(lambda facts: facts and facts[-1].sequence == scene.ledger()[-1].sequence, "the rest")
        checks.equal(rest.facts[0].sequence, half + 1, "behind the id that was given, not at it")
        checks.check(shaky.connections >= BREAKS // 2, f"{shaky.connections} connections of the shaky reader")
        ahead = scene.events(last_id=10 ** 9)
        with ahead.changed:
            ahead.changed.wait_for(lambda: ahead.resyncs, 10)
        checks.equal(ahead.resyncs, 1, "an id that the daemon never gave is answered by resync")
        print(f"  {len(steady.facts)} facts; shaky reader {shaky.connections} connections, progress "
              f"{len(steady.progress)}")
        scene.check_runs()
        scene.daemon.stop()
        scene.audit()


def many_breaks(programs, checks):
    """Eight readers, each broken off again and again, also in the middle of a fact: `--breaks` times in all."""
    generator = random.Random(programs.seed)
    with Scene(programs, f"{CHIP}={BOARDS}", checks=checks) as scene:
        scene.daemon.start()
        steady = scene.events()
        shaky = [scene.events(topics="run.ended" if at % 4 == 3 else None) for at in range(8)]
        job = start(scene, 1000000)
        operator = Operator(scene, steady)
        done = 0
        deadline = time.monotonic() + harness.LIMIT_S + programs.breaks / 20
        while done < programs.breaks and time.monotonic() < deadline:
            pause = time.monotonic() + generator.uniform(0, 0.006)
            operator.work(lambda until=pause: time.monotonic() > until)
            for reader in generator.sample(shaky, min(4, programs.breaks - done)):
                if reader.socket:  # else it is on its way back
                    reader.break_off()
                    done += 1
        checks.equal(done, programs.breaks, "so often a connection was broken")
        scene.post(f"/v1/jobs/{job}/cancel")
        for name in scene.stations:
            scene.wait_station(name, "idle", "removal")
        check_same(scene, steady, "steady")
        for at, reader in enumerate(shaky):
            check_same(scene, reader, f"reader {at}", topics=(reader.topics,) if reader.topics else None)
        print(f"  {done} breaks, {sum(reader.connections for reader in shaky)} connections, {len(steady.facts)} facts")


def lateness_ms(facts):
    """From the moment a run ended by the record to the moment its fact was read here."""
    return [(fact.told_at - datetime.fromisoformat(fact.data["ended"]).timestamp()) * 1000
            for fact in facts if fact.kind == "run.ended"]


class Slow:
    """Asks for everything and reads nothing; its kernel keeps little for it."""

    def __init__(self, scene):
        address = urllib.parse.urlsplit(scene.daemon.url)
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        self.socket.connect((address.hostname, address.port))
        self.socket.sendall((f"GET /v1/events?last_event_id=0 HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: "
                             f"{scene.headers()['Authorization']}\r\nAccept: text/event-stream\r\n\r\n").encode())

    def read_to_the_end(self):
        """How many bytes were still on their way; None when the stream goes on."""
        count = 0
        self.socket.settimeout(2)
        with contextlib.suppress(ConnectionError):
            try:
                while data := self.socket.recv(65536):
                    count += len(data)
            except TimeoutError:
                return None
        return count

    def close(self):
        self.socket.close()


def clients(scene):
    """Open event streams, as the daemon counts them."""
    for line in scene.call("GET", "/metrics").raw.decode().splitlines():
        if line.startswith("flashfarm_event_clients "):
            return int(float(line.split()[1]))
    raise AssertionError("no flashfarm_event_clients in /metrics")


def slow_consumers(programs, checks):
    with Scene(programs, f"{CHIP}={BOARDS}", checks=checks) as scene:
        scene.daemon.start()
        steady = scene.events()
        job = start(scene, 100000)
        operator = Operator(scene, steady)
        operator.work(lambda: len(steady.of("run.ended")) >= 60)
        mark = len(steady.facts)
        alone = lateness_ms(steady.facts[60:])
        slow = [Slow(scene) for _ in range(SLOW)]
        scene.wait_until(lambda: clients(scene) == SLOW + 1, "all streams to be open")
        began = time.monotonic()
        # They are full after some hundred facts, and dropped so long after that.
        gone = operator.work(lambda: time.monotonic() - began > 5 and clients(scene) == 1, STALL_S + 25)
        took = time.monotonic() - began
        beside = lateness_ms(steady.facts[mark:])
        checks.check(gone, f"who does not read is dropped: {clients(scene) - 1} of {SLOW} are left after {took:.0f} s")
        checks.check(took > STALL_S - 2, f"but not at once: {took:.1f} s")
        checks.check(len(beside) > 100, f"{len(beside)} facts beside them")
        usual, now = statistics.median(alone), statistics.median(beside)
        print(f"  {SLOW} slow readers dropped after {took:.0f} s; a fact is read after {usual:.1f} ms alone, "
              f"{now:.1f} ms beside them, the last after {max(beside):.0f} ms")
        checks.check(now <= usual + 20, "nobody else is slowed")
        checks.check(max(beside) < 2000, f"and no fact waits for them: {max(beside):.0f} ms")
        for reader in slow:
            checks.check(reader.read_to_the_end() is not None, "the stream has ended")
            reader.close()
        scene.post(f"/v1/jobs/{job}/cancel")
        for name in scene.stations:
            scene.wait_station(name, "idle", "removal")
        check_same(scene, steady, "steady")


PLAYS = (broken_connections, many_breaks, slow_consumers)


def main():
    programs = harness.arguments(__doc__, breaks=(int, 500, "connections to break, in many_breaks"))
    harness.play_all(programs, harness.Checks(), PLAYS)


main()
