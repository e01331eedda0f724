import { expect, test } from 'vitest';
import { CoreUnderTest } from '../../test/harness/core-under-test.ts';
import type { ScriptedDevice } from '../../test/harness/scripted-device.ts';
import { until } from '../../test/harness/until.ts';

const question = '0197a3c0-5b1e-4c55-9d0e-111111111111';
const asked = { prompt: 'Wipe?', options: ['yes', 'no'], safe: 'no', deadlineMs: 600_000 };
const protocol = { min: 1, max: 2 };

/** A device that runs a script which asks. */
async function asking(more: { timeout_seconds?: number } = {}) {
  const controller = await CoreUnderTest.start();
  const id = await controller.device('fw-1');
  const device = await controller.connect(id, { protocol });
  const [code = ''] = await controller.submit(['fw-1'], {
    type: 'SCRIPT',
    payload: { argv: ['true'] },
    ...more,
  });
  await device.next('task.offer');
  device.accept(code);
  await device.next('task.start');
  const ask = async (values: { expiresAt?: number; question?: string } = {}) => {
    device.report({
      type: 'task.question',
      code,
      question,
      asked,
      expiresAt: controller.clock.now() + 600_000,
      ...values,
    });
    await state((row) => row !== undefined, values.question);
  };
  const get = (one = question) => controller.store.questions.get(controller.organization.id, one);
  const state = (is: (row: Awaited<ReturnType<typeof get>>) => boolean, one = question) =>
    until('the question is as expected', async () => is(await get(one)), { everyMs: 2 });
  const answer = (option: string) => controller.core.questions.answer(controller.actor, question, option);
  const again = (connection: number, lastSeq = device.seq) =>
    controller.connect(id, {
      protocol,
      connection,
      lastSeq,
      tasks: [{ code, attempt: 1, state: 'running' }],
    });
  return { controller, device, code, ask, get, state, answer, again };
}

const answers = (device: ScriptedDevice) =>
  device.received.flatMap((message) => (message.type === 'question.answer' ? [message.answer] : []));

test('an answer is sent at once, again after a new hello, and no more when the device has taken it', async () => {
  const { controller, device, code, ask, get, state, answer, again } = await asking();
  await using _end = controller;
  await ask();
  expect(await get()).toMatchObject({ state: 'pending', taskCode: code, deviceName: 'fw-1' });
  await answer('yes');
  expect(await device.next('question.answer')).toEqual({
    type: 'question.answer',
    code,
    question,
    answer: 'yes',
  });

  const second = await again(2);
  expect(await second.next('question.answer')).toMatchObject({ answer: 'yes' });
  second.seq = device.seq;
  second.report({ type: 'task.question_closed', code, question, reason: 'person', answer: 'yes' });
  await state((row) => row?.takenAt !== null);
  const third = await again(3, second.seq);
  await controller.clock.advance(31_000);
  expect(answers(third)).toEqual([]);
  expect(await get()).toMatchObject({ state: 'answered', answer: 'yes', takenAnswer: 'yes' });
});

test('an answer that was lost is sent again after a while', async () => {
  const { controller, device, ask, answer } = await asking();
  await using _end = controller;
  await ask();
  await answer('yes');
  await device.next('question.answer');
  await controller.clock.advance(31_000);
  await until('it came again', () => answers(device).length > 1, { everyMs: 2 });
});

test('an answer outlives the controller that took it', async () => {
  const { controller, ask, answer, again } = await asking();
  await using _end = controller;
  await ask();
  await answer('no');
  await controller.restart();
  const device = await again(2);
  expect(await device.next('question.answer')).toMatchObject({ answer: 'no' });
});

test('at the deadline the device is told that nobody answered', async () => {
  const { controller, device, ask, get, answer } = await asking();
  await using _end = controller;
  await ask();
  await controller.clock.advance(600_000);
  expect(await device.next('question.answer')).toMatchObject({ answer: null });
  expect(await get()).toMatchObject({ state: 'expired', takenAt: null });
  await expect(answer('yes')).rejects.toMatchObject({ code: 'conflict' });
});

test('a wrong clock of the device makes the deadline no later than the device means it', async () => {
  const { controller, ask, get } = await asking();
  await using _end = controller;
  await ask({ expiresAt: Number.MAX_SAFE_INTEGER });
  const now = controller.clock.now();
  expect((await get())?.expiresAt).toBeLessThanOrEqual(now + 600_000);
  const other = '0197a3c0-5b1e-4c55-9d0e-222222222222';
  await ask({ question: other, expiresAt: -5 });
  expect((await get(other))?.expiresAt).toBeLessThanOrEqual(now);
});

test('a device that took its own decision before the answer arrived is told so beside the answer', async () => {
  const { controller, device, code, ask, get, state, answer } = await asking();
  await using _end = controller;
  await ask();
  await answer('yes');
  device.report({ type: 'task.question_closed', code, question, reason: 'deadline', answer: 'no' });
  await state((row) => row?.takenAt !== null);
  expect(await get()).toMatchObject({
    state: 'answered',
    answer: 'yes',
    answeredBy: 'somebody@example.org',
    takenAnswer: 'no',
    takenReason: 'deadline',
  });
});

test('question, decision and end that arrive together are all told', async () => {
  const { controller, device, code, get } = await asking();
  await using _end = controller;
  device.report(
    { type: 'task.question', code, question, asked, expiresAt: 0 },
    { type: 'task.question_closed', code, question, reason: 'deadline', answer: 'no' },
    { type: 'task.result', code, attempt: 1, outcome: 'COMPLETED', result: {} },
  );
  await controller.reaches(code, 'COMPLETED');
  expect(await get()).toMatchObject({ state: 'expired', takenAnswer: 'no' });
  const types = await controller.eventTypes(code);
  expect(types.slice(types.indexOf('question.asked'))).toEqual([
    'question.asked',
    'question.expired',
    'question.taken',
    'task.completed',
  ]);
});

test.each(['end', 'cancel request', 'time-out', 'loss', 'removal'])(
  'the %s of its task withdraws a question, in the same commit',
  async (what) => {
    const { controller, device, code, ask, get, state, answer } = await asking({ timeout_seconds: 60 });
    await using _end = controller;
    await ask();
    const { core, actor, clock } = controller;
    if (what === 'end') device.complete(code);
    if (what === 'cancel request') await core.cancelTask(actor, code, { request: true });
    if (what === 'time-out') await clock.advance(300_000);
    if (what === 'loss')
      await controller.connect(device.id, { protocol, connection: 2, lastSeq: device.seq });
    if (what === 'removal') await core.devices.remove(actor, 'fw-1');
    await state((row) => row?.state !== 'pending');
    expect(await get()).toMatchObject({ state: 'withdrawn', answer: null });
    await expect(answer('yes')).rejects.toMatchObject({ code: 'conflict' });
  },
);

test('an agent of version 1 works as before', async () => {
  await using controller = await CoreUnderTest.start();
  const id = await controller.device('fw-1');
  const device = controller.link(id);
  device.hello({ protocol: { min: 1, max: 1 } });
  expect(await device.next('welcome')).toMatchObject({ protocol: 1 });
  const [code = ''] = await controller.submit(['fw-1']);
  await device.next('task.offer');
  device.accept(code);
  await device.next('task.start');
  device.complete(code, { round_trip_ms: 1 });
  await controller.reaches(code, 'COMPLETED');
});
