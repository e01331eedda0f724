import { expect, test } from 'vitest';
import { z } from 'zod';
import { AgentUnderTest } from '../../test/harness/agent-under-test.ts';
import type { Report } from '../../shared/protocol/report.ts';
import { taskContract } from '../../shared/task-types/task-type.ts';
import { type AskWish, handle } from '../handlers/handler.ts';

const code = 'aB3dE6gH';
const wipe: AskWish = { prompt: 'Disk contains data. Wipe?', options: ['yes', 'no'], safe: 'no' };

/** An agent whose HEALTH_CHECK, which runs again after a crash, asks `wishes` one after the other and says what it got. */
async function asking(...wishes: AskWish[]) {
  const agent = new AgentUnderTest();
  const contract = taskContract({
    name: 'HEALTH_CHECK',
    summary: 'asks',
    parameters: z.object({}),
    result: z.object({ answers: z.array(z.string()) }),
  });
  agent.handlers = {
    HEALTH_CHECK: handle(contract, async (_parameters, { ask }) => {
      const answers: string[] = [];
      for (const wish of wishes) answers.push(await ask(wish));
      return { answers };
    }),
  };
  await agent.start();
  const offer = async (timeoutMs = 3_600_000) => {
    agent.controller.offer({ code, taskType: 'HEALTH_CHECK', parameters: {}, timeoutMs });
    await agent.rest();
  };
  const asked = () => rows(agent, 'task.question');
  const closed = () => rows(agent, 'task.question_closed');
  const answer = async (text: string | null, question = asked().at(-1)?.question ?? '') => {
    agent.controller.send({ type: 'question.answer', code, question, answer: text });
    await agent.rest();
  };
  return { agent, offer, asked, closed, answer, result: () => agent.controller.result(code) };
}

const rows = <Type extends Report['type']>(agent: AgentUnderTest, type: Type) =>
  agent.controller.of(code).filter((row): row is Extract<Report, { type: Type }> => row.type === type);

test('a question is reported once, and the task goes on with the answer', async () => {
  const { agent, offer, asked, closed, answer, result } = await asking(wipe);
  await using _end = agent;
  await offer();
  expect(asked()).toMatchObject([{ asked: { ...wipe, deadlineMs: 600_000 } }]);
  expect(asked()[0]?.expiresAt).toBe(agent.clock.now() + 600_000);
  await answer('yes');
  expect(closed()).toMatchObject([{ reason: 'person', answer: 'yes' }]);
  expect(result()).toMatchObject({ outcome: 'COMPLETED', result: { answers: ['yes'] } });
});

test('nobody answers: the safe option is taken at the deadline, although no controller is reached', async () => {
  const { agent, offer, closed, result } = await asking({ ...wipe, deadlineMs: 60_000 });
  await using _end = agent;
  await offer();
  agent.controller.refusal = new Error('away');
  agent.controller.cut();
  await agent.clock.advance(61_000);
  expect(agent.core?.status().tasks).toMatchObject([{ state: 'finished' }]);
  agent.controller.refusal = undefined;
  await agent.clock.advance(120_000);
  expect(closed()).toMatchObject([{ reason: 'deadline', answer: 'no' }]);
  expect(result()).toMatchObject({ outcome: 'COMPLETED', result: { answers: ['no'] } });
});

test('without a safe option the task fails at the deadline, and says why', async () => {
  const { agent, offer, closed, result } = await asking({ prompt: 'Go?', options: ['a', 'b'] });
  await using _end = agent;
  await offer();
  await agent.clock.advance(600_000);
  expect(closed()).toMatchObject([{ reason: 'deadline' }]);
  expect(closed()[0]).not.toHaveProperty('answer');
  expect(result()).toMatchObject({ outcome: 'FAILED', error: { code: 'unanswered' } });
});

test('the controller may say that the time is over before the device finds out itself', async () => {
  const { agent, offer, answer, result } = await asking(wipe);
  await using _end = agent;
  await offer();
  await answer(null);
  expect(result()).toMatchObject({ result: { answers: ['no'] } });
});

test('an answer that comes twice, after the deadline, or is no option, changes nothing', async () => {
  const { agent, offer, asked, closed, answer, result } = await asking(wipe, { ...wipe, prompt: 'Sure?' });
  await using _end = agent;
  await offer();
  await answer('perhaps');
  expect(closed()).toEqual([]);
  await answer('yes');
  await answer('no', asked()[0]?.question);
  expect(closed()).toHaveLength(1);
  await agent.clock.advance(600_000);
  await answer('yes');
  await answer('yes', '0197a3c0-5b1e-4c55-9d0e-000000000000');
  expect(closed()).toHaveLength(2);
  expect(result()).toMatchObject({ result: { answers: ['yes', 'no'] } });
});

