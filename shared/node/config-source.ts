import { readFileSync } from 'node:fs';
import { type Document, isMap, isNode, isScalar, LineCounter, parse as parseYaml, parseDocument } from 'yaml';
import { ConfigError } from './config-error.ts';
import { isValues, type Path, type Source, type Values } from './config-values.ts';

export function fileSource(file: string): Source {
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

/** A variable `PREFIX_SLOTS__SCRIPT` as `slots.script`; its text is YAML. */
export function variableSource(name: string, prefix: string, text: string): Source {
  const path = name
    .slice(prefix.length + 1)
    .toLowerCase()
    .split('__');
  return { values: nest(path, yamlValue(text)), nameOf: () => `variable ${name}` };
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
