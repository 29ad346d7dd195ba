// SPDX-License-Identifier: Apache-2.0
// The event stream as a test reads it, beside the page.
import { until } from "./plant.mjs";

export class Reader {
  /** `take` is given each event: {id, kind, body}. */
  constructor(plant, take) {
    this.take = take;
    this.abort = new AbortController();
    this.done = this.read(plant).catch((error) => {
      if (!this.abort.signal.aborted) throw error;
    });
  }

  async read(plant) {
    const headers = { Authorization: `Bearer ${plant.key}`, Accept: "text/event-stream" };
    const response = await fetch(`${plant.url}/v1/events`, { headers, signal: this.abort.signal });
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of response.body) {
      const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n\n");
      rest = parts.pop();
      for (const part of parts) this.event(part);
    }
  }

  event(text) {
    const fields = {};
    for (const line of text.split("\n")) {
      const colon = line.indexOf(": ");
      if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 2);
    }
    if (fields.data)
      this.take({ id: fields.id ? Number(fields.id) : null, kind: fields.event, body: JSON.parse(fields.data) });
  }

  close() {
    this.abort.abort();
    return this.done;
  }
}

/** Exchanges a board as soon as it is finished, and counts what happened. */
export class Inserter {
  constructor(plant) {
    this.plant = plant;
    this.stations = new Map();
    this.progress = new Map();
    this.facts = 0;
    this.ended = 0;
    this.stopped = false;
    this.reader = new Reader(plant, (event) => this.take(event));
  }

  take({ id, kind, body }) {
    if (id !== null) this.facts++;
    if (kind === "progress") this.progress.set(body.station, (this.progress.get(body.station) ?? 0) + 1);
    else if (kind === "run.started") this.stations.set(body.id, body.station);
    else if (kind === "run.ended") {
      this.ended++;
      const station = this.stations.get(body.id);
      this.stations.delete(body.id);
      if (station && !this.stopped) void this.plant.board("insert", station);
    }
  }

  /** Until nothing is under way; the boards stay as they are. */
  async pause() {
    this.stopped = true;
    await until("all stations to rest", async () =>
      (await this.plant.get("/v1/stations")).items.every((station) => station.run === null),
    );
  }

  async resume() {
    this.stopped = false;
    for (const { name } of (await this.plant.get("/v1/stations")).items) await this.plant.board("insert", name);
  }

  progressCount() {
    return [...this.progress.values()].reduce((sum, count) => sum + count, 0);
  }

  async close() {
    this.stopped = true;
    await this.reader.close();
  }
}
