import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { freePort } from '../../../test/harness/free-port.ts';
import { dns } from './dns.ts';

const never = () => new AbortController().signal;
const A = 1;
const AAAA = 28;

type Answer = { code?: number; addresses?: Buffer[] } | 'silence';

/** A name server on loopback that answers as told. */
async function serve(answer: (name: string, type: number) => Answer) {
  const socket = createSocket('udp4');
  socket.on('message', (query, from) => {
    const end = query.indexOf(0, 12) + 5;
    const labels: string[] = [];
    for (let at = 12; query[at]; at += (query[at] ?? 0) + 1) {
      labels.push(query.toString('latin1', at + 1, at + 1 + (query[at] ?? 0)));
    }
    const type = query.readUInt16BE(end - 4);
    const told = answer(labels.join('.'), type);
    if (told === 'silence') return;

    const addresses = told.addresses ?? [];
    const head = Buffer.alloc(12);
    head.writeUInt16BE(query.readUInt16BE(0), 0);
    head.writeUInt16BE(0x8180 | (told.code ?? 0), 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(addresses.length, 6);
    const records = addresses.map((address) =>
      Buffer.concat([Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, 0, address.length]), address]),
    );
    socket.send(Buffer.concat([head, query.subarray(12, end), ...records]), from.port, from.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    server: `127.0.0.1:${socket.address().port}`,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => socket.close(() => resolve())),
  };
}

test('asks the chosen server for both families', async () => {
  await using own = await serve((name, type) => {
    expect(name).toBe('edge.test');
    if (type === A) return { addresses: [Buffer.from([192, 0, 2, 7]), Buffer.from([192, 0, 2, 8])] };
    return { addresses: [Buffer.from('20010db8000000000000000000000001', 'hex')] };
  });
  const { addresses, durationMs } = await dns({ name: 'edge.test', server: own.server }, never());
  expect(addresses).toEqual(['192.0.2.7', '192.0.2.8', '2001:db8::1']);
  expect(durationMs).toBeGreaterThan(0);
});

test('one family is enough', async () => {
  await using own = await serve((_name, type) =>
    type === AAAA ? {} : { addresses: [Buffer.from([10, 0, 0, 1])] },
  );
  expect(await dns({ name: 'edge.test', server: own.server }, never())).toMatchObject({
    addresses: ['10.0.0.1'],
  });
});

test.each([
  [3, 'the name does not exist'],
  [2, 'the name server failed (SERVFAIL)'],
  [5, 'the name server refused to answer'],
  [0, 'the name has no address'],
])('response code %d is the sentence "%s"', async (code, sentence) => {
  await using own = await serve(() => ({ code }));
  await expect(dns({ name: 'edge.test', server: own.server }, never())).rejects.toMatchObject({
    code: 'not_resolved',
    message: `edge.test at ${own.server}: ${sentence}`,
  });
});

test('an abort ends the wait for a silent server', async () => {
  const controller = new AbortController();
  await using own = await serve(() => {
    controller.abort(new Error('enough'));
    return 'silence';
  });
  await expect(dns({ name: 'edge.test', server: own.server }, controller.signal)).rejects.toThrow('enough');
});

test('a server that is not there is a plain sentence', async () => {
  const server = `127.0.0.1:${await freePort()}`;
  await expect(dns({ name: 'edge.test', server }, never())).rejects.toMatchObject({ code: 'not_resolved' });
});
