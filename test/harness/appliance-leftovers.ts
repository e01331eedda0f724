import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';

/** Namespaces, cgroups, mounts and folders on this machine that appliances of a process made and that are still there. */
export const leftovers = (pid: number | undefined = process.pid): string[] =>
  [
    execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' }),
    execFileSync('sh', ['-c', 'ls /sys/fs/cgroup/*'], { encoding: 'utf8' }),
    execFileSync('mount', { encoding: 'utf8' }),
    readdirSync(tmpdir()).join('\n'),
  ].flatMap((text) => text.split('\n').filter((line) => line.includes(`muster-${pid}-`)));
