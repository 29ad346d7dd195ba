# SPDX-License-Identifier: Apache-2.0
"""Kinds of boards that the simulator has, as a line-side host meets them: what is ordered for them, images that their
loaders accept, how a station gets into the loader, and how it is known that a board holds an image.

A content is a list of (address, bytes). Nothing here is taken from the daemon's own tables.
"""
import random
import struct

import harness


class Kind:
    """One kind of board on one kind of port."""

    protocol = None
    verify = ("read-back",)
    base = 0  # where the dump of a board starts
    end = None  # where the part of the dump ends that is nobody else's (a loader's, say)
    erased = 0xFF
    entry = None  # how a station gets into the loader; None: as the simulator says
    uid = True

    def __init__(self, board, chip=None, **more):
        self.board, self.chip = board, chip or board.partition(":")[0]
        for name, value in more.items():
            assert hasattr(self, name), name
            setattr(self, name, value)

    def __repr__(self):
        return self.board

    def content(self, size, seed):
        return [(self.base, random.Random(f"{self.board}/{seed}").randbytes(size))]

    def file(self, content):
        return harness.hex_of(content)

    def differs(self, flash, content):
        """The first address that is not as the content says, or elsewhere neither junk nor blank; None: it holds it."""
        rest = bytearray(flash[:self.end])
        for address, data in content:
            at = address - self.base
            if rest[at:at + len(data)] != data:
                return address + next(i for i, byte in enumerate(data) if rest[at + i:at + i + 1] != bytes((byte,)))
            rest[at:at + len(data)] = bytes((self.erased,)) * len(data)
        if not rest.translate(None, bytes((self.erased, harness.JUNK))):
            return None
        return self.base + next(i for i, byte in enumerate(rest) if byte not in (self.erased, harness.JUNK))

    def holds(self, flash, content):
        return self.differs(flash, content) is None



class Stm32(Kind):
    protocol, base = "stm32-uart", 0x08000000


class Lpc(Kind):
    """The first eight words sum up to zero, or the ROM does not start them."""

    protocol = "lpc-uart"
    vector = 7  # which of them is the sum; 5 on ARM7
    verify = ("read-back", "checksum")

    def content(self, size, seed):
        data = bytearray(random.Random(f"{self.board}/{seed}").randbytes(size))
        data[0x2FC:0x300] = data[0x1FC:0x200] = b"\xff" * 4  # nobody asks for code read protection
        words = list(struct.unpack("<8I", data[:32]))
        words[self.vector] = 0
        words[self.vector] = -sum(words) & 0xFFFFFFFF
        data[:32] = struct.pack("<8I", *words)
        return [(0, bytes(data))]


class Esp(Kind):
    """A bootloader image where the ROM looks for it, and data further up."""

    protocol = "esp-rom"
    verify = ("checksum",)
    first, image_chip = 0, None

    def content(self, size, seed):
        noise = random.Random(f"{self.board}/{seed}").randbytes
        head = bytes((0xE9, 1, 2, 0x20)) + struct.pack("<I", 0x40080000)
        if self.image_chip is not None:
            head += b"\xee" + b"\0" * 3 + struct.pack("<H", self.image_chip) + b"\0" * 9 + b"\x01"
        boot = head + noise(size // 2 - len(head))
        return [(self.first, boot), (0x10000, noise(size // 2))]


class Avr(Kind):
    uid = False


class Mega2560(Avr):
    protocol = "stk500v2"

    def content(self, size, seed):
        """On both sides of the 128 KiB that RAMPZ is for."""
        noise = random.Random(f"{self.board}/{seed}").randbytes
        return [(0, noise(size // 2)), (0x1FF80, noise(size // 4)), (0x30000, noise(size // 4))]


class P89lpc(Kind):
    """Cannot be read: what one unit gave when it was programmed twice is what the others must give."""

    protocol, erased, uid, end = "p89lpc9xx", 0, False, 0x1C00
    verify = ("programmed-twice", "learned-sums")


class Unit485(Kind):
    """One of several on a line; a loader of its own in the same kind of chip."""

    protocol, erased, end = "rs485-isp", 0, 0x1BFA  # behind it are the unit's address and what goes with it
    verify = ("checksum", "read-back")


STM32 = Stm32("stm32f103xb")
LPC1114 = Lpc("lpc1114")
LPC2148 = Lpc("lpc2148", vector=5, uid=False)
ESP32 = Esp("esp32", "esp32-4mb", first=0x1000, image_chip=0)
ESP32C3 = Esp("esp32c3", "esp32c3-4mb", image_chip=5)
ESP8266 = Esp("esp8266", "esp8266-4mb", verify=("read-back",))
P89LPC = P89lpc("p89lpc922")
UNIT485 = Unit485("p89lpc922-rs485", "p89lpc922")
MEGA32U4 = Avr("atmega32u4", end=0x7000)
MEGA32U4.protocol = "avr109"
OPTIBOOT = Avr("atmega328p", end=0x7E00)
ATMEGABOOT = Avr("atmega328p:atmegaboot", end=0x7800)
OPTIBOOT.protocol = ATMEGABOOT.protocol = "stk500v1"
MEGA2560 = Mega2560("atmega2560", end=0x3E000)
# From its first page on, as loaders that erase by themselves want it.
MEGA2560_DENSE = Avr("atmega2560", end=0x3E000)
MEGA2560_DENSE.protocol = "stk500v2"
