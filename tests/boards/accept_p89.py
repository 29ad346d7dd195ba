# SPDX-License-Identifier: Apache-2.0
"""The factory ISP of a P89LPC92x, record by record. No client of other people is packaged for Debian: this script is
our own reading of the same notes, and proves no more than that the model does what they say.

usage: accept_p89.py FLASHFARM-SIM
"""
import sys
import time

from farm import Checks, Farm, Line
from rs485_master import RemoteLine

PAGE = bytes(range(1, 65))


def record(kind, data=b"", address=0):
    body = bytes([len(data), address >> 8, address & 0xFF, kind]) + bytes(data)
    return (":" + (body + bytes([-sum(body) & 0xFF])).hex().upper()).encode()


class Isp:
    """The echo, then what follows it up to the end of the line."""

    def __init__(self, line):
        self.line = line

    def meet(self):
        for _ in range(4):
            if self.line.ask(b"U", 1, 0.1) == b"U":
                return True
        return False

    def ask(self, text, timeout_s=0.5):
        echo = self.line.ask(text, len(text), timeout_s)
        if echo != text:
            return None
        answer = b""
        while not answer.endswith(b"\r\n"):
            byte = self.line.read(1, timeout_s)
            if not byte:
                break
            answer += byte
        return answer.decode("latin1").removesuffix("\r\n")

    def tell(self, kind, data=b"", address=0):
        return self.ask(record(kind, data, address))


class RemoteBytes(RemoteLine):
    def ask(self, data, count, timeout_s=0.5):
        self.send(data)
        return self.read(count, timeout_s)

    def read(self, count, timeout_s=0.5):
        return self.frames(count, timeout_s)


def records(checks, farm):
    with Line(farm.port("A1"), 9600) as line:
        isp = Isp(line)
        checks.equal(line.ask(b"x", 1, 0.1), b"", "no echo before autobaud")
        checks.check(isp.meet(), "autobaud")
        checks.equal(isp.ask(b":00000001FF"), "04.", "version")
        checks.equal(isp.ask(b":00000001FE"), "X", "wrong checksum")
        checks.equal(isp.ask(b":0000000gFF"), "X", "no digit")
        checks.equal(isp.ask(b":0100000312EA"), "0D.", "derivative")
        checks.equal([isp.tell(3, bytes([which])) for which in (0x10, 0x11)], ["15.", "DD."], "manufacturer, device")
        checks.equal(isp.ask(b":020000020347B2"), ".", "status byte := 47h")
        checks.equal(isp.tell(3, b"\3"), "47.", "and read")
        checks.equal(isp.tell(2, b"\x77\0"), "R", "there is no such byte")
        checks.equal(isp.tell(3, b"\x77"), "R", "nor to read")
        checks.equal(isp.tell(9), "R", "unknown record")
        checks.equal(isp.tell(0, PAGE, 0x0040), ".", "a page")
        checks.equal(isp.tell(0, b"\xaa" * 16, 0x0050), ".", "a part of it again")
        checks.equal(isp.tell(0, b"\1\2", 0x007F), "R", "over the end of a page")
        checks.equal(isp.tell(0, b"\1", 0x2000), "R", "behind the flash")
        checks.equal(isp.tell(0, b"\1" * 65, 0), "R", "too long")
        want = bytes(64) + PAGE[:16] + b"\xaa" * 16 + PAGE[32:] + bytes(0x1E00 - 128)
        checks.check(farm.dump("A1")[:0x1E00] == want, "flash holds just that")


def sums_and_erase(checks, farm):
    with Line(farm.port("A2"), 9600) as line:
        isp = Isp(line)
        isp.meet()
        checks.equal(isp.ask(b":0100000504F6"), "00000000.", "CRC of an erased sector")
        sums = []
        for data in (b"\1", b"\2", b"\3"):
            checks.equal(isp.ask(b":03000004010000F8"), ".", "erase sector 0")
            isp.tell(0, data, 5)
            sums.append(int(isp.tell(5, b"\0")[:8], 16))
        checks.check(sums[0] and sums[1] and sums[0] ^ sums[1] == sums[2], "the CRC is linear, and sees a bit")
        whole = isp.tell(6)
        isp.tell(0, PAGE, 0x0400)
        isp.tell(0, PAGE, 0x0440)
        checks.check(isp.tell(6) != whole, "global CRC")
        checks.equal(isp.tell(4, b"\0\4\0"), ".", "erase page 0400")
        checks.equal(farm.dump("A2")[0x400:0x480], bytes(64) + PAGE, "only that page is erased")
        checks.equal(isp.tell(4, b"\2\0\0"), "R", "there is no third kind of erase")


