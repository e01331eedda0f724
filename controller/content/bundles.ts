import type { BundleFile, PutBundle } from '../../shared/api/bundles.ts';
import type { Clock, Random } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import type { BundleFileRow, BundleRow } from '../store/bundles.ts';
import type { Store, StoreTables } from '../store/store.ts';
import { type Author, auditEntry } from './audit-entry.ts';
import type { DeviceProfiles } from './device-profiles.ts';
import { clashingPaths, placeProblems } from './managed-path.ts';
import { RenderError, type TemplateRenderer } from './render.ts';
import { sha256Of } from './sha256.ts';

export interface BundlesParts {
  store: Store;
  clock: Clock;
  random: Random;
  renderer: TemplateRenderer;
  profiles: DeviceProfiles;
}

/** A bundle with its files as people wrote them. */
export interface WholeBundle {
  row: BundleRow;
  files: BundleFile[];
}

const maxBundles = 1000;
const maxProblems = 20;

/** Desired configuration as people write it: templates with targets. What could never be applied is refused at the door. */
export class Bundles {
  readonly #parts: BundlesParts;

  constructor(parts: BundlesParts) {
    this.#parts = parts;
  }

  /** The same again makes no revision. Throws `invalid_parameters` with everything that is wrong. */
  async put(author: Author, name: string, wish: PutBundle): Promise<WholeBundle> {
    this.#check(name, wish);
    const { store, clock, random } = this.#parts;
    const { organizationId } = author;
    const rows = wish.files.map(fileRow).sort((left, right) => (left.path < right.path ? -1 : 1));
    const row = await store.transaction(async (tables) => {
      const now = clock.now();
      const before = await tables.bundles.get(organizationId, name);
      if (before === undefined) await requireRoom(tables, organizationId);
      else if (await isSame(tables, before, { wish, rows })) return before;
      const templates = wish.files.flatMap(({ template }) =>
        template === undefined ? [] : [{ sha256: sha256Of(template), text: template }],
      );
      await tables.texts.put(templates, now);
      const { profile, description, targets } = wish;
      const values = { organizationId, name, profile, description, targets, updatedBy: author.name };
      const revision = await tables.bundles.put({ ...values, id: random.uuid(), files: rows }, now);
      const detail = { revision, profile, files: rows.length, targets: briefly(targets) };
      await tables.audit.append([auditEntry(author, now, { action: 'bundle.put', target: name, detail })]);
      const after = await tables.bundles.get(organizationId, name);
      if (after === undefined) throw new Error(`the bundle ${name} was not written`);
      return after;
    });
    return { row, files: wish.files };
  }

  /** Throws `not_found`. */
  async get(organizationId: string, name: string, revision?: number): Promise<WholeBundle> {
    const { bundles, texts } = this.#parts.store;
    const row = await bundles.get(organizationId, name, revision);
    if (row === undefined) {
      throw new AppError(
        'not_found',
        revision === undefined
          ? `There is no bundle ${name}`
          : `There is no revision ${revision} of a bundle ${name}, or it is no longer kept`,
      );
    }
    const files = await bundles.files(row.id, row.revision);
    const templates = await texts.getMany(files.flatMap(({ template }) => template ?? []));
    return { row, files: files.map((file) => bundleFile(file, templates)) };
  }

  /** Devices keep what they have: it is their next SYNC that no longer names its files. Throws `not_found`. */
  async remove(author: Author, name: string): Promise<void> {
    const { store, clock } = this.#parts;
    await store.transaction(async (tables) => {
      if (!(await tables.bundles.remove(author.organizationId, name))) {
        throw new AppError('not_found', `There is no bundle ${name}`);
      }
      await tables.audit.append([
        auditEntry(author, clock.now(), { action: 'bundle.remove', target: name, detail: {} }),
      ]);
    });
  }

  #check(name: string, { profile, targets, files }: PutBundle): void {
    const { devices = [], labels = {}, all } = targets;
    if (devices.length === 0 && Object.keys(labels).length === 0 && all !== true) {
      throw new AppError(
        'invalid_parameters',
        `Bundle ${name} is not valid: targets: expected at least one of devices, labels, all`,
        { detail: [{ field: 'targets', problem: 'expected at least one of devices, labels, all' }] },
      );
    }
    const known = this.#parts.profiles.get(profile);
    const problems = [
      ...clashingPaths(files.map(({ path }) => path)),
      ...files.flatMap((file) =>
        [...placeProblems(file, known), ...this.#templateProblems(file)].map((problem) => ({
          path: file.path,
          problem,
        })),
      ),
    ].slice(0, maxProblems);
    if (problems.length === 0) return;
    const told = problems.map(({ path, problem }) => `${path}: ${problem}`).join('; ');
    throw new AppError('invalid_parameters', `Bundle ${name} is not valid: ${told}`, { detail: problems });
  }

  #templateProblems({ template }: BundleFile): string[] {
    if (template === undefined) return [];
    try {
      this.#parts.renderer.check(template);
      return [];
    } catch (error) {
      if (error instanceof RenderError) return [error.message];
      throw error;
    }
  }
}

async function requireRoom(tables: StoreTables, organizationId: string): Promise<void> {
  if ((await tables.bundles.count(organizationId)) < maxBundles) return;
  throw new AppError(
    'conflict',
    `The organization has ${maxBundles} bundles, which is the most there can be`,
  );
}

async function isSame(
  tables: StoreTables,
  before: BundleRow,
  { wish, rows }: { wish: PutBundle; rows: BundleFileRow[] },
): Promise<boolean> {
  const { profile, description, targets } = before;
  const head = JSON.stringify([profile, description, targets]);
  if (head !== JSON.stringify([wish.profile, wish.description, wish.targets])) return false;
  const files = await tables.bundles.files(before.id, before.revision);
  return JSON.stringify(files) === JSON.stringify(rows);
}

const fileRow = ({ path, unit, template, mode, owner, group }: BundleFile): BundleFileRow => ({
  path,
  unit,
  template: template === undefined ? null : sha256Of(template),
  mode: mode ?? null,
  owner: owner ?? null,
  group: group ?? null,
});

const bundleFile = (row: BundleFileRow, templates: Map<string, string>): BundleFile => ({
  path: row.path,
  unit: row.unit,
  ...(row.template === null ? {} : { template: templates.get(row.template) ?? '' }),
  absent: row.template === null,
  ...(row.mode === null ? {} : { mode: row.mode }),
  ...(row.owner === null ? {} : { owner: row.owner }),
  ...(row.group === null ? {} : { group: row.group }),
});

/** Targets as the audit log keeps them: a long list of names in brief. */
function briefly(targets: PutBundle['targets']): Record<string, unknown> {
  const names = targets.devices ?? [];
  return names.length <= 50
    ? targets
    : { ...targets, devices: [...names.slice(0, 50), `and ${names.length - 50} more`] };
}
