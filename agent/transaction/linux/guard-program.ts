import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TaskError } from '../../../shared/errors.ts';
import { isMissing, replaceDurably } from './workspace-durable.ts';

/** The guard as it is shipped. */
const shipped = join(import.meta.dirname, '..', 'guard.sh');

/** How the guard answered: its exit code (see guard.sh) and what it complained about. */
export interface GuardEnd {
  exitCode: number | null;
  complaint: string;
}

/** Puts the shipped guard at `path`, where nothing of the agent is needed to run it. */
export async function placeGuard(path: string): Promise<void> {
  const wanted = await readFile(shipped);
  const there = await readFile(path).catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });
  if (!there?.equals(wanted)) await replaceDurably(path, wanted);
}

/**
 * Lets the guard decide or do something and waits for its end. It is in a session of its own: when this process is told to
 * stop, or is killed, the guard still finishes what it began.
 */
export async function runGuard(program: string, args: string[]): Promise<GuardEnd> {
  const child = spawn('/bin/sh', [program, ...args], {
    cwd: '/',
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = `${complaint}${text}`.slice(-4096);
  });
  try {
    const [exitCode] = (await once(child, 'close')) as [number | null];
    return { exitCode, complaint: complaint.trim() };
  } catch (cause) {
    throw new TaskError('guard_failed', `${program} cannot be run by /bin/sh: ${String(cause)}`, { cause });
  }
}

/** Starts the guard's wait for the deadline as a process that belongs to nobody; returns its number. */
export async function startWaiting(program: string, folder: string): Promise<number> {
  const child = spawn('/bin/sh', [program, 'wait', folder], { cwd: '/', detached: true, stdio: 'ignore' });
  try {
    await once(child, 'spawn');
  } catch (cause) {
    throw new TaskError('guard_failed', `The guard cannot be started: ${String(cause)}`, { cause });
  }
  child.unref();
  return child.pid ?? 0; // spawned: it has one
}
