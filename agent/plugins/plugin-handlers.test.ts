import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, readlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TaskError } from '../../shared/errors.ts';
import { confinementMissing } from '../../test/harness/confinement.ts';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import { until } from '../../test/harness/until.ts';
import type { DummyContext } from '../handlers/dummy-context.ts';
import { workFolder } from '../system/confine.ts';
import { realContext, tryHandler } from './plugin-under-test.ts';

const isUntested = confinementMissing('programs of plugins');

let place: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  place = temporaryFolder('plugin');
});
afterEach(() => place[Symbol.dispose]());

const run = (script: string, over: Record<string, unknown> = {}, context: DummyContext = realContext()) =>
  tryHandler(place.path, script, over).run({}, context) as Promise<Record<string, unknown>>;
/** What a command of the plugin says, as its result. */
const shown = async (command: string, over: Record<string, unknown> = {}): Promise<string> =>
  String((await run(`printf '{"result":{"said":"%s"}}\\n' "$(${command})"`, over))['said']);
const limits = (some: Record<string, number>) => ({ limits: some });
const done = `echo '{"result":{}}'`;
/** Whether a process with this in its command line is there. */
const isThere = (mark: string): boolean =>
  execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
    .split('\n')
    .some((line) => line.startsWith(`sleep ${mark}`));

/** A process that runs a confined command, and does nothing else. */
const killedAgent = `
  import { createProcesses } from ${JSON.stringify(join(import.meta.dirname, '../system/processes.ts'))};
  const confinement = { memoryMb: 100, processes: 100, openFiles: 64, fileMb: 1, cpuSeconds: 5 };
  const command = { argv: ['sh', '-c', 'setsid sleep 86307; true'], env: {}, user: 'nobody', confinement };
  await createProcesses().run(command, () => undefined, new AbortController().signal);`;

describe.skipIf(isUntested)('a program', () => {
  test('is told what to do, logs, tells how far it is, and has a result', async () => {
    const context = realContext();
    const handler = tryHandler(
      place.path,
      `printf '%s\\n' '{"log":"one\\ntwo"}'; echo oops >&2
       echo '{"progress":{"percent":40,"message":"half"}}'
       printf '{"result":{"request":%s}}\\n' "$line"`,
    );
    expect(await handler.run({ host: 'a' }, context)).toEqual({
      request: {
        ...{ op: 'run', task: 'aB3dE6gH', task_type: 'TRY', parameters: { host: 'a' } },
        timeout_ms: 900_000,
      },
    });
    expect(context.lines.sort()).toEqual(['stderr: oops', 'stdout: one', 'stdout: two']);
    expect(context.progresses).toEqual([{ percent: 40, message: 'half' }]);
  });

  test('leaves nothing where everybody may write, and no shared memory', async () => {
    const places = ['/tmp', '/var/tmp', '/dev/shm'];
    const left = places.map((folder) => join(folder, `left-${basename(place.path)}`));
    const tried = left.map((path) => `{ echo x >${path}; } 2>/dev/null && echo ${path}`).join('; ');
    expect(await shown(`${tried}; echo x >own && cat own`)).toBe('x');
    expect(left.filter((path) => existsSync(path))).toEqual([]);
    expect(await shown('readlink /proc/self/ns/ipc')).not.toBe(readlinkSync('/proc/self/ns/ipc'));
  });

  test('asks a person and reads the answer', async () => {
    const context = realContext();
    const script = `echo '{"question":{"prompt":"Go?","options":["yes","no"],"safe":"no"}}'
      read -r answer; printf '{"result":%s}\\n' "$answer"`;
    expect(await run(script, {}, context)).toEqual({ answer: 'no' });
    expect(context.questions).toEqual(['Go?']);
  });

  test('ends when nobody answers and nothing is safe', async () => {
    const context = Object.assign(realContext(), {
      ask: () => Promise.reject(new TaskError('unanswered', 'Nobody answered')),
    });
    const script = `echo '{"question":{"prompt":"Go?","options":["yes","no"]}}'; sleep 60`;
    await expect(run(script, {}, context)).rejects.toMatchObject({ code: 'unanswered' });
  });

  test.each([
    ['never reads', `exit 0`],
    ['closes its input', `exec <&-; ${done}`],
    [
      'closes its input and asks',
      `exec <&-; echo '{"question":{"prompt":"Go?","options":["yes","no"],"safe":"no"}}'; sleep 1; ${done}`,
    ],
  ])('may leave unread what it is told: it %s', async (_what, script) => {
    const handler = tryHandler(place.path, '');
    writeFileSync(join(place.path, 'bin/probe'), `#!/bin/sh\n${script}\n`);
    const ended = handler.run({ long: 'x'.repeat(500_000) }, realContext());
    if (script === 'exit 0') await expect(ended).rejects.toMatchObject({ code: 'no_result' });
    else expect(await ended).toEqual({});
  });

  test('has a question withdrawn that it does not wait for', async () => {
    let withdrawn: AbortSignal | undefined;
    const context = Object.assign(realContext(), {
      ask: (_question: unknown, signal: AbortSignal) => {
        withdrawn = signal;
        return new Promise<string>(() => undefined);
      },
    });
    await run(`echo '{"question":{"prompt":"Go?","options":["yes","no"]}}'; ${done}`, {}, context);
    expect(withdrawn?.aborted).toBe(true);
  });

  test('may be JavaScript, for the agent’s own Node.js', async () => {
    const handler = tryHandler(place.path, '', {
      runtime: 'node',
      program: 'probe.js',
      ...limits({ memory_mb: 1536 }),
    });
    writeFileSync(
      join(place.path, 'probe.js'),
      `process.stdin.once('data', () => {
         console.log(JSON.stringify({ result: { node: process.version } }));
         process.stdin.destroy();
       });`,
    );
    expect(await handler.run({}, realContext())).toEqual({ node: process.version });
  });
});

