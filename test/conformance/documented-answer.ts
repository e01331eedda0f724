import { expect } from 'vitest';

export interface DocumentedAnswer {
  status: number;
  body: unknown;
}

/** What the comments below a command say that comes back. */
export function documentedAnswer(text: string): DocumentedAnswer | undefined {
  const match = /^# Response(?: \((\d{3}) [^)]*\))?:\n((?:# .*(?:\n|$))+)/m.exec(text);
  if (match === null) return undefined;
  const [, status = '200', comment = ''] = match;
  return { status: Number(status), body: JSON.parse(comment.replaceAll(/^# /gm, '')) };
}

/** Values that are the same whenever they are documented; all others are examples of their type. */
const fixed = new Set([
  'name',
  'task_type',
  'cron_expression',
  'timezone',
  'enabled',
  'trigger',
  'limit',
  'offset',
  'status',
  'options',
]);

/** Holds an answer against its documentation: every key, the type of every value, and the words that are always the same. */
export function expectShape(actual: unknown, documented: unknown, where = 'the answer'): void {
  if (Array.isArray(documented)) {
    expect(Array.isArray(actual), `${where} is a list`).toBe(true);
    const [first] = documented as unknown[];
    const items = actual as unknown[];
    expect(items.length, `${where} has items`).toBeGreaterThan(0);
    for (const [index, item] of items.entries()) expectShape(item, first, `${where}[${index}]`);
    return;
  }
  if (typeof documented === 'object' && documented !== null) {
    expect(actual, where).toBeTypeOf('object');
    const given = actual as Record<string, unknown>;
    for (const [key, value] of Object.entries(documented)) {
      expect(Object.keys(given), `${where} has ${key}`).toContain(key);
      if (fixed.has(key)) expect(given[key], `${where}.${key}`).toEqual(value);
      else expectShape(given[key], value, `${where}.${key}`);
    }
    return;
  }
  expect(kindOf(actual), `${where} is as ${JSON.stringify(documented)}: ${JSON.stringify(actual)}`).toBe(
    kindOf(documented),
  );
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(value)) return 'time';
  return typeof value;
}
