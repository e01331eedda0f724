import type { Dialect as KyselyDialect, Kysely, RawBuilder } from 'kysely';
import type { Schema } from './schema.ts';

/** Type of a column of `rows`, in words that every dialect translates for itself. */
export type ColumnType = 'text' | 'integer' | 'real';

/** Everything that differs between databases. One file implements it per dialect; all other SQL is common to them. */
export interface Dialect {
  /** Words of `create table`. Times and counters are `integer`, whatever that is called; flags are `integer` 0 and 1. */
  types: {
    integer: RawBuilder<unknown>;
    real: RawBuilder<unknown>;
    /** A primary key that counts up and is never given twice. */
    counter: RawBuilder<unknown>;
    /** What follows the closing parenthesis: of a plain table, and of one whose primary key is how it is stored. */
    table: RawBuilder<unknown>;
    keyed: RawBuilder<unknown>;
  };

  /**
   * A table expression `alias` over one JSON parameter: one row per value. Columns are the names given, in snake case; objects and
   * arrays inside a value become JSON text. So a statement takes any number of rows and stays the same statement.
   */
  rows(alias: string, columns: Record<string, ColumnType>, values: readonly object[]): RawBuilder<unknown>;
  /** The same for a list of strings: one column `id`. */
  ids(alias: string, values: readonly string[]): RawBuilder<unknown>;
  /** The right side of `in`, from one parameter. */
  list(values: readonly string[]): RawBuilder<unknown>;
  /** Holds the planner to an index, where the dialect can: its guess must not depend on statistics. */
  indexed(index: string): RawBuilder<unknown>;
  /** The text under `key` of a column that holds a JSON object. */
  field(column: RawBuilder<unknown>, key: string): RawBuilder<string | null>;
  /** The greater of two numbers. */
  greater(left: RawBuilder<unknown>, right: RawBuilder<unknown>): RawBuilder<unknown>;
  /** The newest number a counter of this table ever gave: one column `newest`. */
  newest(table: 'events'): RawBuilder<{ newest: number }>;
  /** Which columns or index a statement wanted to be unique, when that is why it failed. */
  uniqueViolation(error: unknown): string | undefined;
}

/** A database, or a transaction on it, with its dialect. */
export interface Db {
  kysely: Kysely<Schema>;
  dialect: Dialect;
}

export interface DialectChoice {
  dialect: Dialect;
  kysely: KyselyDialect;
}

/** Runs `work` in one transaction: the one `db` is already, or one of its own. */
export async function atomically<T>(db: Db, work: (db: Db) => Promise<T>): Promise<T> {
  if (db.kysely.isTransaction) return work(db);
  return db.kysely.transaction().execute((kysely) => work({ kysely, dialect: db.dialect }));
}

/** Runs one raw statement and returns its rows. */
export async function all<Row>(db: Db, statement: RawBuilder<Row>): Promise<Row[]> {
  return (await statement.execute(db.kysely)).rows;
}

/** Runs one raw statement and returns how many rows it changed. */
export async function changed(db: Db, statement: RawBuilder<unknown>): Promise<number> {
  return Number((await statement.execute(db.kysely)).numAffectedRows ?? 0n);
}
