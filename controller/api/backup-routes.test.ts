import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { z } from 'zod';
import type { Archive as ArchiveSchema, RetentionPlan } from '../../shared/api/backups.ts';
import { archiveReadablePath } from '../../shared/protocol/transfer.ts';
import { ApiDevice, sha256Of, twoRecipients } from '../../test/harness/api-device.ts';
import { ApiUnderTest } from '../../test/harness/api.ts';

type Archive = z.output<typeof ArchiveSchema>;

let api: ApiUnderTest;
let device: ApiDevice;
let made = 0;
beforeAll(async () => {
  api = await ApiUnderTest.start();
});
afterAll(() => api[Symbol.asyncDispose]());
beforeEach(async () => {
  device = await ApiDevice.make(api);
});

const root = '/api/v1/organizations/default/backups';
const configPath = '/api/v1/organizations/default/backup-config';
const configure = (config: object) => api.call('PUT', configPath, { body: config });
const blobFile = (sha256: string) => join(api.folder.path, 'blobs', sha256.slice(0, 2), sha256);

/** An archive with bytes of its own; `readable`: the device read it back. */
async function archive(options: { readable?: boolean; content?: string; agoDays?: number } = {}) {
  const bytes = Buffer.from(`sealed ${++made}`);
  const { body, code } = await device.backUp(bytes, { content: options.content ?? `content-${made}` });
  const id = String(body['archive']);
  if (options.readable ?? true) {
    const readable = { archive: id, files: 1, plain_bytes: 1 };
    expect((await device.call('POST', archiveReadablePath(code), readable)).status).toBe(200);
  }
  await device.finish(code);
  return { id, bytes, sha256: sha256Of(bytes), code };
}

const describeArchive = async (id: string) => (await api.call('GET', `${root}/${id}`)).body as Archive;

describe('the configuration of backups', () => {
  test('has defaults, is replaced whole, and audited', async () => {
    const fresh = await api.organization(`fresh-${device.name}`);
    const admin = await api.member('admin', 'RW', fresh);
    const url = `/api/v1/organizations/${fresh.name}/backup-config`;
    expect((await api.call('GET', url, { as: admin })).body).toMatchObject({
      recipients: [],
      full_every_days: 30,
      retention: { last: 7, daily: 14 },
    });
    const body = { recipients: twoRecipients, include: ['/opt'], retention: { last: 3 } };
    expect((await api.call('PUT', url, { as: admin, body })).status).toBe(200);
    expect((await api.call('GET', url, { as: admin })).body).toMatchObject({
      recipients: twoRecipients,
      include: ['/opt'],
      retention: { last: 3, daily: 14 },
    });
    const audit = await api.call(
      'GET',
      `/api/v1/organizations/${fresh.name}/audit?action=backup_config.update`,
      { as: admin },
    );
    expect(audit.body['total']).toBe(1);
  });

  test('refuses a single recipient, also when it is named twice', async () => {
    for (const recipients of [twoRecipients.slice(0, 1), [twoRecipients[0], twoRecipients[0]]]) {
      const answer = await configure({ recipients });
      expect([answer.status, answer.body['code']]).toEqual([422, 'too_few_recipients']);
    }
  });
});

describe('a backup of devices', () => {
  const run = (over: object = {}) =>
    api.call('POST', root, { body: { targets: { devices: [device.name] }, ...over } });
  const parametersOf = async (answer: { body: Record<string, unknown> }) => {
    const [task] = answer.body['tasks'] as { task: string }[];
    const row = await api.store.tasks.get(undefined, task?.task ?? '');
    return JSON.parse(row?.parameters ?? '{}') as Record<string, unknown>;
  };

  test('is refused as long as nobody could read it', async () => {
    await configure({ recipients: [] });
    expect((await run()).body).toMatchObject({ code: 'too_few_recipients' });
  });

  test('tells each device which content needs no new archive', async () => {
    await configure({ recipients: twoRecipients, include: ['/opt/app'] });
    expect(await parametersOf(await run())).toMatchObject({ known: null, full: true, include: ['/opt/app'] });
    await archive({ content: 'older' });
    await archive({ content: 'newest proven' });
    await archive({ content: 'not read back', readable: false });
    expect(await parametersOf(await run())).toMatchObject({ known: 'newest proven', full: false });
    expect(await parametersOf(await run({ full: true }))).toMatchObject({ full: true });
    // Who is to read it has changed: what is there stands in for nothing.
    await configure({ recipients: [...twoRecipients, `age1${'z'.repeat(58)}`] });
    expect(await parametersOf(await run())).toMatchObject({ known: null, full: true });
  });

  test('refuses targets that are not there', async () => {
    await configure({ recipients: twoRecipients });
    expect((await run({ targets: { devices: ['nobody'] } })).body).toMatchObject({
      code: 'unresolved_targets',
    });
  });
});

