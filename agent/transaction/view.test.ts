import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DeviceProfile } from '../../shared/device-profile.ts';
import { systemClock } from '../../shared/node/system-clock.ts';
import { ConfigView } from '../../shared/task-types/pull.ts';
import { TransactionUnderTest } from '../../test/harness/linux-transaction.ts';
import type { CommandRecord, TransactionMachine } from './machine.ts';
import { stateOf } from './live-files.ts';
import { isReliable, makeView, type View } from './view.ts';
import { ViewFile } from './view-file.ts';
import { ViewMemory } from './view-memory.ts';

const keys = {
  stateDigest: (text: string) => `state ${text.length} ${text}`,
  secretToken: (value: string) => Buffer.from(value).toString('hex').padEnd(8, '0').slice(0, 8),
};
const never = new AbortController().signal;

/** A device with one unit whose files are `*.conf` of a folder of its own. */
class Stage implements AsyncDisposable {
  readonly device = new TransactionUnderTest();
  machine: TransactionMachine = this.device.machine;
  memory = ViewMemory.parse({});
  ownPaths: string[] = [];
  maxBytes = 1_000_000;
  unit: object = {};

  async pull(): Promise<{ view: ConfigView; found: View; text: string; status: string; message: string }> {
    const profile = DeviceProfile.parse({
      id: 'test',
      rev: 3,
      summary: 'A device under test',
      platform: 'linux',
      tried: 'run',
      units: [
        {
          name: 'unit',
          summary: 'A unit',
          paths: [{ glob: this.device.etc('*.conf') }, { glob: this.device.etc('key'), secret: true }],
          secrets: [{ id: 'password', match: '^password (?<secret>.*)$', replace: 'token' }],
          volatile: [{ id: 'clock', match: '^# written at ', replace: 'drop_line' }],
          ...this.unit,
        },
      ],
    });
    await using file = await ViewFile.create(join(this.device.path, 'view.json'));
    const found = await makeView(profile.units, file, {
      machine: this.machine,
      keys,
      profile,
      ownPaths: this.ownPaths,
      clock: systemClock,
      probe: { address: { host: '192.0.2.1', port: 443 } },
      signal: never,
      maxBytes: this.maxBytes,
      memory: this.memory,
      progress: () => undefined,
    });
    this.memory = { ...this.memory, units: found.memory };
    const sealed = await file.seal();
    const text = readFileSync(sealed.path, 'utf8');
    expect(text.length).toBe(sealed.size);
    const { status = '', message = '' } = found.units[0] ?? {};
    return { view: ConfigView.parse(JSON.parse(text)), found, text, status, message };
  }

  /** The machine says that the files of now were confirmed. */
  async confirm(): Promise<void> {
    const files = await this.device.machine.list([this.device.etc('*')], { maxFiles: 9, maxBytes: 9e9 });
    const units = { unit: stateOf(files, keys) };
    const state = { transaction: 't1', generation: 7, content: 'c', files: [], units };
    this.machine = { ...this.machine, confirmed: async () => state };
  }

