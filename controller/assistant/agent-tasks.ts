import type { AgentTaskRequest } from '../../shared/api/assistant.ts';
import type { RunAnswer } from '../../shared/api/tasks.ts';
import type { Clock } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import type { Bus } from '../bus/bus.ts';
import type { Actor } from '../devices/actor.ts';
import type { OrganizationRow } from '../store/access.ts';
import type { StoreTables } from '../store/store.ts';
import { endAgentRun } from '../tasks/end-agent-run.ts';
import type { Submission, Submitted } from '../tasks/submit.ts';

export interface AgentTasksParts {
  bus: Bus;
  clock: Clock;
  /** A chat model is configured. */
  hasModel: boolean;
}

export interface AgentTaskOrder {
  actor: Actor;
  organization: OrganizationRow;
  request: AgentTaskRequest;
}

/** Prompts of one organization that are worked on, or wait to be. */
const maxOpen = 50;

const notConfigured =
  'No model is configured: an agent task needs `assistant` with base_url and model in the configuration of the controller';

/** Makes the runs of agent tasks; working on them is the assistant's. */
export class AgentTasks {
  readonly #parts: AgentTasksParts;

  constructor(parts: AgentTasksParts) {
    this.#parts = parts;
  }

  /** Throws `assistant_not_configured`. */
  requireModel(): void {
    if (!this.#parts.hasModel) throw new AppError('assistant_not_configured', notConfigured);
  }

  /** Makes a run. Without a model it is FAILED from the beginning and says why: of a schedule nobody else would be told. */
  async submit(
    { actor, organization, request }: AgentTaskOrder,
    submit: (submission: Submission) => Promise<Submitted>,
  ): Promise<Submitted> {
    const { prompt, allow_task_types, max_steps, max_tokens, timeout_seconds } = request;
    const submitted = await submit({
      actor,
      organization,
      trigger: 'manual',
      request: {
        type: 'AGENT_TASK',
        targets: {},
        payload: { prompt, allow_task_types, max_steps, max_tokens, timeout_seconds },
        force: false,
        dry_run: false,
      },
      alongside: (tables, answer) => this.#insert(tables, { actor, organization, request }, answer),
    });
    this.#parts.bus.publish('assistant', {});
    return submitted;
  }

  async #insert(
    tables: StoreTables,
    { actor, organization, request }: AgentTaskOrder,
    { run }: RunAnswer,
  ): Promise<void> {
    if (run === null) return;
    const now = this.#parts.clock.now();
    const open = await tables.assistant.countOpen(organization.id);
    if (open >= maxOpen) {
      throw new AppError(
        'too_many_requests',
        `There are ${open} agent tasks under way already: expected at most ${maxOpen} in one organization`,
      );
    }
    await tables.assistant.insert({
      runId: run,
      organizationId: organization.id,
      prompt: request.prompt,
      allowTaskTypes: request.allow_task_types,
      maxSteps: request.max_steps,
      maxTokens: request.max_tokens,
      timeoutMs: request.timeout_seconds * 1000,
      createdBy: actor.name,
      createdAt: now,
    });
    if (this.#parts.hasModel) return;
    const end = {
      status: 'failed',
      errorCode: 'assistant_not_configured',
      errorMessage: notConfigured,
    } as const;
    await endAgentRun(tables, { id: run, organizationId: organization.id }, end, now);
  }
}
