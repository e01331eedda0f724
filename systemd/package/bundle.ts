import { build, type Plugin } from 'esbuild';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { projectRoot } from './project.ts';

/** A program and what it is made of. */
export interface Program {
  /** Sources, from the project's folder; the first is the one that is started. */
  entries: string[];
  /** Files that the sources find beside themselves, and where the bundle finds them: relative to its folder. */
  beside: Record<string, string>;
  /** Packages with native code: they go along as they are, for this machine's architecture only. */
  native: string[];
}

/** CommonJS libraries expect these three; the code of a bundle is an ES module. */
const banner =
  "import { createRequire as createRequireOfBundle } from 'node:module';" +
  'const require = createRequireOfBundle(import.meta.url);' +
  'const __dirname = import.meta.dirname; const __filename = import.meta.filename;';

/** The library of schemas brings its messages in 50 languages, and all of them would be loaded. */
const englishOnly: Plugin = {
  name: 'english-only',
  setup({ onResolve }) {
    onResolve({ filter: /\/locales\/index\.js$/ }, async ({ path, resolveDir }) => {
      const english = join(resolveDir, path.replace(/index\.js$/, 'en.js'));
      return /[\\/]zod[\\/]/.test(resolveDir) ? { path: english } : undefined;
    });
  },
};

/** Faster variants that `ws` and others would load if somebody had installed them. */
const neverInstalled = ['bufferutil', 'utf-8-validate', 'pg-native'];

/** What is in a native package and of no use on a device. */
const unused = /\/(src|deps|build|test|tests|docs|\.github)(\/|$)|\.(d\.ts|md|map|gyp|gypi|cc|h)$/;

/** Bundles a program into `folder`: minified JavaScript in chunks, so that what only one command needs is loaded by that command. */
export async function bundle(program: Program, folder: string): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await build({
    absWorkingDir: projectRoot,
    entryPoints: program.entries,
    outdir: folder,
    entryNames: '[name]',
    chunkNames: 'chunk-[hash]',
    bundle: true,
    splitting: true,
    minify: true,
    keepNames: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    banner: { js: banner },
    external: [...program.native, ...neverInstalled],
    plugins: [englishOnly],
    legalComments: 'none',
    logLevel: 'warning',
  });
  // The launcher names its Node.js; a first line that names another one would only mislead.
  const started = join(folder, 'bin.js');
  writeFileSync(started, readFileSync(started, 'utf8').replace(/^#!.*\n/, ''));
  for (const [from, to] of Object.entries(program.beside)) {
    cpSync(join(projectRoot, from), join(folder, to), { recursive: true });
  }
  for (const name of program.native) copyNative(name, join(folder, 'node_modules'));
}

/** A package and the one among its optional packages that was installed: that of this architecture. */
function copyNative(name: string, modules: string): void {
  const from = join(projectRoot, 'node_modules', name);
  const manifest = createRequire(import.meta.url)(join(from, 'package.json')) as {
    optionalDependencies?: Record<string, string>;
  };
  cpSync(from, join(modules, name), { recursive: true, filter: (path) => isWanted(path.slice(from.length)) });
  for (const part of Object.keys(manifest.optionalDependencies ?? {})) {
    try {
      const found = dirname(createRequire(join(from, 'package.json')).resolve(`${part}/package.json`));
      cpSync(found, join(modules, part), {
        recursive: true,
        filter: (path) => isWanted(path.slice(found.length)),
      });
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND')) throw error;
    }
  }
}

function isWanted(path: string): boolean {
  const prebuild = /\/prebuilds\/([^/]+)\.node$/.exec(path)?.[1];
  if (prebuild !== undefined) return prebuild === `${process.platform}-${process.arch}`;
  return !unused.test(path);
}
