# SPDX-License-Identifier: Apache-2.0
"""What a job promises: quantity, triggers, hold, cancel, the brake; and what the daemon promises around it."""
import signal
import threading
import time

import harness
from harness import CHIP, JUNK, Scene

IMAGE = harness.make_image(3000, seed=31)
LONG = harness.make_image(8000, seed=32)  # paced: two seconds
CONNECTING = ("--turnaround", "20000")  # every answer 20 ms late: getting into contact takes half a second


def last_of_work(scene):
    """The last fact, but for the signature under it all."""
    return [fact.kind for fact in scene.ledger() if fact.kind != "ledger.checkpoint"][-1]


def board_swap(scene, name):
    scene.sim("insert", name)
    scene.sim("fill", name, str(JUNK))


def runs_of(facts, job):
    return {f.data["id"]: f for f in facts if f.kind == "run.started" and f.data["job"] == job}


def ended_of(facts, job):
    mine = runs_of(facts, job)
    return [f for f in facts if f.kind == "run.ended" and f.data["id"] in mine]


def wait_started(events, job, count):
    return events.wait(lambda facts: len(runs_of(facts, job)) >= count, f"{count} runs of job {job}")


def wait_ended(events, job, count):
    events.wait(lambda facts: len(ended_of(facts, job)) >= count, f"{count} runs of job {job} to end")
    return ended_of(events.facts, job)


def check_never_more(scene, job, quantity):
    """At no place of the ledger are those that passed and those in flight more than were ordered."""
    flying, passed, most = set(), 0, 0
    for fact in scene.ledger():
        if fact.kind == "run.started" and fact.data["job"] == job:
            flying.add(fact.data["id"])
        elif fact.kind == "run.ended" and fact.data["id"] in flying:
            flying.remove(fact.data["id"])
            passed += fact.data["outcome"] == "pass"
        most = max(most, passed + len(flying))
    scene.checks.check(most <= quantity, f"job {job}: {most} of {quantity} at once")
    scene.checks.equal(passed, quantity, f"job {job}: passed at the end")


# --- quantity and triggers


def quantity_smaller_than_stations(programs, checks):
    with Scene(programs, f"{CHIP}=6", checks=checks) as scene:
        scene.daemon.start()
        events = scene.events()
        job = scene.submit(scene.image(IMAGE), stations="all", trigger="on_insert", quantity=4)
        events.wait_fact("job.state", id=job, state="done")
        for name in scene.stations:
            scene.wait_station(name, "idle", "removal")
        check_never_more(scene, job, 4)
        written = [name for name in scene.stations if not scene.untouched(name)]
        checks.equal(len(written), 4, "boards that were touched")
        for name in written:
            checks.check(scene.holds(name, IMAGE), f"{name}: the image")
        for name in scene.stations:  # whoever comes after the last one is left alone
            board_swap(scene, name)
            scene.wait_station(name, "idle")
        checks.check(all(scene.untouched(name) for name in scene.stations), "nothing is touched after the end")
        checks.equal(len(scene.runs(job=job)), 4, "runs")
        scene.check_facts(events)
        scene.check_runs()


def quantity_over_many_boards(programs, checks):
    """An operator puts board after board into four stations; every fourth is a bad one."""
    quantity = 14
    with Scene(programs, f"{CHIP}=4", checks=checks) as scene:
        scene.daemon.start()
        events = scene.events()
        job = scene.submit(scene.image(IMAGE), stations="all", trigger="on_insert", quantity=quantity)
        served = 0
        while not events.of("job.state", id=job, state="done"):
            events.wait(lambda facts: len(ended_of(facts, job)) > served or
                        any(f.kind == "job.state" and f.data["state"] == "done" for f in facts), "a board to be done")
            for ended in ended_of(events.facts, job)[served:]:
                served += 1
                name = runs_of(events.facts, job)[ended.data["id"]].data["station"]
                if ended.data["outcome"] == "pass":
                    checks.check(scene.holds(name, IMAGE), f"{name}: the image before it is taken out")
                scene.sim("fault", name, "nack-erase" if served % 4 == 0 else "none")
                if served % 3 == 0:  # out, a while nothing, and another in; else quicker than can be seen
                    scene.sim("remove", name)
                    scene.wait_station(name, "waiting", "idle")
                board_swap(scene, name)
        check_never_more(scene, job, quantity)
        outcomes = [f.data["outcome"] for f in ended_of(events.facts, job)]
        checks.equal(outcomes.count("pass"), quantity, "passed")
        checks.check(outcomes.count("fail") >= 2, f"bad boards do not count: {outcomes}")
        checks.equal(set(outcomes), {"pass", "fail"}, "outcomes")
        uids = [run["uid"] for run in scene.runs(job=job)]
        checks.equal(len(set(uids)), len(uids), "every board has one run")
        scene.check_facts(events)
        scene.check_runs()


