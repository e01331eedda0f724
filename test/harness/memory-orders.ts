import { createHash, createHmac } from 'node:crypto';
import type { Manifest, ManifestFile } from '../../shared/manifest.ts';
import { Sync, type SyncParameters } from '../../shared/task-types/sync.ts';
import type { TransactionKeys, TransactionTransfers } from '../../agent/transaction/transaction-parts.ts';
import { TaskError } from '../../shared/errors.ts';

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

type WantedFile = Partial<ManifestFile> & { path: string; text: string };

/** What a controller holds for its devices' transactions, in memory. */
export class MemoryOrders {
  readonly blobs = new Map<string, Buffer>();
  /** Values of secret variables. */
  secrets: Record<string, string> = {};
  /** Digests that were asked for. */
  readonly fetched: string[] = [];

  put(text: string): string {
    const digest = sha256(text);
    this.blobs.set(digest, Buffer.from(text));
    return digest;
  }

  file({ text, path, ...over }: WantedFile): ManifestFile {
    return {
      path,
      unit: path.split('/')[2] ?? '',
      mode: '0644',
      owner: 'root',
      group: 'root',
      blob: this.put(text),
      size: Buffer.byteLength(text),
      encoding: 'plain',
      ...over,
    };
  }

  /** The order for a manifest, as the controller would sign it. */
  order(
    manifest: Partial<Manifest> & Pick<Manifest, 'files'>,
    parameters: Partial<SyncParameters> = {},
  ): SyncParameters {
    const whole: Manifest = {
      format: 1,
      device: 'device-1',
      generation: 1,
      profile: { id: 'memory', rev: 1 },
      absent: [],
      secrets: {},
      ...manifest,
    };
    return this.orderText(JSON.stringify(whole), { generation: whole.generation, ...parameters });
  }

  orderText(text: string, parameters: Partial<SyncParameters> & { generation: number }): SyncParameters {
    return Sync.parameters.parse({
      manifest: this.put(text),
      manifest_bytes: Buffer.byteLength(text),
      ...parameters,
    });
  }

  get transfers(): TransactionTransfers {
    const { blobs, fetched } = this;
    const values = (): string => JSON.stringify(this.secrets);
    return {
      async *download({ sha256: digest, maxBytes }) {
        const bytes = blobs.get(digest);
        fetched.push(digest);
        if (!bytes)
          throw new TaskError('rejected_fetch', `The controller has no blob ${digest.slice(0, 12)}: 404`);
        if (bytes.byteLength > maxBytes) throw new TaskError('rejected_fetch', 'The blob is too large');
        for (let at = 0; at < bytes.byteLength; at += 1000) yield bytes.subarray(at, at + 1000);
      },
      secrets: async () => seal(values()),
    };
  }
}

/** Stands for age: turned inside out, so that it is no plaintext. */
export const seal = (text: string): Buffer => Buffer.from(`sealed ${Buffer.from(text).toString('base64')}`);

/** Keys without threads of their own: they answer in the same turn. */
export const memoryKeys: TransactionKeys = {
  stateDigest: (text) => createHmac('sha256', 'of the device').update(text).digest('hex'),
  secretToken: (value) => createHmac('sha256', 'of secrets').update(value).digest('hex').slice(0, 8),
  async *decrypt(ciphertext) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of ciphertext) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString('utf8');
    if (!text.startsWith('sealed ')) throw new Error('this is not sealed for this device');
    yield Buffer.from(text.slice(7), 'base64');
  },
};
