# SPDX-License-Identifier: Apache-2.0
"""A run that a user has recorded is a test as it comes: `flashfarm record STATION` during a job on the real daemon, and
dialogue_test plays the file as dropped in, whole and broken at every line. So for a run that passes and for one that
fails, for every protocol, with the entry sequence where the port has modem lines.
"""
import os
import subprocess

import harness
import kinds
from harness import Scene

SIZE = 1000
# kind -> remote, a fault and what it leads to
RECORDED = {
    kinds.STM32: (True, "nack-write@2", "fail write"),
    kinds.LPC1114: (True, "bad-cell", "fail verify"),
    kinds.ESP32: (True, "bad-cell", "fail verify"),
    kinds.ESP8266: (True, "silent", "aborted no-contact"),
    kinds.UNIT485: (True, "silent", "aborted no-contact"),
    kinds.P89LPC: (True, "nack-write@2", "fail write"),
    kinds.MEGA32U4: (False, "bad-cell", "fail verify"),
    kinds.OPTIBOOT: (True, "bad-cell", "fail verify"),
    kinds.MEGA2560_DENSE: (True, "bad-cell", "fail verify"),
    kinds.ATMEGABOOT: (True, "silent", "aborted no-contact"),
}


class Recording:
    """`flashfarm record` at work."""

    def __init__(self, scene, station, path):
        self.scene, self.station, self.path = scene, station, path
        self.process = scene.start_client("record", station, "--output", path)
        scene.wait_until(lambda: scene.station(station)["recording"], f"{station} records")

    def finish(self):
        output, _ = self.process.communicate(timeout=harness.LIMIT_S)
        self.scene.checks.equal(self.process.returncode, 0, f"flashfarm record {self.station}: {output}")


def plays(programs, protocol, path):
    done = subprocess.run([programs.dialogue_test, "--play", protocol, path], capture_output=True, text=True,
                          timeout=harness.LIMIT_S, check=False)
    return done.returncode == 0, (done.stdout + done.stderr)[-600:]


def other_expectation(path):
    """The same file, but that the run is said to have ended otherwise."""
    with open(path, encoding="ascii") as file:
        text = file.read()
    changed = text.replace("# expect: pass", "# expect: fail verify") if "# expect: pass" in text else \
        "".join("# expect: pass\n" if line.startswith("# expect:") else line for line in text.splitlines(True))
    with open(path + "-changed", "w", encoding="ascii") as file:
        file.write(changed)
    return path + "-changed"


def record_one(scene, events, kind, image, station, wanted):
    checks, path = scene.checks, os.path.join(scene.dir, f"{station}.dialogue")
    what = f"{kind} at {station}, {wanted or 'pass'}"
    recording = Recording(scene, station, path)
    job = scene.submit(image, chip=kind.chip, stations=[station])
    events.wait_fact("job.state", id=job, state="done")
    run, = scene.runs(job=job)
    recording.finish()
    checks.equal(f"{run['outcome']} {run['class'] or ''}".strip(), wanted or "pass", f"{what}: {run['message']}")
    checks.check(not scene.station(station)["recording"], f"{what}: one run is recorded, no more")
    good, said = plays(scene.programs, kind.protocol, path)
    checks.check(good, f"{what}: the recording plays: {said}")
    good, _ = plays(scene.programs, kind.protocol, other_expectation(path))
    checks.check(not good, f"{what}: and does not with another outcome")


def play(kind, remote, fault, wanted):
    """Each run on a host of its own: what is said on a shared line depends on what was said before."""
    def one(programs, checks):
        for station_fault, outcome in (("none", None), (fault, wanted)):
            with Scene(programs, f"{kind.board}=2", *(["--remote"] if remote else []), checks=checks) as scene:
                scene.daemon.start()
                events = scene.events()
                content = kind.content(SIZE, programs.seed)
                image = scene.upload(kind.file(content), name="fw.hex", address=None).json["id"]
                scene.sim("fault", "A2", station_fault)
                record_one(scene, events, kind, image, "A2", outcome)
                scene.check_facts(events)
                checks.equal(scene.daemon.stop(), 0, "exit status")
                scene.audit()
    one.__name__ = kind.board
    return one


def main():
    programs = harness.arguments(__doc__, dialogue_test=(str, "dialogue_test", "the player of dialogues"),
                                 without=(str, "", "protocols to leave out, with commas"))
    leave_out = programs.without.split(",")
    harness.play_all(programs, harness.Checks(), [
        play(kind, *how) for kind, how in RECORDED.items() if kind.protocol not in leave_out])


main()
