import { describe, expect, test } from 'vitest';
import type { RunRequest } from '../../shared/api/tasks.ts';
import { AppError } from '../../shared/errors.ts';
import { CoreUnderTest } from '../../test/harness/core-under-test.ts';
import type { Submission } from './submit.ts';

const submission = (
  controller: CoreUnderTest,
  request: Partial<RunRequest>,
  more: Partial<Submission> = {},
): Submission => ({
  actor: controller.actor,
  organization: controller.organization,
  trigger: 'api',
  request: { type: 'PING', targets: { all: true }, force: false, dry_run: false, ...request },
  ...more,
});

const refused = async (controller: CoreUnderTest, request: Partial<RunRequest>): Promise<AppError> => {
  try {
    await controller.core.submit(submission(controller, request));
  } catch (error) {
    if (error instanceof AppError) {
      const { total } = await controller.store.runs.list(controller.organization.id, { page: 1, perPage: 1 });
      expect(total).toBe(0);
      return error;
    }
    throw error;
  }
  throw new Error('it was not refused');
};

describe('targets', () => {
  test('are united, each device once, by name', async () => {
    await using controller = await CoreUnderTest.start();
    await controller.device('edge-2', { labels: { site: 'a' } });
    await controller.device('edge-1');
    await controller.device('core-1', { labels: { site: 'a' } });
    await controller.device('core-2');
    const targets = { devices: ['edge-1', 'edge-.*'], labels: { site: 'a' } };
    const { answer } = await controller.core.submit(submission(controller, { targets }));
    expect(answer.tasks.map(({ device_name }) => device_name)).toEqual(['core-1', 'edge-1', 'edge-2']);
    expect(answer.total).toBe(3);
  });

  test('match whole names only', async () => {
    await using controller = await CoreUnderTest.start();
    await controller.device('fw-1');
    await controller.device('fw-10');
    expect(await controller.submit(['fw-.'])).toHaveLength(1);
  });

  test('are named by id too, among few and among many', async () => {
    await using controller = await CoreUnderTest.start();
    const id = await controller.device('fw-1');
    expect(await controller.submit([id])).toHaveLength(1);
    const names = Array.from({ length: 25 }, (_, index) => `edge-${index}`);
    for (const name of names) await controller.device(name);
    expect(await controller.submit([...names, id, 'fw-1'])).toHaveLength(26);
    const unknown = '6dbd2ce1-8e43-4f1d-90a8-5f3d2b2f8a3c';
    const error = await controller.submit([unknown]).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'unresolved_targets', detail: { unresolved: [unknown] } });
  });

  test('that match nothing refuse the whole request, all of them named', async () => {
    await using controller = await CoreUnderTest.start();
    await controller.device('fw-1');
    const error = await refused(controller, { targets: { devices: ['fw-1', 'fw-2', 'x.*'] } });
    expect(error).toMatchObject({ code: 'unresolved_targets', detail: { unresolved: ['fw-2', 'x.*'] } });
    expect(error.message).toBe('No device matches fw-2 (did you mean fw-1?), x.*');
  });

  test('of labels and units that nobody carries are named, too', async () => {
    await using controller = await CoreUnderTest.start();
    await controller.device('fw-1', { labels: { site: 'a', ou: 'branches' } });
    const targets = { devices: ['fw-1'], labels: { site: 'a', tier: '1' }, ous: ['branches', 'brnches'] };
    expect(await refused(controller, { targets })).toMatchObject({
      code: 'unresolved_targets',
      detail: { unresolved: ['label site=a,tier=1', 'ou brnches'] },
    });
  });

  test.each(['(', '[a', 'a{9999}'])('that are no pattern (%s) are a bad request', async (pattern) => {
    await using controller = await CoreUnderTest.start();
    await controller.device('fw-1');
    expect((await refused(controller, { targets: { devices: [pattern] } })).code).toBe('bad_request');
  });

  test('of nothing at all are a bad request', async () => {
    await using controller = await CoreUnderTest.start();
    expect((await refused(controller, { targets: {} })).code).toBe('bad_request');
  });

  test('named directly must be able to do it', async () => {
    await using controller = await CoreUnderTest.start();
    await controller.device('fw-1');
    await controller.device('new', { status: 'PENDING' });
    const error = await refused(controller, { targets: { devices: ['fw-1', 'new'] } });
    expect(error.message).toContain('new: the device is not approved yet');
  });

  test('reached otherwise are skipped with a reason', async () => {
    await using controller = await CoreUnderTest.start();
    const old = await controller.device('old');
    await controller.connect(old, { taskTypes: ['SCRIPT'] });
    await controller.device('fw-1');
    await controller.device('off', { status: 'DISABLED' });
    const { answer } = await controller.core.submit(submission(controller, {}));
    expect(answer.tasks.map(({ device_name }) => device_name)).toEqual(['fw-1']);
    expect(answer.skipped).toEqual([
      { device_name: 'off', reason: 'the device is disabled' },
      { device_name: 'old', reason: 'its agent does not support PING' },
    ]);
    const named = await controller.core
      .submit(submission(controller, { targets: { devices: ['old'] } }))
      .catch((error: AppError) => error);
    expect(named).toMatchObject({ code: 'task_type_not_supported' });
  });

  test('that leave nobody are refused', async () => {
    await using controller = await CoreUnderTest.start();
    await controller.device('off', { status: 'DISABLED' });
    expect((await refused(controller, {})).code).toBe('unresolved_targets');
  });
});

