import type { AuditAction } from '../../shared/api/audit-actions.ts';
import type { Clock, Random } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import type { z } from 'zod';
import type { ArchiveAnswer, ArchiveReadable, ArchiveReport } from '../../shared/protocol/transfer.ts';
import { ArchiveManifest, Backup, type ArchiveStatement } from '../../shared/task-types/backup.ts';
import { parseJson } from '../../shared/parse.ts';
import { type ArchiveRow, type NewArchive, archiveLevel } from '../store/archives.ts';
import type { Store, StoreTables } from '../store/store.ts';
import type { TaskRow } from '../store/tasks.ts';
import { damageOf, madeAt, requireAcceptedDrill, requireBrought, requireBytes } from './archive-checks.ts';
import { signedStatement } from './archive-statement.ts';
import { type Author, auditEntry } from './audit-entry.ts';
import type { Blobs } from './blobs.ts';

export interface ArchivesParts {
  store: Store;
  blobs: Blobs;
  clock: Clock;
  random: Random;
}

/** A manifest is read as a whole. */
export const maxManifestBytes = 32 * 1024 * 1024;

/**
 * Backups of devices.
 *
 * - An archive exists when the device signed what it is and the controller holds exactly these bytes.
 * - Size and digest are those that the controller computed itself.
 * - What a proof found is noted with its time; a proof that succeeds lifts an earlier failure.
 */
export class Archives {
  readonly #parts: ArchivesParts;

  constructor(parts: ArchivesParts) {
    this.#parts = parts;
  }

