import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { PutBundle } from '../../../shared/api/bundles.ts';
import { CliError } from '../../cli-error.ts';
import { textFile } from '../../text-file.ts';
import { YamlSource } from '../../yaml-source.ts';

const maxBytes = 4 * 1024 * 1024;
const maxTemplateBytes = 1024 * 1024;
const fileKeys = ['path', 'unit', 'source', 'template', 'absent', 'mode', 'owner', 'group'];

/** The bundle that a folder describes: `bundle.yaml` and the templates beside it. Errors name file and line. */
export async function readBundle(fileOrFolder: string): Promise<PutBundle> {
  const path = await bundlePath(fileOrFolder);
  const source = new YamlSource(path, await textFile(path, maxBytes));
  const value = source.mapping([], ['profile', 'description', 'targets', 'files']);
  if (!Array.isArray(value.files)) throw source.error(['files'], 'expected a list of files');
  const files: unknown[] = [];
  for (const index of value.files.keys()) files.push(await fileAt(source, index, dirname(path)));
  return source.check(
    (await import('../../../shared/api/bundles.ts')).PutBundle,
    withoutTwice(source, { ...value, files }),
  );
}

async function bundlePath(fileOrFolder: string): Promise<string> {
  try {
    return (await stat(fileOrFolder)).isDirectory() ? join(fileOrFolder, 'bundle.yaml') : fileOrFolder;
  } catch (cause) {
    throw new CliError('usage', `cannot read ${fileOrFolder}: ${(cause as Error).message}`, { cause });
  }
}

/** One file as the API wants it: `source` becomes the template that it names. */
async function fileAt(yaml: YamlSource, index: number, folder: string): Promise<unknown> {
  const at = ['files', index];
  const { source, ...file } = yaml.mapping(at, fileKeys);
  const ways = ['source', 'template', 'absent'].filter((key) => yaml.has([...at, key]));
  if (ways.length !== 1) {
    const came = ways.length === 0 ? 'none' : ways.join(' and ');
    throw yaml.error(at, `expected one of source, template and absent: true, got ${came}`);
  }
  // YAML reads 0644 as the number 644; what was written is meant.
  if (file.mode !== undefined) file.mode = yaml.written([...at, 'mode']);
  return source === undefined
    ? file
    : { ...file, template: await templateOf(yaml, index, { source, folder }) };
}

async function templateOf(
  yaml: YamlSource,
  index: number,
  { source, folder }: { source: unknown; folder: string },
): Promise<string> {
  const at = ['files', index, 'source'];
  if (typeof source !== 'string' || source === '') throw yaml.error(at, 'expected the name of a file');
  if (source.startsWith('/') || source.split('/').includes('..')) {
    throw yaml.error(at, `expected a file beside or below this one, got ${source}`);
  }
  try {
    return await textFile(join(folder, source), maxTemplateBytes);
  } catch (error) {
    if (error instanceof CliError) throw yaml.error(at, error.message);
    throw error;
  }
}

/** A path stands once: two files of one path would be a matter of chance. */
function withoutTwice<Value extends { files: unknown[] }>(yaml: YamlSource, value: Value): Value {
  const seen = new Map<unknown, number>();
  for (const [index, file] of value.files.entries()) {
    const { path } = file as { path?: unknown };
    const first = seen.get(path);
    if (first !== undefined) {
      const line = yaml.lineOf(['files', first, 'path']);
      throw yaml.error(['files', index, 'path'], `${String(path)} is there already, in line ${line}`);
    }
    seen.set(path, index);
  }
  return value;
}
