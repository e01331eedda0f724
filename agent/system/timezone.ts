import { existsSync } from 'node:fs';
import { readFile, readlink } from 'node:fs/promises';

/** Files that hold the name of the zone where `/etc/localtime` is a copy and not a link. */
const nameFiles = ['/etc/timezone', '/var/db/zoneinfo'];

/** The IANA zone of the machine, as it is now: a daemon's own idea of it is as old as the process. UTC when the machine says none. */
export async function machineTimezone(root = ''): Promise<string> {
  const link = await readlink(`${root}/etc/localtime`).catch(() => '');
  const linked = /\/zoneinfo\/(?:posix\/|right\/)?(.+)$/.exec(link)?.[1];
  const candidates = [linked];
  for (const file of nameFiles) {
    const text = await readFile(`${root}${file}`, 'utf8').catch(() => '');
    candidates.push(text.slice(0, 256).trim());
  }
  return candidates.find((name) => name !== undefined && isZone(name, root)) ?? 'UTC';
}

/** Whether a zone has this name. The machine's own files are asked first: to ask Node.js costs 6 MiB for as long as the process lives. */
function isZone(name: string, root: string): boolean {
  if (/^[A-Z][\w+-]*(\/[A-Z][\w+-]*)+$/.test(name) && existsSync(`${root}/usr/share/zoneinfo/${name}`))
    return true;
  return isKnownZone(name);
}

function isKnownZone(name: string): boolean {
  if (name === '') return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