def one_press_one_unit(programs, checks):
    with Scene(programs, f"{CHIP}=2", checks=checks) as scene:
        scene.daemon.start()
        events = scene.events()
        answer = scene.call("POST", "/v1/stations/A1/start", b"")
        checks.equal(answer.status, 409, f"START without a job: {answer}")
        job = scene.submit(scene.image(IMAGE), stations=["A1"], trigger="on_start", quantity=2)
        scene.wait_station("A1", "waiting")
        checks.check(scene.untouched("A1"), "not before START")
        checks.equal(scene.call("POST", "/v1/stations/A2/start", b"").status, 409, "START at a station without the job")
        checks.equal(scene.call("POST", "/v1/stations/Z9/start", b"").status, 404, "START nowhere")
        scene.post("/v1/stations/A1/start")
        checks.equal(wait_ended(events, job, 1)[0].data["outcome"], "pass", "the first unit")
        scene.wait_station("A1", "waiting")
        checks.equal(len(scene.runs(job=job)), 1, "one press, one unit")
        board_swap(scene, "A1")
        checks.equal(scene.station("A1")["state"], "waiting", "a new board alone does not start it")
        scene.post("/v1/stations/A1/start")
        events.wait_fact("job.state", id=job, state="done")
        checks.check(scene.holds("A1", IMAGE), "the second unit")
        checks.equal(scene.call("POST", "/v1/stations/A1/start", b"").status, 409, "START after the end")
        check_never_more(scene, job, 2)


def immediate_once_per_station(programs, checks):
    with Scene(programs, f"{CHIP}=4", "--fault", "A2=nack-erase", checks=checks) as scene:
        scene.daemon.start()
        events = scene.events()
        image = scene.image(IMAGE)
        job = scene.submit(image, stations="all")
        events.wait_fact("job.state", id=job, state="done")
        checks.equal(sorted(run["station"] for run in scene.runs(job=job)), scene.stations, "one each")
        checks.equal(scene.job(job)["counts"]["passed"], 3, "and no second try for the one that failed")
        answer = scene.call("POST", "/v1/jobs", {"chip": CHIP, "images": [image], "stations": ["A1"], "quantity": 2})
        checks.equal(answer.status, 422, f"immediate: more units than stations: {answer}")
        checks.check("on_insert" in answer.json["detail"], f"what to do instead: {answer.json['detail']}")
        job = scene.submit(image, stations=["A1", "A3", "A4"], quantity=1)
        events.wait_fact("job.state", id=job, state="done")
        checks.equal(len(scene.runs(job=job)), 1, "a quantity below the number of stations holds for them too")


def immediate_once_across_a_crash(programs, checks):
    """Whoever had its turn before the crash does not get another; a unit that is unknown is done again."""
    with Scene(programs, f"{CHIP}=3", "--pace", checks=checks) as scene:
        scene.daemon.start()
        events = scene.events()
        scene.sim("fault", "A3", "hang@1")
        job = scene.submit(scene.image(IMAGE), stations="all")
        events.wait(lambda facts: sum(f.data["outcome"] == "pass" for f in ended_of(facts, job)) == 2, "two to pass")
        checks.equal(len(ended_of(events.facts, job)), 2, "the third hangs")
        scene.daemon.kill()
        for name in scene.stations:
            scene.sim("fault", name, "none")
            board_swap(scene, name)
        scene.daemon.start()
        events.wait_fact("job.state", id=job, state="done")
        runs = scene.runs(job=job)
        checks.equal(sorted((run["station"], run["outcome"]) for run in runs),
                     [("A1", "pass"), ("A2", "pass"), ("A3", "pass"), ("A3", "unknown")], "turns")
        checks.check(scene.untouched("A1") and scene.untouched("A2"), "who had its turn is not touched again")
        checks.check(scene.holds("A3", IMAGE), "the unknown one is done again")
        scene.check_runs()


