import type { Sqlite } from '../../shared/node/sqlite.ts';

/** A change of the schema. Text alone: it only adds what a program that does not know it can ignore. */
export type Step =
  | string
  | {
      sql: string /** A program must know so many steps to work with what this one leaves. */;
      needs: number;
    };

/** What a program and a database must know of each other. */
export interface SchemaRange {
  /** How many steps were made, or are known. */
  newest: number;
  /** How many steps a program must know at least. */
  oldest: number;
}

/**
 * Step n brings `user_version` from n to n + 1. Steps are only ever added, and each lets the version before go on with the database: a
 * release on trial may go back (docs/decisions/agent-database-and-releases.md).
 *
 * tasks: what the device holds (accepted, running) and remembers (finished, as tombstones against a second run).
 *   resumes: how often a process found the task running from before. lines: the highest line number of its log.
 *   end_kind, end_body: the outbox row that told its end, so that it can be told again.
 * outbox: reports on their way to the controller. AUTOINCREMENT: a seq is never used twice, also after its row was deleted.
 */
export const migrations: readonly Step[] = [
  `
  CREATE TABLE kv (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

  CREATE TABLE tasks (
    code         TEXT PRIMARY KEY,
    state        TEXT NOT NULL CHECK (state IN ('accepted', 'running', 'finished')),
    type         TEXT NOT NULL,
    parameters   TEXT NOT NULL,
    timeout_ms   INTEGER NOT NULL,
    force        INTEGER NOT NULL,
    attempt      INTEGER NOT NULL,
    resumes      INTEGER NOT NULL DEFAULT 0,
    lines        INTEGER NOT NULL DEFAULT 0,
    accepted_at  INTEGER NOT NULL,
    accepted_seq INTEGER NOT NULL,
    started_at   INTEGER,
    boot_id      TEXT,
    instance_id  TEXT,
    note         TEXT,
    end_kind     TEXT,
    end_body     TEXT,
    end_seq      INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX tasks_held ON tasks (accepted_seq) WHERE state <> 'finished';
  CREATE INDEX tasks_finished ON tasks (end_seq) WHERE state = 'finished';

  CREATE TABLE outbox (
    seq   INTEGER PRIMARY KEY AUTOINCREMENT,
    kind  TEXT NOT NULL,
    code  TEXT NOT NULL,
    at    INTEGER NOT NULL,
    line  INTEGER,
    bytes INTEGER NOT NULL,
    body  TEXT NOT NULL
  ) STRICT;
  CREATE INDEX outbox_logs ON outbox (seq) WHERE kind = 'log';
  CREATE INDEX outbox_replaceable ON outbox (code, kind) WHERE kind IN ('progress', 'gap');
  `,
  // signed: the offer as it came, for whoever must see the signature again.
  `ALTER TABLE tasks ADD COLUMN signed TEXT;`,
  // questions: what tasks ask people, until the task ends. reason and answer: what the device went on with, null while it is open.
  `
  CREATE TABLE questions (
    id         TEXT PRIMARY KEY,
    code       TEXT NOT NULL,
    key        TEXT NOT NULL,
    options    TEXT NOT NULL,
    safe       TEXT,
    expires_at INTEGER NOT NULL,
    reason     TEXT,
    answer     TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX questions_task ON questions (code);
  `,
];

/** What `steps` know, and what they leave behind. */
export const schemaRange = (steps: readonly Step[] = migrations): SchemaRange => ({
  newest: steps.length,
  oldest: Math.max(1, ...steps.map((step) => (typeof step === 'string' ? 1 : step.needs))),
});

/** What was done to this database. `newest` is 0 when it is new. */
export function schemaOf(db: Sqlite): SchemaRange {
  const newest = Number(db.pragma('user_version', { simple: true }));
  const hasKeys = db.prepare(`SELECT 1 FROM sqlite_schema WHERE name = 'kv'`).get() !== undefined;
  // Whoever took these away meant that nobody from before goes on.
  if (!hasKeys) return { newest, oldest: newest };
  const row = db.prepare<[], { value: string }>(`SELECT value FROM kv WHERE key = 'oldestSchema'`).get();
  return { newest, oldest: Number(row?.value ?? 1) };
}

/** This program does not know what a newer one made of the database. */
export class DatabaseTooNew extends Error {
  readonly code = 'DATABASE_TOO_NEW';

  constructor(found: SchemaRange, known: number) {
    super(
      `the database is of a newer agent: it has schema ${found.newest} and needs an agent that knows ${found.oldest}, and this one knows ${known}`,
    );
  }
}

/** Throws `DatabaseTooNew` for a database that a newer program changed so that this one would misread it. */
export function requireKnown(db: Sqlite, steps: readonly Step[] = migrations): void {
  const found = schemaOf(db);
  if (found.oldest > steps.length) throw new DatabaseTooNew(found, steps.length);
}

/** Brings the database to the newest schema, in one transaction; what a newer program added stays as it is. */
export function migrate(db: Sqlite, steps: readonly Step[] = migrations): void {
  requireKnown(db, steps);
  const { newest: found } = schemaOf(db);
  if (found >= steps.length) return;
  db.transaction(() => {
    for (const step of steps.slice(found)) db.exec(typeof step === 'string' ? step : step.sql);
    db.prepare(
      `INSERT INTO kv (key, value) VALUES ('oldestSchema', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
    ).run(String(schemaRange(steps).oldest));
    db.pragma(`user_version = ${steps.length}`);
  })();
}
