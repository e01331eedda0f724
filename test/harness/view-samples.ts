import type { ApiUnderTest } from './api.ts';
import { questionSample } from './question-samples.ts';

interface Sample {
  values?: Record<string, string>;
  query?: string;
  body?: object;
}

/** A request to a route of a view that would succeed on things made for it alone; undefined for all other routes. */
export async function viewSample(
  api: ApiUnderTest,
  { method, path }: { method: string; path: string },
  name: string,
): Promise<Sample | undefined> {
  if (path.startsWith('/api/tasks/executions')) return executionSample(api, method, name);
  if (path.startsWith('/api/tasks/')) return scheduleSample(api, { method, path }, name);
  if (path.startsWith('/api/task/question/')) {
    return questionSample(api, { method, path: '/questions/:question/answer' });
  }
  if (path.startsWith('/api/task/run/')) return runSample(api, method, name);
  return undefined;
}

async function executionSample(api: ApiUnderTest, method: string, name: string): Promise<Sample> {
  await api.device(`${name}-run`);
  const { run } = await api.submit([`${name}-run`]);
  return { values: { run }, ...(method === 'POST' && { body: {} }) };
}

async function runSample(api: ApiUnderTest, method: string, name: string): Promise<Sample> {
  await api.device(`${name}-run`);
  const { tasks } = await api.submit([`${name}-run`]);
  return { values: { run: tasks[0] ?? '' }, ...(method === 'POST' && { body: {} }) };
}

async function scheduleSample(
  api: ApiUnderTest,
  { method, path }: { method: string; path: string },
  name: string,
): Promise<Sample> {
  const isAgent = path.startsWith('/api/tasks/agent-schedules');
  const times = { name, cron_expression: '0 2 * * *' };
  await api.device(`${name}-viewed`);
  const wish = isAgent
    ? { ...times, prompt: 'look around' }
    : { ...times, task_type: 'health_check', parameters: { targets: { all: true } } };
  if (!path.includes(':task')) return method === 'POST' ? { body: wish } : {};

  const made = await api.call('POST', path.replace(/\/:task.*/, ''), { body: wish });
  const values = { task: String(made.body['id']) };
  if (path.endsWith('/toggle') || method === 'PUT') return { values, body: { enabled: false } };
  return { values, ...(method === 'POST' && { body: {} }) };
}
