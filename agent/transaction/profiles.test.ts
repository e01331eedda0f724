import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { chooseProfile, loadProfiles, platformOf } from './profiles.ts';
import { projectRoot } from '../../test/harness/source-files.ts';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';

const smallest = `id: lab
rev: 1
summary: x
platform: linux
tried: run
units:
  - name: motd
    summary: x
    paths: [{ glob: /etc/motd }]
`;

function folderWith(files: Record<string, string>) {
  const folder = temporaryFolder('profiles');
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder.path, name), text);
  return folder;
}

const problemsOf = (files: Record<string, string>): string => {
  using folder = folderWith(files);
  try {
    loadProfiles(folder.path);
    return 'none';
  } catch (error) {
    return (error instanceof Error ? error.message : '').replaceAll(`${folder.path}/`, '');
  }
};

describe('shipped', () => {
  const profiles = loadProfiles();

  test('Debian was run; VyOS and OPNsense come from documents', () => {
    expect([...profiles.values()].map(({ id, platform, tried }) => ({ id, platform, tried }))).toEqual([
      { id: 'debian', platform: 'linux', tried: 'run' },
      { id: 'opnsense', platform: 'opnsense', tried: 'documents' },
      { id: 'vyos', platform: 'vyos', tried: 'documents' },
    ]);
  });

  test('the platform chooses the profile', () => {
    expect(chooseProfile(profiles, { platform: 'linux' }).id).toBe('debian');
    expect(chooseProfile(profiles, { platform: platformOf('ID=vyos\n', 'linux') }).id).toBe('vyos');
    expect(chooseProfile(profiles, { platform: platformOf('ID=debian\n', 'linux') }).id).toBe('debian');
    expect(chooseProfile(profiles, { platform: platformOf('', 'freebsd') }).id).toBe('opnsense');
    expect(chooseProfile(profiles, { id: 'vyos', platform: 'linux' }).id).toBe('vyos');
  });

  test('Debian has the units that are tested on real services', () => {
    expect(
      profiles
        .get('debian')
        ?.units.map(({ name }) => name)
        .sort(),
    ).toEqual(['dnsmasq', 'files', 'frr', 'interfaces', 'nftables', 'sshd', 'unbound', 'wireguard']);
  });

  test('no command of the Linux profiles starts a shell of its own, and nothing restarts the packet filter', () => {
    const argvs = (profiles.get('debian')?.units ?? []).flatMap(
      ({ validate, preflight, apply, restore, verify }) =>
        [...validate, ...preflight, ...apply, ...restore, ...verify].flatMap((one) =>
          'argv' in one ? [one.argv.join(' ')] : [],
        ),
    );
    expect(argvs.length).toBeGreaterThan(40);
    expect(argvs.filter((argv) => /^(ba|da)?sh\b|-HUP|restart nftables|reload unbound/.test(argv))).toEqual(
      [],
    );
  });

  test('every name of `running_checks` is a check of `verify`', () => {
    for (const { units } of profiles.values()) {
      for (const { name, verify, running_checks } of units) {
        const ids = verify.map(({ id }) => id);
        expect(
          running_checks.filter((id) => !ids.includes(id)),
          name,
        ).toEqual([]);
      }
    }
  });
});

