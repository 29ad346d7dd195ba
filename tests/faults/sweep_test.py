# SPDX-License-Identifier: Apache-2.0
"""No room, a broken disk, no descriptors, no memory, at every n-th call of a kind: once, and for as long as it takes.

A preloaded library (shim.c) lets calls of the running daemon fail while an order with serial numbers is worked on. The
daemon may refuse, it may stop at a station and say why, for want of memory it may die; but what it calls a pass is in
the flash, no number is in two chips, every number has a state, and when the fault is over the work goes on by itself.
"""
import errno
import hashlib
import http.client
import mmap
import os
import random
import struct
import subprocess
import time

import harness
import serials
from harness import JUNK, Scene

BOARDS = 2
KINDS = ("none", "open", "read", "write", "sync", "truncate", "accept", "line", "memory")
FAULTS = (("open", errno.EMFILE), ("read", errno.EIO), ("write", errno.ENOSPC), ("write", errno.EIO),
          ("sync", errno.EIO), ("sync", errno.ENOSPC), ("truncate", errno.EIO), ("accept", errno.EMFILE),
          ("line", errno.EIO), ("memory", errno.ENOMEM))
PATIENCE_S = 0.3  # with a fault that lasts; then it is taken away
ERRORS = ("Z error ",)  # of every kind


class Shim:
    """The library's command, in memory that the daemon shares: kind, left, errno, for ever, hits, calls."""

    def __init__(self, library, path):
        with open(path, "wb") as file:
            file.truncate(mmap.PAGESIZE)
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        self.environment = {"LD_PRELOAD": library, "FLASHFARM_SHIM": path}

    def arm(self, kind, number, error, for_ever):
        self.memory[8:48] = struct.pack("5q", number, error, for_ever, 0, 0)
        self.memory[0:8] = struct.pack("q", KINDS.index(kind))

    def disarm(self):
        self.memory[0:8] = bytes(8)
        return self.hits, struct.unpack("q", self.memory[40:48])[0]

    @property
    def hits(self):
        return struct.unpack("q", self.memory[32:40])[0]


