import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import { until } from '../../test/harness/until.ts';
import { createProcesses } from './processes.ts';
import type { Command } from './system.ts';

const processes = createProcesses();
const isRoot = process.getuid?.() === 0;

async function run(command: Partial<Command> & Pick<Command, 'argv'>, signal = new AbortController().signal) {
  const told = { stdout: '', stderr: '' };
  const end = await processes.run(
    { env: {}, ...command },
    (stream, text) => {
      told[stream] += text;
    },
    signal,
  );
  return { ...end, ...told };
}

const shell = (text: string): [string, ...string[]] => ['/bin/sh', '-c', text];

function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

describe('what ran', () => {
  test('gives exit code and both streams apart', async () => {
    expect(await run({ argv: shell('echo out; echo err >&2; exit 7') })).toEqual({
      exitCode: 7,
      signal: null,
      stopped: false,
      stdout: 'out\n',
      stderr: 'err\n',
    });
  });

  test('names the signal that killed it', async () => {
    expect(await run({ argv: shell('kill -KILL $$') })).toMatchObject({
      exitCode: null,
      signal: 'SIGKILL',
      stopped: false,
    });
  });

  test('arguments are never read by a shell', async () => {
    const { stdout } = await run({ argv: ['printf', '%s|', '$(id)', '; echo no', '*', ''] });
    expect(stdout).toBe('$(id)|; echo no|*||');
  });

  test('sees a minimal environment and what was added to it', async () => {
    process.env.MUSTER_TEST_SECRET = 'must not be seen';
    const own = createProcesses({ env: { MUSTER_DEVICE: 'edge-1' } });
    let text = '';
    const output = (_stream: string, piece: string) => {
      text += piece;
    };
    await own.run({ argv: ['env'], env: { COLOUR: 'blue' } }, output, new AbortController().signal);
    delete process.env.MUSTER_TEST_SECRET;

    const names = text
      .split('\n')
      .filter(Boolean)
      .map((line) => line.split('=')[0]);
    expect(names.sort()).toEqual(['COLOUR', 'HOME', 'LANG', 'LOGNAME', 'MUSTER_DEVICE', 'PATH', 'USER']);
    expect(text).toContain('MUSTER_DEVICE=edge-1');
  });

  test('reads standard input, and an empty one without it', async () => {
    expect(await run({ argv: ['cat'], stdin: 'grüße\n' })).toMatchObject({ exitCode: 0, stdout: 'grüße\n' });
    expect(await run({ argv: ['cat'] })).toMatchObject({ exitCode: 0, stdout: '' });
  });

  test('may end without reading its standard input', async () => {
    expect(await run({ argv: ['true'], stdin: 'x'.repeat(1_000_000) })).toMatchObject({ exitCode: 0 });
  });

  test('works in the given folder', async () => {
    using place = temporaryFolder('processes');
    expect(await run({ argv: ['pwd', '-P'], cwd: place.path })).toMatchObject({ stdout: `${place.path}\n` });
  });
});

describe('output', () => {
  test('decodes characters that arrive in two pieces', async () => {
    const argv = shell("printf 'a\\342\\202'; sleep 0.1; printf '\\254b'; printf '\\360\\237'");
    expect(await run({ argv })).toMatchObject({ stdout: 'a€b\ufffd' });
  });

  test('is handed over whole before the end is told, 20 MB of it', async () => {
    const { stdout, exitCode } = await run({ argv: ['head', '-c', '20000000', '/dev/zero'] });
    expect([stdout.length, exitCode]).toEqual([20_000_000, 0]);
  });

  test('a slow taker holds the process up instead of filling memory', async () => {
    using place = temporaryFolder('processes');
    const file = join(place.path, 'written');
    const argv = shell(
      `i=0; while [ $i -lt 200 ]; do head -c 100000 /dev/zero; i=$((i+1)); echo $i > ${file}; done`,
    );
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let pieces = 0;
    const running = processes.run(
      { argv, env: {} },
      async () => {
        pieces += 1;
        await held;
      },
      new AbortController().signal,
    );

    const written: string[] = [];
    await until('the writer stands still', () => {
      written.push(readFileSync(file, 'utf8'));
      return written.length > 10 && new Set(written.slice(-10)).size === 1;
    });
    expect(Number(written.at(-1))).toBeLessThan(50);
    expect(pieces).toBe(1);

    release();
    expect(await running).toMatchObject({ exitCode: 0 });
    expect(readFileSync(file, 'utf8').trim()).toBe('200');
  });

  test('a taker that fails ends the process and is told as it is', async () => {
    const argv = shell('while :; do echo x; done');
    const running = processes.run(
      { argv, env: {} },
      () => {
        throw new Error('no room');
      },
      new AbortController().signal,
    );
    await expect(running).rejects.toThrow('no room');
  });
});

