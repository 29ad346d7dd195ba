#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A station whose board is refused a block in every run stands out in /v1/station-health; its peers do not, and nobody
does before there is enough to judge by.

Usage: odd_station_test.py FLASHFARMD FLASHFARM-SIM"""
import json
import os
import shutil
import socket
import sys
import tempfile

from daemon_under_test import Boards, Daemon, Events

FLASHFARMD, FLASHFARM_SIM = sys.argv[1:3]
STATIONS = ["A1", "A2", "A3", "A4", "A5"]
RUNS = 10
failures = 0


def same(got, want, what):
    global failures
    if got != want:
        failures += 1
        print(f"FAIL {what}: got {got!r}, want {want!r}", flush=True)


class Line:
    def __init__(self, directory):
        self.boards = Boards(FLASHFARM_SIM, directory, f"stm32f103xb={len(STATIONS)}")
        self.daemon = Daemon(FLASHFARMD, os.path.join(directory, "flashfarm.conf"))
        self.events = Events(self.daemon, "?topics=job.")
        self.control = socket.socket(socket.AF_UNIX)
        self.control.connect(os.path.join(directory, "control"))
        self.answers = self.control.makefile()
        self.image = self.daemon.ask("POST", "/v1/images?address=0x08000000", bytes(range(256)) * 8).json["id"]

    def disturb(self, station):
        self.control.sendall(f"fault {station} nack-once\n".encode())
        same(self.answers.readline().split()[0], "ok", "the fault is set")

    def make(self):
        """One board at each station."""
        order = {"chip": "stm32f103xb", "image": self.image, "stations": STATIONS, "trigger": "immediate"}
        job = self.daemon.ask("POST", "/v1/jobs", order).json["id"]
        done = self.events.wait(lambda e: (json.loads(e["data"])["id"] == job and "state" in e["event"]
                                           and json.loads(e["data"])["state"] == "done"))
        same(done is not None, True, f"job {job} is done")

    def health(self, query=""):
        return {item["station"]: item for item in self.daemon.ask("GET", "/v1/station-health" + query).json["items"]}

    def close(self):
        self.answers.close()
        self.control.close()
        self.events.close()
        self.daemon.stop()
        self.boards.close()


def main():
    directory = tempfile.mkdtemp(prefix="flashfarm-odd-")
    line = Line(directory)
    try:
        for _ in range(RUNS - 1):
            line.disturb("A3")
            line.make()
        same({name: item["odd"] for name, item in line.health().items()}, {name: [] for name in STATIONS}, "too few runs")
        line.disturb("A3")
        line.make()
        found = line.health()
        same({item["runs"] for item in found.values()}, {RUNS}, "runs that are looked at")
        same({name: item["measures"]["naks"] for name, item in found.items()},
             {name: 1 if name == "A3" else 0 for name in STATIONS}, "refusals in each run")
        same([odd["measure"] for odd in found["A3"]["odd"] if odd["measure"] in ("naks", "retries")][:1], ["naks"], "A3 is odd")
        odd = found["A3"]["odd"][0]
        same((odd["value"], odd["peers"], odd["score"] > 3.5), (1, 0, True), "what is said of it")
        same([name for name, item in found.items() if any(o["measure"] == "naks" for o in item["odd"])], ["A3"], "nobody else")
        same({item["runs"] for item in line.health("?runs=3").values()}, {3}, "fewer runs")
        same([item["odd"] for item in line.health("?runs=3").values()], [[]] * len(STATIONS), "too few to judge by")
    finally:
        line.close()
        shutil.rmtree(directory)
    return 1 if failures else 0


sys.exit(main())
