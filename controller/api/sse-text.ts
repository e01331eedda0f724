import type { MusterEvent } from '../../shared/api/events.ts';
import { rfc3339 } from '../../shared/time.ts';
import type { EventRow } from '../store/events.ts';
import type { StreamItem } from '../tasks/events.ts';

/** One item of the stream as server-sent event: `id` is where to resume. JSON text has no line breaks, so one `data` line is enough. */
export function sseText(item: StreamItem): string {
  if (item.kind === 'event') {
    const { event } = item;
    return `id: ${event.cursor}\nevent: ${event.type}\ndata: ${JSON.stringify(showEvent(event))}\n\n`;
  }
  // Whoever breaks off here resumes before the oldest event that is kept.
  const before = Math.max(0, item.oldest - 1);
  return `id: ${before}\nevent: reset\ndata: ${JSON.stringify({ oldest: item.oldest })}\n\n`;
}

/** A line that every reader of server-sent events skips. */
export const comment = (text: string): string => `: ${text}\n\n`;

const showEvent = (row: EventRow): MusterEvent => ({
  cursor: row.cursor,
  type: row.type,
  at: rfc3339(row.at),
  organization: row.organizationName,
  device: row.deviceName,
  task: row.taskCode,
  run: row.runId,
  data: row.data,
});
