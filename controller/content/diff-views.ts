import type { z } from 'zod';
import type { FileDiff } from '../../shared/api/configs.ts';
import type { ConfigView } from '../../shared/task-types/pull.ts';
import { DiffBudget } from './diff.ts';

type FileDiff = z.output<typeof FileDiff>;
type ViewFile = ConfigView['units'][number]['files'][number];

/** What differs between two versions, in the order of units and paths; the running state of a unit comes after its files. */
export async function diffViews(
  before: ConfigView | undefined,
  after: ConfigView,
  monotonic: () => number,
): Promise<FileDiff[]> {
  const budget = new DiffBudget(monotonic);
  const [older, newer] = [itemsOf(before), itemsOf(after)];
  const keys = [...new Set([...older.keys(), ...newer.keys()])].sort();
  const differences: FileDiff[] = [];
  for (const key of keys) {
    const one = diffItem(older.get(key), newer.get(key), budget);
    if (one === undefined) continue;
    differences.push(one);
    // Others have their turn between two files.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return differences;
}

interface Item {
  unit: string;
  path: string;
  text: string | null;
  /** Whatever else tells that it changed: mode, owner, group, and of a file without text its keyed digest. */
  attributes: string;
  token: string;
  withheld: string | null;
}

const running = 'running';

function itemsOf(view: ConfigView | undefined): Map<string, Item> {
  const items = new Map<string, Item>();
  for (const { unit, files, running: text } of view?.units ?? []) {
    for (const file of files) items.set(`${unit}\0f${file.path}`, itemOf(unit, file));
    if (text !== undefined) {
      const state = { unit, path: running, text, attributes: '', token: '', withheld: null };
      items.set(`${unit}\0r`, state);
    }
  }
  return items;
}

const itemOf = (unit: string, file: ViewFile): Item => ({
  unit,
  path: file.path,
  text: file.text ?? null,
  attributes: `${file.mode} ${file.owner}:${file.group}`,
  token: file.token ?? '',
  withheld: file.withheld ?? null,
});

function diffItem(
  before: Item | undefined,
  after: Item | undefined,
  budget: DiffBudget,
): FileDiff | undefined {
  const item = after ?? before;
  if (item === undefined) return undefined;
  const { unit, path } = item;
  const isText =
    (before === undefined || before.text !== null) && (after === undefined || after.text !== null);
  const sameContent = before?.text === after?.text && before?.token === after?.token;
  if (before && after && sameContent) {
    if (before.attributes === after.attributes) return undefined;
    return { unit, path, change: 'mode', diff: null, note: `${before.attributes} → ${after.attributes}` };
  }
  const change = before === undefined ? 'create' : after === undefined ? 'delete' : 'change';
  if (!isText) {
    return {
      unit,
      path,
      change,
      diff: null,
      note: `not shown: ${item.withheld ?? before?.withheld ?? 'no text'}`,
    };
  }
  return { unit, path, change, ...budget.diff(path, before?.text ?? null, after?.text ?? null) };
}
