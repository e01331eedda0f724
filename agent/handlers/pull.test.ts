import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Pull, type PullParameters, type PullResult } from '../../shared/task-types/pull.ts';
import { ConfigurationUnderTest } from '../../test/harness/configuration-under-test.ts';
import { lacks, notTested } from '../../test/harness/not-tested.ts';
import { fail } from '../../test/harness/transfer-controller.ts';
import type { DummyClock } from '../system/dummy/clock.ts';
import type { Workspace } from '../transaction/machine.ts';
import { createPullHandler } from './pull.ts';

async function stage() {
  const at = await ConfigurationUnderTest.start();
  at.device.write('alpha/a.conf', 'name edge\npassword canary-secret-1\n');
  at.device.write('beta/b.conf', 'beta\n');
  return at;
}

const run = async (
  at: ConfigurationUnderTest,
  parameters: Partial<PullParameters> = {},
  context = at.context(),
): Promise<PullResult> => {
  const handler = createPullHandler(at.configuration);
  return (await handler.run(
    Pull.parameters.parse({ recipients: at.recipients, ...parameters }),
    context,
  )) as PullResult;
};

test('the view and the encrypted original arrive, and the controller’s answer is the result', async () => {
  await using at = await stage();
  const context = at.context();
  const result = await run(at, {}, context);
  expect(result).toMatchObject({ version: 1, changed: true, raw: 'stored', profile: { id: 'test', rev: 3 } });
  expect(result.units.map(({ status }) => status)).toEqual(['never_synced', 'never_synced']);

  const [report] = at.controller.pulls;
  const view = at.controller.blobs.get(report?.view_sha256 ?? '');
  expect(view?.toString()).toContain('password <secret:');
  expect(report).toMatchObject({ ruleset: 'test-3', generation: null, complete: true });
  expect(
    at.controller.blobs
      .get(report?.raw_sha256 ?? '')
      ?.subarray(0, 21)
      .toString(),
  ).toBe('age-encryption.org/v1');
  for (const blob of at.controller.blobs.values()) expect(blob.includes('canary-secret')).toBe(false);
  expect([...context.lines, ...context.progresses.map(({ message }) => message)].join()).not.toContain(
    'canary',
  );
  expect(at.spooled()).toEqual([]);
  expect(context.progresses.at(-1)?.percent).toBeCloseTo(95);
});

const noTools = ['age', 'zstd', 'tar'].map((program) => lacks(program)).find((lack) => lack !== undefined);
notTested('originals restored with age, zstd and tar', noTools);
test.skipIf(noTools)('age, zstd and tar restore the original; the same files make the same tar', async () => {
  await using at = await stage();
  const tars: Buffer[] = [];
  for (const code of ['aaaaaaaa', 'bbbbbbbb']) {
    writeFileSync(at.configuration.memory.view, '{}');
    await run(at, {}, at.context(code));
    const raw = at.controller.blobs.get(at.controller.pulls.at(-1)?.raw_sha256 ?? '');
    const key = join(at.device.path, 'key');
    writeFileSync(key, at.holders[1]?.identity ?? '');
    const zst = execFileSync('age', ['-d', '-i', key], { input: raw });
    tars.push(execFileSync('zstd', ['-d'], { input: zst }));
  }
  expect(tars[0]?.equals(tars[1] ?? Buffer.alloc(0))).toBe(true);
  const out = join(at.device.path, 'out');
  mkdirSync(out);
  execFileSync('tar', ['-x', '-C', out], { input: tars[0] });
  const restored = join(out, 'files', at.device.etc('alpha/a.conf'));
  expect(readFileSync(restored, 'utf8')).toBe('name edge\npassword canary-secret-1\n');
});

test('an unchanged view brings no original again; another recipient does', async () => {
  await using at = await stage();
  await run(at);
  expect(await run(at)).toMatchObject({ raw: 'unchanged', changed: false, version: 1 });
  expect(at.controller.pulls.at(-1)?.raw_sha256).toBeNull();
  expect(await run(at, { recipients: at.recipients.slice(1) })).toMatchObject({ raw: 'stored' });
  at.device.write('beta/b.conf', 'changed\n');
  expect(await run(at, { recipients: [] })).toMatchObject({
    raw: 'no_recipients',
    changed: true,
    version: 2,
  });
  expect(at.controller.pulls.at(-1)?.raw_sha256).toBeNull();
});

test('a controller that lost what it had gets the original too', async () => {
  await using at = await stage();
  await run(at);
  at.controller.pulls.length = 0;
  expect(await run(at)).toMatchObject({ raw: 'stored' });
  expect(at.controller.pulls.map(({ raw_sha256 }) => raw_sha256 !== null)).toEqual([false, true]);
});

