/** Stands before the name of a variable until its user is who runs. */
const mark = 'MUSTER_HELD_';

/**
 * Variables that somebody chose, for a command whose user is switched first: what switches runs as root, and the loader of programs obeys its
 * environment (`LD_PRELOAD`). They get another name, and their own once the user is who shall see them. Never arguments, which others can read.
 */
export function heldVariables(chosen: Record<string, string>): {
  env: Record<string, string>;
  /** What goes between the switch and the program. */
  release: string[];
} {
  const names = Object.keys(chosen);
  if (names.length === 0) return { env: {}, release: [] };
  const lines = names.map((name) => `export ${name}="$${mark}${name}"; unset ${mark}${name}`);
  return {
    env: Object.fromEntries(Object.entries(chosen).map(([name, value]) => [mark + name, value])),
    release: ['/bin/sh', '-c', [...lines, 'exec "$@"'].join('\n'), 'sh'],
  };
}
