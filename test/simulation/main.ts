import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { silentLogger } from '../../shared/node/logger.ts';
import { plants } from './plants.ts';
import { ProcessDied } from './process.ts';
import { type Outcome, simulate } from './simulate.ts';
import { prepareImage } from './world.ts';

const usage = `npm run simulate -- [--seed N] [--runs M] [--plant NAME] [--verbose] [-f json]

Plays random schedules of tasks and faults on the real controller and agents in simulated time, and checks every promise.
  --seed N      first seed (default 1); one run of a failing seed is the same run again
  --runs M      how many seeds (default 100)
  --plant NAME  plants a bug, which must be found: ${Object.keys(plants).join(', ')}
  --verbose     prints the trace of every run
  -f json       prints one JSON object at the end`;

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    runs: { type: 'string', default: '100' },
    plant: { type: 'string' },
    verbose: { type: 'boolean', default: false },
    format: { type: 'string', short: 'f', default: 'table' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

const stray: unknown[] = [];
process.on('unhandledRejection', (error) => {
  if (!(error instanceof ProcessDied)) stray.push(error);
});

async function main(): Promise<number> {
  if (values.help) {
    process.stdout.write(`${usage}\n`);
    return 0;
  }
  const first = Number(values.seed);
  const runs = Number(values.runs);
  const plant = values.plant === undefined ? undefined : plants[values.plant];
  if (!Number.isSafeInteger(first) || !Number.isSafeInteger(runs) || (values.plant !== undefined && !plant)) {
    process.stderr.write(`${usage}\n`);
    return 2;
  }

  const image = await prepareImage();
  const startedAt = performance.now();
  const failed: Outcome[] = [];
  let [tasks, executions, simulatedMs] = [0, 0, 0];
  for (let seed = first; seed < first + runs; seed += 1) {
    const outcome = await play(seed, image);
    tasks += outcome.tasks;
    executions += outcome.executions;
    simulatedMs += outcome.simulatedMs;
    if (outcome.violations.length > 0) failed.push(outcome);
    report(outcome, { done: seed - first + 1, runs, withTrace: failed.length === 1 });
  }
  const seconds = (performance.now() - startedAt) / 1000;
  const summary = {
    runs,
    failed: failed.length,
    seeds: failed.map(({ seed }) => seed),
    tasks,
    executions,
    simulated_hours: Math.round(simulatedMs / 36_000) / 100,
    seconds: Math.round(seconds * 10) / 10,
    runs_per_second: Math.round((runs / seconds) * 10) / 10,
  };
  process.stdout.write(values.format === 'json' ? `${JSON.stringify(summary)}\n` : inWords(summary));
  return failed.length === 0 ? 0 : 1;

  async function play(seed: number, from: Buffer): Promise<Outcome> {
    const options = { seed, image: from, ...(plant ? { plant } : {}) };
    const outcome = await simulate({ ...options, keepsTrace: values.verbose, log: loggerOf() });
    for (const error of stray.splice(0)) {
      outcome.violations.push({
        invariant: 'no bug shows',
        problem: `a promise was rejected and nobody cared: ${error instanceof Error ? error.stack : String(error)}`,
      });
    }
    if (outcome.violations.length === 0 || values.verbose) return outcome;
    // The same seed again, this time for readers.
    const { trace } = await simulate({ ...options, keepsTrace: true, log: loggerOf() });
    return { ...outcome, trace };
  }
}

/** With `--verbose` the programs' own log lines stand in the trace. */
function loggerOf(): Parameters<typeof simulate>[0]['log'] {
  if (!values.verbose) return () => silentLogger();
  return (trace) =>
    pino(
      { level: 'debug', base: null, timestamp: false },
      { write: (line: string) => trace.note('log', line.trim()) },
    );
}

/** The trace of the first failure is enough to begin with. */
function report(outcome: Outcome, at: { done: number; runs: number; withTrace: boolean }): void {
  const { done, runs, withTrace } = at;
  if (outcome.violations.length > 0 || values.verbose) {
    if (withTrace || values.verbose) process.stderr.write(`${outcome.trace.join('\n')}\n`);
    for (const { invariant, problem } of outcome.violations) {
      process.stderr.write(`seed ${outcome.seed}: ${invariant}: ${problem}\n`);
    }
    if (outcome.violations.length > 0) {
      process.stderr.write(`again: npm run simulate -- --seed ${outcome.seed} --runs 1 --verbose\n`);
    }
  } else if (done % 100 === 0) {
    process.stderr.write(`${done} of ${runs} schedules\n`);
  }
}

function inWords(summary: Record<string, unknown>): string {
  return Object.entries(summary)
    .map(
      ([name, value]) =>
        `${name.replaceAll('_', ' ')}: ${Array.isArray(value) ? value.join(' ') : String(value)}\n`,
    )
    .join('');
}

process.exitCode = await main();
