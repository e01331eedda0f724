import { addBundleDelete } from './bundle/delete.ts';
import { addBundleList } from './bundle/list.ts';
import { addBundlePut } from './bundle/put.ts';
import { addBundleShow } from './bundle/show.ts';
import type { GroupParts } from './groups.ts';

export function addBundleCommands({ command, open }: GroupParts): void {
  addBundlePut(command, open);
  addBundleList(command, open);
  addBundleShow(command, open);
  addBundleDelete(command, open);
}
