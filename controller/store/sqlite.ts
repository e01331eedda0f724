import { SqliteDialect, sql } from 'kysely';
import type { Sqlite } from '../../shared/node/sqlite.ts';
import type { Dialect, DialectChoice } from './dialect.ts';

/** Everything that is SQLite's own. */
const dialect: Dialect = {
  types: {
    integer: sql`integer`,
    real: sql`real`,
    counter: sql`integer primary key autoincrement`,
    table: sql`strict`,
    keyed: sql`strict, without rowid`,
  },

  // Arrays and `jsonb_each` cost a quarter of what objects and `json_each` do: no value is written out and parsed again per column.
  rows(alias, columns, values) {
    const names = Object.keys(columns);
    const cells = values.map((row) =>
      names.map((name) => (name in row ? row[name as keyof typeof row] : null)),
    );
    const read = names.map((name, at) => `value ->> ${at} as ${snakeCase(name)}`);
    return sql`(select ${sql.raw(read.join(', '))} from jsonb_each(${JSON.stringify(cells)})) as ${sql.raw(alias)}`;
  },

  ids(alias, values) {
    return sql`(select value as id from json_each(${JSON.stringify(values)})) as ${sql.raw(alias)}`;
  },

  list(values) {
    return sql`(select value from json_each(${JSON.stringify(values)}))`;
  },

  indexed(index) {
    return sql.raw(`indexed by ${index}`);
  },

  field(column, key) {
    return sql`${column} ->> ${`$.${JSON.stringify(key)}`}`;
  },

  greater(left, right) {
    return sql`max(${left}, ${right})`;
  },

  newest(table) {
    return sql`select coalesce(max(seq), 0) as newest from sqlite_sequence where name = ${table}`;
  },

  uniqueViolation(error) {
    if (!(error instanceof Error) || !('code' in error)) return undefined;
    const isUnique =
      error.code === 'SQLITE_CONSTRAINT_UNIQUE' || error.code === 'SQLITE_CONSTRAINT_PRIMARYKEY';
    return isUnique ? error.message : undefined;
  },
};

/** Statements kept prepared; more than the store has, so that only one-off statements are ever prepared again. */
const maxStatements = 256;

/** `owned`: closing the store closes the database too. */
export function sqliteChoice(database: Sqlite, owned: boolean): DialectChoice {
  forgetStatistics(database);
  const statements = new Map<string, ReturnType<Sqlite['prepare']>>();
  const prepare = (text: string): ReturnType<Sqlite['prepare']> => {
    // A full disk ends a transaction by itself: a second end of it would hide the error that people must hear of.
    if (text === 'rollback' && !database.inTransaction) return prepare('select 0');
    const known = statements.get(text);
    if (known) return known;
    // A transaction that reads first and writes later would fail when another process wrote in between.
    const statement = database.prepare(text === 'begin' ? 'begin immediate' : text);
    if (statements.size >= maxStatements) statements.clear();
    statements.set(text, statement);
    return statement;
  };
  const close = () => {
    statements.clear();
    if (owned) database.close();
  };
  return { dialect, kysely: new SqliteDialect({ database: { prepare, close } }) };
}

/**
 * Statistics of `analyze` outlive what they counted: gathered while the store was small, they make the planner read a history of
 * millions for every report. Without them it goes by the indexes, as the statements are written for.
 */
function forgetStatistics(database: Sqlite): void {
  const known = database.prepare(
    "select name from sqlite_schema where name in ('sqlite_stat1', 'sqlite_stat4')",
  );
  const tables = known.all() as { name: string }[];
  if (tables.length === 0) return;
  for (const { name } of tables) database.exec(`drop table ${name}`);
  database.exec('analyze sqlite_schema'); // loads what there is now: nothing
}

const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
