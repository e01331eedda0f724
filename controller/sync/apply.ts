import type { SyncAnswer, SyncRequest } from '../../shared/api/sync.ts';
import type { RunRequest } from '../../shared/api/tasks.ts';
import { AppError } from '../../shared/errors.ts';
import { Sync, type SyncParameters } from '../../shared/task-types/sync.ts';
import type { z } from 'zod';
import type { DesiredProblem } from '../content/desired.ts';
import type { DeviceConfigRow, RolledBackContent } from '../store/device-configs.ts';
import type { DeviceRow } from '../store/devices.ts';
import type { Submission } from '../tasks/submit.ts';
import { candidates } from '../tasks/target-candidates.ts';
import { type BriefDevice, resolveTargets } from '../tasks/targets.ts';
import { loadDesired } from './load-desired.ts';
import { makeManifests, maxManifestBytes, type MadeManifest } from './make-manifests.ts';
import { chunksOf, Pace } from './pace.ts';
import type { SyncParts } from './parts.ts';

type Answer = z.output<typeof SyncAnswer>;

export interface SyncOrder extends Pick<Submission, 'actor' | 'organization' | 'idempotency'> {
  request: SyncRequest;
}

/** What the devices of one request came to before any task is made. */
interface Prepared {
  parameters: Map<string, string>;
  skipped: Map<string, string>;
  errors: Answer['errors'];
  /** Left out because there is nothing to do. */
  unchanged: number;
}

/**
 * Renders every device, stores its manifest, and makes the SYNC tasks, each with parameters of its own. Devices that cannot be rendered
 * are left out and told. The work is done in turns, so that ten thousand devices do not hold everybody else.
 */
export async function applySync(
  parts: SyncParts,
  order: SyncOrder,
): Promise<{ answer: Answer; replayed: boolean }> {
  const { organization, request, idempotency } = order;
  if (idempotency && (await parts.store.access.idempotentAnswer(idempotency.accountId, idempotency.key))) {
    return submit(parts, order, nothingPrepared());
  }
  const found = await candidates(parts.store.devices, organization.id, request.targets);
  const { devices, skipped } = resolveTargets(request.targets, found, 'SYNC');
  const prepared = await prepare(parts, order, devices);
  if (prepared.parameters.size > 0) return submit(parts, order, prepared);
  const left = [
    ...skipped,
    ...devices.map(({ id, name }) => ({ device_name: name, reason: prepared.skipped.get(id) ?? '' })),
  ];
  if (prepared.unchanged === 0) throw nothingToSend(left, prepared.errors);
  return {
    answer: {
      run: null,
      type: 'SYNC',
      organization: organization.name,
      scheduled_at: null,
      total: 0,
      tasks: [],
      skipped: left,
      max_retries: 0,
      errors: prepared.errors,
    },
    replayed: false,
  };
}

async function submit(parts: SyncParts, { request, ...order }: SyncOrder, prepared: Prepared) {
  const { answer, replayed } = await parts.submit({
    ...order,
    request: runRequest(request),
    trigger: request.scheduled_at === undefined ? 'manual' : 'at',
    perDevice: prepared,
    more: { errors: prepared.errors },
  });
  return { answer: { errors: [], ...answer }, replayed };
}

/** What all tasks have in common shows as the run's parameters. */
const runRequest = (request: SyncRequest): RunRequest => ({
  type: 'SYNC',
  targets: request.targets,
  payload: orderOf(request),
  force: request.force,
  dry_run: false,
  ...(request.scheduled_at !== undefined && { scheduled_at: request.scheduled_at }),
  ...(request.expires_in_seconds !== undefined && { expires_in_seconds: request.expires_in_seconds }),
  ...(request.timeout_seconds !== undefined && { timeout_seconds: request.timeout_seconds }),
  ...(request.rollout !== undefined && { rollout: request.rollout }),
});

const orderOf = ({ on_drift, dry_run, ask, confirm_seconds }: SyncRequest) => ({
  on_drift,
  dry_run,
  // An agent that does not know it must not be sent it: it refuses what it does not understand.
  ...(ask && { ask }),
  ...(confirm_seconds !== undefined && { confirm_seconds }),
  reason: 'sync' as const,
});

