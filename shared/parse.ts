import type { z } from 'zod';
import { AppError, type ErrorCode } from './errors.ts';

/** Parses data from outside once, at the door. Throws `AppError` (`code`, 400 by default) that names `what` and every wrong field. */
export function parse<Schema extends z.ZodType>(
  what: string,
  schema: Schema,
  value: unknown,
  code: ErrorCode = 'bad_request',
): z.output<Schema> {
  const outcome = schema.safeParse(value);
  if (outcome.success) return outcome.data;

  const problems = outcome.error.issues.slice(0, 20).map((issue) => ({
    field: issue.path.map(String).join('.'),
    // Of a wrong key the library itself says only that it is one.
    problem: (issue.code === 'invalid_key' ? issue.issues[0]?.message : undefined) ?? issue.message,
  }));
  const told = problems.map(({ field, problem }) => (field ? `${field}: ${problem}` : problem)).join('; ');
  throw new AppError(code, `${what} is not valid: ${told}`, { detail: problems });
}

/** JSON text to a typed value; the error says that it is not JSON, or what is wrong in it. */
export function parseJson<Schema extends z.ZodType>(
  what: string,
  schema: Schema,
  text: string,
): z.output<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new AppError('bad_request', `${what} is not valid: it is not JSON`, { cause });
  }
  return parse(what, schema, value);
}
