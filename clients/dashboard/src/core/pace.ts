// SPDX-License-Identifier: Apache-2.0

const RETRY_MS = 5000;

export interface Paced {
  /** Asks soon: at once when the last time is long enough ago. */
  soon(): void;
  stop(): void;
}

/** Asks at most once in `every_ms`, never twice at the same time, and again when it did not succeed. */
export function atMostEvery(every_ms: number, ask: () => Promise<void>): Paced {
  let timer: ReturnType<typeof setTimeout> | null = null;
  let busy = false;
  let wanted = false;
  let last = 0;
  let stops = 0;

  function plan(wait_ms: number): void {
    timer ??= setTimeout(() => void run(), Math.max(0, wait_ms));
  }

  async function run(): Promise<void> {
    timer = null;
    busy = true;
    wanted = false;
    last = Date.now();
    const before = stops;
    const done = await ask().then(
      () => true,
      () => false,
    );
    busy = false;
    if (wanted || (!done && before === stops)) plan(Math.max(last + every_ms - Date.now(), done ? 0 : RETRY_MS));
  }

  return {
    soon() {
      if (busy) wanted = true;
      else plan(last + every_ms - Date.now());
    },
    stop() {
      if (timer !== null) clearTimeout(timer);
      timer = null;
      wanted = false;
      stops++;
    },
  };
}
