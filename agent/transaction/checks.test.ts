import { describe, expect, test } from 'vitest';
import { type AnyCheck, Check, DeviceProfile, Unit, UnitCommand } from '../../shared/device-profile.ts';
import { TaskError } from '../../shared/errors.ts';
import { type ScriptedAnswer, ScriptedMachine } from '../../test/harness/scripted-machine.ts';
import { TestClock } from '../../test/harness/test-clock.ts';
import { type CheckContext, recordExpected, runChecks, runCommands } from './checks.ts';
import type { CommandPlace } from './machine.ts';

const check = (parts: object): Check => Check.parse({ id: 'works', argv: ['probe'], ...parts });
const unitWith = (parts: object = {}): Unit =>
  Unit.parse({ name: 'svc', summary: 'x', paths: [{ glob: '/etc/svc/*' }], ...parts });

interface Lab {
  context: CheckContext;
  machine: ScriptedMachine;
  clock: TestClock;
}

function lab(
  answer: (argv: string[], place: CommandPlace) => ScriptedAnswer,
  files: Record<string, string> = {},
): Lab {
  const machine = new ScriptedMachine(answer);
  const clock = new TestClock();
  const after = new Map(Object.entries(files));
  const profile = DeviceProfile.parse({
    id: 'lab',
    rev: 1,
    summary: 'x',
    platform: 'linux',
    tried: 'run',
    units: [unitWith()],
  });
  const texts = new Map([['svc', { before: after, after }]]);
  return {
    machine,
    clock,
    context: { machine, clock, profile, texts, signal: new AbortController().signal },
  };
}

const verify = (parts: object, { context }: Lab) => runChecks(unitWith(), [check(parts)], 'host', context);

describe('a check', () => {
  test.each<[string, object, ScriptedAnswer, boolean, string]>([
    ['exit code 0', {}, {}, true, ''],
    [
      'another exit code',
      {},
      { exitCode: 3, output: 'sorry' },
      false,
      'svc: works (probe) ended with 3: sorry',
    ],
    ['an exit code that is fine', { ok_exit_codes: [0, 3] }, { exitCode: 3 }, true, ''],
    ['no exit code', {}, { exitCode: null }, false, 'svc: works (probe) failed: no output'],
    ['too slow', { timeout_s: 7 }, { exitCode: null, timedOut: true }, false, 'stopped after 7 s'],
    [
      'the expected output',
      { expect: { output: '^answer: \\d+$' } },
      { stdout: 'x\nanswer: 42\n' },
      true,
      '',
    ],
    [
      'other output',
      { expect: { output: '^answer' } },
      { stdout: 'question' },
      false,
      'expected output with /^answer/',
    ],
    [
      'unwanted output, with exit code 0',
      { expect: { not_output: '^% .*' } },
      { stdout: 'a\n% Bad line\n' },
      false,
      'expected no output such as % Bad line',
    ],
  ])('%s', async (_, parts, answer, ok, message) => {
    const result = await verify(
      parts,
      lab(() => answer),
    );
    expect(result.ok).toBe(ok);
    expect(result.message).toContain(message);
    expect(result.commands).toMatchObject([{ unit: 'svc', check: 'works', argv: ['probe'], ok }]);
  });

  test('is repeated until it holds', async () => {
    let calls = 0;
    const tried = lab(() => ({ exitCode: ++calls < 3 ? 1 : 0 }));
    const result = verify({ within_s: 10 }, tried);
    await tried.clock.advance(1000);
    expect(await result).toMatchObject({ ok: true });
    expect(tried.machine.ran).toHaveLength(3);
  });

  test('is not repeated for longer than it may be, and says what came last', async () => {
    const tried = lab(() => ({ exitCode: 1, output: 'not yet' }));
    const result = verify({ within_s: 2 }, tried);
    await tried.clock.advance(10_000);
    expect(await result).toMatchObject({ ok: false, commands: [{ output: 'not yet' }] });
    expect(tried.machine.ran).toHaveLength(5);
  });

  test('ends with the signal while it waits', async () => {
    const tried = lab(() => ({ exitCode: 1 }));
    const stopping = new AbortController();
    const result = runChecks(unitWith(), [check({ within_s: 60 })], 'host', {
      ...tried.context,
      signal: stopping.signal,
    });
    stopping.abort(new TaskError('cancelled', 'enough'));
    await expect(result).rejects.toMatchObject({ code: 'cancelled' });
  });

  test('is skipped when its program is not on the device, and says so', async () => {
    const tried = lab(() => ({ exitCode: 1 }));
    tried.machine.missing.add('probed');
    const result = await verify({ if_program: 'probed' }, tried);
    expect(result).toMatchObject({
      ok: true,
      commands: [{ ok: true, output: 'skipped: the device has no program probed' }],
    });
    expect(tried.machine.ran).toEqual([]);
  });

  test('that cannot be started has failed, with the reason', async () => {
    const tried = lab(() => {
      throw new TaskError('program_missing', 'The machine has no program probe');
    });
    expect(await verify({}, tried)).toMatchObject({
      ok: false,
      message: 'svc: works (probe) failed: The machine has no program probe',
    });
  });

  test('in empty folders of its own runs through the program that makes them; evidence names what was asked', async () => {
    const tried = lab(() => ({}));
    const result = await verify({ fresh_folders: ['/run', '/run/svc'] }, tried);
    expect(tried.machine.ran[0]?.argv.join(' ')).toMatch(
      /^unshare --mount .*fresh-folders\.sh \/run \/run\/svc -- probe$/,
    );
    expect(result.commands[0]?.argv).toEqual(['probe']);
  });

  test('the first that fails ends the list', async () => {
    const tried = lab((argv) => ({ exitCode: argv[0] === 'second' ? 1 : 0 }));
    const checks: AnyCheck[] = ['first', 'second', 'third'].map((id) => check({ id, argv: [id] }));
    const result = await runChecks(unitWith(), checks, 'candidate', tried.context);
    expect(result.commands.map((one) => one.check)).toEqual(['first', 'second']);
    expect(tried.machine.ran.map(({ place }) => place)).toEqual(['candidate', 'candidate']);
  });
});

