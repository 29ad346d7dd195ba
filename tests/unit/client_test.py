#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The one-file MES client against the daemon that cli_test.py makes of Python.

client_test.py
"""

import os
import pathlib
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "clients" / "python"))

import cli_test  # noqa: E402  pylint: disable=wrong-import-position
import flashfarm  # noqa: E402  pylint: disable=wrong-import-position


class Client(cli_test.Case):
    def setUp(self):
        super().setUp()
        self.farm.patient = False
        self.client = flashfarm.Client(self.url, key_file=self.key)

    def order(self, **more):
        image = self.client.upload(self.firmware, address=0x08000000)
        return self.client.submit(chip="c", images=[image["id"]], stations="all", quantity=3, **more)

    def test_order_and_wait(self):
        self.farm.failing["A2"] = ("erase", "x")
        job = self.client.wait(self.order(work_order="W")["id"], timeout_s=20)
        self.assertEqual((job["state"], job["work_order"]), ("done", "W"))
        runs = list(self.client.runs(job=job["id"], outcome=None))
        self.assertEqual([run["outcome"] for run in runs], ["pass", "fail", "pass"])  # three items, two pages
        self.assertEqual(self.client.unit("UID-A2")["runs"][0]["class"], "erase")
        image = next(self.client.list("/v1/images"))
        self.assertEqual((image["name"], image["base"]), ("fw one.hex", "0x8000000"))

    def test_lost_answer_orders_once(self):
        self.farm.lose_answers = 2
        self.order()
        self.assertEqual(len(self.farm.jobs), 1)
        self.farm.lose_answers = 3
        with self.assertRaises((OSError, flashfarm.http.client.HTTPException)):
            self.order()

    def test_events_go_on_behind_the_last(self):
        self.farm.break_stream_after = 2
        events = self.client.events("run.started", timeout_s=20, idle=True)
        self.assertIsNone(next(events))  # connected: from here on nothing is missed
        threading.Thread(target=self.order, daemon=True).start()
        ids = []
        for event in events:
            if event is not None and event.id:
                ids.append(int(event.id))
            if event is not None and event.name == "job.state":
                break
        self.assertEqual(ids, list(range(1, 9)))

    def test_refusals(self):
        with self.assertRaises(flashfarm.Problem) as caught:
            flashfarm.Client(self.url, key="wrong").job(1)
        self.assertEqual(caught.exception.status, 401)
        with self.assertRaisesRegex(flashfarm.Problem, "there is no job 77"):
            self.client.job(77)
        with self.assertRaises(OSError):
            flashfarm.Client("http://127.0.0.1:1").job(1)
        with self.assertRaises(ValueError):
            flashfarm.Client("127.0.0.1:1")
        with self.assertRaises(flashfarm.Problem):
            next(flashfarm.Client(self.url).events())

    def test_wait_gives_up(self):
        self.farm.hang = True
        number = self.order()["id"]
        with self.assertRaises(TimeoutError):
            self.client.wait(number, timeout_s=0.3)
        self.client.command(number, "cancel")
        self.assertEqual(self.client.wait(number, timeout_s=20)["state"], "cancelled")

    def test_of_config(self):
        os.mkdir(os.path.join(self.dir, "state"))
        self.write("state/key", "# ours\nlocal " + cli_test.KEY + "\n")
        config = self.write("ff.conf", f"[daemon]\nlisten = {self.url[7:]}   ; here\nstate = {self.dir}/state\n")
        self.assertEqual(flashfarm.Client.of_config(config).get("/v1/chips")["items"][0]["name"], "stm32f103xb")


if __name__ == "__main__":
    unittest.main()
