import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { importPublicKey, verifyText } from '../../shared/node/keys.ts';
import { ArchiveReport } from '../../shared/protocol/transfer.ts';
import {
  ArchiveManifest,
  ArchiveStatement,
  Backup,
  type BackupParameters,
  type BackupResult,
} from '../../shared/task-types/backup.ts';
import { ConfigurationUnderTest } from '../../test/harness/configuration-under-test.ts';
import { lacks, notTested } from '../../test/harness/not-tested.ts';
import { fail } from '../../test/harness/transfer-controller.ts';
import { createBackupHandler } from './backup.ts';

async function stage() {
  const at = await ConfigurationUnderTest.start();
  at.device.write('alpha/a.conf', 'name edge\npassword canary-secret-1\n', 0o600);
  at.device.write('beta/b.conf', 'beta\n');
  at.device.write('extra/notes', 'notes\n');
  symlinkSync('notes', at.device.etc('extra', 'link'));
  return at;
}

const isReport = ({ url }: IncomingMessage): boolean =>
  url?.endsWith('/archive') === true && !url.includes('/uploads/');

const parse = (at: ConfigurationUnderTest, parameters: Partial<BackupParameters>) =>
  Backup.parameters.parse({ recipients: at.recipients, include: [at.device.etc('extra')], ...parameters });

const run = async (
  at: ConfigurationUnderTest,
  parameters: Partial<BackupParameters> = {},
  context = at.context(),
): Promise<BackupResult> =>
  (await createBackupHandler(at.configuration).run(parse(at, parameters), context)) as BackupResult;

const archiveOf = (at: ConfigurationUnderTest, result: BackupResult): Buffer =>
  at.controller.blobs.get(result.archive_sha256 ?? '') ?? Buffer.alloc(0);

test('an archive is made, signed by the device, stored, read back and called readable', async () => {
  await using at = await stage();
  const reports: ArchiveReport[] = [];
  at.controller.fault = (request, _response, body) => {
    if (isReport(request)) reports.push(ArchiveReport.parse(JSON.parse(body.toString())));
    return false;
  };
  const context = at.context();
  const result = await run(at, {}, context);
  expect(result).toMatchObject({
    outcome: 'stored',
    level: 'readable',
    archive: 'archive-1',
    files: 5,
    skipped: [],
  });
  expect(result.plain_bytes).toBe(35 + 5 + 6);

  const [report] = reports;
  const { publicKey } = at.controller.deviceKeys;
  expect(verifyText(report?.statement ?? '', report?.signature ?? '', importPublicKey(publicKey))).toBe(true);
  const statement = ArchiveStatement.parse(JSON.parse(report?.statement ?? ''));
  expect(statement).toMatchObject({
    device: 'device-1',
    archive_sha256: result.archive_sha256,
    content: result.content,
  });
  const text = at.controller.blobs.get(statement.manifest_sha256)?.toString() ?? '';
  const manifest = ArchiveManifest.parse(JSON.parse(text));
  expect(manifest).toMatchObject({
    device_name: 'edge',
    profile: { id: 'test' },
    system: { agent: '1.2.3' },
  });
  expect(manifest.files.map(({ path, unit, type }) => [path, unit, type])).toEqual([
    [at.device.etc('alpha/a.conf'), 'alpha', 'file'],
    [at.device.etc('beta/b.conf'), 'beta', 'file'],
    [at.device.etc('extra'), null, 'folder'],
    [at.device.etc('extra/link'), null, 'link'],
    [at.device.etc('extra/notes'), null, 'file'],
  ]);
  for (const blob of at.controller.blobs.values()) expect(blob.includes('canary-secret')).toBe(false);
  expect(context.lines.join()).not.toContain('canary');
  expect(at.spooled()).toEqual([]);
  expect(at.controller.asked.at(-1)).toContain('/archive/readable');
});

const noTools = ['age', 'zstd', 'tar'].map((program) => lacks(program)).find((lack) => lack !== undefined);
notTested('archives restored with age, zstd and tar', noTools);
test.skipIf(noTools)(
  'age -d | zstd -d | tar x restores exactly the files, with either key and no other',
  async () => {
    await using at = await stage();
    const archive = join(at.device.path, 'archive');
    writeFileSync(archive, archiveOf(at, await run(at)));
    for (const [index, { identity }] of at.holders.entries()) {
      const out = join(at.device.path, `out-${index}`);
      mkdirSync(out);
      writeFileSync(`${out}.key`, identity);
      const script = 'age -d -i "$1.key" "$2" | zstd -d | tar -x -C "$1"';
      execFileSync('sh', ['-c', script, 'sh', out, archive]);
      const root = join(out, 'files', at.device.etc());
      execFileSync('diff', ['-r', '--no-dereference', root, at.device.etc()]);
      expect(readFileSync(join(root, 'alpha/a.conf'), 'utf8')).toContain('canary-secret-1');
    }
    // Only the device's own key is left on the device, and it opens nothing.
    expect(() =>
      execFileSync('age', ['-d', '-i', join(at.device.path, 'data', 'device.age'), archive], {
        stdio: 'pipe',
      }),
    ).toThrow();
  },
);

