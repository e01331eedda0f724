import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { bootIdFile } from './boot-id-storage.ts';
import { DummyClock } from './clock.ts';
import { DummyMachine } from './machine.ts';
import type { PowerHooks } from './power.ts';
import { dummyRandom } from './random.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function machine(hooks: PowerHooks = {}, seed = 1) {
  const clock = new DummyClock();
  return { clock, machine: new DummyMachine({ clock, random: dummyRandom(seed), hooks }) };
}

const never = new AbortController().signal;

test('a reboot is accepted first, then changes the boot id and tells the hook', async () => {
  const told: string[] = [];
  const { clock, machine: dummy } = machine({ onReboot: () => told.push(dummy.bootId) });
  dummy.power.effectAfterMs = 3000;
  const before = dummy.bootId;

  await dummy.power.reboot();
  await clock.advance(2999);
  expect([dummy.bootId, told]).toEqual([before, []]);

  await clock.advance(1);
  expect(dummy.bootId).not.toBe(before);
  expect(told).toEqual([dummy.bootId]);
});

test('restarting the agent keeps the boot id', async () => {
  let restarted = 0;
  const { clock, machine: dummy } = machine({ onRestartAgent: () => (restarted += 1) });
  const before = dummy.bootId;
  await dummy.power.restartAgent();
  await clock.advance(0);
  expect([dummy.bootId, restarted]).toEqual([before, 1]);
});

test('a verb can be ignored or refused, and is counted all the same', async () => {
  const { clock, machine: dummy } = machine({ onReboot: () => expect.unreachable() });
  const before = dummy.bootId;
  dummy.power.ignored.add('reboot');
  dummy.power.failing.set('powerOff', new Error('no'));
  await dummy.power.reboot();
  await expect(dummy.power.powerOff()).rejects.toThrow('no');
  await clock.advance(1000);
  expect(dummy.bootId).toBe(before);
  expect(dummy.power.calls.map(({ verb }) => verb)).toEqual(['reboot', 'powerOff']);
});

test('the boot id survives a killed process in its file, and a power-off changes what the next process finds', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'muster-dummy-'));
  folders.push(folder);
  const storage = bootIdFile(join(folder, 'boot-id'));
  const start = (seed: number) => {
    const clock = new DummyClock();
    return { clock, machine: new DummyMachine({ clock, random: dummyRandom(seed), storage }) };
  };

  const first = start(1);
  const killed = start(2);
  expect(killed.machine.bootId).toBe(first.machine.bootId);

  await killed.machine.power.powerOff();
  await killed.clock.advance(0);
  const next = start(3);
  expect(next.machine.bootId).not.toBe(first.machine.bootId);
  expect(next.machine.bootId).toBe(killed.machine.bootId);
});

test('the same seed gives the same machine', () => {
  expect(machine({}, 7).machine.bootId).toBe(machine({}, 7).machine.bootId);
  expect(machine({}, 7).machine.bootId).toMatch(
    /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/,
  );
});

test('processes take the time their script says and are counted', async () => {
  const { clock, machine: dummy } = machine();
  const told: string[] = [];
  await using file = await dummy.processes.scriptFile('echo one\nsleep 90\necho two >&2\nexit 3');

  const startedMs = clock.monotonic();
  const command = { argv: ['/bin/sh', file.path] as [string, ...string[]], env: {} };
  const end = await clock.through(
    dummy.processes.run(command, (stream, text) => void told.push(`${stream}: ${text}`), never),
  );

  expect(end).toEqual({ exitCode: 3, signal: null, stopped: false });
  expect(told).toEqual(['stdout: one\n', 'stderr: two\n']);
  expect(clock.monotonic() - startedMs).toBe(90_000);
  expect(dummy.processes.executions).toMatchObject([{ script: expect.stringContaining('echo one'), end }]);
});

test('an aborted process ends by SIGTERM and a later one is not started', async () => {
  const { clock, machine: dummy } = machine();
  const controller = new AbortController();
  const running = dummy.processes.run({ argv: ['sleep', '60'], env: {} }, () => undefined, controller.signal);
  await clock.advance(1000);
  controller.abort(new Error('cancelled'));
  expect(await running).toEqual({ exitCode: null, signal: 'SIGTERM', stopped: true });
  await expect(
    dummy.processes.run({ argv: ['true'], env: {} }, () => undefined, controller.signal),
  ).rejects.toThrow('cancelled');
  expect(dummy.processes.executions).toHaveLength(1);
});

test('services are as they were set, others are unknown', async () => {
  const { machine: dummy } = machine();
  dummy.services.run('nginx');
  dummy.services.fail('cron.service');
  expect(await dummy.services.show('nginx.service')).toMatchObject({ known: true, active: true });
  expect(await dummy.services.show('cron')).toMatchObject({ known: true, active: false, state: 'failed' });
  expect(await dummy.services.show('gone')).toMatchObject({ known: false });
});

test('a hanging probe ends when it is aborted', async () => {
  const { machine: dummy } = machine();
  dummy.probes.hanging.add('ntp');
  const controller = new AbortController();
  const asked = dummy.probes.ntp(undefined, controller.signal);
  controller.abort(new Error('enough'));
  await expect(asked).rejects.toThrow('enough');
});
