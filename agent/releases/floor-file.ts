import { existsSync, readFileSync } from 'node:fs';
import { replaceFile } from '../../shared/node/replace-file.ts';
import { compareVersions } from '../../shared/release.ts';

/** Below which version nothing is installed; it never sinks. */
export class FloorFile {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  get version(): string | undefined {
    return existsSync(this.#path) ? readFileSync(this.#path, 'utf8').trim() : undefined;
  }

  raise(version: string): void {
    const { version: floor } = this;
    if (floor !== undefined && compareVersions(version, floor) <= 0) return;
    replaceFile(this.#path, `${version}\n`);
  }
}