describe('an archive', () => {
  test('is listed and described with what was proven', async () => {
    const { id, bytes, sha256, code } = await archive({ readable: false });
    expect(await describeArchive(id)).toMatchObject({
      id,
      device_name: device.name,
      task: code,
      size: bytes.length,
      sha256,
      level: 'stored',
      readable_at: null,
      files: 1,
      recipients: twoRecipients,
      device_key: device.keys.publicKey,
    });
    const newer = await archive();
    const list = async (query: string) =>
      (
        (await api.call('GET', `${root}?device=${device.name}${query}`)).body as { items: Archive[] }
      ).items.map((one) => one.id);
    expect(await list('')).toEqual([newer.id, id]);
    expect(await list('&level=stored')).toEqual([id]);
    expect(await list('&level=readable')).toEqual([newer.id]);
    expect((await api.call('GET', `${root}?device=nobody-at-all`)).body['total']).toBe(0);
  });

  test('is downloaded as it is stored, and goes on in the middle', async () => {
    const { id, bytes, sha256 } = await archive();
    const whole = await api.call('GET', `${root}/${id}/content`);
    expect([whole.status, whole.text, whole.headers['etag']]).toEqual([200, bytes.toString(), `"${sha256}"`]);
    expect(whole.headers['content-disposition']).toContain(`${device.name}-`);
    const rest = await api.call('GET', `${root}/${id}/content`, { headers: { range: 'bytes=3-' } });
    expect([rest.status, rest.text]).toEqual([206, bytes.toString().slice(3)]);
    const { statement } = await describeArchive(id);
    const manifest = await api.call('GET', `${root}/${id}/manifest`);
    expect(sha256Of(manifest.text)).toBe(JSON.parse(statement).manifest_sha256);
    expect(manifest.body['device']).toBe(device.id);
  });

  test('of another organization does not exist', async () => {
    const { id } = await archive();
    const away = await api.organization(`away-${device.name}`);
    const foreign = await api.member('admin', 'RW', away);
    for (const path of ['', '/content', '/manifest']) {
      expect((await api.call('GET', `${root}/${id}${path}`, { as: foreign })).status).toBe(404);
      const home = `/api/v1/organizations/${away.name}/backups/${id}${path}`;
      expect((await api.call('GET', home, { as: foreign })).status).toBe(404);
    }
    const verify = `/api/v1/organizations/${away.name}/backups/${id}/verify`;
    expect((await api.call('POST', verify, { as: foreign })).status).toBe(404);
  });

  test('is verified by reading it again; truncated, replaced and lost ones are told and remembered', async () => {
    const { id, bytes, sha256 } = await archive();
    const verify = async () => (await api.call('POST', `${root}/${id}/verify`)).body;
    expect(await verify()).toMatchObject({ ok: true, level: 'readable' });

    writeFileSync(blobFile(sha256), bytes.subarray(0, 4));
    expect(await verify()).toMatchObject({
      ok: false,
      message: `The object has 4 bytes, expected ${bytes.length}`,
    });
    writeFileSync(blobFile(sha256), Buffer.alloc(bytes.length, 'x'));
    expect(await verify()).toMatchObject({ ok: false, message: expect.stringContaining('SHA-256') });
    const damaged = await describeArchive(id);
    expect(damaged).toMatchObject({
      damaged_at: expect.any(String),
      damage: expect.stringContaining('SHA-256'),
    });
    rmSync(blobFile(sha256));
    expect(await verify()).toMatchObject({ ok: false, message: expect.stringContaining('not in the store') });

    writeFileSync(blobFile(sha256), bytes);
    expect(await verify()).toMatchObject({ ok: true });
    expect(await describeArchive(id)).toMatchObject({ damaged_at: null, damage: null });
    const audit = await api.call(
      'GET',
      `/api/v1/organizations/default/audit?action=archive.verify&target=${id}`,
    );
    expect(audit.body['total']).toBe(5);
  });

  test('is restorable after a dry run of a restore that a device accepted', async () => {
    const { id } = await archive();
    const tell = async (task: string) =>
      api.call('POST', `${root}/${id}/restorable`, { body: { task, files: 1 } });
    const order = { generation: 1, manifest: 'a'.repeat(64), manifest_bytes: 1, on_drift: 'overwrite' };
    const sync = (over: object) =>
      device.task('SYNC', { ...order, dry_run: true, reason: 'restore', ...over });

    expect((await tell('nothing1')).status).toBe(404);
    for (const over of [{ dry_run: false }, { reason: 'sync' }]) {
      const code = await sync(over);
      await device.finish(code);
      expect((await tell(code)).status, JSON.stringify(over)).toBe(422);
    }
    const code = await sync({});
    expect((await tell(code)).body).toMatchObject({ code: 'conflict' });
    await device.finish(code);
    expect((await tell(code)).body).toMatchObject({ level: 'restorable' });
  });
});

