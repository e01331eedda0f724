import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { ApiCoreStatus, ApiParts } from './parts.ts';

/** What Prometheus reads. Base units; no name of a device, task or person is ever a label. */
export interface ApiMetrics {
  readonly contentType: string;
  text(): Promise<string>;
  answered(request: { method: string; route: string; status: number; seconds: number }): void;
}

export function createMetrics({ core, store, config }: ApiParts): ApiMetrics {
  const registry = new Registry();
  const registers = [registry];
  if (config.processMetrics) collectDefaultMetrics({ register: registry });

  new Gauge({ name: 'muster_build_info', help: 'Version', labelNames: ['version'], registers }).set(
    { version: config.version },
    1,
  );
  addCoreMetrics(registry, () => core.status());
  new Gauge({
    name: 'muster_tasks',
    help: 'Tasks that have not ended, by state and type',
    labelNames: ['state', 'type'],
    registers,
    async collect() {
      const counts = await store.tasks.countLive();
      this.reset();
      for (const { status, type, count } of counts) this.set({ state: status, type }, count);
    },
  });

  const requests = new Counter({
    name: 'muster_http_requests_total',
    help: 'Requests answered, by method, route and status',
    labelNames: ['method', 'route', 'status'],
    registers,
  });
  const durations = new Histogram({
    name: 'muster_http_request_duration_seconds',
    help: 'Time from request to the end of the answer',
    labelNames: ['method', 'route'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  });
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    answered: ({ method, route, status, seconds }) => {
      requests.inc({ method, route, status: String(status) });
      durations.observe({ method, route }, seconds);
    },
  };
}

const gauges = {
  muster_links_open: ['Links to agents that are open', (status) => status.linksOpen],
  muster_devices_online: ['Devices that have a link and said hello on it', (status) => status.devicesOnline],
  muster_event_subscribers: ['Readers of the event stream', (status) => status.eventSubscribers],
  muster_ready: ['1 when the loops run and the last commit did not fail', (status) => Number(status.ready)],
} as const satisfies Record<string, [help: string, read: (status: ApiCoreStatus) => number]>;

const counters = {
  muster_offers_total: ['Offers sent to devices', (status) => status.offersSent],
  muster_reports_applied_total: ['Reports of devices applied', (status) => status.reportsApplied],
  muster_commits_total: ['Group commits', (status) => status.commits],
  muster_commit_failures_total: ['Group commits that failed', (status) => status.commitFailures],
  muster_links_refused_total: ['Links refused before the upgrade', (status) => status.linksRefused],
} as const satisfies Record<string, [help: string, read: (status: ApiCoreStatus) => number]>;

/** The core counts by itself; its figures are read when somebody asks. */
function addCoreMetrics(registry: Registry, status: () => ApiCoreStatus): void {
  const registers = [registry];
  for (const [name, [help, read]] of Object.entries(gauges)) {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read(status()));
      },
    });
  }
  for (const [name, [help, read]] of Object.entries(counters)) {
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(read(status()));
      },
    });
  }
}
