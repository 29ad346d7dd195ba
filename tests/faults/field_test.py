# SPDX-License-Identifier: Apache-2.0
"""One job file drives every kind of board at the same time on one daemon, about half of them over RFC 2217 with their
true entry sequences; what is in every flash afterwards is compared bit by bit with the image.

The long form: --pace (bytes and flash take their time), --size BYTES, --rounds N.
"""
import itertools
import json
import os

import harness
import kinds
from harness import Scene

# Chips of flashfarm-sim-avr stand last: so their names come last.
FIELD = [(kinds.STM32, 16), (kinds.LPC1114, 1), (kinds.LPC2148, 1), (kinds.ESP32, 1), (kinds.ESP8266, 1),
         (kinds.UNIT485, 8), (kinds.P89LPC, 2), (kinds.MEGA32U4, 1), (kinds.OPTIBOOT, 8), (kinds.MEGA2560, 2),
         (kinds.ATMEGABOOT, 1)]
# A line goes as a whole. A 32U4 is its own USB device: it has no port that could be far away.
WHOLLY_REMOTE = (kinds.UNIT485, kinds.LPC2148, kinds.ESP32, kinds.ATMEGABOOT)
LIMIT_S = 240


class Field:
    """Which kind is at which station, and which of them are on remote ports."""

    def __init__(self, programs):
        self.kinds, self.remote = {}, []
        leave_out = programs.without.split(",") if programs.without else []
        self.counts = [(kind, count) for kind, count in FIELD if kind.protocol not in leave_out]
        at = 0
        for kind, count in self.counts:
            names = [name_of(at + i) for i in range(count)]
            self.kinds.update(dict.fromkeys(names, kind))
            at += count
            if kind in WHOLLY_REMOTE:
                self.remote += names
            else:
                self.remote += names[1::2]
        self.contents = {name: None for name in self.kinds}

    def boards(self):
        return ",".join(f"{kind.board}={count}" for kind, count in self.counts)

    def stations_of(self, kind):
        return [name for name, its in self.kinds.items() if its is kind]


def name_of(index):
    """A1 … A16, B1 …"""
    return f"{chr(ord('A') + index // 16)}{index % 16 + 1}"


def job_file(scene, field, size, seed):
    """One order for each kind, with its own firmware; the path of the file."""
    orders = []
    for kind, _ in field.counts:
        content, path = kind.content(size, seed), os.path.join(scene.dir, f"{kind.board}-{seed}.hex")
        with open(path, "wb") as file:
            file.write(kind.file(content))
        names = field.stations_of(kind)
        field.contents.update(dict.fromkeys(names, content))
        orders.append({"chip": kind.chip, "images": [os.path.basename(path)], "stations": names,
                       "work_order": f"FIELD-{seed}"})
    path = os.path.join(scene.dir, f"jobs-{seed}.json")
    with open(path, "w", encoding="ascii") as file:
        json.dump(orders, file)
    return path


def submit(scene, path):
    """As a person would. Exit code 0: every unit of every job has passed."""
    done = scene.client("submit", path, "--json", "--quiet", timeout_s=LIMIT_S)
    scene.checks.equal(done.returncode, 0, f"flashfarm submit: {done.stderr}")
    return json.loads(done.stdout) if done.stdout else []


def check_run(scene, field, run):
    checks, name = scene.checks, run["station"]
    kind = field.kinds[name]
    what = f"{kind} at {name}{' (remote)' if name in field.remote else ''}"
    checks.equal((run["outcome"], run["class"], run["message"]), ("pass", None, None), what)
    if run["outcome"] != "pass":
        return
    checks.check((run["verify"] or {}).get("method") in kind.verify, f"{what}: verified by {run['verify']}")
    checks.check(run["baud"] and run["floor_us"], f"{what}: baud {run['baud']}, floor {run['floor_us']}")
    checks.check(not kind.uid or run["uid"], f"{what}: its UID is on record")
    shares = run["shares"]
    checks.check(abs(sum(shares.values()) - 1) < 0.02, f"{what}: the shares make a whole: {shares}")


def compare(scene, field):
    for name, kind in field.kinds.items():
        flash = scene.farm.dump(name)
        wrong = kind.differs(flash, field.contents[name])
        scene.checks.check(wrong is None, f"{kind} at {name}: its flash at 0x{wrong or 0:x}")


def most_at_once(runs):
    """How many runs were under way at the same moment."""
    moments = sorted([(run["started"], 1) for run in runs] + [(run["ended"], -1) for run in runs])
    return max(itertools.accumulate(step for _, step in moments))


def tell(field, runs):
    """Seconds of each kind, against the floor."""
    for kind, _ in field.counts:
        took = [sum(phase["us"] for phase in run["phases"]) / 1e6 for run in runs
                if run["phases"] and field.kinds[run["station"]] is kind]
        floors = [run["floor_us"] / 1e6 for run in runs if run["floor_us"] and field.kinds[run["station"]] is kind]
        if took and floors:
            print(f"  {kind.board:24} {len(took):3} runs {max(took):7.2f} s at most, floor {max(floors):6.2f} s",
                  flush=True)


def play(scene, field, programs):
    count = 0
    for seed in range(programs.rounds):
        results = submit(scene, job_file(scene, field, programs.size, programs.seed + seed))
        runs = scene.runs(work_order=f"FIELD-{programs.seed + seed}")
        scene.checks.equal(sorted(run["station"] for run in runs), sorted(field.kinds), "one run at every station")
        scene.checks.equal(sorted(run["id"] for result in results for run in result["items"]),
                           sorted(run["id"] for run in runs), "the client's results are the daemon's")
        for run in runs:
            check_run(scene, field, run)
        compare(scene, field)
        print(f"  {most_at_once(runs)} of {len(runs)} runs at once")
        tell(field, runs)
        count += len(runs)
    return count


def main():
    programs = harness.arguments(
        __doc__, size=(int, 3000, "bytes of every image"), rounds=(int, 1, "how often"),
        pace=(int, 0, "1: bytes and flash take their time"), without=(str, "", "protocols to leave out, with commas"))
    field = Field(programs)
    options = [f"--remote={','.join(field.remote)}"] + (["--pace"] if programs.pace else [])
    with Scene(programs, field.boards(), *options) as scene:
        scene.checks.equal(scene.stations, list(field.kinds), "the boards")
        share = len(field.remote) / len(field.kinds)
        scene.checks.check(1 / 3 < share < 2 / 3, f"about half is remote: {share}")
        scene.daemon.start()
        events = scene.events()
        count = play(scene, field, programs)
        scene.check_facts(events)
        scene.checks.equal(len(scene.check_runs()), count, "all runs are on record")
        scene.check_last()
        scene.checks.equal(scene.daemon.stop(), 0, "exit status")
        scene.audit()
    scene.checks.finish()


main()
