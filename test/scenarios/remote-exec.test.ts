import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Cluster } from '../harness/cluster.ts';
import { MusterProcess, musterBytes } from '../harness/muster-process.ts';
import { joinRemote, sessionsOf } from '../harness/remote-device.ts';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.create('remote-exec', { agents: ['edge-1'] });
});
afterAll(() => cluster[Symbol.asyncDispose]());

test('what a command reads and writes is binary, and standard error is apart', async () => {
  const bytes = randomBytes(3_000_001);
  const end = await musterBytes(
    cluster,
    ['exec', 'edge-1', '--', 'sh', '-c', 'echo "to stderr" >&2; cat'],
    bytes,
  );
  expect(end).toMatchObject({ exitCode: 0, stderr: 'to stderr\n' });
  expect(sha256(end.stdout)).toBe(sha256(bytes));
});

test.each([
  ['an exit code', 'exit 3', 3],
  ['success', 'true', 0],
  ['a signal, as shells count it', 'kill -TERM $$', 143],
])('the exit code is that of the command: %s', async (_what, script, exitCode) => {
  expect((await musterBytes(cluster, ['exec', 'edge-1', '--', 'sh', '-c', script])).exitCode).toBe(exitCode);
});

test('no shell is involved: arguments arrive as they are', async () => {
  const args = ['a b', '$HOME', '', "it's", '*'];
  const end = await musterBytes(cluster, ['exec', 'edge-1', '--', 'printf', '[%s]', ...args]);
  expect(end.stdout.toString()).toBe("[a b][$HOME][][it's][*]");
});

test('a command that does not exist is told in words, and is not the same as one that fails', async () => {
  const end = await musterBytes(cluster, ['exec', 'edge-1', '--', 'no-such-program']);
  expect(end.exitCode).not.toBe(0);
  expect(end.stderr).toMatch(/no-such-program/);
  expect(end.stderr).not.toMatch(/cut off/);
});

test('Ctrl-C reaches the command, which decides how it ends', async () => {
  await using muster = new MusterProcess(cluster, [
    'exec',
    'edge-1',
    '--',
    'sh',
    '-c',
    'trap "echo stopped; exit 9" INT; echo ready >&2; while :; do sleep 0.1; done',
  ]);
  await muster.says(/ready/);
  muster.child.kill('SIGINT');
  expect(await muster.ended).toMatchObject({ exitCode: 9, stdout: Buffer.from('stopped\n') });
});

test('a session is closed with what it was, and its task is COMPLETED', async () => {
  await musterBytes(cluster, ['exec', 'edge-1', '--', 'echo', 'counted']);
  const [session] = await sessionsOf(cluster);
  expect(await cluster.controller.ended(String(session?.['task']))).toMatchObject({ status: 'COMPLETED' });
  expect((await sessionsOf(cluster))[0]).toMatchObject({
    state: 'closed',
    device_name: 'edge-1',
    mode: 'full',
    reason: 'operator_ended',
    streams: 1,
    peers: [{ service: 'exec:echo', streams: 1, refused: 0 }],
  });
});

test('nothing for too long ends a session, and the operator is told why', async () => {
  const end = await musterBytes(cluster, ['exec', '--idle', '1s', 'edge-1', '--', 'sleep', '60']);
  expect(end.exitCode).not.toBe(0);
  expect(end.stderr).toMatch(/[Nn]othing was sent for 1 s/);
  const [session] = await sessionsOf(cluster);
  expect((await cluster.controller.ended(String(session?.['task']))).status).toBe('COMPLETED');
  expect((await sessionsOf(cluster))[0]).toMatchObject({ reason: 'idle' });
});

test('a device that is offline is waited for, as long as asked, and then it is said', async () => {
  await cluster.enrolled('away');
  await cluster.approve('away');
  const end = await musterBytes(cluster, ['exec', '--timeout', '2s', 'away', '--', 'true']);
  expect(end.exitCode).not.toBe(0);
  expect(end.stderr).toMatch(/away/);
  expect(end.stderr).toMatch(/did not|EXPIRED|in time/);
});

test('a device that does not allow it says so at once, in its own words', async () => {
  await joinRemote(cluster, 'closed', { mode: 'disabled' });
  const started = performance.now();
  const end = await musterBytes(cluster, ['exec', 'closed', '--', 'true']);
  expect(end.exitCode).not.toBe(0);
  expect(end.stderr).toMatch(/policy of this device does not allow remote access/);
  expect(performance.now() - started).toBeLessThan(15_000);
});

test('a read-only device runs no command and opens no shell, whatever the session asked for', async () => {
  await joinRemote(cluster, 'careful', { mode: 'readonly' });
  const end = await musterBytes(cluster, ['exec', 'careful', '--', 'true']);
  expect(end.exitCode).not.toBe(0);
  expect(end.stderr).toMatch(/does not allow exec:true in a read-only session/);
});

test('a device that does not exist is told at once', async () => {
  const end = await musterBytes(cluster, ['exec', 'nowhere', '--', 'true']);
  expect(end.exitCode).not.toBe(0);
  expect(end.stderr).toMatch(/nowhere/);
});
