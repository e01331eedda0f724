import { randomUUID } from 'node:crypto';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { generateKeyPair } from '../../shared/node/keys.ts';
import { closeCodes, maxFrameBytes } from '../../shared/protocol/version.ts';
import { AgentProcess } from '../harness/agent-process.ts';
import { Cluster } from '../harness/cluster.ts';
import { RawDevice, UpgradeRefused } from '../harness/raw-device.ts';
import { until } from '../harness/until.ts';

let cluster: Cluster;
let devices = 0;
beforeAll(async () => {
  cluster = await Cluster.create('bad-input', { agents: ['bystander'] });
});
afterAll(async () => {
  await everythingStillRuns();
  await cluster[Symbol.asyncDispose]();
});

async function everythingStillRuns(): Promise<void> {
  expect(cluster.controller.program.isAlive).toBe(true);
  const [code = ''] = await cluster.controller.run({ type: 'PING', targets: { devices: ['bystander'] } });
  expect(await cluster.controller.ended(code)).toMatchObject({ status: 'COMPLETED' });
}

async function approvedDevice(): Promise<RawDevice> {
  const name = `raw-${++devices}`;
  const device = await RawDevice.enrol(cluster.controller.url, cluster.controller.enrolmentToken, name);
  await cluster.approve(name);
  return device;
}

async function refusal(device: RawDevice, token: string | Promise<string>): Promise<UpgradeRefused> {
  const outcome = await device.dial(await token).then(
    () => 'admitted',
    (error: unknown) => error,
  );
  if (!(outcome instanceof UpgradeRefused)) throw new Error('expected a refusal', { cause: outcome });
  return outcome;
}

describe('refused upgrades say why, and when to try again', () => {
  test('a device that is not approved', async () => {
    const { url, enrolmentToken } = cluster.controller;
    const device = await RawDevice.enrol(url, enrolmentToken, `raw-${++devices}`);
    const { status, body } = await refusal(device, device.token());
    expect({ status, code: body.code }).toEqual({ status: 403, code: 'not_approved' });
    expect(body.error).toContain(device.name);
    expect(body.detail).toMatchObject({
      controller_time: expect.any(Number),
      retry_after_ms: expect.any(Number),
    });
  });

  test('a disabled device', async () => {
    const device = await approvedDevice();
    await cluster.controller.call('POST', `${cluster.devicePath(device.name)}/disable`);
    const { status, body } = await refusal(device, device.token());
    expect({ status, code: body.code }).toEqual({ status: 403, code: 'disabled' });
  });

  test('a token signed by another key', async () => {
    const device = await approvedDevice();
    const { status, body } = await refusal(device, device.token({ key: generateKeyPair() }));
    expect({ status, code: body.code }).toEqual({ status: 401, code: 'not_authenticated' });
  });

  test('a token for another controller', async () => {
    const device = await approvedDevice();
    const { status, body } = await refusal(device, device.token({ aud: 'another' }));
    expect({ status, code: body.code }).toEqual({ status: 401, code: 'not_authenticated' });
  });

  test('a token of a device that does not exist', async () => {
    const device = await approvedDevice();
    const { status, body } = await refusal(device, device.token({ sub: randomUUID() }));
    expect({ status, code: body.code }).toEqual({ status: 401, code: 'not_authenticated' });
  });

  test('a token used before', async () => {
    const device = await approvedDevice();
    const token = await device.token();
    await using _link = await device.dial(token);
    const { status, body } = await refusal(device, token);
    expect({ status, code: body.code }).toEqual({ status: 401, code: 'token_replayed' });
  });

  test('a token that has expired, or is not valid yet, by a clock that is wrong', async () => {
    const device = await approvedDevice();
    for (const nowMs of [Date.now() - 3_600_000, Date.now() + 3_600_000]) {
      const { status, body } = await refusal(device, device.token({ nowMs }));
      expect({ status, code: body.code }).toEqual({ status: 401, code: 'clock_skew' });
      expect(body.detail).toMatchObject({ controller_time: expect.any(Number) });
    }
  });

  test('a token that lives too long', async () => {
    const device = await approvedDevice();
    const { status, body } = await refusal(device, device.token({ ttlMs: 3_600_000 }));
    expect({ status, code: body.code }).toEqual({ status: 401, code: 'clock_skew' });
    expect(body.error).toContain(device.name);
  });

  test('no token, and one that is nonsense', async () => {
    const device = await approvedDevice();
    for (const token of ['', 'nonsense', 'a.b.c', `${'x'.repeat(7000)}`]) {
      const { status, body } = await refusal(device, token);
      expect({ status, code: body.code }).toEqual({ status: 401, code: 'not_authenticated' });
    }
  });
});

