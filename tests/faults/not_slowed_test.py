# SPDX-License-Identifier: Apache-2.0
"""Fifteen good boards beside a faulty one take the time they take without it.

The line and the flash are paced, so a run's time is known to a few milliseconds; runs with and without the faulty
board alternate in the same process, so whatever else the host does weighs on both.
"""
import statistics

import harness
from harness import CHIP, Scene

IMAGE = harness.make_image(4000, seed=21)
GOOD = 15
ROUNDS = 2
BOUND = 1.05
TROUBLES = {"hang@1": "timeout", "unplug@4": "port-lost", "silent": "no-contact"}


def seconds_of(run):
    return sum(phase["us"] for phase in run["phases"]) / 1e6


def play(scene, events, image, stations):
    """One job; gives the runs of the good boards, and that of the faulty one or None."""
    job = scene.submit(image, stations=stations)
    events.wait_fact("job.state", id=job, state="done")
    runs = {run["station"]: run for run in scene.runs(job=job)}
    faulty = runs.pop(scene.stations[GOOD], None)
    scene.checks.equal(sorted({run["outcome"] for run in runs.values()}), ["pass"], "the good boards pass")
    return list(runs.values()), faulty


def restore(scene, faulty):
    scene.sim("replug", faulty)
    scene.sim("fault", faulty, "none")
    scene.sim("insert", faulty)
    scene.wait_station(faulty, "idle")


def compare(scene, events, image, fault, failure):
    checks, faulty = scene.checks, scene.stations[GOOD]
    alone, beside = [], []
    for _ in range(ROUNDS):
        runs, _none = play(scene, events, image, scene.stations[:GOOD])
        alone += [seconds_of(run) for run in runs]
        scene.sim("fault", faulty, fault)
        runs, bad = play(scene, events, image, scene.stations)
        checks.equal(bad["class"], failure, f"{fault}: the faulty board")
        beside += [seconds_of(run) for run in runs]
        if fault != "unplug@4":  # which is over in the middle, as it should be
            checks.check(bad["ended"] > max(run["ended"] for run in runs), f"{fault}: it was there all the time")
        restore(scene, faulty)
    ratio = statistics.median(beside) / statistics.median(alone)
    print(f"{fault}: {GOOD} good boards alone {statistics.median(alone):.3f} s, beside it "
          f"{statistics.median(beside):.3f} s, ratio {ratio:.4f}", flush=True)
    checks.check(ratio <= BOUND, f"{fault}: the good boards take {ratio:.3f} times as long")
    slowest = max(beside) / max(alone)
    checks.check(slowest <= 1.25, f"{fault}: the slowest good board takes {slowest:.3f} times as long")


def main():
    programs = harness.arguments(__doc__)
    with Scene(programs, f"{CHIP}={GOOD + 1}", "--pace", "--realtime") as scene:
        scene.daemon.start()
        events = scene.events()
        image = scene.image(IMAGE)
        play(scene, events, image, scene.stations)  # so that all boards are in step, as they are ever after
        for fault, failure in TROUBLES.items():
            compare(scene, events, image, fault, failure)
        scene.check_facts(events)
        scene.check_runs()
    scene.checks.finish()


main()
