import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import type { z } from 'zod';
import { ConfigError } from './config-error.ts';
import { isValues, type Path, type Source, type Values } from './config-values.ts';

/**
 * Reads a configuration: FILE, then the `*.yaml` of the folder beside it (`agent.yaml`: `agent.conf.d/`) in order of name, then
 * the environment. Later values replace earlier ones key by key. Every problem is told with file and line, or variable.
 */
export async function readConfig<Schema extends z.ZodType>(options: {
  schema: Schema;
  file: string;
  /** A file that was named must exist. */
  mustExist: boolean;
  /** Prefix of variables: `PREFIX_LOG_LEVEL`, `PREFIX_SLOTS__SCRIPT`; values are YAML. */
  prefix: string;
  env: NodeJS.ProcessEnv;
  /** Variables of that prefix that are not configuration. */
  notConfig: readonly string[];
}): Promise<z.output<Schema>> {
  const sources = await sourcesOf(options);
  const merged = sources.reduce<Values>((values, source) => mergeInto(values, source.values), {});
  const outcome = options.schema.safeParse(merged);
  if (outcome.success) return outcome.data;
  throw new ConfigError(outcome.error.issues.flatMap((issue) => describe(issue, sources)));
}

/** Where nothing is configured, no YAML parser is loaded. */
async function sourcesOf(options: {
  file: string;
  mustExist: boolean;
  prefix: string;
  env: NodeJS.ProcessEnv;
  notConfig: readonly string[];
}): Promise<Source[]> {
  const files = filesOf(options.file, options.mustExist);
  const names = Object.keys(options.env)
    .filter((name) => name.startsWith(`${options.prefix}_`) && !options.notConfig.includes(name))
    .sort();
  if (files.length + names.length === 0) return [];

  const { fileSource, variableSource } = await import('./config-source.ts');
  return [
    ...files.map(fileSource),
    ...names.map((name) => variableSource(name, options.prefix, options.env[name] ?? '')),
  ];
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
