# SPDX-License-Identifier: Apache-2.0
"""What every table needs: simulated boards, a daemon that programs them, a way to talk to it, and meters."""
import calendar
import contextlib
import http.client
import json
import os
import re
import resource
import secrets
import select
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "boards"))
from farm import Farm  # noqa: E402

CHIP = "stm32f103xb"
ADDRESS = 0x08000000
START_TIMEOUT_S = 30
IDLE_S = 10


class Programs:
    """Where the build has put them."""

    def __init__(self, build):
        def at(path):
            path = os.path.join(build, path)
            if not os.access(path, os.X_OK):
                raise SystemExit(f"bench: {path} is missing: build first")
            return path

        self.daemon = at("daemon/flashfarmd")
        self.command = at("clients/flashfarm")
        self.simulator = at("tests/boards/flashfarm-sim")
        self.thin_client = at("tests/bench/bench_thin_client")
        self.thin_avr = at("tests/bench/bench_thin_avr")
        self.record_load = at("tests/bench/bench_record_load")
        self.http_load = at("tests/bench/bench_http_load")
        # What a table needs and is not there leaves its columns empty, or the table out.
        self.avr_boards = os.access(os.path.join(build, "tests/boards/flashfarm-sim-avr"), os.X_OK)
        self.stm32flash = shutil.which("stm32flash")
        self.avrdude = shutil.which("avrdude")
        self.lpc21isp = shutil.which("lpc21isp")
        # The acceptance of the simulated ESP boards has installed it.
        esptool = os.path.join(build, "tests/boards/esptool")
        there = shutil.which("node") and os.path.isdir(os.path.join(esptool, "node_modules"))
        self.esptool = os.path.join(esptool, "esptool.mjs") if there else None
        self.wrk = shutil.which("wrk")


# --- meters -------------------------------------------------------------------------------------------------


