// SPDX-License-Identifier: Apache-2.0
export function JobsPage() {
  return <h1>Jobs</h1>;
}
