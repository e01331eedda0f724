import { keyFingerprint } from '../shared/node/keys.ts';
import { CommandError } from './command-error.ts';
import type { DataFolder } from './data-folder.ts';
import { readIdentity, readKeys } from './identity.ts';
import { readStatusFile, type StatusFile } from './status-file.ts';
import { lockInstance } from './store/instance-lock.ts';

type Shown = Pick<StatusFile, 'controller' | 'device_id' | 'device' | 'organization' | 'key_fingerprint'> &
  Partial<StatusFile> & { state: StatusFile['state'] };

/** The daemon's own account of itself, or what is known without it. */
export function showStatus(folder: DataFolder, format: 'simple' | 'json'): string {
  const status = readStatus(folder);
  return format === 'json' ? `${JSON.stringify(status, undefined, 2)}\n` : simple(status);
}

function readStatus(folder: DataFolder): Shown {
  const identity = readIdentity(folder);
  const keys = readKeys(folder);
  if (!identity || !keys) {
    throw new CommandError(`This device is not enrolled (nothing in ${folder.path})`);
  }
  const known = {
    controller: identity.controller_url,
    device_id: identity.device_id,
    device: identity.name,
    organization: identity.organization,
    key_fingerprint: keyFingerprint(keys.publicKey),
  };
  const file = readStatusFile(folder);
  if (!isRunning(folder)) return { ...file, ...known, state: 'stopped' };
  return { state: 'connecting', ...file, ...known };
}

/** Whoever runs with this folder holds its lock. */
function isRunning(folder: DataFolder): boolean {
  using lock = lockInstance(folder.lock, 0);
  return lock === undefined;
}

function simple(status: Shown): string {
  const { tasks = [], outbox, last_error: error } = status;
  const lines: [string, string][] = [
    ['state', status.since ? `${status.state} since ${status.since}` : status.state],
    ['controller', status.controller],
    ['device', `${status.device} (${status.organization})`],
    ['device id', status.device_id],
    ['key fingerprint', status.key_fingerprint],
    ['tasks', tasks.map(({ code, type, state }) => `${code} ${type} ${state}`).join(', ') || 'none'],
    ['outbox', outbox ? `${outbox.rows} rows, ${outbox.bytes} bytes` : 'unknown'],
    ['last error', error ? `${error.at} ${error.code}: ${error.message}` : 'none'],
  ];
  const width = Math.max(...lines.map(([name]) => name.length));
  return lines.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join('');
}
