import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import { createPower, type PowerCommands } from './power.ts';

/** Programs that write down how they were called, instead of taking the machine away. */
function programs(folder: string, exitCode: number) {
  const log = join(folder, 'log');
  writeFileSync(log, '');
  const program = (name: string): string => {
    const file = join(folder, name);
    writeFileSync(
      file,
      `#!/bin/sh\necho "${name} $*" >> ${log}\necho "${name} is denied" >&2\nexit ${exitCode}\n`,
    );
    chmodSync(file, 0o755);
    return file;
  };
  const systemctl = program('systemctl');
  const commands: PowerCommands = {
    reboot: [[systemctl, 'reboot'], [join(folder, 'missing')], [program('reboot')]],
    powerOff: [[systemctl, 'poweroff']],
    restart: [systemctl, 'restart', '--no-block'],
  };
  return { commands, calls: () => readFileSync(log, 'utf8').split('\n').filter(Boolean) };
}

function power(folder: string, options: { exitCode: number; env?: NodeJS.ProcessEnv }) {
  const { commands, calls } = programs(folder, options.exitCode);
  let replaced = 0;
  const made = createPower({
    env: options.env ?? {},
    unit: 'muster-agent.service',
    restartProcess: async () => {
      replaced += 1;
    },
    commands,
  });
  return { power: made, calls, replaced: () => replaced };
}

test('the boot id is the kernel’s', async () => {
  using place = temporaryFolder('power');
  const { power: own } = power(place.path, { exitCode: 0 });
  expect(await own.bootId()).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
});

test('asks systemd first, and nobody else once it accepted', async () => {
  using place = temporaryFolder('power');
  const { power: own, calls } = power(place.path, { exitCode: 0 });
  await own.reboot();
  await own.powerOff();
  expect(calls()).toEqual(['systemctl reboot', 'systemctl poweroff']);
});

test('tries the next program when one refuses or is missing, and tells every reason at last', async () => {
  using place = temporaryFolder('power');
  const { power: own, calls } = power(place.path, { exitCode: 1 });
  await expect(own.reboot()).rejects.toMatchObject({
    code: 'power_refused',
    message: expect.stringMatching(/systemctl is denied.*not installed.*reboot is denied/),
  });
  expect(calls()).toEqual(['systemctl reboot', 'reboot ']);
});

test('restarts the unit when systemd started this process', async () => {
  using place = temporaryFolder('power');
  const { power: own, calls, replaced } = power(place.path, { exitCode: 0, env: { INVOCATION_ID: 'abc' } });
  await own.restartAgent();
  expect([calls(), replaced()]).toEqual([['systemctl restart --no-block muster-agent.service'], 0]);
});

test('replaces the process itself elsewhere', async () => {
  using place = temporaryFolder('power');
  const { power: own, calls, replaced } = power(place.path, { exitCode: 0 });
  await own.restartAgent();
  expect([calls(), replaced()]).toEqual([[], 1]);
});
