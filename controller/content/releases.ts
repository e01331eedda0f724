import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { AuditAction } from '../../shared/api/audit-actions.ts';
import type { Clock, Random } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import {
  type MinisignKey,
  type MinisignSignature,
  MinisignError,
  minisignHash,
  parseMinisignSignature,
  verifyComment,
  verifyMinisign,
} from '../../shared/node/minisign.ts';
import { parseJson } from '../../shared/parse.ts';
import { agentPackage, ReleaseManifest } from '../../shared/release.ts';
import type { ReleaseRow } from '../store/releases.ts';
import type { Store, StoreTables } from '../store/store.ts';
import { type Author, auditEntry } from './audit-entry.ts';
import type { BlobProof, Blobs } from './blobs.ts';
import { readPluginManifest } from './plugin-archive.ts';
import { atMost, isCut, TooLong } from './upload-body.ts';

export interface ReleasesParts {
  store: Store;
  blobs: Blobs;
  clock: Clock;
  random: Random;
  /** An archive lies here until it is verified. */
  folder: string;
  /** Who may sign. Devices have keys of their own, and verify all of it again. */
  keys: MinisignKey[];
}

const draftPrefix = 'release-';
/** Nothing of `add` moves for so long. */
const draftMs = 86_400_000;

/** Which release: of the agent, or of a plugin, for a platform. */
export interface ReleaseWish {
  name: string;
  platform: string;
  /** The promoted one when absent. */
  version?: string | undefined;
}

/** Releases of the agent and of plugins: kept when a trusted key signed them, and handed to devices until they are yanked. */
export class Releases {
  readonly #parts: ReleasesParts;

  constructor(parts: ReleasesParts) {
    this.#parts = parts;
  }

  /**
   * The same again is no error. Throws `digest_mismatch` when it is not what was signed, `forbidden` when no trusted key signed it,
   * `bad_request` for a plugin whose manifest is not valid.
   */
  async add(
    author: Author,
    signature: string,
    body: { stream: Readable; bytes: number | undefined },
  ): Promise<ReleaseRow> {
    const { store } = this.#parts;
    const { signed, manifest } = this.#signed(signature);
    // Told before the bytes come: ending them in the middle would take the answer away too.
    if (body.bytes !== undefined) requireBytes(manifest, body.bytes);
    const file = await this.#receive(body.stream, { signed, manifest });
    try {
      const { organizationId } = author;
      const known = await store.releases.get({ ...manifest, organizationId }, manifest.version);
      if (known?.sha256 === file.proof.sha256) return await this.#audited(author, known);
      const plugin =
        manifest.name === agentPackage ? null : JSON.stringify(await readPluginManifest(file.path, manifest));
      await this.#keep(author, { signature, signed, manifest, file, plugin });
    } finally {
      await rm(file.path, { force: true });
    }
    return this.#get(author.organizationId, manifest);
  }

  /**
   * What a device is to install: the version asked for, or the promoted one; of a plugin for the platform, else for any. Throws
   * `not_found`, and `conflict` of a yanked one.
   */
  async toInstall(organizationId: string, wish: ReleaseWish): Promise<ReleaseRow> {
    const { name, platform, version } = wish;
    const { releases } = this.#parts.store;
    const platforms = name === agentPackage ? [platform] : [...new Set([platform, 'any'])];
    for (const one of platforms) {
      const of = { organizationId, name, platform: one };
      const found = await (version === undefined ? releases.promoted(of) : releases.get(of, version));
      if (found === undefined) continue;
      requireNotYanked(found);
      return found;
    }
    if (version !== undefined) throw notThere(wish, version);
    throw new AppError(
      'not_found',
      `No release${nameIn(wish)} for ${platform} is promoted: name a version, or promote one`,
    );
  }

