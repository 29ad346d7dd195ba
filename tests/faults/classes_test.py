# SPDX-License-Identifier: Apache-2.0
"""Every fault ends in its own class, nothing is written to the wrong board, and nothing passes that should not."""
import harness
from harness import CHIP, FLASH, Scene

IMAGE = harness.make_image(6000, seed=11, hole=(1024, 2100))

# fault -> outcome, class, a word that the sentence must have
FAULTS = {
    "none": ("pass", None, None),
    "silent": ("aborted", "no-contact", "nothing answers"),
    "wrong-id": ("aborted", "wrong-chip", "0x414"),
    "nack-write@3": ("fail", "write", "0x08000"),
    "nack-erase": ("fail", "erase", "NACK"),
    "bad-cell@0x08000123": ("fail", "verify", "0x08000123"),
    "corrupt@5": ("fail", "verify", "verify at 0x08000"),
    "hang@4": ("fail", "timeout", "answer"),
    "unplug@5": ("fail", "port-lost", None),
    "garbage": ("aborted", "protocol", "instead of ACK"),
    "protected": ("aborted", "protected", "unprotect"),
    "drop-ack@3": ("pass", None, None),
    "nack-once@3": ("pass", None, None),
    "slow@3": ("pass", None, None),
    "marginal@57600": ("aborted", "protocol", "at 115200 baud"),  # without a reset there is no way to a lower rate
}
MANY = ["none", *FAULTS, "none"]  # one board each, good ones at both ends
RETRIED = ("drop-ack@3", "nack-once@3")


def expect(checks, scene, run, fault):
    outcome, failure, words = FAULTS[fault]
    name = run["station"]
    checks.equal((run["outcome"], run["class"]), (outcome, failure), f"{fault} at {name} ({run['message']})")
    checks.check(not words or words in (run["message"] or ""), f"{fault}: {words!r} in {run['message']!r}")
    if outcome == "pass":
        checks.check(scene.holds(name, IMAGE), f"{fault}: passed, so the flash is the image")
        checks.equal((run["verify"] or {}).get("method"), "read-back", f"{fault}: how it was verified")
        checks.equal(run["message"], None, f"{fault}: nothing to say of a pass")
    else:
        checks.check(not scene.holds(name, IMAGE), f"{fault}: did not pass, and the flash is not the image")
        checks.equal(run["verify"], None, f"{fault}: nothing verified")
    if outcome == "aborted":
        checks.check(scene.untouched(name), f"{fault}: aborted, so nothing was erased or written")
    if fault in RETRIED:
        checks.check(run["retries"] >= 1, f"{fault}: {run['retries']} retries")


def one_job_of_all(scene, events):
    checks = scene.checks
    for name, fault in zip(scene.stations, MANY):
        scene.sim("fault", name, fault)
    many = scene.stations[:len(MANY)]
    job = scene.submit(scene.image(IMAGE), stations=many, work_order="WO-1")
    events.wait_fact("job.state", id=job, state="done")
    runs = {run["station"]: run for run in scene.runs(job=job)}
    checks.equal(sorted(runs), sorted(many), "one run at every station")
    for name, fault in zip(many, MANY):
        expect(checks, scene, runs[name], fault)
    passed = [fault for fault in MANY if FAULTS[fault][0] == "pass"]
    job = scene.job(job)
    checks.equal(job["counts"]["passed"], len(passed), "how many passed")
    checks.equal(job["reason"], "every station has had its turn", "why the job is done")


def unplugged_comes_back(scene, events):
    """The station takes its port again by itself, and works."""
    checks = scene.checks
    name = scene.stations[MANY.index("unplug@5")]
    events.wait_fact("station.state", name=name, state="port-lost")
    checks.equal(scene.station(name)["state"], "port-lost", "unplugged")
    seen = len(events.facts)
    scene.sim("replug", name)
    events.wait(lambda facts: any(f.kind == "station.state" and f.data["name"] == name and
                                  f.data["state"] == "ready" for f in facts[seen:]), "the station to be ready")
    scene.wait_station(name, "idle")
    job = scene.submit(scene.image(IMAGE), stations=[name])
    ended = events.wait_fact("run.ended", id=events.wait_fact("run.started", job=job).data["id"])
    checks.equal(ended.data["outcome"], "pass", f"after replug: {ended}")
    checks.check(scene.holds(name, IMAGE), "after replug: the image")


def lost_before_it_began(scene, events):
    """`immediate` does not wait for a port that is not there."""
    name = scene.stations[0]
    scene.sim("unplug", name)
    events.wait_fact("station.state", name=name, state="port-lost")
    job = scene.submit(scene.image(IMAGE), stations=[name])
    events.wait_fact("job.state", id=job, state="done")
    run, = scene.runs(job=job)
    scene.checks.equal((run["outcome"], run["class"]), ("aborted", "port-lost"), "no port")
    scene.sim("replug", name)
    scene.wait_station(name, "idle")


