# SPDX-License-Identifier: Apache-2.0
"""How true is --pace? Prints measured time over the time that wire and flash should take. Not a unit test: on a
busy host the client itself is late.

usage: pace_check.py FLASHFARM-SIM
"""
import functools
import operator
import subprocess
import sys
import tempfile
import time

from farm import Farm, Line

FRAME_BITS = 11
HALFWORD_S, PAGE_S = 52.5e-6, 30e-3
BLOCKS = 64


def xor(data):
    return functools.reduce(operator.xor, data, 0)


def address(at):
    data = at.to_bytes(4, "big")
    return data + bytes([xor(data)])


def read_blocks(line):
    """Opcode, address and count in one piece: 9 bytes there, the last ACK and 256 bytes back."""
    for block in range(BLOCKS):
        request = b"\x11\xee" + address(0x08000000 + 256 * block) + b"\xff\x00"
        assert len(line.ask(request, 3 + 256)) == 259
    return BLOCKS * (9 + 1 + 256), 0.0, BLOCKS


def write_blocks(line):
    """7 bytes and the address ACK, 258 bytes, the programming, the last ACK."""
    data = bytes(range(256))
    body = b"\xff" + data
    for block in range(BLOCKS):
        assert line.ask(b"\x31\xce" + address(0x08000000 + 256 * block), 2) == b"\x79\x79"
        assert line.ask(body + bytes([xor(body)]), 1) == b"\x79"
    return BLOCKS * (7 + 1 + 258 + 1), BLOCKS * 128 * HALFWORD_S, 2 * BLOCKS


def erase_pages(line):
    pages = bytes(range(64))
    request = b"\x3f" + pages
    assert line.ask(b"\x43\xbc", 1) == b"\x79"
    assert line.ask(request + bytes([xor(request)]), 1) == b"\x79"
    return 2 + 1 + 66 + 1, 64 * PAGE_S, 2


def measure(farm, name, baud, turnaround_s):
    with Line(farm.port(name), baud) as line:
        assert line.ask(b"\x7f", 1) == b"\x79"
        for step in (erase_pages, write_blocks, read_blocks):
            start = time.monotonic()
            count, flash_s, turns = step(line)
            took = time.monotonic() - start
            want = count * FRAME_BITS / baud + flash_s + turns * turnaround_s
            print(f"{baud:7} baud {turnaround_s * 1e3:3.0f} ms {step.__name__:13} want {want:7.3f} s "
                  f"took {took:7.3f} s ratio {took / want:.4f}")


def peer(farm, name, baud):
    with tempfile.NamedTemporaryFile() as image:
        image.write(bytes(range(1, 256)) * 257)
        image.flush()
        start = time.monotonic()
        subprocess.run(["stm32flash", "-m", "8n1", "-b", str(baud), "-w", image.name, "-v", farm.port(name)],
                       stdout=subprocess.DEVNULL, check=True)
        print(f"{baud:7} baud stm32flash -w -v of 65535 bytes: {time.monotonic() - start:.2f} s")


def main():
    for turnaround_us in (0, 1000):
        with Farm(sys.argv[1], "stm32f103xb=3", "--pace", "--max-baud", "921600",
                  "--turnaround", str(turnaround_us)) as farm:
            measure(farm, "A1", 115200, turnaround_us / 1e6)
            measure(farm, "A2", 921600, turnaround_us / 1e6)
            if not turnaround_us:
                peer(farm, "A3", 115200)


main()
