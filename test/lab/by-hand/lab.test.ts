import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type CommandEnd, command } from '../../harness/appliance-command.ts';
import { leftovers } from '../../harness/appliance-leftovers.ts';
import { cleanEnvironment, runProgram } from '../../harness/program.ts';
import { projectRoot } from '../../harness/source-files.ts';
import { until } from '../../harness/until.ts';
import { labMissing } from '../lab.ts';
import { LabFolder } from './lab-folder.ts';

const [first, second] = [`test-${process.pid}-a`, `test-${process.pid}-b`] as const;
const upMs = 280_000;

const lab = (...args: string[]): Promise<CommandEnd> =>
  command([process.execPath, join(projectRoot, 'test/lab/by-hand/main.ts'), ...args], {
    env: cleanEnvironment({}),
    timeoutMs: upMs,
  });

async function must(...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await lab(...args);
  expect(exitCode, stdout + stderr).toBe(0);
  return stdout;
}

const listed = async () =>
  (JSON.parse(await must('list', '-f', 'json')) as { name: string; state: string; boots: number }[]).filter(
    ({ name }) => name === first || name === second,
  );

/** The CLI, as whoever did what `env` says. */
async function muster(...args: string[]): Promise<string> {
  const said = /MUSTER_URL=(\S+) MUSTER_TOKEN=(\S+)/.exec(await must('env', first)) ?? [];
  const [, MUSTER_URL = '', MUSTER_TOKEN = ''] = said;
  const { exitCode, stdout, stderr } = await runProgram('muster', args, {
    env: { MUSTER_URL, MUSTER_TOKEN },
  });
  expect(exitCode, stdout + stderr).toBe(0);
  return stdout;
}

/** Whatever names the folder of the lab on its command line. */
function processesOf(name: string): number[] {
  const folder = new LabFolder(name);
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && folder.isOwn(pid));
}

describe.skipIf(labMissing('the lab by hand'))('the lab by hand', () => {
  afterAll(async () => {
    for (const name of [first, second]) if (new LabFolder(name).exists) await lab('down', name);
  });

  test('says what it can do, and what is wrong', async () => {
    expect((await lab('--help')).stdout).toContain('power-cut NAME');
    expect(await lab('fly')).toMatchObject({ exitCode: 2 });
    expect(await lab('exec', 'nobody', '--', 'true')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('there is no lab nobody') as string,
    });
    expect(await lab('up', first, '--life', '2d')).toMatchObject({ exitCode: 2 });
  });

  test('brings a machine up that serves its controller, until its power is cut and again', async () => {
    const up = await lab('up', first, '--life', '10m', '-f', 'json');
    expect(up.exitCode, up.stderr).toBe(0);
    expect(up.stderr).toContain('installing the package');
    expect(JSON.parse(up.stdout)).toMatchObject({ name: first, state: 'on', boots: 1 });
    expect(await must('exec', first, '--', 'hostname')).toBe(`${first}\n`);
    expect(await lab('exec', first, '--', 'sh', '-c', 'exit 7')).toMatchObject({ exitCode: 7 });

    const run = ['run', 'script', '--device', first, '--wait', '--json'];
    expect(await muster(...run, '--', 'cat', '/etc/hostname')).toContain('COMPLETED');
    await must('power-cut', first);
    expect(await listed()).toMatchObject([{ state: 'off', boots: 1 }]);
    expect(await lab('exec', first, '--', 'true')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('is off') as string,
    });
    await must('power-on', first);
    expect(await listed()).toMatchObject([{ state: 'on', boots: 2 }]);
    expect(await muster(...run, '--', 'true')).toContain('COMPLETED');
    expect(await must('journal', first, '--', '-o', 'cat')).toContain('agent started');
  });

  test('enrols another one where it is told to, and takes away what a keeper left that was killed', async () => {
    const made = await muster('enrolment-token', 'create', 'more', '--json');
    const { token } = JSON.parse(made) as { token: string };
    const [, url = ''] = /MUSTER_URL=(\S+)/.exec(await must('env', first)) ?? [];
    const up = await lab('up', second, '--life', '10m', '--controller', url, '--token', token);
    expect(up.exitCode, up.stderr).toBe(0);
    await until('it waits for approval', async () =>
      (await muster('device', 'list', '--json')).includes(second),
    );

    const keeper = new LabFolder(second).livingPid('keeper') ?? 0;
    process.kill(keeper, 'SIGKILL');
    await until('the list knows', async () => (await listed()).some(({ state }) => state === 'dead'));
    await must('down', second);
    expect(leftovers(keeper)).toEqual([]);
    expect(processesOf(second)).toEqual([]);
  });

  test('ends a lab with all that was started for it, and no other', async () => {
    const folder = new LabFolder(first);
    const keeper = folder.livingPid('keeper');
    expect(leftovers(keeper)).not.toEqual([]);
    expect(processesOf(first)).toHaveLength(2);
    await must('down', first);
    expect(leftovers(keeper)).toEqual([]);
    expect(processesOf(first)).toEqual([]);
    expect(existsSync(folder.path)).toBe(false);
    expect(await listed()).toEqual([]);
  });
});
