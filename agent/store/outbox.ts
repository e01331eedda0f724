import type { Instant } from '../../shared/clock.ts';
import type { Sqlite } from '../../shared/node/sqlite.ts';
import type { Report } from '../../shared/protocol/report.ts';
import type { Gate } from './gate.ts';
import { LogBounds, type OutboxBounds } from './log-bounds.ts';

/** What a row is about. `phase` is progress somebody waits for; it is never replaced. */
export type RowKind = 'accepted' | 'question' | 'progress' | 'phase' | 'log' | 'gap' | 'result' | 'cancelled';

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
/** A report before it has its place in the outbox. */
export type NewReport = DistributiveOmit<Report, 'seq'>;

/** A row ready to travel: `json` is the report as it goes into a frame. */
export interface OutboxRow {
  seq: number;
  json: string;
  bytes: number;
}

/** How much is read at a time. */
export interface Portion {
  maxRows: number;
  maxBytes: number;
  without?: RowKind | undefined;
}

export interface OutboxListener {
  /** A row was written; its transaction has not ended yet: look in a later turn. */
  appended?: () => void;
  /** Every row up to `seq` is committed by the controller. */
  acked?: (seq: number) => void;
}

/**
 * Reports on their way to the controller, in the order of seq.
 *
 * - A row is written in the transaction of the change it tells about.
 * - A row is deleted only when the controller has committed it, or by the bounds: log lines that leave a gap record behind, and
 *   progress that newer progress replaces. Results, acceptances, cancellations, phases and questions are never dropped.
 */
export class Outbox {
  readonly #gate: Gate;
  readonly #bounds: LogBounds;
  readonly #statements;
  readonly #listeners = new Set<OutboxListener>();
  #ackedSeq = 0;

  constructor(db: Sqlite, gate: Gate, bounds: OutboxBounds) {
    this.#gate = gate;
    this.#bounds = new LogBounds(db, bounds);
    this.#statements = prepare(db);
  }

  /** Returns what ends the listening. */
  listen(listener: OutboxListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Belongs in the transaction of what it tells about. Returns the row's seq. `writtenAt`: by the clock of this device, when the report tells
   * the time by another one; the age of lines is counted by it.
   */
  append(kind: RowKind, report: NewReport, writtenAt: Instant = report.at): number {
    this.#gate.pass();
    if (kind === 'progress') this.#statements.dropProgress.run(report.code);
    const body = JSON.stringify(report);
    const bytes = Buffer.byteLength(body) + 16; // with room for the seq
    const line = 'line' in report ? report.line : null;
    const { lastInsertRowid } = this.#statements.insert.run({
      kind,
      code: report.code,
      at: writtenAt,
      line,
      bytes,
      body,
    });
    if (kind === 'log') this.#bounds.added(bytes);
    for (const { appended } of this.#listeners) appended?.();
    return Number(lastInsertRowid);
  }

  /** Drops the oldest log lines beyond the bounds, leaving gap records. Belongs in the transaction that appended lines. */
  keepBounds(now: number): void {
    this.#gate.pass();
    this.#bounds.enforce(now);
  }

  /** Drops half of the log lines, for room for what must not be lost. */
  dropHalfOfLogs(): void {
    this.#gate.pass();
    this.#bounds.dropHalf();
  }

  /** Counts the rows anew, after a transaction failed. */
  recount(): void {
    this.#bounds.recount();
  }

  /** The rows after `seq` in order, at most `maxRows` and `maxBytes` but at least one; without those that the peer does not know. */
  after(seq: number, { maxRows, maxBytes, without }: Portion): OutboxRow[] {
    this.#gate.pass();
    const rows: OutboxRow[] = [];
    let bytes = 0;
    for (const row of this.#statements.after.all(seq, without ?? '', maxRows)) {
      if (rows.length > 0 && bytes + row.bytes > maxBytes) break;
      rows.push({ seq: row.seq, bytes: row.bytes, json: `{"seq":${row.seq},${row.body.slice(1)}` });
      bytes += row.bytes;
    }
    return rows;
  }

  /** Deletes every row up to `seq`: the controller has committed them. */
  ack(seq: number): void {
    this.#gate.pass();
    const upTo = Math.min(seq, this.lastSeq());
    if (upTo > this.#ackedSeq) {
      const logs = this.#statements.logsUpTo.get(upTo);
      this.#statements.deleteUpTo.run(upTo);
      this.#bounds.removed(logs?.rows ?? 0, logs?.bytes ?? 0);
      this.#ackedSeq = upTo;
    }
    for (const { acked } of this.#listeners) acked?.(upTo);
  }

  has(seq: number): boolean {
    this.#gate.pass();
    return this.#statements.has.get(seq) !== undefined;
  }

  /** Highest seq ever written. */
  lastSeq(): number {
    this.#gate.pass();
    return this.#statements.lastSeq.get()?.seq ?? 0;
  }

  size(): { rows: number; bytes: number } {
    this.#gate.pass();
    return this.#statements.size.get() ?? { rows: 0, bytes: 0 };
  }

  /** Numbers every row `by` higher, and what comes after them too. Belongs in one transaction with `TaskTable.shiftSeqs`. */
  shift(by: number): void {
    this.#gate.pass();
    const lastSeq = this.lastSeq();
    // Negative in between: no row may meet another one's seq on the way.
    this.#statements.negate.run({ by });
    this.#statements.makePositive.run();
    if (lastSeq === 0) this.#statements.insertLastSeq.run(by);
    else this.#statements.setLastSeq.run(lastSeq + by);
  }
}

function prepare(db: Sqlite) {
  return {
    insert: db.prepare(
      'INSERT INTO outbox (kind, code, at, line, bytes, body) VALUES (@kind, @code, @at, @line, @bytes, @body)',
    ),
    dropProgress: db.prepare<[string]>(`DELETE FROM outbox WHERE code = ? AND kind = 'progress'`),
    after: db.prepare<[number, string, number], { seq: number; bytes: number; body: string }>(
      'SELECT seq, bytes, body FROM outbox WHERE seq > ? AND kind <> ? ORDER BY seq LIMIT ?',
    ),
    logsUpTo: db.prepare<[number], { rows: number; bytes: number }>(
      `SELECT count(*) AS rows, coalesce(sum(bytes), 0) AS bytes FROM outbox WHERE seq <= ? AND kind = 'log'`,
    ),
    deleteUpTo: db.prepare<[number]>('DELETE FROM outbox WHERE seq <= ?'),
    has: db.prepare<[number], { seq: number }>('SELECT seq FROM outbox WHERE seq = ?'),
    lastSeq: db.prepare<[], { seq: number }>(`SELECT seq FROM sqlite_sequence WHERE name = 'outbox'`),
    size: db.prepare<[], { rows: number; bytes: number }>(
      'SELECT count(*) AS rows, coalesce(sum(bytes), 0) AS bytes FROM outbox',
    ),
    negate: db.prepare('UPDATE outbox SET seq = -(seq + @by)'),
    makePositive: db.prepare('UPDATE outbox SET seq = -seq'),
    setLastSeq: db.prepare<[number]>(`UPDATE sqlite_sequence SET seq = ? WHERE name = 'outbox'`),
    insertLastSeq: db.prepare<[number]>(`INSERT INTO sqlite_sequence (name, seq) VALUES ('outbox', ?)`),
  };
}
