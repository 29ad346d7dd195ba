// SPDX-License-Identifier: Apache-2.0
/* What operators work with: one box for the scanner, one sentence that says what to do next, the fixture. */
import { computed, effect, untracked } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Job } from "../core/api";
import { jobs, link } from "../core/farm";
import { kiosk } from "../core/kiosk";
import { to } from "../core/router";
import { may } from "../core/session";
import { Icon } from "../ui/icons";
import "./operate.css";
import { isOpen, jobName, positions, shown } from "./order";
import { anyInWork, followPanel, inWork, round, show, wantsCodes } from "./panel";
import { doubt, lastReply } from "./replies";
import { ScanBox } from "./scanbox";
import { scanning, takeScan, toggleKiosk } from "./scans";
import { FailedBoards, LastScan, Orders } from "./side";
import { type Situation, type Tone, failed, passedCount, situation } from "./situation";
import { sound, soundOn, toggleSound } from "./sound";
import { Tiles } from "./tiles";

const icons: Record<Tone, string | null> = { plain: null, busy: "running", good: "pass", bad: "fail", warn: "warning" };

/** The one sentence: what was said of the last scan, while nothing has changed since; else what is to be done. */
const sentence = computed<Situation>(() => {
  const now = situation.value;
  if (doubt.value !== null) {
    const text = `Wait: it is not known yet whether ${doubt.value} arrived. Do not scan.`;
    return { key: "doubt", tone: "warn", text };
  }
  const reply = lastReply.value;
  return reply && reply.during === now.key ? { key: "reply", tone: reply.tone, text: reply.text } : now;
});

function Sentence() {
  const { tone, text } = sentence.value;
  const icon = icons[tone];
  const working = positions.value.filter((model) => inWork(model.live.value)).length;
  const done = passedCount.value + failed.value.length;
  return (
    <div class={`op-sentence op-tone-${tone}`}>
      <p aria-live="assertive" aria-atomic="true">
        {icon && <Icon name={icon} />}
        <span>{text}</span>
      </p>
      {tone === "busy" && (
        <span class="op-count" aria-hidden="true">
          {done} of {done + working}
        </span>
      )}
    </div>
  );
}

function Figures({ job }: { job: Job }) {
  const { passed, failed: bad, aborted, unknown } = job.counts;
  return (
    <span class="op-figures">
      <span>
        <strong>{passed}</strong> of {job.quantity ?? "–"} passed
      </span>
      <span>
        <strong>{bad + aborted + unknown}</strong> failed
      </span>
      {isOpen(job) && (
        <span>
          <strong>{job.remaining ?? 0}</strong> to go
        </span>
      )}
    </span>
  );
}

function Order() {
  const job = shown.value;
  if (!job) return <h1 class="op-order">Operator</h1>;
  return (
    <h1 class="op-order">
      <span class="op-title">{jobName(job)}</span>
      <span class="op-soft">{job.recipe ? `${job.recipe.name}/${job.recipe.version}` : job.chip}</span>
      {job.state !== "running" && (
        <span class={`op-state op-state-${job.state}`}>
          {job.state === "held" && <Icon name="held" />} {job.state}
        </span>
      )}
      <Figures job={job} />
    </h1>
  );
}

function Buttons() {
  const job = shown.value;
  const open = isOpen(job);
  const on = link.value === "live" && !scanning.value && doubt.value === null;
  return (
    <div class="op-buttons">
      {job && open && job.trigger === "on_start" && !wantsCodes(job) && may("startStations") && (
        <button type="button" disabled={!on} onClick={() => takeScan("FF-START")}>
          Start
        </button>
      )}
      {job && open && job.trigger === "on_start" && failed.value.length > 0 && !wantsCodes(job) && (
        <button type="button" disabled={!on} onClick={() => takeScan("FF-AGAIN")}>
          Again
        </button>
      )}
      {job && open && may("holdJob") && (
        <button type="button" disabled={!on} onClick={() => takeScan(job.state === "held" ? "FF-RESUME" : "FF-HOLD")}>
          {job.state === "held" ? "Resume" : "Hold"}
        </button>
      )}
      {open && jobs.value.length > 1 && (
        <button type="button" onClick={() => show(null)}>
          Other order
        </button>
      )}
      <button type="button" aria-pressed={soundOn.value} onClick={toggleSound}>
        Sound {soundOn.value ? "on" : "off"}
      </button>
      <button type="button" aria-pressed={kiosk.value} onClick={toggleKiosk}>
        Full screen
      </button>
      <a href={to("operate/codes")}>Codes</a>
    </div>
  );
}

/** The bar on top is gone while this page is the only one on the screen (app.css). */
function followKiosk(): () => void {
  const root = document.documentElement;
  const end = effect(() => {
    root.toggleAttribute("data-kiosk", kiosk.value);
  });
  return () => {
    end();
    root.removeAttribute("data-kiosk");
  };
}

/** One tone when the panel is done. */
function followSound(): () => void {
  let was = untracked(() => anyInWork.value);
  return effect(() => {
    const now = anyInWork.value;
    const of = round.value;
    if (was && !now && of >= 0) untracked(() => sound(failed.value.length ? "failed" : "passed"));
    was = now;
  });
}

export function OperatePage() {
  useEffect(() => {
    const endings = [followPanel(), followKiosk(), followSound()];
    return () => endings.forEach((end) => end());
  }, []);
  return (
    <div class="op">
      <header class="op-head">
        <Order />
        <Buttons />
      </header>
      <div class="op-scanning">
        <ScanBox />
        <LastScan />
      </div>
      <Sentence />
      <div class="op-body">
        {shown.value ? <Tiles /> : <Orders />}
        {shown.value && (
          <aside class="op-side" aria-label="What failed">
            <Orders />
            <FailedBoards />
          </aside>
        )}
      </div>
    </div>
  );
}
