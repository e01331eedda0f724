import { describe, expect, test } from 'vitest';
import { AssistantUnderTest } from '../../test/harness/assistant-under-test.ts';
import { CoreUnderTest } from '../../test/harness/core-under-test.ts';
import { until } from '../../test/harness/until.ts';
import { runStatus } from '../tasks/runs.ts';

const minute = 60_000;
const task = { kind: 'AGENT_TASK' as const, request: { prompt: 'What is new?', max_steps: 5 } };
const schedule = { name: 'news', cron: '* * * * *', scheduled_tasks: [task] };

async function runsOf(controller: CoreUnderTest) {
  const page = { page: 1, perPage: 100 };
  const { items } = await controller.store.runs.list(controller.organization.id, page);
  return items.map((row) => ({ ...row, status: runStatus(row) }));
}

async function firings(controller: CoreUnderTest) {
  const { id } = await controller.core.schedules.get(controller.organization.id, 'news');
  return (await controller.store.schedules.firings(id, { page: 1, perPage: 10 })).items;
}

describe('an agent task of a schedule', () => {
  test('is worked on when its time comes', async () => {
    await using under = await AssistantUnderTest.start(() => ({ text: 'Nothing.' }));
    const { controller } = under;
    await controller.core.schedules.create(controller.actor, schedule);
    await controller.clock.advance(minute);
    const [run] = await runsOf(controller);
    expect(run).toMatchObject({
      type: 'AGENT_TASK',
      trigger: 'schedule',
      schedule: { name: 'news' },
      createdBy: 'schedule news',
      retries: null,
    });
    expect(await under.ended(run?.id ?? '')).toMatchObject({ answer: 'Nothing.', maxSteps: 5 });
  });

  test('does not fire while the one before is worked on', async () => {
    await using under = await AssistantUnderTest.start(() => 'silence');
    const { controller } = under;
    await controller.core.schedules.create(controller.actor, schedule);
    await controller.clock.advance(minute);
    await until('it is asked', () => under.server.requests.length === 1, { everyMs: 2 });
    await controller.clock.advance(minute);
    expect(await firings(controller)).toMatchObject([
      { outcome: 'skipped', reason: 'overlap: a run of it is still open' },
      { outcome: 'fired' },
    ]);
    const [run] = await runsOf(controller);
    await controller.core.cancelRun(controller.actor, run?.id ?? '', { request: false });
    await controller.clock.advance(minute);
    expect((await firings(controller))[0]).toMatchObject({ outcome: 'fired' });
  });

  test('needs a zone that is none of devices', async () => {
    await using under = await AssistantUnderTest.start([]);
    const { controller } = under;
    await controller.device('fw-1');
    await controller.core.schedules.create(controller.actor, { ...schedule, timezone: 'device' });
    await controller.clock.advance(minute);
    expect(await firings(controller)).toMatchObject([
      { outcome: 'skipped', reason: expect.stringContaining('expected an IANA name') },
    ]);
  });

  test('is tried again by nobody: it is asked anew', async () => {
    await using under = await AssistantUnderTest.start(() => ({ status: 400 }));
    const { controller } = under;
    const run = await under.ask('What is new?');
    expect(await under.ended(run)).toMatchObject({ errorCode: 'model_refused' });
    const { actor, organization } = controller;
    const again = controller.core.retryRun({ actor, organization }, { run, only: ['FAILED'] });
    await expect(again).rejects.toMatchObject({ code: 'conflict' });
  });
});

describe('without a model', () => {
  test('a schedule cannot be given an agent task', async () => {
    await using controller = await CoreUnderTest.start();
    const made = controller.core.schedules.create(controller.actor, schedule);
    await expect(made).rejects.toMatchObject({ code: 'assistant_not_configured' });
    await expect(made).rejects.toThrow(/No model is configured/);
  });

  test('a firing is a run that failed and says why', async () => {
    const under = await AssistantUnderTest.start([]);
    await using controller = under.controller;
    await controller.core.schedules.create(controller.actor, schedule);
    delete under.more.assistant;
    await controller.restart();
    await controller.clock.advance(minute);
    const [run] = await runsOf(controller);
    expect(run).toMatchObject({ type: 'AGENT_TASK', status: 'FAILED' });
    expect(await under.row(run?.id ?? '')).toMatchObject({
      errorCode: 'assistant_not_configured',
      errorMessage: expect.stringContaining('No model is configured'),
    });
    await under.server[Symbol.asyncDispose]();
  });
});
