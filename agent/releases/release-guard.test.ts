import { execFile } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import { ReleaseFolder, type Trial } from './release-folder.ts';

/** The guard program on a machine whose clock, processes and service manager are files; a second passes whenever it sleeps. */
class Machine implements Disposable {
  readonly releases: ReleaseFolder;
  readonly #place = temporaryFolder('release-guard');

  constructor() {
    this.releases = new ReleaseFolder(join(this.#place.path, 'releases'));
    this.releases.create();
    for (const folder of ['home/bin', 'tools', 'proc/sys/kernel/random', 'proc/100'])
      mkdirSync(this.path(folder), { recursive: true });
    copyFileSync(join(import.meta.dirname, 'release-guard.sh'), this.path('home/release-guard.sh'));
    this.boot('first');
    this.restarts(0);
    this.runs('package');
    this.answers(true);
    this.#tool(
      'sleep',
      `read -r up rest <${this.path('proc/uptime')}; echo "$((\${up%.*} + \${1%.*})).00 0" >${this.path('proc/uptime')}`,
    );
    this.#tool(
      'systemctl',
      `case "$*" in
        *NRestarts*) cat ${this.path('restarts')} ;;
        *MainPID*) echo 100 ;;
        *restart*) echo "$*" >>${this.path('restarted')} ;;
      esac`,
    );
    for (const name of ['new', 'old'])
      mkdirSync(join(this.releases.versions, name, 'bin'), { recursive: true });
  }

  path(name: string): string {
    return join(this.#place.path, name);
  }

  boot(id: string): void {
    writeFileSync(this.path('proc/uptime'), '50.00 0\n');
    writeFileSync(this.path('proc/sys/kernel/random/boot_id'), `${id}\n`);
  }

  restarts(times: number): void {
    writeFileSync(this.path('restarts'), `${times}\n`);
  }

  /** From which folder both programs run. */
  runs(folder: string): void {
    rmSync(this.path('proc/100/exe'), { force: true });
    symlinkSync(join(this.releases.versions, folder, 'bin/node'), this.path('proc/100/exe'));
  }

  /** What the version before finds out about the controller. */
  answers(yes: boolean): void {
    writeFileSync(this.path('home/bin/node'), `#!/bin/sh\nexit ${yes ? 0 : 8}\n`);
    chmodSync(this.path('home/bin/node'), 0o755);
  }

  guard(...args: string[]): Promise<{ exitCode: number; stderr: string }> {
    const { promise, resolve } = Promise.withResolvers<{ exitCode: number; stderr: string }>();
    const [command = '', ...rest] = args;
    const argv = [this.path('home/release-guard.sh'), command, this.releases.path, ...rest];
    const env = {
      PATH: `${this.path('tools')}:${process.env['PATH']}`,
      MUSTER_GUARD_PROC: this.path('proc'),
    };
    execFile('/bin/sh', argv, { env, timeout: 30_000 }, (error, _stdout, stderr) =>
      resolve({ exitCode: typeof error?.code === 'number' ? error.code : error ? -1 : 0, stderr }),
    );
    return promise;
  }

  get current(): string {
    return existsSync(this.releases.path) && readdirSync(this.releases.path).includes('current')
      ? readlinkSync(this.releases.current)
      : 'package';
  }

  get uptime(): number {
    return Number(readFileSync(this.path('proc/uptime'), 'utf8').split(' ')[0]);
  }

  get timesRestarted(): number {
    const log = this.path('restarted');
    return existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n').length : 0;
  }

  #tool(name: string, text: string): void {
    writeFileSync(this.path(`tools/${name}`), `#!/bin/sh\n${text}\n`);
    chmodSync(this.path(`tools/${name}`), 0o755);
  }

  [Symbol.dispose](): void {
    this.#place[Symbol.dispose]();
  }
}

const sha256 = 'a'.repeat(64);
let machine: Machine;

beforeEach(() => {
  machine = new Machine();
});
afterEach(() => machine[Symbol.dispose]());

const arm = (over: Partial<Trial> & Record<string, unknown> = {}): void =>
  machine.releases.arm({
    ...{ state: 'ARMED', task: 'aB3dE6gH', version: '2.0.0', folder: 'new', sha256, previous: 'package' },
    ...{ window_ms: 20_000, switched_at: '', reason: '' },
    ...over,
  });
const trial = () => machine.releases.trial();

