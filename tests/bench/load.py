# SPDX-License-Identifier: Apache-2.0
"""Table 3: the HTTP interface while boards are programmed: requests, event streams, and what they cost the runs."""
import contextlib
import http.client
import os
import re
import subprocess
import threading
import time

import floor
import gang
import plant as plants
from report import at_share, median, milliseconds, percent

BAUD, TURNAROUND_US = 115200, 1000
STATION, RUNS = "/v1/stations/A1", "/v1/runs?limit=10"
STREAMS_TWICE = 250  # the daemon has room for twice as many, should those of the measurement before still be counted
FACTS_ONLY = "/v1/events?topics=run,job,image,station.state"
EVERYTHING = "/v1/events"


# --- the kinds of load: each is a block around a job, and leaves its result in a dictionary ----------------------


@contextlib.contextmanager
def no_load(_plant, _settings, _result):
    yield


@contextlib.contextmanager
def even_requests(plant, settings, result):
    """A hundred requests a second of each kind, evenly: what a shop floor with many screens asks for."""
    seconds = settings.load_seconds
    processes = {path: plants.start_generator(plant, "rest", path, 4, int(seconds * 1000), 100)
                 for path in (STATION, RUNS)}
    yield
    result["rest"] = {path: plants.end_generator(process) for path, process in processes.items()}


@contextlib.contextmanager
def full_requests(plant, settings, result):
    """Eight connections that ask again as soon as they are answered; first one kind, then the other."""
    result["rest"] = {}

    def load():
        for path in (STATION, RUNS):
            result["rest"][path] = plants.end_generator(
                plants.start_generator(plant, "rest", path, 8, int(settings.load_seconds * 500), 0))

    thread = threading.Thread(target=load)
    thread.start()
    yield
    thread.join()


class FactSource(threading.Thread):
    """Uploads tiny images, each of which is a fact, evenly; the runs themselves make theirs all at once."""

    def __init__(self, plant, per_second):
        super().__init__()
        self.plant, self.interval_s, self.ending = plant, 1 / per_second, threading.Event()

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.plant.port, timeout=60)
        while not self.ending.wait(self.interval_s):
            self.plant.upload(os.urandom(64), "fact.bin", connection)
        connection.close()

    def stop(self):
        self.ending.set()
        self.join()


def wait_for_no_streams(plant):
    """The daemon notices by and by that clients have gone, and counts them until then."""
    end = time.monotonic() + 60
    while not re.search(r"^flashfarm_event_clients 0$", plant.call("GET", "/metrics"), re.M):
        if time.monotonic() > end:
            raise SystemExit("bench: event streams stay open after their clients have gone")
        time.sleep(0.2)


def event_streams(path):
    @contextlib.contextmanager
    def load(plant, settings, result):
        if settings.streams > STREAMS_TWICE:
            wait_for_no_streams(plant)
        with plants.Scratch() as scratch:
            samples = scratch.file("samples")
            first = plant.call("GET", "/v1/ledger/head")["sequence"] + 1
            process = plants.start_generator(plant, "events", path, settings.streams, samples)
            plants.wait_for_line(process, "ready")
            source = FactSource(plant, 20)
            source.start()
            begun = time.monotonic()
            yield
            source.stop()
            time.sleep(0.5)  # nothing tells that all streams have got the last fact; missing ones are counted below
            seconds = time.monotonic() - begun
            result["events"] = {"seconds": seconds, **plants.end_generator(process)}
            result["events"].update(latencies(plant, first, samples))

    return load


# --- event latency ----------------------------------------------------------------------------------------------


def ledger_times(plant, first):
    """When each fact was handed to the record, by its sequence."""
    times, sequence = {}, first
    while True:
        items = plant.call("GET", f"/v1/ledger?from={sequence}&limit=500")["items"]
        if not items:
            return times
        times.update((item["sequence"], (item["kind"], plants.utc_seconds(item["utc"]))) for item in items)
        sequence = items[-1]["sequence"] + 1


