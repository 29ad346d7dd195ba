// SPDX-License-Identifier: Apache-2.0
/* The whole line on one screen: what is ordered, what each station does, what goes wrong. */
import { useComputed } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { link, stations } from "../core/farm";
import { enterKiosk, kiosk, leaveKiosk } from "../core/kiosk";
import { Icon } from "../ui/icons";
import { LinkState } from "../ui/shell";
import { Figures, OrderLine } from "./head";
import { layOut, useRoom } from "./layout";
import "./line.css";
import { shown } from "./order";
import { followSeconds } from "./second";
import { Alarms, LastUnits, Pareto } from "./side";
import { useStatistics } from "./statistics";
import { Tile } from "./tile";

const high = matchMedia("(min-height: 900px)"); // of a screen that has room for more alarms

const byText = new Intl.Collator(undefined, { numeric: true });

/** As they lie in the fixture; those without a position behind the others, in the order of the configuration. */
function useTiles() {
  return useComputed(() =>
    stations.value
      .map((model) => ({ model, position: model.live.peek().position }))
      .sort((a, b) => {
        if (!a.position || !b.position) return Number(!a.position) - Number(!b.position);
        return byText.compare(a.position, b.position);
      })
      .map(({ model }) => model),
  ).value;
}

function Tiles() {
  const models = useTiles();
  const [element, room] = useRoom<HTMLUListElement>();
  const { columns, rows, gap, density, scale } = layOut(models.length, room);
  const shape = {
    "--columns": String(columns),
    "--rows": String(rows),
    "--tile-gap": `${gap}px`,
    "--tile-scale": scale.toFixed(2),
  };
  return (
    <ul class={`tiles tiles-${density}`} aria-label="Stations" ref={element} style={shape}>
      {models.map((model) => (
        <Tile key={model.name} model={model} density={density} />
      ))}
      {models.length === 0 && link.value !== "connecting" ? (
        <li class="empty">No stations are configured.</li>
      ) : null}
    </ul>
  );
}

function KioskButton() {
  const word = kiosk.value ? "Leave kiosk" : "Kiosk";
  return (
    <button
      type="button"
      class="plain-button"
      onClick={kiosk.value ? leaveKiosk : enterKiosk}
      title="Full screen, without the top bar"
    >
      <Icon name={kiosk.value ? "shrink" : "expand"} /> {word}
    </button>
  );
}

/** Parts of their own, so that what changes each second makes nothing else be drawn. */
function Follower() {
  useStatistics(shown.value);
  useEffect(followSeconds, []);
  return null;
}

function Actions() {
  return (
    <>
      {kiosk.value ? <LinkState /> : null}
      <KioskButton />
    </>
  );
}

function Side() {
  const [isHigh, setHigh] = useState(high.matches);
  useEffect(() => {
    const changed = () => setHigh(high.matches);
    high.addEventListener("change", changed);
    return () => high.removeEventListener("change", changed);
  }, []);
  return (
    <aside class="ln-side" aria-label="Alarms, failures and last units">
      <Alarms lines={isHigh ? 6 : 3} />
      <Pareto />
      <LastUnits />
    </aside>
  );
}

export function LinePage() {
  return (
    <div class="line">
      <Follower />
      <header class="line-head">
        <OrderLine>
          <Actions />
        </OrderLine>
        <Figures />
      </header>
      <Tiles />
      <Side />
    </div>
  );
}
