// SPDX-License-Identifier: Apache-2.0
/* The daemon's server-sent events. EventSource hides the heartbeat, which is a comment, and the status of a refusal, so
 * the stream is read with fetch; eventsource-parser reads its lines. */
import { createParser } from "eventsource-parser";
import { asProblem, problemOf, tellUnauthorized } from "./api";
import type { Fact } from "./facts";

export const STALE_MS = 30_000;
const SILENT_MS = 40_000; // the daemon says something every 15 s: such a connection is dead
const RETRY_MIN_MS = 500;
const RETRY_MAX_MS = 8_000;

export interface EventsOptions {
  topics?: string;
  onEvent(event: Fact): void;
  /** anything was heard, were it only the heartbeat */
  onHeard(): void;
  /** the stream is open; `resumed` after a break, from the fact `last` */
  onOpen(resumed: boolean, last: number): void;
  /** it broke, and is tried again */
  onBreak(why: string): void;
}

/** Keeps one stream open until stop(); goes on after the last fact that was told, whatever happens in between. */
export class EventStream {
  private last: number;
  private opened = false;
  private stopped = false;
  private retryMs = RETRY_MIN_MS;
  private abort = new AbortController();

  constructor(
    from: number,
    private readonly options: EventsOptions,
  ) {
    this.last = from;
    void this.run();
  }

  stop(): void {
    this.stopped = true;
    this.abort.abort();
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      try {
        await this.once();
        if (!this.stopped) this.options.onBreak("the daemon ended the stream");
      } catch (thrown) {
        if (this.stopped) return;
        const problem = asProblem(thrown);
        this.options.onBreak(problem.message);
        if (problem.status === 401) {
          tellUnauthorized();
          return;
        }
      }
      if (!this.stopped) await this.pause();
    }
  }

  private async pause(): Promise<void> {
    const jitter = 0.5 + Math.random();
    await new Promise((done) => setTimeout(done, this.retryMs * jitter));
    this.retryMs = Math.min(this.retryMs * 2, RETRY_MAX_MS);
  }

  private async once(): Promise<void> {
    this.abort = new AbortController();
    const query = this.options.topics ? `?topics=${encodeURIComponent(this.options.topics)}` : "";
    const asked = fetch(`/v1/events${query}`, {
      headers: { Accept: "text/event-stream", "Last-Event-ID": String(this.last) },
      cache: "no-store",
      signal: this.abort.signal,
    });
    const response = await this.inTime(asked);
    if (this.stopped) return;
    if (!response.ok || !response.body) throw problemOf(response.status, await response.json().catch(() => null));
    this.options.onOpen(this.opened, this.last);
    this.opened = true;
    this.retryMs = RETRY_MIN_MS;
    await this.read(response.body);
  }

  /** A connection over which nothing comes, not even the heartbeat, is given up. */
  private async inTime<T>(waited: Promise<T>): Promise<T> {
    const watchdog = setTimeout(() => this.abort.abort(new Error("nothing was heard any more")), SILENT_MS);
    return waited.finally(() => clearTimeout(watchdog));
  }

  private async read(body: ReadableStream<Uint8Array>): Promise<void> {
    const reader = body.getReader();
    const decoder = new TextDecoder();
    const parser = createParser({
      onEvent: (message) => this.take(message.id, message.event ?? "message", message.data),
    });
    for (;;) {
      const { done, value } = await this.inTime(reader.read());
      if (done || this.stopped) return;
      this.options.onHeard();
      parser.feed(decoder.decode(value, { stream: true }));
    }
  }

  private take(id: string | undefined, kind: string, data: string): void {
    const sequence = id ? Number(id) : null;
    const body = JSON.parse(data) as unknown;
    if (sequence !== null) this.last = sequence;
    else if (kind === "resync") this.last = (body as { head: number }).head;
    this.options.onEvent({ sequence, kind, body });
  }
}
