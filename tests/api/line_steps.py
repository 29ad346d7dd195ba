# SPDX-License-Identifier: Apache-2.0
"""Steps of contract_test.py through what people at the line look at: codes for the whole farm, buttons, recent runs,
statistics, how well stations work, ports, /metrics and the board of panels that is made from it."""
import json
import os
import re

CLIENTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "clients")
# What a query may say besides metrics and labels.
PROMQL = {"sum", "rate", "increase", "by", "max", "min", "avg", "histogram_quantile", "clamp_min", "count", "or", "topk",
          "on", "group_left", "ignoring", "vector", "le"}


def is_end_of(job):
    return lambda e: (e["event"] == "job.state" and json.loads(e["data"])["id"] == job
                      and json.loads(e["data"])["state"] == "done")


class LineSteps:
    def __init__(self, contract, check, same, check_problem, watch):
        self.contract, self.daemon, self.watch = contract, contract.daemon, watch
        self.check, self.same, self.check_problem = check, same, check_problem

    def refused(self, method, template, status, word, **arguments):
        answer = self.contract.ask(method, template, status, **arguments)
        if answer.status == status:
            self.check_problem(self.contract, answer, word)
        return answer

    def taken(self, events, path, body):
        """The first answer that is not 409: stations need a moment until they wait."""
        for _ in range(200):
            answer = self.daemon.ask("POST", path, body)
            if answer.status != 409:
                break
            events.wait(lambda e: e["event"] == "station", 0.1)
        self.contract.check_answer("POST", path, answer, path)
        self.same(answer.status, 200, f"{path} {body}: {answer.body[:200]!r}")
        return answer.json

    # -- codes and buttons

    def panel(self, image):
        """A panel of two boards, read once; then a third board that the order knows by its own code."""
        refused = self.refused
        refused("POST", "/v1/scan", 422, "invalid", body={"code": "PANEL-1"})
        refused("POST", "/v1/scan", 422, "invalid", body={})
        refused("POST", "/v1/scan", 422, "invalid", body={"code": "PANEL-1", "colour": "red"})
        order = {"chip": "stm32f103xb", "image": image, "stations": ["A1", "A2", "A3"], "trigger": "on_start", "quantity": 3,
                 "work_order": "MO-PANEL",
                 "units": [{"code": "PANEL-1", "station": "A2"}, {"code": "PANEL-1", "station": "A1"}, {"code": "B-3"}]}
        events = self.watch("?topics=job.,run.,station")
        job = self.contract.ask("POST", "/v1/jobs", 202, order).json["id"]
        tried = self.taken(events, "/v1/scan", {"code": "PANEL-1", "dry_run": True})
        self.same(sorted((a["station"], a["unit"]) for a in tried["assigned"]), [("A1", 1), ("A2", 0)], "a dry run")
        self.same(self.contract.ask("GET", "/v1/jobs/{id}", 200, id=job).json["in_flight"], 0, "a dry run does nothing")
        refused("POST", "/v1/scan", 422, "invalid", body={"code": "PANEL-9"})
        refused("POST", "/v1/scan", 409, "busy", body={"code": "B-3", "skip": ["A1", "A2", "A3"]})
        done = self.taken(events, "/v1/scan", {"code": "PANEL-1"})
        self.same((sorted((a["station"], a["unit"]) for a in done["assigned"]), done["repeated"]),
                  ([("A1", 1), ("A2", 0)], False), "a panel")
        self.check(done["sentence"], "a sentence for people")
        third = self.taken(events, "/v1/scan", {"code": "B-3", "skip": ["A1", "A2"]})
        self.same([(a["station"], a["unit"]) for a in third["assigned"]], [("A3", 2)], "one board")
        self.check(events.wait(is_end_of(job)), "the job with a panel is done")
        events.close()
        runs = self.contract.ask("GET", "/v1/jobs/{id}/runs", 200, id=job).json["items"]
        self.same(sorted((r["station"], r["code"]) for r in runs), [("A1", "PANEL-1"), ("A2", "PANEL-1"), ("A3", "B-3")],
                  "codes on the record")

    def buttons(self, image):
        refused = self.refused
        refused("POST", "/v1/start", 409, "busy", body={"stations": "all"})
        for wrong in ({}, {"stations": []}, {"stations": "A1"}, {"stations": ["Z9"]}, {"stations": "all", "skip": ["Z9"]},
                      {"stations": "all", "colour": "red"}):
            refused("POST", "/v1/start", 422, "invalid", body=wrong)
        order = {"chip": "stm32f103xb", "image": image, "stations": ["A1", "A2", "A3"], "trigger": "on_start", "quantity": 3}
        events = self.watch("?topics=job.,run.,station")
        job = self.contract.ask("POST", "/v1/jobs", 202, order).json["id"]
        self.same(self.taken(events, "/v1/start", {"stations": ["A1", "A3"]})["started"], ["A1", "A3"], "by name")
        self.same(self.taken(events, "/v1/start", {"stations": "all", "skip": ["A1", "A3"]})["started"], ["A2"], "the rest")
        self.check(events.wait(is_end_of(job)), "the job with buttons is done")
        events.close()

    def failure(self, image):
        """A4's board is silent, so that there is something to count."""
        events = self.watch("?topics=run.")
        order = {"chip": "stm32f103xb", "image": image, "stations": ["A4"], "trigger": "immediate", "work_order": "MO-SILENT"}
        job = self.contract.ask("POST", "/v1/jobs", 202, order).json["id"]
        self.check(events.wait(lambda e: e["event"] == "run.ended"), "a run that fails")
        events.close()
        run = self.contract.ask("GET", "/v1/jobs/{id}/runs", 200, id=job).json["items"][0]
        self.same((run["outcome"], run["class"]), ("aborted", "no-contact"), "a silent board")

    # -- figures

    def figures(self):
        """Sums of the record, compared with the runs themselves."""
        ask = self.contract.ask
        runs = ask("GET", "/v1/runs", 200, query="?limit=1000").json["items"]
        runs = [r for r in runs if r["outcome"] and r["class"] != "cancelled"]
        got = ask("GET", "/v1/statistics", 200, query="?by=station").json
        self.same({w: got["totals"][w] for w in ("pass", "fail", "aborted", "unknown")},
                  {w: sum(r["outcome"] == w for r in runs) for w in ("pass", "fail", "aborted", "unknown")}, "totals")
        self.same(got["totals"]["runs"], len(runs), "runs")
        for name in got["totals"]:
            self.same(sum(s[name] for s in got["by_station"]), got["totals"][name], f"{name} by station")
            self.same(sum(s[name] for s in got["series"]), got["totals"][name], f"{name} of the series")
        self.same(sorted(s["station"] for s in got["by_station"]), sorted({r["station"] for r in runs}), "stations")
        self.same([s["station"] for s in ask("GET", "/v1/statistics", 200).json["series"] if s["station"]], [], "of all")
        self.same(sum(p["count"] for p in got["pareto"]), sum(r["outcome"] != "pass" for r in runs), "pareto")
        self.check(got["totals"]["us"] > 0 and got["totals"]["floor_us"] > 0, "times")
        self.check(got["pace"]["passed_last_hour"] == got["totals"]["pass"], "pace of the last hour")
        self.check(all(got["definitions"].values()), "definitions")
        mine = ask("GET", "/v1/statistics", 200, query="?work_order=MO-PANEL").json["totals"]
        self.same((mine["runs"], mine["units"], mine["first_pass"], mine["passed_units"]), (3, 3, 3, 3), "of one order")
        for query in ("?station=nobody", "?job=999999", "?recipe=nobody", "?to=2020-01-01T00:00:00Z"):
            self.same(ask("GET", "/v1/statistics", 200, query=query).json["totals"]["runs"], 0, query)
        for wrong in ("job=0", "job=x", "bucket_s=301", "bucket_s=0", "bucket_s=86700", "by=job", "from=yesterday", "to=1",
                      "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z",
                      "bucket_s=300&job=1&from=2020-01-01T00:00:00Z&to=2026-01-01T00:00:00Z"):
            self.refused("GET", "/v1/statistics", 400, "bad-parameter", query="?" + wrong)

    def stations(self):
        ask = self.contract.ask
        runs = ask("GET", "/v1/runs", 200, query="?limit=1000").json["items"]
        for station in ask("GET", "/v1/stations", 200, query="?recent=3").json["items"]:
            here = sorted([r for r in runs if r["station"] == station["name"] and r["ended"]],
                          key=lambda r: (r["ended"], r["id"]), reverse=True)[:3]
            self.same(station["recent"], [{"run": r["id"], **{n: r[n] for n in ("outcome", "class", "serial", "ended")}}
                                          for r in here], f"recent runs of {station['name']}")
        for wrong in ("0", "21", "x", "-1"):
            self.refused("GET", "/v1/stations", 400, "bad-parameter", query="?recent=" + wrong)
            self.refused("GET", "/v1/station-health", 400, "bad-parameter", query="?runs=" + wrong.replace("21", "201"))
        items = ask("GET", "/v1/station-health", 200).json["items"]
        self.same([i["station"] for i in items], ["A1", "A2", "A3", "A4"], "every station")
        first = items[0]
        self.same((first["protocol"], first["chip"]), ("stm32-uart", "stm32f103xb"), "what it works on")
        self.check(first["passed"] > 0 and first["measures"]["excess_us"] is not None, "measures")
        self.check(first["measures"]["contact_attempts"] >= 1, "attempts to reach the chip are counted")
        self.same([i["odd"] for i in items], [[], [], [], []], "too few to judge")
        limited = ask("GET", "/v1/station-health", 200, query="?runs=1").json["items"][0]
        self.same(limited["runs"], 1, "as many runs as asked for")

    def ports(self):
        for port in self.contract.ask("GET", "/v1/ports", 200).json["items"]:
            self.same(port["section"] is None, port["station"] is not None, f"section of {port['name']}")
            if port["section"]:
                self.check(re.search(r"^\[station [A-Za-z0-9._-]+\]\nport = ", port["section"], re.M), port["section"])

    # -- Prometheus

    def metrics(self):
        """Nothing that grows with the boards made is in there, neither as a label nor as a value of one."""
        text = self.contract.ask("GET", "/metrics", 200).body.decode()
        runs = self.contract.ask("GET", "/v1/runs", 200, query="?limit=1000").json["items"]
        secret = {str(r[name]) for r in runs for name in ("serial", "uid", "work_order", "code", "image") if r[name]}
        self.check(len(secret) > 5, "there are serials, UIDs and orders to look for")
        values = set(re.findall(r'\w="((?:[^"\\]|\\.)*)"', text))
        self.same(values & secret, set(), "label values")
        self.same([s for s in secret if len(s) > 4 and s in text], [], "anywhere")
        passed = [r for r in runs if r["outcome"] == "pass"]
        counted = sum(int(n) for n in re.findall(r'^flashfarm_run_seconds_count\{outcome="pass"\} (\d+)', text, re.M))
        self.same(counted, len(passed), "runs in the histogram")
        for station in {r["station"] for r in passed}:
            for name in ("run", "floor"):
                us = [sum(p["us" if name == "run" else "floor_us"] for p in r["phases"]) for r in passed
                      if r["station"] == station]
                found = re.search(rf'^flashfarm_station_{name}_seconds_total{{station="{station}"}} ([\d.]+)$', text, re.M)
                self.same(found and round(float(found.group(1)) * 1e6), sum(us), f"{name} seconds of {station}")
        pool = self.contract.ask("GET", "/v1/serial-pools/{name}", 200, name="boards").json
        for state, number in {**pool["counts"], "left": pool["left"]}.items():
            self.check(f'\nflashfarm_pool_numbers{{pool="boards",state="{state}"}} {number}\n' in text, f"numbers: {state}")
        for station in self.contract.ask("GET", "/v1/stations", 200).json["items"]:
            self.check(f'flashfarm_station_state{{station="{station["name"]}",state="{station["state"]}"}} 1' in text,
                       f"state of {station['name']}")

    def board(self):
        """Each panel of clients/grafana.json asks for what this daemon's /metrics has."""
        with open(os.path.join(CLIENTS, "grafana.json"), encoding="utf-8") as file:
            board = json.load(file)
        known = {}
        for name, labels in re.findall(r"^(flashfarm_\w+)(?:\{(.*)\})? ", self.contract.ask("GET", "/metrics", 200)
                                       .body.decode(), re.M):
            known.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
        self.check(board["schemaVersion"] >= 38, "schema of Grafana 10")
        self.same([v["query"] for v in board["templating"]["list"] if v["type"] == "datasource"], ["prometheus"], "source")
        panels = [p for p in board["panels"] if p["type"] != "row"]
        self.same(len({p["id"] for p in board["panels"]}), len(board["panels"]), "ids of panels")
        asked = [(p, target) for p in panels for target in p["targets"]]
        self.check(len(asked) >= len(panels) >= 11, "panels with queries")
        for panel, target in asked:
            self.same((panel["datasource"]["uid"], target["datasource"]["uid"]), ("${datasource}",) * 2, panel["title"])
            self.check_query(panel["title"], target, known)

    def check_query(self, title, target, known):
        query = re.sub(r'"[^"]*"', "", target["expr"])
        names = set(re.findall(r"\bflashfarm_\w+", query))
        self.check(names, f"{title}: a query without a metric")
        self.same(names - set(known), set(), f"{title}: metrics that there are not")
        labels = set().union(*(known.get(name, set()) for name in names)) | {"instance", "job"}
        used = set(re.findall(r"\b[a-z_]+\b", re.sub(r"\bflashfarm_\w+|\$\w+|\b\d+[smhd]\b", "", query))) - PROMQL
        used |= set(re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", "")))
        self.same(used - labels, set(), f"{title}: labels or words that there are not, in {target['expr']}")
