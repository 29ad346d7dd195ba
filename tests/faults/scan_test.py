# SPDX-License-Identifier: Apache-2.0
"""One scanner for the whole farm: a panel's code goes to all stations that it is for or to none, a second reading
starts nothing twice, and what could mean two things means nothing. And one START for many stations.
"""
import harness
from harness import CHIP, FLASH, Scene

IMAGE = harness.make_image(6000, seed=71)
SMALL = harness.make_image(900, seed=72)
SERIAL = FLASH + 0x1F800
FIELDS = [{"name": "serial", "address": SERIAL, "width": 16, "encoding": "ascii", "source": {"unit": "serial"},
           "pad": 0}]


def begin(programs, checks, positions, *options, fixtures=()):
    """Stations A1, A2, … at those positions, and perhaps in those fixtures; the daemon runs."""
    scene = Scene(programs, f"{CHIP}={len(positions)}", *options, checks=checks)

    def change(text):
        for index, position in enumerate(positions):
            more = f"fixture = {fixtures[index]}\n" if fixtures else ""
            text = text.replace(f"[station A{index + 1}]\n",
                                f"[station A{index + 1}]\n{more}" + (f"position = {position}\n" if position else ""))
        return text
    scene.edit_config(change)
    scene.daemon.start()
    return scene


def units(code, *places, key="position"):
    return [{"serial": f"{code}-{place}", "code": code, key: place} for place in places]


def order(scene, image=SMALL, **more):
    return scene.submit(scene.image(image), **({"stations": "all", "trigger": "on_start", "fields": FIELDS} | more))


def scan(scene, code, status=200, **more):
    answer = scene.call("POST", "/v1/scan", {"code": code} | more)
    scene.checks.equal(answer.status, status, f"scan of {code!r}: {answer}")
    return answer.json if status == 200 else answer.json["detail"]


def start(scene, status=200, **body):
    answer = scene.call("POST", "/v1/start", body)
    scene.checks.equal(answer.status, status, f"START of {body}: {answer}")
    return answer.json["started"] if status == 200 else answer.json["detail"]


def names(answer):
    return [entry["station"] for entry in answer["assigned"]]


def says(scene, sentence, *words):
    for word in words:
        scene.checks.check(word in sentence, f"{word!r} in {sentence!r}")


def wait_for(scene, *stations):
    for name in stations:
        scene.wait_station(name, "waiting")


def wait_ends(events, count):
    def ended(facts):
        ends = [fact.data for fact in facts if fact.kind == "run.ended"]
        return ends if len(ends) >= count else None
    return events.wait(ended, f"{count} runs to end")


def runs_begun(scene):
    return scene.query("SELECT count(*) FROM ledger WHERE kind = 'run.started'")[0][0]


# --- panels


def panel_by_position(programs, checks):
    """Four boards of one code, by their places; read twice; and again when all is done."""
    with begin(programs, checks, ["10", "9", "2", "1"], "--pace") as scene:
        events = scene.events()
        job = order(scene, IMAGE, units=units("PANEL-7", "1", "2", "9", "10"))
        wait_for(scene, "A1", "A2", "A3", "A4")
        dry = scan(scene, "PANEL-7", dry_run=True)
        checks.equal([(entry["station"], entry["position"], entry["unit"]) for entry in dry["assigned"]],
                     [("A4", "1", 0), ("A3", "2", 1), ("A2", "9", 2), ("A1", "10", 3)], "by number, not by letter")
        says(scene, dry["sentence"], "PANEL-7", "A4, A3, A2, A1", "nothing was done")
        checks.equal((runs_begun(scene), [scene.station(name)["code"] for name in scene.stations]), (0, [None] * 4),
                     "a dry run")
        for wrong in ("PANEL-8", "PANEL-", "panel-7"):
            says(scene, scan(scene, wrong, 422), wrong)
        scan(scene, "", 422)
        scan(scene, "x" * 128, 422)
        says(scene, scan(scene, "PANEL-7", 422, skip=["Z9"]), "skip", "Z9")
        checks.equal(runs_begun(scene), 0, "nothing has begun yet")
        first = scan(scene, "PANEL-7")
        checks.equal((first["assigned"], first["repeated"]), (dry["assigned"], False), "as was told")
        says(scene, first["sentence"], "leave the boards in")
        again = scan(scene, "PANEL-7")
        checks.equal((again["assigned"], again["repeated"]), (first["assigned"], True), "read twice")
        says(scene, again["sentence"], "read before", "nothing was done")
        wait_ends(events, 4)
        events.wait_fact("job.state", id=job, state="done")
        checks.equal(runs_begun(scene), 4, "each once")
        for name, place in (("A4", "1"), ("A3", "2"), ("A2", "9"), ("A1", "10")):
            run = scene.runs(station=name)[0]
            checks.equal((run["serial"], run["outcome"], run["code"]),
                         (f"PANEL-7-{place}", "pass", "PANEL-7"), name)
            flash = scene.farm.dump(name)[SERIAL - FLASH:][:16]
            checks.equal(flash, f"PANEL-7-{place}".encode().ljust(16, b"\0"), f"{name}: in the chip")
        scan(scene, "PANEL-7", 422)


