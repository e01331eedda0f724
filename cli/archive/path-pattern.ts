import { literally } from './literally.ts';

/** Whether a path is meant by a pattern: `*` and `?` within one name, `**` across several; a folder means everything below it. */
export function isMeant(path: string, pattern: string): boolean {
  const source = pattern
    .replace(/\/+$/, '')
    .split(/(\*\*|\*|\?)/)
    .map((part) => wild[part] ?? literally(part))
    .join('');
  return new RegExp(`^${source}(/.*)?$`, 's').test(path);
}

const wild: Record<string, string> = { '**': '.*', '*': '[^/]*', '?': '[^/]' };
