import { randomBytes } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Units that would start by themselves and are of no use in an appliance. */
const masked = ['console-getty.service', 'systemd-firstboot.service', 'ldconfig.service'];

/** Where units of the kind are linked to be started. */
const wantedBy = (unit: string): string =>
  unit.endsWith('.timer')
    ? 'timers.target'
    : unit.endsWith('.socket')
      ? 'sockets.target'
      : 'multi-user.target';

/** Makes a fresh copy of this machine's root a machine of its own: name, identity, and only the asked-for services start. */
export function prepareRoot(
  root: string,
  options: { hostName: string; hub: string; units: string[]; files: Record<string, string> },
): void {
  const write = (path: string, text: string) => writeInto(root, path, text);
  write('/etc/machine-id', `${randomBytes(16).toString('hex')}\n`);
  write('/etc/hostname', `${options.hostName}\n`);
  write(
    '/etc/hosts',
    `127.0.0.1 localhost\n::1 localhost\n127.0.1.1 ${options.hostName}\n${options.hub} hub\n`,
  );
  write('/etc/fstab', '');
  mkdirSync(join(root, 'var/log/journal'), { recursive: true }); // the journal of earlier boots is kept

  disableAll(root);
  for (const unit of masked) link(root, `/etc/systemd/system/${unit}`, '/dev/null');
  for (const [path, text] of Object.entries(options.files)) write(path, text);
  for (const unit of options.units) enableUnit(root, unit);
}

/** The unit starts at boot. */
export function enableUnit(root: string, unit: string): void {
  const target = [`/etc/systemd/system/${unit}`, `/lib/systemd/system/${unit}`].find((path) =>
    exists(join(root, path)),
  );
  if (target === undefined) throw new Error(`${unit} is not installed on this machine`);
  link(root, `/etc/systemd/system/${wantedBy(unit)}.wants/${unit}`, target);
}

/** Writes a file of the appliance; what was there, a link too, is replaced. */
export function writeInto(root: string, path: string, text: string | Uint8Array, mode = 0o644): void {
  const real = join(root, path);
  mkdirSync(dirname(real), { recursive: true });
  rmSync(real, { force: true });
  writeFileSync(real, text);
  chmodSync(real, mode);
}

/** A link of the appliance; what was there is replaced. */
export function link(root: string, path: string, target: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  rmSync(join(root, path), { force: true });
  symlinkSync(target, join(root, path));
}

/** What the packages of this machine enabled, and its old-style start scripts. */
function disableAll(root: string): void {
  const units = join(root, 'etc/systemd/system');
  for (const name of readdirSync(units)) {
    if (/\.(wants|requires)$/.test(name)) rmSync(join(units, name), { recursive: true });
  }
  for (const level of ['2', '3', '4', '5', 'S']) {
    rmSync(join(root, `etc/rc${level}.d`), { recursive: true, force: true });
  }
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