# --- hold, resume, cancel, brake


def hold_lets_units_finish(programs, checks):
    with Scene(programs, f"{CHIP}=4", "--pace", checks=checks) as scene:
        scene.daemon.start()
        events = scene.events()
        job = scene.submit(scene.image(LONG), stations="all", trigger="on_insert", quantity=8)
        wait_started(events, job, 4)
        held = scene.post(f"/v1/jobs/{job}/hold")
        checks.equal((held["state"], held["in_flight"]), ("held", 4), "held, with units in flight")
        checks.equal([f.data["outcome"] for f in wait_ended(events, job, 4)], ["pass"] * 4, "units in flight finish")
        for name in scene.stations:
            board_swap(scene, name)
            scene.wait_station(name, "idle")
        checks.equal(len(scene.runs(job=job)), 4, "nothing begins while held")
        checks.check(all(scene.untouched(name) for name in scene.stations), "no board is touched while held")
        checks.equal(scene.post(f"/v1/jobs/{job}/resume")["state"], "running", "resumed")
        events.wait_fact("job.state", id=job, state="done")
        check_never_more(scene, job, 8)
        for name in scene.stations:
            checks.check(scene.holds(name, LONG), f"{name}: the image")
        for what in ("hold", "resume", "cancel"):
            checks.equal(scene.call("POST", f"/v1/jobs/{job}/{what}", b"").status, 409, f"{what} of a job that ended")
            checks.equal(scene.call("POST", f"/v1/jobs/99/{what}", b"").status, 404, f"{what} of no job")
        scene.check_facts(events)
        scene.check_runs()


def cancel_stops_units(programs, checks):
    with Scene(programs, f"{CHIP}=4", "--pace", checks=checks) as scene:
        scene.daemon.start()
        events = scene.events()
        job = scene.submit(scene.image(LONG), stations="all")
        wait_started(events, job, 4)
        began = time.monotonic()
        checks.equal(scene.post(f"/v1/jobs/{job}/cancel")["state"], "cancelled", "cancelled")
        ended = wait_ended(events, job, 4)
        took = time.monotonic() - began
        checks.check(took < 1.5, f"units end soon after: {took:.2f} s")
        checks.equal({(f.data["outcome"], f.data["class"]) for f in ended}, {("fail", "cancelled")}, "and say why")
        for name in scene.stations:
            checks.check(not scene.holds(name, LONG), f"{name} is not complete")
            scene.wait_station(name, "idle")
        job = scene.submit(scene.image(IMAGE), stations="all")  # and the boards can still be talked to
        events.wait_fact("job.state", id=job, state="done")
        checks.equal(scene.job(job)["counts"]["passed"], 4, "the next job passes on the same boards")
        scene.check_facts(events)
        scene.check_runs()


def held_while_connecting(programs, checks):
    """A unit that was handed out before the hold is in flight, whether it is on the record yet or not."""
    with Scene(programs, f"{CHIP}=3", *CONNECTING, checks=checks) as scene:
        scene.daemon.start()
        events = scene.events()
        job = scene.submit(scene.image(IMAGE), stations="all")
        held = scene.post(f"/v1/jobs/{job}/hold")
        checks.equal(held["counts"]["started"], 0, "held before a run is on the record")
        for name in scene.stations:
            scene.wait_station(name, "idle", timeout_s=20)
        runs = scene.runs(job=job)
        checks.check(all(run["outcome"] == "pass" for run in runs), f"those that are recorded finished: {runs}")
        for name in scene.stations:
            done = any(run["station"] == name for run in runs)
            checks.check(scene.holds(name, IMAGE) if done else scene.untouched(name), f"{name}: as recorded")
        scene.post(f"/v1/jobs/{job}/resume") if scene.job(job)["state"] == "held" else None
        events.wait_fact("job.state", id=job, state="done")
        check_never_more(scene, job, 3)
        scene.check_runs()


