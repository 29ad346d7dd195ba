# SPDX-License-Identifier: Apache-2.0
"""The shortest time that two AVR loaders let a careful client have, from Atmel's AVR061 and AVR068 and what the loaders'
published sources make of them. Shares nothing with the daemon's own floor (stations/plan.c).

A careful client sends no page ahead of the last one's answer: the receiver of these chips holds two bytes. The loader
sends at the rate that its divider gives it (16 MHz / 8 / 17 = 117647 for 115200), the client at the nominal one. What
the loader does meanwhile - moving a page into its buffer takes optiboot some 80 us - is not counted."""

FRAME_BITS = 10
CHIP_BAUD = 16e6 / 8 / 17
SPM_S = 4.5e-3  # one page erase or page write, and what the simulated boards take


class Floor:
    """Seconds on the wire and in the flash, and how often the client must wait for an answer."""

    def __init__(self, sent=0, heard=0, flash_s=0.0, turnarounds=0):
        self.sent, self.heard, self.flash_s, self.turnarounds = sent, heard, flash_s, turnarounds

    def __add__(self, other):
        return Floor(self.sent + other.sent, self.heard + other.heard, self.flash_s + other.flash_s,
                     self.turnarounds + other.turnarounds)

    def __mul__(self, count):
        return Floor(self.sent * count, self.heard * count, self.flash_s * count, self.turnarounds * count)

    def bare_s(self, baud):
        return FRAME_BITS * (self.sent / baud + self.heard / CHIP_BAUD) + self.flash_s

    def full_s(self, baud, turnaround_s):
        return self.bare_s(baud) + self.turnarounds * turnaround_s


class Optiboot:
    """STK500 version 1."""

    page, rww_end = 128, 0x7000

    @classmethod
    def write(cls, pages):
        """Load Address, Program Page, its EOP; INSYNC and OK of the first come while the page is on the line, INSYNC of
        the second while the page is written. Below rww_end the erase, too, is done while the page is on the line."""
        behind = max(0, pages - cls.rww_end // cls.page)
        return Floor(4 + 4 + cls.page + 1, 1, SPM_S, 1) * pages + Floor(flash_s=SPM_S) * behind

    @classmethod
    def read(cls, pages):
        """Read Page takes 256 bytes at a time and goes on where it stopped; an address to start from."""
        whole, rest = divmod(pages * cls.page, 256)
        reads = Floor(5, 1 + 256 + 1, 0, 1) * whole
        return Floor(4) + reads + (Floor(5, 1 + rest + 1, 0, 1) if rest else Floor())


class Stk500boot:
    """STK500 version 2: six bytes around every body."""

    page = 256

    @classmethod
    def write(cls, pages):
        """Erase and write of a page follow one another when all of the message has come; one Load Address."""
        return Floor(6 + 5, 6 + 2, 0, 1) + Floor(6 + 10 + cls.page, 6 + 2, 2 * SPM_S, 1) * pages

    @classmethod
    def read(cls, pages):
        return Floor(6 + 5, 6 + 2, 0, 1) + Floor(6 + 4, 6 + 3 + cls.page, 0, 1) * pages


def contact():
    """One question, one answer."""
    return Floor(2, 2, 0, 1)


def phases(loader, size):
    """Of a run that writes all of a random image and reads it back."""
    pages = (size + loader.page - 1) // loader.page
    return {"connect": contact(), "write": loader.write(pages), "verify": loader.read(pages)}


def run(loader, size):
    return sum(phases(loader, size).values(), Floor())
