# SPDX-License-Identifier: Apache-2.0
"""Faults, the operator's socket, and the command line of flashfarm-sim.

usage: accept_faults.py FLASHFARM-SIM
"""
import os
import signal
import subprocess
import sys
import tempfile
import termios
import time

from farm import Checks, Farm, Line
from rom import ACK, BASE, NACK, SILENCE_S, address, opcode, opened, summed, synced

BLOCK = bytes(range(64))


def faulty(farm, kind, chip_board="A1"):
    assert farm.ask("fault", chip_board, "none") == "ok"
    assert farm.ask("insert", chip_board) == "ok"
    assert farm.ask("fault", chip_board, kind) == "ok", kind


def refused_writes(farm, checks):
    faulty(farm, "nack-write@2")
    with synced(farm, "A1") as rom:
        checks.equal([rom.write(BASE + 64 * i, BLOCK) for i in range(4)], [ACK, NACK, NACK, NACK],
                     "nack-write@2")
    faulty(farm, "nack-once@2")
    with synced(farm, "A1") as rom:
        checks.equal([rom.write(BASE + 64 * i, BLOCK) for i in range(4)], [ACK, NACK, ACK, ACK], "nack-once@2")
        checks.equal(rom.read_memory(BASE + 64, 64), b"\xff" * 64, "nack-once: the block has not landed")
    faulty(farm, "nack-erase")
    with synced(farm, "A1") as rom:
        checks.check(rom.refuses(opcode(0x43), summed(b"\x00\x00")), "nack-erase: pages")
        checks.check(rom.refuses(opcode(0x43), b"\xff\x00"), "nack-erase: mass")


def wrong_cells(farm, checks):
    faulty(farm, "bad-cell@0x08000010")
    with synced(farm, "A1") as rom:
        checks.equal(rom.read_memory(BASE, 64), b"\xff" * 64, "bad-cell: erased")
        checks.equal(rom.write(BASE, BLOCK), ACK, "bad-cell: write is acknowledged")
        got = rom.read_memory(BASE, 64)
        checks.equal([i for i in range(64) if got[i] != BLOCK[i]], [0x10], "bad-cell: one cell is wrong")
    faulty(farm, "corrupt@2")
    with synced(farm, "A1") as rom:
        for i in range(3):
            checks.equal(rom.write(BASE + 64 * i, BLOCK), ACK, "corrupt: write is acknowledged")
        got = b"".join(rom.read_memory(BASE + 64 * i, 64) for i in range(3))
        wrong = [(i, got[i] ^ BLOCK[i % 64]) for i in range(192) if got[i] != BLOCK[i % 64]]
        checks.equal(wrong, [(96, 0x10)], "corrupt@2: one bit of the second block")


def broken_conversations(farm, checks):
    faulty(farm, "hang@2")
    with synced(farm, "A1") as rom:
        checks.equal([rom.write(BASE, BLOCK), rom.accepts(opcode(0x31), address(BASE + 64))], [ACK, True],
                     "hang@2: before")
        checks.check(rom.silent(summed(b"\x3f" + BLOCK)), "hang@2: the second write is not answered")
        checks.check(rom.silent(b"\x7f\x7f"), "hang@2: nor anything after it")
    faulty(farm, "drop-ack@1")
    with synced(farm, "A1") as rom:
        checks.check(rom.accepts(opcode(0x31), address(BASE)), "drop-ack: before")
        checks.check(rom.silent(summed(b"\x3f" + BLOCK)), "drop-ack: no ACK")
        checks.equal(rom.read_memory(BASE, 64), BLOCK, "drop-ack: but the block has landed")
    faulty(farm, "unplug@1")
    with synced(farm, "A1") as rom:
        checks.check(rom.accepts(opcode(0x31), address(BASE)), "unplug: before")
        checks.equal(rom.ask(summed(b"\x3f" + BLOCK), 1), b"", "unplug: hang-up")
        checks.check(farm.wait_for("A1", "phase", "unplugged"), "unplug: state")
        checks.check(not os.path.lexists(farm.port("A1")), "unplug: the link is gone")
    checks.equal(farm.dump("A1")[:64], BLOCK[:32] + b"\xff" * 32, "unplug: half of the block is in flash")
    checks.equal(farm.ask("replug", "A1"), "ok", "replug")
    with opened(farm, "A1") as rom:
        checks.equal(rom.sync(), ACK, "replug: fresh")
        checks.equal(rom.read_memory(BASE, 32), BLOCK[:32], "replug: the same board")


