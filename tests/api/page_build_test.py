#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How the build makes the dashboard: what makes it anew, what it says when npm fails, and that it does without node.

Usage: page_build_test.py SOURCES CMAKE GENERATOR [daemon]

The folder's own CMakeLists.txt is tried with a node and an npm of ours, which only leave a trace. With `daemon` the whole
of flashfarmd is built without a dashboard, where there is no node, and looked at."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

import page_test
from page_test import check, same

SOURCES, CMAKE, GENERATOR = sys.argv[1:4]

PROJECT = """cmake_minimum_required(VERSION 3.25)
project(page LANGUAGES C)
add_subdirectory(clients/dashboard)
add_executable(show show.c)
target_link_libraries(show dashboard)
"""
SHOW = """#include "embedded.h"
#include <stdio.h>
extern const struct embedded_file dashboard_files[];
int main(void)
{
    for (const struct embedded_file *file = dashboard_files; file->name; file++)
        printf("%s: %s\\n", file->name, (const char *)file->bytes);
    return 0;
}
"""
# The bundler's place: each file holds the names of the sources that it saw.
NODE = """#!/bin/sh
work=$(dirname "$1") out=$3
mkdir -p "$out"
test -e "$work/node_modules" || exit 9
for name in index.html app.js app.css; do
  (cd "$work/src" && find . -type f | sort | tr '\\n' ' ') >"$out/$name"
  cp "$out/$name" "$out/$name.gz"
done
"""
NPM = """#!/bin/sh
echo "$*" >>"$TRACE"
test -z "$NPM_FAILS" || { echo "npm ERR! there is no network" >&2; exit 1; }
mkdir -p node_modules
"""


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)


class Project:
    """The folder clients/dashboard in a project of its own."""

    def __init__(self, directory):
        self.source, self.build = os.path.join(directory, "source"), os.path.join(directory, "build")
        self.trace = os.path.join(directory, "trace")
        shutil.copytree(os.path.join(SOURCES, "clients", "dashboard"), os.path.join(self.source, "clients", "dashboard"),
                        ignore=shutil.ignore_patterns("node_modules", "generated"))
        shutil.copytree(os.path.join(SOURCES, "schema"), os.path.join(self.source, "schema"))
        write(os.path.join(self.source, "CMakeLists.txt"), PROJECT)
        write(os.path.join(self.source, "show.c"), SHOW)
        self.node, self.npm = os.path.join(directory, "bin", "node"), os.path.join(directory, "bin", "npm")
        write(self.node, NODE, 0o755)
        write(self.npm, NPM, 0o755)

    def run(self, *command, fails="", path=None):
        environment = {**os.environ, "TRACE": self.trace, "NPM_FAILS": fails}
        if path:
            environment["PATH"] = path
        return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)

    def configure(self, *options, path=None):
        return self.run(CMAKE, "-S", self.source, "-B", self.build, "-G", GENERATOR, *options, path=path)

    def make(self, fails=""):
        return self.run(CMAKE, "--build", self.build, fails=fails)

    def shown(self):
        done = self.make()
        if not same(done.returncode, 0, f"the build: {done.stdout[-800:]} {done.stderr[-800:]}"):
            return ""
        return subprocess.run([os.path.join(self.build, "show")], capture_output=True, text=True, check=True).stdout

    def installs(self):
        with open(self.trace, encoding="utf-8") as file:
            return len(file.readlines())

    def at(self, *parts):
        return os.path.join(self.source, "clients", "dashboard", *parts)


