import { readFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { Readable } from 'node:stream';
import { TaskError } from '../../../shared/errors.ts';
import { endSession } from '../process-group.ts';
import type { ProcessEnd } from '../system.ts';
import { permittedUser, type User, userSwitch } from '../user.ts';
import { signalGroup } from './program.ts';
import { asAtLogin } from './as-at-login.ts';
import type { Streams, Terminal } from './streams.ts';
import { TerminalInput } from './terminal-input.ts';

/** Output that the reader did not take yet, in bytes; beyond it the terminal is not read, and its program waits. */
const outputBufferBytes = 64 * 1024;

/** A login shell of the user on a pseudo-terminal. */
export const openTerminal =
  (path: string): Streams['terminal'] =>
  async ({ columns, rows, term, user: wanted }) => {
    const { spawn } = await import('@lydell/node-pty'); // native: only for who uses it
    const user = await permittedUser(wanted);
    const shell = await loginShell(user);
    const [file, ...args] = [...asAtLogin, ...(await userSwitch(user, path)), shell, '-l'] as const;
    const env = {
      PATH: path,
      HOME: user.home,
      USER: user.name,
      LOGNAME: user.name,
      SHELL: shell,
      TERM: term,
      LANG: 'C.UTF-8',
    };
    const pty = start(
      () => spawn(file, args, { cols: columns, rows, cwd: user.home, env, encoding: null, name: term }),
      shell,
    );

    const output = new Readable({ highWaterMark: outputBufferBytes, read: () => pty.resume() });
    pty.onData((data) => {
      if (!output.push(data)) pty.pause();
    });
    const ended = new Promise<ProcessEnd>((resolve) => {
      pty.onExit(({ exitCode, signal }) => {
        output.push(null);
        resolve({
          exitCode: signal ? null : exitCode,
          signal: signal ? signalName(signal) : null,
          stopped: false,
        });
      });
    });
    return {
      output,
      input: new TerminalInput(pty),
      resize: (width, height) => pty.resize(width, height),
      signal: (name) => signalGroup(pty.pid, name),
      ended,
      close: async () => {
        signalGroup(pty.pid, 'SIGHUP');
        await endSession(pty.pid);
      },
    } satisfies Terminal;
  };

function start<T>(spawn: () => T, shell: string): T {
  try {
    return spawn();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TaskError('not_started', `A terminal with ${shell} cannot be opened: ${reason}`, { cause });
  }
}

const signalName = (number: number): string =>
  Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? String(number);

async function loginShell({ name }: User): Promise<string> {
  const passwd = await readFile('/etc/passwd', 'utf8').catch(() => '');
  const line = passwd.split('\n').find((entry) => entry.startsWith(`${name}:`));
  return line?.split(':')[6] || '/bin/sh';
}
