import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { duplexPair } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TaskError } from '../../shared/errors.ts';
import { generateKeyPair } from '../../shared/node/keys.ts';
import { Mux } from '../../shared/node/mux/mux.ts';
import type { MuxStream } from '../../shared/node/mux/mux-stream.ts';
import { openRequestBytes, type OpenRequest } from '../../shared/tunnel/service.ts';
import { isAlive } from '../../test/harness/is-alive.ts';
import { outcome, Shown, write } from '../../test/harness/session-records.ts';
import { until } from '../../test/harness/until.ts';
import { createConnectHandler } from '../handlers/connect.ts';
import type { DummyContext } from '../handlers/dummy-context.ts';
import { createStreams } from '../system/streams/create-streams.ts';
import { RemoteAccess } from '../tunnel/remote-access.ts';
import { helperPrograms } from './helper-programs.ts';
import { HelperUnderTest } from '../../test/harness/helper-under-test.ts';

let helper: HelperUnderTest;
const open: (() => Promise<unknown>)[] = [];

beforeEach(() => {
  helper = new HelperUnderTest();
});

afterEach(async () => {
  for (const end of open.splice(0)) await end();
  await helper[Symbol.asyncDispose]();
});

const parameters = {
  session: '5b0c3c9e-7d0a-4a53-9a54-3f9f1d0a2a11',
  mode: 'full',
  opened_by: 'ann',
  pair_seconds: 10,
  idle_seconds: 60,
  max_seconds: 60,
  record: false,
};
const order = (more: object = {}) => ({ taskType: 'CONNECT', parameters: { ...parameters, ...more } });

/** An agent that may start nothing itself serves a session; the case is the operator. */
function session(context: DummyContext, asked: object = {}) {
  const [near, far] = duplexPair();
  const over = new AbortController();
  const handler = createConnectHandler({
    streams: {
      ...createStreams(),
      program: () => Promise.reject(new TaskError('internal', 'not here')),
      terminal: () => Promise.reject(new TaskError('internal', 'not here')),
    },
    policy: RemoteAccess.parse({}),
    dial: async () => far,
    upload: () => Promise.reject(new Error('the agent has no recordings')),
    spool: join(helper.folder.path, 'spool-of-the-agent'),
    deviceName: 'edge-1',
    elsewhere: helperPrograms(helper.remote()),
  });
  const ended = handler.run({ ...parameters, ...asked }, { ...context, signal: over.signal });
  ended.catch(() => undefined);
  const close = (reason = 'enough'): Promise<unknown> => {
    over.abort(new TaskError('cancelled', reason));
    return ended;
  };
  open.push(() => close().catch(() => undefined));
  const mux = new Mux(near, { side: 'operator', onClose: () => {} });
  const stream = (request: OpenRequest | { service: 'shell' }): MuxStream =>
    mux.open(openRequestBytes(request));
  const exec = (...argv: string[]): MuxStream => stream({ service: 'exec', argv, env: {} });
  return { stream, exec, close, ended };
}

test('a command runs in the helper: input, both outputs, its exit code', async () => {
  await helper.begin();
  const { exec, close } = session(helper.context(order()));
  const stream = exec('sh', '-c', 'cat; echo problem >&2; exit 3');
  write(stream, 'stdin', Buffer.from([0, 255, 10, 13, 128]));
  stream.end();
  const said = await outcome(stream);
  expect([...Buffer.from(said.stdout, 'latin1')]).toEqual([0, 255, 10, 13, 128]);
  expect(said).toMatchObject({ stderr: 'problem\n', exit: '{"exit_code":3,"signal":null}' });
  expect(await close()).toMatchObject({
    reason: 'closed',
    peers: [{ service: 'exec:sh', streams: 1, refused: 0 }],
  });
});

test('an answer that comes after the input ended is heard to its end, whatever its size', async () => {
  await helper.begin();
  const { exec } = session(helper.context(order()));
  const stream = exec('sh', '-c', 'wc -c; head -c 20000000 /dev/zero');
  write(stream, 'stdin', Buffer.alloc(3_000_000, 'x'));
  stream.end();
  const { stdout } = await outcome(stream);
  expect(stdout).toMatch(/^3000000\n/);
  expect(stdout.length).toBe('3000000\n'.length + 20_000_000);
});

