import { readFileSync } from 'node:fs';

/** Resident memory of a process, in MiB. */
export function residentMib(pid: number): number {
  const found = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  if (!found) throw new Error(`process ${pid} has no resident memory`);
  return Number(found[1]) / 1024;
}
