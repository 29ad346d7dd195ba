// SPDX-License-Identifier: Apache-2.0
// Espressif's esptool-js on a tty instead of Web Serial. One command a line on stdin, as JSON; one answer a line
// on stdout. Without the stub, which a simulated ROM could load but not run: what the library itself does for
// chips that have none.
//
// usage: node esptool.mjs PORT [BAUD]
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, constants, openSync, readFileSync, readSync, writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { ESPLoader, Transport } from "esptool-js";

const POLL_MS = 1;

/** As much of a Web Serial port as the library uses. A pty has no modem lines. */
class TtyPort {
  constructor(path) {
    this.path = path;
  }

  getInfo() {
    return {};
  }

  setBaudRate(baud) {
    const stty = spawnSync("stty", ["-F", this.path, String(baud), "raw", "-echo"]);
    if (stty.status !== 0) throw new Error(`stty: ${stty.stderr}`);
  }

  async open({ baudRate }) {
    const fd = openSync(this.path, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
    this.fd = fd;
    this.setBaudRate(baudRate);
    this.readable = new ReadableStream({
      start: (controller) => {
        this.controller = controller;
        this.timer = setInterval(() => this.poll(), POLL_MS);
      },
      cancel: () => clearInterval(this.timer),
    });
    this.writable = new WritableStream({ write: (bytes) => this.write(bytes) });
  }

  poll() {
    const bytes = Buffer.alloc(65536);
    try {
      const count = readSync(this.fd, bytes, 0, bytes.length, null);
      if (count) this.controller.enqueue(new Uint8Array(bytes.subarray(0, count)));
    } catch (error) {
      if (error.code === "EAGAIN") return;
      clearInterval(this.timer);
      this.controller.error(error);
    }
  }

  async write(bytes) {
    for (let done = 0; done < bytes.length; ) {
      try {
        done += writeSync(this.fd, bytes, done);
      } catch (error) {
        if (error.code !== "EAGAIN") throw error;
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
    }
  }

  async setSignals() {}

  async close() {
    clearInterval(this.timer);
    closeSync(this.fd);
    this.readable = this.writable = null;
  }
}

/** The ROM alone: no stub, its own block size, its own way to attach the flash. */
class RomLoader extends ESPLoader {
  async runStub() {
    this.FLASH_WRITE_SIZE = 0x400;
    if (this.chip.CHIP_NAME !== "ESP8266") await this.checkCommand("attach", this.ESP_SPI_ATTACH, new Uint8Array(8));
    return this.chip;
  }

  // The library ends every FLASH_BEGIN with a word about encryption, which the first two chips do not know.
  async command(op, data, ...rest) {
    const old = ["ESP8266", "ESP32"].includes(this.chip?.CHIP_NAME);
    return super.command(op, op === this.ESP_FLASH_BEGIN && old ? data.slice(0, 16) : data, ...rest);
  }

  // It shows the bytes of the answer as hexadecimal; a ROM has already done that.
  async flashMd5sum(address, size) {
    return Buffer.from(await super.flashMd5sum(address, size), "hex").toString();
  }
}

const md5 = (bytes) => createHash("md5").update(bytes).digest("hex");
const said = [];
const terminal = { clean() {}, writeLine: (line) => said.push(line), write: (text) => said.push(text) };
const baudrate = Number(process.argv[3] ?? 115200);
const port = new TtyPort(process.argv[2]);
const loader = new RomLoader({ transport: new Transport(port), baudrate, romBaudrate: 115200, terminal });
loader.transport.trace = () => {};

const commands = {
  // connect, detect, describe, change the rate
  main: () => loader.main("no_reset"),
  mac: () => loader.chip.readMac(loader),
  flashSize: () => loader.detectFlashSize(),
  security: async () => (await loader.getSecurityInfo()).parsedFlags,
  write: ({ file, address, compress, verify }) =>
    loader.writeFlash({
      fileArray: [{ data: new Uint8Array(readFileSync(file)), address }],
      flashSize: "keep",
      flashMode: "keep",
      flashFreq: "keep",
      compress,
      calculateMD5Hash: verify ? md5 : undefined,
    }),
  md5: ({ address, size }) => loader.flashMd5sum(address, size),
  // the stub as the library sends it: loaded and started, but it cannot run
  stub: () => ESPLoader.prototype.runStub.call(loader),
  finish: ({ reboot }) => loader.flashFinish(reboot),
  said: () => said.splice(0),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...rest } = JSON.parse(line);
  try {
    console.log(JSON.stringify({ result: (await commands[command](rest)) ?? null }));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error.message ?? error) }));
  }
}
process.exit(0);