def some_are_left_out(programs, checks):
    with begin(programs, checks, ["1", "2", "3", "4"], "--pace") as scene:
        events = scene.events()
        job = order(scene, IMAGE, units=units("P", "1", "2", "3", "4"))
        wait_for(scene, *scene.stations)
        says(scene, scan(scene, "P", 409, skip=scene.stations), "left out")
        checks.equal(names(scan(scene, "P", skip=["A2", "A4"])), ["A1", "A3"], "two of four")
        half = scan(scene, "P", dry_run=True)
        checks.equal((names(half), half["repeated"]), (["A2", "A4"], False), "the others, while those are at work")
        says(scene, half["sentence"], "in work: 2")
        wait_ends(events, 2)
        checks.equal((scene.untouched("A2"), scene.untouched("A4")), (True, True), "the two that were left out")
        rest = scan(scene, "P")
        checks.equal(names(rest), ["A2", "A4"], "the rest")
        says(scene, rest["sentence"], "made already: 2")
        events.wait_fact("job.state", id=job, state="done")
        checks.equal(sorted(run["serial"] for run in scene.runs(job=job, outcome="pass")),
                     ["P-1", "P-2", "P-3", "P-4"], "each made once")


def a_board_that_failed(programs, checks):
    """It is made again by the same code; the others are not."""
    with begin(programs, checks, ["1", "2"], "--fault", "A2=nack-erase") as scene:
        events = scene.events()
        order(scene, units=units("F", "1", "2"))
        wait_for(scene, "A1", "A2")
        scan(scene, "F")
        checks.equal(sorted(run["outcome"] for run in wait_ends(events, 2)), ["fail", "pass"], "one of two")
        scene.sim("fault", "A2", "none")
        wait_for(scene, "A2")
        checks.equal(names(scan(scene, "F")), ["A2"], "the one that failed")
        checks.equal(wait_ends(events, 3)[2]["outcome"], "pass", "made")


def all_or_nothing(programs, checks):
    """One station that cannot: the sentence names it and the remedy, and no other has begun."""
    with begin(programs, checks, ["1", "2", "3", "4"], "--pace") as scene:
        job = order(scene, IMAGE, units=units("P", "1", "2", "3", "4"))
        events = scene.events()
        wait_for(scene, *scene.stations)

        def refused(*words):
            says(scene, scan(scene, "P", 409), *words)
            says(scene, scan(scene, "P", 409, dry_run=True), *words)
        scene.post("/v1/stations/A2/disable")
        scene.wait_station("A2", "disabled")
        refused("A2", "disabled", "enable it")
        checks.equal(names(scan(scene, "P", dry_run=True, skip=["A2"])), ["A1", "A3", "A4"], "without it")
        scene.post("/v1/stations/A2/enable")
        wait_for(scene, "A2")
        scene.sim("unplug", "A3")
        scene.wait_station("A3", "port-lost")
        refused("A3", "lost its port", "plug it in")
        scene.sim("replug", "A3")
        wait_for(scene, "A3")
        scene.post(f"/v1/jobs/{job}/hold")
        scene.wait_station("A1", "idle")
        refused(f"job {job}", "held", "resume")
        scene.post(f"/v1/jobs/{job}/resume")
        wait_for(scene, *scene.stations)
        other = order(scene, stations=["A4"], units=[{"serial": "Q-1"}])
        scene.post(f"/v1/jobs/{job}/hold")
        wait_for(scene, "A4")
        start(scene, stations=["A4"])
        scene.wait_station("A4", "running")
        scene.post(f"/v1/jobs/{job}/resume")
        refused("A4", "in work", "wait")
        events.wait_fact("job.state", id=other, state="done")
        checks.equal(runs_begun(scene), 1, "nothing but the other job's")
        scene.sim("insert", "A4")
        wait_for(scene, *scene.stations)
        checks.equal(names(scan(scene, "P")), ["A1", "A2", "A3", "A4"], "at last")
        events.wait_fact("job.state", id=job, state="done")


