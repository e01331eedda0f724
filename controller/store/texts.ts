import { sql } from 'kysely';
import type { Instant } from '../../shared/clock.ts';
import { type Db, all, changed } from './dialect.ts';

export interface StoredText {
  /** Of the text as UTF-8. */
  sha256: string;
  text: string;
}

/** Texts under their digest: templates of bundles, rendered files, manifests. One that nothing refers to goes with `prune`. */
export interface TextStore {
  /** What is there already only counts as stored now. */
  put(texts: StoredText[], now: Instant): Promise<void>;
  get(sha256: string): Promise<string | undefined>;
  getMany(sha256s: string[]): Promise<Map<string, string>>;
  /** Deletes what nothing refers to and was stored before; returns how many, at most `limit`. */
  prune(before: Instant, limit: number): Promise<number>;
}

export class SqlTextStore implements TextStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async put(texts: StoredText[], now: Instant): Promise<void> {
    if (texts.length === 0) return;
    const unique = [...new Map(texts.map((one) => [one.sha256, one])).values()];
    await all(
      this.#db,
      sql`
        insert into texts (sha256, text, stored_at)
        select sha256, text, ${now} from ${this.#db.dialect.rows('j', { sha256: 'text', text: 'text' }, unique)}
        where true
        on conflict (sha256) do update set stored_at = excluded.stored_at`,
    );
  }

  async get(sha256: string): Promise<string | undefined> {
    return (await this.getMany([sha256])).get(sha256);
  }

  async getMany(sha256s: string[]): Promise<Map<string, string>> {
    if (sha256s.length === 0) return new Map();
    const rows = await all(
      this.#db,
      sql<StoredText>`select sha256, text from texts where sha256 in ${this.#db.dialect.list(sha256s)}`,
    );
    return new Map(rows.map(({ sha256, text }) => [sha256, text]));
  }

  prune(before: Instant, limit: number): Promise<number> {
    return changed(
      this.#db,
      sql`
        delete from texts where sha256 in (
          select t.sha256 from texts as t
          where t.stored_at < ${before}
            and not exists (select 1 from bundle_files as b where b.template = t.sha256)
            and not exists (select 1 from manifests as m where m.sha256 = t.sha256)
            and not exists (select 1 from manifest_texts as f where f.sha256 = t.sha256)
          order by t.stored_at
          limit ${limit}
        )`,
    );
  }
}