def check_rebuilding(project):
    same(project.configure(f"-DNODE={project.node}", f"-DNPM={project.npm}").returncode, 0, "configure")
    first = project.shown()
    same(re.findall(r"^(\S+):", first, re.M), ["index.html", "app.js", "app.css", "index.html.gz", "app.js.gz", "app.css.gz"],
         "files in the program")
    check("./app.tsx" in first and "./core/api.ts" in first, "the sources are seen")
    same(project.installs(), 1, "installations")
    made = os.path.join(project.build, "clients", "dashboard", "page", "app.js")

    before = os.stat(made).st_mtime_ns
    project.shown()
    same(os.stat(made).st_mtime_ns, before, "nothing changed, nothing made")
    for changed in (("src", "app.tsx"), ("src", "app.css"), ("src", "index.html"), ("build.mjs",), ("tsconfig.json",)):
        before = os.stat(made).st_mtime_ns
        os.utime(project.at(*changed))
        project.shown()
        check(os.stat(made).st_mtime_ns > before, f"{'/'.join(changed)} makes it anew")
    before = os.stat(made).st_mtime_ns
    os.utime(os.path.join(project.source, "schema", "openapi.yaml"))
    project.shown()
    check(os.stat(made).st_mtime_ns > before, "the contract makes it anew")
    same(project.installs(), 1, "none of that installs again")
    write(project.at("src", "line", "added.tsx"), "export {};\n")
    check("./line/added.tsx" in project.shown(), "a file that is added is seen")
    os.remove(project.at("src", "line", "added.tsx"))
    check("./line/added.tsx" not in project.shown(), "a file that is removed vanishes")
    os.utime(project.at("package-lock.json"))
    project.shown()
    same(project.installs(), 2, "the lock file installs again")


def check_failing_npm(project):
    os.utime(project.at("package-lock.json"))
    done = project.make(fails="yes")
    said = done.stdout + done.stderr
    check(done.returncode != 0, "npm that fails ends the build")
    check("there is no network" in said, "what npm says is shown")
    check("-DFLASHFARM_DASHBOARD=OFF" in said and "registry" in said, f"the remedy is named: {said[-600:]}")
    same(project.make().returncode, 0, "and again, with the network")


def path_without_node(directory):
    """A PATH that has everything but node and npm."""
    place = os.path.join(directory, "path")
    os.makedirs(place)
    for folder in os.environ["PATH"].split(":"):
        for name in os.listdir(folder) if os.path.isdir(folder) else []:
            link = os.path.join(place, name)
            if name not in ("node", "nodejs", "npm", "npx") and not os.path.lexists(link):
                os.symlink(os.path.join(folder, name), link)
    return place


def check_without_node(project, path):
    # CMake itself looks in the usual folders too, so that only what it finds there can be hidden from it.
    hidden = ("-DCMAKE_FIND_USE_CMAKE_SYSTEM_PATH=OFF", "-DCMAKE_FIND_USE_SYSTEM_ENVIRONMENT_PATH=ON")
    shutil.rmtree(project.build)
    done = project.configure(*hidden, path=path)
    said = " ".join(done.stderr.split())
    check(done.returncode != 0 and "apt install nodejs npm" in said and "-DFLASHFARM_DASHBOARD=OFF" in said,
          f"no node: {said[-400:]}")
    shutil.rmtree(project.build)
    installs = project.installs()
    same(project.configure("-DFLASHFARM_DASHBOARD=OFF", *hidden, path=path).returncode, 0, "configure without node")
    same(project.shown(), "", "no files in the program")
    same(project.installs(), installs, "npm is not asked")


def check_daemon(directory, path):
    """flashfarmd, all of it, without a dashboard."""
    build = os.path.join(directory, "daemon")
    environment = {**os.environ, "PATH": path}
    for command in ([CMAKE, "-S", SOURCES, "-B", build, "-G", GENERATOR, "-DFLASHFARM_DASHBOARD=OFF"],
                    [CMAKE, "--build", build, "--target", "flashfarmd"]):
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        if not same(done.returncode, 0, f"{' '.join(command)}: {done.stdout[-1500:]} {done.stderr[-800:]}"):
            return
    found = [os.path.join(place, "flashfarmd") for place, _, names in os.walk(build) if "flashfarmd" in names]
    if same(len(found), 1, f"the program: {found}"):
        page_test.serve(found[0], page_test.check_plain)


def main():
    directory = tempfile.mkdtemp(prefix="flashfarm-page-build-")
    try:
        path = path_without_node(directory)
        if sys.argv[4:] == ["daemon"]:
            check_daemon(directory, path)
        else:
            project = Project(directory)
            check_rebuilding(project)
            check_failing_npm(project)
            check_without_node(project, path)
    finally:
        shutil.rmtree(directory)
    return 1 if page_test.failures else 0


sys.exit(main())