describe('a request', () => {
  test.each([
    [{ count: 0 }, /count/],
    [{ host: 'a b' }, /host/],
    [{ hots: 'a' }, /hots/],
    ['{', /JSON/],
    ['[]', /payload of PING/],
  ])('with parameters %o names what is wrong', async (payload, says) => {
    await using controller = await CoreUnderTest.start();
    await controller.device('fw-1');
    const error = await refused(controller, { payload: payload as Record<string, unknown> });
    expect(error.code).toBe('invalid_parameters');
    expect(error.message).toMatch(says);
  });

  test('whose order would not fit into a frame is too large', async () => {
    await using controller = await CoreUnderTest.start();
    await controller.device('fw-1');
    const quotes = '"'.repeat(256 * 1024); // each is four bytes in an order within a frame
    const error = await refused(controller, { type: 'SCRIPT', payload: { script: quotes } });
    expect(error).toMatchObject({ code: 'payload_too_large' });
    expect(error.message).toMatch(/^payload of SCRIPT is too large: \d+ bytes/);
  });

  test('takes parameters as text or object, and `target` for the host of a PING', async () => {
    await using controller = await CoreUnderTest.start();
    await controller.device('fw-1');
    for (const payload of [{ target: '10.0.0.1' }, '{"target":"10.0.0.1"}', { host: '10.0.0.1' }]) {
      const [code = ''] = await controller.submit(['fw-1'], { payload });
      expect(JSON.parse((await controller.task(code)).parameters)).toEqual({ host: '10.0.0.1', count: 4 });
    }
  });

  test.each([
    [-31_000, /in the past/],
    [400 * 86_400_000, /too far/],
  ])('for a time %i ms from now is refused', async (offset, says) => {
    await using controller = await CoreUnderTest.start();
    await controller.device('fw-1');
    const scheduled_at = new Date(controller.clock.now() + offset).toISOString();
    const error = await refused(controller, { scheduled_at });
    expect(error.code).toBe('bad_request');
    expect(error.message).toMatch(says);
  });

  test('for a moment just past means now', async () => {
    await using controller = await CoreUnderTest.start();
    await controller.device('fw-1');
    const scheduled_at = new Date(controller.clock.now() - 29_000).toISOString();
    const [code = ''] = await controller.submit(['fw-1'], { scheduled_at });
    expect(await controller.task(code)).toMatchObject({ status: 'PENDING', scheduledAt: null });
  });

  test('may override both clocks', async () => {
    await using controller = await CoreUnderTest.start();
    await controller.device('fw-1');
    const [code = ''] = await controller.submit(['fw-1'], { expires_in_seconds: 5, timeout_seconds: 7 });
    const now = controller.clock.now();
    expect(await controller.task(code)).toMatchObject({ expiresAt: now + 5_000, timeoutMs: 7_000 });
  });

  test('that is a dry run creates nothing', async () => {
    await using controller = await CoreUnderTest.start();
    await controller.device('fw-1');
    const { answer } = await controller.core.submit(submission(controller, { dry_run: true }));
    expect(answer).toMatchObject({ run: null, total: 1, tasks: [{ device_name: 'fw-1' }] });
    expect(await controller.eventTypes()).toEqual([]);
  });

  test('is in the audit log and in the events', async () => {
    await using controller = await CoreUnderTest.start();
    await controller.device('fw-1');
    await controller.submit(['fw-1']);
    expect(await controller.eventTypes()).toEqual(['run.created', 'task.created']);
    const filter = { organizationId: controller.organization.id };
    const { items } = await controller.store.audit.list(filter, { page: 1, perPage: 10 });
    expect(items).toMatchObject([{ action: 'run.create', actor: 'somebody@example.org' }]);
  });

  test('for 10,000 devices is one transaction, and quick', async () => {
    await using controller = await CoreUnderTest.start();
    await controller.store.transaction(async ({ devices }) => {
      for (let index = 0; index < 10_000; index += 1) {
        const name = `fw-${index}`;
        await devices.insert({
          id: name,
          organizationId: controller.organization.id,
          name,
          status: 'ENABLED',
          publicKey: name,
          labels: {},
          agentVersion: '0.1.0',
          createdAt: 0,
        });
      }
    });
    const before = performance.now();
    const { answer } = await controller.core.submit(submission(controller, {}));
    const tookMs = performance.now() - before;
    expect(answer.tasks).toHaveLength(10_000);
    // The aim is half a second on a quiet machine; a test machine is not.
    expect(tookMs).toBeLessThan(5_000);
  });
});

