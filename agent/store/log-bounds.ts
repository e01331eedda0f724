import type { Sqlite } from '../../shared/node/sqlite.ts';
import type { TaskGap } from '../../shared/protocol/report.ts';

/** How many log lines wait on the device at most. What else waits (results, acceptances, …) is not counted: its room is reserved. */
export interface OutboxBounds {
  maxLogRows: number;
  maxLogBytes: number;
  maxLogAgeMs: number;
}

export const defaultOutboxBounds: OutboxBounds = {
  maxLogRows: 50_000,
  maxLogBytes: 16 * 1024 * 1024,
  maxLogAgeMs: 7 * 24 * 60 * 60_000,
};

interface LogRow {
  seq: number;
  code: string;
  at: number;
  line: number;
  bytes: number;
}

/**
 * Drops the oldest log lines. A dropped line becomes a gap record, or widens the one before it, and the record takes the seq of the
 * newest line it covers: when the controller acknowledges that seq, it has applied either every line of the gap or the gap itself.
 */
export class LogBounds {
  readonly #bounds: OutboxBounds;
  readonly #statements;
  #rows = 0;
  #bytes = 0;

  constructor(db: Sqlite, bounds: OutboxBounds) {
    this.#bounds = bounds;
    this.#statements = prepare(db);
    this.recount();
  }

  added(bytes: number): void {
    this.#rows += 1;
    this.#bytes += bytes;
  }

  removed(rows: number, bytes: number): void {
    this.#rows -= rows;
    this.#bytes -= bytes;
  }

  recount(): void {
    const counted = this.#statements.count.get();
    this.#rows = counted?.rows ?? 0;
    this.#bytes = counted?.bytes ?? 0;
  }

  enforce(now: number): void {
    const { maxLogRows, maxLogBytes, maxLogAgeMs } = this.#bounds;
    const bornBefore = now - maxLogAgeMs;
    this.#dropWhile((oldest) => {
      if (this.#rows > maxLogRows || this.#bytes > maxLogBytes) return 'outbox_full';
      return oldest.at < bornBefore ? 'too_old' : undefined;
    });
  }

  dropHalf(): void {
    const keep = Math.floor(this.#rows / 2);
    this.#dropWhile(() => (this.#rows > keep ? 'disk_full' : undefined));
  }

  #dropWhile(reasonToDrop: (oldest: LogRow) => string | undefined): void {
    for (;;) {
      const oldest = this.#statements.oldest.get();
      const reason = oldest && reasonToDrop(oldest);
      if (!oldest || reason === undefined) return;
      this.#drop(oldest, reason);
    }
  }

  #drop(row: LogRow, reason: string): void {
    const before = this.#statements.gapEndingAt.get(row.code, row.line - 1);
    if (before) this.#statements.delete.run(before.seq);
    const gap: Omit<TaskGap, 'seq'> = {
      type: 'task.gap',
      code: row.code,
      at: row.at,
      from: before ? (JSON.parse(before.body) as TaskGap).from : row.line,
      to: row.line,
      reason,
    };
    this.#statements.becomeGap.run({ seq: row.seq, line: gap.to, body: JSON.stringify(gap) });
    this.removed(1, row.bytes);
  }
}

function prepare(db: Sqlite) {
  return {
    count: db.prepare<[], { rows: number; bytes: number }>(
      `SELECT count(*) AS rows, coalesce(sum(bytes), 0) AS bytes FROM outbox WHERE kind = 'log'`,
    ),
    oldest: db.prepare<[], LogRow>(
      `SELECT seq, code, at, line, bytes FROM outbox WHERE kind = 'log' ORDER BY seq LIMIT 1`,
    ),
    gapEndingAt: db.prepare<[string, number], { seq: number; body: string }>(
      `SELECT seq, body FROM outbox WHERE code = ? AND kind = 'gap' AND line = ?`,
    ),
    delete: db.prepare<[number]>('DELETE FROM outbox WHERE seq = ?'),
    becomeGap: db.prepare(
      `UPDATE outbox SET kind = 'gap', line = @line, body = @body, bytes = length(@body) + 16 WHERE seq = @seq`,
    ),
  };
}
