# SPDX-License-Identifier: Apache-2.0
"""Serial numbers, addresses and per-unit data on boards: every flash bit for bit its own, every number accounted for.

What a flash must hold is computed here from the order and from the numbers that the record names, and from nothing
else. `issued` of each pool must be the sum of its states whenever it is looked at.
"""
import hashlib
import os
import random
import threading
import time
import zlib

import harness
import kinds
from harness import CHIP, FLASH, Scene

IMAGE = harness.make_image(6000, seed=61)
SMALL = harness.make_image(1500, seed=62)
FIRMWARE = (0x20005000).to_bytes(4, "little") + (FLASH + 0x101).to_bytes(4, "little") + SMALL[8:]  # plausible vectors
DATA = FLASH + 0x1F800  # two pages of its own behind the code
SERIAL, MAC, UID_AT, MODEL, CRC = DATA, DATA + 16, DATA + 32, DATA + 48, DATA + 0x400
STATES = ("reserved", "bound", "pass", "fail", "unknown", "burned", "returned")

FIELDS = [
    {"name": "serial", "address": SERIAL, "width": 16, "encoding": "ascii", "source": {"pool": "sn"}, "pad": 0},
    {"name": "mac", "address": MAC, "width": 6, "encoding": "binary-be", "source": {"pool": "macs"}},
    {"name": "uid", "address": UID_AT, "width": 12, "encoding": "bytes", "source": {"uid": True}},
    {"name": "model", "address": MODEL, "width": 8, "encoding": "utf-16le", "source": {"constant": "GR-7"}},
]
CHECKS = [{"name": "crc", "address": CRC, "algorithm": "crc-32", "endian": "little",
           "range": {"address": DATA, "size": 0x400}}]
ONE_FIELD = [FIELDS[0]]


def make_pool(scene, name="sn", **more):
    body = {"name": name, "kind": "serial", "first": 1, "last": 9999,
            "format": {"base": 10, "digits": 6, "prefix": "SN", "check": "mod10"}} | more
    return scene.post("/v1/serial-pools", body)


def make_macs(scene, **more):
    return scene.post("/v1/serial-pools", {"name": "macs", "kind": "eui48", "first": "00:00:5E:00:53:00",
                                           "last": "00:00:5E:00:53:FF", "step": 2} | more)


def counts_of(scene, name):
    """The pool's counts, which must add up; only those that are not zero."""
    pool = scene.get(f"/v1/serial-pools/{name}")
    scene.checks.equal(sum(pool["counts"].values()), pool["issued"], f"pool {name}: issued is the sum of its states")
    scene.checks.equal(set(pool["counts"]), set(STATES), f"pool {name}: states")
    return {state: count for state, count in pool["counts"].items() if count}


def unit_page(run, uid):
    """The first page of the unit's own data."""
    page = bytearray(b"\xff" * 0x400)
    numbers = {number["pool"]: number for number in run["numbers"]}
    page[0:16] = numbers["sn"]["text"].encode().ljust(16, b"\0")
    page[16:22] = numbers["macs"]["number"].to_bytes(6, "big")
    page[32:44] = bytes.fromhex(uid)
    page[48:56] = "GR-7".encode("utf-16le")
    return bytes(page)


def started_of(scene, run):
    return next(f.data for f in scene.ledger() if f.kind == "run.started" and f.data["id"] == run)


def newest(scene, **filters):
    return scene.runs(**filters)[0]


def wait_end(events, count):
    """The run.ended facts, when there are so many."""
    return events.wait(lambda facts: [f for f in facts if f.kind == "run.ended"][count - 1:count],
                       f"{count} runs to end")[0].data


def board_uid(scene, name):
    return scene.farm.state(name)[1]["uid"]


def holds_serial(scene, name, text, width=16):
    at = SERIAL - FLASH
    return scene.farm.dump(name)[at:at + width] == text.encode().ljust(width, b"\0")


# --- the plays


def sixteen_units_of_their_own(programs, checks):
    with Scene(programs, f"{CHIP}=16", checks=checks) as scene:
        scene.daemon.start()
        events = scene.events()
        make_pool(scene)
        make_macs(scene)
        job = scene.submit(scene.image(IMAGE), stations="all", trigger="on_insert", quantity=16, fields=FIELDS,
                           checks=CHECKS, work_order="WO-1")
        events.wait_fact("job.state", id=job, state="done")
        runs = scene.runs(job=job)
        checks.equal([run["outcome"] for run in runs], ["pass"] * 16, "outcomes")
        for run in runs:
            name, started = run["station"], started_of(scene, run["id"])
            page = unit_page(started, board_uid(scene, name))
            flash = scene.farm.dump(name)
            checks.equal(flash[:len(IMAGE)], IMAGE, f"{name}: the image")
            at = DATA - FLASH
            checks.equal(flash[at:at + 0x400], page, f"{name}: its own page")
            checks.equal(flash[at + 0x400:at + 0x404], zlib.crc32(page).to_bytes(4, "little"), f"{name}: its CRC")
            checks.equal(set(flash[at + 0x404:at + 0x800]), {0xFF}, f"{name}: blank behind it")
            checks.equal(run["serial"], started["numbers"][0]["text"], f"{name}: the serial of the record")
            checks.check(len(started["unit_data_sha256"]) == 64, f"{name}: unit_data_sha256: {started}")
            unit = scene.get(f"/v1/units/{run['serial']}")
            checks.equal([r["id"] for r in unit["runs"]], [run["id"]], f"{name}: trace of {run['serial']}")
        numbers = sorted(n["number"] for run in runs for n in started_of(scene, run["id"])["numbers"]
                         if n["pool"] == "sn")
        checks.equal(numbers, list(range(1, 17)), "serials are used in order, each once")
        macs = sorted(n["number"] for run in runs for n in started_of(scene, run["id"])["numbers"]
                      if n["pool"] == "macs")
        checks.equal(macs, list(range(0x5E005300, 0x5E005320, 2)), "each unit has two addresses")
        for name in ("sn", "macs"):
            checks.equal(counts_of(scene, name), {"pass": 16}, f"pool {name}")
        checks.equal(len({run["verify"]["digest"] for run in map(
            lambda r: scene.get(f"/v1/runs/{r['id']}"), runs)}), 16, "what was verified differs")
        # The order of facts: the numbers are in the record before anything is erased; run.started says them.
        for fact in scene.ledger():
            if fact.kind == "run.started":
                checks.equal(len(fact.data["numbers"]), 2, f"numbers in {fact}")
        scene.check_facts(events)
        scene.check_runs()
        scene.daemon.stop()
        scene.audit()


