import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { mustRun } from '../harness/appliance-command.ts';
import { Cluster } from '../harness/cluster.ts';
import { DelayedPort } from '../harness/delayed-port.ts';
import { freePort } from '../harness/free-port.ts';
import { MusterProcess } from '../harness/muster-process.ts';
import { lacks, notTested } from '../harness/not-tested.ts';
import { connectTo, LoopbackServer } from '../harness/ports.ts';
import { joinRemote } from '../harness/remote-device.ts';
import { sessionUpgrade } from '../../shared/protocol/session.ts';
import { type RawUpgrade, UpgradeProxy } from '../harness/upgrade-proxy.ts';
import { projectRoot } from '../harness/source-files.ts';

const roundTripMs = 100;
/** What a window that never grows would let through at most. */
const fixedWindowBytesPerMs = (256 * 1024) / roundTripMs;

test('at 100 ms a stream is not held to what a small window allows, and arrives as it was', async () => {
  await using cluster = await Cluster.create('remote-far');
  using path = await DelayedPort.listen(cluster.controller.port, roundTripMs / 2);
  const sent = randomBytes(100_000_000);
  using source = await LoopbackServer.listen((socket) => void socket.end(sent));
  await joinRemote(
    cluster,
    'edge-1',
    { targets: [`127.0.0.1:${source.port}`] },
    `http://127.0.0.1:${path.port}`,
  );
  const port = await freePort();
  await using muster = new MusterProcess(cluster, [
    'connect',
    'edge-1',
    '-L',
    `${port}:127.0.0.1:${source.port}`,
  ]);
  await muster.says(/Ctrl-C ends/);

  const hash = createHash('sha256');
  const socket = await connectTo(port);
  const startedAt = performance.now();
  socket.on('data', (chunk: Buffer) => hash.update(chunk));
  await once(socket, 'end');
  const ms = performance.now() - startedAt;

  expect(hash.digest('hex')).toBe(createHash('sha256').update(sent).digest('hex'));
  expect(sent.length / ms).toBeGreaterThan(2 * fixedWindowBytesPerMs);
});

test.each<RawUpgrade>(['refused', 'cut', 'stripped'])(
  'both sides behind a proxy where a raw upgrade is %s have their session over WebSocket',
  async (raw) => {
    await using cluster = await Cluster.create('remote-proxy');
    using proxy = await UpgradeProxy.listen(cluster.controller.port, raw);
    await joinRemote(cluster, 'edge-1', {}, proxy.url);
    const bytes = randomBytes(5_000_000);
    await using muster = new MusterProcess(cluster, ['exec', 'edge-1', '--', 'cat'], {
      env: { MUSTER_URL: proxy.url },
    });
    muster.child.stdin.end(bytes);
    const { exitCode, stdout } = await muster.ended;
    expect({ exitCode, isSame: stdout.equals(bytes) }).toEqual({ exitCode: 0, isSame: true });
    expect(proxy.upgrades.filter((kind) => kind === sessionUpgrade)).toHaveLength(2);
  },
);

test('with one packet of a hundred lost nothing is altered, and nothing stands still', async () => {
  const why = process.getuid?.() === 0 ? (lacks('unshare') ?? lacks('nft') ?? lacks('ip')) : 'It needs root';
  if (notTested('a session that loses packets', why)) return;
  const program = join(projectRoot, 'test/harness/session-under-loss.ts');
  const seen = await mustRun(['unshare', '--net', '--', process.execPath, program], { timeoutMs: 150_000 });
  const { isEchoed, isPrinted, lostPackets } = JSON.parse(seen) as Record<string, unknown>;
  expect({ isEchoed, isPrinted }).toEqual({ isEchoed: true, isPrinted: true });
  expect(lostPackets).toBeGreaterThan(10);
});