describe.skipIf(isUntested)('a program that fails', () => {
  const own = {
    type: { result: { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] } },
  };
  test.each<[string, string, string, string, object?]>([
    ['says so', `echo '{"error":{"code":"no_route","message":"No way"}}'; exit 1`, 'no_route', 'No way'],
    ['ends without a result', 'exit 0', 'no_result', 'without a result'],
    [
      'ends with an exit code',
      `echo 'no such thing' >&2; exit 3`,
      'exit_code',
      'code 3; its last line on stderr: no such thing',
    ],
    ['ends with an exit code after its result', `${done}; exit 3`, 'exit_code', 'code 3'],
    ['is killed', 'kill -9 $$', 'killed', 'SIGKILL'],
    ['says what is not JSON', 'echo hello', 'bad_output', 'not JSON: hello'],
    ['says an empty line', 'echo', 'bad_output', 'nothing'],
    ['says another kind', `echo '{"results":{}}'`, 'bad_output', 'one of log, progress'],
    ['says two at once', `echo '{"log":"a","result":{}}'`, 'bad_output', 'one of log, progress'],
    ['says a number', 'echo 3', 'bad_output', 'one of log, progress'],
    ['says progress beyond the end', `echo '{"progress":{"percent":101}}'`, 'bad_output', 'progress.percent'],
    ['says more after its end', `${done}; echo '{"log":"more"}'`, 'bad_output', 'after its last line'],
    ['has two results', `${done}; ${done}`, 'bad_output', 'after its last line'],
    ['says a line without an end', 'yes | tr -d "\\n"', 'bad_output', 'a line of more than'],
    [
      'says what is nested without an end',
      `printf '{"log":%0100000d' 0 | tr 0 '['; echo`,
      'bad_output',
      'not JSON',
    ],
    [
      'has a deep result',
      `printf '{"result":{"a":%s1%s}}\\n' "$(printf %0200d 0 | tr 0 '[')" "$(printf %0200d 0 | tr 0 ']')"`,
      'bad_output',
      'deeper',
    ],
    [
      'asks twice at once',
      `q='{"question":{"prompt":"Go?","options":["yes","no"]}}'; printf '%s\\n%s\\n' "$q" "$q"`,
      'bad_output',
      'before it was answered',
    ],
    ['has a result that does not fit its schema', `echo '{"result":{"n":"x"}}'`, 'bad_result', 'n: ', own],
    ['cannot be started', 'true', 'not_permitted', 'not a program', { program: 'bin' }],
  ])('because it %s', async (_what, script, code, message, over = {}) => {
    const run_ = run(script, over as Record<string, unknown>);
    await expect(run_).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });

  test('as it does not end after its result is ended', async () => {
    await expect(run(`trap '' TERM; ${done}; sleep 86301`)).rejects.toMatchObject({ code: 'not_ended' });
    expect(isThere('86301')).toBe(false);
  }, 20_000);

  test('as it closed its output is ended when its time is over', async () => {
    const context = realContext();
    const ended = run(`echo '{"log":"begun"}'; exec >&- 2>&-; sleep 86302`, {}, context);
    await until('it runs', () => context.lines.length > 0);
    context.abort(new TaskError('timed_out', 'It did not end'));
    await expect(ended).rejects.toMatchObject({ code: 'timed_out' });
    expect(isThere('86302')).toBe(false);
  });
});

