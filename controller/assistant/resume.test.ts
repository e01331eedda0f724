import { describe, expect, test } from 'vitest';
import { AssistantUnderTest, propose } from '../../test/harness/assistant-under-test.ts';
import type { ChatRequest, Reply } from '../../test/harness/chat-server.ts';
import { DyingStore } from '../../test/harness/dying-store.ts';
import { until } from '../../test/harness/until.ts';

/** What it says follows from what it is shown, not from how often it was asked. */
const proposesOnce = ({ messages }: ChatRequest): Reply =>
  messages.at(-1)?.role === 'tool' ? { text: 'Done.' } : propose('REBOOT', ['fw-1'], {}, 3);

describe('a run of a controller that stops', () => {
  test('is asked for again where its transcript ends', async () => {
    let isSilent = true;
    await using under = await AssistantUnderTest.start(({ messages }) => {
      if (messages.length === 2) return { calls: [['list_devices', {}]] };
      return isSilent ? 'silence' : { text: 'None.' };
    });
    const run = await under.ask('Which devices are there?');
    await until('the second step is asked', () => under.server.requests.length === 2, { everyMs: 2 });
    await under.controller.restart();
    isSilent = false;
    expect(await under.ended(run, { passMs: 1_000 })).toMatchObject({ answer: 'None.', steps: 2 });
    const roles = (await under.transcript(run)).map(({ role }) => role);
    expect(roles).toEqual(['system', 'user', 'assistant', 'tool', 'assistant']);
  });

  test('takes the answer that a person gave in between', async () => {
    await using under = await AssistantUnderTest.start(proposesOnce);
    await under.controller.device('fw-1');
    const run = await under.ask('Reboot fw-1.');
    const question = await under.question();
    await under.controller.restart();
    expect(await under.question()).toMatchObject({ id: question.id });
    await under.answer(question, 'approve');
    await under.controller.restart();
    await until('it was made', async () => (await under.runs()).length === 1, { everyMs: 5 });
    expect(await under.ended(run, { passMs: 30_000 })).toMatchObject({ answer: 'Done.' });
    expect(await under.runs()).toHaveLength(1);
  });
});

/** One run whose controller dies after so many commits, once; a person approves whatever is asked. Tells whether it died at all. */
async function dies(commits: number): Promise<{ died: boolean; runs: number; questions: number }> {
  await using under = await AssistantUnderTest.start(proposesOnce);
  const { controller } = under;
  await controller.device('fw-1');
  const dying = new DyingStore(controller.store, commits);
  const run = await under.ask('Reboot fw-1.', { timeout_seconds: 3_600 });
  under.more.store = dying.store;
  await controller.restart();
  let died = false;
  await until(
    `the run has ended, with a death after ${commits} commits`,
    async () => {
      if (dying.isDead && !died) {
        died = true;
        delete under.more.store;
        await controller.restart();
      }
      await controller.clock.advance(1_000);
      const [question] = await controller.core.questions.pending(controller.organization.id).catch(() => []);
      if (question) await under.answer(question, 'approve').catch(() => undefined);
      return (await under.row(run)).completedAt !== null;
    },
    { everyMs: 1, last: () => under.row(run) },
  );
  expect(await under.row(run)).toMatchObject({ status: 'completed', answer: 'Done.' });
  const { items } = await controller.store.questions.list(
    controller.organization.id,
    { runId: run },
    { page: 1, perPage: 10 },
  );
  return { died, runs: (await under.runs()).length, questions: items.length };
}

test('whenever the controller dies, an approved task is asked for once and made once', async () => {
  let last = { died: true, runs: 1, questions: 1 };
  let count = 0;
  for (let commits = 1; last.died && commits < 400; commits += 1) {
    last = await dies(commits);
    expect({ commits, runs: last.runs, questions: last.questions }).toEqual({
      commits,
      runs: 1,
      questions: 1,
    });
    count = commits;
  }
  expect(last.died).toBe(false);
  expect(count).toBeGreaterThan(20);
}, 120_000);
