import type { Manifest } from '../../shared/manifest.ts';
import { type DesiredConfiguration, manifestText } from '../content/desired.ts';
import { sha256Of } from '../content/sha256.ts';
import type { ManifestRow } from '../store/manifests.ts';
import type { Store, StoreTables } from '../store/store.ts';
import type { StoredText } from '../store/texts.ts';

/** A manifest as it is stored. */
export type MadeManifest = Pick<ManifestRow, 'generation' | 'sha256' | 'bytes' | 'content'>;

interface Wanted {
  deviceId: string;
  desired: DesiredConfiguration;
}

/** The text travels whole to the device, which bounds it. */
export const maxManifestBytes = 8_388_608;
/** Characters of texts that go into one statement. */
const maxStatementLength = 4_000_000;

/** Makes a manifest with a new generation for each device, with all its texts, in one transaction. */
export function makeManifests(
  store: Store,
  wanted: Wanted[],
  now: number,
): Promise<Map<string, MadeManifest>> {
  return store.transaction(async (tables) => {
    const generations = await tables.deviceConfigs.nextGenerations(wanted.map(({ deviceId }) => deviceId));
    const made = wanted.map((one) => makeOne(one, generations.get(one.deviceId) ?? 0));
    await putTexts(
      tables,
      made.flatMap(({ manifest, desired }) => [manifest, ...desired.texts]),
      now,
    );
    await tables.manifests.insert(
      made.map(({ deviceId, desired, row }) => ({
        ...row,
        deviceId,
        profileRev: desired.profile.rev,
        reason: 'sync' as const,
        createdAt: now,
        texts: desired.texts.map(({ sha256 }) => sha256),
      })),
    );
    return new Map(made.map(({ deviceId, row }) => [deviceId, row]));
  });
}

function makeOne({ deviceId, desired }: Wanted, generation: number) {
  const { manifest, row } = describeManifest(deviceId, generation, desired);
  return { deviceId, desired, manifest, row: { ...row, content: desired.content } };
}

export function describeManifest(
  deviceId: string,
  generation: number,
  parts: Pick<Manifest, 'profile' | 'files' | 'absent' | 'secrets'>,
) {
  const text = manifestText(deviceId, generation, parts);
  const sha256 = sha256Of(text);
  return { manifest: { sha256, text }, row: { generation, sha256, bytes: Buffer.byteLength(text) } };
}

async function putTexts(tables: StoreTables, texts: StoredText[], now: number): Promise<void> {
  let part: StoredText[] = [];
  let length = 0;
  for (const one of new Map(texts.map((text) => [text.sha256, text])).values()) {
    if (length + one.text.length > maxStatementLength) {
      await tables.texts.put(part, now);
      [part, length] = [[], 0];
    }
    part.push(one);
    length += one.text.length;
  }
  await tables.texts.put(part, now);
}
