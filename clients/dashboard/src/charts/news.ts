// SPDX-License-Identifier: Apache-2.0
import { useEffect, useState } from "preact/hooks";
import { revision } from "../core/farm";

/** Goes up when there is something new to ask for, but not more often than that. */
export function useNews(everyMs: number): number {
  const [seen, setSeen] = useState(revision.peek());
  const behind = revision.value !== seen;
  useEffect(() => {
    if (!behind) return undefined;
    const timer = setTimeout(() => setSeen(revision.peek()), everyMs);
    return () => clearTimeout(timer);
  }, [behind]);
  return seen;
}
