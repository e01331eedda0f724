import { sql } from 'kysely';
import type { Instant } from '../../shared/clock.ts';
import { type Db, all, atomically } from './dialect.ts';

/** Why a key is accepted no more. */
export type KeyEnd = 'rotated' | 'rebound' | 'revoked' | 'removed';

export interface EndedKey {
  publicKey: string;
  reason: KeyEnd;
  endedAt: Instant;
}

/** The newest of a device's ended keys that are looked at. */
const maxEnded = 32;

/** The life of devices' keys. A key that ended is remembered for ever. */
export interface DeviceKeyStore {
  /** The device is to make a new key. */
  want(id: string, now: Instant): Promise<void>;
  /** Holds `next` beside `current`; false when `current` is not the device's key any more, or was revoked. */
  hold(id: string, keys: { current: string; next: string }, now: Instant): Promise<boolean>;
  /** `next` takes the place of the key before it, which ends; false when it is not held as the next one. */
  promote(id: string, next: string, now: Instant): Promise<boolean>;
  /** The key stays in its row, and ends. */
  revoke(id: string, now: Instant): Promise<void>;
  /** Another machine takes the place: its key is the only one, and nothing is expected of its past. */
  replace(id: string, publicKey: string, now: Instant): Promise<void>;
  /** Before the device is removed. */
  end(id: string, reason: KeyEnd, now: Instant): Promise<void>;
  endedOf(deviceId: string): Promise<EndedKey[]>;
  /** Ended, or in use by a device in any way. */
  isTaken(publicKey: string): Promise<boolean>;
  hasEnded(publicKey: string): Promise<boolean>;
}

export class SqlDeviceKeyStore implements DeviceKeyStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async want(id: string, now: Instant): Promise<void> {
    await all(
      this.#db,
      sql`update devices set key_wanted_at = ${now}, updated_at = ${now} where id = ${id} and removed_at is null`,
    );
  }

  async hold(
    id: string,
    { current, next }: { current: string; next: string },
    now: Instant,
  ): Promise<boolean> {
    const held = await all(
      this.#db,
      sql`update devices set next_public_key = ${next}, updated_at = ${now}
        where id = ${id} and public_key = ${current} and key_revoked_at is null and removed_at is null returning id`,
    );
    return held.length > 0;
  }

  promote(id: string, next: string, now: Instant): Promise<boolean> {
    return atomically(this.#db, async (db) => {
      const which = sql`id = ${id} and next_public_key = ${next} and key_revoked_at is null and removed_at is null`;
      await all(
        db,
        sql`insert into ended_device_keys (public_key, device_id, reason, ended_at)
          select public_key, id, 'rotated', cast(${now} as ${db.dialect.types.integer}) from devices where ${which}
          on conflict (public_key) do nothing`,
      );
      const promoted = await all(
        db,
        sql`update devices set public_key = ${next}, next_public_key = null, key_wanted_at = null, updated_at = ${now}
          where ${which} returning id`,
      );
      return promoted.length > 0;
    });
  }

  async revoke(id: string, now: Instant): Promise<void> {
    await atomically(this.#db, async (db) => {
      await endKeys(db, id, { reason: 'revoked', now });
      await all(
        db,
        sql`update devices set key_revoked_at = ${now}, next_public_key = null, key_wanted_at = null,
          updated_at = ${now} where id = ${id} and removed_at is null`,
      );
    });
  }

  async replace(id: string, publicKey: string, now: Instant): Promise<void> {
    await atomically(this.#db, async (db) => {
      await endKeys(db, id, { reason: 'rebound', now });
      await all(
        db,
        sql`update devices set public_key = ${publicKey}, next_public_key = null, key_wanted_at = null,
          key_revoked_at = null, quarantined_at = null, quarantine_reason = null, epoch = 0, connection = 0,
          store_id = null, boot_id = null, updated_at = ${now} where id = ${id} and removed_at is null`,
      );
    });
  }

  async end(id: string, reason: KeyEnd, now: Instant): Promise<void> {
    await endKeys(this.#db, id, { reason, now });
  }

  endedOf(deviceId: string): Promise<EndedKey[]> {
    return this.#db.kysely
      .selectFrom('ended_device_keys')
      .select(['public_key as publicKey', 'reason', 'ended_at as endedAt'])
      .where('device_id', '=', deviceId)
      .orderBy('ended_at', 'desc')
      .limit(maxEnded)
      .execute();
  }

  async isTaken(publicKey: string): Promise<boolean> {
    if (await this.hasEnded(publicKey)) return true;
    const found = await all(
      this.#db,
      sql`select id from devices where removed_at is null and (public_key = ${publicKey} or next_public_key = ${publicKey}) limit 1`,
    );
    return found.length > 0;
  }

  async hasEnded(publicKey: string): Promise<boolean> {
    const found = await all(
      this.#db,
      sql`select public_key from ended_device_keys where public_key = ${publicKey}`,
    );
    return found.length > 0;
  }
}

/** An earlier end of the same key stays as it was written down. */
async function endKeys(db: Db, id: string, { reason, now }: { reason: KeyEnd; now: Instant }): Promise<void> {
  const { integer } = db.dialect.types;
  for (const column of [sql.ref('public_key'), sql.ref('next_public_key')]) {
    await all(
      db,
      sql`insert into ended_device_keys (public_key, device_id, reason, ended_at)
        select ${column}, id, cast(${reason} as text), cast(${now} as ${integer}) from devices
        where id = ${id} and removed_at is null and ${column} is not null
        on conflict (public_key) do nothing`,
    );
  }
}