def strange_boards(farm, checks):
    faulty(farm, "silent")
    with opened(farm, "A1") as rom:
        checks.check(rom.silent(), "silent")
    faulty(farm, "wrong-id")
    with synced(farm, "A1") as rom:
        checks.equal(rom.get_id(), 0x414, "wrong-id")
    faulty(farm, "wrong-id@0x456")
    with synced(farm, "A1") as rom:
        checks.equal(rom.get_id(), 0x456, "wrong-id@0x456")
    faulty(farm, "garbage")
    with opened(farm, "A1") as rom:
        answer = rom.ask(b"\x7f", 1)
        checks.check(answer and answer not in (ACK, NACK), "garbage")
    faulty(farm, "protected")
    with synced(farm, "A1") as rom:
        checks.equal((rom.get_id(), rom.code(0x11), rom.code(0x31)), (0x410, NACK, NACK), "protected")
    faulty(farm, "duplicate-uid=A2")
    checks.equal(farm.state("A1")[1]["uid"], farm.state("A2")[1]["uid"], "duplicate-uid")
    faulty(farm, "marginal@57600")
    with synced(farm, "A1", 115200) as rom:
        request, want = opcode(0x11) + address(BASE) + opcode(255), ACK * 3 + b"\xff" * 256
        checks.check(any(rom.ask(request, 259, SILENCE_S) != want for _ in range(20)),
                     "marginal: of 20 reads one goes wrong")
    with synced(farm, "A2", 115200) as rom:
        checks.check(all(rom.ask(request, 259) == want for _ in range(20)), "and none without the fault")
    faulty(farm, "slow@20")
    with synced(farm, "A1") as rom:
        start = time.monotonic()
        checks.equal(rom.write(BASE, BLOCK), ACK, "slow: works")
        checks.check(time.monotonic() - start >= 20 * 32 * 52.5e-6, "slow: 20 times the datasheet's time")


def operator(farm, checks):
    farm.ask("fault", "A1", "none")
    first = farm.state("A2")[1]["uid"]
    checks.equal(farm.ask("remove", "A2"), "ok", "remove")
    with opened(farm, "A2") as rom:
        checks.check(rom.silent(), "removed: silent")
        checks.equal(farm.ask("insert", "A2"), "ok", "insert")
        checks.equal(rom.sync(), ACK, "inserted: fresh")
    checks.check(farm.state("A2")[1]["uid"] != first, "insert: another UID")
    checks.equal(farm.ask("unplug", "A2"), "ok", "unplug")
    checks.equal(farm.ask("replug", "A2"), "ok", "replug")
    path = os.path.join(farm.dumps, "content")
    with open(path, "wb") as file:
        file.write(BLOCK)
    checks.equal(farm.ask("fill", "A2", path), "ok", "fill from a file")
    checks.equal(farm.dump("A2")[:65], BLOCK + b"\xff", "filled from a file")
    checks.equal(farm.ask("list"), "ok A1:synced A2:fresh", "list")
    for words in (("state",), ("state", "Z9"), ("jump", "A1"), ("fill", "A2", "/nowhere/at/all"), ("reset", "A1", "x"),
                  ("fault", "A1"), ("fault", "A1", "nonsense"), ("fault", "A1", "hang@x"),
                  ("fault", "A1", "silent@1"), ("fault", "A1", "marginal"), ("fault", "A1", "duplicate-uid=A1")):
        checks.check(farm.ask(*words).startswith("error "), f"{words} is refused")


