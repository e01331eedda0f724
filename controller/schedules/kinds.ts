import type { z } from 'zod';
import { AgentTaskRequest } from '../../shared/api/assistant.ts';
import { BackupRequest } from '../../shared/api/backups.ts';
import { PullRequest } from '../../shared/api/configs.ts';
import { PluginInstallRequest } from '../../shared/api/releases.ts';
import { SyncRequest } from '../../shared/api/sync.ts';
import { type RunAnswer, RunRequest, type Targets } from '../../shared/api/tasks.ts';
import type { Clock } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import { parse } from '../../shared/parse.ts';
import type { RunType } from '../../shared/run-type.ts';
import { backupConfigOf } from '../content/backup-configs.ts';
import type { Releases } from '../content/releases.ts';
import type { Actor } from '../devices/actor.ts';
import type { OrganizationRow } from '../store/access.ts';
import type { ScheduledKind } from '../store/schedules.ts';
import type { Store } from '../store/store.ts';
import { backupParameters } from '../tasks/backup-parameters.ts';
import { pluginInstallRequest } from '../tasks/plugin-install-request.ts';
import { runRequestOf } from '../tasks/run-request.ts';
import type { Submission, Submitted } from '../tasks/submit.ts';
import { findTaskType, type PluginStore } from '../tasks/find-task-type.ts';
import { readParameters, requirePlain } from '../tasks/task-parameters.ts';

/** Takes a submission and adds where it comes from. */
export type Submit = (submission: Submission) => Promise<Submitted>;

export interface KindParts {
  store: Store;
  clock: Clock;
  /** Renders and submits a SYNC; without it none can be scheduled. */
  sync?: (
    order: { actor: Actor; organization: OrganizationRow; request: SyncRequest },
    submit: Submit,
  ) => Promise<{ answer: RunAnswer }>;
  /** What devices can install; without it nothing can be scheduled that installs. */
  releases?: Pick<Releases, 'toInstall'>;
  /** Makes the run of an agent task; without it none can be scheduled. */
  agentTasks?: {
    /** Throws when no model is configured. */
    requireModel(): void;
    submit(order: Order<AgentTaskRequest>, submit: Submit): Promise<unknown>;
  };
}

export interface Order<Request> {
  actor: Actor;
  organization: OrganizationRow;
  request: Request;
}

/** What is not done on devices has no targets. */
type AnyRequest = Record<string, unknown> & { targets?: Targets };

/** How one kind of scheduled task is checked and run: through what its own route uses. */
interface Kind<Schema extends z.ZodType<AnyRequest>> {
  schema: Schema;
  /** Throws for what the route would refuse whatever the devices are. */
  check(parts: KindParts, request: z.output<Schema>, place: Place): void | Promise<void>;
  type(request: z.output<Schema>): RunType;
  submit(parts: KindParts, order: Order<z.output<Schema>>, submit: Submit): Promise<unknown>;
}

type Read = (given: { parts: KindParts; place: Place; value: unknown }) => Promise<ReadRequest>;

/** Reads requests of one kind, and keeps what a request was parsed as between its reading and its submission. */
const kind =
  <Schema extends z.ZodType<AnyRequest>>(of: Kind<Schema>): Read =>
  async ({ parts, place, value }) => {
    const request = parse('request', of.schema, value);
    await of.check(parts, request, place);
    return {
      type: of.type(request),
      targets: request.targets ?? {},
      body: request,
      submit: (given, { targets, ...order }, submit) =>
        of.submit(given, { ...order, request: { ...request, targets } }, submit),
    };
  };

/** A part that may be missing: what needs it cannot be scheduled then. */
function needed<Part>(part: Part | undefined, type: RunType): Part {
  if (part !== undefined) return part;
  throw new AppError('task_type_not_supported', `${type} cannot be scheduled here`);
}

const run = kind({
  schema: RunRequest.omit({ scheduled_at: true, schedule: true, dry_run: true }),
  check: async (_parts, { type, payload }, { releases, organizationId }) => {
    requirePlain(type);
    const { contract } = await findTaskType(releases, organizationId, type);
    readParameters(contract, payload);
  },
  type: ({ type }) => type,
  submit: (_parts, { request, ...order }, submit) =>
    submit({ ...order, trigger: 'schedule', request: { ...request, dry_run: false } }),
});

const pull = kind({
  schema: PullRequest.omit({ scheduled_at: true }),
  check: () => undefined,
  type: () => 'PULL',
  submit: async ({ store }, { request, ...order }, submit) => {
    const { recipients } = await backupConfigOf(store, order.organization.id);
    const payload = { recipients, ...(request.units && { units: request.units }) };
    return submit({ ...order, trigger: 'schedule', request: runRequestOf('PULL', request, payload) });
  },
});

const backup = kind({
  schema: BackupRequest.omit({ scheduled_at: true }),
  check: () => undefined,
  type: () => 'BACKUP',
  submit: async ({ store, clock }, { request, ...order }, submit) => {
    const { id: organizationId } = order.organization;
    const { targets, full } = request;
    const config = await backupConfigOf(store, organizationId);
    const perDevice = await backupParameters(
      { store, now: clock.now() },
      { organizationId, targets, full, config },
    );
    const { recipients, include, exclude } = config;
    return submit({
      ...order,
      trigger: 'schedule',
      request: runRequestOf('BACKUP', request, { recipients, include, exclude, full }),
      perDevice,
    });
  },
});

const sync = kind({
  schema: SyncRequest.omit({ scheduled_at: true }),
  check: ({ sync: apply }) => void needed(apply, 'SYNC'),
  type: () => 'SYNC',
  submit: async ({ sync: apply }, order, submit) => needed(apply, 'SYNC')(order, submit),
});

const agentTask = kind({
  schema: AgentTaskRequest,
  check: ({ agentTasks }) => void needed(agentTasks, 'AGENT_TASK'),
  type: () => 'AGENT_TASK',
  submit: async ({ agentTasks }, order, submit) => needed(agentTasks, 'AGENT_TASK').submit(order, submit),
});

const pluginInstall = kind({
  schema: PluginInstallRequest.omit({ scheduled_at: true }),
  check: ({ releases }) => void needed(releases, 'PLUGIN_INSTALL'),
  type: () => 'PLUGIN_INSTALL',
  submit: async ({ releases }, { request, ...order }, submit) => {
    const known = needed(releases, 'PLUGIN_INSTALL');
    const made = await pluginInstallRequest(known, order.organization.id, request);
    return submit({ ...order, trigger: 'schedule', request: made });
  },
});

const kinds: Record<ScheduledKind, Read> = {
  RUN: run,
  SYNC: sync,
  PULL: pull,
  BACKUP: backup,
  AGENT_TASK: agentTask,
  PLUGIN_INSTALL: pluginInstall,
};

/** A request of some kind that was checked. */
export interface ReadRequest {
  type: RunType;
  /** None for what is not done on devices. */
  targets: Targets;
  /** With defaults filled in. */
  body: Record<string, unknown>;
  submit(
    parts: KindParts,
    order: Omit<Order<never>, 'request'> & { targets: Targets },
    submit: Submit,
  ): Promise<unknown>;
}

/** Where a request is to run: its organization, by what a transaction under way sees of it. */
export interface Place {
  organizationId: string;
  releases: PluginStore;
}

/** Throws as the kind's route does for a request that is not valid. */
export const readRequest = (
  parts: KindParts,
  place: Place,
  { kind: name, request: value }: { kind: ScheduledKind; request: unknown },
): Promise<ReadRequest> => kinds[name]({ parts, place, value });
