import { dirname } from 'node:path';
import type { Unit } from '../../shared/device-profile.ts';
import type { Candidate } from './candidate.ts';
import { type CheckContext, type CommandEvidence, runCommands, textsOf } from './checks.ts';
import type { StepLog } from './evidence.ts';
import type { GoBack, Workspace } from './machine.ts';
import { rejected } from './sync-error.ts';
import { joinTexts, restoreCommands, selectCommands } from './unit-commands.ts';

type Kept = Unit['keep'][number];

/** Saves everything that the way back needs. Returns the folder of what was kept of the running state, if anything was. */
export async function takeSnapshot(
  { touched, live, checks }: Candidate,
  workspace: Workspace,
  log: StepLog,
): Promise<string | undefined> {
  // All files of a unit that changes: its commands may change others than those that were written.
  const existing = touched.flatMap(({ unit }) => (live.files.get(unit.name) ?? []).map(({ path }) => path));
  const changing = touched.flatMap(({ written, removed }) => [...written, ...removed]);
  const paths = [...new Set([...changing, ...existing])].sort();
  await workspace.snapshot(paths);

  let folder: string | undefined;
  for (const { unit } of touched) {
    for (const kept of unit.keep) {
      const path = await keep(unit, kept, { workspace, checks, log });
      if (path === undefined) continue;
      folder = dirname(path);
      if ('check' in kept && kept.check) {
        const outcome = await runCommands(unit, [kept.check], 'host', { ...checks, snapshot: folder });
        log.commands(outcome.commands);
        if (!outcome.ok) throw rejected('rejected_snapshot', outcome.message);
      }
    }
  }
  log.message = `${paths.length} files are saved`;
  return folder;
}

/** Commands that make the services read the old files again, in the reverse order of the profile. */
export async function commandsBack({ touched, checks }: Candidate): Promise<GoBack['commands']> {
  const commands: GoBack['commands'] = [];
  for (const { unit } of touched.toReversed()) {
    for (const { argv, timeout_s, ok_exit_codes, if_program } of restoreCommands(
      unit,
      textsOf(unit, checks),
      '{snapshot}',
    )) {
      if (if_program !== undefined && !(await checks.machine.hasProgram(if_program))) continue;
      commands.push({ argv, timeoutSeconds: timeout_s, okExitCodes: ok_exit_codes });
    }
  }
  return commands;
}

interface Keeping {
  workspace: Workspace;
  checks: CheckContext;
  log: StepLog;
}

async function keep(unit: Unit, kept: Kept, work: Keeping): Promise<string | undefined> {
  const { workspace, checks } = work;
  if (!('text_of' in kept)) return keepOutput(unit, kept, work);
  const text = joinTexts(textsOf(unit, checks)[kept.text_of]);
  const left = kept.without === undefined ? undefined : new RegExp(kept.without, 'u');
  const lines = text.split('\n').filter((line) => !left?.test(line));
  return workspace.keep(kept.name, lines.join('\n'));
}

async function keepOutput(
  unit: Unit,
  { name, prefix, command }: Extract<Kept, { command: unknown }>,
  { workspace, checks, log }: Keeping,
): Promise<string | undefined> {
  const { machine, signal } = checks;
  const outputs: string[] = [];
  for (const one of selectCommands([command], textsOf(unit, checks))) {
    if (one.if_program !== undefined && !(await machine.hasProgram(one.if_program))) continue;
    const record = await machine.run(one, 'host', { signal, workspace });
    const ok = !record.timedOut && one.ok_exit_codes.includes(record.exitCode ?? -1);
    const evidence: CommandEvidence = {
      unit: unit.name,
      argv: one.argv,
      exit_code: record.exitCode,
      duration_ms: record.durationMs,
      output: '',
      ok,
    };
    log.commands([evidence]);
    if (!ok)
      throw rejected(
        'rejected_snapshot',
        `${unit.name}: ${one.argv.join(' ')} failed: ${name} cannot be kept`,
      );
    outputs.push(record.stdout);
  }
  return outputs.length === 0 ? undefined : workspace.keep(name, prefix + outputs.join(''));
}