describe('frames that no agent would send', () => {
  test.each([
    ['nonsense', 'not json', closeCodes.badFrame, /not JSON/],
    ['a number', '42', closeCodes.badFrame, /not an object/],
    ['a frame before hello', { type: 'report.batch', reports: [] }, undefined, undefined],
    ['a hello of wrong shape', { type: 'hello', epoch: 'first' }, closeCodes.badFrame, /hello/],
    ['a binary frame', Buffer.from([0, 1, 2]), closeCodes.badFrame, /not JSON/],
  ] as const)('%s closes the link with a code and a reason', async (_name, frame, code, reason) => {
    const device = await approvedDevice();
    await using link = await device.dial();
    link.send(frame);
    const closed = await link.closed;
    if (code === undefined) expect(closed.code).toBeGreaterThanOrEqual(4000);
    else expect(closed.code).toBe(code);
    if (reason) expect(closed.reason).toMatch(reason);
  });

  test('a frame that is too large closes the link and is not read', async () => {
    const device = await approvedDevice();
    await using link = await device.dial();
    link.send({ ...device.hello(), agentVersion: 'x'.repeat(maxFrameBytes) });
    expect((await link.closed).code).toBe(closeCodes.frameTooLarge);
  });

  test('a protocol we do not speak is refused with what we speak', async () => {
    const device = await approvedDevice();
    await using link = await device.dial();
    link.send(device.hello({ protocol: { min: 99, max: 100 } }));
    const { code, reason } = await link.closed;
    expect(code).toBe(closeCodes.unsupportedProtocol);
    expect(reason).toMatch(/1/);
  });

  test('an unknown type after hello is answered and not fatal', async () => {
    const device = await approvedDevice();
    await using link = await device.dial();
    link.send(device.hello());
    await link.next('welcome');
    link.send({ type: 'from.the.future' });
    expect(await link.next('error')).toMatchObject({ message: expect.stringContaining('from.the.future') });
    const [code = ''] = await cluster.controller.run({ type: 'PING', targets: { devices: [device.name] } });
    expect(await link.next('task.offer')).toMatchObject({ code });
  });

  test('reports about a task of another device change nothing', async () => {
    const device = await approvedDevice();
    const victim = await approvedDevice();
    const [code = ''] = await cluster.controller.run({ type: 'PING', targets: { devices: [victim.name] } });
    await using link = await device.dial();
    link.send(device.hello());
    await link.next('welcome');
    const row = { code, at: Date.now(), attempt: 1 };
    link.send({
      type: 'report.batch',
      reports: [
        { type: 'task.accepted', seq: 1, ...row },
        { type: 'task.result', seq: 2, ...row, outcome: 'COMPLETED', result: {} },
      ],
    });
    await link.next('report.ack');
    expect(await cluster.controller.task(code)).toMatchObject({ status: 'PENDING' });
  });

  test('a result without an accept changes nothing', async () => {
    const device = await approvedDevice();
    const [code = ''] = await cluster.controller.run({ type: 'PING', targets: { devices: [device.name] } });
    await using link = await device.dial();
    link.send(device.hello());
    await link.next('task.offer');
    link.send({
      type: 'report.batch',
      reports: [{ type: 'task.result', seq: 1, code, at: Date.now(), attempt: 1, outcome: 'COMPLETED' }],
    });
    await link.next('report.ack');
    expect(await cluster.controller.task(code)).toMatchObject({ status: 'PENDING' });
  });
});

test('two agents with one key: the device is quarantined, says so, and approval lifts it', async () => {
  const original = await cluster.join('original');
  const copied = join(cluster.folder, 'copied');
  await original.program.end('SIGTERM');
  cpSync(original.folder, copied, { recursive: true });
  original.start();
  await cluster.online('original');

  await using copy = new AgentProcess('original', copied);
  copy.start();
  const device = await until('the device is quarantined', async () => {
    const found = await cluster.controller.call('GET', cluster.devicePath('original'));
    return found['quarantine_reason'] ? found : undefined;
  });
  expect(device['quarantine_reason']).toMatch(/key|two|agent/i);

  await copy.kill();
  await cluster.approve('original');
  await original.restart();
  await cluster.online('original', true, 90_000);
});
