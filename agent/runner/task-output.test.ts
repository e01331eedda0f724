import { expect, test } from 'vitest';
import { openSqlite } from '../../shared/node/sqlite.ts';
import type { Report } from '../../shared/protocol/report.ts';
import { TestClock } from '../../test/harness/test-clock.ts';
import { seededRandom } from '../../test/simulation/random.ts';
import { AgentStore } from '../store/agent-store.ts';
import { defaultOutboxBounds } from '../store/log-bounds.ts';
import type { OutputBounds } from '../handlers/output-bounds.ts';
import { TaskOutput } from './task-output.ts';

function stage(bounds?: OutputBounds) {
  const clock = new TestClock();
  const store = new AgentStore(openSqlite(':memory:'), seededRandom('output'), defaultOutboxBounds);
  let commits = 0;
  const write = store.write.bind(store);
  store.write = <T>(change: () => T): T => {
    commits += 1;
    return write(change);
  };
  const onError = (error: unknown) => {
    throw error;
  };
  const output = new TaskOutput(
    { code: 'aB3dE6gH', store, clock, controllerNow: () => clock.now(), onError },
    0,
    bounds,
  );
  const told = () =>
    store.outbox.after(0, { maxRows: 100_000, maxBytes: 1e9 }).map(({ json }) => {
      const row = JSON.parse(json) as Report;
      if (row.type === 'task.gap') return `gap ${row.from}-${row.to}`;
      return row.type === 'task.log' ? `${row.line} ${row.text}` : row.type;
    });
  return { clock, output, told, commits: () => commits };
}

test('the first line is written in its turn, those of the same turn with it', async () => {
  const { clock, output, told, commits } = stage();
  output.write('stdout', 'one');
  output.write('stderr', 'two\nthree\n');
  await clock.advance(0);
  expect(told()).toEqual(['1 one', '2 two', '3 three']);
  expect(commits()).toBe(1);
});

test('lines that follow closely are written together', async () => {
  const { clock, output, told, commits } = stage();
  for (let line = 1; line <= 50; line += 1) {
    output.write('stdout', 'x');
    await clock.advance(1);
  }
  await clock.advance(100);
  expect(told()).toHaveLength(50);
  expect(commits()).toBeLessThanOrEqual(3);
});

test('a flood is written as it comes, so that memory stays bounded', () => {
  const { output, told } = stage();
  output.write('stdout', 'x\n'.repeat(2_000));
  expect(told().length).toBeGreaterThanOrEqual(2_000);
});

test('of too many lines the beginning and the end are kept, with a gap record between', () => {
  const { output, told } = stage({ maxLines: 6, maxBytes: 1e6, tailLines: 2 });
  for (let line = 1; line <= 20; line += 1) output.write('stdout', 'x');
  output.close();
  expect(told()).toEqual(['1 x', '2 x', '3 x', '4 x', 'gap 5-18', '19 x', '20 x']);
});

test('of too many bytes the beginning and the end are kept', () => {
  const { output, told } = stage({ maxLines: 1_000, maxBytes: 40, tailLines: 1 });
  for (let line = 1; line <= 9; line += 1) output.write('stdout', '0123456789');
  output.close();
  expect(told()).toEqual([
    '1 0123456789',
    '2 0123456789',
    '3 0123456789',
    '4 0123456789',
    'gap 5-8',
    '9 0123456789',
  ]);
});

test('after it is closed nothing is taken', () => {
  const { output, told } = stage();
  output.close();
  output.write('stdout', 'late');
  output.close();
  expect(told()).toEqual([]);
});
