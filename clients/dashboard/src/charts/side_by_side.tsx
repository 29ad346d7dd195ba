// SPDX-License-Identifier: Apache-2.0
/* The stations against each other over the whole span, the one furthest from its floor first; and which of them the
 * charts show. */
import { percent } from "../core/format";
import { Panel } from "../ui/parts";
import { ShareKey, TimeBar, type Times } from "./bars";
import { Sample } from "./key";
import { ALL, type Shown, styleIn } from "./model";
import { type StationTally, type Tally, SHARES, ofFloor, shareUs } from "./statistics";
import { floorPercent, meanTime } from "./totals";

function meanTimes(tally: Tally): Times {
  const mean = (us: number) => (tally.timed_runs ? us / tally.timed_runs : 0);
  return Object.fromEntries(SHARES.map((share) => [share, mean(shareUs(tally, share))])) as Times;
}

function mean(tally: Tally, us: number): number {
  return tally.timed_runs ? us / tally.timed_runs : 0;
}

interface RowProps {
  name: string;
  tally: Tally;
  whole: number;
  shown: Shown;
  onToggle: (name: string) => void;
}

function Row({ name, tally, whole, shown, onToggle }: RowProps) {
  return (
    <tr>
      <th scope="row">
        <label class="shown">
          <input
            type="checkbox"
            checked={shown.has(name)}
            onChange={() => onToggle(name)}
            aria-label={`Show ${name}`}
          />
          {name} {shown.has(name) && <Sample line={{ style: styleIn(shown, name) }} />}
        </label>
      </th>
      <td class="figure">{tally.units}</td>
      <td class="figure">{percent(tally.first_pass, tally.units)}</td>
      <td class="figure">{percent(tally.passed_units, tally.units)}</td>
      <td class="figure">{tally.fail + tally.aborted + tally.unknown}</td>
      <td class="figure">{meanTime(tally)}</td>
      <td class="figure">{floorPercent(tally)}</td>
      <td class="side-bar">
        <TimeBar
          times={meanTimes(tally)}
          total={mean(tally, tally.us)}
          floor={mean(tally, tally.floor_us)}
          whole={whole}
        />
      </td>
    </tr>
  );
}

export function SideBySide({ totals, stations, shown, onToggle }: {
  totals: Tally;
  stations: readonly StationTally[];
  shown: Shown;
  onToggle: (name: string) => void;
}) {
  if (!stations.length) return null;
  const sorted = [...stations].sort((a, b) => (ofFloor(b) ?? 0) - (ofFloor(a) ?? 0));
  const longest = (tally: Tally) => Math.max(mean(tally, tally.us), mean(tally, tally.floor_us));
  const whole = Math.max(...[totals, ...sorted].map(longest));
  const rest = { whole, shown, onToggle };
  return (
    <Panel title="Stations side by side, the furthest from its floor first">
      <div class="wide">
        <table class="side">
          <thead>
            <tr>
              <th scope="col">In the charts</th>
              <th scope="col" class="figure">Units</th>
              <th scope="col" class="figure">First pass</th>
              <th scope="col" class="figure">Final</th>
              <th scope="col" class="figure">Not passed</th>
              <th scope="col" class="figure">Mean time</th>
              <th scope="col" class="figure">Of floor</th>
              <th scope="col">Mean time by share, above its floor</th>
            </tr>
          </thead>
          <tbody>
            <Row name={ALL} tally={totals} {...rest} />
            {sorted.map((tally) => (
              <Row key={tally.station} name={tally.station} tally={tally} {...rest} />
            ))}
          </tbody>
        </table>
      </div>
      <ShareKey />
    </Panel>
  );
}
