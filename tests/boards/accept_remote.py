# SPDX-License-Identifier: Apache-2.0
"""Boards behind --remote, with Debian's python3-serial and ser2net as clients: neither knows of the other's reading of
RFC 2217. Modem lines, parity and rate must reach the board in order with the bytes.

usage: accept_remote.py FLASHFARM-SIM
"""
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import serial

from farm import Checks, Farm
from rom import ACK, BASE, Rom, opcode

IAC_HEAVY = bytes([0xFF, 0xFF, 0x00, 0xFF, 0xFA, 0x2C, 0xFF, 0xF0, 0x0D, 0x00, 0x0D, 0x0A, 0x11, 0x13, 0xFF, 0xFD])


def tcp_port(farm, name):
    return int(farm.state(name)[1]["port"].rsplit(":", 1)[1])


class RemoteRom(Rom):
    """The dialogue of rom.py through pyserial."""

    def __init__(self, farm, name, baud=115200, parity=serial.PARITY_EVEN):
        self.port = serial.serial_for_url(f"rfc2217://127.0.0.1:{tcp_port(farm, name)}", do_not_open=True,
                                          baudrate=baud, parity=parity)
        self.port.dtr = self.port.rts = False
        self.port.open()

    def __exit__(self, *_):
        self.port.close()

    def send(self, data):
        self.port.write(bytes(data))

    def read(self, count, timeout_s=5.0):
        self.port.timeout = timeout_s
        return self.port.read(count)

    def enter(self, boot):
        """RTS holds BOOT0, DTR pulls NRST."""
        self.port.rts = boot
        self.port.dtr = True
        self.port.dtr = False


def entry(farm, checks):
    checks.equal(farm.state("A1")[0], "running", "a wired board starts in its application")
    with RemoteRom(farm, "A1") as rom:
        checks.check(rom.silent(), "the application does not answer")
        rom.port.rts = True
        rom.port.dtr = True
        checks.check(farm.wait_for("A1", "phase", "held"), "DTR holds the board in reset")
        checks.check(rom.silent(), "a board in reset does not answer")
        rom.port.dtr = False
        checks.equal(rom.sync(), ACK, "let go with BOOT0 high: the bootloader")
        rom.enter(False)
        checks.check(farm.wait_for("A1", "phase", "running"), "let go with BOOT0 low: the application")
        rom.enter(True)
        checks.equal(rom.sync(), ACK, "the bootloader again")
    with RemoteRom(farm, "A1") as rom:
        rom.port.dtr = True
        checks.check(farm.wait_for("A1", "phase", "held"), "held by a client")
    checks.check(farm.wait_for("A1", "phase", "running"), "the lines fall when their client leaves")
    farm.ask("insert", "A1")
    checks.equal(farm.state("A1")[0], "running", "a board that is inserted starts in its application")


def transparency(farm, checks):
    with RemoteRom(farm, "A2") as rom:
        rom.enter(True)
        checks.equal(rom.sync(), ACK, "synchronised")
        checks.equal(rom.write(BASE, IAC_HEAVY * 16), ACK, "a block full of telnet's own bytes")
        checks.equal(rom.read_memory(BASE, 256), IAC_HEAVY * 16, "and read back")
    checks.equal(farm.dump("A2")[:256], IAC_HEAVY * 16, "and in flash")


def settings(farm, checks):
    """--strict-parity: the board understands even parity only."""
    with RemoteRom(farm, "A3", 57600, serial.PARITY_NONE) as rom:
        rom.enter(True)
        checks.check(rom.silent(), "no parity is not understood")
        rom.port.parity = serial.PARITY_MARK
        checks.check(rom.silent(), "mark neither")
        rom.port.parity = serial.PARITY_EVEN
        checks.equal(farm.state("A3")[1]["baud"], "57600", "the rate arrives")
        rom.enter(True)
        checks.equal(rom.sync(), ACK, "even parity is")
        rom.port.baudrate = 115200
        checks.check(rom.ask(opcode(0x02), 1, 0.3) != ACK, "another rate than the measured one is noise")
        rom.port.baudrate = 57600
        checks.equal(rom.port.cts and rom.port.dsr and rom.port.cd and not rom.port.ri, True, "modem state")


