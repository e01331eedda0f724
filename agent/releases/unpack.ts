import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, createReadStream, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createZstdDecompress } from 'node:zlib';
import { TaskError } from '../../shared/errors.ts';
import { runTool } from '../system/tool.ts';

/**
 * Unpacks an archive that was verified into `folder`. Until all of it is on the disk and passed `prove`, it has another name: a tree without
 * `.tmp` is whole.
 */
export async function unpack(
  archive: string,
  folder: string,
  {
    maxBytes,
    signal,
    prove,
  }: { maxBytes: number; signal: AbortSignal; prove: (draft: string) => Promise<void> },
): Promise<void> {
  const draft = `${folder}.tmp`;
  rmSync(draft, { recursive: true, force: true });
  // Nobody else looks into it before it was looked through.
  mkdirSync(draft, { mode: 0o700 });
  try {
    await untar(archive, draft, { maxBytes, signal });
    await prove(draft);
    chmodSync(draft, 0o755);
    await mustRun('sync', ['--file-system', draft]);
    renameSync(draft, folder);
    await mustRun('sync', [join(folder, '..')]);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    throw error;
  }
}

async function untar(
  archive: string,
  folder: string,
  { maxBytes, signal }: { maxBytes: number; signal: AbortSignal },
): Promise<void> {
  const argv = ['--extract', '--no-same-owner', '--same-permissions', '--directory', folder, '--file', '-'];
  const tar = spawn('tar', argv, { stdio: ['pipe', 'ignore', 'pipe'], signal });
  let said = '';
  tar.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (said.length < 2000) said += text;
  });
  const feeding = pipeline(createReadStream(archive), createZstdDecompress(), atMost(maxBytes), tar.stdin, {
    signal,
  }).catch((error: unknown) => {
    if (!isEarlyEnd(error)) tar.kill('SIGKILL');
    throw error;
  });
  const [fed, ended] = await Promise.allSettled([feeding, once(tar, 'close')]);
  signal.throwIfAborted();
  // tar may end before the padding behind an archive was handed to it; its exit code says whether it saw all of it.
  const failed = [fed, ended].find((one) => one.status === 'rejected' && !isEarlyEnd(one.reason));
  if (failed?.status !== 'rejected' && tar.exitCode === 0) return;
  const why = failed?.status === 'rejected' ? String((failed.reason as Error).message) : said.trim();
  throw badRelease(`it cannot be unpacked: ${(said.trim() || why).slice(0, 300)}`);
}

const isEarlyEnd = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  (error.code === 'EPIPE' || error.code === 'ERR_STREAM_PREMATURE_CLOSE');

function atMost(bytes: number): Transform {
  let left = bytes;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      left -= chunk.length;
      if (left < 0) done(new Error(`it has more than the ${bytes} bytes that it says it has`));
      else done(null, chunk);
    },
  });
}

async function mustRun(file: string, args: string[]): Promise<void> {
  const end = await runTool(file, args, { timeoutMs: 120_000 });
  if (end?.exitCode !== 0)
    throw new TaskError('install_failed', `${file}: ${end?.stderr.trim() ?? 'missing'}`);
}

/** Signed, and of no use here. */
export const badRelease = (why: string): TaskError =>
  new TaskError('bad_release', `The release is of no use: ${why}`);