describe('retention', () => {
  const plan = async (body: object = { device: device.name }) => {
    const answer = await api.call('POST', `${root}/retention`, { body });
    return { ...answer, plan: answer.body as unknown as RetentionPlan };
  };
  const keepOne = () =>
    configure({
      recipients: twoRecipients,
      retention: { last: 1, hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 },
    });

  test('shows what it would delete, and deletes exactly that, once', async () => {
    await keepOne();
    const [old, newest] = [await archive(), await archive()];
    const shown = await plan();
    expect(shown.plan.delete.map((one) => one.archive)).toEqual([old.id]);
    expect(shown.plan.keep.map((one) => one.archive)).toEqual([newest.id]);
    expect(shown.plan.deleted).toBe(0);
    expect((await describeArchive(old.id)).id).toBe(old.id);

    const applied = await plan({ apply: shown.plan.plan });
    expect(applied.plan.deleted).toBe(1);
    expect((await api.call('GET', `${root}/${old.id}`)).status).toBe(404);
    expect((await plan({ apply: shown.plan.plan })).status).toBe(409);
    expect(await api.store.blobs.heldBy('archive', old.id)).toEqual([]);
    const audit = await api.call(
      'GET',
      `/api/v1/organizations/default/audit?action=backup.retention&target=${shown.plan.plan}`,
    );
    expect(audit.body).toMatchObject({ total: 1, items: [{ detail: { deleted: 1, archives: [old.id] } }] });
  });

  test('applies no plan that was never shown, or that somebody else was shown', async () => {
    await keepOne();
    await archive();
    await archive();
    expect((await plan({ apply: 'f'.repeat(64) })).status).toBe(404);
    const { plan: shown } = await plan();
    const foreign = await api.member('admin', 'RW', await api.organization(`away-${device.name}`));
    const answer = await api.call('POST', `/api/v1/organizations/away-${device.name}/backups/retention`, {
      as: foreign,
      body: { apply: shown.plan },
    });
    expect(answer.status).toBe(404);
  });

  test('applies no plan that does not hold any more', async () => {
    await keepOne();
    const [old, newest] = [await archive(), await archive()];
    const { plan: shown } = await plan();
    await api.store.archives.note(newest.id, { kind: 'damaged', damage: 'found just now' }, Date.now());
    const answer = await plan({ apply: shown.plan });
    expect([answer.status, answer.body['detail']]).toEqual([409, { archives: [old.id] }]);
    expect((await describeArchive(old.id)).id).toBe(old.id);
  });
});