describe('an idempotency key', () => {
  const idempotency = { accountId: 'somebody', key: 'k1', requestDigest: 'd1', status: 202 };
  const withAccount = async () => {
    const controller = await CoreUnderTest.start();
    await controller.store.access.insertAccount({
      id: 'somebody',
      organizationId: controller.organization.id,
      email: 'somebody@example.org',
      name: 'Somebody',
      role: 'operator',
      createdAt: 0,
    });
    await controller.device('fw-1');
    return controller;
  };

  test('gives the same request the same answer, and creates once', async () => {
    await using controller = await withAccount();
    const submit = () => controller.core.submit(submission(controller, {}, { idempotency }));
    const first = await submit();
    const second = await submit();
    expect(first.replayed).toBe(false);
    expect(second).toEqual({ answer: first.answer, replayed: true });
    const together = await Promise.all([1, 2, 3].map(submit));
    expect(together.every(({ answer }) => answer.run === first.answer.run)).toBe(true);
  });

  test('refuses another request', async () => {
    await using controller = await withAccount();
    await controller.core.submit(submission(controller, {}, { idempotency }));
    const other = submission(controller, {}, { idempotency: { ...idempotency, requestDigest: 'd2' } });
    await expect(controller.core.submit(other)).rejects.toMatchObject({ code: 'idempotency_mismatch' });
  });
});

test('submissions that come together share a commit, and a refused one does not touch the others', async () => {
  await using controller = await CoreUnderTest.start();
  await controller.device('fw-1');
  const names = ['fw-1', 'missing', 'fw-1', '('];
  const outcomes = await Promise.allSettled(names.map((name) => controller.submit([name])));
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected']);
  const { total } = await controller.store.runs.list(controller.organization.id, { page: 1, perPage: 1 });
  expect(total).toBe(2);
});

test('a commit that fails is tried again for each alone', async () => {
  await using controller = await CoreUnderTest.start();
  await controller.device('fw-1');
  const { store } = controller;
  const transaction = store.transaction.bind(store);
  let failures = 0;
  store.transaction = (work) =>
    transaction(async (tables) => {
      const done = await work(tables);
      if (Array.isArray(done) && done.length > 1) {
        failures += 1;
        throw new Error('planted');
      }
      return done;
    });
  const codes = await Promise.all([1, 2, 3].map(() => controller.submit(['fw-1'])));
  expect(failures).toBe(1);
  expect(new Set(codes.flat()).size).toBe(3);
  const { total } = await store.runs.list(controller.organization.id, { page: 1, perPage: 1 });
  expect(total).toBe(3);
});
