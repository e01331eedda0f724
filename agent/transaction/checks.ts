import type { z } from 'zod';
import type { Clock } from '../../shared/clock.ts';
import type {
  AnyCheck,
  BuiltInCheck,
  Check,
  DeviceProfile,
  Unit,
  UnitCommand,
} from '../../shared/device-profile.ts';
import { TaskError } from '../../shared/errors.ts';
import type { StepCommand } from '../../shared/task-types/sync.ts';
import { redactOutput } from '../../shared/view-rules.ts';
import { runBuiltIn } from './built-in-checks.ts';
import { judge } from './checks-expect.ts';
import { targetsOf } from './checks-targets.ts';
import { freshly } from './fresh-folders.ts';
import type { CommandPlace, CommandRecord, RunOptions, TransactionMachine } from './machine.ts';
import { fillIn, selectCommands, type UnitTexts } from './unit-commands.ts';

export type CommandEvidence = z.output<typeof StepCommand>;

/** What the commands of a unit are run with. */
export interface CheckContext extends RunOptions {
  machine: TransactionMachine;
  clock: Clock;
  profile: DeviceProfile;
  /** Of every unit of the profile: checks see what other units give to the host. */
  texts: ReadonlyMap<string, UnitTexts>;
  /** Values that must not come into evidence, beside what the unit's rules find. */
  secretValues?: readonly string[];
  /** What `recordExpected` found: what the running state has to look like. */
  expected?: ReadonlyMap<string, string>;
}

export interface ChecksResult {
  ok: boolean;
  /** Of the first that failed; else how many held. */
  message: string;
  commands: CommandEvidence[];
}

const maxOutput = 4096;
const retryMs = 500;

/** Runs the checks in their order, each until it holds or its time is up; the first that fails ends it. */
export async function runChecks(
  unit: Unit,
  checks: AnyCheck[],
  place: CommandPlace,
  context: CheckContext,
): Promise<ChecksResult> {
  const commands: CommandEvidence[] = [];
  for (const check of checks) {
    for (const one of 'built_in' in check ? [check] : selectCommands([check], textsOf(unit, context))) {
      const verdict = await untilItHolds(unit, one, place, context);
      commands.push(...verdict.commands);
      if (!verdict.ok) return { ok: false, message: verdict.message, commands };
    }
  }
  return { ok: true, message: `${unit.name}: ${checks.length} checks held`, commands };
}

/** Runs commands of a unit in their order, those that its change needs; the first that fails ends it. */
export async function runCommands(
  unit: Unit,
  commands: UnitCommand[],
  place: CommandPlace,
  context: CheckContext & { snapshot?: string },
): Promise<ChecksResult> {
  const evidence: CommandEvidence[] = [];
  const fill = context.snapshot === undefined ? {} : { snapshot: context.snapshot };
  for (const command of selectCommands(commands, textsOf(unit, context), fill)) {
    const { outcome } = await runOne(unit, command, place, context);
    evidence.push(outcome);
    if (!outcome.ok) return { ok: false, message: failure(unit, outcome), commands: evidence };
  }
  return { ok: true, message: `${unit.name}: ${evidence.length} commands succeeded`, commands: evidence };
}

/** What the checks that compare with the scratch namespace have to see on the host; after the pre-flight commands ran there. */
export async function recordExpected(
  unit: Unit,
  context: CheckContext,
): Promise<ChecksResult & { expected: Map<string, string> }> {
  const expected = new Map<string, string>();
  const commands: CommandEvidence[] = [];
  for (const check of unit.verify) {
    if ('built_in' in check || !check.expect.same_in_scratch) continue;
    for (const one of selectCommands([check], textsOf(unit, context))) {
      const { outcome, record } = await runOne(unit, one, 'scratch', context);
      commands.push({ ...outcome, check: check.id });
      if (!outcome.ok) return { ok: false, message: failure(unit, outcome), commands, expected };
      if (record) expected.set(keyOf(unit, one), record.stdout);
    }
  }
  return { ok: true, message: `${unit.name}: ${expected.size} renderings`, commands, expected };
}

export const textsOf = (unit: Unit, { texts }: Pick<CheckContext, 'texts'>): UnitTexts =>
  texts.get(unit.name) ?? { before: new Map(), after: new Map() };

async function untilItHolds(
  unit: Unit,
  check: AnyCheck,
  place: CommandPlace,
  context: CheckContext,
): Promise<ChecksResult> {
  const within = 'within_s' in check ? check.within_s : 0;
  const deadline = context.clock.monotonic() + within * 1000;
  for (;;) {
    const verdict =
      'built_in' in check
        ? await builtIn(unit, check, place, context)
        : await commandCheck(unit, check, place, context);
    if (verdict.ok || context.clock.monotonic() >= deadline) return verdict;
    await context.clock.sleep(retryMs, context.signal);
  }
}

