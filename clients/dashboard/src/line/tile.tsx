// SPDX-License-Identifier: Apache-2.0
import { type ReadonlySignal, computed, effect, useComputed } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import type { StationModel, Timed } from "../core/farm";
import { duration } from "../core/format";
import { Icon } from "../ui/icons";
import { type Face, faceOf, toneOf } from "./face";
import type { Density } from "./layout";
import { orderOf } from "./order";
import { second } from "./second";
import { tallies } from "./statistics";
import { Strip } from "./strip";
import "./tile.css";
import "./density.css";

/** What a run at this station needs at least: of the last one that passed, else the mean of its job. */
function timesOf(model: StationModel): Timed | null {
  const tally = tallies.value.get(model.name);
  if (model.timed.value) return model.timed.value;
  if (!tally?.timed_runs) return null;
  return { us: tally.us / tally.timed_runs, floorUs: tally.floor_us / tally.timed_runs };
}

function share(floor: number, us: number): string {
  return us > 0 ? `${Math.min(100, Math.round((100 * floor) / us))} %` : "";
}

interface Pace {
  phase: ReadonlySignal<string>;
  percent: ReadonlySignal<string>;
  done: ReadonlySignal<number>;
  /** where the floor would be by now, as a part of it; null: not known */
  floor: ReadonlySignal<number | null>;
  elapsed: ReadonlySignal<string>;
}

function elapsedOf(model: StationModel): number | null {
  void second.value;
  void model.progress.value;
  return model.begun.value === null ? null : Math.max(0, Date.now() - model.begun.value);
}

function paceOf(model: StationModel): Pace {
  const percent = computed(() => model.progress.value?.percent ?? model.live.value.percent);
  return {
    phase: computed(() => model.progress.value?.phase ?? model.live.value.phase ?? "connect"),
    percent: computed(() => `${percent.value} %`),
    done: computed(() => percent.value / 100),
    floor: computed(() => {
      const [elapsed, times] = [elapsedOf(model), timesOf(model)];
      return elapsed === null || !times ? null : Math.min(1, (elapsed * 1000) / times.floorUs);
    }),
    elapsed: computed(() => {
      const [elapsed, times] = [elapsedOf(model), timesOf(model)];
      if (elapsed === null) return "";
      return duration(elapsed) + (times ? ` · floor ${duration(times.floorUs / 1000)}` : "");
    }),
  };
}

/** Moves the bar past the renderer: this happens four times a second on each tile. */
function Bar({ pace, density }: { pace: Pace; density: Density }) {
  const fill = useRef<HTMLSpanElement>(null);
  const floor = useRef<HTMLSpanElement>(null);

  useEffect(
    () =>
      effect(() => {
        if (fill.current) fill.current.style.transform = `scaleX(${pace.done.value})`;
      }),
    [pace],
  );
  useEffect(() => {
    if (density === "small") return undefined;
    return effect(() => {
      const at = pace.floor.value;
      if (!floor.current) return;
      floor.current.hidden = at === null;
      floor.current.style.transform = `translateX(${100 * (at ?? 0)}%)`;
    });
  }, [pace, density]);
  return (
    <span class="ln-bar" title="The mark is where it would be if wire and chip were all it took.">
      <span class="ln-bar-fill" ref={fill} />
      {density === "small" ? null : <span class="ln-bar-floor" ref={floor} hidden />}
    </span>
  );
}

function Working({ model, density }: { model: StationModel; density: Density }) {
  const pace = useMemo(() => paceOf(model), [model]);
  return (
    <>
      <span class="tile-phase">
        <span>{pace.phase}</span> <b>{pace.percent}</b>
      </span>
      <Bar pace={pace} density={density} />
      {density === "large" ? <span class="tile-elapsed">{pace.elapsed}</span> : null}
    </>
  );
}

function Result({ face }: { face: Face }) {
  return (
    <span class="tile-result">
      <span class={(face.outcome?.length ?? 0) > 4 ? "tile-outcome tile-outcome-long" : "tile-outcome"}>
        <Icon name={face.outcome ?? ""} />
        {face.outcome}
      </span>
      {face.failure ? <span class="tile-failure">{face.failure}</span> : null}
    </span>
  );
}

/** What is to be done, while it neither works nor holds a finished unit. */
function Resting({ face }: { face: Face }) {
  return (
    <span class="tile-rest">
      <span class="tile-word" aria-hidden="true">
        {face.word}
      </span>
      <span class="tile-message">{face.message}</span>
    </span>
  );
}

function LastOutcome({ model }: { model: StationModel }) {
  const mark = model.strip.value.at(-1);
  if (!mark) return null;
  const word = mark.outcome === "pass" ? mark.outcome : mark.class || mark.outcome;
  return (
    <span class={`tile-last outcome-${mark.outcome}`}>
      <Icon name={mark.outcome} /> {word}
    </span>
  );
}

function FloorShare({ model }: { model: StationModel }) {
  const times = timesOf(model);
  if (!times) return null;
  const title = `wire and chip need ${duration(times.floorUs / 1000)}; it took ${duration(times.us / 1000)}`;
  return (
    <span class="tile-floor" title={title}>
      floor {share(times.floorUs, times.us)}
    </span>
  );
}

function Foot({ model, density, showLast }: { model: StationModel; density: Density; showLast: boolean }) {
  return (
    <span class="tile-foot">
      <Strip marks={model.strip.value} />
      {density !== "small" && showLast ? <LastOutcome model={model} /> : null}
      {density === "large" ? <FloorShare model={model} /> : null}
    </span>
  );
}

function Body({ model, face, working, density }: {
  model: StationModel;
  face: Face;
  working: boolean;
  density: Density;
}) {
  if (working) return <Working model={model} density={density} />;
  return face.outcome ? <Result face={face} /> : <Resting face={face} />;
}

export function Tile({ model, density }: { model: StationModel; density: Density }) {
  const live = model.live.value;
  const order = useComputed(() => orderOf(model.name)).value; // a text: counts of the job change each second
  const face = faceOf(live, model.strip.value, order);
  const working = live.run !== null;
  const title = [face.serial, face.message].filter(Boolean).join(": ");
  return (
    <li class={`tile tone-${toneOf(face)} is-${face.word}`} data-station={model.name} title={title || undefined}>
      <span class="tile-head">
        <b class="tile-name">{model.name}</b>
        {live.position && live.position !== model.name ? <span class="tile-position">{live.position}</span> : null}
        <span class="tile-state">
          <Icon name={face.word} /> <span>{face.word}</span>
        </span>
      </span>
      <span class={face.outcome && !working ? "tile-body tile-body-result" : "tile-body"}>
        <Body model={model} face={face} working={working} density={density} />
      </span>
      <span class="tile-serial">{face.serial}</span>
      <Foot model={model} density={density} showLast={working || !face.outcome} />
    </li>
  );
}
