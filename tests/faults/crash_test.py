# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the daemon at random moments while sixteen boards run: the record stays true.

An operator takes out every board whose end the daemon has told, and puts a fresh one in. Orders come by
Idempotency-Key from a client that asks again until it is answered. After every kill the record must hold all that was
told before, and what it calls a pass must be in the flash of that board.
"""
import http.client
import random
import statistics
import threading
import time

import harness
from harness import CHIP, JUNK, Scene

IMAGE = harness.make_image(5000, seed=41)
BOARDS = 16
KEPT = {"address": "0x0801fc00", "size": 1024}  # the last page: so there is no mass erase, and every stray one shows
QUANTITY = 60
READY_LIMIT_S = 2.0
AUDIT_EVERY = 25


class Orders:
    """A client that never orders a job twice, and the next when the boards of the last have been taken out."""

    def __init__(self, scene, image, taken_out):
        self.scene, self.image, self.taken_out = scene, image, taken_out
        self.acknowledged = {}  # key -> job
        self.more = True
        self.thread = threading.Thread(target=self._order, daemon=True)
        self.thread.start()

    def _order(self):
        while self.more:
            key = f"order-{len(self.acknowledged)}"
            job = self._ask(key)
            if job is None:
                return
            self.acknowledged[key] = job["id"]
            while self.more and not self.taken_out(job["id"]):
                time.sleep(0.02)

    def _ask(self, key):
        """The job, however many daemons it takes."""
        body = {"chip": CHIP, "images": [self.image], "stations": "all", "trigger": "on_insert",
                "quantity": QUANTITY, "keep": [KEPT]}
        while self.more:
            try:
                answer = self.scene.call("POST", "/v1/jobs", body, {"Idempotency-Key": key}, timeout_s=10)
            except (OSError, http.client.HTTPException):
                time.sleep(0.005)  # no daemon, or none any more
                continue
            if answer.status == 202:
                return answer.json
            self.scene.checks.check(answer.status in (409, 503), f"an order: {answer}")
            time.sleep(0.02)
        return None

    def stop(self):
        self.more = False
        self.thread.join(30)


class Crash:
    def __init__(self, scene, events, generator):
        self.scene, self.events, self.random = scene, events, generator
        self.checks = scene.checks
        self.served = 0  # facts that the operator has looked at
        self.passed = self.in_flight = self.untold = self.before_ready = 0
        self.ready = []
        self.unknown = set()

    def operate(self):
        """Looks at what was told since; checks boards that passed, and exchanges those that ended."""
        for fact in self.events.facts[self.served:]:
            self.served += 1
            if fact.kind != "run.ended" or fact.data["outcome"] == "unknown":
                continue
            name, uid = self.where(fact.data["id"]), fact.data.get("uid")
            if self.scene.farm.state(name)[1]["uid"] != uid:
                continue  # it was taken out already, because the record told of it
            self.passed += fact.data["outcome"] == "pass"
            self.checks.check(fact.data["outcome"] == "pass" and self.scene.holds(name, IMAGE),
                              f"{name}: told as {fact}, and the flash is {self.scene.farm.dump(name)[:16].hex()}…")
            self.scene.sim("insert", name)
            self.scene.sim("fill", name, str(JUNK))

    def taken_out(self, job):
        """The job has ended, and the operator has seen to everything that came before."""
        return any(f.kind == "job.state" and f.data["id"] == job and f.data["state"] == "done"
                   for f in self.events.facts[:self.served])

    def where(self, run):
        return next(f.data["station"] for f in self.events.facts if f.kind == "run.started" and f.data["id"] == run)

    def work(self, duration_s):
        deadline = time.monotonic() + duration_s
        while (left := deadline - time.monotonic()) > 0:
            with self.events.changed:
                if len(self.events.facts) == self.served:
                    self.events.changed.wait(left)
            self.operate()

    def kill(self):
        self.scene.daemon.kill()
        self.scene.wait_until(lambda: self.events.socket is None, "the reader to see the end")
        self.operate()
        self.check_told()
        self.check_boards()
        return {run for run, in self.scene.query("SELECT id FROM run WHERE outcome IS NULL")}

    def check_told(self):
        """Whatever was told is on the record, word by word."""
        told = {f.sequence: (f.kind, f.data) for f in self.events.facts}
        if not told:
            return
        kept = {f.sequence: (f.kind, f.data) for f in self.scene.ledger() if f.sequence in told}
        self.checks.equal(kept, told, "what was told before the kill is on the record")
        head, = self.scene.query("SELECT max(sequence) FROM ledger")[0]
        self.untold += head - max(told)

    def check_boards(self):
        """The newest run with the UID that is in the socket, told or not: a pass is a pass."""
        for name in self.scene.stations:
            uid = self.scene.farm.state(name)[1]["uid"]
            runs = self.scene.query("SELECT outcome FROM run WHERE uid = ? ORDER BY id DESC LIMIT 1", uid)
            self.checks.equal(set(self.scene.farm.dump(name)[-1024:]), {JUNK}, f"{name}: what should be kept")
            if runs and runs[0][0] == "pass":
                self.checks.check(self.scene.holds(name, IMAGE), f"{name}: {uid} is a pass on the record only")
            if not runs:
                self.checks.check(self.scene.untouched(name), f"{name}: {uid} was touched without a record")

    def restart(self, open_runs):
        """Some daemons do not even live to be ready."""
        while self.random.random() < 0.15:
            self.before_ready += 1
            self.scene.daemon.start(wait=False)
            time.sleep(self.random.uniform(0, 0.04))
            open_runs |= self.kill()
        self.scene.daemon.start()
        self.ready.append(self.scene.daemon.ready_s)
        self.checks.check(self.scene.daemon.ready_s <= READY_LIMIT_S, f"ready after {self.scene.daemon.ready_s:.3f} s")
        now = dict(self.scene.query("SELECT id, outcome FROM run"))
        self.checks.equal({run: now[run] for run in open_runs}, dict.fromkeys(open_runs, "unknown"),
                          "runs that were in flight")
        self.unknown |= open_runs
        self.in_flight += len(open_runs)

    def once(self):
        # Most kills in the middle of the work, some as soon as it begins.
        self.work(self.random.uniform(*((0, 0.1) if self.random.random() < 0.2 else (0.2, 2.0))))
        self.restart(self.kill())


def finish(scene, crash, orders):
    """No kill any more: every station still works, and every job comes to its end."""
    checks = scene.checks
    mark = len(crash.events.facts)
    deadline = time.monotonic() + harness.LIMIT_S
    waiting = set(scene.stations)
    while waiting and time.monotonic() < deadline:
        crash.work(0.1)
        waiting -= {crash.where(f.data["id"]) for f in crash.events.facts[mark:]
                    if f.kind == "run.ended" and f.data["outcome"] == "pass"}
    checks.equal(waiting, set(), f"stations that never came back: {[scene.station(name) for name in waiting]}")
    orders.stop()
    while any(job["state"] == "running" for job in scene.items("/v1/jobs")) and time.monotonic() < deadline:
        crash.work(0.1)
    checks.equal([job for job in scene.items("/v1/jobs") if job["state"] != "done"], [], "jobs that did not end")


def check_orders(scene, orders):
    checks = scene.checks
    jobs = {job["id"]: job for job in scene.items("/v1/jobs")}
    checks.equal(sorted(orders.acknowledged.values()), sorted(set(orders.acknowledged.values())), "one job per order")
    checks.check(set(orders.acknowledged.values()) <= set(jobs), "jobs that were acknowledged are there")
    checks.check(len(jobs) - len(orders.acknowledged) <= 1, "no job that nobody ordered")
    flying, passed = {}, dict.fromkeys(jobs, 0)
    for fact in scene.ledger():
        if fact.kind == "run.started":
            flying[fact.data["id"]] = fact.data["job"]
        elif fact.kind == "run.ended":
            passed[flying.pop(fact.data["id"])] += fact.data["outcome"] == "pass"
        if fact.kind == "run.started":
            job = fact.data["job"]
            count = passed[job] + list(flying.values()).count(job)
            checks.check(count <= QUANTITY, f"job {job}: {count} of {QUANTITY} at {fact.sequence}")
    checks.equal(set(passed.values()), {QUANTITY}, "every job ended with as many passes as were ordered")


def report(scene, crash, orders, kills):
    outcomes = dict(scene.query("SELECT outcome, count(*) FROM run GROUP BY outcome"))
    scene.checks.equal(outcomes.get("unknown", 0), len(crash.unknown), "unknown are those that were in flight")
    others = scene.query("SELECT id, station, outcome, class, message FROM run WHERE outcome IN ('fail', 'aborted')")
    scene.checks.equal(others, [], "good boards pass, whatever state the dead daemon left them in")
    scene.checks.equal(crash.events.resyncs, 0, "the daemon always knew what it had told")
    print(f"{kills} kills, {crash.before_ready} more before the daemon was ready; {crash.in_flight} runs in flight; "
          f"facts durable but not told when it died: {crash.untold}")
    print(f"runs {outcomes}; jobs {len(orders.acknowledged)}; passes looked at in flash: {crash.passed}")
    print(f"ready: median {statistics.median(crash.ready) * 1000:.0f} ms, max {max(crash.ready) * 1000:.0f} ms; "
          f"facts {len(crash.events.facts)}, streams {crash.events.connections}", flush=True)


def main():
    programs = harness.arguments(__doc__, kills=(int, 12, "how often the daemon is killed"))
    listen = f"127.0.0.1:{harness.free_port()}"  # the same for every life: a dead one's connections must not block it
    with Scene(programs, f"{CHIP}={BOARDS}", "--pace", listen=listen) as scene:
        scene.daemon.start()
        events = scene.events()
        crash = Crash(scene, events, random.Random(programs.seed))
        orders = Orders(scene, scene.image(IMAGE), crash.taken_out)
        for count in range(1, programs.kills + 1):
            crash.once()
            if count % AUDIT_EVERY == 0:
                scene.audit()
        finish(scene, crash, orders)
        scene.check_facts(events)
        scene.check_runs()
        check_orders(scene, orders)
        report(scene, crash, orders, programs.kills)
        scene.checks.equal(scene.daemon.stop(), 0, "exit status")
        scene.audit()
    scene.checks.finish()


main()
