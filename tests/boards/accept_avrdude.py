# SPDX-License-Identifier: Apache-2.0
"""Debian's avrdude programs, verifies and reads every kind of AVR board; then what avrdude cannot look at: resets,
faults, pace, the operator's socket and the command line of flashfarm-sim-avr.

usage: accept_avrdude.py FLASHFARM-SIM-AVR
"""
import concurrent.futures
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

from farm import Checks, Farm, Line

BOOTLOADERS = "/usr/share/arduino/hardware/arduino/avr/bootloaders"
TIMEOUT_S = 60
SILENCE_S = 0.3

# kind: part, programmer, first byte of the boot section, bytes of EEPROM that this loader writes and reads right.
# stk500v2 reads EEPROM at twice the address it was given, the one of the ATmega8 takes other addresses than avrdude
# gives, optiboot has none.
KINDS = {
    "atmega328p:optiboot": ("m328p", "arduino", 0x7E00, 0),
    "atmega328p:atmegaboot": ("m328p", "arduino", 0x7800, 300),
    "atmega168:atmegaboot": ("m168", "arduino", 0x3800, 300),
    "atmega1284p:optiboot": ("m1284p", "arduino", 0x1FC00, 0),
    "atmega1284p:atmegaboot": ("m1284p", "arduino", 0x1F800, 300),
    "atmega1280:atmegaboot": ("m1280", "arduino", 0x1F000, 300),
    "atmega2560:stk500v2": ("m2560", "wiring", 0x3E000, 8),
    "atmega8:atmegaboot": ("m8", "arduino", 0x1C00, 0),
}

# UBRR0 = 16 with U2X0 (115200), transmitter on, then for ever: each byte of the text when UDRE0 is set.
APPLICATION = bytes.fromhex(
    "82e0 8093c000 80e1 8093c400 88e0 8093c100"  # ldi r24, 2; sts UCSR0A; ldi 16; sts UBRR0L; ldi 8; sts UCSR0B
    "e6e3 f0e0"                                  # 1: ldi Z, text (0x36)
    "0590 0020 d9f3"                             # 2: lpm r0, Z+; tst r0; breq 1b
    "8091c000 85ff fccf"                         # 3: lds r24, UCSR0A; sbrs r24, UDRE0; rjmp 3b
    "0092c600 f6cf"                              # sts UDR0, r0; rjmp 2b
).ljust(0x36, b"\0") + b"APP OK\n\0"


def configuration(farm):
    """Station sections of DIR/avr.conf as dictionaries."""
    stations = {}
    with open(os.path.join(farm.dir, "avr.conf"), encoding="utf-8") as file:
        for line in file:
            line = line.strip()
            if line.startswith("[station "):
                section = stations[line[9:-1]] = {}
            elif line:
                key, value = line.split(" = ")
                section[key] = value
    return stations


