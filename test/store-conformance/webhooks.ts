import { describe, expect } from 'vitest';
import type { NewDelivery } from '../../controller/store/webhook-deliveries.ts';
import type { NewWebhook } from '../../controller/store/webhooks.ts';
import type { Conform, World } from './world.ts';

const paging = { page: 1, perPage: 10 };

async function webhook(world: World, id: string, values: Partial<NewWebhook> = {}): Promise<string> {
  await world.store.webhooks.insert({
    id,
    organizationId: 'home',
    name: id,
    url: 'https://example.org/',
    events: ['task.*'],
    enabled: true,
    disabledReason: null,
    secret: { sealed: 'sealed', keyId: 'key' },
    cursor: 0,
    createdBy: 'ops@example.org',
    createdAt: 5,
    ...values,
  });
  return id;
}

const delivery = (webhookId: string, id: string, nextAt = 10): NewDelivery => ({
  id,
  webhookId,
  type: 'task.failed',
  body: '{}',
  nextAt,
  createdAt: nextAt,
});

const over = {
  attempts: 1,
  nextAt: 20,
  at: 20,
  responseStatus: 200,
  response: null,
  durationMs: 3,
  error: null,
};

export const describeWebhooks = (conform: Conform) =>
  describe('webhooks', () => {
    conform('names are unique in an organization, and found there only', async (world) => {
      const { store } = world;
      await webhook(world, 'ops');
      await webhook(world, 'far', { organizationId: 'away', name: 'ops' });
      await expect(webhook(world, 'other', { name: 'ops' })).rejects.toMatchObject({ code: 'name_taken' });
      expect(await store.webhooks.get('home', 'ops')).toMatchObject({ id: 'ops', organizationName: 'home' });
      expect((await store.webhooks.get('away', 'ops'))?.id).toBe('far');
      expect(await store.webhooks.get('home', 'far')).toBeUndefined();
      expect((await store.webhooks.list('home', paging)).total).toBe(1);
    });

    conform('a change changes what it names only', async (world) => {
      const { webhooks } = world.store;
      await webhook(world, 'ops');
      const before = await webhooks.get('home', 'ops');
      const secret = { sealed: 'other', keyId: 'key' };
      await webhooks.update('ops', { secret, previousSecret: before?.secret ?? null, previousUntil: 9 }, 7);
      expect(await webhooks.get('home', 'ops')).toEqual({
        ...before,
        secret,
        previousSecret: before?.secret,
        previousUntil: 9,
        updatedAt: 7,
      });
      await webhooks.update('ops', { enabled: false, disabledReason: 'gone' }, 8);
      expect(await webhooks.enabled()).toEqual([]);
    });

    conform('the cursor moves only from where it was seen, and while it is enabled', async (world) => {
      const { webhooks } = world.store;
      await webhook(world, 'ops');
      expect(await webhooks.advance('ops', 0, 3)).toBe(true);
      expect(await webhooks.advance('ops', 0, 4)).toBe(false);
      await webhooks.update('ops', { enabled: false }, 8);
      expect(await webhooks.advance('ops', 3, 4)).toBe(false);
      expect((await webhooks.get('home', 'ops'))?.cursor).toBe(3);
    });

    conform('the first of a row of failures is remembered until one succeeds', async (world) => {
      const { webhooks } = world.store;
      await webhook(world, 'ops');
      await webhooks.noteAttempt('ops', false, 10);
      await webhooks.noteAttempt('ops', false, 11);
      expect(await webhooks.get('home', 'ops')).toMatchObject({ failingSince: 10, lastSuccessAt: null });
      await webhooks.noteAttempt('ops', true, 12);
      expect(await webhooks.get('home', 'ops')).toMatchObject({ failingSince: null, lastSuccessAt: 12 });
    });

    conform('what is due is claimed once, oldest first, and is due again later', async (world) => {
      const { webhookDeliveries } = world.store;
      await webhook(world, 'ops');
      await webhook(world, 'other');
      await webhookDeliveries.insert([
        delivery('ops', 'm2', 11),
        delivery('ops', 'm1', 10),
        delivery('ops', 'm3', 90),
      ]);
      await webhookDeliveries.insert([delivery('other', 'm4')]);
      const claim = (now: number, limit = 9) =>
        webhookDeliveries.claim('ops', { now, until: now + 30, limit });
      expect((await claim(20, 1)).map(({ id, attempts, lastAt }) => [id, attempts, lastAt])).toEqual([
        ['m1', 1, 20],
      ]);
      expect((await claim(20)).map(({ id }) => id)).toEqual(['m2']);
      expect(await claim(20)).toEqual([]);
      expect((await claim(50)).map(({ id, attempts }) => [id, attempts])).toEqual([
        ['m1', 2],
        ['m2', 2],
      ]);
      expect(await webhookDeliveries.nextDue(['ops', 'other', 'none'])).toEqual(
        new Map([
          ['ops', 80],
          ['other', 10],
        ]),
      );
    });

    conform('what is over stays over until it is reset', async (world) => {
      const { webhookDeliveries } = world.store;
      await webhook(world, 'ops');
      await webhookDeliveries.insert([delivery('ops', 'm1'), delivery('ops', 'm2')]);
      await webhookDeliveries.finish('m1', { ...over, status: 'FAILED' });
      await webhookDeliveries.finish('m1', { ...over, status: 'DELIVERED' });
      expect((await webhookDeliveries.list('ops', { id: 'm1' }, paging)).items).toMatchObject([
        { status: 'FAILED' },
      ]);
      expect(await webhookDeliveries.reset('ops', { id: 'm2' }, 30)).toBe(0);
      expect(await webhookDeliveries.reset('ops', { status: 'FAILED' }, 30)).toBe(1);
      const claimed = await webhookDeliveries.claim('ops', { now: 30, until: 60, limit: 9 });
      expect(claimed.map(({ id, attempts }) => [id, attempts])).toEqual([
        ['m1', 1],
        ['m2', 1],
      ]);
    });

    conform('pruning keeps the newest of each that are over, and nothing old', async (world) => {
      const { webhookDeliveries, webhooks } = world.store;
      await webhook(world, 'ops');
      await webhook(world, 'other');
      for (let at = 1; at <= 5; at += 1) {
        await webhookDeliveries.insert([delivery('ops', `m${at}`, at), delivery('other', `n${at}`, at)]);
        if (at === 5) continue;
        await webhookDeliveries.finish(`m${at}`, { ...over, status: 'DELIVERED' });
      }
      expect(await webhookDeliveries.prune(2, 0)).toBe(2);
      expect(await webhookDeliveries.prune(2, 4)).toBe(4); // m3, n1, n2, n3
      const left = async (id: string) =>
        (await webhookDeliveries.list(id, {}, paging)).items.map((one) => one.id);
      expect([await left('ops'), await left('other')]).toEqual([
        ['m5', 'm4'],
        ['n5', 'n4'],
      ]);
      expect((await webhooks.get('home', 'other'))?.pending).toBe(2);
      await webhooks.remove('ops');
      expect([await left('ops'), await left('other')]).toEqual([[], ['n5', 'n4']]);
    });
  });
