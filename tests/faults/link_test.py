# SPDX-License-Identifier: Apache-2.0
"""What a run tells of its way to the board: how often contact was sought, what was refused, what was sent again. A good
board on a good wire gives 1, 0 and 0 at every protocol, so that one that does not stands out among its peers.
"""
import harness
import kinds
from harness import Scene

SIZE = 6000  # a second block of any size is all of the image
CLEAN = {"attempts": 1, "naks": 0, "resends": 0}


class Least:
    """Counts that are at least these: faults have consequences of their own."""

    def __init__(self, **least):
        self.least = least

    def fits(self, link):
        return all(link[name] >= count for name, count in self.least.items())

    def __repr__(self):
        return f"at least {self.least}"


REFUSED_ONCE = Least(attempts=1, naks=1, resends=1)
REFUSED_ALWAYS = Least(attempts=1, naks=2, resends=1)

TRIALS = {
    "stm32_uart": (kinds.STM32, {
        "none": CLEAN, "nack-once@2": CLEAN | {"naks": 1, "resends": 1}, "nack-write@2": REFUSED_ALWAYS,
        "nack-erase": CLEAN | {"naks": 2, "resends": 1}, "drop-ack@2": CLEAN, "marginal@57600": Least(attempts=2),
        "silent": Least(attempts=2)}),
    "lpc_uart": (kinds.LPC1114, {"none": CLEAN, "nack-once@2": REFUSED_ONCE, "nack-erase": REFUSED_ALWAYS}),
    "lpc2148": (kinds.LPC2148, {"none": CLEAN}),
    "esp_rom": (kinds.ESP32, {"none": CLEAN, "nack-once@2": REFUSED_ONCE}),
    "esp32c3": (kinds.ESP32C3, {"none": CLEAN, "nack-once@2": REFUSED_ONCE}),
    "esp8266": (kinds.ESP8266, {"none": CLEAN, "nack-once@2": REFUSED_ONCE}),
    "stk500v1": (kinds.OPTIBOOT, {"none": CLEAN, "silent": Least(attempts=2)}),
    "stk500v2": (kinds.MEGA2560_DENSE, {"none": CLEAN}),
    "avr109": (kinds.MEGA32U4, {"none": CLEAN}),
    "p89lpc9xx": (kinds.P89LPC, {"none": CLEAN, "nack-once@2": REFUSED_ONCE}),
    "rs485_isp": (kinds.UNIT485, {"none": CLEAN, "none ": CLEAN, "none  ": CLEAN}),
    # What is sent to all of a line reaches its good boards no better when a bad one is among them.
    "rs485_faults": (kinds.UNIT485, {"none": Least(attempts=1), "drop-ack@2": Least(attempts=1, resends=1),
                                     "nack-write@2": Least(attempts=1, naks=1)}),
}


def fits(wanted, link):
    return wanted.fits(link) if isinstance(wanted, Least) else wanted == link


def play(name, kind, faults, **more):
    def one(programs, checks):
        options = [] if kind.protocol == "avr109" else ["--remote"]
        with Scene(programs, f"{kind.board}={len(faults)}", *options, checks=checks) as scene:
            scene.daemon.start()
            events = scene.events()
            answer = scene.upload(kind.file(kind.content(SIZE, programs.seed)), name="fw.hex", address=None)
            named = dict(zip(scene.stations, faults))
            for station, fault in named.items():
                scene.sim("fault", station, fault.strip())
            job = scene.submit(answer.json["id"], chip=kind.chip, stations="all", quantity=len(faults), **more)
            events.wait_fact("job.state", id=job, state="done", timeout_s=100)
            stations = {fact.data["id"]: fact.data["station"] for fact in events.of("run.started")}
            for fact in events.of("run.ended"):
                fault, link = named[stations[fact.data["id"]]], fact.data["link"]
                checks.equal(sorted(link), sorted(CLEAN), f"{kind} {fault}: members")
                checks.check(fits(faults[fault], link), f"{kind} {fault}: {link}, expected {faults[fault]}: "
                             f"{fact.data['outcome']}, {fact.data.get('message')}")
            checks.equal(len(events.of("run.ended")), len(faults), "runs")
    one.__name__ = name
    return one


def plays(leave_out):
    """All faults; and one good board of each kind that was found by probing, and is in step when its run begins."""
    wanted = {name: trial for name, trial in TRIALS.items() if trial[0].protocol not in leave_out}
    yield from (play(name, kind, faults) for name, (kind, faults) in wanted.items())
    yield from (play(name + "_probed", kind, {"none": CLEAN}, trigger="on_insert")
                for name, (kind, faults) in wanted.items() if faults["none"] == CLEAN)


def main():
    programs = harness.arguments(__doc__, without=(str, "", "protocols to leave out, with commas"))
    harness.play_all(programs, harness.Checks(), list(plays(programs.without.split(","))))


main()
