import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../shared/node/system-clock.ts';
import { Mux } from '../../shared/node/mux/mux.ts';
import { openRequestBytes } from '../../shared/tunnel/service.ts';
import { isAlive } from '../../test/harness/is-alive.ts';
import { outcome, Shown, write } from '../../test/harness/session-records.ts';
import { until } from '../../test/harness/until.ts';
import { createStreams } from '../system/streams/create-streams.ts';
import { leftRecordings, Recordings } from './recordings.ts';
import { RemoteAccess } from './remote-access.ts';
import { DeviceSession, type SessionParts } from './session.ts';

const cleanUp: (() => void)[] = [];
afterEach(() => {
  for (const one of cleanUp.splice(0).reverse()) one();
});

async function pair(): Promise<[Socket, Socket]> {
  const server = createServer({ noDelay: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const near = connect({ port: portOf(server), host: '127.0.0.1', noDelay: true });
  const [far] = (await once(server, 'connection')) as [Socket];
  cleanUp.push(() => {
    near.destroy();
    far.destroy();
    server.close();
  });
  return [near, far];
}

const portOf = (server: ReturnType<typeof createServer>): number => {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
};

async function opened(policy: object = {}, more: Partial<SessionParts> = {}) {
  const [near, far] = await pair();
  const session = new DeviceSession(far, {
    streams: createStreams(),
    policy: RemoteAccess.parse(policy),
    mode: 'full',
    clock: systemClock,
    idleMs: 60_000,
    maxMs: 60_000,
    recordings: undefined,
    ...more,
  });
  const stop = new AbortController();
  const ended = session.run(stop.signal);
  cleanUp.push(() => stop.abort());
  const operator = new Mux(near, { side: 'operator', onClose: () => {} });
  return { session, operator, ended, stop };
}

test('a command runs with its input, both outputs apart, and its exit code', async () => {
  const { operator } = await opened();
  const stream = operator.open(
    openRequestBytes({ service: 'exec', argv: ['sh', '-c', 'cat; echo problem >&2; exit 3'] }),
  );
  write(stream, 'stdin', Buffer.from([0, 255, 10, 13, 128]));
  stream.end();
  const said = await outcome(stream);
  expect([...Buffer.from(said.stdout, 'latin1')]).toEqual([0, 255, 10, 13, 128]);
  expect(said.stderr).toBe('problem\n');
  expect(JSON.parse(said.exit)).toEqual({ exit_code: 3, signal: null });
});

test('a command that answers after its input ended is heard to the end', async () => {
  const { operator } = await opened();
  const stream = operator.open(openRequestBytes({ service: 'exec', argv: ['sh', '-c', 'wc -c'] }));
  write(stream, 'stdin', Buffer.alloc(3_000_000, 'x'));
  stream.end();
  expect((await outcome(stream)).stdout.trim()).toBe('3000000');
});

test('a signal reaches the command, and the report names it', async () => {
  const { operator } = await opened();
  const stream = operator.open(
    openRequestBytes({ service: 'exec', argv: ['sh', '-c', 'echo up; sleep 60'] }),
  );
  stream.once('readable', () => write(stream, 'signal', Buffer.from('SIGKILL')));
  await once(stream, 'readable');
  expect(JSON.parse((await outcome(stream)).exit)).toEqual({ exit_code: null, signal: 'SIGKILL' });
});

test('a command does not outlive its stream', async () => {
  const { operator } = await opened();
  const stream = operator.open(
    openRequestBytes({ service: 'exec', argv: ['sh', '-c', 'echo $$; sleep 61'] }),
  );
  const [chunk] = (await once(stream, 'data')) as [Buffer];
  const pid = Number(chunk.subarray(5).toString());
  stream.destroy();
  await until('the command is gone', () => !isAlive(pid));
});

test('a program that does not exist is refused with a reason', async () => {
  const { operator, session } = await opened();
  const stream = operator.open(openRequestBytes({ service: 'exec', argv: ['no-such-program'] }));
  await expect(buffer(stream)).rejects.toThrow(/no-such-program/);
  expect(session.peers.list()).toMatchObject([{ service: 'exec:no-such-program', refused: 1 }]);
});

test('a port is joined with half-close: the answer may come after the request ended', async () => {
  const target = createServer({ allowHalfOpen: true }, (socket) => {
    void buffer(socket).then((all) => socket.end(`got ${all.length}`));
  }).listen(0, '127.0.0.1');
  await once(target, 'listening');
  cleanUp.push(() => target.close());
  const port = portOf(target);
  const { operator } = await opened({ targets: [`127.0.0.1:${port}`] });
  const stream = operator.open(openRequestBytes({ service: 'tcp', host: '127.0.0.1', port }));
  stream.end(Buffer.alloc(500_000));
  expect((await buffer(stream)).toString()).toBe('got 500000');
});

test('a shell has a terminal, of the size that it is told', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'muster-session-'));
  cleanUp.push(() => rmSync(folder, { recursive: true, force: true }));
  const recordings = new Recordings({ folder, code: 'aB3dE6gH' }, systemClock, 'edge-1');
  const { operator, stop, ended } = await opened({}, { recordings });
  const stream = operator.open(openRequestBytes({ service: 'shell', columns: 91, rows: 17, term: 'xterm' }));
  const shown = new Shown(stream);
  shown.type('stty size; tty\n');
  await shown.until(/17 91[^]*\/dev\/pts\//);
  shown.resize(120, 40);
  shown.type('stty size\n');
  await shown.until(/40 120/);
  shown.type('exit 7\n');
  await shown.ended();
  stop.abort(new Error('enough'));
  expect(await ended).toEqual({ code: 'closedByPerson', message: 'enough' });
  const [recording] = await recordings.finish();
  // What a process finds that was started after this one died.
  expect(await leftRecordings({ folder, code: 'aB3dE6gH' })).toEqual([recording]);
  const [header, ...events] = readFileSync(join(folder, 'aB3dE6gH-0.cast'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
  expect(header).toMatchObject({ version: 2, width: 91, height: 17, title: 'edge-1' });
  expect(JSON.stringify(events)).toContain('17 91');
  expect(events).toContainEqual([expect.any(Number), 'r', '120x40']);
});

test.each([
  ['a port beyond the list', {}, { service: 'tcp', host: '127.0.0.1', port: 25 }],
  ['a host beyond the list', {}, { service: 'tcp', host: '10.0.0.1', port: 22 }],
  ['a shell that is switched off', { shell: false }, { service: 'shell' }],
  ['a command that is switched off', { exec: false }, { service: 'exec', argv: ['true'] }],
] as const)('the policy of the device refuses %s', async (_what, policy, request) => {
  const { operator } = await opened(policy);
  const stream = operator.open(openRequestBytes(request as never));
  await expect(buffer(stream)).rejects.toMatchObject({ code: 'policy' });
});

test('a read-only session uses what is marked as read-only, and nothing else', async () => {
  const target = createServer((socket) => socket.end('page')).listen(0, '127.0.0.1');
  await once(target, 'listening');
  cleanUp.push(() => target.close());
  const place = `127.0.0.1:${portOf(target)}`;
  const policy = { targets: [place, '127.0.0.1:22'], read_only_targets: [place] };
  const { operator } = await opened(policy, { mode: 'readonly' });
  const page = operator.open(openRequestBytes({ service: 'tcp', host: '127.0.0.1', port: portOf(target) }));
  page.end();
  expect((await buffer(page)).toString()).toBe('page');
  for (const request of [{ service: 'tcp', host: '127.0.0.1', port: 22 }, { service: 'shell' }] as const) {
    await expect(buffer(operator.open(openRequestBytes(request)))).rejects.toMatchObject({ code: 'policy' });
  }
});

test('a request that cannot be read is refused and harms no other', async () => {
  const { operator } = await opened();
  await expect(buffer(operator.open(Buffer.from('not json')))).rejects.toThrow();
  await expect(buffer(operator.open(Buffer.from('{"service":"rocket"}')))).rejects.toThrow();
  const stream = operator.open(openRequestBytes({ service: 'exec', argv: ['echo', 'fine'] }));
  expect((await outcome(stream)).stdout).toBe('fine\n');
});

test('a session ends when nothing is sent for too long, and at its limit', async () => {
  const idle = await opened({}, { idleMs: 50 });
  expect(await idle.ended).toMatchObject({ code: 'idle' });
  const limited = await opened({}, { maxMs: 50 });
  expect(await limited.ended).toMatchObject({ code: 'limit' });
});

test('an unknown mode means disabled', () => {
  expect(RemoteAccess.parse({ mode: 'ful' }).mode).toBe('disabled');
  expect(RemoteAccess.parse({ mode: 'readonly' }).mode).toBe('readonly');
});
