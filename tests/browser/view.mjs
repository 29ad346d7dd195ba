// SPDX-License-Identifier: Apache-2.0
import { until } from "./plant.mjs";

const CATCH_UP_MS = 8000; // counts are asked for once a second, on a busy host later

/** Somebody who looks at the line view, and compares it with what the daemon says. */
export class View {
  constructor(scene, visitor) {
    Object.assign(this, { scene, visitor, page: visitor.page, plant: scene.plant });
  }

  tile(name) {
    return this.page.locator(`[data-station="${name}"]`);
  }

  async shows(name, ...words) {
    await this.visitor.until(`tile ${name} to say ${words.join(", ")}`, async () => {
      const text = (await this.tile(name).innerText()).toLowerCase();
      if (words.every((word) => text.includes(word))) return true;
      throw new Error(text);
    });
  }

  /** The figures at the top: what stands above each of them, and the large number. */
  figures() {
    return this.page
      .locator("dl[aria-label]")
      .evaluateAll((lists) =>
        Object.fromEntries(
          lists.flatMap((list) =>
            [...list.querySelectorAll("dt")].map((name) => [
              name.textContent,
              name.parentElement.querySelector("dd b")?.textContent,
            ]),
          ),
        ),
      );
  }

  /** What the page shows of a job and what the daemon says of it, until the page has caught up. */
  async agrees(id, what) {
    const { equal } = this.scene;
    let got, want;
    const compare = async () => {
      const job = await this.plant.job(id);
      const statistics = await this.plant.get(`/v1/statistics?job=${id}`);
      const { totals } = statistics;
      const percent = (part, whole) => (whole ? `${((100 * part) / whole).toFixed(1)} %` : "–");
      want = {
        promised: job.quantity,
        passed: job.counts.passed,
        failed: job.counts.failed,
        remaining: job.remaining ?? 0,
        "in flight": job.in_flight ?? 0,
        "first-pass yield": percent(totals.first_pass, totals.units),
        "final yield": percent(totals.passed_units, totals.units),
        "units per hour": statistics.pace.passed_last_hour,
      };
      const figures = await this.figures();
      got = Object.fromEntries(Object.keys(want).map((name) => [name, figures[name]]));
      for (const name of Object.keys(want)) want[name] = String(want[name]);
      return JSON.stringify(got) === JSON.stringify(want);
    };
    await until("", compare, CATCH_UP_MS).catch(() => undefined);
    equal(got, want, what);
  }

  /** The list of the last units is that of the daemon: nothing lost, nothing doubled. */
  async lastUnitsAgree(what) {
    const { equal } = this.scene;
    const shown = () =>
      this.page
        .getByRole("region", { name: "Last units" })
        .getByRole("listitem")
        .evaluateAll((units) => units.map((unit) => Number(/^run (\d+)/.exec(unit.title)[1])));
    const runs = (await this.plant.all("/v1/runs?brief=true")).filter((run) => run.outcome);
    runs.sort((a, b) => (a.ended < b.ended ? 1 : -1));
    const want = runs
      .slice(0, 20)
      .map((run) => run.id)
      .sort((a, b) => b - a);
    const same = async () => JSON.stringify((await shown()).sort((a, b) => b - a)) === JSON.stringify(want);
    await until("", same, CATCH_UP_MS).catch(() => undefined);
    equal(
      (await shown()).sort((a, b) => b - a),
      want,
      what,
    );
  }
}
