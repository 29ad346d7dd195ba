# SPDX-License-Identifier: Apache-2.0
"""Table 5: real AVR loaders on simulated chips; the daemon against avrdude, one board and several at once."""
import os

import floor_avr
import plant as plants
from report import median, percent, spread

BAUD, TURNAROUND_US = 115200, 1000
# From here on it is the simulated chips that are too slow, and no table about clients.
SLIPPED = 1.02


class Kind:
    """One loader, and how each client is told of it."""

    def __init__(self, name, loader, chip, part, programmer, version, size):
        self.name, self.loader, self.chip, self.size = name, loader, chip, size
        self.part, self.programmer, self.version = part, programmer, version
        self.image = os.urandom(size)

    def floor(self):
        return floor_avr.run(self.loader, self.size)

    def avrdude(self, programs, path, port):
        return [programs.avrdude, "-q", "-q", "-p", self.part, "-c", self.programmer, "-P", port, "-b", str(BAUD), "-D",
                "-U", f"flash:w:{path}:r"]


def kinds(settings):
    return [Kind("optiboot", floor_avr.Optiboot, "atmega328p", "m328p", "arduino", 1, settings.optiboot_size),
            Kind("mega2560", floor_avr.Stk500boot, "atmega2560", "m2560", "wiring", 2, settings.mega2560_size)]


class Measured:
    """One kind, so many boards."""

    def __init__(self, kind, count, remote):
        self.kind, self.count, self.remote = kind, count, remote
        self.runs, self.run_spans, self.walls, self.peers, self.thin, self.usages = [], [], [], [], [], []

    def thin_spans(self):
        return [plants.span_s(one) for one in self.thin]

    def others(self):
        return max(usage.others for usage in self.usages)


def check_dumps(plant, names, image, who, report):
    for name in names:
        report.sane(plant.farm.dump(name)[:len(image)] == image, f"the flash of {name} holds the image after {who}")


def measure(programs, kind, count, settings, report, remote=False):
    measured, names = Measured(kind, count, remote), [f"A{i + 1}" for i in range(count)]
    options = ["--turnaround", str(TURNAROUND_US)] + (["--remote"] if remote else [])
    with plants.Scratch() as scratch, plants.Plant(
            programs, f"{kind.chip}={count}", realtime=settings.realtime, chip=kind.chip, address=0,
            sim_options=options) as plant:
        path = scratch.file("image.bin", kind.image)
        for repetition in range(settings.avr_repetitions[kind.name]):
            settings.say(f"avr: {kind.name}, {count} boards{' (rfc2217)' if remote else ''}, {repetition + 1}")
            plant.fresh_boards(names)
            with plants.Usage(plant) as usage:
                wall, runs = plant.program(path, names)
            measured.usages.append(usage)
            measured.walls.append(wall)
            measured.runs.append(runs)
            measured.run_spans.append(plants.makespan(runs))
            report.sane(all(run["outcome"] == "pass" and run["verify"]["method"] == "read-back" for run in runs),
                        f"{count} boards with {kind.name} pass, read back")
            check_dumps(plant, names, kind.image, "the daemon", report)
        plant.stop_daemon()
        if not remote:
            measure_others(plant, measured, path, names, settings, report)
    report.sane(min(measured.run_spans) > kind.floor().bare_s(BAUD), f"no run of {kind.name} is faster than its floor")
    return measured


def measure_others(plant, measured, path, names, settings, report):
    kind, programs, ports = measured.kind, plant.programs, [plant.farm.port(name) for name in names]
    for repetition in range(settings.avr_repetitions[kind.name]):
        settings.say(f"avr: {kind.name}, {measured.count} boards, others {repetition + 1}")
        if programs.avrdude:
            plant.fresh_boards(names)
            with plants.Usage(plant) as usage:
                measured.peers.append(plants.run_peers([kind.avrdude(programs, path, port) for port in ports]))
            measured.usages.append(usage)
            check_dumps(plant, names, kind.image, "avrdude", report)
        plant.fresh_boards(names)
        measured.thin.append(plants.run_thin(programs.thin_avr, kind.version, BAUD, kind.loader.page, path, *ports))


def row_of(measured):
    kind = measured.kind
    bare, full = kind.floor().bare_s(BAUD), kind.floor().full_s(BAUD, TURNAROUND_US / 1e6)
    run, wall, thin, peers = (median(values) if values else None for values in
                              (measured.run_spans, measured.walls, measured.thin_spans(), measured.peers))
    own = measured.usages[:len(measured.walls)]
    cells = [f"{kind.size / 1024:g} KiB {kind.name}{', rfc2217' if measured.remote else ''}", str(measured.count),
             f"{bare:.2f}", f"{full:.2f}", spread(measured.thin_spans()) if thin else "-", spread(measured.run_spans),
             spread(measured.walls), spread(measured.peers) if peers else "-", f"{run / full:.3f}", f"{run / bare:.3f}",
             f"{peers / wall:.2f}" if peers else "-",
             percent(sum(usage.daemon_s for usage in own) / sum(usage.seconds for usage in own)),
             percent(sum(usage.simulator_s for usage in own) / sum(usage.seconds for usage in own)),
             f"{measured.others():.2f}"]
    result = {"image": kind.name, "size": kind.size, "boards": measured.count, "remote": measured.remote,
              "floor_s": bare, "floor_with_turnarounds_s": full, "daemon_span_s": measured.run_spans,
              "daemon_wall_s": measured.walls, "thin_span_s": measured.thin_spans(), "avrdude_wall_s": measured.peers,
              "phases": [run["phases"] for run in measured.runs[0]], "own_floor_us": measured.runs[0][0]["floor_us"],
              "usage": [usage.as_dict() for usage in measured.usages]}
    return cells, result


