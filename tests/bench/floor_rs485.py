# SPDX-License-Identifier: Apache-2.0
"""The shortest time that stations/protocols/rs485_isp.md lets a careful master have, for units as flashfarm-sim has them.
Shares nothing with the daemon's own floor (stations/plan.c).

One request is outstanding per line, so what units do by turns adds up. A unit's answer begins two frame times after the
request. What goes to a group is not answered: the master waits the longest time that DESCRIBE gives, and 5 ms more."""

SECTOR, PAGE = 1024, 64
# Of the P89LPC922 and its loader here: what they take, and the longest that DESCRIBE tells.
ERASE_S, WRITE_S, SUM_S = 4e-3, 4e-3, 3e-3
LONGEST_ERASE_S, LONGEST_WRITE_S, AFTER_ALL_S = 6e-3, 4.5e-3, 5e-3
SILENCE_S = 20e-3  # in which a unit must answer a roll-call
AUTOBAUD_FRAMES, AFTER_AUTOBAUD_S = 4, 10e-3


class Floor:
    """Frames on the line, other time, and how often the master must wait for an answer."""

    def __init__(self, frames=0.0, other_s=0.0, turnarounds=0):
        self.frames, self.other_s, self.turnarounds = frames, other_s, turnarounds

    def __add__(self, other):
        return Floor(self.frames + other.frames, self.other_s + other.other_s, self.turnarounds + other.turnarounds)

    def __mul__(self, count):
        return Floor(self.frames * count, self.other_s * count, self.turnarounds * count)

    def bare_s(self, baud, frame_bits):
        return self.frames * frame_bits / baud + self.other_s

    def full_s(self, baud, frame_bits, turnaround_s):
        return self.bare_s(baud, frame_bits) + self.turnarounds * turnaround_s


def ask(request, answer=0, own_s=0.0):
    """So many data bytes there and back; five frames around those of a request, six around those of an answer."""
    return Floor(5 + request + 2 + 6 + answer, own_s, 1)


def roll_call():
    return Floor(1 + 2 + 1, 0, 1)


def tell_all(data, own_s):
    return Floor(5 + 1 + data, own_s + AFTER_ALL_S)


def parts(size, part):
    return (size + part - 1) // part


def meet(units):
    """Autobaud once, then each unit's roll-call and DESCRIBE with a number of four bytes."""
    return Floor(AUTOBAUD_FRAMES, AFTER_AUTOBAUD_S) + (roll_call() + ask(0, 17 + 4)) * units


def check(units, size):
    return ask(4, 4, SUM_S * parts(size, PAGE)) * units


def by_turns(units, size):
    """Ears stay open, for all have joined: no roll-call for each turn."""
    opened = ask(6) * units + Floor(1, SILENCE_S) if units > 1 else Floor()
    write = ask(2 + PAGE, 0, WRITE_S) * parts(size, PAGE)
    return meet(units) + opened + (ask(2, 0, ERASE_S) * parts(size, SECTOR) + write) * units + check(units, size)


def at_once(units, size):
    """Section 5: erase and write go to the group, status and sum are each unit's."""
    blocks = parts(size, PAGE)
    group = ask(6) * units + Floor(1, SILENCE_S)
    erase = tell_all(2, LONGEST_ERASE_S + LONGEST_WRITE_S) * parts(size, SECTOR)
    write = tell_all(2 + PAGE, LONGEST_WRITE_S) * blocks
    return meet(units) + group + erase + write + ask(0, 6 + parts(blocks, 8)) * units + check(units, size)
