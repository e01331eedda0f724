import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Device } from '../../shared/api/devices.ts';
import { AgentProcess } from '../harness/agent-process.ts';
import { ControllerProcess } from '../harness/controller-process.ts';
import { runProgram } from '../harness/program.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { until } from '../harness/until.ts';

let folder: ReturnType<typeof temporaryFolder>;
let controller: ControllerProcess;
let agent: AgentProcess;
const all = '/api/v1/organizations/default/devices';

beforeEach(async () => {
  folder = temporaryFolder('key-rotation');
  controller = await ControllerProcess.create(join(folder.path, 'controller'));
  agent = new AgentProcess('fw-1', join(folder.path, 'agent'));
  await agent.enrol(controller.url, controller.enrolmentToken);
  await controller.call('POST', `${all}/fw-1/approve`);
  agent.start();
  await online();
});
afterEach(async () => {
  await agent[Symbol.asyncDispose]();
  await controller[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const device = async () => (await controller.call('GET', `${all}/fw-1`)) as unknown as Device;
const online = () => until('the device is online', async () => (await device()).online);

async function pings(): Promise<void> {
  const [code = ''] = await controller.run({ type: 'PING', targets: { devices: ['fw-1'] } });
  await until('the ping is over', async () => (await controller.task(code)).status === 'COMPLETED');
}

const rotated = (before: string) =>
  until('the device came with a new key', async () => {
    const now = await device();
    return now.key_fingerprint !== before && !now.key_rotation && now.online;
  });

async function stopped(...args: string[]): Promise<Record<string, string>> {
  await controller.kill();
  const { stdout, stderr, exitCode } = await runProgram('controller', [
    ...['rotate-key', '--data', controller.folder, '-f', 'json', ...args],
  ]);
  expect(exitCode, stderr).toBe(0);
  await controller.start();
  return JSON.parse(stdout) as Record<string, string>;
}

test('a device makes a new key, works with it, and with it alone, also when both sides are killed meanwhile', async () => {
  const { key_fingerprint: before } = await device();
  await controller.call('POST', `${all}/fw-1/rotate-key`);
  await rotated(before);
  await pings();
  expect(existsSync(join(agent.folder, 'device.key.next'))).toBe(false);

  const { key_fingerprint: second } = await device();
  await controller.call('POST', `${all}/fw-1/rotate-key`);
  await Promise.all([agent.kill(), controller.kill()]);
  await controller.start();
  agent.start();
  await rotated(second);
  await agent.restart();
  await until('it is online again', async () => (await device()).online);
  await pings();
});

test('the controller gets a new key twice while a device is away: it follows when it comes back, and obeys', async () => {
  await agent.kill();
  const first = await stopped();
  const second = await stopped('--overlap', '1h');
  expect(second['from']).toBe(first['to']);
  agent.start();
  await until('the device is online', async () => (await device()).online);
  await pings();
  const identity = JSON.parse(readFileSync(join(agent.folder, 'identity.json'), 'utf8')) as {
    key_changes: [];
  };
  expect(identity.key_changes).toHaveLength(2);

  expect(await stopped('--finish')).toEqual({ ended: 2 });
  await agent.restart();
  await until('the device is online', async () => (await device()).online);
  await pings();
});

test('a machine that was installed anew takes the place of its device, and the one before is told why it is refused', async () => {
  const { uuid } = await device();
  const { token } = (await controller.call('POST', `${all}/fw-1/rebind`)) as { token: string };
  await using reinstalled = new AgentProcess('something-else', join(folder.path, 'reinstalled'));
  await reinstalled.enrol(controller.url, token);
  const status = async () => (await runProgram('agent', ['status', '--data', agent.folder])).stdout;
  await until('the machine before says why', async () => (await status()).includes('key_ended'), {
    last: status,
  });

  reinstalled.start();
  await until('the device is online', async () => (await device()).online);
  expect((await device()).uuid).toBe(uuid);
  await pings();
});
