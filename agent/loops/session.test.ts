import { expect, test } from 'vitest';
import { AgentUnderTest } from '../../test/harness/agent-under-test.ts';
import { ControllerKeys } from '../../shared/node/controller-keys.ts';
import { signKeyChange } from '../../shared/node/key-change.ts';
import { generateKeyPair, keyFingerprint, type KeyPair } from '../../shared/node/keys.ts';
import type { SignedKeyChange } from '../../shared/protocol/key-change.ts';

const code = 'aB3dE6gH';

/** An agent that keeps what it learns of the controller's key; `save` may fail. */
function agentThatLearns(save: (changes: SignedKeyChange[]) => void = () => undefined): AgentUnderTest {
  const agent = new AgentUnderTest();
  agent.more = {
    controllerKeys: new ControllerKeys({
      controllerId: 'c',
      pinned: agent.controller.keys.publicKey,
      now: () => agent.clock.now(),
      save,
    }),
  };
  return agent;
}

function changed(agent: AgentUnderTest, next: KeyPair, overlapMs: number): SignedKeyChange {
  const { keys: old } = agent.controller;
  const named = { old: old.publicKey, next: next.publicKey, old_until: agent.clock.now() + overlapMs };
  return signKeyChange({ purpose: 'controller-key', controller: 'c', ...named } as typeof named, {
    old,
    next,
  });
}

test('learns of a new key of the controller with the welcome, obeys both, and says so in the next hello', async () => {
  await using agent = agentThatLearns();
  const { controller } = agent;
  const next = generateKeyPair();
  controller.keyNews = { keyChanges: [changed(agent, next, 600_000)] };
  await agent.start();
  expect(controller.hellos[0]?.controllerKey).toBe(keyFingerprint(controller.keys.publicKey));

  controller.offer({ code, parameters: { script: 'echo one' } }, next);
  await agent.clock.advance(1_000);
  expect(controller.result(code)).toMatchObject({ outcome: 'COMPLETED' });
  controller.offer({ code: 'bB3dE6gH', parameters: { script: 'echo two' } });
  await agent.clock.advance(1_000);
  expect(controller.result('bB3dE6gH')).toMatchObject({ outcome: 'COMPLETED' });

  controller.cut();
  await agent.clock.advance(2_000);
  expect(controller.hellos[1]?.controllerKey).toBe(keyFingerprint(next.publicKey));
});

test('refuses what the old key signed once its time is over', async () => {
  await using agent = agentThatLearns();
  const { controller } = agent;
  controller.keyNews = { keyChanges: [changed(agent, generateKeyPair(), 5_000)] };
  await agent.start();
  await agent.clock.advance(5_000);
  controller.offer({ code });
  await agent.clock.advance(1_000);
  expect(controller.received).toContainEqual(
    expect.objectContaining({ type: 'task.refused', code, reason: 'bad_signature' }),
  );
});

test('a new key that cannot be kept ends the link before anything is refused, and is learned over the next one', async () => {
  let full = true;
  await using agent = agentThatLearns(() => {
    if (full) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
  });
  const { controller } = agent;
  const next = generateKeyPair();
  controller.keyNews = { keyChanges: [changed(agent, next, 600_000)] };
  await agent.start();
  controller.offer({ code }, next);
  await agent.rest();
  expect(controller.received.filter(({ type }) => type === 'task.refused')).toEqual([]);

  full = false;
  await agent.clock.advance(60_000);
  controller.offer({ code }, next);
  await agent.clock.advance(1_000);
  expect(controller.result(code)).toMatchObject({ outcome: 'COMPLETED' });
});

/** Counts the rotations that were asked for; the first ones fail. */
function rotating(failures: number, isDue = false) {
  let asked = 0;
  const keyRotation = {
    isDue: () => isDue && asked === 0,
    rotate: async () => {
      asked += 1;
      return asked > failures;
    },
  };
  return { keyRotation, asked: () => asked };
}

test('makes a new key when it is told to, trying again until it has one, and dials anew with it', async () => {
  await using agent = new AgentUnderTest();
  const { keyRotation, asked } = rotating(2);
  agent.more = { keyRotation };
  agent.controller.keyNews = { rotateKey: true };
  await agent.start();
  expect(asked()).toBe(1);
  await agent.clock.advance(300_000);
  expect([asked(), agent.controller.hellos.length]).toEqual([2, 1]);

  await agent.clock.advance(300_000);
  agent.controller.keyNews = {};
  await agent.clock.advance(2_000);
  expect([asked(), agent.controller.hellos.length]).toEqual([3, 2]);
});

test('makes a new key by itself when the one it has is too old', async () => {
  await using agent = new AgentUnderTest();
  const { keyRotation, asked } = rotating(0, true);
  agent.more = { keyRotation };
  await agent.start();
  await agent.clock.advance(60_000);
  expect([asked(), agent.controller.hellos.length]).toEqual([1, 2]);
});

test('waits with a new key until no task runs that may have signed something with the old one', async () => {
  await using agent = new AgentUnderTest();
  const { keyRotation, asked } = rotating(0);
  agent.more = { keyRotation };
  await agent.start();
  agent.controller.offer({ code, parameters: { script: 'sleep 30' } });
  await agent.rest();
  agent.controller.keyNews = { rotateKey: true };
  agent.controller.cut();
  await agent.clock.advance(20_000);
  expect(asked()).toBe(0);
  agent.controller.keyNews = {};
  await agent.clock.advance(30_000);
  expect(asked()).toBe(1);
});