def run(*arguments):
    return subprocess.run(arguments, capture_output=True, text=True, timeout=20, check=False)


def command_line(program, checks):
    with tempfile.TemporaryDirectory() as folder:
        for arguments, complaint in (
                (("--boards", "stm32f999=1"), "unknown chip 'stm32f999'"),
                (("--boards", "stm32f103xb=0"), "not a number from 1"),
                (("--boards", "stm32f103xb=1000000"), "not a number from 1"),
                (("--boards", "stm32f103xb=x"), "not a number from 1"),
                (("--boards", ""), "unknown chip ''"),
                (("--boards", "stm32f103xb", "--fault", "A2=silent"), "there is no board 'A2'"),
                (("--boards", "stm32f103xb", "--fault", "A1=odd"), "unknown fault 'odd'"),
                (("--boards", "stm32f103xb", "--fault", "silent"), "NAME=KIND"),
                (("--boards", "stm32f103xb", "--baud", "12"), "--baud 12"),
                (("--boards", "stm32f103xb", "extra"), "'extra'"),
                (("--boards",), "requires an argument")):
            result = run(program, "--dir", folder, *arguments)
            checks.check(result.returncode == 1 and complaint in result.stderr,
                         f"{arguments}: {result.returncode} {result.stderr!r}")
            checks.equal(os.listdir(folder), [], f"{arguments}: leaves nothing behind")
    result = run(program, "--boards", "stm32f103xb", "--dir", "/proc/none/such")
    checks.check(result.returncode == 1 and "/proc/none/such" in result.stderr, "bad directory")
    checks.equal(run(program, "--help").returncode, 0, "--help")


def configuration(farm, program, checks):
    with open(os.path.join(farm.dir, "flashfarm.conf"), encoding="ascii") as file:
        lines = [line.strip() for line in file]
    for line in ("[daemon]", "listen = 127.0.0.1:8470", f"state = {farm.dir}/state", "[station A1]", "[station A2]",
                 f"port = serial:{farm.dir}/A2", "protocol = stm32-uart", "baud = 115200", "entry = none"):
        checks.check(line in lines, f"flashfarm.conf: {line}")
    result = run(program, "--boards", "stm32f103xb", "--dir", farm.dir)
    checks.check(result.returncode == 1 and "in use" in result.stderr, "two simulators in one folder")
    result = run(program, "ctl", farm.dir, "state", "A2")
    checks.check(result.returncode == 0 and result.stdout.startswith("ok fresh"), "ctl")
    checks.equal(run(program, "ctl", farm.dir, "state", "Z1").returncode, 1, "ctl: error")


