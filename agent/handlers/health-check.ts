import {
  HealthCheck,
  type HealthCheckItem,
  type HealthVerdict,
} from '../../shared/task-types/health-check.ts';
import { withDeadline } from './deadline.ts';
import { handle, type HandlerContext } from './handler.ts';
import { checkName, type Judgement, measure } from './health-measure.ts';

/** Checks measured at the same time. */
const concurrency = 8;
/** For checks that have no time-out of their own: a dead network file system must not hold the rest up. */
const defaultTimeoutSeconds = 10;

const severity = { pass: 0, warn: 1, fail: 2 } as const;

/** Every check gets a verdict: one that cannot be measured is `fail` with the reason. The task itself fails only when it is aborted. */
export const healthCheck = handle(HealthCheck, async ({ checks }, context) => {
  const facts = await collectFacts(context);
  const verdicts = await judgeAll(checks, context);
  context.signal.throwIfAborted();

  const worst = verdicts.reduce<HealthVerdict['verdict']>(
    (so, { verdict }) => (severity[verdict] > severity[so] ? verdict : so),
    'pass',
  );
  return { verdict: worst, checks: verdicts, facts };
});

async function collectFacts({ system, clock, signal, output }: HandlerContext) {
  try {
    return await withDeadline({ clock, signal, ms: 20_000 }, () => system.facts.collect());
  } catch (error) {
    signal.throwIfAborted();
    output('agent', `facts could not be collected: ${sentence(error)}`);
    return {};
  }
}

async function judgeAll(checks: HealthCheckItem[], context: HandlerContext): Promise<HealthVerdict[]> {
  const verdicts: HealthVerdict[] = [];
  const waiting = checks.entries();
  let done = 0;

  const worker = async () => {
    for (const [index, check] of waiting) {
      const verdict = await judge(check, context);
      verdicts[index] = verdict;
      done += 1;
      context.output('agent', `${verdict.verdict}: ${verdict.name}: ${verdict.message}`);
      context.progress({
        percent: (done / checks.length) * 100,
        message: `${done} of ${checks.length} checks`,
      });
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, checks.length) }, worker));
  return verdicts;
}

async function judge(check: HealthCheckItem, context: HandlerContext): Promise<HealthVerdict> {
  const { clock, signal, system } = context;
  const startedMs = clock.monotonic();
  const seconds = 'timeout_seconds' in check ? check.timeout_seconds : defaultTimeoutSeconds;

  let judgement: Judgement;
  try {
    judgement = await withDeadline({ clock, signal, ms: seconds * 1000 }, (limited) =>
      measure(check, system, clock, limited),
    );
  } catch (error) {
    signal.throwIfAborted();
    judgement = { verdict: 'fail', message: sentence(error), measured: {} };
  }
  return {
    check: check.check,
    name: checkName(check),
    ...judgement,
    duration_ms: Math.round((clock.monotonic() - startedMs) * 1000) / 1000,
  };
}

const sentence = (error: unknown): string => (error instanceof Error ? error.message : String(error));