test('part of the units, or a unit that cannot be read, is no whole configuration', async () => {
  await using at = await stage();
  expect(await run(at, { units: ['beta'] })).toMatchObject({ version: null, raw: 'unchanged' });
  expect(at.controller.pulls.at(-1)).toMatchObject({ complete: false, units: [{ unit: 'beta' }] });
  symlinkSync('/etc/passwd', at.device.etc('alpha', 'link.conf'));
  const result = await run(at);
  expect(result).toMatchObject({ version: null, changed: false, units: [{ status: 'unreadable' }, {}] });
  expect(at.controller.pulls.at(-1)).toMatchObject({ complete: false, raw_sha256: null });
  await expect(run(at, { units: ['gamma'] })).rejects.toMatchObject({ code: 'invalid_parameters' });
});

test('recipients that the device does not allow see nothing', async () => {
  await using at = await stage();
  at.configuration = { ...at.configuration, allowedRecipients: at.recipients.slice(0, 1) };
  await expect(run(at)).rejects.toMatchObject({ code: 'policy' });
  expect(at.controller.asked).toEqual([]);
  expect(await run(at, { recipients: at.recipients.slice(0, 1) })).toMatchObject({ raw: 'stored' });
});

test('a failed delivery fails the task, and leaves nothing behind', async () => {
  await using at = await stage();
  at.controller.fault = (request, response) => {
    if (!request.url?.endsWith('/pull')) return false;
    fail(response, 422, 'invalid_parameters', 'no such thing');
    return true;
  };
  await expect(run(at)).rejects.toMatchObject({
    code: 'transfer_failed',
    message: expect.stringContaining('no such'),
  });
  expect(at.spooled()).toEqual([]);
  at.controller.fault = () => false;
  expect(await run(at)).toMatchObject({ raw: 'stored', version: 1 });
});

/** Time passes until the work is over. */
async function through<Value>(clock: DummyClock, work: Promise<Value>): Promise<Value> {
  let isOver = false;
  const over = () => void (isOver = true);
  work.then(over, over);
  while (!isOver) await clock.advance(1000);
  return work;
}

/** A transaction whose journal says this. */
const workspaceIn = (state: string): Workspace =>
  ({ id: 't1', journal: async () => [{ state }] }) as unknown as Workspace;

test('waits while a transaction changes the machine, and reads what it left', async () => {
  await using at = await stage();
  const context = at.context();
  let state: string | undefined = 'ARMED';
  let asked = 0;
  const machine = {
    ...at.device.machine,
    async pending() {
      asked += 1;
      if (asked === 3) state = 'PROBING';
      if (asked === 5) {
        state = undefined;
        at.device.write('alpha/a.conf', 'new\n');
      }
      return state === undefined ? undefined : workspaceIn(state);
    },
  };
  at.configuration = { ...at.configuration, machine };
  await through(context.clock, run(at, {}, context));
  expect(context.lines.filter((line) => line.includes('waiting for the end of transaction t1'))).toHaveLength(
    1,
  );
  expect(at.controller.blobs.get(at.controller.pulls[0]?.view_sha256 ?? '')?.toString()).toContain('new\\n');
});

test('a transaction that is not armed yet has touched nothing; one that never ends is not waited for for ever', async () => {
  await using at = await stage();
  const pending = async () => workspaceIn(state);
  let state = 'SNAPSHOTTED';
  at.configuration = { ...at.configuration, machine: { ...at.device.machine, pending } };
  expect(await run(at)).toMatchObject({ version: 1 });
  state = 'APPLYING';
  const context = at.context();
  await expect(through(context.clock, run(at, {}, context))).rejects.toMatchObject({ code: 'busy' });
});

test('what a transaction confirmed beside the reading is read once more', async () => {
  await using at = await stage();
  let reads = 0;
  let generation = 1;
  const machine = {
    ...at.device.machine,
    confirmed: async () => ({
      transaction: `t${generation}`,
      generation,
      content: 'c',
      files: [],
      units: {},
    }),
    read(path: string) {
      reads += 1;
      if (reads === 1) {
        generation = 2;
        at.device.write('beta/b.conf', 'beta of the second generation\n');
      }
      return at.device.machine.read(path);
    },
  };
  at.configuration = { ...at.configuration, machine };
  await run(at);
  expect(at.controller.pulls).toMatchObject([{ generation: 2 }]);
  expect(at.controller.blobs.get(at.controller.pulls[0]?.view_sha256 ?? '')?.toString()).toContain(
    'second generation',
  );
});

test('a file that changes between view and original makes both be read again', async () => {
  await using at = await stage();
  const seen: string[] = [];
  const machine = {
    ...at.device.machine,
    read(path: string) {
      seen.push(path);
      // The third reading is the original's first.
      if (seen.length === 3) at.device.write('alpha/a.conf', 'changed meanwhile\n');
      return at.device.machine.read(path);
    },
  };
  at.configuration = { ...at.configuration, machine };
  const result = await run(at);
  expect(at.controller.blobs.get(result.view_sha256)?.toString()).toContain('changed meanwhile');
  expect(
    createHash('sha256')
      .update(at.controller.uploads.get('view') ?? '')
      .digest('hex'),
  ).toBe(result.view_sha256);
});
