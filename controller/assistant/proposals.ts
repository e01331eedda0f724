import { AppError } from '../../shared/errors.ts';
import type { Clock } from '../../shared/clock.ts';
import { maxRunPrompt } from '../../shared/question.ts';
import type { Questions } from '../questions/questions.ts';
import { type KindParts, type ReadRequest, readRequest } from '../schedules/kinds.ts';
import type { OrganizationRow } from '../store/access.ts';
import type { AssistantRunRow, CallKey, ProposalRow } from '../store/assistant.ts';
import type { ScheduledKind } from '../store/schedules.ts';
import type { Store, StoreTables } from '../store/store.ts';
import type { Submission, Submitted } from '../tasks/submit.ts';
import { candidates } from '../tasks/target-candidates.ts';
import { resolveTargets } from '../tasks/targets.ts';
import { questionText } from './question-text.ts';
import { describeRun } from './tools/task-tools.ts';
import type { Proposal } from './tools/tools.ts';

export interface ProposalsParts {
  store: Store;
  clock: Clock;
  questions: Pick<Questions, 'ask' | 'get'>;
  kinds: KindParts;
  submit(submission: Submission): Promise<Submitted>;
}

/** What a proposal has come to: something for the model, or nothing yet. */
export type ProposalState = { kind: 'waiting' } | { kind: 'settled'; result: object };

const approve = 'approve';
const reject = 'reject';
const answerWithinMs = 600_000;
/** Tasks of a run that the model is told of when it has ended. */
const shownTasks = 20;

/** Somebody was faster, or the agent task has ended: nothing is to be done. */
class NotMine extends Error {}

/**
 * Tasks that the model wants done.
 *
 * - Nothing runs that a person did not approve, unless whoever asked for the agent task allowed its type.
 * - What runs is what was shown: the devices, by id, and the parameters are fixed before the question is asked.
 * - A call of the model becomes one proposal, one question, and one run at most: the proposal is written in the transaction that asks,
 *   and marked submitted in the transaction that makes the tasks.
 */
export class Proposals {
  readonly #parts: ProposalsParts;

  constructor(parts: ProposalsParts) {
    this.#parts = parts;
  }

  /** True when a run that waits can go on. */
  async isSettled(run: AssistantRunRow): Promise<boolean> {
    const { store, clock, questions } = this.#parts;
    if (run.deadlineAt !== null && clock.now() >= run.deadlineAt) return true;
    const proposal = (await store.assistant.proposals(run.runId)).at(-1);
    if (proposal?.status === 'waiting' && proposal.questionId !== null) {
      return (await questions.get(run.organizationId, proposal.questionId)).state !== 'pending';
    }
    return proposal?.status !== 'submitted' || (await this.#isOver(run, proposal));
  }

  /** Takes a call as far as it goes now; the same call again goes on where it was. Throws AppError for what cannot be proposed at all. */
  async advance(
    run: AssistantRunRow,
    organization: OrganizationRow,
    call: { key: CallKey; wish: Proposal },
  ): Promise<ProposalState> {
    const { assistant } = this.#parts.store;
    let proposal = await assistant.proposal(call.key);
    if (proposal === undefined) {
      await this.#propose(run, organization, call);
      proposal = await assistant.proposal(call.key);
    }
    if (proposal?.status === 'waiting') proposal = await this.#decide(run, proposal);
    if (proposal?.status === 'approved')
      proposal = await this.#submit(run, organization, { ...call, proposal });
    if (proposal === undefined) return { kind: 'waiting' };
    return this.#stateOf(run, organization, proposal);
  }

  async #propose(
    run: AssistantRunRow,
    organization: OrganizationRow,
    { key, wish }: { key: CallKey; wish: Proposal },
  ): Promise<void> {
    const { store, clock, questions, kinds } = this.#parts;
    const { task_type: taskType, parameters, targets, reason } = wish;
    const devices = await this.#devicesOf(organization, wish);
    const kind = kindOf(taskType);
    const asked =
      kind === 'RUN' ? { type: taskType, payload: parameters, targets } : { ...parameters, targets };
    const { body } = await readRequest(
      kinds,
      { organizationId: organization.id, releases: store.releases },
      { kind, request: { ...asked, targets: { devices: devices.map(({ id }) => id) } } },
    );
    const now = clock.now();
    const proposal = { ...key, taskType, kind, request: JSON.stringify(body), createdAt: now };
    if (run.allowTaskTypes.includes(taskType)) {
      await store.assistant.propose({
        ...proposal,
        status: 'approved',
        questionId: null,
        decidedBy: run.createdBy,
      });
      return;
    }
    const { targets: _, ...shown } = body;
    const prompt = questionText({
      ...run,
      taskType,
      devices: devices.map(({ name }) => name),
      parameters: shown,
      reason,
    });
    if (prompt.length > maxRunPrompt) {
      throw new AppError(
        'bad_request',
        `The proposal is too long to be shown to a person: ${prompt.length} characters, expected at most ${maxRunPrompt}. Propose less at a time`,
      );
    }
    const left = (run.deadlineAt ?? now + answerWithinMs) - now;
    await questions
      .ask(
        {
          organizationId: run.organizationId,
          runId: run.runId,
          taskId: null,
          prompt,
          options: [approve, reject],
          safe: reject,
          deadlineMs: Math.max(1, Math.min(answerWithinMs, left)),
        },
        async (tables, questionId) => {
          const isNew = await tables.assistant.propose({
            ...proposal,
            status: 'waiting',
            questionId,
            decidedBy: null,
          });
          if (!isNew) throw new NotMine();
        },
      )
      .catch(ignoreNotMine);
  }

