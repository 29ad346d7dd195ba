# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the daemon at random moments while it gives serial numbers to boards: no number twice, none lost.

An operator takes out every board whose end the daemon has told, reads from its flash what number is really in it, and
puts a fresh one in; some boards have a bad cell, some are thrown away after a kill. Orders come by Idempotency-Key from
a client that asks again until it is answered. After every kill: what was told is on the record, word by word; what is
in a chip is on the record with that chip; a pass is in the flash; every number has a state, and the states add up. The
next daemon is ready within two seconds, whatever the last one left.

`--kills N` ends by itself after so many; every ROUND of them begin with an empty record, since to look at all of a record
after so many kills takes the longer the longer it is. The first wrong thing ends it at once, unless `--to-the-end`.
"""
import http.client
import random
import statistics
import threading
import time

import harness
import serials
from harness import FLASH, JUNK, Scene

BOARDS = 24
QUANTITY = 24
READY_LIMIT_S = 2.0
LOAD_LIMIT_S = 2.0  # within which a board is begun, as a rule
DEEP_EVERY = 20  # kills; gaps are looked for, and the event stream is compared with the ledger
AUDIT_EVERY = 200
ROUND = 500  # kills that one record lives through
BAD_CELL = FLASH + 0x20


class Orders(threading.Thread):
    """A client that never orders a job twice, and the next when the last has ended."""

    def __init__(self, scene, product, image, generator):
        super().__init__(daemon=True)
        self.scene, self.product, self.image, self.random = scene, product, image, generator
        self.acknowledged = {}  # key -> job
        self.quantities = {}  # job -> units
        self.ended = set()  # jobs
        self.more, self.changed = True, threading.Condition()

    def run(self):
        while self.more:
            key = f"order-{len(self.acknowledged)}"
            if self.random.random() < 0.2:
                body = self.product.order(self.image, stations="all", trigger="on_insert", quantity=QUANTITY)
            else:
                body = self.product.order(self.image, stations="all", trigger="immediate")
            job = self.ask(key, body)
            if job is None:
                return
            self.acknowledged[key] = job
            self.quantities[job] = body.get("quantity")
            with self.changed:
                self.changed.wait_for(lambda number=job: number in self.ended or not self.more)

    def ask(self, key, body):
        """The number of the job, however many daemons it takes."""
        while self.more:
            try:
                answer = self.scene.call("POST", "/v1/jobs", body, {"Idempotency-Key": key}, timeout_s=10)
            except (OSError, http.client.HTTPException):
                time.sleep(0.005)  # no daemon, or none any more; nothing tells when
                continue
            if answer.status == 202:
                return answer.json["id"]
            self.scene.checks.check(answer.status in (409, 503), f"an order: {answer}")
            time.sleep(0.01)
        return None

    def end(self, job):
        with self.changed:
            self.ended.add(job)
            self.changed.notify_all()

    def stop(self):
        with self.changed:
            self.more = False
            self.changed.notify_all()
        self.join(30)


class Line:
    """The boards, the operator, and what he knows."""

    def __init__(self, scene, events, product, orders, generator):
        self.scene, self.events, self.product, self.orders = scene, events, product, orders
        self.random, self.checks = generator, scene.checks
        self.drawer = serials.Drawer(self.checks)
        self.served = self.compared = 0  # facts
        self.runs = {}  # of run.started
        self.bad = set()  # chips with a bad cell
        self.exchanged = self.passed = self.thrown = 0

    # -- the operator

    def look(self, name):
        """What is in the socket: the chip, its flash, its number."""
        uid, flash = self.scene.farm.state(name)[1]["uid"], self.scene.farm.dump(name)
        serial = self.product.serial_in(flash)
        self.drawer.put(uid, serial)
        return uid, flash, serial

    def exchange(self, name):
        """The socket is dead until the new board is as it shall be: a station is quicker than an operator."""
        self.scene.sim("fault", name, "silent")
        self.scene.sim("insert", name)
        self.scene.sim("fill", name, str(JUNK))
        self.exchanged += 1
        if self.random.random() < 0.05:
            self.scene.sim("fault", name, f"bad-cell@{BAD_CELL:#x}")
            self.bad.add(self.scene.farm.state(name)[1]["uid"])
        self.scene.sim("fault", name, "none")

    def operate(self):
        """Looks at what was told since; checks boards that ended, and exchanges them."""
        facts = self.events.facts
        while self.served < len(facts):
            fact = facts[self.served]
            self.served += 1
            if fact.kind == "run.started":
                self.runs[fact.data["id"]] = fact.data
            elif fact.kind == "job.state" and fact.data["state"] in ("done", "cancelled"):
                self.orders.end(fact.data["id"])
            elif fact.kind == "run.ended" and fact.data["outcome"] != "unknown":
                self.take_out(self.runs.pop(fact.data["id"]), fact.data)

    def take_out(self, started, ended):
        name, told = started["station"], ended.get("uid") or started.get("uid")
        uid, flash, _ = self.look(name)
        if uid != told:
            return  # it was taken out already, because the record told of it
        what = f"{name}, run {ended['id']}: {ended['outcome']} {ended.get('class')} {ended.get('message')}"
        if ended["outcome"] == "pass":
            self.passed += 1
            self.checks.check(self.product.made(flash, started["serial"]),
                              f"{what}, and that is not in the flash: {uid}, {'bad' if uid in self.bad else 'good'}, "
                              f"{started['serial']}, {flash[:self.product.end].hex()}")
        elif ended["outcome"] == "fail":
            self.checks.check(ended["class"] == "verify" and uid in self.bad, f"{what}: of a good board")
        else:  # `immediate`, and the operator was too late
            self.checks.check(ended["class"] == "wrong-board" and "shipped" in ended["message"], what)
        self.exchange(name)

    def work(self, duration_s, until=lambda: False):
        deadline = time.monotonic() + duration_s
        while (left := deadline - time.monotonic()) > 0 and not until():
            with self.events.changed:
                if len(self.events.facts) == self.served:
                    self.events.changed.wait(left)
            self.operate()

    # -- the auditor, when the daemon is dead

    def audit(self, deep):
        self.check_told(deep)
        self.check_sockets()
        counts = serials.check_pools(self.scene)[serials.POOL]
        jobs, = self.scene.query("SELECT count(*) FROM job")[0]
        self.checks.check(jobs - len(self.orders.acknowledged) in (0, 1), f"{jobs} jobs for "
                          f"{len(self.orders.acknowledged)} orders, and one that may be on its way")
        if deep:
            serials.check_gaps(self.scene, at_rest=False)
            serials.check_drawer(self.scene, self.drawer)
        return counts

    def check_told(self, deep):
        """Whatever was told is on the record, word by word."""
        told = {f.sequence: (f.kind, f.data) for f in self.events.facts[0 if deep else self.compared:]}
        self.compared = len(self.events.facts)
        if told:
            kept = {f.sequence: (f.kind, f.data) for f in self.scene.ledger(min(told), max(told)) if f.sequence in told}
            self.checks.equal(kept, told, "what was told before the kill is on the record")

    def check_sockets(self):
        """Told or not: what the record says of the chips that are in the sockets now."""
        for name in self.scene.stations:
            uid, flash, serial = self.look(name)
            run = self.scene.query("SELECT outcome, serial FROM run WHERE uid = ? ORDER BY id DESC LIMIT 1", uid)
            state = self.scene.query("SELECT uid, state FROM serial WHERE text = ?", serial)
            outcome, recorded = run[0] if run else (None, None)
            if outcome == "pass":
                self.checks.check(self.product.made(flash, recorded), f"{name}: {uid} is a pass on the record only")
            if not run:
                self.checks.check(serials.untouched(flash), f"{name}: {uid} was touched without a record")
            if serial:
                self.checks.check(state and state[0][0] in (None, uid) and state[0][1] not in ("returned", "burned"),
                                  f"{name}: {serial} is in {uid}, and on the record it is {state}")

    def throw_away(self):
        """Boards in doubt do not all come back."""
        for name in self.scene.stations:
            if self.random.random() < 0.05:
                self.thrown += 1
                self.exchange(name)


class Killer:
    def __init__(self, scene, line, generator):
        self.scene, self.line, self.random, self.checks = scene, line, generator, scene.checks
        self.kills = self.before_ready = self.in_flight = 0
        self.heard = 0  # lines of the log
        self.ready, self.counts = [], {}

    def kill(self):
        self.scene.daemon.kill()
        self.scene.wait_until(lambda: self.line.events.socket is None, "the reader to see the end")
        self.line.operate()
        errors = [line.rstrip() for line in self.scene.daemon.log[self.heard:] if "Z error " in line]
        self.heard = len(self.scene.daemon.log)
        self.checks.check(not errors, f"the daemon complains: {errors[:3]}")
        return {run for run, in self.scene.query("SELECT id FROM run WHERE outcome IS NULL")}

    def restart(self, open_runs):
        """Some daemons do not even live to be ready."""
        while self.random.random() < 0.1:
            self.before_ready += 1
            self.scene.daemon.start(wait=False)
            time.sleep(self.random.uniform(0, 0.04))
            open_runs |= self.kill()
        self.scene.daemon.start()
        self.ready.append(self.scene.daemon.ready_s)
        self.checks.check(self.scene.daemon.ready_s <= READY_LIMIT_S, f"ready after {self.scene.daemon.ready_s:.3f} s")
        wanted = ",".join(map(str, open_runs)) or "0"
        now = self.scene.query(f"SELECT id, outcome FROM run WHERE id IN ({wanted})")
        self.checks.equal(dict(now), dict.fromkeys(open_runs, "unknown"), "runs that were in flight")
        self.in_flight += len(open_runs)

    def once(self):
        if self.random.random() < 0.7:  # in the middle of it; else as soon as it comes up
            begun = len(self.line.runs)
            self.line.work(LOAD_LIMIT_S, lambda: len(self.line.runs) > begun)
        self.line.work(self.random.uniform(0, 0.15))
        open_runs = self.kill()
        self.kills += 1
        with self.scene.reading():
            self.counts = self.line.audit(self.kills % DEEP_EVERY == 0)
        if self.random.random() < 0.3:
            self.line.throw_away()
        if self.kills % AUDIT_EVERY == 0:
            self.scene.audit()
        self.restart(open_runs)


def finish(scene, line, orders):
    """No kill any more: every station still works, and every order comes to its end."""
    checks = scene.checks
    mark, began = len(line.events.facts), time.monotonic()
    waiting = set(scene.stations)
    while waiting and time.monotonic() - began < harness.LIMIT_S:
        line.work(0.1)
        stations = {f.data["id"]: f.data["station"] for f in line.events.of("run.started")[-1000:]}
        waiting -= {stations.get(f.data["id"]) for f in line.events.facts[mark:]
                    if f.kind == "run.ended" and f.data["outcome"] == "pass"}
    checks.equal(waiting, set(), f"stations that never came back: {[scene.station(name) for name in waiting]}")
    orders.stop()
    while time.monotonic() - began < harness.LIMIT_S and not set(orders.acknowledged.values()) <= orders.ended:
        line.work(0.1)
    jobs = {job["id"]: job for job in scene.items("/v1/jobs")}
    checks.equal(sorted(orders.acknowledged.values()), sorted(set(orders.acknowledged.values())), "one job per order")
    checks.check(set(orders.acknowledged.values()) <= set(jobs), "jobs that were acknowledged are there")
    checks.check(len(jobs) - len(orders.acknowledged) <= 1, "no job that nobody ordered")
    for number, quantity in orders.quantities.items():
        checks.equal(jobs[number]["state"], "done", f"job {number}")
        if quantity:
            checks.equal(jobs[number]["counts"]["passed"], quantity, f"passes of job {number}")


def report(line, killer, orders, counts, took_s):
    print(f"{killer.kills} kills, {killer.before_ready} more before the daemon was ready, in {took_s:.0f} s; "
          f"{killer.in_flight} runs in flight")
    print(f"numbers {counts}; in chips {len(line.drawer.boards)}; boards exchanged {line.exchanged}, thrown away "
          f"{line.thrown}; passes looked at in flash {line.passed}; orders {len(orders.acknowledged)}")
    print(f"ready: median {statistics.median(killer.ready) * 1000:.0f} ms, max {max(killer.ready) * 1000:.0f} ms; "
          f"facts {len(line.events.facts)}, streams {line.events.connections}", flush=True)


def play(scene, programs, kills):
    """Until enough is killed, or something is wrong. Returns how often it was, and the longest way back."""
    generator, checks = random.Random(programs.seed), scene.checks
    began = time.monotonic()
    scene.daemon.start()
    events = scene.events()
    serials.make_pool(scene)
    product = serials.Product()
    orders = Orders(scene, product, scene.image(product.image), random.Random(programs.seed + 1))
    line = Line(scene, events, product, orders, generator)
    killer = Killer(scene, line, generator)
    orders.start()
    while killer.kills < kills and (programs.to_the_end or not checks.failed):
        killer.once()
    if not checks.failed:
        finish(scene, line, orders)
        scene.check_facts(events)
        scene.check_runs()
    counts = serials.check_pools(scene)[serials.POOL]
    serials.check_gaps(scene)
    for name in scene.stations:
        line.look(name)
    serials.check_drawer(scene, line.drawer)
    checks.equal(events.resyncs, 0, "the daemon always knew what it had told")
    report(line, killer, orders, counts, time.monotonic() - began)
    return killer.kills + killer.before_ready, max(killer.ready)


def play_round(programs, kills):
    listen = f"127.0.0.1:{harness.free_port()}"  # the same for every life: a dead one's connections must not block it
    with Scene(programs, f"{serials.CHIP}={programs.boards}", listen=listen) as scene:
        killed, ready_s = play(scene, programs, kills)
        if not scene.checks.failed:
            scene.checks.equal(scene.daemon.stop(), 0, "exit status")
            scene.audit()
    return scene.checks, killed, ready_s


def main():
    programs = harness.arguments(__doc__.splitlines()[0], kills=(int, 300, "how often the daemon is killed"),
                                 boards=(int, BOARDS, "how many"),
                                 to_the_end=(int, 0, "1: also when something is wrong"))
    left, total, longest_s, began = programs.kills, 0, 0.0, time.monotonic()
    while left > 0:
        checks, killed, ready_s = play_round(programs, min(left, ROUND))
        left, total, longest_s = left - ROUND, total + killed, max(longest_s, ready_s)
        programs.seed += 2
        print(f"so far {total} kills in {time.monotonic() - began:.0f} s, ready after at most {longest_s * 1000:.0f} ms",
              flush=True)
        if checks.failed:
            break
    checks.finish()


main()
