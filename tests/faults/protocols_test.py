# SPDX-License-Identifier: Apache-2.0
"""Every protocol's faults: each ends in its own class, within the deadline of its step and not of the run, with hardly
any processor time used meanwhile; nothing passes that should not; afterwards every station works with a good board.

One play for each protocol, one board for each fault, most of them on ports with modem lines, so that what an entry
sequence can mend is mended.
"""
import os
import time

import harness
import kinds
from harness import Scene

SIZE = 6000  # so that a second block of any size is all of the image
RUN_TIMEOUT_S = 300  # of the order; the faults have to end long before it
# Of the daemon, while it waits for boards that are mute or gone: parts of one processor.
BUSY_MAX = 0.5

PASS = "pass", (), ""


def fails(classes, words="", outcome="fail"):
    return outcome, tuple(classes.split()), words


def aborts(classes, words=""):
    return fails(classes, words, "aborted")


# What is the same for all: a fault of the board and what becomes of the run.
COMMON = {
    "none": PASS,
    "silent": aborts("no-contact"),
    "wrong-id": aborts("wrong-chip"),
    "garbage": aborts("protocol no-contact"),
    "hang@2": fails("timeout write"),
    "mute@2": fails("timeout write no-contact"),  # no reset brings it back either
    "unplug@2": fails("port-lost"),
    "corrupt@2": fails("verify"),
    "bad-cell": fails("verify"),
    "slow@2": PASS,
}


class Trial:
    """A protocol, the kind of board it is tried on, and what its faults lead to."""

    def __init__(self, kind, faults, seconds, remote=True, at_once=100, mended=()):
        self.kind, self.seconds = kind, seconds
        self.faults = {fault: wanted for fault, wanted in (COMMON | faults).items() if wanted}
        self.remote, self.at_once, self.mended = remote, at_once, mended


def trials():
    lost, reset = {"drop-ack@2": PASS}, {"hang@2": PASS}  # some go on after a reset of the board
    refused = {"nack-write@2": fails("write"), "nack-once@2": PASS}
    return {
        "stm32_uart": Trial(kinds.STM32, lost | refused | {
            "nack-erase": fails("erase"), "protected": aborts("protected"), "marginal@57600": PASS}, 20),
        "lpc_uart": Trial(kinds.LPC1114, lost | refused | {
            "nack-erase": fails("erase"), "protected": aborts("protected")}, 20),
        "esp_rom": Trial(kinds.ESP32, lost | reset | refused | {
            "nack-erase": fails("erase write"),
            "protected": aborts("no-contact")}, 30),  # an ESP32 whose download mode is off starts its application
        "esp32c3": Trial(kinds.ESP32C3, lost | reset | refused | {"protected": aborts("protected")}, 30),
        "esp8266": Trial(kinds.ESP8266, lost | reset | refused | {
            "wrong-id": None, "wrong-id@4660": aborts("wrong-chip")}, 30),
        "stk500v1": Trial(kinds.OPTIBOOT, lost | reset, 20),
        # The same protocol. Its blinking takes the simulator's time: not many at once.
        "atmegaboot": Trial(kinds.ATMEGABOOT, lost | {fault: None for fault in (
            "wrong-id", "garbage", "corrupt@2", "slow@2", "unplug@2", "hang@2")}, 20, at_once=2),
        "stk500v2": Trial(kinds.MEGA2560_DENSE, lost | reset, 20, at_once=4),
        "avr109": Trial(kinds.MEGA32U4, lost, 20, remote=False),
        # Each is programmed twice, or compared with one that was: a flash that is right the second time does not pass.
        "p89lpc9xx": Trial(kinds.P89LPC, lost | refused | {"bad-cell": fails("write verify")}, 30,
                           mended=("corrupt@2",)),
        # The port is everybody's: it goes and comes for all of them, in a play of its own.
        "rs485_isp": Trial(kinds.UNIT485, lost | {
            "unplug@2": None, "nack-write@2": fails("write"), "nack-once@2": fails("write"),
            "bad-cell": fails("write", "read back")}, 30),
    }


