import { once } from 'node:events';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { signKeyChange } from '../shared/node/key-change.ts';
import { generateKeyPair, keyFingerprint, signText } from '../shared/node/keys.ts';
import { systemClock, systemRandom } from '../shared/node/system-clock.ts';
import { EnrolRequest } from '../shared/protocol/enrol.ts';
import { temporaryFolder } from '../test/harness/temporary-folder.ts';
import { DataFolder } from './data-folder.ts';
import { type EnrolOptions, enrol } from './enrol.ts';
import { controllerKeysOf, readIdentity, readKeys } from './identity.ts';

/** The enrolment route of a controller, honest unless told otherwise. */
class FakeEnrolment implements AsyncDisposable {
  readonly keys = generateKeyPair();
  readonly requests: EnrolRequest[] = [];
  answer: ((request: EnrolRequest) => { status: number; body: unknown }) | undefined;
  readonly #server = createServer((request, response) => {
    void json(request).then((value) => {
      const asked = EnrolRequest.parse(value);
      this.requests.push(asked);
      const { status, body } = this.answer?.(asked) ?? { status: 201, body: this.honest(asked) };
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
  });

  async listen(): Promise<this> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  ticket(over: Record<string, string> = {}): string {
    const ticket = {
      url: this.url,
      fingerprint: keyFingerprint(this.keys.publicKey),
      secret: 's'.repeat(32),
      ...over,
    };
    return `me1.${Buffer.from(JSON.stringify(ticket)).toString('base64url')}`;
  }