def cancelled_while_connecting(programs, checks):
    with Scene(programs, f"{CHIP}=3", *CONNECTING, checks=checks) as scene:
        scene.daemon.start()
        events = scene.events()
        job = scene.submit(scene.image(IMAGE), stations="all")
        scene.post(f"/v1/jobs/{job}/cancel")
        for name in scene.stations:
            scene.wait_station(name, "idle", timeout_s=20)
        checks.check(all(scene.untouched(name) for name in scene.stations), "nothing was touched")
        runs = scene.runs(job=job)
        checks.equal({(run["outcome"], run["class"]) for run in runs} - {("aborted", "cancelled")}, set(),
                     "what is recorded was aborted, because cancelled")
        job = scene.submit(scene.image(IMAGE), stations="all")
        events.wait_fact("job.state", id=job, state="done")
        checks.equal(scene.job(job)["counts"]["passed"], 3, "the stations go on")
        scene.check_facts(events)
        scene.check_runs()


def cancelled_before_the_pages(programs, checks):
    """A board that waits for the page list of Erase must not get one by accident from whoever speaks to it next.

    The last page has calibration data to be kept, so there is no mass erase; once with Erase, once with Extended Erase.
    """
    for chip, kept, size in ((CHIP, 0x0801FC00, 1024), ("stm32f407xg", 0x080E0000, 128 * 1024)):
        order = {"chip": chip, "stations": "all", "keep": [{"address": hex(kept), "size": size}]}
        with Scene(programs, f"{chip}=4", *CONNECTING, checks=checks) as scene:
            scene.daemon.start()
            events = scene.events()
            for how in ("cancel", "kill"):
                cut_off_an_erase(scene, events, order, how, (kept - harness.FLASH, kept - harness.FLASH + size))
            scene.check_facts(events)
            scene.check_runs()


def cut_off_an_erase(scene, events, order, how, kept):
    checks = scene.checks
    job = scene.submit(scene.image(IMAGE), **order)
    wait_started(events, job, 4)  # the opcode is on its way, its ACK comes 20 ms later
    if how == "kill":
        scene.daemon.kill()
        scene.daemon.start()
    else:
        scene.post(f"/v1/jobs/{job}/cancel")
        job = scene.submit(scene.image(IMAGE), **order)
    events.wait_fact("job.state", id=job, state="done")
    what = f"{order['chip']} after {how}"
    passed = [(run["outcome"], run["message"]) for run in scene.runs(job=job) if run["outcome"] != "unknown"]
    checks.equal(passed, [("pass", None)] * 4, f"{what}: the next runs on the same boards")
    for name in scene.stations:
        flash = scene.farm.dump(name)
        checks.equal(flash[:len(IMAGE)] == IMAGE, True, f"{what}: {name} has the image")
        checks.equal(set(flash[slice(*kept)]), {JUNK}, f"{what}: {name}, what should be kept")
        board_swap(scene, name)


def brake_holds_the_job(programs, checks):
    with Scene(programs, f"{CHIP}=2", *CONNECTING, checks=checks) as scene:
        scene.daemon.start()
        events = scene.events()
        for name in scene.stations:
            scene.sim("fault", name, "nack-erase")
        job = scene.submit(scene.image(IMAGE), stations="all", trigger="on_insert", quantity=4, hold_after_failures=3)
        swapped = 0
        while not events.of("job.state", id=job, state="held"):
            events.wait(lambda facts: len(ended_of(facts, job)) > swapped or
                        any(f.kind == "job.state" for f in facts), "a failure")
            for ended in ended_of(events.facts, job)[swapped:]:
                swapped += 1
                board_swap(scene, runs_of(events.facts, job)[ended.data["id"]].data["station"])
        fact, = events.of("job.state", id=job, state="held")
        checks.check("3 failures" in fact.data["reason"], f"why: {fact}")
        before = [f for f in events.facts if f.sequence < fact.sequence]
        # One more may have failed in the very commit of the third.
        checks.check(3 <= len(ended_of(before, job)) <= 4, f"it brakes at the third failure: {ended_of(before, job)}")
        for name in scene.stations:
            scene.wait_station(name, "idle", "removal")
        flying = set(runs_of(before, job)) - {f.data["id"] for f in ended_of(before, job)}
        later = [f for f in runs_of(events.facts, job).values() if f.sequence > fact.sequence]
        checks.check(len(flying) + len(later) <= 1, f"at most the one in flight comes after it: {flying} {later}")
        for name in scene.stations:
            scene.sim("fault", name, "none")
            board_swap(scene, name)
        scene.post(f"/v1/jobs/{job}/resume")
        wait_ended(events, job, len(ended_of(events.facts, job)) + 2)
        for name in scene.stations:
            board_swap(scene, name)
        events.wait_fact("job.state", id=job, state="done")
        check_never_more(scene, job, 4)
        scene.check_facts(events)
        scene.check_runs()


