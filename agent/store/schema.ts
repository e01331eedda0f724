import type { Sqlite } from '../../shared/node/sqlite.ts';

/**
 * Step n brings `user_version` from n to n + 1. Steps are only ever added.
 *
 * tasks: what the device holds (accepted, running) and remembers (finished, as tombstones against a second run).
 *   resumes: how often a process found the task running from before. lines: the highest line number of its log.
 *   end_kind, end_body: the outbox row that told its end, so that it can be told again.
 * outbox: reports on their way to the controller. AUTOINCREMENT: a seq is never used twice, also after its row was deleted.
 */
const migrations: readonly string[] = [
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

/** Brings the database to the newest schema, each step in one transaction. A database of a newer program is refused. */
export function migrate(db: Sqlite): void {
  const found = Number(db.pragma('user_version', { simple: true }));
  if (found > migrations.length) {
    throw new Error(
      `The database has schema ${found}, this agent knows schemas up to ${migrations.length}: install a newer agent`,
    );
  }
  migrations.slice(found).forEach((step, index) => {
    db.transaction(() => {
      db.exec(step);
      db.pragma(`user_version = ${found + index + 1}`);
    })();
  });
}