describe('the device’s own', () => {
  test('a profile of the same platform makes the choice one for the configuration', () => {
    using folder = folderWith({ 'lab.yaml': smallest });
    const profiles = loadProfiles(folder.path);
    expect(() => chooseProfile(profiles, { platform: 'linux' })).toThrow(
      'expected one profile for linux, found debian, lab: name one in the configuration',
    );
    expect(chooseProfile(profiles, { id: 'lab', platform: 'linux' }).units).toHaveLength(1);
    expect(() => chooseProfile(profiles, { id: 'lob', platform: 'linux' })).toThrow(
      'profile lob does not exist on this device; there are debian, lab, opnsense, vyos',
    );
  });

  test('a profile with a shipped id replaces it', () => {
    using folder = folderWith({ 'debian.yaml': smallest.replace('id: lab', 'id: debian') });
    expect(chooseProfile(loadProfiles(folder.path), { platform: 'linux' }).units).toHaveLength(1);
  });

  test('a profile goes on from another: units are replaced by name or added, settings are taken over', () => {
    const text = `extends: debian
id: debian
rev: 7
drop_guard_percent: 20
units:
  - name: files
    summary: ours
    paths: [{ glob: /etc/motd }, { glob: /etc/app/*.ini, owner: app }]
  - name: app
    summary: an application
    paths: [{ glob: /etc/app.conf }]
    validate: [{ id: syntax, argv: [app, --check] }]
    apply: [{ argv: [systemctl, reload, app.service] }]
`;
    using folder = folderWith({ 'debian.yaml': text });
    const shipped = loadProfiles().get('debian');
    const profile = chooseProfile(loadProfiles(folder.path), { platform: 'linux' });
    expect(profile).toMatchObject({ rev: 7, drop_guard_percent: 20, confirm_s: 120, tried: 'run' });
    expect(profile.units.map(({ name }) => name)).toEqual([
      ...(shipped?.units ?? []).map(({ name }) => name),
      'app',
    ]);
    expect(profile.units.find(({ name }) => name === 'files')?.paths).toHaveLength(2);
    expect(profile.units.find(({ name }) => name === 'nftables')).toEqual(
      shipped?.units.find(({ name }) => name === 'nftables'),
    );
  });
});

test('the example of the documents can be loaded', () => {
  const document = readFileSync(join(projectRoot, 'docs/configuration-profiles.md'), 'utf8');
  const [, example = ''] = /```yaml\n([\s\S]*?)```/.exec(document) ?? [];
  using folder = folderWith({ 'debian.yaml': example });
  const portal = loadProfiles(folder.path).get('debian')?.units.at(-1);
  expect(portal).toMatchObject({
    name: 'portal',
    apply: [{ argv: ['systemctl', 'reload', 'portal.service'] }],
  });
});

describe('problems name file and line', () => {
  test.each([
    ['YAML that cannot be read', { 'a.yaml': 'id: [\n' }, /^a\.yaml:[12]: /],
    ['an empty file', { 'a.yaml': '# nothing\n' }, /^a\.yaml:1: expected keys and values$/],
    ['an unknown key', { 'a.yaml': `${smallest}extra: 1\n` }, /^a\.yaml:\d+: .*extra/],
    [
      'a wrong value in an entry of a list',
      { 'a.yaml': smallest.replace('/etc/motd', 'etc/motd') },
      /^a\.yaml:9: units\.0\.paths\.0\.glob: expected an absolute path$/,
    ],
    [
      'a pattern over folders',
      { 'a.yaml': smallest.replace('/etc/motd', '/etc/**') },
      /^a\.yaml:9: .*expected \* within one name only$/,
    ],
    [
      'a bad regular expression',
      { 'a.yaml': `${smallest}    secrets: [{ id: a, match: '(', replace: token }]\n` },
      /^a\.yaml:10: units\.0\.secrets\.0\.match: expected a regular expression$/,
    ],
    [
      'a check with a bad command',
      { 'a.yaml': `${smallest}    validate:\n      - id: a\n        argv: []\n` },
      /^a\.yaml:12: units\.0\.validate\.0\.argv: /,
    ],
    [
      'nothing to go on from',
      { 'a.yaml': 'extends: nothing\nid: a\nrev: 1\n' },
      /^a\.yaml:1: extends: there is no profile nothing to go on from; there are debian, opnsense, vyos$/,
    ],
    [
      'the same id twice',
      { 'a.yaml': smallest, 'b.yaml': smallest },
      /^b\.yaml:1: a\.yaml is profile lab too$/,
    ],
    ['all of several files', { 'a.yaml': '', 'b.yaml': '' }, /^a\.yaml:1: .*\nb\.yaml:1: /],
  ] as [string, Record<string, string>, RegExp][])('%s', (_, files, expected) => {
    expect(problemsOf(files)).toMatch(expected);
  });

  test('a folder that does not exist', () => {
    expect(() => loadProfiles('/nonexistent/profiles')).toThrow(
      '/nonexistent/profiles: profiles cannot be read',
    );
  });
});