def left_in_the_middle(programs, checks):
    """A board that a dying daemon left waiting for the rest of a block is found again, and soon."""
    with Scene(programs, f"{CHIP}=4", "--pace", checks=checks) as scene:
        scene.daemon.start()
        events = scene.events()
        job = scene.submit(scene.image(LONG), stations="all", trigger="on_insert")
        with events.changed:
            events.changed.wait_for(lambda: {p.data["station"] for p in events.progress
                                             if p.data.get("phase") == "write"} == set(scene.stations),
                                    harness.LIMIT_S)
        scene.daemon.kill()
        scene.daemon.start()
        began = time.monotonic()
        events.wait_fact("job.state", id=job, state="done")
        took = time.monotonic() - began
        checks.check(took < 12, f"boards are found again and done in {took:.1f} s")
        checks.equal(sorted(f.data["outcome"] for f in ended_of(events.facts, job)), ["pass"] * 4 + ["unknown"] * 4,
                     "the units in flight are unknown, and done again")
        for name in scene.stations:
            checks.check(scene.holds(name, LONG), f"{name} has the image")
        scene.check_facts(events)
        scene.check_runs()


def finished_before_the_crash(programs, checks):
    """A finished board that is still in its place after a restart is not counted a second time."""
    with Scene(programs, f"{CHIP}=2", checks=checks) as scene:
        scene.daemon.start()
        events = scene.events()
        job = scene.submit(scene.image(IMAGE), stations="all", trigger="on_insert", quantity=6)
        wait_ended(events, job, 2)
        for round_, how in enumerate(("kill", "stop"), 2):
            getattr(scene.daemon, how)()
            scene.daemon.start()
            for name in scene.stations:
                scene.wait_station(name, "removal")
            checks.equal(len(scene.runs(job=job)), 2 * round_ - 2, f"after {how}: no new run of the boards in place")
            for name in scene.stations:
                board_swap(scene, name)
            wait_ended(events, job, 2 * round_)
        events.wait_fact("job.state", id=job, state="done")
        uids = [run["uid"] for run in scene.runs(job=job)]
        checks.equal((len(uids), len(set(uids))), (6, 6), "six boards")
        check_never_more(scene, job, 6)
        scene.check_facts(events)
        scene.check_runs()


# --- stations


def disabled_stays_disabled(programs, checks):
    with Scene(programs, f"{CHIP}=3", checks=checks) as scene:
        scene.daemon.start()
        events = scene.events()
        image = scene.image(IMAGE)
        answer = scene.post("/v1/stations/A2/disable")
        checks.equal(answer["enabled"], False, "disabled")
        scene.wait_station("A2", "disabled")
        for how in ("stop", "kill"):
            getattr(scene.daemon, how)()
            scene.daemon.start()
            checks.equal(scene.station("A2")["enabled"], False, f"after {how}: remembered")
            scene.wait_station("A2", "disabled")
            job = scene.submit(image, stations="all")
            events.wait_fact("job.state", id=job, state="done")
            used = sorted(run["station"] for run in scene.runs(job=job))
            checks.equal(used, ["A1", "A3"], f"after {how}: all others")
        checks.check(scene.untouched("A2"), "the disabled station did nothing")
        scene.post("/v1/stations/A2/enable")
        scene.wait_station("A2", "idle")
        for how in ("stop", "kill"):
            getattr(scene.daemon, how)()
            scene.daemon.start()
            checks.equal(scene.station("A2")["enabled"], True, f"after {how}: enabled is remembered too")
        job = scene.submit(image, stations=["A2"])
        events.wait_fact("job.state", id=job, state="done")
        checks.check(scene.holds("A2", IMAGE), "and works again")
        checks.equal(scene.call("POST", "/v1/stations/Z9/disable", b"").status, 404, "no such station")


