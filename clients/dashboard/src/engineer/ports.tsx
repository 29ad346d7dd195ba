// SPDX-License-Identifier: Apache-2.0
/* Ports of the host: their stable names, who uses them, and the configuration for one that nobody uses. */
import { type Port, answer, client } from "../core/api";
import { Empty, Panel, ProblemNote, useAnswer } from "../ui/parts";
import { CopyText } from "./parts";

function usbOf(port: Port): string {
  if (!port.usb_vendor || port.usb_product == null) return "";
  const id = [port.usb_vendor, port.usb_product].map((part) => part.toString(16).padStart(4, "0")).join(":");
  return port.usb_serial ? `${id}, ${port.usb_serial}` : id;
}

function PortRow({ port }: { port: Port }) {
  return (
    <tr>
      <th scope="row" class="mono wrap">
        {port.name}
      </th>
      <td class="mono">{port.device}</td>
      <td>
        {port.description}
        <small class="mono">{usbOf(port)}</small>
      </td>
      <td>{port.station ?? <em>free</em>}</td>
      <td>
        {port.section ? (
          <details>
            <summary>Section to paste</summary>
            <CopyText text={port.section} label={`the section for ${port.device}`} />
          </details>
        ) : null}
      </td>
    </tr>
  );
}

export function PortPanel() {
  const asked = useAnswer(() => answer(client.GET("/v1/ports")), []);
  const items = asked.value?.items ?? [];
  const free = items.filter((port) => port.section);
  const again = (
    <button type="button" disabled={asked.busy} onClick={asked.again}>
      Look again
    </button>
  );
  return (
    <Panel title="Ports of this host" actions={again}>
      <ProblemNote problem={asked.problem} />
      {asked.value && !items.length ? (
        <Empty>No serial port and no probe is found. Plug one in, and look again.</Empty>
      ) : null}
      {free.length > 1 ? (
        <details>
          <summary>Sections for all {free.length} that are free</summary>
          <CopyText text={free.map((port) => port.section).join("\n")} label="the sections for all free ports" />
        </details>
      ) : null}
      {items.length ? (
        <table class="ports">
          <thead>
            <tr>
              <th scope="col">Stable name</th>
              <th scope="col">Device</th>
              <th scope="col">What it is</th>
              <th scope="col">Station</th>
              <th scope="col">For flashfarm.conf</th>
            </tr>
          </thead>
          <tbody>
            {items.map((port) => (
              <PortRow key={port.name} port={port} />
            ))}
          </tbody>
        </table>
      ) : null}
    </Panel>
  );
}
