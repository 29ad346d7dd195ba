// SPDX-License-Identifier: Apache-2.0
export function StationsPage() {
  return <h1>Stations</h1>;
}
