# SPDX-License-Identifier: Apache-2.0
"""Everything at once, at random: boards come, go, break and lose their ports; operators command; stations reload.

No single thing is expected of a unit here but the truth: what is told as a pass is in the flash, all that tell of a
run agree, nothing is asked of a person to go on afterwards, and the daemon neither dies nor complains.
"""
import random
import signal
import time

import harness
from harness import CHIP, JUNK, Scene

IMAGE = harness.make_image(2500, seed=81)
BOARDS = 16
FAULTS = ("none", "silent", "wrong-id", "nack-write@2", "nack-erase", "nack-once@2", "bad-cell@0x08000123", "hang@3",
          "unplug@3", "garbage", "corrupt@2", "drop-ack@2", "slow@3", "protected", "marginal@57600")
CLASSES = {"no-contact", "wrong-chip", "write", "erase", "verify", "timeout", "port-lost", "protocol", "protected",
           "cancelled", "duplicate-uid"}


class Storm:
    def __init__(self, scene, events, generator):
        self.scene, self.events, self.random, self.checks = scene, events, generator, scene.checks
        self.served = self.looked_at = self.actions = 0
        self.undisturbed = {}  # run -> its station, as long as nobody has laid hands on it
        self.jobs = []
        self.image = scene.image(IMAGE)

    def look(self):
        """Passes at stations where nothing was done since they began must be in the flash."""
        for fact in self.events.facts[self.served:]:
            self.served += 1
            if fact.kind == "run.started":
                self.undisturbed[fact.data["id"]] = fact.data["station"]
            elif fact.kind == "run.ended":
                name = self.undisturbed.pop(fact.data["id"], None)
                self.checks.check(fact.data["outcome"] == "pass" or fact.data["class"] in CLASSES, f"outcome: {fact}")
                if fact.data["outcome"] != "pass" or not name or name in self.undisturbed.values():
                    continue
                self.looked_at += 1
                self.checks.check(self.scene.holds(name, IMAGE), f"{name}: told as a pass: {fact}")

    def touch(self, name):
        self.undisturbed = {run: station for run, station in self.undisturbed.items() if station != name}

    def board(self, name):
        """One thing that happens to a board."""
        self.touch(name)
        what = self.random.choice(("fault", "exchange", "exchange", "exchange", "remove", "unplug", "replug", "replug",
                                   "reset"))
        if what == "fault":
            self.scene.sim("fault", name, "none")
            self.scene.sim("fault", name, self.random.choice(FAULTS if self.random.random() < 0.5 else ("none",)))
        elif what == "exchange":
            self.scene.sim("insert", name)
            self.scene.sim("fill", name, str(JUNK))
        else:
            self.scene.sim(what, name)

    def command(self):
        """One thing that a person or another program does. Refusals are fine, failures of the daemon are not."""
        job = self.random.choice(self.jobs)
        name = self.random.choice(self.scene.stations)
        path = self.random.choice((f"/v1/jobs/{job}/hold", f"/v1/jobs/{job}/resume", f"/v1/jobs/{job}/resume",
                                   f"/v1/stations/{name}/disable", f"/v1/stations/{name}/enable",
                                   f"/v1/stations/{name}/enable", f"/v1/stations/{name}/start"))
        if self.random.random() < 0.1:
            path = f"/v1/jobs/{job}/cancel"
        answer = self.scene.call("POST", path, b"")
        self.checks.check(answer.status in (200, 409) or answer.status == 404 and "/stations/" in path,
                          f"{path}: {answer}")
        if self.random.random() < 0.1:
            self.order()

    def order(self):
        order = {"trigger": self.random.choice(("immediate", "on_insert", "on_insert", "on_start")),
                 "stations": self.random.sample(self.scene.stations, self.random.randint(1, BOARDS)),
                 "hold_after_failures": self.random.choice((0, 5))}
        if order["trigger"] != "immediate":
            order["quantity"] = self.random.randint(1, 40)
        self.jobs.append(self.scene.submit(self.image, **order))

    def reload(self):
        """A station changes, or goes, or comes back."""
        name = self.random.choice(self.scene.stations)
        self.touch(name)
        how = self.random.choice(("leave", "change", "all"))

        def change(_):
            start = self.whole.index(f"[station {name}]")
            end = self.whole.find("\n[station", start)
            end = len(self.whole) if end < 0 else end + 1
            if how == "leave":
                return self.whole[:start] + self.whole[end:]
            if how == "change":
                return self.whole[:end].rstrip("\n") + "\nposition = moved\n\n" + self.whole[end:]
            return self.whole
        self.scene.edit_config(change)
        self.scene.daemon.signal(signal.SIGHUP)

    def rage(self, duration_s):
        with open(self.scene.config, encoding="utf-8") as file:
            self.whole = file.read()
        self.order()
        end = time.monotonic() + duration_s
        while time.monotonic() < end:
            self.actions += 1
            chance = self.random.random()
            if chance < 0.6:
                self.board(self.random.choice(self.scene.stations))
            elif chance < 0.98:
                self.command_or_order()
            else:
                self.reload()
            with self.events.changed:
                self.events.changed.wait(self.random.uniform(0, 0.05))
            self.look()

    def command_or_order(self):
        try:
            self.command()
        except AssertionError as error:  # an order that names a station that has just left
            self.checks.check("there is no station" in str(error), str(error))

    def calm(self):
        """All boards good, all stations there and enabled, all old jobs cancelled: everything works."""
        self.scene.edit_config(lambda _: self.whole)
        seen = len(self.scene.daemon.log)
        self.scene.daemon.signal(signal.SIGHUP)
        self.scene.daemon.wait_log("stations reloaded", starts_at=seen)
        for job in self.jobs:
            self.scene.call("POST", f"/v1/jobs/{job}/cancel", b"")
        for name in self.scene.stations:
            self.scene.post(f"/v1/stations/{name}/enable")
            self.scene.sim("fault", name, "none")
            self.scene.sim("replug", name)
            self.scene.sim("insert", name)
            self.scene.sim("fill", name, str(JUNK))
        for name in self.scene.stations:
            self.scene.wait_station(name, "idle", "removal")
            self.scene.sim("insert", name)
            self.scene.wait_station(name, "idle")
        job = self.scene.submit(self.image, stations="all")
        self.events.wait_fact("job.state", id=job, state="done")
        self.checks.equal([(run["station"], run["class"], run["message"]) for run in self.scene.runs(job=job)
                           if run["outcome"] != "pass"], [], "after the storm all pass")
        for name in self.scene.stations:
            self.checks.check(self.scene.holds(name, IMAGE), f"{name}: the image after the storm")


def main():
    programs = harness.arguments(__doc__, seconds=(float, 15.0, "how long it rages"))
    with Scene(programs, f"{CHIP}={BOARDS}") as scene:
        scene.daemon.start()
        events = scene.events()
        storm = Storm(scene, events, random.Random(programs.seed))
        storm.rage(programs.seconds)
        storm.calm()
        scene.check_facts(events)
        scene.check_runs()
        outcomes = scene.query("SELECT coalesce(class, outcome), count(*) FROM run GROUP BY 1 ORDER BY 2 DESC")
        print(f"{storm.actions} actions, {len(storm.jobs)} jobs, {storm.looked_at} passes looked at; {dict(outcomes)}")
        scene.checks.check(storm.looked_at >= 5, f"only {storm.looked_at} passes could be looked at")
        scene.checks.equal(scene.daemon.stop(), 0, "exit status")
        scene.audit()
    scene.checks.finish()


main()