describe('a trial that nobody confirms', () => {
  test('ends at its deadline: the version before runs again, and the release is remembered', async () => {
    arm();
    expect(await machine.guard('watch')).toMatchObject({ exitCode: 0 });
    expect(trial()).toMatchObject({ state: 'ROLLED_BACK', reason: expect.stringContaining('within 20 s') });
    expect(machine.uptime).toBeLessThan(50 + 25);
    expect(machine.current).toBe('package');
    expect(machine.releases.badReason(sha256)).toContain('2.0.0');
    expect(machine.timesRestarted).toBe(2);
  });

  test('goes back to a release as well as to the package', async () => {
    symlinkSync('versions/old', machine.releases.current);
    arm({ previous: 'old' });
    await machine.guard('watch');
    expect(machine.current).toBe('versions/old');
  });

  test('is extended once while the controller is down, and then forgotten, not remembered', async () => {
    machine.answers(false);
    arm();
    await machine.guard('watch');
    expect(machine.uptime).toBeGreaterThanOrEqual(50 + 140);
    expect(trial()).toMatchObject({ state: 'ROLLED_BACK', reason: expect.stringContaining('cannot reach') });
    expect(machine.releases.badReason(sha256)).toBeUndefined();
  });

  test('ends at once when the new version keeps ending', async () => {
    machine.restarts(3);
    arm();
    await machine.guard('watch');
    expect(machine.uptime).toBeLessThan(50 + 5);
    expect(trial()).toMatchObject({ state: 'ROLLED_BACK', reason: expect.stringContaining('ended 3 times') });
  });
});

describe('confirming', () => {
  const onTrial = (over: Record<string, unknown> = {}): void => {
    arm({ state: 'TRIAL', boot: 'first', deadline: 70_000, boots: 0, unreachable: 0, extended: 0, ...over });
    symlinkSync('versions/new', machine.releases.current);
  };

  test('counts when both programs run from the new folder, and then nothing goes back', async () => {
    onTrial();
    expect(await machine.guard('confirm', 'aB3dE6gH')).toMatchObject({ exitCode: 4 });
    machine.runs('new');
    expect(await machine.guard('confirm', 'aB3dE6gH')).toMatchObject({ exitCode: 0 });
    expect(await machine.guard('watch')).toMatchObject({ exitCode: 0 });
    expect(trial()).toMatchObject({ state: 'CONFIRMED' });
    expect(machine.current).toBe('versions/new');
  });

  test.each([
    ['by another task', 'other', {}],
    ['after the deadline', 'aB3dE6gH', { deadline: 1 }],
    ['of a trial that went back', 'aB3dE6gH', { state: 'ROLLED_BACK' }],
    ['of another boot, before the guard has looked', 'aB3dE6gH', { boot: 'other' }],
  ])('%s is too late', async (_what, task, over) => {
    onTrial(over);
    machine.runs('new');
    expect(await machine.guard('confirm', task)).toMatchObject({ exitCode: 3 });
  });
});

describe('after a power cut', () => {
  test('before the switch, the trial begins', async () => {
    arm();
    machine.boot('second');
    await machine.guard('watch');
    expect(trial()).toMatchObject({ state: 'ROLLED_BACK', reason: expect.stringContaining('within 20 s') });
  });

  test('in the trial, it has its whole time anew, and after a second one it is over', async () => {
    arm({ state: 'TRIAL', boot: 'first', deadline: 51_000, boots: 0, unreachable: 0, extended: 0 });
    machine.boot('second');
    await machine.guard('watch');
    expect(machine.uptime).toBeGreaterThanOrEqual(70);

    arm({
      state: 'TRIAL',
      boot: 'second',
      deadline: 51_000,
      boots: 1,
      unreachable: 0,
      extended: 0,
      sha256: 'b'.repeat(64),
    });
    machine.boot('third');
    await machine.guard('watch');
    expect(trial()).toMatchObject({
      state: 'ROLLED_BACK',
      reason: expect.stringContaining('went down twice'),
    });
    expect(machine.releases.badReason('b'.repeat(64))).toBeUndefined();
  });

  test('on the way back, it goes on', async () => {
    arm({ state: 'ROLLING_BACK', reason: 'it ended 3 times' });
    symlinkSync('versions/new', machine.releases.current);
    await machine.guard('watch');
    expect(trial()).toMatchObject({ state: 'ROLLED_BACK', reason: 'it ended 3 times' });
    expect(machine.current).toBe('package');
  });
});

test('the Debian package ends a trial and takes the place of any release', async () => {
  arm({ state: 'TRIAL' });
  symlinkSync('versions/new', machine.releases.current);
  expect(await machine.guard('package')).toMatchObject({ exitCode: 0 });
  expect(machine.current).toBe('package');
  expect(trial()).toMatchObject({ state: 'ROLLED_BACK', reason: expect.stringContaining('Debian package') });
});

test('a wrong call says what is wrong', async () => {
  expect(await machine.guard('what')).toMatchObject({
    exitCode: 64,
    stderr: expect.stringContaining("'what'"),
  });
});
