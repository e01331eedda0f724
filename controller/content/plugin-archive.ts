import { createReadStream } from 'node:fs';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createZstdDecompress } from 'node:zlib';
import tar from 'tar-stream';
import { AppError } from '../../shared/errors.ts';
import { parseJson } from '../../shared/parse.ts';
import { maxPluginManifestBytes, PluginManifest } from '../../shared/plugin.ts';
import { requireUsableSchemas } from '../../shared/node/plugin-contract.ts';

const manifestName = 'plugin.json';
/** Headers of the archive before and after the manifest, and what is unpacked beyond it at once. */
const roomBytes = 256 * 1024;

/**
 * The manifest of a plugin, which is the first entry of its archive; nothing behind it is unpacked. Throws `bad_request` that says what is
 * wrong with it.
 */
export async function readPluginManifest(
  path: string,
  signed: { name: string; version: string },
): Promise<PluginManifest> {
  const what = `${manifestName} of ${signed.name} ${signed.version}`;
  const text = await firstEntry(createReadStream(path));
  const manifest = parseJson(what, PluginManifest, text);
  if (manifest.name !== signed.name || manifest.version !== signed.version) {
    throw new AppError(
      'bad_request',
      `${what} is of ${manifest.name} ${manifest.version}: expected what was signed`,
    );
  }
  requireUsableSchemas(manifest);
  return manifest;
}

async function firstEntry(archive: Readable): Promise<string> {
  const extract = tar.extract();
  const unpacking = new AbortController();
  // Ended on purpose once the entry is read, and its own failures end the entries.
  const fed = pipeline(
    archive,
    createZstdDecompress(),
    bounded(maxPluginManifestBytes + roomBytes),
    extract,
    {
      signal: unpacking.signal,
    },
  ).catch(() => undefined);
  try {
    for await (const entry of extract) {
      const { name, type, size = 0 } = entry.header;
      if (name !== manifestName || type !== 'file') {
        throw notPlugin(`it begins with ${JSON.stringify(name.slice(0, 100))}`);
      }
      if (size > maxPluginManifestBytes) {
        throw notPlugin(`its ${manifestName} has ${size} bytes, expected at most ${maxPluginManifestBytes}`);
      }
      const chunks: Buffer[] = [];
      for await (const chunk of entry) chunks.push(chunk as Buffer);
      return Buffer.concat(chunks).toString('utf8');
    }
    throw notPlugin('it is empty');
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw notPlugin(error instanceof Error ? error.message : String(error), error);
  } finally {
    unpacking.abort();
    await fed;
  }
}

/** What unpacks to more than an honest archive would need before its first entry has ended is cut off. */
function bounded(maxBytes: number): Transform {
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes > maxBytes) done(new Error(`${manifestName} does not end within ${maxBytes} bytes`));
      else done(null, chunk);
    },
  });
}

const notPlugin = (why: string, cause?: unknown): AppError =>
  new AppError(
    'bad_request',
    `The archive is not of a plugin: expected tar.zst with ${manifestName} as its first file, and ${why}`,
    { cause },
  );
