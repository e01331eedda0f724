import { generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { createServer, getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import { certificate } from './certificate.ts';
import { http } from './http.ts';

const never = () => new AbortController().signal;
const day = 86_400_000;
const machineTrusts = getCACertificates('default');
afterEach(() => setDefaultCACertificates(machineTrusts));

/** One value of ASN.1 in DER. */
function der(tag: number, ...parts: (Buffer | string)[]): Buffer {
  const body = Buffer.concat(
    parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'hex') : part)),
  );
  const length =
    body.length < 128
      ? [body.length]
      : body.length < 256
        ? [0x81, body.length]
        : [0x82, body.length >> 8, body.length & 255];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
}

/** A certificate that signs itself (RFC 5280): name and address in it, and when it ends. */
function selfSigned(options: { name: string; expiresAt: number }) {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const time = (at: number) =>
    der(0x17, Buffer.from(`${new Date(at).toISOString().slice(2, 19).replace(/[-:T]/g, '')}Z`));
  const ecdsaWithSha256 = der(0x30, '06082a8648ce3d040302');
  const name = der(0x30, der(0x31, der(0x30, '0603550403', der(0x0c, Buffer.from(options.name)))));
  const alternatives = der(0x30, der(0x82, Buffer.from(options.name)));
  const body = der(
    0x30,
    der(0xa0, '020102'),
    der(0x02, '2a'),
    ecdsaWithSha256,
    name,
    der(0x30, time(options.expiresAt - 365 * day), time(options.expiresAt)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, der(0x30, der(0x30, '0603551d11', der(0x04, alternatives)))),
  );
  const signed = der(0x30, body, ecdsaWithSha256, der(0x03, '00', sign('sha256', body, privateKey)));
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${signed.toString('base64')}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

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
