import { AppError } from '../../shared/errors.ts';

/** The five fields of an expression that has been checked, and the values each stands for, sorted. */
export interface CronFields {
  text: string;
  minute: CronField;
  hour: CronField;
  dayOfMonth: CronField;
  month: CronField;
  dayOfWeek: CronField;
}

export interface CronField {
  text: string;
  values: number[];
}

interface FieldRule {
  name: string;
  from: number;
  to: number;
  words?: string[];
}

const rules = [
  { name: 'minute', from: 0, to: 59 },
  { name: 'hour', from: 0, to: 23 },
  { name: 'day of month', from: 1, to: 31 },
  {
    name: 'month',
    from: 1,
    to: 12,
    words: ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'],
  },
  { name: 'day of week', from: 0, to: 7, words: ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'] },
] as const satisfies FieldRule[];

const maxLength = 256;
/** The most days that each month ever has. */
const longestMonths = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** The strict grammar: five fields of `*`, numbers, ranges, steps and lists. Throws 400 that names the mistake. */
export function parseCronFields(text: string): CronFields {
  const trimmed = text.trim();
  if (trimmed.length > maxLength) {
    throw refused(text, 'too_long', `is too long: expected at most ${maxLength} characters`);
  }
  if (trimmed.startsWith('@')) {
    throw refused(text, 'macro', 'is a macro: expected five fields, such as 0 0 * * * for @daily');
  }
  const parts = trimmed.split(/[ \t]+/);
  requireFive(text, trimmed === '' ? [] : parts);
  const [minute, hour, dayOfMonth, month, dayOfWeek] = rules.map((rule, at) =>
    parseField(text, parts[at] ?? '', rule),
  ) as [CronField, CronField, CronField, CronField, CronField];
  const fields = { text: parts.join(' '), minute, hour, dayOfMonth, month, dayOfWeek };
  requirePossible(text, fields);
  return fields;
}

function requireFive(text: string, parts: string[]): void {
  if (parts.length === 5) return;
  if (parts.length === 6 || parts.length === 7) {
    const message = `has ${parts.length} fields: seconds and years are not supported; expected minute, hour, day of month, month and day of week`;
    throw refused(text, 'seconds', message);
  }
  const message = `has ${parts.length} fields: expected five, minute, hour, day of month, month and day of week`;
  throw refused(text, 'fields', message);
}

/** What other schedulers know and five-field cron does not. */
const foreign: Record<string, string> = {
  '?': 'write * instead',
  L: 'the last day of a month cannot be said',
  W: 'the nearest weekday cannot be said',
  '#': 'the n-th weekday of a month cannot be said',
};

function parseField(text: string, field: string, rule: FieldRule): CronField {
  const found = foreignIn(field, rule);
  if (found !== undefined) {
    throw refused(text, 'extension', `uses ${found}, which is not supported: ${foreign[found]}`);
  }
  const items = field.split(',');
  const values = new Set(items.flatMap((item) => parseItem(text, item, rule, items.length > 1)));
  if (rule.to === 7 && values.delete(7)) values.add(0);
  return { text: field, values: [...values].sort((left, right) => left - right) };
}

function foreignIn(field: string, { words = [] }: FieldRule): string | undefined {
  const known = new RegExp(words.length > 0 ? words.join('|') : '(?!)', 'gi');
  const rest = field.replaceAll(known, '').toUpperCase();
  return Object.keys(foreign).find((sign) => rest.includes(sign));
}

function parseItem(text: string, item: string, rule: FieldRule, isListed: boolean): number[] {
  const fail = (problem: string) =>
    refused(text, 'syntax', `has ${JSON.stringify(item)} as ${rule.name}: ${problem}`);
  const match = /^(\*|([A-Za-z]+|\d{1,2})(?:-([A-Za-z]+|\d{1,2}))?)(?:\/(\d{1,2}))?$/.exec(item);
  if (match === null) throw fail(expectation(rule));
  const [, , first, last, step] = match;
  if (first === undefined && step === undefined && isListed) throw fail('* stands alone, not in a list');
  if (first !== undefined && last === undefined && step !== undefined) {
    throw fail(`a step follows * or a range, such as */${step} or ${first}-${rule.to}/${step}`);
  }
  const from = first === undefined ? rule.from : valueOf(first, rule);
  // Of a wildcard Sunday counts once.
  const to =
    first === undefined ? Math.min(rule.to, rule.from + span(rule) - 1) : valueOf(last ?? first, rule);
  if (from === undefined || to === undefined) throw fail(expectation(rule));
  if (from > to) throw fail('the range goes backwards; name both parts, such as 22-23,0-2');
  const by = step === undefined ? 1 : Number(step);
  if (by < 1 || by > span(rule)) throw fail(`expected a step from 1 to ${span(rule)}`);
  const values: number[] = [];
  for (let value = from; value <= to; value += by) values.push(value);
  return values;
}

const span = ({ from, to }: FieldRule): number => (to === 7 ? 7 : to - from + 1);

function valueOf(text: string, { from, to, words }: FieldRule): number | undefined {
  const word = words?.indexOf(text.toUpperCase()) ?? -1;
  if (word >= 0) return from + word;
  if (!/^\d+$/.test(text)) return undefined;
  const value = Number(text);
  return value >= from && value <= to ? value : undefined;
}

const expectation = ({ from, to, words }: FieldRule): string =>
  `expected *, ${from} to ${to}${words ? ` or ${words[0]} to ${words.at(-1)}` : ''}, ranges, steps and lists of them`;

/** Either day field is enough to fire when both are given; with days of the month alone there must be a month that has one. */
function requirePossible(text: string, { dayOfMonth, month, dayOfWeek }: CronFields): void {
  if (dayOfWeek.text !== '*') return;
  const first = dayOfMonth.values[0] ?? 1;
  if (month.values.some((value) => (longestMonths[value - 1] ?? 0) >= first)) return;
  throw refused(text, 'impossible', `never fires: no month of it has a day ${first}`);
}

const refused = (text: string, reason: string, problem: string): AppError =>
  new AppError('bad_request', `cron ${JSON.stringify(text.slice(0, 100))} ${problem}`, {
    detail: { field: 'cron', reason },
  });
