# SPDX-License-Identifier: Apache-2.0
"""Espressif's esptool-js programs every kind of simulated ESP board, without its stub; what it never asks for is asked
here, in the words of Espressif's description of the serial protocol.

usage: accept_esptool.py FLASHFARM-SIM WORK-DIR      esptool-js is installed into WORK-DIR by npm
"""
import concurrent.futures
import functools
import hashlib
import json
import operator
import os
import random
import shutil
import struct
import subprocess
import sys
import zlib

from farm import Checks, Farm, Line
from wired import Wired

CHIPS = ["esp8266", "esp32", "esp32c3", "esp32s3"]
NAMES = {"esp8266": "ESP8266EX", "esp32": "ESP32-D0WD-V3 (revision 3)", "esp32c3": "ESP32-C3 (QFN32) (revision v0.3)",
         "esp32s3": "ESP32-S3 (QFN56) (revision v0.2)"}
MAGIC = {"esp8266": 0xFFF0C101, "esp32": 0x00F01D83, "esp32c3": 0x1B31506F, "esp32s3": 9}
LATER = ("esp32c3", "esp32s3")
HERE = os.path.dirname(os.path.abspath(__file__))
SILENCE_S = 0.2
TIMEOUT_S = 100
BLOCK = 0x400
END = b"\xc0"


SKIPPED = 77  # as ctest is told


def install(work):
    """npm ci, unless what is there was made from the same lock."""
    source, target = os.path.join(HERE, "esptool"), os.path.join(work, "esptool")
    os.makedirs(target, exist_ok=True)
    for name in ("package.json", "package-lock.json", "esptool.mjs"):
        shutil.copy(os.path.join(source, name), target)
    lock, stamp = os.path.join(source, "package-lock.json"), os.path.join(target, "node_modules", ".package-lock.json")
    if not os.path.exists(stamp) or os.path.getmtime(stamp) < os.path.getmtime(lock):
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=target, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        away = ("npm ERR! network", "npm ERR! request to")
        if done.returncode and any(words in done.stderr for words in away):
            print(f"skipped: npm does not reach its registry, so there is no esptool-js here\n{done.stderr}")
            sys.exit(SKIPPED)
        if done.returncode:
            sys.exit(f"npm ci failed:\n{done.stderr}")
    return os.path.join(target, "esptool.mjs")


