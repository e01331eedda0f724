import { parsePast, rfc3339 } from '../../shared/time.ts';
import type { Environment } from '../environment.ts';

/** What `--created-after` and its like accept, for help texts. */
export const pastTimeHelp = '30m, 2h, 7d, 2w ago, 2024-01-15T10:30:00Z, or 2024-01-15 [10:30] in your zone';

/** As the API is told it. "2h ago" stays as it is: the controller’s clock made the times it is held against. Anything else gets a zone. */
export function pastTime(text: string | undefined, { settings, terminal }: Environment): string | undefined {
  if (text === undefined) return undefined;
  const at = parsePast(text, terminal.clock.now(), settings.zone);
  return /^\d+[a-z]$/i.test(text.trim()) ? text.trim() : rfc3339(at);
}