  /** Which they are now: a selector, or a name that was given anew, must not mean others when it is approved than when it was shown. */
  async #devicesOf(
    organization: OrganizationRow,
    { task_type: type, targets }: Proposal,
  ): Promise<{ id: string; name: string }[]> {
    const found = await candidates(this.#parts.store.devices, organization.id, targets);
    const { devices } = resolveTargets(targets, found, type);
    if (devices.length > 0) return devices;
    throw new AppError('unresolved_targets', `None of these devices can do ${type} now`);
  }

  /** waiting → approved or rejected, when the question is not pending any more. */
  async #decide(run: AssistantRunRow, proposal: ProposalRow): Promise<ProposalRow | undefined> {
    const { store, questions } = this.#parts;
    if (proposal.questionId === null) return proposal;
    const question = await questions.get(run.organizationId, proposal.questionId);
    if (question.state === 'pending') return proposal;
    const isApproved = question.state === 'answered' && question.answer === approve;
    await store.assistant.decide(proposal, {
      from: 'waiting',
      to: isApproved ? 'approved' : 'rejected',
      by: question.answeredBy,
    });
    return store.assistant.proposal(proposal);
  }

  /** approved → submitted, in the transaction that makes the tasks; or refused, when they cannot be made any more. */
  async #submit(
    run: AssistantRunRow,
    organization: OrganizationRow,
    { wish, proposal }: { wish: Proposal; proposal: ProposalRow },
  ): Promise<ProposalRow | undefined> {
    const { store, kinds } = this.#parts;
    const refuse = (why: string) =>
      store.assistant.decide(proposal, { from: 'approved', to: 'refused', by: why.slice(0, 1000) });
    let isMade = false;
    try {
      const request: ReadRequest = await readRequest(
        kinds,
        { organizationId: organization.id, releases: store.releases },
        { kind: proposal.kind, request: JSON.parse(proposal.request) },
      );
      const actor = {
        name: proposal.decidedBy ?? run.createdBy,
        organizationId: run.organizationId,
        ipAddress: null,
        requestId: null,
      };
      const { targets } = request;
      await request.submit(kinds, { actor, organization, targets }, (submission) =>
        this.#parts.submit({
          ...submission,
          trigger: 'api',
          alongside: async (tables, answer) => {
            await submission.alongside?.(tables, answer);
            if (!(await this.#markSubmitted(tables, { run, proposal, wish }, answer.run ?? ''))) {
              throw new NotMine();
            }
            isMade = true;
          },
        }),
      );
      if (!isMade) await refuse('there was nothing to do');
    } catch (error) {
      if (error instanceof AppError && !error.retryable) await refuse(error.message);
      else ignoreNotMine(error);
    }
    return store.assistant.proposal(proposal);
  }

  async #markSubmitted(
    tables: StoreTables,
    { run, proposal, wish }: { run: AssistantRunRow; proposal: ProposalRow; wish: Proposal },
    made: string,
  ): Promise<boolean> {
    const now = this.#parts.clock.now();
    const waitUntil = Math.min(now + wish.wait_seconds * 1000, run.deadlineAt ?? now);
    if (!(await tables.assistant.submitted(proposal, { run: made, waitUntil }))) return false;
    await tables.audit.append([
      {
        at: now,
        organizationId: run.organizationId,
        actor: proposal.decidedBy ?? run.createdBy,
        action: 'agent_task.submit',
        target: made,
        detail: {
          agent_task: run.runId,
          type: proposal.taskType,
          ...(proposal.questionId === null
            ? { allowed_by: run.createdBy }
            : { approved_by: proposal.decidedBy, question: proposal.questionId }),
        },
        ipAddress: null,
        requestId: null,
      },
    ]);
    return true;
  }

  async #stateOf(
    run: AssistantRunRow,
    organization: OrganizationRow,
    proposal: ProposalRow,
  ): Promise<ProposalState> {
    const { status, decidedBy, madeRun } = proposal;
    if (status === 'waiting' || status === 'approved') return { kind: 'waiting' };
    if (status === 'rejected') {
      const by = decidedBy === null ? 'nobody answered in time' : `${decidedBy} said no`;
      return { kind: 'settled', result: { status: 'rejected', why: by } };
    }
    if (status === 'refused' || madeRun === null) {
      return { kind: 'settled', result: { status: 'not_run', why: decidedBy } };
    }
    if (!(await this.#isOver(run, proposal))) return { kind: 'waiting' };
    const tasks = await describeRun(this.#parts, organization, { run: madeRun, page: 1, limit: shownTasks });
    const approval = proposal.questionId === null ? 'allowed beforehand' : `approved by ${decidedBy}`;
    return { kind: 'settled', result: { status: 'submitted', approval, run: tasks } };
  }

  /** The run that it became has ended, or was waited for long enough. */
  async #isOver({ organizationId }: AssistantRunRow, { madeRun, waitUntil }: ProposalRow): Promise<boolean> {
    const { store, clock } = this.#parts;
    if (waitUntil !== null && clock.now() >= waitUntil) return true;
    const made = await store.runs.get(organizationId, madeRun ?? '');
    return made === undefined || made.completedAt !== null;
  }
}

const kindOf = (type: Proposal['task_type']): ScheduledKind =>
  type === 'SYNC' || type === 'PULL' || type === 'BACKUP' ? type : 'RUN';

function ignoreNotMine(error: unknown): undefined {
  if (error instanceof NotMine) return undefined;
  throw error;
}