def retry_keeps_the_serial(programs, checks):
    with Scene(programs, f"{CHIP}=1", checks=checks) as scene:
        scene.daemon.start()
        events = scene.events()
        make_pool(scene)
        job = scene.submit(scene.image(SMALL), stations=["A1"], trigger="on_start", quantity=2, fields=ONE_FIELD)
        scene.wait_station("A1", "waiting")
        scene.sim("fault", "A1", "nack-erase")
        scene.post("/v1/stations/A1/start")
        checks.equal(wait_end(events, 1)["outcome"], "fail", "a board that cannot be erased")
        first = newest(scene, job=job)
        checks.equal(counts_of(scene, "sn"), {"fail": 1}, "after the failure")
        scene.sim("fault", "A1", "none")
        press(scene, "A1")
        checks.equal(wait_end(events, 2)["outcome"], "pass", "the same board once more")
        second = newest(scene, job=job)
        checks.equal((second["serial"], second["uid"]), (first["serial"], first["uid"]), "the serial is kept")
        checks.check(holds_serial(scene, "A1", first["serial"]), "and is on the chip")
        checks.equal(counts_of(scene, "sn"), {"pass": 1}, "after the retry")
        checks.equal(scene.get(f"/v1/serials/{first['serial']}")["attempts"], 2, "attempts")
        # The same board again: it has shipped.
        scene.sim("fill", "A1", str(harness.JUNK))
        press(scene, "A1")
        ended = wait_end(events, 3)
        checks.equal((ended["outcome"], ended["class"]), ("aborted", "wrong-board"), "a unit that has shipped")
        checks.check(first["serial"] in ended["message"], f"the sentence names the serial: {ended['message']}")
        checks.check(scene.untouched("A1"), "nothing was written")
        checks.equal(counts_of(scene, "sn"), {"pass": 1}, "no number was used for that")
        # Another board gets another number.
        scene.sim("insert", "A1")
        press(scene, "A1")
        checks.equal(wait_end(events, 4)["outcome"], "pass", "another board")
        checks.check(newest(scene, job=job)["serial"] != first["serial"], "has another serial")
        events.wait_fact("job.state", id=job, state="done")
        checks.equal(counts_of(scene, "sn"), {"pass": 2}, "at the end")


def press(scene, name):
    scene.wait_station(name, "waiting")
    scene.post(f"/v1/stations/{name}/start")


def rework_keeps_the_serial(programs, checks):
    with Scene(programs, f"{CHIP}=1", checks=checks) as scene:
        scene.daemon.start()
        events = scene.events()
        make_pool(scene)
        order = {"stations": ["A1"], "fields": ONE_FIELD}
        scene.submit(scene.image(SMALL), **order)
        checks.equal(wait_end(events, 1)["outcome"], "pass", "first")
        serial = newest(scene)["serial"]
        scene.submit(scene.image(IMAGE), **order)
        checks.equal(wait_end(events, 2)["class"], "wrong-board", "not without rework")
        checks.check(scene.holds("A1", SMALL) or scene.farm.dump("A1")[:len(SMALL)] == SMALL, "it is as it was")
        scene.submit(scene.image(IMAGE), rework="field return 4711", **order)
        checks.equal(wait_end(events, 3)["outcome"], "pass", "with rework")
        run = newest(scene)
        checks.equal(run["serial"], serial, "the serial is kept")
        checks.check(holds_serial(scene, "A1", serial), "and is on the chip again")
        checks.equal(scene.farm.dump("A1")[:len(IMAGE)], IMAGE, "the new image")
        number = scene.get(f"/v1/serials/{serial}")
        checks.equal((number["attempts"], number["state"]), (2, "pass"), "its history")
        checks.equal(started_of(scene, run["id"])["rework"], "field return 4711", "the reason is in the record")
        checks.equal(counts_of(scene, "sn"), {"pass": 1}, "one number")
        # A rework without numbers keeps the unit's name.
        scene.submit(scene.image(SMALL), stations=["A1"], rework="downgrade")
        checks.equal(wait_end(events, 4)["outcome"], "pass", "rework without fields")
        checks.equal(newest(scene)["serial"], serial, "the unit is still known")


def short_pools_are_refused(programs, checks):
    with Scene(programs, f"{CHIP}=3", checks=checks) as scene:
        scene.daemon.start()
        events = scene.events()
        make_pool(scene, last=4)
        image = scene.image(SMALL)
        order = {"chip": CHIP, "images": [image], "stations": "all", "trigger": "on_start", "fields": ONE_FIELD}

        def refused(what, **more):
            answer = scene.call("POST", "/v1/jobs", order | more)
            checks.equal(answer.status, 422, f"{what}: {answer}")
            return str(answer.raw)
        checks.check("sn" in refused("more than the pool has", quantity=5), "it names the pool")
        job = scene.post("/v1/jobs", order | {"quantity": 3})["id"]
        refused("what another order wants counts", quantity=2)
        dry = scene.call("POST", "/v1/jobs", order | {"quantity": 1, "dry_run": True}, {"Idempotency-Key": None})
        checks.equal(dry.status, 200, f"a dry run: {dry}")
        checks.check(all(station["floor_us"] > 0 for station in dry.json["stations"]), f"floors: {dry}")
        outside = order | {"images": [scene.image(IMAGE, address=FLASH + 0x1FF00)], "dry_run": True}
        dry = scene.call("POST", "/v1/jobs", outside, {"Idempotency-Key": None})
        checks.check("outside-chip" in [finding["class"] for finding in dry.json["findings"]], f"it explains: {dry}")
        checks.equal(counts_of(scene, "sn"), {}, "nothing is used by what was refused or dry")
        refused("no such pool", serial_pool="nowhere", quantity=1)
        # A pool that is closed meanwhile: nothing is touched, the order is held.
        scene.post("/v1/serial-pools/sn/close", {"reason": "wrong block"})
        press(scene, "A1")
        ended = wait_end(events, 1)
        checks.equal((ended["outcome"], ended["class"]), ("aborted", "serial-exhausted"), "a closed pool")
        checks.check(scene.untouched("A1"), "nothing was written")
        checks.equal(scene.job(job)["state"], "held", "the order waits for a person")
        checks.equal(counts_of(scene, "sn"), {}, "no number was used")
        scene.post("/v1/serial-pools/sn/open", {"reason": "it was right"})
        scene.post("/v1/serial-pools/sn/burn", {"count": 1, "reason": "label torn"})
        checks.equal(counts_of(scene, "sn"), {"burned": 1}, "one is burned")
        scene.post(f"/v1/jobs/{job}/resume")
        press(scene, "A1")
        checks.equal(wait_end(events, 2)["outcome"], "pass", "open again")
        checks.equal(started_of(scene, newest(scene)["id"])["numbers"][0]["number"], 2, "the burned one is not used")
        checks.equal(counts_of(scene, "sn"), {"burned": 1, "pass": 1}, "at the end")
        scene.post(f"/v1/jobs/{job}/cancel")


