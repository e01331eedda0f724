import type { GroupParts } from './groups.ts';
import { addVariableList } from './variable/list.ts';
import { addVariableSet } from './variable/set.ts';
import { addVariableUnset } from './variable/unset.ts';

export function addVariableCommands({ command, open }: GroupParts): void {
  addVariableSet(command, open);
  addVariableList(command, open);
  addVariableUnset(command, open);
}
