// SPDX-License-Identifier: Apache-2.0
/* The page alone on a screen of the line: without the top bar, and full screen where the browser lets it. Asked for by
 * a button, or by kiosk=1 in the address (before or behind the #), where full screen needs a key or click first. */
import { effect, signal } from "@preact/signals";
import { route } from "./router";

function asked(): boolean {
  return new URLSearchParams(location.search).get("kiosk") === "1" || route.peek().query.get("kiosk") === "1";
}

export const kiosk = signal(asked());

effect(() => {
  if (route.value.query.get("kiosk") === "1") kiosk.value = true;
});

/** Only of use in the handler of a key or click. */
export function enterKiosk(): void {
  kiosk.value = true;
  // Refused where the browser is not allowed to: the bar is gone all the same.
  void document.documentElement.requestFullscreen?.().catch(() => undefined);
}

export function leaveKiosk(): void {
  kiosk.value = false;
  if (document.fullscreenElement) void document.exitFullscreen().catch(() => undefined);
}

document.addEventListener("fullscreenchange", () => {
  if (!document.fullscreenElement) kiosk.value = false;
});