def used_up_is_told(programs, checks):
    with Scene(programs, f"{CHIP}=3", checks=checks) as scene:
        scene.daemon.start()
        events = scene.events()
        make_pool(scene, last=4)
        job = scene.submit(scene.image(SMALL), stations="all", fields=ONE_FIELD)
        events.wait_fact("job.state", id=job, state="done")
        scene.daemon.wait_log("serial pool sn: 75 % of its numbers are used, 1 are left")
        checks.equal(scene.get("/v1/serial-pools/sn")["left"], 1, "left")
        # The last one, and then no more: never from the start again.
        for name in scene.stations:
            scene.sim("insert", name)
        job = scene.submit(scene.image(SMALL), stations=["A1"], fields=ONE_FIELD)
        events.wait_fact("job.state", id=job, state="done")
        answer = scene.call("POST", "/v1/jobs", {"chip": CHIP, "images": [scene.image(SMALL)], "stations": ["A2"],
                                                 "fields": ONE_FIELD})
        checks.equal(answer.status, 422, f"an empty pool: {answer}")
        checks.equal(counts_of(scene, "sn"), {"pass": 4}, "all four")


def pools_are_checked(programs, checks):
    with Scene(programs, f"{CHIP}=1", checks=checks) as scene:
        scene.daemon.start()
        make_pool(scene)
        good = {"name": "p", "kind": "serial", "first": 1, "last": 9}

        def status(**more):
            return scene.call("POST", "/v1/serial-pools", good | more).status
        checks.equal(status(name="sn"), 409, "a name that is taken")
        checks.equal(status(last=0), 422, "last below first")
        checks.equal(status(format={"digits": 2}, last=100), 422, "more than the digits hold")
        checks.equal(status(colour="red"), 422, "an unknown member")
        checks.equal(status(name="a/b"), 422, "a name that is none")
        form = {"base": 10, "digits": 6, "prefix": "SN", "check": "mod10"}
        checks.equal(status(format=form, first=9000, last=9999), 409, "numbers of another pool")
        macs = {"kind": "eui48", "first": "00:00:5E:00:53:00", "last": "00:00:5E:00:53:0F"}
        checks.equal(status(**macs | {"first": "01:00:5E:00:53:00", "last": "01:00:5E:00:53:0F"}), 422, "group bit")
        local = {"first": "02:00:5E:00:53:00", "last": "02:00:5E:00:53:0F"}
        checks.equal(status(**macs | local), 422, "local bit")
        checks.equal(status(**macs | local | {"local": True, "name": "local"}), 201, "local bit, meant")
        checks.equal(status(**macs | {"first": "00:00:5E:00:53:01", "step": 2}), 422, "not aligned")
        checks.equal(status(**macs | {"step": 3}), 422, "no whole units")
        checks.equal(status(**macs | {"name": "m1"}), 201, "a block")
        checks.equal(status(**macs | {"name": "m2", "first": "00:00:5E:00:53:0F", "last": "00:00:5E:00:53:1F"}), 409,
                     "addresses of another pool")
        checks.equal(status(warn_percent=[90, 80]), 422, "warnings that do not rise")


def killed_in_the_middle(programs, checks):
    with Scene(programs, f"{CHIP}=2", "--pace", checks=checks) as scene:
        scene.daemon.start()
        events = scene.events()
        make_pool(scene)
        job = scene.submit(scene.image(IMAGE), stations="all", trigger="on_start", quantity=2, fields=ONE_FIELD)
        for name in ("A1", "A2"):
            press(scene, name)
        events.wait(lambda facts: sum(f.kind == "run.started" for f in facts) == 2, "two runs")
        for name in ("A1", "A2"):
            scene.wait_until(lambda name=name: scene.counters(name)["writes"] > 3, f"{name} is being written")
        scene.daemon.kill()
        checks.equal(sorted(row[0] for row in scene.query("SELECT state FROM serial")), ["bound", "bound"],
                     "what the record says of them")
        scene.daemon.start()
        events.wait(lambda facts: sum(f.kind == "run.ended" for f in facts) == 2, "both are unknown")
        checks.equal({run["outcome"] for run in scene.runs(job=job)}, {"unknown"}, "outcomes")
        checks.equal(counts_of(scene, "sn"), {"unknown": 2}, "quarantined")
        doubtful = {run["station"]: run["serial"] for run in scene.runs(job=job)}
        # A person settles one; then its board gets another number.
        serial = doubtful["A2"]
        for state, reason, wanted in (("free", "x", 422), ("burned", "", 422), ("burned", "scrapped", 200)):
            answer = scene.call("POST", f"/v1/serials/{serial}/settle", {"state": state, "reason": reason})
            checks.equal(answer.status, wanted, f"settle as {state} for {reason!r}: {answer}")
        answer = scene.call("POST", f"/v1/serials/{serial}/settle", {"state": "pass", "reason": "found it"})
        checks.equal(answer.status, 409, f"settled once and for all: {answer}")
        checks.equal(counts_of(scene, "sn"), {"burned": 1, "unknown": 1}, "one is settled")
        # The other is settled by the board itself: by reading it, if it has its number already, and by the run.
        held = holds_serial(scene, "A1", doubtful["A1"])
        press(scene, "A1")
        checks.equal(wait_end(events, 3)["outcome"], "pass", "the same board once more")
        read = [f for f in scene.ledger() if f.kind == "serial.settled" and f.data["how"] == "read-back"]
        checks.equal(bool(read), held, "what was read back")
        checks.equal(newest(scene, station="A1")["serial"], doubtful["A1"], "keeps its number")
        press(scene, "A2")
        checks.equal(wait_end(events, 4)["outcome"], "pass", "the other")
        checks.check(newest(scene, station="A2")["serial"] not in doubtful.values(), "has a new number")
        checks.equal(counts_of(scene, "sn"), {"burned": 1, "pass": 2}, "every number is accounted for")
        for name in ("A1", "A2"):
            checks.check(holds_serial(scene, name, newest(scene, station=name)["serial"]), f"{name}: on the chip")