def a_port_that_goes(programs, checks):
    """A code is for the board that was there when it was read, and not for what comes after the port has gone."""
    with begin(programs, checks, ["1"]) as scene:
        order(scene, trigger="on_insert", units=units("P", "1"))
        scene.sim("remove", "A1")
        wait_for(scene, "A1")
        says(scene, scan(scene, "P")["sentence"], "A1", "insert")
        checks.equal(scene.station("A1")["code"], "P", "it is told")
        checks.equal(scan(scene, "P")["repeated"], True, "read twice before the board is in")
        scene.sim("unplug", "A1")
        scene.wait_station("A1", "port-lost")
        checks.equal(scene.station("A1")["code"], None, "forgotten")
        scene.sim("replug", "A1")
        wait_for(scene, "A1")
        checks.equal((scan(scene, "P")["repeated"], scene.station("A1")["code"]), (False, "P"), "read again")
        scene.sim("insert", "A1")
        scene.wait_until(lambda: scene.runs(outcome="pass"), "the board to be made")


def two_boards_for_one_station(programs, checks):
    with begin(programs, checks, ["1", "2"]) as scene:
        events = scene.events()
        answer = scene.call("POST", "/v1/jobs", {
            "chip": CHIP, "images": [scene.image(SMALL)], "stations": "all", "trigger": "on_start", "fields": FIELDS,
            "units": [{"serial": "a", "code": "P"}, {"serial": "b", "code": "P"}]})
        checks.equal(answer.status, 422, "two boards of one code and nothing to tell them apart")
        job = order(scene, units=units("S", "A2", "A1", key="station") + [
            {"serial": "X", "code": "T", "station": "A1", "position": "left"},
            {"serial": "Y", "code": "T", "station": "A1", "position": "right"}])
        wait_for(scene, "A1", "A2")
        says(scene, scan(scene, "T", 409), "two boards", "A1", "position")
        checks.equal(names(scan(scene, "S")), ["A1", "A2"], "by station")
        wait_ends(events, 2)
        checks.equal([scene.runs(station=name)[0]["serial"] for name in ("A1", "A2")], ["S-A1", "S-A2"], "each its own")
        scene.sim("insert", "A1")
        wait_for(scene, "A1")
        scene.post("/v1/stations/A1/scan", {"code": "T", "position": "right"})
        checks.equal(wait_ends(events, 3)[2]["outcome"], "pass", "the right one")
        checks.equal(scene.runs(station="A1")[0]["serial"], "Y", "and no other")
        scene.sim("insert", "A1")
        wait_for(scene, "A1")
        checks.equal(scan(scene, "T")["assigned"], [{"station": "A1", "position": "left", "unit": 2, "code": "T"}],
                     "the one that is left")
        events.wait_fact("job.state", id=job, state="done")


def two_fixtures(programs, checks):
    """Positions that are counted alike: the fixture that waits has the panel; when both wait, nobody knows."""
    with begin(programs, checks, ["1", "2", "1", "2"], fixtures=["left", "left", "right", "right"]) as scene:
        job = order(scene, units=units("P", "1", "2") + units("Q", "1", "2"))
        events = scene.events()
        wait_for(scene, *scene.stations)
        says(scene, scan(scene, "P", 409), "position 1", "A1", "A3", "leave")
        says(scene, scan(scene, "P", 409, skip=["A1", "A4"]), "left", "right", "fixture")
        checks.equal(names(scan(scene, "P", skip=["A1", "A2"])), ["A3", "A4"], "the right one")
        wait_ends(events, 2)
        wait_for(scene, *scene.stations)
        for name in ("A3", "A4"):
            scene.post(f"/v1/stations/{name}/disable")
            scene.wait_station(name, "disabled")
        checks.equal(names(scan(scene, "Q")), ["A1", "A2"], "the only one that waits")
        events.wait_fact("job.state", id=job, state="done")


# --- orders


