import { expect, test } from 'vitest';
import { AgentUnderTest } from '../test/harness/agent-under-test.ts';

const code = 'aB3dE6gH';

test('runs an offered task after its start, and tells everything once and in order', async () => {
  await using agent = new AgentUnderTest();
  await agent.start();
  agent.controller.offer({ code, parameters: { script: 'echo one; echo two' } });
  await agent.clock.advance(1_000);

  expect(agent.controller.of(code).map(({ type }) => type)).toEqual([
    'task.accepted',
    'task.log',
    'task.log',
    'task.result',
  ]);
  expect(agent.controller.logs(code)).toEqual(['one', 'two']);
  expect(agent.controller.result(code)).toMatchObject({ outcome: 'COMPLETED', result: { exit_code: 0 } });
  expect(agent.core?.status()).toMatchObject({ state: 'online', tasks: [], outbox: { rows: 0 } });
});
