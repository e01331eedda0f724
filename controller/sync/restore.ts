import type { RestoreRequest } from '../../shared/api/sync.ts';
import type { RunAnswer } from '../../shared/api/tasks.ts';
import { AppError } from '../../shared/errors.ts';
import { FileMode, FilePath, type ManifestFile, Sha256 } from '../../shared/manifest.ts';
import { auditEntry } from '../content/audit-entry.ts';
import { contentDigest, recipientOf } from '../content/desired.ts';
import { clashingPaths, placeProblems } from '../content/managed-path.ts';
import type { DeviceRow } from '../store/devices.ts';
import type { Submission } from '../tasks/submit.ts';
import { syncParameters } from './apply.ts';
import { describeManifest, maxManifestBytes, type MadeManifest } from './make-manifests.ts';
import type { SyncParts } from './parts.ts';

export interface RestoreOrder extends Pick<Submission, 'actor' | 'organization' | 'idempotency'> {
  request: RestoreRequest;
  device: DeviceRow;
}

type RestoreFile = RestoreRequest['files'][number];
const maxProblems = 20;
const ageHeader = 'age-encryption.org/v1\n';

/** Sends files of an archive to a device as one SYNC. They come encrypted to it, and cannot be read here. */
export async function restore(
  parts: SyncParts,
  order: RestoreOrder,
): Promise<{ answer: RunAnswer; replayed: boolean }> {
  const { request, device, idempotency, actor } = order;
  if (idempotency && (await parts.store.access.idempotentAnswer(idempotency.accountId, idempotency.key))) {
    return submit(parts, order, new Map());
  }
  check(parts, request);
  if (recipientOf(device.facts) === undefined) {
    throw new AppError(
      'conflict',
      `${device.name} has told no encryption recipient: nothing can be encrypted to it`,
    );
  }
  const files: ManifestFile[] = [];
  for (const file of request.files) files.push(await keepFile(parts, file));
  const manifest = await makeManifest(parts, { device, request, files });
  const known = (await parts.store.deviceConfigs.getMany([device.id])).get(device.id);
  const text = syncParameters(manifest, orderOf(request), { base: known?.base ?? {}, isReleased: false });
  const submitted = await submit(parts, order, new Map([[device.id, text]]));
  const { archive, dry_run } = request;
  const detail = { archive, dry_run, files: files.length, run: submitted.answer.run };
  await parts.store.audit.append([
    auditEntry(actor, parts.clock.now(), { action: 'restore.create', target: device.name, detail }),
  ]);
  return submitted;
}

const orderOf = ({ on_drift, dry_run, confirm_seconds }: RestoreRequest) => ({
  on_drift,
  dry_run,
  ...(confirm_seconds !== undefined && { confirm_seconds }),
  reason: 'restore' as const,
});

function submit(parts: SyncParts, order: RestoreOrder, parameters: Map<string, string>) {
  const { request, device, actor, organization, idempotency } = order;
  return parts.submit({
    actor,
    organization,
    ...(idempotency && { idempotency }),
    trigger: 'manual',
    request: {
      type: 'SYNC',
      targets: { devices: [device.name] },
      payload: orderOf(request),
      force: false,
      dry_run: false,
    },
    perDevice: { parameters, skipped: new Map() },
  });
}

/** Everything that is wrong is told at once. */
function check({ profiles }: SyncParts, { files, profile }: RestoreRequest): void {
  const known = profiles.get(profile.id);
  const problems = [
    ...clashingPaths(files.map(({ path }) => path)),
    ...files.flatMap((file) =>
      [...shapeProblems(file), ...placeProblems(file, known)].map((problem) => ({
        path: file.path,
        problem,
      })),
    ),
  ].slice(0, maxProblems);
  if (problems.length === 0) return;
  const told = problems.map(({ path, problem }) => `${path}: ${problem}`).join('; ');
  throw new AppError('invalid_parameters', `These files cannot be restored: ${told}`, { detail: problems });
}

function shapeProblems({ path, mode, sha256, content }: RestoreFile): string[] {
  const problems: string[] = [];
  if (!FilePath.safeParse(path).success) problems.push('expected an absolute path');
  if (!FileMode.safeParse(mode).success)
    problems.push(`mode is ${JSON.stringify(mode)}, expected one such as 0644`);
  if (!Sha256.safeParse(sha256).success) problems.push('sha256 is no digest');
  const head = Buffer.from(content.slice(0, 64), 'base64').toString('latin1');
  if (!head.startsWith(ageHeader)) problems.push('content is not the base64 of an age file');
  return problems;
}

async function keepFile({ blobs }: SyncParts, file: RestoreFile): Promise<ManifestFile> {
  const bytes = Buffer.from(file.content, 'base64');
  const { path, unit, mode, owner, group, sha256 } = file;
  const blob = await blobs.keep(bytes);
  return { path, unit, mode, owner, group, blob, size: bytes.length, encoding: 'age', sha256 };
}

async function makeManifest(
  { store, blobs, clock }: SyncParts,
  { device, request, files }: { device: DeviceRow; request: RestoreRequest; files: ManifestFile[] },
): Promise<MadeManifest> {
  const parts = {
    profile: request.profile,
    files: files.sort((left, right) => (left.path < right.path ? -1 : 1)),
    absent: [],
    secrets: {},
  };
  return store.transaction(async (tables) => {
    const now = clock.now();
    const generation = (await tables.deviceConfigs.nextGenerations([device.id])).get(device.id) ?? 0;
    const { manifest, row } = describeManifest(device.id, generation, parts);
    if (row.bytes > maxManifestBytes) {
      throw new AppError('payload_too_large', `Too many files: their manifest has ${row.bytes} bytes`);
    }
    const content = contentDigest({ format: 1, device: device.id, generation, ...parts });
    await tables.texts.put([manifest], now);
    await tables.manifests.insert([
      {
        ...row,
        deviceId: device.id,
        content,
        profileRev: parts.profile.rev,
        reason: 'restore',
        createdAt: now,
        texts: [],
      },
    ]);
    const held = [...new Set(files.map(({ blob }) => blob))];
    await blobs.hold(
      tables,
      held.map((sha256) => ({ sha256, kind: 'manifest' as const, holder: row.sha256 })),
    );
    return { ...row, content };
  });
}
