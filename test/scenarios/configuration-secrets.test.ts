import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ageDecrypt, generateAgeKeys } from '../../shared/node/age.ts';
import { secretsPath } from '../../shared/protocol/transfer.ts';
import { Cluster } from '../harness/cluster.ts';
import { RawDevice } from '../harness/raw-device.ts';
import { until } from '../harness/until.ts';

/** Values that nobody but their device may ever see again, in every form that a program might write by itself. */
const canaries = [
  'canary-5f0c-organization',
  'canary "quoted" \\ 8e11',
  'canary-label-77aa',
  'canary-device-c3d9',
];
const forms = canaries.flatMap((value) => {
  const bytes = Buffer.from(value);
  return [
    value,
    JSON.stringify(value).slice(1, -1),
    bytes.toString('base64').slice(0, -4),
    bytes.toString('hex'),
  ];
});
const found = (text: string | Buffer): string[] => forms.filter((form) => text.includes(form));

const root = '/api/v1/organizations/default';

test('secret values are in no file, no log and no answer of the controller', {
  timeout: 120_000,
}, async () => {
  await using cluster = await Cluster.create('secrets');
  const { controller } = cluster;
  const answers: string[] = [];
  const ask = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const answer = await fetch(`${controller.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${controller.adminToken}`,
        'content-type': 'application/json',
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    answers.push(text);
    return { status: answer.status, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
  };

  const device = await RawDevice.enrol(controller.url, controller.enrolmentToken, 'fw-1');
  await ask('POST', `${root}/devices/fw-1/approve`);
  await ask('PUT', `${root}/devices/fw-1/labels`, { labels: { site: 'a' } });
  const { identity, recipient } = await generateAgeKeys();
  await using link = await device.dial();
  link.send(device.hello({ taskTypes: ['SYNC'] }));
  await link.next('welcome');
  link.send({ type: 'facts.report', digest: 'd'.repeat(64), facts: { encryption_recipient: recipient } });

  await until('the facts are stored', async () =>
    (await controller.call('GET', `${root}/devices/fw-1`))['facts'] === null ? undefined : true,
  );

  const set = (name: string, value: unknown, over: object = {}, headers = {}) =>
    ask('PUT', `${root}/variables`, { name, value, secret: true, ...over }, headers);
  await set('a', canaries[0], {}, { 'idempotency-key': 'key-1' });
  await set('b', canaries[1]);
  await set('c', canaries[2], { scope: 'label', key: 'site=a' });
  await set('d', canaries[3], { scope: 'device', key: 'fw-1' });
  // Requests that are refused, each in a way of its own, with a value in them.
  await set('not a name', canaries[0]);
  await set('e', { nested: canaries[1] });
  await set('e', canaries[2], { scope: 'device', key: 'nobody' });
  await set('e', canaries[3], { scope: canaries[3] });
  await set('e', canaries[0], { unknown: canaries[0] });
  await ask('PUT', `${root}/variables`, `{"name": "e", "value": "${canaries[0]}", `);

  const files = [{ path: '/etc/keys', unit: 'files', template: '{{ a }}{{ b }}{{ c }}{{ d }}' }];
  const bundle = { profile: 'test', targets: { all: true }, files };
  await ask('PUT', `${root}/bundles/base`, bundle);
  await ask('PUT', `${root}/bundles/broken`, {
    ...bundle,
    files: [{ ...files[0], path: '/etc/x', template: '{{ a | upcase }}' }],
  });
  await ask('POST', `${root}/sync`, { targets: { all: true } });
  await ask('POST', `${root}/sync/plan`, { targets: { all: true } });
  await ask('DELETE', `${root}/bundles/broken`);
  const sync = await ask('POST', `${root}/sync`, { targets: { all: true } }, { 'idempotency-key': 'key-2' });
  expect(sync.status).toBe(200);

  const { code } = await link.next('task.offer');
  link.send({ type: 'report.batch', reports: [{ type: 'task.accepted', code, attempt: 1, seq: 1, at: 0 }] });
  await link.next('task.start');
  const secrets = await fetch(`${controller.url}${secretsPath(String(code))}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${await device.token()}`, 'content-type': 'application/json' },
    body: '{}',
  });
  const ciphertext = Buffer.from(await secrets.arrayBuffer());
  answers.push(ciphertext.toString('latin1'));
  expect(await plainOf(ciphertext, identity)).toEqual({
    a: canaries[0],
    b: canaries[1],
    c: canaries[2],
    d: canaries[3],
  });

  for (const path of ['variables', 'bundles', 'bundles/base', 'sync/status', 'devices', 'audit?per_page=100'])
    expect((await ask('GET', `${root}/${path}`)).status).toBe(200);
  for (const path of ['/api/v1/tasks', `/api/v1/tasks/${String(code)}`, '/api/v1/runs'])
    await ask('GET', path);
  await ask('POST', `${root}/sync/plan`, { targets: { all: true } });

  await controller.kill();
  expect(answers.flatMap(found)).toEqual([]);
  const stored = await filesOf(controller.folder);
  expect(stored.some((path) => path.endsWith('secrets.key'))).toBe(true);
  expect(stored.flatMap((path) => found(readFileSync(path)).map((form) => `${path}: ${form}`))).toEqual([]);
});

async function plainOf(ciphertext: Uint8Array, identity: string): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  const source = (async function* () {
    yield ciphertext;
  })();
  for await (const chunk of ageDecrypt(source, identity)) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString());
}

async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
