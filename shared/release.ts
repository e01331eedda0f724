import { z } from 'zod';

/** `1.2.3`, or `1.2.3-rc.1` for what comes before it. */
export const ReleaseVersion = z
  .string()
  .max(64)
  .regex(/^\d{1,9}\.\d{1,9}\.\d{1,9}(-[0-9A-Za-z][0-9A-Za-z.-]*)?$/, 'expected a version, as 1.2.3');

export const ReleasePlatform = z.string().regex(/^[a-z0-9]+-[a-z0-9]+$/, 'expected a platform, as linux-x64');

/** A plugin may be for any. */
export const PackagePlatform = z.union([z.literal('any'), ReleasePlatform]);

/** An archive larger than this is no release. */
export const maxReleaseBytes = 512 * 1024 * 1024;

/** Of a plugin, which adds task types; what begins with `muster-` is ours. */
export const PluginName = z
  .string()
  .regex(/^(?!muster-)[a-z][a-z0-9]*(-[a-z0-9]+)*$/, 'expected the name of a plugin, as netdiag')
  .max(32);

/** The agent itself, or a plugin. */
export const agentPackage = 'muster-agent';
export const PackageName = z.union([z.literal(agentPackage), PluginName]);

/** What a release says of itself: the trusted comment of its signature, so that whoever signed the archive signed this too. */
export const ReleaseManifest = z.strictObject({
  name: PackageName,
  version: ReleaseVersion,
  platform: PackagePlatform,
  floor: ReleaseVersion.describe('a device that ran this release takes no older one than this any more'),
  bytes: z.int().min(1).max(maxReleaseBytes).describe('of the archive'),
  unpacked_bytes: z
    .int()
    .min(1)
    .max(8 * maxReleaseBytes),
});
export type ReleaseManifest = z.output<typeof ReleaseManifest>;

/** Negative when `left` is the older one. What has a suffix comes before what has none. */
export function compareVersions(left: string, right: string): number {
  const [leftNumbers = '', leftSuffix] = splitOnce(left);
  const [rightNumbers = '', rightSuffix] = splitOnce(right);
  return (
    compareParts(leftNumbers, rightNumbers) ||
    Number(leftSuffix === undefined) - Number(rightSuffix === undefined) ||
    compareParts(leftSuffix ?? '', rightSuffix ?? '')
  );
}

function splitOnce(version: string): [string, string?] {
  const at = version.indexOf('-');
  return at < 0 ? [version] : [version.slice(0, at), version.slice(at + 1)];
}

/** Numbers by size, words by letters, a number before a word, less before more. */
function compareParts(left: string, right: string): number {
  const lefts = left.split('.');
  const rights = right.split('.');
  for (const [index, one] of lefts.entries()) {
    const other = rights[index];
    if (other === undefined) return 1;
    const bothNumbers = /^\d+$/.test(one) && /^\d+$/.test(other);
    if (bothNumbers && Number(one) !== Number(other)) return Number(one) - Number(other);
    if (!bothNumbers && one !== other) return one < other ? -1 : 1;
  }
  return lefts.length - rights.length;
}