def disabled_after_its_unit(programs, checks):
    with Scene(programs, f"{CHIP}=1", "--pace", checks=checks) as scene:
        scene.daemon.start()
        events = scene.events()
        job = scene.submit(scene.image(IMAGE), stations="all", trigger="on_insert", quantity=2)
        wait_started(events, job, 1)
        scene.post("/v1/stations/A1/disable")
        checks.equal(wait_ended(events, job, 1)[0].data["outcome"], "pass", "the unit in work finishes")
        scene.wait_station("A1", "disabled")
        board_swap(scene, "A1")
        checks.equal(scene.farm.state("A1")[1]["open"], "0", "a disabled station lets go of its port")
        scene.post("/v1/stations/A1/enable")
        events.wait_fact("job.state", id=job, state="done")
        checks.check(scene.holds("A1", IMAGE), "the second after it was enabled")
        check_never_more(scene, job, 2)


def who_is_there(programs, checks):
    with Scene(programs, f"{CHIP}=4,stm32f407xg=1", "--pace", "--fault", "A2=silent", "--fault", "A3=protected",
               checks=checks) as scene:
        scene.daemon.start()
        events = scene.events()
        answer = scene.post("/v1/stations/A1/identify")
        _, board = scene.farm.state("A1")
        checks.equal(answer["chip_id"], "0x410", "chip id")
        checks.check(CHIP in answer["chips"], f"chips: {answer['chips']}")
        checks.equal((answer["uid"], answer["flash_size"], answer["protected"]), (board["uid"], 128 << 10, False),
                     "board")
        checks.equal(scene.post("/v1/stations/A5/identify")["chip_id"], "0x413", "another chip")
        refused = scene.call("POST", "/v1/stations/A2/identify", b"")
        checks.equal((refused.status, refused.json.get("class")), (502, "no-contact"), f"silent: {refused}")
        checks.equal(scene.post("/v1/stations/A3/identify")["protected"], True, "protected")
        checks.check(all(scene.untouched(name) for name in scene.stations[:2]), "looking touches nothing")
        checks.equal(scene.call("POST", "/v1/stations/Z9/identify", b"").status, 404, "no such station")
        scene.sim("unplug", "A4")
        refused = scene.call("POST", "/v1/stations/A4/identify", b"")
        checks.equal((refused.status, refused.json.get("class")), (502, "port-lost"), f"unplugged: {refused}")
        job = scene.submit(scene.image(IMAGE), stations=["A1"])
        wait_started(events, job, 1)
        checks.equal(scene.call("POST", "/v1/stations/A1/identify", b"").status, 409, "not while a unit is in work")
        events.wait_fact("job.state", id=job, state="done")
        checks.equal(scene.job(job)["counts"]["passed"], 1, "which was not disturbed")
        checks.equal(len(scene.runs()), 1, "looking is no run")


def reloaded_while_working(programs, checks):
    with Scene(programs, f"{CHIP}=5", "--pace", checks=checks, errors=("not reloaded",)) as scene:
        with open(scene.config, encoding="utf-8") as file:
            full = file.read()
        without = full[:full.index("[station A5]")]
        scene.edit_config(lambda _: without)
        scene.daemon.start()
        events = scene.events()
        image = scene.image(LONG)
        job = scene.submit(image, stations=["A1", "A2", "A3"], trigger="on_insert", quantity=3)
        wait_started(events, job, 3)
        opened = scene.farm.state("A1")[1]["open"]
        # A2 changes, A3 goes, A4 stays idle, A5 is new
        start, end = full.index("[station A3]"), full.index("[station A4]")
        changed = (full[:start] + full[end:]).replace("A2\nprotocol", "A2\nposition = left\nprotocol")
        scene.edit_config(lambda _: changed)
        scene.daemon.signal(signal.SIGHUP)
        scene.daemon.wait_log("stations reloaded")
        names = sorted(station["name"] for station in scene.get("/v1/stations")["items"])
        checks.equal(names, ["A1", "A2", "A4", "A5"], "stations")
        checks.equal(scene.call("GET", "/v1/stations/A3").status, 404, "A3 is no longer there")
        scene.wait_station("A5", "idle")
        ended = wait_ended(events, job, 3)
        checks.equal([f.data["outcome"] for f in ended], ["pass"] * 3, "units in work finish, wherever")
        checks.equal(opened, "1", "A1 was open")
        for name in ("A1", "A2", "A3"):
            checks.check(scene.holds(name, LONG), f"{name}: the image")
        scene.wait_until(lambda: scene.farm.state("A3")[1]["open"] == "0", "A3's port is let go")
        events.wait_fact("job.state", id=job, state="done")
        scene.wait_station("A2", "idle")
        checks.equal(scene.station("A2")["position"], "left", "A2 has its new settings")
        for name in ("A2", "A5"):
            board_swap(scene, name)
        job = scene.submit(scene.image(IMAGE), stations=["A2", "A5"])
        events.wait_fact("job.state", id=job, state="done")
        checks.equal(scene.job(job)["counts"]["passed"], 2, "the changed and the new station work")
        bad_reload(scene, changed)
        scene.check_facts(events)
        scene.check_runs()


