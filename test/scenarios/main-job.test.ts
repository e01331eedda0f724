import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AgentProcess } from '../harness/agent-process.ts';
import { Cluster } from '../harness/cluster.ts';
import { lacks, notTested } from '../harness/not-tested.ts';
import { until } from '../harness/until.ts';

const withoutPing = notTested('a real ping from the device', lacks('ping'));

/** The way a person goes: every step through the three programs, as in README. */
let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.create('main-job');
});
afterAll(() => cluster[Symbol.asyncDispose]());

async function muster(args: string[], expected = 0): Promise<string> {
  const { exitCode, stdout, stderr } = await cluster.muster(args);
  expect({ args, exitCode, stderr: exitCode === expected ? '' : stderr }).toEqual({
    args,
    exitCode: expected,
    stderr: '',
  });
  return stdout;
}
const json = async (args: string[], expected = 0): Promise<Record<string, unknown>> =>
  JSON.parse(await muster([...args, '--json'], expected)) as Record<string, unknown>;
const items = async (args: string[]) => (await json(args)) as unknown as Record<string, unknown>[];

test('from an empty folder to COMPLETED, for every task type', async () => {
  const agent = await cluster.enrolled('edge-1');
  expect(await items(['device', 'list'])).toMatchObject([
    { name: 'edge-1', status: 'PENDING', online: false },
  ]);

  agent.start();
  await until('the agent says that it waits for approval', () => /not_approved/.test(agent.program.log()));
  await muster(['device', 'approve', 'edge-1']);
  await cluster.online('edge-1', true, 90_000);

  const script = join(cluster.folder, 'hello.sh');
  writeFileSync(script, '#!/bin/sh\necho "hello $1"\n');
  const commands = [
    ['ping'],
    ['health-check'],
    ['script', script, '--arg', 'world'],
    ['script', '--', 'true'],
    ['plugin-reload', '--yes'],
    ['restart', '--yes'],
  ];
  for (const [verb = '', ...rest] of commands) {
    const words = rest.indexOf('--');
    const target = ['--device', 'edge-1', '--wait', '--json'];
    const args =
      words === -1 ? [...rest, ...target] : [...rest.slice(0, words), ...target, ...rest.slice(words)];
    const { exitCode, stdout, stderr } = await cluster.muster(['run', verb, ...args]);
    expect({ verb, exitCode, stderr: exitCode === 0 ? '' : stderr }).toEqual({
      verb,
      exitCode: 0,
      stderr: '',
    });
    expect(JSON.parse(stdout)).toMatchObject({ tasks: [{ status: 'COMPLETED' }] });
  }

  const tasks = await items(['task', 'list']);
  expect(tasks.map(({ type, status }) => `${type as string} ${status as string}`).sort()).toEqual([
    'HEALTH_CHECK COMPLETED',
    'PING COMPLETED',
    'REBOOT COMPLETED',
    'RESTART COMPLETED',
    'SCRIPT COMPLETED',
    'SCRIPT COMPLETED',
  ]);
});

test.skipIf(withoutPing)('the device itself pings a host', async () => {
  await cluster.join('edge-ping');
  const told = await json([
    'run',
    'ping',
    '--device',
    'edge-ping',
    '--host',
    '127.0.0.1',
    '--count',
    '1',
    '--wait',
  ]);
  expect(told).toMatchObject({ tasks: [{ status: 'COMPLETED', result: { sent: 1, received: 1 } }] });
});

test('a device that is switched off comes back, and its SHUTDOWN is COMPLETED with the new boot id', async () => {
  const agent = await cluster.join('edge-off');
  const answer = await json(['run', 'poweroff', '--device', 'edge-off', '--yes']);
  const [{ task: code = '' } = {}] = answer['tasks'] as { task: string }[];
  await until('the machine is off', () => !agent.program.isAlive);
  expect(await cluster.controller.task(code)).toMatchObject({ status: 'IN_PROGRESS' });

  agent.start();
  expect(await cluster.controller.ended(code)).toMatchObject({
    status: 'COMPLETED',
    result: { boot_id: expect.any(String) },
  });
});

test('types of later parts are refused, not pretended', async () => {
  await cluster.join('edge-later');
  for (const type of ['PULL', 'SYNC', 'BACKUP', 'PLUGIN_INSTALL', 'CONNECT']) {
    const answer = await cluster.controller.api('POST', '/api/v1/organizations/default/tasks', {
      type,
      targets: { devices: ['edge-later'] },
    });
    expect({ type, status: answer.status, code: answer.body['code'] }).toEqual({
      type,
      status: 422,
      code: 'task_type_not_supported',
    });
  }
});

test('one name that does not exist, and nothing is created', async () => {
  const before = await items(['task', 'list']);
  const { exitCode, stderr } = await cluster.muster([
    'run',
    'ping',
    '--device',
    'edge-1',
    '--device',
    'nobody',
  ]);
  expect(exitCode).toBe(5);
  expect(stderr).toContain('nobody');
  expect(await items(['task', 'list'])).toHaveLength(before.length);
});

test('a wrong ticket, a foreign controller, and a name in use each say what is wrong', async () => {
  const folder = join(cluster.folder, 'wrong');
  mkdirSync(folder);
  const agent = new AgentProcess('edge-1', folder);
  const { url, enrolmentToken } = cluster.controller;
  await expect(agent.enrol(url, 'nonsense')).rejects.toThrow(/ticket|token/i);
  await expect(agent.enrol(url, enrolmentToken)).rejects.toThrow(/edge-1/);

  await using other = await Cluster.create('other');
  await expect(agent.enrol(other.controller.url, enrolmentToken)).rejects.toThrow(/fingerprint|key|token/i);
  await expect(agent.enrol('http://127.0.0.1:9', enrolmentToken)).rejects.toThrow(/reach|connect|refused/i);
});

test('who is wrong about the controller or the token is told so, with an exit code of its own', async () => {
  const unreachable = await cluster.muster(['task', 'list'], { env: { MUSTER_URL: 'http://127.0.0.1:9' } });
  expect(unreachable.exitCode).toBe(8);
  expect(unreachable.stderr).toContain('127.0.0.1:9');
  const forbidden = await cluster.muster(['task', 'list'], { env: { MUSTER_TOKEN: 'wrong' } });
  expect(forbidden.exitCode).toBe(4);
  const usage = await cluster.muster(['run', 'ping']);
  expect(usage.exitCode).toBe(2);
});