def seconds_of(run):
    return sum(phase["us"] for phase in run["phases"] or []) / 1e6


def expect(scene, trial, content, run, fault, before):
    checks, name = scene.checks, run["station"]
    outcome, classes, words = trial.faults[fault]
    what = f"{trial.kind} {fault} at {name}"
    checks.equal(run["outcome"], outcome, f"{what}: {run['class']}: {run['message']}")
    checks.check(run["class"] in (classes or (None,)), f"{what}: {run['class']} is one of {classes}: {run['message']}")
    checks.check(words in (run["message"] or ""), f"{what}: {words!r} in {run['message']!r}")
    checks.check(seconds_of(run) < trial.seconds, f"{what}: ended in {seconds_of(run):.1f} s: {run['message']}")
    flash = scene.farm.dump(name)
    if run["outcome"] == "pass":
        checks.check(trial.kind.holds(flash, content), f"{what}: passed, so the flash is the image")
        checks.check((run["verify"] or {}).get("method") in trial.kind.verify, f"{what}: verified by {run['verify']}")
    else:
        checks.check(fault in trial.mended or not trial.kind.holds(flash, content),
                     f"{what}: did not pass, and the flash is not the image")
        checks.equal(run["verify"], None, f"{what}: nothing verified")
    if run["outcome"] == "aborted":
        checks.check(flash == before, f"{what}: aborted, so nothing was erased or written")
    if scene.programs.verbose or seconds_of(run) > trial.seconds / 2:
        print(f"  {what}: {run['outcome']} {run['class'] or ''} {seconds_of(run):.2f} s: {run['message']}", flush=True)


def processor_seconds(process):
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as file:
        words = file.read().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def fall_silent(scene, events, trial, named):
    """A board that hangs in mid-write is as good as dead: no reset brings it back."""
    for name, fault in named.items():
        if fault.startswith("mute"):
            all_ended = len(events.of("run.ended")) + len(named)
            scene.wait_until(lambda: scene.farm.state(name)[0] == "hung" or len(events.of("run.ended")) >= all_ended,
                             f"{trial.kind} at {name} hangs")
            scene.sim("fault", name, "silent")


def order(scene, events, trial, image, stations, meanwhile=lambda: None):
    """One job to its end; the runs by station, how long it took, and how long the daemon was busy meanwhile."""
    began, used = time.monotonic(), processor_seconds(scene.daemon.process)
    job = scene.submit(image, chip=trial.kind.chip, stations=stations, timeout_s=RUN_TIMEOUT_S)
    meanwhile()
    events.wait_fact("job.state", id=job, state="done", timeout_s=2 * trial.seconds + 30)
    took = time.monotonic() - began
    busy = processor_seconds(scene.daemon.process) - used
    return {run["station"]: run for run in scene.runs(job=job)}, took, busy


def some_faults(scene, events, trial, image, content, named):
    """Sets the faults and gives a job to these boards; seconds that it took and that the daemon was busy."""
    for name, fault in named.items():
        if fault == "protected":
            scene.sim("insert", name)  # on some it is a word in flash, which junk would spoil
        scene.sim("fault", name, fault.replace("mute", "hang"))
    before = {name: scene.farm.dump(name) for name, fault in named.items() if trial.faults[fault][0] == "aborted"}
    runs, took, busy = order(scene, events, trial, image, list(named), lambda: fall_silent(scene, events, trial, named))
    scene.checks.equal(sorted(runs), sorted(named), "one run at every station")
    for name, fault in named.items():
        expect(scene, trial, content, runs[name], fault, before.get(name))
    return took, busy


def groups(scene, trial):
    """So many boards at once as the simulator keeps up with."""
    named = list(zip(scene.stations, trial.faults))
    return [dict(named[at:at + trial.at_once]) for at in range(0, len(named), trial.at_once)]


