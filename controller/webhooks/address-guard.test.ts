import { createServer } from 'node:https';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { WebhookReceiver } from '../../test/harness/webhook-receiver.ts';
import { selfSigned } from '../../test/harness/self-signed.ts';
import { type AddressRules, checkHost, checkUrl, type Resolve } from './address-guard.ts';
import { createPost } from './http-post.ts';

const strict: AddressRules = { allowPrivateNetworks: false, allowHttp: false };
const open: AddressRules = { allowPrivateNetworks: true, allowHttp: true };
const never = new AbortController().signal;
const message = { headers: {}, body: '{}' };

/** A resolver that answers each question with the next answer. */
const answering = (...answers: string[][]): Resolve => {
  const left = [...answers];
  return (_host, _options, callback) => {
    const addresses = left.length > 1 ? left.shift() : left[0];
    callback(
      null,
      (addresses ?? []).map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
  };
};

describe('a URL', () => {
  test.each([
    'http://example.org/',
    'ftp://example.org/',
    'example.org',
    'https://ann:secret@example.org/',
    'https://example.org/#part',
    'https://127.0.0.1/',
    'https://127.1/',
    'https://0x7f000001/',
    'https://2130706433/',
    'https://0.0.0.0/',
    'https://10.1.2.3/',
    'https://172.16.0.1/',
    'https://192.168.1.1/',
    'https://169.254.169.254/latest/meta-data',
    'https://100.64.0.1/',
    'https://224.0.0.1/',
    'https://255.255.255.255/',
    'https://[::1]/',
    'https://[::]/',
    'https://[fe80::1]/',
    'https://[fd00::1]/',
    'https://[::ffff:127.0.0.1]/',
    'https://[::ffff:a00:1]/',
    'https://[64:ff9b::7f00:1]/',
    'https://[2002:7f00:1::]/',
  ])('%s is refused', (url) => {
    expect(() => checkUrl(url, strict)).toThrow(
      /^url is not valid: expected|^url is not valid: .* not an address of the internet/,
    );
  });

  test.each(['https://example.org/hook?token=x', 'https://8.8.8.8:8443/', 'https://[2606:4700::1111]/'])(
    '%s passes',
    (url) => {
      expect(checkUrl(url, strict).href).toBe(url);
    },
  );

  test('of the own network passes when the configuration says so', () => {
    expect(checkUrl('http://127.0.0.1:8080/', open).port).toBe('8080');
    expect(() => checkUrl('http://10.0.0.1/', { ...open, allowPrivateNetworks: false })).toThrow();
    expect(() => checkUrl('http://10.0.0.1/', { ...open, allowHttp: false })).toThrow(/allow_http/);
  });
});

test('a name that resolves to a private address is refused, also when others are public', async () => {
  const url = new URL('https://hooks.example.org/');
  const check = (...addresses: string[]) => checkHost(url, { ...strict, resolve: answering(addresses) });
  await expect(check('8.8.8.8')).resolves.toBeUndefined();
  await expect(check('10.0.0.1')).rejects.toMatchObject({ code: 'bad_request' });
  await expect(check('8.8.8.8', '::1')).rejects.toThrow(/hooks.example.org is ::1/);
});

test('a name that answers otherwise at the connection is not connected to', async () => {
  await using receiver = await WebhookReceiver.start();
  const resolve = answering(['8.8.8.8'], ['127.0.0.1']);
  const rules: AddressRules = { allowPrivateNetworks: false, allowHttp: true, resolve };
  const text = `http://rebinding.example.org:${receiver.port}/`;
  await checkHost(checkUrl(text, rules), rules);
  await expect(createPost(rules)(text, message, never)).rejects.toThrow(
    /127.0.0.1, which is not an address of the internet/,
  );
  expect(receiver.received).toEqual([]);

  const allowed = createPost({ ...open, resolve: answering(['127.0.0.1']) });
  expect(await allowed(text, message, never)).toMatchObject({ status: 200 });
});

test('a URL that the configuration does not allow any more is not sent to', async () => {
  await using receiver = await WebhookReceiver.start();
  await expect(createPost(strict)(receiver.url, message, never)).rejects.toThrow(/expected https/);
  await expect(createPost({ ...strict, allowHttp: true })(receiver.url, message, never)).rejects.toThrow(
    /127.0.0.1/,
  );
  expect(receiver.received).toEqual([]);
});

test('a certificate that nobody vouches for is refused', async () => {
  const { key, cert } = selfSigned({ name: 'localhost', expiresAt: Date.now() + 60_000 });
  const server = createServer({ key, cert }, (_, response) => response.end()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await expect(createPost(open)(`https://127.0.0.1:${port}/`, message, never)).rejects.toMatchObject({
    code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
  });
  server.close();
});
