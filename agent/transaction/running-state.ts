import type { Clock } from '../../shared/clock.ts';
import type { AnyCheck, DeviceProfile, Unit } from '../../shared/device-profile.ts';
import { TaskError } from '../../shared/errors.ts';
import { type CheckContext, recordExpected, runChecks, runCommands } from './checks.ts';
import { liveFiles, liveTexts } from './live-files.ts';
import type { FileState, TransactionMachine } from './machine.ts';
import type { UnitTexts } from './unit-commands.ts';

export interface RunningParts {
  machine: TransactionMachine;
  clock: Clock;
  profile: DeviceProfile;
  probe: { readonly address: { host: string; port: number } };
  signal: AbortSignal;
}

/** Nothing is staged in it: what runs there sees the files of the machine as they are. */
const asItIs = { id: 'as-it-is' };

/** What the service runs with, as its command tells it; undefined when the unit has none, or the device not its program. */
export async function runningText(
  { running }: Unit,
  { machine, signal }: RunningParts,
): Promise<{ text: string } | { problem: string } | undefined> {
  if (running === undefined) return undefined;
  if (running.if_program !== undefined && !(await machine.hasProgram(running.if_program))) return undefined;
  const what = running.argv.join(' ');
  const { exitCode, timedOut, stdout } = await machine.run(running, 'host', { signal });
  if (timedOut) return { problem: `${what} did not end within ${running.timeout_s} s` };
  if (exitCode !== null && running.ok_exit_codes.includes(exitCode)) return { text: stdout };
  return { problem: `${what} ended with ${exitCode}` };
}

/** Why the running state is not that of the files, or undefined; by the checks that the profile names for it. */
export async function runningProblem(unit: Unit, parts: RunningParts): Promise<string | undefined> {
  const checks = unit.verify.filter(({ id }) => unit.running_checks.includes(id));
  if (checks.length === 0) return undefined;
  const { machine, clock, profile, signal } = parts;
  // Everything counts as new: no command is left out because nothing changes.
  const context = { machine, clock, profile, signal, workspace: asItIs, texts: await textsNow(unit, parts) };
  const once = checks.map((check) => ('within_s' in check ? { ...check, within_s: 0 } : check));
  const expected = await expectedState(unit, once, { ...parts, context });
  const outcome = await runChecks(unit, once, 'host', { ...context, expected });
  return outcome.ok ? undefined : outcome.message;
}

/** What the files come to when they are loaded in a scratch namespace. */
async function expectedState(
  unit: Unit,
  checks: AnyCheck[],
  { machine, probe, signal, context }: RunningParts & { context: CheckContext },
): Promise<Map<string, string>> {
  if (!checks.some((check) => !('built_in' in check) && check.expect.same_in_scratch)) return new Map();
  await using scratch = await machine.openScratch(asItIs, { controller: probe.address, signal });
  const within = { ...context, scratch };
  const loaded = await runCommands(unit, unit.preflight, 'scratch', within);
  if (!loaded.ok) throw new TaskError('not_comparable', loaded.message);
  const recorded = await recordExpected(unit, within);
  if (!recorded.ok) throw new TaskError('not_comparable', recorded.message);
  return recorded.expected;
}

async function textsNow(unit: Unit, { profile, machine }: RunningParts): Promise<Map<string, UnitTexts>> {
  const texts = new Map<string, UnitTexts>();
  for (const one of profile.units) {
    const after = await liveTexts(await filesOf(one, machine), machine).catch(
      () => new Map<string, string>(),
    );
    texts.set(one.name, { before: one.name === unit.name ? new Map() : after, after });
  }
  return texts;
}

/** Nothing, for a unit that cannot be read: it says so itself. */
async function filesOf(unit: Unit, machine: TransactionMachine): Promise<FileState[]> {
  try {
    return await liveFiles(unit, machine);
  } catch (error) {
    if (error instanceof TaskError) return [];
    throw error;
  }
}
