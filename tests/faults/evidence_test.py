# SPDX-License-Identifier: Apache-2.0
"""Evidence from a daemon at work, taken with the command line and checked with nothing but the file and the public key:
bundle and proof of a gang with serials, while runs go on; then each of them changed in every line, one at a time; and
the record itself taken back in time.
"""
import json
import os
import shutil
import subprocess

import harness
from harness import FLASH, Scene

IMAGE = harness.make_image(1500, seed=71)
BOARDS = 4
SERIAL = FLASH + 0x1F800
FIELDS = [{"name": "serial", "address": SERIAL, "width": 16, "encoding": "ascii", "source": {"pool": "sn"}, "pad": 0}]


class Evidence:
    """One scene, and `flashfarm audit` on what comes from it."""

    def __init__(self, scene):
        self.scene, self.checks = scene, scene.checks

    def path(self, name):
        return os.path.join(self.scene.dir, name)

    def fetch(self, *words):
        done = self.scene.client("audit", *words)
        self.checks.equal(done.returncode, 0, f"audit {' '.join(words)}: {done.stderr}")

    def check(self, path, *options, code=0, what=""):
        """Offline: no server, no key of the API. Returns the report."""
        done = subprocess.run([self.scene.programs.flashfarm, "audit", "check", path, "--json", *options],
                              capture_output=True, text=True, timeout=harness.LIMIT_S, check=False,
                              env={"PATH": os.environ["PATH"]})
        self.checks.equal(done.returncode, code, f"audit check {path} {what}: {done.stdout[-800:]}{done.stderr}")
        return json.loads(done.stdout) if done.stdout else {}

    def key(self):
        answer = self.scene.call("GET", "/v1/ledger/key")
        self.checks.equal(answer.status, 200, "GET /v1/ledger/key")
        self.fetch("key", self.path("key.pub"))
        with open(self.path("key.pub"), "rb") as file:
            self.checks.equal(file.read(), answer.raw, "audit key")
        with open(os.path.join(self.scene.state_dir, "flashfarm.pub"), "rb") as file:
            self.checks.equal(file.read(), answer.raw, "the key beside the database is the one of the API")
        return self.path("key.pub")

    def each_line(self, path, key, step):
        """Something in each line changed: found, and named."""
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines(True)
        for index in range(0, len(lines), step):
            line = lines[index]
            if len(line) < 2:
                continue
            at = len(line) // 2
            changed = lines[:index] + [line[:at] + ("x" if line[at] != "x" else "y") + line[at + 1:]] + \
                lines[index + 1:]
            with open(path + ".changed", "w", encoding="utf-8") as file:
                file.write("".join(changed))
            report = self.check(path + ".changed", "--public-key", key, code=5, what=f"line {index + 1} changed")
            self.checks.check(report.get("found", 0) > 0, f"{path}: a change in line {index + 1} is found")


def program(scene, events, stations="all"):
    image = scene.image(IMAGE)
    job = scene.submit(image, stations=stations, trigger="immediate", fields=FIELDS, serial_pool="sn")
    events.wait_fact("job.state", id=job, state="done")
    return scene.runs(job=job)


def check_proof(evidence, run, key):
    scene, checks = evidence.scene, evidence.checks
    proof = evidence.path("unit.proof")
    evidence.fetch("prove", run["serial"], proof)
    report = evidence.check(proof, "--public-key", key)
    told, = report["history"]
    checks.equal((told["id"], told["outcome"], told["uid"]), (run["id"], "pass", run["uid"]), "what the proof tells")
    checks.equal(report["records"], 2, "start and end are proven")
    with open(proof, encoding="utf-8") as file:
        text = file.read()
    other = next(r["serial"] for r in scene.runs() if r["serial"] and r["serial"] != run["serial"])
    with open(proof + ".other", "w", encoding="utf-8") as file:
        file.write(text.replace(f"serial\t{run['serial']}\n", f"serial\t{other}\n"))
    evidence.check(proof + ".other", "--public-key", key, code=5, what="under another serial")
    evidence.each_line(proof, key, 1)
    for never in ("SN-NEVER", run["uid"]):
        done = scene.client("audit", "prove", never, evidence.path("never"))
        checks.check(done.returncode != 0 and not os.path.exists(evidence.path("never")), f"no proof of {never}")


