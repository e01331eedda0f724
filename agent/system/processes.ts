import { setTimeout as sleep } from 'node:timers/promises';
import { tmpdir } from 'node:os';
import type { execa as Execa } from 'execa';
import { TaskError } from '../../shared/errors.ts';
import { type Output, OutputPumps } from './output-pumps.ts';
import { openAskDoor } from './ask-door.ts';
import { confine, workFolder } from './confine.ts';
import { heldVariables } from './held-variables.ts';
import { endGroup } from './process-group.ts';
import { checkFolder, resolveProgram } from './program.ts';
import { type ScriptPlace, sweepScriptFiles, writeScriptFile } from './script-file.ts';
import type { Command, ProcessEnd, Processes } from './system.ts';
import { permittedUser, userSwitch } from './user.ts';

export interface ProcessesOptions {
  /** Where programs are searched. */
  path?: string;
  /** Added to every command's environment, such as MUSTER_DEVICE. */
  env?: Record<string, string>;
  /** Where script files go; every user must be able to pass through it. What a killed agent left there is removed at once. */
  scripts?: ScriptPlace;
  /** Program and arguments that are this agent, for scripts that ask. */
  agentProgram?: readonly string[] | undefined;
}

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export function createProcesses(options: ProcessesOptions = {}): Processes {
  const path = options.path ?? defaultPath;
  const scripts = options.scripts ?? { folder: tmpdir(), agent: String(process.pid) };
  sweepScriptFiles(scripts);

  return {
    async run(command, output, signal) {
      signal.throwIfAborted();
      const prepared = await prepare(command, path, options.env ?? {});
      signal.throwIfAborted();
      return runPrepared(prepared, output, signal);
    },
    scriptFile: (text, user) => writeScriptFile(scripts, text, user),
    askDoor: (user, ask) => openAskDoor({ ...scripts, program: options.agentProgram }, user, ask),
  };
}

interface Prepared {
  file: string;
  args: string[];
  cwd: string;
  env: Record<string, string>;
  stdin: Command['stdin'];
}

async function prepare(command: Command, path: string, extra: Record<string, string>): Promise<Prepared> {
  const cwd = command.cwd ?? '/';
  const user = await permittedUser(command.user);
  const { confinement } = command;
  const own = {
    PATH: command.programs === undefined ? path : `${path}:${command.programs}`,
    HOME: confinement ? workFolder : user.home,
    USER: user.name,
    LOGNAME: user.name,
    LANG: 'C.UTF-8',
    ...extra,
  };
  const env: typeof own & Record<string, string> = { ...own, ...command.env };
  await checkFolder(cwd);
  const [name, ...args] = command.argv;
  const program = await resolveProgram(name, env.PATH, cwd);
  const prefix = confinement ? await confine(user, confinement, path) : await userSwitch(user, path);
  if (prefix.length === 0) return { file: program, args, cwd, env, stdin: command.stdin };
  const held = heldVariables(command.env);
  const [file, ...rest] = [...prefix, ...held.release, program, ...args];
  return { file: file as string, args: rest, cwd, env: { ...own, ...held.env }, stdin: command.stdin }; // at least `program` is in the list
}

/**
 * Invariants: the process leads a group of its own; whatever way this ends, no member of that group is left; the end
 * is told only after all output was handed over.
 */
async function runPrepared(prepared: Prepared, output: Output, signal: AbortSignal): Promise<ProcessEnd> {
  const { execa } = await import('execa'); // 20 MiB that a device without scripts does not need
  const child = spawn(execa, prepared);
  const group = child.pid;
  if (group === undefined) throw notStarted(prepared, (await child).cause);

  const exited = new Promise<Omit<ProcessEnd, 'stopped'>>((resolve) => {
    child.nodeChildProcess.once('exit', (exitCode, killedBy) => resolve({ exitCode, signal: killedBy }));
  });
  const pumps = new OutputPumps(output);
  pumps.add('stdout', child.stdout);
  pumps.add('stderr', child.stderr);

  const interrupted = new AbortController(); // aborted when the process must go, and once it has gone
  const mustGo = new Promise<'stop'>((resolve) => {
    const options = { once: true, signal: interrupted.signal };
    signal.addEventListener('abort', () => resolve('stop'), options);
    pumps.failed.addEventListener('abort', () => resolve('stop'), options);
  });
  if (signal.aborted) interrupted.abort();
  const first = signal.aborted ? 'stop' : await Promise.race([exited, mustGo]);
  interrupted.abort();

  await endGroup(group);
  const end = await Promise.race([exited, sleep(1000, undefined, { ref: false })]);
  await pumps.finish();
  if (pumps.failed.aborted) throw pumps.failed.reason;
  if (!end) throw new TaskError('not_killed', `${prepared.file} (process ${group}) did not end on SIGKILL`);
  return { ...end, stopped: first === 'stop' };
}

/** What a command writes is readable to others, as after a login; what the agent writes itself is not. */
const umaskOfCommands = 0o022;

function spawn(execa: typeof Execa, prepared: Prepared) {
  const own = process.umask(umaskOfCommands);
  try {
    return execa(prepared.file, prepared.args, {
      cwd: prepared.cwd,
      env: prepared.env,
      extendEnv: false,
      killDescendants: true, // makes the process group; ending it is ours, because children may outlive their leader
      forceKillAfterDelay: false,
      reject: false,
      buffer: false,
      encoding: 'buffer',
      ...(prepared.stdin === undefined ? { stdin: 'ignore' } : { input: prepared.stdin }),
    });
  } catch (error) {
    throw notStarted(prepared, error); // a null byte in an argument, for one
  } finally {
    process.umask(own);
  }
}

function notStarted({ file }: Prepared, cause: unknown): TaskError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  const reason = cause instanceof Error ? cause.message : String(cause);
  switch (code) {
    case 'ENOENT':
      return new TaskError(
        'program_missing',
        `${file} cannot be started: the interpreter it names is missing`,
        {
          cause,
        },
      );
    case 'EACCES':
    case 'EPERM':
      return new TaskError('not_permitted', `The agent is not permitted to execute ${file}`, { cause });
    default:
      return new TaskError('not_started', `${file} cannot be started: ${reason}`, { cause });
  }
}
