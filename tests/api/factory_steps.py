# SPDX-License-Identifier: Apache-2.0
"""Steps of contract_test.py through what a factory needs: pools, recipes, signatures, evidence, backups, webhooks,
roles. Each takes the contract and the test's own check() and same()."""
import base64
import calendar
import ctypes
import hashlib
import json
import os
import re
import sqlite3
import subprocess
import threading
import time

ROLES = ("operator", "engineer", "auditor", "admin", "mes")
SERIAL_ADDRESS = 0x0801FC00


class Steps:
    def __init__(self, contract, check, same, check_problem):
        self.contract, self.daemon = contract, contract.daemon
        self.check, self.same, self.check_problem = check, same, check_problem

    def refused(self, method, template, status, word, **arguments):
        answer = self.contract.ask(method, template, status, **arguments)
        if answer.status == status:
            self.check_problem(self.contract, answer, word)
        return answer

    # -- what the contract says of bodies, tried on every operation that takes one

    def bodies(self):
        for method, path, operation in self.contract.operations():
            types = list(operation.get("requestBody") and
                         self.contract.checker.resolve(operation["requestBody"])["content"] or [])
            if types not in (["application/json"], ["text/plain"]):
                continue
            names = {name: "1" for name in re.findall(r"{(\w+)}", path)}
            if operation.get("security") == []:
                continue
            other = "text/plain" if types == ["application/json"] else "application/json"
            self.refused(method, path, 415, "media-type", body=b"{}", headers={"Content-Type": other}, **names)
            self.refused(method, path, 413, "too-large", body=b" " * ((1 << 20) + 1),
                         headers={"Content-Type": types[0]}, **names)
            if types == ["application/json"]:
                self.refused(method, path, 400, "malformed-json", body=b"{",
                             headers={"Content-Type": types[0]}, **names)

    # -- signatures

    def signatures(self, image, content, directory):
        trusted, path = os.path.join(directory, "trusted"), os.path.join(directory, "signed.bin")
        with open(path, "wb") as file:
            file.write(content)
        for name in ("ours", "stranger"):
            subprocess.run(["minisign", "-G", "-W", "-f", "-p", os.path.join(directory, name + ".pub"),
                            "-s", os.path.join(directory, name + ".key")], check=True, capture_output=True)
        os.rename(os.path.join(directory, "ours.pub"), os.path.join(trusted, "ours.pub"))

        def sign(key):
            subprocess.run(["minisign", "-S", "-W", "-s", os.path.join(directory, key + ".key"), "-m", path,
                            "-t", "controller 1.4.2", "-x", path + ".sig"], check=True, capture_output=True)
            with open(path + ".sig", "rb") as file:
                return file.read()

        text, where = {"Content-Type": "text/plain"}, "/v1/images/{id}/signatures"
        self.same(self.contract.ask("GET", where, 200, id=image).json["items"], [], "no signature yet")
        self.refused("POST", where, 422, "signature", body=sign("stranger"), headers=text, id=image)
        self.refused("POST", where, 422, "invalid", body=b"no signature", headers=text, id=image)
        self.refused("POST", where, 404, "not-found", body=sign("ours"), headers=text, id="0" * 64)
        self.refused("GET", where, 404, "not-found", id="0" * 64)
        made = self.contract.ask("POST", where, 201, body=sign("ours"), headers=text, id=image).json
        self.same((made["comment"], made["image"]), ("controller 1.4.2", image), "the signature")
        items = self.contract.ask("GET", where, 200, id=image).json["items"]
        self.same([(i["key_id"], i["key_name"]) for i in items], [(made["key_id"], made["key_name"])], "signatures")

    # -- pools

    def pools(self):
        ask, refused = self.contract.ask, self.refused
        order = {"name": "boards", "kind": "serial", "first": 1, "last": 500,
                 "format": {"prefix": "SN", "digits": 6, "check": "mod10"}}
        answer = ask("POST", "/v1/serial-pools", 201, order)
        self.same(answer.headers["Location"], "/v1/serial-pools/boards", "Location")
        self.same((answer.json["state"], answer.json["left"], answer.json["issued"]), ("open", 500, 0), "the pool")
        refused("POST", "/v1/serial-pools", 409, "exists", body=order)
        refused("POST", "/v1/serial-pools", 409, "exists", body=order | {"name": "same-numbers"})
        for wrong in ({"name": "x"}, {"name": "", "first": 1, "last": 2}, {"name": "x", "kind": "luck"},
                      {"name": "x", "first": 2, "last": 1}, {"name": "x", "first": 1, "last": 2, "colour": "red"}):
            refused("POST", "/v1/serial-pools", 422, "invalid", body=wrong)
        mac = ask("POST", "/v1/serial-pools", 201, {"name": "macs", "kind": "eui48", "first": "00-00-5E-00-53-00",
                                                    "last": "00-00-5E-00-53-FF", "step": 2}).json
        self.same(mac["left"], 128, "addresses for so many units")
        pages = []
        cursor = ""
        while cursor is not None:
            page = ask("GET", "/v1/serial-pools", 200, query="?limit=1" + cursor).json
            pages += [pool["name"] for pool in page["items"]]
            cursor = f"&cursor={page['next']}" if page["next"] else None
        self.same(pages, ["macs", "boards"], "pools, newest first")
        refused("GET", "/v1/serial-pools", 400, "bad-parameter", query="?cursor=nonsense")
        refused("GET", "/v1/serial-pools/{name}", 404, "not-found", name="nobody")
        because = {"reason": "a test"}
        burned = ask("POST", "/v1/serial-pools/{name}/burn", 200, because | {"count": 7}, name="boards").json
        self.same((burned["counts"]["burned"], burned["issued"], burned["left"]), (7, 7, 493), "burned numbers")
        refused("POST", "/v1/serial-pools/{name}/burn", 422, "invalid", body=because | {"count": 1000}, name="boards")
        refused("POST", "/v1/serial-pools/{name}/burn", 422, "invalid", body=because | {"count": 0}, name="boards")
        self.same(ask("POST", "/v1/serial-pools/{name}/close", 200, because, name="macs").json["state"], "closed", "close")
        refused("POST", "/v1/serial-pools/{name}/close", 409, "busy", body=because, name="macs")
        self.same(ask("POST", "/v1/serial-pools/{name}/open", 200, because, name="macs").json["state"], "open", "open")
        refused("POST", "/v1/serial-pools/{name}/open", 409, "busy", body=because, name="macs")
        for command in ("open", "close", "burn"):
            where = "/v1/serial-pools/{name}/" + command
            refused("POST", where, 404, "not-found", body=because | ({"count": 1} if command == "burn" else {}),
                    name="nobody")
            refused("POST", where, 422, "invalid", body={"reason": ""} | ({"count": 1} if command == "burn" else {}),
                    name="boards")
            refused("POST", where, 422, "invalid", body=because | {"colour": "red"}, name="boards")
        self.same(ask("GET", "/v1/serial-pools/{name}/serials", 200, name="boards").json["items"], [], "none in use")
        refused("GET", "/v1/serial-pools/{name}/serials", 404, "not-found", name="nobody")
        refused("GET", "/v1/serial-pools/{name}/serials", 400, "bad-parameter", name="boards", query="?state=lost")

    # -- recipes

    def recipes(self, image):
        ask, refused = self.contract.ask, self.refused
        content = {"name": "controller", "chip": "stm32f103xb", "images": [image], "serial_pool": "boards",
                   "fields": [{"name": "serial", "address": hex(SERIAL_ADDRESS), "width": 16, "encoding": "ascii",
                               "source": {"pool": "boards"}},
                              {"name": "mac", "address": hex(SERIAL_ADDRESS + 16), "width": 6, "encoding": "bytes",
                               "source": {"unit": "mac"}}],
                   "checks": [{"name": "crc", "address": hex(SERIAL_ADDRESS + 24), "algorithm": "crc-32",
                               "range": {"address": hex(SERIAL_ADDRESS), "size": 24}}]}
        made = ask("POST", "/v1/recipes", 201, content)
        self.same(made.headers["Location"], "/v1/recipes/controller/1", "Location")
        self.same((made.json["state"], made.json["version"]), ("draft", 1), "a draft")
        for wrong in ({}, {"name": "x"}, content | {"chip": "z80"}, content | {"colour": "red"}):
            refused("POST", "/v1/recipes", 422, "invalid", body=wrong)
        this = {"name": "controller", "version": 1}
        where = "/v1/recipes/{name}/{version}"
        got = ask("GET", where, 200, **this)
        self.same((got.json, got.headers["ETag"]), (made.json, made.headers["ETag"]), "the recipe again")
        ask("GET", where, 304, headers={"If-None-Match": got.headers["ETag"]}, **this)
        for version in ("2", "one", "0"):
            refused("GET", where, 404, "not-found", name="controller", version=version)
        self.same(ask("GET", where + "/lint", 200, **this).json["findings"], [], "findings")
        refused("GET", where + "/lint", 404, "not-found", name="nobody", version=1)

        refused("PUT", where, 428, "precondition-required", body=content, **this)
        changed = ask("PUT", where, 200, content | {"description": "second thought"},
                      {"If-Match": got.headers["ETag"]}, **this)
        self.check(changed.headers["ETag"] != got.headers["ETag"], "another ETag")
        for old in (got.headers["ETag"], '"0"', "nonsense"):
            refused("PUT", where, 412, "precondition-failed", body=content, headers={"If-Match": old}, **this)
        any_of = {"If-Match": "*"}
        refused("PUT", where, 404, "not-found", body=content | {"name": "nobody"}, headers=any_of, name="nobody", version=1)
        refused("PUT", where, 422, "invalid", body=content | {"name": "other"}, headers=any_of, **this)
        refused("PUT", where, 422, "invalid", body=content | {"chip": "z80"}, headers=any_of, **this)

        refused("POST", where + "/release", 428, "precondition-required", body={}, **this)
        refused("POST", where + "/release", 412, "precondition-failed", body={},
                headers={"If-Match": got.headers["ETag"]}, **this)
        refused("POST", where + "/release", 404, "not-found", body={}, headers=any_of, name="nobody", version=1)
        refused("POST", where + "/release", 422, "invalid", body={"colour": "red"}, headers=any_of, **this)
        outside = content | {"name": "outside", "fields": [content["fields"][0] | {"address": "0x08020000"}]}
        draft = self.daemon.ask("POST", "/v1/recipes", outside | {"checks": []})
        if draft.status == 201:  # a draft may be wrong
            findings = ask("GET", where + "/lint", 200, name="outside", version=1).json["findings"]
            self.check("error" in [f["severity"] for f in findings], f"findings of a wrong recipe: {findings}")
            refused("POST", where + "/release", 422, "invalid", body={}, headers=any_of, name="outside", version=1)
        released = ask("POST", where + "/release", 200, {"reason": "review 12"},
                       {"If-Match": changed.headers["ETag"]}, **this)
        self.same((released.json["state"], released.json["reason"]), ("released", "review 12"), "released")
        refused("POST", where + "/release", 409, "busy", body={}, headers=any_of, **this)
        refused("PUT", where, 409, "busy", body=content, headers=any_of, **this)

        second = ask("POST", "/v1/recipes", 201, content | {"description": "third"}).json
        self.same(second["version"], 2, "the next version")
        refused("POST", where + "/retire", 409, "busy", body={}, name="controller", version=2)
        refused("POST", where + "/retire", 404, "not-found", body={}, name="nobody", version=1)
        refused("POST", where + "/retire", 422, "invalid", body={"reason": 7}, **this)
        self.same([(r["name"], r["version"]) for r in
                   ask("GET", "/v1/recipes", 200, query="?name=controller").json["items"]],
                  [("controller", 2), ("controller", 1)], "versions")
        self.same([r["version"] for r in ask("GET", "/v1/recipes", 200, query="?state=released").json["items"]], [1],
                  "released versions")
        refused("GET", "/v1/recipes", 400, "bad-parameter", query="?state=good")
        refused("GET", "/v1/recipes", 400, "bad-parameter", query="?cursor=nonsense")

    def retire(self):
        where, this = "/v1/recipes/{name}/{version}/retire", {"name": "controller", "version": 1}
        self.refused("POST", where, 412, "precondition-failed", body={}, headers={"If-Match": '"1"'}, **this)
        retired = self.contract.ask("POST", where, 200, {"reason": "superseded"}, **this)
        self.same(retired.json["state"], "retired", "retired")
        self.refused("POST", "/v1/jobs", 422, "invalid", body={"recipe": "controller/1", "stations": ["A1"]})

    # -- orders with units

    def order(self, watch):
        """Two boards with serials from the pool and addresses from the MES, at a station told by a scanner."""
        ask, refused = self.contract.ask, self.refused
        order = {"recipe": "controller", "stations": ["A1", "A2"], "quantity": 2, "work_order": "MO-77",
                 "trigger": "on_start",
                 "units": [{"code": "P-1", "mac": {"hex": "00005e005301"}}, {"code": "P-2", "mac": {"hex": "00005e005302"}}]}
        before = self.contract.ask("GET", "/v1/ledger/head", 200).json["sequence"]
        dry = ask("POST", "/v1/jobs", 200, order | {"dry_run": True}, {"Idempotency-Key": None}).json
        self.same((dry["units"], [s["name"] for s in dry["stations"]]), (2, ["A1", "A2"]), "a dry run")
        self.check(all(s["floor_us"] > 0 for s in dry["stations"]), "a floor time")
        self.same(ask("GET", "/v1/ledger/head", 200).json["sequence"], before, "a dry run leaves no trace")
        refused("POST", "/v1/jobs", 400, "idempotency-key-missing", body=order, headers={"Idempotency-Key": None})
        refused("POST", "/v1/jobs", 422, "invalid", body=order | {"recipe": "nobody"})

        scan = "/v1/stations/{name}/scan"
        refused("POST", scan, 409, "busy", body={"code": "P-1"}, name="A1")
        refused("POST", scan, 404, "not-found", body={"code": "P-1"}, name="Z9")
        events = watch()
        job = ask("POST", "/v1/jobs", 202, order).json
        self.same((job["recipe"]["name"], job["recipe"]["version"], job["work_order"]), ("controller", 1, "MO-77"), "the job")
        for wrong in ({}, {"code": ""}, {"code": "P-9"}, {"code": "P-1", "colour": "red"}, {"code": "P-1", "position": 3}):
            refused("POST", scan, 422, "invalid", body=wrong, name="A1")
        # The boards of this station and the next lie in the other order than the list has them.
        ask("POST", scan, 200, {"code": "P-2"}, name="A1")
        ask("POST", scan, 200, {"code": "P-1", "position": None}, name="A2")
        done = events.wait(lambda e: e["event"] == "job.state" and json.loads(e["data"])["id"] == job["id"]
                           and json.loads(e["data"])["state"] == "done")
        self.check(done is not None, "the job with units is done")
        events.close()
        runs = ask("GET", "/v1/runs", 200, query="?recipe=controller/1&pool=boards&by=local").json["items"]
        self.same(sorted((r["station"], r["code"]) for r in runs if r["outcome"] == "pass"),
                  [("A1", "P-2"), ("A2", "P-1")], "scanned codes")
        self.same(ask("GET", "/v1/runs", 200, query="?pool=macs").json["items"], [], "runs of another pool")
        self.same(ask("GET", "/v1/runs", 200, query="?recipe=controller/2").json["items"], [], "runs of another recipe")
        self.same(ask("GET", "/v1/runs", 200, query="?by=nobody").json["items"], [], "runs of somebody else")
        return [r["serial"] for r in runs]

    def serials(self, serials):
        ask, refused = self.contract.ask, self.refused
        self.same(len(set(serials)), 2, "two serials")
        listed = ask("GET", "/v1/serial-pools/{name}/serials", 200, name="boards", query="?state=pass&limit=1")
        rest = ask("GET", "/v1/serial-pools/{name}/serials", 200, name="boards",
                   query=f"?state=pass&limit=1&cursor={listed.json['next']}")
        self.same({s["serial"] for s in listed.json["items"] + rest.json["items"]}, set(serials), "passed numbers")
        refused("GET", "/v1/serial-pools/{name}/serials", 400, "bad-parameter", name="boards", query="?cursor=nonsense")
        first = ask("GET", "/v1/serials/{serial}", 200, serial=serials[0]).json
        self.same((first["state"], first["pool"], first["attempts"]), ("pass", "boards", 1), "a number")
        refused("GET", "/v1/serials/{serial}", 404, "not-found", serial="nobody")
        unit = ask("GET", "/v1/units/{serial}", 200, serial=serials[0]).json
        self.same(unit["uid"], first["uid"], "the unit of that number")
        settle = "/v1/serials/{serial}/settle"
        because = {"reason": "dropped on the floor"}
        refused("POST", settle, 409, "busy", body=because | {"state": "pass"}, serial=serials[0])
        refused("POST", settle, 404, "not-found", body=because | {"state": "burned"}, serial="nobody")
        for wrong in ({"state": "burned"}, because | {"state": "lost"}, because | {"state": "burned", "x": 1}):
            refused("POST", settle, 422, "invalid", body=wrong, serial=serials[0])
        burned = ask("POST", settle, 200, because | {"state": "burned"}, serial=serials[0]).json
        self.same((burned["state"], burned["reason"]), ("burned", because["reason"]), "scrapped")
        pool = ask("GET", "/v1/serial-pools/{name}", 200, name="boards").json
        self.same((pool["counts"]["pass"], pool["counts"]["burned"], pool["issued"]), (1, 8, 9), "the pool's counts")
        self.same(sum(pool["counts"].values()), pool["issued"], "issued is the sum")

    # -- evidence

    def evidence(self, serials):
        ask, refused = self.contract.ask, self.refused
        key = ask("GET", "/v1/ledger/key", 200).body.decode()
        made = ask("POST", "/v1/ledger/checkpoint", 200).body.decode()
        same_note = ask("GET", "/v1/ledger/checkpoint", 200).body.decode()
        self.same(int(made.split("\n")[1]) <= int(same_note.split("\n")[1]), True, "the newest checkpoint")
        self.check(note_is_good(made, key), f"signature of the note\n{made}{key}")
        self.check(not note_is_good(made.replace("\n", "\n1", 1), key), "a note of another size is no good")
        records = self.daemon.ask("GET", "/v1/ledger?from=2&limit=1").json["items"]
        for query, sequence in (("?sequence=2", 2), (f"?serial={serials[1]}", None), ("?sequence=1", 1)):
            proof = ask("GET", "/v1/ledger/proof", 200, query=query).json
            self.check(note_is_good(proof["note"], key), "signature of the proof's note")
            self.same(proof_root(proof), base64.b64decode(proof["note"].split("\n")[2]), f"path of {query}")
            if sequence:
                self.same(proof["sequence"], sequence, "sequence of the proof")
            else:
                serial = self.daemon.ask("GET", f"/v1/serials/{serials[1]}").json
                self.same((proof["record"]["kind"], proof["record"]["body"]["id"]), ("run.ended", serial["run"]),
                          "the record that made the serial what it is")
        self.same(ask("GET", "/v1/ledger/proof", 200, query="?sequence=2").json["record"], records[0], "the record itself")
        for query in ("", "?sequence=0", "?sequence=x", "?sequence=1&serial=x"):
            refused("GET", "/v1/ledger/proof", 400, "bad-parameter", query=query)
        refused("GET", "/v1/ledger/proof", 404, "not-found", query="?serial=nobody")
        refused("GET", "/v1/ledger/proof", 404, "not-found", query="?sequence=1000000")

    def backups(self, directory):
        ask, refused = self.contract.ask, self.refused
        made = ask("POST", "/v1/backups", 201)
        backup = made.json
        self.same(made.headers["Location"], "/v1/backups/" + backup["name"], "Location")
        answer = ask("GET", "/v1/backups/{name}", 200, name=backup["name"])
        self.same((len(answer.body), hashlib.sha256(answer.body).hexdigest()), (backup["size"], backup["sha256"]), "file")
        path = os.path.join(directory, "backup.db")
        with open(path, "wb") as file:
            file.write(answer.body)
        with sqlite3.connect(path) as database:
            self.same(database.execute("PRAGMA integrity_check").fetchone()[0], "ok", "the backup's integrity")
            self.same(database.execute("SELECT max(sequence) FROM ledger").fetchone()[0], backup["sequence"], "its end")
            kind, = database.execute("SELECT kind FROM ledger ORDER BY sequence DESC LIMIT 1").fetchone()
            self.same(kind, "ledger.checkpoint", "its last record")
        database.close()
        os.remove(path)
        items = ask("GET", "/v1/backups", 200).json["items"]
        self.same(items[0] | backup, items[0], "the list has it")
        refused("GET", "/v1/backups", 400, "bad-parameter", query="?cursor=nonsense")
        for name in ("nobody.db", "..%2Fflashfarm.db", "2026.txt", "20260101T000000Z-1.db"):
            refused("GET", "/v1/backups/{name}", 404, "not-found", name=name)

    def concurrent_backups(self):
        """One at a time: of several that are asked for at once, one is made and others are refused."""
        seen = []
        for _ in range(20):
            threads = [threading.Thread(target=lambda: seen.append(self.daemon.ask("POST", "/v1/backups"))) for _ in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            if {409, 201} <= {answer.status for answer in seen}:
                break
        for answer in seen:
            self.contract.check_answer("POST", "/v1/backups", answer, "backups at once")
        self.check({answer.status for answer in seen} == {201, 409}, f"{[answer.status for answer in seen]}")

    def webhooks(self):
        ask, refused = self.contract.ask, self.refused
        order = {"url": "http://127.0.0.1:9/hook", "topics": ["job."]}
        for wrong in ({}, order | {"url": "ftp://127.0.0.1/"}, order | {"url": "http://evil.example/"},
                      order | {"url": "http://a:b@127.0.0.1/"}, order | {"topics": []}, order | {"topics": ["a,b"]},
                      order | {"secret": "whsec_short"}, order | {"secret": 5}, order | {"from": 0},
                      order | {"from": 1 << 40}, order | {"colour": "red"}):
            refused("POST", "/v1/webhooks", 422, "invalid", body=wrong)
        made = ask("POST", "/v1/webhooks", 201, order).json
        self.check(len(base64.b64decode(made["secret"].removeprefix("whsec_"))) == 32, "a secret is made")
        items = ask("GET", "/v1/webhooks", 200).json["items"]
        self.same([(i["id"], i["url"], i["topics"], "secret" in i) for i in items],
                  [(made["id"], order["url"], ["job."], False)], "the list never has the secret")
        self.check(made["secret"].removeprefix("whsec_") not in json.dumps(self.daemon.ask("GET", "/v1/ledger?limit=1000").json),
                   "nor has the ledger")
        ask("DELETE", "/v1/webhooks/{id}", 204, id=made["id"])
        refused("DELETE", "/v1/webhooks/{id}", 404, "not-found", id=made["id"])
        self.same(ask("GET", "/v1/webhooks", 200).json["items"], [], "it is gone")

    # -- access

    def roles(self):
        """Every operation with a key of every role: 403 exactly where the contract does not name the role."""
        keys = {}
        for role in ROLES:
            answer = self.contract.ask("POST", "/v1/keys", 201, {"name": role + "-key", "roles": [role]})
            keys[role] = answer.json["key"]
        for method, path, operation in self.contract.operations():
            if operation.get("security") == []:
                continue
            where = re.sub(r"{\w+}", "nobody", path)
            for role, key in keys.items():
                allowed = role in operation["x-roles"]
                if allowed and method != "GET":
                    continue  # these were done by the steps before, and would do something
                if path == "/v1/events":
                    continue  # a stream does not end, and everybody may read it
                answer = self.daemon.ask(method, where, key=key)
                while answer.status == 429:
                    time.sleep(float(answer.headers["Retry-After"]))
                    answer = self.daemon.ask(method, where, key=key)
                self.same(answer.status == 403, not allowed, f"{method} {path} as {role}: {answer.status}")
                if answer.status == 403:
                    self.contract.check_answer(method, path, answer, path)
                    self.check_problem(self.contract, answer, "forbidden")
        return keys

    def access(self):
        """Keys, people, sessions: each answer that the contract has for them. access_test.py goes deeper."""
        ask, refused = self.contract.ask, self.refused
        key = ask("POST", "/v1/keys", 201, {"name": "short-lived", "roles": ["auditor"]}).json
        refused("POST", "/v1/keys", 422, "invalid", body={"name": "x", "roles": ["king"]})
        self.check(key["id"] in [k["id"] for k in ask("GET", "/v1/keys", 200).json["items"]], "the key is listed")
        ask("DELETE", "/v1/keys/{id}", 204, id=key["id"])
        refused("DELETE", "/v1/keys/{id}", 404, "not-found", id="nobody")
        user = {"name": "eva", "roles": ["engineer"], "password": "correct horse battery staple"}
        ask("POST", "/v1/users", 201, user)
        refused("POST", "/v1/users", 409, "exists", body=user)
        refused("POST", "/v1/users", 422, "invalid", body=user | {"name": "otto", "password": "short"})
        refused("POST", "/v1/keys", 409, "exists", body={"name": "eva", "roles": ["engineer"]})
        ask("GET", "/v1/users", 200)
        ask("PUT", "/v1/users/{name}", 200, {"roles": ["auditor"]}, name="eva")
        refused("PUT", "/v1/users/{name}", 404, "not-found", body={"roles": ["auditor"]}, name="nobody")
        refused("PUT", "/v1/users/{name}", 422, "invalid", body={"roles": []}, name="eva")
        new = {"password": "another horse battery staple"}
        ask("POST", "/v1/users/{name}/password", 204, new, name="eva")
        refused("POST", "/v1/users/{name}/password", 404, "not-found", body=new, name="nobody")
        refused("POST", "/v1/users/{name}/password", 422, "invalid", body={"password": "short"}, name="eva")
        ask("GET", "/v1/session", 200)
        refused("DELETE", "/v1/session", 404, "not-found")
        log_in = {"name": "eva", "password": new["password"]}
        answer = ask("POST", "/v1/session", 200, log_in)
        cookie = {"Cookie": answer.headers["Set-Cookie"].split(";")[0], "Authorization": None, "Sec-Fetch-Site": "same-origin"}
        self.same(ask("GET", "/v1/session", 200, headers=cookie).json["name"], "eva", "who am I")
        refused("POST", "/v1/users/{name}/password", 403, "forbidden", body=new, headers=cookie, name="local")
        ask("DELETE", "/v1/session", 204, headers=cookie)
        refused("POST", "/v1/session", 401, "unauthorized", body=log_in | {"password": "wrong horse battery"})
        refused("POST", "/v1/session", 422, "invalid", body={"name": "eva"})
        text = {"Content-Type": "text/plain"}
        refused("POST", "/v1/session", 415, "media-type", body=b"{}", headers=text)
        as_json = {"Content-Type": "application/json"}
        refused("POST", "/v1/session", 400, "malformed-json", body=b"{", headers=as_json)
        refused("POST", "/v1/session", 413, "too-large", body=b" " * ((1 << 20) + 1), headers=as_json)
        ask("DELETE", "/v1/users/{name}", 204, name="eva")
        refused("DELETE", "/v1/users/{name}", 404, "not-found", name="eva")

    def too_many(self, key):
        """Every closed route shares one bucket of a key: it runs dry, and says when to come back."""
        seen = set()

        def ask():
            for _ in range(200):
                answer = self.daemon.ask("GET", "/v1/chips/z80", key=key)
                seen.add(answer.status)
                if answer.status == 429:
                    self.contract.check_answer("GET", "/v1/chips/{name}", answer, "too many")
                    self.check_problem(self.contract, answer, "too-many")
                    self.check(int(answer.headers["Retry-After"]) >= 1, "Retry-After")
                    return

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.same(seen, {404, 429}, "a key that asks too much")

    def own_jobs(self, keys, image):
        """An MES orders released recipes only, and cancels what it has ordered itself."""
        order = {"recipe": "controller/1", "stations": ["A1"], "quantity": 1, "trigger": "on_start",
                 "units": [{"mac": {"hex": "00005e005303"}}]}
        adhoc = {"chip": "stm32f103xb", "image": image, "stations": ["A1"], "trigger": "on_start"}
        for role in ("mes", "operator"):
            as_role = {"Authorization": "Bearer " + keys[role]}
            self.refused("POST", "/v1/jobs", 403, "forbidden", body=adhoc, headers=as_role)
            self.refused("POST", "/v1/jobs", 403, "forbidden", body=order | {"recipe": "controller/2"}, headers=as_role)
        mine = self.contract.ask("POST", "/v1/jobs", 202, order, {"Authorization": "Bearer " + keys["mes"]}).json["id"]
        other = self.contract.ask("POST", "/v1/jobs", 202, adhoc).json["id"]
        as_mes = {"Authorization": "Bearer " + keys["mes"]}
        self.refused("POST", "/v1/jobs/{id}/cancel", 403, "forbidden", headers=as_mes, id=other)
        self.contract.ask("POST", "/v1/jobs/{id}/cancel", 200, headers=as_mes, id=mine)
        self.contract.ask("POST", "/v1/jobs/{id}/cancel", 200, id=other)


# -- an auditor's own reading of C2SP signed notes and RFC 6962

def note_is_good(note, key):
    sodium = ctypes.CDLL("libsodium.so.23")
    origin, key_id, public = key.strip().split("+", 2)
    public = base64.b64decode(public)
    text, _, signatures = note.partition("\n\n")
    for line in signatures.splitlines():
        dash, name, value = line.split(" ")
        value = base64.b64decode(value)
        if dash == "\u2014" and name == origin and value[:4].hex() == key_id and public[0] == 1:
            signed = (text + "\n").encode()
            return (sodium.crypto_sign_verify_detached(value[4:], signed, ctypes.c_ulonglong(len(signed)), public[1:]) == 0
                    and hashlib.sha256(origin.encode() + b"\n" + public).digest()[:4].hex() == key_id)
    return False


def proof_root(proof):
    """RFC 9162, 2.1.3.2, with the record's chain hash computed anew."""
    record = proof["record"]
    at = record["utc"]
    utc_us = calendar.timegm(time.strptime(at[:19], "%Y-%m-%dT%H:%M:%S")) * 1000000 + int(at[20:26])
    text = "\n".join(str(x) for x in (record["sequence"], utc_us, record["monotonic_us"], record["clock"], record["boot"],
                                      record["kind"], record["canonical"]))
    chain = hashlib.sha256(bytes.fromhex(proof["previous_hash"]) + text.encode()).digest()
    index, last = proof["index"], proof["size"] - 1
    node = hashlib.sha256(b"\0" + chain).digest()
    for other in (bytes.fromhex(h) for h in proof["hashes"]):
        if last == 0:
            return None
        if index & 1 or index == last:
            node = hashlib.sha256(b"\1" + other + node).digest()
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            node = hashlib.sha256(b"\1" + node + other).digest()
        index, last = index >> 1, last >> 1
    return node if last == 0 else None
