import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { bundle } from './bundle.ts';
import type { Package } from './packages.ts';
import { architecture, projectRoot, version } from './project.ts';

const filesFolder = join(import.meta.dirname, 'files');
const maintainer = 'Muster <muster@example.org>';

/** What a build made. Sizes in bytes. */
export interface Built {
  name: string;
  deb: string;
  debBytes: number;
  tarball: string;
  installedBytes: number;
}

/** Lays a package out below `root`, as it will stand on the machine. */
export async function layOut(one: Package, root: string): Promise<void> {
  const home = join(root, 'usr/lib', one.name);
  rmSync(root, { recursive: true, force: true });
  put(join(home, 'bin/node'), nodeBinary(), 0o755);
  execFileSync('strip', ['--strip-unneeded', join(home, 'bin/node')]);
  for (const { name, program, nodeOptions } of one.programs) {
    await bundle(program, join(home, 'programs', name));
    put(join(root, 'usr/bin', name), launcher(one, name, nodeOptions), 0o755);
  }
  stripAddons(home);
  for (const [from, to] of Object.entries(one.scripts ?? {})) {
    put(join(home, to), readFileSync(join(projectRoot, from)), 0o755);
  }
  for (const unit of one.units) {
    put(join(root, 'lib/systemd/system', unit), readFileSync(join(projectRoot, 'systemd', unit)));
  }
  for (const [from, to] of Object.entries(one.files)) {
    const text = readFileSync(join(filesFolder, from));
    const isManual = to.includes('/man/');
    put(join(root, `${to}${isManual ? '.gz' : ''}`), isManual ? gzipped(text) : text);
  }
  if (one.programs.some(({ name }) => name === 'muster')) completions(root, home);
  documents(one, root);
  tidyModes(root);
}

/**
 * Makes the .deb of what was laid out below `root`, and a plain tarball of the same. `level` is xz’s: 6 takes minutes, 0 is a third larger
 * and takes seconds.
 */
export function buildDeb(one: Package, root: string, out: string, level: number): Built {
  const installedBytes = sizeOf(root);
  control(one, root, installedBytes);
  const deb = join(out, `${one.name}_${version}_${architecture()}.deb`);
  execFileSync('dpkg-deb', ['--root-owner-group', '-Zxz', `-z${level}`, '--build', root, deb], {
    stdio: 'pipe',
  });
  const tarball = deb.replace(/\.deb$/, '.tar.xz');
  writeFileSync(tarball, execFileSync('ar', ['p', deb, 'data.tar.xz'], { maxBuffer: 1024 ** 3 }));
  rmSync(join(root, 'DEBIAN'), { recursive: true });
  return { name: one.name, deb, debBytes: lstatSync(deb).size, tarball, installedBytes };
}

function control(one: Package, root: string, installedBytes: number): void {
  const fields = [
    `Package: ${one.name}`,
    `Version: ${version}`,
    `Architecture: ${architecture()}`,
    `Maintainer: ${maintainer}`,
    `Installed-Size: ${Math.ceil(installedBytes / 1024)}`,
    `Depends: ${one.depends.join(', ')}`,
    'Section: admin',
    'Priority: optional',
    `Description: ${one.summary}`,
    ...one.description.split('\n').map((line) => ` ${line}`),
  ];
  put(join(root, 'DEBIAN/control'), `${fields.join('\n')}\n`);
  const paths = filesBelow(root).filter((path) => !path.startsWith('DEBIAN/'));
  const kept = paths.filter((path) => path.startsWith('etc/'));
  put(join(root, 'DEBIAN/conffiles'), kept.map((path) => `/${path}\n`).join(''));
  const sums = paths.map((path) => `${md5(readFileSync(join(root, path)))}  ${path}\n`);
  put(join(root, 'DEBIAN/md5sums'), sums.join(''));
  for (const script of ['postinst', 'prerm', 'postrm']) {
    put(join(root, 'DEBIAN', script), readFileSync(join(filesFolder, `${one.name}.${script}`)), 0o755);
  }
}

/** The project brings its own Node.js; that one goes along. */
function nodeBinary(): Buffer {
  return readFileSync(join(projectRoot, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node'));
}

function launcher(one: Package, name: string, nodeOptions: string[]): string {
  const home = `/usr/lib/${one.name}`;
  if (one.starter !== undefined) return `#!/bin/sh\nexec ${home}/${one.starter} "$@"\n`;
  const command = [`${home}/bin/node`, ...nodeOptions, `${home}/programs/${name}/bin.js`].join(' ');
  // The controller's files belong to its own user, also those that `init` makes.
  const asUser =
    name === 'muster-controller'
      ? `[ "$(id -u)" != 0 ] || exec setpriv --reuid=muster --regid=muster --init-groups ${command} "$@"\n`
      : '';
  return `#!/bin/sh\n${asUser}exec ${command} "$@"\n`;
}

function stripAddons(home: string): void {
  for (const path of filesBelow(home).filter((one) => one.endsWith('.node'))) {
    execFileSync('strip', ['--strip-unneeded', join(home, path)]);
  }
}

/** Made by the program itself, from the bundle that is shipped. */
function completions(root: string, home: string): void {
  const places = {
    bash: 'usr/share/bash-completion/completions/muster',
    zsh: 'usr/share/zsh/vendor-completions/_muster',
    fish: 'usr/share/fish/vendor_completions.d/muster.fish',
  };
  for (const [shell, place] of Object.entries(places)) {
    const program = [join(home, 'programs/muster/bin.js'), 'completion', shell];
    put(join(root, place), execFileSync(join(home, 'bin/node'), program));
  }
}

function documents(one: Package, root: string): void {
  const folder = join(root, 'usr/share/doc', one.name);
  put(join(folder, 'copyright'), readFileSync(join(filesFolder, 'copyright')));
  const entry = `${one.name} (${version}) stable; urgency=medium\n\n  * This version.\n\n -- ${maintainer}  Thu, 01 Jan 2026 00:00:00 +0000\n`;
  put(join(folder, 'changelog.gz'), gzipped(Buffer.from(entry)));
  put(join(root, 'usr/share/lintian/overrides', one.name), overrides(one));
}

/** What Node.js is made of cannot be changed here. */
const overrides = ({ name }: Package): string =>
  [
    '# Node.js is built with the zlib in its own sources, and not as a position-independent program.',
    `${name}: embedded-library zlib [usr/lib/${name}/bin/node]`,
    `${name}: hardening-no-pie [usr/lib/${name}/bin/node]`,
    '',
  ].join('\n');

function put(path: string, content: string | Uint8Array, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  writeFileSync(path, content);
  chmodSync(path, mode);
}

/** What came from packages keeps no mode of this machine. */
function tidyModes(root: string): void {
  for (const path of filesBelow(root, { folders: true })) {
    const full = join(root, path);
    const stats = lstatSync(full);
    const isProgram = stats.isDirectory() || /(^|\/)bin\/[^/]+$|\.sh$|\/launch$/.test(path);
    chmodSync(full, isProgram ? 0o755 : 0o644);
  }
}

function filesBelow(root: string, { folders = false } = {}): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((one) => folders || !one.isDirectory())
    .map((one) => relative(root, join(one.parentPath, one.name)))
    .sort();
}

const sizeOf = (root: string): number =>
  filesBelow(root).reduce((sum, path) => sum + lstatSync(join(root, path)).size, 0);

/** Without a time, so that the same content gives the same bytes. */
const gzipped = (content: Uint8Array): Buffer => gzipSync(content, { level: 9 });

const md5 = (content: Uint8Array): string => createHash('md5').update(content).digest('hex');
