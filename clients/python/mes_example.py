#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a manufacturing execution system does with flashfarm, start to end: orders units with serials and addresses of
its own, follows what happens to them (the daemon may stop and come back meanwhile), and accounts for every serial.

    mes_example.py --server http://127.0.0.1:8470 --key-file mes.key --recipe controller --work-order WO-4711 --quantity 8

Ends with 0 when every serial has passed, 1 when one has not, 2 when it could not find out. Started again with the same
work order it orders nothing twice: it takes up where it was.
"""

import argparse
import sys

import flashfarm


def units_of(work_order, quantity):
    """Each unit's own data, as a real system has it in its database: the same again for the same order."""
    number = sum(work_order.encode()) % 256
    return [{"serial": f"{work_order}-{i:04}", "mac": {"hex": f"02005e{number:02x}{i:04x}"}}
            for i in range(1, quantity + 1)]


def say(*words):
    print(*words, flush=True)


def follow(farm, job, since):
    """Tells every fact of the job until it has ended; returns its last state. Goes on by itself behind the last fact
    it has had when the connection breaks."""
    runs = {}
    for event in farm.events("run.,job.,daemon.", since, idle=True):
        if event is None:  # connected, perhaps anew; or a sign of life
            state = farm.job(job)["state"]
            if state in flashfarm.ENDED:
                return state
        elif event.name == "daemon.started":
            say(f"{event.id} the daemon is back")
        elif event.name == "run.started" and event.data["job"] == job:
            runs[event.data["id"]] = event.data.get("serial")
            say(f"{event.id} started {event.data.get('serial')} at {event.data['station']}")
        elif event.name == "run.ended" and event.data["id"] in runs:
            say(f"{event.id} {event.data['outcome']} {runs[event.data['id']]} {event.data.get('message') or ''}".rstrip())
        elif event.name == "job.state" and event.data["id"] == job:
            say(f"{event.id} job {event.data['state']}")
            if event.data["state"] in flashfarm.ENDED:
                return event.data["state"]
    return "lost"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--server", required=True)
    parser.add_argument("--key-file", required=True)
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--work-order", required=True)
    parser.add_argument("--quantity", type=int, required=True)
    parser.add_argument("--trigger", default="immediate")
    parser.add_argument("--stations", default="all", help="names with commas between")
    chosen = parser.parse_args()

    farm = flashfarm.Client(chosen.server, key_file=chosen.key_file, reconnect_s=60)
    units = units_of(chosen.work_order, chosen.quantity)
    order = {"recipe": chosen.recipe, "work_order": chosen.work_order, "quantity": chosen.quantity,
             "trigger": chosen.trigger, "units": units,
             "stations": "all" if chosen.stations == "all" else chosen.stations.split(",")}
    for finding in farm.dry_run(**order)["findings"]:
        say(f"{finding['severity']}: {finding['message']} ({finding['place']}); {finding['remedy']}")

    # From before the order, so that none of its facts is missed.
    since = str(farm.get("/v1/ledger/head")["sequence"])
    job = farm.submit(idempotency_key=f"{chosen.work_order}/1", **order)["id"]
    say(f"job {job} ordered")
    state = follow(farm, job, since)

    # What was heard on the way is for people; what counts is what the record says of every single serial.
    account = farm.reconcile(job, [unit["serial"] for unit in units])
    for serial, outcome in sorted(account.items()):
        say(f"{serial} {outcome}")
    good = sum(outcome == "pass" for outcome in account.values())
    say(f"{state}: {good} of {len(units)} passed")
    return 0 if good == len(units) == len(account) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, flashfarm.Problem) as trouble:
        print(f"mes_example: {trouble}", file=sys.stderr)
        sys.exit(2)