describe('ending', () => {
  /** Runs a script that prints `ready` when it is set up, aborts it then, and tells how it ended and how long that took. */
  async function stopWhenReady(text: string) {
    const controller = new AbortController();
    let stdout = '';
    let askedMs = 0;
    const end = await processes.run(
      { argv: shell(text), env: {} },
      (_stream, piece) => {
        stdout += piece;
        if (askedMs > 0 || !stdout.includes('ready')) return;
        askedMs = performance.now();
        controller.abort(new Error('cancelled'));
      },
      controller.signal,
    );
    return { ...end, stdout, tookMs: performance.now() - askedMs };
  }

  const pidsIn = (text: string) => [...text.matchAll(/pid (\d+)/g)].map(([, pid]) => Number(pid));

  test('an abort sends SIGTERM to the whole group', async () => {
    const ended = await stopWhenReady('sleep 1000 & echo pid $!; sleep 1001 & echo pid $!; echo ready; wait');
    expect(ended).toMatchObject({ exitCode: null, signal: 'SIGTERM', stopped: true });
    expect(pidsIn(ended.stdout).map(isRunning)).toEqual([false, false]);
    expect(ended.tookMs).toBeLessThan(4000);
  });

  test('a process may clean up on SIGTERM, and its last words are heard', async () => {
    const ended = await stopWhenReady(
      "trap 'echo cleaned; exit 3' TERM; echo ready; while :; do sleep 0.05; done",
    );
    expect(ended).toMatchObject({ exitCode: 3, stopped: true, stdout: expect.stringContaining('cleaned\n') });
  });

  test('one that ignores SIGTERM gets SIGKILL five seconds later, with its children', async () => {
    const ended = await stopWhenReady(
      "trap '' TERM; sleep 1000 & echo pid $!; echo ready; while :; do sleep 0.05; done",
    );
    expect(ended).toMatchObject({ exitCode: null, signal: 'SIGKILL', stopped: true });
    expect(ended.tookMs).toBeGreaterThan(4900);
    expect(pidsIn(ended.stdout).map(isRunning)).toEqual([false]);
  });

  test('children that outlive their leader are ended, also without an abort', async () => {
    const ended = await run({ argv: shell('sleep 1000 >/dev/null 2>&1 & echo pid $!; exit 4') });
    expect(ended).toMatchObject({ exitCode: 4, stopped: false });
    expect(pidsIn(ended.stdout).map(isRunning)).toEqual([false]);
  });

  test('children that keep the output open do not keep the task open', async () => {
    const ended = await run({ argv: shell('sleep 1000 & echo pid $!') });
    expect(ended).toMatchObject({ exitCode: 0 });
    expect(pidsIn(ended.stdout).map(isRunning)).toEqual([false]);
  });

  test('a daemon in a session of its own lives on, and does not keep the task open', async () => {
    using place = temporaryFolder('processes');
    const argv = shell(
      "setsid sh -c 'echo $$ > pid; exec sleep 1000' & while [ ! -s pid ]; do sleep 0.01; done; echo pid $(cat pid)",
    );
    const ended = await run({ argv, cwd: place.path });
    const [daemon = 0] = pidsIn(ended.stdout);
    try {
      expect(ended).toMatchObject({ exitCode: 0 });
      expect(isRunning(daemon)).toBe(true);
    } finally {
      process.kill(daemon, 'SIGKILL');
    }
  });

  test('nothing is started when the abort came first', async () => {
    using place = temporaryFolder('processes');
    const mark = join(place.path, 'mark');
    await expect(run({ argv: ['touch', mark] }, AbortSignal.abort(new Error('cancelled')))).rejects.toThrow(
      'cancelled',
    );
    expect(existsSync(mark)).toBe(false);
  });
});

describe('what cannot be started', () => {
  test('a program that is not there', async () => {
    await expect(run({ argv: ['no-such-program'] })).rejects.toMatchObject({
      code: 'program_missing',
      message: expect.stringContaining('no-such-program'),
    });
    await expect(run({ argv: ['/no/such/program'] })).rejects.toMatchObject({ code: 'program_missing' });
  });

  test('a script whose interpreter is not there', async () => {
    using place = temporaryFolder('processes');
    const file = join(place.path, 'script');
    writeFileSync(file, '#!/no/such/interpreter\n', { mode: 0o755 });
    await expect(run({ argv: [file] })).rejects.toMatchObject({ code: 'program_missing' });
  });

  test('a file that is no program, and a folder', async () => {
    using place = temporaryFolder('processes');
    const file = join(place.path, 'text');
    writeFileSync(file, 'text', { mode: 0o644 });
    await expect(run({ argv: [file] })).rejects.toMatchObject({ code: 'not_permitted' });
    await expect(run({ argv: [place.path] })).rejects.toMatchObject({ code: 'not_permitted' });
  });

  test('a working directory that is not there, or is a file', async () => {
    await expect(run({ argv: ['true'], cwd: '/no/such/folder' })).rejects.toMatchObject({
      code: 'cwd_missing',
      message: expect.stringContaining('/no/such/folder'),
    });
    await expect(run({ argv: ['true'], cwd: '/etc/passwd' })).rejects.toMatchObject({ code: 'cwd_missing' });
  });

  test('a user that is not there', async () => {
    await expect(run({ argv: ['true'], user: 'nosuchuser' })).rejects.toMatchObject({
      code: 'user_unknown',
      message: expect.stringContaining('nosuchuser'),
    });
  });

  test('arguments that are too long, or hold what no argument can', async () => {
    await expect(run({ argv: ['true', 'x'.repeat(3_000_000)] })).rejects.toMatchObject({
      code: 'not_started',
    });
    await expect(run({ argv: ['true', 'a\0b'] })).rejects.toMatchObject({ code: 'not_started' });
  });
});

