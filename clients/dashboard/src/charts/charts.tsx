// SPDX-License-Identifier: Apache-2.0
export function ChartsPage() {
  return <h1>Charts</h1>;
}
