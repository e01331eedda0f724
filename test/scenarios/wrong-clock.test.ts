import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { StatusFile } from '../../agent/status-file.ts';
import type { AgentProcess } from '../harness/agent-process.ts';
import { Cluster } from '../harness/cluster.ts';
import { runProgram } from '../harness/program.ts';
import { selfSigned } from '../harness/self-signed.ts';
import { TransferController } from '../harness/transfer-controller.ts';
import { until } from '../harness/until.ts';

const year = 365 * 86_400_000;
const machine = { x64: 'x86_64', arm64: 'aarch64' }[process.arch as string] ?? process.arch;
/** Of the Debian package `faketime`. */
const library = `/usr/lib/${machine}-linux-gnu/faketime/libfaketime.so.1`;

/** The clock of one program: the true one and so much, also while it runs (libfaketime). */
class OtherClock {
  readonly #file: string;

  constructor(folder: string) {
    if (!existsSync(library)) throw new Error(`install faketime: there is no ${library}`);
    this.#file = join(folder, 'clock');
    this.set(0);
  }

  get env(): Record<string, string> {
    return {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
  }

  set(offMs: number): void {
    writeFileSync(this.#file, `${offMs < 0 ? '-' : '+'}${Math.abs(offMs) / 1000}\n`);
  }
}

let cluster: Cluster;
let clock: OtherClock;
let agent: AgentProcess;
beforeEach(async () => {
  cluster = await Cluster.create('wrong-clock');
  clock = new OtherClock(cluster.folder);
});
afterEach(() => cluster[Symbol.asyncDispose]());

const run = async (type: string, payload: object = {}, more: object = {}): Promise<string> => {
  const request = { type, targets: { devices: ['fw-1'] }, payload, ...more };
  const [code = ''] = await cluster.controller.run(request);
  return code;
};
const script = (text: string, more: object = {}) => run('SCRIPT', { script: `#!/bin/sh\n${text}\n` }, more);
const isNow = (time: unknown): boolean => Math.abs(Date.parse(String(time)) - Date.now()) < 60_000;

interface Line {
  text: string;
  at: string;
}
const linesOf = async (code: string): Promise<Line[]> =>
  (await cluster.controller.call('GET', `/api/v1/tasks/${code}/logs?limit=10`))['items'] as Line[];
/** The task says that it has begun. */
const begun = (code: string) =>
  until('the script runs', async () => (await linesOf(code)).some(({ text }) => text === 'begun'));

describe.each([
  ['a year ahead', year],
  ['a year behind', -year],
])('a device whose clock is %s', (_how, offMs) => {
  beforeEach(async () => {
    clock.set(offMs);
    agent = await cluster.join('fw-1', { env: clock.env });
  });

  test('joins and works, and people see the times as they are', async () => {
    const done = await cluster.controller.ended(await script('echo begun; sleep 1'));
    expect(done).toMatchObject({ status: 'COMPLETED' });
    const lines = await linesOf(done.task);
    expect(lines.map(({ text }) => text)).toEqual(['begun']);
    expect(lines.filter(({ at }) => !isNow(at))).toEqual([]);
    expect(await cluster.controller.ended(await run('REBOOT'))).toMatchObject({ status: 'COMPLETED' });
    await cluster.online('fw-1');
    expect(await cluster.controller.ended(await run('PING'))).toMatchObject({ status: 'COMPLETED' });
  });

  test('takes what waited for it as long as it is valid by the clock of the controller, and nothing after', async () => {
    await agent.kill();
    const late = await run('PING', {}, { expires_in_seconds: 1 });
    const inTime = await run('PING', {}, { expires_in_seconds: 600 });
    expect(await cluster.controller.reaches(late, ['EXPIRED'])).toMatchObject({ status: 'EXPIRED' });
    agent.start();
    expect(await cluster.controller.ended(inTime)).toMatchObject({ status: 'COMPLETED' });
  });

  test('is asked a question for as long as was said', async () => {
    const code = await script('muster-agent ask "Go on?" yes no --safe no --timeout 5m');
    const id = await until('it asks', async () => {
      const task = await cluster.controller.task(code);
      return task.waiting_for_input ? task.question?.id : undefined;
    });
    const path = `/api/v1/organizations/default/questions/${id}`;
    const { expires_at: expiresAt } = await cluster.controller.call('GET', path);
    expect(isNow(new Date(Date.parse(String(expiresAt)) - 300_000).toISOString())).toBe(true);
    await cluster.controller.call('POST', `${path}/answer`, { answer: 'yes' });
    expect(await cluster.controller.ended(code)).toMatchObject({ status: 'COMPLETED' });
    expect(isNow((await cluster.controller.call('GET', path))['taken_at'])).toBe(true);
  });
});

test('a clock that jumps by years ends neither what runs nor the link', async () => {
  agent = await cluster.join('fw-1', { env: clock.env });
  const go = join(cluster.folder, 'go');
  const code = await script(`echo begun; while [ ! -e ${go} ]; do sleep 0.2; done; echo done`, {
    timeout_seconds: 120,
  });
  await begun(code);
  for (const offMs of [10 * year, -5 * year, 0]) {
    clock.set(offMs);
    expect(await cluster.controller.ended(await run('PING'))).toMatchObject({ status: 'COMPLETED' });
  }
  writeFileSync(go, '');
  expect(await cluster.controller.ended(code)).toMatchObject({ status: 'COMPLETED' });
  expect((await linesOf(code)).map(({ text }) => text)).toEqual(['begun', 'done']);
  expect(agent.program.log().match(/"event":"link.online"/g)).toHaveLength(1);
});

test.each([
  ['ahead', year * 2, /certificate has expired.*clock of this device/],
  ['behind', -year * 2, /certificate is not yet valid.*clock of this device/],
])('a certificate that a clock %s does not allow is told with the clock', async (_how, offMs, message) => {
  const { cert, key } = selfSigned({ name: 'localhost', expiresAt: Date.now() + year / 2 });
  const ca = join(cluster.folder, 'ca.pem');
  writeFileSync(ca, cert);
  await using controller = await TransferController.start({ cert, key });
  agent = await cluster.enrolled('fw-1', { env: { ...clock.env, NODE_EXTRA_CA_CERTS: ca } });
  const { port } = new URL(controller.url);
  const identity = JSON.parse(readFileSync(join(agent.folder, 'identity.json'), 'utf8')) as object;
  const elsewhere = { ...identity, controller_url: `https://localhost:${port}` };
  writeFileSync(join(agent.folder, 'identity.json'), JSON.stringify(elsewhere));
  clock.set(offMs);
  agent.start();
  const status = await until('it says why it is not online', async () => {
    const { stdout } = await runProgram('agent', ['status', '--data', agent.folder, '-f', 'json']);
    return (JSON.parse(stdout) as StatusFile).last_error ?? undefined;
  });
  expect(status.message).toMatch(message);
});
