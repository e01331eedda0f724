import { type SnapshotDiff, SnapshotRetention } from '../../shared/api/configs.ts';
import type { Clock, Instant } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import { parseJson } from '../../shared/parse.ts';
import type { PullAnswer, PullReport } from '../../shared/protocol/transfer.ts';
import { ConfigView } from '../../shared/task-types/pull.ts';
import type { BlobRef } from '../store/blobs.ts';
import type { SnapshotRow } from '../store/snapshots.ts';
import type { Store, StoreTables } from '../store/store.ts';
import type { TaskRow } from '../store/tasks.ts';
import { auditEntry, controllerAuthor } from './audit-entry.ts';
import type { Blobs } from './blobs.ts';
import { diffViews } from './diff-views.ts';
import { notePulled } from './drift.ts';
import type { SharedCommits } from './shared-commits.ts';
import { uploadHolder } from './uploads.ts';

export interface SnapshotsParts {
  store: Store;
  blobs: Blobs;
  commits: SharedCommits;
  clock: Clock;
  retention?: SnapshotRetention;
}

const dayMs = 86_400_000;

/** A view is parsed as a whole when it is shown. */
const maxViewBytes = 64 * 1024 * 1024;
/** Readings of a unit that say nothing about what is on the device. */
const unreliable = ['unreadable', 'unstable', 'suspect'];

/**
 * Versions of the configuration of each device.
 *
 * - A version is what a person sees: it is made when the view changed, and only from a complete reading.
 * - A view that changed because its rules did is a version with the reason `ruleset`, as long as the files are the same.
 * - The newest version always stays: plans are made against it. What is beyond the retention goes, the oldest first, when a version is added.
 * - What a report names was brought by its own task, or is what the newest version has.
 */
export class Snapshots {
  readonly #parts: SnapshotsParts;
  readonly retention: SnapshotRetention;

  constructor(parts: SnapshotsParts) {
    this.#parts = parts;
    this.retention = parts.retention ?? SnapshotRetention.parse({});
  }

