import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../harness/source-files.ts';

/** A fenced block of a page of examples. */
export interface Example {
  /** Heading above it. */
  title: string;
  language: string;
  text: string;
}

/** What a page says, heading by heading. */
export function readPage(name: string): string {
  return readFileSync(join(projectRoot, 'test/conformance/examples', `${name}.md`), 'utf8');
}

/** Every block of a page, in its order. */
export function readExamples(name: string): Example[] {
  const [, ...sections] = readPage(name).split(/^## /m);
  return sections.flatMap((section) => {
    const [title = ''] = section.split('\n');
    return [...section.matchAll(/^```(\w+)\n([\s\S]*?)\n```$/gm)].map(([, language = '', text = '']) => ({
      title,
      language,
      text,
    }));
  });
}

/** All blocks of one language; throws when there is none, for then nothing would be tried. */
export function examplesIn(name: string, language: string): Example[] {
  const found = readExamples(name).filter((example) => example.language === language);
  if (found.length === 0) throw new Error(`${name} has no example in ${language}`);
  return found;
}