test('unchanged content makes no new object, but a signed word that it is still there', async () => {
  await using at = await stage();
  const first = await run(at);
  const again = await run(at, { known: first.content }, at.context('bbbbbbbb'));
  expect(again).toMatchObject({
    outcome: 'unchanged',
    archive: 'archive-1',
    archive_sha256: first.archive_sha256,
  });
  expect(at.controller.archives).toHaveLength(1);

  expect(await run(at, { known: first.content, full: true })).toMatchObject({ outcome: 'stored' });
  at.device.write('beta/b.conf', 'BETA\n');
  const changed = await run(at, { known: first.content });
  expect(changed).toMatchObject({ outcome: 'stored' });
  expect(changed.content).not.toBe(first.content);
});

test('a whole archive is made when the controller no longer has the old one, or the device does not remember it', async () => {
  await using at = await stage();
  const first = await run(at);
  let asked = 0;
  at.controller.fault = (request, response, body) => {
    if (!isReport(request)) return false;
    asked += 1;
    if (ArchiveReport.parse(JSON.parse(body.toString())).outcome === 'stored') return false;
    fail(response, 409, 'conflict', 'there is no such archive');
    return true;
  };
  expect(await run(at, { known: first.content })).toMatchObject({ outcome: 'stored', level: 'readable' });
  expect(asked).toBe(2);
  writeFileSync(at.configuration.memory.archive, 'torn');
  expect(await run(at, { known: first.content })).toMatchObject({ outcome: 'stored' });
});

test.each<[string, RegExp, (archive: Buffer) => Buffer]>([
  [
    'a flipped byte',
    /not what it should be/,
    (archive) => {
      const bad = Buffer.from(archive);
      bad[300] = (bad[300] ?? 0) ^ 1;
      return bad;
    },
  ],
  ['a missing end', /not what it should be/, (archive) => archive.subarray(0, -1)],
  ['another archive', /not what it should be/, () => Buffer.from('age-encryption.org/v1\nsomebody else’s')],
])('%s in what the store gives back fails the task', async (_what, says, tamper) => {
  await using at = await stage();
  at.controller.fault = (request, response) => {
    const sha256 = request.url?.split('/blobs/')[1];
    if (sha256 === undefined) return false;
    const body = tamper(at.controller.blobs.get(sha256) ?? Buffer.alloc(0));
    response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(body);
    return true;
  };
  const error = await run(at).catch((caught: unknown) => caught);
  expect(['rejected_fetch', 'archive_damaged']).toContain(Object(error).code);
  if (Object(error).code === 'rejected_fetch') expect(Object(error).message).toMatch(says);
  expect(at.controller.asked.some((one) => one.endsWith('/readable'))).toBe(false);
  expect(at.spooled()).toEqual([]);
});

test('a controller that claims to hold something else is not believed', async () => {
  await using at = await stage();
  at.controller.fault = (request, response) => {
    if (!isReport(request)) return false;
    const answer = { archive: 'a', size: 1, sha256: '0'.repeat(64), level: 'stored' };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
    return true;
  };
  await expect(run(at)).rejects.toMatchObject({ code: 'archive_damaged' });
});

test('after a crash a reported archive is reported again, and nothing else is repeated', async () => {
  await using at = await stage();
  const context = at.context();
  let isCut = true;
  at.controller.fault = (request, response) => {
    if (!isReport(request) || !isCut) return false;
    fail(response, 404, 'not_found', 'as if the process had died here');
    return true;
  };
  await expect(run(at, {}, context)).rejects.toThrow('had died here');
  isCut = false;
  const handler = createBackupHandler(at.configuration);
  const interrupted = { bootId: 'b', instanceId: 'i', currentBootId: 'b', startedAt: 0 };
  const uploads = at.controller.asked.filter((one) => one.startsWith('PATCH')).length;
  const recovered = await handler.recover?.(parse(at, {}), interrupted, context);
  expect(recovered).toMatchObject({ outcome: 'stored', level: 'stored', archive: 'archive-1' });
  expect(at.controller.asked.filter((one) => one.startsWith('PATCH'))).toHaveLength(uploads);
  expect(await handler.recover?.(parse(at, {}), interrupted, at.context())).toBe('rerun');
});

test('bytes that a crashed run left at the controller do not spoil the next', async () => {
  await using at = await stage();
  at.controller.uploads.set('archive', Buffer.alloc(100, 'left'));
  const result = await run(at);
  expect(result).toMatchObject({ outcome: 'stored', level: 'readable' });
  expect(createHash('sha256').update(archiveOf(at, result)).digest('hex')).toBe(result.archive_sha256);
});

test('limits, recipients and cancellation are kept', async () => {
  await using at = await stage();
  at.device.write('alpha/large.conf', 'x'.repeat(5000));
  await expect(run(at, { max_bytes: 1024 })).rejects.toMatchObject({ code: 'too_large' });
  const context = at.context();
  context.abort(new Error('cancelled'));
  await expect(run(at, {}, context)).rejects.toThrow('cancelled');
  at.configuration = { ...at.configuration, allowedRecipients: [] };
  await expect(run(at)).rejects.toMatchObject({ code: 'policy' });
  expect(at.controller.asked).toEqual([]);
  expect(at.spooled()).toEqual([]);
});
