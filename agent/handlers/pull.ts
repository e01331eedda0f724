import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { rulesetOf, type Unit } from '../../shared/device-profile.ts';
import { PullAnswer, type PullReport, pullReportPath } from '../../shared/protocol/transfer.ts';
import { Pull, type PullParameters, type PullResult } from '../../shared/task-types/pull.ts';
import { entryOfState, MachineTree } from '../transaction/archive-machine-tree.ts';
import { type SealedFile, sealToFile } from '../transaction/archive-seal.ts';
import { packTar } from '../transaction/archive-tar.ts';
import { isReliable, makeView, type View } from '../transaction/view.ts';
import { ViewFile } from '../transaction/view-file.ts';
import { readViewMemory, type ViewMemory, writeViewMemory } from '../transaction/view-memory.ts';
import type { Configuration } from './configuration.ts';
import { readConfiguration, requireRecipients, unitsOf } from './configuration-reading.ts';
import { type Handler, handle, type HandlerContext } from './handler.ts';

/** Brings what the device has to the controller: a view for people, and the encrypted original when the view is new. */
export const createPullHandler = (configuration: Configuration): Handler =>
  handle(Pull, (parameters, context) => pull(parameters, configuration, context)) as Handler;

async function pull(
  parameters: PullParameters,
  configuration: Configuration,
  context: HandlerContext,
): Promise<PullResult> {
  requireRecipients(configuration, parameters.recipients);
  const units = unitsOf(configuration, parameters.units);
  const memory = await readViewMemory(configuration.memory.view);
  const rawPath = join(configuration.spool, `pull-${context.code}.raw`);
  const work = { parameters, configuration, context, memory, rawPath };
  await mkdir(configuration.spool, { recursive: true, mode: 0o700 });
  await using file = await ViewFile.create(join(configuration.spool, `pull-${context.code}.view`));
  try {
    const reading = await readConfiguration(configuration, context, () => readOnce(units, file, work));
    return await deliver(reading, work);
  } finally {
    await rm(rawPath, { force: true });
  }
}

interface Work {
  parameters: PullParameters;
  configuration: Configuration;
  context: HandlerContext;
  memory: ViewMemory;
  rawPath: string;
}

interface Reading {
  found: View;
  view: SealedFile;
  /** The original, when the controller does not have it yet. */
  raw: SealedFile | undefined;
  complete: boolean;
}

/** View and original of the same files. */
async function readOnce(units: Unit[], file: ViewFile, work: Work): Promise<Reading> {
  const { parameters, configuration, context, memory } = work;
  const found = await makeView(units, file, {
    ...configuration,
    clock: context.clock,
    signal: context.signal,
    maxBytes: parameters.max_bytes,
    memory,
    progress: (done, of) =>
      context.progress({ percent: (done / of) * 50, message: `${done} of ${of} units read` }),
  });
  const view = await file.seal();
  const complete = isReliable(found) && units.length === configuration.profile.units.length;
  const isNew = complete && !hasOriginal(memory, view.sha256, parameters.recipients);
  const raw = isNew ? await sealOriginal(found, work) : undefined;
  return { found, view, raw, complete };
}

const hasOriginal = ({ raw }: ViewMemory, view: string, recipients: string[]): boolean =>
  raw?.view === view && [...raw.recipients].sort().join() === [...recipients].sort().join();

/** The exact bytes, readable by the recipients only. Without recipients there is nobody to keep it for. */
async function sealOriginal(
  { files }: View,
  { parameters, configuration, context, rawPath }: Work,
): Promise<SealedFile | undefined> {
  if (parameters.recipients.length === 0) return undefined;
  const entries = files
    .map((file) => ({ ...entryOfState(file), unit: null }))
    .sort((left, right) => (left.path < right.path ? -1 : 1));
  return sealToFile(packTar({ entries, tree: new MachineTree(configuration.machine) }), {
    recipients: parameters.recipients,
    path: rawPath,
    plainBytes: entries.reduce((sum, { size }) => sum + size, 0),
    signal: context.signal,
  });
}

async function deliver(reading: Reading, work: Work): Promise<PullResult> {
  const { found, view, complete } = reading;
  const { parameters, configuration, context, memory } = work;
  for (const { unit, status, message } of found.units) {
    context.output('agent', message === '' ? `${unit}: ${status}` : `${unit}: ${status}: ${message}`);
  }
  await bring('view', view, work);
  let { raw } = reading;
  if (raw) await bring('raw', raw, work);
  let answer = await report(reading, raw, work);
  if (answer.changed && complete && raw === undefined && parameters.recipients.length > 0) {
    // The controller lost what this device remembers to have brought.
    raw = await readConfiguration(configuration, context, () => sealOriginal(found, work));
    if (raw) await bring('raw', raw, work);
    answer = await report(reading, raw, work);
  }
  const { recipients } = parameters;
  const kept = complete && recipients.length > 0 ? { view: view.sha256, recipients } : memory.raw;
  await remember({ units: found.memory, raw: kept }, work);
  const { profile } = configuration;
  return {
    profile: { id: profile.id, rev: profile.rev },
    units: found.units,
    version: answer.version,
    changed: answer.changed,
    raw: recipients.length === 0 ? 'no_recipients' : raw ? 'stored' : 'unchanged',
    view_sha256: view.sha256,
    bytes: view.size,
  };
}

function bring(name: 'view' | 'raw', file: SealedFile, { configuration, context }: Work): Promise<void> {
  const progress = (bytes: number): void =>
    context.progress({
      percent: 50 + (bytes / file.size) * 45,
      message: `${bytes} of ${file.size} bytes of the ${name} brought`,
    });
  const request = {
    code: context.code,
    name,
    file: file.path,
    size: file.size,
    sha256: file.sha256,
    progress,
  };
  return configuration.transfers.upload(request, context.signal);
}

function report(
  { found, view, complete }: Reading,
  raw: SealedFile | undefined,
  { configuration, context }: Work,
): Promise<PullAnswer> {
  const { profile, transfers } = configuration;
  const body: PullReport = {
    profile: { id: profile.id, rev: profile.rev },
    ruleset: rulesetOf(profile),
    units: found.units,
    generation: found.confirmed?.generation ?? null,
    content: found.confirmed?.content ?? null,
    view_sha256: view.sha256,
    raw_sha256: raw?.sha256 ?? null,
    complete,
  };
  return transfers.post(pullReportPath(context.code), body, PullAnswer, context.signal);
}

/** Losing it costs a doubt or an upload; a full disk must not fail what has succeeded. */
async function remember(memory: ViewMemory, { configuration, context }: Work): Promise<void> {
  try {
    await writeViewMemory(configuration.memory.view, memory);
  } catch (error) {
    context.output('agent', `what was found cannot be remembered: ${String(error)}`);
  }
}
