import { type Document, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { ConfigError } from '../../shared/node/config-error.ts';

/** A YAML file of keys and values that knows where each of them stands. */
export class ProfileFile {
  readonly path: string;
  readonly values: Record<string, unknown>;
  readonly #document: Document;
  readonly #lines = new LineCounter();

  constructor(path: string, text: string) {
    this.path = path;
    const options = { lineCounter: this.#lines, schema: 'core', prettyErrors: false } as const;
    const document = parseDocument(text, options);
    if (document.errors.length > 0) {
      throw new ConfigError(
        document.errors.map((error) => `${path}:${this.#lines.linePos(error.pos[0]).line}: ${error.message}`),
      );
    }
    this.#document = document;
    const values: unknown = document.toJS();
    if (!isRecord(values)) throw new ConfigError([`${path}:1: expected keys and values`]);
    this.values = values;
  }

  parse<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
    const outcome = schema.safeParse(value);
    if (outcome.success) return outcome.data;
    throw new ConfigError(outcome.error.issues.slice(0, 20).map((issue) => this.#told(deepest(issue))));
  }

  problem(path: PropertyKey[], message: string): ConfigError {
    return new ConfigError([this.#told({ path, message })]);
  }

  #told({ path, message }: { path: PropertyKey[]; message: string }): string {
    const key = path.map(String).join('.');
    return `${this.path}:${this.#lineOf(path)}: ${key === '' ? '' : `${key}: `}${message}`;
  }

  /** Of the key or entry, or of the nearest thing around it that exists. */
  #lineOf(path: PropertyKey[]): number {
    for (let length = path.length; length > 0; length -= 1) {
      const parent: unknown =
        length === 1 ? this.#document.contents : this.#document.getIn(path.slice(0, length - 1), true);
      const last = path[length - 1];
      const node = isMap(parent)
        ? parent.items.find(({ key }) => isScalar(key) && key.value === last)?.key
        : isSeq(parent)
          ? parent.items[Number(last)]
          : undefined;
      if (isNode(node) && node.range) return this.#lines.linePos(node.range[0]).line;
    }
    return 1;
  }
}

interface Issue {
  path: PropertyKey[];
  message: string;
  code?: string;
  errors?: Issue[][];
}

/** Of several forms that none fits, the one that was meant: whose error lies deepest. */
function deepest(issue: Issue): Issue {
  const inner = (issue.errors ?? [])
    .flat()
    .map(deepest)
    .sort((left, right) => right.path.length - left.path.length)[0];
  return inner ? { ...inner, path: [...issue.path, ...inner.path] } : issue;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
