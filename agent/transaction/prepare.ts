import { createHash } from 'node:crypto';
import type { Candidate } from './candidate.ts';
import { touchedUnits } from './candidate.ts';
import { passDriftGate } from './drift-gate.ts';
import { collect } from './live-files.ts';
import { checkManifest } from './manifest-check.ts';
import { preflight } from './preflight.ts';
import { probeBaseline } from './probe-controller.ts';
import { passQuarantine } from './quarantine.ts';
import { render } from './render.ts';
import { passRunningGate } from './running-gate.ts';
import { rejected } from './sync-error.ts';
import type { TransactionWork } from './transaction-work.ts';
import { textsOfUnits } from './unit-texts.ts';
import { validate } from './validate.ts';

/** Everything before the machine is touched: ends with a candidate that is staged and proved, as far as that is possible beforehand. */
export async function prepare(work: TransactionWork): Promise<Candidate> {
  const { parts, parameters, context, workspace, evidence } = work;
  const { probe, profile } = parts;
  await evidence.step('baseline', async (log) => {
    log.message = await probeBaseline({
      ...context,
      probe,
      settings: profile.probe,
      transaction: workspace.id,
      evidence,
    });
  });
  const text = await evidence.step('fetch', async (log) => {
    const found = await fetchManifest(work);
    log.message = `the manifest has ${Buffer.byteLength(found)} bytes`;
    return found;
  });
  const checked = await evidence.step('verify', async (log) => {
    const found = await checkManifest(text, parameters, parts);
    work.findings.content = found.content;
    await passQuarantine(found.content, parameters.release, parts.machine);
    await workspace.append('VERIFIED', `generation ${parameters.generation}, content ${found.content}`);
    log.message = `${found.manifest.files.length} files, content ${found.content.slice(0, 12)}`;
    return found;
  });
  const live = await evidence.step('drift', async (log) => {
    const found = await passDriftGate(checked, parameters, parts);
    work.findings.before = found.live.states;
    log.message = found.message;
    return found.live;
  });
  const { rendered, checks } = await evidence.step('render', async (log) => {
    const made = await render({ checked, live, workspace, parts, context });
    const texts = await textsOfUnits(profile, { live, rendered: made, machine: parts.machine });
    work.findings.changes = made.changes.slice(0, 1000);
    work.findings.changes_total = made.changes.length;
    await workspace.append('RENDERED', `${made.changes.length} changes`);
    log.message = `${made.changes.length} files change, ${made.fetchedBytes} bytes were fetched`;
    const { clock, signal } = context;
    const secretValues = [...made.secrets.values()].filter((value) => value.length > 3);
    return {
      rendered: made,
      checks: { machine: parts.machine, clock, signal, profile, texts, secretValues, workspace },
    };
  });
  const touched = await evidence.step('drift', async (log) => {
    const before = { live, touched: touchedUnits(live, rendered), texts: checks.texts };
    const found = await passRunningGate(before, parameters, { ...checks, probe });
    log.message = found.message;
    return found.touched;
  });
  return prove({ checked, live, touched, checks }, work);
}

async function prove(candidate: Candidate, work: TransactionWork): Promise<Candidate> {
  const { parts, workspace, evidence } = work;
  if (candidate.touched.length === 0) return candidate;
  await evidence.step('validate', async (log) => {
    await validate(candidate, log);
  });
  const expected = await evidence.step('preflight', async (log) => {
    const found = await preflight(candidate, { workspace, probe: parts.probe }, log);
    await workspace.append('VALIDATED', log.message);
    return found;
  });
  return { ...candidate, checks: { ...candidate.checks, expected } };
}

async function fetchManifest({ parts, parameters, context }: TransactionWork): Promise<string> {
  const { manifest: sha256, manifest_bytes: maxBytes } = parameters;
  const request = { code: context.code, sha256, maxBytes };
  const bytes = await collect(parts.transfers.download(request, context.signal));
  if (createHash('sha256').update(bytes).digest('hex') !== sha256) {
    throw rejected(
      'rejected_verify',
      `What came is not the manifest ${sha256.slice(0, 12)} that the order names`,
    );
  }
  return Buffer.from(bytes).toString('utf8');
}
