// SPDX-License-Identifier: Apache-2.0
export function OperatePage() {
  return <h1>Operate</h1>;
}
