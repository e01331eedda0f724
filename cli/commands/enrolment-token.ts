import type { GroupParts } from './groups.ts';
export function addEnrolmentTokenCommands(_: GroupParts): void {}
