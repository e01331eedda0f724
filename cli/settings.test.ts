import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { temporaryFolder } from '../test/harness/temporary-folder.ts';
import { configPath } from './config-file.ts';
import { controllerUrl, resolveSettings } from './settings.ts';

const noFlags = { headers: true, color: true };

let env: Record<string, string>;
beforeEach(() => {
  const folder = temporaryFolder('cli-settings');
  env = { XDG_CONFIG_HOME: folder.path };
  return () => folder[Symbol.dispose]();
});

function writeConfig(text: string, mode = 0o600): string {
  const path = configPath(env);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

const profiles = `
current: near
profiles:
  near: { url: https://near.example.org, token: near-token, organization: n, timezone: Europe/Berlin }
  far: { url: https://far.example.org/, token: far-token, format: json }
`;

test('without anything: the controller of this machine, organization default', async () => {
  expect(await resolveSettings(noFlags, env)).toMatchObject({
    url: 'http://127.0.0.1:7443',
    organization: 'default',
    token: undefined,
    format: undefined,
  });
});

test('takes the current profile, or the one that is named', async () => {
  writeConfig(profiles);
  expect(await resolveSettings(noFlags, env)).toMatchObject({
    url: 'https://near.example.org',
    token: 'near-token',
    organization: 'n',
    zone: 'Europe/Berlin',
    warnings: [],
  });
  const far = { url: 'https://far.example.org', token: 'far-token', format: 'json' };
  expect(await resolveSettings({ ...noFlags, profile: 'far' }, env)).toMatchObject(far);
  expect(await resolveSettings(noFlags, { ...env, MUSTER_PROFILE: 'far' })).toMatchObject(far);
});

test('environment goes before the profile, flags before both', async () => {
  writeConfig(profiles);
  const more = { ...env, MUSTER_ORGANIZATION: 'e', MUSTER_TOKEN: 'e-token', MUSTER_OUTPUT_FORMAT: 'simple' };
  expect(await resolveSettings(noFlags, more)).toMatchObject({
    organization: 'e',
    token: 'e-token',
    format: 'simple',
  });
  const file = join(env.XDG_CONFIG_HOME ?? '', 'token');
  writeFileSync(file, 'f-token\n', { mode: 0o600 });
  const flags = { ...noFlags, org: 'f', tokenFile: file, json: true } as const;
  expect(await resolveSettings(flags, more)).toMatchObject({
    organization: 'f',
    token: 'f-token',
    format: 'json',
  });
});

test('a profile’s token never goes to another address', async () => {
  writeConfig(profiles);
  const { token, warnings } = await resolveSettings({ ...noFlags, url: 'https://evil.example.org' }, env);
  expect(token).toBeUndefined();
  expect(warnings).toEqual([expect.stringContaining('near.example.org')]);
});

test('warns of a readable token file and of a token that travels unencrypted', async () => {
  writeConfig(profiles, 0o644);
  expect((await resolveSettings(noFlags, env)).warnings).toEqual([
    expect.stringContaining('readable by other'),
  ]);
  const remote = { ...env, MUSTER_TOKEN: 't', MUSTER_URL: 'http://10.0.0.1:7443' };
  expect((await resolveSettings(noFlags, remote)).warnings).toEqual([expect.stringContaining('unencrypted')]);
  const local = { ...env, MUSTER_TOKEN: 't', MUSTER_URL: 'http://[::1]:7443' };
  expect((await resolveSettings(noFlags, local)).warnings).toEqual([]);
});

test.each([
  ['profiles: { a: { urll: x } }', /unknown key urll/],
  ['profile: {}', /unknown key profile/],
  ['profiles: { a: { token: 1 } }', /token of profile a/],
  ['current: b\nprofiles: { a: {} }', /no profile b/],
  ['{', /YAML/],
])('refuses the file %j', async (text, message) => {
  writeConfig(text);
  await expect(resolveSettings(noFlags, env)).rejects.toThrow(message);
});

test('refuses a zone, a format and an address that are none', async () => {
  await expect(resolveSettings(noFlags, { ...env, MUSTER_TIMEZONE: 'Mars' })).rejects.toThrow(/Mars/);
  await expect(resolveSettings(noFlags, { ...env, MUSTER_OUTPUT_FORMAT: 'xml' })).rejects.toThrow(/xml/);
  for (const url of ['ftp://x', 'x', 'https://u:p@x', 'https://x/?a=b']) {
    expect(() => controllerUrl(url)).toThrow(/address/);
  }
});
