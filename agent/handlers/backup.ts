import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import { TaskError } from '../../shared/errors.ts';
import { type AgeKeys, generateAgeKeys } from '../../shared/node/age.ts';
import { ArchiveAnswer, archiveReadablePath, archiveReportPath } from '../../shared/protocol/transfer.ts';
import { Backup, type BackupParameters, type BackupResult } from '../../shared/task-types/backup.ts';
import { checkSealed } from '../transaction/archive-apart.ts';
import { type MadeArchive, makeArchive } from './backup-archive.ts';
import {
  type ArchiveMemory,
  readArchiveMemory,
  readReported,
  type Reported,
  writeArchiveMemory,
} from './backup-memory.ts';
import type { Configuration } from './configuration.ts';
import { requireRecipients, unitsOf } from './configuration-reading.ts';
import { type Handler, handle, type HandlerContext } from './handler.ts';
import { refusalOf } from './transfers.ts';

type Answer = z.output<typeof ArchiveAnswer>;

/**
 * Archives the configuration. The archive is made and encrypted on this device, is signed by it, and is read back from the controller's
 * store with a key that exists in this process only: afterwards nobody on the device can read it.
 */
export const createBackupHandler = (configuration: Configuration): Handler =>
  handle(
    Backup,
    (parameters, context) => backUp({ parameters, configuration, context }),
    (_parameters, _interrupted, context) => goOn(configuration, context),
  ) as Handler;

export interface BackupWork {
  parameters: BackupParameters;
  configuration: Configuration;
  context: HandlerContext;
}

async function backUp(work: BackupWork): Promise<BackupResult> {
  const { parameters, configuration, context } = work;
  requireRecipients(configuration, parameters.recipients);
  const units = unitsOf(configuration, parameters.units);
  await mkdir(configuration.spool, { recursive: true, mode: 0o700 });
  const readBack = await generateAgeKeys();
  const last = await readArchiveMemory(configuration.memory.archive);
  const known = parameters.full || last?.content !== parameters.known ? undefined : last;
  const recipients = [...parameters.recipients, readBack.recipient];

  try {
    let made = await makeArchive({ ...work, units, recipients, known: known?.content });
    if (made.archive === undefined && known) {
      const unchanged = await reportUnchanged(made, known, work);
      if (unchanged) return unchanged;
      made = await makeArchive({ ...work, units, recipients, known: undefined });
    }
    return await store(made, readBack, work);
  } finally {
    await rm(join(configuration.spool, `backup-${context.code}.manifest`), { force: true });
  }
}

/** Undefined when the controller no longer has a whole archive of this content. */
async function reportUnchanged(
  { contents, content }: MadeArchive,
  known: ArchiveMemory,
  { configuration, context }: BackupWork,
): Promise<BackupResult | undefined> {
  const { statement, signature } = signStatement(known, configuration, context);
  const body = { statement, signature, outcome: 'unchanged' as const };
  try {
    const path = archiveReportPath(context.code);
    const answer = await configuration.transfers.post(path, body, ArchiveAnswer, context.signal);
    context.output(
      'agent',
      `nothing changed since archive ${answer.archive}, which the controller still has`,
    );
    return {
      outcome: 'unchanged',
      archive: answer.archive,
      content,
      files: contents.entries.length,
      plain_bytes: contents.plainBytes,
      archive_bytes: answer.size,
      archive_sha256: answer.sha256,
      level: answer.level === 'stored' ? 'stored' : 'readable',
      skipped: contents.skipped.slice(0, 100),
    };
  } catch (error) {
    if (refusalOf(error) !== 'conflict') throw error;
    context.output('agent', 'the controller has no whole archive of this content any more: making a new one');
    return undefined;
  }
}