/** Waits until no more bytes of the stream pass, while another program of the session runs to its end. */
async function stands(exec: (...argv: string[]) => MuxStream, bytes: () => number): Promise<number> {
  await until('nothing passes any more', async () => {
    const before = bytes();
    await outcome(exec('sleep', '0.3'));
    return before > 0 && bytes() === before;
  });
  return bytes();
}

test('a command that nobody listens to waits', async () => {
  await helper.begin();
  const { exec } = session(helper.context(order()));
  const told = join(helper.folder.path, 'told');
  writeFileSync(told, '');
  exec('sh', '-c', `while :; do head -c 100000 /dev/zero; echo more >> ${told}; done`);
  expect(await stands(exec, () => readFileSync(told).length / 5)).toBeLessThan(30); // of 100,000 bytes each
});

test('what is sent to a command or a terminal that does not read waits with the operator', async () => {
  await helper.begin();
  const { exec, stream } = session(helper.context(order()));
  const deaf = exec('sleep', '60');
  const shell = stream({ service: 'shell' });
  const shown = new Shown(shell);
  shown.type('stty raw -echo; echo ready; sleep 60\n');
  await shown.until(/^ready/m);
  for (const one of [deaf, shell]) {
    write(one, 'stdin', Buffer.alloc(20_000_000, 'x'));
    expect(await stands(exec, () => one.bytesSent)).toBeLessThan(3_000_000);
  }
});

test('a signal reaches the command, and the report names it', async () => {
  await helper.begin();
  const { exec } = session(helper.context(order()));
  const stream = exec('sh', '-c', 'kill -STOP $$');
  write(stream, 'signal', Buffer.from('SIGKILL'));
  expect((await outcome(stream)).exit).toBe('{"exit_code":null,"signal":"SIGKILL"}');
});

test('a shell has a terminal of the size that it is told, and is recorded by the helper', async () => {
  await helper.begin({}, { always_record: true });
  const { stream, close } = session(helper.context(order()));
  const shell = stream({ service: 'shell', columns: 91, rows: 17, term: 'xterm' });
  const shown = new Shown(shell);
  shown.type('stty size\n');
  await shown.until(/17 91/);
  shown.resize(120, 40);
  shown.type('stty size\n');
  await shown.until(/40 120/);
  shown.type('exit 7\n');
  await shown.ended();
  expect(await close()).toMatchObject({ recordings: [expect.stringMatching(/^[0-9a-f]{64}$/)] });
  expect(helper.uploaded).toEqual([join(helper.spool, 'aB3dE6gH-0.cast')]);
});

test.each([
  ['that nobody signed', { by: generateKeyPair() }, {}, /not signed by the controller/],
  ['for another device', {}, { device: 'device-2' }, /this is device-1/],
  ['of another type', {}, { taskType: 'PING', parameters: {} }, /PING/],
])('nothing is started for an order %s', async (_what, signed, more, message) => {
  await helper.begin();
  const { exec } = session(helper.context({ ...order(), ...more }, signed));
  await expect(buffer(exec('true'))).rejects.toThrow(message);
});

test('an order is good for one session: nothing is started when it is shown again', async () => {
  await helper.begin();
  const context = helper.context(order());
  const first = session(context);
  expect((await outcome(first.exec('echo', 'first'))).stdout).toBe('first\n');
  await first.close();
  const second = session(context);
  await expect(buffer(second.exec('true'))).rejects.toThrow(/has ended its part of this session/);

  await helper.end(); // and the next process of the helper knows it too
  await helper.begin();
  const third = session(context);
  await expect(buffer(third.exec('true'))).rejects.toThrow(/has ended its part of this session/);
});

