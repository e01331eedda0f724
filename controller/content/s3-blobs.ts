import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  NoSuchKey,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
  paginateListObjectsV2,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import type { Instant } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import type { BlobSource, BlobStore, ByteRange } from './blobs.ts';

export interface S3Credentials {
  accessKeyId: string;
  secretAccessKey: string;
}

export interface S3Options {
  /** Absent: AWS itself. */
  endpoint?: string;
  region: string;
  bucket: string;
  /** Before every key, such as `muster/`. */
  prefix: string;
  /** `https://endpoint/bucket/key` instead of `https://bucket.endpoint/key`. */
  pathStyle: boolean;
  /** Absent: wherever the SDK finds some (environment, instance role). */
  credentials?: S3Credentials;
  /** Who may delete, so that the one that writes need not be able to. */
  deleteCredentials?: S3Credentials;
}

/** A part of a large object; S3 takes 10,000 parts, each of 5 MiB at least. */
const partBytes = 8 * 1024 * 1024;
const maxParts = 9_000;
/** Parts in memory at once, per object. */
const partsAtOnce = 2;

/** Blobs as objects of an S3-compatible bucket, `<prefix>ab/abcd…`. Every put is create-only: an object that is there is kept. */
export class S3Blobs implements BlobStore {
  readonly #options: S3Options;
  readonly #client: S3Client;
  readonly #deleter: S3Client;

  constructor(options: S3Options) {
    this.#options = options;
    this.#client = clientOf(options, options.credentials);
    this.#deleter = options.deleteCredentials ? clientOf(options, options.deleteCredentials) : this.#client;
  }

  async put(sha256: string, source: BlobSource): Promise<void> {
    const target = this.#object(sha256);
    const size = 'file' in source ? source.size : source.bytes.length;
    const found = await this.size(sha256);
    if (found === size) return;
    if (found !== undefined) {
      throw new AppError(
        'digest_mismatch',
        `Object ${target.Key} has ${found} bytes, expected ${size}: it was replaced or cut, and is not written over`,
      );
    }
    try {
      await this.#send(target, source, size);
    } catch (error) {
      // Somebody else was faster with the same content.
      if (!isPreconditionFailed(error)) throw s3Error(error, `storing ${target.Key}`);
    }
  }

  async size(sha256: string): Promise<number | undefined> {
    const target = this.#object(sha256);
    try {
      const { ContentLength } = await this.#client.send(new HeadObjectCommand(target));
      return ContentLength;
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw s3Error(error, `looking for ${target.Key}`);
    }
  }

  async read(sha256: string, range?: ByteRange): Promise<Readable> {
    const target = this.#object(sha256);
    const Range = range && `bytes=${range.start}-${range.end ?? ''}`;
    try {
      const { Body } = await this.#client.send(new GetObjectCommand({ ...target, ...(Range && { Range }) }));
      if (Body instanceof Readable) return Body;
    } catch (error) {
      if (!isAbsent(error)) throw s3Error(error, `reading ${target.Key}`);
    }
    throw new AppError('not_found', `The bytes of blob ${sha256} are not in the bucket`);
  }

  async delete(sha256: string): Promise<void> {
    const target = this.#object(sha256);
    try {
      await this.#deleter.send(new DeleteObjectCommand(target));
    } catch (error) {
      if (!isAbsent(error)) throw s3Error(error, `deleting ${target.Key}`);
    }
  }

  async *list(): AsyncGenerator<{ sha256: string; size: number; storedAt: Instant }> {
    const { bucket, prefix } = this.#options;
    const pages = paginateListObjectsV2({ client: this.#client }, { Bucket: bucket, Prefix: prefix });
    for await (const { Contents = [] } of pages) {
      for (const { Key = '', Size = 0, LastModified } of Contents) {
        const sha256 = /^[0-9a-f]{2}\/([0-9a-f]{64})$/.exec(Key.slice(prefix.length))?.[1];
        if (sha256 !== undefined && LastModified)
          yield { sha256, size: Size, storedAt: LastModified.getTime() };
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.destroy();
    this.#deleter.destroy();
  }

  async #send(target: { Bucket: string; Key: string }, source: BlobSource, size: number): Promise<void> {
    const common = { ...target, ContentType: 'application/octet-stream', IfNoneMatch: '*' };
    if ('bytes' in source) {
      await this.#client.send(new PutObjectCommand({ ...common, Body: source.bytes }));
      return;
    }
    const upload = new Upload({
      client: this.#client,
      params: { ...common, Body: createReadStream(source.file) },
      partSize: Math.max(partBytes, Math.ceil(size / maxParts)),
      queueSize: partsAtOnce,
    });
    await upload.done();
  }

  #object(sha256: string): { Bucket: string; Key: string } {
    const { bucket, prefix } = this.#options;
    return { Bucket: bucket, Key: `${prefix}${sha256.slice(0, 2)}/${sha256}` };
  }
}

const clientOf = (options: S3Options, credentials: S3Credentials | undefined): S3Client =>
  new S3Client({
    region: options.region,
    forcePathStyle: options.pathStyle,
    ...(options.endpoint !== undefined && { endpoint: options.endpoint }),
    ...(credentials && { credentials }),
    // Other stores than AWS do not know the checksums that the SDK adds by itself; the signature covers the bytes anyway.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });

const statusOf = (error: unknown): number | undefined =>
  error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;

const isAbsent = (error: unknown): boolean => error instanceof NoSuchKey || statusOf(error) === 404;

/** 412: it is there; 409: it is being made at this moment. */
const isPreconditionFailed = (error: unknown): boolean => [409, 412].includes(statusOf(error) ?? 0);

const s3Error = (cause: unknown, what: string): AppError => {
  const why = cause instanceof Error ? `${cause.name} ${cause.message}` : String(cause);
  return new AppError('unavailable', `The object store did not answer well when ${what}: ${why}`, { cause });
};
