# SPDX-License-Identifier: Apache-2.0
"""Table 1: one board, one image; the daemon, stm32flash and the thin client in turns on boards of one simulator."""
import os
import subprocess
import time

import floor
import plant as plants
from report import median, spread

DAEMON, PEER, THIN = {115200: "A1", 921600: "A2"}, "A3", "A4"
CALIBRATION_BLOCKS = 16


def make_images(size):
    """Every second KiB of the second one is blank."""
    random = os.urandom(size)
    half = b"".join(b"\xff" * 1024 if at // 1024 % 2 else random[at:at + 1024] for at in range(0, size, 1024))
    return {"random": random, "half blank": half}


def run_daemon(plant, path, baud, report, image):
    """The run by its record, and the whole command line program as somebody waits for it."""
    name = DAEMON[baud]
    plant.fresh_boards([name])
    begun = time.monotonic()
    done = subprocess.run(
        [plant.programs.command, "--server", f"http://127.0.0.1:{plant.port}", "--key-file", plant.key_file,
         "program", path, "--chip", plants.CHIP, "--address", hex(plants.ADDRESS), "--stations", name],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wall = time.monotonic() - begun
    if done.returncode:
        raise SystemExit(f"bench: flashfarm program failed:\n{done.stdout}")
    run = plant.call("GET", "/v1/runs?limit=1")["items"][0]
    report.sane(run["outcome"] == "pass" and run["baud"] == baud,
                f"the run passes at {baud} baud: {run['outcome']}, {run['baud']}")
    report.sane(run["verify"]["method"] == "read-back", "the run is verified by reading back")
    report.sane(plant.farm.dump(name)[:len(image)] == image, "the flash holds the image after the run")
    return {"wall_s": wall, "run_s": plants.run_seconds(run), "phases": run["phases"], "floor_us": run["floor_us"]}


def run_peer(plant, path, baud, report, image):
    plant.fresh_boards([PEER])
    begun = time.monotonic()
    done = subprocess.run([plant.programs.stm32flash, "-m", "8n1", "-b", str(baud), "-w", path, "-v",
                           plant.farm.port(PEER)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wall = time.monotonic() - begun
    if done.returncode:
        raise SystemExit(f"bench: stm32flash failed: {done.stderr}")
    report.sane(plant.farm.dump(PEER)[:len(image)] == image, "the flash holds the image after stm32flash")
    return wall


def run_thin(plant, path, baud):
    plant.fresh_boards([THIN])
    done = plants.run_thin_client(plant.programs, baud, path, [plant.farm.port(THIN)])[0]
    return {"run_s": (done["ended_us"] - done["begun_us"]) / 1e6, **done}


def measure_frame(plant, turnaround_s, report):
    """How many bits a byte costs a client that has set no parity, as stm32flash does here, and one with even parity."""
    bits = {}
    for parity in ("none", "even"):
        plant.fresh_boards([THIN])
        done = plants.run_thin_client(plant.programs, 115200, f"read={CALIBRATION_BLOCKS}", [plant.farm.port(THIN)],
                                      parity)[0]
        block_s = done["read_us"] / 1e6 / CALIBRATION_BLOCKS
        bits[parity] = (block_s - turnaround_s) * 115200 / floor.read_block(floor.BLOCK).wire_bytes
        report.sane(bits[parity] > 10.95, f"a byte takes no less than 11 bits with parity {parity}: {bits[parity]:.2f}")
    return bits


def row_of(image_name, baud, size, floors, measured, turnaround_s):
    bare, full = floors.bare_s(baud), floors.full_s(baud, turnaround_s)
    runs = [one["run_s"] for one in measured["daemon"]]
    walls = [one["wall_s"] for one in measured["daemon"]]
    thin = [one["run_s"] for one in measured["thin"]]
    peers = measured["stm32flash"]
    cells = [f"{size // 1024} KiB {image_name}", str(baud), f"{bare:.2f}", f"{full:.2f}", spread(thin), spread(runs),
             spread(walls), spread(peers) if peers else "-", f"{median(runs) / full:.3f}", f"{median(runs) / bare:.3f}",
             f"{median(runs) / median(thin):.3f}", f"{median(peers) / median(walls):.2f}" if peers else "-"]
    result = {"image": image_name, "size": size, "baud": baud, "floor_s": bare, "floor_with_turnarounds_s": full,
              "daemon_run_s": runs, "daemon_wall_s": walls, "thin_client_s": thin, "stm32flash_wall_s": peers,
              "run_over_floor_with_turnarounds": median(runs) / full, "run_over_floor": median(runs) / bare,
              "daemon_own_floor_s": measured["daemon"][0]["floor_us"] / 1e6}
    return cells, result


def phase_rows(image_name, baud, image, measured, turnaround_s):
    """Where the time of the median run goes."""
    runs = sorted(measured["daemon"], key=lambda one: one["run_s"])
    thin = sorted(measured["thin"], key=lambda one: one["run_s"])
    middle, thinnest = runs[len(runs) // 2], thin[len(thin) // 2]
    thin_keys = {"connect": "contact_us", "erase": "erase_us", "write": "write_us", "verify": "read_us"}
    rows, floors, seen = [], floor.phases(image), 0.0
    for phase in middle["phases"]:
        name, took_ms = phase["name"], phase["us"] / 1e3
        seen += took_ms
        full_ms = floors[name].full_s(baud, turnaround_s) * 1e3
        rows.append([f"{image_name} {baud}", name, f"{full_ms:.1f}", f"{thinnest[thin_keys[name]] / 1e3:.1f}",
                     f"{took_ms:.1f}", f"{took_ms - full_ms:+.1f}", f"{phase['host_us'] / 1e3:.1f}",
                     f"{(took_ms - full_ms) * 1e3 / max(1, floors[name].turnarounds):.0f}"])
    rows.append([f"{image_name} {baud}", "record", "-", "-", f"{middle['run_s'] * 1e3 - seen:.1f}", "", "", ""])
    return rows


def run(programs, report, settings):
    size, turnaround_us = settings.size, 1000
    turnaround_s = turnaround_us / 1e6
    images = make_images(size)
    measured = {}
    with plants.Scratch() as scratch, plants.Plant(
            programs, 4, stations=set(DAEMON.values()), bauds={name: baud for baud, name in DAEMON.items()},
            realtime=settings.realtime,
            sim_options=["--turnaround", str(turnaround_us), "--max-baud", "921600"]) as plant:
        bits = measure_frame(plant, turnaround_s, report)
        with plants.Usage(plant) as usage:
            for repetition in range(settings.repetitions):
                for image_name, image in images.items():
                    path = scratch.file("image.bin", image)
                    for baud in settings.bauds:
                        slot = measured.setdefault((image_name, baud), {"daemon": [], "stm32flash": [], "thin": []})
                        settings.say(f"one board: {image_name}, {baud} baud, {repetition + 1}")
                        slot["daemon"].append(run_daemon(plant, path, baud, report, image))
                        if programs.stm32flash:
                            slot["stm32flash"].append(run_peer(plant, path, baud, report, image))
                        slot["thin"].append(run_thin(plant, path, baud))
    rows, results, detail = [], [], []
    for (image_name, baud), slot in measured.items():
        floors = floor.run(images[image_name])
        cells, result = row_of(image_name, baud, size, floors, slot, turnaround_s)
        report.sane(min(result["daemon_run_s"]) > floors.bare_s(baud), "no run is faster than its floor")
        rows.append(cells)
        results.append({**result, "phases": [one["phases"] for one in slot["daemon"]]})
        detail += phase_rows(image_name, baud, images[image_name], slot, turnaround_s)
    print_tables(report, rows, detail, bits, usage, settings, programs)
    report.results["one_board"] = {"rows": results, "bits_per_byte": bits, "usage": usage.as_dict(),
                                   "turnaround_us": turnaround_us, "repetitions": settings.repetitions}


def print_tables(report, rows, detail, bits, usage, settings, programs):
    notes = [
        f"Seconds: median (min-max) of {settings.repetitions}, in turns on one simulator; boards fresh each time.",
        "floor = bits on the wire / baud + flash times; floor+t = and 1 ms for each answer that must be waited for.",
        "run = started to ended of the record; wall = the whole `flashfarm program` process; aim: run/floor+t <= 1.03.",
        f"A byte takes {bits['none']:.2f} bits for a client with 8n1 and {bits['even']:.2f} with 8e1: the simulator",
        "counts the frame of the board (11 bits) whatever the client sets, so stm32flash -m 8n1 gains nothing by it.",
        f"Others on this machine used {usage.others:.2f} cores meanwhile."]
    if not programs.stm32flash:
        notes.append("stm32flash is not installed: its columns are empty.")
    report.table("1. One board", ["image", "baud", "floor", "floor+t", "thin client", "run", "wall", "stm32flash -v",
                                  "run/floor+t", "run/floor", "run/thin", "stm32flash/wall"], rows, notes)
    report.table("1a. Where the time of the median run goes (ms)",
                 ["image", "phase", "floor+t", "thin client", "run", "over floor", "daemon's",
                  "us over per turnaround"],
                 detail, ["daemon's = what the daemon itself says it did not wait for; record = reserving the run, its "
                          "outcome, and what is between the phases."])