describe('evidence', () => {
  test('is cut, and free of secrets that rules, detectors or the caller know', async () => {
    const secrets = [{ id: 'pin', match: 'pin (\\d+)', replace: 'mask' }];
    const output = `pin 1234\npassword hunter2\nvalue s3same\n${'x'.repeat(9000)}`;
    const tried = lab(() => ({ exitCode: 1, output }));
    const context = { ...tried.context, secretValues: ['s3same', ''] };
    const result = await runChecks(
      unitWith({ secrets }),
      [check({ argv: ['probe', 's3same'] })],
      'host',
      context,
    );
    const told = JSON.stringify(result);
    for (const secret of ['1234', 'hunter2', 's3same']) expect(told).not.toContain(secret);
    expect(result.commands[0]?.output.length).toBeLessThanOrEqual(4096);
    expect(result.commands[0]?.argv).toEqual(['probe', '<secret>']);
    expect(result.message.length).toBeLessThanOrEqual(1024);
  });
});

describe('targets', () => {
  const addresses = JSON.stringify([
    { ifname: 'lo', addr_info: [{ family: 'inet', local: '127.0.0.1', prefixlen: 8, scope: 'host' }] },
    {
      ifname: 'eth0',
      addr_info: [
        { family: 'inet', local: '192.0.2.1', prefixlen: 24, scope: 'global' },
        { family: 'inet6', local: 'fe80::1', prefixlen: 64, scope: 'link' },
        { family: 'inet6', local: '2001:db8::1', prefixlen: 64, scope: 'global' },
      ],
    },
  ]);
  const asked = async (
    targets: object,
    files: Record<string, string>,
    answer: (argv: string[]) => ScriptedAnswer = () => ({}),
  ) => {
    const tried = lab((argv) => (argv[0] === 'ip' ? { stdout: addresses } : answer(argv)), files);
    const result = await verify({ argv: ['dig', '@{each}', '{2}'], targets }, tried);
    const argvs = tried.machine.ran
      .filter(({ argv }) => argv[0] === 'dig')
      .map(({ argv }) => argv.slice(1).join(' '));
    return { ok: result.ok, message: result.message, argvs };
  };

  test('are found in the files, each once', async () => {
    const text = 'listen 10.0.0.1:53\nlisten 10.0.0.2:54\nlisten 10.0.0.1:53\n';
    const { argvs } = await asked({ match: '^listen (\\S+):(\\d+)' }, { '/etc/svc/a': text });
    expect(argvs).toEqual(['@10.0.0.1 53', '@10.0.0.2 54']);
  });

  test('are found in what a program prints', async () => {
    const { argvs } = await asked({ argv: ['list'], match: '^on (\\S+)' }, {}, (argv) => ({
      stdout: argv[0] === 'list' ? 'on a\non b\n' : '',
    }));
    expect(argvs).toEqual(['@a ', '@b ']);
  });

  test('wildcards mean the host’s addresses of that family; loopback only when there is no other', async () => {
    const both = { match: '^listen (\\S+)', addresses: true };
    expect((await asked(both, { '/etc/svc/a': 'listen 0.0.0.0\nlisten ::\n' })).argvs).toEqual([
      '@192.0.2.1 ',
      '@2001:db8::1 ',
    ]);
    expect((await asked(both, { '/etc/svc/a': 'listen 127.0.0.1\nlisten 192.0.2.1\n' })).argvs).toEqual([
      '@192.0.2.1 ',
    ]);
    expect((await asked(both, { '/etc/svc/a': 'listen 127.0.0.1\n' })).argvs).toEqual(['@127.0.0.1 ']);
  });

  test('all have to hold, or one', async () => {
    const files = { '/etc/svc/a': 'listen a\nlisten b\n' };
    const onlyB = (argv: string[]) => ({ exitCode: argv[1] === '@b' ? 0 : 9 });
    expect(await asked({ match: '^listen (\\S+)', need: 'one' }, files, onlyB)).toMatchObject({ ok: true });
    expect(await asked({ match: '^listen (\\S+)', need: 'all' }, files, onlyB)).toMatchObject({ ok: false });
  });

  test('that are not found have something instead, or the check has failed', async () => {
    expect(await asked({ match: '^listen (\\S+)', otherwise: ['c'] }, {})).toMatchObject({
      ok: true,
      argvs: ['@c '],
    });
    expect(await asked({ match: '^listen (\\S+)' }, {})).toMatchObject({ ok: false, argvs: [] });
  });
});

