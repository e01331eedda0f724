import { addDeviceApproveAll } from './device/approve-all.ts';
import { addDeviceChanges } from './device/change.ts';
import { addDeviceDescribe } from './device/describe.ts';
import { addDeviceLabel } from './device/label.ts';
import { addDeviceList } from './device/list.ts';
import { addDeviceRebind } from './device/rebind.ts';
import { addDeviceRemove } from './device/remove.ts';
import { addDeviceRename } from './device/rename.ts';
import { addDeviceRevoke } from './device/revoke.ts';
import type { GroupParts } from './groups.ts';

export function addDeviceCommands({ command, open }: GroupParts): void {
  addDeviceList(command, open);
  addDeviceDescribe(command, open);
  addDeviceChanges(command, open);
  addDeviceApproveAll(command, open);
  addDeviceRename(command, open);
  addDeviceLabel(command, open);
  addDeviceRebind(command, open);
  addDeviceRevoke(command, open);
  addDeviceRemove(command, open);
}
