# SPDX-License-Identifier: Apache-2.0
"""Table 7: one LPC against lpc21isp, one ESP32 against Espressif's esptool-js. The floor is the daemon's own, from the
run's record: the other tables compare that with floors of their own."""
import random
import struct

import plant as plants
from report import median, percent, spread

TURNAROUND_US = 1000
TIMEOUT_S = 300


class Lpc:
    """An LPC2148: the one kind that lpc21isp can verify as a whole (the later ones hide the start of their flash)."""

    chip, board, address, verify = "lpc2148", "lpc2148", 0, "read-back"
    name = "LPC2148"

    @staticmethod
    def image(size):
        """The first eight words sum up to zero, with the sum where ARM7 parts want it; no read protection."""
        data = bytearray(random.Random("lpc").randbytes(size))
        data[0x1FC:0x200] = b"\xff" * 4
        words = list(struct.unpack("<8I", data[:32]))
        words[5] = 0
        words[5] = -sum(words) & 0xFFFFFFFF
        data[:32] = struct.pack("<8I", *words)
        return bytes(data)

    @staticmethod
    def holds(flash, image):
        return flash[:len(image)] == image

    @staticmethod
    def peer(programs):
        return "lpc21isp -verify" if programs.lpc21isp else None

    @staticmethod
    def run_peer(programs, path, port, baud):
        return plants.run_peers([[programs.lpc21isp, "-bin", "-verify", path, port, str(baud), "12000"]])


class Esp:
    """An ESP32's application, of which half can be packed away, as of ordinary firmware."""

    chip, board, address, verify = "esp32-4mb", "esp32", 0x10000, "checksum"
    name = "ESP32, packed"

    @staticmethod
    def image(size):
        dice = random.Random("esp")
        words = [dice.randbytes(16) for _ in range(32)]
        noise = b"".join(dice.choice(words) if dice.random() < 0.6 else dice.randbytes(16) for _ in range(size // 16))
        head = bytes((0xE9, 1, 2, 0x20)) + struct.pack("<I", 0x40080000) + b"\xee" + bytes(14) + b"\x01"
        return head + noise[len(head):]

    @classmethod
    def holds(cls, flash, image):
        return flash[cls.address:cls.address + len(image)] == image

    @staticmethod
    def peer(programs):
        return "esptool-js" if programs.esptool else None

    @classmethod
    def run_peer(cls, programs, path, port, baud):
        """As its own command line would: contact, rate, packed writing, MD5; without its stub, which cannot run."""
        return plants.run_asked(["node", programs.esptool, port, str(baud)], [
            {"command": "main"},
            {"command": "write", "file": path, "address": cls.address, "compress": True, "verify": True}], TIMEOUT_S)


def run_daemon(plant, kind, path, image, baud, report):
    plant.fresh_boards(["A1"])
    wall, runs = plant.program(path, ["A1"])
    report.sane(runs[0]["outcome"] == "pass" and runs[0]["verify"]["method"] == kind.verify,
                f"{kind.name} passes, {kind.verify}: {runs[0]['message']}, {runs[0]['verify']}")
    report.sane(runs[0]["baud"] == baud, f"{kind.name}: {baud} baud: {runs[0]['baud']}")
    report.sane(kind.holds(plant.farm.dump("A1"), image), f"{kind.name}: the flash after the daemon")
    return wall, runs[0]


def measure(programs, kind, size, baud, settings, report):
    image, walls, runs, peers = kind.image(size), [], [], []
    with plants.Scratch() as scratch, plants.Plant(
            programs, f"{kind.board}=2", stations={"A1"}, bauds={"A1": baud}, realtime=settings.realtime, chip=kind.chip,
            address=kind.address, sim_options=["--turnaround", str(TURNAROUND_US)]) as plant:
        path = scratch.file("image.bin", image)
        with plants.Usage(plant) as usage:
            for repetition in range(settings.repetitions):
                settings.say(f"isp: {kind.name}, {baud} baud, {repetition + 1}")
                wall, run = run_daemon(plant, kind, path, image, baud, report)
                walls.append(wall)
                runs.append(run)
                if kind.peer(programs):
                    plant.fresh_boards(["A2"])
                    peers.append(kind.run_peer(programs, path, plant.farm.port("A2"), baud))
                    report.sane(kind.holds(plant.farm.dump("A2"), image), f"{kind.name}: the flash after its peer")
    return walls, runs, peers, usage


def phases_of(run):
    return {phase["name"]: phase["us"] / 1e6 for phase in run["phases"]}


def row_of(programs, kind, size, baud, walls, runs, peers, usage):
    floor = runs[0]["floor_us"] / 1e6
    spans = [plants.run_seconds(run) for run in runs]
    phases = phases_of(sorted(runs, key=plants.run_seconds)[len(runs) // 2])
    cells = [f"{size // 1024} KiB {kind.name}", str(baud), f"{floor:.2f}", spread(spans), percent(floor / median(spans)),
             *[f"{phases.get(name, 0):.2f}" for name in ("connect", "erase", "write", "verify")], spread(walls),
             kind.peer(programs) or "-", spread(peers) if peers else "-",
             f"{median(peers) / median(walls):.2f}" if peers else "-", f"{usage.others:.2f}"]
    result = {"kind": kind.name, "size": size, "baud": baud, "own_floor_s": floor, "daemon_run_s": spans,
              "daemon_wall_s": walls, "peer": kind.peer(programs), "peer_wall_s": peers,
              "phases": [run["phases"] for run in runs]}
    return cells, result


def run(programs, report, settings):
    rows, results = [], []
    for kind, size, bauds in ((Lpc, settings.lpc_size, [115200]), (Esp, settings.esp_size, settings.esp_bauds)):
        for baud in bauds:
            measured = measure(programs, kind, size, baud, settings, report)
            cells, result = row_of(programs, kind, size, baud, *measured)
            report.sane(min(result["daemon_run_s"]) > result["own_floor_s"], f"{kind.name}: a run faster than its floor")
            rows.append(cells)
            results.append(result)
    report.table("7. LPC and ESP: one board, 1 ms turnaround",
                 ["image", "baud", "own floor", "run", "floor/run", "connect", "erase", "write", "verify", "wall", "peer",
                  "peer's", "peer/wall", "others"], rows,
                 [f"Seconds: median (min-max) of {settings.repetitions}, in turns; boards fresh each time.",
                  "The daemon reads the LPC back byte by byte; lpc21isp -verify lets it compare flash with its RAM."])
    report.results["isp"] = {"rows": results, "turnaround_us": TURNAROUND_US}