describe.skipIf(isUntested)('whatever a program started', () => {
  test('is gone when it is cancelled, also what ignores SIGTERM and what left its group', async () => {
    const context = realContext();
    const script = `trap '' TERM
      setsid sleep 86303 & setsid sh -c 'sleep 86304 & exec sleep 86305' &
      echo '{"log":"begun"}'; while :; do sleep 1; done`;
    const ended = run(script, {}, context);
    await until('all of them run', () => ['86303', '86304', '86305'].every(isThere));
    context.abort(new TaskError('cancelled', 'A person asked for it'));
    await expect(ended).rejects.toMatchObject({ code: 'cancelled' });
    expect(['86303', '86304', '86305'].filter(isThere)).toEqual([]);
  }, 20_000);

  test('is asked to end first', async () => {
    const context = realContext();
    const ended = run(
      `trap 'echo "{\\"log\\":\\"bye\\"}"; exit 0' TERM; echo '{"log":"begun"}'; while :; do sleep 0.1; done`,
      {},
      context,
    );
    await until('it runs', () => context.lines.length > 0);
    context.abort(new TaskError('cancelled', 'A person asked for it'));
    await expect(ended).rejects.toMatchObject({ code: 'cancelled' });
    expect(context.lines).toContain('stdout: bye');
  });

  test('is gone when the agent is killed', async () => {
    const agent = spawn(process.execPath, ['--input-type=module', '--eval', killedAgent], {
      stdio: 'ignore',
    });
    await until('it runs', () => isThere('86307'));
    agent.kill('SIGKILL');
    await until('it is gone', () => !isThere('86307'));
  });

  test('is gone when it ended by itself', async () => {
    expect(await run(`setsid sleep 86306 >/dev/null 2>&1 & ${done}`)).toEqual({});
    expect(isThere('86306')).toBe(false);
  });
});