def in_order(farm, checks):
    """Bytes and settings in one piece of TCP: each byte must be taken at the settings before it."""
    def request(*words):
        return b"".join(b"\xff\xfa\x2c" + word + b"\xff\xf0" for word in words)

    odd, even, rts, dtr, no_dtr = b"\x03\x02", b"\x03\x03", b"\x05\x0b", b"\x05\x08", b"\x05\x09"
    with socket.create_connection(("127.0.0.1", tcp_port(farm, "A3"))) as raw:
        raw.settimeout(5)
        raw.sendall(b"\xff\xfb\x2c" + request(even, rts, dtr, no_dtr) + b"\x7f" + request(odd) + opcode(0x02) +
                    request(even) + b"\x00\xff\xff" + request(b"\x0a\x00"))
        answer, got = b"", bytes.fromhex("790b22000102112131436373829279")
        while not answer.endswith(got):
            part = raw.recv(4096)
            if not part:
                break
            answer += part
    data = answer
    for word in (b"\x67\x03", b"\x67\x02", b"\x69\x0b", b"\x69\x08", b"\x69\x09", b"\x6b\xb0", b"\x6e\x00"):
        checks.check(request(word) in data, f"answer {word.hex()}")
        data = data.replace(request(word), b"")
    while data[:1] == b"\xff" and data[1] in (0xFB, 0xFD):
        data = data[3:]
    noise = data[1:-len(got)]
    checks.check(data[:1] == ACK and data.endswith(got), f"0x7F and Get in even parity are answered: {data.hex()}")
    checks.check(noise and ACK not in noise and b"\x04" not in noise, f"Get ID in odd parity is noise: {noise.hex()}")


def coming_and_going(farm, checks):
    number = tcp_port(farm, "A1")
    with RemoteRom(farm, "A1"):
        with socket.create_connection(("127.0.0.1", number)) as second:
            second.settimeout(5)
            checks.equal(second.recv(1), b"", "a second client is turned away")
    with RemoteRom(farm, "A1") as rom:
        rom.enter(True)
        checks.equal(rom.sync(), ACK, "the next one is welcome")
        farm.ask("unplug", "A1")
        try:
            gone = rom.ask(b"\x7f\x7f", 1, 2.0) == b""
        except serial.SerialException:
            gone = True
        checks.check(gone, "unplugged: the connection ends")
    try:
        socket.create_connection(("127.0.0.1", number)).close()
        refused = False
    except ConnectionRefusedError:
        refused = True
    checks.check(refused, "unplugged: nobody listens")
    checks.equal(farm.ask("replug", "A1"), "ok", "replug")
    checks.equal(tcp_port(farm, "A1"), number, "the port returns under its number")
    with RemoteRom(farm, "A1") as rom:
        rom.enter(True)
        checks.equal(rom.sync(), ACK, "and works")


def mixed(farm, checks):
    """A4 has a pty."""
    checks.equal(farm.state("A4")[1]["port"], "serial:" + farm.port("A4"), "a board without --remote has a pty")
    checks.equal(farm.state("A4")[0], "fresh", "and starts in its bootloader")
    with open(os.path.join(farm.dir, "flashfarm.conf"), encoding="ascii") as file:
        stations = file.read().split("[station ")[1:]
    want = [f"port = rfc2217:127.0.0.1:{tcp_port(farm, name)}" for name in ("A1", "A2", "A3")]
    checks.equal([port for port, text in zip(want, stations) if port in text and "entry = dtr-rts" in text], want,
                 "remote stations in flashfarm.conf")
    checks.check(f"port = serial:{farm.port('A4')}" in stations[3] and "entry = none" in stations[3], "and the other")


