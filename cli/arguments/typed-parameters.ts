import { usageError } from '../cli-error.ts';

/** The part of a JSON Schema that says how a word on the command line is to be read. */
interface Schema {
  type?: unknown;
  enum?: unknown;
  const?: unknown;
  anyOf?: unknown;
  oneOf?: unknown;
  items?: unknown;
  properties?: unknown;
}

/** `name=value` pairs as parameters, each value of the type that the schema says. A list takes several values of the same name. */
export function typedParameters(pairs: string[], schema: Schema): Record<string, unknown> {
  const texts = new Map<string, string[]>();
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    if (at < 1) throw usageError(`--param ${pair}: expected NAME=VALUE`);
    const name = pair.slice(0, at);
    texts.set(name, [...(texts.get(name) ?? []), pair.slice(at + 1)]);
  }
  const properties = (schema.properties ?? {}) as Record<string, Schema>;
  return Object.fromEntries(
    [...texts].map(([name, values]) => [
      name,
      typed(name, values, Object.hasOwn(properties, name) ? properties[name] : undefined),
    ]),
  );
}

/** What a schema allows, as words of JSON Schema; empty when it does not say. */
export function typesOf(schema: Schema | undefined): string[] {
  if (schema === undefined) return [];
  if (schema.type !== undefined) return [schema.type].flat().map(String);
  if (Array.isArray(schema.enum)) return [...new Set(schema.enum.map(typeOf))];
  if (schema.const !== undefined) return [typeOf(schema.const)];
  const options = [schema.anyOf, schema.oneOf].filter(Array.isArray).flat() as Schema[];
  const types = options.map(typesOf);
  return types.some((some) => some.length === 0) ? [] : [...new Set(types.flat())];
}

function typed(name: string, texts: string[], schema: Schema | undefined): unknown {
  const [text = '', ...more] = texts;
  const types = typesOf(schema);
  const isList = types.includes('array');
  if (more.length === 0 && (!isList || text.trim().startsWith('['))) return typedValue(name, text, types);
  if (!isList)
    throw usageError(`--param ${name} is given ${texts.length} times: expected once, as it is no list`);
  return texts.map((one) => typedValue(name, one, typesOf(schema?.items as Schema | undefined)));
}

/** A text stays one where that is all it may be; else JSON of an allowed type goes before a text. */
function typedValue(name: string, text: string, types: string[]): unknown {
  if (types.length === 1 && types[0] === 'string') return text;
  const value = jsonOf(text);
  if (value !== undefined && (types.length === 0 || types.some((type) => isOf(type, value)))) return value;
  if (types.length === 0 || types.includes('string')) return text;
  throw usageError(`--param ${name}=${text}: expected ${types.join(' or ')}`);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const isOf = (type: string, value: unknown): boolean =>
  type === 'integer' ? Number.isInteger(value) : type === typeOf(value);

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}