describe.skipIf(isUntested)('the limits of a program', () => {
  test('memory', async () => {
    const eats = (mb: number) => `x=$(head -c ${mb}000000 /dev/zero | tr '\\0' x) && ${done}`;
    expect(await run(eats(40), limits({ memory_mb: 400 }))).toEqual({});
    await expect(run(eats(40), limits({ memory_mb: 32 }))).rejects.toThrow();
  });

  test('processes', async () => {
    const forks = `i=0; while [ $i -lt 30 ]; do sleep 5 & i=$((i+1)); done; ${done}`;
    expect(await run(forks, limits({ processes: 4000 }))).toEqual({});
    await expect(run(forks, limits({ processes: 8 }))).rejects.toMatchObject({
      message: expect.stringContaining('fork'),
    });
  });

  test('open files', async () => {
    const opens = `bash -c 'for i in $(seq 30); do exec {x}</dev/null || exit 9; done' && ${done}`;
    expect(await run(opens, limits({ open_files: 256 }))).toEqual({});
    await expect(run(opens, limits({ open_files: 16 }))).rejects.toMatchObject({
      message: expect.stringContaining('Too many open files'),
    });
  });

  test('the size of a file', async () => {
    const writes = `exec truncate -s 3000000 large`;
    const over = limits({ file_mb: 1 });
    await expect(run(writes, over)).rejects.toMatchObject({
      code: 'killed',
      message: expect.stringContaining('limits.file_mb'),
    });
    expect(await run(`head -c 900000 /dev/zero >a; ${done}`, over)).toEqual({});
  });

  test('all that is in its folder', async () => {
    const writes = `for i in 1 2 3; do head -c 500000 /dev/zero >$i || exit 9; done; ${done}`;
    expect(await run(writes, limits({ file_mb: 2 }))).toEqual({});
    await expect(run(writes, limits({ file_mb: 1 }))).rejects.toMatchObject({
      message: expect.stringContaining('No space left'),
    });
  });

  test('processor time', async () => {
    await expect(run('while :; do :; done', limits({ cpu_seconds: 1 }))).rejects.toMatchObject({
      code: 'killed',
      message: expect.stringContaining('limits.cpu_seconds'),
    });
  }, 20_000);

  test('lines of output do not pile up', async () => {
    const context = realContext();
    let lines = 0;
    context.output = () => void (lines += 1);
    expect(await run(`yes '{"log":"x"}' | head -n 50000; ${done}`, {}, context)).toEqual({});
    expect(lines).toBe(50_000);
  }, 30_000);

  test('progress is left out that comes too fast', async () => {
    const context = realContext();
    await run(`yes '{"progress":{"percent":1}}' | head -n 1000; ${done}`, {}, context);
    expect(context.progresses.length).toBeLessThan(20);
  });
});

describe.skipIf(isUntested)('a program runs', () => {
  test('as its user, in an empty folder of its own that is gone afterwards, with nothing of the agent’s environment', async () => {
    expect(await shown('id -un')).toBe('nobody');
    expect(await shown(`echo $(pwd; ls -A | wc -l; touch a; ls)`)).toBe(`${workFolder} 0 a`);
    expect(existsSync(join(workFolder, 'a'))).toBe(false);
    const names = (await shown(`env | cut -d= -f1 | sort | tr '\\n' ' '`)).trim().split(' ');
    expect(names).toEqual([
      'HOME',
      'LANG',
      'LOGNAME',
      'MUSTER_PLUGIN',
      'OLDPWD',
      'PATH',
      'PWD',
      'TMPDIR',
      'USER',
    ]);
  });

  test('without a way to more rights', async () => {
    copyFileSync('/usr/bin/id', join(place.path, 'id'));
    chmodSync(join(place.path, 'id'), 0o4755);
    expect(await shown(`${place.path}/id -un`)).toBe('nobody');
    const status = await shown(
      `sed -n 's/^\\(CapEff\\|CapBnd\\|NoNewPrivs\\):.//p' /proc/self/status | tr '\\n' ' '`,
    );
    const rawSocketOnly = (1 << 13).toString(16).padStart(16, '0'); // for `ping`, which has it in its file
    expect(status.trim().split(' ')).toEqual(['0'.repeat(16), rawSocketOnly, '1']);
    expect(await shown('ls /root 2>&1 >/dev/null | wc -l')).toBe('1');
  });

  test('and sees no process but its own', async () => {
    expect(Number(await shown('ls -d /proc/[0-9]* | wc -l'))).toBeLessThan(8);
  });

  test('only as a user that the policy of the device allows', async () => {
    await expect(run(done, { user: 'daemon' })).rejects.toMatchObject({
      code: 'policy',
      message: expect.stringContaining('wants to run as daemon'),
    });
  });
});

describe('after a crash in the middle', () => {
  const interrupted = { bootId: 'b', instanceId: 'i', currentBootId: 'b', startedAt: 0 };

  test('it runs again when its plugin calls it idempotent, and else its outcome is unknown', async () => {
    const again = tryHandler(place.path, done, { type: { idempotent: true } });
    expect(await again.recover?.({}, interrupted, realContext())).toBe('rerun');
    await expect(
      tryHandler(place.path, done).recover?.({}, interrupted, realContext()),
    ).rejects.toMatchObject({
      code: 'interrupted',
    });
  });
});
