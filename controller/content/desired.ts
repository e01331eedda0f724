import type { BundleTargets } from '../../shared/api/bundles.ts';
import type { DeviceProfile } from '../../shared/device-profile.ts';
import type { Labels } from '../../shared/ids.ts';
import type { Manifest, ManifestFile } from '../../shared/manifest.ts';
import { contentText } from '../../shared/manifest.ts';
import type { BundleFileRow, BundleRow } from '../store/bundles.ts';
import type { StoredText } from '../store/texts.ts';
import { managedBy } from './device-profiles.ts';
import { clashingPaths } from './managed-path.ts';
import { RenderError, type RenderedText, type TemplateRenderer } from './render.ts';
import { sha256Of } from './sha256.ts';
import type { DeviceVariables } from './variable-set.ts';

/** What a device shall be, all of it but the generation. */
export interface DesiredConfiguration {
  profile: Manifest['profile'];
  files: ManifestFile[];
  absent: Manifest['absent'];
  secrets: Record<string, string>;
  /** Digest of what is applied. */
  content: string;
  /** The blobs of the files. */
  texts: StoredText[];
  bundles: { name: string; revision: number }[];
}

/** Why there is no desired configuration for a device. */
export interface DesiredProblem {
  code: 'no_bundle' | 'not_renderable' | 'no_recipient';
  message: string;
  undefinedVariables: string[];
  conflicts: string[];
}

export type Desired =
  | { ok: true; desired: DesiredConfiguration }
  | {
      ok: false;
      problem: DesiredProblem;
      bundles: { name: string; revision: number }[];
      profile: string | null;
    };

export interface DesiredInput {
  device: { id: string; name: string; labels: Labels; facts: Record<string, unknown> | null };
  /** Those whose targets the device is one of, by name, with their files and the texts of their templates. */
  bundles: { row: BundleRow; files: BundleFileRow[] }[];
  templates: ReadonlyMap<string, string>;
  variables: DeviceVariables;
  profile: DeviceProfile | undefined;
  renderer: TemplateRenderer;
}

/** Whether a device is one of the targets; ready to be asked for thousands. */
export function targetMatcher(targets: BundleTargets): (device: { name: string; labels: Labels }) => boolean {
  const names = new Set(targets.devices);
  const wanted = Object.entries(targets.labels ?? {});
  return ({ name, labels }) =>
    targets.all === true ||
    names.has(name) ||
    (wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value));
}

/** Renders and joins the bundles of a device. Everything that is wrong is told at once. */
export function composeDesired(input: DesiredInput): Desired {
  const { device, bundles, variables } = input;
  const named = bundles.map(({ row: { name, revision } }) => ({ name, revision }));
  const [first] = bundles;
  const refused = (
    code: DesiredProblem['code'],
    message: string,
    more: Partial<DesiredProblem> = {},
  ): Desired => ({
    ok: false,
    problem: { code, message, undefinedVariables: [], conflicts: [], ...more },
    bundles: named,
    profile: first?.row.profile ?? null,
  });
  if (first === undefined) return refused('no_bundle', `no bundle is for ${device.name}`);

  const conflicts = [...variables.conflicts, ...profileConflicts(input), ...pathConflicts(bundles)];
  const { rendered, failures } = renderFiles(input);
  const undefinedVariables = [...new Set(failures.flatMap(({ error }) => error.undefinedVariables))].sort();
  if (conflicts.length > 0 || failures.length > 0) {
    const told = [...conflicts, ...failures.map(({ path, error }) => `${path}: ${error.message}`)];
    const message = `${device.name} cannot be rendered: ${listed(told)}`;
    return refused('not_renderable', message, { undefinedVariables, conflicts });
  }
  const desired = desiredOf(input, rendered, named);
  const tooLarge = limitProblems(desired, input.profile);
  if (tooLarge.length > 0)
    return refused('not_renderable', `${device.name} cannot be configured: ${listed(tooLarge)}`);
  const needsRecipient = Object.keys(desired.secrets).length > 0 && recipientOf(device.facts) === undefined;
  if (needsRecipient) {
    const message = `${device.name} has told no encryption recipient, and its configuration has secrets: its agent has to be newer, or online once`;
    return refused('no_recipient', message);
  }
  return { ok: true, desired };
}

/** Where others encrypt to for this device (age), as its agent told. */
export function recipientOf(facts: Record<string, unknown> | null): string | undefined {
  const recipient = facts?.['encryption_recipient'];
  return typeof recipient === 'string' && recipient.startsWith('age1') ? recipient : undefined;
}

/** A device has one profile. */
function profileConflicts({ bundles, device }: DesiredInput): string[] {
  const profiles = Map.groupBy(bundles, ({ row }) => row.profile);
  const used = [...profiles].map(([id, those]) => `${id} (${those.map(({ row }) => row.name).join(', ')})`);
  if (used.length > 1) return [`bundles for different profiles: ${used.join(' and ')}`];
  const own = ownProfile(device.facts);
  const [wanted] = profiles.keys();
  return own === undefined || own.id === wanted
    ? []
    : [`the device has profile ${own.id}, and its bundles are for ${wanted}`];
}

function ownProfile(facts: Record<string, unknown> | null): Manifest['profile'] | undefined {
  const told = facts?.['profile'];
  if (typeof told !== 'object' || told === null || !('id' in told) || !('rev' in told)) return undefined;
  const { id, rev } = told;
  return typeof id === 'string' && typeof rev === 'number' && Number.isInteger(rev) && rev > 0
    ? { id, rev }
    : undefined;
}

