# SPDX-License-Identifier: Apache-2.0
"""What jobs promise on loaders that know less than a STM32's: chips that cannot be read, boards that have no UID,
and a station that is given another loader while a job waits for it."""
import os
import random
import re
import signal

import harness
from harness import CHIP, JUNK, Scene

BLIND = "p89lpc922"  # no UID, no read-back; sectors of 1 KiB
SECTOR = 1024
FIRMWARE = random.Random("loaders").randbytes(1500)  # two sectors


def upload(scene, content):
    answer = scene.upload(harness.hex_of(content), name="fw.hex", address=None)
    assert answer.status in (200, 201), answer
    return answer.json["id"]


def passed(events, count):
    def enough(facts):
        return sum(f.kind == "run.ended" and f.data["outcome"] == "pass" for f in facts) >= count
    events.wait(enough, f"{count} units to pass")


def not_counted_twice(programs, checks):
    """A finished board without a UID that is still in its place after a restart is not programmed as another one."""
    with Scene(programs, f"{BLIND}=1", checks=checks) as scene:
        scene.daemon.start()
        events = scene.events()
        job = scene.submit(upload(scene, [(0, FIRMWARE)]), chip=BLIND, stations=["A1"], trigger="on_insert", quantity=3)
        for count, how in enumerate(("stop", "kill"), 1):
            passed(events, count)
            scene.wait_station("A1", "removal")
            getattr(scene.daemon, how)()
            scene.daemon.start()
            scene.wait_station("A1", "removal")
            checks.equal(len(scene.runs(job=job)), count, f"after {how}: runs of {count} boards")
            scene.sim("remove", "A1")
            scene.wait_station("A1", "waiting")
            scene.sim("insert", "A1")
            scene.sim("fill", "A1", str(JUNK))
        events.wait_fact("job.state", id=job, state="done")
        methods = [run["verify"]["method"] for run in sorted(scene.runs(job=job), key=lambda run: run["id"])]
        checks.equal(methods, ["programmed-twice", "learned-sums", "learned-sums"], "the first one taught the others")
        checks.equal(scene.farm.dump("A1")[:len(FIRMWARE)], FIRMWARE, "the flash")
        scene.check_facts(events)
        scene.check_runs()


def same_bytes_elsewhere(programs, checks):
    """Images of the same bytes at other places do not teach each other."""
    with Scene(programs, f"{BLIND}=1", checks=checks) as scene:
        scene.daemon.start()
        events = scene.events()
        for place in (0x200, 0x210):
            job = scene.submit(upload(scene, [(0, FIRMWARE[:100]), (place, FIRMWARE[100:200])]), chip=BLIND)
            events.wait_fact("job.state", id=job, state="done")
            run = scene.runs(job=job)[0]
            checks.equal((run["outcome"], run["verify"]["method"]), ("pass", "programmed-twice"), f"{place:#x}")
            checks.equal(scene.farm.dump("A1")[place:place + 100], FIRMWARE[100:200], f"the flash at {place:#x}")
        scene.check_facts(events)
        scene.check_runs()


def sums_of_the_order(programs, checks):
    """They verify every sector that the image reaches, or the order is refused."""
    with Scene(programs, f"{BLIND}=1", checks=checks) as scene:
        scene.daemon.start()
        events = scene.events()
        image = upload(scene, [(0, FIRMWARE)])
        for sums in ([], [{"address": 0, "sum": 1}]):
            order = {"chip": BLIND, "images": [image], "sums": sums}
            answer = scene.call("POST", "/v1/jobs", order)
            checks.check(400 <= answer.status < 500, f"refused: {answer}")
            checks.check(f"sector at 0x{len(sums) * SECTOR:08x}" in answer.json["detail"], f"the sector: {answer}")
        wrong = [{"address": 0, "sum": 1}, {"address": SECTOR, "sum": "0x2"}]
        job = scene.submit(image, chip=BLIND, sums=wrong)
        events.wait_fact("job.state", id=job, state="done")
        run = scene.runs(job=job)[0]
        checks.equal((run["outcome"], run["class"]), ("fail", "verify"), "wrong sums")
        right = re.search(r"is (0x[0-9a-f]{8}) instead", run["message"]).group(1)
        checks.check("0x00000000" in run["message"], f"the sector: {run['message']}")
        checks.check(right != "0x00000001", f"the sum: {run['message']}")
        scene.check_facts(events)
        scene.check_runs()


