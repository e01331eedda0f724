import { expect, test } from 'vitest';
import { CoreUnderTest } from '../../test/harness/core-under-test.ts';
import type { StreamItem } from './events.ts';

/** Reads on its own until aborted. */
function reading(
  controller: CoreUnderTest,
  after: number | undefined,
  signal: AbortSignal,
  filter: object = {},
) {
  const items: StreamItem[] = [];
  const organizationId = controller.organization.id;
  const done = (async () => {
    for await (const item of controller.core.events.subscribe({ organizationId, ...filter }, after, signal)) {
      items.push(item);
    }
  })();
  return {
    items,
    done,
    types: () => items.map((item) => (item.kind === 'event' ? item.event.type : 'reset')),
  };
}

test('a reader gets what comes next, and what came after its cursor', async () => {
  await using controller = await CoreUnderTest.start();
  await controller.device('fw-1');
  await controller.submit(['fw-1']);
  const stop = new AbortController();
  const fromNow = reading(controller, undefined, stop.signal);
  const fromStart = reading(controller, 0, stop.signal);
  await controller.clock.advance(100);
  const [code = ''] = await controller.submit(['fw-1']);
  await controller.clock.advance(100);
  await controller.core.cancelTask(controller.actor, code, { request: false });
  await controller.clock.advance(100);

  expect(fromNow.types()).toEqual(['run.created', 'task.created', 'task.cancelled']);
  expect(fromStart.types()).toEqual(['run.created', 'task.created', ...fromNow.types()]);
  expect(controller.core.status().eventSubscribers).toBe(2);
  stop.abort();
  await Promise.all([fromNow.done, fromStart.done]);
  expect(controller.core.status().eventSubscribers).toBe(0);
});

test('a reader that filters gets its task only', async () => {
  await using controller = await CoreUnderTest.start();
  await controller.device('fw-1');
  const [first = ''] = await controller.submit(['fw-1']);
  await controller.submit(['fw-1']);
  const stop = new AbortController();
  const { items, done } = reading(controller, 0, stop.signal, { taskId: (await controller.task(first)).id });
  await controller.clock.advance(100);
  expect(items).toHaveLength(1);
  expect(items[0]).toMatchObject({ event: { taskCode: first, type: 'task.created', deviceName: 'fw-1' } });
  stop.abort();
  await done;
});

test('a cursor older than what is kept is answered with a reset', async () => {
  await using controller = await CoreUnderTest.start();
  await controller.device('fw-1');
  for (let index = 0; index < 5; index += 1) await controller.submit(['fw-1']);
  await controller.store.events.prune(2, 0);
  const { oldest } = await controller.store.events.range();
  const stop = new AbortController();
  const { items, types, done } = reading(controller, 1, stop.signal);
  await controller.clock.advance(100);
  expect(items[0]).toEqual({ kind: 'reset', oldest });
  expect(types()).toEqual(['reset', 'run.created', 'task.created']);
  stop.abort();
  await done;
});

test('a wake-up that is lost is made up for', async () => {
  await using controller = await CoreUnderTest.start();
  await controller.device('fw-1');
  const stop = new AbortController();
  const { items, done } = reading(controller, undefined, stop.signal);
  await controller.clock.advance(100);
  const organizationId = controller.organization.id;
  const event = {
    type: 'device.online',
    at: 0,
    organizationId,
    deviceId: null,
    taskId: null,
    runId: null,
    data: {},
  };
  await controller.store.events.append([event as never]);
  await controller.clock.advance(100);
  expect(items).toHaveLength(0);
  await controller.clock.advance(2_000);
  expect(items).toHaveLength(1);
  stop.abort();
  await done;
});
