import { type Unit, UnitCommand } from '../../shared/device-profile.ts';
import { type CheckContext, runCommands, textsOf } from './checks.ts';
import { type StepLog, sentenceOf } from './evidence.ts';
import type { Workspace } from './machine.ts';
import { lostElements } from './nftables-elements.ts';
import { joinTexts } from './unit-commands.ts';

/** Each is one call of nft. */
const maxSets = 50;
const timeout_s = 60;
const list = UnitCommand.parse({ argv: ['nft', 'list', 'ruleset'], timeout_s });

interface Keeping {
  checks: CheckContext;
  workspace: Workspace;
  log: StepLog;
}

/**
 * Lets a unit's service read its files, and gives it back what it has learned while it ran. Nothing of that is desired by anybody, so what
 * cannot be given back is told and fails nothing.
 */
export async function keepingRuntime(unit: Unit, work: Keeping, read: () => Promise<void>): Promise<string> {
  const isKept = unit.keep_runtime !== undefined && (await work.checks.machine.hasProgram('nft'));
  const before = isKept ? await ruleset(work.checks) : undefined;
  await read();
  if (before === undefined) return '';
  const after = await ruleset(work.checks);
  if ('problem' in before || 'problem' in after) {
    const problem = 'problem' in before ? before.problem : 'problem' in after ? after.problem : '';
    return `; sets that fill themselves are empty: ${problem}`;
  }
  return bringBack(unit, { before: before.text, after: after.text }, work);
}

async function bringBack(
  unit: Unit,
  { before, after }: { before: string; after: string },
  { checks, workspace, log }: Keeping,
): Promise<string> {
  const lost = lostElements(before, after, joinTexts(textsOf(unit, checks).before));
  let back = 0;
  const empty = lost.slice(maxSets).map(({ set }) => set);
  for (const [index, { set, count, command }] of lost.slice(0, maxSets).entries()) {
    const path = await workspace.keep(`elements-${index + 1}.nft`, command);
    const add = UnitCommand.parse({ argv: ['nft', '-f', path], timeout_s });
    const { ok, commands } = await runCommands(unit, [add], 'host', checks);
    log.commands(commands);
    if (ok) back += count;
    else empty.push(set);
  }
  const told = empty.length === 0 ? '' : `; these sets did not take theirs back: ${empty.join(', ')}`;
  return lost.length === 0 ? '' : `; ${back} elements that sets had filled themselves with are kept${told}`;
}

async function ruleset({ machine, signal }: CheckContext): Promise<{ text: string } | { problem: string }> {
  try {
    const { exitCode, stdout, output } = await machine.run(list, 'host', { signal });
    if (exitCode === 0) return { text: stdout };
    return { problem: `${list.argv.join(' ')} failed: ${output.slice(0, 200)}` };
  } catch (error) {
    signal.throwIfAborted();
    return { problem: sentenceOf(error) };
  }
}
