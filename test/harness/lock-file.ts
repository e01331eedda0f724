import { readFileSync, writeFileSync } from 'node:fs';

interface LockEntry {
  version?: string;
  dev?: boolean;
  optional?: boolean;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  engines?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}

export interface LockFile {
  packages: Record<string, LockEntry>;
}

export const readLockFile = (path: string): LockFile => JSON.parse(readFileSync(path, 'utf8')) as LockFile;

/**
 * Optional dependencies that the lock file names and has no entry for. `npm ci` refuses such a file; npm writes one whenever the registry
 * it asked lacks a package for another platform.
 */
export function missingOptional(lock: LockFile): { name: string; version: string; dev: boolean }[] {
  return Object.entries(lock.packages).flatMap(([path, entry]) =>
    Object.entries(entry.optionalDependencies ?? {})
      .filter(([name]) => !isLocked(lock, path, name))
      .map(([name, version]) => ({ name, version, dev: entry.dev === true })),
  );
}

/** Adds an entry for each, with the platform that its name tells, so that npm leaves it alone on every other platform. */
export function completeLockFile(path: string): string[] {
  const lock = readLockFile(path);
  const missing = missingOptional(lock);
  for (const { name, version, dev } of missing) {
    if (!/^\d+\.\d+\.\d+$/.test(version)) throw new Error(`${name}@${version} is not an exact version`);
    lock.packages[`node_modules/${name}`] = {
      version,
      ...(dev ? { dev } : {}),
      optional: true,
      ...platformOf(name),
    };
  }
  const { '': root, ...others } = lock.packages;
  const sorted = Object.entries(others).sort(([left], [right]) => left.localeCompare(right, 'en')); // npm's order
  lock.packages = { ...(root ? { '': root } : {}), ...Object.fromEntries(sorted) };
  writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
  return missing.map(({ name }) => name);
}

/** As Node.js resolves: beside the package, or in any node_modules above it. */
function isLocked(lock: LockFile, from: string, name: string): boolean {
  for (let base = from; ; base = base.slice(0, Math.max(0, base.lastIndexOf('node_modules/') - 1))) {
    if (lock.packages[`${base === '' ? '' : `${base}/`}node_modules/${name}`]) return true;
    if (base === '') return false;
  }
}

function platformOf(name: string): Pick<LockEntry, 'os' | 'cpu' | 'libc'> {
  const words = name.replace(/^.*\//, '').split('-');
  const os = words.find((word) => /^(android|darwin|freebsd|linux|openharmony|win32)$/.test(word));
  const cpu = words.find((word) => /^(arm|arm64|ia32|ppc64|riscv64|s390x|x64)$/.test(word));
  if (os === undefined || cpu === undefined) throw new Error(`${name} does not say its platform`);
  const libc = name.includes('musl') ? 'musl' : os === 'linux' && name.includes('gnu') ? 'glibc' : undefined;
  return { os: [os], cpu: [cpu], ...(libc ? { libc: [libc] } : {}) };
}

if (import.meta.main) {
  const added = completeLockFile('package-lock.json');
  process.stdout.write(
    added.length === 0 ? 'package-lock.json is complete\n' : `added ${added.join(', ')}\n`,
  );
}
