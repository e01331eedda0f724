import type { ApiUnderTest } from './api.ts';

/** A request to a route of questions that would succeed, on a question made for it alone; undefined for all other routes. */
export async function questionSample(
  api: ApiUnderTest,
  { method, path }: { method: string; path: string },
): Promise<{ values: Record<string, string>; body?: object } | undefined> {
  if (!path.includes('/questions/:question')) return undefined;
  const { id: question } = await api.core.questions.ask({
    organizationId: api.admin.organization.id,
    runId: '0197a3c0-5b1e-4c55-9d0e-111111111111',
    taskId: null,
    prompt: 'Go on?',
    options: ['yes', 'no'],
    safe: 'no',
    deadlineMs: 600_000,
  });
  return { values: { question }, ...(method === 'POST' ? { body: { answer: 'yes' } } : {}) };
}
