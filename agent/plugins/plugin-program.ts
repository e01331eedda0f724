import { constants } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { TaskError } from '../../shared/errors.ts';
import type { HandlerContext } from '../handlers/handler.ts';
import { LineOutput } from '../handlers/line-output.ts';
import type { Command, ProcessEnd } from '../system/system.ts';
import { workFolder } from '../system/confine.ts';
import type { Plugin } from './installed-plugins.ts';
import { PluginTalk } from './plugin-talk.ts';

/** What a program is asked to do, as the first line that it reads. */
export type PluginRequest =
  | { op: 'describe' }
  | { op: 'run'; task: string; task_type: string; parameters: unknown; timeout_ms: number };

export type PluginContext = Pick<
  HandlerContext,
  'system' | 'clock' | 'signal' | 'output' | 'progress' | 'ask'
>;

/** How long it may take to end once it has said its result. */
const farewellMs = 5_000;

/** A plugin needs no package.json to say that its files are modules. */
const nodeOptions = ['--disable-warning=MODULE_TYPELESS_PACKAGE_JSON'];

/** Runs the program of a plugin once, as its user and within its limits, and returns its result. */
export async function runPlugin(
  plugin: Plugin,
  request: PluginRequest,
  context: PluginContext,
): Promise<Record<string, unknown>> {
  const stdin = new PassThrough();
  const say = (line: object): void => void stdin.write(`${JSON.stringify(line)}\n`);
  // Aborted with what makes it pointless to go on.
  const over = new AbortController();
  const lines = new LineOutput(context.output);
  const talk = new PluginTalk({
    ...context,
    log: (text) => lines.write('stdout', `${text}\n`),
    say,
    fail: (reason) => over.abort(reason),
    ended: () => {
      stdin.end();
      void endLater(context, over);
    },
  });
  say(request);
  const signal = AbortSignal.any([context.signal, over.signal]);
  try {
    const end = await context.system.processes.run(
      commandOf(plugin, stdin),
      (stream, text) => (stream === 'stdout' ? talk.hear(text) : lines.write('stderr', text)),
      signal,
    );
    if (end.stopped) signal.throwIfAborted();
    talk.end();
    return resultOf(talk, end, lines);
  } finally {
    lines.end();
    talk.close();
    over.abort(new Error('the program ended'));
    stdin.destroy();
  }
}

async function endLater({ clock }: PluginContext, over: AbortController): Promise<void> {
  await clock.sleep(farewellMs, over.signal).catch(() => undefined); // it ended by itself
  over.abort(
    new TaskError(
      'not_ended',
      `The program did not end within ${farewellMs / 1000} s after it had said its last`,
    ),
  );
}

function commandOf({ folder, manifest }: Plugin, stdin: PassThrough): Command {
  const program = join(folder, manifest.program);
  const { limits, runtime, user } = manifest;
  return {
    argv: runtime === 'node' ? [process.execPath, ...nodeOptions, program] : [program],
    env: { TMPDIR: workFolder, MUSTER_PLUGIN: folder },
    user,
    stdin,
    confinement: {
      memoryMb: limits.memory_mb,
      processes: limits.processes,
      openFiles: limits.open_files,
      fileMb: limits.file_mb,
      cpuSeconds: limits.cpu_seconds,
    },
  };
}

/** What it said counts, and a result only when it ended well. */
function resultOf(talk: PluginTalk, end: ProcessEnd, lines: LineOutput): Record<string, unknown> {
  const { last } = talk;
  if (last?.kind === 'error') throw new TaskError(last.value.code, last.value.message.slice(0, 4096));
  const failure = failureOf(end);
  if (failure) {
    const said = lines.lastError === '' ? '' : `; its last line on stderr: ${lines.lastError}`;
    throw new TaskError(failure.code, `The program ${failure.how}${said}`);
  }
  if (last) return last.value;
  throw new TaskError('no_result', 'The program ended without a result');
}

/** It runs below a shell, which says 128 + n of a signal. */
function failureOf({ exitCode, signal }: ProcessEnd): { code: string; how: string } | undefined {
  if (exitCode === 0) return undefined;
  const number = (exitCode ?? 0) - 128;
  const byShell = Object.entries(constants.signals).find(([, one]) => one === number)?.[0];
  const killedBy = signal ?? byShell;
  if (killedBy === undefined) return { code: 'exit_code', how: `ended with exit code ${exitCode}` };
  return { code: 'killed', how: `was killed by ${killedBy}${reasons[killedBy] ?? ''}` };
}

const reasons: Record<string, string> = {
  SIGXCPU: ', as it used up limits.cpu_seconds',
  SIGXFSZ: ', as it wrote a file larger than limits.file_mb',
};
