import { existsSync, readlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { TaskError } from '../../shared/errors.ts';
import {
  type InstallParameters,
  PluginInstall,
  type PluginInstalled,
  type RemoveParameters,
} from '../../shared/task-types/plugin-install.ts';
import { unreachable } from '../../shared/unreachable.ts';
import { requireAdmissible } from '../releases/admission.ts';
import { requireAgentTree } from '../releases/agent-tree.ts';
import { bytesHeld, downloadIn, fetchArchive } from '../releases/fetch-archive.ts';
import type { ReleaseFolder, Trial } from '../releases/release-folder.ts';
import { requireReversible, type SchemaRange } from '../releases/release-schema.ts';
import { signedRelease, type TrustedKeys } from '../releases/trusted-release.ts';
import { unpack } from '../releases/unpack.ts';
import { type Handler, type HandlerContext, handle } from './handler.ts';
import type { Transfers } from './transfers.ts';

export interface PluginInstallParts {
  folder: ReleaseFolder;
  trusted: TrustedKeys;
  transfers: Pick<Transfers, 'download'>;
  guard: ReleaseGuard;
  /** Of this process, and what it is a build for. */
  version: string;
  platform: string;
  /** What this version does to the agent's database. */
  schema: SchemaRange;
}

/** The program that decides a trial; it needs neither the agent nor Node.js. */
export interface ReleaseGuard {
  /** Throws `TaskError` when this machine cannot switch versions. */
  requireReady(): void;
  /** Starts it outside of the agent; it does what the trial file says. Starting it twice is harmless. */
  start(): Promise<void>;
  /** `too_late`: it is decided already; `not_yet`: another version still runs beside this one. */
  confirm(task: string): Promise<'confirmed' | 'too_late' | 'not_yet'>;
}

const lookEveryMs = 500;
/** As the guard has it. */
const minExtensionMs = 120_000;
/** Beyond trial and extension: the guard looks once a second, and a restart takes its time. */
const patienceMs = 120_000;

/** Installs what adds task types; whatever it did before it was interrupted, it can be asked again. */
export interface PluginInstaller {
  install(wish: InstallParameters & { name: string }, context: HandlerContext): Promise<PluginInstalled>;
  remove(wish: RemoveParameters, context: HandlerContext): Promise<PluginInstalled>;
}

/**
 * Makes the handler of PLUGIN_INSTALL. A new version of the agent proves itself within a deadline, or the one before comes back; a plugin does
 * so before it takes the place of the one before.
 */
export const createPluginInstallHandler = (parts: PluginInstallParts, plugins: PluginInstaller): Handler =>
  handle(
    PluginInstall,
    async (wish, context) => {
      if ('remove' in wish) return plugins.remove(wish, context);
      const { name } = wish;
      return name === undefined
        ? installAgent(parts, wish, context)
        : plugins.install({ ...wish, name }, context);
    },
    async (wish, _interrupted, context) => {
      // Nothing was switched, so nothing is lost by doing it once more.
      if ('remove' in wish || wish.name !== undefined) return 'rerun';
      if (parts.folder.trial()?.task !== context.code) return 'rerun';
      await parts.guard.start();
      return decided(parts, wish, context);
    },
  ) as Handler;

async function installAgent(parts: PluginInstallParts, wish: InstallParameters, context: HandlerContext) {
  const release = admit(parts, wish);
  const { folder } = parts;
  folder.create();
  const name = `${wish.version}_${context.code}`;
  const archive = downloadIn(folder.path, wish.sha256);
  await fetchArchive(
    archive,
    { code: context.code, ...wish },
    {
      release,
      download: (request, signal) => parts.transfers.download(request, signal),
      signal: context.signal,
      progress: (bytes) =>
        context.progress({
          percent: Math.floor((bytes / wish.bytes) * 50),
          message: 'downloading',
        }),
    },
  );
  context.progress({ percent: 60, message: 'unpacking' });
  await unpack(archive, join(folder.versions, name), {
    maxBytes: release.manifest.unpacked_bytes,
    signal: context.signal,
    prove: async (draft) => {
      await requireAgentTree(draft, wish.version);
      await requireReversible(draft, parts.schema);
    },
  });
  context.signal.throwIfAborted();
  context.progress({ percent: 80, message: `${wish.version} is on trial` });
  folder.forgive(wish.sha256);
  context.journal.write({ previousVersion: parts.version });
  folder.arm(trialOf(parts, { wish, name, code: context.code }));
  await parts.guard.start();
  return decided(parts, wish, context);
}

/** Everything that can be known before a byte is fetched. */
function admit({ folder, trusted, guard, platform }: PluginInstallParts, wish: InstallParameters) {
  guard.requireReady();
  const release = signedRelease(wish, trusted);
  folder.create();
  const bad = folder.badReason(wish.sha256);
  if (bad !== undefined && !wish.force) {
    throw new TaskError(
      'known_bad',
      `This device went back from this release before (${bad}): force it, or send another`,
    );
  }
  const trial = folder.trial();
  if (trial && ['ARMED', 'TRIAL', 'ROLLING_BACK'].includes(trial.state)) {
    throw new TaskError('busy', `Version ${trial.version} of task ${trial.task} is still on trial`);
  }
  const archive = downloadIn(folder.path, wish.sha256);
  folder.keepOnly([nameOfCurrent(folder), basename(archive)]);
  const floor = folder.floor.version;
  requireAdmissible(release.manifest, { platform, floor, folder: folder.path, held: bytesHeld(archive) });
  return release;
}

const trialOf = (
  { folder }: PluginInstallParts,
  { wish, name, code }: { wish: InstallParameters; name: string; code: string },
): Trial => ({
  state: 'ARMED',
  task: code,
  version: wish.version,
  folder: name,
  sha256: wish.sha256,
  previous: nameOfCurrent(folder),
  window_ms: wish.trial_seconds * 1000,
  switched_at: '',
  reason: '',
});

/** Waits for the end of the trial, and brings it about where this process is the one on trial. */
async function decided(parts: PluginInstallParts, wish: InstallParameters, context: HandlerContext) {
  const { clock, signal, code } = context;
  const until = clock.monotonic() + 2 * Math.max(wish.trial_seconds * 1000, minExtensionMs) + patienceMs;
  let heard = false;
  for (;;) {
    const trial = parts.folder.trial();
    if (trial?.task !== code) throw new TaskError('interrupted', 'The file of the trial was taken away');
    switch (trial.state) {
      case 'CONFIRMED':
        return confirmed(parts, wish, { trial, context });
      case 'ROLLED_BACK':
        throw new TaskError('rolled_back', `Back to ${parts.version}: ${trial.reason}`);
      case 'TRIAL':
        if (!heard && isOnTrial(parts, trial)) {
          await context.reportPhase('TRIAL', `version ${parts.version} runs`);
          heard = true;
        }
        if (heard) await parts.guard.confirm(code);
        break;
      case 'ARMED':
      case 'ROLLING_BACK':
        break;
      default:
        unreachable(trial.state);
    }
    if (clock.monotonic() > until) {
      throw new TaskError(
        'install_failed',
        `The trial of ${trial.version} was not decided in time: it is ${trial.state}`,
      );
    }
    await clock.sleep(lookEveryMs, signal);
  }
}

/** This process is of the version that was unpacked, and says so itself. */
const isOnTrial = ({ folder, version }: PluginInstallParts, trial: Trial): boolean =>
  version === trial.version && process.execPath === join(folder.versions, trial.folder, 'bin/node');

function confirmed(
  { folder, trusted, version }: PluginInstallParts,
  wish: InstallParameters,
  { trial, context }: { trial: Trial; context: HandlerContext },
) {
  folder.floor.raise(signedRelease(wish, trusted).manifest.floor);
  folder.keepOnly([trial.folder, trial.previous]);
  const { previousVersion } = (context.journal.read() ?? {}) as { previousVersion?: string };
  return {
    previous_version: previousVersion ?? 'unknown',
    version,
    sha256: wish.sha256,
    downtime_ms: Math.max(0, context.clock.now() - Number(trial.switched_at)),
  };
}

/** What runs when nothing is on trial. */
function nameOfCurrent(folder: ReleaseFolder): string {
  if (!existsSync(folder.current)) return 'package';
  return basename(readlinkSync(folder.current));
}
