import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Waits until `probe` answers something that is not undefined, null or false, and returns it. An error of `probe` counts as "not yet".
 * Throws at the deadline, with what came last.
 */
export async function until<Value>(
  what: string,
  probe: () => Promise<Value> | Value,
  options: { deadlineMs?: number; everyMs?: number; last?: () => unknown } = {},
): Promise<NonNullable<Exclude<Value, false>>> {
  const { deadlineMs = 30_000, everyMs = 25 } = options;
  const started = performance.now();
  let last: unknown;
  for (;;) {
    try {
      const value = await probe();
      if (value !== undefined && value !== null && value !== false) {
        return value as NonNullable<Exclude<Value, false>>;
      }
      last = value;
    } catch (error) {
      last = error;
    }
    if (performance.now() - started > deadlineMs) {
      const seen = options.last?.() ?? last;
      throw new Error(`not within ${deadlineMs} ms: ${what}; last seen: ${told(seen)}`, { cause: last });
    }
    await sleep(everyMs);
  }
}

const told = (value: unknown): string =>
  value instanceof Error
    ? value.message
    : ((JSON.stringify(value, undefined, 1) as string | undefined) ?? 'nothing').slice(0, 4000);
