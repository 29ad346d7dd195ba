// SPDX-License-Identifier: Apache-2.0
export function ImagesPage() {
  return <h1>Images</h1>;
}
