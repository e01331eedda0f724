import type { Paint } from './paint.ts';

/** How one kind of thing is shown. Values are shown with control characters removed. */
export interface View<Thing> {
  /** Plural, for `no tasks`. */
  noun: string;
  /** What `-q` prints and scripts pass on. */
  key(thing: Thing): string;
  columns: Column<Thing>[];
  /** Every field, for `detailed`. Empty values are left out. */
  fields(thing: Thing, paint: Paint): [label: string, value: Cell][];
}

export interface Column<Thing> {
  head: string;
  value(thing: Thing, paint: Paint): Cell;
}

/** Painted text has been made by a Paint and keeps its colour; text may come from anywhere. */
export type Cell = string | number | boolean | null | undefined | Painted;

export interface Painted {
  painted: string;
}

export const painted = (text: string): Painted => ({ painted: text });
