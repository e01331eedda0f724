import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { z } from 'zod';

const program = `process.stdout.write(JSON.stringify(process.getBuiltinModule('tls').getCACertificates('default')))`;
const maxBytes = 8_388_608;

/**
 * The certificates (PEM) that this agent would trust if it were started now. A process reads them once in its life, so that it would go
 * on for as long as it lives with a trust that is gone from the disk.
 */
export async function trustNow(signal: AbortSignal): Promise<string[]> {
  const argv = [...process.execArgv, '--eval', program];
  const { stdout } = await promisify(execFile)(process.execPath, argv, { signal, maxBuffer: maxBytes });
  return z.array(z.string()).parse(JSON.parse(stdout));
}
