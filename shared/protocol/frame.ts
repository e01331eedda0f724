import type { z } from 'zod';

/** A frame as it was understood: a message, a type we do not know (answer with `error`, go on), or nonsense (close with `badFrame`). */
export type ReadFrame<Message> =
  | { kind: 'message'; message: Message }
  | { kind: 'unknown'; type: string }
  | { kind: 'bad'; problem: string };

/** Reads one text frame against a union of messages. Never throws. */
export function readFrame<Message extends z.ZodDiscriminatedUnion>(
  union: Message,
  text: string,
): ReadFrame<z.output<Message>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { kind: 'bad', problem: 'the frame is not JSON' };
  }
  const outcome = union.safeParse(value);
  if (outcome.success) return { kind: 'message', message: outcome.data };

  const type = typeOf(value);
  if (type === undefined) return { kind: 'bad', problem: 'the frame is not an object with a type' };
  const [issue] = outcome.error.issues;
  if (issue?.code === 'invalid_union' && issue.path.length === 1 && issue.path[0] === 'type') {
    return { kind: 'unknown', type: type.slice(0, 64) };
  }
  return {
    kind: 'bad',
    problem: `${type}: ${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? 'not valid'}`,
  };
}

function typeOf(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || !('type' in value)) return undefined;
  return typeof value.type === 'string' ? value.type : undefined;
}
