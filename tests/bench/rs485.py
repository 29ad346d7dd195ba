# SPDX-License-Identifier: Apache-2.0
"""Table 6: units on one RS-485 line; the same image for all, which goes over the line once, and an image for each, which
goes by turns. There is no other client for this protocol, so the measure is the line itself."""
import os
import re

import floor_rs485
import plant as plants
from report import median, percent, spread

CHIP, BAUD, TURNAROUND_US = "p89lpc922", 115200, 1000
# Of a frame: the ninth bit, or 8n1 with escapes, which one byte in 256 needs.
FRAME_BITS = {"parity": 11.0, "escape": 10.0 * 257 / 256}


class Case:
    """A line, so many of its units at work, and how."""

    def __init__(self, wakeup, units, same):
        self.wakeup, self.units, self.same = wakeup, units, same

    def __str__(self):
        way = "alone" if self.units == 1 else "at once" if self.same else "by turns"
        return f"{self.units} {way}, {'rfc2217' if self.wakeup == 'parity' else 'pty'}, {self.wakeup}"

    def floor(self, size):
        return (floor_rs485.at_once if self.same and self.units > 1 else floor_rs485.by_turns)(self.units, size)


def run_once(plant, case, images):
    """Seconds from the first start to the last end, and the runs."""
    names = [f"A{i + 1}" for i in range(case.units)]
    plant.fresh_boards(names)
    orders = [(images[0], names)] if case.same else [(images[i], [name]) for i, name in enumerate(names)]
    jobs = [plant.submit(plant.upload(image), stations) for image, stations in orders]
    with plants.Usage(plant) as usage:
        runs = sum((plant.wait_for_job(job, 0.1) for job in jobs), [])
    return plants.makespan(runs), runs, usage


def passes_told(plant):
    """How many units each pass went to, by the daemon's log."""
    return [int(count) for count in re.findall(rb"one pass of \d+ blocks for (\d+) units", plant.read_log())]


def check(plant, case, images, runs, passes, settings, report):
    report.sane(len(runs) == case.units and all(run["outcome"] == "pass" for run in runs),
                f"rs485, {case}: all pass: {[run['message'] for run in runs]}")
    want = [case.units] if case.same and case.units > 1 else []
    if not settings.quiet:  # on a busy host a session may come too late for the others' pass
        report.sane(passes == want, f"rs485, {case}: passes over the line to {passes} units instead of {want}")
    for i in range(case.units):
        image = images[0 if case.same else i]
        report.sane(plant.farm.dump(f"A{i + 1}")[:len(image)] == image, f"rs485, {case}: the flash of A{i + 1}")


def measure(programs, case, settings, report):
    images = [os.urandom(settings.rs485_size) for _ in range(case.units)]
    spans, last, usages = [], None, []
    options = ["--turnaround", str(TURNAROUND_US)] + (["--remote"] if case.wakeup == "parity" else [])
    with plants.Plant(programs, f"{CHIP}-rs485={settings.rs485_units}", realtime=settings.realtime, chip=CHIP,
                      address=0, sim_options=options, log_level="info") as plant:
        for repetition in range(settings.repetitions):
            settings.say(f"rs485: {case}, {repetition + 1}")
            told = len(passes_told(plant))
            span, last, usage = run_once(plant, case, images)
            spans.append(span)
            usages.append(usage)
            check(plant, case, images, last, passes_told(plant)[told:], settings, report)
    return spans, last, usages


def row_of(case, size, spans, usages):
    bits, floor = FRAME_BITS[case.wakeup], case.floor(size)
    bare, full = floor.bare_s(BAUD, bits), floor.full_s(BAUD, bits, TURNAROUND_US / 1e6)
    seconds = sum(usage.seconds for usage in usages)
    cells = [str(case), f"{bare:.2f}", f"{full:.2f}", spread(spans), f"{median(spans) / full:.3f}",
             f"{median(spans) / case.units:.3f}", percent(sum(usage.daemon_s for usage in usages) / seconds),
             f"{max(usage.others for usage in usages):.2f}"]
    return cells, {"case": str(case), "units": case.units, "size": size, "floor_s": bare,
                   "floor_with_turnarounds_s": full, "spans_s": spans}


def phase_row(case, runs):
    """When the last unit was through with each phase, since the first began."""
    ends = {}
    for run in runs:
        seconds = 0.0
        for phase in run["phases"]:
            seconds += phase["us"] / 1e6
            ends[phase["name"]] = max(ends.get(phase["name"], 0.0), seconds)
    return [str(case)] + [f"{ends.get(name, 0):.2f}" for name in ("connect", "erase", "write", "verify")]


def run(programs, report, settings):
    rows, detail, results = [], [], []
    for case in [Case(wakeup, units, same) for wakeup, units, same in settings.rs485_cases]:
        spans, last, usages = measure(programs, case, settings, report)
        cells, result = row_of(case, settings.rs485_size, spans, usages)
        report.sane(min(spans) > result["floor_s"], f"rs485, {case}: {min(spans):.3f} s, faster than the floor")
        rows.append(cells)
        detail.append(phase_row(case, last))
        results.append({**result, "phases": [one["phases"] for one in last]})
    report.table(
        f"6. RS-485 line: {settings.rs485_size / 1024:g} KiB for each unit, {BAUD} baud, 1 ms turnaround",
        ["units", "floor", "floor+t", "runs", "runs/floor+t", "s a unit", "daemon CPU", "others"], rows,
        [f"Seconds from the first start to the last end: median (min-max) of {settings.repetitions}; boards fresh.",
         "at once = one image, one pass on the line; by turns = another image for each unit, block by block."])
    report.table("6a. When the last unit was through with its phase (s)",
                 ["units", "connect", "erase", "write", "verify"], detail)
    report.results["rs485"] = {"rows": results, "baud": BAUD, "turnaround_us": TURNAROUND_US}
