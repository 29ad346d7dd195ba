# SPDX-License-Identifier: Apache-2.0
"""Debian's lpc21isp programs every kind of simulated LPC board; what it never asks for is asked here, in the words
of the user manuals.

usage: accept_lpc21isp.py FLASHFARM-SIM
"""
import binascii
import concurrent.futures
import os
import random
import shutil
import struct
import subprocess
import sys
import zlib

from farm import Checks, Farm, Line

CHIPS = ["lpc1114", "lpc1768", "lpc2103", "lpc2148", "lpc812"]
NAMES = {"lpc1114": "LPC1114.../301", "lpc1768": "LPC1768", "lpc2103": "LPC2103", "lpc2148": "LPC2148",
         "lpc812": "LPC812M101FDH20"}
IMAGE_BYTES = {"lpc1114": 20000, "lpc1768": 150000, "lpc2103": 30000, "lpc2148": 150000, "lpc812": 13000}
ARM7 = ("lpc2103", "lpc2148")
RAM = {"lpc1114": 0x10000300, "lpc1768": 0x10000200, "lpc2103": 0x40000200, "lpc2148": 0x40000200,
       "lpc812": 0x10000300}
SMALLEST_COPY = {"lpc812": 64}
TIMEOUT_S = 60
SILENCE_S = 0.2
UNANSWERED_S = 1.5


def lpc21isp(farm, name, *options, limit_s=TIMEOUT_S):
    """Exit status and what it said; None when it had to be stopped."""
    try:
        run = subprocess.run(["lpc21isp", "-bin", *options, farm.port(name), "115200", "12000"], cwd=farm.dumps,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             timeout=limit_s, check=False)
    except subprocess.TimeoutExpired:
        return None, ""
    return run.returncode, run.stdout.decode(errors="replace")


def with_checksum(image, chip):
    """The image as lpc21isp writes it: the first eight words sum to zero."""
    at = 0x14 if chip in ARM7 else 0x1C
    words = struct.unpack("<8I", image[:at] + bytes(4) + image[at + 4:32])
    return image[:at] + struct.pack("<I", -sum(words) & 0xFFFFFFFF) + image[at + 4:]


def random_image(chip, size, seed):
    """Random, but not a word of it at the place of the read protection."""
    image = bytearray(random.Random(f"{chip} {seed}").randbytes(size))
    image[0x1FC:0x200] = image[0x2FC:0x300] = b"\xff\xff\xff\xff"
    return bytes(image)


class Isp(Line):
    """A session, echo off."""

    def until(self, end, timeout_s=5.0):
        data = b""
        while not data.endswith(end):
            byte = self.read(1, timeout_s)
            if not byte:
                break
            data += byte
        return data

    def greet(self):
        greeting = self.ask(b"?", 14)
        greeting += self.ask(b"Synchronized\r\n", 0) + self.until(b"OK\r\n")
        greeting += self.ask(b"12000\r\n", 0) + self.until(b"OK\r\n")
        greeting += self.ask(b"A 0\r\n", 0) + self.until(b"\n0\r\n" if b"d\r\n" in greeting[14:] else b"\r0\r\n")
        return greeting

    def command(self, text):
        """The status, as a number."""
        self.send(text.encode() + b"\r\n")
        answer = self.until(b"\r\n", UNANSWERED_S)
        return int(answer) if answer.strip().isdigit() else None

    def lines(self, count):
        return [int(self.until(b"\r\n")) for _ in range(count)]

    def unlock(self):
        return self.command("U 23130")

    def write_lines(self, data, spoil=False):
        """The answer to each group's sum."""
        verdicts = []
        for at in range(0, len(data), 900):
            group = data[at:at + 900]
            for line in range(0, len(group), 45):
                self.send(binascii.b2a_uu(group[line:line + 45], backtick=True).rstrip(b"\n") + b"\r\n")
            verdicts.append(self.ask(f"{sum(group) + spoil}\r\n".encode(), 0) + self.until(b"\r\n"))
        return verdicts

    def read_lines(self, count):
        data = b""
        while len(data) < count:
            group = b""
            while len(group) < min(900, count - len(data)):
                line = self.until(b"\r\n")
                group += binascii.a2b_uu(line)
            if int(self.until(b"\r\n")) != sum(group[:count - len(data)]):
                return None
            self.send(b"OK\r\n")
            data += group
        return data[:count]


