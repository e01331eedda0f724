import type { Task } from '../../shared/api/tasks.ts';
import { formatDuration } from '../../shared/time.ts';

/** What a SYNC task says about its end. */
export interface SyncEnd {
  outcome: string;
  changes: number | undefined;
  onDisk: string | undefined;
  rejectedAt: string | undefined;
  reason: string | undefined;
}

/** Undefined while there is none. Results come from devices: nothing in them is taken for granted. */
export function syncEndOf({ type, result }: Pick<Task, 'type' | 'result'>): SyncEnd | undefined {
  if (type !== 'SYNC' || result === null || typeof result.outcome !== 'string') return undefined;
  return {
    outcome: result.outcome,
    changes: typeof result.changes_total === 'number' ? result.changes_total : undefined,
    onDisk: diskText(result.on_disk),
    rejectedAt: textOf(result.rejected_at),
    reason: textOf(result.reason),
  };
}

/** The fields of a SYNC’s result for people: its end, what changed, and every step with its evidence. */
export function syncFields(result: Record<string, unknown>): [string, string][] {
  const end = syncEndOf({ type: 'SYNC', result });
  if (end === undefined) return [['Result', JSON.stringify(result)]];
  return [
    ['Outcome', end.outcome],
    ['On disk', end.onDisk ?? ''],
    ['Rejected at', end.rejectedAt ?? ''],
    ['Because', end.reason ?? ''],
    ['Generation', textOf(result.generation) ?? ''],
    ['Content', textOf(result.content) ?? ''],
    ...listOf(result.changes).map(({ change, path }): [string, string] => ['Changed', `${change} ${path}`]),
    ...listOf(result.steps).flatMap(stepFields),
    ...listOf(result.probes).map((probe): [string, string] => ['Probe', probeText(probe)]),
  ];
}

type Loose = Record<string, unknown>;

function stepFields({ step, ok, duration_ms, message, commands }: Loose): [string, string][] {
  const head = `${ok === true ? 'ok  ' : 'FAIL'} ${String(step)} (${durationText(duration_ms)})`;
  return [
    ['Step', [head, textOf(message)].filter((text) => text !== undefined).join(': ')],
    ...listOf(commands)
      .filter((command) => ok !== true || command.ok !== true)
      .map((command): [string, string] => ['Command', commandText(command)]),
  ];
}

function commandText({ argv, exit_code, output }: Loose): string {
  const words = Array.isArray(argv) ? argv.map(String).join(' ') : '';
  return `${words}: exit code ${String(exit_code)}${textOf(output) === undefined ? '' : `: ${String(output)}`}`;
}

const probeText = ({ ok, phase, duration_ms, error }: Loose): string =>
  [`${ok === true ? 'ok  ' : 'FAIL'} ${String(phase)} (${durationText(duration_ms)})`, textOf(error)]
    .filter((text) => text !== undefined)
    .join(': ');

function durationText(ms: unknown): string {
  if (typeof ms !== 'number') return '?';
  return ms < 1000 ? `${Math.round(ms)} ms` : formatDuration(Math.round(ms / 1000) * 1000);
}

function diskText(onDisk: unknown): string | undefined {
  if (onDisk === 'old') return 'the old configuration';
  if (onDisk === 'new') return 'the new configuration';
  return onDisk === 'unknown' ? 'unknown: look at the device' : undefined;
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

const listOf = (value: unknown): Loose[] => (Array.isArray(value) ? (value as Loose[]) : []);