class EspTool:
    """A running esptool.mjs."""

    def __init__(self, script, path, baud):
        self.process = subprocess.Popen(["node", script, path, str(baud)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(TIMEOUT_S)
        self.process.stdout.close()

    def ask(self, command, **rest):
        """The result, or the error in a list."""
        self.process.stdin.write(json.dumps({"command": command, **rest}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return [answer["error"]] if "error" in answer else answer["result"]


def slip(data):
    return END + data.replace(b"\xdb", b"\xdb\xdd").replace(END, b"\xdb\xdc") + END


def frame(op, data=b"", checksum=0):
    return slip(struct.pack("<BBHI", 0, op, len(data), checksum) + data)


def block(op, payload, sequence=0, spoil=0):
    checksum = functools.reduce(operator.xor, payload, 0xEF) ^ spoil
    return frame(op, struct.pack("<IIII", len(payload), sequence, 0, 0) + payload, checksum)


def words(*values):
    return struct.pack(f"<{len(values)}I", *values)


SYNC = frame(0x08, b"\x07\x07\x12\x20" + b"\x55" * 32)


class Rom(Line):
    """Requests by hand."""

    def __init__(self, path, chip, baud=115200):
        super().__init__(path, baud)
        self.chip = chip
        self.status_bytes = 2 if chip == "esp8266" else 4

    def response(self, timeout_s=5.0):
        """What is in the next frame, or None."""
        byte = self.read(1, timeout_s)
        while byte not in (END, b""):
            byte = self.read(1, timeout_s)
        data = b""
        while byte:
            byte = self.read(1, timeout_s)
            if byte == END:
                return data.replace(b"\xdb\xdc", END).replace(b"\xdb\xdd", b"\xdb")
            data += byte
        return None

    def request(self, sent, timeout_s=5.0):
        """Op, value, data, error; None where nothing comes."""
        self.send(sent)
        answer = self.response(timeout_s)
        if answer is None:
            return None
        _, op, length, value = struct.unpack("<BBHI", answer[:8])
        body, status = answer[8:-self.status_bytes], answer[-self.status_bytes:]
        assert length == len(answer) - 8 and bool(status[0]) == bool(status[1])
        return op, value, body, status[1]

    def error(self, sent, timeout_s=5.0):
        answer = self.request(sent, timeout_s)
        return answer and answer[3]

    def sync(self):
        """The eight answers."""
        self.send(SYNC)
        return [self.response() for _ in range(8)]

    def begin(self, op, erase, blocks, size, at):
        return self.error(frame(op, words(erase, blocks, size, at) + (words(0) if self.chip in LATER else b"")))

    def attach(self):
        return None if self.chip == "esp8266" else self.error(frame(0x0D, bytes(8)))

    def refused(self, sent):
        """Eight times, under another name."""
        answers = [self.request(sent)] + [None] * 7
        for i in range(1, 8):
            answers[i] = self.response()
        return answers[0][0] != sent[2] and answers[0][3] == 5 and None not in answers


class Board:
    def __init__(self, farm, checks, script, name, chip):
        self.farm, self.checks, self.script, self.name, self.chip = farm, checks, script, name, chip
        self.random = random.Random(chip)
        self.file = os.path.join(farm.dumps, f"{name}.image")

    def check(self, good, what):
        return self.checks.check(good, f"{self.chip}: {what}")

    def equal(self, got, want, what):
        return self.checks.equal(got, want, f"{self.chip}: {what}")

    def reset(self):
        self.farm.ask("reset", self.name)

    def image(self, size):
        """Half noise, half what packs well."""
        data = self.random.randbytes(size // 2) + b"flashfarm" * (size // 18)
        data = data[:size // 4 * 4]
        with open(self.file, "wb") as file:
            file.write(data)
        return data

    def esptool(self, baud=115200):
        self.reset()
        return EspTool(self.script, self.farm.port(self.name), baud)

    def opened(self, attach=True):
        self.reset()
        rom = Rom(self.farm.port(self.name), self.chip)
        rom.sync()
        if attach:
            rom.attach()
        return rom

    # by esptool-js
    def identified(self):
        with self.esptool(115200 if self.chip == "esp8266" else 921600) as tool:
            self.equal(tool.ask("main"), NAMES[self.chip], "is known")
            mac = tool.ask("mac")
            self.equal(mac.replace(":", ""), self.farm.state(self.name)[1]["uid"], "MAC")
            self.equal(tool.ask("flashSize"), "8MB" if self.chip == "esp32s3" else "4MB", "size of the flash")
            if self.chip != "esp8266":
                self.equal(self.farm.state(self.name)[1]["baud"], "921600", "another rate")
            if self.chip in LATER:
                self.equal(tool.ask("security")["SECURE_DOWNLOAD_ENABLE"], False, "security info")

    def written(self, compress):
        at = 0x10000
        for size in (70001, 30000): # the second over the first: right only if BEGIN erases
            image = self.image(size)
            with self.esptool(115200 if self.chip == "esp8266" else 460800) as tool:
                tool.ask("main")
                self.equal(tool.ask("write", file=self.file, address=at, compress=compress,
                                    verify=self.chip != "esp8266"), None, f"write, compressed: {compress}")
                flash = self.farm.dump(self.name)
                self.check(flash[at:at + len(image)] == image, "flash is the image")
                self.check(set(flash[:at]) == {0xFF}, "before it flash is erased")
                if self.chip != "esp8266":
                    self.equal(tool.ask("md5", address=at, size=len(image)), hashlib.md5(image).hexdigest(), "sum")
        self.farm.ask("insert", self.name)

    def loaded(self):
        """The stub of esptool-js is taken and started; it does not run, so it does not say OHAI."""
        with self.esptool() as tool:
            tool.ask("main")
            answer = tool.ask("stub")
            self.check(isinstance(answer, list), f"a stub cannot run here: {answer}")
            self.equal(self.farm.state(self.name)[0], "running", "but it was started")

    # by hand
    def synchronised(self):
        self.reset()
        with Rom(self.farm.port(self.name), self.chip) as rom:
            self.equal(rom.request(frame(0x0A, words(0x40001000)), SILENCE_S), None, "nothing before SYNC")
            answers = rom.sync()
            self.check(None not in answers and len(set(answers)) == 1, "eight answers to SYNC")
            self.check(answers[0][4:8] != bytes(4), "not the answer of a stub")
            self.equal(rom.request(frame(0x0A, words(0x40001000)))[1], MAGIC[self.chip], "magic value")
            self.check(rom.refused(frame(0xD0)), "commands of the stub are refused")
            if self.chip in ("esp8266", "esp32"):
                self.check(rom.refused(frame(0x14)), "no security info")
            else:
                info = rom.request(frame(0x14))[2]
                self.equal(struct.unpack("<I", info[12:16])[0], 5 if self.chip == "esp32c3" else 9, "chip id")
            self.equal(rom.error(frame(0x0A, b"\x00")), 5, "malformed")
            self.equal(rom.error(slip(struct.pack("<BBHI", 0, 0x0A, 9, 0) + bytes(4))), 5, "wrong length")
            rom.send(b"\xc0\x00\x0a")
            self.equal(rom.error(END + frame(0x0A, words(0x40001000))), 0, "half a frame is dropped")
            self.equal(rom.error(frame(0x09, words(0x60001000, 0xABCD, 0xFF, 0))), 0, "a register is written")
            self.equal(rom.request(frame(0x0A, words(0x60001000)))[1], 0xCD, "as far as the mask goes")

    def blocks(self):
        with self.opened(attach=False) as rom:
            data = self.random.randbytes(2 * BLOCK)
            if self.chip != "esp8266":
                self.equal(rom.begin(0x02, len(data), 2, BLOCK, 0), 6, "BEGIN before ATTACH")
                rom.attach()
            self.equal(rom.error(block(0x03, data[:BLOCK])), 6, "DATA before BEGIN")
            self.equal(rom.error(frame(0x02, words(1, 2, 3))), 5, "BEGIN too short")
            self.equal(rom.begin(0x02, 0x1000, 1, BLOCK, 0x10000000), 6, "BEGIN beyond the flash")
            self.equal(rom.begin(0x02, len(data), 2, 0x4000, 0), 6, "BEGIN with the blocks of a stub")
            self.equal(rom.begin(0x02, len(data), 2, BLOCK, 0x1000), 0, "BEGIN")
            self.equal(rom.error(block(0x03, data[:BLOCK], 0, spoil=1)), 7, "checksum")
            self.equal(rom.error(block(0x03, data[:BLOCK], 0)), 0, "DATA")
            self.equal(rom.error(block(0x03, data[BLOCK:], 1)), 0, "DATA")
            self.equal(rom.error(block(0x03, data[:BLOCK], 2)), 6, "more than announced")
            self.equal(rom.error(frame(0x04, words(1))), 0, "END")
            self.check(self.farm.dump(self.name)[0x1000:0x1000 + len(data)] == data, "flash is the data")
            if self.chip != "esp8266":
                sums = rom.request(frame(0x13, words(0x1000, len(data), 0, 0)))[2]
                self.equal(sums.decode(), hashlib.md5(data).hexdigest(), "MD5")
                self.equal(rom.error(frame(0x13, words(0x800000, 4, 0, 0))), 9, "MD5 beyond the flash")
                self.check(rom.request(frame(0x0E, words(0x1000, 48)))[2][:48] == data[:48], "read")
                self.equal(rom.error(frame(0x0E, words(0x1000, 65))), 0x0A, "read too much")
            self.equal(rom.error(frame(0x04, words(0))), 0, "END with a restart")
            self.check(self.farm.wait_for(self.name, "phase", "running"), "into the application")

    def erased(self):
        """The ESP8266 erases more than it is told; the others exactly the sectors."""
        self.farm.ask("fill", self.name, "0x00")
        with self.opened() as rom:
            rom.begin(0x02, 0x3000, 12, BLOCK, 0x5000)
            flash = self.farm.dump(self.name)
            count = 6 if self.chip == "esp8266" else 3
            self.equal([flash[i * 0x1000] for i in range(4, 13)], [0] + [255] * count + [0] * (8 - count), "sectors")
        self.farm.ask("insert", self.name)

    def inflated(self):
        if self.chip == "esp8266":
            return
        data = b"\x5a" * 40000 + self.random.randbytes(3000)
        packed = zlib.compress(data, 9)
        pieces = [packed[i:i + 1000] for i in range(0, len(packed), 1000)]
        with self.opened() as rom:
            self.equal(rom.begin(0x10, len(data), len(pieces), BLOCK, 0), 0, "DEFL_BEGIN")
            for i, piece in enumerate(pieces):
                self.equal(rom.error(block(0x11, piece, i)), 0, "DEFL_DATA")
            self.equal(rom.error(frame(0x12, words(1))), 0, "DEFL_END")
            self.check(self.farm.dump(self.name)[:len(data)] == data, "flash is what was packed")
            rom.begin(0x10, len(data), len(pieces), BLOCK, 0x20000)
            self.equal(rom.error(block(0x11, b"\x00" * 100)), 0x0B, "not a stream")
            rom.begin(0x10, len(data), len(pieces) + 1, BLOCK, 0x20000)
            errors = [rom.error(block(0x11, piece)) for piece in pieces[:1] + pieces]
            errors.append(rom.error(frame(0x12, words(1))))
            self.check(0x0B in errors, "the same again breaks the stream")
            rom.begin(0x10, len(data), len(pieces), BLOCK, 0x20000)
            rom.error(block(0x11, pieces[0]))
            self.equal(rom.error(frame(0x12, words(1))), 0x0B, "END in its middle")

    def rate(self):
        if self.chip == "esp8266":
            return
        with self.opened() as rom:
            self.equal(rom.error(frame(0x0F, words(230400, 115200))), 5, "an old rate is for stubs")
            self.equal(rom.error(frame(0x0F, words(230400, 0))), 0, "another rate")
            self.equal(rom.request(frame(0x0A, words(0x40001000)), SILENCE_S), None, "the old one is noise")
        with Rom(self.farm.port(self.name), self.chip, 230400) as rom:
            self.equal(rom.request(frame(0x0A, words(0x40001000)))[1], MAGIC[self.chip], "the new one is not")

    def protected(self):
        self.farm.ask("fault", self.name, "protected")
        self.reset()
        with Rom(self.farm.port(self.name), self.chip) as rom:
            if self.chip == "esp32":
                self.equal(self.farm.state(self.name)[0], "running", "no loader any more")
                rom.send(SYNC)
                self.equal(rom.response(SILENCE_S), None, "and no answer")
            elif self.chip in LATER:
                rom.sync()
                self.equal(rom.request(frame(0x14))[2][0] & 4, 4, "secure download")
                self.check(rom.refused(frame(0x0A, words(0x40001000))), "no registers")
                self.check(rom.refused(frame(0x13, words(0, 4, 0, 0))), "no sums")
                rom.attach()
                self.equal(rom.begin(0x02, 0x1000, 4, BLOCK, 0), 0, "but flash")
        self.farm.ask("fault", self.name, "none")
        self.farm.ask("insert", self.name)

    def wrong_id(self):
        self.farm.ask("fault", self.name, "wrong-id")
        with self.opened() as rom:
            self.check(rom.request(frame(0x0A, words(0x40001000)))[1] != MAGIC[self.chip], "another chip")
        self.farm.ask("fault", self.name, "none")

    def faulty(self):
        data = bytes(BLOCK)
        for fault, error in (("nack-write@2", [0, 8]), ("nack-once@1", [8, 0]), ("drop-ack@2", [0, None]),
                             ("hang@2", [0, None]), ("unplug@2", [0, None]), ("corrupt@2", [0, 0]),
                             ("bad-cell@4100", [0, 0])):
            with self.opened() as rom:
                self.farm.ask("fault", self.name, fault)
                self.equal(rom.begin(0x02, 0x1000, 3, BLOCK, 0x1000), 0, f"{fault}: BEGIN")
                self.equal([rom.error(block(0x03, data, i), SILENCE_S) for i in range(2)], error, fault)
                landed = self.farm.dump(self.name)[0x1000:0x1800].count(0)
                want = {"nack-write": BLOCK, "nack-once": BLOCK, "drop-ack": 2 * BLOCK, "hang": BLOCK,
                        "unplug": BLOCK * 3 // 2, "corrupt": 2 * BLOCK - 1, "bad-cell": 2 * BLOCK - 1}
                self.equal(landed, want[fault.split("@")[0]], f"{fault}: what has landed")
            self.farm.ask("replug", self.name)
            self.farm.ask("fault", self.name, "none")
            self.farm.ask("insert", self.name)
        with self.opened() as rom:
            self.farm.ask("fault", self.name, "nack-erase")
            self.equal(rom.begin(0x02, 0x1000, 4, BLOCK, 0), 6, "nack-erase")
        self.farm.ask("fault", self.name, "none")

    def all(self):
        self.identified()
        self.written(False)
        if self.chip != "esp8266":
            self.written(True)
        self.loaded()
        self.synchronised()
        self.blocks()
        self.erased()
        self.inflated()
        self.rate()
        self.protected()
        self.wrong_id()
        self.faulty()


def auto_reset(farm, checks, name):
    """Two transistors: RTS alone pulls EN, DTR alone IO0."""
    checks.equal(farm.state(name)[0], "running", f"{name}: a wired board starts in its application")
    with Wired(farm, name) as line:
        line.lines(dtr=False, rts=True)
        checks.check(farm.wait_for(name, "phase", "held"), f"{name}: RTS holds it")
        line.lines(dtr=True, rts=False)
        checks.check(farm.wait_for(name, "phase", "fresh"), f"{name}: DTR leads to the loader, over both asserted")
        log = line.read_until(b"waiting for download\r\n")
        checks.check(b"waiting for download\r\n" in log, f"{name}: the log says so: {log}")
        line.lines(dtr=False)
        line.send(SYNC)
        checks.check(b"\xc0\x01\x08" in line.read_until(b"\xc0\x01\x08"), f"{name}: SYNC is answered")
        line.lines(dtr=True, rts=True)
        line.send(frame(0x0A, words(0x40001000)))
        checks.check(b"\xc0\x01\x0a" in line.read_until(b"\xc0\x01\x0a"), f"{name}: both asserted do nothing")
        line.lines(dtr=False)
        line.lines(rts=False)
        log = line.read_until(b"BOOT)")
        checks.check(b"SPI_FAST_FLASH_BOOT" in log, f"{name}: without DTR into the application: {log}")
        checks.equal(farm.state(name)[0], "running", f"{name}: which runs")


def main():
    checks = Checks()
    script = install(sys.argv[2])
    with Farm(sys.argv[1], ",".join(CHIPS)) as farm:
        boards = [Board(farm, checks, script, f"A{index + 1}", chip) for index, chip in enumerate(CHIPS)]
        with concurrent.futures.ThreadPoolExecutor(len(boards)) as pool:
            list(pool.map(Board.all, boards))
    checks.equal(farm.status, 0, "exit status of flashfarm-sim")
    with Farm(sys.argv[1], "esp32,esp32c3", "--remote") as farm:
        auto_reset(farm, checks, "A1")
        auto_reset(farm, checks, "A2")
    checks.finish()


main()
