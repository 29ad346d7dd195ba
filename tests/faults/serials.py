# SPDX-License-Identifier: Apache-2.0
"""Serial numbers as an auditor with a drawer full of boards sees them: what is physically in which chip, and whether
the record accounts for every number that ever left the pool."""
import sqlite3

import harness
from harness import FLASH, JUNK, PAGE

CHIP = "stm32f103x8"  # half as large as the others': so many flashes are looked at
POOL = "main"
PREFIX, DIGITS = "SN", 8
WIDTH = len(PREFIX) + DIGITS
STATES = ("reserved", "bound", "pass", "fail", "unknown", "burned", "returned")
LAST = 10 ** DIGITS - 1


def make_pool(scene, name=POOL):
    return scene.post("/v1/serial-pools", {
        "name": name, "kind": "serial", "first": 1, "last": LAST, "reason": "a test",
        "format": {"base": 10, "digits": DIGITS, "prefix": PREFIX}})


class Product:
    """A firmware with a place for the serial behind it, in the same page, so that a board is done in a moment."""

    def __init__(self, size=700, seed=91, pool=POOL):
        self.image = harness.make_image(size, seed=seed)
        self.pool = pool
        self.at = (size + 15) // 16 * 16  # of the serial, from the start of flash
        self.end = -(-(self.at + WIDTH) // PAGE) * PAGE

    def order(self, image, **more):
        return {"chip": CHIP, "images": [image], "serial_pool": self.pool,
                "fields": [{"name": "serial", "address": FLASH + self.at, "width": WIDTH, "encoding": "ascii",
                            "source": {"pool": self.pool}}]} | more

    def serial_in(self, flash):
        """The text where the serial is; None when that place is blank, or as it was before."""
        place = flash[self.at:self.at + WIDTH]
        return None if set(place) in ({0xFF}, {JUNK}) else place.decode("ascii", "replace")

    def made(self, flash, serial):
        """Exactly the image and that serial; nothing else in their pages."""
        want = bytearray(b"\xff" * self.end)
        want[:len(self.image)] = self.image
        want[self.at:self.at + WIDTH] = serial.encode()
        rest = flash[self.end:]
        return flash[:self.end] == bytes(want) and len(rest) in (rest.count(0xFF), rest.count(JUNK))


def untouched(flash):
    return flash.count(JUNK) == len(flash)


class Drawer:
    """Every board that was ever taken out, by what is written in it."""

    def __init__(self, checks):
        self.checks = checks
        self.boards = {}  # serial -> UID
        self.serials = {}  # UID -> serial

    def put(self, uid, serial):
        if serial is None:
            return
        other = self.boards.setdefault(serial, uid)
        self.checks.check(other == uid, f"DUPLICATE: serial {serial} is in the chips {other} and {uid}")
        before = self.serials.setdefault(uid, serial)
        self.checks.check(before == serial, f"chip {uid} holds {serial}, and held {before} before")


def check_pools(scene):
    """The identity of every pool, in its counters, in its rows, and as the interface tells it."""
    checks = scene.checks
    rows = scene.query(f'SELECT name, first, step, next, issued, {", ".join(STATES)} FROM pool')
    for name, first, step, following, issued, *counts in rows:
        found = dict(scene.query("SELECT state, count(*) FROM serial WHERE pool = ? GROUP BY state", name))
        burned, = scene.query("SELECT coalesce(sum(count), 0) FROM burned WHERE pool = ?", name)
        found["burned"] = found.get("burned", 0) + burned[0]
        told = dict(zip(STATES, counts))
        checks.equal({state: found.get(state, 0) for state in STATES}, told, f"counts of pool {name}")
        checks.equal(issued, sum(counts), f"pool {name}: issued is the sum of its states")
        checks.check(issued <= (following - first) // step, f"pool {name}: {issued} issued up to {following}")
        if scene.daemon.url:
            live = scene.get(f"/v1/serial-pools/{name}")
            checks.equal((live["issued"], live["counts"]), (issued, told), f"pool {name} as it is told")
    return {row[0]: dict(zip(STATES, row[5:])) for row in rows}


def check_gaps(scene, name=POOL, at_rest=True):
    """Every number below the next one has a state, or is burned: gaps are allowed, unexplained ones are not. A daemon
    that was killed may have taken a number and not yet recorded it, while others that were taken later are on the record:
    such a number is free, and the record must know that (`gapless`), so that the next daemon gives it out."""
    first, step, following, gapless = scene.query("SELECT first, step, next, gapless FROM pool WHERE name = ?", name)[0]
    used = {number for number, in scene.query("SELECT number FROM serial WHERE pool = ?", name)}
    for begin, end in scene.query("SELECT first, last FROM burned WHERE pool = ?", name):
        used.update(range(begin, end + 1, step))
    missing = sorted(set(range(first, following if at_rest else min(gapless, following), step)) - used)
    scene.checks.equal(missing[:20], [], f"pool {name}: numbers without a state below {following}")


def check_drawer(scene, drawer):
    """What is in the chips is on the record: that serial for that chip, and in no state that says it was not used."""
    try:
        rows = {text: (uid, state) for text, uid, state in scene.query("SELECT text, uid, state FROM serial")}
    except sqlite3.OperationalError as error:
        scene.checks.check(False, f"the table of serials: {error}")
        return
    for serial, uid in drawer.boards.items():
        known, state = rows.get(serial, (None, None))
        scene.checks.check(known in (uid, None) and state not in (None, "returned", "burned"),
                           f"{serial} is in {uid}; on the record it is {state} of {known}")
