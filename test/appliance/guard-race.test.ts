import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { formatRecord, parseJournal } from '../../agent/transaction/linux/journal.ts';
import { Uptime } from '../../agent/transaction/linux/machine-time.ts';
import { WorkspaceLayout } from '../../agent/transaction/linux/workspace-layout.ts';
import { projectRoot } from '../harness/source-files.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';

const races = 1000;
const lanes = 4;
/** From one race's start to its deadline, so that both sides are up and waiting. */
const leadMs = 300;
/** A confirmation starts around the moment at which either side has won so far: this much earlier or later, each time. */
const spreadMs = 10;
/** How far that moment moves with each race, towards the side that lost. */
const stepMs = 2;
const time = new Uptime();

/** A transaction in PROBING with one changed file, as `arm` and `install` leave it. */
async function probing(folder: string, id: string): Promise<{ layout: WorkspaceLayout; file: string }> {
  const layout = new WorkspaceLayout(join(folder, 'transactions'), id);
  const file = join(folder, 'etc', id);
  const copy = `${layout.snapshotFiles}${file}`;
  for (const path of [dirname(file), dirname(copy)]) mkdirSync(path, { recursive: true });
  copyFileSync(join(projectRoot, 'agent', 'transaction', 'guard.sh'), layout.guard);
  writeFileSync(copy, 'old');
  writeFileSync(file, 'new');
  const { mode, uid, gid } = statSync(copy);
  const sum = createHash('sha256').update('old').digest('hex');
  const fields = ['file', 0, (mode & 0o7777).toString(8), uid, gid, sum, 3, file];
  writeFileSync(layout.snapshotManifest, `${fields.join('\t')}\n`);
  writeFileSync(layout.confirmed, '{}');
  const now = await time.now();
  writeFileSync(layout.journal, `${formatRecord({ state: 'PROBING', ...now, detail: '' })}\n`);
  writeFileSync(layout.deadline, `${now.uptimeMs + leadMs} ${now.bootId}\n`);
  return { layout, file };
}

async function exitCodeOf(argv: string[]): Promise<number | null> {
  const [program = '', ...args] = argv;
  const [exitCode] = (await once(spawn(program, args, { stdio: 'ignore' }), 'exit')) as [number | null];
  return exitCode;
}

interface Race {
  winner: string;
  wrong: unknown;
}

async function race(folder: string, number: number, confirmAfterMs: number): Promise<Race> {
  const { layout, file } = await probing(join(folder, `${number}`), 'race');
  const offsetMs = (number % (2 * spreadMs + 1)) - spreadMs;
  const wait = (Math.max(0, confirmAfterMs + offsetMs) / 1000).toFixed(3);
  const confirm = 'sleep "$1"; exec /bin/sh "$2" confirm "$3"';
  const [expired, confirmed] = await Promise.all([
    exitCodeOf(['/bin/sh', layout.guard, 'expire', layout.path]),
    exitCodeOf(['/bin/sh', '-c', confirm, 'sh', wait, layout.guard, layout.path]),
  ]);
  const states = parseJournal(readFileSync(layout.journal)).map(({ state }) => state);
  const isNew = readFileSync(file, 'utf8') === 'new';
  const seen = { states: states.join(' '), isNew, confirmed, expired, moved: !existsSync(layout.confirmed) };
  const allowed = [
    { states: 'PROBING CONFIRMED', isNew: true, confirmed: 0, expired: 0, moved: true },
    { states: 'PROBING ROLLING_BACK ROLLED_BACK', isNew: false, confirmed: 3, expired: 0, moved: false },
  ];
  const isRight = allowed.some((one) => JSON.stringify(one) === JSON.stringify(seen));
  return { winner: states.at(-1) ?? '', wrong: isRight ? undefined : { number, ...seen } };
}

test(`${races} confirmations at the deadline: each time one side wins, and the file is what the journal says`, async () => {
  using folder = temporaryFolder('race');
  const ended: Race[] = [];
  let next = 0;
  let confirmAfterMs = leadMs - 15;
  const lane = async (): Promise<void> => {
    while (next < races) {
      const one = await race(folder.path, next++, confirmAfterMs);
      ended.push(one);
      confirmAfterMs += one.winner === 'CONFIRMED' ? stepMs : -stepMs;
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));

  expect(ended.flatMap(({ wrong }) => wrong ?? [])).toEqual([]);
  const won = (state: string) => ended.filter(({ winner }) => winner === state).length;
  // It was a race: neither side always won.
  expect(won('CONFIRMED')).toBeGreaterThan(races / 50);
  expect(won('ROLLED_BACK')).toBeGreaterThan(races / 50);
}, 900_000);