  /** Commands of the unit answer so. */
  answers(answer: (argv: string[]) => Partial<CommandRecord>): void {
    this.machine = {
      ...this.machine,
      hasProgram: async () => true,
      run: async ({ argv }) => {
        const stdout = answer(argv).stdout ?? '';
        const record = { argv, exitCode: 0, timedOut: false, output: stdout, stdout, durationMs: 1 };
        return { ...record, ...answer(argv) };
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.device[Symbol.dispose]();
  }
}

test('shows text with its secrets as tokens, without what changes by itself, and withholds the rest', async () => {
  await using at = new Stage();
  at.device.write('a.conf', '# written at 10:00\nname edge\npassword hunter2\n', 0o640);
  at.device.write('b.conf', 'binary\0');
  at.device.write('key', 'TOP-SECRET-KEY');
  at.device.write('unmanaged', 'not ours');
  const { view, found, text } = await at.pull();

  expect(view.ruleset).toBe('test-3');
  expect(view.units[0]?.files).toMatchObject([
    { path: at.device.etc('a.conf'), mode: '0640', text: 'name edge\npassword <secret:68756e74>\n' },
    { path: at.device.etc('b.conf'), withheld: 'it is no text', token: expect.stringMatching(/^\w{8}$/) },
    { path: at.device.etc('key'), withheld: 'the whole file is a secret' },
  ]);
  expect(text).not.toMatch(/hunter2|TOP-SECRET|not ours|written at/);
  expect(found.units).toMatchObject([{ unit: 'unit', status: 'never_synced', files: 3, bytes: 67 }]);
  expect(found.files).toHaveLength(3);
});

test('what only a clock changed has the same view, and another state', async () => {
  await using at = new Stage();
  const rewritten = async (time: string) => {
    at.device.write('a.conf', `# written at ${time}\nname edge\n`);
    const { text, found } = await at.pull();
    return { text, state: found.units[0]?.state };
  };
  const [one, other] = [await rewritten('10:00'), await rewritten('11:11')];
  expect(other.text).toBe(one.text);
  expect(other.state).not.toBe(one.state);
});

test('the agent’s own files are left out', async () => {
  await using at = new Stage();
  at.device.write('a.conf', 'a\n');
  at.device.write('agent.conf', 'own\n');
  at.ownPaths = [at.device.etc('agent.conf')];
  const { view, text } = await at.pull();
  expect(view.units[0]?.files).toHaveLength(1);
  expect(text).not.toContain('agent.conf');
});

test('says how files and running state stand to what was confirmed', async () => {
  await using at = new Stage();
  const path = at.device.write('a.conf', 'rule 1\n');
  at.unit = {
    running: { argv: ['show'] },
    verify: [{ id: 'same', argv: ['compare'], expect: { output: '^same$' } }],
    running_checks: ['same'],
  };
  let runs = 'same';
  at.answers(([program]) => ({ stdout: program === 'show' ? 'rule 1\npassword running1\n' : runs }));
  expect((await at.pull()).status).toBe('never_synced');

  await at.confirm();
  const inSync = await at.pull();
  expect(inSync.status).toBe('in_sync');
  expect(inSync.view.units[0]?.running).toBe('rule 1\npassword <secret:72756e6e>\n');
  runs = 'other';
  expect(await at.pull()).toMatchObject({ status: 'running_only', message: expect.stringContaining('same') });
  appendFileSync(path, 'rule 2\n');
  expect((await at.pull()).status).toBe('pending_reload');
  runs = 'same';
  expect((await at.pull()).status).toBe('file_changed');
});

test('a service that does not answer is told; the files are shown all the same', async () => {
  await using at = new Stage();
  at.device.write('a.conf', 'rule 1\n');
  at.unit = { running: { argv: ['show'] } };
  at.answers(() => ({ exitCode: 1 }));
  await at.confirm();
  const { status, message, view, found } = await at.pull();
  expect({ status, message }).toEqual({ status: 'running_only', message: 'show ended with 1' });
  expect(view.units[0]).toMatchObject({ files: [{ text: 'rule 1\n' }] });
  expect(isReliable(found)).toBe(true);
});

test('a link, a file that is too large and too many bytes are not read', async () => {
  await using at = new Stage();
  symlinkSync('/etc/passwd', at.device.etc('a.conf'));
  const { status, message, view, found } = await at.pull();
  expect({ status, message }).toMatchObject({
    status: 'unreadable',
    message: expect.stringContaining('a.conf'),
  });
  expect(view.units[0]?.files).toEqual([]);
  expect(isReliable(found)).toBe(false);

  rmSync(at.device.etc('a.conf'));
  at.device.write('a.conf', 'x'.repeat(1_048_577));
  expect((await at.pull()).status).toBe('unreadable');
  at.device.write('a.conf', 'x'.repeat(1000));
  at.maxBytes = 999;
  await expect(at.pull()).rejects.toMatchObject({ code: 'too_large' });
});

test('a file that changes between two readings is read again, and never half of each', async () => {
  await using at = new Stage();
  const path = at.device.write('a.conf', 'version 0\n');
  let changes = 2;
  const { read } = at.device.machine;
  at.machine = {
    ...at.machine,
    read(file) {
      if (changes > 0) writeFileSync(path, `version ${changes}\n`);
      changes -= 1;
      return read(file);
    },
  };
  const second = await at.pull();
  expect(second.view.units[0]?.files[0]?.text).toBe('version 1\n');
  changes = 100;
  const never3 = await at.pull();
  expect(never3.status).toBe('unstable');
  expect(never3.view.units[0]?.files).toEqual([]);
  expect(isReliable(never3.found)).toBe(false);
});

test('a file without its end is doubted, however often it is read', async () => {
  await using at = new Stage();
  at.unit = { complete: { must_contain: 'begin', must_end_with: 'end', min_bytes: 8 } };
  at.device.write('a.conf', 'begin\nrules\nend\n');
  expect((await at.pull()).status).toBe('never_synced');
  for (const cut of ['begin\nrul', '', 'rules\nend\n']) {
    at.device.write('a.conf', cut);
    for (let round = 0; round < 2; round += 1) expect((await at.pull()).status, cut).toBe('suspect');
  }
});

const long = 'rule\n'.repeat(200);

test('a reading that lost too much is doubted once, and believed when it stays', async () => {
  await using at = new Stage();
  at.device.write('a.conf', long);
  at.device.write('b.conf', long.repeat(9));
  expect((await at.pull()).status).toBe('never_synced');

  at.device.write('a.conf', '');
  expect(await at.pull()).toMatchObject({
    status: 'suspect',
    message: expect.stringMatching(/a\.conf had 1000 bytes and has 0/),
  });
  at.device.write('a.conf', 'half-wri');
  expect((await at.pull()).status).toBe('suspect');
  at.device.write('a.conf', long);
  expect((await at.pull()).status).toBe('never_synced');

  rmSync(at.device.etc('b.conf'));
  expect((await at.pull()).status).toBe('suspect');
  expect((await at.pull()).status).toBe('never_synced');
});

test('what a transaction took away was meant', async () => {
  await using at = new Stage();
  at.device.write('a.conf', long);
  await at.pull();
  at.device.write('a.conf', 'rule\n');
  await at.confirm();
  expect((await at.pull()).status).toBe('in_sync');
});

test('a reader that races a writer sees a whole file, or says that it did not', async () => {
  await using at = new Stage();
  at.unit = { complete: { must_end_with: 'end' } };
  const path = at.device.write('a.conf', `0\n${'x'.repeat(200_000)}\n0\nend\n`);
  // In place, as careless programs write: cut, then filled.
  const program = `const { writeFileSync } = require('node:fs'); const wait = new Int32Array(new SharedArrayBuffer(4));
    for (let i = 1; ; i++) { writeFileSync(${JSON.stringify(path)}, i + '\\n' + 'x'.repeat(200000) + '\\n' + i + '\\nend\\n'); Atomics.wait(wait, 0, 0, i % 20); if (i === 1) process.stdout.write('.'); }`;
  const writer = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await once(writer.stdout, 'data');
    const seen = new Set<string>();
    for (let round = 0; round < 60; round += 1) {
      const { status, view } = await at.pull();
      seen.add(status);
      const text = view.units[0]?.files[0]?.text;
      if (status === 'suspect' || text === undefined) continue;
      const [first, , last, end] = text.split('\n');
      expect([last, end]).toEqual([first, 'end']);
    }
    expect(['never_synced', 'unstable', 'suspect']).toEqual(expect.arrayContaining([...seen]));
  } finally {
    writer.kill('SIGKILL');
    await once(writer, 'close');
  }
});
