import { expect, test } from 'vitest';
import { silentLogger } from '../shared/node/logger.ts';
import { AgentUnderTest } from '../test/harness/agent-under-test.ts';
import { handlers } from './handlers/registry.ts';
import { renewWhenComplete } from './renew-when-complete.ts';

const code = 'aB3dE6gH';

/** A life without the handler of REBOOT; `renewals` counts how often it was to end. */
async function partialLife(agent: AgentUnderTest) {
  const { REBOOT: _, ...rest } = handlers;
  agent.handlers = rest;
  agent.more = { isPartial: true };
  await agent.restart();
  const back = Promise.withResolvers<void>();
  const life = new AbortController();
  let renewals = 0;
  const renewed = renewWhenComplete(
    {
      core: agent.core ?? expect.unreachable(),
      runnable: { handlers: rest },
      clock: agent.clock,
      log: silentLogger(),
      untilComplete: () => back.promise,
      renew: () => (renewals += 1),
    },
    life.signal,
  );
  return { back: back.resolve, life, renewed, renewals: () => renewals };
}

test('a REBOOT that runs is left while its handler is away, and the next life proves it', async () => {
  await using agent = new AgentUnderTest();
  await agent.start();
  agent.machine.power.effectAfterMs = 60_000;
  agent.controller.offer({ code, taskType: 'REBOOT', parameters: {} });
  await agent.rest();
  agent.machine.power.powerCut();
  const { back, renewed, renewals } = await partialLife(agent);
  expect(agent.core?.status().tasks).toMatchObject([{ code, state: 'running' }]);
  expect(renewals()).toBe(0);

  back();
  await renewed;
  expect(renewals()).toBe(1);
  agent.handlers = undefined;
  agent.more = {};
  await agent.restart();
  expect(agent.controller.result(code)).toMatchObject({ outcome: 'COMPLETED' });
  expect(agent.machine.power.calls).toHaveLength(1);
});

test('what is accepted is not started while its handler is away', async () => {
  await using agent = new AgentUnderTest();
  await agent.start();
  agent.controller.startsAccepted = false;
  agent.controller.offer({ code, taskType: 'REBOOT', parameters: {} });
  await agent.rest();
  const { life } = await partialLife(agent);
  agent.controller.send({ type: 'task.start', codes: [code] });
  await agent.rest();
  expect(agent.core?.status().tasks).toMatchObject([{ code, state: 'accepted' }]);
  expect(agent.machine.power.calls).toEqual([]);
  life.abort(new Error('over'));
});

test('a life is renewed when nothing runs any more', async () => {
  await using agent = new AgentUnderTest();
  const { back, renewed, renewals } = await partialLife(agent);
  agent.controller.offer({ code, parameters: { script: 'sleep 20' } });
  await agent.rest();
  back();
  await agent.clock.advance(10_000);
  expect(renewals()).toBe(0);
  await agent.clock.advance(15_000);
  await renewed;
  expect(renewals()).toBe(1);
});
