import pino from 'pino';
import { expect, test } from 'vitest';
import type { ServiceManager } from '../shared/node/service-manager.ts';
import { TestClock } from '../test/harness/test-clock.ts';
import { until } from '../test/harness/until.ts';
import { LinkStatus } from './loops/status.ts';
import { feedWatchdog } from './watchdog.ts';

function watched(isAlive: () => boolean, watchdogMs: number | undefined = 90_000) {
  const clock = new TestClock();
  const told: string[] = [];
  const tell = (what: string) => async () => void told.push(what);
  const manager: ServiceManager = {
    watchdogMs,
    ready: tell('ready'),
    alive: tell('alive'),
    stopping: tell('stopping'),
  };
  const over = new AbortController();
  const ended = feedWatchdog({ manager, clock, log: pino({ level: 'silent' }), isAlive }, over.signal);
  return { clock, told, stop: () => (over.abort(), ended) };
}

test('is ready once, and alive at a third of the time allowed', async () => {
  const { clock, told, stop } = watched(() => true);
  await until('told', () => told.length === 2);
  await clock.advance(30_000);
  await clock.advance(30_000);
  await stop();
  expect(told).toEqual(['ready', 'alive', 'alive', 'alive', 'stopping']);
});

test.each([
  ['hangs', () => false],
  [
    'cannot write',
    () => {
      throw new Error('disk I/O error');
    },
  ],
])('an agent that %s is not fed', async (_what, isAlive) => {
  const { clock, told, stop } = watched(isAlive);
  await clock.advance(30_000);
  await stop();
  expect(told).toEqual(['ready', 'stopping']);
});

test('a link that does not do what it was about to do hangs', async () => {
  const clock = new TestClock();
  const status = new LinkStatus(clock);
  status.movesWithin(25_000);
  await clock.advance(85_000);
  expect(status.isMoving).toBe(true);
  await clock.advance(1);
  expect(status.isMoving).toBe(false);
  status.movesWithin(3_600_000); // told to come back in an hour
  await clock.advance(3_600_000);
  expect(status.isMoving).toBe(true);
});