def latencies(plant, first, samples):
    """From the record's time of a fact, which is before its commit, to its arrival at each stream; facts that come
    alone apart from those of runs, which come all at once."""
    times = ledger_times(plant, first)
    lone, burst, firsts, seen, disorder, last = [], [], {}, {}, 0, {}
    with open(samples) as file:
        for line in file:
            sequence, stream, utc_us = map(int, line.split())
            disorder += last.get(stream, 0) >= sequence
            last[stream] = sequence
            if sequence not in times:
                continue
            kind, utc_s = times[sequence]
            (burst if kind.startswith("run.") else lone).append(utc_us / 1e6 - utc_s)
            firsts[sequence] = min(firsts.get(sequence, float("inf")), utc_us / 1e6 - utc_s)
            seen[sequence] = seen.get(sequence, 0) + 1
    lone.sort()
    burst.sort()
    first_s = sorted(firsts[sequence] for sequence in firsts if not times[sequence][0].startswith("run."))
    return {"facts_recorded": len(times), "counts": sorted(set(seen.values())), "facts_seen": len(seen),
            "disorder": disorder, "lone": summary(lone), "burst": summary(burst), "first_arrival": summary(first_s)}


def summary(sorted_s):
    return {"count": len(sorted_s), "p50_s": at_share(sorted_s, 0.5), "p99_s": at_share(sorted_s, 0.99),
            "max_s": at_share(sorted_s, 1.0), "min_s": at_share(sorted_s, 0.0)}


# --- measuring ----------------------------------------------------------------------------------------------------

KINDS = [("nothing else", no_load), ("200 requests/s, evenly", even_requests),
         ("requests without end, 8 connections", full_requests),
         ("event streams, facts only", event_streams(FACTS_ONLY)),
         ("event streams, everything", event_streams(EVERYTHING))]


def measure(plant, image_id, names, expected_s, load, settings):
    result = {}
    plant.fresh_boards(names)
    with load(plant, settings, result):
        lag = plant.lag()
        with plants.Usage(plant) as usage:
            runs = plant.wait_for_job(plant.submit(image_id, names), expected_s)
        lag = plant.lag().since(lag)
    result.update(lag=lag, usage=usage.as_dict(), run_s=median([plants.run_seconds(run) for run in runs]),
                  span_s=plants.makespan(runs), passed=sum(run["outcome"] == "pass" for run in runs))
    return result


def cross_check(plant, settings):
    """The same full load by wrk, which is not ours."""
    found = {}
    for path in (STATION, RUNS):
        done = subprocess.run(
            [plant.programs.wrk, "-t1", "-c8", f"-d{max(1, int(settings.load_seconds / 4))}s", "--latency", "-H",
             f"Authorization: Bearer {plant.key}", f"http://127.0.0.1:{plant.port}{path}"],
            stdout=subprocess.PIPE, text=True, check=True).stdout
        found[path] = {"per_second": float(re.search(r"Requests/sec:\s+([\d.]+)", done)[1]),
                       "p50": re.search(r"50%\s+(\S+)", done)[1], "p99": re.search(r"99%\s+(\S+)", done)[1],
                       "bad": "Non-2xx" in done or "Socket errors" in done}
    return found


def check(report, results, settings):
    for kind, result in results.items():
        report.sane(result["passed"] == settings.load_boards, f"all boards pass with {kind}: {result['passed']}")
        for path, rest in result.get("rest", {}).items():
            report.sane(rest["requests"] > 0 and not rest["failed"], f"every request for {path} is answered with 200")
        events = result.get("events")
        if events:
            report.sane(events["ended"] == 0, f"no event stream of {kind} ends early: {events['ended']}")
            report.sane(events["counts"] == [settings.streams] and events["facts_seen"] == events["facts_recorded"],
                        f"every stream of {kind} gets every fact once: {events['counts']}, {events['facts_seen']} of "
                        f"{events['facts_recorded']}")
            report.sane(events["disorder"] == 0, f"facts of {kind} arrive in the order of the ledger")
            report.sane(events["lone"]["min_s"] > 0, "no fact arrives before it is recorded")


