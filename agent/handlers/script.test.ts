import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { TaskError } from '../../shared/errors.ts';
import { systemClock } from '../../shared/node/system-clock.ts';
import { Script } from '../../shared/task-types/script.ts';
import { createProcesses } from '../system/processes.ts';
import { type DummyContext, dummyContext } from './dummy-context.ts';
import { script } from './script.ts';

/** The dummy machine with real processes. */
function real(): DummyContext {
  const context = dummyContext();
  Object.assign(context.system, { processes: createProcesses() });
  return Object.assign(context, { clock: systemClock });
}

const run = (given: Record<string, unknown>, context: DummyContext) =>
  script.run(Script.parameters.parse(given), context);

describe('with real processes', () => {
  test('streams lines and tells exit code, duration and counts', async () => {
    const context = real();
    const result = await run({ script: 'echo one; echo two >&2; printf three' }, context);
    expect(context.lines.sort()).toEqual(['stderr: two', 'stdout: one', 'stdout: three']);
    expect(Script.result.parse(result)).toEqual({
      exit_code: 0,
      signal: null,
      duration_ms: expect.any(Number),
      stdout_lines: 2,
      stderr_lines: 1,
      truncated: false,
    });
  });

  test('gives arguments, environment, folder and standard input', async () => {
    const context = real();
    await run(
      {
        script: 'pwd; echo "$1|$2|$COLOUR"; cat',
        arguments: ['a b', '$HOME'],
        env: { COLOUR: 'blue' },
        cwd: '/usr',
        stdin: 'from stdin',
      },
      context,
    );
    expect(context.lines).toEqual(['stdout: /usr', 'stdout: a b|$HOME|blue', 'stdout: from stdin']);
  });

  test('another interpreter reads the script as it is', async () => {
    const context = real();
    const text = 'console.log(`${process.argv[2]} $(id)`)';
    await run(
      { script: text, interpreter: [process.execPath, '--no-warnings'], arguments: ['hello'] },
      context,
    );
    expect(context.lines).toEqual(['stdout: hello $(id)']);
  });

  test('argv runs without a script', async () => {
    const context = real();
    await run({ argv: ['printf', '%s\\n', 'a;b'] }, context);
    expect(context.lines).toEqual(['stdout: a;b']);
  });

  test('another exit code fails, names it and quotes the last words', async () => {
    const failed = run({ script: 'echo starting; echo "no such disk" >&2; exit 3' }, real());
    await expect(failed).rejects.toMatchObject({
      code: 'exit_code',
      message: 'The script ended with exit code 3; its last line on stderr: no such disk',
      result: { exit_code: 3, stdout_lines: 1, stderr_lines: 1 },
    });
  });

  test('a signal fails and names it', async () => {
    await expect(run({ script: 'kill -SEGV $$' }, real())).rejects.toMatchObject({
      code: 'killed',
      message: expect.stringContaining('SIGSEGV'),
      result: { exit_code: null, signal: 'SIGSEGV' },
    });
  });

  test('a time-out ends it with the reason, and its file is gone', async () => {
    const context = real();
    const running = run(
      { script: 'echo $0; exec sleep 1000' },
      Object.assign(context, {
        output: (_stream: string, text: string) => {
          context.lines.push(text);
          context.abort(new TaskError('timed_out', 'not within 1 s'));
        },
      }),
    );
    await expect(running).rejects.toMatchObject({ code: 'timed_out' });
    expect(existsSync(context.lines[0] ?? '')).toBe(false);
  });

  test('an interpreter that is missing is said, and the file is gone', async () => {
    const context = real();
    await expect(run({ script: 'x', interpreter: ['no-such-shell'] }, context)).rejects.toMatchObject({
      code: 'program_missing',
    });
  });
});

describe('after a crash in the middle', () => {
  const interrupted = { bootId: 'a', instanceId: 'b', currentBootId: 'a', startedAt: 0 };
  const recover = (idempotent: boolean) =>
    script.recover?.(Script.parameters.parse({ script: 'x', idempotent }), interrupted, dummyContext());

  test('an idempotent script runs again, any other is interrupted', async () => {
    expect(await recover(true)).toBe('rerun');
    await expect(recover(false)).rejects.toMatchObject({ code: 'interrupted' });
  });
});

test('on the dummy machine a script takes its time by the clock, and leaves no file', async () => {
  const context = dummyContext();
  const result = await context.clock.through(run({ script: 'echo a\nsleep 30\necho b' }, context));
  expect(result).toMatchObject({ exit_code: 0, duration_ms: 30_000, stdout_lines: 2 });
  expect(context.system.processes.executions).toHaveLength(1);
  expect(context.system.processes.scriptsLeft).toBe(0);
});