def phase_rows(measured):
    """Where the time of one run goes: the one that took longest, of the repetition in the middle."""
    kind, turnaround_s = measured.kind, TURNAROUND_US / 1e6
    runs = sorted(measured.runs, key=plants.makespan)[len(measured.runs) // 2]
    slowest = max(runs, key=plants.run_seconds)
    thin = max(measured.thin[0], key=lambda one: one["ended_us"] - one["begun_us"]) if measured.thin else None
    keys = {"connect": "contact_us", "write": "write_us", "verify": "read_us"}
    rows, seen = [], 0.0
    label = f"{kind.name}, {measured.count}{', rfc2217' if measured.remote else ''}"
    for phase in slowest["phases"]:
        seen += phase["us"] / 1e3
        floors = floor_avr.phases(kind.loader, kind.size).get(phase["name"])
        if not floors:
            continue
        full_ms = floors.full_s(BAUD, turnaround_s) * 1e3
        rows.append([label, phase["name"], f"{full_ms:.1f}",
                     f"{thin[keys[phase['name']]] / 1e3:.1f}" if thin else "-", f"{phase['us'] / 1e3:.1f}",
                     f"{phase['us'] / 1e3 - full_ms:+.1f}", f"{phase['host_us'] / 1e3:.1f}",
                     f"{phase['retry_us'] / 1e3:.1f}"])
    rows.append([label, "record", "-", "-", f"{plants.run_seconds(slowest) * 1e3 - seen:.1f}", "", "", ""])
    return rows


def slips(all_measured):
    """Where the simulator did not keep up: the thin clients, which do nothing else, needed longer than one of them."""
    notes = []
    for measured in all_measured:
        alone = next((one for one in all_measured if one.kind is measured.kind and one.count == 1 and one.thin), None)
        if not measured.thin or alone is measured or not alone:
            continue
        factor = median(measured.thin_spans()) / median(alone.thin_spans())
        if factor > SLIPPED:
            notes.append(f"SIMULATED TIME SLIPPED: {measured.count} {measured.kind.name} take even the thin clients "
                         f"{factor:.3f} times as long as one: both columns of that row are too slow by about that much.")
        else:
            notes.append(f"Simulated time kept pace: {measured.count} {measured.kind.name} take the thin clients "
                         f"{factor:.3f} times as long as one.")
    return notes


def run(programs, report, settings):
    if not programs.avr_boards:
        print("\n5. AVR loaders: left out, flashfarm-sim-avr is not built (libsimavr-dev, arduino-core-avr)")
        return
    all_measured, remote = [], []
    for kind in kinds(settings):
        for count in settings.avr_boards:
            all_measured.append(measure(programs, kind, count, settings, report))
        if kind.version == 1:
            remote.append(measure(programs, kind, 1, settings, report, remote=True))
    rows, results, detail = [], [], []
    for measured in all_measured + remote:
        cells, result = row_of(measured)
        rows.append(cells)
        results.append(result)
        detail += phase_rows(measured)
    report.table(
        f"5. AVR loaders: {BAUD} baud, {TURNAROUND_US / 1000:g} ms turnaround",
        ["image", "boards", "floor", "floor+t", "thin client", "runs", "wall", "avrdude", "run/floor+t", "run/floor",
         "avrdude/wall", "daemon CPU", "simulator CPU", "others"], rows,
        [f"Seconds: median (min-max) of {settings.avr_repetitions['optiboot']} (mega2560: "
         f"{settings.avr_repetitions['mega2560']}); boards fresh each time; the loaders are the real ones.",
         "runs = first start to last end by the record; wall = the whole `flashfarm program` process for all boards;",
         "avrdude = as many processes at once (-D, write and verify), from the first start to the last end.",
         "rfc2217: entry by DTR as on a real board, with the 250 ms for the capacitor; the others reset when their pty "
         "opens.",
         *slips(all_measured)])
    report.table("5a. Where the time of the slowest run goes (ms)",
                 ["boards", "phase", "floor+t", "thin client", "run", "over floor", "daemon's", "retries"], detail)
    report.results["avr"] = {"rows": results, "baud": BAUD, "turnaround_us": TURNAROUND_US}