def two_jobs(programs, checks):
    """The same code in two orders: at stations of their own nobody knows which; behind each other it is the first."""
    with begin(programs, checks, ["1", "2", "1", "2"]) as scene:
        events = scene.events()
        first = order(scene, stations=["A1", "A2"], units=units("P", "1", "2"))
        second = order(scene, stations=["A3", "A4"], units=[
            unit | {"serial": "second" + unit["position"]} for unit in units("P", "1", "2")])
        wait_for(scene, *scene.stations)
        says(scene, scan(scene, "P", 409), f"job {first}", f"job {second}", "hold")
        scene.post(f"/v1/jobs/{first}/hold")
        checks.equal(names(scan(scene, "P")), ["A3", "A4"], "the one that is not held")
        events.wait_fact("job.state", id=second, state="done")
        says(scene, scan(scene, "P", 409), f"job {first}", "held")
        scene.post(f"/v1/jobs/{first}/resume")
        third = order(scene, stations=["A1", "A2"], units=[
            unit | {"serial": "third" + unit["position"]} for unit in units("P", "1", "2")])
        wait_for(scene, "A1", "A2")
        checks.equal(names(scan(scene, "P")), ["A1", "A2"], "the older one at the same stations")
        events.wait_fact("job.state", id=first, state="done")
        checks.equal(sorted(run["serial"] for run in scene.runs(job=first)), ["P-1", "P-2"], "its units")
        for name in ("A1", "A2"):
            scene.sim("insert", name)
        wait_for(scene, "A1", "A2")
        scan(scene, "P")
        events.wait_fact("job.state", id=third, state="done")


def codes_of_single_boards(programs, checks):
    """Without a place: the next station that waits, in the order in which people count."""
    with begin(programs, checks, ["P10", "P9", "", "P2"]) as scene:
        events = scene.events()
        job = order(scene, quantity=2, units=[{"serial": f"N-{i}", "code": f"B{i}"} for i in range(2)])
        wait_for(scene, *scene.stations)
        checks.equal(scan(scene, "B1")["assigned"], [{"station": "A4", "position": "P2", "unit": 1, "code": "B1"}],
                     "the first by position")
        wait_ends(events, 1)
        says(scene, scan(scene, "B1", 422), "made already")
        checks.equal(names(scan(scene, "B0", skip=["A4"])), ["A2"], "then the next")
        events.wait_fact("job.state", id=job, state="done")
        # A code that no unit has: whoever asks for such codes.
        for name in ("A2", "A4"):
            scene.sim("insert", name)
        job = order(scene, fields=[], quantity=3, board_code="X-[0-9]+")
        wait_for(scene, *scene.stations)
        scan(scene, "Y-1", 422)
        checks.equal([(entry["station"], entry["unit"]) for entry in scan(scene, "X-1")["assigned"]], [("A4", None)],
                     "nobody's unit")
        wait_ends(events, 3)
        scene.post("/v1/stations/A4/disable")
        scene.wait_station("A4", "disabled")
        checks.equal(names(scan(scene, "X-2")), ["A2"], "not the one that is disabled")
        wait_ends(events, 4)
        other = order(scene, fields=[], stations=["A1"], board_code="X-[0-9]+")
        checks.equal(names(scan(scene, "X-3", skip=["A2", "A4"])), ["A1"], "the other job stands behind this one")
        events.wait_fact("job.state", id=job, state="done")
        for name in ("A1", "A2"):
            scene.sim("insert", name)
        wait_for(scene, "A1")
        another = order(scene, fields=[], stations=["A2"], board_code=["X-4"])
        wait_for(scene, "A2")
        says(scene, scan(scene, "X-4", 409), f"job {other}", f"job {another}")
        checks.equal(names(scan(scene, "X-5")), ["A1"], "the only one that takes it")
        events.wait_fact("job.state", id=other, state="done")
        checks.equal(scene.runs(job=other)[0]["code"], "X-5", "the code is in the record")


def no_more_than_ordered(programs, checks):
    """A panel of four boards, two of them ordered: nobody chooses which."""
    with begin(programs, checks, ["1", "2", "3", "4"]) as scene:
        job = order(scene, quantity=2, units=units("P", "1", "2", "3", "4"))
        events = scene.events()
        wait_for(scene, *scene.stations)
        says(scene, scan(scene, "P", 409), f"job {job}", "2 more", "4")
        checks.equal(names(scan(scene, "P", skip=["A1", "A4"])), ["A2", "A3"], "those that are chosen")
        events.wait_fact("job.state", id=job, state="done")
        checks.equal(runs_begun(scene), 2, "runs")


# --- while boards are awaited


