import { availableParallelism, loadavg } from 'node:os';

export async function load(): Promise<{ load1: number; load5: number; load15: number; cpus: number }> {
  const [load1 = 0, load5 = 0, load15 = 0] = loadavg();
  return { load1, load5, load15, cpus: availableParallelism() };
}
