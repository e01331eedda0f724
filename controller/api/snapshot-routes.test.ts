import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Snapshot, SnapshotDiff, SnapshotView } from '../../shared/api/configs.ts';
import { ApiDevice, configView, pullReport, sha256Of, twoRecipients } from '../../test/harness/api-device.ts';
import { ApiUnderTest } from '../../test/harness/api.ts';
import { systemClock } from '../../shared/node/system-clock.ts';
import { SharedCommits } from '../content/shared-commits.ts';
import { Snapshots } from '../content/snapshots.ts';

let api: ApiUnderTest;
let device: ApiDevice;
beforeAll(async () => {
  api = await ApiUnderTest.start();
});
afterAll(() => api[Symbol.asyncDispose]());
beforeEach(async () => {
  device = await ApiDevice.make(api);
});

const path = (rest = '') => `/api/v1/organizations/default/devices/${device.name}/snapshots${rest}`;
const get = async <Body>(url: string): Promise<Body> => {
  const answer = await api.call('GET', url);
  expect(answer.status, answer.text).toBe(200);
  return answer.body as Body;
};
const versions = async () => (await get<{ items: Snapshot[] }>(path())).items;
const state = (text: string) => [
  { unit: 'files', status: 'in_sync' as const, message: '', files: 1, bytes: 1, state: text },
];

describe('a version', () => {
  test('is made when the view changes, and seen again when it does not', async () => {
    expect((await device.pull(configView({ '/etc/a': 'one' }))).body).toEqual({ version: 1, changed: true });
    const [first] = await versions();
    expect((await device.pull(configView({ '/etc/a': 'one' }))).body).toEqual({ version: 1, changed: false });
    expect((await device.pull(configView({ '/etc/a': 'two' }))).body).toEqual({ version: 2, changed: true });
    // What was there before, and is there again, is a change too.
    expect((await device.pull(configView({ '/etc/a': 'one' }))).body).toEqual({ version: 3, changed: true });
    const all = await versions();
    expect(all.map(({ version, reason }) => [version, reason])).toEqual([
      [3, 'changed'],
      [2, 'changed'],
      [1, 'first'],
    ]);
    const seen = all.at(-1);
    expect(seen?.first_seen_at).toBe(first?.first_seen_at);
    expect(Date.parse(seen?.last_seen_at ?? '')).toBeGreaterThanOrEqual(
      Date.parse(first?.last_seen_at ?? ''),
    );
  });

  test('says when only the rules of the view changed', async () => {
    await device.pull(configView({ '/etc/a': 'one' }), { units: state('same') });
    await device.pull(configView({ '/etc/a': 'one' }, 'rules-2'), { units: state('same') });
    await device.pull(configView({ '/etc/a': 'two' }, 'rules-3'), { units: state('other') });
    expect((await versions()).map(({ reason }) => reason)).toEqual(['changed', 'ruleset', 'first']);
  });

  test('is never made of a reading that is not complete', async () => {
    await device.pull(configView({ '/etc/a': 'one' }));
    const partial = await device.pull(configView({ '/etc/a': 'o' }), { complete: false });
    expect(partial.body).toEqual({ version: null, changed: false });
    for (const status of ['unreadable', 'unstable', 'suspect'] as const) {
      const units = state('x').map((unit) => ({ ...unit, status }));
      expect((await device.pull(configView({ '/etc/a': status }), { units })).body).toMatchObject({
        version: null,
      });
    }
    expect(await versions()).toHaveLength(1);
  });

  test('is reported twice and made once', async () => {
    const code = await device.task('PULL', { recipients: [] });
    const view = configView({ '/etc/a': 'one' });
    const [first, second] = [await device.pull(view, { code }), await device.pull(view, { code })];
    expect([first.body, second.body]).toEqual(Array(2).fill({ version: 1, changed: true }));
    expect(await versions()).toHaveLength(1);
  });

  test('keeps its view and original while the upload is let go', async () => {
    const raw = Buffer.from('age-encrypted');
    const code = await device.task('PULL', { recipients: twoRecipients });
    await device.pull(configView({ '/etc/a': 'one' }), { code, raw });
    await device.finish(code);
    await api.content.uploads.sweep();
    expect(await api.store.blobs.heldBy('snapshot', `${device.id}/1`)).toHaveLength(2);
    const original = await api.call('GET', path('/1/raw'));
    expect([original.status, original.text]).toEqual([200, 'age-encrypted']);
    expect((await versions())[0]).toMatchObject({ has_raw: true, task: code, profile: 'debian@1' });
    await device.pull(configView({ '/etc/a': 'two' }));
    expect((await api.call('GET', path('/2/raw'))).status).toBe(404);
  });

  test('gets the original that is brought later, and another when others are to read it', async () => {
    const view = configView({ '/etc/a': 'one' });
    const code = await device.task('PULL', { recipients: twoRecipients });
    await device.pull(view, { code });
    expect((await versions())[0]?.has_raw).toBe(false);
    const raws = ['sealed for two', 'sealed for three'];
    for (const raw of raws) await device.pull(view, { code, raw: Buffer.from(raw) });
    await device.finish(code);
    await api.content.uploads.sweep();
    expect((await api.call('GET', path('/1/raw'))).text).toBe(raws[1]);
    expect(await api.store.blobs.heldBy('snapshot', `${device.id}/1`)).toHaveLength(2);
    const stolen = await device.pull(view, { raw_sha256: sha256Of('never brought') });
    expect([stolen.status, stolen.body['detail']]).toEqual([409, { missing: ['raw'] }]);
  });

  test('is audited as made by its device', async () => {
    await device.pull(configView({ '/etc/a': 'one' }));
    const { items } = await get<{ items: object[] }>(
      `/api/v1/organizations/default/audit?target=${device.name}&action=snapshot.create`,
    );
    expect(items).toMatchObject([
      { actor: `device ${device.name}`, detail: { version: 1, reason: 'first' } },
    ]);
  });
});