async function builtIn(
  unit: Unit,
  check: BuiltInCheck,
  place: CommandPlace,
  context: CheckContext,
): Promise<ChecksResult> {
  const started = context.clock.monotonic();
  const problem = await runBuiltIn(unit, check, place, context);
  const evidence: CommandEvidence = {
    unit: unit.name,
    check: check.id,
    argv: [check.built_in],
    exit_code: null,
    duration_ms: context.clock.monotonic() - started,
    output: shown(unit, problem ?? '', context),
    ok: problem === undefined,
  };
  return { ok: evidence.ok, message: evidence.ok ? '' : failure(unit, evidence), commands: [evidence] };
}

async function commandCheck(
  unit: Unit,
  check: Check,
  place: CommandPlace,
  context: CheckContext,
): Promise<ChecksResult> {
  const found = await targetsOf(unit, check, place, context);
  if (found === undefined) return commandOnce(unit, check, place, context);
  if (found.length === 0) {
    const outcome = {
      unit: unit.name,
      check: check.id,
      argv: check.argv,
      exit_code: null,
      duration_ms: 0,
      ok: false,
    };
    const evidence = { ...outcome, output: 'nothing was found to run it for' };
    return { ok: false, message: failure(unit, evidence), commands: [evidence] };
  }
  const verdicts: ChecksResult[] = [];
  for (const values of found) verdicts.push(await commandOnce(unit, fillIn(check, values), place, context));
  const ok = verdicts[check.targets?.need === 'one' ? 'some' : 'every']((verdict) => verdict.ok);
  return {
    ok,
    message: ok ? '' : (verdicts.find((verdict) => !verdict.ok)?.message ?? ''),
    commands: verdicts.flatMap((verdict) => verdict.commands),
  };
}

async function commandOnce(
  unit: Unit,
  check: Check,
  place: CommandPlace,
  context: CheckContext,
): Promise<ChecksResult> {
  const { outcome, record } = await runOne(unit, check, place, context);
  const problem =
    outcome.ok && record ? judge(check, record, context.expected?.get(keyOf(unit, check))) : undefined;
  const evidence = {
    ...outcome,
    check: check.id,
    ok: outcome.ok && problem === undefined,
    output: problem === undefined ? outcome.output : cut(`${problem}\n${outcome.output}`),
  };
  return {
    ok: evidence.ok,
    message: evidence.ok ? '' : failure(unit, evidence, problem),
    commands: [evidence],
  };
}

/** Without a record when the program it needs is not on the device. */
async function runOne(
  unit: Unit,
  command: UnitCommand,
  place: CommandPlace,
  context: CheckContext,
): Promise<{ outcome: CommandEvidence; record?: CommandRecord }> {
  const { machine, signal, workspace, scratch } = context;
  const base = { unit: unit.name, argv: command.argv.map((one) => shown(unit, one, context)) };
  if (command.if_program !== undefined && !(await machine.hasProgram(command.if_program))) {
    const output = `skipped: the device has no program ${command.if_program}`;
    return { outcome: { ...base, exit_code: null, duration_ms: 0, output, ok: true } };
  }
  const options = { signal, ...(workspace ? { workspace } : {}), ...(scratch ? { scratch } : {}) };
  let record: CommandRecord;
  try {
    record = await machine.run(freshly(command), place, options);
  } catch (error) {
    if (signal.aborted || !(error instanceof TaskError)) throw error;
    const output = shown(unit, error.message, context);
    return { outcome: { ...base, exit_code: null, duration_ms: 0, output, ok: false } };
  }
  const ok = !record.timedOut && record.exitCode !== null && command.ok_exit_codes.includes(record.exitCode);
  const output = shown(
    unit,
    record.timedOut ? `stopped after ${command.timeout_s} s\n${record.output}` : record.output,
    context,
  );
  return {
    outcome: { ...base, exit_code: record.exitCode, duration_ms: record.durationMs, output, ok },
    record,
  };
}

const keyOf = (unit: Unit, command: UnitCommand): string => `${unit.name}\n${command.argv.join('\n')}`;

const failure = (
  unit: Unit,
  { argv, check, exit_code, output }: CommandEvidence,
  problem?: string,
): string => {
  const what = check === undefined ? argv.join(' ') : `${check} (${argv.join(' ')})`;
  const why = problem ?? output.trim().split('\n').slice(-3).join(' / ');
  return `${unit.name}: ${what}${exit_code ? ` ended with ${exit_code}` : ' failed'}: ${why || 'no output'}`.slice(
    0,
    1024,
  );
};

function shown(unit: Unit, text: string, { secretValues = [] }: CheckContext): string {
  const open = secretValues
    .filter((value) => value !== '')
    .reduce((left, value) => left.replaceAll(value, '<secret>'), text);
  return cut(redactOutput(open, unit));
}

const cut = (text: string): string =>
  text.length <= maxOutput ? text : `${text.slice(0, maxOutput - 32)}\n… (${text.length} characters)`;
