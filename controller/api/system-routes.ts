import { z } from 'zod';
import { AppError } from '../../shared/errors.ts';
import type { ApiMetrics } from './metrics.ts';
import type { ApiParts } from './parts.ts';
import { type Call, type OpenCall, openRoute, type Route, route } from './route.ts';

const tag = 'system';
/** A store that takes longer than this to answer one small read is not ready. */
const storeAnswersWithinMs = 2_000;

const Health = z.object({ status: z.literal('ok') });
const Readiness = z.object({ status: z.literal('ready'), checks: z.record(z.string(), z.literal('ok')) });

const health = openRoute({
  method: 'GET',
  path: '/healthz',
  role: 'public',
  limit: 'none',
  tag,
  summary: 'The process is alive',
  answer: Health,
  handle: async () => ({ status: 'ok' as const }),
});

const readiness = openRoute({
  method: 'GET',
  path: '/readyz',
  role: 'public',
  limit: 'none',
  tag,
  summary: 'The store answers and the dispatcher works; 503 with the failed checks otherwise',
  answer: Readiness,
  errors: ['unavailable'],
  handle: async ({ parts }) => {
    const checks = {
      store: (await storeAnswers(parts)) ? 'ok' : 'failed',
      dispatcher: parts.core.status().ready ? 'ok' : 'failed',
    } as const;
    const failed = Object.entries(checks).filter(([, verdict]) => verdict !== 'ok');
    if (failed.length > 0) {
      const names = failed.map(([name]) => name).join(', ');
      throw new AppError('unavailable', `The controller is not ready: ${names}`, { detail: { checks } });
    }
    return { status: 'ready' as const, checks: { store: 'ok' as const, dispatcher: 'ok' as const } };
  },
});

async function storeAnswers({ store, clock, log }: ApiParts): Promise<boolean> {
  const answered = new AbortController();
  const late = clock.sleep(storeAnswersWithinMs, answered.signal).then(
    () => false,
    () => true,
  );
  const read = store.events.range().then(
    () => true,
    (error: unknown) => {
      log.warn({ err: error }, 'store does not answer');
      return false;
    },
  );
  try {
    return await Promise.race([read, late]);
  } finally {
    answered.abort();
  }
}

const metricsPage = (metrics: ApiMetrics, access: 'public' | 'viewer'): Route => {
  const page = {
    method: 'GET' as const,
    path: '/metrics',
    tag,
    summary: 'Metrics for Prometheus',
    produces: 'text/plain',
    handle: async ({ reply }: OpenCall | Call) => {
      await reply.type(metrics.contentType).send(await metrics.text());
    },
  };
  return access === 'public'
    ? openRoute({ ...page, role: 'public', limit: 'stranger' })
    : route({ ...page, role: 'viewer' });
};

/** `text` gives the document, once all routes are known. */
const openApiPage = (text: () => string) =>
  openRoute({
    method: 'GET',
    path: '/api/openapi.json',
    role: 'public',
    limit: 'stranger',
    tag,
    summary: 'This document',
    produces: 'application/json',
    handle: async ({ reply }) => {
      await reply.type('application/json; charset=utf-8').send(text());
    },
  });

export const systemRoutes = (
  metrics: ApiMetrics,
  access: 'public' | 'viewer',
  openApi: () => string,
): Route[] => [health, readiness, metricsPage(metrics, access), openApiPage(openApi)];