def start_bare(program, folder, *options):
    process = subprocess.Popen([program, "--dir", folder, *options], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().startswith("ready ")
    return process


def ending(program, checks):
    with tempfile.TemporaryDirectory() as folder:
        process = start_bare(program, folder, "--boards", "stm32f103xb=2", "--dump-dir", folder)
        with Line(os.path.join(folder, "A1")) as line:
            line.ask(b"\x7f", 1)
            line.ask(opcode(0x31), 1)
            line.ask(address(BASE), 1)
            checks.equal(line.ask(summed(b"\x3f" + BLOCK), 1), ACK, "a write")
        process.send_signal(signal.SIGTERM)
        checks.equal(process.wait(10), 0, "SIGTERM ends it well")
        process.stdout.close()
        checks.equal(sorted(os.listdir(folder)), ["A1.bin", "A2.bin", "flashfarm.conf"], "what it leaves")
        with open(os.path.join(folder, "A1.bin"), "rb") as file:
            checks.equal(file.read()[:65], BLOCK + b"\xff", "--dump-dir")
        process = start_bare(program, folder, "--boards", "stm32f103xb", "--reset-on-open")
        for _ in range(2):
            with Line(os.path.join(folder, "A1")) as line:
                checks.equal(line.ask(b"\x7f", 1), ACK, "--reset-on-open")
        process.kill()
        process.wait(10)
        process.stdout.close()
        process = start_bare(program, folder, "--boards", "stm32f103xb")
        checks.check(os.path.exists(os.path.join(folder, "A1")), "a stale link is replaced")
        process.terminate()
        process.wait(10)
        process.stdout.close()


def with_parent(program, checks):
    """A shell starts it and dies; the simulator must follow."""
    with tempfile.TemporaryDirectory() as folder:
        shell = subprocess.Popen(["sh", "-c", '"$0" "$@" & wait', program, "--boards", "stm32f103xb", "--dir", folder,
                                  "--with-parent"], stdout=subprocess.PIPE, text=True)
        checks.check(shell.stdout.readline().startswith("ready "), "--with-parent: starts")
        shell.kill()
        shell.wait(10)
        checks.equal(shell.stdout.read(), "", "--with-parent: ends with its parent")
        shell.stdout.close()
        checks.equal(os.listdir(folder), ["flashfarm.conf"], "--with-parent: tidies up")


def pacing(program, checks):
    """Never faster than wire and flash; how much slower is for pace_check.py to say."""
    with Farm(program, "stm32f103xb", "--pace", "--turnaround", "5000") as farm, synced(farm, "A1") as rom:
        start = time.monotonic()
        checks.equal(len(rom.ask(opcode(0x11) + address(BASE) + opcode(255), 259)), 259, "paced: read")
        took, want = time.monotonic() - start, (9 + 1 + 256) * 11 / 115200 + 0.005
        checks.check(0.99 * want <= took <= want + 1, f"paced: read took {took:.4f} s, want {want:.4f}")
        start = time.monotonic()
        checks.equal(rom.write(BASE, BLOCK), ACK, "paced: write")
        took, want = time.monotonic() - start, (2 + 1 + 5 + 1 + 66 + 1) * 11 / 115200 + 0.015 + 32 * 52.5e-6
        checks.check(0.99 * want <= took <= want + 1, f"paced: write took {took:.4f} s, want {want:.4f}")
        checks.check(rom.accepts(opcode(0x43)), "paced: erase")
        start = time.monotonic()
        checks.equal(rom.ask(b"\x03\x00\x01\x02\x03\x03" + bytes(40), 1), ACK, "paced: erase of four pages")
        checks.check(time.monotonic() - start >= 4 * 0.030, "paced: takes the time of four pages")
        checks.equal(farm.state("A1")[1]["overruns"], "39", "what arrives meanwhile is lost, but for one byte")


def parity(program, checks):
    with Farm(program, "stm32f103xb", "--strict-parity") as farm:
        with opened(farm, "A1") as rom:
            rom.set_input_flags(termios.IGNPAR)
            checks.check(rom.silent(), "--strict-parity: no parity is not understood")
            rom.set_input_flags(0)
            checks.equal(rom.sync(), ACK, "--strict-parity: even parity is")


def names(program, checks):
    with Farm(program, "stm32f103xb=258,stm32f407xg=160") as farm:
        listed = farm.ask("list").split()[1:]
        checks.equal((len(listed), listed[16], listed[255], listed[417]),
                     (418, "B1:fresh", "P16:fresh", "AA2:fresh"), "names of many boards")
        checks.equal(len({farm.state(entry.split(":")[0])[1]["uid"] for entry in listed}), 418, "all UIDs differ")


def main():
    program, checks = sys.argv[1], Checks()
    with Farm(program, "stm32f103xb=2") as farm:
        for step in (refused_writes, wrong_cells, broken_conversations, strange_boards, operator):
            step(farm, checks)
        configuration(farm, program, checks)
    checks.equal(farm.status, 0, "exit status of flashfarm-sim")
    for step in (command_line, ending, with_parent, pacing, parity, names):
        step(program, checks)
    checks.finish()


main()
