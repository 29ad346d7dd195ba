// SPDX-License-Identifier: Apache-2.0
import { stations } from "../core/farm";
import type { Station } from "../core/api";
import { Icon } from "../ui/icons";
import { order, put } from "./job_order";
import { useChips } from "./parts";

/** The stations that can talk to such a chip; all while none is chosen. */
function useAble(chip: string): Station[] {
  const { chips } = useChips();
  const protocols = chips.find((one) => one.name === chip)?.protocols;
  const live = stations.value.map((model) => model.live.value);
  return protocols ? live.filter((station) => protocols.includes(station.protocol)) : live;
}

function StationBox({ station }: { station: Station }) {
  const chosen = order.value.stations;
  const on = chosen.includes(station.name);
  const away = station.state === "port-lost" || station.state === "stopped" || !station.enabled;
  return (
    <label class={on ? "station-box on" : "station-box"} title={away ? station.message || station.state : undefined}>
      <input
        type="checkbox"
        checked={on}
        onChange={() =>
          put({ stations: on ? chosen.filter((name) => name !== station.name) : [...chosen, station.name] })
        }
      />{" "}
      {station.name}
      {away ? (
        <small>
          {" "}
          <Icon name="warning" /> {station.enabled ? station.state : "disabled"}
        </small>
      ) : null}
    </label>
  );
}

export function StationChoice({ chip }: { chip: string }) {
  const able = useAble(chip);
  const { all, stations: chosen } = order.value;
  const enabled = able.filter((station) => station.enabled);
  return (
    <fieldset class="rows">
      <legend>Stations</legend>
      <div class="views" role="group" aria-label="Stations of the order">
        <button type="button" aria-pressed={all} onClick={() => put({ all: true })}>
          All {chip ? `that can program it (${enabled.length})` : ""}
        </button>
        <button type="button" aria-pressed={!all} onClick={() => put({ all: false })}>
          Chosen ones{all ? "" : ` (${chosen.length})`}
        </button>
      </div>
      {all ? null : (
        <div class="station-boxes">
          {able.map((station) => (
            <StationBox key={station.name} station={station} />
          ))}
        </div>
      )}
    </fieldset>
  );
}
