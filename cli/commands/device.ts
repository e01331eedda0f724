import type { GroupParts } from './groups.ts';
export function addDeviceCommands(_: GroupParts): void {}
