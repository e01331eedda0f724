import { z } from 'zod';

/** SHA-256, hex. */
export const Sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'expected a SHA-256 in hex');

/** Absolute, without `.`, `..`, empty parts, or characters that a line-based manifest could not hold. */
export const FilePath = z
  .string()
  .max(1024)
  .regex(/^\/[^\0\n\r\t]+$/, 'expected an absolute path')
  .refine(
    (text) =>
      text
        .split('/')
        .slice(1)
        .every((part) => part !== '' && part !== '.' && part !== '..'),
    'expected a path without empty parts, . and ..',
  );

export const FileMode = z.string().regex(/^0[0-7]{3}$/, 'expected a mode such as 0644');
const AccountName = z.string().regex(/^[a-z_][a-z0-9_-]{0,31}$/, 'expected a name of the device');

/**
 * How a blob becomes the file: as it is; with `<<muster:secret:NAME>>` markers replaced by secret values (`template`); or decrypted with the
 * device's own identity (`age`), where `sha256` is the digest of what comes out.
 */
export const FileEncoding = z.enum(['plain', 'template', 'age']);

export const ManifestFile = z.strictObject({
  path: FilePath,
  unit: z.string(),
  mode: FileMode,
  owner: AccountName,
  group: AccountName,
  /** Digest and size of the blob as it travels. */
  blob: Sha256,
  size: z.int().min(0),
  encoding: FileEncoding,
  sha256: Sha256.optional(),
});
export type ManifestFile = z.output<typeof ManifestFile>;

/** The whole desired configuration of one device. Its exact text travels as a blob, named by its SHA-256 in the signed order of a SYNC. */
export const Manifest = z.strictObject({
  format: z.literal(1),
  device: z.string(),
  /** Increases with every manifest made for this device; an older one than the confirmed is refused. */
  generation: z.int().min(1),
  profile: z.strictObject({ id: z.string(), rev: z.int().min(1) }),
  files: z.array(ManifestFile).max(10_000),
  /** Paths that must not exist. */
  absent: z.array(z.strictObject({ path: FilePath, unit: z.string() })).max(10_000),
  /** Tags of the secret values that the markers stand for: a keyed digest, so that a changed value makes a changed manifest. */
  secrets: z.record(z.string(), z.string()).default({}),
});
export type Manifest = z.output<typeof Manifest>;

/** Text that `contentDigest` hashes: what is applied, whatever the generation. */
export const contentText = ({ profile, files, absent, secrets }: Manifest): string =>
  JSON.stringify({
    profile: profile.id,
    files: [...files].sort((left, right) => (left.path < right.path ? -1 : 1)),
    absent: [...absent].sort((left, right) => (left.path < right.path ? -1 : 1)),
    secrets: Object.entries(secrets).sort(([left], [right]) => (left < right ? -1 : 1)),
  });

/** A secret variable in a rendered text, until the device replaces it. Names: letters, digits, `_`. */
export const secretMarker = (name: string): string => `<<muster:secret:${name}>>`;
export const secretMarkerPattern = /<<muster:secret:([A-Za-z_][A-Za-z0-9_]*)>>/g;

/** What the state of a unit's files is computed over (HMAC-SHA256 with a key that stays on the device), for the drift gate. */
export const unitStateText = (
  files: { path: string; mode: string; owner: string; group: string; sha256: string }[],
): string =>
  [...files]
    .sort((left, right) => (left.path < right.path ? -1 : 1))
    .map(({ path, mode, owner, group, sha256 }) => `${path}\t${mode}\t${owner}\t${group}\t${sha256}\n`)
    .join('');
