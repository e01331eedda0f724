import { once } from 'node:events';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { createServer, getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import { selfSigned } from '../../../test/harness/self-signed.ts';
import { certificate } from './certificate.ts';
import { http } from './http.ts';

const never = () => new AbortController().signal;
const day = 86_400_000;
const machineTrusts = getCACertificates('default');
afterEach(() => setDefaultCACertificates(machineTrusts));

async function serve(options: { name: string; expiresAt: number }) {
  const own = selfSigned(options);
  const names: (string | false)[] = [];
  const server = createServer({
    ...own,
    SNICallback: (name, done) => {
      names.push(name);
      done(null);
    },
  });
  server.on('tlsClientError', () => undefined);
  server.on('secureConnection', (socket) => socket.on('error', () => undefined));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    ...own,
    names,
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

test('reads a certificate that this machine does not trust', async () => {
  const expiresAt = Math.floor(Date.now() / 1000) * 1000 + 10 * day;
  await using server = await serve({ name: 'edge.test', expiresAt });
  expect(await certificate({ host: '127.0.0.1', port: server.port }, never())).toEqual({
    expiresAt,
    subject: 'CN=edge.test',
    issuer: 'CN=edge.test',
    trusted: false,
  });
  expect(server.names).toEqual([]);
});

test('reads one that has expired', async () => {
  const expiresAt = Math.floor(Date.now() / 1000) * 1000 - day;
  await using server = await serve({ name: 'edge.test', expiresAt });
  const told = await certificate({ host: '127.0.0.1', port: server.port }, never());
  expect(told).toMatchObject({ expiresAt, trusted: false });
});

test('asks for the given name, and trusts it only when the machine does and the name is right', async () => {
  await using server = await serve({ name: 'edge.test', expiresAt: Date.now() + 10 * day });
  setDefaultCACertificates([server.cert]);
  const ask = (serverName: string) =>
    certificate({ host: '127.0.0.1', port: server.port, serverName }, never());
  expect(await ask('edge.test')).toMatchObject({ trusted: true });
  expect(await ask('other.test')).toMatchObject({ trusted: false });
  expect(server.names).toEqual(['edge.test', 'other.test']);
});

test('the http probe refuses a server whose certificate is not trusted', async () => {
  await using server = await serve({ name: 'edge.test', expiresAt: Date.now() + 10 * day });
  await expect(http(`https://127.0.0.1:${server.port}/`, never())).rejects.toMatchObject({
    code: 'not_reached',
    message: expect.stringContaining('self-signed'),
  });
});

test('a server that does not speak TLS is a failure, one that is silent ends with the abort', async () => {
  const controller = new AbortController();
  const server = createTcpServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      if (speaks) socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
      else controller.abort(new Error('enough'));
    });
  }).listen(0, '127.0.0.1');
  let speaks = true;
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await expect(certificate({ host: '127.0.0.1', port }, never())).rejects.toMatchObject({
    code: 'not_reached',
  });

  speaks = false;
  await expect(certificate({ host: '127.0.0.1', port }, controller.signal)).rejects.toThrow('enough');
  server.close();
});
