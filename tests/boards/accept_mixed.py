# SPDX-License-Identifier: Apache-2.0
"""One farm of several models, and of two programs where flashfarm-sim-avr is beside flashfarm-sim.

usage: accept_mixed.py FLASHFARM-SIM
"""
import os
import re
import subprocess
import sys
import tempfile

from farm import READY_TIMEOUT_S, Checks, Farm

PORTS = r"(?m)^\[station (\S+)\]\nport = (\S+)\nprotocol = (\S+)$"


def stations(farm):
    with open(os.path.join(farm.dir, "flashfarm.conf"), encoding="ascii") as file:
        return {name: (port, protocol) for name, port, protocol in re.findall(PORTS, file.read())}


def own(checks, program):
    with Farm(program, "stm32f103xb=2,p89lpc922-rs485=3,p89lpc921,p89lpc920-rs485=2", "--fault", "A8=silent",
              "--remote=A2,A3") as farm:
        known = stations(farm)
        checks.equal(farm.ask("list"), "ok A1:fresh A2:running A3:fresh A4:fresh A5:fresh A6:fresh A7:fresh A8:fresh",
                     "list")
        checks.equal([protocol for _, protocol in known.values()],
                     ["stm32-uart"] * 2 + ["rs485-isp"] * 3 + ["p89lpc9xx"] + ["rs485-isp"] * 2, "protocols")
        line = known["A3"][0].split("#")[0]
        checks.check(re.fullmatch(r"rs485:rfc2217:127\.0\.0\.1:\d+", line), "the line has one port")
        checks.equal([known[name][0] for name in ("A3", "A4", "A5")], [f"{line}#{i}" for i in (1, 2, 3)], "three units")
        checks.equal([known[name][0] for name in ("A7", "A8")], [f"rs485:{farm.port('A7-A8')}#{i}" for i in (1, 2)],
                     "the other line")
        checks.equal({name: farm.state(name)[1]["port"] for name in known},
                     {name: port for name, (port, _) in known.items()}, "state tells the ports")
        farm.ask("unplug", "A4")
        checks.equal([farm.state(name)[0] for name in ("A3", "A5", "A6")], ["unplugged", "unplugged", "fresh"],
                     "a line that is unplugged is so for all its units")
        checks.equal(farm.ask("replug", "A5"), "ok", "replug")
        checks.equal(farm.state("A3")[0], "fresh", "and is back for all")


def with_helper(checks, program):
    with Farm(program, "atmega328p=2,stm32f103xb=2,p89lpc922", "--fault", "A5=silent", "--remote=A1") as farm:
        known = stations(farm)
        checks.equal(list(known), ["A1", "A2", "A3", "A4", "A5"], "AVRs have the names behind ours")
        checks.equal([known[name][1] for name in ("A1", "A3", "A4")], ["stm32-uart", "p89lpc9xx", "stk500v1"], "protocols")
        listed = re.findall(r" (\S+?):", farm.ask("list"))
        checks.equal(listed, list(known), "list tells of both")
        checks.equal(farm.state("A4")[1]["chip"], "atmega328p", "a question is passed on")
        checks.check(farm.ask("state", "Q1").startswith("error"), "one about nobody too")
        checks.equal(len(farm.dump("A5")), 32768, "dump")
        checks.check(os.path.exists(farm.port("A4")), "its link is there")
        link = farm.port("A4")
    checks.equal(farm.status, 0, "exit status of flashfarm-sim")
    checks.check(not os.path.lexists(link), "the helper has ended, and tidied up")


def refusals(checks, program, has_helper):
    with tempfile.TemporaryDirectory() as work:
        def refused(*arguments):
            run = subprocess.run([program, "--dir", os.path.join(work, "farm"), *arguments], capture_output=True,
                                 text=True, timeout=READY_TIMEOUT_S)
            checks.equal(run.returncode, 1, f"{arguments}: exit status")
            return run.stderr

        checks.check("known are" in refused("--boards", "stm99"), "unknown chip")
        checks.check("units" in refused("--boards", "p89lpc922-rs485=255"), "255 units")
        checks.check("parity or escape" in refused("--boards", "p89lpc922", "--wakeup", "x"), "--wakeup x")
        checks.check("not a number" in refused("--boards", "stm32f103xb=0"), "no boards")
        checks.check(refused("--boards", "atmega99") != "", "unknown AVR")
        if not has_helper:
            checks.check("not beside" in refused("--boards", "atmega328p"), "no helper")


def main():
    program = sys.argv[1]
    checks = Checks()
    has_helper = os.access(os.path.join(os.path.dirname(os.path.realpath(program)), "flashfarm-sim-avr"), os.X_OK)
    own(checks, program)
    if has_helper:
        with_helper(checks, program)
    else:
        print("flashfarm-sim-avr is not there: only our own models are looked at")
    refusals(checks, program, has_helper)
    checks.finish()


main()
