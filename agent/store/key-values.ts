import type { Sqlite } from '../../shared/node/sqlite.ts';
import type { Gate } from './gate.ts';

/** Single facts about this database and its agent. */
export interface KnownKeys {
  storeId: string;
  epoch: number;
  /** Highest sequence of an accepted order: an order not above it is a replay. */
  highestSequence: number;
  factsDigest: string;
  /** JSON text. */
  facts: string;
  /** When the agent last proved that it can write. */
  aliveAt: number;
  /** How many steps of the schema a program must know to open this database. */
  oldestSchema: number;
}

export class KeyValues {
  readonly #gate: Gate;
  readonly #get;
  readonly #set;

  constructor(db: Sqlite, gate: Gate) {
    this.#gate = gate;
    this.#get = db.prepare<[string], { value: string }>('SELECT value FROM kv WHERE key = ?');
    this.#set = db.prepare<[string, string]>(
      'INSERT INTO kv (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
    );
  }

  get<Key extends keyof KnownKeys>(key: Key): KnownKeys[Key] | undefined {
    this.#gate.pass();
    const row = this.#get.get(key);
    return row ? (JSON.parse(row.value) as KnownKeys[Key]) : undefined;
  }

  set<Key extends keyof KnownKeys>(key: Key, value: KnownKeys[Key]): void {
    this.#gate.pass();
    this.#set.run(key, JSON.stringify(value));
  }
}