describe('what runs, compared with the scratch namespace', () => {
  const same = { expect: { same_in_scratch: true, ignore: ['handle \\d+'] } };
  const unit = unitWith({ verify: [{ id: 'works', argv: ['probe'], ...same }] });
  const compared = async (inScratch: string, onHost: string) => {
    const tried = lab((_, place) => ({ stdout: place === 'scratch' ? inScratch : onHost }));
    const { expected } = await recordExpected(unit, tried.context);
    return runChecks(unit, unit.verify, 'host', { ...tried.context, expected });
  };

  test('is the same but for what is ignored', async () => {
    expect(await compared('rule handle 1', 'rule handle 22')).toMatchObject({ ok: true });
  });

  test('differs: says where', async () => {
    const { ok, message } = await compared('rule accept', 'rule drop');
    expect(ok).toBe(false);
    expect(message).toContain(
      'differs from the candidate at character 5: expected "rule accept", found "rule drop"',
    );
  });

  test('has failed when nothing was recorded', async () => {
    const tried = lab(() => ({ stdout: '' }));
    expect(await runChecks(unit, unit.verify, 'host', tried.context)).toMatchObject({ ok: false });
  });
});

describe('commands', () => {
  test('run in their order with the folder of what was kept; the first that fails ends them', async () => {
    const tried = lab((argv) => ({ exitCode: argv[0] === 'b' ? 1 : 0 }));
    const commands = ['a', 'b', 'c'].map((name) => UnitCommand.parse({ argv: [name, '{snapshot}/x'] }));
    const result = await runCommands(unitWith(), commands, 'host', { ...tried.context, snapshot: '/kept' });
    expect(result).toMatchObject({ ok: false, message: 'svc: b /kept/x ended with 1: no output' });
    expect(tried.machine.ran.map(({ argv }) => argv.join(' '))).toEqual(['a /kept/x', 'b /kept/x']);
  });
});
