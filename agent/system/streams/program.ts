import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { TaskError } from '../../../shared/errors.ts';
import { endGroup } from '../process-group.ts';
import { heldVariables } from '../held-variables.ts';
import { checkFolder, resolveProgram } from '../program.ts';
import type { ProcessEnd } from '../system.ts';
import { permittedUser, userSwitch } from '../user.ts';
import { asAtLogin } from './as-at-login.ts';
import type { OpenProgram, Streams } from './streams.ts';

/** Starts a program in a process group of its own, its pipes open and binary. */
export const openProgram =
  (path: string): Streams['program'] =>
  async ({ argv, env, cwd = '/', user: wanted }) => {
    const user = await permittedUser(wanted);
    await checkFolder(cwd);
    const [name, ...rest] = argv;
    const program = await resolveProgram(name, path, cwd);
    const held = heldVariables(env);
    const before = [...asAtLogin, ...(await userSwitch(user, path)), ...held.release] as const;
    const [file, ...args] = [...before, program, ...rest] as const;
    const base = { PATH: path, HOME: user.home, USER: user.name, LOGNAME: user.name, LANG: 'C.UTF-8' };
    const child = spawn(file, args, { cwd, env: { ...base, ...held.env }, detached: true, stdio: 'pipe' });
    try {
      await once(child, 'spawn');
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new TaskError('not_started', `${file} cannot be started: ${reason}`, { cause });
    }
    const group = child.pid as number; // it was spawned
    child.stdin.on('error', () => {}); // it may end before it has read everything
    const ended = new Promise<ProcessEnd>((resolve) => {
      child.once('close', (exitCode, signal) => resolve({ exitCode, signal, stopped: false }));
    });
    return {
      stdin: child.stdin,
      stdout: child.stdout,
      stderr: child.stderr,
      signal: (signal) => signalGroup(group, signal),
      ended,
      close: () => endGroup(group),
    } satisfies OpenProgram;
  };

/** A group that is gone needs no signal. */
export function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
