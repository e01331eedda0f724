import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const projectRoot = resolve(import.meta.dirname, '..', '..');

/** Of every package that is built from this checkout. */
export const version = (
  JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as { version: string }
).version;

/** Debian's name of this machine's architecture. */
export const architecture = (): string => {
  const names: Record<string, string> = { x64: 'amd64', arm64: 'arm64' };
  const name = names[process.arch];
  if (name === undefined) throw new Error(`No package is built for ${process.arch}: expected x64 or arm64`);
  return name;
};