class Board:
    def __init__(self, farm, checks, name, kind):
        self.farm, self.checks, self.name, self.kind = farm, checks, name, kind
        self.part, self.programmer, self.boot, self.eeprom_size = KINDS[kind]
        self.station = configuration(farm)[name]
        self.random = random.Random(kind)

    def check(self, good, what):
        return self.checks.check(good, f"{self.kind}: {what}")

    def avrdude(self, *operations, options=()):
        words = [word for operation in operations for word in ("-U", operation)]
        run = subprocess.run(
            ["avrdude", "-p", self.part, "-c", self.programmer, "-P", self.farm.port(self.name),
             "-b", self.station["baud"], "-D", *options, *words],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TIMEOUT_S, check=False, text=True,
            errors="replace")
        self.said = run.stdout
        return run.returncode

    def file(self, data, suffix="image"):
        path = os.path.join(self.farm.dumps, f"{self.name}.{suffix}")
        with open(path, "wb") as file:
            file.write(data)
        return path

    def image(self, size):
        data = self.random.randbytes(size)
        return data, self.file(data)

    def eeprom(self):
        path = os.path.join(self.farm.dumps, f"{self.name}.eeprom")
        assert self.farm.ask("eeprom", self.name, path) == "ok"
        with open(path, "rb") as file:
            return file.read()

    def program(self, size):
        loader = self.farm.dump(self.name)[self.boot:]
        data, path = self.image(size)
        self.check(self.avrdude(f"flash:w:{path}:r") == 0, f"write and verify of {size} bytes")
        flash = self.farm.dump(self.name)
        self.check(flash[:size] == data, f"flash is the image of {size} bytes")
        self.check(set(flash[size:self.boot]) <= {0xFF}, "behind the image flash is erased")
        self.check(flash[self.boot:] == loader, "the bootloader is untouched")

    def program_eeprom(self):
        size = self.eeprom_size
        if not size:
            return
        data = self.random.randbytes(size)
        path = self.file(data, "eeprom.image")
        self.check(self.avrdude(f"eeprom:w:{path}:r") == 0, "EEPROM: write and verify")
        self.check(self.eeprom()[:size] == data, "EEPROM is the image")

    def read_back(self, size):
        data, path = self.image(size)
        self.farm.ask("fill", self.name, "0xFF")
        self.farm.ask("fill", self.name, path)
        back = os.path.join(self.farm.dumps, f"{self.name}.back")
        self.check(self.avrdude(f"flash:r:{back}:r") == 0, "read")
        with open(back, "rb") as file:
            self.check(file.read()[:size] == data, "what was read is what was there")

    def overlap(self):
        """An image that reaches into the boot section does not land there, and avrdude sees that."""
        loader = self.farm.dump(self.name)[self.boot:]
        path = self.file(b":10" + f"{self.boot & 0xFFFF:04X}".encode() + b"00" + b"00" * 16 +
                         f"{-(16 + (self.boot >> 8 & 0xFF) + (self.boot & 0xFF)) & 0xFF:02X}\n".encode() +
                         b":00000001FF\n", "hex")
        if self.boot < 0x10000:
            self.check(self.avrdude(f"flash:w:{path}:i") != 0, "an image over the bootloader does not verify")
            self.check(self.farm.dump(self.name)[self.boot:] == loader, "the bootloader is locked")


    def wrong_signature(self):
        self.check(self.farm.ask("fault", self.name, "wrong-id") == "ok", "wrong-id: found in the bootloader")
        self.check(self.avrdude() != 0 and "expected signature" in self.said.lower(), "wrong-id: avrdude refuses")
        self.farm.ask("fault", self.name, "none")
        self.check(self.avrdude() == 0, "none: avrdude is content")


def accept(farm, checks, index, kind):
    board = Board(farm, checks, f"A{index + 1}", kind)
    board.program(min(3000, board.boot))
    board.farm.ask("insert", board.name)
    # Over 64 KiB, and over 128 KiB where there is so much: RAMPZ and the extended address.
    board.program(min(board.boot, 0x22345))
    board.program_eeprom()
    board.read_back(2000)
    board.overlap()
    board.wrong_signature()
    print(f"{kind}: done", flush=True)


