#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares our AVR rows with two tables that others made: avrdude's configuration and avr-libc's headers.

    avr_oracle.py AVR_DUMP [--avrdude FILE] [--headers FOLDER]

Signature, flash, page, EEPROM and its page must agree with both; the STK500 number and the time of a page write
with avrdude; no EEPROM byte may take longer than avrdude allows it; the largest boot section must be one that the
linker scripts of real loaders fit in. Where the two tables contradict each other, DISPUTED says who is believed.
At the end our rows are spoiled one field at a time, and every such row must be noticed."""
import argparse
import re
import subprocess
import sys
from pathlib import Path

# avr-libc 2.0 has the signatures of 164A and 164P the wrong way round, and gives the 328 that of the 328P, whose
# header it includes; the datasheets (Atmel 8272 and 8271, "Signature bytes") and avrdude agree with each other.
DISPUTED = {("atmega164p", "id"), ("atmega328", "id")}

def number(text):
    return int(text.strip().strip("()").rstrip("uUlL"), 0)


def read_rows(program):
    lines = subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines()
    names = lines[0].split("\t")
    rows = {}
    for line in lines[1:]:
        values = line.split("\t")
        rows[values[0]] = dict(zip(names[1:], map(int, values[1:])))
    return rows


class AvrdudeConfiguration:
    """Just as much of the configuration's grammar as parts, their parents and their memories take."""

    def __init__(self, path):
        self.parts = {}
        self.by_name = {}
        text = re.sub(r"^\s*#.*$", "", Path(path).read_text(), flags=re.M)
        for piece in re.split(r"^part\b", text, flags=re.M)[1:]:
            parent = re.match(r'\s*parent\s+"([^"]+)"', piece)
            fields, memories = {}, {}
            for name, body in re.findall(r'memory\s+"(\w+)"(.*?)^\s*;', piece, re.S | re.M):
                memories[name] = dict(re.findall(r"^\s*(\w+)\s*=\s*([^;\n]+);", body, re.M))
            outside = re.sub(r'memory\s+"\w+".*?^\s*;', "", piece, flags=re.S | re.M)
            fields = dict(re.findall(r"^\s*(\w+)\s*=\s*([^;]+);", outside, re.M))
            if "id" in fields:
                self.parts[fields["id"].strip('" ')] = (parent and parent[1], fields, memories)
        for key, (_, fields, _) in self.parts.items():
            if "desc" in fields:
                self.by_name[fields["desc"].strip('" ').lower()] = key

    def field(self, part, name):
        while part:
            parent, fields, _ = self.parts[part]
            if name in fields:
                return fields[name]
            part = parent
        return None

    def memory(self, part, memory, name):
        while part:
            parent, _, memories = self.parts[part]
            if name in memories.get(memory, {}):
                return number(memories[memory][name])
            part = parent
        return None

    def facts(self, chip):
        part = self.by_name.get(chip)
        if not part:
            return None
        signature = [number(byte) for byte in self.field(part, "signature").split()]
        code = self.field(part, "stk500_devcode")
        return {
            "id": signature[0] << 16 | signature[1] << 8 | signature[2],
            "flash": self.memory(part, "flash", "size"),
            "page": self.memory(part, "flash", "page_size"),
            "program_max_us": self.memory(part, "flash", "max_write_delay"),
            "eeprom": self.memory(part, "eeprom", "size"),
            "eeprom_page": self.memory(part, "eeprom", "page_size"),
            "device_code": number(code) if code else 0,
            "eeprom_limit_us": self.memory(part, "eeprom", "max_write_delay"),
        }


class Headers:
    """avr-libc's io headers, through their includes."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def defines(self, file, found):
        text = (self.folder / file).read_text(errors="replace")
        for included in re.findall(r'^\s*#\s*include\s+[<"](?:avr/)?(io\w+\.h)[>"]', text, re.M):
            self.defines(included, found)
        for name, value in re.findall(
                r"^\s*#\s*define\s+(SIGNATURE_[012]|SPM_PAGESIZE|FLASHEND|E2END|E2PAGESIZE)\s+(\(?\w+\)?)", text, re.M):
            found[name] = number(value)
        return found

    def facts(self, chip):
        file = "io" + chip.replace("atmega", "m") + ".h"
        if not (self.folder / file).exists():
            return None
        found = self.defines(file, {})
        facts = {"flash": found["FLASHEND"] + 1, "page": found["SPM_PAGESIZE"], "eeprom": found["E2END"] + 1}
        if "E2PAGESIZE" in found:
            facts["eeprom_page"] = found["E2PAGESIZE"]
        if "SIGNATURE_2" in found:
            facts["id"] = found["SIGNATURE_0"] << 16 | found["SIGNATURE_1"] << 8 | found["SIGNATURE_2"]
        return facts


def faults(chip, row, oracles):
    found = []
    for name, oracle in oracles.items():
        facts = oracle.facts(chip)
        if not facts:
            found.append(f"{chip}: {name} does not know it")
            continue
        for key, value in facts.items():
            if key == "eeprom_limit_us":
                if not 0 < row["eeprom_us"] <= value:
                    found.append(f"{chip}: eeprom_us {row['eeprom_us']}, {name} allows {value}")
            elif value is not None and row[key] != value and not (name == "avr-libc" and (chip, key) in DISPUTED):
                found.append(f"{chip}: {key} {row[key]:#x}, {name} says {value:#x}")
    if not row["page"] == row["program_unit"] == row["transfer_max"]:
        found.append(f"{chip}: page, program unit and transfer differ")
    # The fuses choose among four sizes, each twice the one before: from 128 to 1024 words on parts up to 16 KiB,
    # from 256 to 2048 up to 32, from 512 to 4096 beyond (every datasheet's "Boot size configuration").
    boot = 2048 if row["flash"] <= 0x4000 else 4096 if row["flash"] <= 0x8000 else 8192
    if row["boot_max"] != boot:
        found.append(f"{chip}: boot_max {row['boot_max']} instead of {boot}")
    return found


def spoil_everything(rows, oracles):
    """Every field of every row, changed by little, must be noticed."""
    missed = []
    for chip, row in rows.items():
        for key in row:
            spoiled = dict(row)
            spoiled[key] = row[key] * 4 if key == "eeprom_us" else row[key] ^ 0x10
            if not faults(chip, spoiled, oracles):
                missed.append(f"{chip}: a wrong {key} is not noticed")
    return missed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dump")
    parser.add_argument("--avrdude", default="/etc/avrdude.conf")
    parser.add_argument("--headers", default="/usr/lib/avr/include/avr")
    options = parser.parse_args()
    if not Path(options.avrdude).exists() or not Path(options.headers).exists():
        print("avrdude or avr-libc is not installed")
        return 77
    oracles = {"avrdude": AvrdudeConfiguration(options.avrdude), "avr-libc": Headers(options.headers)}
    rows = read_rows(options.dump)
    found = [fault for chip, row in rows.items() for fault in faults(chip, row, oracles)]
    found += spoil_everything(rows, oracles)
    if len(rows) < 17:
        found.append(f"only {len(rows)} rows")
    for fault in found:
        print("FAIL", fault)
    print(f"{len(rows)} AVR rows compared with avrdude and avr-libc, {len(found)} faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
