import { readFileSync, writeFileSync } from 'node:fs';

/** Resets a process's highest resident memory; what is returned tells, in MiB, how high it was since. */
export function residentPeak(pid: number): () => number {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
  return () => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
}
