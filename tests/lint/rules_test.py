#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A rule that cannot fail is none: each is shown something that breaks it, and something that does not."""

import pathlib
import subprocess
import tempfile
import unittest

import rules


class Rules(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.root = pathlib.Path(scratch.name)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def findings(self, rule):
        return list(rules.RULES[rule](self.root, self.root))

    def test_include_direction(self):
        self.write("daemon/base/log.h", "")
        self.write("daemon/jobs/farm.h", "")
        self.write("api/http.c", '#include "log.h"\n#include "farm.h"\n#include <microhttpd.h>\n')
        self.assertEqual(self.findings("include-direction"), [])
        self.write("stations/port.c", '#include "log.h"\n#include "farm.h"\n')
        self.write("daemon/base/log.c", '#include "../jobs/farm.h"\n')
        self.write("daemon/jobs/farm.c", "#include <sqlite3.h>\n")
        self.write("tests/boards/main.c", '#include "log.h"\n')
        self.assertEqual([finding.split(": ")[0] for finding in self.findings("include-direction")],
                         ["daemon/base/log.c:1", "daemon/jobs/farm.c:1", "stations/port.c:2", "tests/boards/main.c:1"])

    def test_sql_at_home(self):
        self.write("daemon/store/store.c", 'x("SELECT 1 FROM run");\n')
        self.write("api/api.c", 'x("select one of these");\nx("UPDATE of the board");\n')
        self.assertEqual(self.findings("sql-at-home"), [])
        self.write("api/api.c", 'x("SELECT 1 FROM run");\n')
        self.assertEqual(len(self.findings("sql-at-home")), 1)

    def test_mutable_statics(self):
        folder = self.root / "daemon/CMakeFiles/x.dir"
        folder.mkdir(parents=True)
        source = self.root / "x.c"
        command = ["gcc", "-fPIE", "-c", str(source), "-o", str(folder / "x.c.o")]
        self.assertEqual(len(self.findings("mutable-statics")), 1)  # nothing built is no proof
        source.write_text("static const int a = 1; static const char *const w[] = {\"x\"};\n"
                          "const void *f(int i) { return i ? (const void *)&a : w[0]; }\n")
        subprocess.run(command, check=True)
        self.assertEqual(self.findings("mutable-statics"), [])
        source.write_text("static const char *w[] = {\"x\"}; int f(void); int f(void) { static int n; w[0]++; "
                          "static _Thread_local int t = 4; return n++ + t++ + w[0][0]; }\n")
        subprocess.run(command, check=True)
        self.assertEqual(len(self.findings("mutable-statics")), 3)

    def test_functions(self):
        self.write("daemon/a.c", "int f(void)\n{\n" + "    x();\n" * 80 + "}\n" + "int g(void)\n{\n}\n" * 40)
        self.assertEqual(self.findings("functions"), [])
        self.write("daemon/a.c", "int f(void)\n{\n" + "    x();\n" * 81 + "}\n" + "int g(void)\n{\n}\n" * 40)
        self.assertEqual(len(self.findings("functions")), 1)
        self.write("daemon/a.c", ("int f(void)\n{\n" + "    x();\n" * 13 + "}\n") * 3)
        self.assertEqual(len(self.findings("functions")), 1)

    def test_heads(self):
        self.write("daemon/a.c", "/* SPDX-License-Identifier: Apache-2.0 */\n")
        self.assertEqual(self.findings("heads"), [])
        self.write("daemon/b.sh", "#!/bin/sh\n")
        self.assertEqual(len(self.findings("heads")), 1)

    def test_words(self):
        self.write("a.md", "See /usr/share/x, /v1/jobs and http://127.0.0.1:8470/ or `/dev/ttyUSB0`; 3/4 and a/b/c.\n")
        self.assertEqual(self.findings("words"), [])
        self.write("b.sh", "cd /elsewhere/main\ncurl https://registry.example.org/x\n# FIX" "ME later\n")
        self.assertEqual(len(self.findings("words")), 3)


if __name__ == "__main__":
    unittest.main()
