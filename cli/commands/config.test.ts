import { beforeEach, expect, test } from 'vitest';
import {
  sampleDiff,
  sampleSnapshot,
  sampleSnapshotDiff,
  sampleView,
} from '../testing/configuration-samples.ts';
import { FakeController, paged } from '../testing/fake-controller.ts';
import { runMuster } from '../testing/run-muster.ts';
import { sampleAnswer, sampleTask } from '../testing/samples.ts';

const home = '/api/v1/organizations/default';
const snapshots = `${home}/devices/edge-1/snapshots`;

let controller: FakeController;
beforeEach(async () => {
  controller = await FakeController.start();
  return () => controller.close();
});
const muster = (args: string[]) => runMuster(args, { url: controller.url });

test('pull makes tasks for units, waits, and tells versions and what is not in order', async () => {
  const task = sampleTask({
    type: 'PULL',
    status: 'COMPLETED',
    completed_at: '2026-01-01T00:00:02.000Z',
    result: {
      version: 4,
      changed: true,
      units: [
        { unit: 'frr', status: 'running_only' },
        { unit: 'sshd', status: 'in_sync' },
      ],
    },
  });
  controller.on(`POST ${home}/pull`, () => {
    controller.add(task);
    return { body: sampleAnswer(task) };
  });
  const { exitCode, stdout } = await muster([
    'pull',
    '--device',
    'edge-1',
    '--unit',
    'frr',
    '--unit',
    'sshd',
    '--batch',
    '5',
    '--wait',
    '-f',
    'simple',
  ]);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/edge-1 +COMPLETED +4 \(new\) +frr running_only, 1 in_sync/);
  expect(controller.requests(`POST ${home}/pull`)[0]?.body).toEqual({
    targets: { devices: ['edge-1'] },
    rollout: { batch: '5' },
    units: ['frr', 'sshd'],
  });
});

test('lists the versions of a device', async () => {
  controller.on(`GET ${snapshots}`, ({ query }) => ({
    body: { ...paged([sampleSnapshot()], query), retention: { keep: 100, days: 365, at_most: 2000 } },
  }));
  const { stdout, stderr } = await muster(['config', 'list', 'edge-1', '-f', 'simple']);
  expect(stdout).toMatch(/^VERSION +WHY .*\n3 +changed .* 2.0 KiB +stored +aB3dE6gH\n$/);
  expect(stderr).toContain('the newest 100, and those of the last 365 days before the newest, at most 2000');
});

test('shows a version with what runs; binary files are only named', async () => {
  controller.on(`GET ${snapshots}/latest`, { body: sampleView() });
  const { stdout } = await muster(['config', 'show', 'edge-1']);
  expect(stdout).toBe(
    '/etc/nftables.conf  (nftables, 0644 root:root)\nflush ruleset\n' +
      '/etc/logo  (files, 0644 root:root)\n  [binary]\n' +
      'what runs  (nftables)\ntable inet filter\n',
  );
});

test('--path prints the text and nothing else; the version may be a word or an option', async () => {
  controller.on(`GET ${snapshots}/3`, { body: sampleView() });
  for (const version of [['3'], ['--version', '3']]) {
    const told = await muster(['config', 'show', 'edge-1', ...version, '--path', '/etc/nftables.conf']);
    expect(told).toEqual({ exitCode: 0, stdout: 'flush ruleset', stderr: '' });
  }
  expect((await muster(['config', 'show', 'edge-1', '3', '--path', '/none'])).exitCode).toBe(5);
  expect((await muster(['config', 'show', 'edge-1', 'three'])).exitCode).toBe(2);
  const json = await muster(['config', 'show', 'edge-1', '3', '--unit', 'files', '--json']);
  expect(JSON.parse(json.stdout)).toMatchObject({ version: 3, files: [{ path: '/etc/logo' }], running: [] });
});

test('shows how two versions differ, plain off a terminal', async () => {
  controller.on(`GET ${snapshots}/diff`, { body: sampleSnapshotDiff() });
  const { stdout, stderr } = await muster(['config', 'diff', 'edge-1', '--from', '2', '--to', '3']);
  expect(stdout).toBe(
    `/etc/motd (files) changed\n${sampleDiff}/etc/huge (files) changed\n  replaced, 90000 lines\n`,
  );
  expect(stderr).toBe('edge-1: version 2 to version 3: 2 differences\n');
  await muster(['config', 'diff', 'edge-1']);
  expect(controller.seen.map(({ query }) => query)).toEqual([{ to: '3', from: '2' }, { to: 'latest' }]);
});
