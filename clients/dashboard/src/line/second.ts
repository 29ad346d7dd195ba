// SPDX-License-Identifier: Apache-2.0
import { signal } from "@preact/signals";
import { link } from "../core/farm";

/** Goes up each second while somebody looks and the daemon is heard: a run counts its seconds when it tells nothing. */
export const second = signal(0);

export function followSeconds(): () => void {
  const timer = setInterval(() => {
    if (!document.hidden && link.value === "live") second.value++;
  }, 1000);
  return () => clearInterval(timer);
}
