// SPDX-License-Identifier: Apache-2.0
/* Where a station's tile is: as its position lies in the fixture. */
import type { StationModel } from "../core/farm";

export interface Cell {
  model: StationModel;
  /** from 1; null: wherever the next free place is */
  row: number | null;
  column: number | null;
}

export interface Layout {
  cells: Cell[];
  rows: number;
  columns: number;
}

interface Place {
  row: number;
  column: number;
}

const LETTERS = /^([A-Za-z])[-_ ]?(\d{1,3})$/; // B3: second row, third column
const PAIR = /^(\d{1,3})[.,:/x-](\d{1,3})$/; // 2,3
const WIDE = 1.04; // the grid's shape over a tile's
const MORE_COLUMNS_COST = 0.12; // so much of the places may rather stay empty
const byNumber = new Intl.Collator(undefined, { numeric: true });

function placeOf(position: string): Place | null {
  const letters = LETTERS.exec(position);
  if (letters) return { row: (letters[1] ?? "A").toUpperCase().charCodeAt(0) - 64, column: Number(letters[2]) };
  const pair = PAIR.exec(position);
  return pair ? { row: Number(pair[1]), column: Number(pair[2]) } : null;
}

export function byPosition(a: StationModel, b: StationModel): number {
  const [left, right] = [a.live.value.position, b.live.value.position];
  return left && right ? byNumber.compare(left, right) : 0;
}

/** Near the square root, or more, where fewer places stay empty. */
function columnsFor(count: number): number {
  const base = Math.max(1, Math.round(Math.sqrt(count * WIDE)));
  const waste = (columns: number) =>
    (Math.ceil(count / columns) * columns - count) / count + (columns - base) * MORE_COLUMNS_COST;
  return [base, base + 1, base + 2].reduce((best, columns) => (waste(columns) < waste(best) ? columns : best));
}

function flow(models: readonly StationModel[]): Layout {
  const columns = columnsFor(models.length);
  return {
    cells: models.map((model) => ({ model, row: null, column: null })),
    rows: Math.max(1, Math.ceil(models.length / columns)),
    columns,
  };
}

/** Rows and columns where all positions name them, each place once, and not too much would be empty. */
export function layOut(unsorted: readonly StationModel[]): Layout {
  const models = [...unsorted].sort(byPosition);
  const places = models.map((model) => placeOf(model.live.value.position));
  if (models.length === 0 || !places.every((place) => place !== null)) return flow(models);
  const [rows, columns] = [places.map((place) => place.row), places.map((place) => place.column)];
  const [top, left] = [Math.min(...rows), Math.min(...columns)];
  const [height, width] = [Math.max(...rows) - top + 1, Math.max(...columns) - left + 1];
  const taken = new Set(places.map((place) => `${place.row},${place.column}`));
  if (taken.size < models.length || height < 2 || height * width > 2 * models.length) return flow(models);
  return {
    cells: models.map((model, index) => ({
      model,
      row: (rows[index] ?? top) - top + 1,
      column: (columns[index] ?? left) - left + 1,
    })),
    rows: height,
    columns: width,
  };
}