def read_back_settles(programs, checks):
    """The host dies when everything is written: the board itself tells that it has the number."""
    with Scene(programs, f"{CHIP}=1", "--pace", checks=checks) as scene:
        scene.daemon.start()
        events = scene.events()
        make_pool(scene)
        job = scene.submit(scene.image(SMALL), stations=["A1"], trigger="on_start", quantity=1, fields=ONE_FIELD)
        press(scene, "A1")
        events.wait(lambda facts: any(f.kind == "run.started" for f in facts), "the run")
        serial = started_of(scene, newest(scene)["id"])["serial"]
        scene.wait_until(lambda: holds_serial(scene, "A1", serial), "the number is on the chip")
        scene.daemon.kill()
        scene.daemon.start()
        checks.equal(counts_of(scene, "sn"), {"unknown": 1}, "in doubt")
        press(scene, "A1")
        events.wait_fact("job.state", id=job, state="done")
        settled = [f.data for f in scene.ledger() if f.kind == "serial.settled"]
        checks.equal([(f["serial"], f["how"]) for f in settled], [(serial, "read-back")], "settled by reading back")
        checks.equal(newest(scene)["serial"], serial, "and it keeps the number")
        checks.equal(counts_of(scene, "sn"), {"pass": 1}, "at the end")


def units_of_the_mes(programs, checks):
    """By code, by station, by place, and by the order of the list; and nobody's serial goes to another board."""
    unit_field = [FIELDS[0] | {"source": {"unit": "serial"}},
                  {"name": "blob", "address": MAC, "width": 4, "encoding": "bytes", "source": {"unit": "blob"},
                   "pad": 0}]

    def unit(serial, **more):
        return {"serial": serial, "blob": {"hex": serial[-2:].encode().hex() * 2}} | more
    with Scene(programs, f"{CHIP}=4", checks=checks) as scene:
        def place(text):
            for name in ("A1", "A2", "A3", "A4"):
                text = text.replace(f"[station {name}]\n", f"[station {name}]\nposition = P{name[1]}\n")
            return text
        scene.edit_config(place)
        scene.daemon.start()
        events = scene.events()
        order = {"chip": CHIP, "images": [scene.image(SMALL)], "trigger": "on_start", "fields": unit_field}
        checks.equal(scene.call("POST", "/v1/jobs", order | {"stations": "all", "units": [unit("X1"), unit("X1")]})
                     .status, 422, "a serial twice")
        checks.equal(scene.call("POST", "/v1/jobs", order | {"stations": "all", "units": [{"serial": "X1"}]})
                     .status, 422, "a unit without what the fields want")
        answer = scene.call("POST", "/v1/jobs", order | {"stations": "all", "units": [unit("X1"), unit("X" * 17)]})
        checks.equal((answer.status, "units[1]" in str(answer.raw)), (422, True), f"what does not fit: {answer}")
        checks.equal(scene.call("POST", "/v1/jobs", order | {"stations": ["A1"], "units": [unit("X1", station="A2")]})
                     .status, 422, "a unit for a station that is not asked")
        units = [unit("M-01"), unit("M-02", station="A2"), unit("M-03", position="P3")]
        job = scene.post("/v1/jobs", order | {"stations": ["A1", "A2", "A3"], "units": units})["id"]
        checks.equal(scene.job(job)["quantity"], 3, "as many as units")
        for name in ("A3", "A2", "A1"):
            press(scene, name)
        events.wait_fact("job.state", id=job, state="done")
        for name, serial in (("A1", "M-01"), ("A2", "M-02"), ("A3", "M-03")):
            checks.equal(newest(scene, station=name)["serial"], serial, f"{name}: its unit")
            checks.check(holds_serial(scene, name, serial), f"{name}: on the chip")
            blob = scene.farm.dump(name)[MAC - FLASH:MAC - FLASH + 4]
            checks.equal(blob, (serial[-2:] * 2).encode(), f"{name}: blob")
        # Expressions that would cost minutes or gigabytes, or are none.
        for pattern in (r"(a*)\1", "(a{255}){255}", "a{255}{255}", "[", "a" * 201):
            answer = scene.call("POST", "/v1/jobs", order | {"stations": ["A1"], "units": [unit("T-01")],
                                                             "board_code": pattern})
            checks.equal((answer.status, "board_code" in str(answer.raw)), (422, True), f"board_code {pattern!r}")
        # By code: nothing starts before one is read, and no code that is unknown is taken.
        for name in ("A1", "A2"):
            scene.sim("insert", name)
        job = scene.post("/v1/jobs", order | {"stations": ["A1", "A2"], "board_code": "PANEL-[0-9]+", "units": [
            unit("C-01", code="PANEL-7", position="P1"), unit("C-02", code="PANEL-7", position="P2")]})["id"]
        for name in ("A1", "A2"):
            scene.wait_station(name, "waiting")
            checks.equal(scene.station(name)["message"], "read the board's code", f"{name} waits for a code")
        for code, wanted in (("WRONG", 422), ("PANEL-8", 422), ("", 422)):
            checks.equal(scene.call("POST", "/v1/stations/A2/scan", {"code": code}).status, wanted, f"code {code!r}")
        scene.post("/v1/stations/A2/scan", {"code": "PANEL-7"})
        checks.equal(wait_end(events, 4)["outcome"], "pass", "the unit at A2")
        checks.equal(newest(scene)["serial"], "C-02", "the panel's code and the station's place")
        # That board again: it has shipped, and its serial goes nowhere else.
        scene.post("/v1/stations/A1/scan", {"code": "PANEL-7", "position": "P1"})
        events.wait_fact("job.state", id=job, state="done")
        checks.equal(newest(scene)["serial"], "C-01", "the other half of the panel")
        checks.equal(newest(scene)["code"], "PANEL-7", "the code is in the record")
        # The order of an earlier unit's serial: it is made, and is never made on another board.
        scene.sim("insert", "A4")
        job = scene.post("/v1/jobs", order | {"stations": ["A4"], "units": [unit("M-01")]})["id"]
        press(scene, "A4")
        scene.wait_until(lambda: newest(scene)["station"] == "A4" and newest(scene)["outcome"], "the run at A4")
        checks.equal(newest(scene)["outcome"], "aborted", "a serial that has shipped with another chip")
        checks.equal(scene.counters("A4")["erases"], 0, "nothing was touched")
        events.wait_fact("job.state", id=job, state="done")  # nothing is left to do in it
        checks.equal(scene.get("/v1/serials/M-01")["pool"], None, "numbers of the MES have no pool")


