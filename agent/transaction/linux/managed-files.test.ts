import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFileSync, mkdirSync, renameSync, symlinkSync } from 'node:fs';
import { userInfo } from 'node:os';
import { expect, test } from 'vitest';
import { TransactionUnderTest } from '../../../test/harness/linux-transaction.ts';
import { notTested } from '../../../test/harness/not-tested.ts';
import { readManagedFile } from './managed-files.ts';

const limits = { maxFiles: 100, maxBytes: 1_000_000 };
const notRoot = notTested(
  'the owners of listed files',
  process.getuid?.() === 0 ? undefined : 'Only root can give files away',
);

test('files that match a pattern are listed by path, with mode and digest', async () => {
  using device = new TransactionUnderTest();
  for (const name of [
    'd/b.conf',
    'd/a.conf',
    'd/.hidden.conf',
    'd/other',
    'e/x.conf',
    'd/a+b.conf',
    'd/deep/c.conf',
  ]) {
    device.write(name, name, 0o640);
  }
  const found = async (...globs: string[]) =>
    (
      await device.machine.list(
        globs.map((glob) => device.etc(glob)),
        limits,
      )
    ).map(({ path }) => path.slice(device.etc().length + 1));

  expect(await found('d/*.conf')).toEqual(['d/a+b.conf', 'd/a.conf', 'd/b.conf']);
  expect(await found('*/*.conf', 'd/a.conf')).toEqual(['d/a+b.conf', 'd/a.conf', 'd/b.conf', 'e/x.conf']);
  expect(await found('d/.*.conf')).toEqual(['d/.hidden.conf']);
  expect(await found('d/a+*')).toEqual(['d/a+b.conf']);
  expect(await found('missing/*.conf', 'd/missing', 'd/other/below')).toEqual([]);
  expect(await device.machine.list([device.etc('d/a.conf')], limits)).toEqual([
    {
      path: device.etc('d/a.conf'),
      mode: '0640',
      owner: userInfo().username,
      group: expect.any(String) as string,
      size: 8,
      sha256: createHash('sha256').update('d/a.conf').digest('hex'),
    },
  ]);
});

test.skipIf(notRoot)('owners are told by name where they have one', async () => {
  using device = new TransactionUnderTest();
  device.write('a', '');
  device.write('b', '');
  device.chown('a', 0, 0);
  device.chown('b', 54321, 54322);
  const owners = (await device.machine.list([device.etc('*')], limits)).map(
    ({ owner, group }) => `${owner}:${group}`,
  );
  expect(owners).toEqual(['root:root', '54321:54322']);
});

test('links, folders and pipes among the matches are errors, and none of them is followed or waited for', async () => {
  using device = new TransactionUnderTest();
  device.write('file', 'secret');
  mkdirSync(device.etc('folders/folder'), { recursive: true });
  mkdirSync(device.etc('links'));
  symlinkSync(device.etc('file'), device.etc('links/link'));
  symlinkSync('nowhere', device.etc('dangling'));
  execFileSync('mkfifo', [device.etc('pipe')]);
  for (const glob of ['folders/*', 'links/*', 'dangling', 'pipe']) {
    await expect(device.machine.list([device.etc(glob)], limits), glob).rejects.toMatchObject({
      code: 'not_a_file',
    });
  }
  await expect(
    device.machine.read(device.etc('links/link'))[Symbol.asyncIterator]().next(),
  ).rejects.toMatchObject({
    code: 'not_a_file',
  });
});

test('names that no manifest could hold are errors', async () => {
  using device = new TransactionUnderTest();
  device.write('d/two\nlines', '');
  await expect(device.machine.list([device.etc('d/*')], limits)).rejects.toMatchObject({
    code: 'not_a_file',
  });
});

test('too many files and too large files are refused', async () => {
  using device = new TransactionUnderTest();
  for (const name of ['a', 'b', 'c']) device.write(name, 'x'.repeat(10));
  const list = (maxFiles: number, maxBytes: number) =>
    device.machine.list([device.etc('*')], { maxFiles, maxBytes });
  expect(await list(3, 10)).toHaveLength(3);
  await expect(list(2, 10)).rejects.toMatchObject({ code: 'too_many_files' });
  await expect(list(3, 9)).rejects.toMatchObject({ code: 'file_too_large' });
});

test('a file that is written or replaced while it is read is not taken for a whole one', async () => {
  using device = new TransactionUnderTest();
  const path = device.write('file', 'x'.repeat(200_000));
  const whole = async (meanwhile: () => void) => {
    let size = 0;
    for await (const chunk of readManagedFile(path)) {
      if (size === 0) meanwhile();
      size += chunk.byteLength;
    }
    return size;
  };
  expect(await whole(() => {})).toBe(200_000);
  await expect(whole(() => appendFileSync(path, 'more'))).rejects.toMatchObject({ code: 'unstable' });
  await expect(whole(() => renameSync(device.write('other', 'new'), path))).rejects.toMatchObject({
    code: 'unstable',
  });
});
