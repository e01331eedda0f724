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
  await end(async () => ((await isAlive(group)) ? [group] : []));
}

/** As `endGroup`, for all groups of the session that `leader` began: a shell gives each of its jobs a group. */
export async function endSession(leader: number): Promise<void> {
  await end(async () => {
    const members = await living();
    if (!members) return (await isAlive(leader)) ? [leader] : [];
    return [...new Set(members.filter(({ session }) => session === leader).map(({ group }) => group))];
  });
}

async function end(left: () => Promise<number[]>): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    for (const group of await left()) send(group, signal);
    if (await goneWithin(left, graceMs)) return; // a process in the kernel's hands cannot be waited for for ever
  }
}

async function goneWithin(left: () => Promise<number[]>, ms: number): Promise<boolean> {
  const deadline = performance.now() + ms;
  for (let pauseMs = 5; performance.now() < deadline; pauseMs = Math.min(pauseMs * 2, 100)) {
    if ((await left()).length === 0) return true;
    await sleep(pauseMs);
  }
  return (await left()).length === 0;
}

async function isAlive(group: number): Promise<boolean> {
  if (!send(group, 0)) return false;
  const members = await living();
  return members?.some((one) => one.group === group) ?? true;
}

function send(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-group, signal);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Orphans that ended but were not reaped still count for kill(2); only /proc tells them apart. Undefined without it. */
async function living(): Promise<{ group: number; session: number }[] | undefined> {
  const entries = await readdir('/proc').catch(() => undefined);
  if (!entries) return undefined;
  const found: { group: number; session: number }[] = [];
  for (const pid of entries.filter((name) => /^\d+$/.test(name))) {
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
    // "pid (name) state ppid pgrp session …"; the name may hold anything, also parentheses
    const [state, , group, session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (state !== 'Z' && state !== 'X') found.push({ group: Number(group), session: Number(session) });
  }
  return found;
}