def units_have_their_places(programs, checks):
    """Who has no unit of the order is not asked, and keeps nobody waiting."""
    with Scene(programs, f"{CHIP}=2", "--fault", "A1=nack-erase", checks=checks) as scene:
        scene.daemon.start()
        events = scene.events()
        order = {"stations": ["A1", "A2"], "fields": [ONE_FIELD[0] | {"source": {"unit": "serial"}}],
                 "units": [{"serial": "P-1", "station": "A1"}]}
        image = scene.image(SMALL)
        job = scene.submit(image, **order)
        events.wait_fact("job.state", id=job, state="done")
        checks.equal([(run["station"], run["outcome"]) for run in scene.runs(job=job)], [("A1", "fail")], "immediate")
        scene.sim("fault", "A1", "none")
        job = scene.submit(image, trigger="on_start", **order)
        scene.wait_station("A1", "waiting")
        checks.equal(scene.station("A2")["state"], "idle", "nothing to do here")
        press(scene, "A1")
        events.wait_fact("job.state", id=job, state="done")
        checks.equal((newest(scene)["serial"], newest(scene)["outcome"]), ("P-1", "pass"), "the same board again")
        checks.check(scene.untouched("A2"), "the other board")


def units_after_a_restart(programs, checks):
    """A unit that failed stays with its chip, also for the next daemon; made ones are not made again."""
    with Scene(programs, f"{CHIP}=2", checks=checks) as scene:
        scene.daemon.start()
        events = scene.events()
        make_pool(scene)
        fields = ONE_FIELD + [{"name": "tag", "address": MAC, "width": 4, "encoding": "ascii",
                               "source": {"unit": "tag"}, "pad": 0}]
        job = scene.submit(scene.image(SMALL), stations="all", trigger="on_start", fields=fields,
                           units=[{"tag": "one"}, {"tag": "two"}, {"tag": "tri"}, {"tag": "qua"}])
        press(scene, "A1")
        checks.equal(wait_end(events, 1)["outcome"], "pass", "the first")
        scene.sim("fault", "A2", "nack-erase")
        press(scene, "A2")
        checks.equal(wait_end(events, 2)["outcome"], "fail", "the second")
        bad = newest(scene)
        checks.equal(bad["unit"]["tag"], "two", "the order of the list")
        scene.sim("fault", "A2", "none")
        for count, tag in ((3, "tri"), (4, "qua")):
            scene.sim("insert", "A1")
            press(scene, "A1")
            checks.equal(wait_end(events, count)["outcome"], "pass", "another board")
            checks.equal(newest(scene)["unit"]["tag"], tag, "neither a made one nor the one that was begun")
            scene.wait_station("A1", "waiting")
            if tag == "tri":
                scene.daemon.kill()
                scene.daemon.start()
        press(scene, "A2")
        checks.equal(wait_end(events, 5)["outcome"], "pass", "the bad one again")
        run = newest(scene)
        checks.equal((run["unit"]["tag"], run["serial"]), ("two", bad["serial"]), "it is the same unit")
        checks.equal(scene.farm.dump("A2")[MAC - FLASH:MAC - FLASH + 4], b"two\0", "on the chip")
        events.wait_fact("job.state", id=job, state="done")
        checks.equal(counts_of(scene, "sn"), {"pass": 4}, "four numbers")


def fixtures_are_checked(programs, checks):
    with Scene(programs, f"{CHIP}=2", checks=checks) as scene:
        scene.edit_config(lambda text: text.replace("[station A1]\n", "[station A1]\nfixture = FX-7\n"))
        scene.daemon.start()
        events = scene.events()
        job = scene.submit(scene.image(SMALL), stations="all", fixtures=["FX-7", "FX-8"], quantity=2)
        events.wait_fact("job.state", id=job, state="done")
        runs = {run["station"]: run for run in scene.runs(job=job)}
        checks.equal((runs["A1"]["outcome"], runs["A1"]["fixture"]), ("pass", "FX-7"), "its fixture is listed")
        checks.equal((runs["A2"]["outcome"], runs["A2"]["class"]), ("aborted", "wrong-board"), "no fixture")
        checks.check(scene.untouched("A2"), "nothing was written")


def opened_boards(programs, checks):
    """A locked chip tells its UID only when it is opened, which wipes it: it keeps the number that it had."""
    with Scene(programs, f"{CHIP}=1", checks=checks) as scene:
        scene.daemon.start()
        events = scene.events()
        make_pool(scene)
        image = scene.image(SMALL)
        order = {"stations": ["A1"], "fields": ONE_FIELD, "protect": "read", "unprotect": True}
        scene.submit(image, **order)
        checks.equal(wait_end(events, 1)["outcome"], "pass", "made and locked")
        serial = newest(scene)["serial"]
        scene.submit(image, rework="new firmware", **order)
        ended = wait_end(events, 2)
        checks.equal((ended["outcome"], ended["class"]), ("fail", "wrong-board"), "opened, and found to be known")
        checks.check(serial in ended["message"], f"it says as what: {ended['message']}")
        checks.equal(counts_of(scene, "sn"), {"pass": 1, "burned": 1}, "the number taken for it is burned")
        scene.submit(image, rework="new firmware", **order)
        checks.equal(wait_end(events, 3)["outcome"], "pass", "open now")
        checks.equal(newest(scene)["serial"], serial, "it keeps its number")
        checks.equal(counts_of(scene, "sn"), {"pass": 1, "burned": 1}, "at the end")


LOADERS = (kinds.LPC1114, kinds.LPC2148, kinds.ESP32, kinds.ESP32C3, kinds.ESP8266, kinds.MEGA32U4, kinds.P89LPC)