def with_consent(scene, events):
    """Readout protection is removed when the job says so, and only then."""
    name = scene.stations[MANY.index("protected")]
    job = scene.submit(scene.image(IMAGE), stations=[name], unprotect=True)
    events.wait_fact("job.state", id=job, state="done")
    run, = scene.runs(job=job)
    scene.checks.equal((run["outcome"], run["class"]), ("pass", None), f"unprotect: {run['message']}")
    scene.checks.check(run["uid"], "unprotect: the UID is known afterwards")
    scene.checks.check(scene.holds(name, IMAGE), "unprotect: the image")


def two_with_one_uid(scene, events):
    checks = scene.checks
    first, second = scene.stations[-2:]
    scene.sim("fault", second, f"duplicate-uid={first}")
    job = scene.submit(scene.image(IMAGE), stations=[first, second], trigger="on_insert", quantity=2)
    events.wait(lambda facts: len([f for f in facts if f.kind == "run.ended" and
                                   f.data["id"] in ids(facts, job)]) == 2, "both to end")
    runs = sorted(scene.runs(job=job), key=lambda run: run["outcome"])
    checks.equal([(run["outcome"], run["class"]) for run in runs], [("aborted", "duplicate-uid"), ("pass", None)],
                 "one UID at two stations")
    checks.equal(runs[0]["uid"], runs[1]["uid"], "the UID is on the record of both")
    checks.check(runs[1]["station"] in runs[0]["message"], f"who has it: {runs[0]['message']}")
    checks.check(scene.untouched(runs[0]["station"]), "the second is not touched")
    checks.check(scene.holds(runs[1]["station"], IMAGE), "the first is programmed")
    scene.post(f"/v1/jobs/{job}/cancel")
    for name in (first, second):
        scene.sim("fault", name, "none")


def ids(facts, job):
    return {f.data["id"] for f in facts if f.kind == "run.started" and f.data["job"] == job}


def refused_at_once(scene):
    """What can never work is refused before any board is touched, and the sentence says where."""
    checks, before = scene.checks, len(scene.ledger())
    larger = scene.image(harness.make_image(128 * 1024 + 4, seed=3))
    outside = scene.image(harness.make_image(500, seed=4), address=0x20000000)
    straddling = scene.image(harness.make_image(6000, seed=5), address=FLASH - 0x400)
    after = len(scene.ledger())
    for image, address in ((larger, "0x08020003"), (outside, "0x20000000"), (straddling, "0x07fffc00")):
        answer = scene.call("POST", "/v1/jobs", {"chip": CHIP, "images": [image], "stations": "all"})
        checks.equal(answer.status, 422, f"image at {address}: {answer}")
        checks.equal(answer.headers["Content-Type"], "application/problem+json", "a problem")
        checks.check(address in answer.json["detail"], f"{address} in {answer.json['detail']!r}")
    lines = harness.hex_file(IMAGE).split(b"\r\n")
    lines[6] = lines[6][:-2] + b"%02X" % (int(lines[6][-2:], 16) ^ 1)
    for name, data in (("checksum", b"\r\n".join(lines)), ("cut off", b"\r\n".join(lines[:6]) + b"\r\n:10")):
        answer = scene.upload(data, name="broken.hex", address=None)
        checks.equal(answer.status, 422, f"{name}: {answer}")
        checks.check("line 7" in answer.json["detail"], f"{name}: the line in {answer.json['detail']!r}")
    checks.equal(scene.upload(harness.hex_file(IMAGE), name="good.hex", address=None).status, 201, "the same, whole")
    checks.equal((after - before, len(scene.ledger()) - after), (3, 1), "only images are on the record")


def all_good_again(scene, events):
    """No fault leaves anything behind in the daemon."""
    for name in scene.stations:
        scene.sim("fault", name, "none")
        scene.sim("insert", name)
        scene.sim("fill", name, str(harness.JUNK))
    job = scene.submit(scene.image(IMAGE), stations="all")
    events.wait_fact("job.state", id=job, state="done")
    scene.checks.equal(scene.job(job)["counts"]["passed"], len(scene.stations), "all pass now")
    for name in scene.stations:
        scene.checks.check(scene.holds(name, IMAGE), f"{name}: the image")
        scene.checks.equal(scene.station(name)["state"], "idle", f"{name} is idle")


def main():
    programs = harness.arguments(__doc__)
    with Scene(programs, f"{CHIP}={len(MANY) + 2}") as scene:
        scene.daemon.start()
        events = scene.events()
        one_job_of_all(scene, events)
        scene.check_last()
        unplugged_comes_back(scene, events)
        lost_before_it_began(scene, events)
        with_consent(scene, events)
        refused_at_once(scene)
        two_with_one_uid(scene, events)
        scene.check_last()
        all_good_again(scene, events)
        scene.check_facts(events)
        scene.check_runs()
        scene.check_last()
        scene.checks.equal(scene.daemon.stop(), 0, "exit status")
        scene.audit()
    scene.checks.finish()


main()
