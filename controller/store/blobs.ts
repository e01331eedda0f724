import { sql } from 'kysely';
import type { Instant } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import { type Db, all, atomically, changed } from './dialect.ts';

export interface BlobRow {
  sha256: string;
  size: number;
  /** When it was stored, or stored or held again, last. */
  storedAt: Instant;
}

/** Why a blob is kept. `upload`: a task brought it (`CODE/NAME`); the others name what it belongs to, `recording` by the code of the session's task. */
export type BlobHolderKind = 'upload' | 'snapshot' | 'archive' | 'manifest' | 'recording' | 'release';

export interface BlobRef {
  sha256: string;
  kind: BlobHolderKind;
  holder: string;
}

/**
 * Which blobs there are and who holds them; their bytes lie elsewhere.
 *
 * - What is held is never deleted.
 * - What nobody holds is first marked, then its bytes go, then its row: after a crash in between it is still marked.
 * - A marked blob counts as absent, and cannot be stored or held until its row is gone.
 */
export interface BlobIndex {
  /** Notes that the bytes are there. False when they are being deleted: the caller stores them again, later. */
  note(blob: { sha256: string; size: number }, now: Instant): Promise<boolean>;
  /** Makes a blob fresh that is there; false when it is not, or is being deleted. */
  touch(sha256: string, now: Instant): Promise<boolean>;
  get(sha256: string): Promise<BlobRow | undefined>;
  /** All, or none: throws `AppError('conflict')` when one of the blobs is not there. Held twice is held once. */
  hold(refs: BlobRef[], now: Instant): Promise<void>;
  release(kind: BlobHolderKind, holders: string[]): Promise<void>;
  heldBy(kind: BlobHolderKind, holder: string): Promise<string[]>;
  /** Holders of kind `upload` whose task is not IN_PROGRESS any more let go; returns how many. */
  releaseEndedUploads(): Promise<number>;
  /** Marks what nobody holds and what was stored before; returns all that is marked, at most `limit`. */
  condemn(before: Instant, now: Instant, limit: number): Promise<string[]>;
  /** Their bytes are gone. */
  forget(sha256s: string[]): Promise<void>;
  /** Bytes that were found without a row get one; known ones stay as they are. */
  adopt(blobs: BlobRow[]): Promise<void>;
  total(): Promise<{ blobs: number; bytes: number }>;
}

export class SqlBlobIndex implements BlobIndex {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async note({ sha256, size }: { sha256: string; size: number }, now: Instant): Promise<boolean> {
    const count = await changed(
      this.#db,
      sql`
        insert into blobs (sha256, size, stored_at) values (${sha256}, ${size}, ${now})
        on conflict (sha256) do update set stored_at = excluded.stored_at where blobs.deleting_at is null`,
    );
    return count > 0;
  }

  async touch(sha256: string, now: Instant): Promise<boolean> {
    const count = await changed(
      this.#db,
      sql`update blobs set stored_at = ${now} where sha256 = ${sha256} and deleting_at is null`,
    );
    return count > 0;
  }

  async get(sha256: string): Promise<BlobRow | undefined> {
    const [row] = await all(
      this.#db,
      sql<BlobRow>`
        select sha256, size, stored_at as "storedAt" from blobs
        where sha256 = ${sha256} and deleting_at is null`,
    );
    return row;
  }

  async hold(refs: BlobRef[], now: Instant): Promise<void> {
    if (refs.length === 0) return;
    const wanted = [...new Set(refs.map(({ sha256 }) => sha256))];
    await atomically(this.#db, async (db) => {
      // Touching the rows keeps them from being marked at the same moment.
      const count = await changed(
        db,
        sql`
          update blobs set stored_at = ${now}
          where sha256 in ${db.dialect.list(wanted)} and deleting_at is null`,
      );
      if (count < wanted.length) {
        throw new AppError(
          'conflict',
          `${wanted.length - count} of ${wanted.length} blobs are not in the store: store them again`,
        );
      }
      await all(
        db,
        sql`
          insert into blob_refs (sha256, kind, holder)
          select sha256, kind, holder
          from ${db.dialect.rows('j', { sha256: 'text', kind: 'text', holder: 'text' }, refs)}
          where true
          on conflict (sha256, kind, holder) do nothing`,
      );
    });
  }

  async release(kind: BlobHolderKind, holders: string[]): Promise<void> {
    if (holders.length === 0) return;
    await all(
      this.#db,
      sql`delete from blob_refs where kind = ${kind} and holder in ${this.#db.dialect.list(holders)}`,
    );
  }

  async heldBy(kind: BlobHolderKind, holder: string): Promise<string[]> {
    const rows = await all(
      this.#db,
      sql<{ sha256: string }>`
        select sha256 from blob_refs where kind = ${kind} and holder = ${holder} order by sha256`,
    );
    return rows.map(({ sha256 }) => sha256);
  }

  releaseEndedUploads(): Promise<number> {
    return changed(
      this.#db,
      sql`
        delete from blob_refs where kind = 'upload' and not exists (
          select 1 from tasks
          where tasks.code = substr(blob_refs.holder, 1, 8) and tasks.status = 'IN_PROGRESS'
        )`,
    );
  }

  async condemn(before: Instant, now: Instant, limit: number): Promise<string[]> {
    await all(
      this.#db,
      sql`
        update blobs set deleting_at = ${now}
        where sha256 in (
          select b.sha256 from blobs as b
          where b.stored_at < ${before} and b.deleting_at is null
            and not exists (select 1 from blob_refs as r where r.sha256 = b.sha256)
          order by b.stored_at
          limit ${limit}
        ) and stored_at < ${before}`,
    );
    const rows = await all(
      this.#db,
      sql<{ sha256: string }>`
        select sha256 from blobs where deleting_at is not null order by deleting_at, sha256 limit ${limit}`,
    );
    return rows.map(({ sha256 }) => sha256);
  }

  async forget(sha256s: string[]): Promise<void> {
    if (sha256s.length === 0) return;
    await all(
      this.#db,
      sql`
        delete from blobs
        where sha256 in ${this.#db.dialect.list(sha256s)} and deleting_at is not null`,
    );
  }

  async adopt(blobs: BlobRow[]): Promise<void> {
    if (blobs.length === 0) return;
    await all(
      this.#db,
      sql`
        insert into blobs (sha256, size, stored_at)
        select sha256, size, stored_at
        from ${this.#db.dialect.rows('j', { sha256: 'text', size: 'integer', storedAt: 'integer' }, blobs)}
        where true
        on conflict (sha256) do nothing`,
    );
  }

  async total(): Promise<{ blobs: number; bytes: number }> {
    const [row] = await all(
      this.#db,
      sql<{
        blobs: number;
        bytes: number;
      }>`select count(*) as blobs, coalesce(sum(size), 0) as bytes from blobs where deleting_at is null`,
    );
    return row ?? { blobs: 0, bytes: 0 };
  }
}
