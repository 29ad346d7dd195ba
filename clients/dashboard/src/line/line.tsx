// SPDX-License-Identifier: Apache-2.0
export function LinePage() {
  return <h1>Line</h1>;
}
