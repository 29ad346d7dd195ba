// SPDX-License-Identifier: Apache-2.0
/* Which page is shown: "#/trace?q=FF0001". All behind the # stays in the browser. */
import { signal } from "@preact/signals";

export interface Route {
  /** "line", "engineer/images", … */
  page: string;
  query: URLSearchParams;
}

function parse(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  return { page: path || "line", query: new URLSearchParams(query) };
}

export const route = signal<Route>(parse(location.hash));

addEventListener("hashchange", () => {
  route.value = parse(location.hash);
});

/** An address inside the page, for href. */
export function to(page: string, query: Record<string, string> = {}): string {
  const text = new URLSearchParams(query).toString();
  return `#/${page}${text ? `?${text}` : ""}`;
}

export function go(page: string, query: Record<string, string> = {}): void {
  location.hash = to(page, query);
}