class Sweep:
    def __init__(self, scene, shim):
        self.scene, self.shim, self.checks = scene, shim, scene.checks
        self.product = serials.Product()
        self.drawer = serials.Drawer(self.checks)
        self.turns = self.deaths = self.refused = self.stuck = 0
        self.outcomes = {}
        self.looked_at = 0  # runs
        self.calls = {}  # of a turn without a fault
        self.what = ""

    def check(self, good, words):
        self.checks.check(good, f"{self.what}: {words}")

    def begin(self):
        self.scene.daemon.start()
        serials.make_pool(self.scene)
        self.image = self.scene.image(self.product.image)

    # -- one turn

    def turn(self, kind, error, number, for_ever):
        """Whether the n-th call came, and how many calls there were."""
        scene = self.scene
        self.what = f"{kind} {errno.errorcode[error]} {number} {'for ever' if for_ever else 'once'}"
        self.turns += 1
        for name in scene.stations:
            scene.sim("insert", name)
            scene.sim("fill", name, str(JUNK))
        log = len(scene.daemon.log)
        self.shim.arm(kind, number, error, for_ever)
        key = f"order-{self.turns}"
        answer = self.order(key)
        self.wait_for_end(answer, for_ever)
        hits, calls = self.shim.disarm()
        self.revive(kind, log)
        answer = answer or self.ask_again(kind, log, key)
        job = self.settle(kind, log, answer)
        if kind == "memory":
            self.restart_stuck(log)
        self.look(job, answer, hits)
        return hits > 0, calls

    def order(self, key):
        """The answer; None when there was none."""
        try:
            return self.scene.call("POST", "/v1/jobs", self.product.order(self.image, stations="all"),
                                   {"Idempotency-Key": key}, timeout_s=5)
        except (OSError, http.client.HTTPException):
            return None

    def ask_again(self, kind, log, key):
        """As a client does who got no answer: with the same key, and it is one order."""
        for _ in range(5):
            answer = self.order(key)
            if answer is not None and answer.status not in (409, 503):
                return answer
            if self.died():
                self.revive(kind, log)
        self.check(False, "no answer after the fault")
        return None

    def open_jobs(self):
        return [job for job, in self.scene.query("SELECT id FROM job WHERE state IN ('running', 'held')")]

    def dead(self):
        return self.scene.daemon.process.poll() is not None

    def died(self):
        """A broken connection is news earlier than the end of the process."""
        try:
            self.scene.wait_until(self.dead, "it has died", 1)
            return True
        except TimeoutError:
            return False

    def wait_for_end(self, answer, for_ever):
        """Until the order is done, the daemon dead, or somebody's patience."""
        deadline = time.monotonic() + (PATIENCE_S if for_ever else harness.LIMIT_S)
        accepted = answer is not None and answer.status == 202
        while time.monotonic() < deadline and not self.dead():
            if not self.open_jobs() and (accepted or not for_ever or self.shim.hits > 20):
                break
            time.sleep(0.01)

    def revive(self, kind, log):
        """Only for want of memory may it die, and not without a word."""
        if not self.dead():
            return
        self.deaths += 1
        status = self.scene.daemon.wait()
        said = "".join(self.scene.daemon.log[log:])
        self.check(kind == "memory" and "out of memory" in said, f"it died ({status}): {said[-500:]}")
        self.scene.daemon.start()

    def rest(self):
        """Until every order has ended and every station is at rest."""
        self.scene.wait_until(lambda: self.dead() or not self.open_jobs(), "the order has ended", 20)
        for name in self.scene.stations:
            self.scene.wait_station(name, "idle", "removal", timeout_s=20)

    def settle(self, kind, log, answer):
        """The fault is over: the order comes to its end without anybody's help, if there is one."""
        scene = self.scene
        try:
            self.rest()
        except (TimeoutError, OSError, http.client.HTTPException) as error:
            if self.died():
                self.revive(kind, log)
                self.rest()
            else:
                self.check(False, f"it does not go on: {error}; {''.join(scene.daemon.log[-6:])}")
                scene.daemon.kill()
                scene.daemon.start()
                for job in self.open_jobs():
                    scene.post(f"/v1/jobs/{job}/cancel")
        if answer is not None and answer.status == 202:
            return answer.json["id"]
        if answer is not None:
            self.refused += 1
            self.check(answer.status >= 500 and (kind == "memory" or answer.json.get("detail")), f"refused: {answer}")
        return None

    def restart_stuck(self, log):
        """SQLite can take want of memory for a wrong fact. Then the outcome is given up, with a word, and its station
        stands until the next start, which calls the run unknown."""
        if not self.scene.query("SELECT 1 FROM run WHERE outcome IS NULL"):
            return
        said = "".join(self.scene.daemon.log[log:])
        self.check("cannot be recorded" in said, f"a run has no end, and nobody says why: {said[-1000:]}")
        self.stuck += 1
        self.scene.daemon.stop()
        self.scene.daemon.start()
        self.rest()

    # -- afterwards

    def look(self, job, answer, hits):
        """What the record says of the boards in the sockets, and what is in them."""
        scene = self.scene
        runs = scene.query("SELECT id, station, uid, outcome, class, message, serial FROM run WHERE id > ? ORDER BY id",
                           self.looked_at)
        passed = 0
        for run, station, uid, outcome, word, message, serial in runs:
            self.looked_at = run
            self.outcomes[outcome, word] = self.outcomes.get((outcome, word), 0) + 1
            self.check(outcome is not None, f"run {run} has no end")
            self.check(outcome == "pass" or message, f"run {run} of {station} does not say why: {outcome} {word}")
            self.check(word != "record" or outcome == "aborted",
                       f"run {run} began without a record: {outcome} {message}")
            self.check(outcome == "pass" or hits, f"run {run}: {outcome} {word} {message}, and nothing failed")
            passed += outcome == "pass"
        newest = {uid: (outcome, serial) for _, _, uid, outcome, _, _, serial in runs if uid}
        for name in scene.stations:
            flash, uid = scene.farm.dump(name), scene.farm.state(name)[1]["uid"]
            outcome, serial = newest.get(uid, (None, None))
            self.drawer.put(uid, self.product.serial_in(flash))
            if outcome == "pass":
                self.check(self.product.made(flash, serial), f"{name}: a pass that is not in the flash")
            elif outcome in (None, "aborted"):
                self.check(serials.untouched(flash), f"{name}: touched, and on the record it is {outcome}")
        if job is not None:
            self.check(len({row[1] for row in runs}) == BOARDS, f"job {job}: every station had its turn: {runs}")
        self.check(hits or passed == BOARDS, f"{passed} passed, and nothing failed: {runs} {answer}")
        serials.check_pools(scene)

    # -- an image

    def upload(self, kind, error, number, for_ever):
        """An upload during which the n-th call fails: taken or refused, and then it is taken. No file is left over."""
        daemon = self.scene.daemon
        self.what = f"upload, {kind} {errno.errorcode[error]} {number} {'for ever' if for_ever else 'once'}"
        self.turns += 1
        log, data = len(daemon.log), harness.make_image(3000, seed=self.turns)
        self.shim.arm(kind, number, error, for_ever)
        answer = self.send(data)
        hits, calls = self.shim.disarm()
        if answer is None and self.died():
            self.revive(kind, log)
        if answer is not None and answer.status not in (200, 201):
            self.refused += 1
            self.check(answer.status >= 500 and hits and (kind == "memory" or answer.json.get("detail")), f"{answer}")
        again = self.send(data)
        self.check(again is not None and again.status in (200, 201), f"not taken afterwards: {again}")
        known = {row[0] for row in self.scene.query("SELECT id FROM image")}
        folder = os.path.join(self.scene.state_dir, "images")
        kept = {name for name in os.listdir(folder) if os.path.isfile(os.path.join(folder, name))}
        self.check(known == kept, f"files and record differ: {known ^ kept}")
        with open(os.path.join(folder, hashlib.sha256(data).hexdigest()), "rb") as file:
            self.check(file.read() == data, "the file is not what was sent")
        return hits > 0, calls

    def send(self, data):
        try:
            return self.scene.upload(data)
        except (OSError, http.client.HTTPException):
            return None

    def uploads(self, kind, error, for_ever, points):
        self.through(self.upload, "upload " + kind, error, for_ever, points, kind)

    # -- coming up

    def start(self, kind, error, number, for_ever):
        """A start during which the n-th call fails: it serves, or it ends and says why. Then it serves."""
        daemon = self.scene.daemon
        self.what = f"start, {kind} {errno.errorcode[error]} {number} {'for ever' if for_ever else 'once'}"
        self.turns += 1
        log = len(daemon.log)
        self.shim.arm(kind, number, error, for_ever)
        daemon.start(wait=False)
        daemon.wait_url(self.dead, harness.READY_S)
        hits, calls = self.shim.disarm()
        if not self.well():
            self.deaths += 1
            self.check(self.dead(), "it neither serves nor ends")
            status = daemon.wait()
            said = daemon.log[log:]
            self.check(hits and status and any("<2>" in line or "Z error " in line for line in said),
                       f"it ended ({status}) without a word: {said}")
            daemon.start()
            self.check(self.well(), "it does not serve afterwards")
        self.check(daemon.stop() == 0, "it does not stop in good order")
        return hits > 0, calls

    def well(self):
        """It serves, and has not died meanwhile."""
        try:
            return self.scene.call("GET", "/healthz").status == 200
        except (OSError, http.client.HTTPException):
            return not self.died() and self.well()

    def before_main(self, kind):
        """Calls that are the libraries' own, before the daemon is asked anything."""
        self.shim.arm(kind, 10 ** 12, 0, False)
        subprocess.run([self.scene.programs.flashfarmd, "--version"], env=os.environ | self.shim.environment,
                       stdout=subprocess.DEVNULL, check=True)
        return self.shim.disarm()[1]

    def starts(self, kind, error, for_ever, points):
        self.scene.daemon.stop()
        self.through(self.start, "start " + kind, error, for_ever, points, kind, self.before_main(kind) + 1)
        self.scene.daemon.start()

    def sweep(self, kind, error, for_ever, points):
        self.through(self.turn, kind, error, for_ever, points, kind)

    def through(self, turn, words, error, for_ever, points, kind, number=1):
        """n from 1 until the order passes without; a form with `points` goes in steps."""
        if (turn, kind) not in self.calls:
            turn(kind, error, 10 ** 12, False)  # whatever is done only once
            _, self.calls[turn, kind] = turn(kind, error, 10 ** 12, False)
        calls = self.calls[turn, kind]
        step = max(1, calls // points) if points else 1
        came, tried, deaths, refused = True, 0, self.deaths, self.refused
        while came:
            came, _ = turn(kind, error, number, for_ever)
            tried += came
            number += step
        print(f"  {words:15} {errno.errorcode[error]:7} {'for ever' if for_ever else 'once':8} {tried:5} of about "
              f"{calls} calls failed; {self.deaths - deaths} deaths, {self.refused - refused} orders refused",
              flush=True)


def main():
    programs = harness.arguments(
        __doc__, shim=(str, "", "the preloaded library"), points=(int, 3, "so many n of each kind; 0: every one"),
        kinds=(str, "", "only those kinds of calls, with commas"))
    checks = harness.Checks()
    with Scene(programs, f"{serials.CHIP}={BOARDS}", checks=checks, errors=ERRORS) as scene:
        shim = Shim(programs.shim, os.path.join(scene.dir, "shim"))
        scene.daemon.environment = shim.environment
        sweep = Sweep(scene, shim)
        sweep.begin()
        faults = [fault for fault in FAULTS if not programs.kinds or fault[0] in programs.kinds.split(",")]
        random.Random(programs.seed).shuffle(faults)
        for kind, error in faults:
            for for_ever in (False, True):
                points = (programs.points + for_ever) // (1 + for_ever)  # what lasts takes its time
                sweep.sweep(kind, error, for_ever, points)
                if kind in ("open", "write", "sync", "memory"):
                    sweep.uploads(kind, error, for_ever, points)
                if kind != "line":
                    sweep.starts(kind, error, for_ever, points)
        serials.check_gaps(scene)
        serials.check_drawer(scene, sweep.drawer)
        scene.check_runs()
        print(f"{sweep.turns} orders, {sweep.deaths} deaths, {sweep.refused} refused, {sweep.stuck} stuck; "
              f"{sweep.outcomes}; {len(sweep.drawer.boards)} serials in chips")
        checks.equal(scene.daemon.stop(), 0, "exit status")
        scene.audit()
    checks.finish()


main()
