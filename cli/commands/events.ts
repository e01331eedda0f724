import type { GroupParts } from './groups.ts';
export function addEvents(_: GroupParts): void {}
