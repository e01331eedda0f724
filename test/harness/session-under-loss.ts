/**
 * A session whose every connection loses one packet in a hundred: bytes there and back through a port of the device, and what a command
 * prints. A program of its own, because it runs in a network namespace of its own; prints what it saw as JSON.
 */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { Cluster } from './cluster.ts';
import { freePort } from './free-port.ts';
import { MusterProcess, musterBytes } from './muster-process.ts';
import { connectTo, LoopbackServer } from './ports.ts';
import { joinRemote } from './remote-device.ts';

const loss = `
table inet loss {
  chain arrivals {
    type filter hook input priority 0
    meta l4proto tcp numgen random mod 100 < 1 counter drop
  }
}
`;
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

execFileSync('ip', ['link', 'set', 'lo', 'mtu', '9000', 'up']); // large packets would be too few to lose any
await using cluster = await Cluster.create('under-loss');
using echo = await LoopbackServer.listen((socket) => void pipeline(socket, socket).catch(() => undefined));
await joinRemote(cluster, 'edge-1', { targets: [`127.0.0.1:${echo.port}`] });
const port = await freePort();
await using muster = new MusterProcess(cluster, [
  'connect',
  'edge-1',
  '-L',
  `${port}:127.0.0.1:${echo.port}`,
]);
await muster.says(/Ctrl-C ends/);
const bytes = randomBytes(20_000_000);
const file = join(cluster.folder, 'large');
writeFileSync(file, bytes);

execFileSync('nft', ['-f', '-'], { input: loss });
const startedAt = performance.now();
const [echoed, printed] = await Promise.all([
  connectTo(port).then((socket) => buffer(socket.end(bytes))),
  musterBytes(cluster, ['exec', 'edge-1', '--', 'cat', file]),
]);
const ms = performance.now() - startedAt;
const counted = /counter packets (\d+)/.exec(execFileSync('nft', ['list', 'ruleset'], { encoding: 'utf8' }));

process.stdout.write(
  JSON.stringify({
    isEchoed: sha256(echoed) === sha256(bytes),
    isPrinted: printed.exitCode === 0 && sha256(printed.stdout) === sha256(bytes),
    lostPackets: Number(counted?.[1]),
    ms,
  }),
);
