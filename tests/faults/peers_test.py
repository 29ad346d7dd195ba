# SPDX-License-Identifier: Apache-2.0
"""Debian's own tools and flashfarm on the same boards: each finds what the other has written, and a terminal server
of others in between changes nothing.
"""
import os
import shutil
import subprocess

import harness
import kinds
from harness import Scene

SIZE = 3000
LIMIT_S = 60


def run_tool(*words, cwd=None):
    """Exit status and what it said; a tool that does not end has failed."""
    try:
        done = subprocess.run(words, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired as late:
        return None, f"{words[0]} did not end: {late.stdout}"
    return done.returncode, done.stdout.decode(errors="replace")[-500:]


class Bench:
    """One board, whose port goes from hand to hand."""

    def __init__(self, scene, kind, name="A1"):
        self.scene, self.kind, self.name = scene, kind, name
        self.scene.daemon.start()
        self.events = scene.events()

    def content(self, seed):
        return self.kind.content(SIZE, seed)

    def file(self, content, ending="hex"):
        path = os.path.join(self.scene.dir, f"image.{ending}")
        with open(path, "wb") as file:
            file.write(self.kind.file(content) if ending == "hex" else content[0][1])
        return path

    def program(self, content):
        """By flashfarm, with its own verification; what the flash is then."""
        scene = self.scene
        image = scene.upload(self.kind.file(content), name="fw.hex", address=None).json["id"]
        job = scene.submit(image, chip=self.kind.chip, stations=[self.name])
        self.events.wait_fact("job.state", id=job, state="done")
        run, = scene.runs(job=job)
        scene.checks.equal((run["outcome"], run["message"]), ("pass", None), f"flashfarm on {self.kind}")
        return scene.farm.dump(self.name)

    def lend(self):
        """Somebody else may open the port."""
        self.scene.post(f"/v1/stations/{self.name}/disable")
        self.scene.wait_station(self.name, "disabled")
        self.scene.sim("reset", self.name)
        return self.scene.farm.port(self.name)

    def take_back(self):
        self.scene.sim("reset", self.name)
        self.scene.post(f"/v1/stations/{self.name}/enable")
        self.scene.wait_station(self.name, "idle")

    def finish(self):
        self.scene.check_facts(self.events)
        self.scene.check_runs()


def same_flash(bench, theirs, ours, content):
    """What others wrote and what flashfarm wrote of the same image."""
    checks, kind = bench.scene.checks, bench.kind
    checks.equal(kind.differs(ours, content), None, f"{kind}: ours is the image")
    for address, data in content:  # and beyond it lpc21isp fills up a block with what it likes
        at = address - kind.base
        checks.check(theirs[at:at + len(data)] == data, f"{kind}: theirs at 0x{address:x} is the image")


def avrdude(bench, part, programmer, baud, action):
    """Exits of it start the application, which only a reset ends where no modem line does."""
    port = bench.scene.farm.port(bench.name)
    bench.scene.sim("reset", bench.name)
    return run_tool("avrdude", "-q", "-p", part, "-c", programmer, "-P", port, "-b", str(baud), "-D", "-U", action)


def with_avrdude(programs, checks, kind, part, programmer, baud):
    with Scene(programs, kind.board, checks=checks) as scene:
        bench = Bench(scene, kind)
        first, second = bench.content(1), bench.content(2)
        bench.program(first)
        bench.lend()
        status, said = avrdude(bench, part, programmer, baud, f"flash:v:{bench.file(first)}:i")
        checks.equal(status, 0, f"avrdude verifies what flashfarm wrote to {kind}: {said}")
        status, said = avrdude(bench, part, programmer, baud, f"flash:v:{bench.file(second)}:i")
        checks.check(status not in (0, None), f"avrdude on another image: {said}")
        status, said = avrdude(bench, part, programmer, baud, f"flash:w:{bench.file(second)}:i")
        checks.equal(status, 0, f"avrdude writes and verifies {kind}: {said}")
        theirs = scene.farm.dump(bench.name)
        bench.take_back()
        same_flash(bench, theirs, bench.program(second), second)
        bench.lend()
        status, said = avrdude(bench, part, programmer, baud, f"flash:v:{bench.file(second)}:i")
        checks.equal(status, 0, f"avrdude verifies {kind} again: {said}")
        bench.finish()


def avrdude_optiboot(programs, checks):
    with_avrdude(programs, checks, kinds.OPTIBOOT, "m328p", "arduino", 115200)


def avrdude_atmegaboot(programs, checks):
    with_avrdude(programs, checks, kinds.ATMEGABOOT, "m328p", "arduino", 57600)


def avrdude_mega2560(programs, checks):
    with_avrdude(programs, checks, kinds.MEGA2560_DENSE, "m2560", "wiring", 115200)


def avrdude_avr109(programs, checks):
    with_avrdude(programs, checks, kinds.MEGA32U4, "m32u4", "avr109", 57600)


def lpc21isp(programs, checks):
    """It cannot verify what it has not written. It writes what flashfarm has written before, and the other way."""
    for kind in (kinds.LPC1114, kinds.LPC2148):
        with Scene(programs, kind.board, checks=checks) as scene:
            bench = Bench(scene, kind)
            first, second = bench.content(1), bench.content(2)
            ours = bench.program(first)
            for content in (first, second):
                port = bench.lend()
                file = bench.file(content, "bin")
                status, said = run_tool("lpc21isp", "-bin", "-donotstart", file, port, "115200", "12000", cwd=scene.dir)
                checks.equal(status, 0, f"lpc21isp on {kind}: {said}")
                theirs = scene.farm.dump(bench.name)
                bench.take_back()
                same_flash(bench, theirs, ours if content is first else bench.program(second), content)
            bench.finish()


def stm32flash(programs, checks):
    with Scene(programs, kinds.STM32.board, checks=checks) as scene:
        bench = Bench(scene, kinds.STM32)
        first, second = bench.content(1), bench.content(2)
        bench.program(first)
        port, back = bench.lend(), os.path.join(scene.dir, "back.bin")
        status, said = run_tool("stm32flash", "-m", "8n1", "-b", "115200", "-r", back, "-S", f"0x08000000:{SIZE}", port)
        checks.equal(status, 0, f"stm32flash reads: {said}")
        with open(back, "rb") as file:
            checks.check(file.read() == first[0][1], "stm32flash reads what flashfarm wrote")
        scene.sim("reset", bench.name)
        status, said = run_tool("stm32flash", "-m", "8n1", "-b", "115200", "-w", bench.file(second, "bin"), "-v", port)
        checks.equal(status, 0, f"stm32flash writes: {said}")
        theirs = scene.farm.dump(bench.name)
        bench.take_back()
        same_flash(bench, theirs, bench.program(second), second)
        bench.finish()


def through_ser2net(programs, checks):
    """Debian's ser2net between the daemon and a board: parity, baud and every byte value come through."""
    with Scene(programs, kinds.STM32.board, checks=checks) as scene:
        number, config = harness.free_port(), os.path.join(scene.dir, "ser2net.yaml")
        with open(config, "w", encoding="ascii") as file:
            file.write(f"connection: &board\n  accepter: telnet(rfc2217),tcp,127.0.0.1,{number}\n"
                       f"  connector: serialdev,{scene.farm.port('A1')},115200e81,local\n")
        server = subprocess.Popen(["ser2net", "-d", "-u", "-c", config], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        try:
            old, new = f"serial:{scene.farm.port('A1')}", f"rfc2217:127.0.0.1:{number}"
            scene.edit_config(lambda text: text.replace(old, new))
            bench = Bench(scene, kinds.STM32)
            content = bench.content(1)
            flash = bench.program(content)
            checks.equal(kinds.STM32.differs(flash, content), None, "through ser2net: the image")
            checks.equal(scene.runs()[0]["port"], f"rfc2217:127.0.0.1:{number}", "it went through ser2net")
            bench.finish()
        finally:
            server.kill()  # it does not end by SIGTERM while a port is open
            server.wait()


def main():
    programs = harness.arguments(__doc__, without=(str, "", "protocols to leave out, with commas"))
    checks, leave_out = harness.Checks(), programs.without.split(",")
    plays = [stm32flash, through_ser2net, lpc21isp]
    plays += [avrdude_optiboot, avrdude_atmegaboot] if "stk500v1" not in leave_out else []
    plays += [avrdude_mega2560] if "stk500v2" not in leave_out else []
    plays += [avrdude_avr109]
    for tool in ("stm32flash", "lpc21isp", "avrdude", "ser2net"):
        checks.check(shutil.which(tool), f"{tool} is needed")
    harness.play_all(programs, checks, plays)


main()