test('a task that runs again after a crash goes on with its question, and with the answers it had', async () => {
  const { agent, offer, asked, answer, result } = await asking(wipe, wipe, { ...wipe, prompt: 'Sure?' });
  await using _end = agent;
  await offer();
  await agent.restart();
  expect(asked()).toHaveLength(1);
  await answer('yes');
  expect(asked()).toHaveLength(2); // the same words once more are another question
  await agent.restart();
  await agent.restart();
  expect(asked()).toHaveLength(2);
  await answer('no');
  await answer('yes');
  expect(asked()).toHaveLength(3);
  expect(result()).toMatchObject({ outcome: 'COMPLETED', result: { answers: ['yes', 'no', 'yes'] } });
});

test('the deadline goes on while the agent is down', async () => {
  const { agent, offer, closed } = await asking(wipe);
  await using _end = agent;
  await offer();
  await agent.crash();
  await agent.clock.advance(590_000);
  await agent.start();
  await agent.clock.advance(9_000);
  expect(closed()).toEqual([]);
  await agent.clock.advance(1_000);
  expect(closed()).toMatchObject([{ reason: 'deadline', answer: 'no' }]);
});

test('a question leaves a tenth of the time-out for acting on its answer', async () => {
  const { agent, offer, asked, result } = await asking(wipe);
  await using _end = agent;
  await offer(100_000);
  expect(asked()[0]?.asked.deadlineMs).toBe(90_000);
  await agent.clock.advance(90_000);
  expect(result()).toMatchObject({ outcome: 'COMPLETED' });
});

test('a cancelled task leaves its question, and nothing is taken', async () => {
  const { agent, offer, closed } = await asking(wipe);
  await using _end = agent;
  await offer();
  agent.controller.send({ type: 'task.cancel', code });
  await agent.rest();
  expect(agent.controller.of(code).at(-1)?.type).toBe('task.cancelled');
  expect(closed()).toEqual([]);
});

test('a task asks 16 questions at most, and none that is not one', async () => {
  const many = Array.from({ length: 17 }, (_, index) => ({
    ...wipe,
    prompt: `${index}?`,
    deadlineMs: 1_000,
  }));
  const { agent, offer, asked, result } = await asking(...many);
  await using _end = agent;
  await offer();
  await agent.clock.advance(17_000);
  expect(asked()).toHaveLength(16);
  expect(result()).toMatchObject({ outcome: 'FAILED', error: { code: 'too_many_questions' } });

  const other = await asking({ ...wipe, options: ['yes', 'yes'] });
  await using _other = other.agent;
  await other.offer();
  expect(other.result()).toMatchObject({ outcome: 'FAILED', error: { code: 'bad_question' } });
});

test('with a controller that knows no questions the deadline decides', async () => {
  const { agent, offer, asked, result } = await asking(wipe);
  await using _end = agent;
  agent.controller.protocol = 1;
  agent.controller.cut();
  await agent.clock.advance(10_000);
  await offer();
  await agent.clock.advance(600_000);
  expect(asked()).toEqual([]);
  expect(result()).toMatchObject({ outcome: 'COMPLETED', result: { answers: ['no'] } });
});

test('a script asks, and ends as it decides itself when nobody answers', async () => {
  const agent = new AgentUnderTest();
  await using _end = agent;
  await agent.start();
  agent.controller.offer({ code, parameters: { script: 'ask Wipe? yes no; echo done' } });
  await agent.rest();
  const [question] = rows(agent, 'task.question');
  agent.controller.send({ type: 'question.answer', code, question: question?.question ?? '', answer: 'yes' });
  await agent.clock.advance(1_000);
  expect(agent.controller.logs(code)).toEqual(['yes', 'done']);

  const second = 'aB3dE6gI';
  agent.controller.offer({ code: second, parameters: { script: 'ask Wipe? yes no' } });
  await agent.clock.advance(600_000);
  expect(agent.controller.result(second)).toMatchObject({
    error: { code: 'exit_code' },
    result: { exit_code: 3 },
  });
});

test('a script that dies with its agent is not asked about any more', async () => {
  const agent = new AgentUnderTest();
  await using _end = agent;
  await agent.start();
  agent.controller.offer({ code, parameters: { script: 'ask Wipe? yes no' } });
  await agent.rest();
  await agent.restart();
  expect(agent.controller.result(code)).toMatchObject({ outcome: 'FAILED', error: { code: 'interrupted' } });
});
