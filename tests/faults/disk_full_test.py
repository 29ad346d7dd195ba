# SPDX-License-Identifier: Apache-2.0
"""No room for the record: no board is touched without one, nothing that is on it is lost, and work goes on by itself.

The room is taken away from the running daemon by its file-size limit, which makes every write to the database fail;
where a small file system can be mounted, it is also filled for real.
"""
import contextlib
import os
import random
import resource
import sqlite3
import subprocess
import time

import harness
from harness import CHIP, JUNK, Scene

IMAGE = harness.make_image(3000, seed=51)
LONG = harness.make_image(9000, seed=52)
NO_ROOM = (500, 507)
ERRORS = ("cannot be recorded", "could not be recorded")


@contextlib.contextmanager
def no_room(scene):
    """Whatever the daemon writes to a file fails, until the block is left."""
    take_room(scene)
    yield
    give_room(scene)


def take_room(scene):
    _, hard = resource.prlimit(scene.daemon.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(scene.daemon.process.pid, resource.RLIMIT_FSIZE, (1, hard))


def give_room(scene):
    _, hard = resource.prlimit(scene.daemon.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(scene.daemon.process.pid, resource.RLIMIT_FSIZE, (hard, hard))


def outcomes(scene, job):
    return sorted((run["outcome"], run["class"]) for run in scene.runs(job=job))


def fresh_board(scene, name):
    scene.sim("insert", name)
    scene.sim("fill", name, str(JUNK))


def refused_without_room(programs, checks):
    """What a client asks for and cannot be recorded is refused, and leaves nothing behind."""
    with Scene(programs, f"{CHIP}=2", checks=checks, errors=ERRORS) as scene:
        scene.daemon.start()
        events = scene.events()
        image = scene.image(IMAGE)
        events.wait_fact("image.added")
        before = scene.ledger()
        with no_room(scene):
            answer = scene.call("POST", "/v1/jobs", {"chip": CHIP, "images": [image], "stations": "all"})
            checks.check(answer.status in NO_ROOM, f"a job: {answer}")
            checks.check(answer.json["detail"], "and why")
            answer = scene.upload(harness.make_image(5000, seed=53))
            checks.check(answer.status in NO_ROOM, f"an image: {answer}")
            checks.equal(scene.get("/v1/stations")["items"][0]["state"], "idle", "it still answers")
            checks.equal(len(scene.items("/v1/images")), 1, "and gives what is on the record")
        checks.equal([f.sequence for f in scene.ledger()], [f.sequence for f in before], "nothing was recorded")
        checks.equal([f.sequence for f in events.facts], [f.sequence for f in before], "nothing was told")
        checks.check(all(scene.untouched(name) for name in scene.stations), "nothing was touched")
        left = [file for _, _, files in os.walk(os.path.join(scene.state_dir, "images")) for file in files]
        checks.equal(left, [image], "no file is left over")
        job = scene.submit(image, stations="all")
        events.wait_fact("job.state", id=job, state="done")
        checks.equal(outcomes(scene, job), [("pass", None)] * 2, "with room it works")
        scene.check_facts(events)
        scene.check_runs()
        scene.daemon.stop()
        scene.audit()


def no_run_without_record(programs, checks):
    """START is pressed while there is no room: not a byte is erased."""
    with Scene(programs, f"{CHIP}=4", checks=checks, errors=ERRORS) as scene:
        scene.daemon.start()
        events = scene.events()
        job = scene.submit(scene.image(IMAGE), stations="all", trigger="on_start", quantity=4)
        for name in scene.stations:
            scene.wait_station(name, "waiting")
        with no_room(scene):
            for name in scene.stations:
                scene.post(f"/v1/stations/{name}/start")
            for name in scene.stations:
                scene.wait_station(name, "recording")
                checks.check(scene.station(name)["message"], f"{name} says why it stands")
            checks.equal([scene.counters(name) for name in scene.stations],
                         [{"writes": 0, "erases": 0, "written": 0}] * 4, "no board is erased or written")
            checks.check(all(scene.untouched(name) for name in scene.stations), "nor changed")
            checks.equal((scene.runs(), events.of("run.started")), ([], []), "and no run is known")
        # What happened is recorded by itself once there is room: four attempts that touched nothing.
        for _ in scene.stations:
            events.wait(lambda facts: len([f for f in facts if f.kind == "run.ended"]) == 4, "the late records")
        checks.equal(outcomes(scene, job), [("aborted", "record")] * 4, "recorded late")
        for name in scene.stations:
            scene.wait_station(name, "waiting")
            scene.post(f"/v1/stations/{name}/start")
        events.wait_fact("job.state", id=job, state="done")
        checks.equal(outcomes(scene, job), [("aborted", "record")] * 4 + [("pass", None)] * 4, "then it works")
        for name in scene.stations:
            checks.check(scene.holds(name, IMAGE), f"{name}: the image")
        scene.check_facts(events)
        scene.check_runs()
        scene.check_last()
        scene.daemon.stop()
        scene.audit()


def outcome_waits_for_room(programs, checks):
    """The room goes while units are in work: they finish, and nobody hears of it before it is on the record."""
    with Scene(programs, f"{CHIP}=4", "--pace", checks=checks, errors=ERRORS) as scene:
        scene.daemon.start()
        events = scene.events()
        job = scene.submit(scene.image(LONG), stations="all")
        events.wait(lambda facts: len([f for f in facts if f.kind == "run.started"]) == 4, "four runs")
        with no_room(scene):
            for name in scene.stations:
                scene.wait_station(name, "recording")
                checks.check(scene.holds(name, LONG), f"{name}: the board is finished")
                checks.equal(scene.station(name)["last"], None, f"{name}: not told as its last run")
            began = time.monotonic()
            scene.daemon.wait_log("cannot be recorded")
            checks.equal(events.of("run.ended"), [], "no outcome is told")
            checks.equal(outcomes(scene, job), [(None, None)] * 4, "nor found")
            checks.equal(scene.job(job)["counts"]["passed"], 0, "nor counted")
            counts = scene.station(scene.stations[0])["counts"]
            checks.equal(set(counts.values()), {0}, "nor in the station's counts")
        events.wait_fact("job.state", id=job, state="done")
        checks.equal(outcomes(scene, job), [("pass", None)] * 4, "recorded once there was room")
        took = time.monotonic() - began
        checks.check(took < 10, f"soon after: {took:.1f} s")
        scene.check_facts(events)
        scene.check_runs()
        scene.check_last()
        scene.daemon.stop()
        scene.audit()


def ended_without_room(programs, checks):
    """Whoever stops the daemon while there is no room gets `unknown` later, not a pass and not a lost run."""
    for how in ("stop", "kill"):
        with Scene(programs, f"{CHIP}=2", "--pace", config="stop_timeout = 1\n", checks=checks, errors=ERRORS) as scene:
            scene.daemon.start()
            events = scene.events()
            job = scene.submit(scene.image(LONG), stations="all")
            events.wait(lambda facts: len([f for f in facts if f.kind == "run.started"]) == 2, "two runs")
            take_room(scene)
            for name in scene.stations:
                scene.wait_station(name, "recording")
            began = time.monotonic()
            status = getattr(scene.daemon, how)()
            checks.check(status is not None and time.monotonic() - began < 6, f"{how}: it ends ({status})")
            checks.equal(scene.query("SELECT count(*) FROM run WHERE outcome IS NULL"), [(2,)], f"{how}: open runs")
            scene.audit()
            scene.daemon.start()
            checks.equal(outcomes(scene, job), [("unknown", None)] * 2, f"{how}: they are unknown")
            checks.equal(events.wait_fact("daemon.started", clean=False).data["clean"], False, f"{how}: not clean")
            events.wait_fact("job.state", id=job, state="done")
            scene.check_facts(events)
            scene.check_runs()
            scene.daemon.stop()
            scene.audit()


def commands_without_room(programs, checks):
    """What an operator commands is either on the record when it is answered, or refused; and the last word counts."""
    with Scene(programs, f"{CHIP}=3", checks=checks, errors=ERRORS) as scene:
        scene.daemon.start()
        events = scene.events()
        job = scene.submit(scene.image(IMAGE), stations=["A1"], trigger="on_start")
        scene.wait_station("A1", "waiting")
        take_room(scene)
        answer = scene.call("POST", "/v1/stations/A3/disable", b"")
        checks.check(answer.status in NO_ROOM, f"disable: {answer}")
        checks.equal(scene.station("A3")["enabled"], True, "a refused disable does nothing")
        held = scene.call("POST", f"/v1/jobs/{job}/hold", b"", timeout_s=5)
        checks.check(held.status in NO_ROOM, f"hold: {held}")
        scene.sim("unplug", "A2")
        scene.wait_station("A2", "port-lost")
        give_room(scene)
        scene.post(f"/v1/jobs/{job}/resume")
        scene.sim("replug", "A2")
        scene.wait_station("A2", "idle")
        events.wait_fact("station.state", name="A2", state="port-lost")
        scene.post("/v1/stations/A1/disable")  # whatever is late is on the record before this is done
        scene.post("/v1/stations/A1/enable")
        time.sleep(1.5)  # or not, and then it comes within its second
        checks.equal(scene.query("SELECT state FROM station WHERE name = 'A2'"), [("ready",)], "its last state")
        live, recorded = scene.job(job)["state"], scene.query("SELECT state FROM job WHERE id = ?", job)[0][0]
        checks.equal((live, recorded), ("running", "running"), "the job's last state: live, on the record")
        scene.wait_station("A1", "waiting")
        scene.post("/v1/stations/A1/start")
        events.wait_fact("job.state", id=job, state="done")
        scene.check_facts(events)
        scene.check_runs()
        scene.daemon.stop()
        scene.audit()


def room_comes_and_goes(programs, checks):
    """On and off at random while eight boards run: in the end everything is accounted for."""
    generator, quantity = random.Random(programs.seed), 30
    with Scene(programs, f"{CHIP}=8", checks=checks, errors=ERRORS) as scene:
        scene.daemon.start()
        events = scene.events()
        job = scene.submit(scene.image(IMAGE), stations="all", trigger="on_insert", quantity=quantity)
        served = changes = 0
        while not events.of("job.state", id=job, state="done"):
            room = changes % 2 == 0 or changes > 20
            (give_room if room else take_room)(scene)
            changes += 1
            deadline = time.monotonic() + generator.uniform(0.05, 0.4 if room else 0.7)
            while (left := deadline - time.monotonic()) > 0:
                with events.changed:
                    if len(events.facts) == served:
                        events.changed.wait(left)
                for fact in events.facts[served:]:
                    served += 1
                    if fact.kind == "run.ended":
                        look_and_exchange(scene, events, fact)
        give_room(scene)
        ended = [f.data for f in events.of("run.ended")]
        checks.equal(sum(run["outcome"] == "pass" for run in ended), quantity, "passed")
        checks.equal({(run["outcome"], run.get("class")) for run in ended} - {("pass", None), ("aborted", "record")},
                     set(), "either it passed, or it was not touched for want of a record")
        print(f"  the room came and went {changes} times; {len(ended)} runs, "
              f"{sum(run['outcome'] == 'aborted' for run in ended)} aborted for it")
        checks.check(changes >= 6, f"the room changed {changes} times")
        scene.check_facts(events)
        scene.check_runs()
        scene.daemon.stop()
        scene.audit()


def look_and_exchange(scene, events, ended):
    started, = events.of("run.started", id=ended.data["id"])
    name = started.data["station"]
    if ended.data["outcome"] == "pass":
        scene.checks.check(scene.holds(name, IMAGE), f"{name}: passed")
    else:
        scene.checks.check(scene.untouched(name), f"{name}: {ended}")
    fresh_board(scene, name)


def full_file_system(programs, checks):
    """The real thing, where it may be mounted: a small file system, filled to the last byte."""
    with Scene(programs, f"{CHIP}=4", checks=checks, errors=ERRORS) as scene:
        os.mkdir(scene.state_dir, 0o750)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", scene.state_dir],
                              capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"  left out, a file system cannot be mounted here: {done.stderr.strip()}")
            return
        try:
            fill_file_system(scene)
        finally:
            if scene.daemon.process:
                scene.daemon.kill()
            subprocess.run(["umount", scene.state_dir], check=True)


def fill_file_system(scene):
    checks = scene.checks
    scene.daemon.start()
    events = scene.events()
    image = scene.image(IMAGE)
    job = scene.submit(image, stations="all", trigger="on_start", quantity=1000)
    ballast = os.path.join(scene.state_dir, "ballast")
    fill(ballast)
    for _ in range(100):  # the database's files have a little room of their own left
        press_all(scene)
        if all(scene.station(name)["state"] == "recording" for name in scene.stations):
            break
    checks.equal([scene.station(name)["state"] for name in scene.stations], ["recording"] * 4, "no room at last")
    for name in scene.stations:
        open_run, = [run for run in scene.runs(station=name) if run["outcome"] is None] or [None]
        checks.check(open_run or scene.counters(name)["writes"] % 12 == 0, f"{name}: nothing without a record")
    refused = scene.call("POST", "/v1/jobs", {"chip": CHIP, "images": [image], "stations": "all"})
    checks.equal(refused.status, 507, f"a job without room: {refused}")
    checks.equal(scene.upload(harness.make_image(5000, seed=54)).status, 507, "an image without room")
    before = len(events.of("run.ended"))
    os.unlink(ballast)
    events.wait(lambda facts: len([f for f in facts if f.kind == "run.ended"]) == before + 4, "the late records")
    press_all(scene)
    for name in scene.stations:
        checks.equal(scene.station(name)["last"]["outcome"], "pass", f"{name}: work goes on")
    checks.equal(set(outcomes(scene, job)) - {("pass", None), ("aborted", "record")}, set(), "outcomes")
    scene.post(f"/v1/jobs/{job}/cancel")
    scene.check_facts(events)
    scene.check_runs()
    scene.check_last()
    checks.equal(scene.daemon.stop(), 0, "exit status")
    scene.audit()


def outcome_is_refused(programs, checks):
    """A database that takes no outcome: the station says unknown of it, and never again the pass of the board before."""
    with Scene(programs, f"{CHIP}=1", checks=checks, errors=ERRORS) as scene:
        scene.daemon.start()
        events = scene.events()
        image = scene.image(IMAGE)
        events.wait_fact("job.state", id=scene.submit(image), state="done")
        fresh_board(scene, "A1")
        database = sqlite3.connect(os.path.join(scene.state_dir, "flashfarm.db"), timeout=20)
        with contextlib.closing(database):
            database.execute("CREATE TRIGGER refuse BEFORE INSERT ON ledger WHEN NEW.kind = 'run.ended' "
                             "BEGIN SELECT RAISE(ABORT, 'refused'); END")
            database.commit()
            scene.submit(image)
            events.wait_fact("run.started", id=2)
            scene.wait_until(lambda: scene.station("A1")["run"] is None, "the board to be done with")
            last = scene.station("A1")["last"]
            checks.equal((last["run"], last["outcome"]), (2, "unknown"), "last of station A1")
            database.execute("DROP TRIGGER refuse")
            database.commit()
        scene.daemon.kill()
        scene.daemon.start()
        scene.wait_until(lambda: outcomes(scene, 2) == [("unknown", None)], "the record to say so too")
        scene.check_runs()
        checks.equal(scene.daemon.stop(), 0, "exit status")
        scene.audit()


def fill(path):
    with open(path, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 512)


def press_all(scene):
    """One unit at every station that waits; until all have come to rest again, or stand."""
    for name in scene.stations:
        scene.wait_station(name, "waiting", "recording")
        scene.call("POST", f"/v1/stations/{name}/start", b"")
    for name in scene.stations:
        scene.wait_until(lambda station=name: scene.station(station)["run"] is None or
                         scene.station(station)["state"] == "recording", f"{name} to rest")


PLAYS = (refused_without_room, no_run_without_record, outcome_waits_for_room, ended_without_room,
         commands_without_room, room_comes_and_goes, full_file_system, outcome_is_refused)


def main():
    harness.play_all(harness.arguments(__doc__), harness.Checks(), PLAYS)


main()
