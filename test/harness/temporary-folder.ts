import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder of its own under the system's place for such, removed with everything in it when disposed of. */
export function temporaryFolder(purpose: string): { path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), `muster-${purpose}-`));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true, maxRetries: 3 }) };
}
