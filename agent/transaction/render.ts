import type { ManifestFile } from '../../shared/manifest.ts';
import type { FileChange } from '../../shared/task-types/sync.ts';
import { atOnce } from './at-once.ts';
import { BlobSource } from './blob-source.ts';
import type { LiveState } from './drift-gate.ts';
import { collect, textOf } from './live-files.ts';
import type { FileState, Workspace } from './machine.ts';
import type { CheckedManifest } from './manifest-check.ts';
import { fetchSecrets, fillMarkers, once, type SecretValues } from './secret-markers.ts';
import { rejected } from './sync-error.ts';
import type { TransactionContext, TransactionParts } from './transaction-parts.ts';

/** What has to change, staged. */
export interface Rendered {
  changes: FileChange[];
  /** Paths whose content, mode or owner changes. */
  written: string[];
  removed: string[];
  /** Texts of the files that were staged, by path. */
  texts: Map<string, string>;
  secrets: SecretValues;
  fetchedBytes: number;
}

interface Rendering {
  checked: CheckedManifest;
  live: LiveState;
  workspace: Workspace;
  parts: TransactionParts;
  context: TransactionContext;
}

const rendersAtOnce = 4;

/** Makes every file that changes, in the private candidate tree, and hides those that go. */
export async function render(work: Rendering): Promise<Rendered> {
  const { checked, live, parts, context, workspace } = work;
  const secrets = await fetchSecrets(Object.keys(checked.manifest.secrets), parts, context);
  const source = new BlobSource(work);
  const texts = new Map<string, string>();
  const found: FileChange[] = [];
  await atOnce(rendersAtOnce, checked.manifest.files, async (file, index) => {
    context.signal.throwIfAborted();
    const change = await renderFile(file, { ...work, source, secrets, texts });
    if (change) found[index] = { path: file.path, unit: file.unit, change };
  });

  for (const { path } of live.deletions) await workspace.stageAbsent(path);
  const written = found.filter((change) => change !== undefined);
  return {
    changes: [...written, ...live.deletions.map((one) => ({ ...one, change: 'delete' as const }))],
    written: written.map(({ path }) => path),
    removed: live.deletions.map(({ path }) => path),
    texts,
    secrets,
    fetchedBytes: source.fetchedBytes,
  };
}

async function renderFile(
  file: ManifestFile,
  work: Rendering & { source: BlobSource; secrets: SecretValues; texts: Map<string, string> },
): Promise<FileChange['change'] | undefined> {
  const { live, source, workspace, texts } = work;
  const now = live.files.get(file.unit)?.find(({ path }) => path === file.path);
  const known = file.encoding === 'plain' ? file.blob : file.sha256;
  if (now && file.encoding !== 'template' && now.sha256 === known && isSameOwner(now, file)) return undefined;

  const maxBytes = work.checked.managed.get(file.path)?.path.max_bytes ?? 0;
  const content = contentOf(file, source, maxBytes, work);
  const kept: Uint8Array[] = [];
  const { sha256 } = await workspace.stage(
    { path: file.path, mode: file.mode, owner: file.owner, group: file.group },
    keeping(capped(content, file.path, maxBytes), kept),
  );
  if (known !== undefined && file.encoding !== 'template' && sha256 !== known) {
    throw rejected('rejected_verify', `${file.path} came out as ${sha256}; the manifest names ${known}`);
  }
  texts.set(file.path, textOf(Buffer.concat(kept)));
  if (!now) return 'create';
  if (now.sha256 !== sha256) return 'change';
  return isSameOwner(now, file) ? undefined : 'mode';
}

const isSameOwner = (now: FileState, file: ManifestFile): boolean =>
  now.mode === file.mode && now.owner === file.owner && now.group === file.group;

async function* contentOf(
  file: ManifestFile,
  source: BlobSource,
  maxBytes: number,
  { parts, secrets }: { parts: TransactionParts; secrets: SecretValues },
): AsyncGenerator<Uint8Array> {
  if (file.encoding === 'plain') return yield* source.read(file, maxBytes);
  if (file.encoding === 'template') {
    const text = decode(await collect(source.read(file, maxBytes)), file.path);
    return yield* once(Buffer.from(fillMarkers(text, file.path, secrets), 'utf8'));
  }
  try {
    yield* parts.keys.decrypt(source.read(file, ciphertextBytes(maxBytes)));
  } catch (error) {
    throw (
      source.failure ??
      rejected('rejected_render', `${file.path} cannot be decrypted with the key of this device`, error)
    );
  }
}

/** age adds a header, and 16 bytes to every 64 KiB. */
const ciphertextBytes = (plainBytes: number): number => plainBytes + Math.ceil(plainBytes / 1024) + 8192;

function decode(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw rejected('rejected_render', `${path} is a template and no UTF-8 text`);
  }
}

async function* capped(
  content: AsyncIterable<Uint8Array>,
  path: string,
  maxBytes: number,
): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const chunk of content) {
    size += chunk.byteLength;
    if (size > maxBytes) {
      throw rejected(
        'rejected_verify',
        `${path} has more than the ${maxBytes} bytes that its profile allows`,
      );
    }
    yield chunk;
  }
}

/** A larger file is no text for checks, and need not be kept. */
const maxKeptBytes = 1_048_576;

async function* keeping(content: AsyncIterable<Uint8Array>, kept: Uint8Array[]): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of content) {
    if (bytes <= maxKeptBytes) kept.push(chunk);
    bytes += chunk.byteLength;
    yield chunk;
  }
}
