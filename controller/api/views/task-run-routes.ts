import { z } from 'zod';
import {
  AnswerTaskQuestion,
  AnswerTaskQuestionAnswer,
  CancelTaskRunAnswer,
  LogLevel,
  PendingTaskQuestions,
  RecentTaskRuns,
  TaskRun,
  TaskRunLog,
  TaskRunLogQuery,
} from '../../../shared/api/task-runs-view.ts';
import { AppError } from '../../../shared/errors.ts';
import { type Route, route } from '../route.ts';
import { pendingQuestions } from './pending-questions.ts';
import { findRun, readLog, recentRuns, showRun, type ViewedRun } from './task-runs.ts';

const root = '/api/task';
const tag = 'task runs view';
const RunPath = z.strictObject({
  run: z.string().max(64).describe('id or code of a task, or id of an agent task’s run'),
});
const QuestionPath = z.strictObject({ question: z.string().max(64).describe('id') });

const recent = route({
  method: 'GET',
  path: `${root}/runs/recent`,
  role: 'viewer',
  tag,
  summary: 'The newest hundred runs, newest first; a run is one task on one device',
  answer: RecentTaskRuns,
  handle: (call) => recentRuns(call),
});

const describe = route({
  method: 'GET',
  path: `${root}/run/:run`,
  role: 'viewer',
  tag,
  summary: 'Describe one run',
  params: RunPath,
  answer: TaskRun,
  handle: async (call) => showRun(await findRun(call, call.params.run)),
});

const logs = route({
  method: 'GET',
  path: `${root}/run/:run/logs`,
  role: 'viewer',
  tag,
  summary: 'Read the log of a run from a cursor on',
  params: RunPath,
  query: TaskRunLogQuery,
  answer: TaskRunLog,
  handle: async (call) => {
    const { after, limit, levels } = call.query;
    const wanted = levels?.split(',').map((level) => LogLevel.parse(level));
    return readLog(call, await findRun(call, call.params.run), { after, limit, levels: wanted });
  },
});

const cancel = route({
  method: 'POST',
  path: `${root}/run/:run/cancel`,
  role: 'operator',
  tag,
  summary: 'Cancel a run that waits, or ask one that runs to stop',
  params: RunPath,
  body: z.strictObject({}),
  answer: CancelTaskRunAnswer,
  errors: ['not_cancellable'],
  handle: async (call) => {
    const { parts, actor, params } = call;
    const viewed = await findRun(call, params.run);
    requireOpen(viewed);
    if ('task' in viewed) await parts.core.cancelTask(actor, viewed.task.id, { request: true });
    else await parts.core.cancelRun(actor, viewed.run.id, { request: true });
    const { state } = showRun(await findRun(call, params.run));
    return { status: 'canceled' as const, state };
  },
});

/** Of tasks the store decides; what has no task is decided here. */
function requireOpen(viewed: ViewedRun): void {
  if ('task' in viewed) return;
  const { id, state } = showRun(viewed);
  if (state === 'completed' || state === 'failed') {
    throw new AppError('not_cancellable', `Run ${id} is ${state} and can no longer be cancelled`);
  }
}

const questions = route({
  method: 'GET',
  path: `${root}/questions/pending`,
  role: 'viewer',
  tag,
  summary: 'What runs ask people, and nobody has answered yet; newest first',
  answer: PendingTaskQuestions,
  handle: (call) => pendingQuestions(call),
});

const answer = route({
  method: 'POST',
  path: `${root}/question/:question/answer`,
  role: 'operator',
  tag,
  summary: 'Answer a question with one of its options',
  params: QuestionPath,
  body: AnswerTaskQuestion,
  answer: AnswerTaskQuestionAnswer,
  errors: ['conflict'],
  handle: async ({ parts, actor, params, body }) => {
    await parts.core.questions.answer(actor, params.question, body.answer);
    return { status: 'answered' as const };
  },
});

export const taskRunRoutes: Route[] = [recent, describe, logs, cancel, questions, answer];