def marks_and_breaks(checks, program):
    """An RS-485 unit tells what reached it: 55h twice, its address in mark parity, DESCRIBE in space parity."""
    with Farm(program, "p89lpc922-rs485=2", "--remote") as farm:
        number = int(farm.state("A2")[1]["port"].split("#")[0].rsplit(":", 1)[1])
        with serial.serial_for_url(f"rfc2217://127.0.0.1:{number}", baudrate=57600, parity=serial.PARITY_SPACE,
                                   timeout=2.0) as line:
            line.write(b"\x55" * 4)
            line.write(b"\2")
            checks.check(farm.wait_for("A2", "phase", "synced"), "an address in space parity is none")
            line.parity = serial.PARITY_MARK
            line.write(b"\2")
            checks.equal(line.read(1), b"\2", "in mark parity it is answered")
            line.parity = serial.PARITY_SPACE
            line.write(bytes.fromhex("02010700") + b"\0")
            checks.check(farm.wait_for("A2", "phase", "selected"), "the unit has an open ear")
            line.send_break(0.5)
            checks.check(farm.wait_for("A2", "phase", "fresh"), "a break of 0.5 s resets it")
            line.break_condition = True
            checks.equal(farm.state("A1")[0], "fresh", "and all others")


def pace(checks, program):
    """4 KiB both ways at 115200 baud: 8E1 is 11 bits a byte."""
    with Farm(program, "stm32f103xb", "--remote", "--pace") as farm, RemoteRom(farm, "A1") as rom:
        rom.enter(True)
        checks.equal(rom.sync(), ACK, "paced board answers")
        start = time.monotonic()
        for at in range(0, 4096, 256):
            checks.equal(rom.read_memory(BASE + at, 256), b"\xff" * 256, "paced read")
        took, floor = time.monotonic() - start, 16 * (2 + 5 + 2 + 3 + 256) * 11 / 115200
        checks.check(took >= 0.98 * floor, f"not faster than the wire: {took:.3f} of {floor:.3f} s")


def through_ser2net(checks, program):
    """stm32flash on a pty of ser2net, which speaks RFC 2217 to the board."""
    with Farm(program, "stm32f103xb", "--remote") as farm, tempfile.TemporaryDirectory() as work:
        image, back, link = (os.path.join(work, name) for name in ("image", "back", "port"))
        with open(image, "wb") as file:
            file.write(IAC_HEAVY * 256)
        farm.ask("reset", "A1")
        config = os.path.join(work, "ser2net.yaml")
        with open(config, "w", encoding="ascii") as file:
            file.write(f"connection: &board\n  accepter: conacc,pty(link={link})\n  connector: "
                       f"telnet(rfc2217),tcp,127.0.0.1,{tcp_port(farm, 'A1')}\n")
        server = subprocess.Popen(["ser2net", "-d", "-c", config], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        try:
            end = time.monotonic() + 10
            while not os.path.exists(link) and time.monotonic() < end:
                time.sleep(0.01)
            for arguments in (["-w", image, "-v"], ["-r", back, "-S", "0x08000000:4096"]):
                run = subprocess.run(["stm32flash", "-m", "8n1", "-b", "115200", *arguments, link], timeout=60,
                                     capture_output=True, text=True)
                checks.equal(run.returncode, 0, f"stm32flash {arguments[0]} through ser2net: {run.stdout}{run.stderr}")
        finally:
            server.kill()  # it does not end by SIGTERM while a port is open
            server.wait()
        checks.check(farm.dump("A1")[:4096] == IAC_HEAVY * 256, "what stm32flash wrote through ser2net")
        with open(back, "rb") as file:
            checks.check(file.read() == IAC_HEAVY * 256, "what stm32flash read through ser2net")


def main():
    program = sys.argv[1]
    checks = Checks()
    with Farm(program, "stm32f103xb=4", "--remote=A1,A2,A3", "--strict-parity") as farm:
        for test in (entry, transparency, settings, in_order, coming_and_going, mixed):
            test(farm, checks)
    checks.equal(farm.status, 0, "exit status of flashfarm-sim")
    marks_and_breaks(checks, program)
    pace(checks, program)
    if shutil.which("ser2net") and shutil.which("stm32flash"):
        through_ser2net(checks, program)
    else:
        checks.check(False, "ser2net and stm32flash are needed")
    checks.finish()


main()
