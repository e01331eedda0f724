import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import { FakeController, paged, refused } from '../testing/fake-controller.ts';
import { runMuster } from '../testing/run-muster.ts';
import { sampleBundle } from '../testing/configuration-samples.ts';

const all = '/api/v1/organizations/default/bundles';

let controller: FakeController;
beforeEach(async () => {
  controller = await FakeController.start();
  return () => controller.close();
});
const bundle = (args: string[]) => runMuster(['bundle', ...args], { url: controller.url });

/** Puts a folder with these files and answers what was sent and told. */
async function put(files: Record<string, string | Uint8Array>, name = 'bundle.yaml') {
  using folder = temporaryFolder('cli-bundle');
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder.path, path)), { recursive: true });
    writeFileSync(join(folder.path, path), text);
  }
  controller.on(`PUT ${all}/branch`, { body: sampleBundle() });
  const end = await bundle(['put', 'branch', '-F', join(folder.path, name)]);
  const [request] = controller.requests(`PUT ${all}/branch`);
  return { ...end, body: request?.body, stderr: end.stderr.replaceAll(`${folder.path}/`, '') };
}

const good = `
profile: debian
description: Firewall of the branch offices
targets:
  labels: { site: branch }
  devices: [fw-1]
files:
  - path: /etc/nftables.conf
    unit: nftables
    source: templates/nftables.conf
    mode: 0600
    owner: root
  - path: /etc/motd
    unit: files
    template: |
      Hello {{ device.name }}
  - path: /etc/old.conf
    unit: files
    absent: true
`;

describe('put', () => {
  test('sends the whole folder: templates beside it, inline texts, and what must not exist', async () => {
    const told = await put({ 'bundle.yaml': good, 'templates/nftables.conf': 'flush ruleset\n' });
    expect(told).toMatchObject({ exitCode: 0 });
    expect(told.body).toEqual({
      profile: 'debian',
      description: 'Firewall of the branch offices',
      targets: { labels: { site: 'branch' }, devices: ['fw-1'] },
      files: [
        {
          path: '/etc/nftables.conf',
          unit: 'nftables',
          template: 'flush ruleset\n',
          mode: '0600',
          owner: 'root',
          absent: false,
        },
        { path: '/etc/motd', unit: 'files', template: 'Hello {{ device.name }}\n', absent: false },
        { path: '/etc/old.conf', unit: 'files', absent: true },
      ],
    });
    expect(told.stdout).toMatch(/Revision: +4\n/);
  });

  test('takes the folder too', async () => {
    const told = await put({ 'bundle.yaml': good, 'templates/nftables.conf': '' }, '.');
    expect(told.exitCode).toBe(0);
  });

  test.each<[string, string, string]>([
    ['is no YAML', 'profile: [', 'bundle.yaml:1: not valid YAML'],
    ['has a key twice', 'profile: a\nprofile: b\n', 'bundle.yaml:2: not valid YAML'],
    ['has an unknown key', 'profile: a\ntarget: {}\n', 'bundle.yaml:2: target: target is not known here'],
    ['has no files', 'profile: a\ntargets: {}\n', 'bundle.yaml:1: files: expected a list'],
    [
      'misses the profile',
      'targets: {}\nfiles:\n  - {path: /a, unit: u, absent: true}\n',
      'bundle.yaml:1: profile:',
    ],
    [
      'has a relative path',
      'profile: a\ntargets: {}\nfiles:\n  - unit: u\n    absent: true\n    path: etc/a\n',
      'bundle.yaml:6: files[0].path: expected an absolute path',
    ],
    [
      'has a path twice',
      'profile: a\ntargets: {}\nfiles:\n  - {path: /a, unit: u, absent: true}\n  - {path: /a, unit: u, absent: true}\n',
      'bundle.yaml:5: files[1].path: /a is there already, in line 4',
    ],
    [
      'says two things of a file',
      'profile: a\ntargets: {}\nfiles:\n  - path: /a\n    unit: u\n    source: a\n    template: b\n',
      'bundle.yaml:4: files[0]: expected one of source, template and absent: true, got source and template',
    ],
    [
      'says nothing of a file',
      'profile: a\ntargets: {}\nfiles:\n  - path: /a\n    unit: u\n',
      'bundle.yaml:4: files[0]: expected one of source, template and absent: true, got none',
    ],
    [
      'has a source that is not there',
      'profile: a\ntargets: {}\nfiles:\n  - path: /a\n    unit: u\n    source: none.conf\n',
      'bundle.yaml:6: files[0].source: cannot read',
    ],
    [
      'has a source outside of its folder',
      'profile: a\ntargets: {}\nfiles:\n  - path: /a\n    unit: u\n    source: ../secret\n',
      'bundle.yaml:6: files[0].source: expected a file beside or below this one',
    ],
    [
      'has a mode that is none',
      'profile: a\ntargets: {}\nfiles:\n  - path: /a\n    unit: u\n    template: x\n    mode: 888\n',
      'bundle.yaml:7: files[0].mode: expected a mode such as 0644',
    ],
  ])('a file that %s is refused with its line', async (_, text, message) => {
    const { exitCode, stderr } = await put({ 'bundle.yaml': text });
    expect({ exitCode, seen: controller.seen.length }).toEqual({ exitCode: 2, seen: 0 });
    expect(stderr).toContain(`muster: ${message}`);
  });

  test('a template that is no text is refused', async () => {
    const text = 'profile: a\ntargets: {}\nfiles:\n  - path: /a\n    unit: u\n    source: binary\n';
    const { stderr } = await put({ 'bundle.yaml': text, binary: Uint8Array.of(0xff, 0xfe, 0x00) });
    expect(stderr).toMatch(/bundle.yaml:6: .*binary is not UTF-8 text/);
  });

  test('a file that is not there is named', async () => {
    const { exitCode, stderr } = await bundle(['put', 'branch', '-F', '/nonexistent/bundle.yaml']);
    expect({ exitCode, stderr }).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('/nonexistent'),
    });
  });
});

test('lists bundles', async () => {
  controller.on(`GET ${all}`, ({ query }) => ({ body: paged([sampleBundle()], query) }));
  const { stdout } = await bundle(['list', '-f', 'simple']);
  expect(stdout).toMatch(/^NAME +REVISION +PROFILE +TARGETS +FILES .*\nbranch +4 +debian +site=branch +2 /);
});

test('shows a bundle, and one template as it is', async () => {
  controller.on(`GET ${all}/branch`, { body: sampleBundle() });
  expect((await bundle(['show', 'branch'])).stdout).toMatch(
    /File: +\/etc\/old.conf \(files\) must not exist\n/,
  );
  const template = await bundle(['show', 'branch', '--path', '/etc/motd']);
  expect(template.stdout).toBe('Hello {{ device.name }}\n');
  expect((await bundle(['show', 'branch', '--path', '/etc/none'])).exitCode).toBe(5);
});

test('deletes only with --yes when there is no terminal', async () => {
  controller.on(`DELETE ${all}/branch`, { status: 204 });
  controller.on(`DELETE ${all}/none`, refused(404, 'not_found', 'There is no bundle none'));
  expect((await bundle(['delete', 'branch'])).exitCode).toBe(2);
  expect(controller.seen).toEqual([]);
  expect(await bundle(['delete', 'branch', '--yes'])).toMatchObject({
    exitCode: 0,
    stderr: 'Deleted branch\n',
  });
  expect((await bundle(['delete', 'none', '-y'])).exitCode).toBe(5);
});
