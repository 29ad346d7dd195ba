# SPDX-License-Identifier: Apache-2.0
"""The bench: tables about a build's speed. README.md says what is simulated and how to read them; run.sh makes a
release build and starts this."""
import argparse
import json
import os
import platform
import subprocess
import sys
import time

import avr
import gang
import isp
import load
import one_board
import plant
import record
import rs485
from report import Report

TABLES = {"one-board": one_board.run, "gang": gang.run, "load": load.run, "record": record.run, "avr": avr.run,
          "rs485": rs485.run, "isp": isp.run}


def parse():
    parser = argparse.ArgumentParser(prog="run.sh", description="Measures flashfarm; see tests/bench/README.md.")
    parser.add_argument("--build", required=True, help="the build folder to measure (run.sh gives it)")
    parser.add_argument("--short", action="store_true", help="less than a minute: does it work, not how fast is it")
    parser.add_argument("--check", action="store_true", help="exit 1 when a number cannot be true")
    parser.add_argument("--json", metavar="FILE", help="write the numbers there")
    parser.add_argument("--only", action="append", choices=TABLES, help="this table; may be repeated")
    parser.add_argument("--repetitions", type=int, default=0, help="of each measurement (default 3)")
    parser.add_argument("--no-realtime", action="store_true", help="the simulator without real-time priority")
    parser.add_argument("--alone", action="store_true",
                        help="real-time priority for all that is measured: for a machine that others use, too")
    return parser.parse_args()


class Settings:
    """What is measured, long or short."""

    def __init__(self, arguments):
        short = arguments.short
        self.quiet = short
        self.repetitions = arguments.repetitions or (1 if short else 3)
        self.realtime = not arguments.no_realtime and may_realtime()
        self.alone = arguments.alone
        self.size = (4 if short else 64) * 1024
        self.bauds = [921600] if short else [115200, 921600]
        self.gang_size = (1 if short else 16) * 1024
        self.gangs = [1, 8] if short else [1, 16, 64, 256]
        self.load_boards = 8 if short else 64
        self.load_size = (4 if short else 64) * 1024
        self.load_seconds = 1 if short else 14
        self.streams = 20 if short else 500
        self.record_stations = [1, 16] if short else [1, 16, 64, 256]
        self.record_seconds = 0.5 if short else 5
        self.avr_repetitions = {"optiboot": self.repetitions, "mega2560": arguments.repetitions or 1}
        self.avr_boards = [1, 2] if short else [1, 8]
        self.optiboot_size = (1 if short else 28) * 1024
        self.mega2560_size = (2 if short else 200) * 1024
        self.lpc_size = (2 if short else 64) * 1024
        self.esp_size = (4 if short else 192) * 1024
        self.esp_bauds = [921600] if short else [115200, 921600]
        self.rs485_units = 3 if short else 8
        self.rs485_size = 1024 if short else 7000
        units = self.rs485_units
        self.rs485_cases = [("escape", units, True), ("escape", units, False)] if short else [
            ("parity", 1, True), ("parity", units, False), ("parity", units, True), ("escape", units, False),
            ("escape", units, True)]

    def say(self, text):
        if not self.quiet:
            print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


def may_realtime():
    """Whether the simulator may have real-time priority, which keeps its clock true beside a busy daemon."""
    pid = os.fork()
    if pid == 0:
        try:
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
            os._exit(0)
        except OSError:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def set_others_aside():
    """What this process starts inherits it: daemon, stm32flash, thin client and generators alike."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except OSError as error:
        raise SystemExit(f"bench: --alone: {error}") from error


def first_line(*command):
    try:
        text = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout
        return text.strip().splitlines()[0] if text.strip() else "?"
    except OSError:
        return "not installed"


def processor():
    with open("/proc/cpuinfo") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return names[0] if names else platform.machine()


def describe_machine(programs, settings):
    return {"processor": processor(), "cores": os.cpu_count(), "kernel": platform.release(),
            "load_average": os.getloadavg(), "disk": first_line("stat", "-f", "-c", "%T", "/tmp"),
            "simulator_realtime": settings.realtime, "alone": settings.alone,
            "daemon": first_line(programs.daemon, "--version"),
            "stm32flash": programs.stm32flash is not None, "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


def print_machine(machine):
    print(f"{machine['daemon']} on {machine['cores']} cores ({machine['processor']}), Linux {machine['kernel']}, "
          f"{machine['time']}")
    priority = "all" if machine["alone"] else "the simulator" if machine["simulator_realtime"] else "nothing"
    print(f"load average before: {machine['load_average'][0]:.2f}; real-time priority for {priority}; record on "
          f"{machine['disk']}")


def main():
    arguments = parse()
    settings, report = Settings(arguments), Report()
    programs = plant.Programs(arguments.build)
    if arguments.alone:
        set_others_aside()
    report.results["machine"] = describe_machine(programs, settings)
    print_machine(report.results["machine"])
    for name, run in TABLES.items():
        if not arguments.only or name in arguments.only:
            run(programs, report, settings)
    print(f"\nload average after: {os.getloadavg()[0]:.2f}")
    if report.wrong:
        print(f"{len(report.wrong)} numbers are not sane: do not believe this bench")
    report.results["not_sane"] = report.wrong
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(report.results, file, indent=1)
            file.write("\n")
    return 1 if report.wrong and arguments.check else 0


sys.exit(main())
