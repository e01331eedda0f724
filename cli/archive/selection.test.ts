import { expect, test } from 'vitest';
import type { ArchiveManifest } from '../../shared/task-types/backup.ts';
import { isMeant } from './path-pattern.ts';
import { select } from './selection.ts';

type File = ArchiveManifest['files'][number];

const file = (path: string, changes: Partial<File> = {}): File => ({
  path,
  unit: 'files',
  type: 'file',
  mode: '0644',
  owner: 'root',
  group: 'root',
  size: 1,
  sha256: 'ab'.repeat(32),
  ...changes,
});

const manifest = (...files: File[]) => ({ files }) as ArchiveManifest;
const all = manifest(
  file('/etc/nftables.conf'),
  file('/etc/wireguard/wg0.conf', { mode: '0600' }),
  file('/etc/ssh/ssh_host_ed25519_key', { mode: '0600' }),
  file('/etc/ssh/sshd_config'),
  file('/etc/muster/agent.yaml'),
  file('/var/lib/muster-agent/device.key'),
  file('/srv/extra', { unit: null }),
  file('/etc/link', { type: 'link', target: '/x' }),
  file('/etc/folder', { type: 'folder' }),
);
const isSecret = ({ path }: File) => path.startsWith('/etc/wireguard/');
const chosen = (wish: { paths?: string[]; withSecrets: boolean }) =>
  select(all, { ...wish, isSecret }).chosen.map(({ path }) => path);

test('leaves out secrets, the identity of the machine, the agent’s own, and what no unit manages', () => {
  expect(chosen({ withSecrets: false })).toEqual(['/etc/nftables.conf', '/etc/ssh/sshd_config']);
  const { left } = select(all, { withSecrets: false, isSecret });
  expect(left.map(({ path, reason }) => `${path}: ${reason.split(';')[0]}`)).toEqual([
    '/etc/wireguard/wg0.conf: it is secret',
    '/etc/ssh/ssh_host_ed25519_key: it is the identity of the machine',
    '/etc/muster/agent.yaml: it is the agent’s own',
    '/var/lib/muster-agent/device.key: it is the agent’s own',
    '/srv/extra: no unit of the device profile manages it',
    '/etc/link: only regular files are restored',
  ]);
});

test('--with-secrets brings secrets back, and never the agent’s own', () => {
  expect(chosen({ withSecrets: true })).toEqual([
    '/etc/nftables.conf',
    '/etc/wireguard/wg0.conf',
    '/etc/ssh/ssh_host_ed25519_key',
    '/etc/ssh/sshd_config',
  ]);
  expect(chosen({ withSecrets: true, paths: ['/etc/muster/**', '/var/**'] })).toEqual([]);
});

test('patterns choose: * within a name, ** across, a folder with all in it', () => {
  expect(chosen({ withSecrets: true, paths: ['/etc/ssh'] })).toEqual([
    '/etc/ssh/ssh_host_ed25519_key',
    '/etc/ssh/sshd_config',
  ]);
  expect(isMeant('/etc/a/b.conf', '/etc/*/b.conf')).toBe(true);
  expect(isMeant('/etc/a/c/b.conf', '/etc/*/b.conf')).toBe(false);
  expect(isMeant('/etc/a/c/b.conf', '/etc/**/b.conf')).toBe(true);
  expect(isMeant('/etc/sshd', '/etc/ssh')).toBe(false);
  expect(isMeant('/etc/axconf', '/etc/a.conf')).toBe(false);
});