class Optiboot:
    """A raw client of one board, in the words of STK500 version 1."""

    def __init__(self, farm, name="A1", baud=115200):
        self.line = Line(farm.port(name), baud)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.line.__exit__()

    def ask(self, data, count, timeout_s=2.0):
        return self.line.ask(bytes(data) + b" ", count, timeout_s)

    def syncs(self):
        return self.ask(b"0", 2) == b"\x14\x10"

    def signature(self):
        return self.ask(b"u", 5)

    def load(self, address):
        assert self.ask([0x55, address // 2 & 0xFF, address // 2 >> 8], 2) == b"\x14\x10"

    def write(self, address, page, timeout_s=2.0):
        self.load(address)
        return self.ask(bytes([0x64, 0, len(page)]) + b"F" + page, 2, timeout_s)

    def read(self, address, count):
        self.load(address)
        return self.ask(bytes([0x74, 0, count]) + b"F", count + 2)[1:-1]


PAGE = bytes(range(128))


def opened(farm, fault, name="A1"):
    assert farm.ask("fault", name, "none") == "ok"
    assert farm.ask("insert", name) == "ok"
    if fault:
        assert farm.ask("fault", name, fault) == "ok", fault
    return Optiboot(farm, name)


def resets(farm, checks):
    with opened(farm, None) as boot:
        checks.check(boot.syncs(), "reset when opened")
        checks.equal(boot.signature(), b"\x14\x1e\x95\x0f\x10", "signature")
        checks.equal(boot.write(0, APPLICATION.ljust(128, b"\xff")), b"\x14\x10", "write the application")
        checks.check(boot.syncs(), "still there")
        # No word for a second: the watchdog ends the bootloader.
        checks.check(b"APP OK\n" in boot.line.read(64), "the watchdog starts the application")
        checks.equal(farm.state("A1")[0], "application", "state: application")
        checks.equal(farm.state("A1")[1]["watchdog"], "1", "state: reset by the watchdog")
    with Optiboot(farm) as boot:
        boot.line.read(1 << 20, SILENCE_S)  # what the application had said before
        checks.check(boot.syncs(), "opening resets it again")
        checks.equal(boot.ask(b"Q", 2), b"\x14\x10", "leave")
        checks.check(b"APP OK\n" in boot.line.read(64), "the application runs after leaving")
        farm.ask("reset", "A1")
        boot.line.read(1 << 20, SILENCE_S)
        checks.check(boot.syncs(), "the operator's reset")


def wrong_rate(farm, checks):
    farm.ask("insert", "A1")
    with Optiboot(farm, baud=57600) as boot:
        checks.check(boot.ask(b"0", 2, SILENCE_S) != b"\x14\x10", "nothing sensible at a wrong rate")
        checks.check(farm.wait_for("A1", "watchdog", "1"), "framing errors do not keep the bootloader alive")


def wrong_chips(farm, checks):
    with opened(farm, "wrong-id") as boot:
        checks.equal(boot.signature(), b"\x14\x1e\x95\x14\x10", "wrong-id: another chip's signature")
    with opened(farm, "wrong-id@0x16") as boot:
        checks.equal(boot.signature(), b"\x14\x1e\x95\x16\x10", "wrong-id@0x16")
        checks.equal(farm.ask("fault", "A1", "none"), "ok", "none")
        checks.equal(boot.signature(), b"\x14\x1e\x95\x0f\x10", "none: its own again")
    for kind in ("nack-write", "protected", "duplicate-uid=A2"):
        checks.check(farm.ask("fault", "A1", kind).startswith("error "), f"{kind} is refused")



def wrong_cells(farm, checks):
    with opened(farm, "bad-cell@0x10") as boot:
        checks.equal(boot.write(0, PAGE), b"\x14\x10", "bad-cell: write is acknowledged")
        got = boot.read(0, 128)
        checks.equal([i for i in range(128) if got[i] != PAGE[i]], [0x10], "bad-cell: one cell is wrong")
    with opened(farm, "corrupt@2") as boot:
        for i in range(3):
            checks.equal(boot.write(128 * i, PAGE), b"\x14\x10", "corrupt: write is acknowledged")
        got = b"".join(boot.read(128 * i, 128) for i in range(3))
        checks.equal([(i, got[i] ^ PAGE[i % 128]) for i in range(384) if got[i] != PAGE[i % 128]], [(192, 0x10)],
                     "corrupt@2: one bit of the second page")


def broken_conversations(farm, checks):
    with opened(farm, "silent") as boot:
        checks.equal(boot.ask(b"0", 2, SILENCE_S), b"", "silent")
    with opened(farm, "garbage") as boot:
        checks.check(boot.ask(b"0", 2) not in (b"", b"\x14\x10"), "garbage")
    with opened(farm, "hang@2") as boot:
        checks.equal(boot.write(0, PAGE), b"\x14\x10", "hang@2: before")
        checks.check(boot.write(128, PAGE, SILENCE_S) != b"\x14\x10", "hang@2: no answer")
        checks.equal(boot.ask(b"0", 2, SILENCE_S), b"", "hang@2: nor to anything after it")
        checks.equal(farm.state("A1")[0], "hung", "hang@2: state")
        checks.equal(farm.dump("A1")[128:256], b"\xff" * 128, "hang@2: nothing has landed")
    with Optiboot(farm) as boot:
        checks.check(boot.syncs(), "hang strikes once; a reset cures it")
    with opened(farm, "drop-ack@1") as boot:
        checks.check(boot.write(0, PAGE, SILENCE_S) != b"\x14\x10", "drop-ack: no full answer")
        checks.equal(farm.dump("A1")[:128], PAGE, "drop-ack: but the page has landed")
        checks.check(boot.syncs(), "drop-ack: it goes on")
    with opened(farm, "unplug@1") as boot:
        checks.check(boot.write(0, PAGE) != b"\x14\x10", "unplug: hang-up")
        checks.check(farm.wait_for("A1", "phase", "unplugged"), "unplug: state")
        checks.check(not os.path.exists(farm.port("A1")), "unplug: the link is gone")
        checks.equal(farm.dump("A1")[:128], PAGE[:64] + b"\xff" * 64, "unplug: half of the page has landed")
    checks.equal(farm.ask("replug", "A1"), "ok", "replug")
    with Optiboot(farm) as boot:
        checks.check(boot.syncs(), "replug: it is back")


def marginal(farm, checks):
    with opened(farm, "marginal@57600") as boot:
        wrong = 0
        for _ in range(40):
            if boot.ask(b"u", 5, SILENCE_S) != b"\x14\x1e\x95\x0f\x10":
                wrong += 1
                farm.ask("reset", "A1")
        checks.check(0 < wrong < 40, f"marginal: some answers are wrong ({wrong} of 40)")


def operator(farm, checks):
    farm.ask("fault", "A1", "none")
    with opened(farm, None) as boot:
        boot.write(0, PAGE)
    checks.equal(farm.ask("remove", "A1"), "ok", "remove")
    checks.equal(farm.state("A1")[0], "removed", "removed")
    with Optiboot(farm) as boot:
        checks.equal(boot.ask(b"0", 2, SILENCE_S), b"", "nobody answers from an empty socket")
    before = int(farm.state("A1")[1]["generation"])
    checks.equal(farm.ask("insert", "A1"), "ok", "insert")
    checks.equal(set(farm.dump("A1")[:0x7E00]), {0xFF}, "the next board is blank")
    checks.equal(farm.state("A1")[1]["generation"], str(before + 1), "generation")
    with Optiboot(farm) as boot:
        checks.check(boot.syncs(), "the next board answers")
    for request in ("", "dance A1", "state", "state Z9", "dump A1", "state A1 x", "fault A1 dance",
                    "dump A1 /nowhere/file", "fill A1 /nowhere/file"):
        checks.check(farm.ask(request).startswith("error "), f"refused: {request!r}")


def pace(program, checks):
    """Never faster than wire and flash."""
    with Farm(program, "atmega328p", "--pace", "--turnaround", "2000", control="avr-control") as farm:
        with Optiboot(farm) as boot:
            checks.check(boot.syncs(), "paced: sync")
            start = time.monotonic()
            checks.equal(len(boot.read(0, 128)), 128, "paced: read")
            took, want = time.monotonic() - start, (6 + 5 + 130) * 10 / 117647 + 2 * 0.002
            checks.check(0.99 * want <= took <= want + 1, f"paced: read took {took:.4f} s, want {want:.4f}")
            boot.load(0)
            start = time.monotonic()
            checks.equal(boot.ask(b"\x64\x00\x80F" + PAGE, 2), b"\x14\x10", "paced: write")
            took, want = time.monotonic() - start, (4 + 128 + 1 + 2) * 10 / 117647 + 0.0045 + 0.002
            checks.check(0.99 * want <= took <= want + 1, f"paced: write took {took:.4f} s, want {want:.4f}")
            # Half of the pages' own section: the CPU stands still for erase and write, three bytes wait, the rest
            # is lost.
            boot.load(0x7000)
            start = time.monotonic()
            boot.line.send(b"\x64\x00\x80F" + PAGE + b" " + b"0 " * 8)
            checks.equal(boot.line.read(2), b"\x14\x10", "paced: write to the section that stops the CPU")
            took, want = time.monotonic() - start, (4 + 128 + 1) * 10 / 117647 + 2 * 0.0045
            checks.check(took >= 0.99 * want, f"paced: NRWW write took {took:.4f} s, want {want:.4f}")
            checks.check(int(farm.state("A1")[1]["overruns"]) >= 10, "paced: what comes meanwhile is lost")
    with Farm(program, "atmega328p", "--fault", "A1=slow@20", control="avr-control") as farm, Optiboot(farm) as boot:
        checks.check(boot.syncs(), "slow: sync")
        start = time.monotonic()
        checks.equal(boot.write(0, PAGE), b"\x14\x10", "slow: write")
        checks.check(time.monotonic() - start >= 20 * 0.0045, "slow: takes 20 times as long")


def paced_avrdude(program, checks):
    """In time, all at once: nothing is overrun, nothing times out."""
    kinds = ["atmega328p:optiboot", "atmega2560:stk500v2", "atmega1280:atmegaboot", "atmega1284p:optiboot"]
    with Farm(program, ",".join(kinds), "--pace", control="avr-control") as farm:
        boards = [Board(farm, checks, f"A{index + 1}", kind) for index, kind in enumerate(kinds)]
        with concurrent.futures.ThreadPoolExecutor(len(boards)) as pool:
            list(pool.map(lambda board: board.program(3000), boards))
        for board in boards:
            board.check(farm.state(board.name)[1]["overruns"] == "0", "paced: no overruns")


def remote(program, checks):
    """DTR resets a board on a port with modem lines; pyserial is the client."""
    try:
        import serial
    except ImportError:
        print("no pyserial: ports with modem lines are not looked at")
        return
    with Farm(program, "atmega328p=3", "--remote=A1,A3", control="avr-control") as farm:
        stations = configuration(farm)
        checks.equal([stations[name]["entry"] for name in ("A1", "A2", "A3")], ["arduino", "reopen", "arduino"],
                     "--remote=A1,A3: entries")
        checks.check(not os.path.exists(farm.port("A1")) and os.path.exists(farm.port("A2")), "links of ptys only")
        port = serial.serial_for_url(stations["A1"]["port"].replace("rfc2217:", "rfc2217://"), 115200, timeout=3)
        for _ in range(2):
            port.dtr = False
            port.write(b"Q ")  # whatever runs, it is not the bootloader's prompt afterwards
            port.read(2)
            checks.check(farm.wait_for("A1", "watchdog", "1"), "remote: the application runs")
            port.dtr = True
            port.reset_input_buffer()
            port.write(b"0 ")
            checks.equal(port.read(2), b"\x14\x10", "remote: DTR resets into the bootloader")
            port.write(b"u ")
            checks.equal(port.read(5), b"\x14\x1e\x95\x0f\x10", "remote: signature")
        port.close()


def command_line(program, checks):
    def run(*options):
        return subprocess.run([program, *options], capture_output=True, text=True, timeout=20, check=False)

    with tempfile.TemporaryDirectory() as folder:
        broken = f"{BOOTLOADERS}/optiboot/optiboot_atmega328.hex"
        result = run("--boards", "atmega328p", "--dir", folder, "--loader", broken)
        checks.check(result.returncode == 1 and "20 bytes past the end of flash (0x8000)" in result.stderr,
                     f"Debian's own optiboot is refused: {result.stderr}")
        for options, word in ((("--boards", "atmega9", "--dir", folder), "unknown chip"),
                              (("--boards", "atmega328p=0", "--dir", folder), "not a number"),
                              (("--boards", "atmega328p:nothing", "--dir", folder), "unknown chip"),
                              (("--boards", "atmega328p"), "--dir"),
                              (("--boards", "atmega328p", "--dir", folder, "--fault", "A2=silent"), "no board"),
                              (("--boards", "atmega328p", "--dir", folder, "--fault", "A1"), "NAME=KIND"),
                              (("--boards", "atmega328p", "--dir", "/nowhere/x"), "/nowhere/x"),
                              (("--dance",), "dance")):
            result = run(*options)
            checks.check(result.returncode == 1 and word in result.stderr, f"{options}: {result.stderr}")
    checks.check("--boards" in run("--help").stdout, "--help")
    checks.equal(run("--chips").stdout.split(), list(KINDS), "--chips")


def names_and_end(program, checks):
    with tempfile.TemporaryDirectory() as dumps:
        with Farm(program, "atmega328p=2,atmega2560", "--first", "15", "--prefix", "L-", "--dump-dir", dumps,
                  control="avr-control") as farm:
            checks.equal(farm.ask("list"), "ok L-A16:bootloader L-B1:bootloader L-B2:bootloader",
                         "--first and --prefix")
            checks.equal(sorted(configuration(farm)), ["L-A16", "L-B1", "L-B2"], "avr.conf")
            checks.equal(configuration(farm)["L-B2"]["protocol"], "stk500v2", "avr.conf: protocol")
        checks.equal(farm.status, 0, "exit status")
        checks.equal(sorted((name, os.path.getsize(os.path.join(dumps, name))) for name in os.listdir(dumps)),
                     [("L-A16.bin", 32768), ("L-B1.bin", 32768), ("L-B2.bin", 262144)], "--dump-dir")


def main():
    program, checks = sys.argv[1], Checks()
    if not shutil.which("avrdude"):
        raise SystemExit("avrdude is not installed")
    with Farm(program, ",".join(KINDS), control="avr-control") as farm:
        with concurrent.futures.ThreadPoolExecutor(len(KINDS)) as pool:
            list(pool.map(lambda item: accept(farm, checks, *item), enumerate(KINDS)))
    checks.equal(farm.status, 0, "exit status of flashfarm-sim-avr")
    with Farm(program, "atmega328p=2", control="avr-control") as farm:
        for step in (resets, wrong_rate, wrong_chips, wrong_cells, broken_conversations, marginal, operator):
            step(farm, checks)
    checks.equal(farm.status, 0, "exit status of flashfarm-sim-avr")
    for step in (pace, paced_avrdude, remote, command_line, names_and_end):
        step(program, checks)
    checks.finish()


main()
