import { isDeepStrictEqual } from 'node:util';
import type { FastifySchemaCompiler } from 'fastify';
import type { FastifySerializerCompiler } from 'fastify/types/schema.js';
import type { z } from 'zod';
import { AppError } from '../../shared/errors.ts';
import { parse } from '../../shared/parse.ts';

const partNames: Record<string, string> = {
  body: 'The body',
  querystring: 'The query',
  params: 'The path',
};

/** Parses what came, at the door: unknown and wrong fields are 400 and named. */
export const validatorCompiler: FastifySchemaCompiler<z.ZodType> =
  ({ schema, httpPart = '' }) =>
  (data: unknown) => {
    try {
      // The framework says null for a body that is absent.
      return { value: parse(partNames[httpPart] ?? 'The request', schema, data ?? {}) };
    } catch (error) {
      if (error instanceof AppError) return { error };
      throw error;
    }
  };

/**
 * Answers are made by typed functions from rows of our own store, so the compiler has checked their shape already. Parsing each one
 * again doubles the time the event loop stands still for it (a page of 100 tasks: 0.2 instead of 0.1 ms; the answer to a run on 10,000
 * devices: 6 instead of 3 ms), so it is done in tests only, where a field that is missing, wrong or not in the schema fails the request.
 */
export const serializerCompiler =
  (checkAnswers: boolean): FastifySerializerCompiler<z.ZodType> =>
  ({ schema, method, url }) =>
  (data) => {
    const text = JSON.stringify(data);
    if (checkAnswers) requireAnswer(`${method} ${url}`, schema, JSON.parse(text));
    return text;
  };

function requireAnswer(what: string, schema: z.ZodType, answer: unknown): void {
  const outcome = schema.safeParse(answer);
  if (!outcome.success) throw new Error(`${what} answers against its schema: ${outcome.error.message}`);
  if (!isDeepStrictEqual(outcome.data, answer))
    throw new Error(`${what} answers with fields that its schema does not have: ${JSON.stringify(answer)}`);
}
