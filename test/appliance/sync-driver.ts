import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ControllerClock } from '../../agent/link/controller-clock.ts';
import { HttpControllerProbe } from '../../agent/link/controller-probe.ts';
import { createLinuxTransactionMachine } from '../../agent/transaction/linux/machine.ts';
import { createProcesses } from '../../agent/system/processes.ts';
import { loadProfiles } from '../../agent/transaction/profiles.ts';
import { runTransaction } from '../../agent/transaction/transaction.ts';
import type { TransactionContext, TransactionParts } from '../../agent/transaction/transaction-parts.ts';
import type { z } from 'zod';
import { TaskError } from '../../shared/errors.ts';
import { Unit } from '../../shared/device-profile.ts';
import { matchesGlob } from '../../shared/glob.ts';
import { Manifest } from '../../shared/manifest.ts';
import { ControllerKeys } from '../../shared/node/controller-keys.ts';
import { importPrivateKey } from '../../shared/node/keys.ts';
import { systemClock, systemRandom } from '../../shared/node/system-clock.ts';
import { Sync } from '../../shared/task-types/sync.ts';

/**
 * One transaction with the shipped profile on the machine it runs on: `node sync-driver.ts PLAN`, a JSON file. Blobs are local, the
 * controller is asked as the agent asks it. Prints the outcome as one line of JSON.
 */
export interface SyncPlan {
  id: string;
  generation: number;
  controller: { url: string; controllerId: string; controllerKey: string; deviceId: string };
  /** Of the device, PEM. */
  privateKey: string;
  /** Units beside those of the shipped profile. */
  units?: z.input<typeof Unit>[];
  files: Record<string, string>;
  /** The window; 30 unless it says more or less. */
  confirmSeconds?: number;
  /** Ends it by a wish to stop when everything is applied: at the second probe, the first being the one before any change. */
  stopAfterApply?: boolean;
}

const plan = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as SyncPlan;
const shipped = loadProfiles().get('debian');
if (!shipped) throw new Error('there is no profile for Debian');
const own = (plan.units ?? []).map((unit) => Unit.parse(unit));
const units = [...own, ...shipped.units].map(({ confirm_s: _, ...unit }) => unit);
const profile = {
  ...shipped,
  units,
  confirm_s: plan.confirmSeconds ?? 30,
  probe: { every_s: 0.2, need: 2, over_s: 0.5 },
};

const blobs = new Map<string, Buffer>();
const keep = (text: string): string => {
  const bytes = Buffer.from(text);
  const digest = createHash('sha256').update(bytes).digest('hex');
  blobs.set(digest, bytes);
  return digest;
};

const files = Object.entries(plan.files).map(([path, text]) => {
  for (const unit of profile.units) {
    const managed = unit.paths.find(({ glob }) => matchesGlob(glob, path));
    if (!managed) continue;
    const { owner, group, mode } = managed;
    const size = Buffer.byteLength(text);
    return { path, unit: unit.name, mode, owner, group, blob: keep(text), size, encoding: 'plain' };
  }
  throw new Error(`${path} is managed by no unit`);
});
const manifest = JSON.stringify(
  Manifest.parse({
    format: 1,
    device: 'lab',
    generation: plan.generation,
    profile: { id: profile.id, rev: profile.rev },
    files,
    absent: [],
  }),
);

const stopping = new AbortController();
let probes = 0;
const attemptMs = 2000; // the window is short here
const probe = new HttpControllerProbe({
  ...plan.controller,
  controllerKeys: new ControllerKeys({
    controllerId: plan.controller.controllerId,
    pinned: plan.controller.controllerKey,
    now: () => systemClock.now(),
  }),
  keys: importPrivateKey(plan.privateKey),
  controllerClock: new ControllerClock(systemClock),
  random: systemRandom,
  clock: systemClock,
});
const folder = '/var/lib/muster-lab/transactions';
const parts: TransactionParts = {
  device: { id: 'lab' },
  profile,
  machine: createLinuxTransactionMachine({ folder, processes: createProcesses() }),
  transfers: {
    async *download({ sha256 }) {
      const blob = blobs.get(sha256);
      if (!blob) throw new TaskError('rejected_fetch', `there is no blob ${sha256}`);
      yield blob;
    },
    secrets: () => Promise.reject(new Error('there are no secrets')),
  },
  probe: {
    address: probe.address,
    attempt: (transaction, timeoutMs, signal) => {
      probes += 1;
      if (plan.stopAfterApply && probes === 2) stopping.abort(new TaskError('cancelled', 'enough'));
      return probe.attempt(transaction, Math.min(timeoutMs, attemptMs), signal);
    },
  },
  keys: {
    stateDigest: (text) => createHmac('sha256', 'lab').update(text).digest('hex'),
    secretToken: (value) => createHmac('sha256', 'lab').update(value).digest('hex').slice(0, 8),
    decrypt: (ciphertext) => ciphertext,
  },
  ownPaths: ['/var/lib/muster-lab'],
};

const lines: string[] = [];
const context: TransactionContext = {
  code: 'aB3dE6gH',
  clock: systemClock,
  signal: stopping.signal,
  output: (_, text) => void lines.push(text),
  progress: () => {},
  ask: () => Promise.reject(new Error('nobody is here to be asked')),
};
const parameters = Sync.parameters.parse({
  generation: plan.generation,
  manifest: keep(manifest),
  manifest_bytes: Buffer.byteLength(manifest),
  on_drift: 'overwrite',
});

async function outcome(): Promise<unknown> {
  try {
    const result = await runTransaction(plan.id, parameters, { parts, context });
    return { outcome: result.outcome, code: 'ok', message: '', result };
  } catch (error) {
    if (!(error instanceof TaskError)) throw error;
    const { code, message, result } = error;
    return { outcome: result?.['outcome'] ?? 'none', code, message, result };
  }
}

process.stdout.write(`${JSON.stringify({ ...((await outcome()) as object), log: lines })}\n`);
process.exit();
