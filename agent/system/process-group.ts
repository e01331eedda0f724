import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds between SIGTERM and SIGKILL. */
const graceMs = 5000;

/**
 * Ends every process of a group: SIGTERM, and SIGKILL for those still there after the grace. Settles when none is left.
 * The number of a group is not given to anybody else while it has members, so nobody else is hit. Processes that made
 * a session of their own (daemons) have left the group.
 */
export async function endGroup(group: number): Promise<void> {
  if (!(await isAlive(group))) return;
  send(group, 'SIGTERM');
  if (await goneWithin(group, graceMs)) return;
  send(group, 'SIGKILL');
  await goneWithin(group, graceMs); // a process in the kernel's hands cannot be waited for for ever
}

async function goneWithin(group: number, ms: number): Promise<boolean> {
  const deadline = performance.now() + ms;
  for (let pauseMs = 5; performance.now() < deadline; pauseMs = Math.min(pauseMs * 2, 100)) {
    if (!(await isAlive(group))) return true;
    await sleep(pauseMs);
  }
  return !(await isAlive(group));
}

async function isAlive(group: number): Promise<boolean> {
  return send(group, 0) && (await hasLivingMember(group));
}

function send(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-group, signal);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Orphans that ended but were not reaped still count for kill(2); only /proc tells them apart. */
async function hasLivingMember(group: number): Promise<boolean> {
  const entries = await readdir('/proc').catch(() => undefined);
  if (!entries) return true;
  for (const pid of entries.filter((name) => /^\d+$/.test(name))) {
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
    // "pid (name) state ppid pgrp …"; the name may hold anything, also parentheses
    const [state, , pgrp] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (Number(pgrp) === group && state !== 'Z' && state !== 'X') return true;
  }
  return false;
}
