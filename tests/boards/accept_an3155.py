# SPDX-License-Identifier: Apache-2.0
"""The simulated bootloaders byte by byte: every command, what it refuses, what the flash then holds.

usage: accept_an3155.py FLASHFARM-SIM
"""
import sys

from farm import Checks, Farm
from rom import ACK, BASE, NACK, address, opcode, opened, summed, synced

CHIPS = "stm32f103xb=2,stm32f407xg,stm32f429xi,stm32l476xg,stm32l053x8,stm32g071xb,stm32l152xb,stm32f030x8"
F103, F103_OTHER, F407, F429, L476, L053, G071, L152, F030 = (f"A{i}" for i in range(1, 10))
PATTERN = bytes(range(256))


def identity(farm, checks):
    with opened(farm, F103) as rom:
        checks.equal(rom.sync(), ACK, "fresh board acknowledges 0x7F")
        checks.equal(rom.ask(b"\x7f\x7f", 1), NACK, "synchronised board refuses 0x7F 0x7F")
        want = bytes.fromhex("790b22000102112131436373829279")
        checks.equal(rom.ask(opcode(0x00), 15), want, "Get of F103")
        checks.equal(rom.ask(opcode(0x01), 5), bytes.fromhex("7922000079"), "Get Version of F103")
        checks.equal(rom.ask(opcode(0x02), 5), bytes.fromhex("7901041079"), "Get ID of F103")
        checks.equal(rom.ask(b"\x02\xfc", 1), NACK, "wrong complement")
        checks.equal(rom.code(0x05), NACK, "unknown opcode")
        checks.equal(rom.code(0x44), NACK, "F103 has no Extended Erase")
        checks.equal(rom.code(0xA1), NACK, "no Get Checksum unless asked for")
    with synced(farm, F407) as rom:
        want = bytes.fromhex("790b31000102112131446373829279")
        checks.equal(rom.ask(opcode(0x00), 15), want, "Get of F407")
        checks.equal(rom.get_id(), 0x413, "id of F407")
        checks.equal(rom.code(0x43), NACK, "F407 has no Erase")


def reading(farm, checks):
    with synced(farm, F103) as rom:
        checks.equal(rom.read_memory(BASE, 256), b"\xff" * 256, "erased flash")
        checks.equal(rom.read_memory(0x1FFFF7E0, 2), b"\x80\x00", "flash size register")
        uid = rom.read_memory(0x1FFFF7E8, 12).hex()
        checks.equal(farm.state(F103)[1]["uid"], uid, "UID")
        checks.equal(rom.read_memory(0x1FFFF000, 256), rom.read_memory(0x1FFFF000, 256),
                     "system memory is stable")
        checks.check(rom.refuses(opcode(0x11), b"\x08\0\0\0\x09"), "read: wrong address checksum")
        checks.check(rom.refuses(opcode(0x11), address(BASE - 4)), "read: below the flash")
        checks.check(rom.refuses(opcode(0x11), address(BASE + 128 * 1024)), "read: behind the flash")
        checks.check(rom.refuses(opcode(0x11), address(BASE + 128 * 1024 - 4), opcode(7)),
                     "read: over the end of the flash")
        checks.check(rom.refuses(opcode(0x11), address(BASE), b"\x07\x07"), "read: wrong count complement")
        checks.check(rom.refuses(opcode(0x11), address(0x20000000)), "read: the ROM's own RAM")
        coalesced = opcode(0x11) + address(BASE) + opcode(15)
        checks.equal(rom.ask(coalesced, 19), ACK * 3 + b"\xff" * 16, "read request in one piece")
    with synced(farm, F407) as rom:
        checks.check(rom.refuses(opcode(0x11), address(0x1FFF7A10), opcode(11)), "F407: short read of the UID")
        block = rom.read_memory(0x1FFF7A00, 256)
        checks.equal(block[0x10:0x1C].hex(), farm.state(F407)[1]["uid"], "F407: UID in its block")
        checks.equal(block[0x22:0x24], b"\x00\x04", "F407: flash size in its block")
    with synced(farm, L053) as rom:
        block = rom.read_memory(0x1FF80000, 128)
        checks.equal((block[0x50:0x58] + block[0x64:0x68]).hex(), farm.state(L053)[1]["uid"], "L053: UID")


