import { InvalidArgumentError } from 'commander';
import { literally } from './literally.ts';

const nameForm = /^[A-Za-z0-9_.-]{1,15}$/;

/** Collects `eth0=ens1` of an option that may be repeated. */
export function interfacePair(
  text: string,
  before: Record<string, string> | undefined,
): Record<string, string> {
  const [from = '', to = '', ...others] = text.split('=');
  if (others.length > 0 || !nameForm.test(from) || !nameForm.test(to)) {
    throw new InvalidArgumentError('expected two names of interfaces, such as eth0=ens1');
  }
  if (before !== undefined && Object.hasOwn(before, from)) {
    throw new InvalidArgumentError(`${from} is mapped twice`);
  }
  return { ...before, [from]: to };
}

/**
 * Text with names of interfaces replaced, all at once, so that two can change places. A name counts where it stands alone or with a
 * VLAN or an alias behind it: `eth0`, `eth0.100`, `eth0:1`, and never within `veth0` or `eth01`.
 */
export function mapInterfaces(text: string, map: Readonly<Record<string, string>>): string {
  const names = Object.keys(map).toSorted((left, right) => right.length - left.length);
  if (names.length === 0) return text;
  const anyName = names.map((name) => literally(name)).join('|');
  return text.replace(
    new RegExp(`(?<![\\w.-])(${anyName})(?![\\w-]|\\.[A-Za-z_])`, 'g'),
    (_, name: string) => map[name] ?? name,
  );
}
