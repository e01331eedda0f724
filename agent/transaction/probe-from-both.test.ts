import { expect, test } from 'vitest';
import type { ProbeAttempt } from '../../shared/task-types/sync.ts';
import { DummyClock } from '../system/dummy/clock.ts';
import { probeFromBoth } from './probe-from-both.ts';

const good: ProbeAttempt = { at: 0, ok: true, phase: 'done', duration_ms: 3 };
const bad: ProbeAttempt = { at: 0, ok: false, phase: 'tcp', duration_ms: 5, error: 'dropped' };
const address = { host: 'hub', port: 7443 };
const { signal } = new AbortController();

test.each([
  ['both get through', good, good, true],
  ['only the agent does not', good, bad, false],
  ['only this process does not', bad, good, false],
])('reached or not, when %s', async (_what, own, agents, ok) => {
  const probe = probeFromBoth({ address, attempt: async () => own }, async () => agents, new DummyClock());
  expect(await probe.attempt('first', 1_000, signal)).toMatchObject({ ok });
});

test('says whose connection failed', async () => {
  const probe = probeFromBoth({ address, attempt: async () => good }, async () => bad, new DummyClock());
  expect(await probe.attempt('first', 1_000, signal)).toMatchObject({
    phase: 'tcp',
    error: "from the agent's own process: dropped",
  });
});

test('an agent that does not answer, or cannot, is not reached; a wish to stop ends the question', async () => {
  const clock = new DummyClock();
  const never = new Promise<ProbeAttempt>(() => {});
  const hanging = probeFromBoth({ address, attempt: async () => good }, () => never, clock);
  expect(await clock.through(hanging.attempt('first', 1_000, signal))).toMatchObject({
    ok: false,
    error: "from the agent's own process: it does not answer",
  });
  const gone = probeFromBoth(
    { address, attempt: async () => good },
    () => Promise.reject(new Error('its socket is closed')),
    clock,
  );
  expect(await gone.attempt('first', 1_000, signal)).toMatchObject({ ok: false });

  const stop = new AbortController();
  const asked = hanging.attempt('first', 1_000, stop.signal);
  stop.abort(new Error('cancelled'));
  await expect(asked).rejects.toThrow('cancelled');
});