def writing(farm, checks):
    with synced(farm, F103) as rom:
        checks.equal(rom.write(BASE, PATTERN), ACK, "write")
        checks.equal(rom.read_memory(BASE, 256), PATTERN, "what was written")
        checks.check(rom.refuses(opcode(0x31), address(BASE + 256), b"\x03\1\2\3\4\0"),
                     "write: wrong checksum")
        checks.equal(rom.read_memory(BASE + 256, 4), b"\xff" * 4, "a refused block has not landed")
        checks.equal(rom.write(BASE + 256, b"\1\2\3"), NACK, "write: odd length")
        checks.equal(rom.write(BASE + 256, b"\1\2"), ACK, "F103: a halfword")
        checks.check(rom.refuses(opcode(0x31), address(BASE + 257)), "write: odd address")
        checks.check(rom.refuses(opcode(0x31), address(0x1FFFF000)), "write: system memory")
        checks.check(rom.refuses(opcode(0x31), address(0x40000000)), "write: nothing there")
        checks.equal(rom.write(BASE + 128 * 1024 - 4, bytes(8)), NACK, "write: over the end")
        checks.equal(rom.write(0x20000200, PATTERN), ACK, "write to RAM")
        checks.equal(rom.read_memory(0x20000200, 256), PATTERN, "RAM")
    with synced(farm, F407) as rom:
        checks.check(rom.refuses(opcode(0x31), address(BASE + 2)), "F407: halfword address")
        checks.equal(rom.write(0xFFFF0000, b"\x03"), ACK, "F407: supply range")
        checks.equal(rom.write(0xFFFF0000, b"\x09"), NACK, "F407: no such supply range")


def twice(farm, checks, name, second, want):
    """The first eight bytes of flash after 01..08 and then second were written without erasing."""
    with synced(farm, name) as rom:
        checks.equal(rom.write(BASE + 0x1000, bytes(range(1, 9))), ACK, f"{name}: first write")
        checks.equal(rom.write(BASE + 0x1000, second), ACK, f"{name}: second write is acknowledged")
        checks.equal(rom.read_memory(BASE + 0x1000, 8), want, f"{name}: cells after two writes")


def programming_rules(farm, checks):
    first = bytes(range(1, 9))
    flipped = bytes([0xF0] * 8)
    twice(farm, checks, F103, flipped, first)
    twice(farm, checks, F103_OTHER, b"\0\0" + flipped[:6], b"\0\0" + first[2:])
    twice(farm, checks, F407, flipped, bytes(a & 0xF0 for a in first))
    twice(farm, checks, L476, flipped, first)
    twice(farm, checks, G071, bytes(8), bytes(8))
    twice(farm, checks, L053, flipped, first)
    twice(farm, checks, L152, flipped, bytes(a | 0xF0 for a in first))
    with synced(farm, L476) as rom:
        rom.write(BASE + 0x2000, b"\1\2\3\4")
        rom.write(BASE + 0x2004, b"\5\6\7\x08")
        checks.equal(rom.read_memory(BASE + 0x2000, 8), b"\1\2\3\4" + b"\xff" * 4,
                     "L476: the other half of a programmed doubleword is closed")


