import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { type Document, isMap, isNode, isScalar, LineCounter, parse as parseYaml, parseDocument } from 'yaml';
import type { z } from 'zod';

/** A configuration that cannot be used: the message names file, line and key. */
export class ConfigError extends Error {
  constructor(problems: string[]) {
    super(problems.join('\n'));
    this.name = 'ConfigError';
  }
}

type Path = readonly PropertyKey[];
type Values = Record<string, unknown>;

/** One place that values come from, and how it names them in an error. */
interface Source {
  values: Values;
  nameOf: (path: Path) => string;
}

/**
 * Reads a configuration: FILE, then the `*.yaml` of the folder beside it (`agent.yaml`: `agent.conf.d/`) in order of name, then
 * the environment. Later values replace earlier ones key by key. Every problem is told with file and line, or variable.
 */
export function readConfig<Schema extends z.ZodType>(options: {
  schema: Schema;
  file: string;
  /** A file that was named must exist. */
  mustExist: boolean;
  /** Prefix of variables: `PREFIX_LOG_LEVEL`, `PREFIX_SLOTS__SCRIPT`; values are YAML. */
  prefix: string;
  env: NodeJS.ProcessEnv;
  /** Variables of that prefix that are not configuration. */
  notConfig: readonly string[];
}): z.output<Schema> {
  const sources = [
    ...filesOf(options.file, options.mustExist).map(readFile),
    ...variables(options.env, options.prefix, options.notConfig),
  ];
  const merged = sources.reduce<Values>((values, source) => mergeInto(values, source.values), {});
  const outcome = options.schema.safeParse(merged);
  if (outcome.success) return outcome.data;
  throw new ConfigError(outcome.error.issues.flatMap((issue) => describe(issue, sources)));
}

function filesOf(file: string, mustExist: boolean): string[] {
  const folder = join(dirname(file), `${basename(file, extname(file))}.conf.d`);
  const more = existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => name.endsWith('.yaml'))
        .sort()
        .map((name) => join(folder, name))
    : [];
  return [...(mustExist || existsSync(file) ? [file] : []), ...more];
}

function readFile(file: string): Source {
  const lines = new LineCounter();
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new ConfigError([
      `${file}: cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
    ]);
  }
  const document = parseDocument(text, { lineCounter: lines, schema: 'core', prettyErrors: false });
  if (document.errors.length > 0) {
    throw new ConfigError(
      document.errors.map((error) => `${file}:${lines.linePos(error.pos[0]).line}: ${error.message}`),
    );
  }
  const values: unknown = document.toJS() ?? {};
  if (!isValues(values)) throw new ConfigError([`${file}:1: expected keys and values`]);
  return {
    values,
    nameOf: (path) => {
      const offset = offsetOf(document, path);
      return offset === undefined ? file : `${file}:${lines.linePos(offset).line}`;
    },
  };
}

/** Where a key, or the nearest thing around it that exists, stands in the file. */
function offsetOf(document: Document, path: Path): number | undefined {
  for (let length = path.length; length > 0; length -= 1) {
    const parent = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
    if (!isMap(parent)) continue;
    const pair = parent.items.find(({ key }) => isScalar(key) && key.value === path[length - 1]);
    if (pair && isNode(pair.key) && pair.key.range) return pair.key.range[0];
  }
  return undefined;
}

function variables(env: NodeJS.ProcessEnv, prefix: string, notConfig: readonly string[]): Source[] {
  return Object.entries(env)
    .filter(
      ([name, value]) => name.startsWith(`${prefix}_`) && value !== undefined && !notConfig.includes(name),
    )
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, value = '']) => {
      const path = name
        .slice(prefix.length + 1)
        .toLowerCase()
        .split('__');
      return { values: nest(path, yamlValue(value)), nameOf: () => `variable ${name}` };
    });
}

function yamlValue(text: string): unknown {
  try {
    return parseYaml(text, { schema: 'core' }) as unknown;
  } catch {
    return text;
  }
}

const nest = (path: string[], value: unknown): Values => {
  const [first = '', ...rest] = path;
  return { [first]: rest.length === 0 ? value : nest(rest, value) };
};

function mergeInto(under: Values, over: Values): Values {
  const merged: Values = { ...under };
  for (const [key, value] of Object.entries(over)) {
    const before = merged[key];
    merged[key] = isValues(before) && isValues(value) ? mergeInto(before, value) : value;
  }
  return merged;
}

function describe(issue: z.core.$ZodIssue, sources: Source[]): string[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const path = [...issue.path, key];
      return `${placeOf(path, sources)}: unknown key ${path.map(String).join('.')}`;
    });
  }
  return [`${placeOf(issue.path, sources)}: ${issue.path.map(String).join('.')}: ${issue.message}`];
}

/** The last source that has the key is the one that counts. */
function placeOf(path: Path, sources: Source[]): string {
  const source = sources.findLast(({ values }) => has(values, path)) ?? sources.findLast(() => true);
  return source ? source.nameOf(path) : 'configuration';
}

function has(values: unknown, path: Path): boolean {
  let current = values;
  for (const key of path) {
    if (typeof current !== 'object' || current === null || !(key in current)) return false;
    current = (current as Record<PropertyKey, unknown>)[key];
  }
  return true;
}

const isValues = (value: unknown): value is Values =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
