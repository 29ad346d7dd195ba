# SPDX-License-Identifier: Apache-2.0
"""Jobs on an RS-485 line: what stations that share one port do to each other."""
import os
import subprocess

import harness
from harness import Scene

CHIP = "p89lpc922"
IMAGE = harness.make_image(6000, seed=41)


def order(scene, **more):
    return scene.submit(scene.image(IMAGE, address=0), chip=CHIP, **more)


def ended(facts, count):
    return sum(fact.kind == "run.ended" for fact in facts) >= count


def units_that_stay_are_counted_once(programs, checks):
    """While one unit is programmed nobody asks the others whether they are still there: that is no removal."""
    with Scene(programs, "p89lpc922-rs485=4", "--pace", checks=checks, fill=False) as scene:
        scene.sim("remove", "A4")
        scene.daemon.start()
        events = scene.events()
        order(scene, stations="all", trigger="on_insert", quantity=30)
        for round_ in range(3):
            events.wait(lambda facts, wanted=3 + round_: ended(facts, wanted), "runs to end")
            scene.sim("remove", "A4")
            scene.wait_station("A4", "waiting")
            scene.sim("insert", "A4")
        events.wait(lambda facts: ended(facts, 6), "the last one to end")
        runs = scene.runs()
        checks.equal(sorted(run["station"] for run in runs), ["A1", "A2", "A3", "A4", "A4", "A4"], "runs")
        checks.equal({run["outcome"] for run in runs}, {"pass"}, "outcomes")
        scene.check_facts(events)
        scene.check_runs()


def recorded_on_a_line_in_step(programs, checks):
    """A player knows nothing of the line: what is recorded while the line is in step plays all the same."""
    for options in ((), ("--remote",)):
        with Scene(programs, "p89lpc922-rs485=3", *options, checks=checks, fill=False) as scene:
            path = os.path.join(scene.dir, "A2.dialogue")
            scene.daemon.start()
            events = scene.events()
            events.wait_fact("job.state", id=order(scene, stations="all"), state="done")
            record = scene.start_client("record", "A2", "--output", path)
            scene.wait_until(lambda: scene.station("A2")["recording"], "the recording")
            events.wait_fact("job.state", id=order(scene, stations=["A2"]), state="done")
            record.communicate(timeout=harness.LIMIT_S)
            played = subprocess.run([programs.dialogue_test, "--play", "rs485-isp", path], capture_output=True,
                                    text=True, timeout=harness.LIMIT_S, check=False)
            checks.equal(played.returncode, 0, f"{options}: {(played.stdout + played.stderr)[-600:]}")


PLAYS = (units_that_stay_are_counted_once, recorded_on_a_line_in_step)


def main():
    harness.play_all(harness.arguments(__doc__, dialogue_test=(str, "dialogue_test", "the player of dialogues")),
                     harness.Checks(), PLAYS)


main()