def security(checks, farm):
    with Line(farm.port("A3"), 9600) as line:
        isp = Isp(line)
        isp.meet()
        checks.equal(isp.tell(2, b"\x09\x02"), ".", "sector 1: no more writes")
        checks.equal(isp.tell(2, b"\x09\x00"), ".", "which cannot be")
        checks.equal(isp.tell(3, b"\x09"), "02.", "taken back")
        checks.equal(isp.tell(0, PAGE, 0x0400), "R", "write refused")
        checks.equal(isp.tell(4, b"\1\4\0"), "R", "erase refused")
        checks.equal(isp.tell(0, PAGE, 0x0000), ".", "sector 0 is open")
        checks.equal(isp.tell(2, b"\3\0"), ".", "status byte := 0")
        line.send(record(8))
        checks.equal(line.read(len(record(8)) + 1, 0.2), record(8), "reset has no answer")
        checks.check(farm.wait_for("A3", "phase", "running"), "and runs the application")
    farm.ask("reset", "A3")
    with Line(farm.port("A3"), 9600) as line:
        isp = Isp(line)
        checks.check(isp.meet(), "reset pulses bring the loader")
        checks.equal(isp.tell(4, b"\0\x1e\0"), ".", "erasing the loader is allowed")
        line.send(record(8))
        checks.equal(farm.ask("reset", "A3"), "ok", "and then")
        checks.equal(farm.state("A3")[0], "running", "it never comes back")


def rates(checks, farm):
    with Line(farm.port("A4"), 19200) as line:
        checks.check(not Isp(line).meet(), "19200 is too fast for autobaud")
    with Line(farm.port("A4"), 4800) as line:
        checks.check(Isp(line).meet(), "4800 is not")
        checks.equal(Isp(line).tell(7, b"\x00\x30"), ".", "7.3728 MHz / (30h + 16)")
        checks.check(line.ask(b":", 1, 0.1) != b":", "the old rate is noise now")
    with Line(farm.port("A4"), 115200) as line:
        checks.equal(Isp(line).tell(1), "04.", "115200 it is")


def faults(checks, farm):
    def block(kind, name="A5"):
        farm.ask("fault", name, "none")
        farm.ask("fault", name, kind)
        return isp.tell(0, PAGE, 0x0080)

    with Line(farm.port("A5"), 9600) as line:
        isp = Isp(line)
        isp.meet()
        checks.equal(block("nack-write"), "R", "nack-write")
        checks.equal(block("drop-ack"), "", "drop-ack")
        checks.equal(farm.dump("A5")[0x80:0xC0], PAGE, "drop-ack: written")
        checks.equal(block("corrupt"), ".", "corrupt")
        checks.check(farm.dump("A5")[0x80:0xC0] != PAGE, "corrupt: a bit differs")
        checks.equal(block("bad-cell@0x81"), "R", "bad-cell: the loader verifies")
        farm.ask("fault", "A5", "wrong-id")
        checks.check(isp.tell(3, b"\x12") != "0D.", "wrong-id")
        farm.ask("fault", "A5", "nack-erase")
        checks.equal(isp.tell(4, b"\1\0\0"), "R", "nack-erase")
        checks.equal(block("hang"), "", "hang")
        checks.equal(isp.line.ask(b"U", 1, 0.1), b"", "and no echo any more")
        checks.equal(farm.state("A5")[0], "hung", "state tells it")


def breaks(checks, program):
    """Through RFC 2217: power-up, application, break."""
    with Farm(program, "p89lpc920", "--remote") as farm:
        port = int(farm.state("A1")[1]["port"].rsplit(":", 1)[1])
        with RemoteBytes(port, 9600) as line:
            isp = Isp(line)
            checks.check(isp.meet(), "as delivered it powers up into its loader")
            checks.equal(isp.tell(3, b"\x12"), "0B.", "derivative of a P89LPC920")
            checks.equal(isp.tell(2, b"\3\0"), ".", "status byte := 0")
            line.send(record(8))
            checks.check(farm.wait_for("A1", "phase", "running"), "the application runs")
            line.frames(100, 0.05)
            line.hold_low(0.02)
            checks.check(farm.wait_for("A1", "phase", "fresh"), "a break of 20 ms brings the loader")
            checks.check(isp.meet(), "and it answers")
            isp.tell(2, b"\2\0")
            line.hold_low(0.02)
            checks.check(farm.wait_for("A1", "phase", "running"), "with another boot vector it is lost")


def paced(checks, program):
    with Farm(program, "p89lpc922", "--pace") as farm, Line(farm.port("A1"), 9600) as line:
        isp = Isp(line)
        checks.check(isp.meet(), "paced: autobaud")
        text = record(0, PAGE)
        start = time.monotonic()
        checks.equal(isp.ask(text, 2.0), ".", "paced: a page")
        took, floor = time.monotonic() - start, (len(text) + 4) * 10 / 9600 + 0.004
        checks.check(floor * 0.98 <= took, f"not faster than wire and flash: {took * 1000:.1f} of {floor * 1000:.1f} ms")


def main():
    program = sys.argv[1]
    checks = Checks()
    with Farm(program, "p89lpc922=5") as farm:
        for test in (records, sums_and_erase, security, rates, faults):
            test(checks, farm)
    checks.equal(farm.status, 0, "exit status of flashfarm-sim")
    breaks(checks, program)
    paced(checks, program)
    checks.finish()


main()
