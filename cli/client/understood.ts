import type { z } from 'zod';
import { CliError } from '../cli-error.ts';

/**
 * Checks the answer’s shape and hands it on whole, so that fields of a newer controller reach `-f json`. Values of a list of words
 * that we do not know yet (a new task type, a new state) pass too. Fields that an older controller does not know yet have a default.
 */
export function understood<Schema extends z.ZodType>(
  schema: Schema,
  body: unknown,
  what: string,
  requestId: string | undefined,
): z.output<Schema> {
  const whole = withDefaults(schema, body);
  const outcome = schema.safeParse(whole);
  const wrong = outcome.error?.issues.find((issue) => !isUnknownWord(issue));
  if (wrong === undefined) return whole as z.output<Schema>;
  throw new CliError(
    'failed',
    `the controller’s answer to ${what} is not understood: ${wrong.path.join('.')}: ${wrong.message}`,
    { code: 'unexpected_answer', hint: 'Do the versions of muster and the controller fit?', requestId },
  );
}

/** A list of words may stand beside a pattern for others. */
const isUnknownWord = (issue: z.core.$ZodIssue): boolean =>
  issue.code === 'invalid_value' ||
  (issue.code === 'invalid_union' &&
    issue.errors.some((issues) => issues.length > 0 && issues.every(isUnknownWord)));

/** The value with defaults where fields are absent, and with everything that the schema does not know. */
function withDefaults(schema: z.core.$ZodType, value: unknown): unknown {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  switch (def.type) {
    case 'default':
      return value === undefined ? def.defaultValue : withDefaults(def.innerType, value);
    case 'nullable':
    case 'optional':
      return value === null || value === undefined ? value : withDefaults(def.innerType, value);
    case 'array':
      return Array.isArray(value) ? value.map((one) => withDefaults(def.element, one)) : value;
    case 'object':
      return isObject(value) ? { ...value, ...present(def.shape, value) } : value;
    default:
      return value;
  }
}

function present(shape: z.core.$ZodShape, value: Record<string, unknown>): Record<string, unknown> {
  const fields = Object.entries(shape).map(([name, schema]) => [name, withDefaults(schema, value[name])]);
  return Object.fromEntries(fields.filter(([, field]) => field !== undefined));
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
