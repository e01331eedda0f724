import { readFile } from 'node:fs/promises';
import { AppError } from '../../shared/errors.ts';
import type { Random } from '../../shared/clock.ts';
import type { BlobStore } from './blobs.ts';
import { DiskBlobs } from './disk-blobs.ts';

/** Where blobs lie, as the configuration says it; credentials stand in files. */
export type BlobPlace =
  | { folder: string }
  | {
      s3: {
        endpoint?: string | undefined;
        region: string;
        bucket: string;
        prefix: string;
        path_style: boolean;
        access_key_id_file?: string | undefined;
        secret_access_key_file?: string | undefined;
        delete_access_key_id_file?: string | undefined;
        delete_secret_access_key_file?: string | undefined;
      };
    };

/** Opens the place; the S3 client is only loaded when it is wanted. */
export async function openBlobs(place: BlobPlace, random: Random): Promise<BlobStore> {
  if ('folder' in place) return DiskBlobs.open(place.folder, random);
  const { endpoint, region, bucket, prefix, path_style: pathStyle, ...files } = place.s3;
  const credentials = await readCredentials(files.access_key_id_file, files.secret_access_key_file);
  const deleteCredentials = await readCredentials(
    files.delete_access_key_id_file,
    files.delete_secret_access_key_file,
  );
  const { S3Blobs } = await import('./s3-blobs.ts');
  return new S3Blobs({
    region,
    bucket,
    prefix,
    pathStyle,
    ...(endpoint !== undefined && { endpoint }),
    ...(credentials && { credentials }),
    ...(deleteCredentials && { deleteCredentials }),
  });
}

async function readCredentials(id: string | undefined, secret: string | undefined) {
  if (id === undefined && secret === undefined) return undefined;
  if (id === undefined || secret === undefined) {
    throw new AppError(
      'bad_request',
      'The files of access key id and secret access key are needed both, or neither',
    );
  }
  const [accessKeyId, secretAccessKey] = await Promise.all(
    [id, secret].map((file) => readFile(file, 'utf8')),
  );
  return { accessKeyId: (accessKeyId ?? '').trim(), secretAccessKey: (secretAccessKey ?? '').trim() };
}