def before_they_are_in(programs, checks):
    """On insertion: the code comes first, each station keeps its own, and another panel does not push it out."""
    with begin(programs, checks, ["1", "2"]) as scene:
        for name in scene.stations:
            scene.sim("remove", name)
        events = scene.events()
        job = order(scene, trigger="on_insert", units=units("P", "1", "2") + units("Q", "1", "2"))
        wait_for(scene, *scene.stations)
        checks.equal(scene.station("A1")["message"], "read the board's code", "it waits for one")
        says(scene, scan(scene, "P")["sentence"], "insert the boards")
        says(scene, scan(scene, "Q", 409), "A1", '"P"', "insert that one")
        checks.equal(runs_begun(scene), 0, "nothing is in yet")
        scene.sim("insert", "A2")
        checks.equal(wait_ends(events, 1)[0]["outcome"], "pass", "A2")
        scene.wait_station("A2", "removal")
        says(scene, scan(scene, "Q", 409, skip=["A1"]), "A2", "take that out")
        scene.sim("insert", "A1")
        wait_ends(events, 2)
        checks.equal([scene.runs(station=name)[0]["serial"] for name in scene.stations], ["P-1", "P-2"], "P")
        for name in scene.stations:
            scene.sim("remove", name)
            wait_for(scene, name)
        checks.equal(names(scan(scene, "Q")), ["A1", "A2"], "Q")
        for name in scene.stations:
            scene.sim("insert", name)
        events.wait_fact("job.state", id=job, state="done")


def boards_that_bring_their_port(programs, checks):
    """Read at the station while nothing is plugged in: that code waits for the port."""
    with begin(programs, checks, ["1"]) as scene:
        scene.sim("unplug", "A1")
        job = order(scene, trigger="on_insert", units=units("P", "1"))
        scene.wait_station("A1", "port-lost")
        says(scene, scan(scene, "P", 409), "A1", "lost its port")
        scene.post("/v1/stations/A1/scan", {"code": "P"})
        scene.sim("replug", "A1")
        scene.events().wait_fact("job.state", id=job, state="done")
        checks.equal(scene.runs()[0]["code"], "P", "its code")


def at_once(programs, checks):
    """Without START and insertion the code is what begins a run."""
    with begin(programs, checks, ["1", "2"]) as scene:
        job = order(scene, trigger="immediate", units=units("P", "1", "2"))
        wait_for(scene, "A1", "A2")
        says(scene, scan(scene, "P")["sentence"], "A1, A2 have begun")
        scene.events().wait_fact("job.state", id=job, state="done")
        checks.equal([scene.runs(station=name)[0]["serial"] for name in scene.stations], ["P-1", "P-2"], "units")


def an_order_that_is_held(programs, checks):
    """What was read for one order is not taken for the next one's board."""
    with begin(programs, checks, ["1"]) as scene:
        scene.sim("remove", "A1")
        first = order(scene, trigger="on_insert", units=units("P", "1"))
        second = order(scene, trigger="on_insert", fields=[])
        wait_for(scene, "A1")
        scan(scene, "P")
        scene.post(f"/v1/jobs/{first}/hold")
        scene.wait_until(lambda: scene.station("A1")["code"] is None, "the code to be forgotten")
        scene.sim("insert", "A1")
        scene.events().wait_fact("job.state", id=second, state="done")
        checks.equal(scene.runs(job=second)[0]["code"], None, "not that code")


# --- START


def start_of_many(programs, checks):
    with begin(programs, checks, ["4", "3", "2", "1"]) as scene:
        events = scene.events()
        says(scene, start(scene, 409, stations="all"), "no station waits")
        job = order(scene, fields=[], quantity=5)
        wait_for(scene, *scene.stations)
        start(scene, 422, stations=["A1", "Z9"])
        scene.post("/v1/stations/A2/disable")
        scene.wait_station("A2", "disabled")
        says(scene, start(scene, 409, stations=["A1", "A2"]), "A2", "disabled")
        checks.equal(runs_begun(scene), 0, "all of those that are named or none")
        checks.equal(start(scene, stations="all", skip=["A3"]), ["A4", "A1"], "those that wait, by position")
        wait_ends(events, 2)
        scene.post("/v1/stations/A2/enable")
        wait_for(scene, *scene.stations)
        checks.equal(start(scene, stations="all"), ["A4", "A3", "A2"], "no more than the order wants")
        events.wait_fact("job.state", id=job, state="done")
        checks.equal([run["outcome"] for run in scene.runs(job=job)], ["pass"] * 5, "runs")
        order(scene, units=units("P", "1"))
        wait_for(scene, "A4")
        says(scene, start(scene, 409, stations=["A4"]), "read the board's code")
        says(scene, start(scene, 409, stations="all"), "no station waits")


PLAYS = (
    panel_by_position, some_are_left_out, a_board_that_failed, all_or_nothing, a_port_that_goes,
    two_boards_for_one_station, two_fixtures, two_jobs, codes_of_single_boards, no_more_than_ordered,
    before_they_are_in, boards_that_bring_their_port, at_once, an_order_that_is_held, start_of_many)


def main():
    harness.play_all(harness.arguments(__doc__), harness.Checks(), PLAYS)


main()
