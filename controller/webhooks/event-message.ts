import type { Instant, Random } from '../../shared/clock.ts';
import { rfc3339 } from '../../shared/time.ts';
import type { EventRow } from '../store/events.ts';

/** Bytes of one body; what an event says of itself is left out of a longer one. */
const maxBodyBytes = 32_768;
const maxErrorLength = 1000;

/** Types that are no events: a message for trying, and that events are missing. */
export const testType = 'webhook.test';
export const gapType = 'webhook.gap';

/** `task.*` covers the types of tasks, `*` every type. */
export const covers = (patterns: string[], type: string): boolean =>
  patterns.some(
    (pattern) =>
      pattern === '*' ||
      pattern === type ||
      (pattern.endsWith('.*') && type.startsWith(pattern.slice(0, -1))),
  );

/** In the order of events, and never drawn twice. */
export const drawMessageId = (random: Random, cursor: number): string =>
  `msg_${String(cursor).padStart(12, '0')}_${Buffer.from(random.bytes(6)).toString('hex')}`;

/** JSON `{type, timestamp, data}`. */
export const messageBody = (type: string, at: Instant, data: Record<string, unknown>): string =>
  JSON.stringify({ type, timestamp: rfc3339(at), data });

/** What is told of an event: what happened, and whose it is. */
export function eventBody(event: EventRow, errorMessage: string | null): string {
  const whose = {
    cursor: event.cursor,
    organization: event.organizationName,
    device: event.deviceName,
    device_uuid: event.deviceId,
    task: event.taskCode,
    run: event.runId,
  };
  const error = errorMessage === null ? {} : { error_message: errorMessage.slice(0, maxErrorLength) };
  const body = messageBody(event.type, event.at, { ...event.data, ...error, ...whose });
  if (Buffer.byteLength(body) <= maxBodyBytes) return body;
  return messageBody(event.type, event.at, { ...error, ...whose, truncated: true });
}
