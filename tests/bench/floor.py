# SPDX-License-Identifier: Apache-2.0
"""The shortest time that AN3155 lets a careful client have, from first principles. Shares nothing with the daemon's own
floor (stations/plan.c), so that the two can be compared.

A careful client sends no data ahead of the address's ACK, and no command ahead of the last answer. Both directions of
the line work at once: the ACK of an opcode travels while the address is still on its way, so that only what nothing
else covers counts."""

FRAME_BITS = 11  # start, 8 data, even parity, stop
BLOCK = 256

# STM32F103, DS5319: a halfword 52.5 us; a page, and the whole flash, 20..40 ms: the middle
HALFWORD_S = 52.5e-6
PAGE_S = MASS_ERASE_S = 30e-3


class Floor:
    """Seconds on the wire and in the flash, and how many times the client must wait for an answer."""

    def __init__(self, wire_bytes=0, flash_s=0.0, turnarounds=0):
        self.wire_bytes, self.flash_s, self.turnarounds = wire_bytes, flash_s, turnarounds

    def __add__(self, other):
        return Floor(self.wire_bytes + other.wire_bytes, self.flash_s + other.flash_s,
                     self.turnarounds + other.turnarounds)

    def bare_s(self, baud):
        return self.wire_bytes * FRAME_BITS / baud + self.flash_s

    def full_s(self, baud, turnaround_s):
        return self.bare_s(baud) + self.turnarounds * turnaround_s


def contact():
    """0x7F and its ACK; Get ID: who would write to a chip it does not know?"""
    return Floor(1 + 1, 0, 1) + Floor(2 + 1 + 1 + 2 + 1, 0, 1)


def erase_all():
    return Floor(2 + 1, 0, 1) + Floor(2 + 1, MASS_ERASE_S, 1)


def write_block(size):
    """Opcode, complement, address, its XOR; the address's ACK. Length, data, XOR; programming; the last ACK."""
    return Floor(2 + 5 + 1, 0, 1) + Floor(1 + size + 1 + 1, (size + 1) // 2 * HALFWORD_S, 1)


def read_block(size):
    """Opcode, address, count; the count's ACK and the data."""
    return Floor(2 + 5 + 2 + 1 + size, 0, 1)


def blocks_of(image):
    return [image[at:at + BLOCK] for at in range(0, len(image), BLOCK)]


def written_part(block):
    """What of a block must be programmed: whole words, without the blank ones at both ends."""
    words = [at for at in range(0, len(block), 4) if block[at:at + 4].strip(b"\xff")]
    return words[-1] + 4 - words[0] if words else 0


def phases(image):
    """The floors of a run that erases all, writes what is not blank and reads everything back."""
    write = read = Floor()
    for block in blocks_of(image):
        size = written_part(block)
        if size:
            write += write_block(size)
        read += read_block(len(block))
    return {"connect": contact(), "erase": erase_all(), "write": write, "verify": read}


def run(image):
    return sum(phases(image).values(), Floor())
