# SPDX-License-Identifier: Apache-2.0
"""A board that is not ours: a few lines of Python that answer ST AN3155 on a pty are programmed like any other.

The responder is a reading of its own, of the document's command descriptions alone; it shares nothing with
flashfarm-sim, and the configuration is written by hand.
"""
import os
import pty
import select
import threading
import tty

import harness
from harness import FLASH, Scene

ACK, NACK = b"\x79", b"\x1f"
FLASH_BYTES = 64 * 1024  # stm32f103x8: 64 pages of 1 KiB
PAGE = 1024
RAM = 0x20000000


class Board(threading.Thread):
    """A chip with a ROM bootloader v2.2 behind one end of a pty."""

    def __init__(self, chip_id=0x410, uid=bytes(range(0xA0, 0xAC)), flash_kib=64):
        super().__init__(daemon=True)
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        self.path = os.ttyname(self.slave)
        self.flash = bytearray(b"\x33" * FLASH_BYTES)
        self.chip_id, self.uid, self.flash_kib = chip_id, uid, flash_kib
        self.erases = self.writes = 0
        self.done, self.stop = os.pipe()
        self.start()

    def close(self):
        os.write(self.stop, b"x")
        self.join(10)
        for fd in (self.master, self.slave, self.done, self.stop):
            os.close(fd)

    # -- the line

    def take(self, count):
        data = b""
        while len(data) < count:
            ready, _, _ = select.select([self.master, self.done], [], [])
            if self.done in ready:
                raise EOFError
            data += os.read(self.master, count - len(data))
        return data

    def give(self, data):
        os.write(self.master, data)

    def take_group(self, count):
        """count bytes and their XOR; None when it is wrong."""
        data = self.take(count + 1)
        return data[:-1] if not self.xor(data) else None

    @staticmethod
    def xor(data):
        total = 0
        for byte in data:
            total ^= byte
        return total

    # -- the bootloader

    def run(self):
        try:
            while self.take(1) != b"\x7f":
                pass
            self.give(ACK)
            while True:
                self.command(*self.take(2))
        except (EOFError, OSError):
            pass

    def command(self, opcode, complement):
        commands = {0x00: self.get, 0x02: self.get_id, 0x11: self.read, 0x31: self.write, 0x43: self.erase}
        if opcode ^ complement != 0xFF or opcode not in commands:
            self.give(NACK)
        else:
            self.give(ACK)
            commands[opcode]()

    def get(self):
        opcodes = bytes((0x00, 0x02, 0x11, 0x31, 0x43))
        self.give(bytes((len(opcodes), 0x22)) + opcodes + ACK)

    def get_id(self):
        self.give(bytes((1, self.chip_id >> 8, self.chip_id & 0xFF)) + ACK)

    def take_address(self):
        group = self.take_group(4)
        address = int.from_bytes(group, "big") if group else None
        self.give(NACK if address is None else ACK)
        return address

    def read(self):
        address = self.take_address()
        if address is None:
            return
        count, complement = self.take(2)
        if count ^ complement != 0xFF:
            self.give(NACK)
            return
        self.give(ACK + bytes(self.byte_at(address + i) for i in range(count + 1)))

    def byte_at(self, address):
        if FLASH <= address < FLASH + FLASH_BYTES:
            return self.flash[address - FLASH]
        if 0x1FFFF7E8 <= address < 0x1FFFF7E8 + 12:  # unique device id, RM0008 30.2
            return self.uid[address - 0x1FFFF7E8]
        if 0x1FFFF7E0 <= address < 0x1FFFF7E2:  # flash size, RM0008 30.1
            return self.flash_kib >> 8 * (address - 0x1FFFF7E0) & 0xFF
        return address * 73 >> 3 & 0xFF  # whatever its ROM holds

    def write(self):
        address = self.take_address()
        if address is None:
            return
        count = self.take(1)
        data = self.take(count[0] + 2)
        good = not self.xor(count + data) and FLASH <= address < FLASH + FLASH_BYTES and address % 4 == 0
        data = data[:-1]
        # A half word that is not erased cannot be programmed, RM0008 3.3.3.
        at = address - FLASH
        if not good or any(self.flash[at + i] != 0xFF for i in range(len(data))):
            self.give(NACK)
            return
        self.flash[at:at + len(data)] = data
        self.writes += 1
        self.give(ACK)

    def erase(self):
        count = self.take(1)
        if count == b"\xff":
            pages, good = range(FLASH_BYTES // PAGE), self.take(1) == b"\0"
        else:
            numbers = self.take(count[0] + 2)
            pages, good = numbers[:-1], not self.xor(count + numbers)
        if not good or any(page >= FLASH_BYTES // PAGE for page in pages):
            self.give(NACK)
            return
        for page in pages:
            self.flash[page * PAGE:(page + 1) * PAGE] = b"\xff" * PAGE
        self.erases += 1
        self.give(ACK)


CONFIG = """# Two sockets on the bench of the apprentice
[daemon]
listen = 127.0.0.1:0
state = {state}

[station left]
port = serial:{left}
protocol = stm32-uart
baud = 57600

[station middle]
port = serial:{middle}
protocol = stm32-uart

[station right]
port = serial:{right}
protocol = stm32-uart
entry = none
position = rear
"""


def main():
    programs = harness.arguments(__doc__)
    image = harness.make_image(9001, seed=61, hole=(2048, 4500))
    left, middle = Board(), Board(uid=b"another chip", flash_kib=128)
    stranger = Board(chip_id=0x414, uid=b"the stranger")
    with Scene(programs, harness.CHIP) as scene:  # only for its folder and its daemon
        checks = scene.checks
        scene.edit_config(lambda _: CONFIG.format(state=scene.state_dir, left=left.path, middle=middle.path,
                                                  right=stranger.path))
        scene.daemon.start()
        events = scene.events()
        job = scene.submit(scene.image(image), chip="stm32f103x8", stations="all")
        events.wait_fact("job.state", id=job, state="done")
        runs = {run["station"]: run for run in scene.runs(job=job)}
        for name, board in (("left", left), ("middle", middle)):
            run = runs[name]
            checks.equal((run["outcome"], run["class"], run["message"]), ("pass", None, None), name)
            checks.equal((run["uid"], run["chip_id"]), (board.uid.hex(), "0x410"), f"{name}: who it is")
            checks.equal(bytes(board.flash[:len(image)]), image, f"{name}: the image")
            checks.check(board.erases and board.writes, f"{name}: erased and written")
            checks.equal(set(board.flash[len(image):]) - {0x33, 0xFF}, set(), f"{name}: nothing else")
        checks.equal(runs["left"]["baud"], 57600, "the rate of the configuration")
        checks.equal((runs["right"]["outcome"], runs["right"]["class"]), ("aborted", "wrong-chip"), "the stranger")
        checks.equal((stranger.erases, stranger.writes), (0, 0), "the stranger is not touched")
        scene.check_facts(events)
        scene.check_runs()
    for board in (left, middle, stranger):
        board.close()
    checks.finish()


main()
