// SPDX-License-Identifier: Apache-2.0
// A line-side host for one test: simulated boards, the real daemon on them, its people, and a way to ask it. All lives
// in one temporary folder and ends with the test. Nothing here sleeps for luck.
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

export const CHIP = "stm32f103xb";
export const FLASH = 0x08000000;
export const PASSWORD = "staple battery horse correct";
const LIMIT_MS = 20_000; // for what is expected to happen, on a busy host
const POLL_MS = 25;

/** Until `ask` gives something true, and gives that. An error of the last try is part of the failure. */
export async function until(what, ask, limitMs = LIMIT_MS) {
  const end = Date.now() + limitMs;
  for (;;) {
    let said;
    try {
      const got = await ask();
      if (got) return got;
      said = "";
    } catch (error) {
      said = `: ${error.message}`;
    }
    if (Date.now() > end) throw new Error(`waited ${limitMs / 1000} s for ${what}${said}`);
    await new Promise((done) => setTimeout(done, POLL_MS));
  }
}

/** Reproducible noise behind a vector table, as firmware looks to a programmer. */
export function firmware(size, seed = 1) {
  const data = Buffer.alloc(size);
  let state = seed;
  for (let at = 0; at < size; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    data[at] = state >>> 24;
  }
  data.writeUInt32LE(0x20005000, 0); // stack
  data.writeUInt32LE(FLASH + 0x101, 4); // first instruction
  return data;
}

function hexRecord(kind, address, data) {
  const body = Buffer.concat([Buffer.from([data.length, (address >> 8) & 0xff, address & 0xff, kind]), data]);
  const sum = body.reduce((total, byte) => total + byte, 0);
  return `:${body.toString("hex")}${Buffer.from([-sum & 0xff]).toString("hex")}`.toUpperCase();
}

/** As Intel HEX, so that the file says where it belongs. */
export function hexFile(data, address = FLASH) {
  const lines = [];
  for (let at = 0; at < data.length; at += 16) {
    const here = address + at;
    if (at === 0 || (here & 0xffff) === 0)
      lines.push(hexRecord(4, 0, Buffer.from([(here >>> 24) & 0xff, (here >>> 16) & 0xff])));
    lines.push(hexRecord(0, here & 0xffff, data.subarray(at, at + 16)));
  }
  return Buffer.from(`${lines.join("\n")}\n:00000001FF\n`);
}

/** A child that dies with this process, however that ends. */
function start(command, ...words) {
  return spawn("setpriv", ["--pdeathsig", "KILL", "--", command, ...words], { stdio: ["ignore", "pipe", "pipe"] });
}

/** The child's exit status; it is killed when it does not end in time. */
async function ended(child, signal) {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const gone = new Promise((done) => child.once("exit", done));
  child.kill(signal);
  const timer = setTimeout(() => child.kill("SIGKILL"), LIMIT_MS);
  const status = await gone;
  clearTimeout(timer);
  return status;
}

/** The first line of a stream that fits; fails when the child ends before. */
function lineOf(child, stream, pattern, kept) {
  return new Promise((resolve, reject) => {
    createInterface({ input: stream }).on("line", (line) => {
      kept.push(line);
      const found = pattern.exec(line);
      if (found) resolve(found);
    });
    child.once("error", reject);
    child.once("exit", (status) =>
      reject(new Error(`${child.spawnargs[4]} ended with ${status}:\n${kept.join("\n")}`)),
    );
  });
}

/** The simulator's operator: one command, one answer, in order. */
class Operator {
  constructor(path) {
    this.waiting = [];
    this.socket = connect(path);
    this.socket.on("error", (error) => this.waiting.splice(0).forEach((one) => one.reject(error)));
    createInterface({ input: this.socket }).on("line", (line) => this.waiting.shift()?.resolve(line));
  }

  ask(...words) {
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      this.socket.write(`${words.join(" ")}\n`);
    });
  }
}

export class Refused extends Error {
  constructor(method, path, answer) {
    super(`${method} ${path}: ${answer.status} ${answer.text}`);
    this.status = answer.status;
  }
}

export class Plant {
  constructor(programs) {
    this.programs = programs;
    this.dir = mkdtempSync(join(tmpdir(), "flashfarm-browser-"));
    this.config = join(this.dir, "flashfarm.conf");
    this.simLog = [];
    this.log = [];
  }

