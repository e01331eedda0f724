import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

/** What a process has loaded once it has the modules of this program: of Node.js itself, and of libraries. */
function loadedBy(module: string): string[] {
  const list = `
    import { registerHooks } from 'node:module';
    const seen = new Set();
    registerHooks({ load: (url, context, next) => (seen.add(url), next(url, context)) });
    await import(${JSON.stringify(join(import.meta.dirname, module))});
    const own = process.moduleLoadList.filter((name) => name.startsWith('NativeModule '));
    console.log(JSON.stringify([...seen, ...own]));`;
  const argv = ['--input-type=module', '--eval', list];
  return JSON.parse(execFileSync(process.execPath, argv, { encoding: 'utf8' })) as string[];
}

test.each(['start.ts', 'start-root-helper.ts'])(
  '%s loads nothing large that an idle process does not need',
  (module) => {
    const loaded = loadedBy(module);
    expect(loaded.filter((name) => name.includes('/zod/')).length).toBeGreaterThan(0);
    const large =
      /undici|\/(systeminformation|execa|age-encryption|@noble|yaml|tar-stream|ipaddr\.js)\/|\/agent\/transaction\/(transaction|archive|view)\.ts/;
    expect(loaded.filter((name) => large.test(name))).toEqual([]);
  },
);
