// SPDX-License-Identifier: Apache-2.0
export function TracePage() {
  return <h1>Trace</h1>;
}
