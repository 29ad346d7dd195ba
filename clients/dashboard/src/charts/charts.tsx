// SPDX-License-Identifier: Apache-2.0
/* Yield and times over time. */
import { useMemo, useState } from "preact/hooks";
import { stations } from "../core/farm";
import { dateTime } from "../core/format";
import { route, to } from "../core/router";
import { Panel, ProblemNote, useAnswer } from "../ui/parts";
import { ChartCard } from "./chart";
import "./charts.css";
import { type Filter, askedOf, filterOf, queryOf, trouble } from "./filter";
import { Filters } from "./filters";
import { type Both, type Shown, cycleChart, firstShown, floorChart, sharesChart, toggled, yieldChart } from "./model";
import { useNews } from "./news";
import { SideBySide } from "./side_by_side";
import { type Statistics, statistics } from "./statistics";
import { Definitions, Totals } from "./totals";

const AGAIN_MS = 10_000; // at most so often while runs end
const SHOWN_FIRST = 3; // stations

async function ask(filter: Filter, of: string, count: number): Promise<Both> {
  const asked = askedOf(filter, Date.now(), count);
  const parts = await statistics({ ...asked, by: "station" });
  // The same span and buckets, whatever the daemon made of them.
  const whole = await statistics({ ...asked, from: parts.from, to: parts.to, bucket_s: parts.bucket_s });
  return { whole, parts, of };
}

function Figures({ whole }: { whole: Statistics }) {
  return (
    <Panel title={`${dateTime(whole.from)} to ${dateTime(whole.to)}`}>
      <Totals tally={whole.totals} />
      <Definitions definitions={whole.definitions} />
    </Panel>
  );
}

interface ChartsProps {
  both: Both;
  chosen: Shown | null;
  onChoose: (shown: Shown) => void;
  onSpan: (from: number, to: number) => void;
}

function Charts({ both, chosen, onChoose, onSpan }: ChartsProps) {
  const first = useMemo(() => firstShown(both.parts, SHOWN_FIRST), [both.of]);
  const shown = chosen ?? first;
  const charts = useMemo(
    () => ({
      yields: yieldChart(both.whole),
      shares: sharesChart(both.whole),
      cycle: cycleChart(both, shown),
      floor: floorChart(both, shown),
    }),
    [both, shown],
  );
  const toggle = (name: string) => onChoose(toggled(shown, name));
  return (
    <>
      <div class="charts-grid">
        <ChartCard chart={charts.yields} onSpan={onSpan} />
        <ChartCard chart={charts.shares} onSpan={onSpan} />
        <ChartCard chart={charts.cycle} onSpan={onSpan} onToggle={toggle} />
        <ChartCard chart={charts.floor} onSpan={onSpan} onToggle={toggle} />
      </div>
      <SideBySide totals={both.whole.totals} stations={both.parts.by_station} shown={shown} onToggle={toggle} />
    </>
  );
}

/** The address changes, but each change of a filter is no step back in the browser's history. */
function show(filter: Filter): void {
  location.replace(to("charts", queryOf(filter)));
}

export function ChartsPage() {
  const filter = filterOf(route.value.query);
  const wrong = trouble(filter, Date.now());
  const news = useNews(AGAIN_MS);
  const [chosen, setChosen] = useState<Shown | null>(null);
  const key = JSON.stringify(filter);
  const { value, problem, busy } = useAnswer(
    () => (wrong ? Promise.resolve(null) : ask(filter, key, stations.peek().length)),
    [key, news],
  );

  function onSpan(from: number, until: number) {
    const utc = (at: number) => new Date(at * 1000).toISOString();
    show({ ...filter, span: "range", from: utc(from), to: utc(until) });
  }
  return (
    <div class="charts" aria-busy={busy}>
      <h1 class="hidden">Charts</h1>
      <Filters filter={filter} onChange={show} />
      {wrong && (
        <p class="note note-bad" role="alert">
          {wrong}
        </p>
      )}
      <ProblemNote problem={problem} />
      {!value && !problem && !wrong && <p class="empty">Asking the daemon…</p>}
      {value && !wrong && (
        <>
          <Figures whole={value.whole} />
          <Charts both={value} chosen={chosen} onChoose={setChosen} onSpan={onSpan} />
        </>
      )}
    </div>
  );
}
