import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cleanEnvironment } from '../harness/program.ts';

const run = promisify(execFile);

/** What texts of each language are kept as, to be run as people would. */
const files = { bash: 'example.sh', python: 'example.py', typescript: 'example.mts' } as const;
export type Language = keyof typeof files;

/** Runs a text in a folder and answers what it printed; what ends with an error throws. */
export async function runExample(folder: string, language: Language, text: string): Promise<string> {
  const command = await commands[language]();
  const path = join(folder, files[language]);
  writeFileSync(path, text);
  const { stdout } = await run(command, [path], {
    cwd: folder,
    timeout: 60_000,
    env: cleanEnvironment({ CURL_HOME: folder, NODE_NO_WARNINGS: '1' }),
  });
  return stdout;
}

/** Makes curl print the status below the body, so that commands stay as they are written. */
export function tellStatus(folder: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, '.curlrc'), 'silent\nshow-error\nwrite-out = "\\n%{http_code}"\n');
}

/** What such a curl printed. */
export function readAnswer(stdout: string): { status: number; body: unknown } {
  const end = stdout.lastIndexOf('\n');
  return { status: Number(stdout.slice(end + 1)), body: JSON.parse(stdout.slice(0, end)) };
}

const commands = {
  bash: async () => 'bash',
  python: pythonWithRequests,
  typescript: async () => process.execPath,
};

/** The system's own python, when another comes first that has no `requests`. */
async function pythonWithRequests(): Promise<string> {
  const [first = 'python3', ...others] = ['python3', '/usr/bin/python3'];
  for (const command of [first, ...others]) {
    const found = await run(command, ['-c', 'import requests']).then(
      () => true,
      () => false,
    );
    if (found) return command;
  }
  throw new Error('no python3 of this machine has requests: install python3-requests');
}
