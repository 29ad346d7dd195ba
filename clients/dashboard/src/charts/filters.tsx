// SPDX-License-Identifier: Apache-2.0
/* The row of controls above the charts. */
import { jobs, stations } from "../core/farm";
import { type Filter, type Span, SPANS } from "./filter";

/** For an input of type datetime-local: the time in the zone of who looks, without the zone. */
function localTime(utc: string): string {
  const at = Date.parse(utc);
  if (Number.isNaN(at)) return "";
  return new Date(at - new Date(at).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

function utcTime(local: string): string {
  return local ? new Date(local).toISOString() : "";
}

function Moment({ label, utc, onChange }: { label: string; utc: string; onChange: (utc: string) => void }) {
  return (
    <label>
      {label}
      <input
        type="datetime-local"
        value={localTime(utc)}
        onChange={(event) => onChange(utcTime(event.currentTarget.value))}
      />
    </label>
  );
}

/** Whoever chooses from … to … begins with the last day. */
function withSpan(filter: Filter, span: Span): Filter {
  if (span !== "range" || filter.from) return { ...filter, span };
  const now = Date.now();
  return { ...filter, span, from: new Date(now - 86_400_000).toISOString(), to: new Date(now).toISOString() };
}

function SpanChoice({ filter, onChange }: FilterProps) {
  return (
    <>
      <label>
        Time
        <select
          value={filter.span}
          onChange={(event) => onChange(withSpan(filter, event.currentTarget.value as Span))}
        >
          {Object.entries(SPANS).map(([name, { words }]) => (
            <option key={name} value={name}>
              {words}
            </option>
          ))}
          <option value="range">from … to …</option>
          {(filter.job || filter.work_order) && <option value="all">since its first run</option>}
        </select>
      </label>
      {filter.span === "range" && (
        <>
          <Moment label="From" utc={filter.from} onChange={(from) => onChange({ ...filter, from })} />
          <Moment label="To" utc={filter.to} onChange={(to) => onChange({ ...filter, to })} />
        </>
      )}
    </>
  );
}

interface FilterProps {
  filter: Filter;
  onChange: (filter: Filter) => void;
}

function OrderChoice({ filter, onChange }: FilterProps) {
  const orders = [...new Set(jobs.value.map((job) => job.work_order).filter((name) => name !== null))];
  return (
    <>
      <label>
        Work order
        <input
          list="charts-orders"
          placeholder="any"
          value={filter.work_order}
          onChange={(event) => onChange({ ...filter, work_order: event.currentTarget.value.trim() })}
        />
      </label>
      <datalist id="charts-orders">
        {orders.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
      <label>
        Job
        <input
          class="charts-job"
          inputMode="numeric"
          placeholder="any"
          value={filter.job}
          onChange={(event) => onChange({ ...filter, job: event.currentTarget.value.trim() })}
        />
      </label>
    </>
  );
}

export function Filters({ filter, onChange }: FilterProps) {
  const names = stations.value.map((station) => station.name);
  const listed = filter.station && !names.includes(filter.station) ? [filter.station, ...names] : names;
  return (
    <form class="charts-filters" aria-label="What the charts are of" onSubmit={(event) => event.preventDefault()}>
      <SpanChoice filter={filter} onChange={onChange} />
      <OrderChoice filter={filter} onChange={onChange} />
      <label>
        Station
        <select
          value={filter.station}
          onChange={(event) => onChange({ ...filter, station: event.currentTarget.value })}
        >
          <option value="">all</option>
          {listed.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
    </form>
  );
}