test('what a command writes can be read by others, whatever the agent keeps for itself', async () => {
  using place = temporaryFolder('processes');
  const own = process.umask(0o077);
  try {
    const path = join(place.path, 'written');
    await run({ argv: ['sh', '-c', `umask; : > ${path}`] });
    expect(statSync(path).mode & 0o777).toBe(0o644);
    expect(process.umask()).toBe(0o077);
  } finally {
    process.umask(own);
  }
});

describe.runIf(isRoot)('another user, as root', () => {
  test('has its ids, its groups and its home, and none of root', async () => {
    const { stdout } = await run({
      argv: shell('id -u; id -g; id -G; echo $HOME; echo $USER'),
      user: 'nobody',
    });
    expect(stdout).toBe('65534\n65534\n65534\n/nonexistent\nnobody\n');
  });

  test('is stopped by root’s agent', async () => {
    const controller = new AbortController();
    const end = await processes.run(
      { argv: shell('echo ready; sleep 1000'), env: {}, user: 'nobody' },
      () => controller.abort(new Error('cancelled')),
      controller.signal,
    );
    expect(end).toMatchObject({ stopped: true, signal: 'SIGTERM' });
  });

  test('has its variables whole, and the loader obeys none of them as root', async () => {
    using place = temporaryFolder('processes');
    chmodSync(place.path, 0o777);
    const env = {
      LD_DEBUG: 'files',
      LD_DEBUG_OUTPUT: join(place.path, 'loaded'),
      TEXT: `a "b" $HOME\n'c' \\ `,
    };
    const { stdout } = await run({
      argv: ['sh', '-c', 'printf "%s|" "$TEXT"; env | grep -c HELD'],
      env,
      user: 'nobody',
    });
    expect(stdout).toBe(`${env.TEXT}|0\n`);
    const owners = readdirSync(place.path).map((name) => statSync(join(place.path, name)).uid);
    expect([...new Set(owners)]).toEqual([65534]);
  });

  test('can read its script file, and others cannot', async () => {
    const file = await processes.scriptFile('id -un', 'nobody');
    expect(statSync(file.path)).toMatchObject({ uid: 65534 });
    expect(await run({ argv: ['/bin/sh', file.path], user: 'nobody' })).toMatchObject({ stdout: 'nobody\n' });
    expect(await run({ argv: ['cat', file.path], user: 'daemon' })).toMatchObject({
      exitCode: 1,
      stdout: '',
    });
    await file[Symbol.asyncDispose]();
  });
});

describe('script file', () => {
  test('is private, in a private folder, and gone afterwards', async () => {
    const file = await processes.scriptFile('echo ran');
    expect(statSync(file.path).mode & 0o777).toBe(0o700);
    expect(statSync(dirname(file.path)).mode & 0o777).toBe(0o700);
    expect(await run({ argv: ['/bin/sh', file.path] })).toMatchObject({ stdout: 'ran\n' });

    await file[Symbol.asyncDispose]();
    expect(existsSync(dirname(file.path))).toBe(false);
  });

  test('what a killed agent left is removed by the next one, and nothing of another agent', async () => {
    using place = temporaryFolder('processes');
    for (const name of ['muster-script-one-left', 'muster-script-two-left']) {
      mkdirSync(join(place.path, name));
      writeFileSync(join(place.path, name, 'script'), 'secret');
    }
    createProcesses({ scripts: { folder: place.path, agent: 'one' } });
    expect(readdirSync(place.path)).toEqual(['muster-script-two-left']);
  });

  test('a full or missing place for it is said', async () => {
    using place = temporaryFolder('processes');
    const own = createProcesses({ scripts: { folder: place.path, agent: 'one' } });
    place[Symbol.dispose]();
    await expect(own.scriptFile('x')).rejects.toMatchObject({ code: 'not_started' });
  });
});
