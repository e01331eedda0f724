import { describe, expect } from 'vitest';
import type { Conform } from './world.ts';

const first = 'key of fw';

export const describeDeviceKeys = (conform: Conform) =>
  describe('keys of devices', () => {
    conform(
      'a next key stands beside the key until it takes its place, which ends that for ever',
      async (world) => {
        await world.device('fw');
        const { devices } = world.store;
        await devices.keys.want('fw', 5);
        expect(await devices.keys.hold('fw', { current: first, next: 'two' }, 6)).toBe(true);
        expect(await devices.get('fw')).toMatchObject({
          publicKey: first,
          nextPublicKey: 'two',
          keyWantedAt: 5,
        });
        expect(await devices.keys.isTaken('two')).toBe(true);
        expect(await devices.keys.hasEnded(first)).toBe(false);

        expect(await devices.keys.promote('fw', 'two', 7)).toBe(true);
        expect(await devices.get('fw')).toMatchObject({
          publicKey: 'two',
          nextPublicKey: null,
          keyWantedAt: null,
          updatedAt: 7,
        });
        expect(await devices.keys.endedOf('fw')).toEqual([
          { publicKey: first, reason: 'rotated', endedAt: 7 },
        ]);
        expect(await devices.keys.isTaken(first)).toBe(true);
      },
    );

    conform('holding and promoting twice, late, or for another key changes nothing', async (world) => {
      await world.device('fw');
      const { keys } = world.store.devices;
      expect(await keys.promote('fw', 'two', 1)).toBe(false);
      expect(await keys.hold('fw', { current: 'other', next: 'two' }, 1)).toBe(false);
      expect(await keys.hold('nobody', { current: first, next: 'two' }, 1)).toBe(false);
      expect(await keys.hold('fw', { current: first, next: 'two' }, 1)).toBe(true);
      expect(await keys.hold('fw', { current: first, next: 'two' }, 2)).toBe(true);
      expect(await keys.hold('fw', { current: first, next: 'three' }, 3)).toBe(true);
      expect(await keys.promote('fw', 'two', 4)).toBe(false);
      expect(await keys.promote('fw', 'three', 5)).toBe(true);
      expect(await keys.promote('fw', 'three', 6)).toBe(false);
      expect(await keys.hold('fw', { current: first, next: 'four' }, 7)).toBe(false);
      expect(await keys.endedOf('fw')).toHaveLength(1);
    });

    conform('a next key belongs to one device', async (world) => {
      await world.device('fw');
      await world.device('other');
      const { keys } = world.store.devices;
      await keys.hold('fw', { current: first, next: 'two' }, 1);
      await expect(keys.hold('other', { current: 'key of other', next: 'two' }, 1)).rejects.toThrow();
    });

    conform(
      'a revoked key ends with the one that was to follow, and nothing can be held after it',
      async (world) => {
        await world.device('fw');
        const { devices } = world.store;
        await devices.keys.hold('fw', { current: first, next: 'two' }, 1);
        await devices.keys.revoke('fw', 2);
        expect(await devices.get('fw')).toMatchObject({ keyRevokedAt: 2, nextPublicKey: null });
        expect(await devices.keys.hasEnded(first)).toBe(true);
        expect(await devices.keys.hasEnded('two')).toBe(true);
        expect(await devices.keys.hold('fw', { current: first, next: 'three' }, 3)).toBe(false);
      },
    );

    conform('a key that takes the place of another begins without a past', async (world) => {
      await world.device('fw', { labels: { site: 'a' } });
      const { devices } = world.store;
      await devices.setQuarantine('fw', 'two agents', 1);
      await devices.keys.revoke('fw', 2);
      await devices.keys.replace('fw', 'new', 3);
      expect(await devices.get('fw')).toMatchObject({
        publicKey: 'new',
        keyRevokedAt: null,
        quarantinedAt: null,
        epoch: 0,
        storeId: null,
        labels: { site: 'a' },
      });
      expect(await devices.keys.endedOf('fw')).toMatchObject([
        { publicKey: first, reason: 'revoked', endedAt: 2 },
      ]);
    });

    conform('the keys of a device that is removed are remembered', async (world) => {
      await world.device('fw');
      const { devices } = world.store;
      await devices.keys.end('fw', 'removed', 4);
      await devices.remove('fw', 4);
      expect(await devices.keys.endedOf('fw')).toEqual([{ publicKey: first, reason: 'removed', endedAt: 4 }]);
      expect(await devices.keys.hasEnded(first)).toBe(true);
    });
  });
