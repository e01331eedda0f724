import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Unit } from '../../shared/device-profile.ts';
import type { ArchiveManifest } from '../../shared/task-types/backup.ts';
import type { z } from 'zod';
import { sealArchive } from '../transaction/archive-apart.ts';
import { type ArchiveContents, collectContents, contentsText } from '../transaction/archive-contents.ts';
import type { SealedFile } from '../transaction/archive-seal.ts';
import { Spool } from '../transaction/archive-spool.ts';
import type { BackupWork } from './backup.ts';
import { readConfiguration } from './configuration-reading.ts';
import { withDeadline } from './deadline.ts';

type Manifest = z.output<typeof ArchiveManifest>;

export interface MadeArchive {
  contents: ArchiveContents;
  /** Keyed digest of what the archive holds. */
  content: string;
  manifest: Manifest;
  /** Its exact text. */
  text: string;
  /** Both absent when the content is `known`. */
  archive?: ArchiveOnTheWay;
  manifestFile?: SealedFile;
}

/** An archive that was made, and is being brought. */
export interface ArchiveOnTheWay extends AsyncDisposable {
  /** Settles when the controller holds all of it. */
  sent: Promise<{ size: number; sha256: string }>;
}

export interface MakeArchive extends BackupWork {
  units: Unit[];
  recipients: string[];
  /** A content that needs no new archive. */
  known: string | undefined;
}

/** Reads everything once to learn what it is, and once more on its way into the archive. */
export async function makeArchive(make: MakeArchive): Promise<MadeArchive> {
  const { configuration, context } = make;
  let made: MadeArchive | undefined;
  const drop = async (): Promise<void> => made?.archive?.[Symbol.asyncDispose]();
  try {
    return await readConfiguration(configuration, context, async () => {
      await drop(); // what was made before is not what the device has
      made = await makeOnce(make);
      return made;
    });
  } catch (error) {
    await drop();
    throw error;
  }
}

async function makeOnce(make: MakeArchive): Promise<MadeArchive> {
  const { parameters, configuration, context, units } = make;
  const { tree, ownPaths, keys } = configuration;
  const { include, exclude, max_bytes: maxBytes } = parameters;
  const contents = await collectContents(
    { units, include, exclude, ownPaths, maxBytes },
    {
      tree,
      signal: context.signal,
      progress: (done, of) =>
        context.progress({ percent: (done / Math.max(of, 1)) * 20, message: `${done} of ${of} bytes read` }),
    },
  );
  for (const { path, reason } of contents.skipped.slice(0, 100)) {
    context.output('agent', `not archived: ${path}: ${reason}`);
  }
  const content = keys.stateDigest(contentsText(contents.entries));
  const manifest = await manifestOf(contents, content, make);
  const text = JSON.stringify(manifest);
  const made = { contents, content, manifest, text };
  return content === make.known ? made : { ...made, ...(await seal(made, make)) };
}

async function seal(
  { contents, manifest, text }: MadeArchive,
  make: MakeArchive,
): Promise<{ archive: ArchiveOnTheWay; manifestFile: SealedFile }> {
  const { spool, tree } = make.configuration;
  const { code, signal } = make.context;
  make.context.progress({ percent: 20, message: 'making the archive' });
  const { entries, plainBytes } = contents;
  const atMs = Date.parse(manifest.made_at);
  await using owned = new AsyncDisposableStack();
  const out = owned.use(new Spool(join(spool, `backup-${code}.archive`)));
  const archive = owned.use(send(out, plainBytes + Buffer.byteLength(text), make));
  await sealArchive(
    { manifest: { text, atMs }, entries, tree },
    { recipients: make.recipients, signal },
    out,
  );
  const path = join(spool, `backup-${code}.manifest`);
  await writeFile(path, text, { mode: 0o600 });
  const sha256 = createHash('sha256').update(text).digest('hex');
  const kept = owned.move();
  return {
    archive: { sent: archive.sent, [Symbol.asyncDispose]: () => kept.disposeAsync() },
    manifestFile: { path, size: Buffer.byteLength(text), sha256 },
  };
}

/** Begins to bring what is still being made. Disposing of it ends that. */
function send(out: Spool, plainBytes: number, { configuration, context }: MakeArchive): ArchiveOnTheWay {
  const stop = new AbortController();
  const progress = (bytes: number): void =>
    context.progress({
      // How much it comes to is known only in the end: never much more than what goes in.
      percent: 20 + Math.min(1, bytes / plainBytes) * 55,
      message: `${bytes} bytes brought`,
    });
  const request = { code: context.code, name: 'archive' as const, content: out, progress };
  const sent = configuration.transfers.send(request, AbortSignal.any([context.signal, stop.signal]));
  sent.catch((error: unknown) => out.fail(error));
  return {
    sent,
    async [Symbol.asyncDispose]() {
      stop.abort(new Error('this archive is not needed any more'));
      await sent.catch(() => undefined);
    },
  };
}

async function manifestOf(
  { entries }: ArchiveContents,
  content: string,
  { configuration, context }: MakeArchive,
): Promise<Manifest> {
  const { device, machine, profile } = configuration;
  const confirmed = await machine.confirmed();
  return {
    format: 1,
    device: device.id,
    device_name: device.name,
    made_at: new Date(context.clock.now()).toISOString(),
    boot_id: await machine.bootId(),
    generation: confirmed?.generation ?? null,
    profile: { id: profile.id, rev: profile.rev },
    system: { ...(await systemOf(context)), agent: device.agentVersion },
    content,
    files: entries.map(({ path, unit, type, mode, owner, group, size, sha256, target }) => ({
      path,
      unit,
      type,
      mode,
      owner,
      group,
      size,
      ...(sha256 === undefined ? {} : { sha256 }),
      ...(target === undefined ? {} : { target }),
    })),
  };
}

/** What a restore on other hardware wants to know. Not to know it is no reason to make no archive. */
async function systemOf(context: MakeArchive['context']): Promise<Record<string, string>> {
  const { system, clock, signal, output } = context;
  try {
    const facts = await withDeadline({ clock, signal, ms: 20_000 }, () => system.facts.collect());
    const os = typeof facts['os'] === 'object' && facts['os'] !== null ? Object.entries(facts['os']) : [];
    const plain = { ...Object.fromEntries(os), kernel: facts['kernel'], architecture: facts['architecture'] };
    return Object.fromEntries(
      Object.entries(plain).filter((pair): pair is [string, string] => typeof pair[1] === 'string'),
    );
  } catch (error) {
    signal.throwIfAborted();
    output('agent', `facts could not be collected: ${String(error)}`);
    return {};
  }
}
