# SPDX-License-Identifier: Apache-2.0
"""Simulated units of an RS-485 line: the specification's test vectors byte by byte, and rs485_master.py.

usage: accept_rs485.py FLASHFARM-SIM
"""
import os
import re
import sys
import time
import zlib

from farm import Checks, Farm
from rs485_master import (CHANGE_ADDRESS, CHECKSUM, COMPLETE, DESCRIBE, ERASE, GROUP_STATUS, JOIN, LEAVE, PROTECT, READ,
                          WRITE, EscapedLine, Master, RemoteLine, word)

SPECIFICATION = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../stations/protocols/rs485_isp.md")
IMAGE = bytes((7 * i + i // 256) & 0xFF for i in range(3000))
SPAN = 0x1BF0


def vectors():
    """What the specification's section 8 says: {what: (request or answer, escaped)}."""
    with open(SPECIFICATION, encoding="utf-8") as file:
        section = file.read().split("## 8. Test vectors")[1]
    found = []
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        plain = re.findall(r"`([0-9A-F ]{5,})`", cells[-1])
        if len(cells) == 2 and plain:
            coded = [bytes.fromhex(text) for text in plain]
            found.append((cells[0], coded[0], coded[1] if "Escape" in cells[1] and len(coded) > 1 else coded[0]))
    return found


def tcp_port(farm, name):
    return int(farm.state(name)[1]["port"].split("#")[0].rsplit(":", 1)[1])


def opened(farm, remote):
    return RemoteLine(tcp_port(farm, "A1")) if remote else EscapedLine(farm.port("A1-B1"))


class Counted(Master):
    """Keeps what went over the line, without telnet."""

    def exchange(self, request, timeout_s=0.5):
        self.last = super().exchange(request, timeout_s)
        return self.last


def play_vectors(checks, program, remote):
    """Unit 17 of a line of 17 must give every answer of the table to the request before it."""
    kind = "parity" if remote else "escape"
    with Farm(program, "p89lpc922-rs485=17", *(["--remote"] if remote else [])) as farm, opened(farm, remote) as line:
        master = Counted(line)
        line.autobaud()
        checks.equal(master.roll_call(17), b"\x11", f"{kind}: roll-call of 17")
        known = {what: plain for what, plain, _ in vectors()}
        checks.check(len(known) > 20, f"the specification has {len(known)} vectors")
        for request, answer in (("ERASE SECTOR 0400", "done"), ("WRITE `02 1B 55 FF` at 041B", "done"),
                                ("READ 4 at 041B", "the bytes"), ("CHECKSUM of 4 bytes at 041B", "CRC-32 71F01D9A"),
                                ("LEAVE", "done"), ("a command that does not exist", "unknown command"),
                                ("PROTECT SECTOR 0400, all bits", "done"), ("ERASE SECTOR 0400", "refused"),
                                ("JOIN group 5, base 0000, blocks of 64, 10 of them", "done"),
                                ("CHANGE ADDRESS to 42", "done")):
            play(checks, master, known, request, answer, kind)
        checks.equal(master.roll_call(17), b"", f"{kind}: nobody is 17 any more")
        checks.equal(master.roll_call(42), b"\x2a", f"{kind}: but 42")
        checks.equal(farm.dump("B1")[SPAN + 10:SPAN + 12], b"\x2a\xd5", f"{kind}: the pair in flash")


def play(checks, master, known, request, answer, kind):
    sent = known[request]
    got = master.exchange(sent)
    if answer == "done":
        want = bytes([0x11, 2, sent[2] | 0x80, 0])
        checks.equal(got[:4], want, f"{kind}: {request}")
        checks.check(got in [plain for what, plain, _ in vectors() if what.startswith("done")],
                     f"{kind}: {request}: {got.hex()} is a vector")
    else:
        checks.equal(got, known[answer], f"{kind}: {request}")


def describe(checks, farm, master):
    checks.equal(master.roll_call(3), b"\x03", "roll-call of 3")
    status, data = master.ask(3, DESCRIBE)
    checks.equal((status, data[0], data[2:5].hex(), data[5:12].hex(), data[12], data[16]),
                 (0, 0x10, "15dd0d", "20040040401bf0", 0, 8), "DESCRIBE")
    checks.equal(data[17:].hex(), farm.state("A3")[1]["uid"], "its unique number")
    for command, data, status in ((ERASE, b"", 1), (ERASE, word(0x401), 2), (ERASE, word(0x2000), 2),
                                  (ERASE, word(0x1C00), 3), (WRITE, word(0) + b"\1" * 65, 1), (WRITE, word(0), 1),
                                  (WRITE, word(0x1FFF) + b"\1\2", 2), (WRITE, word(SPAN - 1) + b"\1\2", 3),
                                  (READ, word(0) + b"\x41", 1), (READ, word(0x1FFF) + b"\2", 2),
                                  (READ, word(0x1C00) + b"\1", 3), (CHANGE_ADDRESS, b"\x05\x05", 1),
                                  (CHANGE_ADDRESS, b"\x00\xff", 1), (PROTECT, word(0) + b"\x08", 1),
                                  (PROTECT, word(4) + b"\1", 2), (CHECKSUM, word(0) + word(0), 1),
                                  (CHECKSUM, word(0x1FFF) + word(2), 2), (GROUP_STATUS, b"", 1), (0x0C, b"", 6)):
        checks.equal(master.ask(3, command, data), (status, b""), f"command {command} {data[:4].hex()}")
    checks.equal(master.exchange(bytes.fromhex("0301070000"), 0.1), b"", "wrong CRC: no answer")
    checks.check(master.ask(3, DESCRIBE) is not None, "and the next packet is answered")


def ears(checks, master):
    master.roll_call(1)
    checks.equal(master.ask(2, DESCRIBE, timeout_s=0.1), None, "a closed ear")
    checks.equal(master.ask(1, DESCRIBE)[0], 0, "an open one")
    checks.check(master.roll_call(0) not in (b"", b"\1"), "roll-call 0 of many units: a collision")
    master.line.frames(10, 0.05)
    checks.equal(master.ask(2, DESCRIBE)[0], 0, "after roll-call 0 all ears are open")
    master.line.data(b"\2\1")
    checks.equal(master.roll_call(2), b"\2", "an address frame ends a packet")
    checks.equal(master.ask(2, DESCRIBE)[0], 0, "and forgets it")
    master.line.data(b"\2\1\7")
    time.sleep(0.25)
    checks.equal(master.ask(2, DESCRIBE)[0], 0, "a gap of 250 ms too")


def written(checks, farm, master, address):
    name = f"A{address}"
    checks.equal(master.roll_call(address), bytes([address]), f"roll-call of {address}")
    for at in range(0, len(IMAGE), 1024):
        checks.equal(master.ask(address, ERASE, word(at)), (0, b""), "ERASE")
    for at in range(0, len(IMAGE), 64):
        checks.equal(master.ask(address, WRITE, word(at) + IMAGE[at:at + 64]), (0, b""), "WRITE")
    checks.equal(master.ask(address, CHECKSUM, word(0) + word(len(IMAGE))),
                 (0, zlib.crc32(IMAGE).to_bytes(4, "big")), "CHECKSUM")
    checks.equal(master.ask(address, READ, word(64) + b"\x40"), (0, IMAGE[64:128]), "READ")
    dump = farm.dump(name)
    checks.check(dump[:len(IMAGE)] == IMAGE and dump[len(IMAGE):SPAN] == bytes(SPAN - len(IMAGE)), "flash after all that")
    checks.equal(dump[SPAN + 10:SPAN + 12], bytes([address, address ^ 0xFF]), "the address pair is still there")


def group(checks, farm, master):
    """One pass for three units; the last of the six blocks is shorter, and one unit misses one."""
    members = (4, 5, 6)
    for address in members:
        master.roll_call(address)
        checks.equal(master.ask(address, JOIN, b"\x09" + word(0) + b"\x40" + word(6)), (0, b""), "JOIN")
    master.roll_call(1)
    checks.equal(master.ask(1, JOIN, b"\x07" + word(0) + b"\x40" + word(0)), (0, b""), "JOIN of another group")
    for address in (2, 3, 7, 8):
        master.roll_call(address)
        checks.equal(master.ask(address, JOIN, b"\0" + word(0) + b"\0" + word(0)), (0, b""), "JOIN of group 0")
    checks.equal(master.roll_call(0), b"", "all have joined: nobody answers roll-call 0")
    before = [farm.dump(f"A{i}") for i in (1, 2, 3, 7, 8)]
    for block in range(6):
        master.to_group(9, WRITE, word(64 * block) + IMAGE[64 * block:min(64 * block + 64, 360)])
    checks.check(master.line.frames(1, 0.1) == b"", "nobody answers a group")
    for address in members:
        master.roll_call(address)
        checks.equal(master.ask(address, GROUP_STATUS), (0, bytes.fromhex("0000ffff00003f")), f"GROUP STATUS of {address}")
        checks.check(farm.dump(f"A{address}")[:360] == IMAGE[:360], f"flash of {address}")
    checks.check(before == [farm.dump(f"A{i}") for i in (1, 2, 3, 7, 8)], "the others were left alone")
    checks.equal(master.ask(6, LEAVE), (0, b""), "LEAVE")
    checks.equal(master.ask(6, GROUP_STATUS), (1, b""), "and no more status")


def group_misses(checks, farm, master):
    master.roll_call(4)
    master.ask(4, JOIN, b"\x0a" + word(0x800) + b"\x40" + word(3))
    farm.ask("fault", "A4", "nack-once@2")
    for block in range(3):
        master.to_group(10, WRITE, word(0x800 + 64 * block) + IMAGE[:64])
    master.line.data(bytes.fromhex("00020b0a0000"))
    checks.equal(master.ask(4, GROUP_STATUS), (0, bytes.fromhex("00010001010505")), "block 1 is missing, a bad CRC, status 5")
    master.roll_call(4)
    checks.equal(master.ask(4, WRITE, word(0x840) + IMAGE[:64]), (0, b""), "written again to it alone")
    checks.equal(master.ask(4, GROUP_STATUS)[1][:4].hex(), "0000ffff", "nothing is missing")


def faults(checks, farm, master):
    def write(address, at=0):
        master.roll_call(address)
        return master.ask(address, WRITE, word(at) + IMAGE[:64], 0.2)

    farm.ask("fault", "A8", "wrong-id")
    master.roll_call(8)
    checks.check(master.ask(8, DESCRIBE)[1][4] != 0x0D, "wrong-id")
    farm.ask("fault", "A8", "silent")
    checks.equal(master.roll_call(8), b"", "silent")
    farm.ask("fault", "A8", "none")
    for kind, want in (("nack-write", (5, b"")), ("drop-ack", None), ("corrupt", (0, b"")), ("bad-cell@7", (5, b""))):
        farm.ask("fault", "A8", kind)
        checks.equal(write(8), want, kind)
        farm.ask("fault", "A8", "none")
        if kind == "drop-ack":
            checks.check(farm.dump("A8")[:64] == IMAGE[:64], "drop-ack: written all the same")
        if kind == "corrupt":
            checks.check(farm.dump("A8")[:64] != IMAGE[:64], "corrupt: one bit differs")
    farm.ask("insert", "A8")
    master.roll_call(1)
    master.line.autobaud()
    farm.ask("fault", "A8", "hang@2")
    checks.equal(write(8), (0, b""), "hang@2: the first block")
    checks.equal(write(8, 64), None, "hang@2: the second")
    checks.equal(master.roll_call(8), b"", "and then nothing more")
    checks.equal(master.roll_call(1), b"\1", "the others go on")
    checks.check(farm.wait_for("A8", "phase", "hung"), "state tells it")


def life(checks, program):
    """Windows, breaks and rates, which a pty does not have."""
    with Farm(program, "p89lpc921-rs485=2", "--remote") as farm, RemoteLine(tcp_port(farm, "A1"), 38000) as line:
        master = Master(line)
        checks.equal(farm.state("A1")[0], "fresh", "power-up: the loader listens")
        line.autobaud(b"\x55")
        checks.equal(master.roll_call(1), b"", "one 55h is not enough")
        line.autobaud()
        checks.equal(master.roll_call(1), b"\1", "two are; 38000 baud snaps to 38400")
        line.set_baud(19200)
        checks.equal(master.roll_call(1), b"", "another rate is noise")
        line.set_baud(38400)
        checks.equal(master.roll_call(1), b"\1", "the right one is heard")
        checks.check(farm.wait_for("A1", "phase", "running"), "2 s of silence: the application")
        checks.equal(farm.state("A2")[0], "running", "of both")
        line.hold_low(0.2)
        checks.equal(farm.state("A1")[0], "running", "a break of 0.2 s is too short")
        line.hold_low(0.5)
        checks.check(farm.wait_for("A1", "phase", "fresh"), "a break of 0.5 s is not")
        line.set_baud(9600)
        line.autobaud()
        checks.equal(master.roll_call(2), b"\2", "9600 now")
        checks.equal(master.ask(2, ERASE, word(0)), (0, b""), "erase")
        line.address(77)
        checks.check(farm.wait_for("A1", "phase", "running"), "2 s later: who was not touched runs")
        checks.equal(farm.state("A2")[0], "fresh", "who was, waits")
        line.autobaud()
        checks.equal(master.roll_call(2), b"\2", "for ever")
        checks.equal(master.ask(2, COMPLETE), (0, b""), "COMPLETE")
        checks.equal(farm.state("A2")[0], "running", "runs")


def paced(checks, program):
    """At 19200 baud a WRITE of 64 bytes is (71 + 6) frames of 11 bits and a page."""
    with Farm(program, "p89lpc922-rs485=2", "--remote", "--pace", "--echo") as farm, \
            RemoteLine(tcp_port(farm, "A1"), 19200) as line:
        master = Master(line, 0.3)
        line.autobaud()
        checks.equal(line.frames(4, 1.0), b"\x55" * 4, "echo of the autobaud characters")
        line.address(1)
        checks.equal(line.frames(2, 1.0), b"\1\1", "echo of the roll-call, and its answer")
        start = time.monotonic()
        request = master_packet(1, WRITE, word(0) + IMAGE[:64])
        line.data(request)
        got = line.frames(len(request) + 6, 1.0)
        took, floor = time.monotonic() - start, (len(request) + 6) * 11 / 19200 + 0.004
        checks.check(got[:len(request)] == request and got[len(request) + 3] == 0, "echo, and the answer")
        checks.check(took >= 0.98 * floor, f"not faster than wire and flash: {took * 1000:.1f} of {floor * 1000:.1f} ms")
        line.data(request + b"\0" * 40)
        got = line.frames(len(request) + 46, 1.0)
        checks.check(got[:len(request)] == request and got[len(request):].count(0) < 40, "who speaks into an answer spoils it")


def master_packet(*words):
    from rs485_master import packet
    return packet(*words)


def main():
    program = sys.argv[1]
    checks = Checks()
    for remote in (False, True):
        play_vectors(checks, program, remote)
        with Farm(program, "p89lpc922-rs485=8", *(["--remote"] if remote else [])) as farm:
            line = RemoteLine(tcp_port(farm, "A1")) if remote else EscapedLine(farm.port("A1-A8"))
            with line:
                master = Master(line)
                line.autobaud()
                describe(checks, farm, master)
                ears(checks, master)
                written(checks, farm, master, 2)
                group(checks, farm, master)
                group_misses(checks, farm, master)
                faults(checks, farm, master)
        checks.equal(farm.status, 0, "exit status of flashfarm-sim")
    life(checks, program)
    paced(checks, program)
    checks.finish()


main()