test.each([
  [{ mode: 'disabled' }, {}, /does not allow remote access/],
  [{ mode: 'readonly' }, {}, /does not allow exec:true in a read-only session/],
  [{}, { mode: 'readonly' }, /does not allow exec:true in a read-only session/],
  [{ exec: false }, {}, /does not allow exec:true/],
])('the policy of the helper counts, whatever the agent thinks: %o %o', async (policy, asked, message) => {
  await helper.begin({}, policy);
  const { exec } = session(helper.context(order(asked)));
  await expect(buffer(exec('true'))).rejects.toMatchObject({
    code: 'policy',
    message: expect.stringMatching(message),
  });
});

test('a device that does not run CONNECT tasks starts nothing', async () => {
  await helper.begin({ policy: { task_types: ['PING'] } });
  const { exec } = session(helper.context(order()));
  await expect(buffer(exec('true'))).rejects.toThrow(/does not allow CONNECT/);
});

test('programs run as the user of the policy', async () => {
  await helper.begin({}, { user: 'nobody' });
  const { exec } = session(helper.context(order()));
  expect((await outcome(exec('id', '-un'))).stdout).toBe('nobody\n');
});

test('the helper opens no connections for anybody', async () => {
  await helper.begin({}, { targets: ['*:*'] });
  const context = helper.context(order());
  const programs = helperPrograms(helper.remote()).begin(context);
  const stream = await programs.open(openRequestBytes({ service: 'tcp', host: '127.0.0.1', port: 22 }));
  await expect(buffer(stream)).rejects.toMatchObject({ code: 'policy' });
  await programs.end();
});

test('a program that does not exist is refused with a reason, and counted', async () => {
  await helper.begin();
  const { exec, close } = session(helper.context(order()));
  await expect(buffer(exec('no-such-program'))).rejects.toMatchObject({
    code: 'refused',
    message: expect.stringMatching(/no-such-program/),
  });
  expect(await close()).toMatchObject({ peers: [{ service: 'exec:no-such-program', refused: 1 }] });
});

test('without a helper a stream is told so, and the session goes on', async () => {
  const { exec, close } = session(helper.context(order()));
  await expect(buffer(exec('true'))).rejects.toMatchObject({
    code: 'refused',
    message: expect.stringMatching(/root helper of this device is not there/),
  });
  expect(await close()).toMatchObject({ reason: 'closed', recordings: [] });
});

test('when the helper goes away its programs are cut off, and no others are started', async () => {
  await helper.begin({}, { always_record: true });
  const { exec, stream, close } = session(helper.context(order()));
  const shell = stream({ service: 'shell' });
  const shown = new Shown(shell);
  shown.type('echo $$ is here\n');
  const [, pid] = await shown.until(/^(\d+) is here/m);
  const cut = buffer(shell);
  const ended = helper.end();
  await expect(cut).rejects.toThrow(/The root helper stops/);
  await ended;
  await until('the shell is gone', () => !isAlive(Number(pid)));
  await expect(buffer(exec('true'))).rejects.toThrow(/root helper/);
  await helper.begin();
  expect(await close()).toMatchObject({ reason: 'closed' });
});

test('when the agent goes away its programs end', async () => {
  await helper.begin();
  const context = helper.context(order());
  const programs = helperPrograms(helper.remote()).begin(context);
  const stream = await programs.open(
    openRequestBytes({ service: 'exec', argv: ['sh', '-c', 'echo $$; sleep 60'] }),
  );
  const shown = new Shown(stream);
  const [, pid] = await shown.until(/(\d+)/);
  await programs.end();
  await until('the command is gone', () => !isAlive(Number(pid)));
});

test('a program does not outlive its stream', async () => {
  await helper.begin();
  const { exec } = session(helper.context(order()));
  const stream = exec('sh', '-c', 'echo $$; sleep 61');
  const [, pid] = await new Shown(stream).until(/(\d+)/);
  stream.destroy();
  await until('the command is gone', () => !isAlive(Number(pid)));
});

test('the limit of the order counts, whatever the agent does', async () => {
  await helper.begin();
  const programs = helperPrograms(helper.remote()).begin(
    helper.context(order({ pair_seconds: 1, max_seconds: 1 })),
  );
  const stream = await programs.open(openRequestBytes({ service: 'exec', argv: ['sleep', '60'] }));
  await expect(buffer(stream)).rejects.toMatchObject({ code: 'limit' });
  await programs.end();
});