def bad_reload(scene, good):
    before = [s["name"] for s in scene.get("/v1/stations")["items"]]
    seen = len(scene.daemon.log)
    scene.edit_config(lambda _: good.replace("[station A4]", "[station A4]\ncolour = red"))
    scene.daemon.signal(signal.SIGHUP)
    line = scene.daemon.wait_log("not reloaded", starts_at=seen)
    scene.checks.check("colour" in line and "flashfarm.conf" in line, f"what and where: {line}")
    scene.checks.equal([s["name"] for s in scene.get("/v1/stations")["items"]], before, "nothing changed")
    scene.edit_config(lambda _: good)


# --- requests


def idempotency(programs, checks):
    with Scene(programs, f"{CHIP}=2", checks=checks) as scene:
        scene.daemon.start()
        image = scene.image(IMAGE)
        order = {"chip": CHIP, "images": [image], "stations": "all", "trigger": "on_start", "quantity": 2}
        turned = dict(reversed(order.items()))
        other = order | {"quantity": 3}

        def post(key, body):
            return scene.call("POST", "/v1/jobs", body, {"Idempotency-Key": key})

        first = post("one", order)
        checks.equal((first.status, first.headers["Idempotent-Replayed"]), (202, None), "first")
        checks.equal(first.headers["Location"], f"/v1/jobs/{first.json['id']}", "where it is")
        for body, what in ((order, "again"), (turned, "again, members in another order")):
            again = post("one", body)
            checks.equal((again.status, again.json["id"], again.headers["Idempotent-Replayed"]),
                         (202, first.json["id"], "true"), what)
        checks.equal(post("one", other).status, 422, "the same key for another body")
        checks.check(post("two", order).json["id"] != first.json["id"], "another key, another job")
        for how in ("stop", "kill"):
            getattr(scene.daemon, how)()
            scene.daemon.start()
            again = post("one", order)
            checks.equal((again.status, again.json["id"], again.headers["Idempotent-Replayed"]),
                         (202, first.json["id"], "true"), f"after {how}")
            checks.equal(post("one", other).status, 422, f"after {how}: another body")
        at_the_same_time(scene, order)


def at_the_same_time(scene, order):
    answers, gate = [], threading.Barrier(8)

    def one():
        gate.wait()
        answers.append(scene.call("POST", "/v1/jobs", order, {"Idempotency-Key": "race"}))

    before = len(scene.items("/v1/jobs"))
    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    good = [answer for answer in answers if answer.status == 202]
    scene.checks.equal({answer.status for answer in answers} - {202, 409}, set(), f"answers: {answers}")
    scene.checks.equal(len({answer.json["id"] for answer in good}), 1, "one job for all")
    scene.checks.equal(sum(answer.headers["Idempotent-Replayed"] is None for answer in good), 1, "one of them made it")
    scene.checks.equal(len(scene.items("/v1/jobs")), before + 1, "one more job")


def found_by_work_order(programs, checks):
    with Scene(programs, f"{CHIP}=2", checks=checks) as scene:
        scene.daemon.start()
        events = scene.events()
        image = scene.image(IMAGE)
        jobs = {order: scene.submit(image, stations="all", work_order=order) for order in ("WO-1", "WO 2/ä&b", "")}
        for job in jobs.values():
            events.wait_fact("job.state", id=job, state="done")
        for order, job in list(jobs.items())[:2]:
            quoted = harness.urllib.parse.urlencode({"work_order": order})
            checks.equal([j["id"] for j in scene.items(f"/v1/jobs?{quoted}")], [job], f"jobs of {order!r}")
            runs = scene.runs(work_order=order)
            checks.equal([(r["job"], r["work_order"]) for r in runs], [(job, order)] * 2, f"runs of {order!r}")
        checks.equal(scene.runs(work_order="WO-9"), [], "no such work order")


