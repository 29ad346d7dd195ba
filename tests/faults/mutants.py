#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Seeded faults: each patch of mutants/ makes the daemon wrong in one way, and the test that it names must find it.

    python3 tests/faults/mutants.py [--only NAME,NAME] [--work FOLDER]

The tree is copied, built once as it is, and then once more for every patch. The tests must pass on the tree as it is
(for as many kills as a mutant gets), and fail, within the limit, with every patch. Takes about a minute each.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
LIMIT_S = 60
LEAVE_OUT = {"build", ".git", "__pycache__", "node_modules"}
TARGETS = ("flashfarmd", "flashfarm", "flashfarm-sim", "flashfarm_shim", "power_test", "store_sweep_test")


class Mutant:
    def __init__(self, path):
        self.path, self.name = path, os.path.basename(path).removesuffix(".patch")
        with open(path, encoding="utf-8") as file:
            self.what, caught_by = file.readline().strip(), file.readline().strip()
        if not caught_by.startswith("Caught by: "):
            raise SystemExit(f"{path}: the second line does not say what catches it")
        self.test, *self.arguments = caught_by.removeprefix("Caught by: ").split()


class Tree:
    """A copy that may be broken."""

    def __init__(self, folder):
        self.source, self.build = os.path.join(folder, "source"), os.path.join(folder, "build")
        shutil.copytree(ROOT, self.source, ignore=lambda _, names: LEAVE_OUT & set(names))
        self.run("cmake", "-S", self.source, "-B", self.build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug")

    def run(self, *words):
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(words)}:\n{(done.stdout + done.stderr)[-3000:]}")

    def make(self):
        self.run("ninja", "-C", self.build, *TARGETS)

    def patch(self, mutant, *options):
        self.run("patch", "--strip=1", "--silent", "--directory", self.source, "--input", mutant.path, *options)

    def command(self, test, arguments):
        programs = [os.path.join(self.build, *parts) for parts in (
            ("daemon", "flashfarmd"), ("tests", "boards", "flashfarm-sim"), ("clients", "flashfarm"))]
        faults = os.path.join(self.build, "tests", "faults")
        if test == "power":
            return [os.path.join(faults, "power_test"), *arguments]
        if test == "store_sweep":
            return [os.path.join(faults, "store_sweep_test"), *arguments]
        shim = ["--shim", os.path.join(faults, "libflashfarm_shim.so")] if test == "sweep" else []
        return [sys.executable, os.path.join(self.source, "tests", "faults", f"{test}_test.py"), *programs, *shim,
                *arguments]

    def test(self, test, arguments, limit_s):
        """Whether it passes, how long it took, and the first thing that it did not like."""
        began = time.monotonic()
        try:
            done = subprocess.run(self.command(test, arguments), capture_output=True, text=True, check=False,
                                  timeout=limit_s)
        except subprocess.TimeoutExpired as expired:
            said = (expired.stderr or b"").decode(errors="replace")
            return "FAILED" not in said, time.monotonic() - began, first_finding(said) or "(out of time)"
        return done.returncode == 0, time.monotonic() - began, first_finding(done.stderr + done.stdout)


def first_finding(said):
    for line in said.splitlines():
        if "FAILED" in line or "failed:" in line or "Error" in line:
            return line[:160]
    return said[-160:].replace("\n", " ")


def check_tests(tree, mutants):
    """On the tree as it is, every test is content: else a failure says nothing."""
    tree.make()
    good = True
    for test, *arguments in sorted({(mutant.test, *mutant.arguments) for mutant in mutants}):
        passed, took_s, finding = tree.test(test, arguments, 10 * LIMIT_S)
        print(f"{'content' if passed else 'NOT CONTENT':12} {took_s:5.0f} s  {test} {' '.join(arguments)}"
              f"{'' if passed else ': ' + finding}", flush=True)
        good = good and passed
    return good


def check_mutant(tree, mutant):
    tree.patch(mutant)
    try:
        tree.make()
        passed, took_s, finding = tree.test(mutant.test, mutant.arguments, 2 * LIMIT_S)
    finally:
        tree.patch(mutant, "--reverse")
    caught = not passed and took_s <= LIMIT_S
    print(f"{'caught' if caught else 'NOT CAUGHT':12} {took_s:5.0f} s  {mutant.name}: {finding}", flush=True)
    return caught


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", help="names of mutants, with commas")
    parser.add_argument("--work", help="a folder for copy and build, kept; otherwise a temporary one")
    parser.add_argument("--unchanged", type=int, default=1, help="0: do not test the tree as it is")
    options = parser.parse_args()
    folder = os.path.join(HERE, "mutants")
    mutants = [Mutant(os.path.join(folder, name)) for name in sorted(os.listdir(folder)) if name.endswith(".patch")]
    if options.only:
        mutants = [mutant for mutant in mutants if mutant.name in options.only.split(",")]
    with tempfile.TemporaryDirectory(prefix="flashfarm-mutants-", dir=options.work) as work:
        tree = Tree(work)
        good = not options.unchanged or check_tests(tree, mutants)
        caught = [check_mutant(tree, mutant) for mutant in mutants]
    print(f"{sum(caught)} of {len(caught)} mutants caught")
    raise SystemExit(0 if good and all(caught) else 1)


main()