function pathConflicts(bundles: DesiredInput['bundles']): string[] {
  const owners = Map.groupBy(
    bundles.flatMap(({ row, files }) => files.map(({ path }) => ({ path, bundle: row.name }))),
    ({ path }) => path,
  );
  const paths = bundles.flatMap(({ files }) => files.map(({ path }) => path));
  return clashingPaths(paths).map(({ path, problem }) => {
    const names = (owners.get(path) ?? []).map(({ bundle }) => bundle);
    return `${path}: ${problem} (bundle ${names.join(' and ')})`;
  });
}

interface RenderedFile {
  row: BundleFileRow;
  rendered: RenderedText;
}

function renderFiles({ device, bundles, templates, variables, renderer }: DesiredInput) {
  const scope = {
    device: { name: device.name, labels: device.labels, facts: device.facts ?? {} },
    variables: variables.values,
    secrets: new Set(variables.secrets.keys()),
  };
  const rendered: RenderedFile[] = [];
  const failures: { path: string; error: RenderError }[] = [];
  for (const row of bundles.flatMap(({ files }) => files)) {
    if (row.template === null) continue;
    try {
      const text = templates.get(row.template);
      if (text === undefined) throw new RenderError('its template is lost: put the bundle again');
      rendered.push({ row, rendered: renderer.render({ sha256: row.template, text }, scope) });
    } catch (error) {
      if (!(error instanceof RenderError)) throw error;
      failures.push({ path: row.path, error });
    }
  }
  return { rendered, failures };
}

function desiredOf(
  { bundles, device, profile, variables }: DesiredInput,
  rendered: RenderedFile[],
  named: DesiredConfiguration['bundles'],
): DesiredConfiguration {
  const id = bundles[0]?.row.profile ?? '';
  const rev = ownProfile(device.facts)?.rev ?? profile?.rev ?? 1;
  const made = rendered.map((one) => manifestFile(one, profile));
  const byPath = (left: { path: string }, right: { path: string }) => (left.path < right.path ? -1 : 1);
  const secretNames = [...new Set(rendered.flatMap((one) => one.rendered.secrets))].sort();
  const parts = {
    profile: { id, rev },
    files: made.map(({ file }) => file).sort(byPath),
    absent: bundles
      .flatMap(({ files }) => files)
      .filter(({ template }) => template === null)
      .map(({ path, unit }) => ({ path, unit }))
      .sort(byPath),
    secrets: Object.fromEntries(secretNames.map((name) => [name, variables.secrets.get(name)?.tag ?? ''])),
  };
  return {
    ...parts,
    content: contentDigest({ format: 1, device: device.id, generation: 1, ...parts }),
    texts: made.map(({ text }) => text),
    bundles: named,
  };
}

/** What the device would refuse only after it fetched everything. */
function limitProblems(
  { files, absent }: DesiredConfiguration,
  profile: DeviceProfile | undefined,
): string[] {
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  const problems =
    bytes <= maxBytes ? [] : [`its files have ${bytes} bytes together, expected at most ${maxBytes}`];
  if (files.length + absent.length > maxFiles) problems.push(`it has more than ${maxFiles} files`);
  for (const { path, unit, size } of files) {
    const most = profile && managedBy(profile, unit, path)?.managed.max_bytes;
    if (most !== undefined && size > most)
      problems.push(`${path} has ${size} bytes, expected at most ${most}`);
  }
  for (const unit of profile?.units ?? []) {
    const count = files.filter((file) => file.unit === unit.name).length;
    if (count > unit.max_files)
      problems.push(`unit ${unit.name} has ${count} files, expected at most ${unit.max_files}`);
  }
  return problems;
}

/** Of one device: configuration, no bulk data. */
const maxBytes = 67_108_864;
const maxFiles = 10_000;

function manifestFile({ row, rendered }: RenderedFile, profile: DeviceProfile | undefined) {
  const { path, unit, mode, owner, group } = row;
  const managed = profile && managedBy(profile, unit, path)?.managed;
  const blob = sha256Of(rendered.text);
  const file: ManifestFile = {
    path,
    unit,
    mode: mode ?? managed?.mode ?? '0644',
    owner: owner ?? managed?.owner ?? 'root',
    group: group ?? managed?.group ?? 'root',
    blob,
    size: Buffer.byteLength(rendered.text),
    encoding: rendered.secrets.length > 0 ? 'template' : 'plain',
  };
  return { file, text: { sha256: blob, text: rendered.text } };
}

/** Digest of what a manifest applies, whatever its generation; the device computes the same. */
export const contentDigest = (manifest: Manifest): string => sha256Of(contentText(manifest));

/** Exact text of a manifest: the same parts give the same bytes. */
export const manifestText = (
  device: string,
  generation: number,
  { profile, files, absent, secrets }: Pick<Manifest, 'profile' | 'files' | 'absent' | 'secrets'>,
): string =>
  JSON.stringify({ format: 1, device, generation, profile, files, absent, secrets } satisfies Manifest);

const listed = (texts: string[]): string =>
  texts.length <= 20 ? texts.join('; ') : `${texts.slice(0, 20).join('; ')} and ${texts.length - 20} more`;