def erasing(farm, checks):
    farm.ask("fill", F103, "0x55")
    with synced(farm, F103) as rom:
        checks.check(rom.refuses(opcode(0x43), b"\x00\x01\x02"), "erase: wrong checksum")
        checks.check(rom.refuses(opcode(0x43), summed(b"\x01\x01\x80")), "erase: page 128 of 128")
        checks.equal(set(farm.dump(F103)), {0x55}, "refused erases erase nothing")
        checks.check(rom.erase(1, 3), "erase two pages")
        flash = farm.dump(F103)
        checks.equal([set(flash[i * 1024:(i + 1) * 1024]) for i in range(5)],
                     [{0x55}, {0xFF}, {0x55}, {0xFF}, {0x55}], "the two pages")
        checks.check(rom.refuses(opcode(0x43), b"\xff\x01"), "mass erase: wrong complement")
        checks.check(rom.accepts(opcode(0x43), b"\xff\x00"), "mass erase")
        checks.equal(set(farm.dump(F103)), {0xFF}, "after mass erase")
    farm.ask("fill", F429, "0")
    with synced(farm, F429) as rom:
        checks.check(rom.extended_erase(1, 4, 12, 23), "F429: four sectors")
        flash, kib = farm.dump(F429), 1024
        checks.equal([set(flash[at * kib:(at + size) * kib]) for at, size in
                      ((0, 16), (16, 16), (32, 32), (64, 64), (128, 896), (1024, 16), (1040, 880), (1920, 128))],
                     [{0}, {0xFF}, {0}, {0xFF}, {0}, {0xFF}, {0}, {0xFF}], "F429: where sectors lie")
        checks.check(rom.special_erase(0xFFFE), "F429: bank 1")
        flash = farm.dump(F429)
        checks.equal(set(flash[:1024 * kib]), {0xFF}, "F429: bank 1 is erased")
        checks.equal(flash[1040 * kib], 0, "F429: bank 2 is not")
        checks.check(rom.special_erase(0xFFFD), "F429: bank 2")
        checks.equal(set(farm.dump(F429)), {0xFF}, "F429: both are")
        checks.check(rom.refuses(opcode(0x44), summed(b"\xff\xf5")), "reserved special erase")
        checks.check(not rom.extended_erase(24), "F429 has 24 sectors")
    with synced(farm, F407) as rom:
        checks.check(rom.refuses(opcode(0x44), summed(b"\xff\xfe")), "F407 has one bank")
        checks.check(rom.special_erase(0xFFFF), "F407: mass erase")
    with synced(farm, L053) as rom:
        checks.check(rom.refuses(opcode(0x44), summed(b"\xff\xff")), "L053 has no mass erase")
        farm.ask("fill", L053, "0xAA")
        checks.check(rom.extended_erase(*range(512)), "L053: all its pages")
        checks.equal(set(farm.dump(L053)), {0}, "L053: erased is 0")
    with synced(farm, L476) as rom:
        checks.equal(rom.ask(opcode(0x44), 1), ACK, "Extended Erase")
        checks.equal(rom.ask(b"\x02\x00", 1), NACK, "more than 512 pages do not fit")


def write_protection(farm, checks):
    farm.ask("fill", F103, "0xFF")
    with synced(farm, F103) as rom:
        checks.check(rom.accepts(opcode(0x63), summed(b"\x00\x00")), "write protect unit 0")
        checks.equal(farm.state(F103)[0], "fresh", "reset after write protect")
        checks.equal(rom.sync(), ACK, "0x7F after the reset")
        checks.equal(rom.read_memory(0x1FFFF808, 2), b"\xfe\x01", "WRP0 in the option bytes")
        checks.equal(rom.write(BASE + 3 * 1024, b"\1\2"), ACK, "write to a protected page is acknowledged")
        checks.equal(rom.read_memory(BASE + 3 * 1024, 2), b"\xff\xff", "but does nothing")
        checks.equal(rom.write(BASE + 4 * 1024, b"\1\2"), ACK, "write to the next page")
        checks.equal(rom.read_memory(BASE + 4 * 1024, 2), b"\1\2", "is done")
        checks.check(rom.accepts(opcode(0x43), b"\xff\x00"), "mass erase with a protected page")
        checks.equal(rom.read_memory(BASE + 4 * 1024, 2), b"\1\2", "does nothing")
        checks.equal(rom.ask(opcode(0x73), 2), ACK + ACK, "write unprotect")
        checks.equal(rom.sync(), ACK, "0x7F after the reset")
        checks.equal(rom.write(BASE + 3 * 1024, b"\1\2"), ACK, "write to the page no longer protected")
        checks.equal(rom.read_memory(BASE + 3 * 1024, 2), b"\1\2", "is done")
        checks.equal(rom.write(0x1FFFF808, b"\xfd\x02"), ACK, "option bytes")
        checks.equal(rom.sync(), ACK, "reset after option bytes")
        rom.write(BASE + 5 * 1024, b"\1\2")
        checks.equal(rom.read_memory(BASE + 5 * 1024, 2), b"\xff\xff", "WRP0 bit 1 protects pages 4 to 7")
        checks.equal(rom.ask(opcode(0x73), 2), ACK + ACK, "write unprotect again")


def readout_protection(farm, checks):
    farm.ask("fill", F030, "0x12")
    with synced(farm, F030) as rom:
        checks.equal(rom.ask(opcode(0x82), 2), ACK + ACK, "readout protect")
        checks.equal(rom.sync(), ACK, "reset after readout protect")
        for code in (0x11, 0x21, 0x31, 0x44, 0x63, 0x73, 0x82):
            checks.equal(rom.code(code), NACK, f"protected: 0x{code:02x}")
        checks.equal(rom.get_id(), 0x440, "protected: Get ID")
        checks.equal(set(farm.dump(F030)), {0x12}, "protected: flash is kept")
        checks.equal(rom.ask(opcode(0x92), 2), ACK + ACK, "readout unprotect")
        checks.equal(rom.sync(), ACK, "reset after readout unprotect")
        checks.equal(rom.read_memory(BASE, 4), b"\xff" * 4, "and flash is erased")
        checks.equal(rom.write(0x1FFFF800, b"\xcc\x33"), ACK, "readout protection level 2")
        checks.check(rom.silent(), "is for ever")


