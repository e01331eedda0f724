import type { ForEach, Unit, UnitCommand, When } from '../../shared/device-profile.ts';
import { matchesGlob } from '../../shared/glob.ts';

/** Text of a unit's files by path, as they are and as they will be. Files that are no text are empty strings. */
export interface UnitTexts {
  before: ReadonlyMap<string, string>;
  after: ReadonlyMap<string, string>;
}

/** The commands that a change needs, once for each of what they are for, with the placeholders filled in. */
export function selectCommands<Command extends UnitCommand>(
  commands: Command[],
  texts: UnitTexts,
  fill: { snapshot?: string } = {},
): Command[] {
  return commands.flatMap((command) =>
    itemsOf(command.for_each, texts)
      .filter((item) => conditionsOf(command).every((condition) => holds(condition, item)))
      .map(({ name }) => fillIn(command, { ...(command.for_each ? { each: name } : {}), ...fill })),
  );
}

/** The commands that make a unit's service read its old files again. */
export const restoreCommands = (unit: Unit, texts: UnitTexts, snapshot: string): UnitCommand[] =>
  selectCommands(unit.restore.length > 0 ? unit.restore : unit.apply, wayBack(texts), { snapshot });

/** The change that a rollback makes. */
export const wayBack = ({ before, after }: UnitTexts): UnitTexts => ({ before: after, after: before });

/** The command with `{name}` replaced in its arguments. */
export function fillIn<Command extends UnitCommand>(
  command: Command,
  values: Record<string, string | undefined>,
): Command {
  const argv = command.argv.map((argument) =>
    argument.replace(/\{([a-z]+|[1-9])\}/g, (whole, name: string) => values[name] ?? whole),
  );
  return { ...command, argv };
}

/** Files as one text, in the order of their paths. */
export const joinTexts = (files: Iterable<[string, string]>): string =>
  [...files]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([, text]) => (text === '' || text.endsWith('\n') ? text : `${text}\n`))
    .join('');

interface Item extends UnitTexts {
  name: string;
}

const conditionsOf = ({ for_each, when }: UnitCommand): When[] =>
  when ?? (for_each ? [{ is: ['added', 'changed'] }] : []);

function holds({ files, lines, is }: When, item: Item): boolean {
  const [before, after] = [item.before, item.after].map((texts) => {
    const chosen = [...texts].filter(([path]) => files === undefined || matchesGlob(files, path));
    if (chosen.length === 0) return undefined;
    if (lines === undefined) return joinTexts(chosen);
    const pattern = new RegExp(lines, 'u');
    const found = joinTexts(chosen)
      .split('\n')
      .filter((line) => pattern.test(line));
    return found.length === 0 ? undefined : found.join('\n');
  });
  return is.includes(kindOf(before, after));
}

function kindOf(before: string | undefined, after: string | undefined): When['is'][number] {
  if (before === undefined) return after === undefined ? 'absent' : 'added';
  if (after === undefined) return 'removed';
  return before === after ? 'unchanged' : 'changed';
}

function itemsOf(forEach: ForEach | undefined, texts: UnitTexts): Item[] {
  if (forEach === undefined) return [{ name: '', ...texts }];
  const before = 'file' in forEach ? byFile(forEach.file, texts.before) : bySection(forEach, texts.before);
  const after = 'file' in forEach ? byFile(forEach.file, texts.after) : bySection(forEach, texts.after);
  return [...new Set([...before.keys(), ...after.keys()])].map((name) => ({
    name,
    before: before.get(name) ?? new Map(),
    after: after.get(name) ?? new Map(),
  }));
}

type Texts = ReadonlyMap<string, string>;

function byFile(glob: string, texts: Texts): Map<string, Texts> {
  const chosen = [...texts].filter(([path]) => matchesGlob(glob, path));
  return new Map(chosen.map(([path, text]) => [stemOf(path), new Map([[path, text]])]));
}

/** `/etc/wireguard/wg0.conf` is `wg0`. */
const stemOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1).replace(/(?<=.)\.[^.]*$/, '');

function bySection(
  { section, end, files }: Extract<ForEach, { section: string }>,
  texts: Texts,
): Map<string, Texts> {
  const [begins, ends] = [section, end].map((one) => (one === undefined ? undefined : new RegExp(one, 'u')));
  const sections = new Map<string, string>();
  for (const [path, text] of texts) {
    if (files !== undefined && !matchesGlob(files, path)) continue;
    let name: string | undefined;
    for (const line of text.split('\n')) {
      if (ends?.test(line)) name = undefined;
      name = begins?.exec(line)?.[1] ?? name;
      if (name !== undefined && line.trim() !== '' && !line.trim().startsWith('#')) {
        sections.set(name, `${sections.get(name) ?? ''}${line.trim()}\n`);
      }
    }
  }
  return new Map([...sections].map(([name, text]) => [name, new Map([['', text]])]));
}
