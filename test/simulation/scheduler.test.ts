import { expect, test } from 'vitest';
import { Process, WallClock } from './process.ts';
import { Scheduler } from './scheduler.ts';

test('runs events in order of time, then of their making, and lets microtasks settle in between', async () => {
  const scheduler = new Scheduler();
  const seen: string[] = [];
  scheduler.after(20, () => seen.push('late'));
  scheduler.after(10, () => {
    seen.push('first');
    void Promise.resolve()
      .then(() => Promise.resolve())
      .then(() => seen.push('its microtasks'));
  });
  scheduler.after(10, () => seen.push('second'));

  await scheduler.run(100);
  expect(seen).toEqual(['first', 'its microtasks', 'second', 'late']);
  expect(scheduler.now).toBe(100);
});

test('a sleep takes its time whatever the wall clock does, and never ends in a dead process', async () => {
  const scheduler = new Scheduler();
  const wall = new WallClock(scheduler, 1_000_000);
  const [living, dead] = [new Process('living', scheduler, wall), new Process('dead', scheduler, wall)];
  const woken: string[] = [];
  void living.clock.sleep(50).then(() => woken.push(`living at ${living.clock.now()}`));
  void dead.clock.sleep(50).then(() => woken.push('dead'));
  wall.offsetMs = -500_000;
  dead.die();

  await scheduler.run(49);
  expect(woken).toEqual([]);
  await scheduler.run(60);
  expect(woken).toEqual(['living at 500050']);
});

test('an aborted sleep rejects with the reason of its signal', async () => {
  const scheduler = new Scheduler();
  const { clock } = new Process('one', scheduler, new WallClock(scheduler, 0));
  const abort = new AbortController();
  const sleep = clock.sleep(50, abort.signal);
  abort.abort(new Error('enough'));

  await expect(sleep).rejects.toThrow('enough');
});