/** Brings the archive, lets the controller confirm what it holds, and reads it back. */
async function store(made: MadeArchive, readBack: AgeKeys, work: BackupWork): Promise<BackupResult> {
  const { configuration, context } = work;
  const { manifestFile, contents, content } = made;
  if (!made.archive || !manifestFile) throw new Error('an archive that was not made cannot be stored');
  await using onTheWay = made.archive;
  const { transfers } = configuration;
  const { code, signal } = context;
  const archive = await onTheWay.sent;
  await transfers.upload({ ...uploadOf(manifestFile), code, name: 'manifest' }, signal);

  const sealed: ArchiveMemory = {
    content,
    manifest_sha256: manifestFile.sha256,
    archive_sha256: archive.sha256,
    archive_bytes: archive.size,
  };
  const result: BackupResult = {
    outcome: 'stored',
    archive: null,
    content,
    files: contents.entries.length,
    plain_bytes: contents.plainBytes,
    archive_bytes: archive.size,
    archive_sha256: archive.sha256,
    level: 'stored',
    skipped: contents.skipped.slice(0, 100),
  };
  const reported: Reported = { ...signStatement(sealed, configuration, context), sealed, result };
  context.journal.write({ ...reported });
  const answer = await report(reported, configuration, context);
  context.output('agent', `archive ${answer.archive} is stored: ${answer.size} bytes; reading it back`);
  const level = await proveReadable(made, { answer, readBack }, work);
  await remember(sealed, work);
  return { ...result, archive: answer.archive, level };
}

const uploadOf = ({ path, size, sha256 }: { path: string; size: number; sha256: string }) => ({
  file: path,
  size,
  sha256,
});

/** Succeeds only when the controller says that it holds exactly what was sealed here. */
async function report(
  { statement, signature, sealed }: Reported,
  { transfers }: Configuration,
  { code, signal }: HandlerContext,
): Promise<Answer> {
  const body = { statement, signature, outcome: 'stored' as const };
  const answer = await transfers.post(archiveReportPath(code), body, ArchiveAnswer, signal);
  if (answer.size === sealed.archive_bytes && answer.sha256 === sealed.archive_sha256) return answer;
  throw new TaskError(
    'archive_damaged',
    `The controller holds ${answer.size} bytes with SHA-256 ${answer.sha256}, expected ${sealed.archive_bytes} and ${sealed.archive_sha256}`,
  );
}

async function proveReadable(
  made: MadeArchive,
  { answer, readBack }: { answer: Answer; readBack: AgeKeys },
  { configuration, context }: BackupWork,
): Promise<'readable'> {
  const { transfers } = configuration;
  const { code, signal } = context;
  const request = { code, sha256: answer.sha256, maxBytes: answer.size };
  const bytes = counted(transfers.download(request, signal), (read) =>
    context.progress({ percent: 75 + (read / answer.size) * 24, message: `${read} bytes read back` }),
  );
  const expected = { text: made.text, manifest: made.manifest };
  const checked = await checkSealed(bytes, readBack.identity, { expected, signal });
  const body = { archive: answer.archive, files: checked.files, plain_bytes: checked.plainBytes };
  await transfers.post(archiveReadablePath(code), body, ArchiveAnswer, signal);
  return 'readable';
}

async function* counted(
  source: AsyncIterable<Uint8Array>,
  tell: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.byteLength;
    tell(bytes);
    yield chunk;
  }
}

function signStatement(
  sealed: ArchiveMemory,
  { device, keys }: Configuration,
  { clock }: HandlerContext,
): { statement: string; signature: string } {
  const statement = JSON.stringify({
    format: 1,
    device: device.id,
    made_at: new Date(clock.now()).toISOString(),
    ...sealed,
  });
  return { statement, signature: keys.sign(statement) };
}

/**
 * After a crash: an archive that was on its way to be reported is reported again and stays `stored`, because the key to read it back died
 * with the process. What was not brought yet is made anew.
 */
async function goOn(configuration: Configuration, context: HandlerContext): Promise<BackupResult | 'rerun'> {
  const reported = readReported(context.journal.read());
  if (!reported) return 'rerun';
  const answer = await report(reported, configuration, context);
  context.output(
    'agent',
    `archive ${answer.archive} is stored; the agent stopped before it could read it back`,
  );
  return { ...reported.result, archive: answer.archive };
}

async function remember(sealed: ArchiveMemory, { configuration, context }: BackupWork): Promise<void> {
  try {
    await writeArchiveMemory(configuration.memory.archive, sealed);
  } catch (error) {
    context.output('agent', `this archive cannot be remembered, the next is a whole one: ${String(error)}`);
  }
}