def all_faults(scene, events, trial, image, content):
    took, busy = map(sum, zip(*(some_faults(scene, events, trial, image, content, named)
                                for named in groups(scene, trial))))
    print(f"  {trial.kind}: {took:.1f} s, of which the daemon was busy {busy:.2f} s", flush=True)
    scene.checks.check(busy < BUSY_MAX * took + 0.5, f"{trial.kind}: the daemon was busy {busy:.2f} s of {took:.2f} s")


def good_boards_again(scene, events, trial, image, content, gone=None):
    """Nothing is left of any fault: neither in the daemon nor on its ports."""
    if gone is None:
        gone = [name for name, fault in zip(scene.stations, trial.faults) if fault.startswith("unplug")]
    for name in gone:
        scene.wait_station(name, "port-lost")
        scene.sim("replug", name)
    for name in scene.stations:
        scene.sim("fault", name, "none")
        scene.sim("insert", name)
        scene.sim("fill", name, str(harness.JUNK))
    for name in scene.stations:
        scene.wait_station(name, "idle")
    for named in groups(scene, trial):
        runs, _, _ = order(scene, events, trial, image, list(named))
        for name, run in runs.items():
            what = f"{trial.kind} at {name}, after {named[name]}"
            scene.checks.equal((run["outcome"], run["class"], run["message"]), ("pass", None, None), what)
            scene.checks.check(trial.kind.holds(scene.farm.dump(name), content), f"{what}: the image")


def upload(scene, trial):
    content = trial.kind.content(SIZE, scene.programs.seed)
    answer = scene.upload(trial.kind.file(content), name="fw.hex", address=None)
    assert answer.status in (200, 201), answer
    return answer.json["id"], content


def afterwards(scene, events):
    scene.check_facts(events)
    scene.check_runs()
    scene.checks.equal(scene.daemon.stop(), 0, "exit status")
    scene.audit()


def play(name, trial):
    def one(programs, checks):
        options = ["--remote"] if trial.remote else []
        with Scene(programs, f"{trial.kind.board}={len(trial.faults)}", *options, checks=checks) as scene:
            scene.daemon.start()
            events = scene.events()
            image, content = upload(scene, trial)
            all_faults(scene, events, trial, image, content)
            scene.check_last()
            good_boards_again(scene, events, trial, image, content)
            afterwards(scene, events)
    one.__name__ = name
    return one


def rs485_unplugged(programs, checks):
    """The adapter of a whole line vanishes while one of its units is written to: no unit passes that was not done, and
    with the adapter all stations come back."""
    trial = Trial(kinds.UNIT485, {}, 30)
    trial.faults = {"none": PASS, "unplug@2": fails("port-lost"), "none ": PASS, "none  ": PASS}
    with Scene(programs, f"{trial.kind.board}={len(trial.faults)}", "--remote", checks=checks) as scene:
        scene.daemon.start()
        events = scene.events()
        image, content = upload(scene, trial)
        scene.sim("fault", "A2", "unplug@2")
        runs, took, _ = order(scene, events, trial, image, scene.stations)
        checks.check(took < trial.seconds, f"the line vanished: {took:.1f} s")
        bad = runs["A2"]
        checks.equal((bad["outcome"], bad["class"]), ("fail", "port-lost"), f"A2: {bad['message']}")
        for name, run in runs.items():
            good = trial.kind.holds(scene.farm.dump(name), content)
            checks.equal(run["class"], None if good else "port-lost", f"{name}: {run['outcome']}, {run['message']}")
        for name in scene.stations:
            scene.wait_station(name, "port-lost")
        scene.sim("replug", "A2")
        good_boards_again(scene, events, trial, image, content, gone=())
        afterwards(scene, events)


def main():
    programs = harness.arguments(__doc__, without=(str, "", "protocols to leave out, with commas"))
    leave_out = programs.without.split(",")
    plays = [play(name, trial) for name, trial in trials().items() if trial.kind.protocol not in leave_out]
    plays.append(rs485_unplugged)
    harness.play_all(programs, harness.Checks(), plays)


main()
