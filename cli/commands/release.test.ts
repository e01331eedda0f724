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
