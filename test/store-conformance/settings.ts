import { describe, expect } from 'vitest';
import type { Conform } from './world.ts';

export const describeSettings = (conform: Conform) =>
  describe('settings', () => {
    conform('a value that was never set is undefined', async ({ store }) => {
      expect(await store.settings.get('controller_id')).toBeUndefined();
    });

    conform('the last value set is read', async ({ store }) => {
      await store.settings.set('controller_id', 'first');
      await store.settings.set('controller_id', 'second');
      expect(await store.settings.get('controller_id')).toBe('second');
    });

    conform('blocks of numbers begin at 1 and never overlap', async ({ store }) => {
      const lasts = await Promise.all(
        [7, 1, 10_000, 2].map((count) => store.settings.reserve('sequence', count)),
      );
      expect(lasts).toEqual([7, 8, 10_008, 10_010]);
      expect(await store.settings.reserve('other', 5)).toBe(5);
      expect(await store.settings.reserve('other', 5, 100)).toBe(105);
      expect(await store.settings.reserve('other', 5, 100)).toBe(110);
      expect(await store.settings.reserve('third', 5, 100)).toBe(105);
    });

    conform('a block stays exact beyond 32 bits', async ({ store }) => {
      await store.settings.reserve('sequence', 2 ** 40);
      expect(await store.settings.reserve('sequence', 1)).toBe(2 ** 40 + 1);
    });
  });