async function prepare(parts: SyncParts, order: SyncOrder, devices: BriefDevice[]): Promise<Prepared> {
  const desiredOf = await loadDesired(parts, order.organization.id, devices);
  const prepared = nothingPrepared();
  const pace = new Pace(parts.clock);
  for (const chunk of chunksOf(devices)) {
    const known = await readDevices(parts, chunk);
    const wanted: Parameters<typeof makeManifests>[1] = [];
    for (const device of known.rows) {
      const outcome = desiredOf(device);
      await pace.turn();
      if (!outcome.ok) {
        leaveOut(prepared, device, outcome.problem);
        continue;
      }
      const { desired } = outcome;
      const obstacle = obstacleOf(device, desired.content, { known, request: order.request });
      if (obstacle === undefined) wanted.push({ deviceId: device.id, desired });
      else prepared.skipped.set(device.id, obstacle.reason);
      if (obstacle?.isUnchanged === true) prepared.unchanged += 1;
    }
    const made = await makeManifests(parts.store, wanted, parts.clock.now());
    for (const [deviceId, manifest] of made)
      addTask(prepared, deviceId, { manifest, known, request: order.request });
    await pace.turn();
  }
  return prepared;
}

const nothingPrepared = (): Prepared => ({
  parameters: new Map(),
  skipped: new Map(),
  errors: [],
  unchanged: 0,
});

interface Known {
  rows: DeviceRow[];
  configs: Map<string, DeviceConfigRow>;
  rolledBack: RolledBackContent[];
}

async function readDevices({ store }: SyncParts, chunk: BriefDevice[]): Promise<Known> {
  const ids = chunk.map(({ id }) => id);
  const [rows, configs, rolledBack] = await Promise.all([
    store.devices.getMany(ids),
    store.deviceConfigs.getMany(ids),
    store.deviceConfigs.rolledBack(ids),
  ]);
  return { rows, configs, rolledBack };
}

function leaveOut(prepared: Prepared, device: DeviceRow, problem: DesiredProblem): void {
  prepared.skipped.set(device.id, problem.message);
  if (problem.code === 'no_bundle') return;
  prepared.errors.push({
    device_name: device.name,
    error: problem.message,
    code: problem.code,
    conflicts: problem.conflicts,
    undefined_variables: problem.undefinedVariables,
  });
}

function obstacleOf(
  device: DeviceRow,
  content: string,
  { known, request }: { known: Known; request: SyncRequest },
): { reason: string; isUnchanged: boolean } | undefined {
  if (isQuarantined(known.rolledBack, device.id, content)) {
    const reason = `content ${content.slice(0, 12)} was rolled back on it before: release it to try again`;
    return { reason, isUnchanged: false };
  }
  const isConfirmed = device.syncedContent === content && device.driftStatus === 'IN_SYNC';
  return request.only_changed && isConfirmed
    ? { reason: 'it has confirmed this configuration already', isUnchanged: true }
    : undefined;
}

export const isQuarantined = (rows: RolledBackContent[], deviceId: string, content: string): boolean =>
  rows.some((row) => row.deviceId === deviceId && row.content === content && row.releasedAt === null);

function addTask(
  prepared: Prepared,
  deviceId: string,
  { manifest, known, request }: { manifest: MadeManifest; known: Known; request: SyncRequest },
): void {
  if (manifest.bytes > maxManifestBytes) {
    prepared.skipped.set(
      deviceId,
      `its manifest has ${manifest.bytes} bytes, expected at most ${maxManifestBytes}`,
    );
    return;
  }
  prepared.parameters.set(
    deviceId,
    syncParameters(manifest, orderOf(request), {
      base: known.configs.get(deviceId)?.base ?? {},
      isReleased: known.rolledBack.some(
        (row) => row.deviceId === deviceId && row.content === manifest.content,
      ),
    }),
  );
}

/** JSON text of the parameters of one task. */
export function syncParameters(
  manifest: MadeManifest,
  order: Pick<SyncParameters, 'on_drift' | 'dry_run' | 'ask' | 'reason' | 'confirm_seconds'>,
  { base, isReleased }: { base: Record<string, string>; isReleased: boolean },
): string {
  return JSON.stringify(
    Sync.parameters.parse({
      generation: manifest.generation,
      manifest: manifest.sha256,
      manifest_bytes: manifest.bytes,
      base,
      release: isReleased,
      ...order,
    }),
  );
}

function nothingToSend(
  skipped: { device_name: string; reason: string }[],
  errors: Answer['errors'],
): AppError {
  const told = skipped.slice(0, 20).map(({ device_name, reason }) => `${device_name}: ${reason}`);
  const more = skipped.length > told.length ? ` and ${skipped.length - told.length} more` : '';
  return new AppError(
    errors.length > 0 ? 'not_renderable' : 'unresolved_targets',
    `No selected device can be sent its configuration: ${told.join('; ')}${more}`,
    { detail: { skipped, errors } },
  );
}
