# SPDX-License-Identifier: Apache-2.0
"""avrdude programs, verifies and reads the simulated AVR109 loaders, as a Butterfly and as AVR109; what it never asks
for is asked here, in the words of the application note.

usage: accept_avr109.py FLASHFARM-SIM
"""
import concurrent.futures
import os
import random
import shutil
import subprocess
import sys

from farm import Checks, Farm, Line
from wired import Wired

CHIPS = ["atmega32u4", "atmega328p:avr109"]
PARTS = {"atmega32u4": "m32u4", "atmega328p:avr109": "m328p"}
SIGNATURE = {"atmega32u4": b"\x87\x95\x1e", "atmega328p:avr109": b"\x0f\x95\x1e"}
FLASH, EEPROM, PAGE = 32768, 1024, 128
TIMEOUT_S = 60
SILENCE_S = 0.2


def address(at):
    return b"A" + (at // 2).to_bytes(2, "big")


def block(data, kind=b"F"):
    return b"B" + len(data).to_bytes(2, "big") + kind + data


class Board:
    def __init__(self, farm, checks, name, chip):
        self.farm, self.checks, self.name, self.chip = farm, checks, name, chip
        self.random = random.Random(chip)
        self.boot = 4096 if chip == "atmega32u4" else 1024

    def check(self, good, what):
        return self.checks.check(good, f"{self.chip}: {what}")

    def equal(self, got, want, what):
        return self.checks.equal(got, want, f"{self.chip}: {what}")

    def avrdude(self, client, *options, limit_s=TIMEOUT_S):
        """Exit status and what it said; None when it had to be stopped."""
        self.farm.ask("reset", self.name)
        try:
            run = subprocess.run(["avrdude", "-p", PARTS[self.chip], "-c", client, "-P", self.farm.port(self.name),
                                  "-b", "19200", *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, timeout=limit_s, check=False)
        except subprocess.TimeoutExpired:
            return None, ""
        return run.returncode, run.stdout.decode(errors="replace")

    def opened(self):
        self.farm.ask("reset", self.name)
        return Line(self.farm.port(self.name), 19200)

    def image(self, name, size):
        path = os.path.join(self.farm.dumps, f"{self.name}.{name}")
        data = self.random.randbytes(size)
        with open(path, "wb") as file:
            file.write(data)
        return path, data

    def programmed(self, client):
        flash_file, flash = self.image("flash", 20001)
        eeprom_file, eeprom = self.image("eeprom", 700)
        status, text = self.avrdude(client, "-U", f"flash:w:{flash_file}:r", "-U", f"eeprom:w:{eeprom_file}:r")
        self.check(status == 0, f"{client}: write and verify: {text}")
        dump = self.farm.dump(self.name)
        self.check(dump[:len(flash)] == flash, f"{client}: flash is the image")
        self.check(set(dump[len(flash):FLASH]) == {0xFF}, f"{client}: behind it flash is erased")
        self.check(dump[FLASH:FLASH + len(eeprom)] == eeprom, f"{client}: EEPROM is the image")
        self.equal(self.farm.state(self.name)[0], "running", f"{client}: was let go")
        back = flash_file + ".back"
        self.equal(self.avrdude(client, "-U", f"flash:r:{back}:r", "-U", "lfuse:r:-:h", "-U", "lock:r:-:h")[0], 0,
                   f"{client}: read")
        with open(back, "rb") as file:
            self.check(file.read()[:len(flash)] == flash, f"{client}: what was read is the image")

    def dialogue(self):
        self.farm.ask("insert", self.name)
        usb = self.chip == "atmega32u4"
        with self.opened() as line:
            self.equal(line.ask(b"\x1b\x1bS", 7), b"CATERIN" if usb else b"AVRBOOT", "identifier")
            self.equal(line.ask(b"V", 2), b"10" if usb else b"15", "version")
            self.equal(line.ask(b"p", 1), b"S", "programmer")
            self.equal(line.ask(b"a", 1), b"Y", "addresses go on by themselves")
            self.equal(line.ask(b"b", 3), b"Y\x00\x80", "block size")
            self.equal(line.ask(b"s", 3), SIGNATURE[self.chip], "signature")
            self.equal(line.ask(b"t", 2)[1:], b"\0", "device types")
            self.equal(line.ask(b"v", 1), b"?", "no hardware version")
            self.equal(line.ask(b"T\x44P", 2), b"\r\r", "type and programming mode")
            self.equal(line.ask(b"B\0\3F", 1), b"?", "half a word")
            data = self.random.randbytes(2 * PAGE)
            self.equal(line.ask(b"e", 1), b"\r", "erase")
            self.equal(line.ask(address(256), 1), b"\r", "address")
            self.equal(line.ask(block(data[:PAGE]), 1) + line.ask(block(data[PAGE:]), 1), b"\r\r", "two blocks")
            line.ask(address(256), 1)
            self.equal(line.ask(b"g\0\x80F", PAGE) + line.ask(b"g\0\x80F", PAGE), data, "are there")
            line.ask(address(256), 1)
            self.equal(line.ask(block(b"\x0f" * PAGE), 1), b"\r", "written again")
            want = b"\x0f" * PAGE if usb else bytes(byte & 0x0F for byte in data[:PAGE])
            self.equal(self.farm.dump(self.name)[256:256 + PAGE], want, "who erases before")
            line.ask(b"H\x00\x00\x40", 1)
            self.equal(line.ask(b"c\x11C\x22", 2), b"\r\r", "a word in two bytes")
            line.ask(b"A\x00\x05", 1)
            self.equal(line.ask(b"D\x77", 1), b"\r", "an EEPROM byte")
            line.ask(b"A\x00\x05", 1)
            self.equal(line.ask(b"d", 1), b"\x77", "read back")
            self.farm.ask("fill", self.name, "0x5A")
            line.ask(address(FLASH - self.boot), 1)
            self.equal(line.ask(block(bytes(PAGE)), 1), b"\r", "into the loader's section")
            self.equal(line.ask(b"e", 1), b"\r", "erase")
            flash = self.farm.dump(self.name)[:FLASH]
            self.check(set(flash[:-self.boot]) == {0xFF} and set(flash[-self.boot:]) == {0x5A},
                       "the loader's section stays")
            self.equal(line.ask(b"r", 1) + line.ask(b"l\xf7", 1) + line.ask(b"r", 1), b"\xff\r\xf7", "lock bits")
            line.ask(address(FLASH - self.boot), 1)
            self.equal(line.ask(b"g\0\x02F", 2), b"\xff\xff", "hide flash")
            self.equal(line.ask(b"E", 1), b"\r", "leaves")
            self.equal(line.ask(b"S", 1, SILENCE_S), b"", "for good")
        self.farm.ask("insert", self.name)

    def rates(self):
        """A UART has its rate, USB none."""
        self.farm.ask("reset", self.name)
        with Line(self.farm.port(self.name), 57600) as line:
            answer = line.ask(b"s", 3, SILENCE_S)
            self.equal(answer == SIGNATURE[self.chip], self.chip == "atmega32u4", "at another rate")

    def wrong_id(self):
        self.farm.ask("fault", self.name, "wrong-id")
        status, text = self.avrdude("butterfly")
        self.check(status != 0 and "0x1e940b" in text, "another signature is noticed")
        self.farm.ask("fault", self.name, "none")

    def protected(self):
        self.farm.ask("fault", self.name, "protected")
        path, _ = self.image("flash", 1000)
        status, _ = self.avrdude("butterfly", "-U", f"flash:w:{path}:r")
        self.check(status != 0, "a locked application does not verify")
        self.check(set(self.farm.dump(self.name)[:1000]) == {0xFF}, "and was not written")
        self.farm.ask("fault", self.name, "none")
        self.farm.ask("insert", self.name)

    def faulty(self):
        for fault, answers, zeros in (
                ("nack-write@2", b"\r?", PAGE), ("nack-once", b"?\r", PAGE), ("drop-ack@2", b"\r", 2 * PAGE),
                ("hang@2", b"\r", PAGE), ("unplug@2", b"\r", PAGE * 3 // 2), ("corrupt@2", b"\r\r", 2 * PAGE - 1),
                ("bad-cell@130", b"\r\r", 2 * PAGE - 1)):
            with self.opened() as line:
                self.farm.ask("fault", self.name, fault)
                line.ask(b"A\0\0", 1)
                got = line.ask(block(bytes(PAGE)), 1, SILENCE_S) + line.ask(block(bytes(PAGE)), 1, SILENCE_S)
                self.equal(got, answers, fault)
                landed = self.farm.dump(self.name)[:2 * PAGE].count(0)
                self.equal(landed, zeros, f"{fault}: what has landed")
            self.farm.ask("replug", self.name)
            self.farm.ask("fault", self.name, "none")
            self.farm.ask("insert", self.name)
        path, _ = self.image("flash", 1000)
        for fault in ("corrupt@3", "bad-cell"):
            self.farm.ask("fault", self.name, fault)
            self.check(self.avrdude("avr109", "-U", f"flash:w:{path}:r")[0] != 0, f"{fault}: avrdude notices")
            self.farm.ask("fault", self.name, "none")
            self.farm.ask("insert", self.name)

    def all(self):
        for client in ("butterfly", "avr109"):
            self.programmed(client)
        self.dialogue()
        self.rates()
        self.wrong_id()
        self.protected()
        self.faulty()


def entry(farm, checks):
    checks.equal(farm.state("A1")[0], "running", "a wired board starts in its application")
    with Wired(farm, "A2") as line:
        line.lines(dtr=True)
        checks.check(farm.wait_for("A2", "phase", "fresh"), "an edge of DTR resets a UART's board")
    with Wired(farm, "A1") as line:
        line.lines(dtr=True)
        line.baud(1200)
        line.lines(dtr=False)
        checks.check(farm.wait_for("A1", "phase", "fresh"), "DTR going at 1200 baud brings Caterina")
        line.send(b"S")
        checks.equal(line.read_until(b"CATERIN")[-7:], b"CATERIN", "which answers")


def main():
    if not shutil.which("avrdude"):
        raise SystemExit("avrdude is not installed")
    checks = Checks()
    with Farm(sys.argv[1], ",".join(CHIPS)) as farm:
        boards = [Board(farm, checks, f"A{index + 1}", chip) for index, chip in enumerate(CHIPS)]
        with concurrent.futures.ThreadPoolExecutor(len(boards)) as pool:
            list(pool.map(Board.all, boards))
    checks.equal(farm.status, 0, "exit status of flashfarm-sim")
    with Farm(sys.argv[1], ",".join(CHIPS), "--remote") as farm:
        entry(farm, checks)
    checks.finish()


main()
