import { readFileSync } from 'node:fs';

/** Whether a process runs; one that ended and was not fetched by its parent does not. */
export function isAlive(pid: number): boolean {
  try {
    return !/State:\s+[ZX]/.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
