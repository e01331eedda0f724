import fc from 'fast-check';
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { journalStates } from '../../../shared/transaction.ts';
import { projectRoot } from '../../../test/harness/source-files.ts';
import { temporaryFolder } from '../../../test/harness/temporary-folder.ts';
import { formatRecord, parseJournal } from './journal.ts';

const record = fc.record({
  state: fc.constantFrom(...journalStates),
  at: fc.nat(2 ** 45),
  bootId: fc.uuid(),
  uptimeMs: fc.nat(),
  detail: fc.string({ unit: 'binary', maxLength: 300 }),
});
const text = (records: Parameters<typeof formatRecord>[0][]): Buffer =>
  Buffer.from(records.map((one) => `${formatRecord(one)}\n`).join(''));

test('what is written is read again, whatever the detail, and takes one line', () => {
  fc.assert(
    fc.property(fc.array(record, { maxLength: 20 }), (records) => {
      const content = text(records);
      expect(content.toString().split('\n')).toHaveLength(records.length + 1);
      const read = parseJournal(content);
      expect(read.map(({ detail: _, ...rest }) => rest)).toEqual(
        records.map(({ detail: _, ...rest }) => rest),
      );
    }),
  );
});

test('cut off anywhere, a journal says what its whole records say', () => {
  fc.assert(
    fc.property(fc.array(record, { minLength: 1, maxLength: 5 }), fc.nat(), (records, seed) => {
      const content = text(records);
      const cut = content.subarray(0, seed % content.length);
      const whole = cut.toString('latin1').split('\n').length - 1;
      expect(parseJournal(cut)).toEqual(parseJournal(content).slice(0, whole));
    }),
  );
});

test('a damaged byte costs the record that it is in, at most', () => {
  fc.assert(
    fc.property(
      fc.array(record, { minLength: 2, maxLength: 5 }),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (records, seed, flip) => {
        const content = text(records);
        const at = seed % content.length;
        const damaged = Buffer.from(content);
        damaged[at] = (damaged[at] ?? 0) ^ flip;
        const line = content.subarray(0, at).toString('latin1').split('\n').length - 1;
        const read = parseJournal(damaged).map((one) => JSON.stringify(one));
        const others = parseJournal(content).flatMap((one, index) =>
          index === line || (index === line + 1 && content[at] === 10) ? [] : [JSON.stringify(one)],
        );
        expect(others.filter((one) => !read.includes(one))).toEqual([]);
        expect(read.length).toBeLessThan(records.length);
      },
    ),
  );
});

test('the guard reads the same last state as the agent, also from damaged journals', () => {
  using folder = temporaryFolder('journal');
  const guard = join(projectRoot, 'agent', 'transaction', 'guard.sh');
  const transaction = join(folder.path, 'first');
  mkdirSync(transaction);
  fc.assert(
    fc.property(
      fc.array(record, { minLength: 1, maxLength: 4 }),
      fc.nat(),
      fc.nat(255),
      (records, seed, value) => {
        const content = Buffer.from(text(records));
        if (seed % 3 > 0) content[seed % content.length] = value;
        writeFileSync(
          join(transaction, 'journal'),
          seed % 3 === 2 ? content.subarray(0, seed % content.length) : content,
        );
        const wanted =
          parseJournal(seed % 3 === 2 ? content.subarray(0, seed % content.length) : content).at(-1)?.state ??
          '';
        const { stdout } = spawnSync('/bin/sh', [guard, 'status', transaction], { encoding: 'utf8' });
        expect(stdout).toBe(`${wanted}\n`);
      },
    ),
    { numRuns: 60 },
  );
});