  /** From now on it is installed when no version is named, on every platform that it is there for. */
  promote(author: Author, name: string, version: string): Promise<ReleaseRow[]> {
    return this.#change(author, { name, version, action: 'release.promote' }, async (tables, row) => {
      requireNotYanked(row);
      await tables.releases.promote(row, this.#parts.clock.now());
    });
  }

  /** From now on nobody installs it; devices that run it go on. */
  yank(author: Author, name: string, version: string): Promise<ReleaseRow[]> {
    return this.#change(author, { name, version, action: 'release.yank' }, (tables, row) =>
      tables.releases.yank(row, this.#parts.clock.now()),
    );
  }

  /** Removes what a crash left in the middle of `add`. */
  async sweep(): Promise<void> {
    const { folder, clock } = this.#parts;
    for (const name of await readdir(folder).catch(() => [])) {
      const path = join(folder, name);
      if (!name.startsWith(draftPrefix)) continue;
      const found = await stat(path).catch(() => undefined);
      if (found && clock.now() - found.mtimeMs > draftMs) await rm(path, { force: true });
    }
  }

  async #change(
    author: Author,
    { name, version, action }: { name: string; version: string; action: AuditAction },
    change: (tables: StoreTables, row: ReleaseRow) => Promise<void>,
  ): Promise<ReleaseRow[]> {
    const { store, clock } = this.#parts;
    return store.transaction(async (tables) => {
      const rows = await tables.releases.ofVersion(author.organizationId, name, version);
      if (rows.length === 0)
        throw new AppError('not_found', `There is no release ${version}${nameIn({ name })}`);
      for (const row of rows) await change(tables, row);
      const detail = { name, platforms: rows.map(({ platform }) => platform) };
      await tables.audit.append([auditEntry(author, clock.now(), { action, target: version, detail })]);
      return tables.releases.ofVersion(author.organizationId, name, version);
    });
  }

  #signed(text: string): { signed: MinisignSignature; manifest: ReleaseManifest } {
    const { keys } = this.#parts;
    if (keys.length === 0) {
      throw new AppError(
        'conflict',
        'This controller trusts no releases: name the public key of whoever signs them in releases.public_keys',
      );
    }
    try {
      const signed = parseMinisignSignature(text);
      verifyComment(signed, keys);
      return { signed, manifest: parseJson('the trusted comment', ReleaseManifest, signed.trustedComment) };
    } catch (error) {
      if (error instanceof MinisignError) throw notSigned(error);
      throw error;
    }
  }

  /** Brings the body to a file of its own, bounded by what was signed. */
  async #receive(
    body: Readable,
    { signed, manifest }: { signed: MinisignSignature; manifest: ReleaseManifest },
  ): Promise<{ path: string; proof: BlobProof }> {
    const { folder, random, keys } = this.#parts;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, `${draftPrefix}${random.uuid()}`);
    const sha256 = createHash('sha256');
    const digest = minisignHash();
    let size = 0;
    try {
      const seen = (chunk: Uint8Array): void => {
        sha256.update(chunk);
        digest.update(chunk);
        size += chunk.length;
      };
      await pipeline(
        body,
        atMost(manifest.bytes, seen),
        createWriteStream(path, { mode: 0o600, flush: true }),
      );
      verifyMinisign(signed, keys, digest.digest());
      requireBytes(manifest, size);
      return { path, proof: { sha256: sha256.digest('hex'), size } };
    } catch (error) {
      await rm(path, { force: true });
      if (error instanceof TooLong || error instanceof MinisignError) throw notWhatWasSigned(manifest, error);
      if (isCut(error)) throw new AppError('bad_request', 'The connection ended before the body');
      throw error;
    }
  }

  #keep(
    author: Author,
    {
      signature,
      signed,
      manifest,
      file,
      plugin,
    }: {
      signature: string;
      signed: MinisignSignature;
      manifest: ReleaseManifest;
      file: { path: string; proof: BlobProof };
      plugin: string | null;
    },
  ): Promise<void> {
    const { blobs, clock, random } = this.#parts;
    const { sha256 } = file.proof;
    const { name, version, platform, floor, bytes } = manifest;
    return blobs.keepFile(file.proof, file.path, async (tables) => {
      const id = random.uuid();
      const now = clock.now();
      await tables.releases.insert({
        ...{ id, organizationId: author.organizationId, name, version, platform, floor, bytes, sha256 },
        ...{ signature, plugin },
        keyId: signed.keyId,
        createdBy: author.name,
        createdAt: now,
      });
      await blobs.hold(tables, [{ sha256, kind: 'release', holder: id }]);
      const detail = { name, platform, sha256, key_id: signed.keyId };
      await tables.audit.append([
        auditEntry(author, now, { action: 'release.add', target: version, detail }),
      ]);
    });
  }

  /** Sending it again is written down too. */
  async #audited(author: Author, row: ReleaseRow): Promise<ReleaseRow> {
    const { store, clock } = this.#parts;
    const { name, platform, sha256 } = row;
    const detail = { name, platform, sha256, again: true };
    await store.audit.append([
      auditEntry(author, clock.now(), { action: 'release.add', target: row.version, detail }),
    ]);
    return row;
  }

  async #get(organizationId: string, of: ReleaseManifest): Promise<ReleaseRow> {
    const row = await this.#parts.store.releases.get({ ...of, organizationId }, of.version);
    if (row === undefined) throw notThere(of, of.version);
    return row;
  }
}

/** The agent need not be named. */
const nameIn = ({ name }: { name: string }): string => (name === agentPackage ? '' : ` of ${name}`);

const notThere = (of: { name: string; platform: string }, version: string): AppError =>
  new AppError('not_found', `There is no release ${version}${nameIn(of)} for ${of.platform}`);

function requireNotYanked(row: ReleaseRow): void {
  if (row.yankedAt === null) return;
  throw new AppError(
    'conflict',
    `Release ${row.version}${nameIn(row)} for ${row.platform} was yanked: expected another version`,
  );
}

const notSigned = (cause: Error): AppError =>
  new AppError(
    'forbidden',
    `The release is not signed by a key that this controller trusts: ${cause.message}`,
    {
      cause,
    },
  );

function requireBytes(manifest: ReleaseManifest, bytes: number): void {
  if (bytes === manifest.bytes) return;
  const wrong = new MinisignError(`The archive has ${bytes} bytes, and ${manifest.bytes} were signed`);
  throw notWhatWasSigned(manifest, wrong);
}

const notWhatWasSigned = ({ bytes }: ReleaseManifest, cause: Error): AppError =>
  new AppError(
    'digest_mismatch',
    cause instanceof TooLong
      ? `The archive is longer than the ${bytes} bytes that were signed: it was thrown away`
      : `${cause.message}: it was thrown away`,
    { cause },
  );