  honest(request: EnrolRequest, over: Record<string, string> = {}) {
    const statement = JSON.stringify({
      nonce: request.nonce,
      device_id: 'device-1',
      name: request.name,
      organization: 'default',
      controller_id: 'controller-1',
      public_key: request.public_key,
      ...over,
    });
    const signature = signText(statement, this.keys.privateKey);
    return { status: 'PENDING', statement, controller_key: this.keys.publicKey, signature };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

const controller = () => new FakeEnrolment().listen();

const options = (path: string, over: Partial<EnrolOptions>): EnrolOptions => ({
  folder: new DataFolder(join(path, 'data')),
  ticket: '',
  url: undefined,
  name: 'edge-1',
  force: false,
  clock: systemClock,
  random: systemRandom,
  ...over,
});

test('makes the key here, pins the controller, and keeps both from other users', async () => {
  await using fake = await controller();
  using folder = temporaryFolder('enrol');
  const asked = options(folder.path, { ticket: `${fake.ticket()}\n` });
  const enrolment = await enrol(asked);

  const keys = readKeys(asked.folder);
  expect(fake.requests).toMatchObject([{ name: 'edge-1', public_key: keys?.publicKey }]);
  expect(enrolment).toMatchObject({ status: 'PENDING', fingerprint: keyFingerprint(keys?.publicKey ?? '') });
  expect(readIdentity(asked.folder)).toMatchObject({
    device_id: 'device-1',
    controller_id: 'controller-1',
    controller_key: fake.keys.publicKey,
    controller_url: fake.url,
  });
  for (const path of [asked.folder.key, asked.folder.identity])
    expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(asked.folder.path).mode & 0o777).toBe(0o700);
});

test('a second time with the same controller asks nobody, and follows it to a new address', async () => {
  await using fake = await controller();
  using folder = temporaryFolder('enrol');
  await enrol(options(folder.path, { ticket: fake.ticket() }));
  const again = await enrol(options(folder.path, { ticket: fake.ticket({ url: 'https://new.example' }) }));
  expect(again).toMatchObject({ status: 'already', identity: { controller_url: 'https://new.example' } });
  expect(fake.requests).toHaveLength(1);
});

test('a token of the controller’s new key is known by a device that followed it, and a stranger’s is not', async () => {
  await using fake = await controller();
  using folder = temporaryFolder('enrol');
  const { folder: data, ...asked } = options(folder.path, { ticket: fake.ticket() });
  const { identity } = await enrol({ ...asked, folder: data });
  const [old, next] = [fake.keys, generateKeyPair()];
  const named = { old: old.publicKey, next: next.publicKey, old_until: 0 };
  const said = { purpose: 'controller-key', controller: 'controller-1', ...named };
  const keys = controllerKeysOf(identity, { folder: data, now: () => 0 });
  expect(keys.learn([signKeyChange(said, { old, next })])).toBe(1);

  const ticket = fake.ticket({ fingerprint: keyFingerprint(next.publicKey) });
  expect(await enrol({ ...asked, folder: data, ticket })).toMatchObject({ status: 'already' });
  const foreign = fake.ticket({ fingerprint: keyFingerprint(generateKeyPair().publicKey) });
  await expect(enrol({ ...asked, folder: data, ticket: foreign })).rejects.toThrow(/another controller/);
});

test('an enrolment that was cut short goes on with the same key', async () => {
  await using fake = await controller();
  using folder = temporaryFolder('enrol');
  fake.answer = () => ({ status: 503, body: { error: 'not now', code: 'unavailable' } });
  await expect(enrol(options(folder.path, { ticket: fake.ticket() }))).rejects.toThrow(/not now/);
  fake.answer = undefined;
  await enrol(options(folder.path, { ticket: fake.ticket() }));
  expect(fake.requests[1]?.public_key).toBe(fake.requests[0]?.public_key);
});

test('another controller is refused, naming both; --force leaves the old one with a new key and a new database', async () => {
  await using first = await controller();
  await using second = await controller();
  using folder = temporaryFolder('enrol');
  const asked = options(folder.path, { ticket: first.ticket() });
  await enrol(asked);
  writeFileSync(asked.folder.database, 'tasks of the first controller');

  const refused = enrol({ ...asked, ticket: second.ticket() });
  await expect(refused).rejects.toThrow(keyFingerprint(first.keys.publicKey));
  await expect(refused).rejects.toThrow(keyFingerprint(second.keys.publicKey));
  await expect(refused).rejects.toMatchObject({ exitCode: 6 });

  await enrol({ ...asked, ticket: second.ticket(), force: true });
  expect(readIdentity(asked.folder)?.controller_key).toBe(second.keys.publicKey);
  expect(second.requests[0]?.public_key).not.toBe(first.requests[0]?.public_key);
  const moved = readdirSync(asked.folder.path).filter((name) => name.startsWith('agent.sqlite.'));
  expect(readFileSync(join(asked.folder.path, moved[0] ?? ''), 'utf8')).toBe('tasks of the first controller');
});

test('--force gives nothing up before the new controller has answered', async () => {
  await using first = await controller();
  await using second = await controller();
  using folder = temporaryFolder('enrol');
  const asked = options(folder.path, { ticket: first.ticket() });
  await enrol(asked);
  const before = readIdentity(asked.folder);
  second.answer = () => ({
    status: 401,
    body: { error: 'The enrolment token is not valid', code: 'not_authenticated' },
  });
  await expect(enrol({ ...asked, ticket: second.ticket(), force: true })).rejects.toMatchObject({
    exitCode: 4,
  });
  expect(readIdentity(asked.folder)).toEqual(before);
  expect(readKeys(asked.folder)?.publicKey).toBe(first.requests[0]?.public_key);
});

test('a controller with another key than the token names is not trusted, and both are named', async () => {
  await using fake = await controller();
  using folder = temporaryFolder('enrol');
  const fingerprint = 'ab'.repeat(32);
  const refused = enrol(options(folder.path, { ticket: fake.ticket({ fingerprint }) }));
  await expect(refused).rejects.toThrow(fingerprint);
  await expect(refused).rejects.toThrow(keyFingerprint(fake.keys.publicKey));
  expect(readIdentity(new DataFolder(join(folder.path, 'data')))).toBeUndefined();
});

test.each([
  [
    'repeats another nonce',
    (fake: FakeEnrolment, request: EnrolRequest) => fake.honest(request, { nonce: 'n'.repeat(20) }),
  ],
  [
    'names another key',
    (fake: FakeEnrolment, request: EnrolRequest) =>
      fake.honest(request, { public_key: generateKeyPair().publicKey }),
  ],
  [
    'is not signed by it',
    (fake: FakeEnrolment, request: EnrolRequest) => ({ ...fake.honest(request), signature: 'AAAA' }),
  ],
])('an answer that %s is not trusted', async (_what, answer) => {
  await using fake = await controller();
  using folder = temporaryFolder('enrol');
  fake.answer = (request) => ({ status: 201, body: answer(fake, request) });
  await expect(enrol(options(folder.path, { ticket: fake.ticket() }))).rejects.toThrow(/not trusted/);
});

test.each([
  ['no token of ours', 'hello', /not an enrolment token/, 2],
  ['a token cut in half', 'me1.eyJ1cmwiOiJod', /damaged/, 2],
])('%s is a usage error', async (_what, ticket, message, exitCode) => {
  using folder = temporaryFolder('enrol');
  const refused = enrol(options(folder.path, { ticket }));
  await expect(refused).rejects.toThrow(message);
  await expect(refused).rejects.toMatchObject({ exitCode });
});

test('a controller that cannot be reached is named, with the reason', async () => {
  using folder = temporaryFolder('enrol');
  const fake = await controller();
  const ticket = fake.ticket();
  const { url } = fake;
  await fake[Symbol.asyncDispose]();
  const refused = enrol(options(folder.path, { ticket }));
  await expect(refused).rejects.toThrow(url);
  await expect(refused).rejects.toThrow(/ECONNREFUSED/);
  await expect(refused).rejects.toMatchObject({ exitCode: 8 });
});

test('whatever else answers is no controller', async () => {
  await using fake = await controller();
  using folder = temporaryFolder('enrol');
  fake.answer = () => ({ status: 404, body: '<html>' });
  await expect(enrol(options(folder.path, { ticket: fake.ticket() }))).rejects.toThrow(/HTTP 404/);
});
