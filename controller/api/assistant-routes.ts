import { z } from 'zod';
import { AgentTaskRequest, TranscriptPage, TranscriptQuery } from '../../shared/api/assistant.ts';
import { RunAnswer } from '../../shared/api/tasks.ts';
import { AppError } from '../../shared/errors.ts';
import { idempotencyOf } from './idempotency.ts';
import type { BodyTexts } from './json-body.ts';
import { OrganizationPath } from './organization-path.ts';
import { type Route, route } from './route.ts';
import { showMessage } from './show-agent-task.ts';

const tag = 'runs';

const create = (bodyTexts: BodyTexts) =>
  route({
    method: 'POST',
    path: '/api/v1/organizations/:organization/agent-tasks',
    role: 'operator',
    tag,
    summary:
      'Have a prompt worked on by the configured model: a run of type AGENT_TASK. Honours Idempotency-Key for 24 hours',
    params: OrganizationPath,
    body: AgentTaskRequest,
    answer: RunAnswer,
    errors: ['assistant_not_configured', 'too_many_requests', 'idempotency_mismatch'],
    handle: async (call) => {
      const { parts, actor, principal, body, reply } = call;
      const { agentTasks } = parts.core;
      agentTasks.requireModel();
      const idempotency = idempotencyOf(call, bodyTexts);
      const order = { actor, organization: principal.organization, request: body };
      const { answer, replayed } = await agentTasks.submit(order, (submission) =>
        parts.core.submit({ ...submission, ...(idempotency && { idempotency }) }),
      );
      if (replayed) reply.header('idempotency-replayed', 'true');
      return answer;
    },
  });

const transcript = route({
  method: 'GET',
  path: '/api/v1/runs/:run/transcript',
  role: 'viewer',
  tag,
  summary: 'Read what the model of an agent task was told, asked for and saw, message by message',
  params: z.strictObject({ run: z.string().max(64).describe('id') }),
  query: TranscriptQuery,
  answer: TranscriptPage,
  handle: async ({ parts, principal, params, query: { after, limit } }) => {
    const { assistant } = parts.store;
    const run = await assistant.get(params.run);
    if (run?.organizationId !== principal.organization.id) {
      throw new AppError('not_found', `There is no agent task ${params.run}`);
    }
    const messages = await assistant.messages(run.runId, after, limit);
    return {
      items: messages.map(showMessage),
      next: messages.at(-1)?.seq ?? after,
      complete: run.completedAt !== null && messages.length < limit,
    };
  },
});

export const assistantRoutes = (bodyTexts: BodyTexts): Route[] => [create(bodyTexts), transcript];
