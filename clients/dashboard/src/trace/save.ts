// SPDX-License-Identifier: Apache-2.0
/* Files for who looks at the page. */

/** A file name of any text: what some system takes for a path or a device is left out. */
export function fileName(text: string, ending: string): string {
  return `${text.replace(/[^A-Za-z0-9_-]+/g, "_").slice(0, 100) || "flashfarm"}${ending}`;
}

export function saveText(name: string, text: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  // The browser reads the address after this turn of its loop.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** Of the runs that fit, all of them: the daemon streams it. */
export function csvAddress(query: Record<string, string>): string {
  return `/v1/runs?${new URLSearchParams({ ...query, format: "csv" }).toString()}`;
}
