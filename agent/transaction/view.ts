import { rulesetOf, type Unit } from '../../shared/device-profile.ts';
import { TaskError } from '../../shared/errors.ts';
import type { PulledUnit, UnitStatus } from '../../shared/task-types/pull.ts';
import { viewOf } from '../../shared/view-pieces.ts';
import type { ConfirmedState, FileState } from './machine.ts';
import { runningProblem, type RunningParts, runningText } from './running-state.ts';
import { loss } from './view-guards.ts';
import type { ViewFile } from './view-file.ts';
import type { ViewMemory } from './view-memory.ts';
import { type ReadingParts, readUnit, tokenOf, type UnitReading } from './view-unit.ts';

export interface ViewParts extends RunningParts, Omit<ReadingParts, 'count'> {
  /** Of all files together. */
  maxBytes: number;
  memory: ViewMemory;
  progress(done: number, of: number): void;
}

/** What a PULL found: the view is in the file. */
export interface View {
  units: PulledUnit[];
  /** What was read in full, for the original. */
  files: FileState[];
  confirmed: ConfirmedState | undefined;
  memory: ViewMemory['units'];
}

/** Readings that say nothing about what is on the device. */
const unreliable: readonly UnitStatus[] = ['unreadable', 'unstable', 'suspect'];

/** Whether all of it is what the device has. */
export const isReliable = ({ units }: Pick<View, 'units'>): boolean =>
  units.every(({ status }) => !unreliable.includes(status));

/** Writes the view of these units as JSON text: redacted, normalised, each unit as it was at one moment. */
export async function makeView(units: Unit[], view: ViewFile, parts: ViewParts): Promise<View> {
  const { machine, memory, profile, maxBytes } = parts;
  const confirmed = await machine.confirmed();
  const found: View = { units: [], files: [], confirmed, memory: { ...memory.units } };
  let bytes = 0;
  const count = (more: number): void => {
    bytes += more;
    if (bytes > maxBytes)
      throw new TaskError('too_large', `The files have more than ${maxBytes} bytes together`);
  };
  await view.rewind(0);
  await view.write(`{"format":1,"ruleset":${JSON.stringify(rulesetOf(profile))},"units":[`);
  for (const [index, unit] of units.entries()) {
    await view.write(`${index === 0 ? '' : ','}{"unit":${JSON.stringify(unit.name)},"files":[`);
    await addUnit(unit, { view, found, parts: { ...parts, count } });
    await view.write('}');
    parts.progress(index + 1, units.length);
  }
  await view.write(']}\n');
  return found;
}

interface Making {
  view: ViewFile;
  found: View;
  parts: ViewParts & ReadingParts;
}

async function addUnit(unit: Unit, { view, found, parts }: Making): Promise<void> {
  let reading: UnitReading;
  try {
    reading = await readUnit(unit, view, parts);
  } catch (error) {
    await view.write(']');
    found.units.push(unreadable(unit, error, parts.signal));
    return;
  }
  await view.write(']');
  const running = await addRunning(unit, reading, view, parts);
  const judged = judge(unit, reading, { found, parts, running });
  found.units.push({
    unit: unit.name,
    ...judged,
    files: reading.files.length,
    bytes: reading.files.reduce((sum, { size }) => sum + size, 0),
    state: reading.state,
  });
  found.files.push(...reading.files);
}

function unreadable(unit: Unit, error: unknown, signal: AbortSignal): PulledUnit {
  signal.throwIfAborted();
  const isForeseen = error instanceof TaskError || (error instanceof Error && 'code' in error);
  if (!isForeseen || (error instanceof TaskError && error.code === 'too_large')) throw error;
  const status = error instanceof TaskError && error.code === 'unstable' ? 'unstable' : 'unreadable';
  return { unit: unit.name, status, message: short(error.message), files: 0, bytes: 0, state: '' };
}

interface Running {
  /** Why it is not that of the files. */
  differs: string | undefined;
  /** Why that is not known. */
  unknown: string | undefined;
}

/** The running state where it can differ from the files. A unit without files is not configured on this device. */
async function addRunning(
  unit: Unit,
  { files }: UnitReading,
  view: ViewFile,
  parts: ViewParts,
): Promise<Running> {
  if (files.length === 0) return { differs: undefined, unknown: undefined };
  try {
    const told = await runningText(unit, parts);
    if (told && 'problem' in told) return { differs: told.problem, unknown: undefined };
    if (told) {
      const shown = viewOf(told.text, unit, tokenOf(parts.keys));
      const text = 'text' in shown ? shown.text : `(withheld: ${shown.withheld})\n`;
      await view.write(`,"running":${JSON.stringify(text)}`);
    }
    return { differs: await runningProblem(unit, parts), unknown: undefined };
  } catch (error) {
    parts.signal.throwIfAborted();
    if (!(error instanceof TaskError)) throw error;
    return { differs: undefined, unknown: `The running state is not known: ${error.message}` };
  }
}

function judge(
  unit: Unit,
  { files, state, incomplete }: UnitReading,
  { found, parts, running }: { found: View; parts: ViewParts; running: Running },
): { status: UnitStatus; message: string } {
  const confirmed = found.confirmed?.units[unit.name];
  const before = found.memory[unit.name];
  const now = {
    state,
    files: Object.fromEntries(files.map(({ path, size }) => [path, size])),
    isConfirmed: confirmed === state,
  };
  const doubt = incomplete ?? loss(before, now, parts.profile.drop_guard_percent);
  if (doubt !== undefined) {
    if (before) found.memory[unit.name] = { ...before, doubted: state };
    return { status: 'suspect', message: short(doubt) };
  }
  found.memory[unit.name] = { state, files: now.files };
  const status = statusOf(confirmed, state, running.differs !== undefined);
  return { status, message: short(running.differs ?? running.unknown ?? '') };
}

function statusOf(confirmed: string | undefined, state: string, runsOther: boolean): UnitStatus {
  if (confirmed === undefined) return 'never_synced';
  if (confirmed === state) return runsOther ? 'running_only' : 'in_sync';
  return runsOther ? 'pending_reload' : 'file_changed';
}

const short = (text: string): string => text.slice(0, 1024);
