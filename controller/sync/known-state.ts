import type { Instant } from '../../shared/clock.ts';
import { viewOf } from '../../shared/view-pieces.ts';
import { maskedSecret } from '../../shared/view-rules.ts';
import { Manifest, secretMarkerPattern } from '../../shared/manifest.ts';
import { parseJson } from '../../shared/parse.ts';
import type { ConfigView } from '../../shared/task-types/pull.ts';
import type { DeviceProfile } from '../../shared/device-profile.ts';
import type { DeviceRow } from '../store/devices.ts';
import type { SyncParts } from './parts.ts';

/** A file as people may see it. */
export interface SeenFile {
  unit: string;
  /** Null when it cannot be shown; then `withheld` says why. */
  text: string | null;
  withheld: string | null;
  attributes: string;
}

/** What was last known to be on a device. */
export interface KnownState {
  files: Map<string, SeenFile>;
  /** Units that were looked at. */
  units: Set<string>;
  at: Instant;
}

/** Paths that the confirmed configuration wrote: a manifest that no longer names one has it deleted. */
export interface Known {
  state: KnownState | undefined;
  written: { path: string; unit: string }[];
}

type Rules = Parameters<typeof viewOf>[1];
const noRules: Rules = { volatile: [], secrets: [], public: [] };

/** The last pulled view, or the configuration that the device has confirmed since. */
export async function knownState(
  { store, view }: Pick<SyncParts, 'store' | 'view'>,
  device: DeviceRow,
  profile: DeviceProfile | undefined,
): Promise<Known> {
  const confirmed = await confirmedManifest(store, device);
  const written = confirmed?.files.map(({ path, unit }) => ({ path, unit })) ?? [];
  const snapshot = await store.snapshots.newest(device.id);
  const { syncedAt } = device;
  const isNewer = syncedAt !== null && (snapshot === undefined || syncedAt >= snapshot.lastSeenAt);
  if (confirmed !== undefined && isNewer) {
    return { written, state: await stateOfManifest(store, confirmed, { profile, at: syncedAt }) };
  }
  if (snapshot === undefined) return { written, state: undefined };
  return { written, state: stateOfView(await view(snapshot), snapshot.lastSeenAt) };
}

async function confirmedManifest(
  store: SyncParts['store'],
  device: DeviceRow,
): Promise<Manifest | undefined> {
  if (device.syncedContent === null) return undefined;
  const wanted = [{ deviceId: device.id, content: device.syncedContent }];
  const row = (await store.manifests.ofContents(wanted)).get(device.id);
  const text = row && (await store.texts.get(row.sha256));
  return text === undefined ? undefined : parseJson('The confirmed manifest', Manifest, text);
}

async function stateOfManifest(
  store: SyncParts['store'],
  manifest: Manifest,
  { profile, at }: { profile: DeviceProfile | undefined; at: Instant },
): Promise<KnownState> {
  const texts = await store.texts.getMany(manifest.files.map(({ blob }) => blob));
  const files = manifest.files.map(({ path, unit, blob, mode, owner, group }): [string, SeenFile] => {
    const text = texts.get(blob);
    const attributes = `${mode} ${owner}:${group}`;
    if (text !== undefined) return [path, { unit, attributes, ...shown(text, rulesOf(profile, unit)) }];
    return [path, { unit, attributes, text: null, withheld: 'its text is not kept here' }];
  });
  const units = new Set([...manifest.files, ...manifest.absent].map(({ unit }) => unit));
  return { files: new Map(files), units, at };
}

function stateOfView(view: ConfigView, at: Instant): KnownState {
  const files = view.units.flatMap(({ unit, files }) =>
    files.map(({ path, mode, owner, group, text, withheld }): [string, SeenFile] => [
      path,
      {
        unit,
        attributes: `${mode} ${owner}:${group}`,
        text: text === undefined ? null : masked(text),
        withheld: withheld ?? null,
      },
    ]),
  );
  return { files: new Map(files), units: new Set(view.units.map(({ unit }) => unit)), at };
}

export const rulesOf = (profile: DeviceProfile | undefined, unit: string): Rules =>
  profile?.units.find(({ name }) => name === unit) ?? noRules;

/** A desired text as a view of it would be: the same rules, and nothing secret. */
export function shown(text: string, rules: Rules): Pick<SeenFile, 'text' | 'withheld'> {
  const seen = viewOf(text.replace(secretMarkerPattern, maskedSecret), rules, () => maskedSecret);
  return 'text' in seen
    ? { text: masked(seen.text), withheld: null }
    : { text: null, withheld: seen.withheld };
}

/** The device tells rotations apart by a key of its own; here one secret is like another. */
const masked = (text: string): string => text.replace(/<secret:[0-9a-f]{8}>/g, maskedSecret);