def start(farm, checks):
    with synced(farm, F103_OTHER) as rom:
        checks.check(rom.refuses(opcode(0x21), address(0x40000000)), "go: nothing there")
        checks.check(rom.accepts(opcode(0x21), address(BASE)), "go")
        checks.equal(farm.state(F103_OTHER)[0], "running", "the application runs")
        checks.check(rom.silent(b"\x7f\x7f"), "and the bootloader is silent")
        checks.equal(farm.ask("reset", F103_OTHER), "ok", "reset")
        checks.equal(rom.sync(), ACK, "fresh after reset")


def crc_of(data):
    value = 0xFFFFFFFF
    for at in range(0, len(data), 4):
        value ^= int.from_bytes(data[at:at + 4], "little")
        for _ in range(32):
            value = (value << 1 ^ (0x04C11DB7 if value >> 31 else 0)) & 0xFFFFFFFF
    return value


def get_checksum(program, checks):
    # The CRC unit's answer for one word of zeros is in many application notes.
    checks.equal(crc_of(bytes(4)), 0xC704DD7B, "the reference CRC itself")
    with Farm(program, "stm32l476xg,stm32f103xb", "--checksum") as farm:
        with synced(farm, "A1") as rom:
            rom.write(BASE, PATTERN)
            want = crc_of(PATTERN + b"\xff" * 768).to_bytes(4, "big")
            groups = (opcode(0xA1), address(BASE), address(256), address(0x04C11DB7))
            checks.check(rom.accepts(*groups), "Get Checksum: its groups")
            checks.equal(rom.ask(address(0xFFFFFFFF), 7), ACK + ACK + summed(want), "Get Checksum: CRC")
            checks.check(rom.refuses(opcode(0xA1), address(BASE), address(0)), "Get Checksum of nothing")
            checks.check(rom.refuses(opcode(0xA1), address(BASE), address(0x40001)), "Get Checksum: too long")
            checks.check(rom.ask(opcode(0x00), 16)[14] == 0xA1, "Get lists it")
        with synced(farm, "A2") as rom:
            checks.equal(rom.code(0xA1), NACK, "version 2.2 has no Get Checksum")


def baud_rates(program, checks):
    with Farm(program, "stm32f103xb=2", "--strict-sync") as farm:
        with opened(farm, "A1", 921600) as rom:
            checks.check(rom.silent(), "F103: 921600 is too fast")
            checks.equal(farm.state("A1")[0], "lost", "strict: and spoils the measurement")
        with opened(farm, "A1", 115200) as rom:
            checks.check(rom.silent(), "strict: silent until reset")
            farm.ask("reset", "A1")
            checks.equal(rom.sync(), ACK, "strict: fresh after reset")
        with opened(farm, "A1", 57600) as rom:
            answer = rom.ask(opcode(0x02), 1)
            checks.check(answer not in (b"", ACK, NACK), "another rate than that of 0x7F: garbage")
    with Farm(program, "stm32f103xb", "--max-baud", "921600") as farm:
        with opened(farm, "A1", 921600) as rom:
            checks.equal(rom.sync(), ACK, "--max-baud")


def lost_answers(farm, checks):
    """What a client has not read is not there for the next one; a board does not notice opens and closes."""
    with synced(farm, G071) as rom:
        rom.send(opcode(0x02))
    checks.check(farm.wait_for(G071, "open", "0"), "nobody has the port open")
    checks.equal(farm.state(G071)[0], "synced", "a close is no reset")
    with opened(farm, G071) as rom:
        checks.equal(rom.code(0x01), ACK, "the next client's own answer comes first")
        checks.equal(rom.read(4), bytes.fromhex("31000079"), "and is whole")


def main():
    program, checks = sys.argv[1], Checks()
    with Farm(program, CHIPS) as farm:
        for step in (identity, reading, writing, programming_rules, erasing, write_protection,
                     readout_protection, start, lost_answers):
            step(farm, checks)
    checks.equal(farm.status, 0, "exit status of flashfarm-sim")
    get_checksum(program, checks)
    baud_rates(program, checks)
    checks.finish()


main()
