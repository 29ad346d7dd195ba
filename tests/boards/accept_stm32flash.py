# SPDX-License-Identifier: Apache-2.0
"""Debian's stm32flash programs, verifies, reads and protects every kind of simulated board.

usage: accept_stm32flash.py FLASHFARM-SIM
"""
import concurrent.futures
import os
import random
import shutil
import subprocess
import sys

from farm import Checks, Farm

BASE = 0x08000000
ERASED_0 = ("stm32l0", "stm32l1")  # erased flash reads 0x00
ANDS = ("stm32f2", "stm32f4", "stm32f7")  # programmed cells take more zeros
# stm32flash 0.7 takes 0x08100000 for sector 16, as on the 1 MiB dual-bank chips of the same id; in RM0090 (2 MiB
# organisation) it is sector 12. accept_an3155.py looks at that bank by sector number.
MIDDLE_MISTAKEN = ("stm32f427xi", "stm32f429xi")
TIMEOUT_S = 60
WORKERS = 12  # mostly they wait: stm32flash takes 5 s to give up on a board that does not answer


def stm32flash(farm, name, *options):
    """Exit status of one run. 8n1: a pty has no parity bit."""
    run = subprocess.run(["stm32flash", "-m", "8n1", "-b", "115200", *options, farm.port(name)],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TIMEOUT_S, check=False)
    return run.returncode


class Board:
    def __init__(self, farm, checks, name, chip):
        self.farm, self.checks, self.name, self.chip = farm, checks, name, chip
        self.random = random.Random(chip)
        self.erased = 0x00 if chip.startswith(ERASED_0) else 0xFF
        self.file = os.path.join(farm.dumps, f"{name}.image")
        self.size = len(farm.dump(name))

    def run(self, *options):
        return stm32flash(self.farm, self.name, *options)

    def check(self, good, what):
        return self.checks.check(good, f"{self.chip}: {what}")

    def image(self, size):
        data = self.random.randbytes(size)
        with open(self.file, "wb") as file:
            file.write(data)
        return data

    def write(self, data_size, *options):
        data = self.image(data_size)
        return data, self.run("-w", self.file, "-v", *options)

    def program_and_read(self):
        data, status = self.write(11 * 1024 + 36)
        self.check(status == 0, "write and verify")
        flash = self.farm.dump(self.name)
        self.check(flash[:len(data)] == data, "flash is the image")
        self.check(set(flash[len(data):]) <= {self.erased}, "behind the image flash is erased")
        back = self.file + ".back"
        self.check(self.run("-r", back, "-S", f"0x{BASE:08x}:{len(data)}") == 0, "read")
        with open(back, "rb") as file:
            self.check(file.read() == data, "what was read is the image")
        os.remove(back)

    def program_again(self):
        """Other data over the old: right only if the touched pages were erased."""
        data, status = self.write(5000)
        self.check(status == 0, "second write and verify")
        self.check(self.farm.dump(self.name)[:len(data)] == data, "flash is the second image")

    def program_without_erase(self):
        before = self.farm.dump(self.name)
        data, status = self.write(1024, "-e", "0")
        after = self.farm.dump(self.name)[:len(data)]
        self.check(status != 0, "-e 0 over old data does not verify")
        if self.chip.startswith(ANDS):
            # stm32flash gives up at the first block that does not verify: the blocks behind it are untouched.
            fell = bytes(a & b for a, b in zip(before, data))
            self.check(after[:256] == fell[:256] and
                       all(after[i:i + 256] in (fell[i:i + 256], before[i:i + 256])
                           for i in range(0, len(data), 256)), "bits only fell")
        elif not self.chip.startswith("stm32l1"):
            self.check(after == before[:len(data)], "programmed cells were refused")

    def far_sectors(self):
        """Full flash, then a write here and there: the right sector is erased only if both sides have one layout."""
        for at in sorted({48 * 1024, 64 * 1024, 128 * 1024, self.size // 2, self.size - 2048}):
            if at + 2048 > self.size or (at == 1024 * 1024 and self.chip in MIDDLE_MISTAKEN):
                continue
            self.farm.ask("fill", self.name, "0x5A")
            data, status = self.write(2048, "-S", f"0x{BASE + at:08x}:2048")
            self.check(status == 0, f"write to full flash at {at}")
            flash = self.farm.dump(self.name)
            self.check(flash[at:at + 2048] == data, f"flash at {at} is the image")
            self.check(set(flash[:at]) <= {0x5A, self.erased} and 0x5A in flash, f"only what {at} needs is erased")

    def erase(self):
        self.check(self.run("-o") == 0, "erase")
        self.check(set(self.farm.dump(self.name)) == {self.erased}, "flash is erased")

    def write_protection(self):
        self.image(512)
        self.check(self.run("-w", self.file, "-v") == 0, "write before write protection")
        self.check(self.run("-u") == 0, "write unprotect")
        self.check(self.farm.state(self.name)[0] == "fresh", "reset after write unprotect")

    def readout_protection(self):
        self.check(self.run("-j") == 0, "readout protect")
        self.check(self.farm.state(self.name)[1]["protected"] == "1", "is protected")
        self.check(self.run("-r", "/dev/null", "-S", f"0x{BASE:08x}:256") != 0, "protected: no read")
        _, status = self.write(256)
        self.check(status != 0, "protected: no write")
        self.check(self.run("-k") == 0, "readout unprotect")
        self.check(set(self.farm.dump(self.name)) == {self.erased}, "unprotecting has erased")

    def start(self):
        _, status = self.write(512, "-g", f"0x{BASE:08x}")
        self.check(status == 0, "write and go")
        self.check(self.farm.state(self.name)[0] == "running", "runs")
        self.check(self.run() != 0, "a running board has no bootloader")
        self.farm.ask("reset", self.name)
        self.check(self.run() == 0, "after reset it has")

    def all(self):
        self.check(self.run() == 0, "is known to stm32flash")
        self.program_and_read()
        self.program_again()
        self.program_without_erase()
        if self.chip != "stm32f103x8":
            self.far_sectors()
        self.write_protection()
        self.readout_protection()
        if self.chip != "stm32f103x8":
            self.erase()
        self.start()


def accept(farm, checks, index, chip):
    Board(farm, checks, f"{'ABCDEFGH'[index // 16]}{index % 16 + 1}", chip).all()
    print(f"{chip}: done", flush=True)


def main():
    program = sys.argv[1]
    checks = Checks()
    if not shutil.which("stm32flash"):
        raise SystemExit("stm32flash is not installed")
    known = subprocess.run([program, "--chips"], capture_output=True, text=True, check=True).stdout.split()
    chips = [chip for chip in known if chip.startswith("stm32")]
    with Farm(program, ",".join(chips)) as farm:
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(lambda item: accept(farm, checks, *item), enumerate(chips)))
    checks.equal(farm.status, 0, "exit status of flashfarm-sim")
    checks.finish()


main()