def cpu_seconds(pid):
    """Of all threads that live, to the nanosecond; utime and stime of /proc/PID/stat only count ticks."""
    try:
        total = 0
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat") as file:
                total += int(file.read().split()[0])
        return total / 1e9
    except FileNotFoundError:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def family_of(pid):
    """The process and its children: the simulator starts others for some kinds of boards."""
    pids = [pid]
    with contextlib.suppress(FileNotFoundError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as file:
                pids += map(int, file.read().split())
    return pids


def machine_seconds():
    """Processor time of everything on this machine that was neither idle nor waiting for a disk."""
    with open("/proc/stat") as file:
        ticks = [int(word) for word in file.readline().split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


class Usage:
    """Processor time of daemon, simulator, and all others, over the block it is used in. What the bench itself, its
    generators and the peers that it waited for used is not counted among the others."""

    def __init__(self, plant):
        self.plant = plant

    def snapshot(self):
        own = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        own += sum(cpu_seconds(process.pid) for process in self.plant.generators if process.returncode is None)
        daemon = self.plant.daemon
        return (time.monotonic(), cpu_seconds(daemon.pid) if daemon.returncode is None else 0.0,
                sum(cpu_seconds(pid) for pid in family_of(self.plant.farm.process.pid)), own, machine_seconds())

    def __enter__(self):
        self.before = self.snapshot()
        return self

    def __exit__(self, *_):
        took, daemon, simulator, own, machine = (b - a for a, b in zip(self.before, self.snapshot()))
        self.seconds, self.daemon_s, self.simulator_s, self.bench_s = took, daemon, simulator, own
        self.others = max(0.0, machine - daemon - simulator - own) / took

    def as_dict(self):
        return {"seconds": self.seconds, "daemon_cores": self.daemon_s / self.seconds,
                "simulator_cores": self.simulator_s / self.seconds, "bench_cores": self.bench_s / self.seconds,
                "other_cores": self.others}


class Lag:
    """The loop's lag over a while, from the histogram in /metrics."""

    def __init__(self, counts=None):
        self.counts = counts or {}

    @classmethod
    def of(cls, metrics):
        found = re.findall(r'^flashfarm_loop_lag_seconds_bucket\{le="([^"]+)"\} (\d+)$', metrics, re.M)
        return cls({float(bound.replace("+Inf", "inf")): int(count) for bound, count in found})

    def since(self, before):
        return Lag({bound: count - before.counts.get(bound, 0) for bound, count in self.counts.items()})

    def __add__(self, other):
        bounds = set(self.counts) | set(other.counts)
        return Lag({bound: self.counts.get(bound, 0) + other.counts.get(bound, 0) for bound in bounds})

    def total(self):
        return self.counts.get(float("inf"), 0)

    def bound_s(self, share):
        """The bucket's upper bound: the share's value is at most this."""
        for bound in sorted(self.counts):
            if self.counts[bound] >= share * self.total():
                return bound
        return float("inf")


# --- the plant ----------------------------------------------------------------------------------------------


class Plant:
    """Boards named A1, A2, ... and a daemon for some of them; ends with the block it is used in. `boards` is a number
    of STM32, or what flashfarm-sim is to be told."""

    def __init__(self, programs, boards, stations=None, bauds=None, realtime=True, sim_options=(), chip=CHIP,
                 address=ADDRESS, log_level=None):
        self.programs, self.chip, self.address, self.log_level = programs, chip, address, log_level
        self.stations, self.bauds, self.generators = stations, bauds or {}, []
        options = ["--pace", "--listen", "127.0.0.1:0", *sim_options]
        if realtime:
            options.append("--realtime")
        self.farm = Farm(programs.simulator, boards if isinstance(boards, str) else f"{CHIP}={boards}", *options)
        self.log = open(os.path.join(self.farm.dir, "daemon.log"), "w+b")
        try:
            self.start_daemon()
        except BaseException:
            self.farm.__exit__()
            raise

    def configure(self):
        """The simulator's flashfarm.conf, without the stations that are not the daemon's."""
        with open(os.path.join(self.farm.dir, "flashfarm.conf")) as file:
            head, *sections = file.read().split("\n[station ")
        for section in sections:
            name = section.split("]")[0]
            if self.stations is not None and name not in self.stations:
                continue
            if name in self.bauds:
                section = re.sub(r"(?m)^baud = \d+$", f"baud = {self.bauds[name]}", section)
            head += "\n[station " + section
        if self.log_level:
            head = head.replace("[daemon]\n", f"[daemon]\nlog_level = {self.log_level}\n")
        path = os.path.join(self.farm.dir, "bench.conf")
        with open(path, "w") as file:
            file.write(head)
        return path

    def start_daemon(self):
        self.config = self.configure()
        self.daemon = subprocess.Popen([self.programs.daemon, "--config", self.config], stderr=self.log)
        end = time.monotonic() + START_TIMEOUT_S
        while True:
            match = re.search(rb"serves \d+ stations at http://127\.0\.0\.1:(\d+)", self.read_log())
            if match:
                break
            if time.monotonic() > end or self.daemon.poll() is not None:
                raise SystemExit(f"bench: the daemon does not start:\n{self.read_log().decode()}")
            time.sleep(0.02)
        self.port = int(match[1])
        self.key_file = os.path.join(self.farm.dir, "state", "key")
        with open(self.key_file) as file:
            self.key = file.read().strip()
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        self.called_s = time.monotonic()

    def read_log(self):
        return os.pread(self.log.fileno(), 1 << 20, 0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()
        self.daemon.terminate()
        status = self.daemon.wait(60)
        tail = self.read_log().decode()[-2000:]
        self.log.close()
        self.farm.__exit__()
        if status:
            raise SystemExit(f"bench: the daemon ended with {status}:\n{tail}")

    def call(self, method, path, body=None, content_type="application/json", connection=None, key=None):
        if not connection:
            connection = self.connection
            if time.monotonic() - self.called_s > IDLE_S:
                connection.close()  # the daemon does so as well; the next request connects anew
            self.called_s = time.monotonic()
        headers = {"Authorization": f"Bearer {self.key}"}
        if body is not None:
            headers["Content-Type"] = content_type
        if key:
            headers["Idempotency-Key"] = key
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        data = answer.read()
        if answer.status >= 300:
            raise SystemExit(f"bench: {method} {path}: {answer.status} {data.decode()}")
        return json.loads(data) if "json" in answer.getheader("Content-Type", "") else data.decode()

    def upload(self, image, name="bench.bin", connection=None):
        path = f"/v1/images?name={name}&address=0x{self.address:08x}"
        return self.call("POST", path, image, "application/octet-stream", connection)["id"]

    def fresh_boards(self, names):
        """New boards in the sockets: blank, never spoken to."""
        for name in names:
            if self.farm.ask("insert", name) != "ok":
                raise SystemExit(f"bench: the simulator has no board {name}")

    def submit(self, image_id, stations):
        """The job's id."""
        order = {"chip": self.chip, "images": [image_id], "stations": stations, "quantity": len(stations),
                 "trigger": "immediate"}
        return self.call("POST", "/v1/jobs", json.dumps(order), key=secrets.token_hex(16))["id"]

    def wait_for_job(self, job, expected_s):
        """Asks seldom before the time it should take, so that asking is no load."""
        time.sleep(0.9 * expected_s)
        end = time.monotonic() + 20 * expected_s + 60
        while self.call("GET", f"/v1/jobs/{job}")["state"] == "running":
            if time.monotonic() > end:
                raise SystemExit(f"bench: job {job} does not end")
            time.sleep(0.1)
        return self.runs_of(job)

    def runs_of(self, job):
        runs, cursor = [], ""
        while cursor is not None:
            page = self.call("GET", f"/v1/jobs/{job}/runs?limit=500" + (f"&cursor={cursor}" if cursor else ""))
            runs += page["items"]
            cursor = page["next"]
        return runs

    def run_job(self, image_id, stations, expected_s):
        self.fresh_boards(stations)
        return self.wait_for_job(self.submit(image_id, stations), expected_s)

    def program(self, path, names):
        """The whole command line program as somebody waits for it: seconds, and the runs it made."""
        before = self.call("GET", "/v1/runs?limit=1")["items"]
        begun = time.monotonic()
        done = subprocess.run(
            [self.programs.command, "--server", f"http://127.0.0.1:{self.port}", "--key-file", self.key_file,
             "program", path, "--chip", self.chip, "--address", hex(self.address), "--stations", ",".join(names)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        wall = time.monotonic() - begun
        if done.returncode:
            raise SystemExit(f"bench: flashfarm program failed:\n{done.stdout}")
        runs = self.call("GET", f"/v1/runs?limit={len(names)}")["items"]
        if len(runs) != len(names) or (before and any(run["id"] == before[0]["id"] for run in runs)):
            raise SystemExit("bench: flashfarm program made another number of runs")
        return wall, runs

    def stop_daemon(self):
        """Lets go of the ports, for others."""
        if self.daemon.returncode is None:
            self.daemon.terminate()
            if self.daemon.wait(60):
                raise SystemExit(f"bench: the daemon ended with {self.daemon.returncode}")

    def lag(self):
        return Lag.of(self.call("GET", "/metrics"))


def utc_seconds(text):
    """'2026-11-21T12:25:00.123456Z' as seconds since 1970."""
    whole, fraction = text.rstrip("Z").split(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + int(fraction) / 1e6


def run_seconds(run):
    return utc_seconds(run["ended"]) - utc_seconds(run["started"])


def makespan(runs):
    return max(utc_seconds(run["ended"]) for run in runs) - min(utc_seconds(run["started"]) for run in runs)


def run_thin(*command):
    """A thin client's report of each port, in the order of their ends."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit("bench: the thin client failed")
    return [json.loads(line) for line in done.stdout.splitlines()]


def run_thin_client(programs, baud, what, ports, parity="even"):
    return run_thin(programs.thin_client, baud, parity, what, *ports)


def span_s(thin):
    """From the first start to the last end."""
    return (max(one["ended_us"] for one in thin) - min(one["begun_us"] for one in thin)) / 1e6


def run_peers(commands):
    """Other people's programs, all at once: seconds until the last has ended."""
    begun = time.monotonic()
    peers = [subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
             for command in commands]
    said = [peer.communicate()[0] for peer in peers]
    wall = time.monotonic() - begun
    for peer, text in zip(peers, said):
        if peer.returncode:
            raise SystemExit(f"bench: {peer.args[0]} failed: {text.decode(errors='replace')}")
    return wall


def run_asked(command, questions, timeout_s):
    """A peer that answers a line of JSON for each one it is given: seconds from its start to its end."""
    begun = time.monotonic()
    done = subprocess.run(command, input="".join(json.dumps(one) + "\n" for one in questions), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=timeout_s)
    wall = time.monotonic() - begun
    answers = done.stdout.splitlines()
    if done.returncode or len(answers) != len(questions) or any("error" in json.loads(line) for line in answers):
        raise SystemExit(f"bench: {command[0]} failed: {done.stdout}")
    return wall


class Scratch:
    """A folder for images and samples, on the disk that /tmp or TMPDIR is on."""

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="flashfarm-bench-")
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.dir)

    def file(self, name, data=None):
        path = os.path.join(self.dir, name)
        if data is not None:
            with open(path, "wb") as file:
                file.write(data)
        return path


def start_generator(plant, *arguments):
    """http_load, asking this plant's daemon."""
    process = subprocess.Popen([plant.programs.http_load, str(plant.port), plant.key, *map(str, arguments)],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    plant.generators.append(process)
    return process


def end_generator(process):
    """Ends it by ending its stdin, and returns its report."""
    output = process.communicate(timeout=120)[0]
    if process.returncode:
        raise SystemExit("bench: http_load failed")
    return json.loads(output)


def wait_for_line(process, wanted, timeout_s=60):
    ready, _, _ = select.select([process.stdout], [], [], timeout_s)
    line = process.stdout.readline() if ready else ""
    if line.strip() != wanted:
        raise SystemExit(f"bench: {process.args[0]} said {line!r} instead of {wanted!r}")
