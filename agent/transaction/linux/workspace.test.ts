import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { lacks, notTested } from '../../../test/harness/not-tested.ts';
import {
  apply,
  armed,
  confirmedState,
  stage,
  TransactionUnderTest,
} from '../../../test/harness/linux-transaction.ts';

const noXattrs = notTested('extended attributes of a file that is put back', lacks('setfattr'));

test('a confirmed transaction leaves the new files, their modes, and its state for the next one', async () => {
  using device = new TransactionUnderTest();
  const changed = device.write('changed', 'old');
  const deleted = device.write('deleted', 'old');
  const files = { [changed]: 'new', [deleted]: null, [device.etc('made.d/made')]: 'new' };

  const workspace = await armed(device, { files });
  await apply(workspace, files);
  expect(await workspace.confirm(confirmedState('first'))).toBe('confirmed');

  expect(device.look()).toMatchObject({
    changed: expect.stringMatching(/ new$/) as string,
    'made.d/made': expect.stringMatching(/^644 .* new$/) as string,
  });
  expect(Object.keys(device.look())).toEqual(['changed', 'made.d/', 'made.d/made']);
  expect(await device.machine.confirmed()).toEqual(confirmedState('first'));
  expect(await device.machine.pending()).toBeUndefined();
  expect((await workspace.journal()).map(({ state }) => state)).toEqual([
    'RECEIVED',
    'SNAPSHOTTED',
    'ARMED',
    'APPLYING',
    'APPLIED',
    'PROBING',
    'CONFIRMED',
  ]);
  expect(await workspace.rollBack('too late')).toBe('confirmed');
});

test('a rollback puts back content, mode and owner, deletes what was made, and brings back what was deleted', async () => {
  using device = new TransactionUnderTest();
  device.write('sub/spaced name', 'old\0bytes\n', 0o640);
  device.write('deleted', 'old', 0o600);
  device.write('set-id', 'old', 0o4755);
  if (process.getuid?.() === 0) device.chown('deleted', 12345, 54321);
  const before = device.look();
  const files = {
    [device.etc('sub/spaced name')]: 'new',
    [device.etc('deleted')]: null,
    [device.etc('set-id')]: 'new',
    [device.etc('a/b/c/made')]: 'new',
  };

  const workspace = await armed(device, { files });
  await apply(workspace, files);
  expect(device.look()).not.toEqual(before);
  expect(await workspace.rollBack('a check failed')).toBe('rolled_back');

  expect(device.look()).toEqual(before);
  expect((await workspace.journal()).slice(-2)).toMatchObject([
    { state: 'ROLLING_BACK', detail: 'a check failed' },
    { state: 'ROLLED_BACK', detail: 'a check failed' },
  ]);
  expect(await workspace.confirm(confirmedState('first'))).toBe('rolled_back');
  expect(await device.machine.confirmed()).toBeUndefined();
});

test.skipIf(noXattrs)('a rollback puts back extended attributes', async () => {
  using device = new TransactionUnderTest();
  const path = device.write('file', 'old');
  execFileSync('setfattr', ['-n', 'user.origin', '-v', 'operator', path]);

  const workspace = await armed(device, { files: { [path]: 'new' } });
  await apply(workspace, { [path]: 'new' });
  await workspace.rollBack('');

  expect(execFileSync('getfattr', ['--only-values', '-n', 'user.origin', path]).toString()).toBe('operator');
});

test('a folder that the transaction made stays when somebody else put something into it', async () => {
  using device = new TransactionUnderTest();
  const path = device.etc('made.d/made');

  const workspace = await armed(device, { files: { [path]: 'new' } });
  await apply(workspace, { [path]: 'new' });
  device.write('made.d/other', 'not ours');
  await workspace.rollBack('');

  expect(Object.keys(device.look())).toEqual(['made.d/', 'made.d/other']);
});

test('the commands of a rollback run in their order after the files are back, and each has its time', async () => {
  using device = new TransactionUnderTest();
  const path = device.write('file', 'old');
  const log = device.etc('log');
  const say = (text: string) => ({
    argv: ['/bin/sh', '-c', `echo "${text} $(cat "$1") $2" >>"$3"`, '-', path, '{snapshot}', log],
    timeoutSeconds: 10,
  });
  const workspace = await armed(device, {
    files: { [path]: 'new' },
    commands: [
      say('first'),
      { argv: ['/bin/sh', '-c', 'exit 7'], timeoutSeconds: 10 },
      { argv: ['sleep', '60'], timeoutSeconds: 1 },
      say('last'),
    ],
  });
  await apply(workspace, { [path]: 'new' });

  expect(await workspace.rollBack('x')).toBe('rollback_failed');
  const kept = device.transactions('first', 'snapshot', 'kept');
  expect(readFileSync(log, 'utf8')).toBe(`first old ${kept}\nlast old ${kept}\n`);
  expect((await workspace.journal()).at(-1)).toMatchObject({
    state: 'ROLLBACK_FAILED',
    detail: 'the files are as before; these commands failed: 002 (exit code 7) 003 (exit code 124)',
  });
});