class Board:
    def __init__(self, farm, checks, name, chip):
        self.farm, self.checks, self.name, self.chip = farm, checks, name, chip
        self.ram = RAM[chip]
        self.file = os.path.join(farm.dumps, f"{name}.image")

    def check(self, good, what):
        return self.checks.check(good, f"{self.chip}: {what}")

    def equal(self, got, want, what):
        return self.checks.equal(got, want, f"{self.chip}: {what}")

    def reset(self):
        self.farm.ask("reset", self.name)

    def run(self, *options, limit_s=TIMEOUT_S):
        self.reset()
        return lpc21isp(self.farm, self.name, *options, limit_s=limit_s)

    def write(self, seed, *options, limit_s=TIMEOUT_S):
        image = random_image(self.chip, IMAGE_BYTES[self.chip], seed)
        with open(self.file, "wb") as file:
            file.write(image)
        status, _ = self.run(*options, self.file, limit_s=limit_s)
        return with_checksum(image, self.chip), status

    def opened(self):
        self.reset()
        isp = Isp(self.farm.port(self.name))
        isp.greet()
        return isp

    def put(self, isp, data):
        """Into RAM."""
        good = isp.command(f"W {self.ram} {len(data)}") == 0
        if self.chip == "lpc812":
            isp.send(data)
            return good and isp.command("A 0") == 0
        return good and all(verdict == b"OK\r\n" for verdict in isp.write_lines(data))

    # by lpc21isp
    def detection(self):
        status, text = self.run("-detectonly")
        self.equal(status, 0, "detect")
        self.check(NAMES[self.chip] in text, f"is known by its name: {text}")

    def program(self):
        image, status = self.write(1)
        self.equal(status, 0, "write")
        flash = self.farm.dump(self.name)
        self.check(flash[:len(image)] == image, "flash is the image with its checksum")
        self.equal(self.farm.state(self.name)[0], "running", "was started")
        self.check(self.run("-try1", "-detectonly")[0] == 0, "reset leads back")
        image, status = self.write(2, "-verify", "-wipe" if self.chip != "lpc812" else "-verify")
        if self.chip in ARM7:
            self.equal(status, 0, "write and verify")
        else: # it leaves out 64 bytes, but the later parts hide 512
            self.check(status not in (0, None), "-verify fails where 512 bytes are hidden")
        self.check(self.farm.dump(self.name)[:len(image)] == image, "flash is the second image")

    # by hand
    def greeting(self):
        self.reset()
        with Isp(self.farm.port(self.name)) as isp:
            end = b"\r\n" if self.chip in ARM7 else b"\r"
            self.equal(isp.greet(), b"Synchronized\r\nSynchronized" + end + b"OK\r\n12000" + end +
                       b"OK\r\nA 0" + end + b"0\r\n", "greeting")
            self.equal(isp.command("J 1"), 12, "J takes nothing")
            self.equal(isp.command("X"), 1, "unknown command")
            self.equal(isp.command("W Z 4"), 12, "not a number")
            self.equal(isp.command("U 1"), 16, "wrong code")
            self.equal(isp.command("K"), 0, "boot version")
            self.equal(len(isp.lines(2)), 2, "two lines of it")
            self.equal(isp.command("N"), 1 if self.chip in ARM7 else 0, "serial number")
            if self.chip not in ARM7:
                self.equal("".join(f"{word:08x}" for word in isp.lines(4)), self.farm.state(self.name)[1]["uid"],
                           "it is the UID")
            isp.send(b"P 9\x1b")
            self.equal(isp.command("A 0"), 0, "escape drops a line")
            self.equal(isp.command("B 9601 1"), 17, "no such rate")
            self.equal(isp.command("B 9600 3"), 18, "no such stop bits")
            self.equal(isp.command("B 57600 1"), 0, "another rate")
            isp.send(b"J\r\n")
            self.check(isp.read(3, SILENCE_S) != b"0\r\n", "the old rate is noise")

    def memory(self):
        with self.opened() as isp:
            data = random.Random(self.chip).randbytes(960 if self.chip != "lpc812" else 256)
            self.equal(isp.command(f"W {self.ram + 1} 4"), 13, "W off a word")
            self.equal(isp.command(f"W {self.ram} 3"), 6, "W of half a word")
            self.equal(isp.command("W 4096 4"), 14, "W into flash")
            self.equal(isp.command(f"W {self.ram} 400000"), 14, "W beyond RAM")
            self.check(self.put(isp, data), "W")
            self.equal(isp.command(f"R {self.ram} {len(data)}"), 0, "R")
            back = isp.read(len(data)) if self.chip == "lpc812" else isp.read_lines(len(data))
            self.check(back == data, "RAM holds what was written")
            self.equal(isp.command(f"M {self.ram} {self.ram} 64"), 0, "M of the same")
            self.equal(isp.command(f"M {self.ram} {self.ram + 4} 64"), 10, "M of others")
            self.equal(isp.lines(1), [0], "offset of the first difference")
            crc = isp.command(f"S {self.ram} {len(data)}")
            self.equal(crc, 0 if self.chip == "lpc812" else 1, "S")
            if crc == 0:
                self.equal(isp.lines(1), [zlib.crc32(data)], "the CRC")

    def resend(self):
        """A wrong sum, in both directions."""
        if self.chip == "lpc812":
            return
        with self.opened() as isp:
            data = random.Random(7).randbytes(60)
            self.equal(isp.command(f"W {self.ram} 60"), 0, "W")
            self.equal(isp.write_lines(data, spoil=True), [b"RESEND\r\n"], "a wrong sum is noticed")
            self.equal(isp.write_lines(data), [b"OK\r\n"], "the same again is taken")
            self.equal(isp.command(f"R {self.ram} 60"), 0, "R")
            first = [isp.until(b"\r\n") for _ in range(3)]
            isp.send(b"RESEND\r\n")
            self.equal([isp.until(b"\r\n") for _ in range(3)], first, "RESEND brings the lines again")
            isp.send(b"OK\r\n")
            self.equal(isp.command("A 0"), 0, "then commands are taken")

    def flash(self):
        smallest = SMALLEST_COPY.get(self.chip, 256)
        with self.opened() as isp:
            copy = f"C 4096 {self.ram} {smallest}"
            self.check(self.put(isp, b"\x0f" * smallest), "W")
            self.equal(isp.command(copy), 15, "C locked")
            self.equal(isp.command("E 4 4"), 15, "E locked")
            self.equal(isp.command(f"G {self.ram} T"), 15, "G locked")
            self.equal(isp.unlock(), 0, "unlock")
            self.equal(isp.command(copy), 9, "C not prepared")
            self.equal(isp.command("E 4 4"), 9, "E not prepared")
            self.equal(isp.command("P 4 3"), 7, "P backwards")
            self.equal(isp.command("P 0 99"), 7, "P beyond the last sector")
            self.equal(isp.command("P 0 4"), 0, "P")
            self.equal(isp.command(f"C {4096 + 32} {self.ram} {smallest}"), 3, "C off a page")
            self.equal(isp.command(f"C 4096 {self.ram + 1} {smallest}"), 2, "C from off a word")
            self.equal(isp.command(f"C 4096 {self.ram} {smallest + 4}"), 6, "C of another size")
            self.equal(isp.command(f"C 4096 0 {smallest}"), 4, "C from flash")
            self.equal(isp.command(f"C 16777216 {self.ram} {smallest}"), 5, "C to nowhere")
            sector = 4 if self.chip == "lpc812" else 1
            self.equal(isp.command(f"E {sector} {sector}"), 0, "E")
            self.equal(isp.command(f"I {sector} {sector}"), 0, "blank")
            self.equal(isp.command(copy), 9, "E has closed the sectors again")
            isp.command(f"P {sector} {sector}")
            self.equal(isp.command(copy), 0, "C")
            self.equal(isp.command(f"M 4096 {self.ram} {smallest}"), 0, "M of flash and RAM")
            self.equal(isp.command(f"I {sector} {sector}"), 8, "not blank")
            self.equal(isp.lines(2), [0, 0x0F0F0F0F], "where, and what")
            self.check(self.put(isp, b"\xf5" * smallest), "W")
            isp.command(f"P {sector} {sector}")
            isp.command(copy)
            self.equal(self.farm.dump(self.name)[4096:4096 + smallest], b"\x05" * smallest, "bits only fall")

    def hidden(self):
        """The first bytes show the boot ROM, whatever is in flash."""
        self.farm.ask("fill", self.name, "0xFF")
        count = 64 if self.chip in ARM7 else 512
        with self.opened() as isp:
            self.equal(isp.command(f"R 0 {count + 4}"), 0, "R")
            data = isp.read(count + 4) if self.chip == "lpc812" else isp.read_lines(count + 4)
            self.check(data[count:] == b"\xff" * 4 and data[count - 8:count] != b"\xff" * 8,
                       f"{count} bytes are hidden")
            self.equal(isp.command("I 0 0"), 0 if self.chip == "lpc812" else 8, "blank check of sector 0")

    def protection(self):
        self.farm.ask("fault", self.name, "protected")
        with self.opened() as isp:
            last = {"lpc1114": 7, "lpc1768": 29, "lpc2103": 7, "lpc2148": 26, "lpc812": 15}[self.chip]
            self.equal(isp.unlock(), 0, "unlock")
            self.equal(isp.command(f"R {self.ram} 4"), 19, "CRP2: no R")
            self.equal(isp.command(f"W {self.ram} 4"), 19, "CRP2: no W")
            self.equal(isp.command(f"G {self.ram} T"), 19, "CRP2: no G")
            self.equal(isp.command(f"M 4096 {self.ram} 4"), 19, "CRP2: no M")
            isp.command(f"P 0 {last}")
            self.equal(isp.command("E 1 1"), 19, "CRP2: no E of one sector")
            self.equal(isp.command(f"E 0 {last}"), 0, "CRP2: E of all")
        self.check(set(self.farm.dump(self.name)) == {0xFF}, "all is erased")
        self.farm.ask("fault", self.name, "none")
        self.reset()
        self.equal(self.farm.state(self.name)[1]["protected"], "0", "after reset it is open")

    def wrong_start(self):
        self.reset()
        with Line(self.farm.port(self.name)) as line:
            self.equal(line.ask(b"U", 1, SILENCE_S), b"", "what is not ? is not answered")
            self.equal(line.ask(b"?", 14), b"Synchronized\r\n", "a ? is")
            self.equal(line.ask(b"hello\r", 6), b"hello\r", "another greeting is echoed")
            self.equal(line.ask(b"?", 14), b"\nSynchronized\r\n"[self.chip not in ARM7:][:14],
                       "and sends it back to measuring")

    def crash(self):
        """The ROM keeps its variables in RAM."""
        with self.opened() as isp:
            self.equal(isp.command(f"W {self.ram & ~0xFFF | 0x120} 64"), 0, "W over the ROM's variables")
            isp.send(bytes(64) if self.chip == "lpc812" else binascii.b2a_uu(bytes(45)))
            self.check(self.farm.wait_for(self.name, "phase", "hung"), "hangs")

    def faults(self):
        for fault, want in (("silent", "fail"), ("nack-write@2", "fail"), ("nack-erase", "fail"),
                            ("corrupt@2", "differs"), ("bad-cell", "differs")):
            self.farm.ask("fault", self.name, fault)
            image, status = self.write(3, "-try1", limit_s=10)
            if want == "fail":
                self.check(status != 0, fault)
            else:
                got = self.farm.dump(self.name)[:len(image)]
                self.equal(sum(bin(a ^ b).count("1") for a, b in zip(got, image)), 1, f"{fault}: one bit differs")
            self.farm.ask("fault", self.name, "none")
            self.farm.ask("insert", self.name)

    def wrong_id(self):
        self.farm.ask("fault", self.name, "wrong-id")
        _, text = self.run("-detectonly")
        self.check("LPC1113.../301" in text, "another id is another chip to lpc21isp")
        self.farm.ask("fault", self.name, "none")

    def breaks(self):
        for fault, phase in (("hang@1", "hung"), ("unplug@1", "unplugged")):
            with self.opened() as isp:
                size = 256
                self.farm.ask("fault", self.name, fault)
                isp.unlock()
                self.put(isp, b"\0" * size)
                isp.command("P 4 4")
                at = 4096 if self.chip == "lpc812" else 4 * 4096
                self.equal(isp.command(f"C {at} {self.ram} {size}"), None, f"{fault}: no answer")
                self.check(self.farm.wait_for(self.name, "phase", phase), f"{fault}: {phase}")
                landed = self.farm.dump(self.name)[at:at + size].count(0)
                self.equal(landed, size // 2 if phase == "unplugged" else 0, f"{fault}: what has landed")
            self.farm.ask("replug", self.name)
            self.farm.ask("fault", self.name, "none")
            self.farm.ask("insert", self.name)

    def drop_ack(self):
        self.farm.ask("fault", self.name, "drop-ack")
        with self.opened() as isp:
            isp.unlock()
            self.put(isp, b"\0" * 256)
            isp.command("P 4 4")
            at = 4096 if self.chip == "lpc812" else 4 * 4096
            self.equal(isp.command(f"C {at} {self.ram} 256"), None, "drop-ack: no answer")
            self.equal(self.farm.dump(self.name)[at:at + 256], b"\0" * 256, "drop-ack: has landed")
            self.equal(isp.command("A 0"), 0, "drop-ack: goes on")
        self.farm.ask("fault", self.name, "none")

    def all(self):
        self.detection()
        self.program()
        self.greeting()
        self.memory()
        self.resend()
        self.flash()
        self.hidden()
        self.protection()
        self.wrong_start()
        self.crash()
        self.wrong_id()
        self.breaks()
        self.drop_ack()
        self.faults()


def main():
    if not shutil.which("lpc21isp"):
        raise SystemExit("lpc21isp is not installed")
    checks = Checks()
    with Farm(sys.argv[1], ",".join(CHIPS)) as farm:
        boards = [Board(farm, checks, f"A{index + 1}", chip) for index, chip in enumerate(CHIPS)]
        with concurrent.futures.ThreadPoolExecutor(len(boards)) as pool:
            list(pool.map(Board.all, boards))
    checks.equal(farm.status, 0, "exit status of flashfarm-sim")
    checks.finish()


main()
