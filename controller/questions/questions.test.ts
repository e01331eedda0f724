import { expect, test } from 'vitest';
import { ApiUnderTest } from '../../test/harness/api.ts';
import { until } from '../../test/harness/until.ts';

const root = '/api/v1/organizations/default/questions';
const runId = '0197a3c0-5b1e-4c55-9d0e-111111111111';

async function asking(values: { deadlineMs?: number; safe?: string | null } = {}) {
  const api = await ApiUnderTest.start();
  const organizationId = api.admin.organization.id;
  const ask = (more: typeof values = {}) =>
    api.core.questions.ask({
      organizationId,
      runId,
      taskId: null,
      prompt: 'Go on?',
      options: ['yes', 'no'],
      safe: 'no',
      deadlineMs: 600_000,
      ...values,
      ...more,
    });
  const answer = (id: string, text: string) =>
    api.call('POST', `${root}/${id}/answer`, { body: { answer: text } });
  const settled = (id: string) => api.core.questions.settled(organizationId, id, AbortSignal.timeout(20_000));
  return { api, organizationId, ask, answer, settled };
}

test('a question waits until a person answers, once, with an option of it', async () => {
  const { api, organizationId, ask, answer, settled } = await asking();
  await using _end = api;
  const { id } = await ask();
  expect(await api.core.questions.pending(organizationId)).toMatchObject([{ id, state: 'pending' }]);
  expect(await answer(id, 'perhaps')).toMatchObject({
    status: 400,
    body: { error: `"perhaps" is not an option of question ${id}: expected "yes" or "no"` },
  });
  expect((await answer('0197a3c0-5b1e-4c55-9d0e-222222222222', 'yes')).status).toBe(404);

  const waiting = settled(id);
  expect(await answer(id, 'yes')).toMatchObject({ status: 200, body: { state: 'answered', answer: 'yes' } });
  expect(await waiting).toMatchObject({
    state: 'answered',
    answer: 'yes',
    answeredBy: api.admin.account.email,
  });
  expect(await answer(id, 'no')).toMatchObject({
    status: 409,
    body: { error: `Question ${id} was answered before, with "yes" by ${api.admin.account.email}` },
  });
  expect(await api.core.questions.pending(organizationId)).toEqual([]);
});

test('the deadline ends it, and who waits hears of it', async () => {
  const { api, ask, answer, settled } = await asking({ deadlineMs: 1 });
  await using _end = api;
  api.run();
  const { id } = await ask();
  expect(await settled(id)).toMatchObject({ state: 'expired', safe: 'no', answer: null });
  expect((await answer(id, 'yes')).status).toBe(409);
});

test('a question is withdrawn with its run', async () => {
  const { api, ask, answer, settled } = await asking();
  await using _end = api;
  const { id } = await ask();
  const waiting = settled(id);
  await api.core.questions.withdraw({ runId });
  expect(await waiting).toMatchObject({ state: 'withdrawn' });
  expect(await answer(id, 'yes')).toMatchObject({ status: 409, body: { code: 'conflict' } });
});

test('who stops waiting leaves the question as it is', async () => {
  const { api, organizationId, ask } = await asking();
  await using _end = api;
  const { id } = await ask();
  const stop = new AbortController();
  const waiting = api.core.questions.settled(organizationId, id, stop.signal);
  stop.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
  expect(await api.core.questions.get(organizationId, id)).toMatchObject({ state: 'pending' });
});

test('what cannot be asked is refused, and says what is wrong', async () => {
  const { api, ask } = await asking();
  await using _end = api;
  await expect(ask({ safe: 'later' })).rejects.toMatchObject({ code: 'bad_request' });
  await expect(ask({ deadlineMs: 0 })).rejects.toMatchObject({ code: 'bad_request' });
});

test('asking, answering and expiring are events; the answer is in the audit log', async () => {
  const { api, organizationId, ask, answer } = await asking();
  await using _end = api;
  api.run();
  const { id } = await ask();
  await answer(id, 'yes');
  const { id: other } = await ask({ deadlineMs: 1 });
  const told = async () => {
    const events = await api.store.events.read({ organizationId }, 0, 100);
    return events.flatMap(({ type, data }) =>
      type.startsWith('question.') ? [[type, data['question']]] : [],
    );
  };
  await until('it expired', async () => (await told()).length === 4);
  expect(await told()).toEqual([
    ['question.asked', id],
    ['question.answered', id],
    ['question.asked', other],
    ['question.expired', other],
  ]);
  const { items } = await api.store.audit.list(
    { organizationId, action: 'question.answer' },
    { page: 1, perPage: 5 },
  );
  expect(items).toMatchObject([{ actor: api.admin.account.email, target: runId, detail: { answer: 'yes' } }]);
});
