import { isPluginTaskType, type TaskType } from './task-type.ts';

interface Finished {
  type: TaskType;
  result: Record<string, unknown> | null;
}

interface Verdict {
  name: string;
  verdict: string;
  message: string;
}

/** A result in one line, or nothing when its type has none worth it. Results come from devices: nothing in them is taken for granted. */
export function resultText({ type, result }: Finished): string {
  if (result === null) return '';
  if (type === 'PING') return pingText(result);
  if (type === 'HEALTH_CHECK') return healthText(verdictsOf(result));
  if (type === 'SCRIPT' && typeof result.exit_code === 'number') return `exit code ${result.exit_code}`;
  // Only its plugin knows what it means.
  return isPluginTaskType(type) ? shortened(JSON.stringify(result)) : '';
}

export function verdictsOf(result: Record<string, unknown>): Verdict[] {
  if (!Array.isArray(result.checks)) return [];
  return result.checks.map(({ name, verdict, message }: Record<string, unknown>) => ({
    name: String(name),
    verdict: String(verdict),
    message: String(message),
  }));
}

const maxLength = 200;
const shortened = (text: string): string =>
  text.length > maxLength ? `${text.slice(0, maxLength - 1)}…` : text;

function pingText({ round_trip_ms: ms, sent, received }: Record<string, unknown>): string {
  const time = typeof ms === 'number' ? `${Math.round(ms * 100) / 100} ms` : '';
  const replies = typeof sent === 'number' ? `${String(received)} of ${sent} replies` : '';
  return [replies, time].filter((text) => text !== '').join(', ');
}

/** What is wrong comes first; what is right is only counted. */
function healthText(verdicts: Verdict[]): string {
  const passed = verdicts.filter(({ verdict }) => verdict === 'pass').length;
  const others = verdicts
    .filter(({ verdict }) => verdict !== 'pass')
    .toSorted((left, right) => left.verdict.localeCompare(right.verdict, 'en'))
    .map(({ name, verdict, message }) => `${verdict} ${name}: ${message}`);
  return [...others, ...(passed > 0 ? [`${passed} pass`] : [])].join('; ');
}