def given_another_loader(programs, checks):
    """The job does not wait for a station that can no longer serve it."""
    with Scene(programs, f"{CHIP}=2", checks=checks) as scene:
        scene.daemon.start()
        events = scene.events()
        image = scene.image(harness.make_image(2000, seed=5))
        scene.sim("remove", "A2")
        first = scene.submit(image, stations=["A2"], trigger="on_insert", quantity=1)
        scene.wait_station("A2", "waiting")
        second = scene.submit(image, stations=["A1", "A2"])
        passed(events, 1)
        checks.equal(scene.job(second)["state"], "running", "A2 has not had its turn")
        scene.edit_config(lambda text: re.sub(r"(?s)(\[station A2\].*?protocol = )\S+", r"\g<1>lpc-uart", text))
        scene.daemon.signal(signal.SIGHUP)
        scene.daemon.wait_log("stations reloaded")
        events.wait_fact("job.state", id=second, state="done")
        checks.equal(scene.job(second)["counts"]["passed"], 1, "A1's unit")
        scene.post(f"/v1/jobs/{first}/cancel")
        events.wait_fact("job.state", id=first, state="cancelled")
        scene.check_facts(events)


def lines_are_let_go(programs, checks):
    """Who looks for boards holds lines only as long as somebody wants one: the way out is played when nobody does."""
    with Scene(programs, f"{CHIP}=1", checks=checks) as scene:
        journal, program = os.path.join(scene.dir, "journal"), os.path.join(scene.dir, "boot-pin")
        with open(program, "w", encoding="ascii") as file:
            file.write(f"#!/bin/sh\necho $1 >>{journal}\n")
        os.chmod(program, 0o755)

        def said():
            if not os.path.exists(journal):
                return []
            with open(journal, encoding="ascii") as file:
                return file.read().split()

        def held():
            return said()[-1:] == ["enter"]

        scene.enter_by({"A1": f"command:{program}"})
        scene.daemon.start()
        events = scene.events()
        image = scene.image(harness.make_image(2000, seed=6))
        for end in ("cancel", "hold", "disable", "stop"):
            scene.sim("remove", "A1")
            job = scene.submit(image, trigger="on_insert", quantity=2)
            scene.wait_until(held, "the pin is held for a board")
            if end == "disable":
                scene.post("/v1/stations/A1/disable")
            elif end == "stop":
                scene.daemon.stop()
            else:
                scene.post(f"/v1/jobs/{job}/{end}")
            scene.wait_until(lambda: not held(), f"the pin is let go of after {end}")
            if end == "disable":
                scene.post("/v1/stations/A1/enable")
            if end != "stop":
                scene.call("POST", f"/v1/jobs/{job}/cancel")
                events.wait_fact("job.state", id=job, state="cancelled")
        scene.daemon.start()  # the job goes on
        scene.wait_until(held, "the pin is held again")
        scene.sim("insert", "A1")
        scene.wait_station("A1", "removal")
        scene.sim("remove", "A1")
        scene.wait_station("A1", "waiting")
        scene.sim("insert", "A1")
        scene.wait_station("A1", "idle")
        checks.check(not held(), "after the last board")
        checks.equal(scene.station("A1")["counts"]["pass"], 2, "two boards")


def fixture_that_fails(programs, checks):
    """Who waits for a board is told when no board can ever be found."""
    with Scene(programs, f"{CHIP}=1", checks=checks) as scene:
        program = os.path.join(scene.dir, "boot-pin")
        with open(program, "w", encoding="ascii") as file:
            file.write("#!/bin/sh\necho the relay is stuck; exit 3\n")
        os.chmod(program, 0o755)
        scene.enter_by({"A1": f"command:{program}"})
        scene.daemon.start()
        events = scene.events()
        job = scene.submit(scene.image(harness.make_image(2000, seed=6)), trigger="on_insert", quantity=1)
        said = f"entry command:{program}: command:{program} enter: it ended with status 3: the relay is stuck"
        scene.wait_until(lambda: scene.station("A1")["message"] == said, said)
        checks.equal(scene.station("A1")["state"], "waiting", "no board, no run")
        with open(program, "w", encoding="ascii") as file:
            file.write("#!/bin/sh\n")
        events.wait_fact("job.state", id=job, state="done")
        checks.equal(scene.job(job)["counts"]["passed"], 1, "once it works")


PLAYS = (lines_are_let_go, fixture_that_fails, not_counted_twice, same_bytes_elsewhere, sums_of_the_order, given_another_loader)


def main():
    harness.play_all(harness.arguments(__doc__), harness.Checks(), PLAYS)


main()
