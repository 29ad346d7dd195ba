// SPDX-License-Identifier: Apache-2.0
// What a page costs: processor time of its renderer and of the process that draws for it, and its heap.
import { readFileSync } from "node:fs";

const TICKS = 100; // a second, of what /proc counts in

/** Processor seconds of all threads of a process. */
function spent(pid) {
  const words = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  return (Number(words[11]) + Number(words[12])) / TICKS; // utime and stime
}

export class Meter {
  constructor(visitor, page, browser) {
    Object.assign(this, { visitor, page, browser });
  }

  static async of(visitor) {
    const page = await visitor.devtools();
    await page.send("Performance.enable");
    return new Meter(visitor, page, await visitor.browser.chromium.newBrowserCDPSession());
  }

  /** Processor seconds so far of all renderers and of the drawing process; of the page's main thread, its tasks. */
  async seconds() {
    const { processInfo } = await this.browser.send("SystemInfo.getProcessInfo");
    const of = (type) => new Map(processInfo.filter((one) => one.type === type).map(({ id }) => [id, spent(id)]));
    const { metrics } = await this.page.send("Performance.getMetrics");
    const tasks = metrics.find((one) => one.name === "TaskDuration").value;
    return { at: performance.now() / 1000, renderer: of("renderer"), drawing: of("GPU"), tasks };
  }

  /** Cores used since `before`. */
  async since(before) {
    const now = await this.seconds();
    const took = now.at - before.at;
    const share = (name) =>
      [...now[name]].reduce((sum, [id, seconds]) => sum + seconds - (before[name].get(id) ?? 0), 0) / took;
    return { took, renderer: share("renderer"), drawing: share("drawing"), tasks: (now.tasks - before.tasks) / took };
  }

  /** Bytes that are held after everything that nobody holds is gone, and elements in the page. */
  async heap() {
    for (let round = 0; round < 2; round++) await this.page.send("HeapProfiler.collectGarbage");
    const { usedSize } = await this.page.send("Runtime.getHeapUsage");
    const { nodes, jsEventListeners } = await this.page.send("Memory.getDOMCounters");
    return { bytes: usedSize, nodes, listeners: jsEventListeners };
  }
}