  /** Takes what a PULL found. Repeating it is harmless. */
  report(task: TaskRow, report: PullReport): Promise<PullAnswer> {
    const now = this.#parts.clock.now();
    return this.#parts.commits.run(async (tables) => {
      const newest = await tables.snapshots.newest(task.deviceId);
      await notePulled(tables, task, report, now);
      if (!isComplete(report)) return { version: null, changed: false };
      if (newest?.viewSha256 === report.view_sha256) {
        await tables.snapshots.seen(task.deviceId, newest.version, now);
        await this.#keepOriginal(tables, task.code, report, newest);
        return { version: newest.version, changed: newest.task === task.code };
      }
      const row = await this.#newVersion(tables, task, { report, newest, now });
      return { version: row.version, changed: true };
    });
  }

  /** `latest`, or a number. Throws `not_found`. */
  async version(device: { id: string; name: string }, which: string): Promise<SnapshotRow> {
    const { snapshots } = this.#parts.store;
    const row =
      which === 'latest' ? await snapshots.newest(device.id) : await snapshots.get(device.id, Number(which));
    if (row !== undefined) return row;
    const newest = which === 'latest' ? undefined : (await snapshots.newest(device.id))?.version;
    if (newest !== undefined && Number(which) < newest) {
      throw new AppError(
        'not_found',
        `Version ${which} of ${device.name} is not kept any more: see which ones are in the list`,
      );
    }
    throw new AppError(
      'not_found',
      which === 'latest'
        ? `Device ${device.name} was never pulled`
        : `Device ${device.name} has no version ${which} of its configuration`,
    );
  }

  async view(row: SnapshotRow): Promise<ConfigView> {
    const text = await this.#parts.blobs.text(row.viewSha256, maxViewBytes);
    try {
      return parseJson(`The view of version ${row.version}`, ConfigView, text);
    } catch (cause) {
      throw new AppError('not_renderable', `What the device brought as version ${row.version} is no view`, {
        cause,
      });
    }
  }

  /** Against the version before, unless `from` says otherwise; the first is compared with nothing. */
  async diff(
    device: { id: string; name: string },
    { from, to }: { from?: string | undefined; to: string },
  ): Promise<SnapshotDiff> {
    const newer = await this.version(device, to);
    const which = from ?? (newer.version === 1 ? undefined : String(newer.version - 1));
    const older = which === undefined ? undefined : await this.version(device, which);
    const before = older && (await this.view(older));
    const files = await diffViews(before, await this.view(newer), () => this.#parts.clock.monotonic());
    return { device_name: device.name, from: older?.version ?? null, to: newer.version, files };
  }

  async #newVersion(
    tables: StoreTables,
    task: TaskRow,
    { report, newest, now }: { report: PullReport; newest: SnapshotRow | undefined; now: Instant },
  ): Promise<SnapshotRow> {
    const { deviceId, organizationId, code } = task;
    await requireBrought(tables, code, { view: report.view_sha256, raw: report.raw_sha256 });
    const version = (newest?.version ?? 0) + 1;
    await this.#hold(tables, deviceId, { version, view: report.view_sha256, raw: report.raw_sha256 });
    const row: SnapshotRow = {
      deviceId,
      organizationId,
      version,
      reason: reasonFor(report, newest),
      ruleset: report.ruleset,
      profile: `${report.profile.id}@${report.profile.rev}`,
      viewSha256: report.view_sha256,
      bytes: (await tables.blobs.get(report.view_sha256))?.size ?? 0,
      rawSha256: report.raw_sha256,
      units: report.units.map(({ unit, status, files, bytes, state }) => ({
        unit,
        status,
        files,
        bytes,
        state,
      })),
      firstSeenAt: now,
      lastSeenAt: now,
      task: code,
    };
    await tables.snapshots.insert(row);
    const author = { name: `device ${task.deviceName}`, organizationId, ipAddress: null, requestId: null };
    const detail = { version, reason: row.reason, task: code };
    await tables.audit.append([
      auditEntry(author, now, { action: 'snapshot.create', target: task.deviceName, detail }),
    ]);
    await this.#prune(tables, row);
    return row;
  }

  /** Nothing expires while nothing is pulled: days are counted back from the newest version. */
  async #prune(tables: StoreTables, newest: SnapshotRow): Promise<void> {
    const { keep, days, at_most } = this.retention;
    const { deviceId, organizationId, version, firstSeenAt: now } = newest;
    const gone = await tables.snapshots.prune(deviceId, {
      always: version - at_most,
      ifOld: version - keep,
      before: now - days * dayMs,
    });
    if (gone.length === 0) return;
    await tables.blobs.release(
      'snapshot',
      gone.map((one) => holderOf(deviceId, one)),
    );
    const device = (await tables.devices.get(deviceId))?.name ?? deviceId;
    const detail = { versions: gone.length, from: gone[0], to: gone.at(-1), rule: this.retention };
    await tables.audit.append([
      auditEntry(controllerAuthor(organizationId), now, { action: 'snapshot.prune', target: device, detail }),
    ]);
  }

  /** An original of a view that is known: there was none, or others are to read it now. */
  async #keepOriginal(
    tables: StoreTables,
    code: string,
    { raw_sha256: raw }: PullReport,
    { deviceId, version, viewSha256: view, rawSha256: known }: SnapshotRow,
  ): Promise<void> {
    if (raw === null || raw === known) return;
    await requireBrought(tables, code, { raw });
    await tables.blobs.release('snapshot', [holderOf(deviceId, version)]);
    await this.#hold(tables, deviceId, { version, view, raw });
    await tables.snapshots.setRaw(deviceId, version, raw);
  }

  #hold(
    tables: StoreTables,
    deviceId: string,
    { version, view, raw }: { version: number; view: string; raw: string | null },
  ): Promise<void> {
    const holder = holderOf(deviceId, version);
    const digests = raw === null ? [view] : [view, raw];
    return this.#parts.blobs.hold(
      tables,
      digests.map((sha256): BlobRef => ({ sha256, kind: 'snapshot', holder })),
    );
  }
}

const holderOf = (deviceId: string, version: number): string => `${deviceId}/${version}`;

const isComplete = ({ complete, units }: PullReport): boolean =>
  complete && !units.some(({ status }) => unreliable.includes(status));

/** The files are told by a digest that only the device can compute: with all of them equal, it was the rules that changed. */
function reasonFor(report: PullReport, newest: SnapshotRow | undefined): SnapshotRow['reason'] {
  if (newest === undefined) return 'first';
  if (newest.ruleset === report.ruleset) return 'changed';
  const states = (units: { unit: string; state: string }[]) =>
    units
      .map(({ unit, state }) => `${unit} ${state}`)
      .sort()
      .join('\n');
  return states(newest.units) === states(report.units) ? 'ruleset' : 'changed';
}

async function requireBrought(
  tables: StoreTables,
  code: string,
  wanted: { view?: string; raw: string | null },
): Promise<void> {
  const missing: string[] = [];
  for (const name of ['view', 'raw'] as const) {
    const sha256 = wanted[name];
    if (sha256 === undefined || sha256 === null) continue;
    if (!(await tables.blobs.heldBy('upload', uploadHolder(code, name))).includes(sha256)) missing.push(name);
  }
  if (missing.length === 0) return;
  throw new AppError('conflict', `Task ${code} did not bring ${missing.join(' and ')}: bring it first`, {
    detail: { missing },
  });
}