  /** Takes what a BACKUP made, or its word that the newest archive still is what the device has. Repeating it is harmless. */
  async report(
    task: TaskRow,
    device: { id: string; publicKey: string; nextPublicKey?: string | null },
    report: ArchiveReport,
  ): Promise<Answer> {
    const { statement, deviceKey } = signedStatement(device, report);
    if (report.outcome === 'unchanged') return this.#unchanged(task, statement, report);

    const manifest = await this.#manifest(task, statement);
    return this.#parts.store.transaction(async (tables) => {
      const known = await tables.archives.byTask(task.code);
      if (known?.statement === report.statement) return answerOf(known);
      if (known) throw new AppError('conflict', `Task ${task.code} has stored archive ${known.id} already`);
      const size = await requireBytes(tables, task, statement);
      const row = this.#newArchive(task, { statement, report, manifest, size, deviceKey });
      await this.#parts.blobs.hold(
        tables,
        [row.sha256, row.manifestSha256].map((sha256) => ({
          sha256,
          kind: 'archive' as const,
          holder: row.id,
        })),
      );
      await tables.archives.insert(row);
      const detail = { task: task.code, device: task.deviceName, size, sha256: row.sha256, files: row.files };
      await this.#audit(tables, deviceAuthor(task), { action: 'archive.create', target: row.id, detail });
      return { archive: row.id, size, sha256: row.sha256, level: 'stored' };
    });
  }

  /** The device read its archive back from the store and decrypted it, every file as the manifest says. */
  readable(
    task: TaskRow,
    { archive, files, plain_bytes: plainBytes }: z.output<typeof ArchiveReadable>,
  ): Promise<Answer> {
    const now = this.#parts.clock.now();
    return this.#parts.store.transaction(async (tables) => {
      const row = await tables.archives.get(task.organizationId, archive);
      if (row?.task !== task.code) {
        throw new AppError('not_found', `Task ${task.code} has no archive ${archive}`);
      }
      if (row.damagedAt !== null) {
        throw new AppError(
          'digest_mismatch',
          `Archive ${archive} is damaged: ${row.damage ?? 'it cannot be read'}`,
        );
      }
      if (row.readableAt === null) {
        await tables.archives.note(archive, { kind: 'readable' }, now);
        const detail = { task: task.code, files, plain_bytes: plainBytes };
        await this.#audit(tables, deviceAuthor(task), {
          action: 'archive.readable',
          target: archive,
          detail,
        });
      }
      return { ...answerOf(row), level: row.restorableAt === null ? 'readable' : 'restorable' };
    });
  }

  /** Throws `not_found`. */
  async get(organizationId: string, id: string): Promise<ArchiveRow> {
    const row = await this.#parts.store.archives.get(organizationId, id);
    if (row === undefined) throw new AppError('not_found', `Archive ${id} does not exist`);
    return row;
  }

  /** Reads the object again, compares size and digest, and notes what came out. */
  async verify(author: Author, id: string): Promise<{ row: ArchiveRow; ok: boolean; message: string }> {
    const { store, blobs } = this.#parts;
    const { sha256, size } = await this.get(author.organizationId, id);
    const proof = await blobs.prove(sha256);
    const damage = damageOf(proof, { sha256, size });
    const message = damage ?? `All ${size} bytes are there, and their SHA-256 is ${sha256}`;
    await store.transaction(async (tables) => {
      const note =
        damage === undefined ? { kind: 'verified' as const } : { kind: 'damaged' as const, damage };
      await tables.archives.note(id, note, this.#parts.clock.now());
      const detail = { ok: damage === undefined, message };
      await this.#audit(tables, author, { action: 'archive.verify', target: id, detail });
    });
    return { row: await this.get(author.organizationId, id), ok: damage === undefined, message };
  }

  /** A holder of an escrow key decrypted it, and a device accepted what was in it: `task` is that dry run. */
  async restorable(author: Author, id: string, drill: { task: string; files: number }): Promise<ArchiveRow> {
    const { store } = this.#parts;
    const row = await this.get(author.organizationId, id);
    const task = await store.tasks.get(author.organizationId, drill.task);
    if (task === undefined) throw new AppError('not_found', `Task ${drill.task} does not exist`);
    requireAcceptedDrill(task, row);
    await store.transaction(async (tables) => {
      await tables.archives.note(id, { kind: 'restorable' }, this.#parts.clock.now());
      const detail = { task: task.code, device: task.deviceName, files: drill.files };
      await this.#audit(tables, author, { action: 'archive.restorable', target: id, detail });
    });
    return this.get(author.organizationId, id);
  }

  async #unchanged(task: TaskRow, statement: ArchiveStatement, report: ArchiveReport): Promise<Answer> {
    const { store, blobs } = this.#parts;
    const rows = await store.archives.withBytes(task.deviceId, statement.archive_sha256);
    const row = rows.find(({ content, damagedAt }) => content === statement.content && damagedAt === null);
    const isWhole = row !== undefined && (await blobs.holdsAll(row.sha256));
    if (row !== undefined && !isWhole) {
      const damage = 'The object is not in the store any more, or not as long as it was';
      await store.archives.note(row.id, { kind: 'damaged', damage }, this.#parts.clock.now());
    }
    if (row === undefined || !isWhole) {
      throw new AppError(
        'conflict',
        `There is no whole archive of ${task.deviceName} with these bytes and this content: make a new one`,
      );
    }
    await store.transaction(async (tables) => {
      await tables.archives.note(row.id, { kind: 'unchanged' }, this.#parts.clock.now());
      const detail = { task: task.code, statement: report.statement, signature: report.signature };
      await this.#audit(tables, deviceAuthor(task), { action: 'archive.unchanged', target: row.id, detail });
    });
    return answerOf(row);
  }

  async #manifest(task: TaskRow, statement: ArchiveStatement): Promise<ArchiveManifest> {
    const sha256 = statement.manifest_sha256;
    await requireBrought(this.#parts.store, task, { name: 'manifest', sha256 });
    const text = await this.#parts.blobs.text(sha256, maxManifestBytes);
    const manifest = parseJson(`The manifest of task ${task.code}`, ArchiveManifest, text);
    if (manifest.content !== statement.content || manifest.device !== statement.device) {
      throw new AppError(
        'digest_mismatch',
        `The manifest of task ${task.code} is of another device or content than the statement`,
      );
    }
    return manifest;
  }

  #newArchive(
    task: TaskRow,
    made: {
      statement: ArchiveStatement;
      report: ArchiveReport;
      manifest: ArchiveManifest;
      size: number;
      deviceKey: string;
    },
  ): NewArchive {
    const { statement, report, manifest, size, deviceKey } = made;
    return {
      id: this.#parts.random.uuid(),
      organizationId: task.organizationId,
      deviceId: task.deviceId,
      task: task.code,
      size,
      sha256: statement.archive_sha256,
      manifestSha256: statement.manifest_sha256,
      content: statement.content,
      files: manifest.files.length,
      madeAt: madeAt(statement.made_at),
      storedAt: this.#parts.clock.now(),
      recipients: Backup.parameters.parse(JSON.parse(task.parameters)).recipients,
      statement: report.statement,
      signature: report.signature,
      deviceKey,
    };
  }

  #audit(
    tables: StoreTables,
    author: Author,
    what: { action: AuditAction; target: string; detail: Record<string, unknown> },
  ): Promise<void> {
    return tables.audit.append([auditEntry(author, this.#parts.clock.now(), what)]);
  }
}

type Answer = ArchiveAnswer;

const answerOf = (row: ArchiveRow): Answer => ({
  archive: row.id,
  size: row.size,
  sha256: row.sha256,
  level: archiveLevel(row),
});

const deviceAuthor = ({ deviceName, organizationId }: TaskRow): Author => ({
  name: `device ${deviceName}`,
  organizationId,
  ipAddress: null,
  requestId: null,
});