# --- stopping


def stopped_in_good_order(programs, checks):
    with Scene(programs, f"{CHIP}=3", "--pace", checks=checks) as scene:
        scene.daemon.start()
        events = scene.events()
        image = scene.image(LONG)
        job = scene.submit(image, stations="all", trigger="on_insert", quantity=6)
        wait_started(events, job, 3)
        scene.daemon.signal(signal.SIGTERM)
        scene.daemon.wait_log("told to stop")
        refused = scene.call("POST", "/v1/jobs", {"chip": CHIP, "images": [image]})
        checks.check(refused.status in (409, 503), f"no new job while stopping: {refused}")
        checks.equal(scene.daemon.wait(), 0, "exit status")
        ledger = scene.ledger()
        checks.equal(last_of_work(scene), "daemon.stopped", "the last fact")
        checks.equal([f.data["outcome"] for f in ended_of(ledger, job)], ["pass"] * 3, "units in work finished")
        for name in scene.stations:
            checks.check(scene.holds(name, LONG), f"{name}: the image")
            board_swap(scene, name)
        scene.audit()
        scene.daemon.start()
        checks.equal(events.wait_fact("daemon.started", clean=True).data["clean"], True, "it was a clean stop")
        events.wait_fact("job.state", id=job, state="done")
        check_never_more(scene, job, 6)
        scene.check_facts(events)
        scene.check_runs()


def stopped_at_once(programs, checks):
    with Scene(programs, f"{CHIP}=3", "--pace", checks=checks) as scene:
        scene.daemon.start()
        events = scene.events()
        job = scene.submit(scene.image(harness.make_image(60000, seed=33)), stations="all")
        wait_started(events, job, 3)
        scene.daemon.signal(signal.SIGTERM)
        scene.daemon.wait_log("told to stop")
        began = time.monotonic()
        scene.daemon.signal(signal.SIGTERM)
        checks.equal(scene.daemon.wait(), 0, "exit status")
        took = time.monotonic() - began
        checks.check(took < 2.5, f"a second SIGTERM ends it at once: {took:.2f} s")
        ended = ended_of(scene.ledger(), job)
        checks.equal([(f.data["outcome"], f.data["class"]) for f in ended], [("fail", "cancelled")] * 3, "recorded")
        checks.equal(last_of_work(scene), "daemon.stopped", "the last fact")
        scene.audit()


def stopped_by_its_limit(programs, checks):
    with Scene(programs, f"{CHIP}=2", "--pace", config="stop_timeout = 1\n", checks=checks) as scene:
        scene.daemon.start()
        events = scene.events()
        job = scene.submit(scene.image(harness.make_image(60000, seed=33)), stations="all")
        wait_started(events, job, 2)
        began = time.monotonic()
        checks.equal(scene.daemon.stop(), 0, "exit status")
        took = time.monotonic() - began
        checks.check(1.0 <= took < 4.0, f"the limit is one second: {took:.2f} s")
        ended = ended_of(scene.ledger(), job)
        checks.equal([(f.data["outcome"], f.data["class"]) for f in ended], [("fail", "cancelled")] * 2, "recorded")
        scene.audit()


PLAYS = (
    quantity_smaller_than_stations, quantity_over_many_boards, one_press_one_unit, immediate_once_per_station,
    immediate_once_across_a_crash, hold_lets_units_finish, cancel_stops_units, held_while_connecting,
    cancelled_while_connecting, cancelled_before_the_pages, brake_holds_the_job, left_in_the_middle,
    finished_before_the_crash, disabled_stays_disabled, disabled_after_its_unit, who_is_there,
    reloaded_while_working, idempotency, found_by_work_order, stopped_in_good_order, stopped_at_once,
    stopped_by_its_limit)


def main():
    harness.play_all(harness.arguments(__doc__), harness.Checks(), PLAYS)


main()
