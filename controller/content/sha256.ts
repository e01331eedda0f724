import { createHash } from 'node:crypto';

/** Digest of a text as UTF-8, hex. */
export const sha256Of = (text: string): string => createHash('sha256').update(text).digest('hex');