def check_bundle(evidence, key):
    bundle = evidence.path("record.bundle")
    evidence.fetch("export", bundle)
    report = evidence.check(bundle, "--public-key", key)
    evidence.checks.equal(report["covered"], report["head"] - 1, "the last record covers all others")
    with open(key, encoding="ascii") as file:
        given = evidence.check(bundle, "--public-key", file.read().strip())
    evidence.checks.equal(given["key_from"], None, "the key was given as text")
    found = evidence.check(bundle)
    evidence.checks.equal(found["key_from"], "the bundle itself", "without a key the bundle's own is used, and said so")
    evidence.each_line(bundle, key, 9)
    again = evidence.scene.client("audit", "export", bundle)
    evidence.checks.check(again.returncode != 0, "evidence does not replace evidence")
    return report


def check_database(evidence, key, witness):
    """At rest: verified with its key, exported as a bundle, and found out when it is older than the witness."""
    scene = evidence.scene
    database = os.path.join(scene.state_dir, "flashfarm.db")
    report = evidence.check(database, "--public-key", key, "--witness", witness)
    evidence.checks.equal(report["covered"], report["head"] - 1, "after a clean stop all is covered")
    evidence.checks.check("compared" in report["tables"], "every table was compared")
    done = subprocess.run([scene.programs.flashfarm, "audit", "export", database, evidence.path("rest.bundle")],
                          capture_output=True, text=True, timeout=harness.LIMIT_S, check=False)
    evidence.checks.equal(done.returncode, 0, f"export of a database: {done.stderr}")
    again = evidence.check(evidence.path("rest.bundle"), "--public-key", key, "--witness", witness)
    evidence.checks.equal(again["hash"], report["hash"], "the bundle is that of the database")
    return database


def back_in_time(evidence, events, key):
    """A record that is put back is refused, and with a reason goes on with its pools closed."""
    scene, checks = evidence.scene, evidence.checks
    database = os.path.join(scene.state_dir, "flashfarm.db")
    witness = evidence.path("witness")
    shutil.copy(database, evidence.path("old.db"))
    scene.daemon.start()
    program(scene, scene.events(), stations=["A1"])
    evidence.fetch("checkpoint", witness)
    checks.equal(scene.client("audit", "checkpoint").returncode, 0, "a checkpoint to be seen")
    checks.equal(scene.daemon.stop(), 0, "exit status")
    check_database(evidence, key, witness)
    shutil.copy(evidence.path("old.db"), database)
    report = evidence.check(database, "--public-key", key, "--witness", witness, code=5, what="put back")
    columns = {finding["column"] for finding in report["findings"]}
    checks.check({"mark", "witness"} <= columns, f"mark and witness both know better: {columns}")
    refused = subprocess.run([scene.programs.flashfarmd, "--config", scene.config], capture_output=True, text=True,
                             timeout=harness.LIMIT_S, check=False)
    checks.check(refused.returncode != 0 and "--restored" in refused.stderr, f"refused: {refused.stderr[-300:]}")


def play_evidence(programs, checks):
    with Scene(programs, f"stm32f103xb={BOARDS}", checks=checks) as scene:
        scene.daemon.start()
        events, evidence = scene.events(), Evidence(scene)
        scene.post("/v1/serial-pools", {"name": "sn", "kind": "serial", "first": 1, "last": 999,
                                        "format": {"base": 10, "digits": 6, "prefix": "SN"}})
        runs = program(scene, events)
        checks.equal([run["outcome"] for run in runs], ["pass"] * BOARDS, "all pass")
        key = evidence.key()
        check_proof(evidence, runs[0], key)
        check_bundle(evidence, key)
        scene.check_facts(events)
        checks.equal(scene.daemon.stop(), 0, "exit status")
        scene.audit()
        back_in_time(evidence, events, key)


def main():
    programs = harness.arguments(__doc__)
    harness.play_all(programs, harness.Checks(), [play_evidence])


main()
