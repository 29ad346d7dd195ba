# SPDX-License-Identifier: Apache-2.0
"""Table 4: the record alone, as fast as stations can reserve and end runs."""
import json
import subprocess

import plant as plants
from report import milliseconds


def measure(programs, stations, duration_s):
    with plants.Scratch() as scratch:
        done = subprocess.run([programs.record_load, scratch.dir, str(stations), str(int(duration_s * 1000))],
                              stdout=subprocess.PIPE, text=True)
        if done.returncode:
            raise SystemExit("bench: record_load failed")
        return json.loads(done.stdout)


def row_of(result):
    commits, append = result["commits"], result["append"]
    return [str(result["stations"]), f"{result['records'] / result['took_us'] * 1e6:.0f}",
            f"{commits / result['took_us'] * 1e6:.0f}", f"{result['records'] / commits:.1f}",
            milliseconds(result["commit_us_sum"] / commits / 1e6), milliseconds(append["p50_us"] / 1e6),
            milliseconds(append["p99_us"] / 1e6), milliseconds(append["max_us"] / 1e6),
            milliseconds(result["disk"]["p50_us"] / 1e6), milliseconds(result["disk"]["p99_us"] / 1e6)]


def run(programs, report, settings):
    results = []
    for stations in settings.record_stations:
        settings.say(f"record: {stations} stations")
        results.append(measure(programs, stations, settings.record_seconds))
        report.sane(results[-1]["refused"] == 0 and results[-1]["records"] > 0, "every fact is recorded")
        report.sane(results[-1]["append"]["count"] == results[-1]["records"], "every append is answered once")
    report.table("4. The record: facts of runs, as fast as they become durable",
                 ["stations", "facts/s", "commits/s", "facts/commit", "commit ms", "append p50 ms", "p99 ms", "max ms",
                  "disk p50 ms", "disk p99 ms"], [row_of(result) for result in results],
                 ["append = from the call to its callback, fact durable; disk = pwrite of 4 KiB and fdatasync, alone."])
    report.results["record"] = results
