import { sql } from 'kysely';
import { type Db, all } from './dialect.ts';

/** Single values of the controller: its id, its key, the sequence of its orders. */
export interface SettingStore {
  get(name: string): Promise<string | undefined>;
  set(name: string, value: string): Promise<void>;
  /** Raises the number under `name` by `count`, from `above` at least, and returns the last number of the block that is now the caller's. */
  reserve(name: string, count: number, above?: number): Promise<number>;
}

export class SqlSettingStore implements SettingStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async get(name: string): Promise<string | undefined> {
    const row = await this.#db.kysely
      .selectFrom('settings')
      .select('value')
      .where('name', '=', name)
      .executeTakeFirst();
    return row?.value;
  }

  async set(name: string, value: string): Promise<void> {
    await this.#db.kysely
      .insertInto('settings')
      .values({ name, value })
      .onConflict((conflict) => conflict.column('name').doUpdateSet({ value }))
      .execute();
  }

  async reserve(name: string, count: number, above = 0): Promise<number> {
    const { dialect } = this.#db;
    const { integer } = dialect.types;
    const stored = dialect.greater(
      sql`cast(settings.value as ${integer})`,
      sql`cast(${above} as ${integer})`,
    );
    const [row] = await all(
      this.#db,
      sql<{ last: number }>`
        insert into settings (name, value) values (${name}, cast(cast(${above + count} as ${integer}) as text))
        on conflict (name) do update
          set value = cast(${stored} + cast(${count} as ${integer}) as text)
        returning cast(value as ${integer}) as last`,
    );
    if (!row) throw new Error(`the number ${name} could not be raised`);
    return row.last;
  }
}
