import { z } from 'zod';
import { AgeRecipient } from './pull.ts';
import { taskContract } from './task-type.ts';

const Pattern = z
  .string()
  .max(1024)
  .regex(/^\/[^\0\n]*$/, 'expected an absolute path');

/** Succeeds when the archive lies in the controller's store with the size and digest that the device sealed, and was read back and decrypted once. Made by `/backups` only. */
export const Backup = taskContract({
  name: 'BACKUP',
  summary: 'Archives the configuration, encrypted on the device, and proves that it can be read back',
  madeBy: 'backup',
  parameters: z.strictObject({
    recipients: z
      .array(AgeRecipient)
      .min(2)
      .max(16)
      .describe('who can decrypt; their private keys are neither on devices nor in the controller'),
    units: z.array(z.string()).max(64).optional().describe('all units of the profile when absent'),
    include: z.array(Pattern).max(100).default([]).describe('further files and folders'),
    exclude: z.array(Pattern).max(100).default([]),
    max_bytes: z
      .int()
      .min(1024)
      .default(4 * 1024 * 1024 * 1024),
    /** Content of the newest verified archive: the same again makes no new object. */
    known: z.string().nullable().default(null).describe('content digest of the newest verified archive'),
    full: z.boolean().default(false).describe('make a new object also when nothing changed'),
  }),
  result: z.object({
    outcome: z.enum(['stored', 'unchanged']),
    archive: z.string().nullable().describe('id of the archive'),
    content: z.string(),
    files: z.int(),
    plain_bytes: z.int(),
    archive_bytes: z.int(),
    archive_sha256: z.string().nullable(),
    level: z.enum(['stored', 'readable']),
    skipped: z.array(z.object({ path: z.string(), reason: z.string() })).max(100),
  }),
});
export type BackupParameters = z.output<typeof Backup.parameters>;
export type BackupResult = z.output<typeof Backup.result>;

/** First entry of the tar (`muster-manifest.json`), and signed by the device apart from it: what the archive holds. */
export const ArchiveManifest = z.object({
  format: z.literal(1),
  device: z.string(),
  device_name: z.string(),
  made_at: z.string(),
  boot_id: z.string(),
  generation: z.int().nullable(),
  profile: z.object({ id: z.string(), rev: z.int() }),
  system: z.record(z.string(), z.string()).describe('operating system, kernel, agent version'),
  /** Keyed digest over all files: equal content, equal digest; says nothing to others. */
  content: z.string(),
  files: z
    .array(
      z.object({
        path: z.string(),
        unit: z.string().nullable(),
        type: z.enum(['file', 'link', 'folder']),
        mode: z.string(),
        owner: z.string(),
        group: z.string(),
        size: z.int(),
        sha256: z.string().optional(),
        target: z.string().optional().describe('of a link'),
      }),
    )
    .max(100_000),
});
export type ArchiveManifest = z.output<typeof ArchiveManifest>;

/** What the device signs with its Ed25519 key, as exact text: age itself has no sender. */
export const ArchiveStatement = z.object({
  format: z.literal(1),
  device: z.string(),
  made_at: z.string(),
  manifest_sha256: z.string(),
  archive_sha256: z.string(),
  archive_bytes: z.int(),
  content: z.string(),
});
export type ArchiveStatement = z.output<typeof ArchiveStatement>;
