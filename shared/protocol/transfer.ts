import { z } from 'zod';
import type { TaskCode } from '../ids.ts';
import { Sha256 } from '../manifest.ts';
import { PulledUnit } from '../task-types/pull.ts';

/**
 * Bulk bytes and probes between a device and its controller, over HTTPS. Every request carries a JWT of its own, as the link does
 * (`Authorization: Bearer`, signed by the device's key), and names a task of that device that is IN_PROGRESS; anything else is 404.
 * Errors have the body of every REST error.
 */
export const devicePath = '/api/device/v1';

/** GET, `Range: bytes=N-` to go on: a blob that the task may read (its manifest, files of it, its own archive). 200 or 206, `application/octet-stream`, ETag is the digest. */
export const blobPath = (code: TaskCode, sha256: string): string =>
  `${devicePath}/tasks/${code}/blobs/${sha256}`;
/** POST, answers `application/octet-stream`: JSON `{NAME: value}` of the manifest's secrets, encrypted (age) to the device's recipient. */
export const secretsPath = (code: TaskCode): string => `${devicePath}/tasks/${code}/secrets`;
/** GET answers `UploadState`; PATCH with `Upload-Offset: N` appends the body (`application/octet-stream`) and answers it; 409 `conflict` with the offset in `detail` when N is not where it ends. */
export const uploadPath = (code: TaskCode, name: string): string =>
  `${devicePath}/tasks/${code}/uploads/${name}`;
/** POST `UploadComplete`: the controller compares what it holds with that, keeps it as a blob, and answers `UploadDone`. Repeating it is harmless. What does not fit is 422 `digest_mismatch`: the controller drops it, and the upload begins at 0 again. */
export const uploadCompletePath = (code: TaskCode, name: string): string =>
  `${uploadPath(code, name)}/complete`;
/** POST `PullReport` → `PullAnswer`. Repeating it is harmless. */
export const pullReportPath = (code: TaskCode): string => `${devicePath}/tasks/${code}/pull`;
/** POST `ArchiveReport` → `ArchiveAnswer`. Repeating it is harmless. */
export const archiveReportPath = (code: TaskCode): string => `${devicePath}/tasks/${code}/archive`;
/** POST `ArchiveReadable` → `ArchiveAnswer`. */
export const archiveReadablePath = (code: TaskCode): string => `${devicePath}/tasks/${code}/archive/readable`;
/** POST `SignedKeyChange` of a `DeviceKeyChange` → `DeviceKeyAnswer`; needs no task. From then on both keys are accepted, until the device dials with the new one. Repeating it is harmless. */
export const deviceKeyPath = `${devicePath}/key`;
/** POST `ProbeRequest` → `ProbeAnswer`; needs no task. */
export const probePath = `${devicePath}/probe`;

export const uploadOffsetHeader = 'upload-offset';
export const uploadNames = ['view', 'raw', 'archive', 'manifest', 'recording'] as const;
export const UploadName = z.enum(uploadNames);
export type UploadName = z.output<typeof UploadName>;

export const UploadState = z.object({ offset: z.int().min(0), max_bytes: z.int().min(0) });
export const UploadComplete = z.strictObject({ size: z.int().min(0), sha256: Sha256 });
export const UploadDone = z.object({ size: z.int(), sha256: Sha256 });

export const PullReport = z.strictObject({
  profile: z.strictObject({ id: z.string(), rev: z.int() }),
  ruleset: z.string().max(128),
  units: z.array(PulledUnit).max(64),
  /** Of the last confirmed transaction on the device; null when there was none. */
  generation: z.int().nullable(),
  content: z.string().nullable(),
  view_sha256: Sha256,
  /** Absent when the view is as the newest version's (`known_view`), or nobody may read the original. */
  raw_sha256: Sha256.nullable(),
  /** All units were read in full; a partial reading never becomes a version. */
  complete: z.boolean(),
});
export type PullReport = z.output<typeof PullReport>;
export const PullAnswer = z.object({ version: z.int().nullable(), changed: z.boolean() });
export type PullAnswer = z.output<typeof PullAnswer>;

export const ArchiveReport = z.strictObject({
  /** Exact text of an `ArchiveStatement`, and the device's Ed25519 signature over it (base64url). */
  statement: z.string().max(4096),
  signature: z.string().max(128),
  /** `unchanged`: no new object; the statement names the archive that still holds this content. */
  outcome: z.enum(['stored', 'unchanged']),
});
export type ArchiveReport = z.output<typeof ArchiveReport>;
export const ArchiveReadable = z.strictObject({ archive: z.string(), files: z.int(), plain_bytes: z.int() });
export const ArchiveAnswer = z.object({
  archive: z.string(),
  size: z.int(),
  sha256: Sha256,
  level: z.enum(['stored', 'readable', 'restorable']),
});
export type ArchiveAnswer = z.output<typeof ArchiveAnswer>;

/** Fingerprint of the key that the controller holds as the next one. */
export const DeviceKeyAnswer = z.object({ next: z.string() });

/** Without meaning: makes question and answer longer than two of the largest packets of any network, so that a way that lets only small ones through fails. */
export const probePaddingBytes = 20_000;
export const ProbeRequest = z.strictObject({
  transaction: z.string().max(64),
  nonce: z.string().min(16).max(128),
  /** Comes back as it is. */
  padding: z.string().max(32_768).default(''),
});
/** `statement`: exact JSON text of `ProbeStatement`; `signature`: the controller's Ed25519 over it, base64url. */
export const ProbeAnswer = z.object({
  statement: z.string(),
  signature: z.string(),
  padding: z.string().max(32_768).default(''),
});
export type ProbeAnswer = z.output<typeof ProbeAnswer>;
export const ProbeStatement = z.object({
  purpose: z.literal('probe'),
  device: z.string(),
  transaction: z.string(),
  nonce: z.string(),
  at: z.number(),
});
export type ProbeStatement = z.output<typeof ProbeStatement>;
