import { LineCounter, isNode, isScalar, parseDocument } from 'yaml';
import type { Document } from 'yaml';
import type { z } from 'zod';
import { usageError } from './cli-error.ts';
import type { CliError } from './cli-error.ts';

type Path = readonly (string | number)[];

/** A YAML file that people wrote: values with the lines they stand in, so that an error says where. */
export class YamlSource {
  readonly #name: string;
  readonly #document: Document;
  readonly #lines: LineCounter;
  readonly #value: unknown;

  constructor(name: string, text: string) {
    this.#name = name;
    this.#lines = new LineCounter();
    this.#document = parseDocument(text, { schema: 'core', lineCounter: this.#lines, prettyErrors: false });
    const [wrong] = this.#document.errors;
    if (wrong !== undefined) {
      const { line } = this.#lines.linePos(wrong.pos[0]);
      throw usageError(`${name}:${line}: not valid YAML: ${wrong.message}`);
    }
    try {
      // Aliases that name one another could grow without end.
      this.#value = this.#document.toJS({ maxAliasCount: 100 });
    } catch (error) {
      throw usageError(`${name}: not valid YAML: ${(error as Error).message}`);
    }
  }

  /** The mapping at `path`, with no other keys than these. */
  mapping(path: Path, keys: readonly string[]): Record<string, unknown> {
    const value = this.#valueAt(path);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw this.error(path, `expected a mapping with ${keys.join(', ')}`);
    }
    const unknown = Object.keys(value).find((key) => !keys.includes(key));
    if (unknown !== undefined) {
      throw this.error([...path, unknown], `${unknown} is not known here; known are ${keys.join(', ')}`);
    }
    return { ...value };
  }

  has(path: Path): boolean {
    return this.#document.hasIn(path);
  }

  /** A scalar as it was written, before YAML made a number of it. */
  written(path: Path): unknown {
    const node = this.#document.getIn(path, true);
    return isScalar(node) && node.source !== undefined ? node.source : this.#valueAt(path);
  }

  /** The value in the shape of the schema; an error names the line of the first thing that is wrong. */
  check<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
    const outcome = schema.safeParse(value);
    if (outcome.success) return outcome.data;
    const [issue] = outcome.error.issues;
    const path = (issue?.path ?? []).filter((part) => typeof part !== 'symbol');
    throw this.error(path, issue?.message ?? 'not valid');
  }

  error(path: Path, message: string): CliError {
    const name = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`)).join('');
    const told = name === '' ? message : `${name.replace(/^\./, '')}: ${message}`;
    return usageError(`${this.#name}:${this.lineOf(path)}: ${told}`);
  }

  /** Line of the value, or of the nearest thing around it that is there. */
  lineOf(path: Path): number {
    for (let length = path.length; length > 0; length -= 1) {
      const node = this.#document.getIn(path.slice(0, length), true);
      if (isNode(node) && node.range) return this.#lines.linePos(node.range[0]).line;
    }
    return 1;
  }

  #valueAt(path: Path): unknown {
    return path.reduce<unknown>(
      (value, key) => (value as Record<string | number, unknown> | undefined)?.[key],
      this.#value,
    );
  }
}
