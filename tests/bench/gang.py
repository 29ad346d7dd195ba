# SPDX-License-Identifier: Apache-2.0
"""Table 2: the same image on 1 ... 256 boards at once."""
import os

import floor
import plant as plants
from report import median, percent

BAUD, TURNAROUND_US = 115200, 1000


def names_of(count):
    """As flashfarm-sim names them: A1 ... A16, B1 ..."""
    return [f"{chr(ord('A') + i // 16)}{i % 16 + 1}" for i in range(count)]


class Gang:
    """What was measured with one number of boards."""

    def __init__(self, count):
        self.count, self.spans, self.runs_s, self.thin_spans, self.usages = count, [], [], [], []
        self.lag = plants.Lag()

    def daemon_cores(self):
        return sum(usage.daemon_s for usage in self.usages) / sum(usage.seconds for usage in self.usages)

    def simulator_cores(self):
        return sum(usage.simulator_s for usage in self.usages) / sum(usage.seconds for usage in self.usages)

    def others(self):
        return max(usage.others for usage in self.usages)

    def per_board_second(self):
        """Processor seconds of the daemon for a second of one board's run."""
        return sum(usage.daemon_s for usage in self.usages) / sum(self.runs_s)


def measure(programs, count, image, settings, report):
    gang, names = Gang(count), names_of(count)
    expected_s = floor.run(image).full_s(BAUD, TURNAROUND_US / 1e6)
    with plants.Scratch() as scratch, plants.Plant(
            programs, count, realtime=settings.realtime, sim_options=["--turnaround", str(TURNAROUND_US)]) as plant:
        image_id, path = plant.upload(image), scratch.file("image.bin", image)
        ports = [plant.farm.port(name) for name in names]
        for repetition in range(settings.repetitions):
            settings.say(f"gang: {count} boards, {repetition + 1}")
            plant.fresh_boards(names)
            lag = plant.lag()
            with plants.Usage(plant) as usage:
                runs = plant.wait_for_job(plant.submit(image_id, names), expected_s)
            gang.lag += plant.lag().since(lag)
            gang.usages.append(usage)
            report.sane(len(runs) == count and all(run["outcome"] == "pass" for run in runs), f"{count} boards pass")
            gang.runs_s += [plants.run_seconds(run) for run in runs]
            gang.spans.append(plants.makespan(runs))
        plant.call("GET", "/v1/stations")
        for name in (names[0], names[-1]):
            report.sane(plant.farm.dump(name)[:len(image)] == image, f"the flash of {name} holds the image")
        measure_thin(plant, path, ports, settings, gang)
    report.sane(min(gang.spans) > floor.run(image).bare_s(BAUD), "no gang is faster than one board's floor")
    return gang


def measure_thin(plant, path, ports, settings, gang):
    """The same boards by one thin client each: the simulator's and this machine's own gang factor. The daemon lets go
    of the ports first."""
    plant.stop_daemon()
    for _ in range(settings.repetitions):
        plant.fresh_boards([os.path.basename(port) for port in ports])
        done = plants.run_thin_client(plant.programs, BAUD, path, ports)
        gang.thin_spans.append(plants.span_s(done))


def row_of(gang, first):
    span, thin = median(gang.spans), median(gang.thin_spans)
    return [str(gang.count), f"{span:.2f}", f"{span / median(first.spans):.3f}", f"{median(gang.runs_s):.2f}",
            f"{max(gang.runs_s):.2f}", f"{thin:.2f}", f"{thin / median(first.thin_spans):.3f}",
            percent(gang.daemon_cores()), f"{gang.per_board_second() * 1e3:.2f}", percent(gang.simulator_cores()),
            f"{gang.others():.2f}", f"<= {gang.lag.bound_s(0.99) * 1e3:g}", str(gang.lag.total())]


def run(programs, report, settings):
    image = os.urandom(settings.gang_size)
    gangs = [measure(programs, count, image, settings, report) for count in settings.gangs]
    report.table(
        f"2. Gang: {settings.gang_size // 1024} KiB, {BAUD} baud, 1 ms turnaround",
        ["boards", "time s", "factor", "run s", "slowest s", "thin s", "thin factor", "daemon CPU", "ms/board-s",
         "simulator CPU", "others", "lag p99 ms", "samples"],
        [row_of(gang, gangs[0]) for gang in gangs],
        [f"time = first start to last end, median of {settings.repetitions}; factor = time / time of one board; aim: "
         "<= 1.02 at 64.",
         "thin = the same boards by one process of the thin client each, without daemon: beyond 1 is the simulator's "
         "and the machine's.",
         "CPU in percent of one core; ms/board-s = the daemon's processor time for a second of one board's run, record "
         "and API included;",
         "others = cores that the rest of the machine took, at the worst.",
         f"Simulator and daemon share {os.cpu_count()} cores; real boards would leave them to the daemon."])
    report.results["gang"] = [
        {"boards": gang.count, "spans_s": gang.spans, "factor": median(gang.spans) / median(gangs[0].spans),
         "thin_spans_s": gang.thin_spans, "thin_factor": median(gang.thin_spans) / median(gangs[0].thin_spans),
         "run_median_s": median(gang.runs_s), "run_max_s": max(gang.runs_s), "daemon_cores": gang.daemon_cores(),
         "simulator_cores": gang.simulator_cores(), "daemon_s_per_board_s": gang.per_board_second(),
         "other_cores": gang.others(), "lag_p99_at_most_s": gang.lag.bound_s(0.99),
         "lag_counts": {str(bound): count for bound, count in gang.lag.counts.items()}} for gang in gangs]
