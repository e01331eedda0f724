import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { freePort } from '../../../test/harness/free-port.ts';
import { ntp } from './ntp.ts';

const never = () => new AbortController().signal;

/** An SNTP server on loopback whose clock is `offsetMs` ahead of ours; undefined from `spoil` means no answer. */
async function serve(offsetMs: number, spoil: (packet: Buffer) => Buffer | undefined = (packet) => packet) {
  const socket = createSocket('udp4');
  socket.on('message', (request, from) => {
    const packet = Buffer.alloc(48);
    packet[0] = 0x24;
    packet[1] = 1;
    request.copy(packet, 24, 40, 48);
    for (const at of [32, 40]) {
      const ms = Date.now() + offsetMs;
      packet.writeUInt32BE(Math.floor(ms / 1000) + 2_208_988_800, at);
      packet.writeUInt32BE(Math.floor(((ms % 1000) / 1000) * 2 ** 32), at + 4);
    }
    const answer = spoil(packet);
    if (answer) socket.send(answer, from.port, from.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    port: socket.address().port,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => socket.close(() => resolve())),
  };
}

test.each([0, 90_000, -90_000])('measures a server whose clock is %d ms ahead', async (offsetMs) => {
  await using server = await serve(offsetMs);
  const told = await ntp({ host: '127.0.0.1', port: server.port }, never());
  expect(told.stratum).toBe(1);
  expect(told.roundTripMs).toBeGreaterThanOrEqual(0);
  expect(Math.abs(told.offsetMs - offsetMs)).toBeLessThan(told.roundTripMs + 50);
});

test('an answer that is not to our question is refused, with the server’s name', async () => {
  await using server = await serve(0, (packet) => packet.fill(0, 24, 32));
  await expect(ntp({ host: '127.0.0.1', port: server.port }, never())).rejects.toMatchObject({
    code: 'bad_answer',
    message: `NTP 127.0.0.1 port ${server.port}: its answer is not to our question`,
  });
});

test('a port where nobody listens is a plain sentence', async () => {
  const port = await freePort();
  await expect(ntp({ host: '127.0.0.1', port }, never())).rejects.toMatchObject({
    code: 'not_reached',
    message: `NTP 127.0.0.1 port ${port}: the connection was refused`,
  });
});

test('an abort ends the wait for a silent server', async () => {
  const controller = new AbortController();
  await using server = await serve(0, () => {
    controller.abort(new Error('enough'));
    return undefined;
  });
  const asked = ntp({ host: '127.0.0.1', port: server.port }, controller.signal);
  await expect(asked).rejects.toThrow('enough');
});
