import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import type { ScheduledTask } from '../../shared/api/schedules.ts';
import type { Release } from '../../shared/api/releases.ts';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import { FakeController } from '../testing/fake-controller.ts';
import { runMuster } from '../testing/run-muster.ts';

const home = '/api/v1/organizations/default';
const root = `${home}/releases`;

let controller: FakeController;
beforeEach(async () => {
  controller = await FakeController.start();
  return () => controller.close();
});
const muster = (...args: string[]) => runMuster(args, { url: controller.url });

const release: Release = {
  version: '1.2.0',
  platform: 'linux-x64',
  floor: '1.0.0',
  bytes: 45_000_000,
  sha256: 'a'.repeat(64),
  key_id: '0011223344556677',
  status: 'available',
  created_by: 'admin@example.org',
  created_at: '2026-01-01T00:00:00.000Z',
  promoted_at: null,
  yanked_at: null,
};

const scheduled: ScheduledTask = {
  code: 'aB3dE6gH',
  schedule_name: 'nightly',
  kind: 'PLUGIN_INSTALL',
  request: { type: 'PING', targets: { devices: ['fw-1'] } },
  enabled: true,
  created_by: 'admin@example.org',
  last_fired_at: null,
  created_at: '2026-01-01T00:00:00.000Z',
  updated_at: '2026-01-01T00:00:00.000Z',
};

test('the archive goes up with the signature that lies beside it', async () => {
  using folder = temporaryFolder('release');
  const file = join(folder.path, 'agent.release.tar.zst');
  writeFileSync(file, 'bytes of the archive');
  writeFileSync(`${file}.minisig`, 'signature text');
  controller.on(`POST ${root}`, { status: 201, body: release });
  const told = await muster('release', 'add', file);
  expect(told).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('1.2.0') });
  expect(told.stderr).toContain('muster run plugin-install --version 1.2.0');
  const [seen] = controller.seen;
  expect(seen?.body).toBe('bytes of the archive');
  expect(Buffer.from(String(seen?.query['signature']), 'base64').toString()).toBe('signature text');
});

test('a file that is not there is told before anything is sent', async () => {
  expect(await muster('release', 'add', '/nonexistent')).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('/nonexistent'),
  });
  expect(controller.seen).toEqual([]);
});

test('releases are listed, promoted, and yanked only when that is meant', async () => {
  controller.on(`GET ${root}`, { body: { items: [release], total: 1, page: 1, per_page: 30, pages: 1 } });
  controller.on(`POST ${root}/1.2.0/promote`, { body: { items: [{ ...release, status: 'promoted' }] } });
  controller.on(`POST ${root}/1.2.0/yank`, { body: { items: [{ ...release, status: 'yanked' }] } });
  expect((await muster('release', 'list')).stdout).toMatch(/1\.2\.0 .*linux-x64 .*available/);
  expect((await muster('release', 'promote', '1.2.0')).stdout).toContain('promoted');
  expect(await muster('release', 'yank', '1.2.0')).toMatchObject({ exitCode: 2 });
  expect((await muster('release', 'yank', '1.2.0', '--yes')).stdout).toContain('yanked');
});

test('plugin-install sends what was asked for', async () => {
  const answer = { run: null, type: 'PLUGIN_INSTALL', total: 0, tasks: [], skipped: [] };
  controller.on(`POST ${home}/plugin-install`, { body: answer });
  await muster(
    'run',
    'plugin-install',
    '--device',
    'fw-1',
    '--version',
    '1.2.0',
    '--trial',
    '90s',
    '--force',
  );
  expect(controller.seen[0]?.body).toMatchObject({
    targets: { devices: ['fw-1'] },
    version: '1.2.0',
    trial_seconds: 90,
    force: true,
  });
});

const plugin: Release = { ...release, name: 'netdiag', version: '1.0.0', platform: 'any' };

test('a plugin is listed, added, promoted and yanked by its name', async () => {
  using folder = temporaryFolder('plugin');
  const file = join(folder.path, 'netdiag.plugin.tar.zst');
  writeFileSync(file, 'bytes');
  writeFileSync(`${file}.minisig`, 'signature text');
  controller.on(`POST ${root}`, { status: 201, body: plugin });
  controller.on(`GET ${root}`, { body: { items: [plugin], total: 1, page: 1, per_page: 30, pages: 1 } });
  for (const change of ['promote', 'yank']) {
    controller.on(`POST ${root}/1.0.0/${change}`, { body: { items: [plugin] } });
  }
  const added = await muster('release', 'add', file);
  expect(added.stderr).toContain('muster run plugin-install netdiag --version 1.0.0');
  expect((await muster('release', 'list')).stdout).toMatch(/netdiag .*1\.0\.0 .*any/);
  expect((await muster('release', 'list', '-q')).stdout).toBe('netdiag@1.0.0\n');
  await muster('release', 'promote', 'netdiag@1.0.0');
  await muster('release', 'yank', 'netdiag@1.0.0', '--yes');
  expect(controller.seen.slice(-2).map(({ body }) => body)).toEqual([
    { name: 'netdiag' },
    { name: 'netdiag' },
  ]);
  expect(await muster('release', 'promote', 'netdiag')).toMatchObject({ exitCode: 2 });
});

test.each([
  [['netdiag'], { name: 'netdiag' }],
  [['netdiag', '--version', '1.0.0'], { name: 'netdiag', version: '1.0.0' }],
  [['--version', '1.0.0', 'netdiag'], { name: 'netdiag', version: '1.0.0' }],
  [['--plugin', 'netdiag', '--version', '1.0.0'], { name: 'netdiag', version: '1.0.0' }],
  [['--version', '1.2.0'], { version: '1.2.0' }],
])('plugin-install %j names what is installed', async (args, wanted) => {
  const answer = { run: null, type: 'PLUGIN_INSTALL', total: 0, tasks: [], skipped: [] };
  controller.on(`POST ${home}/plugin-install`, { body: answer });
  await muster('run', 'plugin-install', '--device', 'fw-1', ...args);
  const { targets: _, ...body } = controller.seen[0]?.body as Record<string, unknown>;
  expect(body).toEqual(wanted);
});

test('plugin-install takes one plugin and one version', async () => {
  for (const words of [
    ['netdiag', 'other'],
    ['1.0.0', '1.0.1'],
  ]) {
    expect(await muster('run', 'plugin-install', '--device', 'fw-1', ...words)).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('expected one plugin and one version'),
    });
  }
});

test('plugin-remove takes a plugin away', async () => {
  const answer = { run: null, type: 'PLUGIN_INSTALL', total: 0, tasks: [], skipped: [] };
  controller.on(`POST ${home}/plugin-install`, { body: answer });
  await muster('run', 'plugin-remove', 'netdiag', '--device', 'fw-1');
  expect(controller.seen[0]?.body).toEqual({
    targets: { devices: ['fw-1'] },
    name: 'netdiag',
    remove: true,
  });
});

test('plugin-install with --schedule says what a schedule installs', async () => {
  controller.on(`POST ${home}/scheduled-tasks`, { status: 201, body: scheduled });
  const end = await muster('run', 'plugin-install', '--all', '--schedule', 'nightly');
  expect(end.exitCode, end.stderr).toBe(0);
  expect(controller.seen[0]?.body).toMatchObject({
    schedule: 'nightly',
    kind: 'PLUGIN_INSTALL',
    request: { targets: { all: true } },
  });
});