describe('a view', () => {
  test('shows its files, the newest one as `latest`', async () => {
    const view = configView({ '/etc/a': 'one' });
    view.units[0]?.files.push({
      path: '/etc/key',
      mode: '0600',
      owner: 'root',
      group: 'root',
      withheld: 'secret',
    });
    view.units.push({ unit: 'nftables', files: [], running: 'table inet filter' });
    await device.pull(configView({ '/etc/a': 'older' }));
    await device.pull(view);
    const shown = await get<SnapshotView>(path('/latest'));
    expect(shown.version).toBe(2);
    expect(shown.files.map(({ path, text, withheld }) => [path, text, withheld])).toEqual([
      ['/etc/a', 'one', null],
      ['/etc/key', null, 'secret'],
    ]);
    expect(shown.running).toEqual([{ unit: 'nftables', text: 'table inet filter' }]);
    expect((await get<SnapshotView>(path('/1'))).files[0]?.text).toBe('older');
  });

  test('of a version or device that is not there is 404, and so is that of another organization', async () => {
    expect((await api.call('GET', path('/latest'))).text).toContain('was never pulled');
    expect((await api.call('GET', path('/7'))).status).toBe(404);
    expect((await api.call('GET', path('/0x1'))).status).toBe(400);
    await device.pull(configView({ '/etc/a': 'one' }));
    const foreign = await api.member('admin', 'RW', await api.organization(`away-${device.name}`));
    expect((await api.call('GET', path('/1'), { as: foreign })).status).toBe(404);
    const home = path('/1').replace('/default/', `/away-${device.name}/`);
    expect((await api.call('GET', home, { as: foreign })).status).toBe(404);
  });

  test('that is no view is told, and harms nothing', async () => {
    const code = await device.task('PULL', { recipients: [] });
    const view_sha256 = await device.bring(code, 'view', 'no view at all');
    const report = { ...pullReport(configView({})), view_sha256 };
    expect((await device.reportPull(code, report)).body).toEqual({ version: 1, changed: true });
    for (const url of [path('/latest'), path('/diff')]) {
      expect((await api.call('GET', url)).body).toMatchObject({ code: 'not_renderable' });
    }
    await device.pull(configView({ '/etc/a': 'one' }));
    expect((await versions()).map(({ version }) => version)).toEqual([2, 1]);
  });
});

