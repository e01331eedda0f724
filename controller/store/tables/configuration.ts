import type { RawBuilder } from 'kysely';
import type { Dialect } from '../dialect.ts';

/** Bundles, variables, and what is known of the configuration of each device. */
export function configurationTables(_dialect: Dialect): RawBuilder<unknown>[] {
  return [];
}