def print_runs(report, results, settings):
    quiet = results["nothing else"]
    rows = [[kind, f"{result['run_s']:.2f}", f"{result['run_s'] / quiet['run_s']:.3f}",
             f"<= {result['lag'].bound_s(0.99) * 1e3:g}", percent(result["usage"]["daemon_cores"]),
             percent(result["usage"]["simulator_cores"]), percent(result["usage"]["bench_cores"]),
             f"{result['usage']['other_cores']:.2f}"] for kind, result in results.items()]
    report.table(f"3. HTTP while {settings.load_boards} boards are programmed ({settings.load_size // 1024} KiB, {BAUD} "
                 "baud): what it costs the runs",
                 ["beside the runs", "run s", "factor", "lag p99 ms", "daemon CPU", "simulator CPU", "generator CPU",
                  "others"],
                 rows, [f"{settings.streams} event streams; 20 facts/s beside those of the runs. Generators, simulator "
                        f"and daemon share {os.cpu_count()} cores."])


def print_rest(report, results, wrk):
    rows = []
    for kind, result in results.items():
        for path, rest in result.get("rest", {}).items():
            rows.append([f"GET {path}", kind, f"{rest['requests'] / rest['took_us'] * 1e6:.0f}",
                         milliseconds(rest["p50_us"] / 1e6), milliseconds(rest["p99_us"] / 1e6),
                         milliseconds(rest["max_us"] / 1e6), f"{rest['bytes'] / rest['requests']:.0f}"])
    for path, found in (wrk or {}).items():
        rows.append([f"GET {path}", "wrk, no boards running, 8 connections", f"{found['per_second']:.0f}", found["p50"],
                     found["p99"], "-", "-"])
    report.table("3a. Requests", ["request", "load", "per s", "p50 ms", "p99 ms", "max ms", "bytes"], rows,
                 ["Evenly: latency counts from when the request was due, also when no connection was free."])


def print_events(report, results, settings):
    rows = []
    for kind, result in results.items():
        events = result.get("events")
        if not events:
            continue
        for name, text in (("first_arrival", "alone, first stream"), ("lone", "alone, all streams"),
                           ("burst", f"{settings.load_boards} runs at once, all streams")):
            part = events[name]
            rows.append([kind, text, str(part["count"]), milliseconds(part["p50_s"]), milliseconds(part["p99_s"]),
                         milliseconds(part["max_s"]),
                         f"{(events['facts'] + events['others']) / events['seconds']:.0f}",
                         f"{events['bytes'] / events['seconds'] / 1e6:.2f}"])
    report.table(f"3b. Facts to {settings.streams} event streams: from the record to the client",
                 ["streams", "facts that come", "arrivals", "p50 ms", "p99 ms", "max ms", "events/s", "MB/s"], rows,
                 ["Counts from the time in the ledger, taken before the commit, to the client's read; events/s and MB/s "
                  "of all streams and topics together."])


def run(programs, report, settings):
    image, names = os.urandom(settings.load_size), gang.names_of(settings.load_boards)
    expected_s = floor.run(image).full_s(BAUD, TURNAROUND_US / 1e6)
    results, wrk = {}, None
    with plants.Plant(programs, settings.load_boards, realtime=settings.realtime,
                      sim_options=["--turnaround", str(TURNAROUND_US)]) as plant:
        image_id = plant.upload(image)
        for kind, load in KINDS:
            settings.say(f"load: {kind}")
            results[kind] = measure(plant, image_id, names, expected_s, load, settings)
        if programs.wrk:
            wrk = cross_check(plant, settings)
    check(report, results, settings)
    print_runs(report, results, settings)
    print_rest(report, results, wrk)
    print_events(report, results, settings)
    for result in results.values():
        result["lag"] = {str(bound): count for bound, count in result["lag"].counts.items()}
    report.results["load"] = {"boards": settings.load_boards, "streams": settings.streams, "kinds": results, "wrk": wrk}