describe('a diff', () => {
  const diff = (query = '') => get<SnapshotDiff>(path(`/diff${query}`));

  test('shows what changed since the version before, or any other', async () => {
    await device.pull(configView({ '/etc/a': 'one\ntwo\n', '/etc/gone': 'x\n' }));
    await device.pull(configView({ '/etc/a': 'one\n2\n', '/etc/gone': 'x\n' }));
    await device.pull(configView({ '/etc/a': 'one\n2\n', '/etc/new': 'y\n' }));
    const { from, to, files } = await diff();
    expect([from, to]).toEqual([2, 3]);
    expect(files.map(({ path, change }) => [path, change])).toEqual([
      ['/etc/gone', 'delete'],
      ['/etc/new', 'create'],
    ]);
    expect(files[1]?.diff).toContain('+y');
    const whole = await diff('?from=1&to=2');
    expect(whole.files).toMatchObject([{ path: '/etc/a', change: 'change' }]);
    expect(whole.files[0]?.diff).toContain('-two\n+2');
    expect((await diff('?from=1&to=latest')).files).toHaveLength(3);
    expect((await diff('?from=3&to=1')).files).toHaveLength(3);
    expect((await diff('?to=1')).files.map(({ change }) => change)).toEqual(['create', 'create']);
  });

  test('tells modes, owners, and what has no text', async () => {
    const [first, second] = [configView({ '/etc/a': 'x' }), configView({ '/etc/a': 'x' })];
    const [one, two] = [first.units[0], second.units[0]];
    Object.assign(two?.files[0] ?? {}, { mode: '0600' });
    const secret = { path: '/etc/key', mode: '0600', owner: 'root', group: 'root', withheld: 'secret' };
    one?.files.push({ ...secret, token: 't1' });
    two?.files.push({ ...secret, token: 't2' });
    await device.pull(first);
    await device.pull(second);
    expect((await diff()).files).toEqual([
      { unit: 'files', path: '/etc/a', change: 'mode', diff: null, note: '0644 root:root → 0600 root:root' },
      { unit: 'files', path: '/etc/key', change: 'change', diff: null, note: 'not shown: secret' },
    ]);
  });

  test('of texts that have nothing in common is told in numbers', async () => {
    const lines = (word: string) => Array.from({ length: 30_000 }, (_, at) => `${word} ${at}\n`).join('');
    await device.pull(configView({ '/etc/a': lines('a') }));
    await device.pull(configView({ '/etc/a': lines('b') }));
    const { files } = await diff();
    expect(files).toMatchObject([{ diff: null, note: 'replaced, 30000 lines by 30000' }]);
  });
});

describe('a pull of devices', () => {
  test('makes tasks that know who may read the original', async () => {
    const config = { recipients: twoRecipients };
    await api.call('PUT', '/api/v1/organizations/default/backup-config', { body: config });
    const answer = await api.call('POST', '/api/v1/organizations/default/pull', {
      body: { targets: { devices: [device.name] }, units: ['nftables'] },
    });
    expect(answer.status, answer.text).toBe(200);
    const [task] = (answer.body as { tasks: { task: string }[] }).tasks;
    const row = await api.store.tasks.get(undefined, task?.task ?? '');
    expect(row?.type).toBe('PULL');
    expect(JSON.parse(row?.parameters ?? '')).toMatchObject({
      recipients: twoRecipients,
      units: ['nftables'],
    });
  });

  test('is answered again under the same Idempotency-Key', async () => {
    const ask = () =>
      api.call('POST', '/api/v1/organizations/default/pull', {
        body: { targets: { devices: [device.name] } },
        headers: { 'idempotency-key': `pull-${device.name}` },
      });
    const [first, second] = [await ask(), await ask()];
    expect(second.body).toEqual(first.body);
    expect(second.headers['idempotency-replayed']).toBe('true');
  });
});

describe('versions beyond the retention', () => {
  test('go when a new one is made, with their bytes; the newest stays, and numbers go on', async () => {
    const retention = { keep: 1, days: 365, at_most: 3 };
    await using few = await ApiUnderTest.start({}, ({ store, content }) => {
      const clock = systemClock;
      const { blobs } = content;
      const commits = new SharedCommits({ store, clock });
      return {
        content: { ...content, snapshots: new Snapshots({ store, blobs, commits, clock, retention }) },
      };
    });
    const own = await ApiDevice.make(few);
    const other = await ApiDevice.make(few);
    await other.pull(configView({ '/etc/a': 'of another device' }));
    for (const text of ['1', '2', '3', '4', '5']) await own.pull(configView({ '/etc/a': text }));
    const root = `/api/v1/organizations/default/devices/${own.name}/snapshots`;

    const list = (await few.call('GET', root)).body as { items: Snapshot[]; retention: object };
    expect(list.items.map(({ version }) => version)).toEqual([5, 4, 3]);
    expect(list.retention).toEqual(retention);
    const gone = await few.call('GET', `${root}/2`);
    expect([gone.status, gone.text]).toEqual([404, expect.stringContaining('not kept any more')]);
    expect((await few.call('GET', `${root}/diff?to=3`)).status).toBe(404);
    expect((await few.call('GET', `${root}/diff?to=4`)).status).toBe(200);
    expect(await few.store.blobs.heldBy('snapshot', `${own.id}/2`)).toEqual([]);
    expect(await few.store.blobs.heldBy('snapshot', `${own.id}/3`)).toHaveLength(1);
    expect(await few.store.snapshots.newest(other.id)).toMatchObject({ version: 1 });
    const audit = await few.call(
      'GET',
      `/api/v1/organizations/default/audit?target=${own.name}&action=snapshot.prune`,
    );
    expect(audit.body['items']).toMatchObject([
      { actor: 'controller', detail: { versions: 1, from: 2, to: 2 } },
      { actor: 'controller', detail: { versions: 1, from: 1, to: 1 } },
    ]);
  });
});