  /** `boards` and `sim` are for flashfarm-sim; `change` edits the configuration before the daemon reads it. */
  static async start(programs, { boards = `${CHIP}=4`, sim = [], change = (text) => text }) {
    const plant = new Plant(programs);
    try {
      const words = ["--boards", boards, "--dir", plant.dir, "--listen", "127.0.0.1:0", "--with-parent", ...sim];
      plant.sim = start(programs.sim, ...words);
      plant.sim.stderr.resume();
      await lineOf(plant.sim, plant.sim.stdout, /^ready /, plant.simLog);
      plant.operator = new Operator(join(plant.dir, "control"));
      plant.edit(change);
      await plant.startDaemon();
    } catch (error) {
      await plant.close();
      throw error;
    }
    return plant;
  }

  edit(change) {
    const text = change(readFileSync(this.config, "utf8"));
    writeFileSync(`${this.config}.new`, text);
    renameSync(`${this.config}.new`, this.config);
  }

  /** Puts lines into the section [daemon], over those of the same name. */
  set(settings) {
    this.edit((text) => {
      let result = text;
      for (const [name, value] of Object.entries(settings)) {
        result = result.replace(new RegExp(`^${name} = .*\n`, "m"), "");
        result = result.replace("[daemon]\n", `[daemon]\n${name} = ${value}\n`);
      }
      return result;
    });
  }

  async startDaemon() {
    this.daemon = start(this.programs.daemon, "--config", this.config);
    this.daemon.stdout.resume();
    const [, port] = await lineOf(this.daemon, this.daemon.stderr, / at http:\S+:(\d+)$/, this.log);
    this.url = `http://127.0.0.1:${port}`;
    this.port = Number(port);
    this.key = readFileSync(join(this.dir, "state", "key"), "utf8")
      .trim()
      .split(/\s+/)
      .pop();
    this.set({ listen: `127.0.0.1:${port}` }); // the page comes back to where it was
  }

  killDaemon() {
    return ended(this.daemon, "SIGKILL");
  }

  stopDaemon() {
    return ended(this.daemon, "SIGTERM");
  }

  async close() {
    const status = this.daemon ? await this.stopDaemon() : 0;
    this.operator?.socket.destroy();
    if (this.sim) await ended(this.sim, "SIGTERM");
    rmSync(this.dir, { recursive: true, force: true });
    return status;
  }

  // --- boards

  async board(...words) {
    const answer = await this.operator.ask(...words);
    if (!answer.startsWith("ok")) throw new Error(`${words.join(" ")}: ${answer}`);
    return answer;
  }

  // --- the interface

  async ask(method, path, { body, headers = {}, key = this.key } = {}) {
    const sent = { Authorization: `Bearer ${key}`, ...headers };
    let data = body;
    if (body !== undefined && !(body instanceof Uint8Array)) {
      data = JSON.stringify(body);
      sent["Content-Type"] ??= "application/json";
    }
    if (method === "POST" && path === "/v1/jobs") sent["Idempotency-Key"] ??= randomUUID();
    const response = await fetch(this.url + path, { method, headers: sent, body: data });
    const text = await response.text();
    const json = /json/.test(response.headers.get("content-type") ?? "") ? JSON.parse(text) : null;
    return { status: response.status, headers: response.headers, text, json };
  }

  async demand(method, path, options) {
    const answer = await this.ask(method, path, options);
    if (answer.status >= 300) throw new Refused(method, path, answer);
    return answer.json;
  }

  get(path) {
    return this.demand("GET", path);
  }

  post(path, body) {
    return this.demand("POST", path, { body });
  }

  /** All items of a list, page by page. */
  async all(path) {
    const items = [];
    let cursor = null;
    do {
      const list = await this.get(
        `${path}${path.includes("?") ? "&" : "?"}limit=1000${cursor ? `&cursor=${cursor}` : ""}`,
      );
      items.push(...list.items);
      cursor = list.next;
    } while (cursor);
    return items;
  }

  async addUser(name, ...roles) {
    await this.post("/v1/users", { name, roles, password: PASSWORD });
    return name;
  }

  async image(data, name = "fw.hex") {
    return (await this.demand("POST", `/v1/images?name=${encodeURIComponent(name)}`, { body: hexFile(data) })).id;
  }

  /** An order for one image; more of its members, or others, in `order`. */
  async submit(image, order = {}) {
    return (await this.post("/v1/jobs", { chip: CHIP, image, stations: "all", ...order })).id;
  }

  job(id) {
    return this.get(`/v1/jobs/${id}`);
  }

  async jobEnds(id, state = "done") {
    return until(`job ${id} to be ${state}`, async () => {
      const job = await this.job(id);
      return job.state === state && job;
    });
  }
}
