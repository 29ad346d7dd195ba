// SPDX-License-Identifier: Apache-2.0
/* How many columns of tiles, and how much is shown on each: from the number of stations and the room there is. */
import { useEffect, useRef, useState } from "preact/hooks";

export type Density = "large" | "medium" | "small";

export interface Room {
  width: number;
  height: number;
}

export interface Layout {
  columns: number;
  rows: number;
  gap: number;
  density: Density;
  /** of the letters: few stations have large ones */
  scale: number;
}

const SHAPE = 1.75; // width of a tile to its height that reads best

function densityOf(width: number, height: number): Density {
  if (width >= 200 && height >= 118) return "large";
  return width >= 130 && height >= 72 ? "medium" : "small";
}

function scaleOf(width: number, height: number): number {
  return Math.max(1, Math.min(2.4, width / 260, height / 142));
}

export function layOut(count: number, room: Room): Layout {
  const gap = count <= 24 ? 8 : count <= 100 ? 6 : 4;
  let best: Layout = { columns: 1, rows: Math.max(1, count), gap, density: "small", scale: 1 };
  let bestSize = 0;
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const width = (room.width - gap * (columns - 1)) / columns;
    const height = (room.height - gap * (rows - 1)) / rows;
    const size = Math.min(width / SHAPE, height);
    if (size <= bestSize) continue;
    bestSize = size;
    best = { columns, rows, gap, density: densityOf(width, height), scale: scaleOf(width, height) };
  }
  return best;
}

/** The room that an element has, told by the browser when it has laid out. */
export function useRoom<E extends HTMLElement>(): [{ current: E | null }, Room] {
  const element = useRef<E>(null);
  const [room, setRoom] = useState<Room>({ width: innerWidth * 0.75, height: innerHeight * 0.75 });

  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => {
      if (entry) setRoom({ width: entry.contentRect.width, height: entry.contentRect.height });
    });
    if (element.current) observer.observe(element.current);
    return () => observer.disconnect();
  }, []);
  return [element, room];
}
