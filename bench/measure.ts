import { readFileSync } from 'node:fs';

/** Clock ticks per second of /proc/PID/stat: 100 on every Linux that Debian ships. */
const ticksPerSecond = 100;

/** Processor seconds that a process has used. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Resident memory of a process in KiB. */
export function residentKib(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
}

/** Share of all processors (0 to 1) that was busy since `since`, as a hint how much a figure is worth on a shared machine. */
export function busyMeter(): () => number {
  const before = processorTimes();
  return () => {
    const after = processorTimes();
    return (after.busy - before.busy) / Math.max(1, after.all - before.all);
  };
}

function processorTimes(): { busy: number; all: number } {
  const line = readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '';
  const times = line.trim().split(/\s+/).slice(1, 9).map(Number);
  const all = times.reduce((sum, time) => sum + time, 0);
  return { busy: all - (times[3] ?? 0) - (times[4] ?? 0), all };
}

/** Epoch milliseconds with fractions: comparable between processes of one machine. */
export const preciseNow = (): number => performance.timeOrigin + performance.now();

export const median = (values: number[]): number => quantile(values, 0.5);

/** Nearest-rank quantile; NaN of nothing. */
export function quantile(values: number[], q: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

/** Medians of equal fields over several runs of one case. */
export function medians(runs: Record<string, number>[]): Record<string, number> {
  const fields = Object.keys(runs[0] ?? {});
  return Object.fromEntries(
    fields.map((field) => [field, median(runs.map((run) => run[field] ?? Number.NaN))]),
  );
}

/** One JSON line per case, figures to four significant digits. */
export function emit(bench: string, figures: Record<string, unknown>): void {
  const short = (value: unknown): unknown =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
  const line = Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, short(value)]));
  console.log(JSON.stringify({ bench, ...line }));
}

/** Talk goes to stderr: stdout is data. */
export const tell = (text: string): void => void process.stderr.write(`${text}\n`);

/** `--name=value` or `--name value` from the command line, as a number. */
export function numberOption(name: string, fallback: number): number {
  const values = process.argv.slice(2);
  const at = values.findIndex((value) => value === `--${name}` || value.startsWith(`--${name}=`));
  if (at < 0) return fallback;
  const text = values[at]?.split('=')[1] ?? values[at + 1];
  const number = Number(text);
  if (!Number.isFinite(number)) throw new Error(`--${name}: expected a number, got ${text}`);
  return number;
}
