// SPDX-License-Identifier: Apache-2.0
/* Stations and ports: how they are set up, and how they do. */
import "./engineer.css";
import { HealthPanel } from "./health";
import { PortPanel } from "./ports";
import { StationTable } from "./station_table";

export function StationsPage() {
  return (
    <div class="engineer">
      <h1>Stations</h1>
      <StationTable />
      <HealthPanel />
      <PortPanel />
    </div>
  );
}