test('after the rollback nothing of the agent gets through: neither files nor records', async () => {
  using device = new TransactionUnderTest();
  const path = device.write('file', 'old');
  const other = device.write('other', 'old');
  const workspace = await armed(device, { files: { [path]: 'new', [other]: null } });
  await workspace.append('APPLYING', 'unit');
  await workspace.rollBack('meanwhile');
  const before = device.look();

  await expect(workspace.install(path)).rejects.toMatchObject({ code: 'rolled_back' });
  await expect(workspace.remove(other)).rejects.toMatchObject({ code: 'rolled_back' });
  await expect(workspace.append('APPLIED', '')).rejects.toMatchObject({ code: 'rolled_back' });
  await expect(workspace.append('REJECTED', '')).rejects.toMatchObject({ code: 'rolled_back' });
  expect(device.look()).toEqual(before);
  expect((await workspace.journal()).at(-1)?.state).toBe('ROLLED_BACK');
});

test('nothing is installed before ARMED, and only what is in the snapshot', async () => {
  using device = new TransactionUnderTest();
  const path = device.write('file', 'old');
  const workspace = await device.machine.begin('first');
  await stage(workspace, path, 'new');
  await stage(workspace, device.etc('other'), 'new');
  await workspace.snapshot([path]);

  await expect(workspace.install(path)).rejects.toThrow();
  await expect(workspace.install(device.etc('other'))).rejects.toThrow(/not in the snapshot/);
  await expect(workspace.remove(device.etc('other'))).rejects.toThrow(/not in the snapshot/);
  expect(Object.keys(device.look())).toEqual(['file']);
});

test('a second transaction is told which one it waits for; a finished one makes room', async () => {
  using device = new TransactionUnderTest();
  const workspace = await device.machine.begin('first');
  await expect(device.machine.begin('second')).rejects.toMatchObject({
    code: 'busy',
    message: expect.stringContaining('first') as string,
  });
  expect((await device.machine.pending())?.id).toBe('first');

  await workspace.append('REJECTED', 'bad digest');
  const both = await Promise.allSettled([device.machine.begin('second'), device.machine.begin('third')]);
  expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  expect(await device.machine.find('first')).toBeDefined();
  expect(await device.machine.find('third')).toBeUndefined();
});

test('torn and damaged lines of a journal do not count, and the next record starts on a line of its own', async () => {
  using device = new TransactionUnderTest();
  const path = device.write('file', 'old');
  const workspace = await armed(device, { files: { [path]: 'new' } });
  await apply(workspace, { [path]: 'new' });
  const journal = device.transactions('first', 'journal');
  const confirmed = readFileSync(journal, 'utf8')
    .trimEnd()
    .split('\n')
    .at(-1)
    ?.replace('PROBING', 'CONFIRMED');
  appendFileSync(journal, `${confirmed}\nCONFIRMED\t1\n\0\0\0\0\nCONFIRM`);

  expect((await workspace.journal()).at(-1)?.state).toBe('PROBING');
  expect(await workspace.rollBack('x')).toBe('rolled_back');
  expect((await workspace.journal()).map(({ state }) => state).slice(-3)).toEqual([
    'PROBING',
    'ROLLING_BACK',
    'ROLLED_BACK',
  ]);
  expect(readFileSync(path, 'utf8')).toBe('old');
});

test('links, devices and folders are neither copied aside nor written', async () => {
  using device = new TransactionUnderTest();
  symlinkSync(device.write('file', 'old'), device.etc('link'));
  device.write('folder/file', '');
  const workspace = await device.machine.begin('first');

  for (const path of [device.etc('link'), device.etc('folder'), '/dev/null', `${device.etc()}/a\tb`]) {
    await expect(workspace.snapshot([path]), path).rejects.toMatchObject({ code: 'not_a_file' });
  }
  expect(existsSync(device.transactions('first', 'snapshot', 'manifest'))).toBe(false);
});

test('a snapshot copy that rots is not put back; the rollback says which file is not as before', async () => {
  using device = new TransactionUnderTest();
  const [good, bad] = [device.write('good', 'old'), device.write('bad', 'old')];
  const workspace = await armed(device, { files: { [good]: 'new', [bad]: 'new' } });
  await apply(workspace, { [good]: 'new', [bad]: 'new' });
  writeFileSync(`${device.transactions('first', 'snapshot', 'files')}${bad}`, 'rot');

  expect(await workspace.rollBack('x')).toBe('rollback_failed');
  expect([readFileSync(good, 'utf8'), readFileSync(bad, 'utf8')]).toEqual(['old', 'new']);
  expect((await workspace.journal()).at(-1)?.detail).toBe(`these files are not as before: ${bad}`);
});

test('a note is replaced as a whole and found again', async () => {
  using device = new TransactionUnderTest();
  const workspace = await device.machine.begin('first');
  expect(await workspace.note()).toBeUndefined();
  await workspace.writeNote({ content: 'a' });
  await workspace.writeNote({ content: 'b' });
  expect(await (await device.machine.find('first'))?.note()).toEqual({ content: 'b' });
});

test('old transactions are forgotten, the last few stay', async () => {
  using device = new TransactionUnderTest();
  for (const id of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) {
    await (await device.machine.begin(id)).append('REJECTED', '');
  }
  expect(await device.machine.find('a')).toBeUndefined();
  expect(await device.machine.find('d')).toBeDefined();
  expect(await device.machine.find('h')).toBeDefined();
});