def on_every_loader(programs, checks):
    """Two boards of each kind: what all have in common, and the serial of each, behind it and in the midst of it."""
    for kind in LOADERS:
        content = kind.content(5000, 7)
        end = content[-1][0] + len(content[-1][1])
        inside = content[-1][0] + 1024 + 8
        fields = [ONE_FIELD[0] | {"address": (end + 63) // 16 * 16},
                  ONE_FIELD[0] | {"name": "again", "address": inside, "over_code": True}]
        with Scene(programs, f"{kind.board}=2", checks=checks, fill=False) as scene:
            scene.daemon.start()
            events = scene.events()
            make_pool(scene)
            image = scene.upload(kind.file(content), name="fw.hex", address=None).json["id"]
            job = scene.submit(image, chip=kind.chip, stations="all", fields=fields)
            events.wait_fact("job.state", id=job, state="done")
            runs = scene.runs(job=job)
            checks.equal([(run["outcome"], run["message"]) for run in runs], [("pass", None)] * 2, f"{kind}: outcomes")
            for run in runs:
                want = [(at, bytearray(data)) for at, data in content]
                text = run["serial"].encode().ljust(16, b"\0")
                want[-1][1][1032:1048] = text
                flash = scene.farm.dump(run["station"])
                for at, data in want + [(fields[0]["address"], text)]:
                    at -= kind.base
                    checks.check(flash[at:at + len(data)] == bytes(data), f"{kind} {run['station']}: at {at:#x}")
            checks.equal(counts_of(scene, "sn"), {"pass": 2}, f"{kind}: the pool")


def chips_that_tell_nothing(programs, checks):
    """Neither a UID nor a way to read: numbers are reserved without a chip, and no unit learns from another; nor does
    one on a shared line, where all are written in one pass if they are alike."""
    data, chip = 0x1B00, "p89lpc922"
    image = harness.make_image(3000, seed=63)
    fields = [ONE_FIELD[0] | {"address": data}]
    for boards, method in (("p89lpc922=3", "programmed-twice"), ("p89lpc922-rs485=3", "checksum")):
        with Scene(programs, boards, checks=checks, fill=False) as scene:
            scene.daemon.start()
            events = scene.events()
            make_pool(scene)
            number = scene.image(image, address=0)
            job = scene.submit(number, chip=chip, stations="all", fields=fields)
            events.wait_fact("job.state", id=job, state="done")
            runs = [scene.get(f"/v1/runs/{run['id']}") for run in scene.runs(job=job)]
            checks.equal({run["outcome"] for run in runs}, {"pass"}, f"{boards}: outcomes")
            checks.equal({run["verify"]["method"] for run in runs}, {method}, f"{boards}: each by itself")
            for run in runs:
                flash = scene.farm.dump(run["station"])
                checks.equal(flash[:len(image)], image, f"{run['station']}: the image")
                checks.equal(flash[data:data + 16], run["serial"].encode().ljust(16, b"\0"), "its serial")
            checks.equal(counts_of(scene, "sn"), {"pass": 3}, f"{boards}: the pool")
            checks.equal(scene.get(f"/v1/serials/{runs[0]['serial']}")["uid"], runs[0]["uid"], "whose it is")


def is_in(key, content):
    """Any six bytes of it in a row, as they are or as hexadecimal digits with anything blank between."""
    digits = content.translate(None, b" \t\r\n").lower()
    parts = [key[at:at + 6] for at in range(len(key) - 5)]
    return any(part in content or part.hex().encode() in digits for part in parts)


def keys_are_used_once(programs, checks):
    """A key goes from its file into its chip, and nowhere else; and only into one."""
    keys = [random.Random(f"key {i}").randbytes(16) for i in range(3)]
    with Scene(programs, f"{CHIP}=4", checks=checks, config="log_level = debug\n") as scene:
        store = os.path.join(scene.dir, "keys")
        os.mkdir(store, 0o700)
        for index, key in enumerate(keys):
            with open(os.path.join(store, f"key-{index}"), "wb") as file:
                file.write(key)
        scene.edit_config(lambda text: text.replace("[daemon]\n", f"[daemon]\nkey_store = {store}\n", 1))
        scene.daemon.start()
        events = scene.events()
        items = [{"id": f"key-{i}", "sha256": hashlib.sha256(key).hexdigest()} for i, key in enumerate(keys)]
        scene.post("/v1/serial-pools", {"name": "keys", "kind": "key", "items": items})
        answer = scene.call("POST", "/v1/serial-pools", {"name": "more", "kind": "key", "items": items[:1]})
        checks.equal(answer.status, 409, f"a key in two pools: {answer}")
        with open(os.path.join(store, "key-2"), "wb") as file:
            file.write(b"another")  # somebody changed it
        fields = [{"name": "key", "address": DATA, "width": 16, "encoding": "bytes", "source": {"pool": "keys"}}]
        for name in scene.stations[:3]:
            scene.post(f"/v1/stations/{name}/record")
        job = scene.submit(scene.image(SMALL), stations=scene.stations[:3], fields=fields)
        events.wait_fact("job.state", id=job, state="done")
        runs = scene.runs(job=job)
        checks.equal(sorted(run["outcome"] for run in runs), ["aborted", "pass", "pass"], "outcomes")
        for run in runs:
            flash = scene.farm.dump(run["station"])[DATA - FLASH:DATA - FLASH + 16]
            if run["outcome"] == "pass":
                used = started_of(scene, run["id"])["numbers"][0]
                checks.equal(flash, keys[used["number"]], f"{run['station']}: its key")
                checks.equal(used["text"], f"key-{used['number']}", "the record names it")
            else:
                checks.equal(run["class"], "data", f"a key that was changed: {run['message']}")
                checks.check(scene.untouched(run["station"]), "nothing was written")
        checks.equal(counts_of(scene, "keys"), {"pass": 2}, "the pool")
        # It was not used up by that: with the right file its board can be made.
        with open(os.path.join(store, "key-2"), "wb") as file:
            file.write(keys[2])
        job = scene.submit(scene.image(SMALL), stations=scene.stations[3:], fields=fields)
        events.wait_fact("job.state", id=job, state="done")
        flash = scene.farm.dump(newest(scene)["station"])
        checks.equal(flash[DATA - FLASH:DATA - FLASH + 16], keys[2], "the key whose file is right again")
        checks.equal(counts_of(scene, "keys"), {"pass": 3}, "the pool")
        scene.daemon.stop()
        for folder, _, files in os.walk(scene.state_dir):
            for name in files:
                with open(os.path.join(folder, name), "rb") as file:
                    content = file.read()
                checks.check(not any(is_in(key, content) for key in keys), f"{name} has a key")
        checks.check(not any(is_in(key, "".join(scene.daemon.log).encode()) for key in keys), "a key in the log")


def texts_that_are_taken(programs, checks):
    """A number whose text the record has from elsewhere is burned, not tried for ever."""
    with Scene(programs, f"{CHIP}=1", checks=checks, errors=("is burned",)) as scene:
        scene.daemon.start()
        events = scene.events()
        make_pool(scene, format={"base": 10, "digits": 4, "prefix": "T"})
        image = scene.image(SMALL)
        given = [ONE_FIELD[0] | {"source": {"unit": "serial"}}]
        scene.submit(image, stations=["A1"], fields=given, units=[{"serial": "T0001"}])
        checks.equal(wait_end(events, 1)["outcome"], "pass", "from the MES")
        scene.sim("insert", "A1")
        scene.sim("fill", "A1", str(harness.JUNK))
        job = scene.submit(image, stations=["A1"], trigger="on_start", fields=ONE_FIELD)
        press(scene, "A1")
        ended = wait_end(events, 2)
        checks.equal((ended["outcome"], ended["class"]), ("aborted", "record"), "its text is taken")
        checks.check(scene.untouched("A1"), "nothing was written")
        events.wait_fact("pool.burned", name="sn")
        press(scene, "A1")
        events.wait_fact("job.state", id=job, state="done")
        checks.equal(newest(scene)["serial"], "T0002", "the next one")
        checks.equal(counts_of(scene, "sn"), {"burned": 1, "pass": 1}, "the pool")


def locked_for_the_next(programs, checks):
    """A unit of an order is made on one station at a time, whichever order names it."""
    with Scene(programs, f"{CHIP}=2", "--pace", checks=checks) as scene:
        scene.daemon.start()
        events = scene.events()
        order = {"fields": [ONE_FIELD[0] | {"source": {"unit": "serial"}}], "units": [{"serial": "ONE"}]}
        image = scene.image(SMALL)
        first = scene.submit(image, stations=["A1"], trigger="on_start", **order)
        second = scene.submit(image, stations=["A2"], trigger="on_start", **order)
        for name in ("A1", "A2"):
            press(scene, name)
        wait_end(events, 2)
        outcomes = {run["station"]: run["outcome"] for run in scene.runs()}
        checks.equal(sorted(outcomes.values()), ["aborted", "pass"], "one board only has the serial")
        loser = next(name for name, outcome in outcomes.items() if outcome == "aborted")
        checks.check(scene.untouched(loser), "nothing was written")
        checks.equal(scene.get("/v1/serials/ONE")["uid"],
                     next(run["uid"] for run in scene.runs() if run["outcome"] == "pass"), "which one")
        loser_job = {"A1": first, "A2": second}[loser]
        checks.equal(scene.job(loser_job)["state"], "running", "what is in work elsewhere may still fail there")
        press(scene, loser)
        events.wait_fact("job.state", id=loser_job, state="done")  # it is made: nothing is left to do
        checks.check(scene.untouched(loser), "nor was anything written then")


def ordered_by_recipe(programs, checks):
    """A recipe says what, an order says where and how many; the record says which version, whatever comes later."""
    with Scene(programs, f"{CHIP}=2", checks=checks) as scene:
        scene.edit_config(lambda text: text.replace("[station A1]\n", "[station A1]\nfixture = FX-7\n"))
        scene.daemon.start()
        events = scene.events()
        make_pool(scene)
        content = {"chip": CHIP, "images": [scene.image(FIRMWARE)], "fields": ONE_FIELD, "fixtures": ["FX-7"]}
        made = scene.call("POST", "/v1/recipes", {"name": "gauge"} | content)
        checks.equal(made.status, 201, f"a draft: {made}")
        tag = {"If-Match": made.headers["ETag"]}
        released = scene.call("POST", "/v1/recipes/gauge/1/release", {"reason": "first series"}, tag)
        checks.equal(released.status, 200, f"released: {released}")
        answer = scene.call("POST", "/v1/jobs", {"recipe": "gauge", "stations": "all", "chip": CHIP})
        checks.equal(answer.status, 422, f"what the recipe says is not the order's to say: {answer}")
        job = scene.post("/v1/jobs", {"recipe": "gauge", "stations": "all", "trigger": "on_start", "quantity": 2})["id"]
        press(scene, "A1")
        checks.equal(wait_end(events, 1)["outcome"], "pass", "at the fixture")
        first = newest(scene, job=job)
        checks.equal(first["recipe"], {"name": "gauge", "version": 1, "hash": made.json["hash"]}, "the record of it")
        press(scene, "A2")
        checks.equal(wait_end(events, 2)["class"], "wrong-board", "not at another fixture")
        checks.check(scene.untouched("A2"), "nothing was written")
        scene.post("/v1/recipes/gauge/1/retire", {"reason": "a newer one"})
        scene.daemon.kill()
        scene.daemon.start()
        scene.sim("insert", "A1")
        press(scene, "A1")
        events.wait_fact("job.state", id=job, state="done")
        checks.equal(newest(scene, job=job)["recipe"], first["recipe"], "what has begun goes on as it was ordered")
        answer = scene.call("POST", "/v1/jobs", {"recipe": "gauge/1", "stations": "all"})
        checks.equal(answer.status, 422, f"a retired recipe: {answer}")
        checks.equal(counts_of(scene, "sn"), {"pass": 2}, "the pool")


def rework_needs_no_numbers(programs, checks):
    """A pool that is used up does not stand in the way of units that have their numbers."""
    with Scene(programs, f"{CHIP}=1", checks=checks) as scene:
        scene.daemon.start()
        events = scene.events()
        make_pool(scene, last=1)
        for count, more in enumerate(({}, {"rework": "once more"}), 1):
            scene.submit(scene.image(SMALL), stations=["A1"], fields=ONE_FIELD, **more)
            checks.equal(wait_end(events, count)["outcome"], "pass", f"{more}")
        checks.equal(counts_of(scene, "sn"), {"pass": 1}, "the pool")
        make_pool(scene, name="long", format={"digits": 18})
        order = {"chip": CHIP, "images": [scene.image(SMALL)], "stations": "all"}
        answer = scene.call("POST", "/v1/jobs", order | {"fields": [ONE_FIELD[0] | {"source": {"pool": "long"}}]})
        checks.equal(answer.status, 422, f"numbers that do not fit their field: {answer}")


def recorded_with_its_bytes(programs, checks):
    with Scene(programs, f"{CHIP}=1", checks=checks) as scene:
        scene.daemon.start()
        events = scene.events()
        make_pool(scene)
        scene.post("/v1/stations/A1/record")
        job = scene.submit(scene.image(SMALL), stations=["A1"], fields=ONE_FIELD)
        events.wait_fact("job.state", id=job, state="done")
        run = newest(scene)
        lines = scene.get(f"/v1/runs/{run['id']}/dialogue")["dialogue"].splitlines()
        wanted = f"# image: {SERIAL:#010x} " + run["serial"].encode().ljust(16, b"\0").hex()
        checks.check(wanted in lines, "the image of the recording is the unit's")


def codes_on_a_list(programs, checks):
    with Scene(programs, f"{CHIP}=1", checks=checks) as scene:
        scene.daemon.start()
        events = scene.events()
        job = scene.submit(scene.image(SMALL), stations=["A1"], trigger="on_insert", quantity=1,
                           board_code=["B-1", "B-2"])
        scene.wait_station("A1", "waiting")
        checks.equal(scene.call("POST", "/v1/stations/A1/scan", {"code": "B-3"}).status, 422, "not on the list")
        checks.check(scene.untouched("A1"), "nothing happens without a code")
        scene.post("/v1/stations/A1/scan", {"code": "B-2"})
        events.wait_fact("job.state", id=job, state="done")
        checks.equal(newest(scene)["code"], "B-2", "the code is in the record")
        checks.equal(started_of(scene, newest(scene)["id"])["operator"], "local", "and who read it")
        checks.equal(scene.station("A1")["code"], None, "a code is for one board")


def settled_units_end_their_order(programs, checks):
    """What a person says of a unit, or another order has made, is not waited for; nor after a restart."""
    given = [ONE_FIELD[0] | {"source": {"unit": "serial"}}]
    with Scene(programs, f"{CHIP}=2", "--pace", checks=checks) as scene:
        scene.daemon.start()
        events = scene.events()
        image = scene.image(IMAGE)
        for number, (name, restart) in enumerate((("A1", False), ("A2", True))):
            units = [{"serial": f"U{number}-0"}, {"serial": f"U{number}-1"}]
            job = scene.submit(image, stations=[name], trigger="on_start", fields=given, units=units)
            for index in range(2):
                press(scene, name)
                if index == 0:
                    scene.wait_until(lambda name=name: scene.counters(name)["writes"] > 3, f"{name} is being written")
                    scene.daemon.kill()
                    scene.sim("insert", name)
                    scene.daemon.start()
            checks.equal(wait_end(events, 2 * number + 2)["outcome"], "pass", "the other unit")
            checks.equal(scene.job(job)["state"], "running", "one is in doubt")
            if restart:
                scene.post(f"/v1/jobs/{job}/hold")
            scene.post(f"/v1/serials/U{number}-0/settle", {"state": ("pass", "burned")[number], "reason": "I saw it"})
            if restart:  # the next daemon has it from the record
                scene.daemon.kill()
                scene.daemon.start()
                scene.post(f"/v1/jobs/{job}/resume")
            events.wait_fact("job.state", id=job, state="done")
        # What another order has made is not made again, and not waited for.
        scene.sim("insert", "A1")
        job = scene.submit(image, stations=["A1"], trigger="on_start", fields=given,
                           units=[{"serial": "U1-1"}, {"serial": "V-1"}])
        press(scene, "A1")
        events.wait_fact("job.state", id=job, state="done")
        checks.equal((newest(scene)["serial"], newest(scene)["outcome"]), ("V-1", "pass"), "U1-1 is at another chip")


def pools_are_there_when_recorded(programs, checks):
    """Who orders from, or burns numbers of, a pool that is still to be refused by the record is told of none."""
    with Scene(programs, f"{CHIP}=1", checks=checks) as scene:
        scene.daemon.start()
        digest = hashlib.sha256(b"key").hexdigest()
        scene.post("/v1/serial-pools", {"name": "first", "kind": "key", "items": [{"id": "k", "sha256": digest}]})
        fields = [{"name": "key", "address": DATA, "width": 16, "encoding": "bytes", "source": {"pool": "twin"}}]
        order = {"chip": CHIP, "images": [scene.image(SMALL)], "stations": "all", "fields": fields}
        answers, over = set(), threading.Event()

        def ask(path, body):
            while not over.is_set():
                answers.add((path, scene.call("POST", path, body).status))
        askers = [threading.Thread(target=ask, args=one, daemon=True) for one in (
            ("/v1/serial-pools/twin/burn", {"count": 1, "reason": "torn"}), ("/v1/jobs", order),
            ("/v1/serial-pools/twin/burn", {"count": 1, "reason": "lost"}))]
        for asker in askers:
            asker.start()
        for index in range(60):
            answer = scene.call("POST", "/v1/serial-pools", {
                "name": "twin", "kind": "key", "items": [{"id": f"k{index}", "sha256": digest}]})
            checks.equal(answer.status, 409, f"the same key under another id: {answer}")
        over.set()
        for asker in askers:
            asker.join()
        checks.equal(answers, {("/v1/jobs", 422), ("/v1/serial-pools/twin/burn", 404)}, "what is told of it")


def many_keys_hold_nobody_up(programs, checks):
    """Pools of thousands of keys are compared without making the stations wait."""
    with Scene(programs, f"{CHIP}=1", checks=checks) as scene:
        scene.daemon.start()
        for name in ("one", "two"):
            items = [{"id": f"{name}-{i}", "sha256": hashlib.sha256(f"{name} {i}".encode()).hexdigest()}
                     for i in range(9000)]
            began = time.monotonic()
            scene.post("/v1/serial-pools", {"name": name, "kind": "key", "items": items})
            checks.check(time.monotonic() - began < 8, f"{name}: {time.monotonic() - began:.1f} s")
        answer = scene.call("POST", "/v1/serial-pools", {"name": "three", "kind": "key", "items": items[8999:]})
        checks.equal(answer.status, 409, f"a key of another pool: {answer.status}")


PLAYS = (
    sixteen_units_of_their_own, on_every_loader, chips_that_tell_nothing, retry_keeps_the_serial,
    rework_keeps_the_serial, rework_needs_no_numbers, opened_boards, killed_in_the_middle, read_back_settles,
    pools_are_checked, short_pools_are_refused, used_up_is_told, texts_that_are_taken, keys_are_used_once,
    units_of_the_mes, units_have_their_places, units_after_a_restart, locked_for_the_next, codes_on_a_list,
    fixtures_are_checked, ordered_by_recipe, recorded_with_its_bytes,
    settled_units_end_their_order, pools_are_there_when_recorded, many_keys_hold_nobody_up)


def main():
    harness.play_all(harness.arguments(__doc__), harness.Checks(), PLAYS)


main()
